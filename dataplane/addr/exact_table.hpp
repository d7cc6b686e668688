// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "dataplane/addr/identity.hpp"
#include "dataplane/base/ids.hpp"
#include "dataplane/base/prefetch.hpp"

namespace rampart {

/// Shards of exact entries in each family. With 100,000 pods a shard has a hundred entries, which
/// is what one pod's coming or going costs to rebuild.
inline constexpr unsigned kExactShards = 1024;

struct ExactKeyV6 {
  uint8_t bytes[16];
  bool operator==(const ExactKeyV6& other) const noexcept {
    return std::memcmp(bytes, other.bytes, sizeof bytes) == 0;
  }
};

inline uint64_t exact_mix(uint64_t a, uint64_t b) noexcept {
  __extension__ typedef unsigned __int128 Product;
  const Product product = static_cast<Product>(a ^ 0x9E3779B97F4A7C15) * (b ^ 0xD6E8FEB86659FD93);
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}
/// One multiplication: packets of flows wait for it while pods come and go.
inline uint64_t exact_hash(uint32_t raw) noexcept {
  return exact_mix(raw, 0);
}
inline uint64_t exact_hash(const ExactKeyV6& key) noexcept {
  uint64_t half[2];
  std::memcpy(half, key.bytes, sizeof half);
  return exact_mix(half[0], half[1]);
}
inline unsigned exact_shard(uint64_t hash) noexcept {
  return static_cast<unsigned>(hash >> 54);
}
static_assert(kExactShards == 1U << (64 - 54));
/// Where the search begins among the slots of the shard. Not by the lowest bits: they are hardly
/// mixed.
inline uint64_t exact_slot(uint64_t hash, uint32_t mask) noexcept {
  return hash >> 32 & mask;
}

/// In which revision each address became something else. Addresses share marks, but each has two
/// that it shares with different others, so that one of a thousand changed together with another
/// one is hardly ever taken for it.
class ChangeMarks {
 public:
  void touch(uint64_t hash, RevisionMark revision) noexcept {
    first_[first(hash)] = revision;
    second_[second(hash)] = revision;
  }
  /// The latest revision in which the address may have changed. `hash`: exact_hash of it.
  RevisionMark of(uint64_t hash) const noexcept {
    const RevisionMark a = first_[first(hash)], b = second_[second(hash)];
    return is_after(a, b) ? b : a;
  }
  /// No earlier than of(), from one look.
  RevisionMark roughly_of(uint64_t hash) const noexcept { return first_[first(hash)]; }

 private:
  static constexpr unsigned kBits = 10;  // 4 KiB, to stay in the first-level cache beside the rest
  static unsigned first(uint64_t hash) { return static_cast<unsigned>(hash >> (64 - kBits)); }
  static unsigned second(uint64_t hash) {
    return static_cast<unsigned>(hash >> (64 - 2 * kBits)) & ((1U << kBits) - 1);
  }

  std::array<RevisionMark, 1U << kBits> first_{}, second_{};
};

/// Exact addresses of one family, Key being the address as it lies in a packet. Immutable after
/// build; see AddressMap for threads and lifetimes.
template <typename Key>
class ExactTable {
 public:
  using Pair = std::pair<Key, Identity>;

  /// What a lookup touches first: where the slots of a shard are.
  struct Slot {
    Key key;
    uint32_t used;
    Identity identity;
  };

  ExactTable() { views_.fill(View{&kNoSlot, 0}); }

  /// Takes entries over (each key once; in any order) and shares every shard that is as in
  /// `previous`; keep_marks or mark_changes should follow. Returns false if a key comes twice; it
  /// is then written to `*twice`.
  [[nodiscard]] bool build(const std::vector<Pair>& entries, const ExactTable* previous,
                           Key* twice) {
    std::array<uint32_t, kExactShards + 1> start{};
    for (const Pair& e : entries) ++start[exact_shard(exact_hash(e.first)) + 1];
    for (unsigned s = 0; s < kExactShards; ++s) start[s + 1] += start[s];
    std::vector<const Pair*> sorted(entries.size());
    auto next = start;
    for (const Pair& e : entries) sorted[next[exact_shard(exact_hash(e.first))]++] = &e;

    size_ = entries.size();
    for (unsigned s = 0; s < kExactShards; ++s) {
      const Pair* const* first = sorted.data() + start[s];
      const uint32_t count = start[s + 1] - start[s];
      if (previous != nullptr && previous->holds_exactly(s, first, count)) {
        shards_[s] = previous->shards_[s];
      } else {
        if (!fill(s, first, count, twice)) return false;
      }
      if (shards_[s]) views_[s] = View{shards_[s]->slots.data(), shards_[s]->mask};
    }
    return true;
  }

