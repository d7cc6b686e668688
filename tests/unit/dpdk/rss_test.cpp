// SPDX-License-Identifier: Apache-2.0
// What a driver is asked for. No port: Toeplitz is computed as NICs do.
#include "dataplane/dpdk/rss.hpp"

#include <gtest/gtest.h>
#include <rte_thash.h>

#include <array>
#include <cstdint>
#include <random>
#include <set>
#include <vector>

namespace rampart {
namespace {

constexpr uint64_t kI40e =
    RTE_ETH_RSS_FRAG_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV4_UDP |
    RTE_ETH_RSS_NONFRAG_IPV4_SCTP | RTE_ETH_RSS_NONFRAG_IPV4_OTHER | RTE_ETH_RSS_FRAG_IPV6 |
    RTE_ETH_RSS_NONFRAG_IPV6_TCP | RTE_ETH_RSS_NONFRAG_IPV6_UDP | RTE_ETH_RSS_NONFRAG_IPV6_SCTP |
    RTE_ETH_RSS_NONFRAG_IPV6_OTHER | RTE_ETH_RSS_L2_PAYLOAD;

TEST(RssRules, CoverEveryKindOfPacketTheGeneralOnesFirst) {
  const auto all = rss_rules_for(kI40e);
  ASSERT_EQ(all.size(), 8U);
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i].l4 == RTE_FLOW_ITEM_TYPE_END, i < 2) << i;
  }
  EXPECT_EQ(all[0], (RssRule{RTE_ETH_RSS_IPV4, RTE_FLOW_ITEM_TYPE_IPV4, RTE_FLOW_ITEM_TYPE_END}));
  EXPECT_EQ(all[7], (RssRule{RTE_ETH_RSS_NONFRAG_IPV6_SCTP, RTE_FLOW_ITEM_TYPE_IPV6,
                             RTE_FLOW_ITEM_TYPE_SCTP}));
  const auto some = rss_rules_for(RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_UDP);
  ASSERT_EQ(some.size(), 2U);
  EXPECT_EQ(some[1].l4, RTE_FLOW_ITEM_TYPE_UDP);
  EXPECT_TRUE(rss_rules_for(RTE_ETH_RSS_L2_PAYLOAD).empty());
}

TEST(Rss, DriversWithASymmetricFunction) {
  for (const char* driver : {"net_i40e", "net_iavf", "net_ice", "net_hns3", "net_hns3_vf"}) {
    EXPECT_TRUE(knows_symmetric_function(driver)) << driver;
  }
  for (const char* driver : {"net_ixgbe", "net_ice_dcf", "mlx5_pci", "net_null", ""}) {
    EXPECT_FALSE(knows_symmetric_function(driver)) << driver;
  }
}

/// Addresses and ports of an IPv4 packet as the function takes them: words in host order.
struct Tuple {
  uint32_t source, destination, ports;
  Tuple back() const { return {destination, source, ports << 16 | ports >> 16}; }
};

uint32_t toeplitz(Tuple t, const std::vector<uint8_t>& key) {
  return rte_softrss(&t.source, 3, key.data());
}

/// What NICs hash in its place for the symmetric function (Linux, networking/scaling: symmetric-
/// xor).
Tuple symmetric(const Tuple& t) {
  const uint32_t addresses = t.source ^ t.destination;
  const uint32_t ports = (t.ports ^ t.ports >> 16) & 0xffff;
  return {addresses, addresses, ports << 16 | ports};
}

TEST(Rss, TheKeyIsSymmetricAndSpreadsAndIsNotForTheSymmetricFunction) {
  rte_eth_dev_info info{};
  info.driver_name = "net_ice";
  info.flow_type_rss_offloads = kI40e;
  info.hash_key_size = 52;
  rte_eth_conf conf{};
  ask_for_rss(info, 4, conf);
  const rte_eth_rss_conf& rss = conf.rx_adv_conf.rss_conf;
  EXPECT_EQ(conf.rxmode.mq_mode, RTE_ETH_MQ_RX_RSS);
  EXPECT_EQ(rss.rss_hf, kI40e & ~RTE_ETH_RSS_L2_PAYLOAD);
  ASSERT_EQ(rss.rss_key_len, 52);
  const std::vector<uint8_t> key(rss.rss_key, rss.rss_key + rss.rss_key_len);
  std::mt19937 random(7);
  std::set<uint32_t> queues;
  for (unsigned i = 0; i < 1000; ++i) {
    const Tuple t{static_cast<uint32_t>(random()), static_cast<uint32_t>(random()),
                  static_cast<uint32_t>(random())};
    EXPECT_EQ(toeplitz(t, key), toeplitz(t.back(), key));
    EXPECT_EQ(toeplitz(symmetric(t), key), 0U) << "all in one queue";
    queues.insert(toeplitz(t, key) % 128);
  }
  EXPECT_EQ(queues.size(), 128U);
}

TEST(Rss, IsNotAskedForInVain) {
  rte_eth_dev_info info{};
  info.driver_name = "net_any";
  info.flow_type_rss_offloads = kI40e;
  rte_eth_conf conf{};
  ask_for_rss(info, 1, conf);
  EXPECT_EQ(conf.rxmode.mq_mode, RTE_ETH_MQ_RX_NONE);
  info.flow_type_rss_offloads = RTE_ETH_RSS_L2_PAYLOAD;
  ask_for_rss(info, 4, conf);
  EXPECT_EQ(conf.rxmode.mq_mode, RTE_ETH_MQ_RX_NONE);
  EXPECT_EQ(conf.rx_adv_conf.rss_conf.rss_key, nullptr);
}

TEST(Rss, TypesHaveNames) {
  EXPECT_EQ(rss_type_names(RTE_ETH_RSS_NONFRAG_IPV6_TCP | RTE_ETH_RSS_IPV4),
            (std::vector<std::string_view>{"ipv4", "ipv6-tcp"}));
  EXPECT_EQ(rss_type_names(RTE_ETH_RSS_IPV6_EX | RTE_ETH_RSS_VXLAN),
            (std::vector<std::string_view>{"ipv6-ex", "others"}));
  EXPECT_TRUE(rss_type_names(0).empty());
}

}  // namespace
}  // namespace rampart
