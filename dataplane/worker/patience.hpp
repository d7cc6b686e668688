// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <thread>

#include "dataplane/worker/worker.hpp"

namespace rampart {

/// Sleeps until done(). Gives up when progress(), a number that grows, has stood still for three
/// seconds, or when the workers are told to end. Says whether it was done. Control threads.
template <typename Done, typename Progress>
bool wait_for(const WorkerShared& shared, Done&& done, Progress&& progress) {
  using Clock = std::chrono::steady_clock;
  using namespace std::chrono_literals;
  constexpr auto kPatience = 3s;
  auto deadline = Clock::now() + kPatience;
  uint64_t seen = progress();
  auto pause = 20us;
  while (!done()) {
    const auto now = Clock::now();
    if (const uint64_t moved = progress(); moved != seen) {
      seen = moved;
      deadline = now + kPatience;
    }
    if (shared.stop.load() || now >= deadline) return false;
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, 1000us);
  }
  return true;
}

/// The same for what is done at once or never.
template <typename Done>
bool wait_for(const WorkerShared& shared, Done&& done) {
  return wait_for(shared, done, [] { return uint64_t{0}; });
}

}  // namespace rampart
