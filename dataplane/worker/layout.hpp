// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "dataplane/base/result.hpp"
#include "dataplane/dpdk/device.hpp"
#include "dataplane/worker/dataplane.hpp"

namespace rampart {

/// Ports and wires by number instead of by name.
struct Layout {
  struct Port {
    Device device;
    uint8_t peer = 0;  ///< index of the port at the other end of the wire
    uint8_t wire = 0;
  };
  std::vector<Port> ports;     ///< in the order of DataplaneParams::ports
  std::vector<unsigned> cpus;  ///< of the workers
  uint16_t largest_mtu = 0;    ///< that is to be expected
};

/// Checks that ports, wires, workers and cores fit together: names are unique, every port is one
/// end of one wire, devices differ, CPUs may be used. Errors name the option and its value.
Result<Layout> lay_out(const DataplaneParams& params);

/// Which worker has queue `queue` of the `queues` of port number `port`. With a queue for everybody
/// it is the one of that number, so that equal RSS on two ports leads to one worker. With fewer,
/// ports begin at different workers, so that two ports of one queue each keep two workers busy.
constexpr unsigned worker_of_queue(unsigned port, unsigned queue, unsigned queues,
                                   unsigned workers) {
  return queues < workers ? (port + queue) % workers : queue;
}

}  // namespace rampart
