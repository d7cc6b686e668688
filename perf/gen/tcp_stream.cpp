// SPDX-License-Identifier: Apache-2.0
//
// Both ends of TCP connections through an appliance between two memifs: real handshakes, data and
// acknowledgements both ways, sequence numbers that advance and are checked, closes (RFC 9293).
//
//   tcp_stream --clients SOCKET --servers SOCKET --core N --flows N --window N --client ADDRESS
//              --server ADDRESS --server-count N --port PORT --seed N
//
// Connection n is from port 1024 + n % 60000 of the client n / 60000 after ADDRESS to server
// n % COUNT. --window: exchanges that are under way at the same time; so many packets at most are
// in the appliance, which therefore loses none for want of room.
//
// Both sockets are its own: the appliance is the client of either memif. Says "ready" when it has
// come, then obeys lines on stdin, and ends with it:
//
//   send established  opens --flows connections, then asks and answers on all of them, in an order
//                     that is none: data, data with acknowledgement, acknowledgement
//   send zipf         the same, but the k-th connection's turn comes as often as 1/k; those that
//   are
//                     busy then are passed over
//   send connections  a new one each time: SYN, SYN+ACK, ACK with the question, answer, FIN, FIN,
//                     ACK: seven packets
//   send none         waits
//   stats             answers with a line of JSON: sent, received, opened, closed, exchanges,
//                     unexpected (packets that were not the next ones of their connections),
//                     under_way, idle_loops (in which nothing came and nothing could be sent),
//                     loops
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <numeric>
#include <random>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "perf/gen/generator.hpp"
#include "perf/gen/tcp_segment.hpp"

namespace rampart::perf {
namespace {

constexpr uint16_t kBurst = 64;
constexpr uint64_t kPorts = 60000;
constexpr uint16_t kFirstPort = 1024;

/// What is under way in a connection: the packet that must come next.
enum class Next : uint8_t {
  kClosed,     ///< nothing
  kOpen,       ///< nothing, and it is open
  kSyn,        ///< at the server
  kSynAck,     ///< at the client
  kQuestion,   ///< at the server
  kAnswer,     ///< at the client
  kAck,        ///< at the server
  kFin,        ///< at the server
  kServerFin,  ///< at the client
  kLastAck,    ///< at the server
};

struct Connection {
  uint32_t client, server;  ///< the sequence numbers that each sends next
  Next next;
};

class Stream {
 public:
  enum class Kind : uint8_t { kNone, kEstablished, kZipf, kConnections };

  Stream(const Arguments& a, EthDev& clients, EthDev& servers, const Mempool& pool)
      : clients_(clients),
        servers_(servers),
        pool_(pool.get()),
        window_(a.number("--window")),
        flows_(a.number("--flows")),
        client_(a.ipv4("--client")),
        server_(a.ipv4("--server")),
        server_count_(static_cast<uint32_t>(a.number("--server-count"))),
        port_(static_cast<uint16_t>(a.number("--port"))),
        order_(flows_),
        connections_(std::max(flows_, 4 * window_)) {
    std::iota(order_.begin(), order_.end(), 0U);
    Random random(a.number("--seed") * 0x9e3779b97f4a7c15ULL);
    for (size_t i = order_.size(); i > 1; --i) {
      std::swap(order_[i - 1], order_[random.next() % i]);
    }
    std::vector<double> often(flows_);
    for (size_t k = 0; k < often.size(); ++k) often[k] = 1.0 / static_cast<double>(k + 1);
    std::discrete_distribution<uint32_t> rank(often.begin(), often.end());
    std::mt19937_64 chance(a.number("--seed"));
    for (uint32_t& number : popular_) number = order_[rank(chance)];
  }

  std::atomic<bool> stop{false};
  std::atomic<Kind> kind{Kind::kNone};
  std::atomic<uint64_t> sent{0}, received{0}, opened{0}, closed{0}, exchanges{0}, unexpected{0};
  std::atomic<uint64_t> loops{0}, idle_loops{0}, under_way{0};

  void run() {
    while (!stop.load(std::memory_order_relaxed)) {
      unsigned moved = take(servers_, false) + take(clients_, true);
      const Kind now = kind.load(std::memory_order_relaxed);
      if (now != Kind::kNone) moved += begin(now);
      if (now == Kind::kNone && moved == 0) usleep(50);
      add(loops, 1);
      if (moved == 0) add(idle_loops, 1);
    }
  }

 private:
  Ends ends(uint64_t n) const {
    return {client_ + static_cast<uint32_t>(n / kPorts),
            server_ + static_cast<uint32_t>(n % server_count_),
            static_cast<uint16_t>(kFirstPort + n % kPorts), port_};
  }