  /// An entry that is new or other than before, or gone.
  struct Change {
    Key key;
    std::optional<Identity> identity;
  };
  /// Takes over `before` with some changes (each key once; in any order): shards in which nothing
  /// changes are shared.
  void change(const ExactTable& before, const std::vector<Change>& changes, Revision revision) {
    *this = before;
    std::vector<Hashed> hashed;
    hashed.reserve(changes.size());
    for (const Change& c : changes) hashed.push_back({exact_hash(c.key), &c});
    std::sort(hashed.begin(), hashed.end(),
              [](const Hashed& a, const Hashed& b) { return a.hash < b.hash; });
    for (auto begin = hashed.cbegin(), end = begin; begin != hashed.cend(); begin = end) {
      const unsigned s = exact_shard(begin->hash);
      while (end != hashed.cend() && exact_shard(end->hash) == s) ++end;
      if (!change_shard(s, std::span<const Hashed>(begin, end), revision)) continue;
      views_[s] = shards_[s] ? View{shards_[s]->slots.data(), shards_[s]->mask} : View{&kNoSlot, 0};
    }
  }

  /// Everything that is other than in `before` has changed ...
  void mark_changes(const ExactTable& before, Revision revision) {
    changes_ = before.changes_;
    for (unsigned s = 0; s < kExactShards; ++s) {
      if (shards_[s] == before.shards_[s]) continue;
      mark_others(s, before, revision_mark(revision), changes_);
      before.mark_others(s, *this, revision_mark(revision), changes_);
    }
  }
  /// ... or nothing, whatever the entries say ...
  void keep_marks(const ExactTable& before) { changes_ = before.changes_; }
  /// ... but this one.
  void touch(uint64_t hash, Revision revision) { changes_.touch(hash, revision_mark(revision)); }

  /// Fetches the slot at which a search begins.
  const Slot* prefetch(uint64_t hash) const noexcept {
    const View& view = views_[exact_shard(hash)];
    const Slot* slot = &view.slots[exact_slot(hash, view.mask)];
    prefetch_line(slot);
    return slot;
  }
  /// Null if there is no entry.
  const Identity* find(const Key& key, uint64_t hash) const noexcept {
    const View& view = views_[exact_shard(hash)];
    for (uint64_t i = exact_slot(hash, view.mask); view.slots[i].used != 0;
         i = (i + 1) & view.mask) {
      if (view.slots[i].key == key) return &view.slots[i].identity;
    }
    return nullptr;
  }
  /// The same. `slot`: what prefetch said, where most searches end.
  const Identity* find(const Key& key, uint64_t hash, const Slot* slot) const noexcept {
    if (slot->used == 0) return nullptr;
    return slot->key == key ? &slot->identity : find(key, hash);
  }
  const ChangeMarks& changes() const noexcept { return changes_; }
  size_t size() const noexcept { return size_; }
  size_t shards_shared_with(const ExactTable& other) const noexcept {
    size_t shared = 0;
    for (unsigned s = 0; s < kExactShards; ++s) shared += shards_[s] == other.shards_[s];
    return shared;
  }

 private:
  /// At most half full, so that a search always ends at an empty slot.
  struct Shard {
    std::vector<Slot> slots;
    uint32_t mask = 0;
    uint32_t count = 0;

    /// Where a key is, or else the empty slot at which a search for it ends.
    uint64_t place(const Key& key, uint64_t hash) const {
      uint64_t i = exact_slot(hash, mask);
      while (slots[i].used != 0 && !(slots[i].key == key)) i = (i + 1) & mask;
      return i;
    }
    /// What lies behind moves up, so that every search still ends where its key is.
    void erase(uint64_t hole) {
      for (uint64_t i = (hole + 1) & mask; slots[i].used != 0; i = (i + 1) & mask) {
        const uint64_t home = exact_slot(exact_hash(slots[i].key), mask);
        if (((i - home) & mask) < ((i - hole) & mask)) continue;
        slots[hole] = slots[i];
        hole = i;
      }
      slots[hole] = Slot{};
    }
  };
  struct Hashed {
    uint64_t hash;
    const Change* change;
  };
  struct View {
    const Slot* slots;
    uint32_t mask;
  };
  static constexpr Slot kNoSlot{};

