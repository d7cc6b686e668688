// SPDX-License-Identifier: Apache-2.0
#include "control/http/server.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <exception>
#include <map>
#include <thread>
#include <utility>

#include "control/http/connection.hpp"
#include "control/http/peer.hpp"
#include "control/http/socket_file.hpp"

namespace rampart::http {
namespace {

namespace asio = boost::asio;
using Protocol = asio::local::stream_protocol;
using Code = boost::system::error_code;

}  // namespace

class Server::Impl {
 public:
  Impl(const ServerParams& params, const Router& router, SocketFile file)
      : params_(params), router_(router), file_(std::move(file)) {
    // As top -H and /proc/PID/task show them.
    asio::post(readers_, [] { pthread_setname_np(pthread_self(), "reads"); });
    asio::post(changers_, [] { pthread_setname_np(pthread_self(), "changes"); });
  }

  /// The acceptor gets a descriptor of its own: the file's must live until the file is gone.
  Result<void> start() {
    const int fd = fcntl(file_.descriptor(), F_DUPFD_CLOEXEC, 0);
    Code error;
    if (fd >= 0) acceptor_.assign(Protocol(), fd, error);
    if (fd < 0 || error) {
      if (fd >= 0) ::close(fd);
      return Error{ErrorCode::kIo, "cannot listen", "socket " + file_.path()};
    }
    accept();
    thread_ = std::thread([this] { serve(); });
    return {};
  }

  ~Impl() {
    stopping_ = true;
    asio::post(io_, [this] {
      Code ignored;
      acceptor_.close(ignored);
      pause_.cancel();
    });
    // Handlers that run may end and answer, those that wait are turned away; then all is closed.
    changers_.join();
    readers_.join();
    asio::post(io_, [this] {
      const auto connections = std::exchange(connections_, {});
      for (const auto& [number, connection] : connections) {
        if (const auto alive = connection.lock()) alive->close();
      }
      work_.reset();
    });
    if (thread_.joinable()) thread_.join();
  }

 private:
  void serve() noexcept {
    for (;;) {
      try {
        io_.run();
        return;
      } catch (const std::exception&) {
        // Out of memory, most likely: the connection goes with its handler, the others go on.
      }
    }
  }

  void accept() {
    if (accepting_ || connections_.size() >= params_.max_connections) return;
    accepting_ = true;
    acceptor_.async_accept([this](Code error, Connection::Socket socket) {
      accepting_ = false;
      if (error == asio::error::operation_aborted || !acceptor_.is_open()) return;
      if (error) return retry_later();
      add(std::move(socket));
      accept();
    });
  }

  /// Out of descriptors or memory: there is nothing better to do than to wait.
  void retry_later() {
    pause_.expires_after(std::chrono::milliseconds(100));
    pause_.async_wait([this](Code error) {
      if (!error) accept();
    });
  }

  void add(Connection::Socket socket) {
    const auto peer = peer_of(socket.native_handle());
    const bool allowed = peer && may_use_socket(*peer, geteuid(), file_.group());
    const Caller caller =
        allowed ? Caller{peer->uid, peer->pid, process_name(peer->pid)} : Caller{};
    const uint64_t number = ++last_;
    const auto connection = std::make_shared<Connection>(
        std::move(socket), shared_,
        allowed ? Connection::Access::kAllowed : Connection::Access::kDenied, caller,
        [this, number] {
          connections_.erase(number);
          if (!stopping_ && acceptor_.is_open()) accept();
        });
    connections_.emplace(number, connection);
    connection->start();
  }

  const ServerParams params_;
  const Router& router_;
  SocketFile file_;
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
  Protocol::acceptor acceptor_{io_};
  asio::steady_timer pause_{io_};
  asio::thread_pool readers_{1}, changers_{1};
  std::atomic<bool> stopping_ = false;
  Shared shared_{params_, router_, readers_, changers_, stopping_};
  // Only the server's thread looks at these.
  std::map<uint64_t, std::weak_ptr<Connection>> connections_;
  uint64_t last_ = 0;
  bool accepting_ = false;
  std::thread thread_;
};

Result<std::unique_ptr<Server>> Server::create(SocketFile file, const ServerParams& params,
                                               const Router& router) {
  auto impl = std::make_unique<Impl>(params, router, std::move(file));
  if (auto started = impl->start(); !started) return std::move(started).error();
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() = default;

}  // namespace rampart::http
