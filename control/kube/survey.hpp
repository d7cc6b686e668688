// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/kube/decode.hpp"
#include "control/kube/json_reader.hpp"

/// Reading for those who check files rather than apply them: everything that is wrong, not the
/// first of it, and everything that can still be read.
namespace rampart::kube {

/// Where an object stands.
struct ObjectPlace {
  size_t document = 0;  ///< as the caller counts the texts that it gives
  std::string path;     ///< within the document: "items[3]"; empty if it is the document
};

/// Something that an API server would refuse, or take for nothing.
struct Problem {
  ObjectPlace place;
  Refusal refusal;  ///< its field starts at the object
  /// Not empty: the field is one that nobody knows, and these could have stood there.
  std::vector<std::string> known = {};
};

/// An object of a policy kind.
struct SeenPolicy {
  ObjectPlace place;
  bool faulty = false;   ///< there is a problem with it
  bool refused = false;  ///< it would be refused: what was read of it is not all that it says
};

struct Survey {
  /// Also holds a pod for each pod template (of a Deployment, Job …); its name is "KIND NAME".
  ClusterState state;
  std::vector<Problem> problems;
  std::map<ObjectKey, SeenPolicy> policies;
  std::vector<std::pair<ObjectPlace, UnsupportedPolicy>> unsupported;
  std::vector<SkippedKind> skipped;
  size_t objects = 0;
  size_t nameless = 0;  ///< documents with neither apiVersion nor kind, where they may be skipped
};

/// Surveys documents one after the other. It reads them as decode_snapshot does, by the same
/// readers, and is stricter about one thing: fields that are not known are problems wherever those
/// of NetworkPolicy or of an object's metadata stand. Fields of Pods and Nodes that policy does not
/// speak of are not looked at. Any control thread.
class Surveyor {
 public:
  /// What to do with a document that is no Kubernetes object at all.
  enum class Nameless : uint8_t { kRefuse, kSkip };

  explicit Surveyor(const Limits& limits = {});
  ~Surveyor();
  Surveyor(const Surveyor&) = delete;
  Surveyor& operator=(const Surveyor&) = delete;

  /// `document` is the caller's number for this text.
  void add(std::string_view json, size_t document, Nameless nameless = Nameless::kRefuse);
  Survey finish() &&;

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

}  // namespace rampart::kube
