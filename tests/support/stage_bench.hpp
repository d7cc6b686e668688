// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rte_mbuf.h>

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "dataplane/dpdk/mempool.hpp"
#include "dataplane/stages/fragments.hpp"
#include "dataplane/stages/stages.hpp"
#include "tests/support/packet_builder.hpp"

namespace rampart::test {

/// One worker on a bench: two ports, 0 and 1, on wire 0, and a rule set made by hand. Runs the
/// stages up to settle on bursts of frames, so that no device is needed. Needs the EAL.
class StageBench {
 public:
  /// What its rings hold: to other workers unless said otherwise, and to itself.
  static constexpr uint32_t kRing = 8, kOwnRing = 256;
  /// Datagrams in pieces, and pieces held; these for two seconds, the others follow for thirty.
  static constexpr uint32_t kDatagrams = 100, kHeld = 200;

  /// `worker` of `workers`; room for so many flows; `ring`: what its rings to other workers hold.
  explicit StageBench(uint32_t max_flows = 1000, unsigned worker = 0, unsigned workers = 1,
                      uint32_t ring = kRing);
  ~StageBench();
  StageBench(const StageBench&) = delete;

  struct Frame {
    Bytes bytes;
    uint8_t port = 0;
    uint64_t ol_flags = 0;
  };
  /// What became of a frame.
  struct End {
    Fate fate;
    DropReason reason;  ///< kNone unless dropped
    bool operator==(const End&) const = default;
  };
  static constexpr End kForwarded{Fate::kForward, DropReason::kNone};
  static constexpr End kHanded{Fate::kHandedOver, DropReason::kNone};
  static constexpr End dropped(DropReason why) { return {Fate::kDrop, why}; }
  static constexpr End answered(DropReason why) { return {Fate::kAnswered, why}; }

  /// Runs a burst of up to 64 frames.
  std::vector<End> run(const std::vector<Frame>& frames);
  /// Runs a burst of one.
  End run(const PacketBuilder& packet, uint8_t port = 0, uint64_t ol_flags = 0);
  /// Runs a buffer that has come in on port 0.
  End run(rte_mbuf* m);
  /// Runs a burst of buffers, each with the port on which it came in.
  std::vector<End> run(const std::vector<rte_mbuf*>& buffers, const std::vector<uint8_t>& ports);

  /// Takes what lies in a ring to this worker as its loop does, and runs it. Returns what became of
  /// the packets, in order.
  std::vector<End> take_over(HandoffRing& ring);
  /// The bytes of all that has left, in order.
  std::vector<Bytes> left;

  /// Takes what the worker has originated, and the port through which it would leave.
  std::vector<Frame> originated();

  /// Moves the clock.
  void pass_seconds(double seconds);
  /// The whole of the tables is looked at for what has expired.
  void sweep();

  /// Rules of a cluster with addresses of classes: what `allow` lists may connect, to the port of
  /// the second end, and everything else to it is denied at its ingress (or at the first end's
  /// egress, with `at_egress`).
  struct Allow {
    std::string_view from, to;
    L4Port port;
  };
  void set_rules(const std::vector<Allow>& allow, Revision revision, bool at_egress = false,
                 std::optional<Revision> policy_changed_in = {});
  void set_mode(RuleSet::Mode mode, Revision revision = 0);
  void set_quotas(const Quotas& quotas);
  /// A flood leaves the worker no time.
  void set_overload();

  uint64_t drops(DropReason why) const;
  /// Buffers that nobody has given back: forwarded and handed-over frames are taken by run().
  unsigned buffers_out() const { return pool_->in_use(); }

  /// A buffer with these bytes in it.
  rte_mbuf* buffer(const Bytes& bytes);
  /// A frame in buffers of `each` bytes, as some drivers receive it.
  rte_mbuf* chain(const Bytes& bytes, size_t each);
  const Mempool& pool() const { return *pool_; }

  WorkerState w;
  std::shared_ptr<RuleSet> rules;
  std::atomic<bool> active{true};  ///< of both ports

 private:
  /// What follows on parse or take_up.
  std::vector<End> run_on();
  void leave(rte_mbuf* m, uint8_t in_port);

  std::optional<Mempool> pool_;
  std::unique_ptr<void, decltype(&std::free)> memory_v4_, memory_v6_, memory_loads_,
      fragment_memory_, memory_seen_;
  std::vector<HandoffRing> rings_;
  SourceFilter no_filter_;
  Mailbox mailbox_;
  Tsc now_ = Tsc{1000} << kTickShift;
};

}  // namespace rampart::test