  /// Answers what has come for one side.
  unsigned take(EthDev& port, bool at_client) {
    rte_mbuf* frames[kBurst];
    const uint16_t count = port.rx_burst(0, frames, kBurst);
    if (count == 0) return 0;
    add(received, count);
    unsigned answers = 0;
    for (unsigned i = 0; i < count; ++i) {
      if (i + 4 < count) rte_prefetch0(rte_pktmbuf_mtod(frames[i + 4], void*));
      if (answer(frames[i], at_client)) {
        frames[answers++] = frames[i];
      } else {
        rte_pktmbuf_free(frames[i]);
      }
    }
    send(port, frames, answers);
    return count;
  }

  /// Turns a packet into what its receiver says to it. False: nothing.
  bool answer(rte_mbuf* frame, bool at_client) {
    auto* bytes = rte_pktmbuf_mtod(frame, uint8_t*);
    Segment in;
    if (frame->data_len < Segment::kBytes || !in.read(bytes)) return wrong();
    const Ends& at = in.ends;
    const uint64_t number = uint64_t{(at_client ? at.destination : at.source) - client_} * kPorts +
                            (at_client ? at.port : at.source_port) - kFirstPort;
    Connection& c = connections_[number % connections_.size()];
    const uint32_t theirs = at_client ? c.server : c.client;
    const uint32_t mine = at_client ? c.client : c.server;
    // The sender has advanced its number by what is in this packet.
    if (in.sequence + in.length() != theirs ||
        ((in.flags & kAck) != 0 && in.acknowledged != mine)) {
      return wrong();
    }
    uint8_t flags = 0;
    bool data = false;
    switch (c.next) {
      case Next::kSyn:
        flags = kSyn | kAck;
        break;
      case Next::kSynAck:
        add(opened, 1);
        [[fallthrough]];
      case Next::kQuestion:
        flags = kAck | kPush;
        data = true;
        break;
      case Next::kAnswer:
        flags = closing_ ? kFin | kAck : kAck;
        break;
      case Next::kFin:
        flags = kFin | kAck;
        break;
      case Next::kServerFin:
        flags = kAck;
        break;
      case Next::kAck:
        return done(c, Next::kOpen);
      case Next::kLastAck:
        add(closed, 1);
        return done(c, Next::kClosed);
      case Next::kClosed:
      case Next::kOpen:
        return wrong();
    }
    const bool expected_here = (c.next == Next::kSynAck || c.next == Next::kAnswer ||
                                c.next == Next::kServerFin) == at_client;
    if (!expected_here) return wrong();
    c.next = after(c.next);
    const Segment out{.ends = {at.destination, at.source, at.port, at.source_port},
                      .sequence = mine,
                      .acknowledged = theirs,
                      .flags = flags,
                      .data = data};
    (at_client ? c.client : c.server) += out.length();
    out.write(bytes, at_client);
    frame->data_len = Segment::kBytes;
    frame->pkt_len = Segment::kBytes;
    return true;
  }

  Next after(Next next) const {
    switch (next) {
      case Next::kSyn:
        return Next::kSynAck;
      case Next::kSynAck:
        return Next::kQuestion;
      case Next::kQuestion:
        return Next::kAnswer;
      case Next::kAnswer:
        return closing_ ? Next::kFin : Next::kAck;
      case Next::kFin:
        return Next::kServerFin;
      default:
        return Next::kLastAck;
    }
  }

  bool done(Connection& c, Next next) {
    c.next = next;
    --under_way_;
    add(exchanges, 1);
    under_way.store(under_way_, std::memory_order_relaxed);
    return false;
  }
  bool wrong() {
    add(unexpected, 1);
    return false;
  }

