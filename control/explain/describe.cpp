// SPDX-License-Identifier: Apache-2.0
#include "control/explain/describe.hpp"

#include <charconv>

namespace rampart::explain {
namespace {

using Op = kube::LabelRequirement::Op;

struct ProtocolName {
  std::string_view name;
  uint8_t number;
};

constexpr ProtocolName kProtocols[] = {
    {"TCP", 6}, {"UDP", 17}, {"SCTP", 132}, {"ICMP", 1}, {"ICMPV6", 58}};

std::string with_commas(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

}  // namespace

std::string protocol_text(uint8_t protocol) {
  if (protocol == 58) return "ICMPv6";
  for (const auto& [name, number] : kProtocols) {
    if (number == protocol) return std::string(name);
  }
  return std::to_string(protocol);
}

std::optional<uint8_t> protocol_number(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  for (const auto& [name, number] : kProtocols) {
    if (name == upper) return number;
  }
  uint8_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

bool has_ports(uint8_t protocol) {
  return protocol == 6 || protocol == 17 || protocol == 132;
}

std::string text_of(const kube::LabelRequirement& requirement) {
  const auto set = [&] { return " (" + with_commas(requirement.values) + ")"; };
  const bool one = requirement.values.size() == 1;
  switch (requirement.op) {
    case Op::kIn:
      return one ? requirement.key + "=" + requirement.values[0] : requirement.key + " in" + set();
    case Op::kNotIn:
      return one ? requirement.key + "!=" + requirement.values[0]
                 : requirement.key + " notin" + set();
    case Op::kExists:
      return requirement.key;
    case Op::kDoesNotExist:
      return "!" + requirement.key;
  }
  return requirement.key;
}

std::string text_of(const kube::LabelSelector& selector) {
  std::vector<std::string> words;
  for (const auto& requirement : selector.requirements) words.push_back(text_of(requirement));
  return words.empty() ? "everything" : with_commas(words);
}

std::string text_of(const kube::IpBlock& block) {
  std::vector<std::string> words;
  for (const IpPrefix& except : block.except) words.push_back(except.text());
  return block.cidr.text() + (words.empty() ? "" : " except " + with_commas(words));
}

std::string text_of(const kube::PolicyPeer& peer, std::string_view ns) {
  if (peer.ip_block) return text_of(*peer.ip_block);
  const bool all_pods = !peer.pod_selector || peer.pod_selector->selects_all();
  std::string text = all_pods ? "all pods" : "pods with " + text_of(*peer.pod_selector);
  if (!peer.namespace_selector) return text + " of namespace " + std::string(ns);
  if (peer.namespace_selector->selects_all()) return text + " of all namespaces";
  return text + " of namespaces with " + text_of(*peer.namespace_selector);
}

std::string port_text(const kube::PolicyPort& entry) {
  if (std::holds_alternative<kube::PolicyPort::Any>(entry.port)) return "any port";
  if (const auto* name = std::get_if<kube::PolicyPort::Name>(&entry.port)) return *name;
  const auto& range = std::get<kube::PolicyPort::Range>(entry.port);
  const std::string first = std::to_string(range.first);
  return range.first == range.last ? first : first + "-" + std::to_string(range.last);
}

std::string text_of(const kube::PolicyPort& entry) {
  return protocol_text(static_cast<uint8_t>(entry.protocol)) + " " + port_text(entry);
}

std::string listed(const std::vector<std::string>& words) {
  std::string text;
  for (size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += i + 1 == words.size() ? " and " : ", ";
    text += words[i];
  }
  return text;
}

}  // namespace rampart::explain
