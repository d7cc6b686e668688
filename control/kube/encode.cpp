// SPDX-License-Identifier: Apache-2.0
//
// Written piece by piece into one string: a state of 100,000 pods is written anew with each of its
// revisions, and a tree of JSON values for each object would cost ten times as much.
#include "control/kube/encode.hpp"

#include <charconv>
#include <set>
#include <string_view>

namespace rampart::kube {
namespace {

/// A JSON writer that puts the commas.
class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  void open(char bracket) {
    separate();
    out_ += bracket;
    first_ = true;
  }
  void close(char bracket) {
    out_ += bracket;
    first_ = false;
  }
  void key(std::string_view name) {
    separate();
    quote(name);
    out_ += ':';
    first_ = true;  // what follows is its value
  }
  void string(std::string_view text) {
    separate();
    quote(text);
  }
  void number(uint64_t value) {
    separate();
    char digits[20];
    out_.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
  }
  void yes() { raw("true"); }
  /// JSON text as it is.
  void raw(std::string_view json) {
    separate();
    out_ += json;
  }
  void member(std::string_view name, std::string_view text) {
    key(name);
    string(text);
  }

 private:
  void separate() {
    if (!first_) out_ += ',';
    first_ = false;
  }
  /// RFC 8259 §7. The text is UTF-8: the reader saw to that.
  void quote(std::string_view text) {
    out_ += '"';
    size_t done = 0;
    for (size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      const bool control = static_cast<unsigned char>(c) < 0x20;
      if (!control && c != '"' && c != '\\') continue;
      out_ += text.substr(done, i - done);
      done = i + 1;
      static constexpr char kHex[] = "0123456789abcdef";
      if (control) {
        out_ += "\\u00";
        out_ += kHex[c >> 4];
        out_ += kHex[c & 15];
      } else {
        out_ += '\\';
        out_ += c;
      }
    }
    out_ += text.substr(done);
    out_ += '"';
  }

