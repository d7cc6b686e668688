// SPDX-License-Identifier: Apache-2.0
//
// A bad line between two interfaces: frames that come in at one leave at the other byte for byte,
// but some are lost, some arrive twice, some late, some after frames that were sent later.
//
//   impair_relay --ports NEAR,FAR [--seed N] [--near-to-far SPEC] [--far-to-near SPEC]
//
// SPEC is that of parse_impairment ("loss=0.02,delay-us=0-2000"); without one a direction is a good
// line. Prints "ready" when it carries frames. On SIGTERM it drops what is on its way, prints as
// one line of JSON what it did, and ends with status 0; 1 if a socket fails, 2 if an argument is
// wrong.
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <map>
#include <string>
#include <string_view>

#include "tests/support/impairment.hpp"
#include "tests/support/packet_socket.hpp"

namespace rampart::test {
namespace {

struct Arguments {
  std::string near, far;
  uint64_t seed = 1;
  ImpairmentSpec near_to_far, far_to_near;
};

Result<Arguments> parse_arguments(int count, char** words) {
  std::map<std::string_view, std::string_view> given;
  for (int i = 1; i < count; i += 2) {
    const std::string_view name = words[i];
    if (name != "--ports" && name != "--seed" && name != "--near-to-far" &&
        name != "--far-to-near") {
      return Error{ErrorCode::kInvalid, "is not an option", std::string(name)};
    }
    if (i + 1 == count) return Error{ErrorCode::kInvalid, "wants a value", std::string(name)};
    if (!given.emplace(name, words[i + 1]).second) {
      return Error{ErrorCode::kInvalid, "stands twice", std::string(name)};
    }
  }
  Arguments out;
  const std::string_view ports = given["--ports"];
  const size_t comma = ports.find(',');
  if (comma == std::string_view::npos || comma == 0 || comma + 1 == ports.size() ||
      ports.find(',', comma + 1) != std::string_view::npos) {
    return Error{ErrorCode::kInvalid, "must be two interfaces, NEAR,FAR", "--ports"};
  }
  out.near = ports.substr(0, comma);
  out.far = ports.substr(comma + 1);
  if (given.count("--seed") != 0) {
    const std::string_view text = given["--seed"];
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out.seed);
    if (error != std::errc{} || end != text.data() + text.size()) {
      return Error{ErrorCode::kInvalid, "must be a number", "--seed"};
    }
  }
  for (const auto& [name, spec] : {std::pair{"--near-to-far", &out.near_to_far},
                                   std::pair{"--far-to-near", &out.far_to_near}}) {
    if (given.count(name) == 0) continue;
    auto parsed = parse_impairment(given[name]);
    if (!parsed) return std::move(parsed).error().within(name);
    *spec = *parsed;
  }
  return out;
}

uint64_t now_us() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                   std::chrono::steady_clock::now().time_since_epoch())
                                   .count());
}

/// One direction, from socket to socket.
struct Direction {
  const char* name;
  PacketSocket& from;
  PacketSocket& to;
  Impairment line;
  uint64_t refused = 0;  ///< sent, but the kernel did not take them

  void take(uint64_t now) {
    constexpr unsigned kAtOnce = 64;  // so that neither direction keeps the other waiting
    for (unsigned i = 0; i < kAtOnce; ++i) {
      auto frame = from.receive();
      if (!frame) return;
      line.take(*std::move(frame), now);
    }
  }
  void give(uint64_t now) {
    while (auto frame = line.give(now)) refused += to.send(*frame) ? 0 : 1;
  }
  void report() {
    const ImpairmentTally& t = line.tally();
    std::printf(
        "\"%s\": {\"received\": %lu, \"lost\": %lu, \"overflowed\": %lu, \"duplicated\": %lu, "
        "\"delayed\": %lu, \"reordered\": %lu, \"sent\": %lu, \"on_their_way\": %zu, "
        "\"refused\": %lu, \"missed\": %lu, \"offloaded\": %lu}",
        name, t.received, t.lost, t.overflowed, t.duplicated, t.delayed, t.reordered, t.sent,
        line.on_their_way(), refused, from.missed(), from.offloaded());
  }
};

timespec until(const std::optional<uint64_t>& due, uint64_t now) {
  constexpr uint64_t kIdleUs = 1'000'000;
  const uint64_t wait = !due ? kIdleUs : *due > now ? std::min(*due - now, kIdleUs) : 0;
  return {static_cast<time_t>(wait / 1'000'000), static_cast<long>(wait % 1'000'000 * 1000)};
}

std::optional<uint64_t> sooner(std::optional<uint64_t> a, std::optional<uint64_t> b) {
  if (!a || !b) return a ? a : b;
  return std::min(*a, *b);
}

/// Carries frames until SIGTERM.
void carry(int stop, Direction& there, Direction& back) {
  pollfd waiting[] = {{stop, POLLIN, 0}, {there.from.fd(), POLLIN, 0}, {back.from.fd(), POLLIN, 0}};
  while ((waiting[0].revents & POLLIN) == 0) {
    const timespec patience =
        until(sooner(there.line.next_due_us(), back.line.next_due_us()), now_us());
    ppoll(static_cast<pollfd*>(waiting), std::size(waiting), &patience, nullptr);
    const uint64_t now = now_us();
    for (Direction* one : {&there, &back}) {
      one->take(now);
      one->give(now);
    }
  }
}

int run(int count, char** words) {
  auto arguments = parse_arguments(count, words);
  if (!arguments) {
    std::fprintf(stderr, "impair_relay: %s\n", arguments.error().text().c_str());
    return 2;
  }
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigprocmask(SIG_BLOCK, &stop, nullptr);
  const int stop_fd = signalfd(-1, &stop, SFD_CLOEXEC);
  auto near = PacketSocket::open(arguments->near);
  auto far = PacketSocket::open(arguments->far);
  for (const auto* end : {&near, &far}) {
    if (*end) continue;
    std::fprintf(stderr, "impair_relay: %s\n", end->error().text().c_str());
    return 1;
  }
  // Two streams of choices from one seed.
  constexpr uint64_t kOther = 0x9e3779b97f4a7c15;
  Direction there{"near_to_far", *near, *far, {arguments->near_to_far, arguments->seed}};
  Direction back{"far_to_near", *far, *near, {arguments->far_to_near, arguments->seed ^ kOther}};
  std::puts("ready");
  std::fflush(stdout);
  carry(stop_fd, there, back);
  std::fputs("{", stdout);
  there.report();
  std::fputs(", ", stdout);
  back.report();
  std::puts("}");
  close(stop_fd);
  return 0;
}

}  // namespace
}  // namespace rampart::test

int main(int count, char** words) {
  return rampart::test::run(count, words);
}
