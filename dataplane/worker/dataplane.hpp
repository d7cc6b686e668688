// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/ids.hpp"
#include "dataplane/base/ip_address.hpp"
#include "dataplane/base/result.hpp"
#include "dataplane/packet/drop_reason.hpp"
#include "dataplane/state/flow_query.hpp"
#include "dataplane/state/rule_set.hpp"
#include "dataplane/state/settings.hpp"
#include "dataplane/state/stage_cycles.hpp"

namespace rampart {

/// What the data path is made of. Filled from the settings by rampartd.
struct DataplaneParams {
  struct Port {
    std::string name;
    std::string device;             ///< as in the design: PCI address, iface:, tap:, vdev string
    std::vector<IpPrefix> sources;  ///< --port-sources; empty: any source
  };
  struct Wire {
    std::string a, b;  ///< port names
  };
  struct Timeouts {  ///< idle seconds after which a flow ends
    uint32_t tcp_opening_s = 30, tcp_established_s = 8000, tcp_half_closed_s = 120,
             tcp_closing_s = 30, tcp_reset_s = 10, udp_s = 30, udp_replied_s = 120,
             udp_answered_s = 5, sctp_opening_s = 30, sctp_established_s = 8000, icmp_s = 10,
             other_s = 60;
  };
  struct Quotas {  ///< flows of one address at all workers; 0: any number
    uint64_t source_flows = 0, source_half_open = 0;      ///< that it has opened
    uint64_t endpoint_flows = 0, endpoint_half_open = 0;  ///< that were opened to it
    bool operator==(const Quotas&) const = default;
  };
  std::vector<Port> ports;
  std::vector<Wire> wires;
  unsigned workers = 1;
  std::vector<unsigned> cores;    ///< CPUs of the workers; empty: chosen from the affinity mask
  uint64_t max_flows = 1U << 19;  ///< of both families, of all workers
  unsigned memory_mib = 0;        ///< DPDK's heap; 0: computed
  unsigned mbufs = 0;             ///< packet buffers; 0: computed
  unsigned mtu = 0;               ///< set on NICs; 0: as they are (interfaces: always the kernel's)
  StartupMode startup = StartupMode::kDrop;
  ChecksumMode checksum = ChecksumMode::kState;
  bool pass_non_ip = false;
  bool pass_tunnels = true;
  bool defer_in_floods = true;  ///< first packets, when a flood leaves a worker no time
  bool reset_on_cut = false;    ///< connections that are cut are reset, at both ends
  /// New TCP clients are challenged when so many of max_flows are half open; 0: never.
  unsigned challenge_percent = 10;
  bool pick_up_tcp = false;  ///< connections met in their middle may become flows
  unsigned idle_us = 0;      ///< sleep this long after many empty polls; 0: never sleep
  std::string eal;           ///< extra EAL arguments, space separated
  unsigned simd_bits = 0;    ///< widest vectors, 128, 256 or 512; 0: as wide as the CPU has them
  Timeouts timeouts;
  Quotas quotas;
  uint64_t fragments = 0;        ///< datagrams in pieces at once, of all workers; 0: computed
  uint64_t fragments_held = 0;   ///< packet buffers with fragments that wait; 0: computed
  uint32_t fragment_hold_s = 2;  ///< how long they wait for their first
  uint32_t fragment_s = 30;      ///< how long the others may follow it
  /// Takes a line for people when a port is lost or recovered. Called by a control thread of the
  /// data path's; may be empty.
  std::function<void(const std::string&)> log;
};

/// Counters of one port; for ports the law of decision 9 reads
/// received + originated = sent + Σ drops + held, by the port on which packets came in.
struct PortCounters {
  uint64_t received = 0, received_bytes = 0;  ///< frames the port took from the wire
  uint64_t originated = 0;                    ///< frames made here, as if they had come in here
  uint64_t sent = 0, sent_bytes = 0;          ///< frames that left through this port
  uint64_t forwarded =
      0;              ///< of the frames received here, those that left (through the other port)
  uint64_t held = 0;  ///< received here, in a ring between workers or waiting just now
  std::array<uint64_t, kDropReasons> drops{};  ///< of the frames received here
};

struct PortStatus {
  std::string name, device, driver;
  bool up = false;           ///< link, as the driver reports it
  bool running = false;      ///< false while it is being reset
  uint32_t speed_mbps = 0;   ///< 0: unknown
  bool promiscuous = false;  ///< as the driver reports it
  uint16_t mtu = 0;
  std::string mac;
  unsigned rx_queues = 0, tx_queues = 0;
  struct {
    std::string_view function = "none";   ///< "symmetric_toeplitz", "toeplitz", "driver", "none"
    std::string_view key;                 ///< "symmetric", "driver"; empty: not known
    std::vector<std::string_view> types;  ///< what is hashed: "ipv4-tcp" …
  } rss;                                  ///< as the driver reports it
  std::string peer;                       ///< the other end of its wire; empty: no wire
  uint64_t resets = 0;                    ///< times the port was recovered
  std::vector<IpPrefix> sources;
  PortCounters counters;
};

struct WorkerStatus {
  unsigned cpu = 0;
  bool silent = false;  ///< has not answered for three seconds: all else is what it said before
  uint64_t received = 0, forwarded = 0, dropped = 0;
  uint64_t handed_over = 0;  ///< packets passed to the worker that owns their flow
  uint64_t held_back = 0;    ///< times a port's queue was left alone for workers who come behind
  uint64_t flow_hits = 0, flow_misses = 0, flows_created = 0, flows_expired = 0, flows_cut = 0,
           flows_rejudged = 0, flows_recycled = 0, flows_restored = 0, flows_picked_up = 0;
  uint64_t challenged = 0;   ///< SYNs answered with a challenge, under a flood
  uint64_t verified = 0;     ///< clients that have answered one
  uint64_t half_open = 0;    ///< TCP flows whose handshake is not finished, now
  bool challenging = false;  ///< new TCP clients are challenged, now
  bool overloaded = false;   ///< a flood leaves no time: first packets are put off, now
  uint64_t flows = 0;        ///< live now
  uint64_t loops = 0, idle_loops = 0;
  uint64_t busy_cycles = 0;  ///< TSC cycles of loops that moved packets
  uint64_t heap_bytes = 0;   ///< bytes this worker's thread took from the heap since it started: 0
  Revision revision = 0;     ///< the one it last used
  /// Of loops that moved packets; only in builds that count it.
  std::optional<StageCycles<true>> stages;
};

struct DataplaneStatus {
  std::vector<PortStatus> ports;
  std::vector<WorkerStatus> workers;
  bool huge_pages = false;
  std::string acl_algorithm;  ///< how rte_acl classifies: "avx512x32" …
  unsigned memory_mib = 0, mbufs = 0, mbufs_free = 0;
  uint64_t max_flows = 0;
  uint64_t passed_always = 0;  ///< ARP, neighbour discovery, MLD, IGMP, DHCP
  uint64_t tunnelled = 0;      ///< encapsulated packets judged by their outer addresses
};

/// What became of the flows in a flow file.
struct FlowsLoaded {
  uint64_t kept = 0;
  uint64_t too_old = 0;  ///< their time ran out while nobody was here
  uint64_t denied = 0;   ///< the policy in force does not allow them
  uint64_t no_room = 0;  ///< beyond --max-flows
  uint64_t away_ms = 0;  ///< from the writing to the reading, by the wall clock
};

/// The packet-moving half of the appliance: EAL, ports, buffers, flow tables, workers.
/// All methods are for control threads; publish, flows, cut_flows and reset_port serialise
/// themselves.
class Dataplane {
 public:
  static Result<std::unique_ptr<Dataplane>> create(const DataplaneParams& params);
  virtual ~Dataplane() = default;

