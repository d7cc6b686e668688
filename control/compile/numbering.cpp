// SPDX-License-Identifier: Apache-2.0
#include "control/compile/numbering.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <unordered_map>
#include <utility>

#include "control/compile/refinement.hpp"

namespace rampart::compile {
namespace {

/// Views cost four bytes for each class; more than this many of them are not made.
constexpr size_t kMaxViewCells = size_t{1} << 24;
constexpr size_t kMaxViews = 1024;

/// Some entries of one direction of one namespace, with an order of their subject classes.
struct Unit {
  std::vector<uint32_t> boxes;
  std::unordered_map<uint32_t, Ranges> subjects;  ///< by SubjectSet, numbers from 0
  std::vector<uint32_t> numbers;                  ///< of the component's classes
  uint32_t classes = 0;
  uint32_t first_class = 0;  ///< the component's first subject class
};

/// How many entries boxes stand for: those that named ports split count once.
size_t entries_of(const Boxes& all, const std::vector<uint32_t>& boxes) {
  std::set<uint32_t> origins;
  for (const uint32_t box : boxes) origins.insert(all.boxes[box].origin);
  return origins.size();
}

/// Things by falling size of what they stand for.
template <typename Size>
std::vector<uint32_t> by_falling_size(const std::set<uint32_t>& sets, Size size) {
  std::vector<std::pair<uint64_t, uint32_t>> sized;
  sized.reserve(sets.size());
  for (const uint32_t set : sets) sized.emplace_back(~size(set), set);
  std::sort(sized.begin(), sized.end());
  std::vector<uint32_t> order;
  order.reserve(sized.size());
  for (const auto& [unused, set] : sized) order.push_back(set);
  return order;
}

class Numberer {
 public:
  Numberer(const Boxes& boxes, const SubjectClasses& subjects, const PeerClasses& peers)
      : boxes_(boxes), subjects_(subjects), peers_(peers) {}

  Numbering plain() const {
    Numbering made;
    made.subject_ranges = subjects_.of_set;
    made.peer_ranges = peers_.of_set;
    for (const Box& box : boxes_.boxes) {
      const bool shut = subjects_.of_set[box.subjects].empty();
      made.of_box.push_back({shut ? kNone : box.subjects, box.peers});
    }
    return made;
  }

  /// Empty (no place for any box) if there are not enough numbers for it.
  Numbering planned() {
    std::map<std::pair<uint32_t, kube::Direction>, std::vector<uint32_t>> components;
    for (uint32_t b = 0; b < boxes_.boxes.size(); ++b) {
      const SubjectSet& set = boxes_.subject_sets[boxes_.boxes[b].subjects];
      if (subjects_.of_set[boxes_.boxes[b].subjects].empty()) continue;
      components[{set.ns, set.direction}].push_back(b);
    }
    for (auto& [key, boxes] : components) split_component(std::move(boxes));
    // Units of the first order of their components together, and so on.
    std::vector<uint32_t> all(units_.size());
    std::iota(all.begin(), all.end(), 0);
    std::stable_sort(all.begin(), all.end(),
                     [&](uint32_t a, uint32_t b) { return order_[a] < order_[b]; });
    made_.of_box.resize(boxes_.boxes.size());
    if (!number_units()) return {};
    place(all);
    write_asks();
    return std::move(made_);
  }

 private:
  /// Cuts a component into units in which no set crosses another too often.
  void split_component(std::vector<uint32_t> left) {
    for (unsigned order = 0; !left.empty(); ++order) {
      Unit whole = make_unit(left, false);
      const bool last = order + 1 == kMaxAsks;
      if (last || rules_alone(whole) <= kRulesPerEntry * entries_of(boxes_, left)) {
        add_unit(std::move(whole), order);
        return;
      }
      Unit some = make_unit(left, true);
      std::vector<uint32_t> rest;
      std::set_difference(left.begin(), left.end(), some.boxes.begin(), some.boxes.end(),
                          std::back_inserter(rest));
      add_unit(std::move(some), order);
      left = std::move(rest);
    }
  }

  void add_unit(Unit unit, unsigned order) {
    units_.push_back(std::move(unit));
    order_.push_back(order);
  }

