// SPDX-License-Identifier: Apache-2.0
#include "tools/rampartctl/client.hpp"

#include <sys/un.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/none.hpp>

namespace rampart::ctl {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using ErrorCodeOfBoost = boost::system::error_code;
using Protocol = asio::local::stream_protocol;
using Stream = beast::basic_stream<Protocol, asio::io_context::executor_type>;

/// One request and its answer as a chain of callbacks: only asynchronous operations have time-outs.
class Exchange {
 public:
  Exchange(asio::io_context& context, const Request& request)
      : stream_(context), message_(http::string_to_verb(request.method), request.target, 11) {
    message_.set(http::field::host, "localhost");
    message_.set(http::field::user_agent, "rampartctl/" RAMPART_VERSION);
    message_.set(http::field::connection, "close");
    if (!request.content_type.empty()) {
      message_.set(http::field::content_type, request.content_type);
    }
    if (!request.if_match.empty()) {
      message_.set(http::field::if_match, "\"" + request.if_match + "\"");
    }
    message_.body() = beast::span<const char>(request.body.data(), request.body.size());
    if (request.method != "GET") message_.content_length(request.body.size());
    parser_.body_limit(boost::none);  // a snapshot may be as large as it likes
    parser_.header_limit(64 * 1024);
  }

  void start(const std::string& path, std::chrono::seconds timeout) {
    stream_.expires_after(timeout);
    stream_.async_connect(Protocol::endpoint(path), [this](const ErrorCodeOfBoost& error) {
      step_ = "connect";
      if (error) return finish(error);
      send();
    });
  }

  const ErrorCodeOfBoost& error() const { return error_; }
  std::string_view step() const { return step_; }
  http::response<http::string_body> take() { return parser_.release(); }

 private:
  void send() {
    http::async_write(stream_, message_, [this](const ErrorCodeOfBoost& error, size_t) {
      step_ = "send";
      // A server that refuses a request early closes before it has read all: its answer is there.
      const bool cut = error == asio::error::broken_pipe || error == asio::error::connection_reset;
      if (error && !cut) return finish(error);
      receive();
    });
  }
  void receive() {
    http::async_read(stream_, buffer_, parser_, [this](const ErrorCodeOfBoost& error, size_t) {
      step_ = "receive";
      finish(error);
    });
  }
  void finish(const ErrorCodeOfBoost& error) {
    error_ = error;
    stream_.close();
  }

  Stream stream_;
  http::request<http::span_body<const char>> message_;
  http::response_parser<http::string_body> parser_;
  beast::flat_buffer buffer_;
  ErrorCodeOfBoost error_;
  std::string_view step_ = "connect";
};

Error explain_failure(const Exchange& exchange, const std::string& path,
                      std::chrono::seconds timeout) {
  const ErrorCodeOfBoost& code = exchange.error();
  const auto say = [&](ErrorCode kind, const std::string& what) { return Error{kind, what, path}; };
  if (code == beast::error::timeout) {
    return say(ErrorCode::kIo, "no answer within " + std::to_string(timeout.count()) +
                                   " s (--timeout sets how long to wait)");
  }
  if (exchange.step() == "connect") {
    if (code == boost::system::errc::no_such_file_or_directory) {
      return say(ErrorCode::kIo,
                 "there is no such socket: is rampartd running? (--socket or RAMPART_SOCKET names "
                 "another)");
    }
    if (code == boost::system::errc::connection_refused) {
      return say(ErrorCode::kIo, "nobody listens on this socket: rampartd is not running any more");
    }
    if (code == boost::system::errc::permission_denied) {
      return say(ErrorCode::kDenied,
                 "permission denied: the socket is for root and the members of its group");
    }
    return say(ErrorCode::kIo, "cannot connect: " + code.message());
  }
  if (code == http::error::end_of_stream || code == asio::error::eof ||
      code == asio::error::connection_reset) {
    return say(ErrorCode::kIo, "the connection was closed without an answer");
  }
  if (code == http::error::partial_message) {
    return say(ErrorCode::kIo, "the connection was closed in the middle of the answer");
  }
  return say(ErrorCode::kIo, "the exchange failed: " + code.message());
}

}  // namespace

Result<Response> Client::call(const Request& request) const {
  if (socket_path_.size() >= sizeof(sockaddr_un::sun_path)) {
    return Error{ErrorCode::kInvalid,
                 "the path of a socket has less than " +
                     std::to_string(sizeof(sockaddr_un::sun_path)) + " bytes",
                 socket_path_};
  }
  asio::io_context context(1);
  Exchange exchange(context, request);
  exchange.start(socket_path_, timeout_);
  context.run();
  if (exchange.error()) return explain_failure(exchange, socket_path_, timeout_);
  auto message = exchange.take();
  return Response{message.result_int(), std::string(message[http::field::content_type]),
                  std::move(message.body())};
}

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  constexpr std::string_view kUnreserved =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  std::string out;
  for (const char c : text) {
    if (kUnreserved.find(c) != std::string_view::npos) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += {'%', kHex[byte >> 4], kHex[byte & 15]};
  }
  return out;
}

std::string target_with_query(std::string_view path,
                              const std::vector<std::pair<std::string_view, std::string>>& query) {
  std::string target(path);
  char glue = '?';
  for (const auto& [name, value] : query) {
    if (value.empty()) continue;
    target += glue + std::string(name) + "=" + percent_encoded(value);
    glue = '&';
  }
  return target;
}

}  // namespace rampart::ctl
