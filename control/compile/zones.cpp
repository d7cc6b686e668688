// SPDX-License-Identifier: Apache-2.0
#include "control/compile/zones.hpp"

#include <algorithm>
#include <numeric>

#include "control/compile/refinement.hpp"

namespace rampart::compile {
namespace {

constexpr IpAddress kFirstV4 = IpAddress::v4(0);
constexpr IpAddress kFirstV6 = IpAddress::v6({});

uint32_t interval_of(const std::vector<IpAddress>& firsts, const IpAddress& address) {
  const auto after = std::upper_bound(firsts.begin(), firsts.end(), address);
  return static_cast<uint32_t>(after - firsts.begin() - 1);
}

void add_cuts(std::vector<IpAddress>& cuts, const kube::IpBlock& block) {
  const auto add = [&](const IpPrefix& prefix) {
    cuts.push_back(prefix.first());
    const IpAddress after = successor(prefix.last());
    if (prefix.last() < after) cuts.push_back(after);
  };
  add(block.cidr);
  for (const IpPrefix& except : block.except) add(except);
}

}  // namespace

/// Those of its exceptions left out.
Ranges Zones::intervals_in(const kube::IpBlock& block) const {
  const auto covered = [&](const IpPrefix& p) {
    return Range{interval_of(firsts_, p.first()), interval_of(firsts_, p.last())};
  };
  std::vector<Range> holes;
  for (const IpPrefix& except : block.except) holes.push_back(covered(except));
  std::sort(holes.begin(), holes.end());
  const Range whole = covered(block.cidr);
  Ranges inside;
  uint32_t next = whole.first;
  for (const Range& hole : holes) {
    if (hole.last < next || hole.first > whole.last) continue;
    if (hole.first > next) append(inside, Range{next, hole.first - 1});
    next = hole.last + 1;
  }
  if (next <= whole.last) append(inside, Range{next, whole.last});
  return inside;
}

uint32_t Zones::zone_of(const IpAddress& address) const {
  return zone_[interval_of(firsts_, address)];
}

uint32_t Zones::zone_of(const IpAddress& address, uint32_t& near) const {
  const bool inside = near < firsts_.size() && firsts_[near] <= address &&
                      (near + 1 == firsts_.size() || address < firsts_[near + 1]);
  if (!inside) near = interval_of(firsts_, address);
  return zone_[near];
}

Ranges Zones::zones_in(const kube::IpBlock& block) const {
  return translate(intervals_in(block), zone_);
}

Zones::Zones(const std::vector<kube::IpBlock>& blocks) : firsts_{kFirstV4, kFirstV6} {
  for (const kube::IpBlock& block : blocks) add_cuts(firsts_, block);
  std::sort(firsts_.begin(), firsts_.end());
  firsts_.erase(std::unique(firsts_.begin(), firsts_.end()), firsts_.end());
  first_v6_ = interval_of(firsts_, kFirstV6);

  std::vector<Ranges> inside;
  inside.reserve(blocks.size());
  for (const kube::IpBlock& block : blocks) inside.push_back(intervals_in(block));
  std::vector<uint32_t> widest_first(blocks.size());
  std::iota(widest_first.begin(), widest_first.end(), 0);
  std::stable_sort(widest_first.begin(), widest_first.end(),
                   [&](uint32_t a, uint32_t b) { return size_of(inside[a]) > size_of(inside[b]); });
  Refinement refinement(static_cast<uint32_t>(firsts_.size()));
  for (const uint32_t b : widest_first) refinement.split(inside[b]);
  zone_ = refinement.numbers();
  count_ = refinement.classes();
  find_samples();
}

void Zones::find_samples() {
  sample_.assign(count_, 0);
  for (uint32_t i = 0; i < zone_.size(); ++i) sample_[zone_[i]] = i;
}

void Zones::cut_at(const IpAddress& first) {
  const uint32_t interval = interval_of(firsts_, first);
  if (firsts_[interval] == first) return;
  firsts_.insert(firsts_.begin() + interval + 1, first);
  zone_.insert(zone_.begin() + interval + 1, zone_[interval]);
  first_v6_ += interval < first_v6_ ? 1 : 0;
}

std::vector<Zones::Crossed> Zones::cross(const kube::IpBlock& block) {
  std::vector<IpAddress> cuts;
  add_cuts(cuts, block);
  for (const IpAddress& cut : cuts) cut_at(cut);
  std::vector<bool> in(firsts_.size());
  std::vector<uint32_t> inside(count_), all(count_);
  for (const Range& range : intervals_in(block)) {
    for (uint32_t i = range.first; i <= range.last; ++i) {
      in[i] = true;
      ++inside[zone_[i]];
    }
  }
  for (const uint32_t zone : zone_) ++all[zone];
  std::vector<Crossed> crossed;
  for (uint32_t zone = 0; zone < count_; ++zone) {
    if (inside[zone] == 0 || inside[zone] == all[zone]) continue;
    Crossed& c = crossed.emplace_back();
    c.zone = zone;
    for (uint32_t i = 0; i < zone_.size(); ++i) {
      if (zone_[i] == zone) (in[i] ? c.inside : c.outside).push_back(i);
    }
  }
  find_samples();
  return crossed;
}

std::vector<Zones::Span> Zones::spans(const std::vector<uint32_t>& intervals) const {
  std::vector<Span> spans;
  for (const uint32_t i : intervals) {
    const bool last = i + 1 == firsts_.size() || i + 1 == first_v6_;
    const IpAddress& next =
        i < first_v6_ ? kFirstV4 : kFirstV6;  // what comes before it is the last
    spans.push_back({firsts_[i], predecessor(last ? next : firsts_[i + 1])});
  }
  return spans;
}

uint32_t Zones::divide(const std::vector<uint32_t>& intervals) {
  for (const uint32_t i : intervals) zone_[i] = count_;
  ++count_;
  find_samples();
  return count_ - 1;
}

}  // namespace rampart::compile
