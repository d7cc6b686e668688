// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>

#include "dataplane/base/cacheline.hpp"
#include "dataplane/base/prefetch.hpp"
#include "dataplane/flow/flow_entry.hpp"

namespace rampart {

/// The flows of one family of one worker: a hash table of fixed size over memory of the caller's.
///
/// Slots come in chunks of fourteen. A chunk has a 16-byte head (a tag of eight hash bits a slot,
/// and how many flows wanted to be here but had to go on); the entries lie in an array of their
/// own, and so do the tallies of TCP and SCTP over IPv4. The heads are a ninetieth of the table and
/// stay in the cache, so a hit costs one miss: the entry's line (the tally's is fetched beside it,
/// and nothing waits for it). A flow that finds its chunk full goes on by a stride of its own; a
/// search goes on only from chunks that somebody left (after F14, "Open-sourcing F14 for faster,
/// more memory- efficient hash tables", 2019). Entries never move, so a slot number is good until
/// erase.
///
/// With eleven flows for fourteen slots at full capacity one flow in twenty is not in its first
/// chunk.
///
/// The table knows what its flows are worth (set_worth), in two bit masks a chunk. When room is
/// short, `recycle` names a flow that may go: the dead before the weak, and within a chunk the one
/// that came first (slots are given out in turn). An assured flow is never named.
///
/// One thread. No allocation, no failure but a full table.
template <typename Key>
class FlowTable {
 public:
  using Entry = FlowEntry<Key>;
  using Slot = uint32_t;
  static constexpr Slot kNone = ~Slot{0};
  static constexpr unsigned kSlotsPerChunk = 14;
  static constexpr unsigned kFlowsPerChunk = 11;

  /// Bytes that a table for `capacity` flows needs.
  static constexpr size_t bytes_for(uint32_t capacity) {
    const size_t n = chunks_for(capacity);
    return heads_bytes(n) + worths_bytes(n) + entries_bytes(n) + tallies_bytes(n);
  }

  FlowTable() = default;
  /// `memory`: bytes_for(capacity) bytes, zeroed, aligned to a cache line; outlives the table.
  FlowTable(void* memory, uint32_t capacity)
      : capacity_(capacity), chunks_(static_cast<uint32_t>(chunks_for(capacity))) {
    auto* bytes = static_cast<std::byte*>(memory);
    heads_ = reinterpret_cast<Head*>(bytes);
    bytes += heads_bytes(chunks_);
    worths_ = reinterpret_cast<Worths*>(bytes);
    bytes += worths_bytes(chunks_);
    entries_ = reinterpret_cast<Entry*>(bytes);
    tallies_ = reinterpret_cast<FlowTally*>(bytes + entries_bytes(chunks_));
  }

  uint32_t size() const { return size_; }
  uint32_t capacity() const { return capacity_; }
  uint32_t chunks() const { return chunks_; }
  /// Flows that are worth so much.
  uint32_t weak() const { return weak_; }
  uint32_t dead() const { return dead_; }

  Entry& operator[](Slot slot) { return entries_[slot]; }
  const Entry& operator[](Slot slot) const { return entries_[slot]; }
  FlowTally& tally(Slot slot) { return tally(slot, entries_[slot].key.protocol); }
  /// `protocol`: the flow's.
  FlowTally& tally(Slot slot, uint8_t protocol) {
    return has_track(protocol) ? tally_beside_track(slot) : tally_without_track(slot);
  }
  /// The same for a flow that is known to have a track, or none.
  FlowTally& tally_beside_track(Slot slot) {
    if constexpr (Entry::kHoldsTally) {
      return entries_[slot].tally;
    } else {
      return tallies_[slot];
    }
  }
  FlowTally& tally_without_track(Slot slot) { return tally_without_track(entries_[slot]); }
  static FlowTally& tally_without_track(Entry& entry) {
    if constexpr (Entry::kHoldsTally) {
      return entry.tally;
    } else {
      return entry.facts.track.tally;
    }
  }
  bool is_used(Slot slot) const {
    return heads_[slot / kSlotsPerChunk].tag[slot % kSlotsPerChunk] != 0;
  }

