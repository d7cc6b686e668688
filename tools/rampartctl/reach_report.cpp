// SPDX-License-Identifier: Apache-2.0
#include "tools/rampartctl/reach_report.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "tools/rampartctl/table.hpp"

namespace rampart::ctl {
namespace {

using reach::PortSet;
using reach::PortSets;

constexpr size_t kMostColumns = 10, kWidestCell = 22, kNamesShown = 8;

/// "all", "-", "TCP 80"; with ~ if not all pairs of ends may use it.
std::string cell_text(const reach::Passage& passage, const PortSets& sets) {
  if (passage.any == PortSets::kNothing) return "-";
  return (passage.any == passage.every ? "" : "~") + sets[passage.any].text();
}

Style cell_style(const reach::Passage& passage) {
  if (passage.any == PortSets::kNothing) return Style::kDim;
  return passage.every == PortSets::kAll ? Style::kWarning : Style::kGood;
}

/// The groups between which the view shows anything.
std::vector<size_t> shown_groups(const reach::Overview& overview) {
  std::vector<size_t> shown;
  for (size_t i = 0; i < overview.groups().size(); ++i) {
    for (size_t j = 0; j < overview.groups().size(); ++j) {
      if (!overview.shows(i, j) && !overview.shows(j, i)) continue;
      shown.push_back(i);
      break;
    }
  }
  return shown;
}

bool fits_a_grid(const Picture& picture, const std::vector<size_t>& shown) {
  if (shown.size() > kMostColumns) return false;
  for (const size_t from : shown) {
    for (const size_t to : shown) {
      const std::string text = cell_text(picture.overview.at(from, to), picture.sets);
      if (picture.overview.shows(from, to) && display_width(text) > kWidestCell) return false;
    }
  }
  return true;
}

void print_grid(Session& session, const Picture& picture, const std::vector<size_t>& shown) {
  const auto& overview = picture.overview;
  std::vector<Column> columns{{"FROM \\ TO"}};
  for (const size_t to : shown) columns.push_back({printable(overview.groups()[to].name)});
  Table table(columns);
  for (const size_t from : shown) {
    std::vector<Cell> row{overview.groups()[from].name};
    for (const size_t to : shown) {
      const reach::Passage& passage = overview.at(from, to);
      row.push_back(overview.shows(from, to)
                        ? Cell(cell_text(passage, picture.sets), cell_style(passage))
                        : Cell(""));
    }
    table.add(std::move(row));
  }
  session.print(table);
}

std::string names_text(const std::vector<std::string>& names) {
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), kNamesShown); ++i) {
    text += (i == 0 ? "" : ", ") + names[i];
  }
  if (names.size() > kNamesShown) {
    text += " and " + std::to_string(names.size() - kNamesShown) + " more";
  }
  return text;
}

void print_list(Session& session, const Picture& picture, const std::vector<size_t>& shown) {
  const auto& overview = picture.overview;
  Table table({{"FROM"}, {"MAY USE"}, {"AT"}});
  for (const size_t from : shown) {
    // What is alike goes into one line, the widest first.
    std::map<std::string, std::vector<std::string>> alike;
    std::map<std::string, Style> styles;
    for (const size_t to : shown) {
      const reach::Passage& passage = overview.at(from, to);
      if (!overview.shows(from, to) || passage.any == PortSets::kNothing) continue;
      const std::string text = cell_text(passage, picture.sets);
      alike[text].push_back(overview.groups()[to].name);
      styles.emplace(text, cell_style(passage));
    }
    std::string name = overview.groups()[from].name;
    if (alike.empty()) table.add({name, Cell("nothing", Style::kDim), ""});
    for (const auto& [text, names] : alike) {
      table.add({std::exchange(name, ""), Cell(text, styles.at(text)), names_text(names)});
    }
  }
  session.print(table);
}

OrderedJson ports_json(const PortSet& set) {
  OrderedJson out{{"text", set.text()}};
  constexpr const char* kNames[] = {"TCP", "UDP", "SCTP"};
  for (size_t i = 0; i < PortSet::kProtocols.size(); ++i) {
    OrderedJson ranges = OrderedJson::array();
    for (const PortSet::Range& range : set.ranges(i)) ranges.push_back({range.first, range.last});
    out[kNames[i]] = std::move(ranges);
  }
  out["other_protocols"] = set.others();
  return out;
}

OrderedJson end_json(const reach::Reach& reach, size_t index) {
  const reach::End& end = reach.ends()[index];
  OrderedJson labels = OrderedJson::object(), pods = OrderedJson::array(),
              families = OrderedJson::array();
  for (const auto& [key, value] : end.key.labels) labels[key] = value;
  for (const kube::Pod* pod : end.pods) pods.push_back(pod->name);
  if (end.v4) families.push_back("IPv4");
  if (end.v6) families.push_back("IPv6");
  return {{"name", end.name},
          {"namespace", end.external() ? OrderedJson() : OrderedJson(end.key.ns)},
          {"labels", std::move(labels)},
          {"pods", std::move(pods)},
          {"families", std::move(families)},
          {"isolated_ingress", reach.isolated_ingress(index)},
          {"isolated_egress", reach.isolated_egress(index)}};
}

