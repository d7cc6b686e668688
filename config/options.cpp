// SPDX-License-Identifier: Apache-2.0
//
// The one table of settings. --help, docs/options.md and rampart.conf.example are printed from it,
// and no other place knows a name, a range or a default.
#include "config/options.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "config/values.hpp"

namespace rampart::config {
namespace {

using Strings = std::vector<std::string>;

constexpr std::string_view kPorts = "Ports and wires";
constexpr std::string_view kPolicy = "What passes";
constexpr std::string_view kControl = "Control";
constexpr std::string_view kResources = "Workers and memory";
constexpr std::string_view kTimeouts = "Idle flows end after";
constexpr std::string_view kPieces = "Datagrams in pieces";

/// What all kinds of options are made of.
struct Names {
  std::string_view group, name, argument, help, example = {};
};

Option option(const Names& names, std::string accepts) {
  Option made;
  made.group = names.group;
  made.name = names.name;
  made.argument = names.argument;
  made.help = names.help;
  made.example = names.example;
  made.accepts = std::move(accepts);
  return made;
}

struct Range {
  uint64_t least, most;
  std::string_view zero = {};  ///< what 0 means, where it means something of its own
};

Option number(const Names& names, uint64_t Settings::*member, const Range& range) {
  std::string accepts = std::to_string(range.least) + " to " + std::to_string(range.most);
  if (!range.zero.empty()) accepts += ", 0: " + std::string(range.zero);
  Option made = option(names, std::move(accepts));
  made.set = [member, range](Settings& s, const std::string& text) -> Result<void> {
    const auto value = parse_number(text, range.zero.empty() ? range.least : 0, range.most);
    if (!value) return value.error();
    if (*value != 0 && *value < range.least) {
      return Error{ErrorCode::kInvalid, text + " is out of range", {}};
    }
    s.*member = *value;
    return {};
  };
  made.get = [member](const Settings& s) { return Strings{std::to_string(s.*member)}; };
  return made;
}

Option seconds(std::string_view name, uint64_t Settings::*member, std::string_view help) {
  return number({kTimeouts, name, "SECONDS", help}, member, {1, 604800});
}

template <typename Enum, size_t N>
Option choice(const Names& names, Enum Settings::*member,
              const std::array<std::pair<std::string_view, Enum>, N>& words) {
  std::string accepts;
  for (const auto& [word, value] : words)
    accepts += (accepts.empty() ? "" : ", ") + std::string(word);
  Option made = option(names, std::move(accepts));
  made.set = [member, words](Settings& s, const std::string& text) -> Result<void> {
    for (const auto& [word, value] : words) {
      if (word != text) continue;
      s.*member = value;
      return {};
    }
    return Error{ErrorCode::kInvalid, "'" + text + "' is not one of them", {}};
  };
  made.get = [member, words](const Settings& s) {
    for (const auto& [word, value] : words) {
      if (value == s.*member) return Strings{std::string(word)};
    }
    return Strings{};
  };
  return made;
}

enum class Empty : uint8_t { kAllowed, kRefused };

Option text(const Names& names, std::string Settings::*member, std::string accepts, Empty empty) {
  Option made = option(names, std::move(accepts));
  made.set = [member, empty](Settings& s, const std::string& value) -> Result<void> {
    if (value.empty() && empty == Empty::kRefused) {
      return Error{ErrorCode::kInvalid, "must not be empty", {}};
    }
    s.*member = value;
    return {};
  };
  made.get = [member](const Settings& s) {
    return (s.*member).empty() ? Strings{} : Strings{s.*member};
  };
  return made;
}

/// Every value is one element of a list.
template <typename T>
Option list(const Names& names, std::vector<T> Settings::*member, std::string accepts,
            Result<T> (*parse)(const std::string&), std::string (*show)(const T&)) {
  Option made = option(names, std::move(accepts));
  made.repeatable = true;
  made.set = [member, parse](Settings& s, const std::string& value) -> Result<void> {
    auto parsed = parse(value);
    if (!parsed) return std::move(parsed).error();
    (s.*member).push_back(*std::move(parsed));
    return {};
  };
  made.get = [member, show](const Settings& s) {
    Strings all;
    for (const T& one : s.*member) all.push_back(show(one));
    return all;
  };
  return made;
}

std::string port_text(const Settings::Port& port) {
  return port.name + "=" + port.device;
}

std::string wire_text(const Settings::Wire& wire) {
  return wire.a + "," + wire.b;
}

std::string port_sources_text(const Settings::PortSources& sources) {
  std::string all;
  for (const IpPrefix& p : sources.prefixes) all += (all.empty() ? "" : ",") + p.text();
  return sources.port + "=" + all;
}

Option cores_option() {
  Option made = option({kResources, "cores", "LIST",
                        "CPUs of the workers, one each, in their order. Without it they are "
                        "chosen from those this process may use.",
                        "1-2"},
                       "CPU numbers and ranges, e.g. 1,3-5");
  made.set = [](Settings& s, const std::string& value) -> Result<void> {
    auto cores = parse_cores(value);
    if (!cores) return std::move(cores).error();
    s.cores = *std::move(cores);
    return {};
  };
  made.get = [](const Settings& s) {
    return s.cores.empty() ? Strings{} : Strings{cores_text(s.cores)};
  };
  return made;
}

constexpr std::array<std::pair<std::string_view, Settings::Handling>, 2> kHandlings{
    {{"drop", Settings::Handling::kDrop}, {"pass", Settings::Handling::kPass}}};

void add_ports(std::vector<Option>& all) {
  all.push_back(list<Settings::Port>(
      {kPorts, "port", "NAME=DEVICE",
       "A port. DEVICE is a PCI address (0000:3b:02.0), iface:NAME for an existing kernel "
       "interface, tap:NAME for a new one, or any DPDK vdev string.",
       "left=0000:3b:02.0"},
      &Settings::ports, "NAME: 1 to 31 letters, digits, '-', '_' and '.'; up to 64 of them",
      parse_port, port_text));
  all.push_back(list<Settings::Wire>(
      {kPorts, "wire", "A,B",
       "A wire: what comes in on one of the two ports and is allowed leaves through the other, "
       "byte for byte.",
       "left,right"},
      &Settings::wires, "the names of two ports; may come again", parse_wire, wire_text));
  all.push_back(list<Settings::PortSources>(
      {kPorts, "port-sources", "NAME=CIDR,…",
       "Packets that come in on this port from any other source address are dropped as spoofed. "
       "Without it the port takes every source.",
       "left=10.244.0.0/16,fd00:10:244::/56"},
      &Settings::port_sources, "a port and CIDR blocks of either family; may come again",
      parse_port_sources, port_sources_text));
  all.push_back(number({kPorts, "mtu", "BYTES",
                        "MTU that is set on NICs (both ends of a wire need the same). Kernel "
                        "interfaces keep their own."},
                       &Settings::mtu, {576, 9710, "as it is"}));
}

void add_policy(std::vector<Option>& all) {
  using Startup = Settings::Startup;
  using Checksum = Settings::Checksum;
  all.push_back(choice<Startup, 2>(
      {kPolicy, "startup", "WHAT",
       "What happens to packets before the first desired state is there. One that was accepted "
       "before a restart counts."},
      &Settings::startup, {{{"drop", Startup::kDrop}, {"pass", Startup::kPass}}}));
  all.push_back(choice<Checksum, 3>(
      {kPolicy, "checksum", "WHICH",
       "Whose L4 checksum is checked: of no packet, of packets that may change the state of a "
       "flow, of all. The checksum of IPv4 headers always is."},
      &Settings::checksum,
      {{{"off", Checksum::kOff}, {"state", Checksum::kState}, {"all", Checksum::kAll}}}));
  all.push_back(choice<Settings::Handling, 2>(
      {kPolicy, "non-ip", "WHAT", "Frames that are neither IP nor ARP (ARP always passes)."},
      &Settings::non_ip, kHandlings));
  all.push_back(choice<Settings::Handling, 2>(
      {kPolicy, "tunnels", "WHAT",
       "Encapsulated packets (VXLAN, Geneve, GRE, IP in IP), whose inner addresses no policy sees: "
       "judged by the outer addresses, or dropped."},
      &Settings::tunnels, kHandlings));
  using OnCut = Settings::OnCut;
  all.push_back(choice<OnCut, 2>(
      {kPolicy, "on-cut", "WHAT",
       "What becomes of a TCP connection that a new revision forbids: silence, or a reset to both "
       "ends."},
      &Settings::on_cut, {{{"drop", OnCut::kDrop}, {"reset", OnCut::kReset}}}));
  all.push_back(number(
      {kPolicy, "syn-challenge-percent", "PERCENT",
       "When so much of --max-flows is taken by half-open TCP connections, new clients have to "
       "answer a challenge before they get a flow (SYN flood)."},
      &Settings::syn_challenge_percent, {0, 100, "never"}));
  using OnOverload = Settings::OnOverload;
  all.push_back(choice<OnOverload, 2>(
      {kPolicy, "on-overload", "WHAT",
       "What becomes of the first packet of a new flow in a flood that leaves a worker no time: it "
       "is put off until it is sent again, or served as it comes."},
      &Settings::on_overload, {{{"defer", OnOverload::kDefer}, {"serve", OnOverload::kServe}}}));
  all.push_back(number({kPolicy, "source-flows", "N",
                        "Flows that one address may have opened, of those that both ends take part "
                        "in; shared evenly between workers."},
                       &Settings::source_flows, {0, 268435456, "any number"}));
  all.push_back(number({kPolicy, "source-half-open", "N",
                        "The same for half-open and unanswered flows. With more of them, a TCP "
                        "client is challenged, and other flows are denied."},
                       &Settings::source_half_open, {0, 268435456, "any number"}));
  all.push_back(number({kPolicy, "endpoint-flows", "N",
                        "Flows that may have been opened to one address, of those that both ends "
                        "take part in; shared evenly between workers."},
                       &Settings::endpoint_flows, {0, 268435456, "any number"}));
  all.push_back(number({kPolicy, "endpoint-half-open", "N",
                        "The same for half-open and unanswered flows, as with --source-half-open."},
                       &Settings::endpoint_half_open, {0, 268435456, "any number"}));
  using Pickup = Settings::Pickup;
  all.push_back(choice<Pickup, 2>(
      {kPolicy, "tcp-pickup", "WHEN",
       "Whether a TCP connection that is met in its middle may become a flow if policy allows it. "
       "With never, only a SYN opens one (but see --restart-grace-s)."},
      &Settings::tcp_pickup, {{{"never", Pickup::kNever}, {"always", Pickup::kAlways}}}));
  all.push_back(number(
      {kPolicy, "restart-grace-s", "SECONDS",
       "For so long after a start that found a stored policy but no flows (a crash), TCP "
       "connections that policy allows are picked up in their middle, whichever end speaks first."},
      &Settings::restart_grace_s, {0, 60, "never"}));
}

void add_control(std::vector<Option>& all) {
  all.push_back(text({kControl, "socket", "PATH", "The Unix socket for rampartctl and feeders."},
                     &Settings::socket, "a path of at most 107 bytes", Empty::kRefused));
  all.push_back(text({kControl, "socket-group", "GROUP",
                      "The group whose members may use the socket, beside root and the user whom "
                      "rampartd runs as. Without it: the group that rampartd runs as.",
                      "rampart"},
                     &Settings::socket_group, "the name or number of a group", Empty::kAllowed));
  all.push_back(text({kControl, "state-dir", "DIR",
                      "Where the accepted desired state is kept. It is in force again before the "
                      "first packet after a restart."},
                     &Settings::state_dir, "a directory, made if it is not there",
                     Empty::kRefused));
  all.push_back(number({kControl, "max-body-mib", "MIB", "The largest request body taken."},
                       &Settings::max_body_mib, {1, 4095}));
  all.push_back(
      number({kControl, "proof-ms", "MS",
              "The most that checking a rule set against the policies may take before it is "
              "published: what has changed first, then what is drawn by lot. 0: no check."},
             &Settings::proof_ms, {0, 60000}));
}

void add_resources(std::vector<Option>& all) {
  all.push_back(number({kResources, "workers", "N",
                        "Poll-mode threads that move packets; each has its part of the flows."},
                       &Settings::workers, {1, 32}));
  all.push_back(cores_option());
  all.push_back(number({kResources, "idle-us", "MICROSECONDS",
                        "How long a worker sleeps after many polls that found nothing. Saves "
                        "power and CPUs that are shared, costs latency."},
                       &Settings::idle_us, {0, 100000, "never"}));
  all.push_back(number({kResources, "max-flows", "N",
                        "Flows of all workers and both families. When they are taken, new flows "
                        "are denied and counted."},
                       &Settings::max_flows, {16, 268435456}));
  all.push_back(number({kResources, "memory", "MIB", "DPDK's heap: buffers, flow tables, rules."},
                       &Settings::memory_mib, {64, 1048576, "computed"}));
  all.push_back(number({kResources, "mbufs", "N", "Packet buffers."}, &Settings::mbufs,
                       {256, 67108864, "computed"}));
  using Simd = Settings::Simd;
  all.push_back(choice<Simd, 4>(
      {kResources, "simd", "BITS",
       "The widest vectors that DPDK may use, above all to classify first packets "
       "(rte_acl): auto takes what the CPU has. Narrower ones are for CPUs that "
       "lower their clock for wide ones."},
      &Settings::simd,
      {{{"auto", Simd::kAuto}, {"128", Simd::k128}, {"256", Simd::k256}, {"512", Simd::k512}}}));
  all.push_back(text({kResources, "eal", "ARGUMENTS",
                      "More arguments for DPDK's environment layer, separated by blanks; they are "
                      "not interpreted here.",
                      "--log-level=lib.eal:info"},
                     &Settings::eal, "any", Empty::kAllowed));
}

void add_timeouts(std::vector<Option>& all) {
  all.push_back(seconds("tcp-opening-s", &Settings::tcp_opening_s, "TCP, handshake not finished."));
  all.push_back(seconds("tcp-established-s", &Settings::tcp_established_s, "TCP, established."));
  all.push_back(
      seconds("tcp-half-closed-s", &Settings::tcp_half_closed_s, "TCP, one end has sent FIN."));
  all.push_back(seconds("tcp-closing-s", &Settings::tcp_closing_s, "TCP, both have sent FIN."));
  all.push_back(seconds("tcp-reset-s", &Settings::tcp_reset_s, "TCP, reset."));
  all.push_back(seconds("udp-s", &Settings::udp_s, "UDP, no answer seen yet."));
  all.push_back(seconds("udp-replied-s", &Settings::udp_replied_s, "UDP, answered."));
  all.push_back(seconds("udp-answered-s", &Settings::udp_answered_s,
                        "UDP to port 53 (DNS) after its answer."));
  all.push_back(
      seconds("sctp-opening-s", &Settings::sctp_opening_s, "SCTP, handshake not finished."));
  all.push_back(seconds("sctp-established-s", &Settings::sctp_established_s, "SCTP, established."));
  all.push_back(seconds("icmp-s", &Settings::icmp_s, "ICMP and ICMPv6 exchanges."));
  all.push_back(seconds("other-s", &Settings::other_s, "Every other protocol."));
}

void add_fragments(std::vector<Option>& all) {
  all.push_back(number({kPieces, "fragments", "N",
                        "Datagrams in pieces that are followed at once, by all workers. When there "
                        "are more, the oldest ones of which nothing passes make room first."},
                       &Settings::fragments, {16, 16777216, "computed"}));
  all.push_back(number({kPieces, "fragments-held", "N",
                        "Packet buffers with fragments that came before the first one of their "
                        "datagram, of all workers. When there are more, the oldest are dropped."},
                       &Settings::fragments_held, {16, 16777216, "computed"}));
  all.push_back(number({kPieces, "fragment-hold-s", "SECONDS",
                        "How long these are held. What still has no first one then is dropped."},
                       &Settings::fragment_hold_s, {1, 60}));
  all.push_back(number({kPieces, "fragment-s", "SECONDS",
                        "How long the others may follow the first fragment of their datagram."},
                       &Settings::fragment_s, {1, 3600}));
}

Error refuse(std::string option_name, std::string what) {
  return {ErrorCode::kInvalid, std::move(what), "--" + std::move(option_name)};
}

/// Wires: both ends exist and are on no other wire.
Result<void> check_wires(const Settings& settings) {
  Strings taken;
  for (const Settings::Wire& wire : settings.wires) {
    for (const std::string& end : {wire.a, wire.b}) {
      if (std::none_of(settings.ports.begin(), settings.ports.end(),
                       [&](const auto& port) { return port.name == end; })) {
        return refuse("wire " + wire_text(wire), "there is no --port " + end);
      }
      if (std::find(taken.begin(), taken.end(), end) != taken.end()) {
        return refuse("wire " + wire_text(wire), "port " + end + " is on another wire already");
      }
      taken.push_back(end);
    }
  }
  return {};
}

}  // namespace

const std::vector<Option>& options() {
  static const std::vector<Option> all = [] {
    std::vector<Option> made;
    add_ports(made);
    add_policy(made);
    add_control(made);
    add_resources(made);
    add_timeouts(made);
    add_fragments(made);
    return made;
  }();
  return all;
}

Result<void> check_together(const Settings& settings) {
  if (settings.ports.empty()) return refuse("port", "at least two are needed");
  if (settings.wires.empty()) return refuse("wire", "at least one is needed");
  for (auto port = settings.ports.begin(); port != settings.ports.end(); ++port) {
    for (auto other = settings.ports.begin(); other != port; ++other) {
      if (other->name == port->name) return refuse("port " + port->name, "stands there twice");
      if (other->device == port->device) {
        return refuse("port " + port->name, "has the device of port " + other->name);
      }
    }
  }
  if (auto wires = check_wires(settings); !wires) return wires;
  for (const Settings::Port& port : settings.ports) {
    if (std::none_of(settings.wires.begin(), settings.wires.end(), [&](const auto& wire) {
          return wire.a == port.name || wire.b == port.name;
        })) {
      return refuse("port " + port.name, "is on no wire (--wire)");
    }
  }
  for (const Settings::PortSources& sources : settings.port_sources) {
    if (std::none_of(settings.ports.begin(), settings.ports.end(),
                     [&](const auto& port) { return port.name == sources.port; })) {
      return refuse("port-sources " + port_sources_text(sources),
                    "there is no --port " + sources.port);
    }
  }
  if (!settings.cores.empty() && settings.cores.size() != settings.workers) {
    return refuse("cores", std::to_string(settings.cores.size()) + " CPUs for " +
                               std::to_string(settings.workers) +
                               " workers (--workers); each needs one");
  }
  // sun_path has 108 bytes and ends with a zero (unix(7)).
  if (settings.socket.size() > 107) return refuse("socket", "the path is longer than 107 bytes");
  return {};
}

}  // namespace rampart::config
