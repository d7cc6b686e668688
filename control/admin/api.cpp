// SPDX-License-Identifier: Apache-2.0
#include "control/admin/api.hpp"

#include <charconv>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include "control/admin/bodies.hpp"
#include "control/admin/change_queue.hpp"
#include "control/admin/documents.hpp"
#include "control/admin/json.hpp"
#include "control/http/problem.hpp"
#include "control/kube/encode.hpp"

namespace rampart::admin {
namespace {

using http::Lane;
using http::Request;
using http::Response;

Response json(std::string body) {
  return {200, "application/json", std::move(body), {}};
}

/// A request that says something wrong about itself (an object that does is a 422).
Response bad_request(const Error& error) {
  http::Problem problem;
  problem.status = 400;
  problem.code = "bad-request";
  problem.detail = error.text();
  problem.field = error.where;
  problem.reason = error.what;
  return http::to_response(problem);
}

Response failed(const Error& error) {
  return error.code == ErrorCode::kInvalid ? bad_request(error) : http::to_response(error);
}

/// If-Match: "7" (RFC 9110 §13.1.1). The quotes may be missing.
Result<std::optional<Revision>> expected_revision(const Request& request) {
  if (!request.if_match) return std::optional<Revision>{};
  std::string_view text = *request.if_match;
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
    text = text.substr(1, text.size() - 2);
  }
  Revision revision = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), revision);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return Error{ErrorCode::kInvalid, "must be a revision in quotes", "If-Match"};
  }
  return std::optional(revision);
}

/// A call without parameters.
http::Handler plain(std::function<Response(const Request&)> handler) {
  return [handler = std::move(handler)](const Request& request) {
    if (request.query.empty()) return handler(request);
    return bad_request(
        {ErrorCode::kInvalid, "this call takes no parameters", request.query.begin()->first});
  };
}

/// Whether a dry run is asked for the live flows as well.
Result<bool> with_flows(const Request& request) {
  bool flows = false;
  for (const auto& [name, value] : request.query) {
    if (name != "flows") return Error{ErrorCode::kInvalid, "is no parameter of this call", name};
    if (value != "true") return Error{ErrorCode::kInvalid, "must be true", name};
    flows = true;
  }
  return flows;
}

/// What a snapshot would do; with `flows` to the live flows as well.
Response validate(kube::Decoded decoded, double decode_ms, bool flows, publish::Applier& applier,
                  Dataplane& dataplane) {
  const auto before = applier.in_force();
  const publish::Outcome outcome = applier.validate(std::move(decoded), decode_ms);
  const auto* accepted = std::get_if<publish::Accepted>(&outcome);
  if (!flows || accepted == nullptr) return outcome_response(outcome);
  const auto cuts = cuts_under(*accepted->in_force->compiled->rules, dataplane);
  if (!cuts) return http::to_response(cuts.error());
  return accepted_response(*accepted, *cuts, *before);
}

/// Dry runs that wait for their turn among the changes. Each request adds one, if only an empty
/// one, so that the lane's work for it is its own.
class DryRuns {
 public:
  using Run = std::function<void()>;
  void add(Run run) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(run));
  }
  /// Carries out the next one.
  void work() {
    Run next;
    {
      const std::lock_guard lock(mutex_);
      next = std::move(waiting_.front());
      waiting_.pop_front();
    }
    if (next) next();
  }

 private:
  std::mutex mutex_;
  std::deque<Run> waiting_;  ///< under mutex_
};

/// What a dry run says of an object that cannot be read, or of its parameters, depends on nothing
/// that is in force: it is said at once. The rest is compiled, and so has its turn among the
/// changes.
void add_validate(http::Router& router, publish::Applier& applier, Dataplane& dataplane) {
  const auto queue = std::make_shared<DryRuns>();
  http::Route route{"POST", "/v1/validate", Lane::kChange, true, nullptr};
  route.body_reader = [&applier] { return std::make_shared<SnapshotBody>(applier.limits()); };
  route.queue.submit = [&, queue](const Request& request, http::Answer reply) {
    const auto flows = with_flows(request);
    auto read = read_body<SnapshotBody>(request);
    if (!flows || !read.content) {
      queue->add({});
      return reply(flows ? outcome_response(applier.validate(std::move(read.content), 0))
                         : bad_request(flows.error()));
    }
    const auto decoded = std::make_shared<kube::Decoded>(*std::move(read.content));
    queue->add([&, decoded, ms = read.decode_ms, flows = *flows, reply = std::move(reply)] {
      reply(validate(std::move(*decoded), ms, flows, applier, dataplane));
    });
  };
  route.queue.work = [queue] { queue->work(); };
  router.add(std::move(route));
}

/// Carries out a change, and notes it if there is a new revision.
Response change(publish::Applier& applier, history::History& history, history::Entry entry,
                const std::function<publish::Outcome()>& carry_out) {
  const uint64_t cuts = history.cuts_before_change();
  const publish::Outcome outcome = carry_out();
  // Also after a refusal: a worker that does not answer leaves the new revision in force.
  const auto now = applier.in_force();
  if (now->compiled) {
    entry.last = now->revision;
    entry.when = now->accepted;
    history.note(std::move(entry), now->compiled->state, cuts);
  }
  return outcome_response(outcome);
}

