// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string_view>

/// What property tests draw from, and how much. The same run every time, so that a check fails for
/// what has changed and for nothing else; RAMPART_SEED=random draws another (and prints it),
/// RAMPART_SEED=N repeats one, RAMPART_ROUNDS=N makes it longer.
namespace rampart::support {

/// A number in the environment; `otherwise` if it is not set. Anything else ends the program.
inline uint64_t number_in_environment(const char* name, uint64_t otherwise) {
  const char* set = std::getenv(name);
  if (set == nullptr) return otherwise;
  const std::string_view text = set;
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    std::cerr << name << "=" << text << " is not a number\n";
    std::abort();
  }
  return value;
}

inline uint64_t rounds(uint64_t otherwise) {
  return number_in_environment("RAMPART_ROUNDS", otherwise);
}

inline uint64_t seed() {
  static const uint64_t chosen = [] {
    const char* set = std::getenv("RAMPART_SEED");
    const bool draws = set != nullptr && std::string_view(set) == "random";
    const uint64_t value =
        draws ? std::random_device()() : number_in_environment("RAMPART_SEED", 20261127);
    std::cout << "RAMPART_SEED=" << value << "\n";
    return value;
  }();
  return chosen;
}

}  // namespace rampart::support
