// SPDX-License-Identifier: Apache-2.0
//
// Plays a capture file into one of the kernel's interfaces, for a peer that is in the kernel. On a
// veth all that the other end does with a frame happens within the call that sends it, so this
// thread's CPU time is the source's and the peer's together.
//
//   veth_stream --interface NAME --file PCAP --core N
//
// Says "ready", then obeys lines on stdin: "once" (sends the file's frames one time, answers as
// "stats"), "send on", "send off", "stats" (a line of JSON: packets, refused, cpu_ns); ends with
// it.
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "perf/gen/generator.hpp"

namespace rampart::perf {
namespace {

constexpr unsigned kBatch = 32;
constexpr size_t kFileHeader = 24, kRecordHeader = 16;  // draft-ietf-opsawg-pcap

int fail(const std::string& what) {
  std::fprintf(stderr, "veth_stream: %s: %s\n", what.c_str(), std::strerror(errno));
  return 1;
}

class Source {
 public:
  Source(int socket, std::vector<iovec> frames) : socket_(socket), frames_(std::move(frames)) {}

  /// Sends the next batch. Returns how many of them are left of this lap.
  size_t send() {
    std::array<mmsghdr, kBatch> messages{};
    const size_t count = std::min<size_t>(kBatch, frames_.size() - next_);
    for (size_t i = 0; i < count; ++i) {
      messages[i].msg_hdr.msg_iov = &frames_[next_ + i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
    const int sent = sendmmsg(socket_, messages.data(), static_cast<unsigned>(count), 0);
    if (sent > 0) packets_ += static_cast<uint64_t>(sent);
    refused_ += count - static_cast<size_t>(std::max(sent, 0));
    next_ += count;
    const size_t left = frames_.size() - next_;
    if (left == 0) next_ = 0;
    return left;
  }

  void once() {
    next_ = 0;
    while (send() != 0) {
    }
  }

  void print() const {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    std::printf(
        "{\"packets\": %lu, \"refused\": %lu, \"cpu_ns\": %lu}\n", packets_, refused_,
        static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec));
    std::fflush(stdout);
  }

 private:
  int socket_;
  std::vector<iovec> frames_;
  size_t next_ = 0;
  uint64_t packets_ = 0, refused_ = 0;
};

/// The frames of a capture file in memory, which stays.
std::vector<iovec> frames_of(uint8_t* file, size_t bytes) {
  std::vector<iovec> frames;
  for (size_t at = kFileHeader; at + kRecordHeader <= bytes;) {
    uint32_t length = 0;
    std::memcpy(&length, file + at + 8, sizeof length);
    at += kRecordHeader;
    if (length > bytes - at) break;
    frames.push_back({.iov_base = file + at, .iov_len = length});
    at += length;
  }
  return frames;
}

/// Between batches looks for commands, and while nothing is sent waits for one.
void obey(Source& source) {
  bool sending = false;
  std::string line;
  for (;;) {
    pollfd in{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    if (poll(&in, 1, sending ? 0 : -1) == 0) {
      for (unsigned batches = 0; batches < 16; ++batches) source.send();
      continue;
    }
    char c = 0;
    if (read(STDIN_FILENO, &c, 1) != 1) return;
    if (c != '\n') {
      line += c;
      continue;
    }
    if (line == "send on" || line == "send off") {
      sending = line == "send on";
    } else if (line == "once" || line == "stats") {
      if (line == "once") source.once();
      source.print();
    } else {
      reject(line);
    }
    line.clear();
  }
}

int run(int count, char** words) {
  const auto a = Arguments::parse(count, words, {"--interface", "--file", "--core"});
  if (!a) {
    std::fprintf(stderr, "veth_stream: %s\n", a.error().text().c_str());
    return 2;
  }
  const std::string& path = a->text("--file");
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat about {};
  if (file < 0 || fstat(file, &about) != 0) return fail(path);
  const auto bytes = static_cast<size_t>(about.st_size);
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_POPULATE, file, 0);
  if (memory == MAP_FAILED) return fail(path);
  std::vector<iovec> frames = frames_of(static_cast<uint8_t*>(memory), bytes);
  if (frames.empty()) {
    std::fprintf(stderr, "veth_stream: %s: holds no frames\n", path.c_str());
    return 1;
  }

  const std::string& interface = a->text("--interface");
  const int out = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  const int on = 1, room = 1 << 26;
  sockaddr_ll where{};
  where.sll_family = AF_PACKET;
  where.sll_ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
  if (out < 0 || where.sll_ifindex == 0 ||
      setsockopt(out, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on) != 0 ||
      setsockopt(out, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room) != 0 ||
      bind(out, reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0) {
    return fail(interface);
  }
  Source source(out, std::move(frames));
  std::puts("ready");
  std::fflush(stdout);
  obey(source);
  return 0;
}

}  // namespace
}  // namespace rampart::perf

int main(int argc, char** argv) {
  return rampart::perf::run(argc, argv);
}
