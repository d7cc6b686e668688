// SPDX-License-Identifier: Apache-2.0
#include "perf/gen/generator.hpp"

#include <arpa/inet.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "dataplane/packet/checksum.hpp"

namespace rampart::perf {
namespace {

constexpr unsigned kEthernet = 14, kIp = kEthernet, kL4 = kIp + 20;

[[noreturn]] void usage(const std::string& name, const std::string& what) {
  std::fprintf(stderr, "%s: %s\n", name.c_str(), what.c_str());
  std::exit(2);
}

void put16(uint8_t* at, uint16_t value) {
  at[0] = static_cast<uint8_t>(value >> 8);
  at[1] = static_cast<uint8_t>(value);
}
void put32(uint8_t* at, uint32_t value) {
  put16(at, static_cast<uint16_t>(value >> 16));
  put16(at + 2, static_cast<uint16_t>(value));
}
/// A checksum for words whose sum, in network byte order, is this.
uint16_t checksum_of(uint64_t sum) {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}
/// The words of `bytes`, in network byte order.
uint64_t sum_of(const uint8_t* bytes, unsigned length) {
  return ntohs(fold_sum(ones_sum(bytes, length)));
}

}  // namespace

int fail(const Error& error) {
  std::fprintf(stderr, "%s: %s\n", program_invocation_short_name, error.text().c_str());
  return 1;
}

void reject(const std::string& command) {
  std::fprintf(stderr, "%s: %s: is not a command\n", program_invocation_short_name,
               command.c_str());
  std::fflush(nullptr);
  std::_Exit(2);
}

Result<Arguments> Arguments::parse(int count, char** words, const std::vector<std::string>& names) {
  Arguments out;
  for (int i = 1; i < count; i += 2) {
    const std::string name = words[i];
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      return Error{ErrorCode::kInvalid, "is not an option", name};
    }
    if (i + 1 == count) return Error{ErrorCode::kInvalid, "wants a value", name};
    out.given_[name] = words[i + 1];
  }
  return out;
}

const std::string& Arguments::text(const std::string& name) const {
  const auto found = given_.find(name);
  if (found == given_.end()) usage(name, "is missing");
  return found->second;
}

uint64_t Arguments::number(const std::string& name) const {
  const std::string& value = text(name);
  uint64_t out = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), out);
  if (error != std::errc() || end != value.data() + value.size()) usage(name, "wants a number");
  return out;
}

uint32_t Arguments::ipv4(const std::string& name) const {
  in_addr out{};
  if (inet_pton(AF_INET, text(name).c_str(), &out) != 1) usage(name, "wants an IPv4 address");
  return ntohl(out.s_addr);
}

std::array<uint8_t, 6> Arguments::mac(const std::string& name) const {
  std::array<uint8_t, 6> out{};
  const char* at = text(name).c_str();
  for (unsigned i = 0; i < out.size(); ++i) {
    char* end = nullptr;
    out[i] = static_cast<uint8_t>(std::strtoul(at, &end, 16));
    if (end == at || *end != (i == 5 ? '\0' : ':')) usage(name, "wants 02:00:00:00:00:01");
    at = end + 1;
  }
  return out;
}

Result<Ground> Ground::lay(const std::string& name, unsigned cpu, unsigned memory_mib,
                           unsigned buffers) {
  EalParams params;
  params.memory_mib = memory_mib;
  params.cpus = {cpu};
  auto eal = Eal::start(params);
  if (!eal) return eal.error();
  auto pool = Mempool::create({.name = name, .count = buffers, .data_room = 2176});
  if (!pool) return pool.error();
  return Ground{*std::move(eal), *std::move(pool)};
}

