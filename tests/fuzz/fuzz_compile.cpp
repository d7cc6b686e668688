// SPDX-License-Identifier: Apache-2.0
// Small clusters, made decision by decision from the bytes of the input: compiled, and asked beside
// the plain evaluator; then changed, compiled again on top of the first, and asked again.
#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "control/compile/compile.hpp"
#include "control/kube/decode.hpp"
#include "control/kube/encode.hpp"
#include "control/kube/evaluate.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/support/ask.hpp"
#include "tests/support/eal.hpp"

namespace rampart {
namespace {

constexpr L4Port kPorts[] = {80, 81, 443, 1, 65535, 32768};
constexpr uint8_t kProtocols[] = {6, 17, 132};
constexpr uint8_t kOtherProtocols[] = {1, 58, 47};

using compile::Compiled;
using kube::ClusterState;

/// Makes objects that an API server would accept out of bytes; every byte is one decision. Names,
/// labels, ports and addresses are few, so that everything meets everything.
class Maker {
 public:
  Maker(const uint8_t* data, size_t size) : bytes_(data, size) {}

  bool more() { return bytes_.remaining_bytes() > 0; }
  /// Puts one object in, in the place of what has its name, or takes one out.
  void step(ClusterState& state) {
    switch (below(8)) {
      case 0:
        return put_namespace(state);
      case 1:
        return put_node(state);
      case 2:
        return take_out(state);
      case 3:
      case 4:
      case 5:
        return put_pod(state);
      default:
        return put_policy(state);
    }
  }
  IpAddress address() {
    const unsigned n = below(256);
    // A block of 16 of each family, the edges of both.
    if (n < 128) return IpAddress::v4(0x0a000000 + n % 16 + (n >= 64 ? 0xf0 : 0));
    if (n < 136) return IpAddress::v4(n % 2 == 0 ? 0 : 0xffffffff);
    std::array<uint8_t, 16> v6{};
    if (n < 140) {
      v6.fill(n % 2 == 0 ? 0 : 0xff);
      return IpAddress::v6(v6);
    }
    v6[0] = 0xfd;
    v6[n >= 200 ? 7 : 15] = static_cast<uint8_t>(n % 16);
    return IpAddress::v6(v6);
  }

 private:
  unsigned below(unsigned bound) { return bytes_.ConsumeIntegralInRange<unsigned>(0, bound - 1); }
  std::string name(const char* stem, unsigned count) { return stem + std::to_string(below(count)); }
  kube::Labels labels() {
    static constexpr const char* kKeys[] = {"a", "b"};
    kube::Labels made;
    for (const char* key : kKeys) {
      const unsigned value = below(4);
      if (value != 0) made.emplace_back(key, value == 1 ? "" : std::to_string(value));
    }
    return made;
  }
  kube::LabelSelector selector() {
    kube::LabelSelector made;
    for (unsigned left = below(3); left > 0; --left) {
      kube::LabelRequirement r;
      r.key = below(2) == 0 ? "a" : "b";
      r.op = static_cast<kube::LabelRequirement::Op>(below(4));
      if (r.op == kube::LabelRequirement::Op::kIn || r.op == kube::LabelRequirement::Op::kNotIn) {
        std::set<std::string> values;
        for (unsigned v = 1 + below(2); v > 0; --v) {
          const unsigned value = below(4);
          values.insert(value == 1 ? "" : std::to_string(value));
        }
        r.values.assign(values.begin(), values.end());
      }
      made.requirements.push_back(std::move(r));
    }
    auto& all = made.requirements;
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return made;
  }
  IpPrefix prefix(unsigned shortest) {
    const IpAddress a = address();
    return {a, std::min(a.bits(), below(a.bits() + 1 - shortest) + shortest)};
  }
  kube::PolicyPeer peer() {
    kube::PolicyPeer made;
    const unsigned which = below(4);
    if (which == 0) {
      kube::IpBlock block{prefix(0), {}};
      for (unsigned left = below(3); left > 0; --left) {
        const IpPrefix except = prefix(1);
        if (block.cidr.contains(except) && except.length() > block.cidr.length()) {
          block.except.push_back(except);
        }
      }
      made.ip_block = std::move(block);
      return made;
    }
    if ((which & 1) != 0) made.pod_selector = selector();
    if ((which & 2) != 0) made.namespace_selector = selector();
    return made;
  }
  IpProtocol port_protocol() { return static_cast<IpProtocol>(kProtocols[below(3)]); }
  kube::PolicyPort policy_port() {
    kube::PolicyPort made;
    made.protocol = port_protocol();
    const unsigned which = below(4);
    if (which == 0) return made;
    if (which == 1) {
      made.port = name("p", 2);
      return made;
    }
    const L4Port a = kPorts[below(std::size(kPorts))];
    const L4Port b = which == 2 ? a : kPorts[below(std::size(kPorts))];
    made.port = kube::PolicyPort::Range{std::min(a, b), std::max(a, b)};
    return made;
  }
  std::vector<kube::PolicyRule> rules() {
    std::vector<kube::PolicyRule> made(below(3));
    for (kube::PolicyRule& rule : made) {
      for (unsigned left = below(3); left > 0; --left) rule.peers.push_back(peer());
      for (unsigned left = below(3); left > 0; --left) rule.ports.push_back(policy_port());
    }
    return made;
  }

