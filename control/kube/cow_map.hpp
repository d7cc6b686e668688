// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <compare>
#include <cstddef>
#include <iterator>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

namespace rampart::kube {

/// A sorted map whose copies share what they have in common. Its entries lie in leaves of up to
/// kMost, and these in branches; a copy shares all of them, and a change makes one of each anew. So
/// the next state of a hundred thousand objects costs some two hundred pointers, a branch and a
/// leaf, that of a thousand of them at once an eighth of all, and the difference between two states
/// is found without looking at what they share.
///
/// One thread at a time may change a map; its copies may be read, copied and destroyed by others
/// meanwhile. Iterators hold until the map is changed.
template <typename Key, typename Value>
class CowMap {
 public:
  using value_type = std::pair<Key, Value>;
  using key_type = Key;
  using mapped_type = Value;

 private:
  using Leaf = std::vector<value_type>;
  using Branch = std::vector<std::shared_ptr<Leaf>>;
  using Branches = std::vector<std::shared_ptr<Branch>>;

 public:
  class const_iterator {
   public:
    using iterator_category = std::bidirectional_iterator_tag;
    using value_type = CowMap::value_type;
    using difference_type = std::ptrdiff_t;
    using pointer = const value_type*;
    using reference = const value_type&;

    const_iterator() = default;
    reference operator*() const { return (*entries_)[place_]; }
    pointer operator->() const { return &**this; }
    const_iterator& operator++() {
      if (++place_ == entries_->size()) next_leaf();
      return *this;
    }
    const_iterator operator++(int) {
      const_iterator before = *this;
      ++*this;
      return before;
    }
    const_iterator& operator--() {
      if (place_ == 0) {
        if (leaf_ == 0) leaf_ = (*branches_)[--branch_]->size();
        --leaf_;
        look();
        place_ = entries_->size();
      }
      --place_;
      return *this;
    }
    bool operator==(const const_iterator& other) const {
      return place_ == other.place_ && leaf_ == other.leaf_ && branch_ == other.branch_;
    }

   private:
    friend class CowMap;
    const_iterator(const CowMap* map, size_t branch, size_t leaf, size_t place)
        : branches_(&map->branches_), branch_(branch), leaf_(leaf), place_(place) {
      look();
    }
    void look() {
      entries_ = branch_ < branches_->size() ? (*(*branches_)[branch_])[leaf_].get() : nullptr;
    }
    void next_leaf() {
      place_ = 0;
      if (++leaf_ == (*branches_)[branch_]->size()) ++branch_, leaf_ = 0;
      look();
    }
    void next_branch() {
      place_ = leaf_ = 0;
      ++branch_;
      look();
    }
    const std::shared_ptr<Branch>& branch() const { return (*branches_)[branch_]; }

    const Branches* branches_ = nullptr;
    const Leaf* entries_ = nullptr;  ///< null at the end
    size_t branch_ = 0, leaf_ = 0, place_ = 0;
  };
  using iterator = const_iterator;

  CowMap() = default;
  CowMap(const CowMap&) = default;
  CowMap& operator=(const CowMap&) = default;
  CowMap(CowMap&& other) noexcept
      : branches_(std::move(other.branches_)), size_(std::exchange(other.size_, 0)) {}
  CowMap& operator=(CowMap&& other) noexcept {
    branches_ = std::exchange(other.branches_, {});
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
      if (map.branches_.empty() || map.branches_.back()->size() == kFilledBranch) {
        map.branches_.push_back(std::make_shared<Branch>());
        map.branches_.back()->reserve(kMostLeaves);
      }
      map.branches_.back()->push_back(
          std::make_shared<Leaf>(std::make_move_iterator(from), std::make_move_iterator(to)));
      from = to;
    }
    return map;
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const_iterator begin() const { return {this, 0, 0, 0}; }
  const_iterator end() const { return {this, branches_.size(), 0, 0}; }