/// Pairs that open or close the same, as one line.
struct Line {
  std::vector<std::string> from, to;
  PortSets::Id ports = PortSets::kNothing;
};

/// One line a source (or a destination, whichever makes fewer) and port set.
std::vector<Line> lines_of(const reach::Difference& difference,
                           PortSets::Id reach::Difference::Pair::*which) {
  using Key = std::tuple<size_t, PortSets::Id>;
  std::map<Key, Line> by_from, by_to;
  for (const auto& pair : difference.pairs) {
    const PortSets::Id ports = pair.*which;
    if (ports == PortSets::kNothing) continue;
    const std::string &from = difference.parties[pair.from].name,
                      &to = difference.parties[pair.to].name;
    Line& one = by_from[{pair.from, ports}];
    one.from = {from};
    one.to.push_back(to);
    one.ports = ports;
    Line& other = by_to[{pair.to, ports}];
    other.from.push_back(from);
    other.to = {to};
    other.ports = ports;
  }
  std::vector<Line> lines;
  for (auto& [key, line] : by_from.size() <= by_to.size() ? by_from : by_to) {
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace

void print_matrix(Session& session, const Picture& picture) {
  const auto shown = shown_groups(picture.overview);
  if (fits_a_grid(picture, shown)) {
    print_grid(session, picture, shown);
  } else {
    print_list(session, picture, shown);
  }
}

OrderedJson matrix_json(const Picture& picture) {
  const reach::Reach& reach = picture.reach;
  OrderedJson ends = OrderedJson::array(), ports = OrderedJson::array(),
              cells = OrderedJson::array(), groups = OrderedJson::array(),
              passages = OrderedJson::array();
  for (size_t i = 0; i < reach.ends().size(); ++i) {
    ends.push_back(end_json(reach, i));
    OrderedJson row = OrderedJson::array();
    for (const size_t j : reach.pairs().others(i)) row.push_back(reach.at(i, j));
    cells.push_back(std::move(row));
  }
  for (PortSets::Id id = 0; id < picture.sets.size(); ++id) {
    ports.push_back(ports_json(picture.sets[id]));
  }
  const auto& overview = picture.overview;
  for (size_t i = 0; i < overview.groups().size(); ++i) {
    const reach::Group& group = overview.groups()[i];
    groups.push_back({{"name", group.name}, {"pods", group.pods}, {"ends", group.ends}});
    for (size_t j = 0; j < overview.groups().size(); ++j) {
      if (!overview.shows(i, j)) continue;
      passages.push_back({{"from", i},
                          {"to", j},
                          {"any", overview.at(i, j).any},
                          {"every", overview.at(i, j).every}});
    }
  }
  return {{"ports", std::move(ports)},        {"ends", std::move(ends)},
          {"wanted", reach.pairs().chosen()}, {"cells", std::move(cells)},
          {"groups", std::move(groups)},      {"passages", std::move(passages)}};
}

void print_difference(Session& session, const reach::Difference& difference, const PortSets& sets) {
  const auto print = [&](PortSets::Id reach::Difference::Pair::*which, std::string_view sign,
                         Style style) {
    for (const Line& line : lines_of(difference, which)) {
      session.out() << session.style(sign, style) << ' '
                    << printable(names_text(line.from) + " → " + names_text(line.to) + ": " +
                                 sets[line.ports].text())
                    << '\n';
    }
  };
  print(&reach::Difference::Pair::opened, "+", Style::kGood);
  print(&reach::Difference::Pair::closed, "-", Style::kBad);
}

OrderedJson difference_json(const reach::Difference& difference, const PortSets& sets) {
  OrderedJson parties = OrderedJson::array(), pairs = OrderedJson::array();
  for (const reach::Party& party : difference.parties) {
    parties.push_back({{"name", party.name},
                       {"namespace", party.ns.empty() ? OrderedJson() : OrderedJson(party.ns)},
                       {"pods", party.pods},
                       {"before", party.before},
                       {"after", party.after}});
  }
  for (const auto& pair : difference.pairs) {
    pairs.push_back({{"from", pair.from},
                     {"to", pair.to},
                     {"opened", ports_json(sets[pair.opened])},
                     {"closed", ports_json(sets[pair.closed])}});
  }
  return {
      {"same", difference.none()}, {"parties", std::move(parties)}, {"pairs", std::move(pairs)}};
}

std::string difference_summary(const reach::Difference& difference) {
  if (difference.none()) return "nothing opens or closes";
  size_t open = 0, close = 0;
  for (const auto& pair : difference.pairs) {
    open += pair.opened != PortSets::kNothing;
    close += pair.closed != PortSets::kNothing;
  }
  return counted(difference.pairs.size(), "pair") +
         (difference.pairs.size() == 1 ? " differs: " : " differ: ") + std::to_string(open) +
         (open == 1 ? " opens, " : " open, ") + std::to_string(close) +
         (close == 1 ? " closes" : " close");
}

}  // namespace rampart::ctl