void add_changes(http::Router& router, publish::Applier& applier, history::History& history) {
  const auto queue = std::make_shared<ChangeQueue>(applier, history);
  const auto add = [&]<typename Body>(const char* method, const char* action, const Body*) {
    http::Route route{method, "/v1/snapshot", Lane::kChange, true, nullptr};
    route.body_reader = [&applier] { return std::make_shared<Body>(applier.limits()); };
    route.queue.submit = [&applier, queue, action](const Request& r, http::Answer reply) {
      const auto reason = reason_of(r);
      if (!reason) return reply(bad_request(reason.error()));
      const auto expected = expected_revision(r);
      if (!expected) return reply(bad_request(expected.error()));
      auto read = read_body<Body>(r);
      if (!read.content) {
        return reply(refused_response(applier.refuse(std::move(read.content).error())));
      }
      queue->add({{*std::move(read.content), read.decode_ms, *expected},
                  entry_of(r, action, *reason),
                  std::move(reply)});
    };
    route.queue.work = [queue] { queue->work(); };
    router.add(std::move(route));
  };
  add("PUT", "apply", static_cast<const SnapshotBody*>(nullptr));
  add("PATCH", "delta", static_cast<const EventsBody*>(nullptr));
  router.add({"POST", "/v1/history/{}/rollback", Lane::kChange, false, [&](const Request& r) {
                const auto reason = reason_of(r);
                if (!reason) return bad_request(reason.error());
                const auto snapshot = rolled_back(r.parameter, history);
                if (!snapshot) return failed(snapshot.error());
                return change(applier, history, entry_of(r, "rollback to " + r.parameter, *reason),
                              [&] { return applier.put(*snapshot, std::nullopt); });
              }});
}

Response snapshot(const publish::InForce& in_force) {
  if (!in_force.compiled) {
    return http::to_response(
        Error{ErrorCode::kNotFound, "no snapshot has been accepted yet", "/v1/snapshot"});
  }
  Response response = json(kube::encode_snapshot(*in_force.compiled->state));
  response.headers.emplace_back("ETag", "\"" + std::to_string(in_force.revision) + "\"");
  return response;
}

Response flows(const Request& request, Dataplane& dataplane, const publish::InForce& in_force) {
  const auto filter = flow_filter(request.query, in_force);
  if (!filter) return failed(filter.error());
  bool truncated = false;
  const auto found = dataplane.flows(*filter, truncated);
  if (!found) return http::to_response(found.error());
  return json(flows_document(*found, truncated, in_force));
}

Response cut_flows(const Request& request, Dataplane& dataplane, history::History& history,
                   const publish::InForce& in_force) {
  const auto filter = cut_filter(request.query, in_force);
  if (!filter) return failed(filter.error());
  const auto cut = dataplane.cut_flows(*filter);
  if (!cut) return http::to_response(cut.error());
  history.discount(*cut);
  return json(dump({{"cut", *cut}}));
}

Response reset_port(const Request& request, Dataplane& dataplane) {
  if (const auto done = dataplane.reset_port(request.parameter); !done) {
    return http::to_response(done.error());
  }
  Json out{{"port", request.parameter}};
  for (const PortStatus& port : dataplane.status().ports) {
    if (port.name == request.parameter) out["resets"] = port.resets;
  }
  return json(dump(out));
}

}  // namespace

void add_calls(http::Router& router, publish::Applier& applier, Dataplane& dataplane,
               history::History& history, const Facts& facts) {
  const auto get = [&router](std::string path, http::Handler handler) {
    router.add({"GET", std::move(path), Lane::kRead, false, std::move(handler)});
  };
  get("/v1/snapshot", plain([&](const Request&) { return snapshot(*applier.in_force()); }));
  add_changes(router, applier, history);
  add_validate(router, applier, dataplane);
  get("/v1/status", plain([&](const Request&) {
        return json(status_document(facts, std::chrono::system_clock::now(), *applier.in_force(),
                                    dataplane.status()));
      }));
  get("/v1/endpoints",
      plain([&](const Request&) { return json(endpoints_document(*applier.in_force())); }));
  get("/v1/policies",
      plain([&](const Request&) { return json(policies_document(*applier.in_force())); }));
  get("/v1/flows",
      [&](const Request& request) { return flows(request, dataplane, *applier.in_force()); });
  // Among the changes, so that no rule gets another number while flows are picked by rules.
  router.add({"DELETE", "/v1/flows", Lane::kChange, false, [&](const Request& request) {
                return cut_flows(request, dataplane, history, *applier.in_force());
              }});
  get("/v1/history", plain([&](const Request&) { return json(history_document(history)); }));
  get("/v1/stats", plain([&](const Request&) { return json(stats_document(dataplane.status())); }));
  get("/v1/reasons", plain([](const Request&) { return json(reasons_document()); }));
  get("/v1/explain", [&](const Request& request) {
    const auto document = explain_document(request.query, *applier.in_force(), dataplane);
    return document ? json(*document) : failed(document.error());
  });
  router.add({"POST", "/v1/ports/{}/reset", Lane::kChange, false,
              plain([&](const Request& request) { return reset_port(request, dataplane); })});
  get("/metrics", plain([&](const Request&) {
        return Response{
            200,
            "text/plain; version=0.0.4; charset=utf-8",
            metrics(facts, *applier.in_force(), applier.counterexamples(), dataplane.status()),
            {}};
      }));
}

}  // namespace rampart::admin
