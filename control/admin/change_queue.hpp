// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <mutex>
#include <vector>

#include "control/history/history.hpp"
#include "control/http/router.hpp"
#include "control/publish/applier.hpp"

namespace rampart::admin {

/// Changes that wait while one is carried out, in the order of their coming. All that wait are
/// carried out together, as one revision where that can be, with one entry in the history. A whole
/// desired state that does not depend on a revision takes the place of those that wait before it:
/// their senders are told at once, and what they sent is freed.
///
/// add() on any thread; work() on one.
class ChangeQueue {
 public:
  struct Waiting {
    publish::Submission submission;
    history::Entry entry;  ///< who, what and why
    http::Answer answer;
  };

  ChangeQueue(publish::Applier& applier, history::History& history)
      : applier_(applier), history_(history) {}

  void add(Waiting change);
  /// Carries out what waits, and answers it.
  void work();

 private:
  void note(const std::vector<Waiting>& batch, const std::vector<publish::Outcome>& outcomes,
            Revision before, uint64_t cuts);

  publish::Applier& applier_;
  history::History& history_;
  std::mutex mutex_;
  std::deque<Waiting> waiting_;  ///< under mutex_
};

}  // namespace rampart::admin