  template <typename T>
  static void put(ClusterState::Objects<T>& objects, kube::ObjectKey key, T object) {
    objects[std::move(key)] = std::make_shared<const T>(std::move(object));
  }
  /// What decoding would add of itself.
  static void imply_namespace(ClusterState& state, const std::string& name) {
    const kube::ObjectKey key{{}, name};
    if (state.namespaces.contains(key)) return;
    put(state.namespaces, key,
        kube::Namespace{name, {{"kubernetes.io/metadata.name", name}}, true});
  }
  void put_namespace(ClusterState& state) {
    kube::Namespace made{name("ns", 3), labels(), false};
    made.labels.emplace_back("kubernetes.io/metadata.name", made.name);
    const kube::ObjectKey key{{}, made.name};
    put(state.namespaces, key, std::move(made));
  }
  void put_node(ClusterState& state) {
    kube::Node made{name("n", 2), labels(), {}};
    for (unsigned left = below(3); left > 0; --left) add(made.addresses, address());
    const kube::ObjectKey key{{}, made.name};
    put(state.nodes, key, std::move(made));
  }
  static void add(std::vector<IpAddress>& addresses, const IpAddress& a) {
    if (std::find(addresses.begin(), addresses.end(), a) == addresses.end()) {
      addresses.push_back(a);
    }
  }
  void put_pod(ClusterState& state) {
    kube::Pod made;
    made.ns = name("ns", 3);
    made.name = name("pod", 8);
    made.labels = labels();
    const unsigned traits = below(32);
    if ((traits & 1) != 0) add(made.addresses, address());
    if ((traits & 3) == 3) {
      const IpAddress second = address();
      if (second.family() != made.addresses[0].family()) made.addresses.push_back(second);
    }
    if ((traits & 4) != 0) {
      made.node_name = name("n", 2);
      if ((traits & 8) != 0) made.host_addresses.push_back(address());
    }
    if ((traits & 16) != 0) {
      made.finished = below(4) == 0;
      made.host_network = below(4) == 0;
    }
    for (unsigned left = below(3); left > 0; --left) {
      kube::ContainerPort one{name("p", 2), port_protocol(), kPorts[below(std::size(kPorts))]};
      // A name stands once in a container; all of these are in one.
      if (std::none_of(made.ports.begin(), made.ports.end(),
                       [&](const auto& other) { return other.name == one.name; })) {
        made.ports.push_back(std::move(one));
      }
    }
    const kube::ObjectKey key{made.ns, made.name};
    imply_namespace(state, made.ns);
    put(state.pods, key, std::move(made));
  }
  void put_policy(ClusterState& state) {
    kube::NetworkPolicy made;
    made.ns = name("ns", 3);
    made.name = name("policy", 6);
    made.subject = selector();
    const unsigned types = below(4);
    made.isolates_ingress = types != 1;
    made.isolates_egress = types != 0;
    if (made.isolates_ingress) made.ingress = rules();
    if (made.isolates_egress) made.egress = rules();
    const kube::ObjectKey key{made.ns, made.name};
    imply_namespace(state, made.ns);
    put(state.policies, key, std::move(made));
  }
  template <typename T>
  void take_one(ClusterState::Objects<T>& objects) {
    if (objects.empty()) return;
    objects.erase(std::next(objects.begin(), below(static_cast<unsigned>(objects.size()))));
  }
  void take_out(ClusterState& state) {
    switch (below(3)) {
      case 0:
        return take_one(state.pods);
      case 1:
        return take_one(state.policies);
      default:
        return take_one(state.nodes);
    }
  }

