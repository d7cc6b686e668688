// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstddef>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "control/kube/model.hpp"

/// Who stands in a matrix: kinds of pods, and blocks of addresses outside of them.
namespace rampart::reach {

/// A kind of pods, or a zone. Pods of one kind are told apart by no policy of the vocabulary.
struct End {
  struct Key {
    std::string ns;  ///< empty: a zone
    kube::Labels labels;
    std::vector<kube::ContainerPort> ports;
    size_t zone = 0;
    auto operator<=>(const Key&) const = default;
  };
  Key key;
  bool external() const { return key.ns.empty(); }
  bool v4 = false, v6 = false;         ///< families of its addresses
  IpAddress sample;                    ///< one of its addresses
  std::vector<const kube::Pod*> pods;  ///< by name, each once; none: a zone
  std::string name;                    ///< "shop/app=web", "192.0.2.0/24"; unique
};

/// What policies can tell pods and addresses apart by: the label keys that a pod selector names,
/// the ports that they name, and their ipBlocks. Made of all clusters that are to be compared, so
/// that kinds and blocks are the same in each.
class Vocabulary {
 public:
  explicit Vocabulary(const std::vector<const kube::ClusterState*>& states);

  /// Addresses that every rule treats alike have one zone. The blocks of policies lie within each
  /// other or apart, so an address belongs to the smallest that contains it, or to none; those that
  /// stand side by side in every rule are one zone.
  size_t zone_of(const IpAddress& address) const;
  struct Zone {
    IpAddress sample;  ///< one of its addresses
    std::string text;  ///< "10.0.0.0/8 except 10.1.0.0/16", "all other addresses"
    bool v4 = false, v6 = false;
  };
  const std::vector<Zone>& zones() const { return zones_; }

  /// The kinds of a pod: one for each zone that its addresses lie in; by address.
  std::vector<std::pair<IpAddress, End::Key>> kinds_of(const kube::Pod& pod) const;

 private:
  void collect(const kube::ClusterState& state);
  void make_zones(const std::vector<const kube::ClusterState*>& states);
  void add_rest();
  std::string rest_text(const Zone& rest) const;

  std::set<std::string> label_keys_, port_names_;
  std::map<IpPrefix, size_t> prefixes_;  ///< the zone of what is in it and in no smaller one
  std::vector<unsigned> lengths_[2];     ///< of prefixes, by family, longest first
  std::vector<Zone> zones_;              ///< the last: addresses in no block
};

/// The ends of one cluster: its pods in kinds, by namespace and labels, then the zones. Pods that
/// are over, on the host's network or without an address are nobody's.
std::vector<End> ends_of(const kube::ClusterState& state, const Vocabulary& vocabulary);

}  // namespace rampart::reach
