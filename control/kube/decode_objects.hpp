// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "control/kube/decode_metadata.hpp"
#include "control/kube/model.hpp"

/// One reader per kind. Each takes an object whose header has been read and whose names have been
/// checked, and fills `out` but for the names. The path of `reader` is empty.
namespace rampart::kube {

/// v1 Namespace: metadata.labels. The label with its name is added if it is missing.
bool read_namespace(JsonReader& reader, const Header& header, Namespace& out);
/// v1 Pod: metadata.labels, spec.nodeName, spec.hostNetwork,
/// spec.(initContainers|containers)[].ports, status.phase, status.podIP(s), status.hostIP(s).
bool read_pod(JsonReader& reader, const Header& header, Pod& out);
/// v1 Node: metadata.labels, status.addresses.
bool read_node(JsonReader& reader, const Header& header, Node& out);
/// networking.k8s.io/v1 NetworkPolicy, checked as the API server does (ValidateNetworkPolicy).
/// A member of spec that nobody here knows makes the policy fail closed.
bool read_policy(JsonReader& reader, const Header& header, NetworkPolicy& out);

}  // namespace rampart::kube
