// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "dataplane/base/ids.hpp"

namespace rampart {

/// One allow rule in class space, all bounds inclusive and in host order. It matches a connection
/// in one direction of judgement: `subject` is the subject class of the end that is isolated
/// (egress and ingress subject classes are numbered in one space, so the direction is part of the
/// number), `peer` the peer class of the other end, `port` the destination port (0 for protocols
/// without).
struct AclRule {
  uint8_t protocol = 0;  ///< IANA number; ignored if any_protocol
  bool any_protocol = false;
  uint16_t subject_first = 0;
  uint16_t subject_last = 0;
  uint32_t peer_first = 0;
  uint32_t peer_last = 0;
  L4Port port_first = 0;
  L4Port port_last = 65535;
  /// What a match reports: 1 + index into the rule set's origins. Of several rules that match, the
  /// one with the lowest `rule` is reported.
  uint32_t rule = 0;

  bool operator==(const AclRule&) const = default;
};

/// What is asked of the ACL, one direction of judgement of one packet. (Without initial values, so
/// that a burst of them costs nothing to make room for.)
struct AclQuery {
  uint8_t protocol;
  uint16_t subject;
  uint32_t peer;
  L4Port port;
};

}  // namespace rampart
