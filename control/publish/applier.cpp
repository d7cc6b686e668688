// SPDX-License-Identifier: Apache-2.0
#include "control/publish/applier.hpp"

#include <cstdio>
#include <utility>

#include "control/compile/prove.hpp"
#include "control/kube/encode.hpp"
#include "control/kube/events.hpp"

namespace rampart::publish {
namespace {

/// Milliseconds since it was made or last asked.
class Stopwatch {
 public:
  double lap() {
    const auto now = std::chrono::steady_clock::now();
    return std::chrono::duration<double, std::milli>(now - std::exchange(last_, now)).count();
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

kube::Refusal to_refusal(const Error& error) {
  return {error.code, {}, error.where, {}, error.what};
}

std::string summary(const InForce& next, const Timings& ms) {
  const compile::Compiled& c = *next.compiled;
  char text[320];
  std::snprintf(
      text, sizeof text,
      "revision %llu is in force: %zu pods, %zu policies, %zu addresses, %zu classes, "
      "%zu rules, %zu warnings, %zu probes (decode %.1f, compile %.1f, swap %.1f, store %.1f ms)",
      static_cast<unsigned long long>(next.revision), c.state->pods.size(),
      c.state->policies.size(), c.addresses, c.classes, c.acl_rules, c.warnings.size(), next.probes,
      ms.decode, ms.compile, ms.swap, ms.store);
  return text;
}

}  // namespace

Applier::Applier(Parts parts)
    : parts_(std::move(parts)), in_force_(std::make_shared<const InForce>()) {}

std::shared_ptr<const InForce> Applier::in_force() const {
  const std::lock_guard lock(pointer_);
  return in_force_;
}

void Applier::set(std::shared_ptr<const InForce> next) {
  // What it replaces is destroyed after the lock is gone: readers need not wait for that.
  const std::lock_guard lock(pointer_);
  in_force_.swap(next);
}

Result<void> Applier::restore() {
  const std::lock_guard changing(changing_);
  Stopwatch watch;
  Timings ms;
  auto loaded = parts_.store.load();
  if (!loaded) return std::move(loaded).error();
  if (!loaded->has_value()) return {};
  store::Stored stored = *std::move(*loaded);
  ms.decode = watch.lap();
  auto compiled =
      parts_.compile(std::make_shared<const kube::ClusterState>(std::move(stored.state)),
                     stored.revision, nullptr);
  if (!compiled) return std::move(compiled).error().within("state file " + parts_.store.path());
  const auto proved = prove(**compiled, nullptr, stored.revision);
  if (!proved) return Error(proved.error()).within("state file " + parts_.store.path());
  ms.compile = watch.lap();
  auto next = std::make_shared<InForce>();
  next->probes = *proved;
  next->revision = stored.revision;
  next->compiled = *std::move(compiled);
  next->accepted = stored.accepted;
  if (auto published = parts_.dataplane.publish(next->compiled->rules); !published) {
    return std::move(published).error().within("state file " + parts_.store.path());
  }
  ms.swap = watch.lap();
  parts_.log("restored: " + summary(*next, ms));
  set(std::move(next));
  return {};
}

std::optional<Refused> Applier::check(std::optional<Revision> expected) const {
  const Revision revision = in_force()->revision;
  if (!expected || *expected == revision) return std::nullopt;
  Refused refused;
  refused.why = Refused::Why::kWrongRevision;
  refused.in_force = revision;
  refused.refusal.code = ErrorCode::kConflict;
  refused.refusal.reason =
      "revision " + std::to_string(revision) + " is in force, not " + std::to_string(*expected);
  return refused;
}

Refused Applier::refuse(kube::Refusal refusal, Mode mode) const {
  Refused refused;
  refused.in_force = in_force()->revision;
  if (mode == Mode::kApply) {
    parts_.log("refused a desired state, revision " + std::to_string(refused.in_force) +
               " is in force: " + refusal.text());
  }
  refused.refusal = std::move(refusal);
  return refused;
}

Outcome Applier::put(std::string_view json, std::optional<Revision> expected) {
  const std::lock_guard changing(changing_);
  if (auto refused = check(expected)) return *std::move(refused);
  Stopwatch watch;
  auto decoded = kube::decode_snapshot(json, parts_.limits);
  return apply(std::move(decoded), watch.lap(), Mode::kApply);
}

Outcome Applier::patch(std::string_view events, std::optional<Revision> expected) {
  const std::lock_guard changing(changing_);
  const auto before = in_force();
  if (before->compiled == nullptr) {
    Refused refused;
    refused.why = Refused::Why::kNoSnapshotYet;
    refused.refusal.code = ErrorCode::kConflict;
    refused.refusal.reason = "there is no snapshot yet that events could change";
    return refused;
  }
  if (auto refused = check(expected)) return *std::move(refused);
  Stopwatch watch;
  auto decoded = kube::apply_events(*before->compiled->state, events, parts_.limits);
  return apply(std::move(decoded), watch.lap(), Mode::kApply);
}

Outcome Applier::validate(std::string_view json) {
  const std::lock_guard changing(changing_);
  Stopwatch watch;
  auto decoded = kube::decode_snapshot(json, parts_.limits);
  return apply(std::move(decoded), watch.lap(), Mode::kTry);
}

Outcome Applier::apply(kube::Checked<kube::Decoded> decoded, double decode_ms, Mode mode) {
  if (!decoded) return refuse(std::move(decoded).error(), mode);
  const auto before = in_force();
  Accepted accepted;
  accepted.milliseconds.decode = decode_ms;
  accepted.skipped = std::move(decoded->skipped);
  if (before->compiled != nullptr && kube::same(decoded->state, *before->compiled->state)) {
    accepted.in_force = before;
    return accepted;
  }
  accepted.changed = true;

  Stopwatch watch;
  auto next = std::make_shared<InForce>();
  auto compiled =
      parts_.compile(std::make_shared<const kube::ClusterState>(std::move(decoded->state)),
                     before->revision + 1, before->compiled.get());
  if (!compiled) return refuse(to_refusal(compiled.error()), mode);
  next->compiled = *std::move(compiled);
  const auto proved = prove(*next->compiled, before->compiled.get(), before->revision + 1);
  accepted.milliseconds.compile = watch.lap();
  if (!proved) return refuse(to_refusal(proved.error()), mode);
  next->probes = *proved;
  if (mode == Mode::kTry) {
    next->revision = before->revision;
    accepted.in_force = std::move(next);
    return accepted;
  }

  next->revision = before->revision + 1;
  next->accepted = std::chrono::system_clock::now();
  const auto published = parts_.dataplane.publish(next->compiled->rules);
  // A worker that does not answer cannot be called back: then the new rules are in force all the
  // same, and the sender is told that one worker may lag behind.
  const bool in_force_all_the_same =
      !published && parts_.dataplane.rules() == next->compiled->rules;
  if (!published && !in_force_all_the_same) return refuse(to_refusal(published.error()), mode);
  accepted.milliseconds.swap = watch.lap();
  set(next);
  std::string not_stored = store(before.get(), *next);
  accepted.milliseconds.store = watch.lap();
  if (!not_stored.empty()) {
    next = std::make_shared<InForce>(*next);
    next->not_stored = std::move(not_stored);
    set(next);
  }
  parts_.log(summary(*next, accepted.milliseconds));
  if (in_force_all_the_same) return refuse(to_refusal(published.error()), mode);
  accepted.in_force = std::move(next);
  return accepted;
}

Result<size_t> Applier::prove(const compile::Compiled& next, const compile::Compiled* before,
                              Revision revision) {
  if (parts_.proof.count() == 0) return size_t{0};
  const compile::Proof proof = compile::prove(next, before, parts_.proof, revision);
  if (proof.wrong.empty()) return proof.probes;
  ++counterexamples_;
  Error error{ErrorCode::kUnsupported, "a bug: " + proof.wrong,
              "the rules of revision " + std::to_string(revision)};
  const auto kept = parts_.store.keep_beside(
      "counterexample", error.text() + "\n" + kube::encode_snapshot(*next.state));
  parts_.log(error.text() + (kept ? "; what they were made from is kept in " + *kept
                                  : "; it could not be written down: " + kept.error().text()));
  return error;
}

std::string Applier::store(const InForce* before, const InForce& next) {
  const store::Stored stored{next.revision, next.accepted, *next.compiled->state};
  const bool follows =
      before != nullptr && before->compiled != nullptr && before->not_stored.empty();
  auto saved = follows
                   ? parts_.store.save_change(*before->compiled->state, before->revision, stored)
                   : parts_.store.save(stored);
  if (saved) return {};
  parts_.log("revision " + std::to_string(next.revision) +
             " is in force but not on the disk: " + saved.error().text());
  return saved.error().text();
}

void Applier::save_again() {
  if (in_force()->not_stored.empty()) {
    if (parts_.store.wants_rewrite()) rewrite();
    return;
  }
  const std::unique_lock changing(changing_, std::try_to_lock);
  if (!changing) return;  // what the change comes to is stored, or this is called again
  const auto now = in_force();
  if (now->not_stored.empty() || !store(nullptr, *now).empty()) return;
  auto stored = std::make_shared<InForce>(*now);
  stored->not_stored.clear();
  parts_.log("revision " + std::to_string(now->revision) + " is on the disk now");
  set(std::move(stored));
}

void Applier::rewrite() {
  std::shared_ptr<const InForce> now;
  {
    const std::unique_lock changing(changing_, std::try_to_lock);
    if (!changing) return;
    now = in_force();
    if (!now->not_stored.empty()) return;
    parts_.store.begin_rewrite();
  }
  // Changes go on meanwhile, into the new journal.
  const auto written = parts_.store.rewrite({now->revision, now->accepted, *now->compiled->state});
  if (!written) parts_.log("the state could not be written anew: " + written.error().text());
}

}  // namespace rampart::publish
