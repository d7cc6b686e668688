// SPDX-License-Identifier: Apache-2.0
#include "control/http/connection.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>
#include <exception>
#include <new>
#include <utility>

#include "control/http/problem.hpp"

namespace rampart::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast::http;

constexpr std::chrono::milliseconds kDrain{5000};
/// What calls that take no body may carry all the same.
constexpr uint64_t kStrayBody = 65536;
/// Bytes of a body.
constexpr size_t kReadAtOnce = 65536;

Response problem(unsigned status, std::string code, std::string detail) {
  Problem made;
  made.status = status;
  made.code = std::move(code);
  made.detail = std::move(detail);
  return to_response(made);
}

std::string text(boost::beast::string_view view) {
  return {view.data(), view.size()};
}

/// Runs a handler; whatever it throws is a 500 and not the end of the daemon.
template <typename Action>
Response run(Action action) {
  try {
    return action();
  } catch (const std::bad_alloc&) {
    return problem(507, "no-memory", "the control plane's memory is exhausted");
  } catch (const std::exception& e) {
    return problem(500, "internal", std::string("a bug: ") + e.what());
  }
}

}  // namespace

Connection::Connection(Socket socket, const Shared& shared, Access access, Caller caller,
                       std::function<void()> closed)
    : socket_(std::move(socket)),
      shared_(shared),
      access_(access),
      caller_(std::move(caller)),
      closed_(std::move(closed)),
      deadline_(socket_.get_executor()) {}

Connection::~Connection() {
  close();
}

void Connection::close() {
  disarm();
  Code ignored;
  socket_.close(ignored);
  if (auto closed = std::exchange(closed_, nullptr)) closed();
}

void Connection::arm(std::chrono::milliseconds limit) {
  late_ = false;
  deadline_.expires_after(limit);
  deadline_.async_wait([self = shared_from_this(), number = ++armed_](Code error) {
    if (error || number != self->armed_) return;
    self->late_ = true;
    Code ignored;
    self->socket_.cancel(ignored);
  });
}

void Connection::disarm() {
  ++armed_;
  deadline_.cancel();
}

void Connection::await_request() {
  request_ = {};
  route_ = nullptr;
  message_.reset();
  parser_.emplace();
  parser_->header_limit(shared_.params.max_header);
  parser_->body_limit(shared_.params.max_body);
  if (buffer_.size() > 0) return read_header();
  arm(shared_.params.idle);
  socket_.async_wait(Socket::wait_read, [self = shared_from_this()](Code error) {
    if (error) return self->close();
    self->read_header();
  });
}

void Connection::read_header() {
  arm(shared_.params.header);
  beast::async_read_header(
      socket_, buffer_, *parser_,
      [self = shared_from_this()](Code error, size_t) { self->on_header(error); });
}

std::optional<Response> Connection::explain(Code error) const {
  if (error == asio::error::operation_aborted && late_) {
    return problem(408, "timeout", "the request did not come in time");
  }
  if (error == boost::system::errc::not_enough_memory) {
    return problem(507, "no-memory", "there is no memory for the body");
  }
  if (error == beast::error::end_of_stream ||
      error.category() != make_error_code(beast::error::end_of_stream).category()) {
    return std::nullopt;
  }
  if (error == beast::error::header_limit) {
    return problem(
        431, "too-large",
        "the header is larger than " + std::to_string(shared_.params.max_header) + " bytes");
  }
  if (error == beast::error::body_limit) {
    return problem(413, "too-large",
                   "the body is larger than " + std::to_string(shared_.params.max_body) +
                       " bytes (--max-body-mib)");
  }
  return problem(400, "bad-request", "this is not HTTP/1.1: " + error.message());
}

void Connection::on_header(Code error) {
  disarm();
  keep_alive_ = false;
  body_unread_ = true;
  if (error) return finish_or_fail(error);
  keep_alive_ = parser_->keep_alive();
  body_unread_ = !parser_->is_done();
  if (auto refusal = refuse_early()) return answer(*std::move(refusal));
  if (body_unread_ &&
      beast::token_list(parser_->get()[beast::field::expect]).exists("100-continue"))
    return send_continue();
  read_body();
}

std::optional<Response> Connection::refuse_early() {
  const auto& head = parser_->get();
  if (access_ == Access::kDenied) {
    return problem(403, "denied",
                   "only root, the daemon's own user and members of the socket's group may call");
  }
  request_.method = text(head.method_string());
  request_.user_agent = text(head[beast::field::user_agent]);
  request_.caller = caller_;
  if (std::string wrong = parse_target({head.target().data(), head.target().size()}, request_);
      !wrong.empty()) {
    return problem(400, "bad-request", std::move(wrong));
  }
  Router::Match match = shared_.router.find(request_.method, request_.path);
  if (match.route == nullptr && match.allow.empty()) {
    return problem(404, "not-found", "there is no " + request_.path);
  }
  if (match.route == nullptr) {
    Response response =
        problem(405, "method-not-allowed",
                request_.path + " knows " + match.allow + ", not " + request_.method);
    response.headers.emplace_back("Allow", match.allow);
    return response;
  }
  route_ = match.route;
  request_.parameter = std::move(match.parameter);
  const auto encoding = head[beast::field::content_encoding];
  if (!encoding.empty() && encoding != "identity") {
    return problem(415, "unsupported", "Content-Encoding " + text(encoding) + " is not taken");
  }
  const auto expect = head[beast::field::expect];
  if (!expect.empty() && !beast::token_list(expect).exists("100-continue")) {
    return problem(417, "unsupported", "Expect: " + text(expect) + " cannot be met");
  }
  const auto length = parser_->content_length();
  if (!route_->takes_body && (parser_->chunked() || (length && *length > kStrayBody))) {
    return problem(413, "too-large", request_.method + " " + request_.path + " takes no body");
  }
  if (const auto condition = head.find(beast::field::if_match); condition != head.end()) {
    request_.if_match = text(condition->value());
  }
  return std::nullopt;
}