  /// Starts ports and workers. Call publish first if a rule set is to be in force before the
  /// first packet.
  virtual Result<void> start() = 0;
  /// Stops forwarding at once; returns when the workers have ended. Idempotent.
  virtual void stop() = 0;

  /// Puts a rule set in force and returns when every worker uses it; the one before is then no
  /// longer looked at. Sleeps while it waits. Before start: stores it only.
  virtual Result<void> publish(std::shared_ptr<const RuleSet> rules) = 0;
  /// What is in force. Never null: before the first publication it is revision 0.
  virtual std::shared_ptr<const RuleSet> rules() const = 0;

  virtual DataplaneStatus status() const = 0;
  /// Live flows that match, at most filter.limit; `truncated` says that there are more. Workers
  /// copy them out in bounded slices; fails with kIo if they do not answer within a few seconds.
  virtual Result<std::vector<FlowRecord>> flows(const FlowFilter& filter, bool& truncated) = 0;
  /// Ends all live flows that match, however many, and says how many they were. Workers do it in
  /// bounded slices while packets go on; what comes next of such a connection is judged as if it
  /// had never been (so the middle of a TCP connection belongs to no flow). A flow that opens or
  /// comes to match while they are at it may escape. Fails with kIo if a worker does not answer.
  virtual Result<uint64_t> cut_flows(const FlowFilter& filter) = 0;
  /// After stop: writes all flows to a file for the next start. Asks go_on() every few
  /// milliseconds; when it says no there is no file and kConflict is returned. Returns how many.
  virtual Result<uint64_t> save_flows(const std::string& path,
                                      const std::function<bool()>& go_on) = 0;
  /// Before start: takes in the flows of a file, each aged by the time away and judged under the
  /// rule set in force. A file that is not whole or not ours is refused (kNotFound, kInvalid,
  /// kConflict) and changes nothing.
  virtual Result<FlowsLoaded> load_flows(const std::string& path) = 0;
  /// Before start: for so long from the start on, TCP connections that began before it may be
  /// picked up in their middle, if policy allows them.
  virtual void grant_grace(std::chrono::seconds seconds) = 0;
  /// Recovers a port as after a VF or PF reset: workers leave it, it is reset, set up, started.
  virtual Result<void> reset_port(const std::string& name) = 0;
};

}  // namespace rampart
