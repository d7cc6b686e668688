// SPDX-License-Identifier: Apache-2.0
#include "tests/support/random_cluster.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <utility>

namespace rampart::support {
namespace {

const std::vector<std::string> kKeys{"app", "tier", "x"};
const std::vector<std::string> kValues{"a", "b", "c", ""};
const std::vector<std::string> kPortNames{"http", "dns", "admin"};
const std::vector<L4Port> kPorts{1, 53, 80, 81, 82, 443, 8080, 65535};
const std::vector<IpProtocol> kProtocols{IpProtocol::kTcp, IpProtocol::kUdp, IpProtocol::kSctp};

std::string name(const char* stem, uint32_t number) {
  return stem + std::to_string(number);
}

template <typename T>
void put(kube::ClusterState::Objects<T>& objects, T object, kube::ObjectKey key) {
  objects[std::move(key)] = std::make_shared<const T>(std::move(object));
}

}  // namespace

std::string RandomProbe::text() const {
  return from.text() + " -> " + to.text() + " protocol " + std::to_string(protocol) + " port " +
         std::to_string(port);
}

kube::Labels RandomCluster::labels() {
  kube::Labels made;
  for (const std::string& key : kKeys) {
    if (!one_in(3)) made.emplace_back(key, any_of(kValues));
  }
  return made;
}

kube::LabelSelector RandomCluster::selector() {
  using Op = kube::LabelRequirement::Op;
  kube::LabelSelector made;
  for (uint32_t left = below(3); left > 0; --left) {
    kube::LabelRequirement r;
    r.key = any_of(kKeys);
    r.op = any_of(std::vector<Op>{Op::kIn, Op::kIn, Op::kNotIn, Op::kExists, Op::kDoesNotExist});
    std::set<std::string> values;
    if (r.op == Op::kIn || r.op == Op::kNotIn) {
      for (uint32_t v = 1 + below(2); v > 0; --v) values.insert(any_of(kValues));
    }
    r.values.assign(values.begin(), values.end());
    made.requirements.push_back(std::move(r));
  }
  std::sort(made.requirements.begin(), made.requirements.end());
  made.requirements.erase(std::unique(made.requirements.begin(), made.requirements.end()),
                          made.requirements.end());
  return made;
}

IpAddress RandomCluster::address(Family family) {
  // Sometimes at the ends of the family, mostly among three dozen.
  if (family == Family::kV4) {
    if (one_in(20)) return IpAddress::v4(one_in(2) ? 0 : 0xFFFFFFFF);
    return IpAddress::v4(0x0A000000 + (one_in(8) ? 0x100 : 0) + below(32));
  }
  std::array<uint8_t, 16> bytes{};
  if (one_in(20)) {
    bytes.fill(one_in(2) ? 0 : 0xFF);
    return IpAddress::v6(bytes);
  }
  bytes[0] = 0xFD;
  if (one_in(8)) bytes[7] = 1;
  bytes[15] = static_cast<uint8_t>(below(32));
  return IpAddress::v6(bytes);
}

IpPrefix RandomCluster::prefix(Family family) {
  const IpAddress a = address(family);
  const unsigned longest = a.bits();
  return {a, one_in(10) ? 0 : one_in(6) ? longest / 2 : longest - below(9)};
}

kube::IpBlock RandomCluster::block() {
  const Family family = one_in(3) ? Family::kV6 : Family::kV4;
  kube::IpBlock made{prefix(family), {}};
  for (uint32_t left = below(4); left > 0; --left) {
    const IpPrefix except = prefix(family);
    if (made.cidr.contains(except) && except.length() > made.cidr.length()) {
      made.except.push_back(except);
    }
  }
  return made;
}

kube::PolicyPeer RandomCluster::peer() {
  kube::PolicyPeer made;
  if (one_in(3)) {
    made.ip_block = block();
    return made;
  }
  const uint32_t which = below(3);
  if (which != 1) made.pod_selector = selector();
  if (which != 0) made.namespace_selector = selector();
  return made;
}

kube::PolicyPort RandomCluster::policy_port() {
  kube::PolicyPort made;
  made.protocol = any_of(kProtocols);
  const uint32_t which = below(8);
  if (which == 0) return made;
  if (which <= 3) {
    made.port = any_of(kPortNames);
    return made;
  }
  const L4Port a = any_of(kPorts), b = which <= 5 ? a : any_of(kPorts);
  made.port = kube::PolicyPort::Range{std::min(a, b), std::max(a, b)};
  return made;
}

std::vector<kube::PolicyRule> RandomCluster::rules() {
  std::vector<kube::PolicyRule> made(below(3));
  for (kube::PolicyRule& rule : made) {
    for (uint32_t left = below(4); left > 0; --left) rule.peers.push_back(peer());
    for (uint32_t left = below(3); left > 0; --left) rule.ports.push_back(policy_port());
  }
  return made;
}

void RandomCluster::put_namespace(kube::ClusterState& state) {
  kube::Namespace made{name("ns", below(4)), labels(), false};
  made.labels.emplace_back("kubernetes.io/metadata.name", made.name);
  std::sort(made.labels.begin(), made.labels.end());
  const kube::ObjectKey key{{}, made.name};
  put(state.namespaces, std::move(made), key);
}

void RandomCluster::put_pod(kube::ClusterState& state) {
  kube::Pod made;
  made.ns = name("ns", below(4));
  made.name = name("pod", below(12));
  made.labels = labels();
  if (!one_in(8)) made.addresses.push_back(address(one_in(3) ? Family::kV6 : Family::kV4));
  if (!made.addresses.empty() && one_in(3)) {
    made.addresses.push_back(address(made.addresses.front().is_v4() ? Family::kV6 : Family::kV4));
  }
  if (!one_in(5)) {
    made.node_name = name("node", below(4));
    if (one_in(2)) made.host_addresses.push_back(address(one_in(3) ? Family::kV6 : Family::kV4));
  }
  made.host_network = one_in(8);
  made.finished = one_in(10);
  for (uint32_t left = below(4); left > 0; --left) {
    made.ports.push_back(
        {one_in(5) ? std::string() : any_of(kPortNames), any_of(kProtocols), any_of(kPorts)});
  }
  if (state.namespaces.count({{}, made.ns}) == 0) {
    put(state.namespaces,
        kube::Namespace{made.ns, {{"kubernetes.io/metadata.name", made.ns}}, true}, {{}, made.ns});
  }
  const kube::ObjectKey key{made.ns, made.name};
  put(state.pods, std::move(made), key);
}

void RandomCluster::crowd(kube::ClusterState& state) {
  const IpAddress crowded = address(one_in(3) ? Family::kV6 : Family::kV4);
  std::vector<kube::Pod> all;
  for (const auto& [key, pod] : state.pods) all.push_back(*pod);
  all.resize(std::min<size_t>(all.size(), 6 + below(8)));
  for (kube::Pod& pod : all) {
    pod.addresses = {crowded};
    pod.finished = pod.host_network = false;
    const kube::ObjectKey key{pod.ns, pod.name};
    put(state.pods, std::move(pod), key);
  }
}

void RandomCluster::put_node(kube::ClusterState& state) {
  kube::Node made{name("node", below(4)), labels(), {}};
  for (uint32_t left = below(3); left > 0; --left) {
    made.addresses.push_back(address(one_in(3) ? Family::kV6 : Family::kV4));
  }
  const kube::ObjectKey key{{}, made.name};
  put(state.nodes, std::move(made), key);
}

void RandomCluster::put_policy(kube::ClusterState& state) {
  kube::NetworkPolicy made;
  made.ns = name("ns", below(4));
  made.name = name("policy", below(6));
  if (one_in(2)) made.subject = selector();
  made.isolates_egress = one_in(3);
  made.isolates_ingress = !made.isolates_egress || one_in(2);
  if (made.isolates_ingress) made.ingress = rules();
  if (made.isolates_egress) made.egress = rules();
  if (one_in(20)) {
    made.ingress.clear();
    made.egress.clear();
    made.fails_closed = "it holds a field that nobody knows";
  }
  if (state.namespaces.count({{}, made.ns}) == 0) {
    put(state.namespaces,
        kube::Namespace{made.ns, {{"kubernetes.io/metadata.name", made.ns}}, true}, {{}, made.ns});
  }
  const kube::ObjectKey key{made.ns, made.name};
  put(state.policies, std::move(made), key);
}

void RandomCluster::tweak_policy(kube::ClusterState& state) {
  if (state.policies.empty()) return;
  const kube::ObjectKey chosen =
      std::next(state.policies.begin(), below(static_cast<uint32_t>(state.policies.size())))->first;
  kube::NetworkPolicy made = *state.policies.at(chosen);
  for (auto* side : {&made.ingress, &made.egress}) {
    for (kube::PolicyRule& rule : *side) {
      for (kube::PolicyPeer& p : rule.peers) {
        if (one_in(2)) p = peer();
      }
      for (kube::PolicyPort& p : rule.ports) {
        if (one_in(2)) p = policy_port();
      }
    }
  }
  state.policies[chosen] = std::make_shared<const kube::NetworkPolicy>(std::move(made));
}

kube::ClusterState RandomCluster::make() {
  kube::ClusterState state;
  for (uint32_t left = 1 + below(4); left > 0; --left) put_namespace(state);
  for (uint32_t left = below(40); left > 0; --left) put_pod(state);
  for (uint32_t left = below(4); left > 0; --left) put_node(state);
  for (uint32_t left = below(20); left > 0; --left) put_policy(state);
  if (one_in(10)) crowd(state);
  return state;
}

void RandomCluster::change(kube::ClusterState& state) {
  const auto remove_any = [&](auto& objects) {
    if (objects.empty()) return;
    objects.erase(std::next(objects.begin(), below(static_cast<uint32_t>(objects.size()))));
  };
  for (uint32_t left = 1 + below(2); left > 0; --left) {
    switch (below(14)) {
      case 0:
        put_policy(state);
        break;
      case 1:
        tweak_policy(state);
        break;
      case 2:
        remove_any(state.policies);
        break;
      case 3:
        put_namespace(state);
        break;
      case 4:
        put_node(state);
        break;
      case 5:
        remove_any(state.nodes);
        break;
      case 6:
      case 7:
        remove_any(state.pods);
        break;
      default:
        put_pod(state);
    }
  }
}

std::vector<RandomProbe> RandomCluster::probes(const kube::ClusterState& state, size_t count) {
  std::set<IpAddress> places;
  std::map<Family, std::vector<IpAddress>> of_pods;
  const auto add = [&](const IpAddress& a) { places.insert({a, successor(a), predecessor(a)}); };
  for (const auto& [key, pod] : state.pods) {
    for (const IpAddress& a : pod->addresses) of_pods[a.family()].push_back(a);
    for (const IpAddress& a : pod->host_addresses) places.insert(a);
  }
  for (const auto& [key, node] : state.nodes) {
    for (const IpAddress& a : node->addresses) places.insert(a);
  }
  for (const auto& [key, policy] : state.policies) {
    for (const auto* side : {&policy->ingress, &policy->egress}) {
      for (const kube::PolicyRule& rule : *side) {
        for (const kube::PolicyPeer& p : rule.peers) {
          if (!p.ip_block) continue;
          add(p.ip_block->cidr.first());
          add(p.ip_block->cidr.last());
          for (const IpPrefix& except : p.ip_block->except) {
            add(except.first());
            add(except.last());
          }
        }
      }
    }
  }
  std::map<Family, std::vector<IpAddress>> by_family;
  for (const IpAddress& a : places) by_family[a.family()].push_back(a);
  std::vector<RandomProbe> made;
  while (made.size() < count) {
    const Family family = one_in(3) ? Family::kV6 : Family::kV4;
    const auto pick = [&] {
      const auto& known = below(5) < 3 ? of_pods[family] : by_family[family];
      return known.empty() || one_in(10) ? address(family) : any_of(known);
    };
    RandomProbe probe{pick(), pick(), 0, 0};
    if (one_in(8)) {
      probe.protocol = family == Family::kV4 ? 1 : 58;
      if (one_in(3)) probe.protocol = static_cast<uint8_t>(below(256));
    } else {
      probe.protocol = static_cast<uint8_t>(any_of(kProtocols));
      probe.port = static_cast<L4Port>(any_of(kPorts) + below(3) - 1);
      if (one_in(10)) probe.port = static_cast<L4Port>(below(65536));
    }
    made.push_back(probe);
  }
  return made;
}

}  // namespace rampart::support
