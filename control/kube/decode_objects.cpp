// SPDX-License-Identifier: Apache-2.0
#include "control/kube/decode_objects.hpp"

#include <algorithm>

namespace rampart::kube {
namespace {

using Slot = JsonReader::Slot;
using Step = JsonReader::Step;

bool read_member_string(JsonReader& reader, std::string_view name, const Slot& slot,
                        std::string& out) {
  if (!slot) return true;
  const Step step(reader, name);
  return reader.string(*slot, out);
}

bool read_metadata_labels(JsonReader& reader, const Header& header, Labels& out) {
  const Step step(reader, "metadata");
  return read_labels(reader, header.labels, out);
}

/// Appends one address; an empty text is none, and one that is there already is not added again.
bool read_address(JsonReader& reader, JsonReader::Element element, std::vector<IpAddress>& out) {
  std::string_view text;
  if (!reader.string(element, text)) return false;
  if (text.empty()) return true;
  const auto address = IpAddress::parse(text.substr(0, 64));
  if (!address) return reader.fail(address.error().what);
  if (std::find(out.begin(), out.end(), *address) == out.end()) out.push_back(*address);
  return true;
}

/// [{"ip": ADDRESS}, …], as status.podIPs and status.hostIPs have it.
bool read_ip_list(JsonReader& reader, std::string_view name, const Slot& slot,
                  std::vector<IpAddress>& out) {
  if (!slot) return true;
  const Step step(reader, name);
  simdjson::dom::array list;
  if (!reader.array(*slot, list)) return false;
  size_t index = 0;
  for (const auto element : list) {
    const Step at(reader, index++);
    Slot ip;
    if (!reader.members(element, {{"ip", &ip}})) return false;
    const Step inner(reader, "ip");
    if (ip && !read_address(reader, *ip, out)) return false;
  }
  return true;
}

bool read_single_ip(JsonReader& reader, std::string_view name, const Slot& slot,
                    std::vector<IpAddress>& out) {
  if (!slot) return true;
  const Step step(reader, name);
  return read_address(reader, *slot, out);
}

/// v1 ContainerPort.
bool read_container_port(JsonReader& reader, JsonReader::Element element, ContainerPort& out) {
  Slot name, protocol, number;
  if (!reader.members(element,
                      {{"name", &name}, {"protocol", &protocol}, {"containerPort", &number}}))
    return false;
  if (!read_member_string(reader, "name", name, out.name)) return false;
  if (protocol) {
    const Step step(reader, "protocol");
    std::string_view text;
    if (!reader.string(*protocol, text)) return false;
    if (text == "UDP") {
      out.protocol = IpProtocol::kUdp;
    } else if (text == "SCTP") {
      out.protocol = IpProtocol::kSctp;
    } else if (text != "TCP" && !text.empty()) {
      return reader.fail("must be TCP, UDP or SCTP");
    }
  }
  const Step step(reader, "containerPort");
  int64_t value = 0;
  if (!number) return reader.fail("is required", Fault::kMissing);
  if (!reader.integer(*number, value)) return false;
  if (value < 1 || value > 65535) return reader.fail("must be between 1 and 65535", Fault::kPort);
  out.number = static_cast<L4Port>(value);
  return true;
}

/// The ports of spec.containers, or of those spec.initContainers that run on as sidecars.
bool read_containers(JsonReader& reader, std::string_view list_name, const Slot& slot,
                     bool only_sidecars, std::vector<ContainerPort>& out) {
  if (!slot) return true;
  const Step step(reader, list_name);
  simdjson::dom::array containers;
  if (!reader.array(*slot, containers)) return false;
  size_t index = 0;
  for (const auto container : containers) {
    const Step at(reader, index++);
    Slot restart_policy, ports;
    if (!reader.members(container, {{"restartPolicy", &restart_policy}, {"ports", &ports}}))
      return false;
    std::string policy;
    if (!read_member_string(reader, "restartPolicy", restart_policy, policy)) return false;
    if (!ports || (only_sidecars && policy != "Always")) continue;
    const Step inner(reader, "ports");
    simdjson::dom::array list;
    if (!reader.array(*ports, list)) return false;
    size_t port_index = 0;
    for (const auto element : list) {
      const Step port_at(reader, port_index++);
      ContainerPort port;
      if (!read_container_port(reader, element, port)) return false;
      out.push_back(std::move(port));
    }
  }
  return true;
}

bool read_pod_spec(JsonReader& reader, const Slot& spec, Pod& out) {
  if (!spec) return true;
  const Step step(reader, "spec");
  Slot node_name, host_network, containers, init_containers;
  if (!reader.members(*spec, {{"nodeName", &node_name},
                              {"hostNetwork", &host_network},
                              {"containers", &containers},
                              {"initContainers", &init_containers}}) ||
      !read_member_string(reader, "nodeName", node_name, out.node_name)) {
    return false;
  }
  if (host_network) {
    const Step inner(reader, "hostNetwork");
    if (!reader.boolean(*host_network, out.host_network)) return false;
  }
  if (!read_containers(reader, "containers", containers, false, out.ports) ||
      !read_containers(reader, "initContainers", init_containers, true, out.ports)) {
    return false;
  }
  std::sort(out.ports.begin(), out.ports.end());
  out.ports.erase(std::unique(out.ports.begin(), out.ports.end()), out.ports.end());
  return true;
}

bool read_pod_status(JsonReader& reader, const Slot& status, Pod& out) {
  if (!status) return true;
  const Step step(reader, "status");
  Slot phase, pod_ip, pod_ips, host_ip, host_ips;
  std::string phase_text;
  if (!reader.members(*status, {{"phase", &phase},
                                {"podIP", &pod_ip},
                                {"podIPs", &pod_ips},
                                {"hostIP", &host_ip},
                                {"hostIPs", &host_ips}}) ||
      !read_member_string(reader, "phase", phase, phase_text)) {
    return false;
  }
  out.finished = phase_text == "Succeeded" || phase_text == "Failed";
  // podIP repeats podIPs[0]. Where it does not, both count: an address too many can only make a
  // verdict stricter or name a conflict, one too few would leave a pod unprotected.
  return read_ip_list(reader, "podIPs", pod_ips, out.addresses) &&
         read_single_ip(reader, "podIP", pod_ip, out.addresses) &&
         read_ip_list(reader, "hostIPs", host_ips, out.host_addresses) &&
         read_single_ip(reader, "hostIP", host_ip, out.host_addresses);
}

}  // namespace

bool read_namespace(JsonReader& reader, const Header& header, Namespace& out) {
  if (!read_metadata_labels(reader, header, out.labels)) return false;
  set_label(out.labels, kNamespaceNameLabel, header.name);
  return true;
}

bool read_pod(JsonReader& reader, const Header& header, Pod& out) {
  return read_metadata_labels(reader, header, out.labels) &&
         read_pod_spec(reader, header.spec, out) && read_pod_status(reader, header.status, out);
}

bool read_node(JsonReader& reader, const Header& header, Node& out) {
  if (!read_metadata_labels(reader, header, out.labels)) return false;
  if (!header.status) return true;
  const Step step(reader, "status");
  Slot addresses;
  if (!reader.members(*header.status, {{"addresses", &addresses}})) return false;
  if (!addresses) return true;
  const Step inner(reader, "addresses");
  simdjson::dom::array list;
  if (!reader.array(*addresses, list)) return false;
  size_t index = 0;
  for (const auto element : list) {
    const Step at(reader, index++);
    Slot type, address;
    std::string type_text;
    if (!reader.members(element, {{"type", &type}, {"address", &address}}) ||
        !read_member_string(reader, "type", type, type_text)) {
      return false;
    }
    if (!address || (type_text != "InternalIP" && type_text != "ExternalIP")) continue;
    const Step address_at(reader, "address");
    if (!read_address(reader, *address, out.addresses)) return false;
  }
  return true;
}

}  // namespace rampart::kube
