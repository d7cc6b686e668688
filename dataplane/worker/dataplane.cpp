// SPDX-License-Identifier: Apache-2.0
#include "dataplane/worker/dataplane.hpp"

#include <rte_cycles.h>
#include <rte_launch.h>
#include <sys/random.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "dataplane/worker/dataplane_impl.hpp"

namespace rampart {
namespace {

using namespace std::chrono_literals;

constexpr auto kGrace = 10s;  // a worker that is preempted so long is not coming back

FlowTimeouts timeouts_of(const DataplaneParams::Timeouts& t, Tsc hz) {
  const uint32_t seconds[] = {
#define RAMPART_X(id, name, timeout, worth) t.timeout##_s,
      RAMPART_FLOW_STATES(RAMPART_X)
#undef RAMPART_X
  };
  FlowTimeouts out{};
  for (unsigned s = 0; s < kFlowStates; ++s) {
    // Half the clock's range is the most that a difference can tell.
    const uint64_t ticks = (uint64_t{seconds[s]} * hz) >> kTickShift;
    out[s] = static_cast<Tick>(std::clamp<uint64_t>(ticks, 1, 0x7fffffff));
  }
  return out;
}

Quotas quotas_of(const DataplaneParams::Quotas& q, unsigned workers) {
  const auto part = [workers](uint64_t all) {
    return static_cast<uint32_t>((all + workers - 1) / workers);
  };
  return {.source_flows = part(q.source_flows),
          .source_half_open = part(q.source_half_open),
          .target_flows = part(q.endpoint_flows),
          .target_half_open = part(q.endpoint_half_open)};
}

HashSeed random_seed() {
  HashSeed seed;
  uint64_t words[2];
  if (getrandom(words, sizeof words, 0) == sizeof words) seed = {words[0] | 1, words[1] | 1};
  return seed;
}

std::shared_ptr<const RuleSet> first_rules(StartupMode startup) {
  auto rules = std::make_shared<RuleSet>();
  rules->mode = startup == StartupMode::kPass ? RuleSet::Mode::kPassAll : RuleSet::Mode::kDropAll;
  return rules;
}

}  // namespace

Result<std::unique_ptr<Dataplane>> Dataplane::create(const DataplaneParams& params) {
  Result<std::unique_ptr<DataplaneImpl>> made = DataplaneImpl::create(params);
  if (!made) return made.error();
  return std::unique_ptr<Dataplane>(*std::move(made));
}

DataplaneImpl::DataplaneImpl(DataplaneParams params, const Sizing& sizing, Eal eal, Mempool pool,
                             Qsbr qsbr)
    : params_(std::move(params)),
      sizing_(sizing),
      eal_(std::move(eal)),
      pool_(std::move(pool)),
      qsbr_(std::move(qsbr)),
      in_force_(first_rules(params_.startup)) {
  shared_.rules.store(in_force_.get(), std::memory_order_release);
  shared_.qsbr = &qsbr_;
  shared_.idle_us = params_.idle_us;
}

Result<std::unique_ptr<DataplaneImpl>> DataplaneImpl::create(const DataplaneParams& params) {
  Result<Layout> layout = lay_out(params);
  if (!layout) return layout.error();
  const Result<Sizing> sizing = size_up(params, layout->largest_mtu);
  if (!sizing) return sizing.error();
  std::vector<Device> devices;
  for (const Layout::Port& port : layout->ports) devices.push_back(port.device);
  Result<Eal> eal = Eal::start({.memory_mib = sizing->memory_mib,
                                .huge_mib = sizing->huge_mib,
                                .cpus = layout->cpus,
                                .pci_devices = pci_allow_list(devices),
                                .extra = params.eal,
                                .simd_bits = params.simd_bits});
  if (!eal) return eal.error();
  if (!eal->note().empty() && params.log) params.log(eal->note());
  Result<Mempool> pool =
      Mempool::create({.name = "packets", .count = sizing->mbufs, .data_room = sizing->data_room});
  if (!pool) return std::move(pool).error().within("packet buffers");
  Result<Qsbr> qsbr = Qsbr::create(params.workers);
  if (!qsbr) return qsbr.error();

  std::unique_ptr<DataplaneImpl> d(
      new DataplaneImpl(params, *sizing, *std::move(eal), *std::move(pool), *std::move(qsbr)));
  if (Result<void> r = d->open_ports(*layout); !r) return r.error();
  if (Result<void> r = d->check_mtus(); !r) return r.error();
  if (Result<void> r = d->make_workers(*layout); !r) return r.error();
  return d;
}

Result<void> DataplaneImpl::open_ports(const Layout& layout) {
  for (size_t i = 0; i < layout.ports.size(); ++i) {
    const DataplaneParams::Port& asked = params_.ports[i];
    Result<EthDev> device = EthDev::open({.name = asked.name,
                                          .device = layout.ports[i].device,
                                          .workers = params_.workers,
                                          .pool = &pool_,
                                          .mtu = params_.mtu,
                                          .fast_free = true});
    if (!device) return device.error();
    ports_.emplace_back(new Port{.name = asked.name,
                                 .device_text = asked.device,
                                 .peer = layout.ports[i].peer,
                                 .wire = layout.ports[i].wire,
                                 .sources = asked.sources,
                                 .filter = SourceFilter(asked.sources),
                                 .device = *std::move(device)});
  }
  return {};
}

Result<void> DataplaneImpl::check_mtus() const {
  for (const auto& port : ports_) {
    const Port& peer = *ports_[port->peer];
    const unsigned mine = port->device.mtu(), other = peer.device.mtu();
    // What a memif has is no limit that anybody keeps, but room.
    const bool fits = (mine > other && memif_buffer(port->device.device()) != 0) ||
                      (other > mine && memif_buffer(peer.device.device()) != 0);
    if (mine == other || fits) continue;
    return Error{ErrorCode::kInvalid,
                 "the MTUs of its ports differ: " + port->name + " has " + std::to_string(mine) +
                     ", " + peer.name + " has " + std::to_string(other),
                 "--wire " + port->name + "," + peer.name};
  }
  return {};
}

Result<void> DataplaneImpl::make_worker_memory(Worker& worker) const {
  const uint32_t flows = sizing_.flows_per_worker;
  Result<HugeArray<std::byte>> v4 =
      HugeArray<std::byte>::create(FlowTable<FlowKeyV4>::bytes_for(flows), "flow table");
  if (!v4) return v4.error();
  Result<HugeArray<std::byte>> v6 =
      HugeArray<std::byte>::create(FlowTable<FlowKeyV6>::bytes_for(flows), "flow table");
  if (!v6) return v6.error();
  if (params_.quotas != DataplaneParams::Quotas{}) {
    const size_t bytes = AddressLoad::bytes_for(flows);
    Result<HugeArray<std::byte>> loads = HugeArray<std::byte>::create(2 * bytes, "quotas");
    if (!loads) return loads.error();
    worker.load_memory = *std::move(loads);
    worker.state->sources = AddressLoad(worker.load_memory.data(), flows);
    worker.state->targets = AddressLoad(worker.load_memory.data() + bytes, flows);
  }
  if (params_.defer_in_floods) {
    Result<HugeArray<std::byte>> seen =
        HugeArray<std::byte>::create(FirstSeen::kBytes, "first packets");
    if (!seen) return seen.error();
    worker.first_seen_memory = *std::move(seen);
    worker.state->first_seen = FirstSeen(worker.first_seen_memory.data());
  }
  worker.flow_memory_v4 = *std::move(v4);
  worker.flow_memory_v6 = *std::move(v6);
  worker.state->flows_v4 = FlowTable<FlowKeyV4>(worker.flow_memory_v4.data(), flows);
  worker.state->flows_v6 = FlowTable<FlowKeyV6>(worker.flow_memory_v6.data(), flows);

  const Tsc hz = worker.state->tsc_hz;
  const FragmentLimits limits{.datagrams = sizing_.datagrams_per_worker,
                              .held = sizing_.held_per_worker,
                              .hold = params_.fragment_hold_s * hz,
                              .life = params_.fragment_s * hz};
  Result<HugeArray<std::byte>> fragments = HugeArray<std::byte>::create(
      FragmentTable::bytes_for(limits.datagrams, limits.held), "fragment table");
  if (!fragments) return fragments.error();
  worker.fragment_memory = *std::move(fragments);
  worker.state->fragments = FragmentTable(worker.fragment_memory.data(), limits);
  return {};
}

/// Owners follow the NICs if every port has a queue for every worker and can be told where to put
/// a packet. A port whose driver turns out to do otherwise hands over what it gets.
std::unique_ptr<const RssOwners> DataplaneImpl::make_owners() const {
  if (params_.workers == 1) return nullptr;  // nobody else could be one
  const unsigned entries = ports_.front()->device.rss_entries();
  if (entries == 0 || entries > RssOwners::kMostEntries) return nullptr;
  for (const auto& port : ports_) {
    // Tables of different sizes agree on an owner if their queues are a power of two.
    if (port->device.rx_queues() != params_.workers || port->device.rss_entries() == 0 ||
        (port->device.rss_entries() != entries && !std::has_single_bit(params_.workers))) {
      return nullptr;
    }
  }
  return std::make_unique<const RssOwners>(kRssKey, entries, params_.workers);
}

Result<void> DataplaneImpl::make_workers(const Layout& layout) {
  owners_ = make_owners();
  const Tsc hz = rte_get_tsc_hz();
  const HashSeed seed = random_seed();
  const HashSeed secret = random_seed();
  const SipKey challenge_key{secret.a, secret.b};
  const FlowTimeouts timeouts = timeouts_of(params_.timeouts, hz);
  for (unsigned id = 0; id < params_.workers; ++id) {
    Worker& worker = workers_.emplace_back();
    worker.cpu = layout.cpus[id];
    worker.shared = &shared_;
    worker.mailbox = std::make_unique<Mailbox>();
    worker.state = std::make_unique<WorkerState>();
    WorkerState& w = *worker.state;
    w.id = static_cast<WorkerId>(id);
    w.workers = params_.workers;
    w.port_count = static_cast<unsigned>(ports_.size());
    w.max_flows = sizing_.flows_per_worker;
    w.seed = seed;
    w.owners = owners_.get();
    w.tsc_hz = hz;
    w.checksum = params_.checksum;
    w.pass_non_ip = params_.pass_non_ip;
    w.pass_tunnels = params_.pass_tunnels;
    w.reset_on_cut = params_.reset_on_cut;
    w.challenge.key = challenge_key;
    w.challenge.enter_at = static_cast<uint32_t>(
        (uint64_t{sizing_.flows_per_worker} * params_.challenge_percent + 99) / 100);
    w.timeouts = timeouts;
    w.quotas = quotas_of(params_.quotas, params_.workers);
    w.mailbox = worker.mailbox.get();
    if (Result<void> r = make_worker_memory(worker); !r) {
      return std::move(r).error().within("worker " + std::to_string(id));
    }
    if (Result<void> r = qsbr_.add_reader(id); !r) return r;
  }
  rings_.reserve(size_t{params_.workers} * params_.workers);
  for (unsigned giver = 0; giver < params_.workers; ++giver) {
    for (unsigned taker = 0; taker < params_.workers; ++taker) {
      Result<HandoffRing> ring =
          HandoffRing::create("handoff-" + std::to_string(giver) + "-" + std::to_string(taker),
                              giver == taker ? kOwnRing : kHandoffRing);
      if (!ring) return ring.error();
      rings_.push_back(*std::move(ring));
      workers_[giver].state->to[taker] = &rings_.back();
      workers_[taker].state->from[giver] = &rings_.back();
    }
  }
  give_queues();
  return {};
}

void DataplaneImpl::give_queues() {
  for (unsigned p = 0; p < ports_.size(); ++p) {
    for (Worker& worker : workers_) {
      WorkerPort& view = worker.state->ports[p];
      view.peer = ports_[p]->peer;
      view.end = p > ports_[p]->peer ? 1 : 0;
      view.wire = ports_[p]->wire;
      view.sources = &ports_[p]->filter;
      view.active = &ports_[p]->active;
    }
    share_queues(p);
  }
}

/// Who receives and sends on a port. Only while it is not active.
void DataplaneImpl::share_queues(unsigned port) {
  const EthDev& device = ports_[port]->device;
  const unsigned workers = params_.workers;
  for (unsigned id = 0; id < workers; ++id) {
    WorkerPort& view = workers_[id].state->ports[port];
    view.dpdk_port = device.id();
    view.rx_queue = view.tx_queue = kNoQueue;
    view.tx_worker = static_cast<uint8_t>(
        worker_of_queue(port, id % device.tx_queues(), device.tx_queues(), workers));
  }
  for (unsigned q = 0; q < device.rx_queues(); ++q) {
    workers_[worker_of_queue(port, q, device.rx_queues(), workers)].state->ports[port].rx_queue =
        static_cast<uint16_t>(q);
  }
  for (unsigned q = 0; q < device.tx_queues(); ++q) {
    workers_[worker_of_queue(port, q, device.tx_queues(), workers)].state->ports[port].tx_queue =
        static_cast<uint16_t>(q);
  }
}

int DataplaneImpl::worker_main(void* worker) {
  const auto& mine = *static_cast<Worker*>(worker);
  run_worker(*mine.state, *mine.shared);
  return 0;
}

Result<void> DataplaneImpl::start() {
  const std::lock_guard lock(ports_lock_);
  const std::lock_guard ask(ask_lock_);
  if (launched_) return Error{ErrorCode::kConflict, "it runs already", "data path"};
  if (params_.pick_up_tcp || grace_.count() != 0) {
    const Tsc until = rte_rdtsc() + rte_get_tsc_hz() * static_cast<Tsc>(grace_.count());
    for (Worker& worker : workers_) {
      worker.state->pick_up_until = params_.pick_up_tcp ? ~Tsc{0} : until;
    }
  }
  for (const auto& port : ports_) {
    if (Result<void> r = port->device.start(); !r) return r;
    port->active.store(true, std::memory_order_release);
  }
  shared_.stop.store(false);
  for (unsigned id = 0; id < workers_.size(); ++id) {
    if (rte_eal_remote_launch(&worker_main, &workers_[id], Eal::worker_lcore(id)) != 0) {
      return Error{ErrorCode::kIo, "its lcore does not start", "worker " + std::to_string(id)};
    }
  }
  launched_ = true;
  running_.store(true, std::memory_order_release);
  watcher_ = std::thread(&DataplaneImpl::watch_ports, this);
  return {};
}

void DataplaneImpl::stop() {
  // First of all, before any lock that a slow port might hold.
  shared_.stop.store(true);
  {
    const std::lock_guard lock(watch_lock_);
    watch_stop_ = true;
  }
  watch_wake_.notify_all();
  if (watcher_.joinable()) watcher_.join();
  const std::lock_guard lock(ports_lock_);
  if (!launched_) return;
  for (unsigned id = 0; id < workers_.size(); ++id) rte_eal_wait_lcore(Eal::worker_lcore(id));
  const std::lock_guard ask(ask_lock_);
  running_.store(false, std::memory_order_release);
  for (Worker& worker : workers_) drain_rings(*worker.state);
  for (const auto& port : ports_) {
    port->active.store(false, std::memory_order_release);
    port->device.stop();
  }
  launched_ = false;
}

DataplaneImpl::~DataplaneImpl() {
  stop();
}

Result<void> DataplaneImpl::publish(std::shared_ptr<const RuleSet> rules) {
  const std::lock_guard one(publish_lock_);
  std::shared_ptr<const RuleSet> before;
  {
    const std::lock_guard lock(rules_lock_);
    before = std::exchange(in_force_, std::move(rules));
    shared_.rules.store(in_force_.get(), std::memory_order_release);
  }
  if (!running_.load(std::memory_order_acquire)) return {};
  if (qsbr_.wait_grace_period(kGrace)) return {};
  stuck_.push_back(std::move(before));
  return Error{ErrorCode::kIo,
               "a worker does not answer; the new rules are published, but it may "
               "still use the old ones",
               "data path"};
}

std::shared_ptr<const RuleSet> DataplaneImpl::rules() const {
  const std::lock_guard lock(rules_lock_);
  return in_force_;
}

}  // namespace rampart
