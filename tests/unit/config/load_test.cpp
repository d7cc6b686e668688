// SPDX-License-Identifier: Apache-2.0
#include "config/load.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "config/options.hpp"
#include "config/print.hpp"

namespace rampart::config {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Strings = std::vector<std::string>;

/// A file in a folder of its own, gone at the end of the test.
class ConfigFile {
 public:
  explicit ConfigFile(const std::string& content) {
    char folder[] = "/tmp/rampart-config-XXXXXX";
    folder_ = mkdtemp(folder);
    std::ofstream(path()) << content;
  }
  ~ConfigFile() { std::filesystem::remove_all(folder_); }
  ConfigFile(const ConfigFile&) = delete;
  ConfigFile& operator=(const ConfigFile&) = delete;
  std::string path() const { return folder_ + "/rampart.conf"; }

 private:
  std::string folder_;
};

Strings with_wire(Strings more) {
  Strings all{"--port", "a=iface:eth1", "--port", "b=net_null0,no-rx=1", "--wire", "a,b"};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

Settings accepted(const Strings& arguments) {
  const auto loaded = load(arguments);
  EXPECT_TRUE(loaded) << loaded.error().text();
  return loaded ? loaded->settings : Settings{};
}

std::string refusal(const Strings& arguments) {
  const auto loaded = load(arguments);
  return loaded ? "accepted" : loaded.error().text();
}

TEST(Load, DefaultsOfEverythingElse) {
  Settings expected;
  expected.ports = {{"a", "iface:eth1"}, {"b", "net_null0,no-rx=1"}};
  expected.wires = {{"a", "b"}};
  EXPECT_EQ(accepted(with_wire({})), expected);
}

TEST(Load, EveryOptionReachesItsSetting) {
  const Settings s = accepted(with_wire({"--port-sources",
                                         "a=10.0.0.0/8,fd00::/8",
                                         "--startup",
                                         "pass",
                                         "--checksum=all",
                                         "--non-ip",
                                         "pass",
                                         "--tunnels",
                                         "drop",
                                         "--on-cut",
                                         "reset",
                                         "--syn-challenge-percent",
                                         "7",
                                         "--source-flows",
                                         "11",
                                         "--source-half-open",
                                         "12",
                                         "--endpoint-flows",
                                         "13",
                                         "--endpoint-half-open",
                                         "14",
                                         "--tcp-pickup",
                                         "always",
                                         "--restart-grace-s",
                                         "0",
                                         "--socket",
                                         "/tmp/x.sock",
                                         "--socket-group",
                                         "ops",
                                         "--state-dir",
                                         "/tmp/state",
                                         "--max-body-mib",
                                         "7",
                                         "--proof-ms",
                                         "8",
                                         "--workers",
                                         "3",
                                         "--cores",
                                         "4,6-7",
                                         "--idle-us",
                                         "50",
                                         "--max-flows",
                                         "4096",
                                         "--memory",
                                         "512",
                                         "--mbufs",
                                         "8192",
                                         "--simd",
                                         "256",
                                         "--mtu",
                                         "9000",
                                         "--eal",
                                         "--log-level=8 -b 0000:00:01.0",
                                         "--tcp-opening-s",
                                         "1",
                                         "--tcp-established-s",
                                         "2",
                                         "--tcp-half-closed-s",
                                         "3",
                                         "--tcp-closing-s",
                                         "4",
                                         "--tcp-reset-s",
                                         "5",
                                         "--udp-s",
                                         "6",
                                         "--udp-replied-s",
                                         "7",
                                         "--udp-answered-s",
                                         "12",
                                         "--sctp-opening-s",
                                         "8",
                                         "--sctp-established-s",
                                         "9",
                                         "--icmp-s",
                                         "10",
                                         "--other-s",
                                         "11",
                                         "--fragments",
                                         "500",
                                         "--fragments-held",
                                         "600",
                                         "--fragment-hold-s",
                                         "12",
                                         "--fragment-s",
                                         "13"}));
  Settings e;
  e.ports = {{"a", "iface:eth1"}, {"b", "net_null0,no-rx=1"}};
  e.wires = {{"a", "b"}};
  e.port_sources = {{"a", {*IpPrefix::parse("10.0.0.0/8"), *IpPrefix::parse("fd00::/8")}}};
  e.startup = Settings::Startup::kPass;
  e.checksum = Settings::Checksum::kAll;
  e.non_ip = Settings::Handling::kPass;
  e.tunnels = Settings::Handling::kDrop;
  e.on_cut = Settings::OnCut::kReset;
  e.syn_challenge_percent = 7;
  e.source_flows = 11;
  e.source_half_open = 12;
  e.endpoint_flows = 13;
  e.endpoint_half_open = 14;
  e.tcp_pickup = Settings::Pickup::kAlways;
  e.restart_grace_s = 0;
  e.socket = "/tmp/x.sock";
  e.socket_group = "ops";
  e.state_dir = "/tmp/state";
  e.max_body_mib = 7;
  e.proof_ms = 8;
  e.workers = 3;
  e.cores = {4, 6, 7};
  e.idle_us = 50;
  e.max_flows = 4096;
  e.memory_mib = 512;
  e.mbufs = 8192;
  e.simd = Settings::Simd::k256;
  e.mtu = 9000;
  e.eal = "--log-level=8 -b 0000:00:01.0";
  e.tcp_opening_s = 1;
  e.tcp_established_s = 2;
  e.tcp_half_closed_s = 3;
  e.tcp_closing_s = 4;
  e.tcp_reset_s = 5;
  e.udp_s = 6;
  e.udp_replied_s = 7;
  e.udp_answered_s = 12;
  e.sctp_opening_s = 8;
  e.sctp_established_s = 9;
  e.icmp_s = 10;
  e.other_s = 11;
  e.fragments = 500;
  e.fragments_held = 600;
  e.fragment_hold_s = 12;
  e.fragment_s = 13;
  EXPECT_EQ(s, e);
}

TEST(Load, EveryOptionShowsWhatItWouldTake) {
  const Settings s = accepted(with_wire({"--workers", "4", "--cores", "1,3-5", "--port-sources",
                                         "b=10.1.2.3/8", "--eal", "-d x", "--startup", "pass"}));
  Settings again;
  for (const Option& option : options()) {
    for (const std::string& value : option.get(s)) {
      EXPECT_TRUE(option.set(again, value)) << option.name << " " << value;
    }
  }
  EXPECT_EQ(again, s);
}

TEST(Load, Switches) {
  EXPECT_EQ(load({"--help"})->action, Loaded::Action::kHelp);
  EXPECT_EQ(load({"--version"})->action, Loaded::Action::kVersion);
  EXPECT_EQ(load({"--help-markdown"})->action, Loaded::Action::kHelpMarkdown);
  EXPECT_EQ(load({"--help-config"})->action, Loaded::Action::kHelpConfig);
}

TEST(Load, FileUnderCommandLine) {
  const ConfigFile file(
      "# a comment\n"
      "port = a=0000:3b:02.0\nport = b=net_pcap0,rx_pcap=in.pcap,infinite_rx=1\nwire = a,b\n"
      "workers = 2\nmax-flows = 1000 # behind\n");
  Settings s = accepted({"--config", file.path(), "--max-flows", "2000"});
  EXPECT_EQ(s.ports, (std::vector<Settings::Port>{
                         {"a", "0000:3b:02.0"}, {"b", "net_pcap0,rx_pcap=in.pcap,infinite_rx=1"}}));
  EXPECT_EQ(s.workers, 2U);
  EXPECT_EQ(s.max_flows, 2000U);
  s = accepted({"--config", file.path(), "--port", "a=tap:x", "--port", "b=tap:y"});
  EXPECT_EQ(s.ports, (std::vector<Settings::Port>{{"a", "tap:x"}, {"b", "tap:y"}}))
      << "the command line replaces the whole list";
}

TEST(Load, BadCommandLines) {
  EXPECT_THAT(refusal({"--nonsense", "1"}), HasSubstr("--nonsense"));
  EXPECT_THAT(refusal({"--max-flow", "4096"}), HasSubstr("--max-flow")) << "nothing is guessed";
  EXPECT_THAT(refusal({"stray"}), HasSubstr("takes only options"));
  EXPECT_THAT(refusal({"--port"}), HasSubstr("--port"));
  EXPECT_THAT(refusal(with_wire({"--workers", "1", "--workers", "2"})),
              HasSubstr("--workers: stands there 2 times"));
  EXPECT_THAT(refusal({"--help=yes"}), HasSubstr("help"));
}

TEST(Load, BadFiles) {
  EXPECT_THAT(refusal({"--config", "/nonexistent/x.conf"}), HasSubstr("/nonexistent/x.conf"));
  const ConfigFile unknown("workerz = 1\n");
  EXPECT_THAT(refusal({"--config", unknown.path()}),
              AllOf(HasSubstr(unknown.path()), HasSubstr("workerz")));
  const ConfigFile section("[workers]\nworkers = 1\n");
  EXPECT_THAT(refusal({"--config", section.path()}), HasSubstr("workers.workers"));
  const ConfigFile value("workers = many\n");
  EXPECT_THAT(refusal({"--config", value.path()}),
              AllOf(HasSubstr(value.path() + ": workers: 'many' is no whole number"),
                    HasSubstr("accepted: 1 to 32")));
  const ConfigFile twice("workers = 1\nworkers = 2\n");
  EXPECT_THAT(refusal({"--config", twice.path()}), HasSubstr("workers: stands there 2 times"));
  const ConfigFile noise("no equals sign\n");
  EXPECT_THAT(refusal({"--config", noise.path()}), HasSubstr("no equals sign"));
  const ConfigFile nested("config = other.conf\n");
  EXPECT_THAT(refusal({"--config", nested.path()}), HasSubstr("config"));
}

TEST(Load, WidthsOfVectors) {
  using Simd = Settings::Simd;
  for (const auto& [text, simd] : std::vector<std::pair<std::string, Simd>>{
           {"auto", Simd::kAuto}, {"128", Simd::k128}, {"256", Simd::k256}, {"512", Simd::k512}}) {
    EXPECT_EQ(accepted(with_wire({"--simd", text})).simd, simd) << text;
  }
}

struct BadValue {
  const char *option, *value, *says;
};

void PrintTo(const BadValue& bad, std::ostream* out) {
  *out << "--" << bad.option << " '" << bad.value << "'";
}

class BadValues : public ::testing::TestWithParam<BadValue> {};

TEST_P(BadValues, NameTheOptionAndWhatItAccepts) {
  const BadValue& bad = GetParam();
  const std::string said = refusal(with_wire({std::string("--") + bad.option, bad.value}));
  EXPECT_THAT(said, AllOf(HasSubstr(std::string("--") + bad.option), HasSubstr(bad.says),
                          HasSubstr("(accepted: ")));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadValues,
    ::testing::Values(
        BadValue{"port", "eth0", "has no '='"}, BadValue{"port", "=x", "is no port name"},
        BadValue{"port", "a/b=x", "is no port name"}, BadValue{"port", "c=", "names no device"},
        BadValue{"port", "12345678901234567890123456789012=x", "is no port name"},
        BadValue{"wire", "a", "does not name two ports"},
        BadValue{"wire", "a,b,c", "does not name two ports"},
        BadValue{"wire", "a,a", "joins a port with itself"},
        BadValue{"wire", "a,", "is no port name"}, BadValue{"port-sources", "a", "has no '='"},
        BadValue{"port-sources", "a=", "''"}, BadValue{"port-sources", "a=10.0.0.0/33", "10.0.0.0"},
        BadValue{"port-sources", "a=10.0.0.1", "10.0.0.1"},
        BadValue{"startup", "open", "'open' is not one of them"},
        BadValue{"startup", "", "'' is not one of them"},
        BadValue{"checksum", "ALL", "'ALL' is not one of them"},
        BadValue{"non-ip", "no", "'no' is not one of them"},
        BadValue{"tunnels", "yes", "'yes' is not one of them"},
        BadValue{"on-cut", "rst", "'rst' is not one of them"},
        BadValue{"syn-challenge-percent", "101", "101 is out of range"},
        BadValue{"restart-grace-s", "61", "61 is out of range"},
        BadValue{"socket", "", "must not be empty"}, BadValue{"state-dir", "", "must not be empty"},
        BadValue{"max-body-mib", "0", "0 is out of range"},
        BadValue{"max-body-mib", "4096", "4096 is out of range"},
        BadValue{"workers", "0", "0 is out of range"},
        BadValue{"workers", "33", "33 is out of range"},
        BadValue{"workers", "-1", "'-1' is no whole number"},
        BadValue{"workers", "+1", "'+1' is no whole number"},
        BadValue{"workers", " 1", "' 1' is no whole number"},
        BadValue{"workers", "1.5", "'1.5' is no whole number"},
        BadValue{"workers", "0x1", "'0x1' is no whole number"},
        BadValue{"workers", "", "'' is no whole number"},
        BadValue{"workers", "99999999999999999999", "is out of range"},
        BadValue{"cores", "1,1", "CPU 1 stands there twice"},
        BadValue{"cores", "3-1", "1 is out of range"}, BadValue{"cores", "1,", "''"},
        BadValue{"cores", "4096", "4096 is out of range"},
        BadValue{"idle-us", "100001", "is out of range"},
        BadValue{"max-flows", "15", "is out of range"},
        BadValue{"max-flows", "268435457", "is out of range"},
        BadValue{"memory", "63", "63 is out of range"},
        BadValue{"memory", "1048577", "is out of range"},
        BadValue{"mbufs", "255", "255 is out of range"},
        BadValue{"mbufs", "67108865", "is out of range"},
        BadValue{"simd", "1024", "'1024' is not one of them"},
        BadValue{"simd", "avx2", "'avx2' is not one of them"},
        BadValue{"simd", "", "'' is not one of them"},
        BadValue{"mtu", "575", "575 is out of range"}, BadValue{"mtu", "9711", "is out of range"},
        BadValue{"tcp-opening-s", "0", "0 is out of range"},
        BadValue{"tcp-established-s", "604801", "is out of range"},
        BadValue{"tcp-half-closed-s", "x", "is no whole number"},
        BadValue{"tcp-closing-s", "0", "is out of range"},
        BadValue{"tcp-reset-s", "0", "is out of range"}, BadValue{"udp-s", "0", "is out of range"},
        BadValue{"udp-replied-s", "0", "is out of range"},
        BadValue{"udp-answered-s", "0", "is out of range"},
        BadValue{"sctp-opening-s", "0", "is out of range"},
        BadValue{"sctp-established-s", "0", "is out of range"},
        BadValue{"icmp-s", "0", "is out of range"}, BadValue{"other-s", "0", "is out of range"}));

TEST(Load, WhatMustFitTogether) {
  EXPECT_THAT(refusal({}), HasSubstr("--port: at least two"));
  EXPECT_THAT(refusal({"--port", "a=x", "--port", "b=y"}), HasSubstr("--wire: at least one"));
  EXPECT_THAT(refusal({"--port", "a=x", "--wire", "a,b"}),
              HasSubstr("--wire a,b: there is no --port b"));
  EXPECT_THAT(refusal(with_wire({"--port", "a=other"})), HasSubstr("--port a: stands there twice"));
  EXPECT_THAT(refusal(with_wire({"--port", "c=iface:eth1"})),
              HasSubstr("--port c: has the device of port a"));
  EXPECT_THAT(refusal(with_wire({"--port", "c=x", "--wire", "b,c"})),
              HasSubstr("--wire b,c: port b is on another wire"));
  EXPECT_THAT(refusal(with_wire({"--port", "c=x"})), HasSubstr("--port c: is on no wire"));
  EXPECT_THAT(refusal(with_wire({"--port-sources", "z=10.0.0.0/8"})),
              HasSubstr("there is no --port z"));
  EXPECT_THAT(refusal(with_wire({"--workers", "3", "--cores", "1-2"})),
              HasSubstr("--cores: 2 CPUs for 3 workers"));
  EXPECT_THAT(refusal(with_wire({"--socket", "/" + std::string(107, 'x')})),
              HasSubstr("--socket: the path is longer"));
  EXPECT_EQ(refusal(with_wire({"--socket", "/" + std::string(106, 'x')})), "accepted");
}

TEST(Print, HelpNamesEveryOption) {
  const std::string text = help();
  for (const Option& option : options()) {
    EXPECT_THAT(text, HasSubstr("  --" + std::string(option.name) + " "));
    EXPECT_FALSE(option.help.empty());
    EXPECT_FALSE(option.accepts.empty());
  }
}

TEST(Print, EffectiveSettings) {
  const std::string line = effective(accepted(with_wire({"--eal", "-d x"})));
  EXPECT_THAT(line, AllOf(HasSubstr("port=a=iface:eth1 port=b=net_null0,no-rx=1 wire=a,b "),
                          HasSubstr(" workers=1 "), HasSubstr(" eal=\"-d x\" ")));
  EXPECT_EQ(line.find('\n'), std::string::npos);
}

std::string content_of(const std::string& path) {
  std::ifstream file(std::string(RAMPART_SOURCE_DIR) + "/" + path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

TEST(Print, CommittedFilesAreWhatTheTablePrints) {
  EXPECT_EQ(content_of("docs/options.md"), help_markdown());
  EXPECT_EQ(content_of("config/rampart.conf.example"), help_config());
}

TEST(Print, TheExampleIsValidOnceItsLinesAreTakenIn) {
  std::string wanted;
  std::istringstream example(help_config());
  for (std::string line; std::getline(example, line);) {
    // A setting is "#name = value"; prose has a blank behind the #.
    if (line.size() < 2 || line[0] != '#' || line[1] == ' ' || line[1] == '#') continue;
    wanted += line.substr(1) + "\n";
    if (line.starts_with("#port = ")) wanted += "port = right=0000:3b:02.1\n";
    if (line.starts_with("#cores = ")) wanted += "workers = 2\n";
  }
  // One line of the example speaks for one worker, its cores for two.
  const size_t one = wanted.find("workers = 1\n");
  ASSERT_NE(one, std::string::npos);
  wanted.erase(one, 12);
  const ConfigFile file(wanted);
  const Settings s = accepted({"--config", file.path()});
  EXPECT_EQ(s.wires, (std::vector<Settings::Wire>{{"left", "right"}}));
  EXPECT_EQ(s.max_flows, Settings{}.max_flows);
}

}  // namespace
}  // namespace rampart::config
