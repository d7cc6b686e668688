// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "control/kube/decode.hpp"
#include "tools/rampartctl/changes.hpp"
#include "tools/rampartctl/commands.hpp"
#include "tools/rampartctl/in_force.hpp"
#include "tools/rampartctl/json_text.hpp"
#include "tools/rampartctl/reach_report.hpp"
#include "tools/rampartctl/sending.hpp"

// apply: a whole desired state at once.
namespace rampart::ctl {
namespace {

constexpr size_t kFlowsShown = 10;
constexpr size_t kChangesShown = 100;  // of each sort; a first snapshot adds everything

/// Refuses the empty state that an empty pipe or a mistyped directory makes, and points at states
/// that are hardly what was meant. What cannot be decoded here is left to rampartd to refuse.
bool plausible(Session& session, const std::vector<Document>& documents, const std::string& body) {
  const bool empty_is_meant = session.invocation().has("allow-empty");
  const auto decoded = kube::decode_snapshot(body);
  if (!decoded && !documents.empty()) return true;
  if (documents.empty() || object_count(decoded->state) == 0) {
    if (empty_is_meant) return true;
    session.fail(
        documents.empty()
            ? "the input is empty; a state without objects would lift every policy "
              "(--allow-empty if that is meant)"
            : "the input holds no object that policy speaks of; it would lift every policy "
              "(--allow-empty if that is meant)");
    return false;
  }
  if (decoded->state.pods.empty()) {
    session.warn("there is no Pod among these objects: no policy has anything to protect");
  } else if (decoded->state.policies.empty()) {
    session.warn("there is no NetworkPolicy among these objects: everything is allowed");
  }
  return true;
}

void print_changes(Session& session, const std::vector<std::string>& objects, char sign,
                   Style style) {
  for (size_t i = 0; i < std::min(objects.size(), kChangesShown); ++i) {
    session.out() << session.style(sign + (" " + printable(objects[i])), style) << '\n';
  }
  if (objects.size() > kChangesShown) {
    session.out() << sign << " … and " << objects.size() - kChangesShown << " more\n";
  }
}

void append_strings(std::string& json, std::string_view name,
                    const std::vector<std::string>& strings) {
  append_json_string(json, name);
  json += ":[";
  for (size_t i = 0; i < strings.size(); ++i) {
    if (i > 0) json += ',';
    append_json_string(json, strings[i]);
  }
  json += ']';
}

/// The first of the flows that would be cut, one line each.
void print_cut_flows(Session& session, const Json& flows) {
  if (!flows.exists()) return;
  const uint64_t cut = flows["cut"].number();
  session.out() << counted(cut, "live flow") << " of " << flows["live"].text()
                << (flows["truncated"].truth() ? " (and there are more) would be cut"
                                               : " would be cut")
                << (cut > 0 ? ":" : "") << '\n';
  size_t shown = 0;
  for (const Json& flow : flows["examples"].items()) {
    if (shown++ == kFlowsShown) break;
    const auto end = [&](const std::string& side) {
      const std::string pod = flow[side + "_pod"].text(""), address = flow[side].text();
      const std::string port = flow[side + "_port"].text();
      return (pod.empty() ? address : pod + " (" + address + ")") +
             (port == "0" ? "" : " port " + port);
    };
    session.out() << "  "
                  << printable(flow["protocol"].text() + " " + end("source") + " to " +
                               end("destination") + ", " + flow["state"].text())
                  << '\n';
  }
  if (cut > kFlowsShown) session.out() << "  … and " << cut - kFlowsShown << " more\n";
}

/// What would open and close. Nothing (and that has been said) where there are too many kinds of
/// pods to compare.
struct Compared {
  reach::PortSets sets;
  std::optional<reach::Difference> difference;
};

Compared compare(Session& session, const kube::ClusterState& before,
                 const kube::ClusterState& after) {
  Compared compared;
  auto difference = reach::compare(before, after, compared.sets);
  if (difference) {
    compared.difference = *std::move(difference);
  } else {
    session.warn("reachability was not compared: " + difference.error().text());
  }
  return compared;
}

/// Exits as diff does: whether anything would open or close.
int dry_run(Session& session, const std::string& body, const Sent& sent) {
  const auto before = state_in_force(session);
  if (!before) return kTrouble;
  const auto after = kube::decode_snapshot(body);
  if (!after) {
    session.fail("rampartd accepts what rampartctl refuses: " + after.error().text());
    return kTrouble;
  }
  const Changes changes = changes_between(*before, after->state);
  const Compared compared = compare(session, *before, after->state);
  const int status = !compared.difference          ? kTrouble
                     : compared.difference->none() ? kDone
                                                   : kDiffers;
  if (session.wants_json()) {
    std::string json = "{\"validation\":" + sent.response.body + ",\"changes\":{";
    append_strings(json, "added", changes.added);
    json += ',';
    append_strings(json, "changed", changes.changed);
    json += ',';
    append_strings(json, "removed", changes.removed);
    json += "},\"reachability\":";
    json += compared.difference ? difference_json(*compared.difference, compared.sets)
                                      .dump(-1, ' ', false, OrderedJson::error_handler_t::replace)
                                : "null";
    const int printed = session.print_json(json + "}");
    return printed == kDone ? status : printed;
  }
  print_changes(session, changes.added, '+', Style::kGood);
  print_changes(session, changes.changed, '~', Style::kWarning);
  print_changes(session, changes.removed, '-', Style::kBad);
  if (changes.none()) {
    session.out() << "accepted; nothing would change (dry run)\n";
  } else {
    session.out() << "accepted; would add " << changes.added.size() << ", change "
                  << changes.changed.size() << ", remove " << changes.removed.size()
                  << " (dry run: nothing was changed)\n";
  }
  if (compared.difference && !changes.none()) {
    session.out() << "reachability: " << difference_summary(*compared.difference) << '\n';
    print_difference(session, *compared.difference, compared.sets);
  }
  print_cut_flows(session, sent.answer.root()["flows"]);
  print_outcome(session, sent.answer.root(), Swapped::kNo);
  return status;
}

/// Where the refused object was read; with a single document its name says enough.
std::string place_in_input(const std::vector<Document>& documents, const Json& problem) {
  if (documents.size() < 2) return {};
  return find_object(documents, problem["kind"].text(""), problem["object"].text(""));
}

}  // namespace

int run_apply(Session& session) {
  const Invocation& invocation = session.invocation();
  if (!invocation.has("filename")) return session.fail_usage("apply wants -f FILE");
  const bool dry = invocation.has("dry-run");
  if (dry && invocation.has("if-match")) {
    return session.fail_usage("--if-match has no meaning with --dry-run");
  }
  Request request;
  if (!take_if_match(session, request)) return kUsage;
  const int failed = dry ? kTrouble : kFailed;
  const auto documents = read_input(session);
  if (!documents) return failed;
  request.method = dry ? "POST" : "PUT";
  request.target =
      dry ? "/v1/validate?flows=true"
          : target_with_query("/v1/snapshot", {{"reason", invocation.value("reason")}});
  request.content_type = kJsonType;
  request.body = list_of(*documents);
  if (!plausible(session, *documents, request.body)) return failed;
  const auto sent = send(session, request,
                         [&](const Json& problem) { return place_in_input(*documents, problem); });
  if (!sent) return failed;
  return dry ? dry_run(session, request.body, *sent) : show_accepted(session, *sent);
}

}  // namespace rampart::ctl
