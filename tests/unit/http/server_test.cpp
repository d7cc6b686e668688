// SPDX-License-Identifier: Apache-2.0
#include "control/http/server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <thread>

#include "control/http/problem.hpp"
#include "tests/support/http_client.hpp"

namespace rampart::http {
namespace {

using test::HttpAnswer;
using test::HttpClient;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

/// Something that a handler waits for.
class Gate {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

class ServerTest : public ::testing::Test {
 protected:
  ServerTest() {
    char folder[] = "/tmp/rampart-http-XXXXXX";
    folder_ = mkdtemp(folder);
    path_ = folder_ + "/rampart.sock";
    params_.max_body = 3 << 20;
    router_.add({"GET", "/hello", Lane::kRead, false, [](const Request& r) {
                   std::string body = "hello";
                   for (const auto& [name, value] : r.query) body += " " + name + "=" + value;
                   return Response{200, "text/plain", body, {{"X-Test", "yes"}}};
                 }});
    router_.add({"PUT", "/echo", Lane::kChange, true, [](const Request& r) {
                   return Response{200, "text/plain", r.if_match.value_or("-") + r.body, {}};
                 }});
    router_.add({"POST", "/ports/{}/reset", Lane::kChange, false, [](const Request& r) {
                   return Response{200, "text/plain", r.parameter, {}};
                 }});
    router_.add({"GET", "/throws", Lane::kRead, false,
                 [](const Request&) -> Response { throw std::runtime_error("oops"); }});
    Route together{"PUT", "/together", Lane::kChange, true, nullptr};
    together.queue.submit = [this](const Request& r, Answer answer) {
      if (r.body == "throw") throw std::runtime_error("oops");
      const std::lock_guard lock(mutex_);
      waiting_.push_back(std::move(answer));
      ++came_;
    };
    together.queue.work = [this] {
      gate_.wait();
      std::vector<Answer> all;
      {
        const std::lock_guard lock(mutex_);
        all.swap(waiting_);
      }
      for (const Answer& answer : all) {
        answer({200, "text/plain", std::to_string(all.size()), {}});
        answer({200, "text/plain", "again", {}});  // it has its answer
      }
    };
    router_.add(std::move(together));
    router_.add({"PUT", "/slow", Lane::kChange, true, [this](const Request&) {
                   entered_.open();
                   gate_.wait();
                   return Response{200, "text/plain", "done", {}};
                 }});
  }
  ~ServerTest() override {
    gate_.open();
    server_.reset();
    std::filesystem::remove_all(folder_);
  }

  void start() {
    auto file = SocketFile::listen(path_, group_);
    ASSERT_TRUE(file) << file.error().text();
    auto server = Server::create(*std::move(file), params_, router_);
    ASSERT_TRUE(server) << server.error().text();
    server_ = *std::move(server);
  }
  HttpAnswer call(std::string_view method, std::string_view target, std::string_view body = {},
                  std::string_view headers = {}) {
    return test::call(path_, method, target, body, headers);
  }

