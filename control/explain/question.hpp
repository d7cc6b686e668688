// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/kube/model.hpp"
#include "dataplane/base/result.hpp"

namespace rampart::explain {

using Query = std::map<std::string, std::string, std::less<>>;

/// One end as it was asked about: a pod with all its addresses, or one address.
struct AskedEnd {
  std::string text;
  std::string pod;  ///< "namespace/name"; empty: an address was given
  std::vector<IpAddress> addresses;
};

/// What `explain` is asked, of one cluster.
struct Question {
  AskedEnd from, to;
  IpAddress source, destination;    ///< the first pair of one family
  uint8_t protocol = 0;             ///< IANA number
  L4Port port = 0;                  ///< of the destination; 0 for protocols without
  bool flows = false;               ///< live flows between the two are wanted as well
  std::optional<L4Port> from_port;  ///< only those whose source has this port

  /// The same question between the other addresses of the two ends, where they have several.
  std::vector<Question> between_other_addresses() const;
};

/// from=, to=, protocol=, port=, flows=, from_port=. kInvalid names the parameter, kNotFound the
/// pod.
Result<Question> read_question(const Query& query, const kube::ClusterState& state);

/// Pods that have no address yet, as in files that were never in a cluster, get one that no pod can
/// have (0.0.0.0/8, RFC 1122 §3.2.1.3, and 100::/64, RFC 6666), so that they can be asked about. No
/// ipBlock contains it but those that contain everything.
void give_stand_in_addresses(kube::ClusterState& state);
bool is_stand_in(const IpAddress& address);

}  // namespace rampart::explain
