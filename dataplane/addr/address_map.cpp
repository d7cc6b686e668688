// SPDX-License-Identifier: Apache-2.0
#include "dataplane/addr/address_map.hpp"

#include <string>
#include <utility>

namespace rampart {
namespace {

/// How many addresses are hashed and prefetched before the first of them is looked up.
constexpr unsigned kAhead = 16;

uint32_t raw_v4(const IpAddress& a) {
  uint32_t raw;
  std::memcpy(&raw, a.bytes().data(), sizeof raw);
  return raw;
}
ExactKeyV6 key_v6(const uint8_t* bytes) {
  ExactKeyV6 key;
  std::memcpy(key.bytes, bytes, sizeof key.bytes);
  return key;
}

/// Shares `previous` when it is equal.
template <typename Table>
std::shared_ptr<const Table> shared_or_new(Table table,
                                           const std::shared_ptr<const Table>* previous) {
  if (previous != nullptr && **previous == table) return *previous;
  return std::make_shared<const Table>(std::move(table));
}

/// Checks one family's intervals and splits them into columns.
template <typename Number, typename Convert>
Result<void> split(const std::vector<AddressMap::Interval>& intervals, Family family,
                   Convert number_of, std::vector<Number>& firsts,
                   std::vector<Identity>& identities) {
  for (const AddressMap::Interval& i : intervals) {
    const char* wrong = nullptr;
    if (i.first.family() != family) {
      wrong = "wrong address family";
    } else if (firsts.empty() ? !(number_of(i.first) == Number{})
                              : !(firsts.back() < number_of(i.first))) {
      wrong = firsts.empty() ? "the first interval does not begin at 0" : "out of order";
    }
    if (wrong != nullptr) {
      return Error{ErrorCode::kInvalid, wrong, "interval at " + i.first.text()};
    }
    firsts.push_back(number_of(i.first));
    identities.push_back(i.identity);
  }
  if (firsts.empty()) {
    firsts.push_back(Number{});
    identities.push_back(Identity{});
  }
  return {};
}

Error twice(const IpAddress& address) {
  return Error{ErrorCode::kInvalid, "there are two entries for it", address.text()};
}

}  // namespace

Result<void> AddressMap::take_intervals(const std::vector<Interval>& v4,
                                        const std::vector<Interval>& v6,
                                        const AddressMap* previous) {
  std::vector<uint32_t> firsts_v4;
  std::vector<Identity> identities_v4;
  auto ok = split(
      v4, Family::kV4, [](const IpAddress& a) { return a.v4_host(); }, firsts_v4, identities_v4);
  if (!ok) return ok;
  std::vector<IntervalTableV6::Number> firsts_v6;
  std::vector<Identity> identities_v6;
  ok = split(
      v6, Family::kV6,
      [](const IpAddress& a) { return IntervalTableV6::Number::from_bytes(a.bytes().data()); },
      firsts_v6, identities_v6);
  if (!ok) return ok;
  intervals_v4_ = shared_or_new(IntervalTableV4(std::move(firsts_v4), std::move(identities_v4)),
                                previous != nullptr ? &previous->intervals_v4_ : nullptr);
  intervals_v6_ = shared_or_new(IntervalTableV6(std::move(firsts_v6), std::move(identities_v6)),
                                previous != nullptr ? &previous->intervals_v6_ : nullptr);
  return {};
}

Result<std::shared_ptr<const AddressMap>> AddressMap::build(const std::vector<Entry>& entries,
                                                            const std::vector<Interval>& v4,
                                                            const std::vector<Interval>& v6,
                                                            Revision revision,
                                                            const AddressMap* previous,
                                                            const std::vector<IpAddress>* touched) {
  std::shared_ptr<AddressMap> map(new AddressMap);
  if (auto ok = map->take_intervals(v4, v6, previous); !ok) return std::move(ok).error();

  std::vector<ExactTable<uint32_t>::Pair> exact_v4;
  std::vector<ExactTable<ExactKeyV6>::Pair> exact_v6;
  for (const Entry& e : entries) {
    if (e.address.is_v4()) {
      exact_v4.emplace_back(raw_v4(e.address), e.identity);
    } else {
      exact_v6.emplace_back(key_v6(e.address.bytes().data()), e.identity);
    }
  }
  uint32_t twice_v4 = 0;
  if (!map->v4_.build(exact_v4, previous != nullptr ? &previous->v4_ : nullptr, &twice_v4)) {
    return twice(IpAddress::from_bytes(Family::kV4, &twice_v4));
  }
  ExactKeyV6 twice_v6{};
  if (!map->v6_.build(exact_v6, previous != nullptr ? &previous->v6_ : nullptr, &twice_v6)) {
    return twice(IpAddress::from_bytes(Family::kV6, twice_v6.bytes));
  }
  if (touched != nullptr) {
    map->v4_.keep_marks(previous->v4_);
    map->v6_.keep_marks(previous->v6_);
    map->touch(*touched, revision);
  } else {
    const AddressMap none;
    const AddressMap& before = previous != nullptr ? *previous : none;
    map->v4_.mark_changes(before.v4_, revision);
    map->v6_.mark_changes(before.v6_, revision);
  }
  return std::shared_ptr<const AddressMap>(std::move(map));
}

void AddressMap::touch(const std::vector<IpAddress>& addresses, Revision revision) {
  for (const IpAddress& address : addresses) {
    if (address.is_v4()) {
      v4_.touch(exact_hash(raw_v4(address)), revision);
    } else {
      v6_.touch(exact_hash(key_v6(address.bytes().data())), revision);
    }
  }
}

std::shared_ptr<const AddressMap> AddressMap::change(const AddressMap& previous,
                                                     const std::vector<Entry>& changed,
                                                     const std::vector<IpAddress>& gone,
                                                     Revision revision,
                                                     const std::vector<IpAddress>& touched) {
  std::shared_ptr<AddressMap> map(new AddressMap);
  map->intervals_v4_ = previous.intervals_v4_;
  map->intervals_v6_ = previous.intervals_v6_;
  std::vector<ExactTable<uint32_t>::Change> v4;
  std::vector<ExactTable<ExactKeyV6>::Change> v6;
  const auto add = [&](const IpAddress& address, std::optional<Identity> identity) {
    if (address.is_v4()) {
      v4.push_back({raw_v4(address), identity});
    } else {
      v6.push_back({key_v6(address.bytes().data()), identity});
    }
  };
  for (const Entry& e : changed) add(e.address, e.identity);
  for (const IpAddress& address : gone) add(address, std::nullopt);
  map->v4_.change(previous.v4_, v4, revision);
  map->v6_.change(previous.v6_, v6, revision);
  map->touch(touched, revision);
  return map;
}

Result<std::shared_ptr<const AddressMap>> AddressMap::with_intervals(
    const AddressMap& previous, const std::vector<Interval>& v4, const std::vector<Interval>& v6) {
  std::shared_ptr<AddressMap> map(new AddressMap(previous));
  if (auto ok = map->take_intervals(v4, v6, &previous); !ok) return std::move(ok).error();
  return std::shared_ptr<const AddressMap>(std::move(map));
}

void AddressMap::find_v4(const be32* addresses, unsigned count,
                         const Identity** out) const noexcept {
  for (unsigned done = 0; done < count; done += kAhead) {
    const unsigned n = count - done < kAhead ? count - done : kAhead;
    uint64_t hashes[kAhead];
    const ExactTable<uint32_t>::Slot* slots[kAhead];
    for (unsigned i = 0; i < n; ++i) {
      hashes[i] = exact_hash(addresses[done + i].raw());
      slots[i] = v4_.prefetch(hashes[i]);
    }
    for (unsigned i = 0; i < n; ++i) {
      const be32 address = addresses[done + i];
      const Identity* exact = v4_.find(address.raw(), hashes[i], slots[i]);
      out[done + i] = exact != nullptr ? exact : intervals_v4_->find(address.host());
    }
  }
}

void AddressMap::find_v6(const uint8_t (*addresses)[16], unsigned count,
                         const Identity** out) const noexcept {
  for (unsigned done = 0; done < count; done += kAhead) {
    const unsigned n = count - done < kAhead ? count - done : kAhead;
    uint64_t hashes[kAhead];
    const ExactTable<ExactKeyV6>::Slot* slots[kAhead];
    for (unsigned i = 0; i < n; ++i) {
      hashes[i] = exact_hash(key_v6(addresses[done + i]));
      slots[i] = v6_.prefetch(hashes[i]);
    }
    for (unsigned i = 0; i < n; ++i) {
      const uint8_t* address = addresses[done + i];
      const Identity* exact = v6_.find(key_v6(address), hashes[i], slots[i]);
      out[done + i] = exact != nullptr ? exact : intervals_v6_->find(address);
    }
  }
}

const Identity* AddressMap::find(const IpAddress& address) const noexcept {
  const Identity* out = nullptr;
  if (address.is_v4()) {
    const be32 key = be32::from_raw(raw_v4(address));
    find_v4(&key, 1, &out);
  } else {
    uint8_t key[1][16];
    std::memcpy(key[0], address.bytes().data(), sizeof key[0]);
    find_v6(key, 1, &out);
  }
  return out;
}

RevisionMark AddressMap::changed_in(const IpAddress& address) const noexcept {
  return address.is_v4() ? changed_in_v4(be32::from_raw(raw_v4(address)))
                         : changed_in_v6(address.bytes().data());
}

bool AddressMap::same_intervals(const AddressMap& other) const noexcept {
  return (intervals_v4_ == other.intervals_v4_ || *intervals_v4_ == *other.intervals_v4_) &&
         (intervals_v6_ == other.intervals_v6_ || *intervals_v6_ == *other.intervals_v6_);
}

size_t AddressMap::shards_shared_with(const AddressMap& other) const noexcept {
  return v4_.shards_shared_with(other.v4_) + v6_.shards_shared_with(other.v6_);
}

}  // namespace rampart
