// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "control/http/body.hpp"
#include "control/http/router.hpp"
#include "control/http/server.hpp"

namespace rampart::http {

/// What all connections of a server share.
struct Shared {
  const ServerParams& params;
  const Router& router;
  boost::asio::thread_pool& readers;
  boost::asio::thread_pool& changers;
  const std::atomic<bool>& stopping;  ///< requests that still wait for their lane are turned away
};

/// One client, from accept to close; a request at a time, in the order of their coming. Lives as
/// long as an operation is under way; all of it runs on the server's thread, handlers apart.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Socket = boost::asio::local::stream_protocol::socket;
  enum class Access : uint8_t { kAllowed, kDenied };

  /// `closed` is called once, when it is over.
  Connection(Socket socket, const Shared& shared, Access access, Caller caller,
             std::function<void()> closed);
  ~Connection();
  void start() { await_request(); }
  /// Ends it at once, whatever it does.
  void close();

 private:
  using Code = boost::system::error_code;
  using Parser = boost::beast::http::request_parser<StreamedBody>;
  using Message = boost::beast::http::response<boost::beast::http::string_body>;

  void await_request();
  void read_header();
  void on_header(Code error);
  /// Looks at the header alone. Returns the answer if the body need not be read.
  std::optional<Response> refuse_early();
  void send_continue();
  void read_body();
  void on_body(Code error);
  void run_handler();
  void submit();
  /// The answer to request number `number`, unless it has one.
  void answer_once(uint64_t number, Response response);
  /// The answer to a request that could not be read, or none if nobody is there to read it.
  std::optional<Response> explain(Code error) const;
  void answer(Response response);
  void on_answered(Code error);
  /// Reads what the client still sends, so that it gets to see the answer.
  void drain();
  void finish_or_fail(Code error);

  void arm(std::chrono::milliseconds limit);
  void disarm();

  Socket socket_;
  const Shared shared_;
  const Access access_;
  const Caller caller_;
  std::function<void()> closed_;
  boost::asio::steady_timer deadline_;
  uint64_t armed_ = 0;  ///< number of the deadline in force
  bool late_ = false;   ///< the deadline cancelled the operation under way
  boost::beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  Request request_;
  const Route* route_ = nullptr;
  uint64_t submitted_ = 0;  ///< counts requests that wait in queues
  bool awaits_ = false;     ///< the last of them has no answer yet
  bool body_unread_ = false;
  bool keep_alive_ = false;
  std::optional<Message> message_;
  std::vector<char> scratch_;
};

}  // namespace rampart::http
