// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "dataplane/fragment/datagram.hpp"

struct rte_mbuf;

namespace rampart {

/// How much a FragmentTable holds, and how long.
struct FragmentLimits {
  uint32_t datagrams = 0;  ///< at once, at least 1
  uint32_t held = 0;       ///< packet buffers in hand, at least 1
  Tsc hold = 0;            ///< how long a datagram waits for its first fragment
  Tsc life = 0;            ///< how long the others may follow it
};

/// The datagrams in pieces of one worker, and the pieces that wait for their first: a hash table
/// with a list of datagrams for each state, oldest first, over memory of the caller's.
///
/// When it is full, room is made by the oldest of those that matter least: refused ones, then
/// waiting ones, and for a first fragment alone, passing ones. So who sends nothing but orphans, or
/// first fragments that are denied, gets into his own way and into that of reordered datagrams, but
/// not into that of a datagram whose first fragment came first.
///
/// Datagrams do not move. One thread; no allocation; no failure but a full table. It neither counts
/// nor frees packets: whoever makes a datagram go takes what it holds first.
class FragmentTable {
 public:
  static constexpr size_t bytes_for(uint32_t datagrams, uint32_t held) {
    return buckets_bytes(datagrams) + size_t{datagrams} * sizeof(Datagram) +
           size_t{held} * sizeof(Link);
  }

  FragmentTable() = default;
  /// `memory`: bytes_for(…) bytes, aligned to a cache line; outlives the table.
  FragmentTable(void* memory, const FragmentLimits& limits) noexcept;

  uint32_t size() const { return size_; }
  uint32_t capacity() const { return limits_.datagrams; }
  uint32_t held() const { return held_; }  ///< packet buffers

  /// Datagrams have numbers, and keep them until they are erased.
  Datagram& operator[](uint32_t number) { return datagrams_[number]; }
  uint32_t number_of(const Datagram& d) const { return static_cast<uint32_t>(&d - datagrams_); }

  /// Null if it is not there.
  Datagram* find(const FragmentKey& key, uint64_t hash) noexcept;
  /// Takes in a datagram that is not there, of which no piece is noted down yet, as waiting. Null:
  /// the table is full.
  Datagram* insert(const FragmentKey& key, uint64_t hash, Tsc now) noexcept;
  /// Ends a datagram that holds nothing (any more).
  void erase(Datagram& d) noexcept;
  void move(Datagram& d, DatagramState to, Tsc now) noexcept;

  /// Who has to go first to make room for a datagram that begins with its first fragment, or with
  /// another one. Null: nobody.
  Datagram* dispensable(bool first) noexcept;
  /// Null: none waits.
  Datagram* oldest_waiting() noexcept { return oldest(DatagramState::kWaiting); }
  /// One whose time is over, or null.
  Datagram* overdue(Tsc now) noexcept;
  /// Whether a first fragment that comes now begins another datagram of the same name: the first of
  /// this one has passed or was denied, and for as long as one would wait for a first, nothing new
  /// of it has come. (One whose pieces do not fit together has its name for all of its life.)
  bool is_silent(const Datagram& d, Tsc now) const noexcept;

  /// Puts a packet of so many buffers at the end of a chain; false: there is no room.
  bool hold(HeldChain& chain, rte_mbuf* packet, uint8_t in_port, uint16_t buffers) noexcept;
  /// Takes the oldest packet out of a chain; null if it is empty.
  rte_mbuf* take(HeldChain& chain, uint8_t& in_port) noexcept;
  /// Calls fn(packet) for every packet of a chain, oldest first.
  template <typename Fn>
  void for_each(const HeldChain& chain, Fn&& fn) const {
    for (uint32_t n = chain.first; n != kNone; n = links_[n].next) fn(links_[n].packet);
  }
  /// Puts one chain behind another and leaves it empty.
  void append(HeldChain& to, HeldChain& chain) noexcept;

 private:
  static constexpr uint32_t kNone = HeldChain::kNone;
  static constexpr unsigned kStates = 4;

  struct Link {
    rte_mbuf* packet;
    uint32_t next;
    uint16_t buffers;
    uint8_t in_port;
  };
  struct List {
    uint32_t oldest = kNone, newest = kNone;
  };

  static constexpr uint32_t buckets_for(uint32_t datagrams) {
    uint32_t n = 16;
    while (n < datagrams) n *= 2;
    return n;
  }
  static constexpr size_t buckets_bytes(uint32_t datagrams) {
    return buckets_for(datagrams) * sizeof(uint32_t);
  }
  uint32_t& bucket(uint64_t hash) {
    // Bits that do not choose the worker.
    return buckets_[hash >> 32 & mask_];
  }
  Datagram* oldest(DatagramState state) noexcept {
    const uint32_t number = lists_[static_cast<unsigned>(state)].oldest;
    return number == kNone ? nullptr : datagrams_ + number;
  }
  void link(Datagram& d) noexcept;
  void unlink(Datagram& d) noexcept;

  FragmentLimits limits_;
  uint32_t mask_ = 0;
  uint32_t size_ = 0;
  uint32_t held_ = 0;
  uint32_t free_datagram_ = kNone;
  uint32_t free_link_ = kNone;
  std::array<List, kStates> lists_{};
  uint32_t* buckets_ = nullptr;
  Datagram* datagrams_ = nullptr;
  Link* links_ = nullptr;
};

}  // namespace rampart
