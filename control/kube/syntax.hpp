// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

/// The syntax of names in the Kubernetes API (k8s.io/apimachinery, util/validation). Each function
/// returns why the text is not one, or an empty string if it is.
namespace rampart::kube {

/// Names of namespaces: RFC 1123 label, at most 63 characters.
std::string check_dns_label(std::string_view text);
/// Names of pods, nodes, policies: RFC 1123 subdomain, at most 253 characters.
std::string check_dns_subdomain(std::string_view text);
/// Label keys: "[SUBDOMAIN/]NAME".
std::string check_label_key(std::string_view text);
/// Label values: empty, or at most 63 characters.
std::string check_label_value(std::string_view text);
/// Names of container ports: IANA service name (RFC 6335 §5.1), at most 15 characters.
std::string check_port_name(std::string_view text);

}  // namespace rampart::kube
