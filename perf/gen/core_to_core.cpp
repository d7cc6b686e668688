// SPDX-License-Identifier: Apache-2.0
//
//   core_to_core CPU CPU
//
// Two threads that do nothing but pass memory to each other: what that costs by itself, without any
// of the work of who hands packets over, or exchanges them over memif. Prints a line of JSON,
// figures in TSC cycles:
//
//   line    until a cache line that one core has written is with the other one, waited for
//   buffer  what a packet's buffer (three lines, and its pointer in a ring) costs giver and taker
//           together beyond what it costs who keeps it; by bursts, asked for ahead
#include <pthread.h>
#include <sched.h>
#include <x86intrin.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "dataplane/base/prefetch.hpp"

namespace rampart::perf {
namespace {

constexpr unsigned kSamples = 9;  // of which the median counts
constexpr size_t kLine = 64;

/// Runs the calling thread on one CPU. False: it may not be there.
bool stay_on(unsigned cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  return pthread_setaffinity_np(pthread_self(), sizeof set, &set) == 0;
}

double median(std::array<double, kSamples> values) {
  std::sort(values.begin(), values.end());
  return values[kSamples / 2];
}

/// Runs f(0) and f(1) at once, a CPU each, and returns the cycles that the first one took from when
/// both were there.
template <typename F>
double on_both(const std::array<unsigned, 2>& cpu, F&& f) {
  std::atomic<unsigned> there{0};
  double took = 0;
  const auto run = [&](unsigned side) {
    stay_on(cpu[side]);
    ++there;
    while (there.load(std::memory_order_acquire) != 2) _mm_pause();
    const uint64_t began = __rdtsc();
    f(side);
    if (side == 0) took = static_cast<double>(__rdtsc() - began);
  };
  std::thread other(run, 1);
  run(0);
  other.join();
  return took;
}

double pass_line(const std::array<unsigned, 2>& cpu) {
  constexpr uint32_t kPasses = 2000;
  struct alignas(2 * kLine) Line {
    std::atomic<uint32_t> number{0};
  } shared;
  const double took = on_both(cpu, [&](unsigned side) {
    for (uint32_t n = side; n < 2 * kPasses; n += 2) {
      while (shared.number.load(std::memory_order_acquire) != n) {
      }
      shared.number.store(n + 1, std::memory_order_release);
    }
  });
  return took / (2 * kPasses);
}

/// A packet's buffer, as far as workers touch it. Where its frame is stands in it, as in an mbuf.
struct Buffer {
  alignas(kLine) uint8_t* frame;
  uint64_t tag;
  alignas(kLine) uint64_t next;
  alignas(2 * kLine) uint8_t bytes[kLine];  ///< behind a headroom
};

/// A queue of pointers from one thread to one other, as rte_ring is.
class Ring {
 public:
  static constexpr uint32_t kSlots = 2048;

  uint32_t put(Buffer* const* from, uint32_t count) {
    const uint32_t head = head_.load(std::memory_order_relaxed);
    count = std::min(count, kSlots - (head - tail_.load(std::memory_order_acquire)));
    for (uint32_t k = 0; k < count; ++k) slot_[(head + k) % kSlots] = from[k];
    head_.store(head + count, std::memory_order_release);
    return count;
  }
  uint32_t take(Buffer** to, uint32_t count) {
    const uint32_t tail = tail_.load(std::memory_order_relaxed);
    count = std::min(count, head_.load(std::memory_order_acquire) - tail);
    for (uint32_t k = 0; k < count; ++k) to[k] = slot_[(tail + k) % kSlots];
    tail_.store(tail + count, std::memory_order_release);
    return count;
  }

 private:
  alignas(kLine) std::atomic<uint32_t> head_{0};
  alignas(kLine) std::atomic<uint32_t> tail_{0};
  alignas(kLine) std::array<Buffer*, kSlots> slot_{};
};

/// One who fills buffers, gives them away, and has for his own what he is given, the last one
/// first.
class Trader {
 public:
  static constexpr uint32_t kBurst = 64, kBuffers = 512;

