// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <compare>
#include <cstddef>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

namespace rampart::kube {

/// A sorted map whose copies share what they have in common. It lies in chunks of up to kMost
/// entries; a copy shares all of them, and a change makes one of them anew. So the next state of a
/// hundred thousand objects costs some hundred pointers and one chunk, and the difference between
/// two states is found without looking at what they share.
///
/// One thread at a time may change a map; its copies may be read, copied and destroyed by others
/// meanwhile. Iterators hold until the map is changed.
template <typename Key, typename Value>
class CowMap {
 public:
  using value_type = std::pair<Key, Value>;
  using key_type = Key;
  using mapped_type = Value;

  class const_iterator {
   public:
    using iterator_category = std::bidirectional_iterator_tag;
    using value_type = CowMap::value_type;
    using difference_type = std::ptrdiff_t;
    using pointer = const value_type*;
    using reference = const value_type&;

    const_iterator() = default;
    reference operator*() const { return (*(*chunks_)[chunk_])[place_]; }
    pointer operator->() const { return &**this; }
    const_iterator& operator++() {
      if (++place_ == (*chunks_)[chunk_]->size()) ++chunk_, place_ = 0;
      return *this;
    }
    const_iterator operator++(int) {
      const_iterator before = *this;
      ++*this;
      return before;
    }
    const_iterator& operator--() {
      if (place_ == 0) place_ = (*chunks_)[--chunk_]->size();
      --place_;
      return *this;
    }
    bool operator==(const const_iterator& other) const {
      return chunk_ == other.chunk_ && place_ == other.place_;
    }

   private:
    friend class CowMap;
    const_iterator(const CowMap* map, size_t chunk, size_t place)
        : chunks_(&map->chunks_), chunk_(chunk), place_(place) {}
    const std::vector<std::shared_ptr<std::vector<value_type>>>* chunks_ = nullptr;
    size_t chunk_ = 0, place_ = 0;
  };
  using iterator = const_iterator;

  CowMap() = default;
  CowMap(const CowMap&) = default;
  CowMap& operator=(const CowMap&) = default;
  CowMap(CowMap&& other) noexcept
      : chunks_(std::move(other.chunks_)), size_(std::exchange(other.size_, 0)) {}
  CowMap& operator=(CowMap&& other) noexcept {
    chunks_ = std::exchange(other.chunks_, {});
    size_ = std::exchange(other.size_, 0);
    return *this;
  }
  ~CowMap() = default;

