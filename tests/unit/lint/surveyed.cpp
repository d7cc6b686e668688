// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/lint/surveyed.hpp"

#include <sstream>
#include <stdexcept>

#include "control/kube/survey.hpp"
#include "tools/rampartctl/yaml_json.hpp"

namespace rampart::lint {

const std::string kCluster = R"(---
{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {team: a}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: monitoring}}
---
apiVersion: v1
kind: Pod
metadata: {name: web-0, namespace: shop, labels: {app: web, tier: front}}
spec: {containers: [{name: c, ports: [{name: http, containerPort: 8080}]}]}
---
{apiVersion: v1, kind: Pod, metadata: {name: db-0, namespace: shop, labels: {app: db}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: p-0, namespace: monitoring, labels: {app: prometheus}}}
)";

kube::Survey survey_of(const std::string& yaml) {
  const auto documents = ctl::yaml_to_json(yaml);
  if (!documents) throw std::runtime_error(documents.error().text());
  kube::Surveyor surveyor;
  for (size_t i = 0; i < documents->size(); ++i) surveyor.add((*documents)[i].json, i);
  return std::move(surveyor).finish();
}

std::vector<Finding> findings_in(const std::string& yaml) {
  return examine(survey_of(yaml));
}

std::vector<std::string> said_of(const std::string& yaml) {
  std::vector<std::string> said;
  for (const Finding& finding : findings_in(yaml)) {
    said.push_back(std::string(rule(finding.rule).id) + " " + finding.path);
  }
  return said;
}

std::string policy(const std::string& name, const std::string& spec) {
  std::string text =
      "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: " + name +
      ", namespace: shop}\nspec:\n";
  std::istringstream lines(spec);
  for (std::string line; std::getline(lines, line);) text += "  " + line + "\n";
  return text;
}

}  // namespace rampart::lint
