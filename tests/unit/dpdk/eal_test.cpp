// SPDX-License-Identifier: Apache-2.0
// The EAL can be started once a process, so each test starts it in a child of its own.
#include <gtest/gtest.h>
#include <pthread.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <string>

#include "dataplane/dpdk/eal.hpp"
#include "tests/support/vectors.hpp"

namespace rampart {
namespace {

/// Runs `body` in a child and returns what it printed on stdout, or "exit N" if it did not end
/// with 0. The child has a run-time folder of its own.
std::string in_child(const std::function<std::string()>& body) {
  int ends[2];
  if (pipe(ends) != 0) return "no pipe";
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    dup2(ends[1], STDOUT_FILENO);
    const std::string said = body();
    const bool whole =
        write(ends[1], said.data(), said.size()) == static_cast<ssize_t>(said.size());
    std::fflush(nullptr);
    _exit(whole ? 0 : 9);
  }
  close(ends[1]);
  std::string out;
  char buffer[4096];
  for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0;) out.append(buffer, size_t(n));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  return status == 0 ? out : out + " exit " + std::to_string(status);
}

class EalTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "rampart-eal-" + std::to_string(getpid());
    std::filesystem::create_directories(folder_);
    setenv("RUNTIME_DIRECTORY", folder_.c_str(), 1);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  /// Run-time folders that are there now.
  size_t leftovers() const {
    const std::filesystem::path dpdk = folder_ + "/dpdk";
    size_t n = 0;
    if (!std::filesystem::exists(dpdk)) return 0;
    for ([[maybe_unused]] const auto& e : std::filesystem::directory_iterator(dpdk)) ++n;
    return n;
  }
  std::string folder_;
};

TEST_F(EalTest, StartsOnWhateverMemoryThereIsAndLeavesNothing) {
  const std::string said = in_child([this]() -> std::string {
    auto eal = Eal::start({.memory_mib = 64, .cpus = {}, .pci_devices = {}, .extra = "--no-huge"});
    if (!eal) return eal.error().text();
    std::string out = eal->huge_pages() ? "huge" : "ordinary";
    out += eal->memory_mib() >= 64 ? " enough" : " too little";
    void* memory = rte_malloc(nullptr, 40U << 20, 0);
    out += memory != nullptr ? " usable" : " unusable";
    rte_free(memory);
    return out + (eal->note().find("running on ordinary memory") == std::string::npos ? " ?" : "") +
           " " + std::to_string(leftovers());
  });
  EXPECT_EQ(said, "ordinary enough usable 0");
  EXPECT_EQ(leftovers(), 0U);
}

constexpr unsigned kFarTooMuch = 1U << 24;  // MiB

TEST_F(EalTest, HugePagesThatAreTooFewAreNotTaken) {
  EXPECT_EQ(in_child([]() -> std::string {
              auto eal = Eal::start({.memory_mib = 64,
                                     .huge_mib = kFarTooMuch,
                                     .cpus = {},
                                     .pci_devices = {},
                                     .extra = {}});
              if (!eal) return eal.error().text();
              const bool told =
                  eal->note().find("huge pages for 16777216 MiB") != std::string::npos;
              return std::string(eal->huge_pages() ? "huge" : "ordinary") + (told ? " told" : "");
            }),
            "ordinary told");
}

// What would not fit ordinary memory is not asked for in them.
TEST_F(EalTest, HugePagesAreTakenIfThereAreEnoughOfThem) {
  uint64_t free = 0;
  std::ifstream("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages") >> free;
  if (free < 32) GTEST_SKIP() << "needs 64 MiB in free huge pages of 2 MiB";
  EXPECT_EQ(in_child([]() -> std::string {
              const auto eal = Eal::start({.memory_mib = kFarTooMuch,
                                           .huge_mib = 64,
                                           .cpus = {},
                                           .pci_devices = {},
                                           .extra = {}});
              if (!eal) return eal.error().text();
              return std::to_string(eal->huge_pages()) + " " + std::to_string(eal->memory_mib());
            }),
            "1 64");
}

