// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/kube/model.hpp"

/// The parts of policies in words, as explain, matrix and diff show them. Pure; any thread.
namespace rampart::explain {

/// "TCP", "ICMPv6", or the number.
std::string protocol_text(uint8_t protocol);
/// The other way, upper or lower case; ICMP is 1.
std::optional<uint8_t> protocol_number(std::string_view text);
/// Whether it is TCP, UDP or SCTP: those that a policy's `ports` can name.
bool has_ports(uint8_t protocol);

/// "app=web", "tier in (a, b)", "!legacy".
std::string text_of(const kube::LabelRequirement& requirement);
/// All requirements with commas; "everything" if there are none.
std::string text_of(const kube::LabelSelector& selector);
/// "10.0.0.0/8 except 10.1.0.0/16, 10.2.0.0/16".
std::string text_of(const kube::IpBlock& block);
/// "pods with app=web of namespace shop"; `ns` is the policy's.
std::string text_of(const kube::PolicyPeer& peer, std::string_view ns);
/// "80", "8000-8080", "http", "any port".
std::string port_text(const kube::PolicyPort& entry);
/// "TCP 80", "UDP any port".
std::string text_of(const kube::PolicyPort& entry);
/// "a", "a and b", "a, b and c".
std::string listed(const std::vector<std::string>& words);

}  // namespace rampart::explain
