// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "dataplane/dpdk/eal.hpp"
#include "dataplane/dpdk/ethdev.hpp"
#include "dataplane/dpdk/memory.hpp"
#include "dataplane/dpdk/mempool.hpp"
#include "dataplane/dpdk/qsbr.hpp"
#include "dataplane/dpdk/ring.hpp"
#include "dataplane/state/worker_state.hpp"
#include "dataplane/worker/dataplane.hpp"
#include "dataplane/worker/layout.hpp"
#include "dataplane/worker/sizing.hpp"
#include "dataplane/worker/worker.hpp"

namespace rampart {

/// The data path of one process. Members die in reverse: states before rings, ports before the
/// pool they receive into, everything before the EAL.
///
/// Locks, all on control threads, in this order: ports_lock_, ask_lock_, rules_lock_.
class DataplaneImpl final : public Dataplane {
 public:
  static Result<std::unique_ptr<DataplaneImpl>> create(const DataplaneParams& params);
  ~DataplaneImpl() override;

  Result<void> start() override;
  void stop() override;
  Result<void> publish(std::shared_ptr<const RuleSet> rules) override;
  std::shared_ptr<const RuleSet> rules() const override;
  DataplaneStatus status() const override;
  Result<std::vector<FlowRecord>> flows(const FlowFilter& filter, bool& truncated) override;
  Result<uint64_t> cut_flows(const FlowFilter& filter) override;
  Result<uint64_t> save_flows(const std::string& path, const std::function<bool()>& go_on) override;
  Result<FlowsLoaded> load_flows(const std::string& path) override;
  void grant_grace(std::chrono::seconds seconds) override;
  Result<void> reset_port(const std::string& name) override;

 private:
  struct Port {
    std::string name, device_text;
    uint8_t peer = 0;
    uint8_t wire = 0;
    std::vector<IpPrefix> sources;
    SourceFilter filter;
    EthDev device;
    std::atomic<bool> active{false};
    std::atomic<uint64_t> resets{0};
  };
  struct Worker {
    unsigned cpu = 0;
    HugeArray<std::byte> flow_memory_v4, flow_memory_v6, load_memory, fragment_memory,
        first_seen_memory;
    std::unique_ptr<Mailbox> mailbox;
    std::unique_ptr<WorkerState> state;
    WorkerShared* shared = nullptr;
  };

  /// What a worker has said last.
  struct Reported {
    WorkerCounters counters;
    bool silent = false;  ///< did not answer when it was asked last
  };

  DataplaneImpl(DataplaneParams params, const Sizing& sizing, Eal eal, Mempool pool, Qsbr qsbr);
  static int worker_main(void* worker);
  Result<void> open_ports(const Layout& layout);
  Result<void> check_mtus() const;
  std::unique_ptr<const RssOwners> make_owners() const;
  Result<void> make_workers(const Layout& layout);
  Result<void> make_worker_memory(Worker& worker) const;
  void give_queues();
  void share_queues(unsigned port);
  std::string wires_text() const;
  template <typename Key>
  void take_in(std::span<const FlowCopy<Key>> flows, uint64_t away_ms, FlowsLoaded& out);
  Result<void> reset(Port& port);
  void watch_ports();
  void say(const std::string& line) const {
    if (params_.log) params_.log(line);
  }
  /// Brings reports_ up to date: one consistent cut of all workers' counters, but for those of
  /// workers that do not answer.
  void collect_reports() const;
  void fill_port(unsigned index, PortStatus& out, std::vector<uint64_t>& lost) const;
  void fill_worker(unsigned index, WorkerStatus& out) const;
  std::string_view port_name(uint8_t wire, uint8_t end) const;
  Result<void> ask_worker(Worker& worker, std::unique_ptr<FlowQuery>& query);

  DataplaneParams params_;
  Sizing sizing_;
  Eal eal_;
  Mempool pool_;
  Qsbr qsbr_;
  std::vector<std::unique_ptr<Port>> ports_;
  std::vector<HandoffRing> rings_;
  std::unique_ptr<const RssOwners> owners_;
  std::vector<Worker> workers_;
  mutable std::vector<Reported> reports_;  // by worker; under ask_lock_
  WorkerShared shared_;
  std::chrono::seconds grace_{0};
  bool launched_ = false;             // workers run; start and stop only
  std::atomic<bool> running_{false};  // the same for other threads

  std::mutex ports_lock_;          // start, stop, reset
  mutable std::mutex ask_lock_;    // mailboxes
  mutable std::mutex rules_lock_;  // in_force_
  std::mutex publish_lock_;        // one publication at a time
  std::shared_ptr<const RuleSet> in_force_;
  /// Rule sets that a worker may still look at because it never answered.
  std::vector<std::shared_ptr<const RuleSet>> stuck_;
  /// Flow queries that a worker may still write to because it never answered.
  std::vector<std::unique_ptr<FlowQuery>> stuck_queries_;

  std::mutex watch_lock_;
  std::condition_variable watch_wake_;
  bool watch_stop_ = false;
  std::thread watcher_;
};

}  // namespace rampart
