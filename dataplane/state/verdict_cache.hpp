// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/base/cacheline.hpp"
#include "dataplane/base/ids.hpp"
#include "dataplane/base/prefetch.hpp"
#include "dataplane/packet/flow_key.hpp"
#include "dataplane/state/verdict.hpp"

namespace rampart {

/// What policy has said of late to one worker. New connections of a cluster come again and again
/// from the same workloads to the same services: other ports at the client, often other pods, and
/// the same question to the ACL, which takes ten times as long to answer it.
///
/// A verdict is known by what it depends on: the classes of both ends, protocol, destination port
/// and revision. What depends on more (an address of several pods, a pod and its own node) must not
/// be kept here. Two verdicts have a line together, and the older goes when a third comes; whoever
/// makes them all go has each question answered by the ACL, as without this.
///
/// One thread. No allocation.
class VerdictCache {
 public:
  /// A question under a revision, and where its verdict is if it is known.
  class Key {
   public:
    Key() = default;
    Key(const Question& q, Revision revision)
        : ends_(uint64_t{q.source->class_id} << 32 | q.destination->class_id),
          rest_(uint64_t{revision} << 24 | uint64_t{q.protocol} << 16 | q.port),
          line_(detail::mix(ends_ ^ 0x9e3779b97f4a7c15, rest_ ^ 0xd1b54a32d192ed03) >>
                (64 - kLinesLog2)) {}

   private:
    friend VerdictCache;
    uint64_t ends_;  ///< class of the source, of the destination
    uint64_t rest_;  ///< 40 bits of the revision, protocol, destination port
    uint64_t line_;
  };

  /// Fetches what find will look at.
  void prefetch(const Key& key) const noexcept { prefetch_line(&lines_[key.line_]); }
  /// The verdict; null: it is not known.
  const Verdict* find(const Key& key) const noexcept {
    const Line& line = lines_[key.line_];
    if (line.later.is_about(key)) return &line.later.verdict;
    return line.earlier.is_about(key) ? &line.earlier.verdict : nullptr;
  }
  /// Keeps one that was not known.
  void keep(const Key& key, const Verdict& v) noexcept {
    Line& line = lines_[key.line_];
    line.earlier = line.later;
    line.later = {key.ends_, key.rest_, v};
  }

 private:
  static constexpr unsigned kLinesLog2 = 11;

  struct Entry {
    uint64_t ends = 0, rest = ~uint64_t{0};  ///< as in Key
    Verdict verdict;

    bool is_about(const Key& key) const { return ((ends ^ key.ends_) | (rest ^ key.rest_)) == 0; }
  };
  struct alignas(kCacheLine) Line {
    Entry later, earlier;
  };
  static_assert(sizeof(Line) == kCacheLine);

  std::array<Line, 1U << kLinesLog2> lines_;
};

}  // namespace rampart
