// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tools/rampartctl/commands.hpp"

namespace rampart::ctl {
namespace {

using Query = std::vector<std::pair<std::string_view, std::string>>;

constexpr std::array<std::string_view, 6> kFilters{"address", "port", "protocol",
                                                   "state",   "pod",  "policy"};

/// "10.0.0.1:80", "[fd00::1]:80"; without a port the address alone.
std::string endpoint_text(const Json& flow, const std::string& side) {
  std::string address = flow[side].text();
  const Json port = flow[side + "_port"];
  if (port.number() == 0) return address;
  const bool v6 = address.find(':') != std::string::npos;
  return (v6 ? "[" + address + "]" : address) + ":" + port.text();
}

Style style_of(const std::string& state) {
  if (state == "established") return Style::kGood;
  return state == "closing" || state == "reset" ? Style::kDim : Style::kPlain;
}

std::string rule_text(const Json& rule) {
  const std::string text = rule.text("");
  return text.empty() ? "-" : text;
}

/// What the table of options cannot say. Numbers are checked here, so that the error names the
/// option.
Result<void> check(const Invocation& invocation) {
  struct Bound {
    std::string_view option;
    uint64_t least, most;
  };
  for (const Bound& bound : {Bound{"port", 0, 65535}, Bound{"limit", 1, 100'000}}) {
    if (!invocation.has(bound.option)) continue;
    auto number = parse_number(invocation.value(bound.option), bound.least, bound.most,
                               "--" + std::string(bound.option));
    if (!number) return std::move(number).error();
  }
  const auto wrong = [](std::string what) {
    return Error{ErrorCode::kInvalid, std::move(what), {}};
  };
  if (!invocation.has("cut")) {
    if (invocation.has("all")) return wrong("--all goes with --cut");
    return {};
  }
  for (const std::string_view option : {"limit", "wide"}) {
    if (invocation.has(option)) {
      return wrong("--" + std::string(option) + " does not go with --cut");
    }
  }
  const bool filtered = std::any_of(kFilters.begin(), kFilters.end(),
                                    [&](auto filter) { return invocation.has(filter); });
  if (filtered && invocation.has("all")) {
    return wrong("--all is every flow, and a filter only some: give one of the two");
  }
  if (!filtered && !invocation.has("all")) {
    return wrong("--cut wants a filter that says which flows, or --all");
  }
  return {};
}

int cut(Session& session, Query query) {
  if (session.invocation().has("all")) query.emplace_back("all", "true");
  Request request;
  request.method = "DELETE";
  request.target = target_with_query("/v1/flows", query);
  const auto response = session.call(request);
  if (!response) return kFailed;
  if (session.wants_json()) return session.print_json(response->body);
  const auto answer = Answer::parse(response->body);
  if (!answer) return session.fail(answer.error());
  const uint64_t count = answer->root()["cut"].number();
  session.out() << counted(count, "flow") << (count == 1 ? " was" : " were") << " cut\n";
  return kDone;
}

Table table_of(const Json& flows, bool wide) {
  std::vector<Column> columns{{"PROTO"},
                              {"OPENED BY"},
                              {"TO"},
                              {"STATE"},
                              {"IDLE", Align::kRight},
                              {"EXPIRES", Align::kRight},
                              {"PACKETS", Align::kRight},
                              {"BYTES", Align::kRight},
                              {"FROM POD"},
                              {"TO POD"},
                              {"EGRESS RULE"},
                              {"INGRESS RULE"}};
  if (wide) {
    for (const char* title : {"ON PORT", "VLANS", "WORKER", "REVISION"}) columns.push_back({title});
  }
  Table table(columns);
  for (const Json& flow : flows.items()) {
    const std::string state = flow["state"].text();
    std::vector<Cell> row{flow["protocol"].text(),
                          endpoint_text(flow, "source"),
                          endpoint_text(flow, "destination"),
                          Cell(state, style_of(state)),
                          duration_text(flow["idle_ms"].real() / 1000),
                          duration_text(flow["expires_in_ms"].real() / 1000),
                          flow["packets"].joined("/"),
                          flow["bytes"].joined("/"),
                          flow["source_pod"].text(),
                          flow["destination_pod"].text(),
                          rule_text(flow["egress_rule"]),
                          rule_text(flow["ingress_rule"])};
    if (wide) {
      row.emplace_back(flow["opened_on"].text());
      row.emplace_back(flow["vlans"].joined());
      for (const char* member : {"worker", "revision"}) row.emplace_back(flow[member].text());
    }
    table.add(std::move(row));
  }
  return table;
}

}  // namespace

int run_flows(Session& session) {
  const Invocation& invocation = session.invocation();
  if (auto fits = check(invocation); !fits) return session.fail_usage(fits.error().what);
  Query query;
  for (const std::string_view name : kFilters) query.emplace_back(name, invocation.value(name));
  if (invocation.has("cut")) return cut(session, std::move(query));
  query.emplace_back("limit", invocation.value("limit"));
  const auto fetched = session.get(target_with_query("/v1/flows", query));
  if (!fetched) return kFailed;
  if (fetched->shown) return kDone;
  const Json& answer = fetched->answer.root();
  const Table table = table_of(answer["flows"], invocation.has("wide"));
  if (table.empty()) {
    session.note("no flows");
  } else {
    session.print(table);
  }
  if (answer["truncated"].truth()) session.note("there are more; --limit shows up to 100000");
  return kDone;
}

}  // namespace rampart::ctl