TEST_F(EalTest, LeavesNothingWhenItIsKilled) {
  const std::string said = in_child([]() -> std::string {
    const auto eal = Eal::start({.memory_mib = 64, .cpus = {}, .pci_devices = {}, .extra = {}});
    if (!eal) return eal.error().text();
    kill(getpid(), SIGKILL);
    return "alive";
  });
  EXPECT_EQ(said, " exit 9");
  EXPECT_EQ(leftovers(), 0U);
}

TEST_F(EalTest, StartsOnce) {
  EXPECT_EQ(in_child([]() -> std::string {
              {
                auto first =
                    Eal::start({.memory_mib = 64, .cpus = {}, .pci_devices = {}, .extra = {}});
                if (!first) return first.error().text();
                const auto second = Eal::start({});
                if (second || second.error().code != ErrorCode::kConflict) return "started twice";
              }
              const auto again = Eal::start({});
              return again ? "started again" : std::string(to_string(again.error().code));
            }),
            "conflict");
}

TEST_F(EalTest, TwoProcessesDoNotMeet) {
  int ready[2], go[2];
  ASSERT_EQ(pipe(ready), 0);
  ASSERT_EQ(pipe(go), 0);
  pid_t children[2];
  for (pid_t& child : children) {
    child = fork();
    if (child != 0) continue;
    close(go[1]);
    const auto eal =
        Eal::start({.memory_mib = 64, .cpus = {}, .pci_devices = {}, .extra = "--no-huge"});
    const char mark = eal ? 'y' : 'n';
    if (write(ready[1], &mark, 1) != 1) _exit(8);
    char wait = 0;
    const bool ended = read(go[0], &wait, 1) == 0;  // both are up at the same time
    _exit(ended && eal ? 0 : 7);
  }
  char marks[2] = {};
  for (char& mark : marks) ASSERT_EQ(read(ready[0], &mark, 1), 1);
  EXPECT_EQ(marks[0], 'y');
  EXPECT_EQ(marks[1], 'y');
  for (const int fd : {ready[0], ready[1], go[0], go[1]}) close(fd);
  for (const pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
  }
}

TEST_F(EalTest, WorkersRunWhereTheyAreTold) {
  const std::vector<unsigned> allowed = Eal::allowed_cpus();
  ASSERT_FALSE(allowed.empty());
  const unsigned last = allowed.back();
  const std::string said = in_child([&]() -> std::string {
    // Three workers on one CPU, the fourth on another one if there is one.
    auto eal = Eal::start({.memory_mib = 64,
                           .cpus = {last, last, last, allowed.front()},
                           .pci_devices = {},
                           .extra = {}});
    if (!eal) return eal.error().text();
    std::string out;
    for (unsigned worker = 0; worker < 4; ++worker) {
      unsigned cpu = ~0U;
      rte_eal_remote_launch(
          [](void* p) {
            cpu_set_t set;
            CPU_ZERO(&set);
            pthread_getaffinity_np(pthread_self(), sizeof set, &set);
            *static_cast<unsigned*>(p) = CPU_COUNT(&set) == 1 ? unsigned(sched_getcpu()) : ~0U;
            return 0;
          },
          &cpu, Eal::worker_lcore(worker));
      rte_eal_wait_lcore(Eal::worker_lcore(worker));
      out += std::to_string(cpu) + " ";
    }
    return out + (eal->note().find("workers share CPUs") != std::string::npos ? "note" : "");
  });
  const std::string l = std::to_string(last) + " ";
  EXPECT_EQ(said, l + l + l + std::to_string(allowed.front()) + " note");
}

TEST_F(EalTest, TheMainThreadLeavesTheWorkersCpusAlone) {
  const std::vector<unsigned> allowed = Eal::allowed_cpus();
  if (allowed.size() < 2) GTEST_SKIP() << "needs two CPUs";
  const std::string said = in_child([&]() -> std::string {
    auto eal =
        Eal::start({.memory_mib = 64, .cpus = {allowed.back()}, .pci_devices = {}, .extra = {}});
    if (!eal) return eal.error().text();
    std::string out;
    for (const unsigned cpu : Eal::allowed_cpus()) out += std::to_string(cpu) + " ";
    return out;
  });
  std::string expected;
  for (const unsigned cpu : allowed) {
    if (cpu != allowed.back()) expected += std::to_string(cpu) + " ";
  }
  EXPECT_EQ(said, expected);
}

