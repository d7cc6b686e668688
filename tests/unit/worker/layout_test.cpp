// SPDX-License-Identifier: Apache-2.0
#include "dataplane/worker/layout.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>

#include "config/options.hpp"
#include "config/settings.hpp"
#include "dataplane/dpdk/eal.hpp"
#include "dataplane/state/worker_state.hpp"

namespace rampart {
namespace {

DataplaneParams two_ports() {
  DataplaneParams p;
  p.ports = {{"a", "net_null0", {}}, {"b", "net_null1", {}}};
  p.wires = {{"a", "b"}};
  return p;
}

TEST(Layout, NamesBecomeNumbers) {
  DataplaneParams p = two_ports();
  p.ports.push_back({"c", "net_null2", {}});
  p.ports.push_back({"d", "net_null3", {}});
  p.wires = {{"d", "a"}, {"b", "c"}};
  const auto layout = lay_out(p);
  ASSERT_TRUE(layout) << layout.error().text();
  ASSERT_EQ(layout->ports.size(), 4U);
  EXPECT_EQ(layout->ports[0].peer, 3);
  EXPECT_EQ(layout->ports[3].peer, 0);
  EXPECT_EQ(layout->ports[1].peer, 2);
  EXPECT_EQ(layout->ports[2].peer, 1);
  EXPECT_EQ(layout->ports[0].wire, 0);
  EXPECT_EQ(layout->ports[1].wire, 1);
  EXPECT_EQ(layout->largest_mtu, 1500);
}

TEST(Layout, RefusesWhatDoesNotFitAndNamesIt) {
  struct Bad {
    std::function<void(DataplaneParams&)> spoil;
    std::string where, what;
  };
  const Bad cases[] = {
      {[](auto& p) { p.ports.clear(); }, "--port", "at least two"},
      {[](auto& p) { p.ports[1].name = "a"; }, "--port a", "twice"},
      {[](auto& p) { p.ports[1].name = ""; }, "--port net_null1", "no name"},
      {[](auto& p) { p.ports[1].device = "net_null0"; }, "--port", "net_null0"},
      {[](auto& p) { p.ports[1].device = ""; }, "--port b=", ""},
      {[](auto& p) { p.ports[1].device = "iface:not-there-77"; }, "--port b=iface:not-there-77",
       ""},
      {[](auto& p) { p.wires.clear(); }, "--port a", "no wire"},
      {[](auto& p) { p.wires[0].b = "x"; }, "--wire a,x", "no port x"},
      {[](auto& p) { p.wires[0].b = "a"; }, "--wire a,a", ""},
      {[](auto& p) {
         p.wires.push_back({"a", "b"});
       },
       "--wire a,b", "already"},
      {[](auto& p) { p.workers = 0; }, "--workers 0", "between"},
      {[](auto& p) { p.workers = 1000; }, "--workers 1000", "between"},
      {[](auto& p) {
         p.cores = {0, 0};
       },
       "--cores", "2 for 1"},
      {[](auto& p) { p.cores = {4095}; }, "--cores", "CPU 4095"},
  };
  for (const Bad& bad : cases) {
    DataplaneParams p = two_ports();
    bad.spoil(p);
    const auto layout = lay_out(p);
    ASSERT_FALSE(layout) << bad.where;
    EXPECT_TRUE(layout.error().where.starts_with(bad.where)) << layout.error().text();
    EXPECT_NE(layout.error().text().find(bad.what), std::string::npos) << layout.error().text();
  }
}

TEST(Layout, WorkersGetTheLastCpusAndShareThemWhenThereAreTooFew) {
  const auto allowed = Eal::allowed_cpus();
  DataplaneParams p = two_ports();
  auto layout = lay_out(p);
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->cpus, std::vector{allowed.back()});
  p.workers = static_cast<unsigned>(std::min<size_t>(allowed.size() + 1, 32));
  layout = lay_out(p);
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->cpus.size(), p.workers);
  p.workers = 2;
  p.cores = {allowed.front(), allowed.front()};
  layout = lay_out(p);
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->cpus, p.cores);
}

TEST(Layout, TheOptionOffersAsManyWorkersAsThereCanBe) {
  const auto& all = config::options();
  const auto option =
      std::find_if(all.begin(), all.end(), [](const auto& o) { return o.name == "workers"; });
  ASSERT_NE(option, all.end());
  config::Settings settings;
  EXPECT_TRUE(option->set(settings, std::to_string(kMaxWorkers)));
  EXPECT_FALSE(option->set(settings, std::to_string(kMaxWorkers + 1)));
}

TEST(Layout, QueuesOfSinglePortsKeepDifferentWorkersBusy) {
  EXPECT_NE(worker_of_queue(0, 0, 1, 2), worker_of_queue(1, 0, 1, 2));
  EXPECT_EQ(worker_of_queue(3, 1, 2, 4), 0U);
}

TEST(Layout, QueuesForEverybodyAreTheWorkersOfTheirNumber) {
  for (unsigned port = 0; port < 3; ++port) {
    for (unsigned q = 0; q < 4; ++q) EXPECT_EQ(worker_of_queue(port, q, 4, 4), q);
  }
}

}  // namespace
}  // namespace rampart
