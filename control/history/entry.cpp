// SPDX-License-Identifier: Apache-2.0
//
// A file is one line about what follows, a line of JSON about the revision, and the policies as
// they were before it as a v1 List:
//
//   rampart-history 1 bytes=1234 crc64=0123456789abcdef
//   {"first":7,"last":7, …}
//   {"apiVersion":"v1","kind":"List","items":[ …
#include "control/history/entry.hpp"

#include <cinttypes>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "control/kube/decode.hpp"
#include "control/kube/encode.hpp"
#include "control/store/files.hpp"

namespace rampart::history {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kPoliciesNamed = 50;
constexpr const char* kHeader = "rampart-history 1 bytes=%zu crc64=%016" PRIx64 "\n";

Json keys_json(const std::vector<kube::ObjectKey>& keys) {
  Json out = Json::array();
  for (const kube::ObjectKey& key : keys) out.push_back({key.ns, key.name});
  return out;
}

std::vector<kube::ObjectKey> keys_of(const Json& json) {
  std::vector<kube::ObjectKey> keys;
  for (const Json& key : json) {
    keys.push_back({key.at(0).get<std::string>(), key.at(1).get<std::string>()});
  }
  return keys;
}

Json meta_json(const Entry& entry) {
  Json counts = Json::object();
  for (const auto& [kind, count] : entry.counts) {
    counts[kind] = {count.added, count.changed, count.removed};
  }
  Json others = Json::array();
  for (const Sender& sender : entry.others) {
    others.push_back({{"uid", sender.by.uid},
                      {"user", sender.by.user},
                      {"pid", sender.by.pid},
                      {"process", sender.by.process},
                      {"agent", sender.by.agent},
                      {"action", sender.action},
                      {"reason", sender.reason}});
  }
  return {{"first", entry.first},
          {"last", entry.last},
          {"when_ms", store::milliseconds_of(entry.when)},
          {"uid", entry.by.uid},
          {"user", entry.by.user},
          {"pid", entry.by.pid},
          {"process", entry.by.process},
          {"agent", entry.by.agent},
          {"action", entry.action},
          {"reason", entry.reason},
          {"others", std::move(others)},
          {"counts", std::move(counts)},
          {"policies", entry.policies},
          {"cut", entry.cut},
          {"policies_before", entry.policies_before},
          {"policies_after", entry.policies_after},
          {"remove", keys_json(entry.undo.remove)},
          {"remove_unsupported", keys_json(entry.undo.remove_unsupported)}};
}

Caller caller_of(const Json& json) {
  return {json.at("uid").get<uid_t>(), json.at("user").get<std::string>(),
          json.at("pid").get<pid_t>(), json.at("process").get<std::string>(),
          json.at("agent").get<std::string>()};
}

void read_meta(const Json& meta, Entry& entry) {
  entry.first = meta.at("first").get<Revision>();
  entry.last = meta.at("last").get<Revision>();
  entry.when = store::time_of(meta.at("when_ms").get<int64_t>());
  entry.by = caller_of(meta);
  entry.action = meta.at("action").get<std::string>();
  entry.reason = meta.at("reason").get<std::string>();
  if (const auto others = meta.find("others"); others != meta.end()) {  // earlier files have none
    for (const Json& one : *others) {
      entry.others.push_back({caller_of(one), one.at("action").get<std::string>(),
                              one.at("reason").get<std::string>()});
    }
  }
  for (const auto& [kind, count] : meta.at("counts").items()) {
    entry.counts[kind] = {count.at(0).get<uint64_t>(), count.at(1).get<uint64_t>(),
                          count.at(2).get<uint64_t>()};
  }
  entry.policies = meta.at("policies").get<std::vector<std::string>>();
  entry.cut = meta.at("cut").get<uint64_t>();
  entry.policies_before = meta.at("policies_before").get<uint64_t>();
  entry.policies_after = meta.at("policies_after").get<uint64_t>();
  entry.undo.remove = keys_of(meta.at("remove"));
  entry.undo.remove_unsupported = keys_of(meta.at("remove_unsupported"));
}

Error damaged(std::string how) {
  return {ErrorCode::kInvalid, std::move(how), {}};
}

/// Counts what differs in one kind; `note` is told of every difference.
template <typename T, typename Note>
void compare(const kube::ClusterState::Objects<T>& before,
             const kube::ClusterState::Objects<T>& after, const char* kind, Entry& entry,
             Note note) {
  using Objects = kube::ClusterState::Objects<T>;
  Objects::for_each_difference(
      before, after, [&](const auto& key, const auto* was, const auto* is) {
        if (was != nullptr && is != nullptr && **was == **is) return;  // another copy of the same
        Count& count = entry.counts[kind];
        ++(was == nullptr ? count.added : is == nullptr ? count.removed : count.changed);
        note(key, was, is);
      });
}

}  // namespace

