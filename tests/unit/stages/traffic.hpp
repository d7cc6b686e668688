// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstring>
#include <map>
#include <random>
#include <tuple>
#include <vector>

#include "tests/support/stage_bench.hpp"

/// Packets of many kinds, and what they have made of flows: for tests that compare ways.
namespace rampart::test {

/// What is known of a flow that packets may change.
struct Known {
  FlowState state;
  Tick last_seen;
  uint32_t judged_in;
  uint64_t packets[2], bytes[2];
  std::array<uint8_t, sizeof(FlowFacts::track)> track;
  bool operator==(const Known&) const = default;
};

template <typename Key>
void list(FlowTable<Key>& table, std::map<uint64_t, Known>& out, const HashSeed& seed) {
  for (uint32_t chunk = 0; chunk < table.chunks(); ++chunk) {
    table.for_each_in_chunk(chunk, [&](auto slot) {
      const FlowFacts& f = table[slot].facts;
      const FlowTally& t = table.tally(slot);
      Known known{f.state, f.last_seen, f.judged_in, {}, {}, {}};
      std::memcpy(known.track.data(), &f.track, sizeof f.track);
      for (const Side side : {Side::kOpener, Side::kReplier}) {
        known.packets[static_cast<unsigned>(side)] = t.packets(side);
        known.bytes[static_cast<unsigned>(side)] = t.bytes(side);
      }
      out[hash_of(table[slot].key, seed)] = known;
    });
  }
}

inline std::map<uint64_t, Known> flows_of(StageBench& bench) {
  std::map<uint64_t, Known> out;
  list(bench.w.flows_v4, out, bench.w.seed);
  list(bench.w.flows_v6, out, bench.w.seed);
  return out;
}

inline auto counts_of(const StageBench& bench) {
  const WorkerCounters& c = bench.w.counters;
  return std::tuple(c.flow_hits, c.flow_misses, c.flows_created, c.flows_expired, c.flows_cut,
                    c.flows_rejudged);
}

/// Packets between few ends, so that they meet flows in all their states.
class Packets {
 public:
  explicit Packets(uint64_t seed) : random_(seed) {}

  unsigned below(unsigned n) { return random_() % n; }

  /// `kind`: 0 to 3 are of those that are not read by their key alone.
  StageBench::Frame next(unsigned kind) {
    const bool back = below(2) != 0;
    const uint16_t client = static_cast<uint16_t>(1000 + below(6)),
                   server = below(3) != 0 ? 80 : 53;
    PacketBuilder p = packet();
    if (below(3) == 0) p.vlan(7);
    if (below(3) != 0) {
      p.ipv4(back ? "10.0.0.2" : "10.0.0.1", back ? "10.0.0.1" : "10.0.0.2");
    } else {
      p.ipv6(back ? "fd00::2" : "fd00::1", back ? "fd00::1" : "fd00::2");
    }
    const uint16_t from = back ? server : client, to = back ? client : server;
    switch (kind) {
      case 0:
        p.tcp(from, to, kSyn);
        break;
      case 1:
        p.tcp(from, to, kAck);
        break;
      case 2:
        p.echo_request(7);
        break;
      case 3:
        p.udp(from, to).ip_option({148, 4, 0, 0});
        break;
      default:
        p.udp(from, to).payload(below(30));
    }
    return {p.bytes(), static_cast<uint8_t>(back)};
  }

  std::vector<StageBench::Frame> burst() {
    std::vector<StageBench::Frame> frames(1 + below(12));
    const bool datagrams = below(2) != 0;
    for (auto& frame : frames) frame = next(datagrams ? 11 : below(12));
    return frames;
  }

 private:
  std::mt19937_64 random_;
};

/// A connection from 10.0.0.1 or fd00::1 to port 80, as its ends see it.
class Talk {
 public:
  Talk(bool v6, bool tagged, uint16_t port) : v6_(v6), tagged_(tagged), port_(port) {}

  StageBench::Frame segment(bool back, uint8_t flags, uint32_t ahead, size_t bytes) const {
    return {builder(back, flags, ahead, bytes).bytes(), static_cast<uint8_t>(back)};
  }
  std::vector<StageBench::Frame> handshake() {
    std::vector<StageBench::Frame> all{segment(false, kSyn, 0, 0)};
    ++sent_[0];
    all.push_back(segment(true, kSyn | kAck, 0, 0));
    ++sent_[1];
    all.push_back(segment(false, kAck, 0, 0));
    all.push_back(segment(true, kAck, 0, 0));
    return all;
  }
  /// What one of the ends sends next, or a stranger in its name, or a router about it.
  StageBench::Frame next(std::mt19937_64& random) {
    const bool back = random() % 2 != 0;
    const size_t bytes = random() % 50;
    switch (random() % 24) {
      case 0:
        return segment(back, kAck | kFin, 0, bytes);
      case 1:
        return segment(back, kRst, 0, 0);
      case 2:
        return segment(back, kRst | kAck, 10, 0);
      case 3:
        return segment(back, kAck, 1000000, bytes);
      case 4: {
        const PacketBuilder error = packet()
                                        .ip(v6_ ? "fd00::9" : "10.0.0.9", address(back))
                                        .icmp(v6_ ? 1 : 3, v6_ ? 4 : 3)
                                        .quote(builder(back, kAck, 0, bytes));
        return {error.bytes(), static_cast<uint8_t>(!back)};
      }
      case 5:
        return segment(back, kAck, 30, bytes);  // the one before it is lost
      case 6: {
        const uint8_t words = static_cast<uint8_t>(random() % 16);
        return {builder(back, kAck, 0, bytes).data_offset(words).bytes(),
                static_cast<uint8_t>(back)};
      }
      case 7:
        return {builder(back, static_cast<uint8_t>(random() & ~uint64_t{kSyn}), 0, bytes).bytes(),
                static_cast<uint8_t>(back)};
      case 8:
        return {builder(back, kAck, 0, bytes).truncate(20 + random() % 60).bytes(),
                static_cast<uint8_t>(back)};
      case 9:
        return Talk(v6_, tagged_, 0).segment(back, kAck, 0, bytes);  // from or to port 0
      default:
        return onward(back, bytes);
    }
  }
  /// One more segment that its sender sends, and nothing about it.
  StageBench::Frame onward(bool back, size_t bytes) {
    StageBench::Frame frame = segment(back, kAck, 0, bytes);
    sent_[back ? 1 : 0] += static_cast<uint32_t>(bytes);
    return frame;
  }

 private:
  std::string_view address(bool server) const {
    if (v6_) return server ? "fd00::2" : "fd00::1";
    return server ? "10.0.0.2" : "10.0.0.1";
  }
  PacketBuilder builder(bool back, uint8_t flags, uint32_t ahead, size_t bytes) const {
    PacketBuilder p = packet();
    if (tagged_) p.vlan(7);
    return p.ip(address(back), address(!back))
        .tcp(back ? 80 : port_, back ? port_ : 80, flags)
        .tcp_sequence(sent_[back ? 1 : 0] + ahead, (flags & kAck) != 0 ? sent_[back ? 0 : 1] : 0)
        .payload(bytes);
  }

  bool v6_, tagged_;
  uint16_t port_;
  uint32_t sent_[2] = {1000, 5000};  ///< of the client and of the server
};

}  // namespace rampart::test