  /// From entries that are sorted and have each key once.
  static CowMap from_sorted(std::vector<value_type> entries) {
    CowMap map;
    map.size_ = entries.size();
    for (auto from = entries.begin(); from != entries.end();) {
      const auto to = from + std::min<ptrdiff_t>(kFilled, entries.end() - from);
      map.chunks_.push_back(
          std::make_shared<Chunk>(std::make_move_iterator(from), std::make_move_iterator(to)));
      from = to;
    }
    return map;
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const_iterator begin() const { return {this, 0, 0}; }
  const_iterator end() const { return {this, chunks_.size(), 0}; }

  const_iterator lower_bound(const Key& key) const {
    const auto chunk = std::partition_point(chunks_.begin(), chunks_.end(),
                                            [&](const auto& c) { return c->back().first < key; });
    if (chunk == chunks_.end()) return end();
    return {this, static_cast<size_t>(chunk - chunks_.begin()), place_in(**chunk, key)};
  }
  const_iterator find(const Key& key) const {
    const auto found = lower_bound(key);
    return found != end() && !(key < found->first) ? found : end();
  }
  size_t count(const Key& key) const { return find(key) == end() ? 0 : 1; }
  bool contains(const Key& key) const { return count(key) != 0; }
  const Value& at(const Key& key) const { return find(key)->second; }

  /// Puts a value in if the key is not there. Says where it is, and whether it was put in.
  std::pair<const_iterator, bool> emplace(Key key, Value value) {
    if (chunks_.empty()) chunks_.push_back(std::make_shared<Chunk>());
    auto at = std::partition_point(chunks_.begin(), chunks_.end(), [&](const auto& c) {
      return !c->empty() && c->back().first < key;
    });
    if (at == chunks_.end()) --at;
    size_t chunk = static_cast<size_t>(at - chunks_.begin());
    size_t place = place_in(**at, key);
    if (place < (*at)->size() && !(key < (**at)[place].first)) return {{this, chunk, place}, false};
    if ((*at)->size() == kMost) {
      // What is put in by rising keys fills its chunks; otherwise the halves have room.
      const size_t half = chunk + 1 == chunks_.size() && place == kMost ? kFilled : kMost / 2;
      split(chunk, half);
      if (place > half) ++chunk, place -= half;
    }
    Chunk& mine = own(chunk);
    mine.emplace(mine.begin() + static_cast<ptrdiff_t>(place), std::move(key), std::move(value));
    ++size_;
    return {{this, chunk, place}, true};
  }
  std::pair<const_iterator, bool> insert_or_assign(Key key, Value value) {
    const auto found = find(key);
    if (found == end()) return emplace(std::move(key), std::move(value));
    own(found.chunk_)[found.place_].second = std::move(value);
    return {found, false};
  }
  /// The value of a key, to be changed; made if it is not there.
  Value& operator[](const Key& key) {
    auto found = find(key);
    if (found == end()) found = emplace(key, Value{}).first;
    return own(found.chunk_)[found.place_].second;
  }
  size_t erase(const Key& key) {
    const auto found = find(key);
    if (found == end()) return 0;
    erase(found);
    return 1;
  }
  const_iterator erase(const_iterator where) {
    Chunk& mine = own(where.chunk_);
    mine.erase(mine.begin() + static_cast<ptrdiff_t>(where.place_));
    --size_;
    if (mine.empty()) {
      chunks_.erase(chunks_.begin() + static_cast<ptrdiff_t>(where.chunk_));
      return {this, where.chunk_, 0};
    }
    if (where.place_ == mine.size()) return {this, where.chunk_ + 1, 0};
    return where;
  }
  void clear() { *this = {}; }

  /// Calls use(key, before, after) for every key whose values differ, in the order of keys; a null
  /// pointer where it has none. Values that are pointers, and the same one, must be of the same
  /// key: then keys need not be looked at, which lie elsewhere in memory.
  template <typename Use>
  static void for_each_difference(const CowMap& before, const CowMap& after, Use use) {
    auto a = before.begin(), b = after.begin();
    const auto a_end = before.end(), b_end = after.end();
    while (a != a_end || b != b_end) {
      if (a != a_end && b != b_end && a.place_ == 0 && b.place_ == 0 &&
          before.chunks_[a.chunk_] == after.chunks_[b.chunk_]) {
        ++a.chunk_, ++b.chunk_;
      } else if (a != a_end && b != b_end && same_object(a->second, b->second)) {
        ++a, ++b;
      } else if (a != a_end && b != b_end && a->first == b->first) {
        if (!(a->second == b->second)) use(a->first, &a->second, &b->second);
        ++a, ++b;
      } else if (b == b_end || (a != a_end && a->first < b->first)) {
        use(a->first, &a->second, static_cast<const Value*>(nullptr));
        ++a;
      } else {
        use(b->first, static_cast<const Value*>(nullptr), &b->second);
        ++b;
      }
    }
  }

  template <typename Condition>
  friend void erase_if(CowMap& map, Condition condition) {
    for (auto at = map.begin(); at != map.end();) at = condition(*at) ? map.erase(at) : ++at;
  }

 private:
  using Chunk = std::vector<value_type>;
  static constexpr size_t kMost = 256;
  /// As much as a chunk has when it is filled in order: a little room, or else the next few
  /// entries that come would each split one.
  static constexpr size_t kFilled = 224;

  static bool same_object(const Value& a, const Value& b) {
    if constexpr (requires { a.get(); }) return a != nullptr && a == b;
    return false;
  }
  static size_t place_in(const Chunk& chunk, const Key& key) {
    return static_cast<size_t>(
        std::partition_point(chunk.begin(), chunk.end(),
                             [&](const value_type& entry) { return entry.first < key; }) -
        chunk.begin());
  }
  /// A chunk that nobody else has.
  Chunk& own(size_t chunk) {
    auto& pointer = chunks_[chunk];
    if (pointer.use_count() != 1) {
      auto copy = std::make_shared<Chunk>();
      copy->reserve(kMost);
      copy->assign(pointer->begin(), pointer->end());
      pointer = std::move(copy);
    } else {
      // What others have read of it before they let it go comes before what is written now.
      std::atomic_thread_fence(std::memory_order_acquire);
    }
    return *pointer;
  }
  void split(size_t chunk, size_t at) {
    Chunk& first = own(chunk);
    auto second = std::make_shared<Chunk>();
    second->reserve(kMost);
    const auto middle = first.begin() + static_cast<ptrdiff_t>(at);
    second->assign(std::make_move_iterator(middle), std::make_move_iterator(first.end()));
    first.erase(middle, first.end());
    chunks_.insert(chunks_.begin() + static_cast<ptrdiff_t>(chunk) + 1, std::move(second));
  }

  std::vector<std::shared_ptr<Chunk>> chunks_;  ///< none is empty
  size_t size_ = 0;
};

}  // namespace rampart::kube
