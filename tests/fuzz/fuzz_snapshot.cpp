// SPDX-License-Identifier: Apache-2.0
// What comes in through the control socket: a desired state, or (if the input starts with a blank)
// watch events on top of a small one.
#include <string>
#include <string_view>
#include <vector>

#include "control/kube/decode.hpp"
#include "control/kube/encode.hpp"
#include "control/kube/evaluate.hpp"
#include "control/kube/events.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace rampart::kube {
namespace {

constexpr Limits kLimits{.bytes = 1 << 16, .depth = 32, .objects = 200};

constexpr std::string_view kBase = R"({"apiVersion":"v1","kind":"List","items":[
{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"x","labels":{"a":"b"}}},
{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"x","labels":{"app":"web"}},
 "spec":{"nodeName":"n","containers":[{"ports":[{"containerPort":80,"name":"http"}]}]},
 "status":{"hostIP":"172.18.0.1","podIPs":[{"ip":"10.0.0.1"},{"ip":"fd00::1"}]}},
{"apiVersion":"v1","kind":"Node","metadata":{"name":"n"},
 "status":{"addresses":[{"type":"InternalIP","address":"172.18.0.1"}]}},
{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"w","namespace":"x"},
 "spec":{"podSelector":{},"ingress":[{"ports":[{"port":"http"}]}]}}]})";

/// What must hold of any state that was accepted.
void check_state(const ClusterState& state) {
  const std::string text = encode_snapshot(state);
  const auto again = decode_snapshot(text);
  if (!again) std::fprintf(stderr, "%s\n%s\n", again.error().text().c_str(), text.c_str());
  RAMPART_MUST(again);
  RAMPART_MUST(same(state, again->state));
  RAMPART_MUST(encode_snapshot(again->state) == text);

  for (const auto& [key, policy] : state.policies) {
    RAMPART_MUST(key == (ObjectKey{policy->ns, policy->name}));
    RAMPART_MUST(policy->isolates_ingress || policy->ingress.empty());
    RAMPART_MUST(policy->isolates_egress || policy->egress.empty());
    RAMPART_MUST(state.namespaces.contains(ObjectKey{"", policy->ns}));
  }
  for (const auto& [key, pod] : state.pods) {
    RAMPART_MUST(key == (ObjectKey{pod->ns, pod->name}));
    RAMPART_MUST(state.namespaces.contains(ObjectKey{"", pod->ns}));
  }

  const Evaluator evaluator(state);
  std::vector<IpAddress> addresses{IpAddress::v4(0x0a000001), IpAddress::v4(0x08080808)};
  for (const auto& [address, pods] : evaluator.pods_by_address()) {
    if (addresses.size() < 6) addresses.push_back(address);
  }
  for (const IpAddress& from : addresses) {
    for (const IpAddress& to : addresses) {
      if (from.family() != to.family()) continue;
      const Explanation e = evaluator.evaluate(from, to, 6, 80);
      RAMPART_MUST(e.allowed == (e.egress.allowed && e.ingress.allowed));
      RAMPART_MUST(!e.why.empty() && !e.egress.why.empty() && !e.ingress.why.empty());
      RAMPART_MUST(e.egress.isolated || e.egress.allowed);
      RAMPART_MUST(e.ingress.isolated || e.ingress.allowed);
    }
  }
}

void check(const Checked<Decoded>& decoded) {
  if (decoded) return check_state(decoded->state);
  RAMPART_MUST(!decoded.error().reason.empty());
  RAMPART_MUST(!decoded.error().text().empty());
}

}  // namespace
}  // namespace rampart::kube

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace rampart::kube;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (!text.starts_with(' ')) {
    check(decode_snapshot(text, kLimits));
    return 0;
  }
  static const ClusterState kBefore = decode_snapshot(kBase)->state;
  const std::string before = encode_snapshot(kBefore);
  check(apply_events(kBefore, text, kLimits));
  RAMPART_MUST(encode_snapshot(kBefore) == before);
  return 0;
}
