// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/memory_files.hpp"

#include <gtest/gtest.h>
#include <rte_memory.h>
#include <sys/stat.h>

#include <string>
#include <utility>

#include "dataplane/dpdk/ethdev.hpp"

namespace rampart {
namespace {

/// What the EAL's first piece of memory lies in: number of a descriptor, and of the file.
std::pair<int, ino_t> file_of_memory() {
  std::pair<int, ino_t> found{-1, 0};
  rte_memseg_walk(
      [](const rte_memseg_list* /*list*/, const rte_memseg* segment, void* out) {
        static_cast<std::pair<int, ino_t>*>(out)->first = rte_memseg_get_fd_thread_unsafe(segment);
        return 1;
      },
      &found);
  struct stat file {};
  if (fstat(found.first, &file) == 0) found.second = file.st_ino;
  return found;
}

// net_memif closes it as soon as there is a peer, as if it were its own.
TEST(MemoryFiles, StayOpenUnderPortsThatLendBuffers) {
  const auto pool = Mempool::create(
      {.name = "lent", .count = 8192, .cache = 32, .data_room = Mempool::data_room_for(1500)});
  ASSERT_TRUE(pool) << pool.error().text();
  const auto open = [&](const std::string& device) {
    return EthDev::open({.name = "a", .device = *Device::parse(device), .pool = &*pool});
  };
  const auto before = file_of_memory();
  ASSERT_NE(before.second, 0U);
  const std::string with = ",bsize=" + std::to_string(pool->data_room() - RTE_PKTMBUF_HEADROOM);
  for (const std::string name : {"lend1", "lend2"}) {
    auto far = open("net_memif_s" + name + ",role=server,socket=unit-" + name + with);
    ASSERT_TRUE(far) << far.error().text();
    ASSERT_TRUE(far->start());
    auto near =
        open("net_memif_c" + name + ",role=client,zero-copy=yes,socket=unit-" + name + with);
    ASSERT_TRUE(near) << near.error().text();
    ASSERT_TRUE(near->start());
    EXPECT_TRUE(near->link().up) << name;
    EXPECT_EQ(file_of_memory(), before) << name;
  }
}

}  // namespace
}  // namespace rampart
