// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "control/compile/compile.hpp"
#include "control/kube/change.hpp"
#include "control/kube/decode.hpp"
#include "control/store/state_store.hpp"
#include "dataplane/worker/dataplane.hpp"

namespace rampart::publish {

/// What is in force. Immutable; holds DPDK memory, so it must be gone before the data path is.
struct InForce {
  Revision revision = 0;
  /// Null as long as there was no snapshot (revision 0).
  std::shared_ptr<const compile::Compiled> compiled;
  std::chrono::system_clock::time_point accepted;  ///< meaningless at revision 0
  /// Why a restart would bring back an older revision; empty: this one is on the disk.
  std::string not_stored;
  /// Connections that the rule set and the plain evaluator were both asked about before it was
  /// published.
  size_t probes = 0;
};

/// Milliseconds that each part of a change took.
struct Timings {
  double decode = 0, compile = 0, swap = 0, store = 0;
};

/// The answer to a change that was accepted, or would be.
struct Accepted {
  /// What is in force now; for a validation: what would be, under the number still in force.
  std::shared_ptr<const InForce> in_force;
  bool changed = false;  ///< false: the content is what was in force already
  Timings milliseconds;
  std::vector<kube::SkippedKind> skipped;
};

/// The answer to one that was not; everything is as it was.
struct Refused {
  enum class Why : uint8_t {
    kRefused,
    kWrongRevision,
    kNoSnapshotYet,
    kWrongRules,  ///< the objects are right, and what they were compiled to is not: a bug of ours
  };
  Why why = Why::kRefused;
  kube::Refusal refusal;
  Revision in_force = 0;
};

using Outcome = std::variant<Accepted, Refused>;

/// A change that has been decoded and waits for its turn.
struct Submission {
  /// A desired state, or what becomes of the one in force.
  std::variant<kube::Decoded, kube::Changes> content;
  double decode_ms = 0;  ///< what decoding it took
  /// Refuse unless this revision is in force.
  std::optional<Revision> expected;
};

/// Takes desired states and puts them in force, one after the other: decode, compile, prove,
/// publish to every worker, store.
///
/// A rule set that does not say what the policies say (compile/prove.hpp) is a bug of ours. It is
/// refused, and what it was compiled from is kept beside the stored state, in `counterexample`.
///
/// The disk comes last: a policy that cuts a connection must not wait for it. A crash before that
/// leaves the older state on the disk, and whoever sent the newer one has had no answer yet. A
/// failing disk does not freeze policy either: the revision is in force, `not_stored` says so,
/// and save_again() tries again.
///
/// Any control thread; changes serialise themselves. Needs the EAL.
class Applier {
 public:
  using Compile = std::function<Result<std::shared_ptr<const compile::Compiled>>(
      std::shared_ptr<const kube::ClusterState>, Revision, const compile::Compiled*)>;
  struct Parts {
    Dataplane& dataplane;
    store::StateStore& store;
    kube::Limits limits;
    std::function<void(const std::string&)> log;  ///< one line each
    Compile compile = compile::compile;
    /// The most that proving a rule set may take; 0: it is not proved.
    std::chrono::milliseconds proof{20};
  };

  explicit Applier(Parts parts);

  /// Puts the stored state in force, if there is one. Before the data path starts.
  Result<void> restore();

  /// Carries out submissions in their order, those in a row as one revision; one with `expected`
  /// begins a revision of its own. Each is all or none: if together they cannot be in force, they
  /// are tried one by one. The outcomes are in the order of the submissions.
  std::vector<Outcome> apply(std::vector<Submission> submissions);
  /// One submission: a whole desired state …
  Outcome put(std::string_view json, std::optional<Revision> expected);
  /// … and watch events.
  Outcome patch(std::string_view events, std::optional<Revision> expected);
  /// What apply() would say of a desired state, and nothing else happens. Waits for a change that
  /// is under way, but not to refuse what could not be decoded.
  Outcome validate(kube::Checked<kube::Decoded> decoded, double decode_ms);
  Outcome validate(std::string_view json);
  /// The outcome of something that could not be decoded.
  Refused refuse(kube::Refusal refusal) { return refuse(std::move(refusal), Mode::kApply); }
  /// Frees what has been replaced. Until then apply() keeps it: a state of a hundred thousand pods
  /// takes longer to free than an answer may wait.
  void free_replaced();
  /// Stores what is in force if that has failed so far, and writes all of it anew when the changes
  /// since it was last written have become many. Waits for no change that is under way: the thread
  /// that calls this is the one that hears of signals.
  void save_again();

  /// Never null.
  std::shared_ptr<const InForce> in_force() const;

  /// What a request may bring at most.
  const kube::Limits& limits() const { return parts_.limits; }

  /// Rule sets that were refused because they did not say what the policies say, since the start.
  uint64_t counterexamples() const { return counterexamples_.load(); }

 private:
  enum class Mode : uint8_t { kApply, kTry };
  std::optional<Refused> check(std::optional<Revision> expected) const;
  /// Makes one revision of them if it can. `changing_` is held.
  void apply_together(std::span<Submission> together, std::span<Outcome> outcomes);
  Outcome make_revision(kube::ClusterState state, double decode_ms, Mode mode);
  Refused refuse(kube::Refusal refusal, Mode mode) const;
  /// Checks a rule set against the plain evaluator. An error is a counterexample, which has been
  /// written down and counted.
  Result<size_t> prove(const compile::Compiled& next, const compile::Compiled* before,
                       Revision revision);
  /// Returns why it could not be stored, or nothing.
  std::string store(const InForce* before, const InForce& next);
  void rewrite();
  void set(std::shared_ptr<const InForce> next);

  const Parts parts_;
  std::atomic<uint64_t> counterexamples_ = 0;
  std::mutex changing_;                                   ///< held through a whole change
  std::vector<std::shared_ptr<const InForce>> replaced_;  ///< under changing_
  mutable std::mutex pointer_;
  std::shared_ptr<const InForce> in_force_;  ///< under pointer_
};

}  // namespace rampart::publish