  /// Looks up `count` keys (any number, best a burst): `slots[i]` becomes kNone where there is no
  /// such flow. Three passes, so that the misses of a burst overlap.
  void find(const Key* keys, const uint64_t* hashes, unsigned count, Slot* slots) const noexcept {
    for (unsigned i = 0; i < count; ++i) prefetch_home(hashes[i]);
    fetch(keys, hashes, count, slots);
    for (unsigned i = 0; i < count; ++i) slots[i] = find(keys[i], hashes[i], slots[i]);
  }
  /// The first of them, for one flow.
  void prefetch_home(uint64_t hash) const noexcept { prefetch_line(&heads_[home(hash)]); }
  /// The second: fetches the entries, and says where the flows most likely are. kNone: there is no
  /// such flow. `tracked`: some may have a track.
  void fetch(const Key* keys, const uint64_t* hashes, unsigned count, Slot* likely,
             bool tracked = true) const noexcept {
    if (tracked) {
      fetch_all<true>(keys, hashes, count, likely);
    } else {
      fetch_all<false>(keys, hashes, count, likely);
    }
  }
  /// The third, one by one. `likely`: what fetch said, if no flow has come or gone since.
  Slot find(const Key& key, uint64_t hash, Slot likely) const noexcept {
    if (likely == kNone || entries_[likely].key == key) [[likely]] {
      return likely;
    }
    return find(key, hash);
  }

  Slot find(const Key& key, uint64_t hash) const noexcept {
    const uint8_t mine = tag(hash);
    uint32_t chunk = home(hash);
    for (unsigned probe = 0; probe < kMaxProbes; ++probe) {
      const Head& head = heads_[chunk];
      for (unsigned matches = match(head, mine); matches != 0; matches &= matches - 1) {
        const Slot slot = slot_of(chunk, matches);
        if (entries_[slot].key == key) return slot;
      }
      if (head.passed_on == 0) break;
      chunk = next(chunk, hash);
    }
    return kNone;
  }

  /// Whether the flow may be in the table, without a look at any entry: it is then for find to say.
  bool may_have(uint64_t hash) const noexcept {
    const Head& head = heads_[home(hash)];
    return (match(head, tag(hash)) | head.passed_on) != 0;
  }

  /// Takes in a flow that is not in the table, and is worth kWeak. Its facts and tally are those of
  /// the flow that was here before: the caller's to write. kNone: the table is full.
  Slot insert(const Key& key, uint64_t hash) noexcept {
    if (size_ >= capacity_) return kNone;
    const uint32_t chunk = home(hash);
    const unsigned empty = match(heads_[chunk], 0);
    if (empty == 0) [[unlikely]] {
      return insert_elsewhere(key, hash);
    }
    return take(chunk, empty, key, hash);
  }

  /// Ends the flow in a used slot; `hash` is that of its key.
  void erase(Slot slot, uint64_t hash) noexcept {
    const uint32_t chunk = slot / kSlotsPerChunk;
    set_worth(slot, FlowWorth::kAssured);  // in no mask
    for (uint32_t c = home(hash); c != chunk; c = next(c, hash)) take_back(heads_[c]);
    put(heads_[chunk], slot % kSlotsPerChunk, 0);
    --size_;
  }

  FlowWorth worth(Slot slot) const noexcept {
    const Worths w = worths_[slot / kSlotsPerChunk];
    const unsigned index = slot % kSlotsPerChunk;
    if ((w & weak_bit(index)) != 0) return FlowWorth::kWeak;
    return (w & dead_bit(index)) != 0 ? FlowWorth::kDead : FlowWorth::kAssured;
  }

  /// Says what a flow is worth from now on.
  void set_worth(Slot slot, FlowWorth worth) noexcept {
    Worths& w = worths_[slot / kSlotsPerChunk];
    const unsigned index = slot % kSlotsPerChunk;
    weak_ -= (w & weak_bit(index)) != 0;
    dead_ -= (w & dead_bit(index)) != 0;
    Worths next = w & ~(weak_bit(index) | dead_bit(index));
    if (worth == FlowWorth::kWeak) {
      next |= weak_bit(index);
      ++weak_;
    } else if (worth == FlowWorth::kDead) {
      next |= dead_bit(index);
      ++dead_;
    }
    w = next;
  }

