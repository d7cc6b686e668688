// SPDX-License-Identifier: Apache-2.0
#include <set>
#include <string>
#include <vector>

#include "tools/rampartctl/checking.hpp"
#include "tools/rampartctl/commands.hpp"
#include "tools/rampartctl/report.hpp"

// validate: files of objects, checked here, without a rampartd.
namespace rampart::ctl {
namespace {

int show_rules(Session& session) {
  if (session.format() == "sarif") {
    return session.fail_usage("--rules is table or json; SARIF holds the rules beside its results");
  }
  if (session.wants_json()) return session.print_json(rules_json());
  print_rules(session);
  return kDone;
}

}  // namespace

int run_validate(Session& session) {
  const Invocation& invocation = session.invocation();
  if (invocation.has("rules")) return show_rules(session);
  std::vector<std::string> paths = invocation.operands;
  for (const std::string& path : invocation.values("filename")) paths.push_back(path);
  if (paths.empty()) return session.fail_usage("validate wants FILE");
  std::set<lint::RuleId> ignored;
  for (const std::string& name : invocation.values("ignore")) {
    const lint::Rule* rule = lint::find_rule(name);
    if (rule != nullptr) ignored.insert(rule->rule);  // the command line takes no others
  }
  const auto files = read_sources(paths, session.console().in);
  if (!files) {
    session.fail(files.error());
    return kUsage;  // 1 is for findings: a pipeline must see that nothing was checked
  }
  const Report report = check_files(*files, ignored);
  const bool failed = report.count(lint::Severity::kError) > 0 ||
                      (invocation.has("strict") && report.count(lint::Severity::kWarning) > 0);
  int shown = kDone;
  if (session.wants_json()) {
    shown = session.print_json(report_json(*files, report));
  } else if (session.format() == "sarif") {
    shown = session.print_json(report_sarif(*files, report));
  } else {
    print_report(session, *files, report);
  }
  return failed ? kFailed : shown;
}

}  // namespace rampart::ctl
