// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <x86intrin.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "dataplane/base/ids.hpp"

/// Where a worker's cycles go. Counted only in builds with -Dstage_cycles=true; else there is
/// nothing of it in the loop.
namespace rampart {

#ifdef RAMPART_STAGE_CYCLES
inline constexpr bool kCountStageCycles = true;
#else
inline constexpr bool kCountStageCycles = false;
#endif

/// What a loop that moved packets consists of, in this order. X(enumerator, name in answers).
#define RAMPART_STAGES(X)   \
  X(kRx, "rx")              \
  X(kReceive, "receive")    \
  X(kParse, "parse")        \
  X(kSteer, "steer")        \
  X(kTrack, "track")        \
  X(kDefer, "defer")        \
  X(kClassify, "classify")  \
  X(kFollow, "follow")      \
  X(kSettle, "settle")      \
  X(kTransmit, "transmit")  \
  X(kTx, "tx")              \
  X(kResume, "resume")      \
  X(kTakeOver, "take_over") \
  X(kBetween, "between")

/// `rx` and `tx` are the drivers' functions, `receive` is what is noted of a burst, `take_over` the
/// rings between workers and ports that had nothing; `between` is what follows before the next loop
/// (timers, reports, questions of control).
enum class Stage : uint8_t {
#define RAMPART_X(id, name) id,
  RAMPART_STAGES(RAMPART_X)
#undef RAMPART_X
      kCount
};

inline constexpr unsigned kStages = static_cast<unsigned>(Stage::kCount);

inline constexpr std::array<std::string_view, kStages> kStageNames{
#define RAMPART_X(id, name) name,
    RAMPART_STAGES(RAMPART_X)
#undef RAMPART_X
};

/// A stopwatch that is read once a stage and burst. TSC cycles of loops that moved packets: all
/// stages but `between` add up to WorkerCounters::busy_cycles. One worker writes it.
template <bool kOn>
class StageCycles {
 public:
  /// A loop begins.
  void start(Tsc now) noexcept { last_ = now; }
  /// All since the last call was this stage's.
  void lap(Stage stage) noexcept { lap(stage, __rdtsc()); }
  void lap(Stage stage, Tsc now) noexcept {
    cycles_[static_cast<unsigned>(stage)] += now - last_;
    last_ = now;
  }
  /// So many packets go through the stages.
  void count(uint64_t packets) noexcept { packets_ += packets; }

  /// For those who do not know whether there is anything.
  std::optional<StageCycles> counted() const noexcept { return *this; }
  uint64_t packets() const noexcept { return packets_; }
  uint64_t of(Stage stage) const noexcept { return cycles_[static_cast<unsigned>(stage)]; }

 private:
  Tsc last_ = 0;
  uint64_t packets_ = 0;
  std::array<uint64_t, kStages> cycles_{};
};

/// The same in builds that do not count: nothing.
template <>
class StageCycles<false> {
 public:
  void start(Tsc) noexcept {}
  void lap(Stage) noexcept {}
  void lap(Stage, Tsc) noexcept {}
  void count(uint64_t) noexcept {}
  std::optional<StageCycles<true>> counted() const noexcept { return std::nullopt; }
};

}  // namespace rampart
