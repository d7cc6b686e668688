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

void add_cuts(std::vector<IpAddress>& cuts, const IpPrefix& prefix) {
  cuts.push_back(prefix.first());
  const IpAddress after = successor(prefix.last());
  if (prefix.last() < after) cuts.push_back(after);
}

/// The intervals of a block without those of its exceptions.
Ranges intervals_in(const std::vector<IpAddress>& firsts, const kube::IpBlock& block) {
  const auto covered = [&](const IpPrefix& p) {
    return Range{interval_of(firsts, p.first()), interval_of(firsts, p.last())};
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

}  // namespace

uint32_t Zones::zone_of(const IpAddress& address) const {
  return zone[interval_of(firsts, address)];
}

uint32_t Zones::zone_of(const IpAddress& address, uint32_t& near) const {
  const bool inside =
      firsts[near] <= address && (near + 1 == firsts.size() || address < firsts[near + 1]);
  if (!inside) near = interval_of(firsts, address);
  return zone[near];
}

Zones cut(const std::vector<kube::IpBlock>& blocks) {
  Zones zones;
  zones.firsts = {kFirstV4, kFirstV6};
  for (const kube::IpBlock& block : blocks) {
    add_cuts(zones.firsts, block.cidr);
    for (const IpPrefix& except : block.except) add_cuts(zones.firsts, except);
  }
  std::sort(zones.firsts.begin(), zones.firsts.end());
  zones.firsts.erase(std::unique(zones.firsts.begin(), zones.firsts.end()), zones.firsts.end());
  zones.first_v6 = interval_of(zones.firsts, kFirstV6);

  std::vector<Ranges> inside;
  inside.reserve(blocks.size());
  for (const kube::IpBlock& block : blocks) inside.push_back(intervals_in(zones.firsts, block));
  std::vector<uint32_t> widest_first(blocks.size());
  std::iota(widest_first.begin(), widest_first.end(), 0);
  std::stable_sort(widest_first.begin(), widest_first.end(),
                   [&](uint32_t a, uint32_t b) { return size_of(inside[a]) > size_of(inside[b]); });
  Refinement refinement(static_cast<uint32_t>(zones.firsts.size()));
  for (const uint32_t b : widest_first) refinement.split(inside[b]);
  zones.zone = refinement.numbers();
  zones.count = refinement.classes();
  for (const Ranges& intervals : inside) zones.blocks.push_back(translate(intervals, zones.zone));
  return zones;
}

}  // namespace rampart::compile
