// SPDX-License-Identifier: Apache-2.0
//
// What an API server would refuse, in the parts of which a problem document is made: whose fault it
// is (kind, object), where it lies (field), and why.
#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "control/kube/decode.hpp"
#include "control/kube/events.hpp"

namespace rampart::kube {
namespace {

std::string list(const std::string& items) {
  return R"({"apiVersion":"v1","kind":"List","items":[)" + items + "]}";
}

std::string event(const std::string& type, const std::string& object) {
  return R"({"type":")" + type + R"(","object":)" + object + "}\n";
}

/// "KIND OBJECT | FIELD | REASON", or "accepted".
template <typename T>
std::string said(const Checked<T>& decoded) {
  if (decoded) return "accepted";
  const Refusal& r = decoded.error();
  return r.kind + " " + r.object + " | " + r.field + " | " + r.reason;
}

struct Bad {
  std::string object, refusal;
};

void PrintTo(const Bad& bad, std::ostream* out) {
  *out << bad.object;
}

class Objects : public ::testing::TestWithParam<Bad> {};

TEST_P(Objects, AreRefusedByKindNameFieldAndReason) {
  const std::string good =
      R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"good","namespace":"web"}},)";
  EXPECT_EQ(said(decode_snapshot(list(good + GetParam().object))), GetParam().refusal);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, Objects,
    ::testing::Values(
        Bad{R"({"apiVersion":"networking.k8s.io/v1","kind":"Networkpolicy","metadata":{"name":"p"}})",
            "Networkpolicy p | kind | is not known; NetworkPolicy is"},
        Bad{R"({"apiVersion":"v1","kind":"pod","metadata":{"name":"p","namespace":"web"}})",
            "pod web/p | kind | is not known; Pod is"},
        Bad{R"({"apiVersion":"v1","kind":"namespace","metadata":{"name":"p"}})",
            "namespace p | kind | is not known; Namespace is"},
        Bad{R"({"apiVersion":"v1","kind":"NODE","metadata":{"name":"p"}})",
            "NODE p | kind | is not known; Node is"},
        Bad{R"({"apiVersion":"v1","kind":"NetworkPolicy","metadata":{"name":"p"}})",
            "NetworkPolicy p | apiVersion | is not known for a policy; "
            "NetworkPolicy's is networking.k8s.io/v1"},
        Bad{R"({"apiVersion":"v2","kind":"Pod","metadata":{"name":"p"}})",
            "Pod p | apiVersion | is not known; the core group's is v1"},
        Bad{R"({"apiVersion":"example.com/v1","kind":"pod","metadata":{"name":"p"}})", "accepted"},
        Bad{R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"p"}})",
            "accepted"}));

INSTANTIATE_TEST_SUITE_P(
    Headers, Objects,
    ::testing::Values(
        Bad{R"({"kind":"Pod","metadata":{"name":"p","namespace":"web"}})",
            "Pod web/p | apiVersion | is required"},
        Bad{R"({"apiVersion":"","kind":"Pod","metadata":{"name":"p"}})",
            "Pod p | apiVersion | is required"},
        Bad{R"({"apiVersion":1,"kind":"Pod","metadata":{"name":"p"}})",
            "Pod p | apiVersion | must be a string, not an integer"},
        Bad{R"({"apiVersion":"v1","metadata":{"name":"p"}})", " p | kind | is required"},
        Bad{R"({"apiVersion":"v1","kind":["Pod"]})",
            " items[1] | kind | must be a string, not a list"},
        Bad{R"({"apiVersion":"v1","kind":"Pod","metadata":7})",
            "Pod items[1] | metadata | must be an object, not an integer"},
        Bad{R"({"apiVersion":"v1","kind":"Pod"})", "Pod items[1] | metadata.name | is required"},
        Bad{R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":{},"namespace":"web"}})",
            "Pod items[1] | metadata.name | must be a string, not an object"},
        Bad{R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":1}})",
            "Pod p | metadata.namespace | must be a string, not an integer"},
        Bad{R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{},"spec":{}})",
            "Pod p | spec | stands there twice"},
        Bad{R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"metadata":null})",
            "Pod p | metadata | stands there twice"},
        Bad{"null", " items[1] |  | must be an object, not null"}));

