// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "tools/rampartctl/report.hpp"

namespace rampart::ctl {
namespace {

/// JSON being written: members and elements get their commas by themselves.
class Writer {
 public:
  /// An object or a list as the next value, closed again when it goes.
  class Scope {
   public:
    Scope(Writer& writer, char open) : writer_(writer), close_(open == '{' ? '}' : ']') {
      writer_.value(std::string(1, open));
      writer_.first_ = true;
    }
    ~Scope() {
      writer_.out_ += close_;
      writer_.first_ = false;
    }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Writer& writer_;
    char close_;
  };

  Scope object() { return Scope(*this, '{'); }
  Scope list() { return Scope(*this, '['); }
  Scope object(std::string_view name) { return key(name), Scope(*this, '{'); }
  Scope list(std::string_view name) { return key(name), Scope(*this, '['); }
  void member(std::string_view name, std::string_view text) { key(name), value(json_string(text)); }
  void member(std::string_view name, const char* text) { member(name, std::string_view(text)); }
  void member(std::string_view name, size_t number) { key(name), value(std::to_string(number)); }
  void member(std::string_view name, bool truth) { key(name), value(truth ? "true" : "false"); }
  void element(std::string_view text) { value(json_string(text)); }
  std::string take() { return std::move(out_); }

 private:
  void key(std::string_view name) {
    value(json_string(name));
    out_ += ':';
    first_ = true;
  }
  void value(std::string_view json) {
    if (!first_) out_ += ',';
    first_ = false;
    out_ += json;
  }
  std::string out_;
  bool first_ = true;
};

struct Region {
  TextPlace from, to;
};

Region region_of(const SourceFile& file, size_t begin, size_t end) {
  return {place_in(file.text, begin), place_in(file.text, end)};
}

void write_region(Writer& out, const Region& region, const std::array<std::string_view, 4>& names) {
  size_t name = 0;
  for (const size_t number :
       {region.from.line, region.from.column, region.to.line, region.to.column}) {
    out.member(names[name++], number);
  }
}

constexpr std::array<std::string_view, 4> kPlain{"line", "column", "endLine", "endColumn"};
constexpr std::array<std::string_view, 4> kSarif{"startLine", "startColumn", "endLine",
                                                 "endColumn"};

/// A path as a URI reference (RFC 3986): absolute ones as file:, others relative.
std::string uri_of(std::string_view path) {
  while (path.starts_with("./")) path.remove_prefix(2);
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string uri = path.starts_with('/') ? "file://" : "";
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~/").find(c) != std::string_view::npos;
    if (plain) {
      uri += c;
    } else {
      uri += '%';
      uri += kHex[byte >> 4];
      uri += kHex[byte & 15];
    }
  }
  return uri;
}

void write_location(Writer& out, const std::vector<SourceFile>& files, const Span& span) {
  const auto physical = out.object("physicalLocation");
  {
    const auto artifact = out.object("artifactLocation");
    out.member("uri", uri_of(files[span.file].name));
  }
  const auto region = out.object("region");
  write_region(out, region_of(files[span.file], span.begin, span.end), kSarif);
}

void write_sarif_rules(Writer& out) {
  const auto list = out.list("rules");
  for (const lint::Rule& rule : lint::rules()) {
    const auto entry = out.object();
    out.member("id", rule.id);
    {
      const auto text = out.object("shortDescription");
      out.member("text", rule.meaning);
    }
    {
      const auto text = out.object("fullDescription");
      out.member("text", rule.help);
    }
    {
      const auto text = out.object("help");
      out.member("text", rule.help);
    }
    const auto configuration = out.object("defaultConfiguration");
    out.member("level", lint::to_string(rule.severity));
  }
}

void write_sarif_fix(Writer& out, const std::vector<SourceFile>& files, const Remark& remark) {
  const SourceFile& file = files[remark.span.file];
  const auto fixes = out.list("fixes");
  const auto fix = out.object();
  {
    const auto description = out.object("description");
    out.member("text", remark.finding.mend->what);
  }
  const auto changes = out.list("artifactChanges");
  const auto change = out.object();
  {
    const auto artifact = out.object("artifactLocation");
    out.member("uri", uri_of(file.name));
  }
  const auto replacements = out.list("replacements");
  for (const Edit& edit : remark.edits) {
    const auto replacement = out.object();
    {
      const auto region = out.object("deletedRegion");
      write_region(out, region_of(file, edit.begin, edit.end), kSarif);
    }
    const auto content = out.object("insertedContent");
    out.member("text", edit.text);
  }
}

void write_sarif_result(Writer& out, const std::vector<SourceFile>& files, const Remark& remark) {
  const lint::Finding& finding = remark.finding;
  const lint::Rule& rule = lint::rule(finding.rule);
  const auto result = out.object();
  out.member("ruleId", rule.id);
  out.member("ruleIndex", static_cast<size_t>(finding.rule));
  out.member("level", lint::to_string(rule.severity));
  {
    const auto message = out.object("message");
    out.member("text", finding.message + (finding.hint.empty() ? "" : "; " + finding.hint));
  }
  {
    const auto locations = out.list("locations");
    const auto location = out.object();
    write_location(out, files, remark.span);
    if (!finding.object.empty()) {
      const auto logical = out.list("logicalLocations");
      const auto name = out.object();
      out.member("fullyQualifiedName",
                 finding.object + (finding.path.empty() ? "" : ": " + finding.path));
    }
  }
  if (remark.related) {
    const auto related = out.list("relatedLocations");
    const auto location = out.object();
    out.member("id", size_t{1});
    write_location(out, files, *remark.related);
    const auto message = out.object("message");
    out.member("text", finding.related->message);
  }
  if (!remark.edits.empty()) write_sarif_fix(out, files, remark);
}

void write_remark(Writer& out, const std::vector<SourceFile>& files, const Remark& remark) {
  const lint::Finding& finding = remark.finding;
  const lint::Rule& rule = lint::rule(finding.rule);
  const SourceFile& file = files[remark.span.file];
  const auto entry = out.object();
  out.member("file", file.name);
  write_region(out, region_of(file, remark.span.begin, remark.span.end), kPlain);
  out.member("rule", rule.id);
  out.member("severity", lint::to_string(rule.severity));
  out.member("object", finding.object);
  out.member("path", finding.path);
  out.member("message", finding.message);
  out.member("hint", finding.hint);
  if (remark.related) {
    const SourceFile& other = files[remark.related->file];
    const auto related = out.object("related");
    out.member("file", other.name);
    write_region(out, region_of(other, remark.related->begin, remark.related->end), kPlain);
    out.member("path", finding.related->path);
  }
  if (remark.edits.empty()) return;
  const auto fix = out.object("fix");
  out.member("description", finding.mend->what);
  const auto edits = out.list("edits");
  for (const Edit& edit : remark.edits) {
    const auto change = out.object();
    write_region(out, region_of(file, edit.begin, edit.end), kPlain);
    out.member("text", edit.text);
  }
}

}  // namespace

