// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "control/compile/compile.hpp"
#include "control/kube/decode.hpp"
#include "control/kube/events.hpp"
#include "tests/support/ask.hpp"

namespace rampart {

/// A cluster written down as Kubernetes objects, compiled and asked by the names of pods. Pods get
/// an IPv4 and an IPv6 address that end in the same number, and every question between pods is
/// put for both: they must agree.
class Cluster {
 public:
  /// `labels` and all other JSON arguments are what stands between the braces.
  Cluster& ns(const std::string& name, const std::string& labels) {
    return item(R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":")" + name +
                R"(","labels":{)" + labels + "}}}");
  }
  /// `name`: "namespace/pod". `number`: 1 … 99, the end of its addresses.
  Cluster& pod(const std::string& name, int number, const std::string& labels = "",
               const std::string& spec = "", const std::string& status = "",
               const std::string& metadata = "") {
    const size_t slash = name.find('/');
    const std::string v4 = "10.0.0." + std::to_string(number),
                      v6 = "fd00::" + std::to_string(number);
    ends_[name] = {v4, v6};
    return item(R"({"apiVersion":"v1","kind":"Pod","metadata":{"namespace":")" +
                name.substr(0, slash) + R"(","name":")" + name.substr(slash + 1) +
                R"(","labels":{)" + labels + "}" + prefixed(metadata) +
                R"(},"spec":{"containers":[)" + container_ + "]" + prefixed(spec) +
                R"(},"status":{"podIP":")" + v4 + R"(","podIPs":[{"ip":")" + v4 + R"("},{"ip":")" +
                v6 + R"("}])" + prefixed(status) + "}}");
  }
  /// The ports of all pods that follow: entries of `ports`, without the brackets.
  Cluster& with_ports(const std::string& ports) {
    container_ = R"({"name":"c","image":"i","ports":[)" + ports + "]}";
    return *this;
  }
  Cluster& node(const std::string& name, const std::string& address) {
    return item(R"({"apiVersion":"v1","kind":"Node","metadata":{"name":")" + name +
                R"("},"status":{"addresses":[{"type":"InternalIP","address":")" + address +
                R"("}]}})");
  }
  Cluster& policy(const std::string& name, const std::string& spec) {
    const size_t slash = name.find('/');
    return item(
        R"({"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"namespace":")" +
        name.substr(0, slash) + R"(","name":")" + name.substr(slash + 1) + R"("},"spec":{)" + spec +
        "}}");
  }
  Cluster& item(const std::string& json) {
    items_ += (items_.empty() ? "" : ",") + json;
    last_ = json;
    return *this;
  }
  /// From now on changes of policies are compiled as those of a large cluster.
  Cluster& in_parts() {
    effort_.small = 0;
    return *this;
  }
  /// What the next revision changes: the object added last, as a watch event.
  Cluster& apply(const char* type = "MODIFIED") {
    auto next = kube::apply_events(
        *compiled().state, std::string(R"({"type":")") + type + R"(","object":)" + last_ + "}\n");
    EXPECT_TRUE(next) << (next ? "" : next.error().error().text());
    if (next) compile_next(std::move(next->state));
    return *this;
  }

  /// Why the snapshot is refused, or "".
  std::string refusal() const {
    auto decoded = kube::decode_snapshot(list());
    return decoded ? "" : decoded.error().error().text();
  }
  const compile::Compiled& compiled() {
    if (!compiled_) {
      auto decoded = kube::decode_snapshot(list());
      EXPECT_TRUE(decoded) << (decoded ? "" : decoded.error().error().text());
      if (decoded) compile_next(std::move(decoded->state));
    }
    return *compiled_;
  }
  std::shared_ptr<const compile::Compiled> share() {
    compiled();
    return compiled_;
  }

  /// `from`, `to`: a pod or an address; `service`: "TCP/80", "UDP/53", "SCTP/7", "ICMP", "GRE".
  bool allows(const std::string& from, const std::string& to,
              const std::string& service = "TCP/80") {
    const auto sources = addresses(from), destinations = addresses(to);
    if (sources.first.find(':') != std::string::npos ||
        destinations.first.find(':') != std::string::npos) {
      return ask(sources.second, destinations.second, service);
    }
    const bool v4 = ask(sources.first, destinations.first, service);
    if (!sources.second.empty() && !destinations.second.empty()) {
      EXPECT_EQ(ask(sources.second, destinations.second, service), v4)
          << "IPv6 differs from IPv4: " << from << " -> " << to << " " << service;
    }
    return v4;
  }

 private:
  static std::string prefixed(const std::string& more) { return more.empty() ? "" : "," + more; }
  std::string list() const {
    return R"({"apiVersion":"v1","kind":"List","items":[)" + items_ + "]}";
  }
  void compile_next(kube::ClusterState state) {
    auto made =
        compile::compile_with(effort_, std::make_shared<const kube::ClusterState>(std::move(state)),
                              ++revision_, compiled_.get());
    ASSERT_TRUE(made) << made.error().text();
    compiled_ = *made;
  }
  /// IPv4 and IPv6; an address stands in the place of its family, and for IPv6 in both.
  std::pair<std::string, std::string> addresses(const std::string& end) const {
    if (const auto pod = ends_.find(end); pod != ends_.end()) return pod->second;
    return end.find(':') == std::string::npos ? std::pair{end, std::string()} : std::pair{end, end};
  }
  bool ask(const std::string& from, const std::string& to, const std::string& service) {
    const auto source = IpAddress::parse(from), destination = IpAddress::parse(to);
    EXPECT_TRUE(source && destination) << from << " -> " << to;
    const std::string name = service.substr(0, service.find('/'));
    const bool v6 = source->family() == Family::kV6;
    const uint8_t protocol = name == "TCP"    ? 6
                             : name == "UDP"  ? 17
                             : name == "SCTP" ? 132
                             : name == "GRE"  ? 47
                             : v6             ? 58
                                              : 1;
    const auto port = service.find('/') == std::string::npos
                          ? L4Port{0}
                          : static_cast<L4Port>(std::stoi(service.substr(service.find('/') + 1)));
    return support::ask(*compiled().rules, *source, *destination, protocol, port).outcome ==
           Outcome::kAllow;
  }

  std::string items_, last_;
  std::string container_ = R"({"name":"c","image":"i"})";
  std::map<std::string, std::pair<std::string, std::string>> ends_;
  std::shared_ptr<const compile::Compiled> compiled_;
  compile::Effort effort_;
  Revision revision_ = 0;
};

}  // namespace rampart
