// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <cmath>
#include <cstdio>
#include <map>
#include <sstream>
#include <string>
#include <thread>

#include "dataplane/packet/drop_reason.hpp"
#include "tools/rampartctl/commands.hpp"
#include "tools/rampartctl/json_text.hpp"

namespace rampart::ctl {
namespace {

using Clock = std::chrono::steady_clock;

/// One reading of the counters.
struct Reading {
  Answer answer;
  Clock::time_point at;
};

/// Two readings, for rates; without an earlier one there are none.
struct View {
  const Json& now;
  Json before;  ///< nothing at the first reading
  double seconds = 0;
  bool watching = false;

  /// The rate of a counter that was `earlier`; "-" at the first reading.
  std::string rate(uint64_t later, uint64_t earlier, double factor = 1) const {
    if (!before.exists() || seconds <= 0 || later < earlier) return "-";
    return std::to_string(static_cast<uint64_t>(
        std::llround(static_cast<double>(later - earlier) * factor / seconds)));
  }
};

uint64_t sum_of(const Json& drops) {
  uint64_t sum = 0;
  for (const auto& [name, count] : drops.members()) sum += count.number();
  return sum;
}

/// The element of the list that has this value in `member`; the lists are short.
Json find_in(const Json& list, std::string_view member, const std::string& value) {
  for (const Json& item : list.items()) {
    if (item[member].text() == value) return item;
  }
  return {};
}

std::string_view meaning_of(std::string_view reason) {
  for (const DropReasonText& text : kDropReasonTexts) {
    if (text.name == reason) return text.meaning;
  }
  return {};
}

/// Columns that show a counter and, while watching, its rate.
class CounterColumns {
 public:
  CounterColumns(std::vector<Column>& columns, bool watching)
      : columns_(columns), watching_(watching) {}
  void add(const std::string& title) {
    columns_.push_back({title, Align::kRight});
    if (watching_) columns_.push_back({"/S", Align::kRight});
  }

