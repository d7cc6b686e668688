// SPDX-License-Identifier: Apache-2.0
// Recovery of ports: by request, and by a thread that looks after them.
#include <algorithm>

#include "dataplane/worker/dataplane_impl.hpp"

namespace rampart {
namespace {

using namespace std::chrono_literals;

constexpr auto kLook = 250ms;
constexpr auto kGrace = 10s;

}  // namespace

/// With ports_lock_ held.
Result<void> DataplaneImpl::reset(Port& port) {
  if (!launched_) return Error{ErrorCode::kConflict, "the data path is not running", port.name};
  // Workers leave the port: after a grace period none is in a burst of it.
  port.active.store(false, std::memory_order_release);
  if (!qsbr_.wait_grace_period(kGrace)) {
    return Error{ErrorCode::kIo, "a worker does not answer", "port " + port.name};
  }
  if (Result<void> r = port.device.reset(); !r) return r;
  const auto number = static_cast<unsigned>(
      std::find_if(ports_.begin(), ports_.end(), [&](const auto& p) { return p.get() == &port; }) -
      ports_.begin());
  share_queues(number);
  port.resets.fetch_add(1);
  port.active.store(true, std::memory_order_release);
  return {};
}

Result<void> DataplaneImpl::reset_port(const std::string& name) {
  const std::lock_guard lock(ports_lock_);
  for (const auto& port : ports_) {
    if (port->name == name) return reset(*port);
  }
  return Error{ErrorCode::kNotFound, "there is no such port", "port " + name};
}

void DataplaneImpl::watch_ports() {
  std::vector<std::string> last_error(ports_.size());
  std::vector<bool> challenging(workers_.size()), overloaded(workers_.size());
  std::unique_lock wait(watch_lock_);
  while (!watch_wake_.wait_for(wait, kLook, [this] { return watch_stop_; })) {
    wait.unlock();
    for (size_t id = 0; id < workers_.size(); ++id) {
      const auto tell = [&](const std::atomic<bool>& flag, std::vector<bool>& known,
                            const char* entered, const char* left) {
        const bool now = flag.load(std::memory_order_relaxed);
        if (now != known[id]) say("worker " + std::to_string(id) + ": " + (now ? entered : left));
        known[id] = now;
      };
      const Mailbox& mailbox = *workers_[id].mailbox;
      tell(mailbox.challenging, challenging,
           "too many TCP connections are half open: new clients are challenged",
           "few TCP connections are half open: new clients are no longer challenged");
      tell(mailbox.overloaded, overloaded,
           "a flood leaves no time: first packets of new flows are put off",
           "there is time for all: first packets of new flows are no longer put off");
    }
    for (size_t i = 0; i < ports_.size(); ++i) {
      Port& port = *ports_[i];
      const std::lock_guard lock(ports_lock_);
      const bool lost = port.device.wants_reset();
      // A port whose recovery failed is tried again until it comes back, as a VF does with its PF.
      if (!lost && port.active.load(std::memory_order_relaxed)) continue;
      if (shared_.stop.load()) break;
      if (last_error[i].empty()) say("port " + port.name + " needs a reset");
      Result<void> r = reset(port);
      const std::string error = r ? "" : r.error().text();
      if (r) {
        say("port " + port.name + " is back");
      } else if (error != last_error[i]) {
        say("port " + port.name + " is not back yet: " + error);
      }
      last_error[i] = error;
    }
    wait.lock();
  }
}

}  // namespace rampart