namespace {

Result<EthDev> start_memif(unsigned number, const std::string& how, const std::string& socket,
                           const Mempool& pool) {
  const std::string name = "net_memif" + std::to_string(number);
  const auto device = Device::parse(name + ",id=0,socket-abstract=no," + how + ",socket=" + socket);
  if (!device) return device.error();
  Result<EthDev> port = EthDev::open({.name = name, .device = *device, .pool = &pool});
  if (!port) return port;
  if (Result<void> started = port->start(); !started) return started.error();
  return port;
}

}  // namespace

Result<void> await_link(const EthDev& memif, const std::string& socket) {
  for (unsigned tries = 0; !memif.link().up; ++tries) {
    if (tries == 3000) return Error{ErrorCode::kIo, "nobody answers", socket};
    usleep(10000);
  }
  return {};
}

Result<EthDev> open_memif(unsigned number, const std::string& socket, const Mempool& pool) {
  Result<EthDev> port = start_memif(number, "role=client,rsize=14", socket, pool);
  if (!port) return port;
  if (Result<void> linked = await_link(*port, socket); !linked) return linked.error();
  return port;
}

Result<EthDev> listen_on_memif(unsigned number, const std::string& socket, const Mempool& pool) {
  return start_memif(number, "role=server", socket, pool);
}

uint64_t monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

void FrameMaker::draw_source(uint64_t random, Ends& ends) noexcept {
  // 1.0.0.0 to 126.255.255.255 and 128.0.0.0 to 223.255.255.255: what may be a source.
  const auto top = static_cast<uint32_t>(1 + (random >> 56) * 222 / 255);
  ends.source = (top == 127 ? 128 : top) << 24 | static_cast<uint32_t>(random >> 32 & 0xffffff);
  ends.source_port = static_cast<uint16_t>(1024 + (random >> 16 & 0xffff) % 64512);
}

FrameMaker::FrameMaker(Kind kind, const std::array<uint8_t, 6>& from,
                       const std::array<uint8_t, 6>& to)
    : kind_(kind) {
  uint8_t* f = frame_.data();
  std::memcpy(f, to.data(), 6);
  std::memcpy(f + 6, from.data(), 6);
  put16(f + 12, 0x0800);
  const bool syn = kind == Kind::kSyn;
  const uint16_t l4_bytes = syn ? 20 : kBytes - kL4;
  f[kIp] = 0x45;
  put16(f + kIp + 2, static_cast<uint16_t>(20 + l4_bytes));
  put16(f + kIp + 6, 0x4000);  // don't fragment
  f[kIp + 8] = 64;
  f[kIp + 9] = syn ? 6 : 17;
  if (syn) {
    f[kL4 + 12] = 5 << 4;
    f[kL4 + 13] = 0x02;
    put16(f + kL4 + 14, 64240);
  } else {
    put16(f + kL4 + 4, l4_bytes);
  }
  ip_sum_ = sum_of(f + kIp, 20);
  l4_sum_ = sum_of(f + kL4, l4_bytes) + f[kIp + 9] + l4_bytes;
}

void FrameMaker::write(uint8_t* out, const Ends& ends, uint32_t number) const noexcept {
  std::memcpy(out, frame_.data(), kBytes);
  put32(out + kIp + 12, ends.source);
  put32(out + kIp + 16, ends.destination);
  const uint64_t addresses = uint64_t{ends.source >> 16} + (ends.source & 0xffff) +
                             (ends.destination >> 16) + (ends.destination & 0xffff);
  put16(out + kIp + 10, checksum_of(ip_sum_ + addresses));
  put16(out + kL4, ends.source_port);
  put16(out + kL4 + 2, ends.port);
  const uint64_t sum =
      l4_sum_ + addresses + ends.source_port + ends.port + (number >> 16) + (number & 0xffff);
  if (kind_ == Kind::kSyn) {
    put32(out + kL4 + 4, number);
    put16(out + kL4 + 16, checksum_of(sum));
  } else {
    put32(out + kL4 + 8, number);
    const uint16_t checksum = checksum_of(sum);
    put16(out + kL4 + 6, checksum == 0 ? 0xffff : checksum);
  }
}

}  // namespace rampart::perf
