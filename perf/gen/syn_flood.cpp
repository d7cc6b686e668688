// SPDX-License-Identifier: Apache-2.0
//
// One line that honest hosts and a SYN flood share: what comes in at an interface (where real TCP
// stacks are) goes to the appliance through a memif, and so do SYNs from random sources, as many as
// the appliance takes. What the appliance sends to an honest host leaves at the interface, what it
// sends to anybody else is counted.
//
// The line is lossless: an honest frame goes before the flood's next one, and the flood waits where
// the appliance has not answered most of what it was sent. So the appliance's own ring has room
// for every answer, even while this program waits for its CPU, and no honest frame finds it full.
// Loss on a line that is too thin is no matter of a firewall.
//
//   syn_flood --memif SOCKET --interface NAME --core N --seed N
//             --clients ADDRESS --client-count N --client-mac MAC     the honest hosts
//             --client-ports FIRST --client-port-count N              what they open from
//             --servers ADDRESS --server-count N --server-mac MAC --port N
//             --shared-per-million N      SYNs from honest addresses and those ports
//
// Says "ready", then obeys lines on stdin: "on", "off", "stats" (a line of JSON); ends with it.
#include <rte_cycles.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <string>

#include "perf/gen/generator.hpp"
#include "tests/support/packet_socket.hpp"

namespace rampart::perf {
namespace {

constexpr uint16_t kBurst = 32;
/// How often the interface is looked at while the flood runs: a look costs a system call.
constexpr uint64_t kLooksASecond = 50000;
/// SYNs that the appliance may have without having answered; a quarter of its ring.
constexpr uint64_t kMostUnanswered = 4096;
/// After so much silence it will not answer them any more (it has let them pass, or dropped them).
constexpr uint64_t kSilencesASecond = 4000;

struct Tally {
  std::atomic<uint64_t> flood{0};        ///< SYNs that the appliance's ring took
  std::atomic<uint64_t> shared{0};       ///< of these: from honest addresses
  std::atomic<uint64_t> full{0};         ///< times that the appliance was behind
  std::atomic<uint64_t> bursts{0};       ///< bursts of the flood
  std::atomic<uint64_t> from_honest{0};  ///< frames in from the interface
  std::atomic<uint64_t> to_honest{0};    ///< frames out to it
  std::atomic<uint64_t> refused{0};      ///< of these: not taken by the kernel
  std::atomic<uint64_t> to_nobody{0};    ///< frames to the flood's sources
};

class Line {
 public:
  Line(const Arguments& a, EthDev& appliance, const Mempool& pool, test::PacketSocket& honest)
      : appliance_(appliance),
        pool_(pool.get()),
        honest_(honest),
        maker_(FrameMaker::Kind::kSyn, a.mac("--client-mac"), a.mac("--server-mac")),
        random_(a.number("--seed") * 0x9e3779b97f4a7c15ULL),
        clients_(a.ipv4("--clients")),
        client_count_(static_cast<uint32_t>(a.number("--client-count"))),
        client_ports_(static_cast<uint32_t>(a.number("--client-ports"))),
        client_port_count_(static_cast<uint32_t>(a.number("--client-port-count"))),
        servers_(a.ipv4("--servers")),
        server_count_(static_cast<uint32_t>(a.number("--server-count"))),
        port_(static_cast<uint16_t>(a.number("--port"))),
        shared_(static_cast<uint32_t>((a.number("--shared-per-million") << 32) / 1000000)) {}

  std::atomic<bool> stop{false}, flooding{false};
  Tally tally;

  void run() {
    const uint64_t between = rte_get_tsc_hz() / kLooksASecond;
    uint64_t looked = 0;
    while (!stop.load(std::memory_order_relaxed)) {
      take_from_appliance();
      const uint64_t now = rte_rdtsc();
      if (now - looked >= between) {
        looked = now;
        take_from_honest();
      }
      if (flooding.load(std::memory_order_relaxed)) flood();
    }
  }

 private:
  bool is_client(uint32_t address) const { return address - clients_ < client_count_; }

  void take_from_appliance() {
    rte_mbuf* frames[kBurst];
    const uint16_t count = appliance_.rx_burst(0, frames, kBurst);
    if (count == 0) return;
    heard_ = rte_rdtsc();
    unanswered_ -= std::min<uint64_t>(unanswered_, count);
    uint64_t to_nobody = 0;
    for (uint16_t i = 0; i < count; ++i) {
      const auto* bytes = rte_pktmbuf_mtod(frames[i], const uint8_t*);
      uint32_t to = 0;
      if (frames[i]->data_len >= 34) std::memcpy(&to, bytes + 30, 4);
      if (!is_client(__builtin_bswap32(to))) {
        ++to_nobody;
        continue;
      }
      const auto* first = reinterpret_cast<const std::byte*>(bytes);
      add(tally.to_honest, 1);
      if (!honest_.send({first, first + frames[i]->data_len})) add(tally.refused, 1);
    }
    add(tally.to_nobody, to_nobody);
    rte_pktmbuf_free_bulk(frames, count);
  }