std::string pod(const std::string& metadata, const std::string& more) {
  return R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"web")" + metadata +
         "}" + more + "}";
}

INSTANTIATE_TEST_SUITE_P(
    PodsAndNodes, Objects,
    ::testing::Values(
        Bad{R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"P_","namespace":"web"}})",
            "Pod web/P_ | metadata.name | 'P_' must consist of lower case alphanumeric characters, "
            "'-' or '.', and each part must start and end with an alphanumeric character"},
        Bad{R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"a.b"}})",
            "Namespace a.b | metadata.name | 'a.b' must consist of lower case alphanumeric "
            "characters or '-', and start and end with an alphanumeric character"},
        Bad{R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":")" + std::string(64, 'a') +
                R"("}})",
            "Namespace " + std::string(64, 'a') + " | metadata.name | '" + std::string(64, 'a') +
                "' must be no more than 63 characters"},
        Bad{R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"good","namespace":"web"}})",
            "Pod web/good |  | stands in the list twice"},
        Bad{pod(R"(,"labels":{"a":1})", ""),
            "Pod web/p | metadata.labels[a] | must be a string, not an integer"},
        Bad{pod(R"(,"labels":{"a":"-"})", ""),
            "Pod web/p | metadata.labels[a] | '-' must be empty or consist of alphanumeric "
            "characters, '-', '_' or '.', and start and end with an alphanumeric character"},
        Bad{pod(R"(,"labels":{"a":"1","a":"1"})", ""),
            "Pod web/p | metadata.labels[a] | stands there twice"},
        Bad{pod(R"(,"labels":{"x/y/z":""})", ""),
            "Pod web/p | metadata.labels[x/y/z] | 'x/y/z' must be a name of alphanumeric "
            "characters, '-', '_' or '.', that starts and ends with an alphanumeric character, "
            "with "
            "an optional DNS subdomain and '/' before it"},
        Bad{pod("", R"(,"spec":{"hostNetwork":"yes"})"),
            "Pod web/p | spec.hostNetwork | must be a boolean, not a string"},
        Bad{pod("", R"(,"spec":{"containers":[{"ports":[{"name":"http"}]}]})"),
            "Pod web/p | spec.containers[0].ports[0].containerPort | is required"},
        Bad{pod("", R"(,"spec":{"containers":[{},{"ports":[{"containerPort":0}]}]})"),
            "Pod web/p | spec.containers[1].ports[0].containerPort | must be between 1 and 65535"},
        Bad{pod("", R"(,"spec":{"containers":[{"ports":[{"containerPort":1,"protocol":"udp"}]}]})"),
            "Pod web/p | spec.containers[0].ports[0].protocol | must be TCP, UDP or SCTP"},
        Bad{pod("", R"(,"status":{"podIP":"10.0.0.256"})"),
            "Pod web/p | status.podIP | '10.0.0.256' is not an IP address"},
        Bad{pod("", R"(,"status":{"podIPs":[{"ip":"10.0.0.1"},{"ip":"10.0.0.1/32"}]})"),
            "Pod web/p | status.podIPs[1].ip | '10.0.0.1/32' is not an IP address"},
        Bad{pod("", R"(,"status":{"podIPs":{"ip":"10.0.0.1"}})"),
            "Pod web/p | status.podIPs | must be a list, not an object"},
        Bad{pod("", R"(,"status":{"hostIP":"node-1"})"),
            "Pod web/p | status.hostIP | 'node-1' is not an IP address"},
        Bad{R"({"apiVersion":"v1","kind":"Node","metadata":{"name":"n"},"status":{"addresses":[
               {"type":"Hostname","address":"n"},{"type":"InternalIP","address":"n"}]}})",
            "Node n | status.addresses[1].address | 'n' is not an IP address"}));

struct BadSpec {
  std::string spec, field, reason;
};

void PrintTo(const BadSpec& bad, std::ostream* out) {
  *out << bad.spec;
}

class Policies : public ::testing::TestWithParam<BadSpec> {};

/// `spec`: what stands between its braces.
std::string policy(const std::string& spec) {
  return R"({"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy",)"
         R"("metadata":{"name":"p","namespace":"web"},"spec":{)" +
         spec + "}}";
}

