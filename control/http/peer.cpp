// SPDX-License-Identifier: Apache-2.0
#include "control/http/peer.hpp"

#include <grp.h>
#include <pwd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

namespace rampart::http {
namespace {

std::vector<gid_t> groups_by_database(uid_t uid, gid_t gid) {
  char buffer[16384];
  passwd entry{};
  passwd* found = nullptr;
  if (getpwuid_r(uid, &entry, buffer, sizeof buffer, &found) != 0 || found == nullptr) return {};
  int count = 64;
  std::vector<gid_t> groups(static_cast<size_t>(count));
  while (getgrouplist(entry.pw_name, gid, groups.data(), &count) < 0) {
    groups.resize(static_cast<size_t>(count));
  }
  groups.resize(static_cast<size_t>(count));
  return groups;
}

}  // namespace

Result<Peer> peer_of(int socket) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return Error{ErrorCode::kIo, std::strerror(errno), "SO_PEERCRED"};
  }
  Peer peer{credentials.uid, credentials.gid, std::vector<gid_t>(64), credentials.pid};
#ifdef SO_PEERGROUPS
  for (;;) {
    size = static_cast<socklen_t>(peer.groups.size() * sizeof(gid_t));
    if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, peer.groups.data(), &size) == 0) {
      peer.groups.resize(size / sizeof(gid_t));
      return peer;
    }
    if (errno != ERANGE || size <= peer.groups.size() * sizeof(gid_t)) break;
    peer.groups.resize(size / sizeof(gid_t));
  }
#endif
  peer.groups = groups_by_database(peer.uid, peer.gid);
  return peer;
}

std::string process_name(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/comm");
  std::string name;
  std::getline(file, name);
  return name;
}

std::string user_name(uid_t uid) {
  char buffer[16384];
  passwd entry{};
  passwd* found = nullptr;
  if (getpwuid_r(uid, &entry, buffer, sizeof buffer, &found) != 0 || found == nullptr) return {};
  return entry.pw_name;
}

bool may_use_socket(const Peer& peer, uid_t own_user, gid_t socket_group) {
  return peer.uid == 0 || peer.uid == own_user || peer.gid == socket_group ||
         std::find(peer.groups.begin(), peer.groups.end(), socket_group) != peer.groups.end();
}

}  // namespace rampart::http