  /// A flow that may go to make room for the one with this hash: from that one's own chunk if there
  /// is any, else from the next chunks of a walk through the table, a bounded piece of it. kNone:
  /// none was found. The caller erases it. The slot of a weak one is the next that is given out in
  /// its chunk, although others may be empty: its lines are on their way already.
  ///
  /// The first that came to a chunk of many flows is an old one. Where there are few it may have
  /// come just now, so these give nothing up while others can.
  Slot recycle(uint64_t hash) noexcept {
    if (weak_ + dead_ == 0) return kNone;
    Slot slot = kNone;
    for (const unsigned flows : {many_flows(), 1U}) {
      if (slot == kNone) slot = least_worth(home(hash), flows);
      for (unsigned n = 0; slot == kNone && n < kRecycleChunks; ++n) {
        walk_ = walk_ + 1 < chunks_ ? walk_ + 1 : 0;
        slot = least_worth(walk_, flows);
      }
    }
    if (slot == kNone || worth(slot) == FlowWorth::kDead) return slot;
    const unsigned index = slot % kSlotsPerChunk;
    put(heads_[slot / kSlotsPerChunk], offsetof(Head, hand),
        index != 0 ? index - 1 : kSlotsPerChunk - 1);
    return slot;
  }

  /// Fetches what recycle reads first of all.
  void prefetch_worths(uint64_t hash) const { prefetch_line(&worths_[home(hash)]); }
  /// Fetches the place that insert will give to this flow, most likely; with `recycling`, when
  /// recycle has made room for it.
  void prefetch_place(const Key& key, uint64_t hash, bool recycling) const {
    const uint32_t chunk = home(hash);
    Slot slot = recycling ? least_worth(chunk, many_flows()) : kNone;
    if (slot == kNone) {
      const unsigned empty = match(heads_[chunk], 0);
      if (empty == 0) return;
      slot = chunk * kSlotsPerChunk + first_after(empty, heads_[chunk].hand);
    }
    prefetch(slot, key);
  }

  /// Calls fn(slot) for every flow of a chunk; fn may erase that very slot.
  template <typename Fn>
  void for_each_in_chunk(uint32_t chunk, Fn&& fn) {
    unsigned used = ~match(heads_[chunk], 0) & kAllSlots;
    for (; used != 0; used &= used - 1) fn(slot_of(chunk, used));
  }
  /// Fetches what a walk through the chunk will read: the head two chunks ahead, entries one.
  void prefetch_head(uint32_t chunk) const { prefetch_line(&heads_[chunk]); }
  void prefetch_entries(uint32_t chunk) const {
    unsigned used = ~match(heads_[chunk], 0) & kAllSlots;
    for (; used != 0; used &= used - 1) prefetch_facts(slot_of(chunk, used));
  }

 private:
  struct alignas(16) Head {
    uint8_t tag[kSlotsPerChunk];  ///< 0: empty
    uint8_t passed_on;            ///< flows that went on from here; stays at 255 once there
    uint8_t hand;                 ///< slot that was given out last
  };
  static_assert(sizeof(Head) == 16);
  /// The weak in the low half, the dead in the high one: a bit a slot. Always read and written
  /// whole: a wider load behind a narrower store would wait until all stores before it are done.
  using Worths = uint32_t;
  static constexpr Worths weak_bit(unsigned index) { return Worths{1} << index; }
  static constexpr Worths dead_bit(unsigned index) { return Worths{1} << (16 + index); }
  static constexpr unsigned kAllSlots = (1U << kSlotsPerChunk) - 1;
  /// At full capacity a search of this length is less likely than a failing machine.
  static constexpr unsigned kMaxProbes = 48;
  /// Sixteen chunks' worths are in one line.
  static constexpr unsigned kRecycleChunks = 64;
  /// How many are many: at full capacity one chunk in two hundred has fewer than four. Where most
  /// have, the table is not what is full.
  unsigned many_flows() const { return size_ < 4 * chunks_ ? 1 : 4; }

