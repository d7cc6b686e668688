// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dataplane/base/ip_address.hpp"

namespace rampart::config {

/// Everything an operator can choose, with its defaults. Plain data without meaning of its own:
/// rampartd.cpp translates it into what each room wants. Numbers are within the ranges that the
/// table in options.cpp states.
struct Settings {
  enum class Startup : uint8_t { kDrop, kPass };
  enum class Checksum : uint8_t { kOff, kState, kAll };
  enum class Handling : uint8_t { kDrop, kPass };
  enum class OnCut : uint8_t { kDrop, kReset };
  enum class OnOverload : uint8_t { kDefer, kServe };
  enum class Simd : uint8_t { kAuto, k128, k256, k512 };
  enum class Pickup : uint8_t { kNever, kAlways };
  struct Port {
    std::string name;
    std::string device;
    bool operator==(const Port&) const = default;
  };
  struct Wire {
    std::string a, b;  ///< port names
    bool operator==(const Wire&) const = default;
  };
  struct PortSources {
    std::string port;
    std::vector<IpPrefix> prefixes;
    bool operator==(const PortSources&) const = default;
  };

  std::vector<Port> ports;
  std::vector<Wire> wires;
  std::vector<PortSources> port_sources;

  std::string socket = "/run/rampart/rampart.sock";
  std::string socket_group;  ///< empty: the daemon's own group
  std::string state_dir = "/var/lib/rampart";
  uint64_t max_body_mib = 512;
  uint64_t proof_ms = 16;

  uint64_t workers = 1;
  std::vector<unsigned> cores;  ///< empty: chosen from the affinity mask
  uint64_t idle_us = 0;         ///< 0: never sleep
  uint64_t max_flows = 1U << 19;
  uint64_t memory_mib = 0;  ///< 0: computed
  uint64_t mbufs = 0;       ///< 0: computed
  uint64_t mtu = 0;         ///< 0: as it is
  Simd simd = Simd::kAuto;
  std::string eal;

  Startup startup = Startup::kDrop;
  Checksum checksum = Checksum::kState;
  Handling non_ip = Handling::kDrop;
  Handling tunnels = Handling::kPass;
  OnCut on_cut = OnCut::kDrop;
  OnOverload on_overload = OnOverload::kDefer;
  uint64_t syn_challenge_percent = 10;  ///< of max_flows; 0: never
  uint64_t source_flows = 0;            ///< 0: any number
  uint64_t source_half_open = 0;        ///< 0: any number
  uint64_t endpoint_flows = 0;          ///< 0: any number
  uint64_t endpoint_half_open = 0;      ///< 0: any number
  Pickup tcp_pickup = Pickup::kNever;
  uint64_t restart_grace_s = 30;  ///< 0: none

  uint64_t tcp_opening_s = 30;
  uint64_t tcp_established_s = 8000;
  uint64_t tcp_half_closed_s = 120;
  uint64_t tcp_closing_s = 30;
  uint64_t tcp_reset_s = 10;
  uint64_t udp_s = 30;
  uint64_t udp_replied_s = 120;
  uint64_t udp_answered_s = 5;
  uint64_t sctp_opening_s = 30;
  uint64_t sctp_established_s = 8000;
  uint64_t icmp_s = 10;
  uint64_t other_s = 60;

  uint64_t fragments = 0;       ///< 0: computed
  uint64_t fragments_held = 0;  ///< 0: computed
  uint64_t fragment_hold_s = 2;
  uint64_t fragment_s = 30;

  bool operator==(const Settings&) const = default;
};

}  // namespace rampart::config
