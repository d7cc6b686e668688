// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "control/compile/compile.hpp"
#include "dataplane/worker/dataplane.hpp"

namespace rampart::test {

/// A data path without packets for tests of the control plane: it keeps what is published and says
/// what it is told to say.
class FakeDataplane : public Dataplane {
 public:
  Result<void> start() override { return {}; }
  void stop() override {}
  Result<void> publish(std::shared_ptr<const RuleSet> rules) override {
    const std::lock_guard lock(mutex_);
    if (publish_error && !publishes_all_the_same) return *publish_error;
    rules_ = std::move(rules);
    if (publish_error) return *publish_error;
    ++published;
    return {};
  }
  std::shared_ptr<const RuleSet> rules() const override {
    const std::lock_guard lock(mutex_);
    return rules_;
  }
  DataplaneStatus status() const override { return status_now; }
  Result<std::vector<FlowRecord>> flows(const FlowFilter& filter, bool& truncated) override {
    asked = filter;
    truncated = flows_truncated;
    if (flows_error) return *flows_error;
    return flows_now;
  }
  Result<uint64_t> cut_flows(const FlowFilter& filter) override {
    ++cuts;
    asked = filter;
    if (flows_error) return *flows_error;
    return flows_now.size();
  }
  Result<uint64_t> save_flows(const std::string&, const std::function<bool()>&) override {
    return uint64_t{0};
  }
  Result<FlowsLoaded> load_flows(const std::string&) override { return FlowsLoaded{}; }
  void grant_grace(std::chrono::seconds) override {}
  Result<void> reset_port(const std::string& name) override {
    for (PortStatus& port : status_now.ports) {
      if (port.name != name) continue;
      ++port.resets;
      return {};
    }
    return Error{ErrorCode::kNotFound, "there is no such port", "port " + name};
  }

  std::optional<Error> publish_error, flows_error;
  bool publishes_all_the_same = false;  ///< even with publish_error
  unsigned published = 0;
  DataplaneStatus status_now;
  std::vector<FlowRecord> flows_now;
  bool flows_truncated = false;
  FlowFilter asked;
  unsigned cuts = 0;

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const RuleSet> rules_ = compile::startup_rules(RuleSet::Mode::kDropAll);
};

}  // namespace rampart::test