TEST_F(EalTest, ItsThreadsTakeNoSignals) {
  EXPECT_EQ(in_child([]() -> std::string {
              const unsigned cpu = Eal::allowed_cpus().front();
              auto eal =
                  Eal::start({.memory_mib = 64, .cpus = {cpu}, .pci_devices = {}, .extra = {}});
              if (!eal) return eal.error().text();
              size_t others = 0, open = 0;
              for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
                if (task.path().filename() == std::to_string(getpid())) continue;
                ++others;
                std::ifstream status(task.path() / "status");
                for (std::string line; std::getline(status, line);) {
                  if (!line.starts_with("SigBlk:")) continue;
                  const uint64_t blocked = std::stoull(line.substr(7), nullptr, 16);
                  open += (blocked & (uint64_t{1} << (SIGTERM - 1))) == 0;
                }
              }
              sigset_t mine;
              pthread_sigmask(SIG_BLOCK, nullptr, &mine);
              return std::string(others >= 1 ? "threads" : "none") + " open " +
                     std::to_string(open) + " mine " + std::to_string(sigismember(&mine, SIGTERM));
            }),
            "threads open 0 mine 0");
}

TEST_F(EalTest, RefusesWhatItCannotHave) {
  EXPECT_EQ(in_child([]() -> std::string {
              const auto eal =
                  Eal::start({.memory_mib = 64, .cpus = {1000}, .pci_devices = {}, .extra = {}});
              return eal ? "started" : eal.error().where;
            }),
            "worker CPU 1000");
  EXPECT_EQ(in_child([]() -> std::string {
              const auto eal =
                  Eal::start({.memory_mib = 64, .cpus = {}, .pci_devices = {}, .extra = "-l 0"});
              return eal ? "started" : eal.error().text();
            }),
            "-l: which CPUs are used is not a matter of EAL arguments here");
  EXPECT_NE(in_child([]() -> std::string {
              const auto eal = Eal::start(
                  {.memory_mib = 64, .cpus = {}, .pci_devices = {}, .extra = "--no-such-thing"});
              return eal ? "started" : "refused: " + eal.error().text();
            }).find("refused: EAL: DPDK refuses its arguments"),
            std::string::npos);
  EXPECT_EQ(leftovers(), 0U);
}

/// What rte_acl would classify with under so many bits.
std::string acl_algorithm(unsigned simd_bits, const std::string& extra) {
  return in_child([&]() -> std::string {
    const auto eal = Eal::start({.memory_mib = 64,
                                 .cpus = {},
                                 .pci_devices = {},
                                 .extra = "--no-huge " + extra,
                                 .simd_bits = simd_bits});
    return eal ? eal->acl_algorithm() : eal.error().text();
  });
}

TEST_F(EalTest, VectorsAreAsWideAsTheCpuHasThemOrAsWideAsAsked) {
  const unsigned widest = test::widest_vectors();
  EXPECT_EQ(acl_algorithm(0, ""), test::acl_algorithm_within(512));
  for (const unsigned bits : {128U, 256U, 512U, 1024U}) {
    EXPECT_EQ(acl_algorithm(bits, ""), bits <= widest ? test::acl_algorithm_within(bits)
                                                      : "--simd " + std::to_string(bits) +
                                                            ": this CPU has vectors of at most " +
                                                            std::to_string(widest) + " bits");
  }
  // Who tells DPDK itself is obeyed.
  EXPECT_EQ(acl_algorithm(256, "--force-max-simd-bitwidth=128"), "sse");
}

TEST_F(EalTest, SaysNothingOnStdout) {
  EXPECT_EQ(in_child([]() -> std::string {
              auto eal = Eal::start({.memory_mib = 64, .cpus = {}, .pci_devices = {}, .extra = {}});
              return eal ? "" : eal.error().text();
            }),
            "");
}

}  // namespace
}  // namespace rampart