  /// `strict`: only of those boxes whose sets are one range each.
  Unit make_unit(const std::vector<uint32_t>& boxes, bool strict) const {
    Unit unit;
    std::set<uint32_t> subject_sets;
    uint32_t last_class = 0;
    unit.first_class = UINT32_MAX;
    for (const uint32_t b : boxes) {
      const uint32_t set = boxes_.boxes[b].subjects;
      subject_sets.insert(set);
      unit.first_class = std::min(unit.first_class, subjects_.of_set[set].front().first);
      last_class = std::max(last_class, subjects_.of_set[set].back().last);
    }
    const auto local = [&](uint32_t set) {
      Ranges ranges = subjects_.of_set[set];
      for (Range& r : ranges) r = {r.first - unit.first_class, r.last - unit.first_class};
      return ranges;
    };
    Refinement refinement(last_class - unit.first_class + 1);
    for (const uint32_t set :
         by_falling_size(subject_sets, [&](uint32_t s) { return size_of(subjects_.of_set[s]); })) {
      if (!strict) {
        refinement.split(local(set));
      } else if (!refinement.split_if_one_range(local(set))) {
        subject_sets.erase(set);
      }
    }
    unit.numbers = refinement.numbers();
    unit.classes = refinement.classes();
    for (const uint32_t set : subject_sets) {
      unit.subjects[set] = translate(local(set), unit.numbers);
    }

    std::set<uint32_t> peer_sets;
    for (const uint32_t b : boxes) {
      if (subject_sets.count(boxes_.boxes[b].subjects) != 0)
        peer_sets.insert(boxes_.boxes[b].peers);
    }
    if (strict) drop_crossing_peers(peer_sets);
    for (const uint32_t b : boxes) {
      const Box& box = boxes_.boxes[b];
      if (subject_sets.count(box.subjects) != 0 && peer_sets.count(box.peers) != 0) {
        unit.boxes.push_back(b);
      }
    }
    return unit;
  }

  void drop_crossing_peers(std::set<uint32_t>& sets) const {
    Refinement refinement(peers_.count);
    for (const uint32_t set : in_order(sets)) {
      if (!refinement.split_if_one_range(peers_.of_set[set])) sets.erase(set);
    }
  }
  /// Without "every address", which is one range always.
  std::vector<uint32_t> in_order(std::set<uint32_t> sets) const {
    sets.erase(kNone);
    return by_falling_size(sets, [&](uint32_t s) { return size_of(peers_.of_set[s]); });
  }

  /// An order of peers for some units, and what their peer sets are in it.
  struct View {
    std::vector<uint32_t> numbers;
    std::unordered_map<uint32_t, Ranges> ranges;
  };
  View make_view(const std::vector<const Unit*>& units) const {
    std::set<uint32_t> sets;
    for (const Unit* unit : units) {
      for (const uint32_t b : unit->boxes) sets.insert(boxes_.boxes[b].peers);
    }
    Refinement refinement(peers_.count);
    const std::vector<uint32_t> order = in_order(std::move(sets));
    for (const uint32_t set : order) refinement.split(peers_.of_set[set]);
    View view{refinement.numbers(), {}};
    for (const uint32_t set : order) {
      view.ranges[set] = translate(peers_.of_set[set], view.numbers);
    }
    return view;
  }
  size_t rules_of(const Unit& unit, const View& view) const {
    size_t rules = 0;
    for (const uint32_t b : unit.boxes) {
      const Box& box = boxes_.boxes[b];
      rules += unit.subjects.at(box.subjects).size() *
               (box.peers == kNone ? 1 : view.ranges.at(box.peers).size());
    }
    return rules;
  }
  size_t rules_alone(const Unit& unit) const { return rules_of(unit, make_view({&unit})); }

  /// Subject numbers for all units, each its own. False: there are not enough.
  bool number_units() {
    uint32_t next = 1;
    for (const Unit& unit : units_) {
      first_number_.push_back(next);
      next += unit.classes;
      if (next > 0x10000) return false;
    }
    return true;
  }