  std::string& out_;
  bool first_ = true;
};

void write_header(Writer& w, std::string_view api_version, std::string_view kind,
                  std::string_view ns, std::string_view name, const Labels& labels) {
  w.member("apiVersion", api_version);
  w.member("kind", kind);
  w.key("metadata");
  w.open('{');
  w.member("name", name);
  if (!ns.empty()) w.member("namespace", ns);
  if (!labels.empty()) {
    w.key("labels");
    w.open('{');
    for (const auto& [key, value] : labels) w.member(key, value);
    w.close('}');
  }
  w.close('}');
}

std::string_view protocol_name(IpProtocol protocol) {
  if (protocol == IpProtocol::kUdp) return "UDP";
  return protocol == IpProtocol::kSctp ? "SCTP" : "TCP";
}

/// [{NAME: ADDRESS}, …]; `type` too, if there is one.
void write_addresses(Writer& w, std::string_view list, std::string_view name,
                     const std::vector<IpAddress>& addresses, std::string_view type = {}) {
  w.key(list);
  w.open('[');
  for (const IpAddress& address : addresses) {
    w.open('{');
    if (!type.empty()) w.member("type", type);
    w.member(name, address.text());
    w.close('}');
  }
  w.close(']');
}

void write(Writer& w, const Namespace& ns) {
  write_header(w, "v1", "Namespace", {}, ns.name, ns.labels);
}

void write(Writer& w, const Node& node) {
  write_header(w, "v1", "Node", {}, node.name, node.labels);
  w.key("status");
  w.open('{');
  write_addresses(w, "addresses", "address", node.addresses, "InternalIP");
  w.close('}');
}

/// Which of its containers has a port decides nothing and is not known any more.
void write_ports(Writer& w, const std::vector<ContainerPort>& ports) {
  w.key("containers");
  w.open('[');
  w.open('{');
  w.member("name", "all");
  w.key("ports");
  w.open('[');
  for (const ContainerPort& port : ports) {
    w.open('{');
    if (!port.name.empty()) w.member("name", port.name);
    w.member("protocol", protocol_name(port.protocol));
    w.key("containerPort");
    w.number(port.number);
    w.close('}');
  }
  w.close(']');
  w.close('}');
  w.close(']');
}

void write(Writer& w, const Pod& pod) {
  write_header(w, "v1", "Pod", pod.ns, pod.name, pod.labels);
  w.key("spec");
  w.open('{');
  if (!pod.node_name.empty()) w.member("nodeName", pod.node_name);
  if (pod.host_network) {
    w.key("hostNetwork");
    w.yes();
  }
  if (!pod.ports.empty()) write_ports(w, pod.ports);
  w.close('}');
  w.key("status");
  w.open('{');
  w.member("phase", pod.finished ? "Succeeded" : "Running");
  if (!pod.host_addresses.empty()) write_addresses(w, "hostIPs", "ip", pod.host_addresses);
  if (!pod.addresses.empty()) {
    w.member("podIP", pod.addresses.front().text());
    write_addresses(w, "podIPs", "ip", pod.addresses);
  }
  w.close('}');
}

std::string_view operator_name(LabelRequirement::Op op) {
  switch (op) {
    case LabelRequirement::Op::kIn:
      return "In";
    case LabelRequirement::Op::kNotIn:
      return "NotIn";
    case LabelRequirement::Op::kExists:
      return "Exists";
    case LabelRequirement::Op::kDoesNotExist:
      return "DoesNotExist";
  }
  return "";
}

/// Equalities go to matchLabels, as people write them; a key has room there only once.
void write_selector(Writer& w, std::string_view name, const LabelSelector& selector) {
  std::vector<const LabelRequirement*> labels, expressions;
  for (const LabelRequirement& r : selector.requirements) {
    const bool equality = r.op == LabelRequirement::Op::kIn && r.values.size() == 1;
    const bool taken = !labels.empty() && labels.back()->key == r.key;  // they are sorted by key
    (equality && !taken ? labels : expressions).push_back(&r);
  }
  w.key(name);
  w.open('{');
  if (!labels.empty()) {
    w.key("matchLabels");
    w.open('{');
    for (const auto* r : labels) w.member(r->key, r->values.front());
    w.close('}');
  }
  if (!expressions.empty()) {
    w.key("matchExpressions");
    w.open('[');
    for (const auto* r : expressions) {
      w.open('{');
      w.member("key", r->key);
      w.member("operator", operator_name(r->op));
      if (!r->values.empty()) {
        w.key("values");
        w.open('[');
        for (const std::string& value : r->values) w.string(value);
        w.close(']');
      }
      w.close('}');
    }
    w.close(']');
  }
  w.close('}');
}

void write_peer(Writer& w, const PolicyPeer& peer) {
  w.open('{');
  if (peer.pod_selector) write_selector(w, "podSelector", *peer.pod_selector);
  if (peer.namespace_selector) write_selector(w, "namespaceSelector", *peer.namespace_selector);
  if (peer.ip_block) {
    w.key("ipBlock");
    w.open('{');
    w.member("cidr", peer.ip_block->cidr.text());
    if (!peer.ip_block->except.empty()) {
      w.key("except");
      w.open('[');
      for (const IpPrefix& prefix : peer.ip_block->except) w.string(prefix.text());
      w.close(']');
    }
    w.close('}');
  }
  w.close('}');
}

void write_port(Writer& w, const PolicyPort& port) {
  w.open('{');
  w.member("protocol", protocol_name(port.protocol));
  if (const auto* range = std::get_if<PolicyPort::Range>(&port.port)) {
    w.key("port");
    w.number(range->first);
    if (range->last != range->first) {
      w.key("endPort");
      w.number(range->last);
    }
  } else if (const auto* name = std::get_if<PolicyPort::Name>(&port.port)) {
    w.member("port", *name);
  }
  w.close('}');
}

void write_rules(Writer& w, std::string_view name, std::string_view peers_name,
                 const std::vector<PolicyRule>& rules) {
  if (rules.empty()) return;
  w.key(name);
  w.open('[');
  for (const PolicyRule& rule : rules) {
    w.open('{');
    if (!rule.peers.empty()) {
      w.key(peers_name);
      w.open('[');
      for (const PolicyPeer& peer : rule.peers) write_peer(w, peer);
      w.close(']');
    }
    if (!rule.ports.empty()) {
      w.key("ports");
      w.open('[');
      for (const PolicyPort& port : rule.ports) write_port(w, port);
      w.close(']');
    }
    w.close('}');
  }
  w.close(']');
}

void write(Writer& w, const NetworkPolicy& policy) {
  write_header(w, "networking.k8s.io/v1", "NetworkPolicy", policy.ns, policy.name, {});
  w.key("spec");
  // It holds what this version does not know, and goes back out as it came.
  if (!policy.raw_spec.empty()) return w.raw(policy.raw_spec);
  w.open('{');
  write_selector(w, "podSelector", policy.subject);
  w.key("policyTypes");
  w.open('[');
  if (policy.isolates_ingress) w.string("Ingress");
  if (policy.isolates_egress) w.string("Egress");
  w.close(']');
  write_rules(w, "ingress", "from", policy.ingress);
  write_rules(w, "egress", "to", policy.egress);
  w.close('}');
}

/// Each object on a line of its own.
template <typename T>
void write_object(std::string& out, bool& first, const T& object) {
  out += first ? "\n{" : ",\n{";
  first = false;
  Writer w(out);
  write(w, object);
  out += '}';
}

/// The events that turn one state into another.
class ChangeWriter {
 public:
  ChangeWriter(const ClusterState& before, const ClusterState& after, size_t most)
      : before_(before), after_(after), most_(most) {}