void Connection::send_continue() {
  static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  arm(shared_.params.write);
  asio::async_write(socket_, asio::buffer(kContinue.data(), kContinue.size()),
                    [self = shared_from_this()](Code error, size_t) {
                      self->disarm();
                      if (error) return self->close();
                      self->read_body();
                    });
}

void Connection::read_body() {
  if (route_->body_reader) {
    request_.body_reader = route_->body_reader();
    parser_->get().body().taker = request_.body_reader;
  }
  if (!body_unread_) return run_handler();
  // Boost.Beast reads as much at a time as there is room for, and never more than this.
  buffer_.reserve(kReadAtOnce);
  arm(shared_.params.body);
  beast::async_read(socket_, buffer_, *parser_,
                    [self = shared_from_this()](Code error, size_t) { self->on_body(error); });
}

void Connection::on_body(Code error) {
  disarm();
  if (error) {
    keep_alive_ = false;
    return finish_or_fail(error);
  }
  body_unread_ = false;
  request_.body = std::move(parser_->get().body().kept);
  run_handler();
}

void Connection::finish_or_fail(Code error) {
  if (auto response = explain(error)) return answer(*std::move(response));
  close();
}

void Connection::answer_once(uint64_t number, Response response) {
  if (!awaits_ || number != submitted_) return;
  awaits_ = false;
  if (socket_.is_open()) answer(std::move(response));
}

void Connection::submit() {
  const Queued& queue = route_->queue;
  const uint64_t number = ++submitted_;
  awaits_ = true;
  // What runs on the lane keeps the connection until it has its answer. A queue does not: it may
  // outlive the server.
  const Answer reply = [alive = weak_from_this(), number](Response response) {
    auto self = alive.lock();
    if (self == nullptr) return;
    const auto executor = self->socket_.get_executor();
    asio::post(executor, [self, number, response = std::move(response)]() mutable {
      self->answer_once(number, std::move(response));
    });
  };
  bool taken = false;
  Response failure = run([&] {
    queue.submit(request_, reply);
    taken = true;
    return Response{};
  });
  request_.body_reader.reset();
  if (!taken) return answer_once(number, std::move(failure));
  auto& lane = route_->lane == Lane::kChange ? shared_.changers : shared_.readers;
  asio::post(lane, [self = shared_from_this(), reply, &queue] {
    if (self->shared_.stopping) {
      reply(problem(503, "stopping", "the appliance is about to end"));
      return;
    }
    bool done = false;
    Response why = run([&] {
      queue.work();
      done = true;
      return Response{};
    });
    if (!done) reply(std::move(why));
  });
}

void Connection::run_handler() {
  if (route_->queue.submit) return submit();
  auto& lane = route_->lane == Lane::kChange ? shared_.changers : shared_.readers;
  asio::post(lane, [self = shared_from_this()]() mutable {
    Response response = self->shared_.stopping
                            ? problem(503, "stopping", "the appliance is about to end")
                            : run([&] { return self->route_->handler(self->request_); });
    self->request_.body = {};
    self->request_.body_reader.reset();
    const auto executor = self->socket_.get_executor();
    asio::post(executor, [self = std::move(self), response = std::move(response)]() mutable {
      if (self->socket_.is_open()) self->answer(std::move(response));
    });
  });
}

void Connection::answer(Response response) {
  if (body_unread_) keep_alive_ = false;
  message_.emplace(static_cast<beast::status>(response.status),
                   parser_->is_header_done() ? parser_->get().version() : 11);
  Message& message = *message_;
  message.set(beast::field::server, "rampart/" RAMPART_VERSION);
  message.set(beast::field::content_type, response.content_type);
  message.set(beast::field::cache_control, "no-store");
  for (const auto& [name, value] : response.headers) message.set(name, value);
  message.content_length(response.body.size());
  message.keep_alive(keep_alive_);
  if (request_.method != "HEAD") message.body() = std::move(response.body);
  arm(shared_.params.write);
  beast::async_write(socket_, message,
                     [self = shared_from_this()](Code error, size_t) { self->on_answered(error); });
}

void Connection::on_answered(Code error) {
  disarm();
  if (error) return close();
  if (keep_alive_) return await_request();
  if (!body_unread_) return close();
  Code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
  scratch_.resize(65536);
  arm(kDrain);
  drain();
}

void Connection::drain() {
  socket_.async_read_some(asio::buffer(scratch_), [self = shared_from_this()](Code error, size_t) {
    if (error) return self->close();
    self->drain();
  });
}

}  // namespace rampart::http
