// SPDX-License-Identifier: Apache-2.0
#include "tools/rampartctl/checking.hpp"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "control/kube/survey.hpp"

namespace rampart::ctl {
namespace {

using kube::Surveyor;

/// Documents that are one input: of them selectors, names and rules are compared.
using Group = std::vector<size_t>;

std::vector<Group> groups_of(const Sources& sources) {
  std::map<std::pair<size_t, size_t>, Group> found;
  for (size_t i = 0; i < sources.documents.size(); ++i) {
    const SourceDocument& document = sources.documents[i];
    const bool own = document.block > 0;
    found[own ? std::pair{document.file, document.block} : std::pair<size_t, size_t>{}].push_back(
        i);
  }
  std::vector<Group> groups;
  groups.reserve(found.size());
  for (auto& [key, group] : found) groups.push_back(std::move(group));
  return groups;
}

/// One document on its own: how many things an API server has against it.
size_t problems_of(const std::string& json, Surveyor::Nameless nameless) {
  Surveyor surveyor;
  surveyor.add(json, 0, nameless);
  return std::move(surveyor).finish().problems.size();
}

class Checker {
 public:
  Checker(const std::vector<SourceFile>& files, const std::set<lint::RuleId>& ignored)
      : files_(files), ignored_(ignored) {
    for (size_t file = 0; file < files.size(); ++file) split_source(files, file, sources_);
  }

  Report run() {
    for (const SourceFault& fault : sources_.faults) add_fault(fault);
    const auto groups = groups_of(sources_);
    report_.blind = {true, true};
    for (const Group& group : groups) check_group(group);
    std::stable_sort(
        report_.remarks.begin(), report_.remarks.end(), [](const Remark& a, const Remark& b) {
          return std::tie(a.span.file, a.span.begin) < std::tie(b.span.file, b.span.begin);
        });
    return std::move(report_);
  }
  const Sources& sources() const { return sources_; }

 private:
  void add_fault(const SourceFault& fault) {
    Remark remark;
    remark.finding.rule = fault.twin ? lint::RuleId::kDuplicateKey : lint::RuleId::kSyntax;
    if (ignored_.count(remark.finding.rule) > 0) return;
    remark.finding.message = fault.why;
    remark.finding.place.document = kNoDocument;
    const std::string& text = files_[fault.file].text;
    remark.span = {fault.file, fault.offset,
                   fault.offset < text.size() ? token_end(text, fault.offset) : text.size()};
    report_.remarks.push_back(std::move(remark));
  }

  Surveyor::Nameless nameless(const SourceDocument& document) const {
    const bool object_wanted = files_[document.file].asked && document.block == 0;
    return object_wanted ? Surveyor::Nameless::kRefuse : Surveyor::Nameless::kSkip;
  }

  void check_group(const Group& group) {
    Surveyor surveyor;
    for (const size_t i : group) {
      const SourceDocument& document = sources_.documents[i];
      surveyor.add(document.json, i, nameless(document));
    }
    const kube::Survey survey = std::move(surveyor).finish();
    report_.objects += survey.objects;
    report_.policies += survey.policies.size();
    report_.nameless += survey.nameless;
    for (const kube::SkippedKind& kind : survey.skipped) {
      const auto known = std::find_if(report_.skipped.begin(), report_.skipped.end(),
                                      [&](const auto& one) { return one.kind == kind.kind; });
      if (known == report_.skipped.end()) {
        report_.skipped.push_back(kind);
      } else {
        known->count += kind.count;
      }
    }
    const lint::Blind blind = lint::blind_spots(survey);
    report_.blind.pods = report_.blind.pods && blind.pods;
    report_.blind.namespaces = report_.blind.namespaces && blind.namespaces;
    for (lint::Finding& finding : lint::examine(survey)) {
      if (ignored_.count(finding.rule) == 0) add(std::move(finding));
    }
  }

  void add(lint::Finding finding) {
    const SourceDocument& document = sources_.documents[finding.place.document];
    const DocumentTree& tree = tree_for(finding.place.document);
    Remark remark;
    remark.span = span_of(finding.place, finding.path);
    if (finding.related) {
      remark.related = span_of(finding.related->place, finding.related->path);
    }
    if (finding.mend) {
      const std::string& text = files_[document.file].text;
      auto edits = edits_for(*finding.mend, finding.place.path, text, document, tree);
      if (!edits.empty() && improves(document, edits)) remark.edits = std::move(edits);
    }
    remark.finding = std::move(finding);
    report_.remarks.push_back(std::move(remark));
  }

  const DocumentTree& tree_for(size_t document) {
    const auto known = trees_.find(document);
    if (known != trees_.end()) return known->second;
    const SourceDocument& source = sources_.documents[document];
    return trees_.emplace(document, tree_of(files_[source.file].text, source)).first->second;
  }