  void take_from_honest() {
    for (unsigned n = 0; n < kBurst; ++n) {
      const auto frame = honest_.receive();
      if (!frame) return;
      rte_mbuf* m = rte_pktmbuf_alloc(pool_);
      if (m == nullptr || frame->size() > rte_pktmbuf_tailroom(m)) {
        rte_pktmbuf_free(m);
        continue;
      }
      std::memcpy(rte_pktmbuf_append(m, static_cast<uint16_t>(frame->size())), frame->data(),
                  frame->size());
      add(tally.from_honest, 1);
      send(&m, 1);
    }
  }

  void flood() {
    if (unanswered_ >= kMostUnanswered) {
      if (rte_rdtsc() - heard_ < silence_) return add(tally.full, 1);
      unanswered_ = 0;
    }
    unanswered_ += kBurst;
    rte_mbuf* frames[kBurst];
    if (rte_pktmbuf_alloc_bulk(pool_, frames, kBurst) != 0) return;
    uint64_t shared = 0;
    for (rte_mbuf* m : frames) {
      const uint64_t random = random_.next();
      FrameMaker::Ends ends{};
      if (static_cast<uint32_t>(random) < shared_) {
        const uint64_t more = random_.next();
        ends.source = clients_ + static_cast<uint32_t>(more >> 32) % client_count_;
        ends.source_port =
            static_cast<uint16_t>(client_ports_ + static_cast<uint32_t>(more) % client_port_count_);
        ++shared;
      } else {
        FrameMaker::draw_source(random, ends);
      }
      const uint64_t last = random_.next();
      ends.destination = servers_ + static_cast<uint32_t>(last >> 32) % server_count_;
      ends.port = port_;
      maker_.write(rte_pktmbuf_mtod(m, uint8_t*), ends, static_cast<uint32_t>(last));
      m->data_len = FrameMaker::kBytes;
      m->pkt_len = FrameMaker::kBytes;
    }
    add(tally.bursts, 1);
    send(frames, kBurst);
    add(tally.flood, kBurst);
    add(tally.shared, shared);
  }

  /// Waits for room, and takes what the appliance sends meanwhile: each waits for the other at the
  /// worst for as long as its ring is full, and never for ever.
  void send(rte_mbuf** frames, uint16_t count) {
    uint16_t sent = 0;
    for (;;) {
      sent += appliance_.tx_burst(0, frames + sent, static_cast<uint16_t>(count - sent));
      if (sent == count) return;
      add(tally.full, 1);
      if (stop.load(std::memory_order_relaxed)) {
        return rte_pktmbuf_free_bulk(frames + sent, count - sent);
      }
      take_from_appliance();
    }
  }

  EthDev& appliance_;
  rte_mempool* pool_;
  test::PacketSocket& honest_;
  FrameMaker maker_;
  Random random_;
  uint32_t clients_, client_count_, client_ports_, client_port_count_, servers_, server_count_;
  uint16_t port_;
  uint32_t shared_;  ///< of 2^32
  uint64_t silence_ = rte_get_tsc_hz() / kSilencesASecond;
  uint64_t heard_ = 0;  ///< when the appliance last sent something
  uint64_t unanswered_ = 0;
};

void print(const Tally& t, uint64_t missed) {
  std::printf(
      "{\"ns\": %lu, \"flood\": %lu, \"shared\": %lu, \"full\": %lu, \"bursts\": %lu, "
      "\"from_honest\": %lu, \"to_honest\": %lu, \"refused\": %lu, \"to_nobody\": %lu, "
      "\"missed\": %lu}\n",
      monotonic_ns(), t.flood.load(), t.shared.load(), t.full.load(), t.bursts.load(),
      t.from_honest.load(), t.to_honest.load(), t.refused.load(), t.to_nobody.load(), missed);
}

int run(int count, char** words) {
  const auto a =
      Arguments::parse(count, words,
                       {"--memif", "--interface", "--core", "--seed", "--clients", "--client-count",
                        "--client-mac", "--client-ports", "--client-port-count", "--servers",
                        "--server-count", "--server-mac", "--port", "--shared-per-million"});
  if (!a) {
    fail(a.error());
    return 2;
  }
  auto honest = test::PacketSocket::open(a->text("--interface"));
  if (!honest) return fail(honest.error());
  const auto ground = Ground::lay("flood", static_cast<unsigned>(a->number("--core")), 128, 16383);
  if (!ground) return fail(ground.error());
  auto port = open_memif(0, a->text("--memif"), ground->pool);
  if (!port) return fail(port.error());

  Line line(*a, *port, ground->pool, *honest);
  return run_beside(line, [&] {
    uint64_t missed = 0;
    for (std::string command; std::getline(std::cin, command);) {
      if (command == "stats") {
        print(line.tally, missed += honest->missed());
      } else if (command == "on" || command == "off") {
        line.flooding = command == "on";
      } else {
        reject(command);
      }
      std::fflush(stdout);
    }
  });
}

}  // namespace
}  // namespace rampart::perf

int main(int argc, char** argv) {
  return rampart::perf::run(argc, argv);
}
