// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/ctl/run_program.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>

#include "tools/rampartctl/session.hpp"

namespace rampart::ctl {

Outcome run_program(const std::vector<std::string>& words, const std::string& standard_input,
                    const std::string& rampart_socket) {
  std::istringstream in(standard_input);
  std::ostringstream out, err;
  Console console{.in = in, .out = out, .err = err, .socket = rampart_socket};
  const int status = run(words, console);
  return {status, out.str(), err.str()};
}

std::string api_example(const std::string& heading) {
  std::ifstream file(RAMPART_DOCS_DIR "/api.md");
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  const size_t answers = page.find("## Answers");
  const size_t at = page.find(heading, answers);
  if (answers == std::string::npos || at == std::string::npos) {
    throw std::runtime_error("docs/api.md has no " + heading);
  }
  const size_t after = at + heading.size();
  const size_t fence = page.find("```json\n", after);
  const size_t inline_code = page.find("`{", after);
  const size_t from = std::min(fence == std::string::npos ? fence : fence + 8,
                               inline_code == std::string::npos ? inline_code : inline_code + 1);
  return page.substr(from, page.find('`', from) - from);
}

Stand::Stand(std::string body, unsigned status)
    : server_([body = std::move(body), status](const SocketServer::Asked&) {
        return SocketServer::answer(status, body,
                                    status < 300 ? "application/json" : "application/problem+json");
      }) {}

std::vector<std::string> Stand::calls() const {
  std::vector<std::string> all;
  for (const auto& asked : server_.asked()) all.push_back(asked.method + " " + asked.target);
  return all;
}

}  // namespace rampart::ctl
