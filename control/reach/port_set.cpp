// SPDX-License-Identifier: Apache-2.0
#include "control/reach/port_set.hpp"

#include <algorithm>

namespace rampart::reach {
namespace {

using Range = PortSet::Range;
using Ranges = std::vector<Range>;
constexpr L4Port kLast = 65535;
constexpr std::array<const char*, 3> kNames{"TCP", "UDP", "SCTP"};

Ranges merged(Ranges ranges) {
  std::sort(ranges.begin(), ranges.end());
  Ranges out;
  for (const Range& range : ranges) {
    if (!out.empty() && (out.back().last == kLast || range.first <= out.back().last + 1)) {
      out.back().last = std::max(out.back().last, range.last);
    } else {
      out.push_back(range);
    }
  }
  return out;
}

Ranges intersection(const Ranges& a, const Ranges& b) {
  Ranges out;
  for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    const L4Port first = std::max(a[i].first, b[j].first), last = std::min(a[i].last, b[j].last);
    if (first <= last) out.push_back({first, last});
    ++(a[i].last < b[j].last ? i : j);
  }
  return out;
}

Ranges complement(const Ranges& ranges) {
  Ranges out;
  unsigned next = 0;
  for (const Range& range : ranges) {
    if (range.first > next)
      out.push_back({static_cast<L4Port>(next), static_cast<L4Port>(range.first - 1)});
    next = range.last + 1U;
  }
  if (next <= kLast) out.push_back({static_cast<L4Port>(next), kLast});
  return out;
}

}  // namespace

PortSet PortSet::all() {
  PortSet set;
  for (Ranges& ranges : set.ranges_) ranges = {{0, kLast}};
  set.others_ = true;
  return set;
}

PortSet PortSet::of(IpProtocol protocol, L4Port first, L4Port last) {
  PortSet set;
  for (size_t i = 0; i < kProtocols.size(); ++i) {
    if (kProtocols[i] == protocol) set.ranges_[i] = {{first, last}};
  }
  return set;
}

bool PortSet::empty() const {
  return *this == PortSet{};
}

bool PortSet::contains(uint8_t protocol, L4Port port) const {
  for (size_t i = 0; i < kProtocols.size(); ++i) {
    if (static_cast<uint8_t>(kProtocols[i]) != protocol) continue;
    return std::any_of(ranges_[i].begin(), ranges_[i].end(), [&](const Range& range) {
      return range.first <= port && port <= range.last;
    });
  }
  return others_;
}

PortSet PortSet::united(const PortSet& with) const {
  PortSet set = *this;
  for (size_t i = 0; i < kProtocols.size(); ++i) {
    set.ranges_[i].insert(set.ranges_[i].end(), with.ranges_[i].begin(), with.ranges_[i].end());
    set.ranges_[i] = merged(std::move(set.ranges_[i]));
  }
  set.others_ = others_ || with.others_;
  return set;
}

PortSet PortSet::intersected(const PortSet& with) const {
  PortSet set;
  for (size_t i = 0; i < kProtocols.size(); ++i) {
    set.ranges_[i] = intersection(ranges_[i], with.ranges_[i]);
  }
  set.others_ = others_ && with.others_;
  return set;
}

PortSet PortSet::without(const PortSet& less) const {
  PortSet set;
  for (size_t i = 0; i < kProtocols.size(); ++i) {
    set.ranges_[i] = intersection(ranges_[i], complement(less.ranges_[i]));
  }
  set.others_ = others_ && !less.others_;
  return set;
}

std::string PortSet::text() const {
  if (empty()) return "nothing";
  if (is_all()) return "all";
  // Other protocols come with "all" only, so what is missing says it in fewer words.
  if (others_) return "all but " + all().without(*this).text();
  std::string text;
  for (size_t i = 0; i < kProtocols.size(); ++i) {
    if (ranges_[i].empty()) continue;
    text += (text.empty() ? "" : ", ") + std::string(kNames[i]) + " ";
    if (ranges_[i] == Ranges{{0, kLast}}) {
      text += "any port";
      continue;
    }
    for (size_t r = 0; r < ranges_[i].size(); ++r) {
      const Range& range = ranges_[i][r];
      text += (r == 0 ? "" : ",") + std::to_string(range.first);
      if (range.last != range.first) text += "-" + std::to_string(range.last);
    }
  }
  return text;
}

PortSets::PortSets() {
  id(PortSet{});
  id(PortSet::all());
}

PortSets::Id PortSets::id(const PortSet& set) {
  const auto [at, added] = ids_.emplace(set, static_cast<Id>(sets_.size()));
  if (added) sets_.push_back(set);
  return at->second;
}

PortSets::Id PortSets::united(Id a, Id b) {
  if (a > b) std::swap(a, b);
  if (a == kNothing || a == b) return b;
  if (a == kAll || b == kAll) return kAll;
  const auto known = united_.find({a, b});
  if (known != united_.end()) return known->second;
  return united_[{a, b}] = id(sets_[a].united(sets_[b]));
}

PortSets::Id PortSets::intersected(Id a, Id b) {
  if (a > b) std::swap(a, b);
  if (a == kNothing || a == b) return a;
  if (a == kAll) return b;
  const auto known = intersected_.find({a, b});
  if (known != intersected_.end()) return known->second;
  return intersected_[{a, b}] = id(sets_[a].intersected(sets_[b]));
}

PortSets::Id PortSets::without(Id a, Id b) {
  if (a == b || b == kAll || a == kNothing) return kNothing;
  if (b == kNothing) return a;
  const auto known = without_.find({a, b});
  if (known != without_.end()) return known->second;
  return without_[{a, b}] = id(sets_[a].without(sets_[b]));
}

}  // namespace rampart::reach
