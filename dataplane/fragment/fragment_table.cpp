// SPDX-License-Identifier: Apache-2.0
#include "dataplane/fragment/fragment_table.hpp"

#include <algorithm>

namespace rampart {
namespace {

bool is_over(Tsc since, Tsc now, Tsc limit) {
  return now > since && now - since > limit;
}

}  // namespace

FragmentTable::FragmentTable(void* memory, const FragmentLimits& limits) noexcept
    : limits_(limits), mask_(buckets_for(limits.datagrams) - 1) {
  auto* bytes = static_cast<std::byte*>(memory);
  buckets_ = reinterpret_cast<uint32_t*>(bytes);
  bytes += buckets_bytes(limits.datagrams);
  datagrams_ = reinterpret_cast<Datagram*>(bytes);
  bytes += size_t{limits.datagrams} * sizeof(Datagram);
  links_ = reinterpret_cast<Link*>(bytes);
  std::fill_n(buckets_, mask_ + 1, kNone);
  for (uint32_t n = limits.datagrams; n-- > 0;) {
    datagrams_[n].next = free_datagram_;
    free_datagram_ = n;
  }
  for (uint32_t n = limits.held; n-- > 0;) {
    links_[n].next = free_link_;
    free_link_ = n;
  }
}

Datagram* FragmentTable::find(const FragmentKey& key, uint64_t hash) noexcept {
  for (uint32_t n = bucket(hash); n != kNone; n = datagrams_[n].next) {
    if (datagrams_[n].hash == hash && datagrams_[n].key == key) return datagrams_ + n;
  }
  return nullptr;
}

Datagram* FragmentTable::insert(const FragmentKey& key, uint64_t hash, Tsc now) noexcept {
  if (free_datagram_ == kNone) return nullptr;
  const uint32_t number = free_datagram_;
  Datagram& d = datagrams_[number];
  free_datagram_ = d.next;
  uint32_t& head = bucket(hash);
  d = Datagram{};
  d.key = key;
  d.hash = hash;
  d.since = now;
  d.next = head;
  head = number;
  link(d);
  ++size_;
  return &d;
}

void FragmentTable::erase(Datagram& d) noexcept {
  unlink(d);
  const uint32_t number = number_of(d);
  uint32_t* to = &bucket(d.hash);
  while (*to != number) to = &datagrams_[*to].next;
  *to = d.next;
  d.next = free_datagram_;
  free_datagram_ = number;
  --size_;
}

void FragmentTable::move(Datagram& d, DatagramState to, Tsc now) noexcept {
  unlink(d);
  d.state = to;
  d.since = now;
  link(d);
}

/// One in the hands of a burst is in its list, too, but nobody looks there for somebody to go.
void FragmentTable::link(Datagram& d) noexcept {
  List& list = lists_[static_cast<unsigned>(d.state)];
  const uint32_t number = number_of(d);
  d.older = list.newest;
  d.newer = kNone;
  (list.newest == kNone ? list.oldest : datagrams_[list.newest].newer) = number;
  list.newest = number;
}

void FragmentTable::unlink(Datagram& d) noexcept {
  List& list = lists_[static_cast<unsigned>(d.state)];
  (d.older == kNone ? list.oldest : datagrams_[d.older].newer) = d.newer;
  (d.newer == kNone ? list.newest : datagrams_[d.newer].older) = d.older;
}

Datagram* FragmentTable::dispensable(bool first) noexcept {
  for (const DatagramState state : {DatagramState::kRefused, DatagramState::kWaiting}) {
    if (Datagram* d = oldest(state); d != nullptr) return d;
  }
  return first ? oldest(DatagramState::kPassing) : nullptr;
}

Datagram* FragmentTable::overdue(Tsc now) noexcept {
  // Lists are in the order in which datagrams came to their state.
  Datagram* d = oldest(DatagramState::kWaiting);
  if (d != nullptr && is_over(d->since, now, limits_.hold)) return d;
  for (const DatagramState state : {DatagramState::kPassing, DatagramState::kRefused}) {
    d = oldest(state);
    if (d != nullptr && is_over(d->since, now, limits_.life)) return d;
  }
  return nullptr;
}

bool FragmentTable::is_silent(const Datagram& d, Tsc now) const noexcept {
  const bool fits_together = d.why == DropReason::kNone || d.why == DropReason::kFragmentDenied;
  const bool judged = d.state == DatagramState::kPassing || d.state == DatagramState::kRefused;
  return judged && fits_together && is_over(d.grown, now, limits_.hold);
}

bool FragmentTable::hold(HeldChain& chain, rte_mbuf* packet, uint8_t in_port,
                         uint16_t buffers) noexcept {
  if (free_link_ == kNone || held_ + buffers > limits_.held) return false;
  const uint32_t number = free_link_;
  Link& l = links_[number];
  free_link_ = l.next;
  l = {packet, kNone, buffers, in_port};
  held_ += buffers;
  (chain.empty() ? chain.first : links_[chain.last].next) = number;
  chain.last = number;
  return true;
}

rte_mbuf* FragmentTable::take(HeldChain& chain, uint8_t& in_port) noexcept {
  if (chain.empty()) return nullptr;
  const uint32_t number = chain.first;
  Link& l = links_[number];
  chain.first = l.next;
  if (chain.empty()) chain.last = kNone;
  in_port = l.in_port;
  held_ -= l.buffers;
  l.next = free_link_;
  free_link_ = number;
  return l.packet;
}

void FragmentTable::append(HeldChain& to, HeldChain& chain) noexcept {
  if (chain.empty()) return;
  (to.empty() ? to.first : links_[to.last].next) = chain.first;
  to.last = chain.last;
  chain = {};
}

}  // namespace rampart
