// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "tools/rampartctl/commands.hpp"

namespace rampart::ctl {
namespace {

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
  return state == "closing" || state == "closed" ? Style::kDim : Style::kPlain;
}

/// Numbers are checked here, so that the error names the option.
Result<void> check_numbers(const Invocation& invocation) {
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
  return {};
}

}  // namespace

int run_flows(Session& session) {
  const Invocation& invocation = session.invocation();
  if (auto fits = check_numbers(invocation); !fits) return session.fail_usage(fits.error().what);
  std::vector<std::pair<std::string_view, std::string>> query;
  for (const std::string_view name : {"address", "port", "protocol", "state", "limit"}) {
    query.emplace_back(name, invocation.value(name));
  }
  const auto fetched = session.get(target_with_query("/v1/flows", query));
  if (!fetched) return kFailed;
  if (fetched->shown) return kDone;
  const Json& answer = fetched->answer.root();
  const bool wide = invocation.has("wide");
  std::vector<Column> columns{{"PROTO"},
                              {"SOURCE"},
                              {"DESTINATION"},
                              {"STATE"},
                              {"PACKETS", Align::kRight},
                              {"BYTES", Align::kRight},
                              {"IDLE", Align::kRight},
                              {"EXPIRES", Align::kRight},
                              {"FROM POD"},
                              {"TO POD"}};
  if (wide) {
    for (const char* title :
         {"WIRE", "VLANS", "WORKER", "REVISION", "EGRESS RULE", "INGRESS RULE"}) {
      columns.push_back({title});
    }
  }
  Table table(columns);
  for (const Json& flow : answer["flows"].items()) {
    const std::string state = flow["state"].text();
    std::vector<Cell> row{flow["protocol"].text(),
                          endpoint_text(flow, "source"),
                          endpoint_text(flow, "destination"),
                          Cell(state, style_of(state)),
                          flow["packets"].joined("/"),
                          flow["bytes"].joined("/"),
                          duration_text(flow["idle_ms"].real() / 1000),
                          duration_text(flow["expires_in_ms"].real() / 1000),
                          flow["source_pod"].text(),
                          flow["destination_pod"].text()};
    if (wide) {
      row.emplace_back(flow["wire"].text());
      row.emplace_back(flow["vlans"].joined());
      for (const char* member : {"worker", "revision"}) row.emplace_back(flow[member].text());
      for (const char* member : {"egress_rule", "ingress_rule"}) {
        const std::string rule = flow[member].text("");
        row.emplace_back(rule.empty() ? "-" : rule);
      }
    }
    table.add(std::move(row));
  }
  if (table.empty()) {
    session.note("no flows");
  } else {
    session.print(table);
  }
  if (answer["truncated"].truth()) session.note("there are more; --limit shows up to 100000");
  return kDone;
}

}  // namespace rampart::ctl