std::string written(const Entry& entry) {
  const std::string body = meta_json(entry).dump(-1, ' ', false, Json::error_handler_t::replace) +
                           "\n" + kube::encode_snapshot(entry.undo.restore);
  char header[128];
  const int length =
      std::snprintf(header, sizeof header, kHeader, body.size(), store::checksum({}, body));
  return std::string(header, static_cast<size_t>(length)) + body;
}

Result<Entry> read(std::string_view text) {
  const size_t line = text.find('\n');
  if (line == text.npos || !text.starts_with("rampart-history ")) {
    return damaged("its first line is not ours");
  }
  const std::string header(text.substr(0, line + 1));
  size_t bytes = 0;
  uint64_t crc = 0;
  if (std::sscanf(header.c_str(), "rampart-history 1 bytes=%zu crc64=%" SCNx64, &bytes, &crc) !=
      2) {
    return damaged("it is of another version, or its first line is damaged");
  }
  const std::string_view body = text.substr(line + 1);
  if (body.size() != bytes) {
    return damaged("it has " + std::to_string(body.size()) + " bytes instead of " +
                   std::to_string(bytes));
  }
  if (store::checksum({}, body) != crc) return damaged("its checksum does not fit");
  Entry entry;
  const size_t meta_end = body.find('\n');
  try {
    read_meta(Json::parse(body.substr(0, meta_end)), entry);
  } catch (const Json::exception& e) {
    return damaged(std::string("it cannot be read: ") + e.what());
  }
  auto decoded = kube::decode_snapshot(body.substr(meta_end + 1));
  if (!decoded) return damaged("it cannot be read: " + decoded.error().text());
  entry.undo.restore.policies = std::move(decoded->state.policies);
  entry.undo.restore.unsupported = std::move(decoded->state.unsupported);
  return entry;
}

uint64_t fingerprint(const kube::ClusterState& state) {
  uint64_t all = 0;
  for (const auto& [key, policy] : state.policies) {
    kube::ClusterState one;
    one.policies.emplace(key, policy);
    all ^= store::checksum(key.text(), kube::encode_snapshot(one));
  }
  for (const auto& [key, policy] : state.unsupported) {
    kube::ClusterState one;
    one.unsupported.emplace(key, policy);
    all ^= store::checksum(key.text(), kube::encode_snapshot(one));
  }
  return all;
}

void note_changes(const kube::ClusterState& before, const kube::ClusterState& after, Entry& entry) {
  const auto nothing_more = [](const auto&, const auto*, const auto*) {};
  compare(before.namespaces, after.namespaces, "Namespace", entry, nothing_more);
  compare(before.nodes, after.nodes, "Node", entry, nothing_more);
  compare(before.pods, after.pods, "Pod", entry, nothing_more);
  kube::ClusterState now;  // what has come in their place
  const auto name = [&](std::string text, bool was, bool is) {
    if (entry.policies.size() >= kPoliciesNamed) return;
    entry.policies.push_back((!was ? "+ " : is ? "~ " : "- ") + std::move(text));
  };
  compare(before.policies, after.policies, "NetworkPolicy", entry,
          [&](const kube::ObjectKey& key, const auto* was, const auto* is) {
            name("NetworkPolicy " + key.text(), was != nullptr, is != nullptr);
            if (is != nullptr) now.policies.emplace(key, *is);
            if (was == nullptr) {
              entry.undo.remove.push_back(key);
            } else {
              entry.undo.restore.policies.emplace(key, *was);
            }
          });
  compare(before.unsupported, after.unsupported, "other policies", entry,
          [&](const kube::ObjectKey& key, const auto* was, const auto* is) {
            name(key.ns + " " + key.name, was != nullptr, is != nullptr);
            if (is != nullptr) now.unsupported.emplace(key, *is);
            if (was == nullptr) {
              entry.undo.remove_unsupported.push_back(key);
            } else {
              entry.undo.restore.unsupported.emplace(key, *was);
            }
          });
  entry.policies_after = entry.policies_before ^ fingerprint(entry.undo.restore) ^ fingerprint(now);
}

void undo(const Entry& entry, kube::ClusterState& state) {
  for (const kube::ObjectKey& key : entry.undo.remove) state.policies.erase(key);
  for (const kube::ObjectKey& key : entry.undo.remove_unsupported) state.unsupported.erase(key);
  for (const auto& [key, policy] : entry.undo.restore.policies) {
    state.policies.insert_or_assign(key, policy);
  }
  for (const auto& [key, policy] : entry.undo.restore.unsupported) {
    state.unsupported.insert_or_assign(key, policy);
  }
}

}  // namespace rampart::history
