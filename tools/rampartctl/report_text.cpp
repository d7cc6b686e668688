// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>

#include "tools/rampartctl/report.hpp"

namespace rampart::ctl {
namespace {

constexpr size_t kLongestLine = 200;  // bytes shown of a line of the input

std::string_view line_of(std::string_view text, size_t at) {
  const size_t newline = at == 0 ? std::string_view::npos : text.rfind('\n', at - 1);
  const size_t begin = newline == std::string_view::npos ? 0 : newline + 1;
  std::string_view line = text.substr(begin, std::min(text.find('\n', at), text.size()) - begin);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::string place_text(const std::vector<SourceFile>& files, const Span& span) {
  const SourceFile& file = files[span.file];
  return file.name + ":" + place_in(file.text, span.begin).text();
}

/// The line of the finding, and a mark under what it is about.
void print_excerpt(Session& session, const SourceFile& file, const Span& span) {
  const std::string_view line = line_of(file.text, span.begin);
  const TextPlace place = place_in(file.text, span.begin);
  if (line.empty() || line.size() > kLongestLine) return;
  const std::string number = std::to_string(place.line);
  const std::string margin(std::max<size_t>(6, number.size()) - number.size(), ' ');
  const auto begin = static_cast<size_t>(file.text.data() + span.begin - line.data());
  const size_t length = std::min(span.end, span.begin + line.size() - begin) - span.begin;
  const size_t marked = std::max<size_t>(1, display_width(printable(line.substr(begin, length))));
  session.out() << margin << session.style(number + " |", Style::kDim) << ' ' << printable(line)
                << '\n'
                << std::string(std::max<size_t>(6, number.size()) + 1, ' ')
                << session.style("|", Style::kDim) << ' '
                << std::string(display_width(printable(line.substr(0, begin))), ' ')
                << session.style("^" + std::string(marked - 1, '~'), Style::kGood) << '\n';
}

void print_remark(Session& session, const std::vector<SourceFile>& files, const Remark& remark) {
  const lint::Finding& finding = remark.finding;
  const lint::Rule& rule = lint::rule(finding.rule);
  const Style style = rule.severity == lint::Severity::kError ? Style::kBad : Style::kWarning;
  session.out() << session.style(printable(place_text(files, remark.span)) + ":", Style::kBold)
                << ' ' << session.style(std::string(lint::to_string(rule.severity)) + ":", style)
                << ' ' << printable(finding.message) << ' '
                << session.style("[" + std::string(rule.id) + "]", Style::kDim) << '\n';
  print_excerpt(session, files[remark.span.file], remark.span);
  const auto say = [&](std::string_view what, const std::string& text) {
    session.out() << "       " << session.style(what, Style::kDim) << ' ' << printable(text)
                  << '\n';
  };
  if (!finding.object.empty()) {
    say("in:", finding.object + (finding.path.empty() ? "" : ", " + finding.path));
  }
  if (remark.related) {
    say("see:", place_text(files, *remark.related) + ", " + finding.related->message);
  }
  if (!finding.hint.empty()) say("hint:", finding.hint);
}

}  // namespace

std::vector<std::string> reservations(const Report& report) {
  std::vector<std::string> said;
  if (report.policies > 0 && (report.blind.pods || report.blind.namespaces)) {
    const bool both = report.blind.pods && report.blind.namespaces;
    said.push_back(
        both
            ? "the input holds neither pods (or workloads) nor Namespaces: whether selectors match "
              "any was not judged"
        : report.blind.pods
            ? "the input holds no pods or workloads: whether selectors match any was not judged"
            : "the input holds no Namespaces: whether namespaceSelectors match any was not judged");
  }
  if (report.nameless > 0) {
    said.push_back(counted(report.nameless, "document") +
                   " without apiVersion and kind passed over");
  }
  std::string kinds;
  for (const kube::SkippedKind& kind : report.skipped) {
    kinds += (kinds.empty() ? "" : ", ") + std::to_string(kind.count) + " " + kind.kind;
  }
  if (!kinds.empty()) said.push_back("not looked at: " + kinds);
  return said;
}

void print_report(Session& session, const std::vector<SourceFile>& files, const Report& report) {
  for (const Remark& remark : report.remarks) print_remark(session, files, remark);
  for (const Mended& mended : report.mended) {
    session.out() << '\n'
                  << session.style(printable(place_text(files, mended.document)) + ":",
                                   Style::kBold)
                  << ' ' << session.style("mended:", Style::kGood) << ' '
                  << printable(mended.object)
                  << (mended.clean ? "" : " (warnings remain that only you can judge)") << '\n';
    std::string_view rest = mended.text;
    while (!rest.empty()) {
      const size_t end = std::min(rest.find('\n'), rest.size());
      session.out() << "    " << printable(rest.substr(0, end)) << '\n';
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  if (!report.remarks.empty()) session.out() << '\n';
  const size_t errors = report.count(lint::Severity::kError);
  const size_t warnings = report.count(lint::Severity::kWarning);
  const std::string what = counted(report.policies, "policy") + " among " +
                           counted(report.objects, "object") + " of " +
                           counted(files.size(), "file");
  if (report.remarks.empty()) {
    session.out() << session.style("clean:", Style::kGood) << ' ' << what << '\n';
  } else {
    session.out() << session.style(counted(errors, "error"),
                                   errors > 0 ? Style::kBad : Style::kPlain)
                  << ", " << counted(warnings, "warning") << ": " << what << '\n';
  }
  session.out().flush();
  for (const std::string& reservation : reservations(report)) session.note("note: " + reservation);
}

void print_rules(Session& session) {
  Table table({{"RULE"}, {"SEVERITY"}, {"MEANING"}});
  for (const lint::Rule& rule : lint::rules()) {
    const bool error = rule.severity == lint::Severity::kError;
    table.add({std::string(rule.id),
               {std::string(lint::to_string(rule.severity)), error ? Style::kBad : Style::kWarning},
               std::string(rule.meaning)});
  }
  session.print(table);
}

std::string rules_markdown() {
  std::string out = "| rule | severity | meaning |\n| --- | --- | --- |\n";
  for (const lint::Rule& rule : lint::rules()) {
    out += "| `" + std::string(rule.id) + "` | " + std::string(lint::to_string(rule.severity)) +
           " | " + std::string(rule.meaning) + ". " + std::string(rule.help) + " |\n";
  }
  return out;
}

}  // namespace rampart::ctl
