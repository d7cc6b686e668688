// SPDX-License-Identifier: Apache-2.0
#include "control/compile/kinds.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace rampart::compile {
namespace {

std::vector<kube::IpBlock> blocks_of(const kube::ClusterState& state) {
  std::set<kube::IpBlock> blocks;
  for (const auto& [key, policy] : state.policies) {
    for_each_block(*policy, [&](const kube::IpBlock& block) { blocks.insert(block); });
  }
  return {blocks.begin(), blocks.end()};
}

}  // namespace

Kinds::Kinds(const kube::ClusterState& state) : zones(blocks_of(state)) {
  for (const auto& [key, policy] : state.policies) {
    for_each_pod_selector(*policy, [&](const kube::LabelSelector& s) { pod_words.learn(s); });
  }
  for (const auto& [key, object] : state.namespaces) {
    namespaces.replace(ns(object->name), namespace_words.learn(object->labels));
  }
}

uint32_t Kinds::ns(const std::string& name) {
  const auto [entry, added] = namespace_numbers.try_emplace(name, namespaces.size());
  if (added) {
    namespaces.add({});
    namespace_names.push_back(name);
  }
  return entry->second;
}

uint32_t Kinds::port_name(const std::string& name, IpProtocol protocol) {
  const auto next = static_cast<uint32_t>(port_names.size());
  return port_names.try_emplace({name, protocol}, next).first->second;
}

uint32_t Kinds::group(const kube::Pod& pod) {
  std::vector<NamedPort> ports;
  for (const kube::ContainerPort& port : pod.ports) {
    if (!port.name.empty()) ports.push_back({port_name(port.name, port.protocol), port.number});
  }
  std::sort(ports.begin(), ports.end());
  ports.erase(std::unique(ports.begin(), ports.end()), ports.end());
  return groups.add(ns(pod.ns), pod_words.project(pod.labels), std::move(ports));
}

}  // namespace rampart::compile