  std::string folder_, path_, group_;
  ServerParams params_;
  Router router_;
  Gate entered_, gate_;
  std::mutex mutex_;
  std::vector<Answer> waiting_;
  std::atomic<int> came_ = 0;
  std::unique_ptr<Server> server_;
};

std::string code_of(const HttpAnswer& answer) {
  const auto json = nlohmann::json::parse(answer.body, nullptr, false);
  if (answer.headers.at("content-type") != "application/problem+json") return "no problem document";
  if (json.value("status", 0U) != answer.status || json.value("type", "") != "about:blank") {
    return "not of RFC 9457";
  }
  return json.value("code", "");
}

TEST_F(ServerTest, AnswersAndKeepsTheConnection) {
  start();
  HttpClient client(path_);
  for (int i = 0; i < 3; ++i) {
    const auto answer = client.call("GET", "/hello?b=2&a=x%2Fy");
    EXPECT_EQ(answer.status, 200U);
    EXPECT_EQ(answer.body, "hello a=x/y b=2");
    EXPECT_EQ(answer.headers.at("x-test"), "yes");
  }
  EXPECT_EQ(client.call("PUT", "/echo", "body", "If-Match: \"7\"\r\n").body, "\"7\"body");
  EXPECT_EQ(client.call("POST", "/ports/a.b/reset").body, "a.b");
}

TEST_F(ServerTest, HeadIsGetWithoutTheBody) {
  start();
  HttpClient client(path_);
  const auto head = client.call("HEAD", "/hello");
  EXPECT_EQ(head.status, 200U);
  EXPECT_EQ(head.headers.at("content-length"), "5");
  EXPECT_EQ(client.call("GET", "/hello").body, "hello") << "the connection is still in step";
}

TEST_F(ServerTest, PipelinedRequestsAreAnsweredInTheirOrder) {
  start();
  HttpClient client(path_);
  ASSERT_TRUE(client.send("GET /hello?n=1 HTTP/1.1\r\n\r\nGET /hello?n=2 HTTP/1.1\r\n\r\n"));
  EXPECT_EQ(client.receive().body, "hello n=1");
  EXPECT_EQ(client.receive().body, "hello n=2");
}

TEST_F(ServerTest, ChunkedBodies) {
  start();
  HttpClient client(path_);
  ASSERT_TRUE(
      client.send("PUT /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"));
  EXPECT_EQ(client.receive().body, "-abcde");
}

TEST_F(ServerTest, ExpectContinue) {
  start();
  HttpClient client(path_);
  ASSERT_TRUE(
      client.send("PUT /echo HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"));
  EXPECT_EQ(client.receive().status, 100U);
  ASSERT_TRUE(client.send("ok"));
  EXPECT_EQ(client.receive().body, "-ok");
  // No go-ahead for a body that nobody wants.
  ASSERT_TRUE(
      client.send("PUT /nothing HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"));
  EXPECT_EQ(client.receive().status, 404U);
  EXPECT_TRUE(client.closed());
}

TEST_F(ServerTest, Http10ClosesAndHalfClosedClientsGetTheirAnswer) {
  start();
  HttpClient client(path_);
  ASSERT_TRUE(client.send("GET /hello HTTP/1.0\r\n\r\n"));
  client.finish();
  EXPECT_EQ(client.receive().body, "hello");
  EXPECT_TRUE(client.closed());
}

TEST_F(ServerTest, WhatIsNotThere) {
  start();
  EXPECT_EQ(code_of(call("GET", "/nothing")), "not-found");
  EXPECT_EQ(code_of(call("POST", "/ports//reset")), "not-found");
  EXPECT_EQ(code_of(call("POST", "/ports/a/b/reset")), "not-found");
  const auto wrong = call("DELETE", "/hello");
  EXPECT_EQ(wrong.status, 405U);
  EXPECT_EQ(wrong.headers.at("allow"), "GET, HEAD");
  EXPECT_EQ(code_of(wrong), "method-not-allowed");
  EXPECT_EQ(call("GET", "/echo", "x").headers.at("allow"), "PUT");
}

TEST_F(ServerTest, BrokenRequests) {
  start();
  for (const char* bytes : {"nonsense\r\n\r\n", "GET /hello HTTP/9.9\r\n\r\n",
                            "GET /hello HTTP/1.1\r\nno colon\r\n\r\n", "GET hello HTTP/1.1\r\n\r\n",
                            "GET /hello%zz HTTP/1.1\r\n\r\n", "GET /hello?a=%f HTTP/1.1\r\n\r\n",
                            "GET /hello?a=1&a=2 HTTP/1.1\r\n\r\n", "GET /hello%00 HTTP/1.1\r\n\r\n",
                            "PUT /echo HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                            "PUT /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    HttpClient client(path_);
    client.send(bytes);
    const auto answer = client.receive();
    EXPECT_EQ(answer.status, 400U) << bytes;
    ASSERT_NE(answer.status, 0U) << bytes;
    EXPECT_EQ(code_of(answer), "bad-request") << bytes;
  }
  EXPECT_EQ(call("PUT", "/echo", "x", "Content-Encoding: gzip\r\n").status, 415U);
  EXPECT_EQ(call("PUT", "/echo", "x", "Expect: miracles\r\n").status, 417U);
  EXPECT_EQ(call("GET", "/hello").status, 200U);
}

TEST_F(ServerTest, RequestsThatEndEarly) {
  start();
  for (const char* bytes : {"GET /hel", "PUT /echo HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc"}) {
    HttpClient client(path_);
    ASSERT_TRUE(client.send(bytes));
    client.finish();
    EXPECT_EQ(client.receive().status, 400U) << bytes;
    EXPECT_TRUE(client.closed());
  }
}

TEST_F(ServerTest, BodiesOverTheLimit) {
  start();
  // Said beforehand: refused before a byte is read, and a client that sends all the same sees why.
  const auto said = call("PUT", "/echo", std::string((3 << 20) + 1, 'x'));
  EXPECT_EQ(said.status, 413U);
  EXPECT_EQ(code_of(said), "too-large");
  EXPECT_EQ(call("PUT", "/echo", std::string(3 << 20, 'x')).status, 200U);
  HttpClient client(path_);
  client.send("PUT /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string chunk = "10000\r\n" + std::string(0x10000, 'x') + "\r\n";
  for (int i = 0; i < 80; ++i) ASSERT_TRUE(client.send(chunk)) << "what comes late is read";
  EXPECT_EQ(client.receive().status, 413U);
  EXPECT_EQ(call("GET", "/hello", std::string(70000, 'x')).status, 413U);
  EXPECT_EQ(call("GET", "/hello", "stray").status, 200U);
}

TEST_F(ServerTest, HeadersOverTheLimit) {
  start();
  const auto answer = call("GET", "/hello", {}, "X: " + std::string(20000, 'x') + "\r\n");
  EXPECT_EQ(answer.status, 431U);
}

TEST_F(ServerTest, HalfRequestsTimeOut) {
  params_.header = params_.body = 100ms;
  start();
  HttpClient header(path_), body(path_);
  ASSERT_TRUE(header.send("GET /hello HT"));
  ASSERT_TRUE(body.send("PUT /echo HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc"));
  EXPECT_EQ(code_of(header.receive()), "timeout");
  EXPECT_EQ(body.receive().status, 408U);
  EXPECT_TRUE(header.closed());
}

TEST_F(ServerTest, IdleConnectionsAreClosed) {
  params_.idle = 100ms;
  start();
  HttpClient silent(path_), used(path_);
  EXPECT_EQ(used.call("GET", "/hello").status, 200U);
  EXPECT_TRUE(silent.closed());
  EXPECT_TRUE(used.closed());
}

TEST_F(ServerTest, SlowClientsHoldUpNobody) {
  start();
  std::vector<std::unique_ptr<HttpClient>> slow;
  for (unsigned i = 0; i < params_.max_connections / 2; ++i) {
    slow.push_back(std::make_unique<HttpClient>(path_));
    ASSERT_TRUE(slow.back()->send("PUT /echo HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc"));
  }
  EXPECT_EQ(call("GET", "/hello").status, 200U);
}

TEST_F(ServerTest, MoreConnectionsThanAllowedWaitForTheirTurn) {
  params_.max_connections = 2;
  start();
  auto first = std::make_unique<HttpClient>(path_);
  HttpClient second(path_), third(path_);
  EXPECT_EQ(first->call("GET", "/hello").status, 200U);
  EXPECT_EQ(second.call("GET", "/hello").status, 200U);
  ASSERT_TRUE(third.connected());
  first.reset();
  EXPECT_EQ(third.call("GET", "/hello").status, 200U);
}

TEST_F(ServerTest, AChangeUnderWayHoldsUpNoReader) {
  start();
  std::thread change([this] { EXPECT_EQ(call("PUT", "/slow", "x").body, "done"); });
  entered_.wait();
  EXPECT_EQ(call("GET", "/hello").status, 200U);
  gate_.open();
  change.join();
}

TEST_F(ServerTest, RequestsThatWaitAreAnsweredTogether) {
  start();
  std::vector<std::unique_ptr<HttpClient>> clients;
  for (int i = 1; i <= 3; ++i) {
    clients.push_back(std::make_unique<HttpClient>(path_));
    ASSERT_TRUE(clients.back()->send("PUT /together HTTP/1.1\r\nContent-Length: 1\r\n\r\nx"));
    while (came_ < i) std::this_thread::yield();
  }
  EXPECT_EQ(call("PUT", "/together", "throw").status, 500U);
  EXPECT_EQ(call("GET", "/hello").status, 200U);
  gate_.open();
  for (const auto& client : clients) {
    EXPECT_EQ(client->receive().body, "3");
    ASSERT_TRUE(client->send("GET /hello HTTP/1.1\r\n\r\n"));
    EXPECT_EQ(client->receive().body, "hello");
  }
}

TEST_F(ServerTest, EndsWithRequestsInAQueue) {
  start();
  HttpClient first(path_), second(path_);
  ASSERT_TRUE(first.send("PUT /together HTTP/1.1\r\nContent-Length: 1\r\n\r\nx"));
  ASSERT_TRUE(second.send("PUT /together HTTP/1.1\r\nContent-Length: 1\r\n\r\nx"));
  while (came_ < 2) std::this_thread::yield();
  std::thread end([this] { server_.reset(); });
  gate_.open();
  const auto status = first.receive().status;
  EXPECT_TRUE(status == 200U || status == 503U) << status;
  end.join();
}

TEST_F(ServerTest, HandlersThatThrow) {
  start();
  EXPECT_EQ(call("GET", "/throws").status, 500U);
  EXPECT_EQ(call("GET", "/hello").status, 200U);
}

TEST_F(ServerTest, ABodyThatNoMemoryHoldsEndsOnlyItsConnection) {
  params_.max_body = ~uint64_t{0};
  start();
  HttpClient greedy(path_);
  ASSERT_TRUE(greedy.send("PUT /echo HTTP/1.1\r\nContent-Length: 9223372036854775809\r\n\r\nabc"));
  EXPECT_EQ(greedy.receive().status, 507U);
  EXPECT_EQ(call("GET", "/hello").status, 200U);
}

TEST_F(ServerTest, EndsWithRequestsUnderWay) {
  start();
  HttpClient idle(path_), half(path_), running(path_), queued(path_);
  ASSERT_TRUE(half.send("GET /he"));
  ASSERT_TRUE(running.send("PUT /slow HTTP/1.1\r\nContent-Length: 1\r\n\r\nx"));
  entered_.wait();
  ASSERT_TRUE(queued.send("PUT /echo HTTP/1.1\r\nContent-Length: 1\r\n\r\nx"));
  std::thread opener([this] {
    std::this_thread::sleep_for(50ms);
    gate_.open();
  });
  server_.reset();
  opener.join();
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(ServerTest, SocketModeAndGroup) {
  group_ = "12345";
  start();
  struct stat there {};
  ASSERT_EQ(stat(path_.c_str(), &there), 0);
  EXPECT_EQ(there.st_mode & 07777, 0660U);
  EXPECT_EQ(there.st_gid, 12345U);
  EXPECT_TRUE(S_ISSOCK(there.st_mode));
}

TEST_F(ServerTest, UnknownGroup) {
  group_ = "no-such-group-here";
  const auto server = SocketFile::listen(path_, group_);
  ASSERT_FALSE(server);
  EXPECT_THAT(server.error().text(), HasSubstr("there is no group no-such-group-here"));
}

TEST_F(ServerTest, ALivingDaemonIsNotPushedAside) {
  start();
  const auto second = SocketFile::listen(path_, group_);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().text(), HasSubstr(path_ + ": somebody answers there"));
  EXPECT_EQ(call("GET", "/hello").status, 200U);
}

TEST_F(ServerTest, TheFileOfADeadOneIs) {
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path_.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  close(fd);
  start();
  EXPECT_EQ(call("GET", "/hello").status, 200U);
}

TEST_F(ServerTest, AFileThatIsNoSocketStays) {
  std::ofstream(path_) << "precious";
  const auto server = SocketFile::listen(path_, group_);
  ASSERT_FALSE(server);
  EXPECT_THAT(server.error().text(), HasSubstr("exists and is no socket"));
  EXPECT_EQ(std::filesystem::file_size(path_), 8U);
}

TEST_F(ServerTest, AFileThatIsNotOursAnyMoreStays) {
  start();
  std::filesystem::remove(path_);
  std::ofstream(path_) << "someone else's";
  server_.reset();
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(ServerTest, MakesTheFolder) {
  path_ = folder_ + "/deep/er/rampart.sock";
  start();
  EXPECT_EQ(call("GET", "/hello").status, 200U);
}

}  // namespace
}  // namespace rampart::http
