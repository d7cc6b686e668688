// SPDX-License-Identifier: Apache-2.0
#include "control/kube/survey.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "control/kube/decode_objects.hpp"
#include "control/kube/object_sink.hpp"

namespace rampart::kube {
namespace {

using Element = JsonReader::Element;
using Slot = JsonReader::Slot;
using Step = JsonReader::Step;
constexpr auto kNote = JsonReader::Unknown::kNote;

/// Notes what is neither a field of an object nor one of metav1.ObjectMeta.
void note_outer_fields(JsonReader& reader, Element element, bool of_policy) {
  Slot metadata, labels;
  if (!reader.members(element,
                      {{"apiVersion", nullptr},
                       {"kind", nullptr},
                       {"metadata", &metadata},
                       {"spec", nullptr},
                       {"status", nullptr}},
                      kNote) ||
      !metadata) {
    return;
  }
  const Step step(reader, "metadata");
  reader.members(*metadata,
                 {{"annotations", nullptr},
                  {"creationTimestamp", nullptr},
                  {"deletionGracePeriodSeconds", nullptr},
                  {"deletionTimestamp", nullptr},
                  {"finalizers", nullptr},
                  {"generateName", nullptr},
                  {"generation", nullptr},
                  {"labels", &labels},
                  {"managedFields", nullptr},
                  {"name", nullptr},
                  {"namespace", nullptr},
                  {"ownerReferences", nullptr},
                  {"resourceVersion", nullptr},
                  {"selfLink", nullptr},
                  {"uid", nullptr}},
                 kNote);
  // Nobody selects policies by labels, so the decoder does not read theirs.
  Labels unused;
  if (of_policy) read_labels(reader, labels, unused);
}

/// The fields on the way to the pod template of a workload; empty: it has none.
std::vector<std::string_view> template_path(const Header& header) {
  static constexpr std::array<std::string_view, 4> kApps{"Deployment", "StatefulSet", "DaemonSet",
                                                         "ReplicaSet"};
  const std::string_view group = header.group(), kind = header.kind;
  const bool apps = group == "apps" && std::find(kApps.begin(), kApps.end(), kind) != kApps.end();
  if (apps || (group == "batch" && kind == "Job") || kind == "ReplicationController") {
    return {"spec", "template"};
  }
  if (group == "batch" && kind == "CronJob") return {"spec", "jobTemplate", "spec", "template"};
  return {};
}

}  // namespace

struct Surveyor::State {
  explicit State(const Limits& given) : limits(given) {}

  void read(Element element, const Header& given, const ObjectPlace& place, Nameless nameless);
  void read_list(Element element, const Header& header, const ObjectPlace& place);
  void read_template(JsonReader& reader, const Header& header, Element at, size_t step);
  void put(JsonReader& reader, Element element, Header& header, const ObjectPlace& place);
  void report(const JsonReader& reader, const Header& header, const ObjectPlace& place);

