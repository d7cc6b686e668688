// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "control/admin/api.hpp"
#include "control/publish/applier.hpp"
#include "tests/support/fake_dataplane.hpp"

namespace rampart::admin {

using Document = nlohmann::json;

/// All calls, with everything real behind them but the data path.
class AdminTest : public ::testing::Test {
 protected:
  AdminTest();
  ~AdminTest() override;

  http::Response call(const std::string& method, const std::string& target, std::string body = {},
                      std::optional<std::string> if_match = {});
  /// The document of a call that must be answered with that status.
  Document get(const std::string& target, unsigned status = 200);
  /// Puts kCluster in force.
  void put_cluster();

  std::string folder_;
  test::FakeDataplane dataplane_;
  std::optional<store::StateStore> store_;
  std::unique_ptr<publish::Applier> applier_;
  std::unique_ptr<history::History> history_;
  Facts facts_;
  http::Router router_;
};

/// Two isolated pods of `web`, a pod that nothing isolates, one of each odd kind, two pods on one
/// address, and a policy kind that is not enforced.
extern const std::string kCluster;

}  // namespace rampart::admin