 private:
  std::vector<Column>& columns_;
  bool watching_;
};

void add_counter(std::vector<Cell>& row, const View& view, uint64_t now, uint64_t before,
                 Style style = Style::kPlain) {
  row.emplace_back(std::to_string(now), style);
  if (view.watching) row.emplace_back(view.rate(now, before));
}

void print_ports(Session& session, std::ostream& out, const View& view) {
  std::vector<Column> columns{{"PORT"}};
  CounterColumns counters(columns, view.watching);
  counters.add("RECEIVED");
  if (view.watching) columns.push_back({"MBIT/S", Align::kRight});
  counters.add("FORWARDED");
  counters.add("DROPPED");
  columns.push_back({"ORIGINATED", Align::kRight});
  columns.push_back({"HELD", Align::kRight});
  counters.add("SENT");
  if (view.watching) columns.push_back({"MBIT/S", Align::kRight});
  Table table(columns);
  constexpr double kMegabit = 8e-6;
  for (const Json& port : view.now["ports"].items()) {
    const Json old = find_in(view.before["ports"], "name", port["name"].text());
    const uint64_t dropped = sum_of(port["drops"]);
    std::vector<Cell> row{port["name"].text()};
    add_counter(row, view, port["received"].number(), old["received"].number());
    if (view.watching) {
      row.emplace_back(
          view.rate(port["received_bytes"].number(), old["received_bytes"].number(), kMegabit));
    }
    add_counter(row, view, port["forwarded"].number(), old["forwarded"].number());
    add_counter(row, view, dropped, sum_of(old["drops"]),
                dropped > 0 ? Style::kWarning : Style::kPlain);
    row.emplace_back(port["originated"].number());
    row.emplace_back(port["held"].number());
    add_counter(row, view, port["sent"].number(), old["sent"].number());
    if (view.watching) {
      row.emplace_back(
          view.rate(port["sent_bytes"].number(), old["sent_bytes"].number(), kMegabit));
    }
    table.add(std::move(row));
  }
  table.print(out, session.console().out_colour);
}

void print_drops(Session& session, std::ostream& out, const View& view) {
  const auto ports = view.now["ports"].items();
  std::vector<Column> columns{{"DROPPED AS"}};
  for (const Json& port : ports) columns.push_back({"ON " + port["name"].text(), Align::kRight});
  CounterColumns(columns, view.watching).add("TOTAL");
  columns.push_back({"BECAUSE"});
  Table table(columns);
  for (const auto& [reason, count] : view.now["total"]["drops"].members()) {
    std::vector<Cell> row{reason};
    for (const Json& port : ports) row.emplace_back(port["drops"][reason].number());
    add_counter(row, view, count.number(), view.before["total"]["drops"][reason].number());
    row.emplace_back(std::string(meaning_of(reason)), Style::kDim);
    table.add(std::move(row));
  }
  out << '\n';
  if (table.empty()) {
    out << "no packet was dropped\n";
  } else {
    table.print(out, session.console().out_colour);
  }
}

std::string busy_text(const Json& worker, const Json& old) {
  const uint64_t loops = worker["loops"].number() - old["loops"].number();
  const uint64_t idle = worker["idle_loops"].number() - old["idle_loops"].number();
  if (loops == 0 || idle > loops) return "-";
  const double busy = 100.0 * static_cast<double>(loops - idle) / static_cast<double>(loops);
  return std::to_string(std::lround(busy)) + "%";
}

void print_workers(Session& session, std::ostream& out, const View& view) {
  std::vector<Column> columns{
      {"WORKER", Align::kRight}, {"CPU", Align::kRight}, {"BUSY LOOPS", Align::kRight}};
  CounterColumns counters(columns, view.watching);
  counters.add("RECEIVED");
  for (const char* title :
       {"FORWARDED", "DROPPED", "HANDED OVER", "HELD BACK", "FLOW HITS", "MISSES"}) {
    columns.push_back({title, Align::kRight});
  }
  counters.add("CREATED");
  for (const char* title : {"EXPIRED", "CUT", "RECYCLED", "REJUDGED", "FLOWS"}) {
    columns.push_back({title, Align::kRight});
  }
  Table table(columns);
  for (const Json& worker : view.now["workers"].items()) {
    const Json old = find_in(view.before["workers"], "worker", worker["worker"].text());
    std::vector<Cell> row{worker["worker"].text(), worker["cpu"].text(), busy_text(worker, old)};
    add_counter(row, view, worker["received"].number(), old["received"].number());
    for (const char* name :
         {"forwarded", "dropped", "handed_over", "held_back", "flow_hits", "flow_misses"}) {
      row.emplace_back(worker[name].text());
    }
    add_counter(row, view, worker["flows_created"].number(), old["flows_created"].number());
    for (const char* name :
         {"flows_expired", "flows_cut", "flows_recycled", "flows_rejudged", "flows"}) {
      row.emplace_back(worker[name].text());
    }
    table.add(std::move(row));
  }
  out << '\n';
  table.print(out, session.console().out_colour);
}

void print_rest(Session& session, std::ostream& out, const Json& now) {
  const Json total = now["total"];
  out << "\nin total: received " << total["received"].number() << " + originated "
      << total["originated"].number() << " = sent " << total["sent"].number() << " + dropped "
      << total["dropped"].number() << " + held " << total["held"].number() << '\n';
  out << "of these: " << now["passed_always"].number()
      << " passed without judgement (ARP, neighbour discovery and the like), "
      << now["tunnelled"].number() << " encapsulated\n";
  for (const Json& hint : now["hints"].items()) {
    out << session.style("hint:", Style::kWarning) << ' ' << printable(hint.text()) << '\n';
  }
}

std::optional<Reading> read_counters(Session& session, std::string& body) {
  Request request;
  request.target = "/v1/stats";
  auto response = session.call(request);
  if (!response) return std::nullopt;
  auto answer = Answer::parse(response->body);
  if (!answer) {
    session.fail(answer.error());
    return std::nullopt;
  }
  body = std::move(response->body);
  return Reading{std::move(*answer), Clock::now()};
}

void show(Session& session, const View& view) {
  std::ostringstream page;  // written at once, so that a redraw does not flicker
  if (view.watching && session.console().out_terminal) page << "\x1b[H\x1b[J";
  print_ports(session, page, view);
  print_drops(session, page, view);
  print_workers(session, page, view);
  print_rest(session, page, view.now);
  if (view.watching && !session.console().out_terminal) page << '\n';
  session.out() << page.str() << std::flush;
}

int watch(Session& session, uint64_t seconds, uint64_t times) {
  std::optional<Reading> before;
  for (uint64_t i = 0; times == 0 || i < times; ++i) {
    if (i > 0) std::this_thread::sleep_for(std::chrono::seconds(seconds));
    std::string body;
    auto now = read_counters(session, body);
    if (!now) return kFailed;
    if (session.wants_json()) {
      session.out() << now->answer.root().text() << std::endl;
    } else {
      View view{now->answer.root(), {}, 0, true};
      if (before) {
        view.before = before->answer.root();
        view.seconds = std::chrono::duration<double>(now->at - before->at).count();
      }
      show(session, view);
    }
    if (!session.out().good()) return kFailed;
    before = std::move(now);
  }
  return kDone;
}

}  // namespace

int run_stats(Session& session) {
  const Invocation& invocation = session.invocation();
  if (invocation.has("watch")) {
    const auto seconds = parse_number(invocation.value("watch", "2"), 1, 3600, "--watch");
    if (!seconds) return session.fail_usage(seconds.error().what);
    const auto times = parse_number(invocation.value("count", "0"), 0, 1'000'000'000, "--count");
    if (!times) return session.fail_usage(times.error().what);
    return watch(session, *seconds, *times);
  }
  if (invocation.has("count")) return session.fail_usage("--count goes with --watch");
  std::string body;
  const auto now = read_counters(session, body);
  if (!now) return kFailed;
  if (session.wants_json()) return session.print_json(body);
  show(session, View{now->answer.root(), {}, 0, false});
  return kDone;
}

}  // namespace rampart::ctl