  FuzzedDataProvider bytes_;
};

struct Connection {
  IpAddress from, to;
  uint8_t protocol = 6;
  L4Port port = 0;
};

/// As far as it decides something, and for both to be wrong together they would have to agree.
void compare(const Compiled& compiled, const kube::Evaluator& evaluator, const Connection& c) {
  const auto plain = evaluator.evaluate(c.from, c.to, c.protocol, c.port);
  const Verdict verdict = support::ask(*compiled.rules, c.from, c.to, c.protocol, c.port);
  if ((verdict.outcome == Outcome::kAllow) != plain.allowed) {
    std::fprintf(stderr, "%s -> %s protocol %u port %u: %s\n%s\n", c.from.text().c_str(),
                 c.to.text().c_str(), c.protocol, c.port, plain.why.c_str(),
                 kube::encode_snapshot(*compiled.state).c_str());
  }
  RAMPART_MUST((verdict.outcome == Outcome::kAllow) == plain.allowed);
  if (evaluator.end(c.from).is_shared() || evaluator.end(c.to).is_shared()) return;
  const auto named = [&compiled](uint32_t rule) {
    const kube::Admission* found = compiled.origins->find(rule);
    return found == nullptr ? std::optional<kube::Admission>() : *found;
  };
  RAMPART_MUST(named(verdict.egress_rule) == plain.egress.admission);
  RAMPART_MUST(named(verdict.ingress_rule) == plain.ingress.admission);
}

std::shared_ptr<const Compiled> compile_and_ask(const ClusterState& state, Revision revision,
                                                const Compiled* previous,
                                                const std::vector<Connection>& connections) {
  const auto made =
      compile::compile(std::make_shared<const ClusterState>(state), revision, previous);
  if (!made) std::fprintf(stderr, "%s\n", made.error().text().c_str());
  RAMPART_MUST(made);
  const Compiled& compiled = **made;
  RAMPART_MUST(compiled.rules != nullptr && compiled.rules->revision == revision);
  const auto policies = compile::policy_facts(compiled);
  RAMPART_MUST(policies.size() == state.policies.size());
  for (const auto& facts : policies) RAMPART_MUST(facts.fails_closed.empty());
  const kube::Evaluator evaluator(*compiled.state);
  for (const Connection& c : connections) compare(compiled, evaluator, c);
  return *made;
}

/// Between all addresses of pods and nodes of both states, and some beside them.
std::vector<Connection> connections(const ClusterState& a, const ClusterState& b, Maker& maker) {
  std::set<IpAddress> addresses;
  for (const ClusterState* state : {&a, &b}) {
    for (const auto& [key, pod] : state->pods) {
      addresses.insert(pod->addresses.begin(), pod->addresses.end());
    }
    for (const auto& [key, node] : state->nodes) {
      addresses.insert(node->addresses.begin(), node->addresses.end());
    }
  }
  for (int i = 0; i < 4; ++i) addresses.insert(maker.address());
  std::vector<Connection> made;
  unsigned n = 0;
  for (const IpAddress& from : addresses) {
    for (const IpAddress& to : addresses) {
      if (from.family() != to.family()) continue;
      // In turn all ports of one protocol, and one of the others.
      for (const L4Port port : kPorts) made.push_back({from, to, kProtocols[n % 3], port});
      ++n;
      made.push_back({from, to, kProtocols[n % 3], kPorts[n % std::size(kPorts)]});
      made.push_back({from, to, kOtherProtocols[n % 3], 0});
    }
  }
  return made;
}

}  // namespace
}  // namespace rampart

extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
  if (!rampart::test::start_eal()) std::exit(1);
  std::atexit(rampart::test::stop_eal);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace rampart;
  if (size > 1024) return 0;
  // Three quarters of the bytes make the first state, the rest changes it and asks.
  const size_t first = size - size / 4;
  ClusterState before;
  for (Maker maker(data, first); maker.more();) maker.step(before);
  Maker maker(data + first, size - first);
  ClusterState after = before;
  for (int i = 0; i < 3 && maker.more(); ++i) maker.step(after);

  const auto read_back = kube::decode_snapshot(kube::encode_snapshot(before));
  if (!read_back) std::fprintf(stderr, "%s\n", read_back.error().text().c_str());
  RAMPART_MUST(read_back);

  const auto asked = connections(before, after, maker);
  const auto one = compile_and_ask(before, 1, nullptr, asked);
  compile_and_ask(after, 2, one.get(), asked);
  return 0;
}