  std::optional<std::string> write() && {
    // A Namespace takes its content along, so those that go go first.
    differ(before_.namespaces, after_.namespaces, [&](const Namespace* a, const Namespace* b) {
      if (a == nullptr || a->implied || (b != nullptr && !b->implied)) return;
      gone_.insert(a->name);
      remove("v1", "Namespace", {}, a->name);
    });
    differ(before_.namespaces, after_.namespaces, [&](const Namespace* a, const Namespace* b) {
      if (b == nullptr || b->implied || (a != nullptr && *a == *b)) return;
      put(*b);
    });
    objects(before_.nodes, after_.nodes, "v1", "Node", [](const Node&) { return std::string(); });
    objects(before_.pods, after_.pods, "v1", "Pod", [](const Pod& p) { return p.ns; });
    objects(before_.policies, after_.policies, "networking.k8s.io/v1", "NetworkPolicy",
            [](const NetworkPolicy& p) { return p.ns; });
    differ(before_.unsupported, after_.unsupported,
           [&](const UnsupportedPolicy* a, const UnsupportedPolicy* b) {
             if (b == nullptr) {
               if (!gone_.contains(a->ns)) remove(a->api_version, a->kind, a->ns, a->name);
             } else if (a == nullptr || gone_.contains(b->ns) || !(*a == *b)) {
               out_ += R"({"type":"MODIFIED","object":)" + b->json + "}\n";
             }
           });
    if (out_.size() > most_) return std::nullopt;
    return std::move(out_);
  }

 private:
  template <typename T, typename Use>
  void differ(const ClusterState::Objects<T>& before, const ClusterState::Objects<T>& after,
              Use use) {
    using Pointer = std::shared_ptr<const T>;
    ClusterState::Objects<T>::for_each_difference(
        before, after, [&](const ObjectKey&, const Pointer* a, const Pointer* b) {
          if (out_.size() > most_) return;
          use(a != nullptr ? a->get() : nullptr, b != nullptr ? b->get() : nullptr);
        });
  }
  template <typename T, typename NamespaceOf>
  void objects(const ClusterState::Objects<T>& before, const ClusterState::Objects<T>& after,
               std::string_view api_version, std::string_view kind, NamespaceOf namespace_of) {
    differ(before, after, [&](const T* a, const T* b) {
      if (b == nullptr) {
        if (!gone_.contains(namespace_of(*a))) {
          remove(api_version, kind, namespace_of(*a), a->name);
        }
      } else if (a == nullptr || gone_.contains(namespace_of(*b)) || !(*a == *b)) {
        put(*b);
      }
    });
  }
  template <typename T>
  void put(const T& object) {
    out_ += R"({"type":"MODIFIED","object":{)";
    Writer w(out_);
    kube::write(w, object);
    out_ += "}}\n";
  }
  void remove(std::string_view api_version, std::string_view kind, std::string_view ns,
              std::string_view name) {
    out_ += R"({"type":"DELETED","object":{)";
    Writer w(out_);
    write_header(w, api_version, kind, ns, name, {});
    out_ += "}}\n";
  }

  const ClusterState& before_;
  const ClusterState& after_;
  const size_t most_;
  std::set<std::string> gone_;  ///< namespaces
  std::string out_;
};

}  // namespace

std::optional<std::string> encode_changes(const ClusterState& before, const ClusterState& after,
                                          size_t most) {
  return ChangeWriter(before, after, most).write();
}

std::string encode_snapshot(const ClusterState& state) {
  std::string out = R"({"apiVersion":"v1","kind":"List","items":[)";
  out.reserve(512 * (state.pods.size() + state.policies.size()) + 4096);
  bool first = true;
  for (const auto& [key, ns] : state.namespaces) {
    if (!ns->implied) write_object(out, first, *ns);
  }
  for (const auto& [key, node] : state.nodes) write_object(out, first, *node);
  for (const auto& [key, pod] : state.pods) write_object(out, first, *pod);
  for (const auto& [key, policy] : state.policies) write_object(out, first, *policy);
  for (const auto& [key, policy] : state.unsupported) {
    out += (first ? "\n" : ",\n") + policy->json;
    first = false;
  }
  out += "\n]}\n";
  return out;
}

}  // namespace rampart::kube
