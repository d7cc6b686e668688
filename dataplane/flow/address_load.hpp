// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "dataplane/base/cacheline.hpp"
#include "dataplane/flow/flow_state.hpp"
#include "dataplane/packet/flow_key.hpp"

namespace rampart {

/// How many flows an address has, never less than it really has: a count-min sketch of two rows
/// (G. Cormode, S. Muthukrishnan, "An Improved Data Stream Summary", 2005), in which flows that end
/// are taken out again. Its size does not depend on how many addresses there are, which under a
/// flood from random sources are as many as packets. An address is taken for busier than it is only
/// if in both rows it shares its cell with one that is.
///
/// Over memory of the caller's. One thread.
class AddressLoad {
 public:
  /// Flows of an address by what they are worth; dead ones do not count.
  struct Count {
    uint32_t weak = 0, assured = 0;
  };

  /// Bytes for the addresses of so many flows.
  static constexpr size_t bytes_for(uint32_t flows) { return 2 * cells_for(flows) * sizeof(Count); }

  /// Counts nothing.
  AddressLoad() = default;
  /// `memory`: bytes_for(flows) bytes, zeroed; outlives this.
  AddressLoad(void* memory, uint32_t flows)
      : cells_(static_cast<Count*>(memory)), mask_(cells_for(flows) - 1) {}

  bool is_on() const { return cells_ != nullptr; }

  /// `hash`: of the address, 64 bits that nobody can choose.
  Count of(uint64_t hash) const noexcept {
    const Count &a = first(hash), &b = second(hash);
    return {std::min(a.weak, b.weak), std::min(a.assured, b.assured)};
  }
  /// A flow of the address comes (from kDead), goes (to kDead), or is worth something else.
  void move(uint64_t hash, FlowWorth from, FlowWorth to) noexcept {
    move(first(hash), from, to);
    move(second(hash), from, to);
  }

 private:
  static constexpr size_t cells_for(uint32_t flows) {
    return std::bit_ceil(std::max<size_t>(flows / 16, 1024));
  }
  static void move(Count& c, FlowWorth from, FlowWorth to) noexcept {
    c.weak += static_cast<uint32_t>(to == FlowWorth::kWeak) - (from == FlowWorth::kWeak);
    c.assured += static_cast<uint32_t>(to == FlowWorth::kAssured) - (from == FlowWorth::kAssured);
  }
  Count& first(uint64_t hash) const { return cells_[hash & mask_]; }
  Count& second(uint64_t hash) const { return cells_[mask_ + 1 + (hash >> 32 & mask_)]; }

  Count* cells_ = nullptr;
  size_t mask_ = 0;
};

/// The hash of one end of a key, for AddressLoad.
inline uint64_t address_hash(const FlowKeyV4& k, unsigned end, const HashSeed& s) {
  return detail::mix(detail::mix(k.address[end].raw() ^ s.b, s.a), s.b);
}
inline uint64_t address_hash(const FlowKeyV6& k, unsigned end, const HashSeed& s) {
  const uint64_t high = detail::load64(k.address[end]), low = detail::load64(k.address[end] + 8);
  return detail::mix(detail::mix(high ^ s.b, low ^ s.a), s.b);
}

}  // namespace rampart
