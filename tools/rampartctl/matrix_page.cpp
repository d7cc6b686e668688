// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tools/rampartctl/reach_report.hpp"
#include "tools/rampartctl/table.hpp"

// The matrix as a page. The pictures are SVG and complete as they stand; the script adds what a
// mouse points at, and a filter. Nothing is loaded from elsewhere.
namespace rampart::ctl {
namespace {

using reach::PortSets;

enum class Shade : uint8_t { kNothing, kSome, kPartly, kAll, kNoQuestion };

constexpr std::string_view kHead = R"html(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Who can reach whom</title>
<style>
:root { --page: #fbfbfa; --ink: #1f2733; --soft: #67727f; --rule: #d9dde2; --nothing: #edeff2;
  --some: #3d8f9c; --partly: #9fcdd3; --all: #e39a3b; --none: #f7f8f9; --card: #ffffff; }
@media (prefers-color-scheme: dark) {
  :root { --page: #14181d; --ink: #e4e8ec; --soft: #94a0ad; --rule: #313a44; --nothing: #222931;
    --some: #4fa7b5; --partly: #2c5f68; --all: #d98d2e; --none: #191e24; --card: #1b2128; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1600px; padding: 2rem 2.5rem 4rem; background: var(--page);
  color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { font-size: 1.6rem; margin: 0; font-weight: 650; }
h2 { font-size: 1.1rem; margin: 2.5rem 0 .5rem; font-weight: 600; }
p { margin: .3rem 0; color: var(--soft); }
.facts { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1.25rem 0; }
.facts div { background: var(--card); border: 1px solid var(--rule); border-radius: .5rem;
  padding: .5rem 1rem; }
.facts b { display: block; font-size: 1.3rem; font-weight: 650; }
.facts span { color: var(--soft); font-size: .85rem; }
.legend { display: flex; flex-wrap: wrap; gap: .4rem 1.4rem; font-size: .9rem; align-items: center; }
.legend i { display: inline-block; width: 1em; height: 1em; border-radius: 3px;
  margin-right: .4em; vertical-align: -.1em; }
input { font: inherit; padding: .25rem .6rem; border: 1px solid var(--rule); border-radius: .4rem;
  background: var(--card); color: var(--ink); width: 16rem; }
.scroll { overflow: auto; background: var(--card); border: 1px solid var(--rule);
  border-radius: .6rem; padding: 1rem; }
svg { display: block; }
svg text { fill: var(--ink); font: 11px system-ui, sans-serif; }
svg text.zone { fill: var(--soft); font-style: italic; }
.nothing { fill: var(--nothing); } .some { fill: var(--some); } .partly { fill: var(--partly); }
.all { fill: var(--all); } .none { fill: var(--none); }
.gap { stroke: var(--card); stroke-width: 1; fill: none; }
.border { stroke: var(--ink); stroke-opacity: .45; stroke-width: 1; fill: none; }
.cross { fill: var(--ink); fill-opacity: .12; pointer-events: none; }
.dim { fill: var(--card); fill-opacity: .8; pointer-events: none; }
#tip { position: fixed; pointer-events: none; background: var(--ink); color: var(--page);
  border-radius: .4rem; padding: .4rem .7rem; font-size: .85rem; max-width: 34rem; display: none;
  z-index: 1; }
#tip b { display: block; font-weight: 600; }
</style>
</head>
<body>
)html";

constexpr std::string_view kScript = R"html(<div id="tip"></div>
<script>
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const tip = document.getElementById("tip");
const space = "http://www.w3.org/2000/svg";
const rect = (svg, name, x, y, w, h) => {
  const r = document.createElementNS(space, "rect");
  for (const [k, v] of Object.entries({class: name, x, y, width: w, height: h})) r.setAttribute(k, v);
  svg.append(r);
  return r;
};
for (const view of data.views) {
  const svg = document.getElementById(view.id), n = view.names.length;
  const {left, top, cell} = view, side = n * cell;
  let cross = [];
  const clear = () => { for (const r of cross) r.remove(); cross = []; tip.style.display = "none"; };
  svg.addEventListener("mouseleave", clear);
  svg.addEventListener("mousemove", event => {
    const box = svg.getBoundingClientRect(), scale = svg.viewBox.baseVal.width / box.width;
    const to = Math.floor(((event.clientX - box.left) * scale - left) / cell);
    const from = Math.floor(((event.clientY - box.top) * scale - top) / cell);
    clear();
    if (to < 0 || from < 0 || to >= n || from >= n) return;
    cross = [rect(svg, "cross", 0, top + from * cell, left + side, cell),
             rect(svg, "cross", left + to * cell, 0, cell, top + side)];
    const [any, every] = view.passages[view.cells[from][to]];
    tip.replaceChildren();
    const head = document.createElement("b");
    head.textContent = view.names[from] + " → " + view.names[to];
    const what = any < 0 ? "no question for policies" : any === every ? data.ports[any]
      : "some pairs: " + data.ports[any] + "; every pair: " + data.ports[every];
    tip.append(head, what);
    tip.style.display = "block";
    const x = event.clientX + 16, y = event.clientY + 16;
    tip.style.left = Math.min(x, innerWidth - tip.offsetWidth - 8) + "px";
    tip.style.top = (y + tip.offsetHeight > innerHeight ? event.clientY - tip.offsetHeight - 12 : y) + "px";
  });
  let veil = [];
  document.getElementById("filter").addEventListener("input", event => {
    const word = event.target.value.trim().toLowerCase();
    for (const r of veil) r.remove();
    veil = [];
    if (!word) return;
    const hit = view.names.map(name => name.toLowerCase().includes(word));
    for (let i = 0; i < n; ++i) {
      if (hit[i]) continue;
      // Cells between two that do not match are veiled, in runs.
      for (let j = 0, start = 0; j <= n; ++j) {
        if (j < n && !hit[j]) continue;
        if (j > start) veil.push(rect(svg, "dim", left + start * cell, top + i * cell, (j - start) * cell, cell));
        start = j + 1;
      }
    }
  });
}
</script>
</body>
</html>
)html";

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string number(size_t value) {
  return std::to_string(value);
}

/// One matrix as it is drawn: its groups in a square of cells, labels to the left and above.
class Drawing {
 public:
  Drawing(const Picture& picture, std::string id) : picture_(picture), id_(std::move(id)) {
    const size_t count = groups().size();
    cell_ = count <= 24 ? 24 : count <= 60 ? 16 : count <= 120 ? 12 : count <= 400 ? 4 : 3;
    size_t longest = 0;
    for (const auto& band : bands()) longest = std::max(longest, display_width(band.label));
    margin_ = std::min<size_t>(320, 20 + longest * 7);
  }

