// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/ethdev.hpp"

#include <gtest/gtest.h>
#include <sched.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "dataplane/dpdk/kernel_interface.hpp"
#include "tests/support/eal.hpp"
#include "tests/unit/dpdk/wire_support.hpp"

namespace rampart {
namespace {

using test::Frame;
using test::frame_of;
using test::poll;
using test::RawSocket;
using test::transmit;
using test::VethPair;

class EthDevTest : public testing::Test {
 protected:
  void SetUp() override {
    auto pool = Mempool::create(
        {.name = "frames", .count = 8192, .cache = 32, .data_room = Mempool::data_room_for(9000)});
    ASSERT_TRUE(pool) << pool.error().text();
    pool_ = std::make_unique<Mempool>(*std::move(pool));
  }
  void TearDown() override { EXPECT_EQ(pool_->in_use(), 0U) << "packet buffers were lost"; }

  Result<EthDev> open(const std::string& device, unsigned workers = 1) {
    auto parsed = Device::parse(device);
    if (!parsed) return parsed.error();
    return EthDev::open({.name = "a", .device = *parsed, .workers = workers, .pool = pool_.get()});
  }

  std::unique_ptr<Mempool> pool_;
};

/// Frames of many kinds; those with tags are as long on top.
std::vector<Frame> all_kinds(size_t mtu) {
  return {
      frame_of(60, 1),
      frame_of(14 + mtu, 2),
      frame_of(64, 3, {{0x8100, 100}}),
      frame_of(18 + mtu, 4, {{0x8100, 0xe064}}),
      frame_of(68, 5, {{0x88a8, 0x2001}, {0x8100, 0x0fff}}),
      frame_of(72, 6, {{0x8100, 1}, {0x8100, 2}, {0x8100, 3}}),
      frame_of(64, 7, {{0x8100, 0}}),
      frame_of(61, 8),
  };
}

void expect_both_ways(EthDev& port, Mempool& pool, const std::string& far, size_t mtu) {
  RawSocket wire(far);
  const std::vector<Frame> frames = all_kinds(mtu);
  for (const Frame& frame : frames) ASSERT_TRUE(wire.send(frame)) << frame.size();
  EXPECT_EQ(poll(port, frames.size()), frames) << "inwards";
  ASSERT_TRUE(transmit(port, pool, frames));
  EXPECT_EQ(wire.receive(frames.size()), frames) << "outwards";
}

TEST_F(EthDevTest, AnInterfaceKeepsFramesByteForByte) {
  const VethPair pair("near0", "far0");
  auto port = open("iface:near0");
  ASSERT_TRUE(port) << port.error().text();
  ASSERT_TRUE(port->start());
  EXPECT_EQ(port->driver(), "net_pcap");
  EXPECT_EQ(port->mtu(), 1500);
  expect_both_ways(*port, *pool_, "far0", 1500);
}

TEST_F(EthDevTest, AnInterfaceKeepsJumboFrames) {
  const VethPair pair("near0", "far0", 9000);
  auto port = open("iface:near0");
  ASSERT_TRUE(port) << port.error().text();
  ASSERT_TRUE(port->start());
  EXPECT_EQ(port->mtu(), 9000);
  expect_both_ways(*port, *pool_, "far0", 9000);
}

TEST_F(EthDevTest, FramesThatTheHostSendsDoNotComeIn) {
  const VethPair pair("near0", "far0");
  auto port = open("iface:near0");
  ASSERT_TRUE(port) << port.error().text();
  ASSERT_TRUE(port->start());
  RawSocket host("near0"), wire("far0");
  const Frame own = frame_of(100, 1), foreign = frame_of(100, 2);
  ASSERT_TRUE(host.send(own));
  EXPECT_EQ(wire.receive(1), std::vector<Frame>{own});
  ASSERT_TRUE(wire.send(foreign));
  EXPECT_EQ(poll(*port, 1), std::vector<Frame>{foreign});  // and not the other one before it
  ASSERT_TRUE(transmit(*port, *pool_, {frame_of(100, 3)}));
  EXPECT_EQ(wire.receive(1), std::vector<Frame>{frame_of(100, 3)});
  ASSERT_TRUE(wire.send(frame_of(100, 4)));
  EXPECT_EQ(poll(*port, 1), std::vector<Frame>{frame_of(100, 4)});
}

TEST_F(EthDevTest, FramesThatGoOutTakeNoRoomFromThoseThatComeIn) {
  const VethPair pair("near0", "far0");
  auto port = open("iface:near0");
  ASSERT_TRUE(port) << port.error().text();
  ASSERT_TRUE(port->start());
  RawSocket wire("far0");
  // Far more than the driver's buffer holds, while nobody receives.
  const std::vector<Frame> out(6000, frame_of(1500, 1));
  ASSERT_TRUE(transmit(*port, *pool_, out));
  ASSERT_TRUE(wire.send(frame_of(100, 2)));
  EXPECT_EQ(poll(*port, 1), std::vector<Frame>{frame_of(100, 2)});
  EXPECT_EQ(port->stats().imissed, 0U);
  EXPECT_EQ(port->stats().opackets, out.size());
}

TEST_F(EthDevTest, AnInterfaceHasATransmitQueueAWorkerAndOneReceiveQueue) {
  const VethPair pair("near0", "far0");
  auto port = open("iface:near0", 3);
  ASSERT_TRUE(port) << port.error().text();
  EXPECT_EQ(port->rx_queues(), 1U);
  ASSERT_EQ(port->tx_queues(), 3U);
  ASSERT_TRUE(port->start());
  RawSocket wire("far0");
  for (uint16_t q = 0; q < 3; ++q) {
    ASSERT_TRUE(transmit(*port, *pool_, {frame_of(80, q)}, q));
    EXPECT_EQ(wire.receive(1), std::vector<Frame>{frame_of(80, q)});
  }
  ASSERT_TRUE(wire.send(frame_of(80, 9)));
  ASSERT_TRUE(wire.send(frame_of(80, 10)));
  EXPECT_EQ(poll(*port, 2), (std::vector<Frame>{frame_of(80, 9), frame_of(80, 10)}));  // once each
}

TEST_F(EthDevTest, AnInterfaceTellsAboutItself) {
  const VethPair pair("near0", "far0", 3000);
  test::run("ip link set near0 down address 02:11:22:33:44:55");
  auto port = open("iface:near0");
  ASSERT_TRUE(port) << port.error().text();
  EXPECT_FALSE(port->link().up);
  ASSERT_TRUE(port->start());  // opening has set it up
  ASSERT_TRUE(test::await_running("near0"));
  EXPECT_TRUE(port->link().up);
  EXPECT_EQ(port->link().speed_mbps, 10000U);
  EXPECT_EQ(port->mac(), "02:11:22:33:44:55");
  EXPECT_EQ(port->mtu(), 3000);
  EXPECT_TRUE(port->promiscuous());
  EXPECT_EQ(port->rx_offloads(), 0U);
  test::run("ip link set near0 down");
  EXPECT_FALSE(port->link().up);
}

TEST_F(EthDevTest, AnInterfaceDoesNotMergeFrames) {
  const VethPair pair("near0", "far0");
  test::run("ethtool -K near0 gro on && ethtool -k near0 | grep -q '^generic-receive-offload: on'");
  auto port = open("iface:near0");
  ASSERT_TRUE(port) << port.error().text();
  test::run("ethtool -k near0 | grep -q '^generic-receive-offload: off'");
  test::run("ethtool -k near0 | grep -q '^generic-segmentation-offload: on'");  // not ours
}

TEST_F(EthDevTest, AnMtuOutOfRangeIsNamed) {
  const auto port = EthDev::open(
      {.name = "a", .device = *Device::parse("net_null0,no-rx=1"), .pool = pool_.get(), .mtu = 20});
  ASSERT_FALSE(port);
  EXPECT_EQ(port.error().text(),
            "port a, device \"net_null0,no-rx=1\": its MTU can be 46 to 65535, not 20");
  auto good = EthDev::open({.name = "a",
                            .device = *Device::parse("net_null0,no-rx=1"),
                            .pool = pool_.get(),
                            .mtu = 9000});
  ASSERT_TRUE(good) << good.error().text();
  EXPECT_EQ(good->mtu(), 9000);
  // The kernel's own MTU counts for its interfaces.
  const VethPair pair("near0", "far0");
  auto kernel = EthDev::open(
      {.name = "a", .device = *Device::parse("iface:near0"), .pool = pool_.get(), .mtu = 9000});
  ASSERT_TRUE(kernel) << kernel.error().text();
  EXPECT_EQ(kernel->mtu(), 1500);
}

TEST_F(EthDevTest, AnInterfaceComesBack) {
  const VethPair pair("near0", "far0");
  auto port = open("iface:near0");
  ASSERT_TRUE(port) << port.error().text();
  ASSERT_TRUE(port->start());
  EXPECT_FALSE(port->wants_reset());
  test::run("ip link set near0 down && ip link set near0 up");
  ASSERT_TRUE(test::await_running("near0") && test::await_running("far0"));
  expect_both_ways(*port, *pool_, "far0", 1500);  // down and up needs no help

  test::run("ip link del near0");
  EXPECT_FALSE(port->wants_reset());  // what for? it is not there
  EXPECT_FALSE(port->link().up);
  auto gone = port->reset();
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(gone.error().where, "port a, device \"iface:near0\": near0");
  const VethPair again("near0", "far0");
  ASSERT_TRUE(port->reset());
  expect_both_ways(*port, *pool_, "far0", 1500);
  test::run("ip link del near0");
  const VethPair third("near0", "far0");
  EXPECT_TRUE(port->wants_reset());
  ASSERT_TRUE(port->reset());
  EXPECT_FALSE(port->wants_reset());
  expect_both_ways(*port, *pool_, "far0", 1500);
}

TEST_F(EthDevTest, ATapKeepsFramesByteForByte) {
  auto port = open("tap:near1", 2);
  ASSERT_TRUE(port) << port.error().text();
  EXPECT_EQ(port->rx_queues(), 1U);
  EXPECT_EQ(port->tx_queues(), 1U);
  ASSERT_TRUE(port->start());
  EXPECT_EQ(port->driver(), "net_tap");
  EXPECT_EQ(port->mtu(), 1500);
  EXPECT_TRUE(port->link().up);
  EXPECT_TRUE(port->promiscuous());
  expect_both_ways(*port, *pool_, "near1", 1500);
  const PortStats before = port->stats();
  EXPECT_EQ(before.ipackets, all_kinds(1500).size());
  ASSERT_TRUE(port->reset());
  EXPECT_EQ(port->stats(), before);
  expect_both_ways(*port, *pool_, "near1", 1500);
  EXPECT_EQ(port->stats().ipackets, 2 * before.ipackets);
  EXPECT_FALSE(port->wants_reset());
  test::run("ip link del near1");
  EXPECT_TRUE(port->wants_reset());
  ASSERT_TRUE(port->reset());
  expect_both_ways(*port, *pool_, "near1", 1500);
}

TEST_F(EthDevTest, ATapThatExistsIsUsedAndLeftBehind) {
  test::run("ip tuntap add dev near2 mode tap multi_queue && ip link set near2 mtu 9000");
  {
    auto port = open("tap:near2");
    ASSERT_TRUE(port) << port.error().text();
    ASSERT_TRUE(port->start());
    EXPECT_EQ(port->mtu(), 1500);  // all that net_tap knows
    EXPECT_EQ(KernelInterface::query("near2")->mtu, 1500U);
    expect_both_ways(*port, *pool_, "near2", 1500);
  }
  EXPECT_TRUE(KernelInterface::query("near2"));
  test::run("ip link del near2");
}

TEST_F(EthDevTest, AFrameThatIsTooLongIsRefusedAndTheNextOneIsNot) {
  const VethPair pair("near0", "far0");
  auto port = open("iface:near0");
  ASSERT_TRUE(port) << port.error().text();
  ASSERT_TRUE(port->start());
  RawSocket wire("far0");
  rte_mbuf* frames[3];
  for (uint16_t i = 0; i < 3; ++i) {
    frames[i] = rte_pktmbuf_alloc(pool_->get());
    const Frame bytes = frame_of(i == 1 ? 1519 : 100, i);
    std::memcpy(rte_pktmbuf_append(frames[i], uint16_t(bytes.size())), bytes.data(), bytes.size());
  }
  EXPECT_EQ(port->tx_burst(0, frames, 3), 1);
  EXPECT_EQ(port->tx_burst(0, frames + 1, 2), 0);
  rte_pktmbuf_free(frames[1]);
  EXPECT_EQ(port->tx_burst(0, frames + 2, 1), 1);
  EXPECT_EQ(wire.receive(2), (std::vector<Frame>{frame_of(100, 0), frame_of(100, 2)}));
  EXPECT_EQ(port->stats().opackets, 2U);
  EXPECT_EQ(port->stats().lost_in_driver(2), 0U);
}

TEST_F(EthDevTest, CountersGoOnOverResets) {
  const VethPair pair("near0", "far0");
  auto port = open("iface:near0");
  ASSERT_TRUE(port) << port.error().text();
  EXPECT_EQ(port->stats(), PortStats());
  ASSERT_TRUE(port->start());
  for (uint64_t round = 1; round <= 3; ++round) {
    RawSocket wire("far0");
    ASSERT_TRUE(wire.send(frame_of(100, 1)));
    ASSERT_TRUE(wire.send(frame_of(200, 2)));
    ASSERT_EQ(poll(*port, 2).size(), 2U);
    ASSERT_TRUE(transmit(*port, *pool_, {frame_of(300, 3)}));
    ASSERT_EQ(wire.receive(1).size(), 1U);
    const PortStats now = port->stats();
    EXPECT_EQ(now.ipackets, 2 * round);
    EXPECT_EQ(now.ibytes, 300 * round);
    EXPECT_EQ(now.opackets, round);
    EXPECT_EQ(now.obytes, 300 * round);
    EXPECT_EQ(now.lost_in_driver(round), 0U);
    if (round == 1) {
      ASSERT_TRUE(port->reset());
    } else {
      port->stop();
      port->stop();
      EXPECT_EQ(port->stats(), now);
      ASSERT_TRUE(port->start());
      ASSERT_TRUE(port->start());
    }
    EXPECT_EQ(port->stats(), now);
  }
}

TEST_F(EthDevTest, AMemifHasBuffersLikeOurs) {
  const auto ours = std::to_string(pool_->data_room() - RTE_PKTMBUF_HEADROOM);
  const auto small = open("net_memif_s,role=server,socket=unit-small,bsize=2048");
  ASSERT_FALSE(small);
  EXPECT_EQ(small.error().code, ErrorCode::kInvalid);
  EXPECT_EQ(small.error().what, "its buffers have 2048 bytes and packet buffers " + ours +
                                    ": give it bsize=" + ours + ", at both ends");
  const auto equal = open("net_memif_e,role=server,socket=unit-equal,bsize=" + ours);
  ASSERT_TRUE(equal) << equal.error().text();
  EXPECT_EQ(equal->driver(), "net_memif");
  EXPECT_EQ(equal->mtu(), Mempool::mtu_of(static_cast<uint32_t>(std::stoul(ours))));
}

TEST_F(EthDevTest, RefusesByPortAndDevice) {
  const auto none = open("iface:none0");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(none.error().text(),
            "port a, device \"iface:none0\": none0: no such interface in this network namespace");
  const auto pci = open("ffff:00:00.0");
  ASSERT_FALSE(pci);
  EXPECT_EQ(pci.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(pci.error().text(), "port a, device \"ffff:00:00.0\": no such PCI device");
  for (const char* device : {"net_nonsense0", "net_pcap0,rx_pcap=/not/there", "net_null0,what=1"}) {
    const auto vdev = open(device);
    ASSERT_FALSE(vdev) << device;
    EXPECT_EQ(vdev.error().code, ErrorCode::kInvalid);
    EXPECT_EQ(vdev.error().where, "port a, device \"" + std::string(device) + "\"");
  }
  {
    const auto first = open("net_null3,no-rx=1");
    ASSERT_TRUE(first) << first.error().text();
    const auto second = open("net_null3,no-rx=1");
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::kConflict);
  }
  EXPECT_TRUE(open("net_null3,no-rx=1"));  // free again
}

TEST_F(EthDevTest, ARingDeviceHandsBackWhatItIsGiven) {
  auto port = open("net_ring0");
  ASSERT_TRUE(port) << port.error().text();
  ASSERT_TRUE(port->start());
  EXPECT_EQ(port->driver(), "net_ring");
  EXPECT_TRUE(port->link().up);
  const std::vector<Frame> frames = all_kinds(1500);
  ASSERT_TRUE(transmit(*port, *pool_, frames));
  EXPECT_EQ(poll(*port, frames.size()), frames);
  EXPECT_EQ(port->stats().ipackets, frames.size());
}

TEST_F(EthDevTest, ANullDeviceTakesEverything) {
  auto port = open("net_null0,no-rx=1", 2);
  ASSERT_TRUE(port) << port.error().text();
  ASSERT_EQ(port->tx_queues(), 2U);
  ASSERT_TRUE(port->start());
  ASSERT_TRUE(transmit(*port, *pool_, all_kinds(1500), 1));
  EXPECT_EQ(port->stats().opackets, all_kinds(1500).size());
  EXPECT_EQ(port->stats().ipackets, 0U);
  EXPECT_EQ(port->mtu(), 1500);
}

/// A capture file without a packet in it.
std::string empty_capture() {
  std::string path = testing::TempDir() + "rampart-empty-" + std::to_string(getpid());
  const uint32_t head[] = {0xa1b2c3d4, 0x00040002, 0, 0, 65535, 1};
  std::ofstream(path).write(reinterpret_cast<const char*>(head), sizeof head);
  return path;
}

/// The key of a port as its driver reports it.
std::vector<uint8_t> key_of(const EthDev& port) {
  std::vector<uint8_t> key(40);
  rte_eth_rss_conf conf{};
  conf.rss_key = key.data();
  conf.rss_key_len = 40;
  EXPECT_EQ(rte_eth_dev_rss_hash_conf_get(port.id(), &conf), 0);
  return key;
}

TEST_F(EthDevTest, SeveralReceiveQueuesHashSymmetrically) {
  auto port = open("net_null0,no-rx=1", 2);
  ASSERT_TRUE(port) << port.error().text();
  ASSERT_EQ(port->rx_queues(), 2U);
  EXPECT_EQ(port->rss(), Rss{}) << "it has not started yet";
  // What drivers go by, now and when the port starts again. (This one does not listen.)
  rte_eth_conf conf{};
  ASSERT_EQ(rte_eth_dev_conf_get(port->id(), &conf), 0);
  const rte_eth_rss_conf& asked = conf.rx_adv_conf.rss_conf;
  EXPECT_EQ(conf.rxmode.mq_mode, RTE_ETH_MQ_RX_RSS);
  EXPECT_NE(asked.rss_hf, 0U);
  ASSERT_EQ(asked.rss_key_len, 40);
  std::vector<uint8_t> symmetric;
  for (size_t i = 0; i < 40; ++i) symmetric.push_back(i % 2 == 0 ? 0x6d : 0x5a);
  EXPECT_EQ(std::vector<uint8_t>(asked.rss_key, asked.rss_key + 40), symmetric);

  ASSERT_EQ(port->rss_entries(), 128U);
  const auto expect_symmetric = [&] {
    std::array<rte_eth_rss_reta_entry64, 2> table{};
    table[0].mask = table[1].mask = ~uint64_t{0};
    EXPECT_EQ(rte_eth_dev_rss_reta_query(port->id(), table.data(), 128), 0);
    for (unsigned i = 0; i < 128; ++i) EXPECT_EQ(table[i / 64].reta[i % 64], i % 2) << i;
    EXPECT_EQ(port->rss().function, Rss::Function::kToeplitz);
    EXPECT_EQ(port->rss().key, Rss::Key::kSymmetric);
    EXPECT_EQ(port->rss().types, asked.rss_hf);
    EXPECT_EQ(key_of(*port), symmetric);
  };
  ASSERT_TRUE(port->start());
  expect_symmetric();
  // After a reset the device is another one, and knows nothing of what it was told.
  ASSERT_TRUE(port->reset());
  expect_symmetric();
  port->stop();
  ASSERT_TRUE(port->start());
  expect_symmetric();
}

TEST_F(EthDevTest, RssOfOneQueueAndOfDriversThatHaveNone) {
  auto one = open("net_null0,no-rx=1");
  ASSERT_TRUE(one && one->start());
  EXPECT_EQ(one->rss(), Rss{});
  EXPECT_EQ(one->rss_entries(), 0U);
  const std::string capture = empty_capture();
  auto several = open("net_pcap6,rx_pcap=" + capture + ",rx_pcap=" + capture, 2);
  std::filesystem::remove(capture);
  ASSERT_TRUE(several) << several.error().text();
  ASSERT_EQ(several->rx_queues(), 2U);
  ASSERT_TRUE(several->start());
  Rss unknown;
  unknown.function = Rss::Function::kDriver;
  EXPECT_EQ(several->rss(), unknown);
  EXPECT_EQ(several->rss_entries(), 0U);
}

TEST_F(EthDevTest, ADriverWithoutFlowRulesGetsNone) {
  auto port = open("net_null0,no-rx=1", 2);
  ASSERT_TRUE(port && port->start());
  RssRules rules;
  EXPECT_FALSE(rules.create(port->id(), RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_TCP));
  EXPECT_TRUE(rules.empty());
}

TEST_F(EthDevTest, APoolThatIsTooSmallIsNamed) {
  auto small = Mempool::create({.name = "small", .count = 16, .data_room = 2304});
  ASSERT_TRUE(small);
  const auto port =
      EthDev::open({.name = "b", .device = *Device::parse("tap:near3"), .pool = &*small});
  ASSERT_FALSE(port);
  EXPECT_EQ(port.error().text(),
            "port b, device \"tap:near3\": setting up a receive queue: DPDK's heap or the pool of "
            "packet buffers is too small");
  EXPECT_EQ(port.error().code, ErrorCode::kNoMemory);
  EXPECT_EQ(small->in_use(), 0U);
  EXPECT_FALSE(KernelInterface::query("near3"));  // nothing is left of it
}

TEST_F(EthDevTest, APcapFileIsReadAndWritten) {
  const std::string folder = testing::TempDir() + "rampart-pcap-" + std::to_string(getpid());
  std::filesystem::create_directories(folder);
  const std::vector<Frame> frames = all_kinds(9000);
  {
    auto out = open("net_pcap7,rx_pcap=/dev/null,tx_pcap=" + folder + "/x.pcap");
    EXPECT_FALSE(out);  // /dev/null is no capture
  }
  {
    auto out = open("net_pcap7,tx_pcap=" + folder + "/x.pcap");
    ASSERT_TRUE(out) << out.error().text();
    ASSERT_TRUE(out->start());
    ASSERT_TRUE(transmit(*out, *pool_, frames));
  }
  auto in = open("net_pcap7,rx_pcap=" + folder + "/x.pcap");
  ASSERT_TRUE(in) << in.error().text();
  ASSERT_TRUE(in->start());
  EXPECT_EQ(poll(*in, frames.size()), frames);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace rampart

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (testing::GTEST_FLAG(list_tests)) return RUN_ALL_TESTS();
  // A network namespace of our own, with nothing in it that sends frames by itself.
  if (unshare(CLONE_NEWNET) != 0) {
    std::perror("unshare");
    return 1;
  }
  std::ofstream("/proc/sys/net/ipv6/conf/default/disable_ipv6") << "1";
  if (!rampart::test::start_eal()) return 1;
  const int result = RUN_ALL_TESTS();
  rampart::test::stop_eal();
  return result;
}
