// SPDX-License-Identifier: Apache-2.0
#include "dataplane/worker/report.hpp"

#include <gtest/gtest.h>

#include "tests/support/stage_bench.hpp"

namespace rampart::test {
namespace {

PacketBuilder udp(std::string_view from, uint16_t port) {
  return packet().ip(from, from.find(':') == from.npos ? "10.0.0.2" : "fd00::2").udp(port, 53);
}

TEST(Report, IsMadeOnceForEachRequest) {
  StageBench bench;
  Mailbox& box = *bench.w.mailbox;
  bench.run(udp("10.0.0.1", 1));
  serve_mailbox(bench.w, 0);
  EXPECT_EQ(box.report_made.load(), 0U);
  box.report_asked = 1;
  serve_mailbox(bench.w, 0);
  EXPECT_EQ(box.report_made.load(), 1U);
  EXPECT_EQ(box.report.ports[0].received, 1U);
  EXPECT_EQ(box.report.flows, 1U);
  bench.run(udp("10.0.0.1", 2));
  serve_mailbox(bench.w, 0);
  EXPECT_EQ(box.report.ports[0].received, 1U);
  // One that was made ahead of the request, because a packet told of it, is not made again.
  make_report(bench.w, 2);
  bench.run(udp("10.0.0.1", 3));
  box.report_asked = 2;
  serve_mailbox(bench.w, 0);
  EXPECT_EQ(box.report.ports[0].received, 2U);
}

}  // namespace
}  // namespace rampart::test
