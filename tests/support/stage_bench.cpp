// SPDX-License-Identifier: Apache-2.0
#include "tests/support/stage_bench.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

#include "dataplane/state/handoff.hpp"

namespace rampart::test {
namespace {

template <typename T>
T must(Result<T> r) {
  if (!r) {
    std::fprintf(stderr, "stage bench: %s\n", r.error().text().c_str());
    std::abort();
  }
  return *std::move(r);
}

unsigned next_number() {
  static unsigned number = 0;
  return number++;
}

void* zeroed(size_t bytes) {
  void* memory = std::aligned_alloc(kCacheLine, bytes);
  std::memset(memory, 0, bytes);
  return memory;
}

}  // namespace

StageBench::StageBench(uint32_t max_flows, unsigned worker, unsigned workers, uint32_t ring)
    : memory_v4_(zeroed(FlowTable<FlowKeyV4>::bytes_for(max_flows)), &std::free),
      memory_v6_(zeroed(FlowTable<FlowKeyV6>::bytes_for(max_flows)), &std::free),
      memory_loads_(zeroed(2 * AddressLoad::bytes_for(max_flows)), &std::free),
      fragment_memory_(zeroed(FragmentTable::bytes_for(kDatagrams, kHeld)), &std::free),
      memory_seen_(nullptr, &std::free) {
  const std::string number = std::to_string(next_number());
  pool_ = must(Mempool::create({.name = "bench-" + number,
                                .count = 2047,
                                .cache = 0,
                                .data_room = Mempool::data_room_for(1500)}));
  w.id = static_cast<WorkerId>(worker);
  w.workers = workers;
  w.port_count = 2;
  w.max_flows = max_flows;
  w.tsc_hz = Tsc{60} << kTickShift;  // sixty ticks a second
  w.timeouts.fill(60 * 60);
  w.mailbox = &mailbox_;
  for (uint8_t p = 0; p < 2; ++p) {
    w.ports[p].peer = 1 - p;
    w.ports[p].end = p;
    w.ports[p].sources = &no_filter_;
    w.ports[p].active = &active;
  }
  w.flows_v4 = FlowTable<FlowKeyV4>(memory_v4_.get(), max_flows);
  w.flows_v6 = FlowTable<FlowKeyV6>(memory_v6_.get(), max_flows);
  w.fragments = FragmentTable(
      fragment_memory_.get(),
      {.datagrams = kDatagrams, .held = kHeld, .hold = 2 * w.tsc_hz, .life = 30 * w.tsc_hz});
  rings_.reserve(workers);
  for (unsigned other = 0; other < workers; ++other) {
    rings_.push_back(must(HandoffRing::create("bench-" + number + "-" + std::to_string(other),
                                              other == worker ? kOwnRing : ring)));
    w.to[other] = &rings_.back();
  }
  w.from[worker] = w.to[worker];
  set_mode(RuleSet::Mode::kPassAll);
}

StageBench::~StageBench() {
  drop_held_fragments(w);
  for (HandoffRing& ring : rings_) {
    rte_mbuf* m = nullptr;
    while (ring.dequeue(&m, 1) == 1) rte_pktmbuf_free(m);
  }
}

rte_mbuf* StageBench::buffer(const Bytes& bytes) {
  rte_mbuf* m = rte_pktmbuf_alloc(pool_->get());
  std::memcpy(rte_pktmbuf_append(m, static_cast<uint16_t>(bytes.size())), bytes.data(),
              bytes.size());
  return m;
}

rte_mbuf* StageBench::chain(const Bytes& bytes, size_t each) {
  rte_mbuf* head = nullptr;
  for (size_t at = 0; at < bytes.size(); at += each) {
    const auto from = bytes.begin() + static_cast<long>(at);
    rte_mbuf* m = buffer(Bytes(from, from + static_cast<long>(std::min(each, bytes.size() - at))));
    if (head == nullptr) {
      head = m;
    } else {
      rte_pktmbuf_chain(head, m);
    }
  }
  return head;
}

std::vector<StageBench::End> StageBench::run(const std::vector<Frame>& frames) {
  std::vector<rte_mbuf*> buffers;
  std::vector<uint8_t> ports;
  buffers.reserve(frames.size());
  ports.reserve(frames.size());
  for (const Frame& frame : frames) {
    buffers.push_back(buffer(frame.bytes));
    buffers.back()->ol_flags = frame.ol_flags;
    ports.push_back(frame.port);
  }
  return run(buffers, ports);
}

std::vector<StageBench::End> StageBench::run(const std::vector<rte_mbuf*>& buffers,
                                             const std::vector<uint8_t>& ports) {
  Burst& b = w.burst;
  b.count = 0;
  b.checked = 0;
  for (rte_mbuf* m : buffers) {
    const uint8_t port = ports[b.count];
    b.in_port[b.count] = port;
    b.mbuf[b.count++] = m;
    ++w.counters.ports[port].received;
  }
  b.now = now_;
  parse(b, w, *rules);
  return run_on();
}

std::vector<StageBench::End> StageBench::run_on() {
  Burst& b = w.burst;
  steer(b, w, *rules);
  track(b, w, *rules);
  if (w.overload.active) defer(b, w);
  classify(b, w, *rules);
  follow(b, w, *rules);
  settle(b, w, *rules);
  std::vector<End> ends;
  for (unsigned i = 0; i < b.count; ++i) {
    const bool dropped = b.fate[i] == Fate::kDrop || b.fate[i] == Fate::kAnswered;
    ends.push_back({b.fate[i], dropped ? b.reason[i] : DropReason::kNone});
    if (b.fate[i] != Fate::kForward) continue;
    leave(b.mbuf[i], b.in_port[i]);
  }
  uint8_t in_port = 0;
  while (rte_mbuf* m = w.fragments.take(w.resumed, in_port)) {
    ++w.counters.ports[in_port].taken;
    leave(m, in_port);
  }
  return ends;
}

void StageBench::leave(rte_mbuf* m, uint8_t in_port) {
  ++w.counters.ports[in_port].forwarded;
  Bytes& bytes = left.emplace_back();
  for (const rte_mbuf* s = m; s != nullptr; s = s->next) {
    const auto* data = rte_pktmbuf_mtod(s, const uint8_t*);
    bytes.insert(bytes.end(), data, data + s->data_len);
  }
  rte_pktmbuf_free(m);
}

std::vector<StageBench::End> StageBench::take_over(HandoffRing& ring) {
  Burst& b = w.burst;
  b.count = ring.dequeue(b.mbuf, Burst::kSize);
  b.now = now_;
  take_up(b, w, *rules);
  return run_on();
}

StageBench::End StageBench::run(const PacketBuilder& packet, uint8_t port, uint64_t ol_flags) {
  return run({Frame{packet.bytes(), port, ol_flags}}).front();
}

StageBench::End StageBench::run(rte_mbuf* m) {
  return run(std::vector{m}, {0}).front();
}

std::vector<StageBench::Frame> StageBench::originated() {
  std::vector<Frame> frames;
  rte_mbuf* m = nullptr;
  while (w.from[w.id]->dequeue(&m, 1) == 1) {
    const uint8_t from = HandoffTag::in_port(HandoffTag::read(m));
    const auto* bytes = rte_pktmbuf_mtod(m, const uint8_t*);
    frames.push_back({Bytes(bytes, bytes + m->data_len), w.ports[from].peer});
    ++w.counters.ports[from].taken;
    ++w.counters.ports[from].forwarded;
    rte_pktmbuf_free(m);
  }
  return frames;
}

void StageBench::pass_seconds(double seconds) {
  now_ += static_cast<Tsc>(seconds * static_cast<double>(w.tsc_hz));
}

void StageBench::sweep() {
  const uint32_t chunks = std::max(w.flows_v4.chunks(), w.flows_v6.chunks());
  for (uint32_t c = 0; c < chunks; ++c) {
    w.sweep_v4.started = w.sweep_v6.started = now_ - w.tsc_hz;
    expire(w, *rules, now_);
  }
  for (uint32_t n = 0; n < kDatagrams; ++n) expire_fragments(w, now_);
}

void StageBench::set_rules(const std::vector<Allow>& allow, Revision revision, bool at_egress,
                           std::optional<Revision> policy_changed_in) {
  // Every address is a class of its own and is isolated on the side that is asked for.
  std::map<IpAddress, uint16_t> number;
  const auto known = [&number](std::string_view text) {
    const IpAddress a = must(IpAddress::parse(text));
    return number.emplace(a, static_cast<uint16_t>(number.size() + 1)).first->second;
  };
  for (const char* text : {"10.0.0.1", "10.0.0.2", "10.0.0.3", "fd00::1", "fd00::2"}) known(text);
  std::vector<AclRule> acl;
  for (const Allow& a : allow) {
    const uint16_t from = known(a.from), to = known(a.to);
    const uint16_t subject = at_egress ? from : to, peer = at_egress ? to : from;
    AclRule rule;
    rule.any_protocol = true;
    rule.subject_first = rule.subject_last = subject;
    rule.peer_first = rule.peer_last = peer;
    rule.port_first = rule.port_last = a.port;
    rule.rule = static_cast<uint32_t>(acl.size() + 1);
    acl.push_back(rule);
  }
  std::vector<AddressMap::Entry> entries;
  std::vector<Subjects> subjects(number.size() + 1);
  for (const auto& [address, n] : number) {
    Identity id;
    id.class_id = n;
    id.endpoint = n;
    (at_egress ? subjects[n].egress : subjects[n].ingress).number = n;
    entries.push_back({address, id});
  }
  auto next = std::make_shared<RuleSet>();
  next->mode = RuleSet::Mode::kByTables;
  next->revision = revision;
  next->policy_changed_in = policy_changed_in.value_or(revision);
  const AddressMap* before = rules ? rules->addresses.get() : nullptr;
  next->addresses = must(AddressMap::build(entries, {}, {}, revision, before));
  next->subjects = std::make_shared<const std::vector<Subjects>>(std::move(subjects));
  next->parts = {{must(AclTable::build(acl)), nullptr, nullptr}};
  rules = next;
}

void StageBench::set_mode(RuleSet::Mode mode, Revision revision) {
  rules = std::make_shared<RuleSet>();
  rules->mode = mode;
  rules->revision = revision;
}

void StageBench::set_quotas(const Quotas& quotas) {
  w.quotas = quotas;
  auto* bytes = static_cast<std::byte*>(memory_loads_.get());
  w.sources = AddressLoad(bytes, w.max_flows);
  w.targets = AddressLoad(bytes + AddressLoad::bytes_for(w.max_flows), w.max_flows);
}

void StageBench::set_overload() {
  memory_seen_.reset(zeroed(FirstSeen::kBytes));
  w.first_seen = FirstSeen(memory_seen_.get());
  w.overload.active = true;
}

uint64_t StageBench::drops(DropReason why) const {
  uint64_t sum = 0;
  for (const PortWork& work : w.counters.ports) sum += work.drops[static_cast<unsigned>(why)];
  return sum;
}

}  // namespace rampart::test
