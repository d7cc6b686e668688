// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/eal.hpp"

#include <rte_cpuflags.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_memory.h>
#include <rte_version.h>
#include <sched.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>
#include <system_error>

#include "dataplane/dpdk/acl_algorithm.hpp"

namespace rampart {
namespace {

std::atomic<bool> started{false};

/// Keeps signals from the threads that are started while it lives: they go to ours.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

std::vector<std::string> split(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

/// Whether `option` is given, as a word of its own or as `option=value`.
bool given(const std::vector<std::string>& words, std::string_view option) {
  return std::any_of(words.begin(), words.end(), [&](const std::string& word) {
    return word == option || (word.size() > option.size() && word.starts_with(option) &&
                              (word[option.size()] == '=' || option.size() == 2));
  });
}

std::string join(const std::vector<unsigned>& numbers) {
  std::string out;
  for (const unsigned n : numbers) out += (out.empty() ? "" : ",") + std::to_string(n);
  return out;
}

/// So many MiB for each NUMA node that there may be, as EAL wants them.
std::string heap_limits(unsigned mib) {
  std::string limits = std::to_string(mib);
  std::error_code error;
  for (unsigned node = 1;
       std::filesystem::exists("/sys/devices/system/node/node" + std::to_string(node), error);
       ++node) {
    limits += "," + std::to_string(mib);
  }
  return limits;
}

/// Bytes in huge pages of any size that nobody uses.
uint64_t free_huge_bytes() {
  uint64_t total = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/sys/kernel/mm/hugepages", error)) {
    const std::string name = entry.path().filename();  // hugepages-2048kB
    constexpr std::string_view kPrefix = "hugepages-";
    if (!name.starts_with(kPrefix)) continue;
    uint64_t pages = 0;
    std::ifstream(entry.path() / "free_hugepages") >> pages;
    total += pages * std::strtoull(name.c_str() + kPrefix.size(), nullptr, 10) * 1024;
  }
  return total;
}

/// A name no other process has, on this machine or in another container that sees our folder.
std::string unique_prefix() {
  uint32_t random = 0;
  if (getrandom(&random, sizeof random, 0) != sizeof random) random = 0;
  return "rampart-" + std::to_string(getpid()) + "-" + std::to_string(random);
}

Error start_error(int code) {
  const std::string reason = rte_strerror(code);
  switch (code) {
    case ENOMEM:
      return {ErrorCode::kNoMemory, reason + " (see DPDK's own message)", "EAL"};
    case EACCES:
    case EPERM:
      return {ErrorCode::kDenied, reason + ": root or its capabilities are needed", "EAL"};
    case EINVAL:
    case ENOTSUP:
      return {ErrorCode::kInvalid, "DPDK refuses its arguments (see its own message)", "EAL"};
    case EALREADY:
      return {ErrorCode::kConflict, "it runs already in this process", "EAL"};
    default:
      return {ErrorCode::kIo, reason + " (see DPDK's own message)", "EAL"};
  }
}

/// Bits of the widest vectors that rte_acl could use here.
unsigned widest_vectors() {
  for (const rte_cpu_flag_t flag :
       {RTE_CPUFLAG_AVX512F, RTE_CPUFLAG_AVX512VL, RTE_CPUFLAG_AVX512CD, RTE_CPUFLAG_AVX512BW}) {
    if (rte_cpu_get_flag_enabled(flag) <= 0) {
      return rte_cpu_get_flag_enabled(RTE_CPUFLAG_AVX2) > 0 ? 256 : 128;
    }
  }
  return 512;
}

void remove_folder(const std::string& folder) {
  std::error_code ignored;
  if (!folder.empty()) std::filesystem::remove_all(folder, ignored);
}

}  // namespace

std::vector<unsigned> Eal::allowed_cpus() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  sched_getaffinity(0, sizeof allowed, &allowed);
  std::vector<unsigned> cpus;
  for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &allowed)) cpus.push_back(cpu);
  }
  return cpus;
}