  /// Begins as many exchanges as there is room for, a burst at most.
  unsigned begin(Kind now) {
    if (under_way_ == 0) closing_ = now == Kind::kConnections;
    if (closing_ != (now == Kind::kConnections)) return 0;  // first let the others come to an end
    const auto room = static_cast<unsigned>(std::min<uint64_t>(kBurst, window_ - under_way_));
    rte_mbuf* frames[kBurst];
    if (room < kBurst / 2 || rte_pktmbuf_alloc_bulk(pool_, frames, room) != 0) return 0;
    unsigned count = 0;
    // Of the popular ones most are busy.
    for (unsigned tries = 0; count < room && tries < 16 * kBurst; ++tries) {
      const uint64_t number = closing_             ? next_
                              : now == Kind::kZipf ? popular_[next_ % popular_.size()]
                                                   : order_[next_ % flows_];
      Connection& c = connections_[number % connections_.size()];
      const bool fresh = c.next == Next::kClosed;
      if (!fresh && (closing_ || c.next != Next::kOpen)) {
        if (now != Kind::kZipf) break;
        ++next_;
        continue;
      }
      ++next_;
      if (fresh) {
        c.client = static_cast<uint32_t>(number * 0x9e3779b1U);
        c.server = static_cast<uint32_t>(number * 0x85ebca6bU);
      }
      const Segment out{.ends = ends(number),
                        .sequence = c.client,
                        .acknowledged = fresh ? 0 : c.server,
                        .flags = static_cast<uint8_t>(fresh ? kSyn : kAck | kPush),
                        .data = !fresh};
      c.client += out.length();
      c.next = fresh ? Next::kSyn : Next::kQuestion;
      out.write(rte_pktmbuf_mtod(frames[count], uint8_t*), true);
      frames[count]->data_len = Segment::kBytes;
      frames[count]->pkt_len = Segment::kBytes;
      ++count;
    }
    rte_pktmbuf_free_bulk(frames + count, room - count);
    under_way_ += count;
    under_way.store(under_way_, std::memory_order_relaxed);
    send(clients_, frames, count);
    return count;
  }

  /// All of them: there is room for what is under way, but perhaps not at once.
  void send(EthDev& port, rte_mbuf** frames, unsigned count) {
    for (unsigned done = 0; done < count;) {
      done += port.tx_burst(0, frames + done, static_cast<uint16_t>(count - done));
      if (stop.load(std::memory_order_relaxed)) {
        rte_pktmbuf_free_bulk(frames + done, count - done);
        return;
      }
    }
    add(sent, count);
  }

  EthDev &clients_, &servers_;
  rte_mempool* pool_;
  uint64_t window_, flows_;
  uint32_t client_, server_, server_count_;
  uint16_t port_;
  std::vector<uint32_t> order_;
  std::vector<uint32_t> popular_ = std::vector<uint32_t>(1 << 20);  ///< in Zipf order
  std::vector<Connection> connections_;
  uint64_t next_ = 0, under_way_ = 0;
  bool closing_ = false;
};

void obey(Stream& stream) {
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string command, what;
    words >> command >> what;
    if (command == "send") {
      if (what == "established") {
        stream.kind = Stream::Kind::kEstablished;
      } else if (what == "zipf") {
        stream.kind = Stream::Kind::kZipf;
      } else if (what == "connections") {
        stream.kind = Stream::Kind::kConnections;
      } else if (what == "none") {
        stream.kind = Stream::Kind::kNone;
      } else {
        reject(line);
      }
    } else if (command == "stats") {
      std::printf(
          "{\"sent\": %lu, \"received\": %lu, \"opened\": %lu, \"closed\": %lu, \"exchanges\": "
          "%lu, \"unexpected\": %lu, \"under_way\": %lu, \"loops\": %lu, \"idle_loops\": %lu}\n",
          stream.sent.load(), stream.received.load(), stream.opened.load(), stream.closed.load(),
          stream.exchanges.load(), stream.unexpected.load(), stream.under_way.load(),
          stream.loops.load(), stream.idle_loops.load());
      std::fflush(stdout);
    } else {
      reject(line);
    }
  }
}

int run(int count, char** words) {
  const auto a = Arguments::parse(count, words,
                                  {"--clients", "--servers", "--core", "--flows", "--window",
                                   "--client", "--server", "--server-count", "--port", "--seed"});
  if (!a) {
    fail(a.error());
    return 2;
  }
  const auto ground =
      Ground::lay("tcp_stream", static_cast<unsigned>(a->number("--core")), 128, 16383);
  if (!ground) return fail(ground.error());
  const std::string &to_clients = a->text("--clients"), &to_servers = a->text("--servers");
  auto clients = listen_on_memif(0, to_clients, ground->pool);
  if (!clients) return fail(clients.error());
  auto servers = listen_on_memif(1, to_servers, ground->pool);
  if (!servers) return fail(servers.error());
  for (const auto& [port, socket] : {std::pair(&*clients, to_clients), {&*servers, to_servers}}) {
    if (Result<void> linked = await_link(*port, socket); !linked) return fail(linked.error());
  }

  Stream stream(*a, *clients, *servers, ground->pool);
  return run_beside(stream, [&] { obey(stream); });
}

}  // namespace
}  // namespace rampart::perf

int main(int argc, char** argv) {
  return rampart::perf::run(argc, argv);
}
