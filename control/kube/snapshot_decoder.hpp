// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string_view>

#include "control/kube/decode.hpp"

namespace rampart::kube {

/// decode_snapshot() for a text that comes in pieces, cut anywhere. Each item of the outermost list
/// is read when its last byte is there and forgotten as text, so a body of a gigabyte takes no more
/// memory than what becomes of it. (Items that name no kind wait for that of the list, if it comes
/// behind them; and lists within the list are items.)
///
/// One control thread at a time.
class SnapshotDecoder {
 public:
  explicit SnapshotDecoder(const Limits& limits = {});
  ~SnapshotDecoder();
  SnapshotDecoder(const SnapshotDecoder&) = delete;
  SnapshotDecoder& operator=(const SnapshotDecoder&) = delete;

  /// Keeps nothing of `piece`. After something was refused the rest is not looked at.
  void put(std::string_view piece);
  /// After the last piece.
  Checked<Decoded> finish() &&;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rampart::kube