  /// Marks what shard `s` has and `other` has not, or has as something else.
  void mark_others(unsigned s, const ExactTable& other, RevisionMark revision,
                   ChangeMarks& marks) const {
    if (!shards_[s]) return;
    for (const Slot& slot : shards_[s]->slots) {
      if (slot.used == 0) continue;
      const uint64_t hash = exact_hash(slot.key);
      const Identity* there = other.find(slot.key, hash);
      if (there == nullptr || !(*there == slot.identity)) marks.touch(hash, revision);
    }
  }

  bool holds_exactly(unsigned shard, const Pair* const* entries, uint32_t count) const {
    if (count != (shards_[shard] ? shards_[shard]->count : 0)) return false;
    for (uint32_t i = 0; i < count; ++i) {
      const Identity* mine = find(entries[i]->first, exact_hash(entries[i]->first));
      if (mine == nullptr || !(*mine == entries[i]->second)) return false;
      // With a key that comes twice the counts could agree by accident; leave it to fill().
      for (uint32_t k = 0; k < i; ++k) {
        if (entries[k]->first == entries[i]->first) return false;
      }
    }
    return true;
  }

  /// Makes a shard anew with some changes, all of its own. False: they change nothing.
  bool change_shard(unsigned s, std::span<const Hashed> changes, Revision revision) {
    const Shard* before = shards_[s].get();
    uint32_t count = before != nullptr ? before->count : 0;
    const uint32_t count_before = count;
    bool changed = false;
    for (const auto& [hash, c] : changes) {
      const Identity* old = find(c->key, hash);
      const bool differs = c->identity ? old == nullptr || !(*old == *c->identity) : old != nullptr;
      if (!differs) continue;
      changed = true;
      touch(hash, revision);
      count += static_cast<uint32_t>(old == nullptr) - static_cast<uint32_t>(!c->identity);
    }
    if (!changed) return false;
    size_ += count;
    size_ -= count_before;
    if (before != nullptr && before->slots.size() == capacity_for(count)) {
      auto shard = std::make_shared<Shard>(*before);
      shard->count = count;
      // Who goes makes room for who comes.
      for (const auto& [hash, c] : changes) {
        if (c->identity) continue;
        const uint64_t place = shard->place(c->key, hash);
        if (shard->slots[place].used != 0) shard->erase(place);
      }
      for (const auto& [hash, c] : changes) {
        if (c->identity) shard->slots[shard->place(c->key, hash)] = Slot{c->key, 1, *c->identity};
      }
      shards_[s] = std::move(shard);
      return true;
    }
    std::vector<Pair> entries;
    entries.reserve(count);
    for (const auto& [hash, c] : changes) {
      if (c->identity) entries.emplace_back(c->key, *c->identity);
    }
    if (before != nullptr) {
      for (const Slot& slot : before->slots) {
        const auto is_it = [&](const Hashed& h) { return h.change->key == slot.key; };
        if (slot.used == 0 || std::any_of(changes.begin(), changes.end(), is_it)) continue;
        entries.emplace_back(slot.key, slot.identity);
      }
    }
    std::vector<const Pair*> pointers;
    pointers.reserve(entries.size());
    for (const Pair& e : entries) pointers.push_back(&e);
    shards_[s].reset();
    Key twice{};
    (void)fill(s, pointers.data(), count, &twice);
    return true;
  }

  static uint32_t capacity_for(uint32_t count) { return std::bit_ceil(count * 2); }

  bool fill(unsigned s, const Pair* const* entries, uint32_t count, Key* twice) {
    if (count == 0) return true;
    auto shard = std::make_shared<Shard>();
    const uint32_t capacity = capacity_for(count);
    shard->slots.resize(capacity);
    shard->mask = capacity - 1;
    shard->count = count;
    for (uint32_t e = 0; e < count; ++e) {
      const Key& key = entries[e]->first;
      uint64_t i = exact_slot(exact_hash(key), shard->mask);
      for (; shard->slots[i].used != 0; i = (i + 1) & shard->mask) {
        if (shard->slots[i].key == key) {
          *twice = key;
          return false;
        }
      }
      shard->slots[i] = Slot{key, 1, entries[e]->second};
    }
    shards_[s] = std::move(shard);
    return true;
  }

  std::array<View, kExactShards> views_;
  std::array<std::shared_ptr<const Shard>, kExactShards> shards_;
  ChangeMarks changes_;
  size_t size_ = 0;
};

}  // namespace rampart