Result<Eal> Eal::start(const EalParams& params) {
  const std::vector<unsigned> allowed = allowed_cpus();
  const std::vector<std::string> extra = split(params.extra);
  for (const unsigned cpu : params.cpus) {
    if (!std::binary_search(allowed.begin(), allowed.end(), cpu)) {
      return Error{ErrorCode::kInvalid, "this process may only use CPUs " + join(allowed),
                   "worker CPU " + std::to_string(cpu)};
    }
  }
  if (params.cpus.size() >= RTE_MAX_LCORE) {
    return Error{ErrorCode::kTooLarge,
                 "DPDK is built for " + std::to_string(RTE_MAX_LCORE - 1) + " workers", "EAL"};
  }
  for (const std::string_view option : {"-l", "-c", "--lcores", "-S", "-s", "--main-lcore"}) {
    if (given(extra, option)) {
      return Error{ErrorCode::kInvalid, "which CPUs are used is not a matter of EAL arguments here",
                   std::string(option)};
    }
  }
  const unsigned widest = widest_vectors();
  if (params.simd_bits > widest) {
    return Error{ErrorCode::kInvalid,
                 "this CPU has vectors of at most " + std::to_string(widest) + " bits",
                 "--simd " + std::to_string(params.simd_bits)};
  }
  if (started.exchange(true)) return start_error(EALREADY);

  Eal eal;
  std::vector<unsigned> distinct = params.cpus;
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  if (distinct.size() < params.cpus.size()) eal.note_ = "workers share CPUs";
  std::vector<unsigned> rest;
  std::set_difference(allowed.begin(), allowed.end(), distinct.begin(), distinct.end(),
                      std::back_inserter(rest));
  std::string lcores = "--lcores=0@(" + join(rest.empty() ? allowed : rest) + ")";
  for (unsigned worker = 0; worker < params.cpus.size(); ++worker) {
    lcores +=
        "," + std::to_string(worker_lcore(worker)) + "@" + std::to_string(params.cpus[worker]);
  }

  const uint64_t free_mib = free_huge_bytes() >> 20;
  const unsigned huge_mib = params.huge_mib != 0 ? params.huge_mib : params.memory_mib;
  eal.huge_pages_ = free_mib >= huge_mib && !given(extra, "--no-huge");
  const unsigned heap_mib = eal.huge_pages_ ? huge_mib : params.memory_mib;
  if (!eal.huge_pages_) {
    eal.note_ +=
        (eal.note_.empty() ? "" : "; ") + std::string("running on ordinary memory: ") +
        (free_mib >= huge_mib ? "told so"
                              : "huge pages for " + std::to_string(huge_mib) + " MiB wanted, for " +
                                    std::to_string(free_mib) + " MiB free");
  }

  std::vector<std::string> words{"rampart",
                                 lcores,
                                 "--no-telemetry",
                                 "--no-shconf",
                                 "--log-level=warning",
                                 "-m",
                                 std::to_string(heap_mib)};
  if (eal.huge_pages_) {
    words.emplace_back("--in-memory");
    // Huge pages could be had later, too; but then what fits would be a matter of the day.
    words.push_back("--socket-limit=" + heap_limits(heap_mib));
  } else {
    words.emplace_back("--no-huge");
    // Without huge pages nobody knows physical addresses; devices need the IOMMU.
    words.emplace_back("--iova-mode=va");
  }
  if (!given(extra, "--force-max-simd-bitwidth")) {
    words.push_back("--force-max-simd-bitwidth=" +
                    std::to_string(params.simd_bits != 0 ? params.simd_bits : widest));
  }
  if (!given(extra, "--file-prefix")) words.push_back("--file-prefix=" + unique_prefix());
  if (params.pci_devices.empty() && !given(extra, "-a") && !given(extra, "--allow")) {
    words.emplace_back("--no-pci");
  }
  for (const std::string& device : params.pci_devices) words.push_back("--allow=" + device);
  words.insert(words.end(), extra.begin(), extra.end());
  std::vector<char*> argv;
  argv.reserve(words.size());
  for (std::string& word : words) argv.push_back(word.data());

  // DPDK 22.11 writes to stdout and to syslog unless it is given a stream.
  rte_openlog_stream(stderr);
  int result = 0;
  {
    const SignalsBlocked blocked;
    rte_errno = 0;
    result = rte_eal_init(static_cast<int>(argv.size()), argv.data());
  }
  if (!given(extra, "--file-prefix")) eal.runtime_dir_ = rte_eal_get_runtime_dir();
  if (result < 0) {
    const Error error = start_error(rte_errno);
    remove_folder(eal.runtime_dir_);
    eal.running_ = false;
    return error;
  }
  // Without secondary processes nothing is put into the folder: it can go before we are killed.
  std::error_code not_empty;
  if (!eal.runtime_dir_.empty()) std::filesystem::remove(eal.runtime_dir_, not_empty);
  eal.memory_mib_ = static_cast<unsigned>(rte_eal_get_physmem_size() >> 20);
  eal.acl_algorithm_ = probed_acl_algorithm();
  return eal;
}

Eal::Eal(Eal&& other) noexcept
    : running_(std::exchange(other.running_, false)),
      huge_pages_(other.huge_pages_),
      memory_mib_(other.memory_mib_),
      acl_algorithm_(other.acl_algorithm_),
      note_(std::move(other.note_)),
      runtime_dir_(std::move(other.runtime_dir_)) {}

Eal::~Eal() {
  if (!running_) return;
  rte_eal_cleanup();
  remove_folder(runtime_dir_);
}

}  // namespace rampart
