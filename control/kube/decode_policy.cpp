// SPDX-License-Identifier: Apache-2.0
//
// networking.k8s.io/v1 NetworkPolicy. The rules are those of the API server's
// ValidateNetworkPolicySpec, ValidateNetworkPolicyPort, ValidateNetworkPolicyPeer, ValidateIPBlock
// (pkg/apis/networking/validation) and ValidateLabelSelector (apimachinery), with its defaults
// (pkg/apis/networking/v1/defaults.go) filled in.
//
// Two things are stricter on purpose. A null where a list wants an object is refused: Go reads it
// as an empty object, and an empty rule allows everything. A member that stands there twice is
// refused, for readers disagree about which one counts.
#include <algorithm>

#include "control/kube/decode_objects.hpp"
#include "control/kube/syntax.hpp"

namespace rampart::kube {
namespace {

using Element = JsonReader::Element;
using Slot = JsonReader::Slot;
using Step = JsonReader::Step;
using Op = LabelRequirement::Op;
constexpr auto kNote = JsonReader::Unknown::kNote;

/// Calls `read(element)` for each element of the list `name`; absent and null are an empty list.
template <typename Read>
bool each(JsonReader& reader, std::string_view name, const Slot& slot, Read read) {
  if (!slot) return true;
  const Step step(reader, name);
  simdjson::dom::array list;
  if (!reader.array(*slot, list)) return reader.resume();
  size_t index = 0;
  for (const auto element : list) {
    const Step at(reader, index++);
    if (!read(element) && !reader.resume()) return false;
  }
  return true;
}

bool read_operator(JsonReader& reader, const Slot& slot, Op& out) {
  const Step step(reader, "operator");
  std::string_view text;
  if (slot && !reader.string(*slot, text)) return false;
  if (text == "In") {
    out = Op::kIn;
  } else if (text == "NotIn") {
    out = Op::kNotIn;
  } else if (text == "Exists") {
    out = Op::kExists;
  } else if (text == "DoesNotExist") {
    out = Op::kDoesNotExist;
  } else {
    return reader.fail("must be In, NotIn, Exists or DoesNotExist");
  }
  return true;
}

/// metav1.LabelSelectorRequirement.
bool read_requirement(JsonReader& reader, Element element, LabelRequirement& out) {
  Slot key, op, values;
  if (!reader.members(element, {{"key", &key}, {"operator", &op}, {"values", &values}}, kNote) ||
      !read_operator(reader, op, out.op)) {
    return false;
  }
  {
    const Step step(reader, "key");
    if (key && !reader.string(*key, out.key)) return false;
    if (!reader.check(check_label_key(out.key), Fault::kLabel)) return false;
  }
  if (!each(reader, "values", values, [&](Element value) {
        return reader.string(value, out.values.emplace_back()) &&
               reader.check(check_label_value(out.values.back()), Fault::kLabel);
      })) {
    return false;
  }
  const bool wants_values = out.op == Op::kIn || out.op == Op::kNotIn;
  if (wants_values == out.values.empty()) {
    const Step step(reader, "values");
    return reader.fail(wants_values ? "must not be empty with operator In or NotIn"
                                    : "must be empty with operator Exists or DoesNotExist");
  }
  std::sort(out.values.begin(), out.values.end());
  out.values.erase(std::unique(out.values.begin(), out.values.end()), out.values.end());
  return true;
}

/// metav1.LabelSelector.
bool read_selector(JsonReader& reader, Element element, LabelSelector& out) {
  Slot match_labels, match_expressions;
  if (!reader.members(element,
                      {{"matchLabels", &match_labels}, {"matchExpressions", &match_expressions}},
                      kNote)) {
    return false;
  }
  if (match_labels) {
    const Step step(reader, "matchLabels");
    simdjson::dom::object fields;
    if (!reader.object(*match_labels, fields)) return false;
    for (const auto& [key, value] : fields) {
      const auto entry = Step::entry(reader, key);
      const bool twice = std::any_of(out.requirements.begin(), out.requirements.end(),
                                     [k = key](const LabelRequirement& r) { return r.key == k; });
      if (twice && !reader.fail("stands there twice", Fault::kTwice) && !reader.resume())
        return false;
      std::string text;
      if ((!reader.check(check_label_key(key), Fault::kLabel) || !reader.string(value, text) ||
           !reader.check(check_label_value(text), Fault::kLabel)) &&
          !reader.resume()) {
        return false;
      }
      out.requirements.push_back({std::string(key), Op::kIn, {std::move(text)}});
    }
  }
  if (!each(reader, "matchExpressions", match_expressions, [&](Element expression) {
        return read_requirement(reader, expression, out.requirements.emplace_back());
      })) {
    return false;
  }
  std::sort(out.requirements.begin(), out.requirements.end());
  out.requirements.erase(std::unique(out.requirements.begin(), out.requirements.end()),
                         out.requirements.end());
  return true;
}

bool read_prefix(JsonReader& reader, Element element, IpPrefix& out) {
  std::string_view text;
  if (!reader.string(element, text)) return false;
  const auto prefix = IpPrefix::parse(text.substr(0, 64));
  if (!prefix) return reader.fail(prefix.error().what, Fault::kCidr);
  out = *prefix;
  return true;
}

/// IPBlock.
bool read_block(JsonReader& reader, Element element, IpBlock& out) {
  Slot cidr, except;
  if (!reader.members(element, {{"cidr", &cidr}, {"except", &except}}, kNote)) return false;
  {
    const Step step(reader, "cidr");
    if (!cidr) return reader.fail("is required", Fault::kMissing);
    if (!read_prefix(reader, *cidr, out.cidr)) return false;
  }
  return each(reader, "except", except, [&](Element entry) {
    IpPrefix prefix;
    if (!read_prefix(reader, entry, prefix)) return false;
    if (!out.cidr.contains(prefix) || prefix.length() <= out.cidr.length()) {
      return reader.fail("must be a strict subset of cidr (" + out.cidr.text() + ")", Fault::kCidr);
    }
    out.except.push_back(prefix);
    return true;
  });
}

/// NetworkPolicyPeer.
bool read_peer(JsonReader& reader, Element element, PolicyPeer& out) {
  Slot pod_selector, namespace_selector, ip_block;
  if (!reader.members(element,
                      {{"podSelector", &pod_selector},
                       {"namespaceSelector", &namespace_selector},
                       {"ipBlock", &ip_block}},
                      kNote)) {
    return false;
  }
  // An empty entry is refused, never read as "all". One that holds only what we do not know is
  // for a later API version: the policy fails closed.
  const bool empty = !pod_selector && !namespace_selector && !ip_block;
  if (empty && !reader.met_unknown()) {
    return reader.fail("must hold a podSelector, a namespaceSelector or an ipBlock",
                       Fault::kMissing);
  }
  if (ip_block && (pod_selector || namespace_selector)) {
    return reader.fail("must not hold both an ipBlock and a selector");
  }
  if (pod_selector) {
    const Step step(reader, "podSelector");
    if (!read_selector(reader, *pod_selector, out.pod_selector.emplace()) && !reader.resume()) {
      return false;
    }
  }
  if (namespace_selector) {
    const Step step(reader, "namespaceSelector");
    if (!read_selector(reader, *namespace_selector, out.namespace_selector.emplace())) return false;
  }
  if (ip_block) {
    const Step step(reader, "ipBlock");
    if (!read_block(reader, *ip_block, out.ip_block.emplace())) return false;
  }
  return true;
}

bool read_protocol(JsonReader& reader, const Slot& slot, IpProtocol& out) {
  out = IpProtocol::kTcp;
  if (!slot) return true;
  const Step step(reader, "protocol");
  std::string_view text;
  if (!reader.string(*slot, text)) return false;
  if (text == "UDP") {
    out = IpProtocol::kUdp;
  } else if (text == "SCTP") {
    out = IpProtocol::kSctp;
  } else if (text != "TCP") {
    return reader.fail("must be TCP, UDP or SCTP");
  }
  return true;
}

bool read_port_number(JsonReader& reader, Element element, L4Port& out) {
  int64_t value = 0;
  if (!reader.integer(element, value)) return false;
  if (value < 1 || value > 65535) return reader.fail("must be between 1 and 65535", Fault::kPort);
  out = static_cast<L4Port>(value);
  return true;
}

/// NetworkPolicyPort.
bool read_port(JsonReader& reader, Element element, PolicyPort& out) {
  Slot protocol, port, end_port;
  if (!reader.members(element, {{"protocol", &protocol}, {"port", &port}, {"endPort", &end_port}},
                      kNote)) {
    return false;
  }
  const bool met_unknown = reader.met_unknown();
  if (!read_protocol(reader, protocol, out.protocol)) return false;
  if (!port) {
    if (!end_port || met_unknown) return true;
    const Step step(reader, "port");
    return reader.fail("is required with endPort", Fault::kPort);
  }
  if (port->is_string()) {
    PolicyPort::Name name;
    {
      const Step step(reader, "port");
      if (!reader.string(*port, name) || !reader.check(check_port_name(name), Fault::kPort))
        return false;
    }
    out.port = std::move(name);
    if (!end_port) return true;
    const Step step(reader, "endPort");
    return reader.fail("must not stand beside a named port", Fault::kPort);
  }
  PolicyPort::Range range;
  {
    const Step step(reader, "port");
    if (!port->is_int64() && !port->is_uint64()) {
      return reader.fail("must be an integer or a string", Fault::kType);
    }
    if (!read_port_number(reader, *port, range.first)) return false;
  }
  range.last = range.first;
  if (end_port) {
    const Step step(reader, "endPort");
    if (!read_port_number(reader, *end_port, range.last)) return false;
    if (range.last < range.first) {
      return reader.fail("must not be below port (" + std::to_string(range.first) + ")",
                         Fault::kPort);
    }
  }
  out.port = range;
  return true;
}

/// NetworkPolicyIngressRule and NetworkPolicyEgressRule.
bool read_rule(JsonReader& reader, Element element, std::string_view peers_name, PolicyRule& out) {
  Slot peers, ports;
  return reader.members(element, {{peers_name, &peers}, {"ports", &ports}}, kNote) &&
         each(reader, "ports", ports,
              [&](Element port) { return read_port(reader, port, out.ports.emplace_back()); }) &&
         each(reader, peers_name, peers,
              [&](Element peer) { return read_peer(reader, peer, out.peers.emplace_back()); });
}

bool read_types(JsonReader& reader, const Slot& slot, NetworkPolicy& out) {
  bool ingress = false, egress = false;
  size_t count = 0;
  if (!each(reader, "policyTypes", slot, [&](Element element) {
        std::string_view text;
        if (!reader.string(element, text)) return false;
        ++count;
        if (text != "Ingress" && text != "Egress") {
          return reader.fail("must be Ingress or Egress");
        }
        (text == "Ingress" ? ingress : egress) = true;
        return true;
      })) {
    return false;
  }
  if (count > 2) {
    const Step step(reader, "policyTypes");
    return reader.fail("must hold no more than two entries");
  }
  out.isolates_ingress = count == 0 || ingress;
  out.isolates_egress = count == 0 ? !out.egress.empty() : egress;
  return true;
}

bool read_spec(JsonReader& reader, Element spec, NetworkPolicy& out) {
  const Step step(reader, "spec");
  Slot pod_selector, ingress, egress, policy_types;
  if (!reader.members(spec,
                      {{"podSelector", &pod_selector},
                       {"ingress", &ingress},
                       {"egress", &egress},
                       {"policyTypes", &policy_types}},
                      kNote)) {
    return false;
  }
  if (pod_selector) {
    const Step inner(reader, "podSelector");
    if (!read_selector(reader, *pod_selector, out.subject) && !reader.resume()) return false;
  }
  return each(reader, "ingress", ingress,
              [&](Element rule) {
                return read_rule(reader, rule, "from", out.ingress.emplace_back());
              }) &&
         each(reader, "egress", egress,
              [&](Element rule) {
                return read_rule(reader, rule, "to", out.egress.emplace_back());
              }) &&
         read_types(reader, policy_types, out);
}

}  // namespace

bool read_policy(JsonReader& reader, const Header& header, NetworkPolicy& out) {
  // Without a spec it is what the API server makes of it: the whole namespace, no ingress.
  if (!header.spec) return true;
  if (!read_spec(reader, *header.spec, out)) return false;
  if (!reader.unknown_path().empty() && !reader.resume()) {
    out.fails_closed = reader.unknown_path() + " is not known to this version";
    out.raw_spec = simdjson::minify(*header.spec);
  }
  const bool closed = !out.fails_closed.empty();
  if (closed || !out.isolates_ingress) out.ingress.clear();
  if (closed || !out.isolates_egress) out.egress.clear();
  return true;
}

}  // namespace rampart::kube
