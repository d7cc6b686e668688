// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/kube/model.hpp"

/// The plain evaluator: what the specification says of one connection, object by object, without
/// classes or tables. It is what tests compare the compiled rule sets with, and where `explain`
/// gets its reasons. Far too slow for packets.
namespace rampart::kube {

enum class Direction : uint8_t { kEgress, kIngress };

/// The entry of a policy that admitted a connection in one direction.
struct Admission {
  ObjectKey policy;
  Direction direction = Direction::kIngress;
  size_t rule = 0;
  std::optional<size_t> peer;  ///< none: the rule names no peers (all)
  std::optional<size_t> port;  ///< none: the rule names no ports (all)

  std::string rule_path() const;  ///< "spec.ingress[0]"
  std::string peer_path() const;  ///< "spec.ingress[0].from[1]", or empty
  std::string port_path() const;  ///< "spec.ingress[0].ports[0]", or empty
  bool operator==(const Admission&) const = default;
};

/// What one direction says: the source's egress or the destination's ingress.
struct DirectionVerdict {
  bool isolated = false;
  bool allowed = true;
  std::vector<ObjectKey> policies;  ///< those that isolate, by key
  /// The first entry that admits, in the order of keys and of the lists. None: not isolated,
  /// denied, or allowed whatever the policies say (own address, own node).
  std::optional<Admission> admission;
  std::string why;  ///< one sentence
};

struct Explanation {
  bool allowed = false;
  DirectionVerdict egress, ingress;
  std::string why;  ///< one sentence: the reason of the direction that decided
  /// Whom the verdict is about: the pods behind the two addresses, null where it is no pod. Of
  /// several claimants of an address, the one that is denied, if there is one.
  const Pod* source = nullptr;
  const Pod* destination = nullptr;
};

/// Who stands behind an address.
///
/// A pod stands behind its addresses unless it is finished or on the host's network. A node stands
/// behind the addresses of its Node object, and the host addresses of the unfinished pods whose
/// spec.nodeName it is, and all addresses of those of them that are on the host's network. Several
/// of them may claim one address: a connection must then be allowed for each of them (nodes count
/// as one).
struct End {
  IpAddress address;
  std::vector<const Pod*> pods;         ///< by key
  std::vector<std::string_view> nodes;  ///< by name; more than one: ambiguous, counts as none
  size_t claimants() const { return pods.size() + (nodes.empty() ? 0 : 1); }
  bool is_shared() const { return claimants() > 1; }
};

/// An address that more claim is denied everything but itself, rather than judged for every pair.
inline constexpr size_t kMostClaimants = 8;

/// Answers for one state, which must outlive it. Immutable after construction: any thread.
class Evaluator {
 public:
  explicit Evaluator(const ClusterState& state);
  /// The same without going through all objects first: `lookup` says who stands behind an address.
  /// pods_by_address() and nodes_by_address() are then empty.
  using Lookup = std::function<End(const IpAddress&)>;
  /// Whoever wants no more than verdicts and admissions has every `why` and `policies` left empty:
  /// writing them takes longer than judging.
  enum class Detail : uint8_t { kReasons, kVerdicts };
  Evaluator(const ClusterState& state, Lookup lookup, Detail detail = Detail::kReasons)
      : state_(state), lookup_(std::move(lookup)), detail_(detail) {}

  /// Judges a new connection. `protocol`: IANA number; `port`: destination port, host order, 0 for
  /// protocols without.
  Explanation evaluate(const IpAddress& from, const IpAddress& to, uint8_t protocol,
                       L4Port port) const;
  End end(const IpAddress& address) const;
  /// The policies that isolate a pod in one direction, by key.
  std::vector<const NetworkPolicy*> isolating(const Pod& pod, Direction direction) const;
  const ClusterState& state() const { return state_; }

  /// For warnings: every address with its claimants.
  const std::map<IpAddress, std::vector<const Pod*>>& pods_by_address() const { return pods_; }
  const std::map<IpAddress, std::set<std::string_view>>& nodes_by_address() const { return nodes_; }

 private:
  struct Who;
  struct Connection;
  static std::vector<Who> identities(const End& end);
  const Labels& namespace_labels(const std::string& ns) const;
  bool peer_matches(const NetworkPolicy& policy, const PolicyPeer& peer, const Who& other) const;
  std::optional<Admission> admitted(const NetworkPolicy& policy, Direction direction,
                                    const Who& other, const Connection& connection) const;
  DirectionVerdict judge(Direction direction, const Connection& connection) const;
  Explanation judge_pair(const Connection& connection) const;
  static Explanation too_many_to_judge(const End& source, const End& destination);
  bool tells() const { return detail_ == Detail::kReasons; }

  const ClusterState& state_;
  const Lookup lookup_;  ///< empty: the maps
  const Detail detail_ = Detail::kReasons;
  std::map<IpAddress, std::vector<const Pod*>> pods_;
  std::map<IpAddress, std::set<std::string_view>> nodes_;
};

/// Evaluator for a single question.
Explanation evaluate(const ClusterState& state, const IpAddress& from, const IpAddress& to,
                     uint8_t protocol, L4Port port);

}  // namespace rampart::kube
