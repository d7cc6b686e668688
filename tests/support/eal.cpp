// SPDX-License-Identifier: Apache-2.0
#define ALLOW_EXPERIMENTAL_API  // of rte_vect.h
#include "tests/support/eal.hpp"

#include <rte_eal.h>
#include <rte_errno.h>
#include <sched.h>
#include <unistd.h>

extern "C" {  // which it does not say itself in 22.11
#include <generic/rte_vect.h>
}

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace rampart::test {
namespace {

std::string runtime_dir;

/// "(0,1)@(0,3,4)": lcores 0 and 1, each on any CPU this process may use.
std::string floating_lcores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  sched_getaffinity(0, sizeof allowed, &allowed);
  std::string cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &allowed)) cpus += (cpus.empty() ? "" : ",") + std::to_string(cpu);
  }
  return "--lcores=(0,1)@(" + cpus + ")";
}

}  // namespace

bool start_eal(unsigned memory_mib) {
  std::string folder = "/tmp/rampart-test-XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) {
    std::perror("mkdtemp");
    return false;
  }
  runtime_dir = folder;
  setenv("RUNTIME_DIRECTORY", folder.c_str(), 1);
  std::vector<std::string> words{"rampart-test",
                                 "--no-huge",
                                 "-m",
                                 std::to_string(memory_mib),
                                 "--no-pci",
                                 "--no-telemetry",
                                 "--no-shconf",
                                 "--single-file-segments",
                                 "--file-prefix=rampart-test-" + std::to_string(getpid()),
                                 "--log-level=lib.eal:error",
                                 floating_lcores()};
  std::vector<char*> argv;
  argv.reserve(words.size());
  for (std::string& word : words) argv.push_back(word.data());
  if (rte_eal_init(static_cast<int>(argv.size()), argv.data()) >= 0) return true;
  std::fprintf(stderr, "rte_eal_init: %s\n", rte_strerror(rte_errno));
  stop_eal();
  return false;
}

void stop_eal() {
  rte_eal_cleanup();
  std::error_code ignored;
  if (!runtime_dir.empty()) std::filesystem::remove_all(runtime_dir, ignored);
  runtime_dir.clear();
}

void limit_vectors(uint16_t bits) {
  if (rte_vect_set_max_simd_bitwidth(bits) != 0) std::abort();
}

}  // namespace rampart::test
