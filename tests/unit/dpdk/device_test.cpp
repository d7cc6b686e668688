// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/device.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace rampart {
namespace {

Device parsed(const std::string& text) {
  auto device = Device::parse(text);
  EXPECT_TRUE(device) << text;
  return device ? *std::move(device) : Device{};
}

struct Good {
  std::string text;
  Device::Kind kind;
  std::string name, interface, devargs;  // devargs for two transmit queues
};

TEST(DeviceTest, ReadsWhatTheDesignNames) {
  using Kind = Device::Kind;
  const std::vector<Good> table = {
      {"0000:3b:02.0", Kind::kPci, "0000:3b:02.0", "", "0000:3b:02.0"},
      {"3b:02.0", Kind::kPci, "0000:3b:02.0", "", "0000:3b:02.0"},
      {"3B:1F.7", Kind::kPci, "0000:3b:1f.7", "", "0000:3b:1f.7"},
      {"10000:01:00.1", Kind::kPci, "10000:01:00.1", "", "10000:01:00.1"},
      {"3b:02.0,dv_flow_en=0", Kind::kPci, "0000:3b:02.0", "", "0000:3b:02.0,dv_flow_en=0"},
      {"iface:eth1", Kind::kInterface, "eth1", "eth1",
       "net_pcap_eth1,rx_iface_in=eth1,tx_iface=eth1,tx_iface=eth1"},
      {"iface:enp59s0f0.100", Kind::kInterface, "enp59s0f0.100", "enp59s0f0.100",
       "net_pcap_enp59s0f0.100,rx_iface_in=enp59s0f0.100,tx_iface=enp59s0f0.100,tx_iface=enp59s0f0."
       "100"},
      {"tap:fw0", Kind::kTap, "fw0", "fw0", "net_tap_fw0,iface=fw0"},
      {"net_null0,no-rx=1", Kind::kVdev, "net_null0", "", "net_null0,no-rx=1"},
      {"net_ring0", Kind::kVdev, "net_ring0", "", "net_ring0"},
      {"net_pcap0,rx_pcap=/a:b/in.pcap,infinite_rx=1", Kind::kVdev, "net_pcap0", "",
       "net_pcap0,rx_pcap=/a:b/in.pcap,infinite_rx=1"},
      {"net_pcap0,rx_iface=eth2,tx_iface=eth2", Kind::kVdev, "net_pcap0", "eth2",
       "net_pcap0,rx_iface=eth2,tx_iface=eth2"},
      {"net_af_xdp0,iface=eth3,start_queue=0", Kind::kVdev, "net_af_xdp0", "eth3",
       "net_af_xdp0,iface=eth3,start_queue=0"},
      {"net_memif0,role=client,socket=/run/a.sock", Kind::kVdev, "net_memif0", "",
       "net_memif0,role=client,socket=/run/a.sock"},
      {"net_virtio_user0,iface=x,path=/dev/vhost-net", Kind::kVdev, "net_virtio_user0", "",
       "net_virtio_user0,iface=x,path=/dev/vhost-net"},
  };
  for (const Good& good : table) {
    const Device d = parsed(good.text);
    EXPECT_EQ(d.kind, good.kind) << good.text;
    EXPECT_EQ(d.text, good.text);
    EXPECT_EQ(d.name, good.name) << good.text;
    EXPECT_EQ(d.interface, good.interface) << good.text;
    EXPECT_EQ(d.devargs(2), good.devargs) << good.text;
  }
}

TEST(DeviceTest, RefusesTheRest) {
  for (const std::string text : {"",
                                 "iface:",
                                 "tap:",
                                 "iface:a-name-of-16-chr",
                                 "iface:a/b",
                                 "iface:a,b",
                                 "iface:a=b",
                                 "iface:a b",
                                 "iface:..",
                                 "tap:x[0]",
                                 " net_null0",
                                 "net_null0 ",
                                 "net_null0,\n",
                                 ",rx=1",
                                 "0000:3b:20.0",
                                 "0000:3b:02.8",
                                 "0000:3b:02",
                                 "3b:02.0x",
                                 "g0:02.0",
                                 "0000:123:02.0",
                                 "eth:1",
                                 "/dev/net",
                                 "3b:02.0:1",
                                 "a=b"}) {
    const auto d = Device::parse(text);
    ASSERT_FALSE(d) << text;
    EXPECT_EQ(d.error().code, ErrorCode::kInvalid);
    EXPECT_EQ(d.error().where, "device \"" + text + "\"");
  }
}

TEST(DeviceTest, SeesTheSameDeviceTwice) {
  const std::vector<std::pair<std::string, std::string>> same = {
      {"3b:02.0", "0000:3B:02.0"},
      {"iface:eth1", "iface:eth1"},
      {"iface:eth1", "tap:eth1"},
      {"iface:eth1", "net_af_xdp0,iface=eth1"},
      {"net_pcap0,rx_iface=eth1,tx_iface=eth1", "net_pcap1,iface=eth1"},
      {"net_null0,no-rx=1", "net_null0"},
  };
  for (const auto& [a, b] : same) {
    const auto result = check_distinct(std::vector{parsed("net_ring7"), parsed(a), parsed(b)});
    ASSERT_FALSE(result) << a << " " << b;
    EXPECT_EQ(result.error().code, ErrorCode::kConflict);
    EXPECT_EQ(result.error().text(), "device \"" + b + "\": is the same device as \"" + a + "\"");
  }
  EXPECT_TRUE(check_distinct(
      std::vector{parsed("3b:02.0"), parsed("3b:02.1"), parsed("iface:eth1"), parsed("iface:eth2"),
                  parsed("tap:t"), parsed("net_pcap0,rx_pcap=a"), parsed("net_pcap1,rx_pcap=a")}));
}

TEST(DeviceTest, AllowsThePciDevicesOnly) {
  const auto list = pci_allow_list(std::vector{parsed("iface:eth1"), parsed("3b:02.0"),
                                               parsed("net_null0"), parsed("0000:3b:02.1,a=b")});
  EXPECT_EQ(list, (std::vector<std::string>{"0000:3b:02.0", "0000:3b:02.1,a=b"}));
}

TEST(DeviceTest, KnowsTheBuffersOfAMemif) {
  EXPECT_TRUE(lends_buffers(parsed("net_memif0,role=client,zero-copy=yes,socket=s")));
  for (const char* other : {"net_memif0", "net_memif0,zero-copy=no", "net_null0,zero-copy=yes"}) {
    EXPECT_FALSE(lends_buffers(parsed(other))) << other;
  }
  EXPECT_EQ(memif_buffer(parsed("net_memif0")), 2048U);
  EXPECT_EQ(memif_buffer(parsed("net_memif_x,role=server,bsize=512,socket=s")), 512U);
  EXPECT_EQ(memif_buffer(parsed("net_memif_x,rsize=9,absize=7")), 2048U);
  for (const char* other : {"net_null0", "iface:net_memif0", "tap:net_memif0", "0000:3b:02.0"}) {
    EXPECT_EQ(memif_buffer(parsed(other)), 0U) << other;
  }
}

TEST(DeviceTest, KnowsTheMtuBeforehand) {
  EXPECT_EQ(*expected_mtu(parsed("net_null0")), 1500);
  EXPECT_EQ(*expected_mtu(parsed("tap:none-yet")), 1500);
  EXPECT_EQ(*expected_mtu(parsed("net_memif0,role=client")), 2022);
  EXPECT_EQ(*expected_mtu(parsed("net_memif0,role=client,bsize=9216")), 9190);
  EXPECT_EQ(*expected_mtu(parsed("iface:lo")), 65535);  // 65,536 does not fit
  const auto none = expected_mtu(parsed("iface:not-there"));
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(none.error().text(),
            "device \"iface:not-there\": not-there: no such interface in this network namespace");
}

}  // namespace
}  // namespace rampart