  /// Gives units a view together if that does well, else halves them.
  void place(const std::vector<uint32_t>& units) {
    std::vector<const Unit*> chosen;
    std::vector<uint32_t> boxes;
    for (const uint32_t u : units) {
      chosen.push_back(&units_[u]);
      boxes.insert(boxes.end(), units_[u].boxes.begin(), units_[u].boxes.end());
    }
    View view = make_view(chosen);
    size_t rules = 0;
    for (const Unit* unit : chosen) rules += rules_of(*unit, view);
    const size_t views = made_.plan.views.size() + pending_ + 2;
    const bool may_split =
        units.size() > 1 && views <= kMaxViews && views * peers_.count <= kMaxViewCells;
    if (may_split && rules > kRulesPerEntry * entries_of(boxes_, boxes)) {
      const auto middle = units.begin() + static_cast<ptrdiff_t>(units.size() / 2);
      ++pending_;
      place({units.begin(), middle});
      --pending_;
      place({middle, units.end()});
      return;
    }
    write_view(units, std::move(view));
  }

  void write_view(const std::vector<uint32_t>& units, View view) {
    std::unordered_map<uint32_t, uint32_t> peer_ranges;
    for (auto& [set, ranges] : view.ranges) {
      peer_ranges[set] = static_cast<uint32_t>(made_.peer_ranges.size());
      made_.peer_ranges.push_back(std::move(ranges));
    }
    peer_ranges[kNone] = kNone;
    view_of_.resize(units_.size());
    for (const uint32_t u : units) {
      view_of_[u] = static_cast<uint16_t>(made_.plan.views.size());
      std::unordered_map<uint32_t, uint32_t> subject_ranges;
      for (const auto& [set, ranges] : units_[u].subjects) {
        subject_ranges[set] = static_cast<uint32_t>(made_.subject_ranges.size());
        Ranges numbered = ranges;
        for (Range& r : numbered) r = {r.first + first_number_[u], r.last + first_number_[u]};
        made_.subject_ranges.push_back(std::move(numbered));
      }
      for (const uint32_t b : units_[u].boxes) {
        const Box& box = boxes_.boxes[b];
        made_.of_box[b] = {subject_ranges[box.subjects], peer_ranges[box.peers]};
      }
    }
    made_.plan.views.push_back(std::move(view.numbers));
  }

  /// What is asked for each subject class: once for every unit that has a rule for it.
  void write_asks() {
    std::vector<std::vector<AclPlan::Ask>> asks(subjects_.count + kFirstOpenClass);
    for (uint32_t u = 0; u < units_.size(); ++u) {
      const Unit& unit = units_[u];
      std::vector<bool> used(unit.classes);
      for (const uint32_t b : unit.boxes) {
        for (const Range& r : unit.subjects.at(boxes_.boxes[b].subjects)) {
          std::fill(used.begin() + r.first, used.begin() + r.last + 1, true);
        }
      }
      for (uint32_t c = 0; c < unit.numbers.size(); ++c) {
        if (!used[unit.numbers[c]]) continue;
        asks[unit.first_class + c].push_back(
            {static_cast<uint16_t>(first_number_[u] + unit.numbers[c]), view_of_[u]});
      }
    }
    AclPlan& plan = made_.plan;
    for (const auto& of_one : asks) {
      plan.first.push_back(static_cast<uint32_t>(plan.asks.size()));
      plan.asks.insert(plan.asks.end(), of_one.begin(), of_one.end());
    }
    plan.first.push_back(static_cast<uint32_t>(plan.asks.size()));
  }

  const Boxes& boxes_;
  const SubjectClasses& subjects_;
  const PeerClasses& peers_;
  std::vector<Unit> units_;
  std::vector<unsigned> order_;         ///< of each unit in its component
  std::vector<uint32_t> first_number_;  ///< of each unit
  std::vector<uint16_t> view_of_;       ///< of each unit
  size_t pending_ = 0;                  ///< halves that still want a view
  Numbering made_;
};

size_t rules_in(const Numbering& numbering) {
  size_t rules = 0;
  for (const Numbering::Place& place : numbering.of_box) rules += numbering.rules(place);
  return rules;
}

}  // namespace

Numbering number_boxes(const Boxes& boxes, const SubjectClasses& subjects,
                       const PeerClasses& peers) {
  Numberer numberer(boxes, subjects, peers);
  Numbering plain = numberer.plain();
  std::vector<uint32_t> all(boxes.boxes.size());
  std::iota(all.begin(), all.end(), 0);
  const size_t rules = rules_in(plain);
  if (rules <= kRulesPerEntry * entries_of(boxes, all)) return plain;
  Numbering planned = numberer.planned();
  return planned.of_box.empty() || rules_in(planned) >= rules ? plain : planned;
}

}  // namespace rampart::compile
