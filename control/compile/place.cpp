// SPDX-License-Identifier: Apache-2.0
#include "control/compile/place.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace rampart::compile {
namespace {

/// Numbers for node names: those of before, and new ones where a name is new.
class NodeNumbering {
 public:
  NodeNumbering(const kube::ClusterState& state, const Memory* previous) {
    if (previous == nullptr) return;
    before_ = previous->nodes;
    last_ = previous->last_node;
    // Names that are gone are kept, for they may come back, until they are the most.
    if (before_->size() > 2 * (state.nodes.size() + state.pods.size()) + 1024) before_.reset();
  }
  uint32_t number(const std::string& name) {
    if (name.empty()) return 0;
    const NodeNumbers& known = changed_ ? *changed_ : before_ ? *before_ : kNoNumbers;
    if (const auto found = known.find(name); found != known.end()) return found->second;
    if (!changed_) changed_ = std::make_shared<NodeNumbers>(known);
    return changed_->emplace(name, ++last_).first->second;
  }
  /// Numbers are never given out twice, so a node that was forgotten gets a new one.
  bool forgot() const { return before_ == nullptr; }
  void finish(Memory& memory) {
    memory.nodes = changed_  ? std::move(changed_)
                   : before_ ? before_
                             : std::make_shared<const NodeNumbers>();
    memory.last_node = last_;
  }

 private:
  static const NodeNumbers kNoNumbers;
  std::shared_ptr<const NodeNumbers> before_;
  std::shared_ptr<NodeNumbers> changed_;
  uint32_t last_ = 0;
};
const NodeNumbers NodeNumbering::kNoNumbers;

/// 1 + index of a place for a new pod.
uint32_t take_endpoint(Memory& memory, std::vector<const kube::Pod*>& endpoints) {
  if (memory.free_endpoints.empty()) {
    endpoints.push_back(nullptr);
    return static_cast<uint32_t>(endpoints.size());
  }
  const uint32_t taken = memory.free_endpoints.back();
  memory.free_endpoints.pop_back();
  return taken;
}

}  // namespace

std::optional<Memory> place_pods(const kube::ClusterState& state,
                                 std::shared_ptr<const Frame> frame, const Memory* previous,
                                 std::vector<const kube::Pod*>& endpoints) {
  Memory memory;
  NodeNumbering nodes(state, previous);
  const bool same_groups = previous != nullptr && previous->frame == frame;
  memory.frame = std::move(frame);
  if (previous != nullptr) memory.free_endpoints = previous->free_endpoints;
  memory.pods.reserve(state.pods.size());

  static const std::vector<PodPlace> kNobody;
  const std::vector<PodPlace>& before = previous != nullptr ? previous->pods : kNobody;
  auto old = before.begin();
  const auto leave = [&] {
    endpoints[old->endpoint - 1] = nullptr;
    memory.free_endpoints.push_back((old++)->endpoint);
  };
  const auto order = [](const kube::Pod& a, const kube::Pod& b) {
    return std::tie(a.ns, a.name) <=> std::tie(b.ns, b.name);
  };
  for (const auto& [key, pod] : state.pods) {
    if (!counts_as_pod(*pod)) {
      if (!pod->finished) nodes.number(pod->node_name);  // it stands for its node
      continue;
    }
    while (old != before.end() && old->pod != pod.get() && order(*old->pod, *pod) < 0) leave();
    PodPlace place;
    const bool known =
        old != before.end() && (old->pod == pod.get() || order(*old->pod, *pod) == 0);
    const bool untouched = known && old->pod == pod.get();
    if (known) place = *old++;
    place.pod = pod.get();
    if (!untouched || !same_groups) {
      const auto group = memory.frame->groups.find(*pod);
      if (!group) return std::nullopt;
      place.group = *group;
    }
    if (!untouched || nodes.forgot()) place.node = nodes.number(pod->node_name);
    if (!known) place.endpoint = take_endpoint(memory, endpoints);
    endpoints[place.endpoint - 1] = pod.get();
    memory.pods.push_back(place);
  }
  while (old != before.end()) leave();
  for (const auto& [key, node] : state.nodes) nodes.number(node->name);
  nodes.finish(memory);
  return memory;
}

}  // namespace rampart::compile