  /// A prime, so that every stride leads through all chunks. A table of a few chunks cannot count
  /// on averages: two more.
  static constexpr size_t chunks_for(uint32_t capacity) {
    size_t n = (size_t{capacity} + kFlowsPerChunk - 1) / kFlowsPerChunk + 2;
    while (!is_prime(n)) ++n;
    return n;
  }
  static constexpr bool is_prime(size_t n) {
    for (size_t d = 2; d * d <= n; ++d) {
      if (n % d == 0) return false;
    }
    return true;
  }
  static constexpr size_t whole_lines(size_t bytes) {
    return (bytes + kCacheLine - 1) / kCacheLine * kCacheLine;
  }
  static constexpr size_t heads_bytes(size_t chunks) { return whole_lines(chunks * sizeof(Head)); }
  static constexpr size_t worths_bytes(size_t chunks) {
    return whole_lines(chunks * sizeof(Worths));
  }
  static constexpr size_t entries_bytes(size_t chunks) {
    return chunks * kSlotsPerChunk * sizeof(Entry);
  }
  static constexpr size_t tallies_bytes(size_t chunks) {
    return Entry::kHoldsTally ? 0 : whole_lines(chunks * kSlotsPerChunk * sizeof(FlowTally));
  }
  static uint8_t tag(uint64_t hash) {
    return std::max(static_cast<uint8_t>(hash), uint8_t{1});  // 0: empty
  }
  uint32_t home(uint64_t hash) const { return static_cast<uint32_t>((hash >> 32) * chunks_ >> 32); }
  /// Strides differ from flow to flow, so that those that leave a chunk part ways.
  uint32_t next(uint32_t chunk, uint64_t hash) const {
    const auto stride = 1 + static_cast<uint32_t>(hash & 0x7f) % (chunks_ - 1);
    return chunk + stride < chunks_ ? chunk + stride : chunk + stride - chunks_;
  }
  static __m128i load(const Head& head) {
    return _mm_load_si128(reinterpret_cast<const __m128i*>(&head));
  }
  static void store(Head& head, __m128i whole) {
    _mm_store_si128(reinterpret_cast<__m128i*>(&head), whole);
  }
  /// A head with another byte.
  static __m128i with(__m128i head, size_t at, unsigned value) {
    const __m128i here =
        _mm_cmpeq_epi8(_mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
                       _mm_set1_epi8(static_cast<char>(at)));
    return _mm_blendv_epi8(head, _mm_set1_epi8(static_cast<char>(value)), here);
  }
  /// Writes a byte of a head, and stores the whole of it: it is loaded whole the next moment, and
  /// a load behind a narrower store waits until all stores before that are done.
  static void put(Head& head, size_t at, unsigned value) {
    store(head, with(load(head), at, value));
  }
  static unsigned match(const Head& head, uint8_t value) {
    return match(head, _mm_set1_epi8(static_cast<char>(value)));
  }
  static unsigned match(const Head& head, __m128i value) {
    return static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(load(head), value))) & kAllSlots;
  }
  static Slot slot_of(uint32_t chunk, unsigned mask) {
    return chunk * kSlotsPerChunk + static_cast<Slot>(std::countr_zero(mask));
  }
  /// Index of the first bit of a mask in the turn that `hand` is at. The mask is not 0.
  static unsigned first_after(unsigned mask, unsigned hand) {
    const unsigned later = mask & ~0U << (hand + 1);
    return static_cast<unsigned>(std::countr_zero(later != 0 ? later : mask));
  }
  /// kNone: all are assured, or there are not that many `flows`.
  Slot least_worth(uint32_t chunk, unsigned flows) const {
    const Worths w = worths_[chunk];
    const unsigned mask = w >> 16 != 0 ? w >> 16 : w;
    if (mask == 0 ||
        kSlotsPerChunk - static_cast<unsigned>(std::popcount(match(heads_[chunk], 0))) < flows) {
      return kNone;
    }
    return chunk * kSlotsPerChunk + first_after(mask, heads_[chunk].hand);
  }
  template <bool kTracked>
  void fetch_all(const Key* keys, const uint64_t* hashes, size_t count, Slot* likely) const {
    size_t i = 0;
#ifdef __AVX2__
    for (; i + 8 <= count; i += 8) {
      alignas(32) uint32_t home_of[8];
      store_homes(hashes + i, home_of);
      for (unsigned j = 0; j < 8; ++j) {
        fetch_one<kTracked>(keys[i + j], hashes + i + j, home_of[kOrderOfHomes[j]], likely[i + j]);
      }
    }
#endif
    for (; i < count; ++i) fetch_one<kTracked>(keys[i], hashes + i, home(hashes[i]), likely[i]);
  }