TEST_P(Policies, AreRefusedByFieldAndReason) {
  const BadSpec& bad = GetParam();
  const std::string expected = " | spec." + bad.field + " | " + bad.reason;
  EXPECT_EQ(said(decode_snapshot(list(policy(bad.spec)))), "NetworkPolicy web/p" + expected);
  EXPECT_EQ(said(apply_events({}, event("MODIFIED", policy(bad.spec)), {})),
            "NetworkPolicy web/p (line 1)" + expected);
}

std::string from(const std::string& peer) {
  return R"("podSelector":{},"ingress":[{"from":[)" + peer + "]}]";
}

std::string ports(const std::string& port) {
  return R"("podSelector":{},"egress":[{"ports":[{"port":1},)" + port + "]}]";
}

std::string expression(const std::string& members) {
  return R"("podSelector":{"matchExpressions":[{)" + members + "}]}";
}

constexpr const char* kCannot = "is not a CIDR block: ";

INSTANTIATE_TEST_SUITE_P(
    Peers, Policies,
    ::testing::Values(
        // Never read as "all".
        BadSpec{from("{}"), "ingress[0].from[0]",
                "must hold a podSelector, a namespaceSelector or an ipBlock"},
        BadSpec{from(R"({"podSelector":null})"), "ingress[0].from[0]",
                "must hold a podSelector, a namespaceSelector or an ipBlock"},
        BadSpec{from("null"), "ingress[0].from[0]", "must be an object, not null"},
        BadSpec{R"("ingress":[null])", "ingress[0]", "must be an object, not null"},
        BadSpec{R"("ingress":{})", "ingress", "must be a list, not an object"},
        BadSpec{from(R"({"podSelector":{},"ipBlock":{"cidr":"10.0.0.0/8"}})"), "ingress[0].from[0]",
                "must not hold both an ipBlock and a selector"},
        BadSpec{from(R"({"ipBlock":{}})"), "ingress[0].from[0].ipBlock.cidr", "is required"},
        BadSpec{from(R"({"ipBlock":{"cidr":"10.0.0.1"}})"), "ingress[0].from[0].ipBlock.cidr",
                std::string("'10.0.0.1' ") + kCannot + "there is no '/LENGTH'"},
        BadSpec{from(R"({"ipBlock":{"cidr":"10.0.0.0/33"}})"), "ingress[0].from[0].ipBlock.cidr",
                std::string("'10.0.0.0/33' ") + kCannot + "the length is too large for the family"},
        BadSpec{from(R"({"ipBlock":{"cidr":"::/-1"}})"), "ingress[0].from[0].ipBlock.cidr",
                std::string("'::/-1' ") + kCannot + "the length is not a number"},
        BadSpec{from(R"({"ipBlock":{"cidr":"10.0.0/8"}})"), "ingress[0].from[0].ipBlock.cidr",
                std::string("'10.0.0/8' ") + kCannot + "the address cannot be read"},
        BadSpec{from(R"({"ipBlock":{"cidr":"10.0.0.0/8","except":["10.1.0.0/16","10.0.0.0/8"]}})"),
                "ingress[0].from[0].ipBlock.except[1]",
                "must be a strict subset of cidr (10.0.0.0/8)"},
        BadSpec{from(R"({"ipBlock":{"cidr":"10.0.0.0/8","except":["11.0.0.0/16"]}})"),
                "ingress[0].from[0].ipBlock.except[0]",
                "must be a strict subset of cidr (10.0.0.0/8)"},
        BadSpec{from(R"({"ipBlock":{"cidr":"0.0.0.0/0","except":["fd00::/8"]}})"),
                "ingress[0].from[0].ipBlock.except[0]",
                "must be a strict subset of cidr (0.0.0.0/0)"}));

