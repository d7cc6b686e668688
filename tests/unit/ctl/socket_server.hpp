// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace rampart::ctl {

/// A control socket for the tests of its clients: it notes what it is asked and answers what it is
/// told to, byte by byte where that matters. One connection at a time, each closed after its
/// answer.
class SocketServer {
 public:
  struct Asked {
    std::string method;
    std::string target;
    std::string head;  ///< the request line and the headers
    std::string body;
    /// The value of a header; empty if it is not there.
    std::string header(const std::string& name) const;
  };
  /// Returns all that is sent, head included (see answer()); empty closes without a word.
  using Handler = std::function<std::string(const Asked&)>;

  explicit SocketServer(Handler handler);
  ~SocketServer();
  SocketServer(const SocketServer&) = delete;
  SocketServer& operator=(const SocketServer&) = delete;

  const std::string& path() const { return path_; }
  std::vector<Asked> asked() const;

  static std::string answer(unsigned status, const std::string& body,
                            const std::string& type = "application/json");

 private:
  void serve();
  void serve_one(int connection);

  std::string directory_, path_;
  int listener_ = -1;
  int wake_[2] = {-1, -1};
  Handler handler_;
  mutable std::mutex mutex_;
  std::vector<Asked> asked_;
  std::thread thread_;
};

}  // namespace rampart::ctl
