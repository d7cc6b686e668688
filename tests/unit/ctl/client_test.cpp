// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <future>
#include <string>

#include "tests/unit/ctl/socket_server.hpp"
#include "tools/rampartctl/client.hpp"

namespace rampart::ctl {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

TEST(Client, SendsARequestAndTakesTheAnswer) {
  SocketServer server([](const SocketServer::Asked&) {
    return SocketServer::answer(422, R"({"detail":"no"})", "application/problem+json");
  });
  const Client client(server.path(), seconds(10));
  const auto response = client.call({.method = "PUT",
                                     .target = "/v1/snapshot",
                                     .body = "{}",
                                     .content_type = "application/json",
                                     .if_match = "7"});
  ASSERT_TRUE(response) << response.error().text();
  EXPECT_EQ(response->status, 422U);
  EXPECT_FALSE(response->ok());
  EXPECT_EQ(response->content_type, "application/problem+json");
  EXPECT_EQ(response->body, R"({"detail":"no"})");
  ASSERT_EQ(server.asked().size(), 1U);
  const auto asked = server.asked()[0];
  EXPECT_EQ(asked.method, "PUT");
  EXPECT_EQ(asked.target, "/v1/snapshot");
  EXPECT_EQ(asked.body, "{}");
  EXPECT_EQ(asked.header("Content-Type"), "application/json");
  EXPECT_EQ(asked.header("If-Match"), "\"7\"");
  EXPECT_NE(asked.header("Host"), "");
}

TEST(Client, LargeBodiesBothWays) {
  SocketServer server(
      [](const SocketServer::Asked& asked) { return SocketServer::answer(200, asked.body); });
  const std::string body(40'000'000, 'x');
  const auto response =
      Client(server.path(), seconds(60)).call({.method = "PUT", .target = "/", .body = body});
  ASSERT_TRUE(response) << response.error().text();
  EXPECT_TRUE(response->body == body);
}

TEST(Client, SaysWhyThereIsNoAnswer) {
  {
    SocketServer server([](const SocketServer::Asked&) { return std::string(); });
    const auto response = Client(server.path(), seconds(10)).call({.target = "/"});
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().text(),
              server.path() + ": the connection was closed without an answer");
  }
  {
    SocketServer server([](const SocketServer::Asked&) {
      return std::string("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    });
    const auto response = Client(server.path(), seconds(10)).call({.target = "/"});
    ASSERT_FALSE(response);
    EXPECT_THAT(response.error().what, HasSubstr("in the middle of the answer"));
  }
  {
    SocketServer server(
        [](const SocketServer::Asked&) { return std::string("SSH-2.0-OpenSSH\r\n\r\n"); });
    const auto response = Client(server.path(), seconds(10)).call({.target = "/"});
    ASSERT_FALSE(response);
    EXPECT_THAT(response.error().what, HasSubstr("the exchange failed"));
  }
}

TEST(Client, ATimeOutEndsTheWait) {
  std::promise<void> over;
  SocketServer server([&](const SocketServer::Asked&) {
    over.get_future().wait();
    return std::string();
  });
  const auto response = Client(server.path(), seconds(1)).call({.target = "/"});
  over.set_value();
  ASSERT_FALSE(response);
  EXPECT_THAT(response.error().what, HasSubstr("no answer within 1 s"));
}

TEST(Client, NobodyIsThere) {
  std::string path;
  {
    SocketServer server([](const SocketServer::Asked&) { return std::string(); });
    path = server.path();
  }
  const auto none = Client(path, seconds(10)).call({.target = "/"});
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().what, HasSubstr("is rampartd running?"));

  const std::string left_behind =
      testing::TempDir() + "rampartctl-test-" + std::to_string(getpid());
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, left_behind.c_str(), sizeof address.sun_path - 1);
  const int bound = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(bind(bound, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  const auto dead = Client(left_behind, seconds(10)).call({.target = "/"});
  close(bound);
  unlink(left_behind.c_str());
  ASSERT_FALSE(dead);
  EXPECT_THAT(dead.error().what, HasSubstr("nobody listens"));

  const auto too_long = Client("/tmp/" + std::string(200, 'x'), seconds(10)).call({.target = "/"});
  ASSERT_FALSE(too_long);
  EXPECT_THAT(too_long.error().what, HasSubstr("less than 108 bytes"));
}

TEST(Client, PermissionIsDeniedInWords) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to become somebody else";
  SocketServer server([](const SocketServer::Asked&) { return SocketServer::answer(200, "{}"); });
  ASSERT_EQ(chmod(server.path().c_str(), 0600), 0);
  ASSERT_EQ(chmod(server.path().substr(0, server.path().rfind('/')).c_str(), 0755), 0);
  ASSERT_EQ(seteuid(65534), 0);
  const auto response = Client(server.path(), seconds(10)).call({.target = "/"});
  ASSERT_EQ(seteuid(0), 0);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::kDenied);
  EXPECT_THAT(response.error().what, HasSubstr("permission denied"));
}

TEST(Client, QueriesAreEncoded) {
  EXPECT_EQ(
      target_with_query("/v1/explain", {{"from", "web/a b"}, {"port", ""}, {"to", "fd00::1"}}),
      "/v1/explain?from=web%2Fa%20b&to=fd00%3A%3A1");
  EXPECT_EQ(target_with_query("/v1/flows", {{"port", ""}}), "/v1/flows");
  EXPECT_EQ(percent_encoded("a&b=c\xC3\xA9~"), "a%26b%3Dc%C3%A9~");
}

}  // namespace
}  // namespace rampart::ctl
