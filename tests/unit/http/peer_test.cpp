// SPDX-License-Identifier: Apache-2.0
#include "control/http/peer.hpp"

#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "control/http/server.hpp"
#include "tests/support/http_client.hpp"

namespace rampart::http {
namespace {

TEST(Peer, WhoMayUseTheSocket) {
  constexpr uid_t kOwn = 900;
  constexpr gid_t kGroup = 1000;
  EXPECT_TRUE(may_use_socket({0, 0, {}}, kOwn, kGroup)) << "root";
  EXPECT_TRUE(may_use_socket({kOwn, 5, {}}, kOwn, kGroup)) << "the daemon's user";
  EXPECT_TRUE(may_use_socket({5, kGroup, {}}, kOwn, kGroup)) << "primary group";
  EXPECT_TRUE(may_use_socket({5, 5, {1, kGroup, 2}}, kOwn, kGroup)) << "supplementary group";
  EXPECT_FALSE(may_use_socket({5, 5, {}}, kOwn, kGroup));
  EXPECT_FALSE(may_use_socket({5, 0, {1, 2}}, kOwn, kGroup)) << "the root group is no root";
  EXPECT_FALSE(may_use_socket({kGroup, 5, {kOwn}}, kOwn, kGroup)) << "users are not groups";
}

TEST(Peer, OfASocketPair) {
  int fds[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
  const auto peer = peer_of(fds[0]);
  ASSERT_TRUE(peer) << peer.error().text();
  EXPECT_EQ(peer->uid, geteuid());
  EXPECT_EQ(peer->gid, getegid());
  std::vector<gid_t> own(static_cast<size_t>(getgroups(0, nullptr)));
  ASSERT_EQ(getgroups(static_cast<int>(own.size()), own.data()), static_cast<int>(own.size()));
  EXPECT_THAT(peer->groups, ::testing::UnorderedElementsAreArray(own));
  close(fds[0]);
  close(fds[1]);
}

TEST(Peer, OfSomethingElse) {
  int fds[2];
  ASSERT_EQ(pipe(fds), 0);
  EXPECT_FALSE(peer_of(fds[0]));
  close(fds[0]);
  close(fds[1]);
}

/// Asks as another user and returns the status of the answer.
int status_as(uid_t uid, gid_t gid, const std::vector<gid_t>& groups, const std::string& path) {
  const pid_t child = fork();
  if (child == 0) {
    if (setgroups(groups.size(), groups.data()) != 0 || setgid(gid) != 0 || setuid(uid) != 0) {
      _exit(254);
    }
    const unsigned answer = test::call(path, "GET", "/").status;
    _exit(answer == 0 ? 255 : static_cast<int>(answer - 200));  // it has eight bits
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (!WIFEXITED(status)) return -1;
  return WEXITSTATUS(status) == 255 ? 0 : WEXITSTATUS(status) + 200;
}

TEST(Peer, IsCheckedEvenIfTheFileIsOpenToAll) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to become somebody else";
  char folder[] = "/tmp/rampart-peer-XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  chmod(folder, 0755);
  Router router;
  router.add({"GET", "/", Lane::kRead, false, [](const Request&) { return Response{}; }});
  const std::string path = std::string(folder) + "/s";
  auto file = SocketFile::listen(path, "54321");
  ASSERT_TRUE(file) << file.error().text();
  auto server = Server::create(*std::move(file), {}, router);
  ASSERT_TRUE(server) << server.error().text();
  EXPECT_EQ(status_as(65534, 65534, {}, path), 0) << "the mode keeps others out";
  chmod(path.c_str(), 0666);
  EXPECT_EQ(status_as(65534, 65534, {}, path), 403) << "so do credentials";
  EXPECT_EQ(status_as(65534, 65534, {54321}, path), 200);
  EXPECT_EQ(status_as(65534, 54321, {}, path), 200);
  server->reset();
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace rampart::http