  const_iterator lower_bound(const Key& key) const {
    const size_t branch = branch_of(key);
    if (branch == branches_.size()) return end();
    const size_t leaf = leaf_of(*branches_[branch], key);
    return {this, branch, leaf, place_in(*(*branches_[branch])[leaf], key)};
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
    if (branches_.empty()) {
      branches_.push_back(std::make_shared<Branch>());
      branches_.back()->push_back(std::make_shared<Leaf>());
    }
    // What lies behind all goes to the end.
    size_t branch = size_ == 0 ? 0 : std::min(branch_of(key), branches_.size() - 1);
    size_t leaf =
        size_ == 0 ? 0 : std::min(leaf_of(*branches_[branch], key), branches_[branch]->size() - 1);
    const Leaf& here = *(*branches_[branch])[leaf];
    size_t place = place_in(here, key);
    if (place < here.size() && !(key < here[place].first)) {
      return {{this, branch, leaf, place}, false};
    }
    if (here.size() == kMost) {
      // What is put in by rising keys fills its leaves; otherwise the halves have room.
      const bool at_end =
          branch + 1 == branches_.size() && leaf + 1 == branches_[branch]->size() && place == kMost;
      if (branches_[branch]->size() == kMostLeaves) {
        const size_t half = at_end ? kFilledBranch : kMostLeaves / 2;
        split_branch(branch, half);
        if (leaf >= half) ++branch, leaf -= half;
      }
      const size_t half = at_end ? kFilled : kMost / 2;
      split_leaf(branch, leaf, half);
      if (place > half) ++leaf, place -= half;
    }
    Leaf& mine = own(branch, leaf);
    mine.emplace(mine.begin() + static_cast<ptrdiff_t>(place), std::move(key), std::move(value));
    ++size_;
    return {{this, branch, leaf, place}, true};
  }
  std::pair<const_iterator, bool> insert_or_assign(Key key, Value value) {
    const auto found = find(key);
    if (found == end()) return emplace(std::move(key), std::move(value));
    assign(found, std::move(value));
    return {{this, found.branch_, found.leaf_, found.place_}, false};
  }
  /// Gives what is there another value.
  void assign(const_iterator where, Value value) {
    own(where.branch_, where.leaf_)[where.place_].second = std::move(value);
  }
  /// The value of a key, to be changed; made if it is not there.
  Value& operator[](const Key& key) {
    auto found = find(key);
    if (found == end()) found = emplace(key, Value{}).first;
    return own(found.branch_, found.leaf_)[found.place_].second;
  }
  size_t erase(const Key& key) {
    const auto found = find(key);
    if (found == end()) return 0;
    erase(found);
    return 1;
  }
  const_iterator erase(const_iterator where) {
    const size_t branch = where.branch_, leaf = where.leaf_;
    Leaf& mine = own(branch, leaf);
    mine.erase(mine.begin() + static_cast<ptrdiff_t>(where.place_));
    --size_;
    if (where.place_ < mine.size()) return {this, branch, leaf, where.place_};
    Branch& around = *branches_[branch];  // own() has seen to it that nobody else has it
    const bool is_empty = mine.empty();
    if (is_empty) around.erase(around.begin() + static_cast<ptrdiff_t>(leaf));
    if (around.empty()) {
      branches_.erase(branches_.begin() + static_cast<ptrdiff_t>(branch));
      return {this, branch, 0, 0};
    }
    const size_t next = leaf + (is_empty ? 0 : 1);
    if (next == around.size()) return {this, branch + 1, 0, 0};
    return {this, branch, next, 0};
  }
  void clear() { *this = {}; }

  /// Calls use(key, before, after) for every key whose values differ, in the order of keys, or
  /// until it returns false, if it says anything; a null pointer where it has none. Values that are
  /// pointers, and the same one, must be of the same key: then keys need not be looked at, which
  /// lie elsewhere in memory.
  template <typename Use>
  static void for_each_difference(const CowMap& before, const CowMap& after, Use use) {
    const auto goes_on = [&](const Key& key, const Value* was, const Value* is) {
      if constexpr (std::is_void_v<decltype(use(key, was, is))>) {
        use(key, was, is);
        return true;
      } else {
        return use(key, was, is);
      }
    };
    auto a = before.begin(), b = after.begin();
    const auto a_end = before.end(), b_end = after.end();
    while (a != a_end || b != b_end) {
      if (a != a_end && b != b_end && a.place_ == 0 && b.place_ == 0 && a.entries_ == b.entries_) {
        if (a.leaf_ == 0 && b.leaf_ == 0 && a.branch() == b.branch()) {
          a.next_branch(), b.next_branch();
        } else {
          a.next_leaf(), b.next_leaf();
        }
      } else if (a != a_end && b != b_end && same_object(a->second, b->second)) {
        ++a, ++b;
      } else if (a != a_end && b != b_end && a->first == b->first) {
        if (!(a->second == b->second) && !goes_on(a->first, &a->second, &b->second)) return;
        ++a, ++b;
      } else if (b == b_end || (a != a_end && a->first < b->first)) {
        if (!goes_on(a->first, &a->second, nullptr)) return;
        ++a;
      } else {
        if (!goes_on(b->first, nullptr, &b->second)) return;
        ++b;
      }
    }
  }