  const Limits limits;
  Survey survey;
  ObjectSink sink{survey.state};
  simdjson::dom::parser parser;
};

void Surveyor::State::report(const JsonReader& reader, const Header& header,
                             const ObjectPlace& place) {
  const std::string object = header.name.empty() ? place.path : header.key().text();
  for (const auto& unknown : reader.unknown_members()) {
    survey.problems.push_back({place,
                               {ErrorCode::kInvalid, std::string(header.kind), object, unknown.path,
                                "'" + unknown.name.substr(0, 80) + "' is no field here"},
                               unknown.known});
  }
  for (const Refusal& refusal : reader.refusals()) {
    Problem& problem = survey.problems.emplace_back(Problem{place, refusal});
    problem.refusal.kind = header.kind;
    problem.refusal.object = object;
  }
}

void Surveyor::State::read(Element element, const Header& given, const ObjectPlace& place,
                           Nameless nameless) {
  if (nameless == Nameless::kSkip && element.at_key("apiVersion").error() != simdjson::SUCCESS &&
      element.at_key("kind").error() != simdjson::SUCCESS) {
    ++survey.nameless;
    return;
  }
  JsonReader reader(JsonReader::Mode::kCollect);
  Header header;
  if (!read_header(reader, element, given, header)) return report(reader, header, place);
  if (is_list(element, header)) return read_list(element, header, place);
  if (header.kind == "Status") {
    const Step step(reader, "kind");
    reader.fail("an API server's error answer is no object", Fault::kKind);
    return report(reader, header, place);
  }
  ++survey.objects;
  put(reader, element, header, place);
  report(reader, header, place);
}

void Surveyor::State::put(JsonReader& reader, Element element, Header& header,
                          const ObjectPlace& place) {
  const ObjectClass object_class = classify(header);
  if (object_class == ObjectClass::kSkipped && !template_path(header).empty()) {
    return read_template(reader, header, element, 0);
  }
  if (object_class != ObjectClass::kSkipped && object_class != ObjectClass::kUnsupportedPolicy) {
    note_outer_fields(reader, element, object_class == ObjectClass::kPolicy);
  }
  const bool stored = sink.put(reader, element, header);
  if (object_class == ObjectClass::kPolicy && stored) {
    survey.policies.emplace(
        header.key(),
        SeenPolicy{place, reader.refused() || !reader.unknown_members().empty(), reader.refused()});
  } else if (object_class == ObjectClass::kUnsupportedPolicy && stored) {
    survey.unsupported.push_back({place,
                                  {std::string(header.api_version), std::string(header.kind),
                                   header.ns, header.name, std::string()}});
  }
}

void Surveyor::State::read_template(JsonReader& reader, const Header& header, Element at,
                                    size_t step) {
  const auto path = template_path(header);
  if (step < path.size()) {
    Slot next;
    if (!reader.members(at, {{path[step], &next}}) || !next) return;
    const Step inner(reader, path[step]);
    return read_template(reader, header, *next, step + 1);
  }
  Header pod_header;
  Slot metadata;
  if (!reader.members(at, {{"metadata", &metadata}, {"spec", &pod_header.spec}})) return;
  if (metadata) {
    const Step inner(reader, "metadata");
    if (!reader.members(*metadata, {{"labels", &pod_header.labels}})) return;
  }
  Pod pod;
  pod.ns = header.ns.empty() ? "default" : header.ns;
  pod.name = std::string(header.kind) + " " + header.name;
  if (!read_pod(reader, pod_header, pod)) return;
  const ObjectKey key{pod.ns, pod.name};
  survey.state.pods.insert_or_assign(key, std::make_shared<const Pod>(std::move(pod)));
}

void Surveyor::State::read_list(Element element, const Header& header, const ObjectPlace& place) {
  JsonReader reader(JsonReader::Mode::kCollect);
  Slot items;
  simdjson::dom::array list;
  bool read = reader.members(element, {{"items", &items}});
  if (read && items) {
    const Step step(reader, "items");
    read = reader.array(*items, list);
  }
  if (!read) return report(reader, header, place);
  if (!items) return;
  Header given;
  if (header.kind != "List") {
    given.api_version = header.api_version;
    given.kind = header.kind.substr(0, header.kind.size() - std::string_view("List").size());
  }
  size_t index = 0;
  for (const auto item : list) {
    const std::string where = "items[" + std::to_string(index++) + "]";
    this->read(item, given, {place.document, place.path.empty() ? where : place.path + "." + where},
               Nameless::kRefuse);
  }
}

Surveyor::Surveyor(const Limits& limits) : state_(std::make_unique<State>(limits)) {}
Surveyor::~Surveyor() = default;

void Surveyor::add(std::string_view json, size_t document, Nameless nameless) {
  const ObjectPlace place{document, {}};
  const auto root = parse_json(state_->parser, json, state_->limits.bytes, state_->limits.depth);
  if (!root) {
    state_->survey.problems.push_back({place, root.error()});
  } else {
    state_->read(*root, Header{}, place, nameless);
  }
}

Survey Surveyor::finish() && {
  state_->sink.settle_namespaces();
  state_->survey.skipped = state_->sink.skipped();
  return std::move(state_->survey);
}

}  // namespace rampart::kube
