// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "control/log.hpp"
#include "control/notify.hpp"

namespace rampart {
namespace {

/// A service manager's end. `name` starts with @ for the abstract namespace.
class Manager {
 public:
  explicit Manager(const std::string& name) : fd_(socket(AF_UNIX, SOCK_DGRAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path, sizeof address.sun_path - 1);
    if (name.front() == '@') address.sun_path[0] = '\0';
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), length), 0);
    setenv("NOTIFY_SOCKET", name.c_str(), 1);
  }
  ~Manager() {
    unsetenv("NOTIFY_SOCKET");
    close(fd_);
  }
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  std::string heard() const {
    char text[64];
    const ssize_t n = recv(fd_, text, sizeof text, MSG_DONTWAIT);
    return n < 0 ? "nothing" : std::string(text, static_cast<size_t>(n));
  }

 private:
  int fd_;
};

TEST(Notify, ByPath) {
  char folder[] = "/tmp/rampart-notify-XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  {
    const Manager manager(std::string(folder) + "/notify");
    EXPECT_TRUE(notify_service_manager("READY=1"));
    EXPECT_EQ(manager.heard(), "READY=1");
  }
  std::filesystem::remove_all(folder);
}

TEST(Notify, ByAbstractName) {
  const Manager manager("@rampart-notify-" + std::to_string(getpid()));
  EXPECT_TRUE(notify_service_manager("STOPPING=1"));
  EXPECT_EQ(manager.heard(), "STOPPING=1");
}

TEST(Notify, NobodyAskedAndNobodyThere) {
  unsetenv("NOTIFY_SOCKET");
  EXPECT_TRUE(notify_service_manager("READY=1"));
  setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1);
  EXPECT_FALSE(notify_service_manager("READY=1"));
  setenv("NOTIFY_SOCKET", std::string(200, 'x').c_str(), 1);
  EXPECT_FALSE(notify_service_manager("READY=1"));
  unsetenv("NOTIFY_SOCKET");
}

TEST(Log, OneLineWhateverIsInIt) {
  testing::internal::CaptureStderr();
  log_line("policy \"a\nrampartd: forged\x1b[2J\" \xc3\xa9");
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "rampartd: policy \"a rampartd: forged [2J\" \xc3\xa9\n");
}

}  // namespace
}  // namespace rampart
