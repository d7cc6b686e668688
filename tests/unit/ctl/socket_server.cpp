// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/ctl/socket_server.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <stdexcept>

namespace rampart::ctl {

std::string SocketServer::Asked::header(const std::string& name) const {
  const size_t at = head.find("\r\n" + name + ": ");
  if (at == std::string::npos) return {};
  const size_t from = at + 2 + name.size() + 2;
  return head.substr(from, head.find("\r\n", from) - from);
}

SocketServer::SocketServer(Handler handler) : handler_(std::move(handler)) {
  directory_ = testing::TempDir() + "rampartctl-XXXXXX";
  if (mkdtemp(directory_.data()) == nullptr) throw std::runtime_error("mkdtemp");
  path_ = directory_ + "/sock";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path_.c_str(), sizeof address.sun_path - 1);
  listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      listen(listener_, 8) != 0 || pipe(wake_) != 0) {
    throw std::runtime_error("cannot listen on " + path_);
  }
  thread_ = std::thread([this] { serve(); });
}

SocketServer::~SocketServer() {
  close(wake_[1]);
  thread_.join();
  close(wake_[0]);
  close(listener_);
  std::filesystem::remove_all(directory_);
}

std::vector<SocketServer::Asked> SocketServer::asked() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return asked_;
}

std::string SocketServer::answer(unsigned status, const std::string& body,
                                 const std::string& type) {
  return "HTTP/1.1 " + std::to_string(status) + " Status\r\nContent-Type: " + type +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" +
         body;
}

void SocketServer::serve() {
  for (;;) {
    std::array<pollfd, 2> wait{{{listener_, POLLIN, 0}, {wake_[0], POLLIN, 0}}};
    if (poll(wait.data(), wait.size(), -1) < 0) continue;  // seteuid signals every thread
    if (wait[1].revents != 0) return;
    const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) continue;
    serve_one(connection);
    close(connection);
  }
}

void SocketServer::serve_one(int connection) {
  std::string text;
  size_t head_end = std::string::npos, body_size = 0;
  while (head_end == std::string::npos || text.size() < head_end + 4 + body_size) {
    std::array<char, 4096> buffer;
    const ssize_t got = recv(connection, buffer.data(), buffer.size(), 0);
    if (got <= 0) return;
    text.append(buffer.data(), static_cast<size_t>(got));
    if (head_end == std::string::npos && (head_end = text.find("\r\n\r\n")) != std::string::npos) {
      const Asked head{{}, {}, text.substr(0, head_end + 2), {}};
      body_size = std::strtoul(head.header("Content-Length").c_str(), nullptr, 10);
    }
  }
  Asked asked;
  asked.head = text.substr(0, head_end + 2);
  asked.method = text.substr(0, text.find(' '));
  const size_t from = asked.method.size() + 1;
  asked.target = text.substr(from, text.find(' ', from) - from);
  asked.body = text.substr(head_end + 4);
  const std::string reply = handler_(asked);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    asked_.push_back(asked);
  }
  for (size_t sent = 0; sent < reply.size();) {
    const ssize_t n = send(connection, reply.data() + sent, reply.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) return;
    sent += static_cast<size_t>(n);
  }
}

}  // namespace rampart::ctl
