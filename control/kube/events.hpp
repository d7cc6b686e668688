// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string_view>

#include "control/kube/change.hpp"
#include "control/kube/decode.hpp"

namespace rampart::kube {

/// Reads watch events, one JSON object a line ({"type": …, "object": {…}}), from a text that comes
/// in pieces, cut anywhere.
///
/// ADDED and MODIFIED create or replace; DELETED of what is not there is no error, and takes the
/// content of a Namespace along; BOOKMARK is ignored. ERROR, any other type and any bad object
/// refuse the batch; the refusal names the line ("line 3"). No event is refused for what is there
/// already: what the events change is known before the state is that they change.
///
/// One control thread at a time.
class EventsDecoder {
 public:
  explicit EventsDecoder(const Limits& limits = {});
  ~EventsDecoder();
  EventsDecoder(const EventsDecoder&) = delete;
  EventsDecoder& operator=(const EventsDecoder&) = delete;

  /// Keeps nothing of `piece`. After something was refused the rest is not looked at.
  void put(std::string_view piece);
  /// After the last piece.
  Checked<Changes> finish() &&;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// Reads events and applies them to `before`, and returns what comes of it; objects that no event
/// names are shared with `before`. Any control thread; keeps nothing of `lines`.
Checked<Decoded> apply_events(const ClusterState& before, std::string_view lines,
                              const Limits& limits = {});

}  // namespace rampart::kube