  std::string svg() const {
    const size_t side = groups().size() * cell_, all = margin_ + side + 2;
    std::string out = "<svg id=\"" + id_ + "\" role=\"img\" width=\"" + number(all) +
                      "\" height=\"" + number(all) + "\" viewBox=\"0 0 " + number(all) + " " +
                      number(all) + "\">\n<title>" + number(groups().size()) +
                      " sources in rows, the same as destinations in columns</title>\n";
    out += "<rect class=\"nothing\" x=\"" + number(margin_) + "\" y=\"" + number(margin_) +
           "\" width=\"" + number(side) + "\" height=\"" + number(side) + "\"/>\n";
    for (const auto& [shade, name] : {std::pair{Shade::kSome, "some"},
                                      {Shade::kPartly, "partly"},
                                      {Shade::kAll, "all"},
                                      {Shade::kNoQuestion, "none"}}) {
      const std::string path = cells_of(shade);
      if (!path.empty()) out += "<path class=\"" + std::string(name) + "\" d=\"" + path + "\"/>\n";
    }
    if (cell_ >= 12) out += "<path class=\"gap\" d=\"" + lines(1) + "\"/>\n";
    out += "<path class=\"border\" d=\"" + borders() + "\"/>\n";
    for (const auto& band : bands()) out += label(band);
    return out + "</svg>\n";
  }