  Trader() : buffer_(kBuffers) {
    for (Buffer& buffer : buffer_) {
      buffer.frame = buffer.bytes;
      have_.push_back(&buffer);
    }
  }
  /// Until so many have been given and taken.
  void trade(Ring& to, Ring& from, uint32_t count) {
    Buffer* burst[kBurst];
    for (uint32_t given = 0, taken = 0; given < count || taken < count;) {
      if (const auto n = static_cast<uint32_t>(
              std::min<size_t>({kBurst, have_.size(), size_t{count} - given}));
          n != 0) {
        fill(have_.data() + have_.size() - n, n);
        const uint32_t put = to.put(have_.data() + have_.size() - n, n);
        given += put;
        // What found no room stays with us: the last ones.
        std::rotate(have_.end() - n, have_.end() - (n - put), have_.end());
        have_.resize(have_.size() - put);
      }
      const uint32_t got = from.take(burst, kBurst);
      read(burst, got);
      taken += got;
      have_.insert(have_.end(), burst, burst + got);
    }
  }
  uint64_t sum = 0;  ///< of what has been read, so that it is

 private:
  /// Asked for so many ahead, and to be written: a core keeps some twenty lines in mind.
  static constexpr uint32_t kAhead = 7;
  static void ask_for(const Buffer* buffer) {
    prefetch_line_to_write(buffer);
    prefetch_line_to_write(&buffer->next);
    prefetch_line_to_write(&buffer->bytes);
  }
  static void fill(Buffer* const* buffers, uint32_t count) {
    for (uint32_t k = 0; k < count; ++k) {
      buffers[k]->tag = k;
      buffers[k]->next = 0;
      std::memset(buffers[k]->frame, static_cast<int>(k), kLine);
    }
  }
  void read(Buffer* const* buffers, uint32_t count) {
    for (uint32_t k = 0; k < std::min(kAhead, count); ++k) ask_for(buffers[k]);
    for (uint32_t k = 0; k < count; ++k) {
      sum += buffers[k]->tag + buffers[k]->next + buffers[k]->frame[0];
      if (k + kAhead < count) ask_for(buffers[k + kAhead]);
    }
  }

  std::vector<Buffer> buffer_;
  std::vector<Buffer*> have_;
};

/// Cycles a buffer, of those that each of two gives to the other one, or both to themselves.
double trade(const std::array<unsigned, 2>& cpu, bool with_each_other) {
  constexpr uint32_t kCount = 256 * Trader::kBurst;
  const auto rings = std::make_unique<std::array<Ring, 2>>();
  std::array<Trader, 2> traders;
  return on_both(cpu,
                 [&](unsigned side) {
                   Ring &own = (*rings)[side], &other = (*rings)[1 - side];
                   traders[side].trade(with_each_other ? other : own, own, kCount);
                 }) /
         kCount;
}

template <typename F>
double median_of(F&& f) {
  std::array<double, kSamples> values{};
  for (double& value : values) value = f();
  return median(values);
}

int main(int count, char** words) {
  if (count != 3) {
    std::fprintf(stderr, "core_to_core: wants the numbers of two CPUs\n");
    return 2;
  }
  std::array<unsigned, 2> cpu{};
  for (int n = 1; n <= 2; ++n) {
    const std::string word = words[n];
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), cpu[n - 1]);
    if (error != std::errc{} || end != word.data() + word.size() || cpu[n - 1] >= CPU_SETSIZE ||
        !stay_on(cpu[n - 1])) {
      std::fprintf(stderr, "core_to_core: '%s' is no CPU of ours\n", word.c_str());
      return 2;
    }
  }
  if (cpu[0] == cpu[1]) {
    std::fprintf(stderr, "core_to_core: two CPUs, and not %u twice\n", cpu[0]);
    return 2;
  }
  const double line = median_of([&] { return pass_line(cpu); });
  const double buffer = median_of([&] { return trade(cpu, true) - trade(cpu, false); });
  std::printf("{\"line\": %.0f, \"buffer\": %.0f}\n", line, buffer);
  return 0;
}

}  // namespace
}  // namespace rampart::perf

int main(int count, char** words) {
  return rampart::perf::main(count, words);
}
