// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <queue>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/result.hpp"

namespace rampart::test {

using Frame = std::vector<std::byte>;

/// What a bad line does to the frames of one direction. Probabilities lie in 0 to 1.
struct ImpairmentSpec {
  double loss = 0;             ///< a frame never arrives
  double duplicate = 0;        ///< it arrives twice
  double reorder = 0;          ///< it stays behind while later ones go on
  uint32_t delay_min_us = 0;   ///< every frame is late by at least this much
  uint32_t delay_max_us = 0;   ///< and at most this much; delay alone keeps the order
  uint32_t reorder_us = 2000;  ///< how long a frame stays behind at most, on top of its delay
  uint32_t queue = 4096;       ///< frames on their way at most; one more is lost
};

/// Reads "loss=0.02,duplicate=0.01,reorder=0.05,delay-us=0-2000,reorder-us=3000,queue=4096": each
/// name at most once, in any order, nothing else.
Result<ImpairmentSpec> parse_impairment(std::string_view text);

/// What became of the frames. At all times received + duplicated = lost + overflowed + sent + those
/// still on their way.
struct ImpairmentTally {
  uint64_t received = 0;
  uint64_t lost = 0;        ///< by chance
  uint64_t overflowed = 0;  ///< lost because the queue was full
  uint64_t duplicated = 0;  ///< copies made
  uint64_t delayed = 0;     ///< had to wait
  uint64_t reordered = 0;   ///< left after a frame that came in later; copies do not count
  uint64_t sent = 0;
};

/// One direction of a bad line: frames go in, and come out as they were, later or never or twice.
/// Its choices come from the seed and from nothing else. One thread; times are in microseconds of
/// any clock that does not go back.
class Impairment {
 public:
  Impairment(const ImpairmentSpec& spec, uint64_t seed) : spec_(spec), random_(seed) {}

  void take(Frame frame, uint64_t now_us);
  /// The next frame whose time has come, if any.
  std::optional<Frame> give(uint64_t now_us);
  /// When the next frame's time comes; nothing if none is on its way.
  std::optional<uint64_t> next_due_us() const;
  size_t on_their_way() const { return line_.size(); }
  const ImpairmentTally& tally() const { return tally_; }

 private:
  struct Travelling {
    uint64_t due_us = 0;
    uint64_t number = 0;  ///< of arrival, from 1; a copy has one of its own
    bool copy = false;
    Frame frame;
  };
  struct Later {
    bool operator()(const Travelling& a, const Travelling& b) const {
      return a.due_us != b.due_us ? a.due_us > b.due_us : a.number > b.number;
    }
  };

  bool happens(double probability);
  uint64_t up_to(uint64_t most);
  void enqueue(Frame frame, bool copy, uint64_t now_us);

  ImpairmentSpec spec_;
  std::mt19937_64 random_;
  std::priority_queue<Travelling, std::vector<Travelling>, Later> line_;
  ImpairmentTally tally_;
  uint64_t numbers_ = 0;
  uint64_t last_in_order_us_ = 0;  ///< when the last frame that keeps its place leaves
  uint64_t furthest_ = 0;          ///< the highest number that has left, copies aside
};

}  // namespace rampart::test
