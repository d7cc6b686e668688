// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/memory_files.hpp"

#include <fcntl.h>
#include <rte_memory.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace rampart {
namespace {

bool is_closed(int number) {
  return fcntl(number, F_GETFD) == -1 && errno == EBADF;
}

/// The numbers of the EAL's files, each once. (There is a segment a page, and few files.)
std::vector<int> numbers_of_files() {
  std::vector<int> numbers;
  rte_memseg_walk(
      [](const rte_memseg_list* /*list*/, const rte_memseg* segment, void* found) {
        auto& all = *static_cast<std::vector<int>*>(found);
        const int number = rte_memseg_get_fd_thread_unsafe(segment);
        if (number >= 0 && std::find(all.begin(), all.end(), number) == all.end()) {
          all.push_back(number);
        }
        return 0;
      },
      &numbers);
  return numbers;
}

}  // namespace

MemoryFiles::MemoryFiles() {
  for (const int number : numbers_of_files()) {
    const int ours = fcntl(number, F_DUPFD_CLOEXEC, 0);
    if (ours >= 0) files_.push_back({number, ours});
  }
}

MemoryFiles::~MemoryFiles() {
  for (const File& file : files_) ::close(file.ours);
}

unsigned MemoryFiles::restore() noexcept {
  unsigned opened = 0;
  for (const File& file : files_) {
    opened += is_closed(file.number) && dup3(file.ours, file.number, O_CLOEXEC) == file.number;
  }
  return opened;
}

}  // namespace rampart