INSTANTIATE_TEST_SUITE_P(
    Ports, Policies,
    ::testing::Values(
        BadSpec{ports("null"), "egress[0].ports[1]", "must be an object, not null"},
        BadSpec{ports(R"({"port":0})"), "egress[0].ports[1].port", "must be between 1 and 65535"},
        BadSpec{ports(R"({"port":65536})"), "egress[0].ports[1].port",
                "must be between 1 and 65535"},
        BadSpec{ports(R"({"port":18446744073709551615})"), "egress[0].ports[1].port",
                "is too large"},
        BadSpec{ports(R"({"port":80.5})"), "egress[0].ports[1].port",
                "must be an integer or a string"},
        BadSpec{ports(R"({"port":"80"})"), "egress[0].ports[1].port",
                "'80' must contain at least one letter"},
        BadSpec{
            ports(R"({"port":""})"), "egress[0].ports[1].port",
            "'' must consist of lower case alphanumeric characters or '-', and not start or end "
            "with '-'"},
        BadSpec{ports(R"({"port":"a--b"})"), "egress[0].ports[1].port",
                "'a--b' must not contain two '-' in a row"},
        BadSpec{ports(R"({"port":"abcdefghijklmnop"})"), "egress[0].ports[1].port",
                "'abcdefghijklmnop' must be no more than 15 characters"},
        BadSpec{ports(R"({"port":1,"protocol":"tcp"})"), "egress[0].ports[1].protocol",
                "must be TCP, UDP or SCTP"},
        BadSpec{ports(R"({"port":1,"protocol":""})"), "egress[0].ports[1].protocol",
                "must be TCP, UDP or SCTP"},
        BadSpec{ports(R"({"endPort":90})"), "egress[0].ports[1].port", "is required with endPort"},
        BadSpec{ports(R"({"port":"http","endPort":90})"), "egress[0].ports[1].endPort",
                "must not stand beside a named port"},
        BadSpec{ports(R"({"port":91,"endPort":90})"), "egress[0].ports[1].endPort",
                "must not be below port (91)"},
        BadSpec{ports(R"({"port":1,"endPort":65536})"), "egress[0].ports[1].endPort",
                "must be between 1 and 65535"}));

INSTANTIATE_TEST_SUITE_P(
    SelectorsAndTypes, Policies,
    ::testing::Values(
        BadSpec{R"("podSelector":[])", "podSelector", "must be an object, not a list"},
        BadSpec{R"("podSelector":{"matchLabels":{"a":null}})", "podSelector.matchLabels[a]",
                "must be a string, not null"},
        BadSpec{R"("podSelector":{"matchLabels":{"a":"b","a":"c"}})", "podSelector.matchLabels[a]",
                "stands there twice"},
        BadSpec{R"("podSelector":{"matchLabels":{"/a":""}})", "podSelector.matchLabels[/a]",
                "the prefix of '/a': '' must consist of lower case alphanumeric characters, '-' or "
                "'.', and each part must start and end with an alphanumeric character"},
        BadSpec{expression(R"("key":"a","operator":"Gt","values":["1"])"),
                "podSelector.matchExpressions[0].operator",
                "must be In, NotIn, Exists or DoesNotExist"},
        BadSpec{expression(R"("key":"a")"), "podSelector.matchExpressions[0].operator",
                "must be In, NotIn, Exists or DoesNotExist"},
        BadSpec{
            expression(R"("operator":"Exists")"), "podSelector.matchExpressions[0].key",
            "'' must be a name of alphanumeric characters, '-', '_' or '.', that starts and ends "
            "with an alphanumeric character, with an optional DNS subdomain and '/' before it"},
        BadSpec{expression(R"("key":"a","operator":"NotIn")"),
                "podSelector.matchExpressions[0].values",
                "must not be empty with operator In or NotIn"},
        BadSpec{expression(R"("key":"a","operator":"DoesNotExist","values":["b"])"),
                "podSelector.matchExpressions[0].values",
                "must be empty with operator Exists or DoesNotExist"},
        BadSpec{expression(R"("key":"a","operator":"In","values":["b","c d"])"),
                "podSelector.matchExpressions[0].values[1]",
                "'c d' must be empty or consist of alphanumeric characters, '-', '_' or '.', and "
                "start and end with an alphanumeric character"},
        BadSpec{R"("policyTypes":["Ingress","ingress"])", "policyTypes[1]",
                "must be Ingress or Egress"},
        BadSpec{R"("policyTypes":"Egress")", "policyTypes", "must be a list, not a string"},
        BadSpec{R"("policyTypes":["Egress","Egress","Egress"])", "policyTypes",
                "must hold no more than two entries"}));