  /// What the script needs: names, and for each cell the number of what passes.
  OrderedJson json() const {
    OrderedJson names = OrderedJson::array(), cells = OrderedJson::array(),
                passages = OrderedJson::array();
    std::map<std::pair<int64_t, int64_t>, size_t> known;
    for (size_t from = 0; from < groups().size(); ++from) {
      names.push_back(groups()[from].name);
      OrderedJson row = OrderedJson::array();
      for (size_t to = 0; to < groups().size(); ++to) {
        const reach::Passage& passage = picture_.overview.at(from, to);
        const bool asked = shade(from, to) != Shade::kNoQuestion;
        const std::pair<int64_t, int64_t> key{asked ? int64_t{passage.any} : -1,
                                              asked ? int64_t{passage.every} : -1};
        const auto [at, added] = known.emplace(key, known.size());
        if (added) passages.push_back({key.first, key.second});
        row.push_back(at->second);
      }
      cells.push_back(std::move(row));
    }
    return {{"id", id_},
            {"left", margin_},
            {"top", margin_},
            {"cell", cell_},
            {"names", std::move(names)},
            {"passages", std::move(passages)},
            {"cells", std::move(cells)}};
  }

  /// How many cells have each shade.
  std::map<Shade, size_t> counts() const {
    std::map<Shade, size_t> all;
    for (size_t from = 0; from < groups().size(); ++from) {
      for (size_t to = 0; to < groups().size(); ++to) ++all[shade(from, to)];
    }
    return all;
  }

 private:
  struct Band {
    size_t first = 0, count = 1;
    std::string label;
    bool external = false;
  };

  const std::vector<reach::Group>& groups() const { return picture_.overview.groups(); }
  const std::string& namespace_of(size_t group) const {
    return picture_.reach.ends()[groups()[group].ends.front()].key.ns;
  }

  Shade shade(size_t from, size_t to) const {
    if (!picture_.overview.shows(from, to)) return Shade::kNoQuestion;
    const reach::Passage& passage = picture_.overview.at(from, to);
    if (passage.any == PortSets::kNothing) return Shade::kNothing;
    if (passage.any != passage.every) return Shade::kPartly;
    return passage.any == PortSets::kAll ? Shade::kAll : Shade::kSome;
  }

  /// All cells of a shade as one path, runs of a row as one rectangle.
  std::string cells_of(Shade wanted) const {
    std::string path;
    const std::string down = "v" + number(cell_);
    for (size_t from = 0; from < groups().size(); ++from) {
      for (size_t to = 0; to < groups().size(); ++to) {
        if (shade(from, to) != wanted) continue;
        const size_t start = to;
        while (to + 1 < groups().size() && shade(from, to + 1) == wanted) ++to;
        const std::string width = number((to + 1 - start) * cell_);
        path += "M" + number(margin_ + start * cell_) + " " + number(margin_ + from * cell_) + "h" +
                width + down + "h-" + width + "z";
      }
    }
    return path;
  }

  std::string line_at(size_t group) const {
    const std::string at = number(margin_ + group * cell_), side = number(groups().size() * cell_);
    return "M" + number(margin_) + " " + at + "h" + side + "M" + at + " " + number(margin_) + "v" +
           side;
  }

  std::string lines(size_t every) const {
    std::string path;
    for (size_t i = 0; i <= groups().size(); i += every) path += line_at(i);
    return path;
  }

  /// Around everything, and where a namespace ends.
  std::string borders() const {
    std::string path = line_at(0) + line_at(groups().size());
    for (size_t i = 1; i < groups().size(); ++i) {
      const bool of_kinds = picture_.overview.groups().size() == picture_.reach.ends().size();
      const bool other = groups()[i].external != groups()[i - 1].external ||
                         (of_kinds && namespace_of(i) != namespace_of(i - 1));
      if (other) path += line_at(i);
    }
    return path;
  }

  /// What a label stands beside: a group, or where cells are too small for that, a namespace.
  std::vector<Band> bands() const {
    std::vector<Band> all;
    for (size_t i = 0; i < groups().size(); ++i) {
      const bool external = groups()[i].external;
      if (cell_ >= 12) {
        all.push_back({i, 1, groups()[i].name, external});
      } else if (!all.empty() && external == all.back().external &&
                 namespace_of(i) == namespace_of(all.back().first)) {
        ++all.back().count;  // zones are of no namespace
      } else {
        all.push_back({i, 1, external ? "addresses outside" : namespace_of(i), external});
      }
    }
    return all;
  }

