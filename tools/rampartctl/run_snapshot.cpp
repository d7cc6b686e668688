// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "tools/rampartctl/commands.hpp"

namespace rampart::ctl {

int run_snapshot(Session& session) {
  const auto fetched = session.get("/v1/snapshot");
  if (!fetched) return kFailed;
  if (fetched->shown) return kDone;
  Table table({{"KIND"}, {"NAMESPACE"}, {"NAME"}});
  for (const Json& object : fetched->answer.root()["items"].items()) {
    const Json metadata = object["metadata"];
    table.add({object["kind"].text(), metadata["namespace"].text(), metadata["name"].text()});
  }
  if (table.empty()) {
    session.note("the desired state in force holds no objects");
  } else {
    session.print(table);
  }
  return kDone;
}

}  // namespace rampart::ctl
