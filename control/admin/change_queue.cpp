// SPDX-License-Identifier: Apache-2.0
#include "control/admin/change_queue.hpp"

#include <algorithm>
#include <exception>
#include <iterator>
#include <new>
#include <utility>

#include "control/admin/documents.hpp"
#include "control/http/problem.hpp"

namespace rampart::admin {
namespace {

bool is_snapshot(const publish::Submission& submission) {
  return std::holds_alternative<kube::Decoded>(submission.content);
}

http::Response superseded(Revision in_force) {
  http::Problem problem;
  problem.status = 409;
  problem.code = "superseded";
  problem.title = "A later snapshot has taken its place";
  problem.detail =
      "a later snapshot came while this one waited for its turn; it was never in force";
  problem.revision = in_force;
  return http::to_response(problem);
}

http::Response failure(unsigned status, std::string code, std::string detail) {
  http::Problem problem;
  problem.status = status;
  problem.code = std::move(code);
  problem.detail = std::move(detail);
  return http::to_response(problem);
}

/// The revision that a change has become part of; 0: none.
Revision revision_of(const publish::Outcome& outcome, Revision refused_under) {
  if (const auto* accepted = std::get_if<publish::Accepted>(&outcome)) {
    return accepted->changed ? accepted->in_force->revision : 0;
  }
  // A worker that does not answer leaves the new revision in force.
  const auto& refused = std::get<publish::Refused>(outcome);
  const bool came = refused.why == publish::Refused::Why::kRefused &&
                    refused.refusal.code == ErrorCode::kIo && refused.in_force > refused_under;
  return came ? refused.in_force : 0;
}

}  // namespace

void ChangeQueue::add(Waiting change) {
  std::vector<Waiting> dropped;
  {
    const std::lock_guard lock(mutex_);
    if (is_snapshot(change.submission) && !change.submission.expected) {
      const auto kept = std::stable_partition(
          waiting_.begin(), waiting_.end(),
          [](const Waiting& waiting) { return !is_snapshot(waiting.submission); });
      std::move(kept, waiting_.end(), std::back_inserter(dropped));
      waiting_.erase(kept, waiting_.end());
    }
    waiting_.push_back(std::move(change));
  }
  const Revision in_force = dropped.empty() ? 0 : applier_.in_force()->revision;
  for (const Waiting& one : dropped) one.answer(superseded(in_force));
}

void ChangeQueue::work() {
  std::vector<Waiting> batch;
  {
    const std::lock_guard lock(mutex_);
    std::move(waiting_.begin(), waiting_.end(), std::back_inserter(batch));
    waiting_.clear();
  }
  if (batch.empty()) return;
  try {
    std::vector<publish::Submission> submissions;
    submissions.reserve(batch.size());
    for (Waiting& one : batch) submissions.push_back(std::move(one.submission));
    const uint64_t cuts = history_.cuts_before_change();
    const Revision before = applier_.in_force()->revision;
    const auto outcomes = applier_.apply(std::move(submissions));
    note(batch, outcomes, before, cuts);
    for (size_t i = 0; i < batch.size(); ++i) batch[i].answer(outcome_response(outcomes[i]));
  } catch (const std::bad_alloc&) {
    for (const Waiting& one : batch) {
      one.answer(failure(507, "no-memory", "the control plane's memory is exhausted"));
    }
  } catch (const std::exception& e) {
    for (const Waiting& one : batch) {
      one.answer(failure(500, "internal", std::string("a bug: ") + e.what()));
    }
  }
  applier_.free_replaced();
}

void ChangeQueue::note(const std::vector<Waiting>& batch,
                       const std::vector<publish::Outcome>& outcomes, Revision before,
                       uint64_t cuts) {
  for (size_t i = 0; i < batch.size();) {
    const Revision revision = revision_of(outcomes[i], before);
    size_t end = i + 1;
    while (end < batch.size() && revision_of(outcomes[end], before) == revision) ++end;
    if (revision != 0) {
      const auto* accepted = std::get_if<publish::Accepted>(&outcomes[end - 1]);
      const auto made = accepted != nullptr ? accepted->in_force : applier_.in_force();
      history::Entry entry = batch[end - 1].entry;
      const history::Sender last{entry.by, entry.action, entry.reason};
      for (size_t other = i; other + 1 < end; ++other) {
        const history::Entry& who = batch[other].entry;
        history::Sender sender{who.by, who.action, who.reason};
        const auto& named = entry.others;
        if (sender == last || std::find(named.begin(), named.end(), sender) != named.end()) {
          continue;
        }
        entry.others.push_back(std::move(sender));
      }
      entry.last = made->revision;
      entry.when = made->accepted;
      history_.note(std::move(entry), made->compiled->state, cuts);
      before = revision;
    }
    i = end;
  }
}

}  // namespace rampart::admin