TEST(Snapshots, ThatAreNoDesiredState) {
  const struct {
    std::string json, refusal;
  } cases[] = {
      {"[]", "  |  | must be an object, not a list"},
      {R"({"apiVersion":"v1","kind":"List"})", "List  | items | is required"},
      {R"({"apiVersion":"v1","kind":"PodList"})", "PodList  | items | is required"},
      {R"({"apiVersion":"v1","kind":"List","items":{}})",
       "List  | items | must be a list, not an object"},
      {R"({"apiVersion":"v1","kind":"List","metadata":{"continue":"x"},"items":[]})",
       "List  | metadata.continue | the list is incomplete: it has more pages"},
      {R"({"apiVersion":"v1","kind":"Status","message":"no"})",
       "Status  | kind | an API server's error answer is no desired state"},
      {R"({"apiVersion":"v1","kind":"ConfigMap"})",
       "ConfigMap  | kind | alone is no desired state"},
      {R"({"apiVersion":"v1","kind":"ConfigMapList","items":[]})",
       "ConfigMapList  | kind | alone is no desired state"},
      {list(R"({"apiVersion":"v1","kind":"PodList","items":[{}]})"),
       "Pod items[0].items[0] | metadata.name | is required"},
  };
  for (const auto& one : cases) EXPECT_EQ(said(decode_snapshot(one.json)), one.refusal);
}

TEST(Snapshots, HaveLimits) {
  const std::string two = list(pod("", "") + "," + policy(""));
  EXPECT_EQ(said(decode_snapshot(two, {.objects = 1})),
            "NetworkPolicy web/p |  | more than 1 objects");
  EXPECT_EQ(decode_snapshot(two, {.objects = 1}).error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(said(decode_snapshot(two, {.objects = 2})), "accepted");
  EXPECT_EQ(decode_snapshot(two, {.bytes = two.size() - 1}).error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(said(decode_snapshot(two, {.bytes = two.size()})), "accepted");
  EXPECT_EQ(said(decode_snapshot(two, {.depth = 3})),
            " items[0] |  | the JSON is nested deeper than 3 levels");
}

TEST(Events, SayWhatIsWrongWithThem) {
  EXPECT_EQ(said(apply_events({}, "{}", {})), " line 1 | type | is required");
  EXPECT_EQ(said(apply_events({}, R"({"type":"SYNC"})", {})),
            " line 1 | type | must be ADDED, MODIFIED, DELETED, BOOKMARK or ERROR");
  EXPECT_EQ(said(apply_events({}, R"({"type":"ADDED","object":null})", {})),
            " line 1 | object | is required");
  EXPECT_EQ(
      said(apply_events(
          {}, "\n" + event("BOOKMARK", "7") + event("ERROR", R"({"message":"too old"})"), {})),
      " line 3 | type | the watch failed: too old");
  EXPECT_EQ(said(apply_events({}, event("ADDED", pod("", "")) + "{", {})).substr(0, 10),
            " line 2 | ");
  EXPECT_EQ(said(apply_events({}, event("BOOKMARK", "{}"), {})), "accepted");
}

TEST(Events, CarryOneObjectEach) {
  const ClusterState nothing;
  for (const char* object :
       {R"({"apiVersion":"v1","kind":"List","items":[]})",
        R"({"apiVersion":"v1","kind":"PodList","items":[{"metadata":{"name":"a"}}]})",
        R"({"apiVersion":"v1","kind":"PodList"})",
        R"({"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicyList","items":[]})",
        R"({"apiVersion":"v1","kind":"ConfigMapList","items":[]})",
        R"({"apiVersion":"v1","kind":"Status"})"}) {
    for (const char* type : {"ADDED", "DELETED"}) {
      const auto applied = apply_events(nothing, event(type, object), {});
      ASSERT_FALSE(applied) << object;
      EXPECT_EQ(applied.error().reason, "an event carries one object") << object;
      EXPECT_EQ(applied.error().object, "line 1");
    }
  }
  const auto twin = apply_events(
      nothing, event("ADDED", R"({"apiVersion":"x.io/v1","kind":"AccessList","metadata":{}})"), {});
  EXPECT_TRUE(twin) << "a kind that only sounds like one";
}

TEST(Events, DoNotRemoveWhatIsMisspelt) {
  const auto applied = apply_events(
      {}, event("DELETED", R"({"apiVersion":"v1","kind":"pod","metadata":{"name":"p"}})"), {});
  EXPECT_EQ(said(applied), "pod p (line 1) | kind | is not known; Pod is");
}

}  // namespace
}  // namespace rampart::kube