#ifdef __AVX2__
  static constexpr uint8_t kOrderOfHomes[8] = {0, 2, 4, 6, 1, 3, 5, 7};
  /// The homes of eight hashes, that of hash j at kOrderOfHomes[j].
  [[gnu::always_inline]] void store_homes(const uint64_t* hashes, uint32_t (&out)[8]) const {
    const __m256i chunks = _mm256_set1_epi64x(chunks_);
    const auto product = [&](unsigned from) {
      const __m256i all = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(hashes + from));
      return _mm256_mul_epu32(_mm256_srli_epi64(all, 32), chunks);
    };
    _mm256_store_si256(reinterpret_cast<__m256i*>(out),
                       _mm256_blend_epi32(_mm256_srli_epi64(product(0), 32), product(4), 0xaa));
    asm("" : "+m"(out));  // to be loaded one by one: g++ would take them out of the register
  }
#endif
  template <bool kTracked>
  [[gnu::always_inline]] void fetch_one(const Key& key, const uint64_t* hash, uint32_t chunk,
                                        Slot& likely) const {
    // Its low byte, as tag() makes it.
    const __m128i low = _mm_set1_epi8(*reinterpret_cast<const char*>(hash));
    const unsigned matches = match(heads_[chunk], _mm_max_epu8(low, _mm_set1_epi8(1)));
    if (matches == 0) [[unlikely]] {
      likely = find_elsewhere(key, *hash, heads_[chunk]);
      return;
    }
    const Slot slot = slot_of(chunk, matches);
    likely = slot;
    if constexpr (kTracked) {
      prefetch(slot, key);
    } else {
      prefetch_facts(slot);
    }
  }
  /// Gives a flow one of a chunk's `empty` slots.
  [[gnu::always_inline]] Slot take(uint32_t chunk, unsigned empty, const Key& key,
                                   uint64_t hash) noexcept {
    Head& head = heads_[chunk];
    const unsigned index = first_after(empty, head.hand);
    const Slot slot = chunk * kSlotsPerChunk + index;
    store(head, with(with(load(head), index, tag(hash)), offsetof(Head, hand), index));
    entries_[slot].key = key;
    worths_[chunk] |= weak_bit(index);
    ++weak_;
    ++size_;
    return slot;
  }
  /// For a flow that finds its home full.
  [[gnu::noinline]] Slot insert_elsewhere(const Key& key, uint64_t hash) noexcept {
    uint32_t chunk = home(hash);
    for (unsigned probe = 1; probe < kMaxProbes; ++probe) {
      chunk = next(chunk, hash);
      if (const unsigned empty = match(heads_[chunk], 0); empty != 0) {
        for (uint32_t c = home(hash); c != chunk; c = next(c, hash)) pass_on(heads_[c]);
        return take(chunk, empty, key, hash);
      }
    }
    return kNone;
  }
  /// For a flow that is not at home, which is rare.
  [[gnu::noinline]] Slot find_elsewhere(const Key& key, uint64_t hash, const Head& head) const {
    return head.passed_on == 0 ? kNone : find(key, hash);
  }
  void prefetch_facts(Slot slot) const {
    prefetch_line(&entries_[slot]);
    if constexpr (Entry::kHoldsTally) prefetch_line(&entries_[slot].tally);
  }
  void prefetch(Slot slot, const Key& key) const {
    prefetch_facts(slot);
    if constexpr (!Entry::kHoldsTally) {
      if (has_track(key.protocol)) prefetch_line(&tallies_[slot]);
    }
  }
  static void pass_on(Head& head) {
    if (head.passed_on != 255) ++head.passed_on;
  }
  static void take_back(Head& head) {
    if (head.passed_on != 255) --head.passed_on;
  }

  uint32_t capacity_ = 0;
  uint32_t chunks_ = 0;
  uint32_t size_ = 0;
  // Here, because neighbours would be counted up as a pair: that waits, too, for stores of one.
  uint32_t walk_ = 0;  ///< where recycle has been
  uint32_t weak_ = 0;
  uint32_t dead_ = 0;
  Head* heads_ = nullptr;
  Worths* worths_ = nullptr;
  Entry* entries_ = nullptr;
  FlowTally* tallies_ = nullptr;
};

}  // namespace rampart
