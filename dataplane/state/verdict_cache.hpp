// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
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
  /// Fetches what find will look at.
  void prefetch(const Question& q) const noexcept { prefetch_line(&lines_[line_of(q)]); }
  /// The verdict on a question under this revision; null: it is not known.
  const Verdict* find(const Question& q, Revision revision) const noexcept {
    const Line& line = lines_[line_of(q)];
    if (line.later.is_about(q, revision)) return &line.later.verdict;
    return line.earlier.is_about(q, revision) ? &line.earlier.verdict : nullptr;
  }
  /// Keeps one that was not known.
  void keep(const Question& q, Revision revision, const Verdict& v) noexcept {
    Line& line = lines_[line_of(q)];
    line.earlier = line.later;
    line.later = {ends_of(q), revision, port_of(q), v};
  }

 private:
  static constexpr unsigned kLinesLog2 = 11;
  static constexpr Revision kNone = ~Revision{0};

  static uint64_t ends_of(const Question& q) {
    return uint64_t{q.source->class_id} << 32 | q.destination->class_id;
  }
  static uint32_t port_of(const Question& q) { return uint32_t{q.protocol} << 16 | q.port; }

  struct Entry {
    uint64_t ends = 0;  ///< class of the source, of the destination
    Revision revision = kNone;
    uint32_t port = 0;  ///< protocol, destination port
    Verdict verdict;

    bool is_about(const Question& q, Revision in_force) const {
      return ((ends ^ ends_of(q)) | (revision ^ in_force) | (port ^ port_of(q))) == 0;
    }
  };
  struct alignas(kCacheLine) Line {
    Entry later, earlier;
  };
  static_assert(sizeof(Line) == kCacheLine);

  static size_t line_of(const Question& q) {
    return detail::mix(ends_of(q) ^ 0x9e3779b97f4a7c15, port_of(q) ^ 0xd1b54a32d192ed03) >>
           (64 - kLinesLog2);
  }

  std::array<Line, 1U << kLinesLog2> lines_;
};

}  // namespace rampart
