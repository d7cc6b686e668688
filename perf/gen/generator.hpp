// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "dataplane/base/result.hpp"
#include "dataplane/dpdk/eal.hpp"
#include "dataplane/dpdk/ethdev.hpp"
#include "dataplane/dpdk/mempool.hpp"

/// What the programs share that send packets through shared memory (memif) into an appliance under
/// measurement: their ports, their frames, their command line.
namespace rampart::perf {

/// The words of a command line, each `--name value`.
class Arguments {
 public:
  /// Errors: kInvalid for a word that is none of `names`, or that wants a value.
  static Result<Arguments> parse(int count, char** words, const std::vector<std::string>& names);

  /// Ends the process with status 2 and the name if the option is not there or no number.
  const std::string& text(const std::string& name) const;
  uint64_t number(const std::string& name) const;
  uint32_t ipv4(const std::string& name) const;               ///< in host byte order
  std::array<uint8_t, 6> mac(const std::string& name) const;  ///< 02:00:…

 private:
  std::map<std::string, std::string> given_;
};

/// Says on stderr what is wrong, behind the program's name. Returns the exit status for it.
int fail(const Error& error);
/// Ends the process, whatever its other threads do, with status 2 and a command that it does not
/// know.
[[noreturn]] void reject(const std::string& command);

/// What a generator runs on: DPDK, with one worker on a CPU, and packet buffers.
struct Ground {
  Eal eal;
  Mempool pool;

  /// Errors: as Eal::start and Mempool::create.
  static Result<Ground> lay(const std::string& name, unsigned cpu, unsigned memory_mib,
                            unsigned buffers);
};

/// Calls source.run() on the worker, says "ready", and calls obey() here, which reads commands
/// until there are no more; then tells the source to stop and waits for it. Returns the exit
/// status.
template <typename Source, typename Obey>
int run_beside(Source& source, Obey&& obey) {
  const auto loop = [](void* it) {
    static_cast<Source*>(it)->run();
    return 0;
  };
  if (rte_eal_remote_launch(loop, &source, Eal::worker_lcore(0)) != 0) return 1;
  std::puts("ready");
  std::fflush(stdout);
  obey();
  source.stop = true;
  rte_eal_mp_wait_lcore();
  return 0;
}

/// The client's end of a memif whose server is a port of the appliance, with its link. Errors: as
/// EthDev::open; as await_link.
Result<EthDev> open_memif(unsigned number, const std::string& socket, const Mempool& pool);

/// The server's end of one whose client is to be a port of the appliance: the client has the
/// packets, may lend its own buffers for them (zero-copy), and says how many there are. The socket
/// is there afterwards, but no link yet. Errors: as EthDev::open.
Result<EthDev> listen_on_memif(unsigned number, const std::string& socket, const Mempool& pool);

/// Waits half a minute at most. Errors: kIo without a link.
Result<void> await_link(const EthDev& memif, const std::string& socket);

/// The clock that Python calls time.monotonic_ns().
uint64_t monotonic_ns();

/// Adds to a tally that only the calling thread writes.
inline void add(std::atomic<uint64_t>& to, uint64_t what) {
  to.store(to.load(std::memory_order_relaxed) + what, std::memory_order_relaxed);
}

/// An IPv4 frame without its variable fields, and the sums of the rest: a frame costs a copy and
/// some additions (RFC 1624).
class FrameMaker {
 public:
  static constexpr uint32_t kBytes = 64;       ///< without the FCS
  static constexpr uint32_t kUdpPayload = 42;  ///< where it begins
  enum class Kind : uint8_t { kSyn, kUdp };
  struct Ends {
    uint32_t source, destination;  ///< addresses, host byte order
    uint16_t source_port, port;
  };

  /// Makes the source one of (nearly) all addresses and ports, by the bits of a random number.
  static void draw_source(uint64_t random, Ends& ends) noexcept;

  FrameMaker(Kind kind, const std::array<uint8_t, 6>& from, const std::array<uint8_t, 6>& to);

  /// Writes kBytes bytes. `number`: sequence number of a SYN; of UDP the first four bytes of its
  /// payload. Checksums are right.
  void write(uint8_t* out, const Ends& ends, uint32_t number) const noexcept;

 private:
  std::array<uint8_t, kBytes> frame_{};
  uint64_t ip_sum_ = 0, l4_sum_ = 0;  ///< of the fields that do not change
  Kind kind_;
};

/// xorshift64* (Marsaglia, Vigna): good enough for addresses, two nanoseconds.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed | 1) {}
  uint64_t next() noexcept {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545f4914f6cdd1dULL;
  }

 private:
  uint64_t state_;
};

}  // namespace rampart::perf
