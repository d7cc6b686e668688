// SPDX-License-Identifier: Apache-2.0
//
// What a memif to the appliance takes, of one kind of packet or of two in turn:
//
//   established  UDP datagrams of --flows flows, from both their ends
//   syn          SYNs that policy allows, from random sources
//   udp          UDP datagrams that policy allows, from random sources
//   denied       SYNs to a port that nobody may call, from random sources
//   broken       the same with a wrong IPv4 header checksum
//
//   mixture --memif SOCKET --core N --seed N --flows N --servers ADDRESS --server-count N
//           --web PORT --calls PORT --closed PORT
//
// Says "ready", then obeys lines on stdin: "send KIND", "send KIND KIND" (one of each in turn),
// "stop", "stats" (a line of JSON); ends with it. Random sources do not come again within hours:
// what would be a retransmission to the appliance is none of ours.
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "perf/gen/generator.hpp"

namespace rampart::perf {
namespace {

constexpr uint16_t kBurst = 32;
constexpr std::array<uint8_t, 6> kClient{2, 0, 0, 0, 0, 1}, kServer{2, 0, 0, 0, 0, 2};

enum class Kind : uint8_t { kEstablished, kSyn, kUdp, kDenied, kBroken, kNone };
constexpr std::array<const char*, 5> kNames{"established", "syn", "udp", "denied", "broken"};

/// kNone: no kind has that name.
Kind kind_named(const std::string& name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (name == kNames[i]) return static_cast<Kind>(i);
  }
  return Kind::kNone;
}

class Source {
 public:
  Source(const Arguments& a, EthDev& port, const Mempool& pool)
      : port_(port),
        pool_(pool.get()),
        syn_(FrameMaker::Kind::kSyn, kClient, kServer),
        udp_(FrameMaker::Kind::kUdp, kClient, kServer),
        random_(a.number("--seed") * 0x9e3779b97f4a7c15ULL),
        servers_(a.ipv4("--servers")),
        server_count_(static_cast<uint32_t>(a.number("--server-count"))),
        web_(static_cast<uint16_t>(a.number("--web"))),
        calls_(static_cast<uint16_t>(a.number("--calls"))),
        closed_(static_cast<uint16_t>(a.number("--closed"))) {
    for (uint64_t n = 0; n < a.number("--flows"); ++n) {
      const FrameMaker::Ends asks = stranger(calls_);
      flows_.push_back(asks);
      flows_.push_back({asks.destination, asks.source, asks.port, asks.source_port});
    }
  }

  std::atomic<bool> stop{false};
  /// Two kinds, in the low and the high byte.
  std::atomic<uint16_t> kinds{static_cast<uint16_t>(Kind::kNone)};
  std::atomic<uint64_t> sent{0}, full{0}, came_back{0};

  void run() {
    while (!stop.load(std::memory_order_relaxed)) {
      take();
      const uint16_t now = kinds.load(std::memory_order_relaxed);
      const auto first = static_cast<Kind>(now & 0xff), second = static_cast<Kind>(now >> 8);
      if (first == Kind::kNone) {
        usleep(100);
      } else {
        send(first, second);
      }
    }
  }

 private:
  FrameMaker::Ends stranger(uint16_t port) {
    const uint64_t random = random_.next();
    FrameMaker::Ends ends{
        .source = 0,
        .destination = servers_ + static_cast<uint32_t>(random >> 8 & 0xffff) % server_count_,
        .source_port = 0,
        .port = port};
    FrameMaker::draw_source(random, ends);
    return ends;
  }

  void write(Kind kind, uint8_t* out) {
    switch (kind) {
      case Kind::kEstablished:
        next_ = next_ + 1 < flows_.size() ? next_ + 1 : 0;
        return udp_.write(out, flows_[next_], 0);
      case Kind::kSyn:
        return syn_.write(out, stranger(web_), static_cast<uint32_t>(random_.next()));
      case Kind::kUdp:
        return udp_.write(out, stranger(calls_), 0);
      case Kind::kDenied:
        return syn_.write(out, stranger(closed_), static_cast<uint32_t>(random_.next()));
      case Kind::kBroken:
        syn_.write(out, stranger(closed_), 0);
        out[24] ^= 0x55;
        return;
      case Kind::kNone:
        return;
    }
  }

  void send(Kind first, Kind second) {
    rte_mbuf* frames[kBurst];
    if (rte_pktmbuf_alloc_bulk(pool_, frames, kBurst) != 0) return;
    for (unsigned i = 0; i < kBurst; ++i) {
      write(i % 2 == 0 ? first : second, rte_pktmbuf_mtod(frames[i], uint8_t*));
      frames[i]->data_len = FrameMaker::kBytes;
      frames[i]->pkt_len = FrameMaker::kBytes;
    }
    for (uint16_t done = 0; done < kBurst;) {
      done += port_.tx_burst(0, frames + done, static_cast<uint16_t>(kBurst - done));
      if (done == kBurst) break;
      add(full, 1);
      take();
      if (stop.load(std::memory_order_relaxed)) {
        return rte_pktmbuf_free_bulk(frames + done, kBurst - done);
      }
    }
    add(sent, kBurst);
  }

  void take() {
    rte_mbuf* frames[kBurst];
    const uint16_t count = port_.rx_burst(0, frames, kBurst);
    rte_pktmbuf_free_bulk(frames, count);
    add(came_back, count);
  }

  EthDev& port_;
  rte_mempool* pool_;
  FrameMaker syn_, udp_;
  Random random_;
  uint32_t servers_, server_count_;
  uint16_t web_, calls_, closed_;
  std::vector<FrameMaker::Ends> flows_;
  size_t next_ = 0;
};

void obey(Source& source) {
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string command, first, second;
    words >> command >> first >> second;
    if (command == "send" || command == "stop") {
      const Kind one = kind_named(first);
      const Kind other = second.empty() ? one : kind_named(second);
      const bool sends = one != Kind::kNone && other != Kind::kNone;
      if (sends != (command == "send")) reject(line);
      source.kinds =
          static_cast<uint16_t>(static_cast<unsigned>(one) | static_cast<unsigned>(other) << 8);
    } else if (command == "stats") {
      std::printf("{\"sent\": %lu, \"full\": %lu, \"came_back\": %lu}\n", source.sent.load(),
                  source.full.load(), source.came_back.load());
    } else {
      reject(line);
    }
    std::fflush(stdout);
  }
}

int run(int count, char** words) {
  const auto a = Arguments::parse(count, words,
                                  {"--memif", "--core", "--seed", "--flows", "--servers",
                                   "--server-count", "--web", "--calls", "--closed"});
  if (!a) {
    fail(a.error());
    return 2;
  }
  const auto ground =
      Ground::lay("mixture", static_cast<unsigned>(a->number("--core")), 128, 16383);
  if (!ground) return fail(ground.error());
  auto port = open_memif(0, a->text("--memif"), ground->pool);
  if (!port) return fail(port.error());

  Source source(*a, *port, ground->pool);
  return run_beside(source, [&] { obey(source); });
}

}  // namespace
}  // namespace rampart::perf

int main(int argc, char** argv) {
  return rampart::perf::run(argc, argv);
}
