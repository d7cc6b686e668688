// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <utility>

#include "control/admin/documents.hpp"
#include "control/admin/json.hpp"
#include "control/http/peer.hpp"
#include "control/kube/encode.hpp"

namespace rampart::admin {
namespace {

constexpr size_t kLongestReason = 1000;

Error bad(std::string_view parameter, std::string what) {
  return {ErrorCode::kInvalid, std::move(what), std::string(parameter)};
}

Json caller_json(const history::Caller& by) {
  const auto or_null = [](const std::string& text) { return text.empty() ? Json() : Json(text); };
  return {{"uid", by.uid},
          {"user", or_null(by.user)},
          {"pid", by.pid},
          {"process", or_null(by.process)},
          {"agent", or_null(by.agent)}};
}

}  // namespace

Result<std::string> reason_of(const http::Request& request) {
  std::string reason;
  for (const auto& [name, value] : request.query) {
    if (name != "reason") return bad(name, "is no parameter of this call");
    if (value.size() > kLongestReason) {
      return bad(name, "is longer than " + std::to_string(kLongestReason) + " bytes");
    }
    reason = value;
  }
  return reason;
}

history::Entry entry_of(const http::Request& request, std::string action, std::string reason) {
  history::Entry entry;
  entry.by = {request.caller.uid, http::user_name(request.caller.uid), request.caller.pid,
              request.caller.process, request.user_agent};
  entry.action = std::move(action);
  entry.reason = std::move(reason);
  return entry;
}

std::string history_document(const history::History& history) {
  ListDocument out("revisions");
  for (const history::Entry& entry : history.entries()) {
    Json counts = Json::object();
    for (const auto& [kind, count] : entry.counts) {
      counts[kind] = {
          {"added", count.added}, {"changed", count.changed}, {"removed", count.removed}};
    }
    Json others = Json::array();
    for (const history::Sender& sender : entry.others) {
      others.push_back({{"by", caller_json(sender.by)},
                        {"action", sender.action},
                        {"reason", sender.reason.empty() ? Json() : Json(sender.reason)}});
    }
    out.add({{"first", entry.first},
             {"revision", entry.last},
             {"when", time_text(entry.when)},
             {"by", caller_json(entry.by)},
             {"action", entry.action},
             {"reason", entry.reason.empty() ? Json() : Json(entry.reason)},
             {"others", std::move(others)},
             {"changed", std::move(counts)},
             {"policies", entry.policies},
             {"flows_cut", entry.cut}});
  }
  return std::move(out).finish(Json::object());
}

Result<std::string> rolled_back(const std::string& revision, const history::History& history) {
  Revision target = 0;
  const auto [end, error] =
      std::from_chars(revision.data(), revision.data() + revision.size(), target);
  if (error != std::errc{} || end != revision.data() + revision.size()) {
    return bad("revision", "'" + revision + "' is no revision");
  }
  auto state = history.policies_of(target);
  if (!state) return std::move(state).error();
  return kube::encode_snapshot(*state);
}

}  // namespace rampart::admin
