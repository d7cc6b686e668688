// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "dataplane/addr/exact_table.hpp"
#include "dataplane/addr/identity.hpp"
#include "dataplane/addr/interval_table.hpp"
#include "dataplane/base/byte_order.hpp"
#include "dataplane/base/ids.hpp"
#include "dataplane/base/ip_address.hpp"
#include "dataplane/base/result.hpp"

namespace rampart {

/// From an address to what the policy in force knows of it. Every address has an identity: the one
/// of its exact entry (pods, nodes), else the one of the interval it lies in (the pieces that all
/// CIDR blocks of the policies cut the address space into).
///
/// Immutable; built on a control thread, read by any number of threads at once. Maps that follow
/// each other share what did not change: a shard of exact entries, the intervals of a family. The
/// pointers that the find functions hand out live as long as the map.
class AddressMap {
 public:
  struct Entry {
    IpAddress address;
    Identity identity;
    bool operator==(const Entry&) const = default;
  };
  /// From `first` up to the next interval's first address or the end of the family.
  struct Interval {
    IpAddress first;
    Identity identity;
    bool operator==(const Interval&) const = default;
  };

  /// Builds a map. `entries`: in any order, each address once. `v4`, `v6`: sorted, the first one
  /// at 0.0.0.0 or ::, or empty (then every other address has a default Identity).
  /// `revision`: what the map belongs to; it must not be below the one of `previous` (may be null).
  /// `touched`: the addresses that mean something else than in `previous`, which is then not null;
  /// null: those whose entries differ.
  /// Errors: kInvalid for an address that comes twice, intervals out of order or of the wrong
  /// family.
  static Result<std::shared_ptr<const AddressMap>> build(
      const std::vector<Entry>& entries, const std::vector<Interval>& v4,
      const std::vector<Interval>& v6, Revision revision, const AddressMap* previous,
      const std::vector<IpAddress>* touched = nullptr);

  /// The same with some exact entries other than in `previous`: `changed` (new ones, too) and
  /// `gone`, no address twice. Intervals and all other entries are shared. `touched`: more
  /// addresses that mean something else, whatever their entries say.
  static std::shared_ptr<const AddressMap> change(const AddressMap& previous,
                                                  const std::vector<Entry>& changed,
                                                  const std::vector<IpAddress>& gone,
                                                  Revision revision,
                                                  const std::vector<IpAddress>& touched = {});
  /// The same with other intervals. Errors as with build().
  static Result<std::shared_ptr<const AddressMap>> with_intervals(const AddressMap& previous,
                                                                  const std::vector<Interval>& v4,
                                                                  const std::vector<Interval>& v6);

  /// Looks up `count` IPv4 addresses (any number). Prefetches, so give it a whole burst.
  void find_v4(const be32* addresses, unsigned count, const Identity** out) const noexcept;
  /// The same for IPv6 addresses, 16 bytes each in network order.
  void find_v6(const uint8_t (*addresses)[16], unsigned count, const Identity** out) const noexcept;
  /// Never null.
  const Identity* find(const IpAddress& address) const noexcept;

  /// The latest revision in which an exact entry of this address may have come, gone or changed, or
  /// the address have been touched otherwise
  /// (addresses share marks, so a later one is possible, which costs a flow no more than a needless
  /// second judgement). Changes of intervals do not count.
  RevisionMark changed_in_v4(be32 address) const noexcept {
    return v4_.changes().of(exact_hash(address.raw()));
  }
  RevisionMark changed_in_v6(const uint8_t* address) const noexcept {
    return v6_.changes().of(hash_v6(address));
  }
  /// No earlier than these, and cheaper.
  RevisionMark roughly_changed_in_v4(be32 address) const noexcept {
    return v4_.changes().roughly_of(exact_hash(address.raw()));
  }
  RevisionMark roughly_changed_in_v6(const uint8_t* address) const noexcept {
    return v6_.changes().roughly_of(hash_v6(address));
  }
  RevisionMark changed_in(const IpAddress& address) const noexcept;

  /// Whether all addresses without an exact entry have the same identities in `other`.
  bool same_intervals(const AddressMap& other) const noexcept;

  size_t exact_entries() const noexcept { return v4_.size() + v6_.size(); }
  size_t intervals() const noexcept { return intervals_v4_->size() + intervals_v6_->size(); }
  /// How many shards `other` has in common with this map (the very same memory); for tests and
  /// figures.
  size_t shards_shared_with(const AddressMap& other) const noexcept;
  static constexpr size_t kShardsPerFamily = kExactShards;

 private:
  AddressMap() = default;
  AddressMap(const AddressMap&) = default;

  Result<void> take_intervals(const std::vector<Interval>& v4, const std::vector<Interval>& v6,
                              const AddressMap* previous);
  void touch(const std::vector<IpAddress>& addresses, Revision revision);
  static uint64_t hash_v6(const uint8_t* address) noexcept {
    ExactKeyV6 key;
    std::memcpy(key.bytes, address, sizeof key.bytes);
    return exact_hash(key);
  }

  ExactTable<uint32_t> v4_;
  ExactTable<ExactKeyV6> v6_;
  std::shared_ptr<const IntervalTableV4> intervals_v4_;
  std::shared_ptr<const IntervalTableV6> intervals_v6_;
};

}  // namespace rampart
