// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "dataplane/base/result.hpp"

namespace rampart::http {

/// Who is at the other end of a Unix socket, as the kernel noted when it connected.
struct Peer {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  ///< supplementary ones
  pid_t pid = 0;              ///< of the process that connected
};

/// SO_PEERCRED and SO_PEERGROUPS (unix(7)); where the kernel does not know the latter, the groups
/// that the user database gives the user.
Result<Peer> peer_of(int socket);

/// The name of a process that is still there, as proc(5) comm has it; otherwise empty.
std::string process_name(pid_t pid);
/// The name of a user, or empty.
std::string user_name(uid_t uid);

/// root, the daemon's own user, and members of the socket's group may use the socket.
bool may_use_socket(const Peer& peer, uid_t own_user, gid_t socket_group);

}  // namespace rampart::http
