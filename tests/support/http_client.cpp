// SPDX-License-Identifier: Apache-2.0
#include "tests/support/http_client.hpp"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cctype>
#include <cstdlib>

namespace rampart::test {

HttpClient::HttpClient(const std::string& path) : fd_(socket(AF_UNIX, SOCK_STREAM, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const timeval patience{20, 0};
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
}

HttpClient::~HttpClient() {
  close(fd_);
}

bool HttpClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

void HttpClient::finish() {
  shutdown(fd_, SHUT_WR);
}

bool HttpClient::fill() {
  char chunk[65536];
  const ssize_t n = recv(fd_, chunk, sizeof chunk, 0);
  if (n <= 0) return false;
  buffer_.append(chunk, static_cast<size_t>(n));
  return true;
}

HttpAnswer HttpClient::receive(bool to_head) {
  HttpAnswer answer;
  size_t end = 0;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (!fill()) return {};
  }
  const std::string head = buffer_.substr(0, end + 2);
  buffer_.erase(0, end + 4);
  answer.status =
      static_cast<unsigned>(std::atoi(head.c_str() + std::string_view("HTTP/1.1 ").size()));
  for (size_t line = head.find("\r\n") + 2; line < head.size();) {
    const size_t stop = head.find("\r\n", line), colon = head.find(": ", line);
    std::string name = head.substr(line, colon - line);
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    answer.headers[name] = head.substr(colon + 2, stop - colon - 2);
    line = stop + 2;
  }
  if (to_head || answer.status == 100) return answer;
  const auto length = answer.headers.find("content-length");
  const size_t wanted =
      length == answer.headers.end() ? std::string::npos : std::stoul(length->second);
  while (buffer_.size() < wanted && fill()) {
  }
  answer.body = buffer_.substr(0, wanted);
  buffer_.erase(0, wanted);
  return answer;
}

bool HttpClient::closed() {
  char c = 0;
  return buffer_.empty() && recv(fd_, &c, 1, 0) == 0;
}

HttpAnswer HttpClient::call(std::string_view method, std::string_view target, std::string_view body,
                            std::string_view extra_headers) {
  std::string request = std::string(method) + " " + std::string(target) +
                        " HTTP/1.1\r\nHost: rampart\r\n" + std::string(extra_headers);
  if (!body.empty()) request += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  request += "\r\n";
  send(request);
  send(body);
  return receive(method == "HEAD");
}

HttpAnswer call(const std::string& path, std::string_view method, std::string_view target,
                std::string_view body, std::string_view extra_headers) {
  HttpClient client(path);
  return client.call(method, target, body, extra_headers);
}

}  // namespace rampart::test