  template <typename Condition>
  friend void erase_if(CowMap& map, Condition condition) {
    for (auto at = map.begin(); at != map.end();) at = condition(*at) ? map.erase(at) : ++at;
  }

 private:
  /// Keys that lie elsewhere make an entry dear to copy: fewer of them in a leaf.
  static constexpr size_t kMost = std::is_trivially_copyable_v<Key> ? 32 : 12;
  static constexpr size_t kMostLeaves = 64;
  /// As much as there is when it is filled in order: a little room, or else the next few entries
  /// that come would each split one.
  static constexpr size_t kFilled = kMost - kMost / 8;
  static constexpr size_t kFilledBranch = 56;

  static bool same_object(const Value& a, const Value& b) {
    if constexpr (requires { a.get(); }) return a != nullptr && a == b;
    return false;
  }
  /// The first of each that may hold a key not below this one; as many as there are: none does.
  size_t branch_of(const Key& key) const {
    return static_cast<size_t>(
        std::partition_point(branches_.begin(), branches_.end(),
                             [&](const auto& b) { return b->back()->back().first < key; }) -
        branches_.begin());
  }
  static size_t leaf_of(const Branch& branch, const Key& key) {
    return static_cast<size_t>(
        std::partition_point(branch.begin(), branch.end(),
                             [&](const auto& leaf) { return leaf->back().first < key; }) -
        branch.begin());
  }
  static size_t place_in(const Leaf& leaf, const Key& key) {
    return static_cast<size_t>(
        std::partition_point(leaf.begin(), leaf.end(),
                             [&](const value_type& entry) { return entry.first < key; }) -
        leaf.begin());
  }

  /// What it points to, and nobody else has.
  template <typename Elements>
  static Elements& own(std::shared_ptr<Elements>& pointer, size_t most) {
    if (pointer.use_count() != 1) {
      auto copy = std::make_shared<Elements>();
      copy->reserve(most);
      copy->assign(pointer->begin(), pointer->end());
      pointer = std::move(copy);
    } else {
      // What others have read of it before they let it go comes before what is written now.
      std::atomic_thread_fence(std::memory_order_acquire);
    }
    return *pointer;
  }
  Branch& own(size_t branch) { return own(branches_[branch], kMostLeaves); }
  /// The branch comes first: who shares it has its leaves without counting as theirs.
  Leaf& own(size_t branch, size_t leaf) { return own(own(branch)[leaf], kMost); }

  /// Takes what is from `at` on away from `all`.
  template <typename Elements>
  static std::shared_ptr<Elements> cut(Elements& all, size_t at, size_t most) {
    auto rest = std::make_shared<Elements>();
    rest->reserve(most);
    const auto middle = all.begin() + static_cast<ptrdiff_t>(at);
    rest->assign(std::make_move_iterator(middle), std::make_move_iterator(all.end()));
    all.erase(middle, all.end());
    return rest;
  }
  void split_branch(size_t branch, size_t at) {
    auto rest = cut(own(branch), at, kMostLeaves);
    branches_.insert(branches_.begin() + static_cast<ptrdiff_t>(branch) + 1, std::move(rest));
  }
  void split_leaf(size_t branch, size_t leaf, size_t at) {
    auto rest = cut(own(branch, leaf), at, kMost);
    Branch& around = *branches_[branch];
    around.insert(around.begin() + static_cast<ptrdiff_t>(leaf) + 1, std::move(rest));
  }

  Branches branches_;  ///< neither they nor their leaves are empty
  size_t size_ = 0;
};

}  // namespace rampart::kube
