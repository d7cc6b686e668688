// SPDX-License-Identifier: Apache-2.0
#include "tools/rampartctl/cluster_files.hpp"

#include <algorithm>
#include <cctype>
#include <map>
#include <memory>
#include <utility>

#include "control/explain/question.hpp"
#include "control/kube/decode.hpp"
#include "control/kube/survey.hpp"
#include "tools/rampartctl/changes.hpp"
#include "tools/rampartctl/documents.hpp"
#include "tools/rampartctl/sending.hpp"

namespace rampart::ctl {
namespace {

/// Whether pods made from this template are there already.
bool is_running(const kube::ClusterState& state, const kube::Pod& pod) {
  if (pod.labels.empty()) return false;
  for (auto it = state.pods.lower_bound({pod.ns, {}});
       it != state.pods.end() && it->first.ns == pod.ns; ++it) {
    const kube::Labels& labels = it->second->labels;
    const auto there = [&](const auto& label) {
      return std::find(labels.begin(), labels.end(), label) != labels.end();
    };
    if (std::all_of(pod.labels.begin(), pod.labels.end(), there)) return true;
  }
  return false;
}

/// "Deployment web" as the surveyor calls it -> "deployment/web".
std::string workload_name(std::string name) {
  const size_t space = name.find(' ');
  std::transform(name.begin(), name.begin() + static_cast<std::ptrdiff_t>(space), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  name[space] = '/';
  return name;
}

void add_workloads(const std::vector<Document>& documents, kube::ClusterState& state) {
  kube::Surveyor surveyor;
  for (size_t i = 0; i < documents.size(); ++i) surveyor.add(documents[i].json, i);
  const kube::Survey survey = std::move(surveyor).finish();
  std::map<kube::ObjectKey, std::shared_ptr<const kube::Pod>> templates;
  for (const auto& [key, pod] : survey.state.pods) {
    if (key.name.find(' ') == std::string::npos || is_running(state, *pod)) continue;
    auto named = std::make_shared<kube::Pod>(*pod);
    named->name = workload_name(pod->name);
    templates.emplace(kube::ObjectKey{named->ns, named->name}, std::move(named));
  }
  for (const auto& [key, pod] : templates) {
    // As the decoder does it: content tells of its namespace.
    auto& ns = state.namespaces[{{}, key.ns}];
    if (ns == nullptr) {
      const auto given = survey.state.namespaces.find({{}, key.ns});
      ns = given != survey.state.namespaces.end()
               ? given->second
               : std::make_shared<const kube::Namespace>(
                     kube::Namespace{key.ns, {{"kubernetes.io/metadata.name", key.ns}}, true});
    }
  }
  for (const auto& [key, pod] : templates) state.pods.emplace(key, pod);
}

}  // namespace

std::optional<kube::ClusterState> cluster_from_files(Session& session,
                                                     const std::vector<std::string>& paths) {
  const auto documents = read_documents(paths, true, session.console().in);
  if (!documents) {
    session.fail(documents.error());
    return std::nullopt;
  }
  auto decoded = kube::decode_snapshot(list_of(*documents));
  if (!decoded) {
    const kube::Refusal& refusal = decoded.error();
    std::string place = find_object(*documents, refusal.kind, refusal.object);
    if (place.empty() && documents->size() == 1) place = documents->front().place();
    session.fail((place.empty() ? "" : place + ": ") + refusal.text());
    return std::nullopt;
  }
  kube::ClusterState state = std::move(decoded->state);
  add_workloads(*documents, state);
  if (state.pods.empty()) {
    session.warn("there is no pod and no workload among these objects");
  }
  explain::give_stand_in_addresses(state);
  warn_of_unsupported(session, state);
  return state;
}

void warn_of_unsupported(Session& session, const kube::ClusterState& state) {
  for (const auto& [key, policy] : state.unsupported) {
    const std::string name = policy->ns.empty() ? policy->name : policy->ns + "/" + policy->name;
    session.warn(policy->kind + " " + name + " of " + policy->api_version +
                 " is not enforced, and counts for nothing here");
  }
}

}  // namespace rampart::ctl