std::string report_json(const std::vector<SourceFile>& files, const Report& report) {
  Writer out;
  {
    const auto root = out.object();
    out.member("errors", report.count(lint::Severity::kError));
    out.member("warnings", report.count(lint::Severity::kWarning));
    out.member("files", files.size());
    out.member("objects", report.objects);
    out.member("policies", report.policies);
    {
      const auto findings = out.list("findings");
      for (const Remark& remark : report.remarks) write_remark(out, files, remark);
    }
    {
      const auto mended = out.list("mended");
      for (const Mended& document : report.mended) {
        const SourceFile& file = files[document.document.file];
        const auto entry = out.object();
        out.member("file", file.name);
        write_region(out, region_of(file, document.document.begin, document.document.end), kPlain);
        out.member("object", document.object);
        out.member("clean", document.clean);
        out.member("yaml", document.text);
      }
    }
    const auto notes = out.list("notes");
    for (const std::string& note : reservations(report)) out.element(note);
  }
  return out.take();
}

std::string report_sarif(const std::vector<SourceFile>& files, const Report& report) {
  Writer out;
  {
    const auto root = out.object();
    out.member("$schema", "https://json.schemastore.org/sarif-2.1.0.json");
    out.member("version", "2.1.0");
    const auto runs = out.list("runs");
    const auto run = out.object();
    {
      const auto tool = out.object("tool");
      const auto driver = out.object("driver");
      out.member("name", "rampartctl");
      out.member("version", RAMPART_VERSION);
      write_sarif_rules(out);
    }
    out.member("columnKind", "unicodeCodePoints");
    {
      const auto invocations = out.list("invocations");
      const auto invocation = out.object();
      out.member("executionSuccessful", true);
      const auto said = reservations(report);
      if (!said.empty()) {
        const auto notifications = out.list("toolExecutionNotifications");
        for (const std::string& text : said) {
          const auto notification = out.object();
          out.member("level", "note");
          const auto message = out.object("message");
          out.member("text", text);
        }
      }
    }
    const auto results = out.list("results");
    for (const Remark& remark : report.remarks) write_sarif_result(out, files, remark);
  }
  return out.take();
}

std::string rules_json() {
  Writer out;
  {
    const auto list = out.list();
    for (const lint::Rule& rule : lint::rules()) {
      const auto entry = out.object();
      out.member("id", rule.id);
      out.member("severity", lint::to_string(rule.severity));
      out.member("meaning", rule.meaning);
      out.member("help", rule.help);
    }
  }
  return out.take();
}

}  // namespace rampart::ctl
