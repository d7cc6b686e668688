// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "control/compile/compile.hpp"
#include "control/explain/describe.hpp"
#include "control/publish/applier.hpp"

/// What several documents are made of. Private to the room.
namespace rampart::admin {

using Json = nlohmann::ordered_json;

/// Compact text with a newline; what is not UTF-8 is replaced.
std::string dump(const Json& json);
/// "2026-01-01T00:00:05Z" (RFC 3339).
std::string time_text(std::chrono::system_clock::time_point time);
using explain::protocol_number;
using explain::protocol_text;

/// {"namespaces": 3, …}; zeros without a snapshot.
Json object_counts(const publish::InForce& in_force);
/// Everything standing that an operator should know: the compiler's warnings and our own.
std::vector<compile::Warning> warnings_of(const publish::InForce& in_force);
Json warnings_json(const std::vector<compile::Warning>& warnings);
/// What is said of a worker that is silent (WorkerStatus).
inline constexpr std::string_view kSilence =
    "has not answered for three seconds: its counters are what it said before, and it may not be "
    "moving packets. Does something else use its CPU, or does a driver hang?";
/// The pod behind an address according to the rule set, or null (none, or several).
const kube::Pod* pod_behind(const compile::Compiled& compiled, const IpAddress& address);

/// One live flow, as `GET /v1/flows` and `explain` show it.
Json flow_json(const FlowRecord& flow, const publish::InForce& in_force);

/// A long list in a document, written element by element: {"NAME": [ … ], REST}.
class ListDocument {
 public:
  explicit ListDocument(std::string_view name) : text_("{\"" + std::string(name) + "\":[") {}
  void add(const Json& element);
  /// Members behind the list, then the end.
  std::string finish(const Json& rest) &&;

 private:
  std::string text_;
  bool first_ = true;
};

}  // namespace rampart::admin
