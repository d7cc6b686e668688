// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "dataplane/base/result.hpp"
#include "dataplane/dpdk/acl_context.hpp"

namespace rampart::perf {

/// What rte_acl is asked about: a packet's five-tuple, everything in network byte order.
struct Question {
  uint8_t protocol = 0;
  uint8_t unused[3] = {};
  uint32_t source = 0, destination = 0;
  uint16_t source_port = 0, port = 0;
};
static_assert(sizeof(Question) == 16);

/// Allow rules for IPv4 from a text file, one a line: `SOURCE/LENGTH DESTINATION/LENGTH PROTOCOL
/// FIRST-PORT LAST-PORT`, in one rte_acl context that searches with the widest registers that the
/// CPU and the EAL allow. Matches yield 1, anything else 0.
///
/// Errors: kNotFound for the file; kInvalid with its line; as AclContext.
Result<AclContext> load_rules(const std::string& path);

}  // namespace rampart::perf
