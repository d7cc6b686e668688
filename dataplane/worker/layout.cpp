// SPDX-License-Identifier: Apache-2.0
#include "dataplane/worker/layout.hpp"

#include <algorithm>
#include <map>
#include <string>

#include "dataplane/dpdk/eal.hpp"
#include "dataplane/state/worker_state.hpp"

namespace rampart {
namespace {

Error bad(std::string where, std::string what) {
  return {ErrorCode::kInvalid, std::move(what), std::move(where)};
}

Result<void> connect(const DataplaneParams& params, Layout& layout) {
  std::map<std::string, uint8_t> index;
  for (size_t i = 0; i < params.ports.size(); ++i) {
    const std::string& name = params.ports[i].name;
    if (name.empty()) return bad("--port " + params.ports[i].device, "the port has no name");
    if (!index.emplace(name, static_cast<uint8_t>(i)).second)
      return bad("--port " + name, "the name is given twice");
  }
  std::vector<bool> connected(params.ports.size());
  for (size_t w = 0; w < params.wires.size(); ++w) {
    const auto& [a, b] = params.wires[w];
    const std::string where = "--wire " + a + "," + b;
    for (const std::string& end : {a, b}) {
      const auto found = index.find(end);
      if (found == index.end()) return bad(where, "there is no port " + end);
      if (connected[found->second]) return bad(where, "port " + end + " is on a wire already");
      connected[found->second] = true;
    }
    if (a == b) return bad(where, "a wire has two different ends");
    Layout::Port& first = layout.ports[index[a]];
    Layout::Port& second = layout.ports[index[b]];
    first.peer = index[b];
    second.peer = index[a];
    first.wire = second.wire = static_cast<uint8_t>(w);
  }
  for (const auto& [name, i] : index) {
    if (!connected[i]) return bad("--port " + name, "is on no wire (see --wire)");
  }
  return {};
}

Result<std::vector<unsigned>> choose_cpus(const DataplaneParams& params) {
  const std::vector<unsigned> allowed = Eal::allowed_cpus();
  if (!params.cores.empty()) {
    if (params.cores.size() != params.workers) {
      return bad("--cores", std::to_string(params.cores.size()) + " for " +
                                std::to_string(params.workers) + " workers");
    }
    for (const unsigned cpu : params.cores) {
      if (!std::binary_search(allowed.begin(), allowed.end(), cpu)) {
        return bad("--cores", "CPU " + std::to_string(cpu) + " is not one we may use");
      }
    }
    return params.cores;
  }
  // The last ones: interrupts and the control threads tend to be on the first.
  std::vector<unsigned> cpus;
  for (unsigned w = 0; w < params.workers; ++w) {
    const size_t from_end = (params.workers - 1 - w) % allowed.size();
    cpus.push_back(allowed[allowed.size() - 1 - from_end]);
  }
  return cpus;
}

}  // namespace

Result<Layout> lay_out(const DataplaneParams& params) {
  if (params.ports.empty()) return bad("--port", "at least two ports and a wire are needed");
  if (params.ports.size() > kMaxPorts) {
    return bad("--port", "more than " + std::to_string(kMaxPorts) + " of them");
  }
  if (params.workers == 0 || params.workers > kMaxWorkers) {
    return bad("--workers " + std::to_string(params.workers),
               "must be between 1 and " + std::to_string(kMaxWorkers));
  }
  Layout layout;
  std::vector<Device> devices;
  for (const DataplaneParams::Port& p : params.ports) {
    const std::string where = "--port " + p.name + "=" + p.device;
    Result<Device> device = Device::parse(p.device);
    if (!device) return std::move(device).error().within(where);
    const Result<uint16_t> mtu = expected_mtu(*device);
    if (!mtu) return Error(mtu.error()).within(where);
    const auto wanted = static_cast<uint16_t>(std::min(params.mtu, 65535U));
    layout.largest_mtu = std::max({layout.largest_mtu, *mtu, wanted});
    devices.push_back(*device);
    layout.ports.push_back({*std::move(device), 0, 0});
  }
  if (Result<void> connected = connect(params, layout); !connected) return connected.error();
  if (Result<void> distinct = check_distinct(devices); !distinct) {
    return std::move(distinct).error().within("--port");
  }
  Result<std::vector<unsigned>> cpus = choose_cpus(params);
  if (!cpus) return cpus.error();
  layout.cpus = *std::move(cpus);
  return layout;
}

}  // namespace rampart