  std::string label(const Band& band) const {
    if (band.count * cell_ < 10) return {};
    const std::string middle = number(margin_ + band.first * cell_ + band.count * cell_ / 2 + 4),
                      edge = number(margin_ - 8), text = escaped(shortened(band.label)),
                      kind = band.external ? " class=\"zone\"" : "";
    return "<text" + kind + " text-anchor=\"end\" x=\"" + edge + "\" y=\"" + middle + "\">" + text +
           "</text>\n<text" + kind + " transform=\"translate(" + middle + " " + edge +
           ") rotate(-90)\">" + text + "</text>\n";
  }

  /// Whole characters of UTF-8, as many as the margin holds.
  std::string shortened(const std::string& text) const {
    const size_t most = (margin_ - 20) / 7;
    if (display_width(text) <= most) return text;
    std::string out;
    for (const char c : text) {
      const bool starts = (static_cast<unsigned char>(c) & 0xC0) != 0x80;
      if (starts && display_width(out) + 1 >= most) break;
      out += c;
    }
    return out + "…";
  }

  const Picture& picture_;
  const std::string id_;
  size_t cell_ = 0, margin_ = 0;
};

std::string fact(const std::string& value, std::string_view what) {
  return "<div><b>" + value + "</b><span>" + std::string(what) + "</span></div>\n";
}

std::string facts(const Picture& namespaces, const Drawing& kinds) {
  std::set<const kube::Pod*> pods;
  std::set<std::string> names;
  size_t zones = 0;
  for (const reach::End& end : namespaces.reach.ends()) {
    pods.insert(end.pods.begin(), end.pods.end());
    if (!end.external()) names.insert(end.key.ns);
    zones += end.external();
  }
  auto counts = kinds.counts();
  const size_t closed = counts[Shade::kNothing], open = counts[Shade::kAll],
               some = counts[Shade::kSome], pairs = closed + open + some;
  const auto percent = [&](size_t part) {
    return pairs == 0 ? std::string("-") : number((part * 100 + pairs / 2) / pairs) + " %";
  };
  return "<div class=\"facts\">\n" + fact(number(names.size()), "namespaces") +
         fact(number(pods.size()), "pods") +
         fact(number(namespaces.reach.ends().size() - zones), "kinds of pods") +
         fact(number(zones), "address blocks") + fact(percent(closed), "of pairs closed") +
         fact(percent(some), "of pairs by ports") + fact(percent(open), "of pairs open") +
         "</div>\n";
}

constexpr std::string_view kLegend =
    R"html(<div class="legend"><span><i class="nothing" style="background:var(--nothing)"></i>nothing</span>
<span><i style="background:var(--some)"></i>some ports</span>
<span><i style="background:var(--partly)"></i>between some of them only</span>
<span><i style="background:var(--all)"></i>everything</span>
<label>Filter <input id="filter" placeholder="a namespace, a label, an address"></label></div>
)html";

}  // namespace

std::string matrix_page(const Picture& namespaces, const Picture& kinds,
                        const std::string& source) {
  const Drawing overview(namespaces, "namespaces"), whole(kinds, "kinds");
  OrderedJson ports = OrderedJson::array();
  for (PortSets::Id id = 0; id < kinds.sets.size(); ++id) ports.push_back(kinds.sets[id].text());
  const OrderedJson data{{"ports", std::move(ports)}, {"views", {overview.json(), whole.json()}}};
  std::string json = data.dump(-1, ' ', true, OrderedJson::error_handler_t::replace);
  for (size_t at = json.find('<'); at != std::string::npos; at = json.find('<', at)) {
    json.replace(at, 1, "\\u003c");  // "</script>" in a name must not end the script
  }
  return std::string(kHead) +
         "<h1>Who can reach whom</h1>\n<p>New connections as NetworkPolicy allows "
         "them, from rows to columns: " +
         escaped(source) + ".</p>\n" + facts(namespaces, whole) + std::string(kLegend) +
         "<h2>Namespaces</h2>\n<div class=\"scroll\">\n" + overview.svg() +
         "</div>\n<h2>Kinds of pods</h2>\n<p>Pods that no policy tells apart are one kind; "
         "addresses "
         "that every rule treats alike are one block.</p>\n<div class=\"scroll\">\n" +
         whole.svg() + "</div>\n<script type=\"application/json\" id=\"data\">" + json +
         "</script>\n" + std::string(kScript);
}

}  // namespace rampart::ctl
