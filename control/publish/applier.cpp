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

std::vector<Outcome> Applier::apply(std::vector<Submission> submissions) {
  const std::lock_guard changing(changing_);
  std::vector<Outcome> outcomes(submissions.size(), Outcome(Refused{}));
  const std::span<Submission> all(submissions);
  for (size_t from = 0; from < all.size();) {
    size_t to = from + 1;
    while (to < all.size() && !all[to].expected) ++to;
    apply_together(all.subspan(from, to - from), std::span(outcomes).subspan(from, to - from));
    from = to;
  }
  return outcomes;
}

void Applier::apply_together(std::span<Submission> together, std::span<Outcome> outcomes) {
  if (auto refused = check(together.front().expected)) {
    outcomes.front() = *std::move(refused);
    if (together.size() > 1) apply_together(together.subspan(1), outcomes.subspan(1));
    return;
  }
  Stopwatch watch;
  const auto before = in_force();
  std::optional<kube::ClusterState> state;
  if (before->compiled != nullptr) state = *before->compiled->state;
  std::vector<size_t> taken;
  for (size_t i = 0; i < together.size(); ++i) {
    if (const auto* whole = std::get_if<kube::Decoded>(&together[i].content)) {
      state = whole->state;
    } else if (state) {
      state = kube::changed(*state, std::get<kube::Changes>(together[i].content));
    } else {
      Refused refused;
      refused.why = Refused::Why::kNoSnapshotYet;
      refused.refusal.code = ErrorCode::kConflict;
      refused.refusal.reason = "there is no snapshot yet that events could change";
      outcomes[i] = std::move(refused);
      continue;
    }
    taken.push_back(i);
  }
  if (taken.empty()) return;
  const Outcome outcome = make_revision(*std::move(state), watch.lap(), Mode::kApply);
  if (std::holds_alternative<Refused>(outcome) && taken.size() > 1 && in_force() == before) {
    parts_.log("these were " + std::to_string(taken.size()) + " changes; one by one:");
    for (const size_t i : taken) apply_together(together.subspan(i, 1), outcomes.subspan(i, 1));
    return;
  }
  for (const size_t i : taken) {
    outcomes[i] = outcome;
    auto* accepted = std::get_if<Accepted>(&outcomes[i]);
    if (accepted == nullptr) continue;
    accepted->milliseconds.decode += together[i].decode_ms;
    accepted->skipped =
        std::visit([](auto& content) { return std::move(content.skipped); }, together[i].content);
  }
}

Outcome Applier::put(std::string_view json, std::optional<Revision> expected) {
  Stopwatch watch;
  auto decoded = kube::decode_snapshot(json, parts_.limits);
  if (!decoded) return refuse(std::move(decoded).error());
  std::vector<Submission> one;
  one.push_back({*std::move(decoded), watch.lap(), expected});
  return apply(std::move(one)).front();
}

Outcome Applier::patch(std::string_view events, std::optional<Revision> expected) {
  Stopwatch watch;
  kube::EventsDecoder decoder(parts_.limits);
  decoder.put(events);
  auto changes = std::move(decoder).finish();
  if (!changes) return refuse(std::move(changes).error());
  std::vector<Submission> one;
  one.push_back({*std::move(changes), watch.lap(), expected});
  return apply(std::move(one)).front();
}

Outcome Applier::validate(std::string_view json) {
  Stopwatch watch;
  auto decoded = kube::decode_snapshot(json, parts_.limits);
  const double decode_ms = watch.lap();
  return validate(std::move(decoded), decode_ms);
}

Outcome Applier::validate(kube::Checked<kube::Decoded> decoded, double decode_ms) {
  if (!decoded) return refuse(std::move(decoded).error(), Mode::kTry);
  const std::lock_guard changing(changing_);
  Outcome outcome = make_revision(std::move(decoded->state), decode_ms, Mode::kTry);
  if (auto* accepted = std::get_if<Accepted>(&outcome)) {
    accepted->skipped = std::move(decoded->skipped);
  }
  return outcome;
}

Outcome Applier::make_revision(kube::ClusterState state, double decode_ms, Mode mode) {
  const auto before = in_force();
  Accepted accepted;
  accepted.milliseconds.decode = decode_ms;
  if (before->compiled != nullptr && kube::same(state, *before->compiled->state)) {
    accepted.in_force = before;
    return accepted;
  }
  accepted.changed = true;

  Stopwatch watch;
  auto next = std::make_shared<InForce>();
  auto compiled = parts_.compile(std::make_shared<const kube::ClusterState>(std::move(state)),
                                 before->revision + 1, before->compiled.get());
  if (!compiled) return refuse(to_refusal(compiled.error()), mode);
  next->compiled = *std::move(compiled);
  const auto proved = prove(*next->compiled, before->compiled.get(), before->revision + 1);
  accepted.milliseconds.compile = watch.lap();
  if (!proved) {
    Refused refused = refuse(to_refusal(proved.error()), mode);
    refused.why = Refused::Why::kWrongRules;
    return refused;
  }
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
  replaced_.push_back(before);
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

void Applier::free_replaced() {
  std::vector<std::shared_ptr<const InForce>> replaced;
  const std::lock_guard changing(changing_);
  replaced.swap(replaced_);
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
