// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "control/explain/question.hpp"
#include "tools/rampartctl/cluster_files.hpp"
#include "tools/rampartctl/commands.hpp"
#include "tools/rampartctl/in_force.hpp"
#include "tools/rampartctl/reach_report.hpp"

// Who can reach whom: matrix shows it, diff what differs between two clusters.
namespace rampart::ctl {
namespace {

std::string dumped(const OrderedJson& json) {
  return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

std::set<std::string> set_of(const std::vector<std::string>& words) {
  return {words.begin(), words.end()};
}

std::optional<kube::ClusterState> matrix_state(Session& session) {
  if (session.invocation().has("filename")) {
    return cluster_from_files(session, session.invocation().values("filename"));
  }
  auto state = state_in_force(session);
  if (state) warn_of_unsupported(session, *state);
  if (state && state->pods.empty() && state->policies.empty()) {
    session.fail("no snapshot has been accepted yet");
    return std::nullopt;
  }
  return state;
}

}  // namespace

int run_matrix(Session& session) {
  const Invocation& invocation = session.invocation();
  const auto state = matrix_state(session);
  if (!state) return kFailed;
  reach::View view{.kinds = invocation.has("kinds"),
                   .expanded = set_of(invocation.values("expand")),
                   .namespaces = set_of(invocation.values("namespace"))};
  for (const auto& names : {view.expanded, view.namespaces}) {
    for (const std::string& name : names) {
      if (state->namespaces.count({{}, name}) > 0) continue;
      return session.fail("there is no namespace " + name);
    }
  }
  const reach::Vocabulary vocabulary({&*state});
  reach::PortSets sets;
  std::vector<reach::End> ends = reach::ends_of(*state, vocabulary);
  std::vector<bool> wanted;
  wanted.reserve(ends.size());
  for (const reach::End& end : ends) wanted.push_back(view.wants(end.key.ns));
  const auto made = reach::Reach::of(*state, std::move(ends), std::move(wanted), sets);
  if (!made) {
    return session.fail(made.error().text() +
                        ": -n NAMESPACE computes what goes from or to this namespace only");
  }
  const reach::Overview overview(*made, sets, view);
  const Picture picture{*made, sets, overview};
  if (session.wants_json()) return session.print_json(dumped(matrix_json(picture)));
  if (session.format() == "html") {
    // A picture of more is no picture; the kinds of some namespaces can be asked for.
    constexpr size_t kMostDrawn = 1500;
    if (overview.groups().size() > kMostDrawn) {
      return session.fail(
          std::to_string(overview.groups().size()) +
          " namespaces, kinds and address blocks are too many for a page (at most " +
          std::to_string(kMostDrawn) + "); -o table and -o json can say it");
    }
    view.kinds = made->ends().size() <= kMostDrawn;
    if (!view.kinds) {
      view.expanded.insert(view.namespaces.begin(), view.namespaces.end());
      session.warn(
          std::to_string(made->ends().size()) +
          " kinds are too many to be drawn each: only those of namespaces that --expand or "
          "-n names are");
    }
    const reach::Overview kinds(*made, sets, view);
    const auto files = invocation.values("filename");
    std::string source;
    for (const std::string& file : files) source += (source.empty() ? "" : ", ") + file;
    session.out() << matrix_page(picture, {*made, sets, kinds},
                                 source.empty() ? "the state in force" : source);
    return kDone;
  }
  print_matrix(session, picture);
  return kDone;
}

int run_diff(Session& session) {
  const Invocation& invocation = session.invocation();
  const auto& operands = invocation.operands;
  if (operands[0] == "-" && operands[1] == "-") {
    session.fail_usage("the standard input can be one of the two, not both");
    return kTrouble;
  }
  const auto read = [&](const std::string& side) -> std::optional<kube::ClusterState> {
    if (side == "@running") {
      if (invocation.has("filename")) {
        session.fail("@running is a whole cluster: -f has nothing to add to it");
        return std::nullopt;
      }
      auto state = state_in_force(session);
      // As in files: a pod that has no address yet is the same on both sides.
      if (state) explain::give_stand_in_addresses(*state);
      if (state) warn_of_unsupported(session, *state);
      return state;
    }
    std::vector<std::string> paths{side};
    for (const std::string& file : invocation.values("filename")) paths.push_back(file);
    return cluster_from_files(session, paths);
  };
  const auto before = read(operands[0]);
  if (!before) return kTrouble;
  const auto after = read(operands[1]);
  if (!after) return kTrouble;
  reach::PortSets sets;
  const auto difference = reach::compare(*before, *after, sets);
  if (!difference) {
    session.fail(difference.error());
    return kTrouble;
  }
  if (session.wants_json()) {
    session.print_json(dumped(difference_json(*difference, sets)));
  } else {
    print_difference(session, *difference, sets);
    session.out() << difference_summary(*difference) << '\n';
  }
  return difference->none() ? kDone : kDiffers;
}

}  // namespace rampart::ctl
