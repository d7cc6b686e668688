// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "tools/rampartctl/commands.hpp"
#include "tools/rampartctl/sending.hpp"

// What has been done to the desired state, and taking it back.
namespace rampart::ctl {
namespace {

/// "root, rampartctl (4711)": the user, and the process or what it calls itself.
std::string caller_text(const Json& by) {
  const std::string user = by["user"].text("");
  std::string text = user.empty() ? "uid " + by["uid"].text() : user;
  const std::string process = by["process"].text(""), agent = by["agent"].text("");
  if (!process.empty() || !agent.empty()) text += ", " + (process.empty() ? agent : process);
  return text + " (" + by["pid"].text() + ")";
}

/// "+1 ~2 NetworkPolicy, -3 Pod".
std::string changes_text(const Json& changed) {
  std::string text;
  for (const auto& [kind, count] : changed.members()) {
    std::string one;
    const auto add = [&one, &of_kind = count](const char* sign, const char* member) {
      const uint64_t number = of_kind[member].number();
      if (number > 0) one += sign + std::to_string(number) + " ";
    };
    add("+", "added");
    add("~", "changed");
    add("-", "removed");
    text += (text.empty() ? "" : ", ") + one + kind;
  }
  return text.empty() ? "nothing" : text;
}

}  // namespace

int run_history(Session& session) {
  const Invocation& invocation = session.invocation();
  uint64_t limit = ~uint64_t{0};
  if (invocation.has("limit")) {
    const auto number = parse_number(invocation.value("limit"), 1, 1'000'000, "--limit");
    if (!number) return session.fail_usage(number.error().what);
    limit = *number;
  }
  const auto fetched = session.get("/v1/history");
  if (!fetched) return kFailed;
  if (fetched->shown) return kDone;
  const auto revisions = fetched->answer.root()["revisions"].items();
  if (revisions.empty()) session.note("no revision is remembered");
  for (const Json& one : revisions) {
    if (limit-- == 0) break;
    const std::string first = one["first"].text(), last = one["revision"].text();
    session.out() << session.style("revision " + (first == last ? last : first + "-" + last),
                                   Style::kBold)
                  << "  " << printable(one["when"].text()) << "  "
                  << printable(one["action"].text()) << " by " << printable(caller_text(one["by"]))
                  << '\n';
    if (one["reason"].exists()) {
      session.out() << "  because  " << printable(one["reason"].text()) << '\n';
    }
    for (const Json& other : one["others"].items()) {
      session.out() << "  with     " << printable(other["action"].text()) << " by "
                    << printable(caller_text(other["by"]));
      if (other["reason"].exists()) session.out() << ", " << printable(other["reason"].text());
      session.out() << '\n';
    }
    session.out() << "  changed  " << printable(changes_text(one["changed"])) << ", cut "
                  << counted(one["flows_cut"].number(), "flow") << '\n';
    for (const Json& policy : one["policies"].items()) {
      session.out() << "  " << printable(policy.text()) << '\n';
    }
  }
  return kDone;
}

int run_rollback(Session& session) {
  const Invocation& invocation = session.invocation();
  const auto target = parse_number(invocation.operands[0], 1, ~uint32_t{0}, "REVISION");
  if (!target) return session.fail_usage(target.error().what);
  Request request;
  request.method = "POST";
  request.target = target_with_query("/v1/history/" + std::to_string(*target) + "/rollback",
                                     {{"reason", invocation.value("reason")}});
  const auto sent = send(session, request, [](const Json&) { return std::string(); });
  if (!sent) return kFailed;
  const int status = show_accepted(session, *sent);
  if (!session.wants_json() && sent->answer.root()["changed"].truth()) {
    session.out() << "  policies  are those of revision " << *target
                  << "; pods, nodes and namespaces stay as they are\n";
  }
  return status;
}

}  // namespace rampart::ctl