  Span span_of(const kube::ObjectPlace& place, const std::string& path) {
    const SourceDocument& document = sources_.documents[place.document];
    const DocumentTree& tree = tree_for(place.document);
    const std::string& text = files_[document.file].text;
    std::string full = place.path;
    if (!path.empty()) full += full.empty() || path.starts_with('[') ? path : "." + path;
    const Found found = find_path(*tree.tree.root, full);
    const TreeNode& first = found.key != nullptr ? *found.key : *found.value;
    const size_t begin = tree.begin + static_cast<size_t>(first.mark.pos);
    size_t end = token_end(text, begin);
    // A scalar in the same line as its key belongs to what is shown.
    const size_t value = tree.begin + static_cast<size_t>(found.value->mark.pos);
    const bool scalar = found.value->kind == TreeNode::Kind::kScalar && !found.value->text.empty();
    if (scalar && value > begin && text.find('\n', begin) > value) end = token_end(text, value);
    return {document.file, begin, end};
  }

  /// Whether the document with these edits can still be read, and says no more that is wrong.
  bool improves(const SourceDocument& document, const std::vector<Edit>& edits) const {
    std::vector<SourceFile> files{files_[document.file]};
    files.front().text = edited(files.front().text, edits);
    Sources after;
    split_source(files, 0, after);
    const auto same = [&](const SourceDocument& other) {
      return other.block == document.block && other.index == document.index;
    };
    const auto found = std::find_if(after.documents.begin(), after.documents.end(), same);
    const auto faults_before =
        std::count_if(sources_.faults.begin(), sources_.faults.end(),
                      [&](const SourceFault& fault) { return fault.file == document.file; });
    return found != after.documents.end() &&
           after.faults.size() <= static_cast<size_t>(faults_before) &&
           problems_of(found->json, nameless(document)) <=
               problems_of(document.json, nameless(document));
  }

  static constexpr size_t kNoDocument = static_cast<size_t>(-1);

  const std::vector<SourceFile>& files_;
  const std::set<lint::RuleId>& ignored_;
  Sources sources_;
  std::map<size_t, DocumentTree> trees_;
  Report report_;
};

/// The lines of a document: from the one of its root to the end of the section or the next marker.
Span lines_of(const std::vector<SourceFile>& files, const SourceDocument& document) {
  const std::string& text = files[document.file].text;
  const DocumentTree tree = tree_of(text, document);
  const size_t root = tree.begin + static_cast<size_t>(tree.tree.root->mark.pos);
  const size_t newline = root == 0 ? std::string::npos : text.rfind('\n', root - 1);
  const size_t begin = newline == std::string::npos ? 0 : newline + 1;
  size_t end = document.end;
  for (const char* marker : {"\n---", "\n..."}) {
    end = std::min(end, std::min(text.find(marker, begin), text.size()));
  }
  return {document.file, begin, end};
}

/// Documents longer than this are not printed again; their edits are.
constexpr size_t kLongestMended = size_t{64} << 10;

}  // namespace

size_t Report::count(lint::Severity severity) const {
  return static_cast<size_t>(std::count_if(
      remarks.begin(), remarks.end(),
      [&](const Remark& remark) { return lint::rule(remark.finding.rule).severity == severity; }));
}

Report check_files(const std::vector<SourceFile>& files, const std::set<lint::RuleId>& ignored) {
  Checker checker(files, ignored);
  Report report = checker.run();
  std::map<size_t, std::string> touched;  // documents with edits, and their objects
  for (const Remark& remark : report.remarks) {
    if (!remark.edits.empty()) {
      touched.emplace(remark.finding.place.document, remark.finding.object);
    }
  }
  if (touched.empty()) return report;
  // What is mended may show more that can be: a moved selector, the rule that lacks DNS.
  constexpr int kRounds = 4;
  std::vector<SourceFile> mended = files;
  Report after = report;
  for (int round = 0; round < kRounds; ++round) {
    std::map<size_t, std::vector<Edit>> edits;
    for (const Remark& remark : after.remarks) {
      auto& list = edits[remark.span.file];
      list.insert(list.end(), remark.edits.begin(), remark.edits.end());
    }
    bool changed = false;
    for (auto& [file, list] : edits) {
      changed = changed || !list.empty();
      mended[file].text = edited(mended[file].text, std::move(list));
    }
    if (!changed) break;
    after = Checker(mended, ignored).run();
  }
  Sources sources;
  for (size_t file = 0; file < mended.size(); ++file) split_source(mended, file, sources);
  for (const auto& [index, object] : touched) {
    const SourceDocument& before = checker.sources().documents[index];
    const Span place = lines_of(mended, sources.documents[index]);
    if (before.is_json || place.end - place.begin > kLongestMended) continue;
    const auto left = [&, number = index](bool errors_only) {
      return std::any_of(after.remarks.begin(), after.remarks.end(), [&](const Remark& remark) {
        const auto severity = lint::rule(remark.finding.rule).severity;
        return remark.finding.place.document == number &&
               (!errors_only || severity == lint::Severity::kError);
      });
    };
    if (left(true)) continue;  // a suggestion that is refused is none
    const bool clean = !left(false);
    std::string text = mended[place.file].text.substr(place.begin, place.end - place.begin);
    if (!text.ends_with('\n')) text += '\n';
    report.mended.push_back({lines_of(files, before), object, std::move(text), clean});
  }
  std::stable_sort(report.mended.begin(), report.mended.end(),
                   [](const Mended& a, const Mended& b) {
                     return std::tie(a.document.file, a.document.begin) <
                            std::tie(b.document.file, b.document.begin);
                   });
  return report;
}

}  // namespace rampart::ctl
