// SPDX-License-Identifier: Apache-2.0
#include "control/explain/question.hpp"

#include <array>
#include <charconv>
#include <memory>
#include <utility>

#include "control/explain/describe.hpp"

namespace rampart::explain {
namespace {

constexpr uint8_t kIcmp = 1, kTcp = 6, kIcmpV6 = 58;

Error bad(std::string_view parameter, std::string what) {
  return {ErrorCode::kInvalid, std::move(what), std::string(parameter)};
}

Result<AskedEnd> read_end(const Query& query, std::string_view parameter,
                          const kube::ClusterState& state) {
  const auto given = query.find(parameter);
  if (given == query.end() || given->second.empty()) {
    return bad(parameter, "is required: namespace/pod or an address");
  }
  AskedEnd asked{given->second, {}, {}};
  const size_t slash = asked.text.find('/');
  if (slash == std::string::npos) {
    const auto address = IpAddress::parse(asked.text);
    if (!address)
      return bad(parameter, "'" + asked.text + "' is neither namespace/pod nor an address");
    asked.addresses.push_back(*address);
    return asked;
  }
  const auto pod = state.pods.find({asked.text.substr(0, slash), asked.text.substr(slash + 1)});
  if (pod == state.pods.end()) {
    const std::string ns = asked.text.substr(0, slash);
    const bool known = state.namespaces.count({{}, ns}) > 0;
    return Error{ErrorCode::kNotFound,
                 "there is no pod " + asked.text + (known ? "" : ": there is no namespace " + ns),
                 std::string(parameter)};
  }
  asked.pod = asked.text;
  asked.addresses = pod->second->addresses;
  if (asked.addresses.empty()) return bad(parameter, "pod " + asked.text + " has no address yet");
  return asked;
}

Result<uint8_t> read_protocol(const Query& query) {
  const auto given = query.find("protocol");
  if (given == query.end()) return kTcp;
  const auto number = protocol_number(given->second);
  if (!number) return bad("protocol", "must be TCP, UDP, SCTP, ICMP, ICMPv6 or a number");
  return *number;
}

Result<L4Port> read_port_number(std::string_view parameter, const std::string& text) {
  L4Port port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return bad(parameter, "must be a number from 0 to 65535");
  }
  return port;
}

Result<L4Port> read_port(const Query& query, uint8_t protocol) {
  const auto given = query.find("port");
  if (given == query.end() || given->second.empty()) {
    if (!has_ports(protocol)) return L4Port{0};
    return bad("port", "is required with " + protocol_text(protocol));
  }
  const auto port = read_port_number("port", given->second);
  if (!port) return port.error();
  return has_ports(protocol) ? *port : L4Port{0};
}

Result<void> pair_up(Question& question) {
  for (const IpAddress& source : question.from.addresses) {
    for (const IpAddress& destination : question.to.addresses) {
      if (source.family() != destination.family()) continue;
      question.source = source;
      question.destination = destination;
      return {};
    }
  }
  return bad("to",
             question.from.text + " and " + question.to.text + " have no addresses of one family");
}

Result<void> read_flow_parameters(const Query& query, Question& question) {
  if (const auto flows = query.find("flows"); flows != query.end()) {
    if (flows->second != "true") return bad("flows", "must be true");
    question.flows = true;
  }
  if (const auto given = query.find("from_port"); given != query.end()) {
    const auto port = read_port_number("from_port", given->second);
    if (!port) return port.error();
    question.from_port = *port;
    question.flows = true;
  }
  return {};
}

}  // namespace

std::vector<Question> Question::between_other_addresses() const {
  std::vector<Question> others;
  for (const IpAddress& one : from.addresses) {
    for (const IpAddress& two : to.addresses) {
      if (one.family() != two.family() || (one == source && two == destination)) continue;
      if (is_stand_in(one) || is_stand_in(two)) continue;
      Question& other = others.emplace_back(*this);
      other.source = one;
      other.destination = two;
      if (protocol == kIcmp || protocol == kIcmpV6) other.protocol = one.is_v4() ? kIcmp : kIcmpV6;
    }
  }
  return others;
}

Result<Question> read_question(const Query& query, const kube::ClusterState& state) {
  for (const auto& [name, value] : query) {
    if (name != "from" && name != "to" && name != "protocol" && name != "port" && name != "flows" &&
        name != "from_port") {
      return bad(name, "is no parameter of this call");
    }
  }
  Question question;
  auto from = read_end(query, "from", state);
  if (!from) return from.error();
  question.from = *std::move(from);
  auto to = read_end(query, "to", state);
  if (!to) return to.error();
  question.to = *std::move(to);
  const auto protocol = read_protocol(query);
  if (!protocol) return protocol.error();
  question.protocol = *protocol;
  const auto port = read_port(query, *protocol);
  if (!port) return port.error();
  question.port = *port;
  if (auto read = read_flow_parameters(query, question); !read) return std::move(read).error();
  if (auto paired = pair_up(question); !paired) return std::move(paired).error();
  if (question.protocol == kIcmp && !question.source.is_v4()) question.protocol = kIcmpV6;
  return question;
}

void give_stand_in_addresses(kube::ClusterState& state) {
  uint32_t number = 0;
  const auto pods = state.pods;  // a map that changes has no iterators that hold
  for (const auto& [key, pod] : pods) {
    if (!pod->addresses.empty() || pod->finished || pod->host_network) continue;
    ++number;  // the 16 million addresses of 0.0.0.0/8 are more than a list of objects holds
    std::array<uint8_t, 16> v6{0x01};
    for (unsigned i = 0; i < 4; ++i) v6[12 + i] = static_cast<uint8_t>(number >> (24 - 8 * i));
    auto with_addresses = std::make_shared<kube::Pod>(*pod);
    with_addresses->addresses = {IpAddress::v4(number), IpAddress::v6(v6)};
    state.pods.insert_or_assign(key, std::move(with_addresses));
  }
}

bool is_stand_in(const IpAddress& address) {
  static const IpPrefix kV4 = *IpPrefix::parse("0.0.0.0/8"), kV6 = *IpPrefix::parse("100::/64");
  return kV4.contains(address) || kV6.contains(address);
}

}  // namespace rampart::explain
