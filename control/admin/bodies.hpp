// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string_view>
#include <type_traits>
#include <utility>

#include "control/http/message.hpp"
#include "control/kube/events.hpp"
#include "control/kube/snapshot_decoder.hpp"

/// Bodies that are decoded while they come.
namespace rampart::admin {

/// What the decoding of a body came to.
template <typename T>
struct Read {
  kube::Checked<T> content;
  double decode_ms = 0;
};

/// `Decoder` is kube::SnapshotDecoder or kube::EventsDecoder.
template <typename Decoder>
class DecodedBody : public http::BodyReader {
 public:
  explicit DecodedBody(const kube::Limits& limits) : decoder_(limits) {}
  void put(std::string_view piece) override {
    timed([&] { decoder_.put(piece); });
  }
  /// Once, after the last piece.
  auto finish() {
    auto content = timed([&] { return std::move(decoder_).finish(); });
    return Read<std::remove_cvref_t<decltype(*content)>>{std::move(content), ms_};
  }

 private:
  template <typename Action>
  auto timed(Action action) {
    using Clock = std::chrono::steady_clock;
    struct Lap {
      double& ms;
      Clock::time_point begun = Clock::now();
      ~Lap() { ms += std::chrono::duration<double, std::milli>(Clock::now() - begun).count(); }
    } lap{ms_};
    return action();
  }

  Decoder decoder_;
  double ms_ = 0;
};

using SnapshotBody = DecodedBody<kube::SnapshotDecoder>;
using EventsBody = DecodedBody<kube::EventsDecoder>;

/// What the reader of a request's body has made of it. The route must have that reader.
template <typename Body>
auto read_body(const http::Request& request) {
  return static_cast<Body&>(*request.body_reader).finish();
}

}  // namespace rampart::admin
