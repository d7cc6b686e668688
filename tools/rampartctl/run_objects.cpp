// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "tools/rampartctl/commands.hpp"

// endpoints and policies: what rampartd makes of the objects it was given.
namespace rampart::ctl {
namespace {

/// Whether "namespace/name" is in the namespace asked for (all are, if none was).
bool wanted(const Session& session, const std::string& object) {
  const std::string ns = session.invocation().value("namespace");
  return ns.empty() || object.starts_with(ns + "/");
}

std::string labels_text(const Json& labels) {
  std::string text;
  for (const auto& [key, value] : labels.members()) {
    text += (text.empty() ? "" : ",") + key + "=" + value.text("");
  }
  return text.empty() ? "-" : text;
}

/// The table, or a word that there is nothing to show.
int show(Session& session, const Table& table, std::string_view what) {
  if (table.empty()) {
    const std::string ns = session.invocation().value("namespace");
    session.note("no " + std::string(what) + (ns.empty() ? "" : " in namespace " + ns));
  } else {
    session.print(table);
  }
  return kDone;
}

}  // namespace

int run_endpoints(Session& session) {
  const auto fetched = session.get("/v1/endpoints");
  if (!fetched) return kFailed;
  if (fetched->shown) return kDone;
  const bool labels = session.invocation().has("labels");
  std::vector<Column> columns{{"POD"},    {"ADDRESSES"},           {"NODE"}, {"STATE"}, {"INGRESS"},
                              {"EGRESS"}, {"CLASS", Align::kRight}};
  if (labels) columns.push_back({"LABELS"});
  Table table(columns);
  for (const Json& endpoint : fetched->answer.root()["endpoints"].items()) {
    const std::string pod = endpoint["pod"].text(), state = endpoint["state"].text();
    if (!wanted(session, pod)) continue;
    std::vector<Cell> row{pod,
                          endpoint["addresses"].joined(),
                          endpoint["node"].text("").empty() ? "-" : endpoint["node"].text(),
                          Cell(state, state == "subject" ? Style::kPlain : Style::kDim),
                          endpoint["ingress_policies"].joined(),
                          endpoint["egress_policies"].joined(),
                          endpoint["peer_class"].text()};
    if (labels) row.emplace_back(labels_text(endpoint["labels"]));
    table.add(std::move(row));
  }
  return show(session, table, "pods");
}

int run_policies(Session& session) {
  const auto fetched = session.get("/v1/policies");
  if (!fetched) return kFailed;
  if (fetched->shown) return kDone;
  const Json& answer = fetched->answer.root();
  Table table({{"POLICY"},
               {"ISOLATES"},
               {"PODS", Align::kRight},
               {"INGRESS RULES", Align::kRight},
               {"EGRESS RULES", Align::kRight},
               {"COMPILED", Align::kRight},
               {"NOTE"}});
  for (const Json& policy : answer["policies"].items()) {
    const std::string name = policy["policy"].text(), closed = policy["fails_closed"].text("");
    if (!wanted(session, name)) continue;
    Cell note = closed.empty() ? Cell("") : Cell("fails closed: " + closed, Style::kWarning);
    if (closed.empty() && policy["pods"].number() == 0) note = Cell("selects no pod", Style::kDim);
    table.add({name, policy["types"].joined(), policy["pods"].text(),
               policy["ingress_rules"].text(), policy["egress_rules"].text(),
               policy["acl_rules"].text(), std::move(note)});
  }
  show(session, table, "policies");
  for (const Json& object : answer["unsupported"].items()) {
    session.warn(object["kind"].text() + " " + object["object"].text() +
                 " is not enforced: this kind is not supported");
  }
  return kDone;
}

}  // namespace rampart::ctl
