// SPDX-License-Identifier: Apache-2.0
//
// docs/api.md against the documents: the examples there have the members that the answers have.
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "tests/unit/admin/admin_test.hpp"

namespace rampart::admin {
namespace {

std::string api_page() {
  std::ifstream file(std::string(RAMPART_SOURCE_DIR) + "/docs/api.md");
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// The JSON object that follows the first `heading` on the page.
Document example(const std::string& heading) {
  const std::string page = api_page();
  const size_t at = page.find(heading);
  if (at == std::string::npos) return "no such heading";
  const size_t begin = page.find('{', at);
  int depth = 0;
  for (size_t i = begin; i < page.size(); ++i) {
    depth += page[i] == '{' ? 1 : page[i] == '}' ? -1 : 0;
    if (depth == 0) return Document::parse(page.substr(begin, i + 1 - begin), nullptr, false);
  }
  return "no end";
}

/// The paths of all members; elements of lists count alike. `open`: what is below is not fixed
/// (labels, drop reasons).
void collect(const Document& value, const std::string& path, const std::set<std::string>& open,
             std::set<std::string>& out) {
  if (open.count(path) > 0) return;
  if (value.is_array()) {
    for (const auto& one : value) collect(one, path, open, out);
  }
  if (!value.is_object()) return;
  for (const auto& [name, inner] : value.items()) {
    out.insert(path + "/" + name);
    collect(inner, path + "/" + name, open, out);
  }
}

std::set<std::string> members(const Document& value, const std::set<std::string>& open = {}) {
  std::set<std::string> out;
  collect(value, "", open, out);
  return out;
}

TEST_F(AdminTest, TheDocumentsAreThoseOfTheContract) {
  const auto put = Document::parse(call("PUT", "/v1/snapshot", kCluster).body);
  EXPECT_EQ(members(example("PUT and PATCH (200")), members(put));
  EXPECT_EQ(members(example("`GET /v1/status`:")), members(get("/v1/status")));
  dataplane_.flows_now.emplace_back();
  EXPECT_EQ(members(example("`GET /v1/stats`:"), {"/ports/drops", "/total/drops"}),
            members(get("/v1/stats"), {"/ports/drops", "/total/drops"}));
  EXPECT_EQ(members(example("`GET /v1/endpoints`:"), {"/endpoints/labels"}),
            members(get("/v1/endpoints"), {"/endpoints/labels"}));
  EXPECT_EQ(members(example("`GET /v1/policies`:")), members(get("/v1/policies")));
  EXPECT_EQ(members(example("`GET /v1/flows`:")), members(get("/v1/flows")));
  EXPECT_EQ(members(example("`DELETE /v1/flows`:")),
            members(Document::parse(call("DELETE", "/v1/flows?all=true").body)));
  EXPECT_EQ(members(example("`GET /v1/reasons`:")), members(get("/v1/reasons")));
  EXPECT_EQ(members(example("`GET /v1/history`, the newest first:"), {"/revisions/changed"}),
            members(get("/v1/history"), {"/revisions/changed"}));
  const std::set<std::string> rules{"/egress/rule", "/ingress/rule"};
  EXPECT_EQ(members(example("`GET /v1/explain`:"), rules),
            members(get("/v1/explain?from=web/a&to=10.9.9.9&port=80"), rules));
  EXPECT_EQ(
      members(example("Problem document (")),
      members(Document::parse(
          call("PUT", "/v1/snapshot",
               R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"Bad"}})")
              .body)));
}

TEST_F(AdminTest, EveryCallOfThePageIsThere) {
  const std::string page = api_page();
  const std::regex row(R"(\n\| `(GET|PUT|PATCH|POST|DELETE) ([^`]+)`)");
  size_t calls = 0;
  for (std::sregex_iterator it(page.begin(), page.end(), row), end; it != end; ++it, ++calls) {
    const std::string path = std::regex_replace((*it)[2].str(), std::regex("NAME"), "a");
    EXPECT_NE(router_.find((*it)[1].str(), path).route, nullptr) << (*it)[0];
  }
  EXPECT_GE(calls, 14U);
}

TEST_F(AdminTest, WarningCodesOfThePage) {
  const std::string page = api_page();
  for (const char* code :
       {"unsupported-policy", "policy-fails-closed", "shared-address", "ambiguous-node-address",
        "not-stored", "no-snapshot", "tunnels", "mtu-differs", "overload", "syn-flood",
        "worker-silent", "worker-allocates"}) {
    EXPECT_NE(page.find("`" + std::string(code) + "`"), std::string::npos) << code;
  }
}

/// name{labels} -> value, with every rule of the text format that a parser would insist on.
std::map<std::string, double> parse_metrics(const std::string& text) {
  std::map<std::string, double> samples;
  std::set<std::string> families;
  std::string family, line;
  std::istringstream lines(text);
  const std::regex sample(
      R"re(([a-z_:][a-z0-9_:]*)(\{[a-z_]+="(?:[^"\\]|\\.)*"(?:,[a-z_]+="(?:[^"\\]|\\.)*")*\})? (\S+))re");
  while (std::getline(lines, line)) {
    if (line.starts_with("# HELP ")) {
      family = line.substr(7, line.find(' ', 7) - 7);
      EXPECT_TRUE(families.insert(family).second) << family << " stands there twice";
      continue;
    }
    if (line.starts_with("# TYPE ")) {
      const std::string type = line.substr(line.rfind(' ') + 1);
      EXPECT_EQ(line, "# TYPE " + family + " " + type);
      EXPECT_EQ(type == "counter", family.ends_with("_total")) << family;
      continue;
    }
    std::smatch match;
    EXPECT_TRUE(std::regex_match(line, match, sample)) << line;
    EXPECT_EQ(match[1], family) << line;
    EXPECT_TRUE(samples.emplace(match[1].str() + match[2].str(), std::stod(match[3])).second)
        << line;
  }
  return samples;
}

TEST_F(AdminTest, MetricsInTextFormat) {
  put_cluster();
  dataplane_.status_now.ports[1].name = "odd\"name\\";
  dataplane_.status_now.ports[0].counters.received = uint64_t{1} << 60;
  dataplane_.status_now.ports[0].counters.drops[1] = 7;
  dataplane_.status_now.workers[1].flow_hits = 5;
  const auto response = call("GET", "/metrics");
  EXPECT_EQ(response.content_type, "text/plain; version=0.0.4; charset=utf-8");
  const auto m = parse_metrics(response.body);
  EXPECT_EQ(m.at("rampart_build_info{version=\"9.8.7\"}"), 1);
  EXPECT_EQ(m.at("rampart_revision"), 1);
  EXPECT_EQ(m.at("rampart_revision_stored"), 1);
  EXPECT_EQ(m.at("rampart_objects{kind=\"pods\"}"), 8);
  EXPECT_EQ(m.at("rampart_warnings{code=\"unsupported-policy\"}"), 1);
  EXPECT_EQ(m.at("rampart_warnings{code=\"not-stored\"}"), 0);
  EXPECT_EQ(m.at("rampart_policy_fails_closed{object=\"NetworkPolicy web/future\"}"), 1);
  EXPECT_EQ(m.at("rampart_port_received_packets_total{port=\"a\"}"), std::ldexp(1.0, 60));
  EXPECT_EQ(m.at("rampart_port_dropped_packets_total{port=\"a\",reason=\"runt\"}"), 7);
  EXPECT_EQ(m.at("rampart_port_dropped_packets_total{port=\"odd\\\"name\\\\\",reason=\"runt\"}"),
            0);
  EXPECT_EQ(m.at("rampart_port_rss_info{port=\"a\",function=\"toeplitz\",key=\"symmetric\"}"), 1);
  EXPECT_EQ(m.at("rampart_worker_handed_over_packets_total{worker=\"0\"}"), 8);
  EXPECT_EQ(m.at("rampart_worker_held_back_total{worker=\"0\"}"), 9);
  EXPECT_EQ(m.at("rampart_worker_flow_hits_total{worker=\"1\"}"), 5);
  EXPECT_EQ(m.at("rampart_start_time_seconds"), 1767225600);
}

TEST_F(AdminTest, MetricsBeforeTheFirstSnapshot) {
  const auto m = parse_metrics(call("GET", "/metrics").body);
  EXPECT_EQ(m.at("rampart_revision"), 0);
  EXPECT_EQ(m.at("rampart_rules"), 0);
}

}  // namespace
}  // namespace rampart::admin
