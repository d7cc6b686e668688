// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <string_view>

#include "tools/rampartctl/commands.hpp"

// The commands that are about the program itself, and those that hardly have an answer to show.
namespace rampart::ctl {
namespace {

/// What the bash completion may ask for: where the names stand in which answer.
struct Words {
  std::string_view kind, target, list, member;
};
constexpr Words kWords[] = {{"ports", "/v1/status", "ports", "name"},
                            {"pods", "/v1/endpoints", "endpoints", "pod"},
                            {"policies", "/v1/policies", "policies", "policy"}};

/// One name a line; quiet when there is nobody to ask.
int print_words(Session& session, const Words& words) {
  Request request;
  request.target = words.target;
  const auto response = session.try_call(request);
  if (!response || !response->ok()) return kFailed;
  const auto answer = Answer::parse(response->body);
  if (!answer) return kFailed;
  for (const Json& item : answer->root()[words.list].items()) {
    session.out() << printable(item[words.member].text("")) << '\n';
  }
  return kDone;
}

}  // namespace

int run_metrics(Session& session) {
  Request request;
  request.target = "/metrics";
  const auto response = session.call(request);
  if (!response) return kFailed;
  session.out() << response->body;
  return kDone;
}

int run_reasons(Session& session) {
  const auto fetched = session.get("/v1/reasons");
  if (!fetched) return kFailed;
  if (fetched->shown) return kDone;
  Table table({{"REASON"}, {"MEANING"}});
  for (const Json& reason : fetched->answer.root()["reasons"].items()) {
    table.add({reason["reason"].text(), reason["meaning"].text()});
  }
  session.print(table);
  return kDone;
}

int run_reset_port(Session& session) {
  const std::string& name = session.invocation().operands[0];
  Request request;
  request.method = "POST";
  request.target = "/v1/ports/" + percent_encoded(name) + "/reset";
  const auto response = session.call(request);
  if (!response) return kFailed;
  if (session.wants_json() && !response->body.empty()) return session.print_json(response->body);
  session.out() << "port " << printable(name) << " was reset\n";
  return kDone;
}

int run_completion(Session& session) {
  const auto& operands = session.invocation().operands;
  if (operands[0] == "bash" && operands.size() == 1) {
    session.out() << bash_completion();
    return kDone;
  }
  if (operands[0] == "words" && operands.size() == 2) {
    for (const Words& words : kWords) {
      if (operands[1] == words.kind) return print_words(session, words);
    }
  }
  return session.fail_usage("there is a completion for bash, not for '" + operands[0] + "'");
}

int run_help(Session& session) {
  const Invocation& invocation = session.invocation();
  if (invocation.has("markdown")) {
    session.out() << reference_page();
    return kDone;
  }
  if (invocation.operands.empty()) {
    session.out() << help_page();
    return kDone;
  }
  const Command* command = find_command(invocation.operands[0]);
  if (command == nullptr) {
    return session.fail_usage("'" + invocation.operands[0] + "' is no command");
  }
  session.out() << help_page(*command);
  return kDone;
}

}  // namespace rampart::ctl
