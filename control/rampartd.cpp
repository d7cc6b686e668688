// SPDX-License-Identifier: Apache-2.0
//
// The appliance, wired by hand: up in the order of the text, down in reverse. Whatever holds a rule
// set (the applier, answers under way) must be gone before the data path is, for the EAL lives in
// it; the order of the variables in run() sees to that.
#include <pthread.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "config/load.hpp"
#include "config/print.hpp"
#include "config/settings.hpp"
#include "control/admin/api.hpp"
#include "control/history/history.hpp"
#include "control/http/server.hpp"
#include "control/http/socket_file.hpp"
#include "control/log.hpp"
#include "control/notify.hpp"
#include "control/publish/applier.hpp"
#include "control/store/state_store.hpp"
#include "dataplane/worker/dataplane.hpp"

namespace rampart {
namespace {

using config::Settings;

constexpr int kFailed = 1, kUsage = 2;
/// How often a state that could not be stored is tried again.
constexpr timespec kSaveAgain{5, 0};
/// Beside the stored state.
constexpr const char* kFlowFile = "/flows";
constexpr const char* kHistory = "/history";

DataplaneParams::Timeouts timeouts_of(const Settings& s) {
  const auto seconds = [](uint64_t value) { return static_cast<uint32_t>(value); };
  return {.tcp_opening_s = seconds(s.tcp_opening_s),
          .tcp_established_s = seconds(s.tcp_established_s),
          .tcp_half_closed_s = seconds(s.tcp_half_closed_s),
          .tcp_closing_s = seconds(s.tcp_closing_s),
          .tcp_reset_s = seconds(s.tcp_reset_s),
          .udp_s = seconds(s.udp_s),
          .udp_replied_s = seconds(s.udp_replied_s),
          .udp_answered_s = seconds(s.udp_answered_s),
          .sctp_opening_s = seconds(s.sctp_opening_s),
          .sctp_established_s = seconds(s.sctp_established_s),
          .icmp_s = seconds(s.icmp_s),
          .other_s = seconds(s.other_s)};
}

ChecksumMode checksum_of(Settings::Checksum checksum) {
  switch (checksum) {
    case Settings::Checksum::kOff:
      return ChecksumMode::kOff;
    case Settings::Checksum::kState:
      return ChecksumMode::kState;
    case Settings::Checksum::kAll:
      return ChecksumMode::kAll;
  }
  return ChecksumMode::kAll;
}

unsigned bits_of(Settings::Simd simd) {
  switch (simd) {
    case Settings::Simd::kAuto:
      return 0;
    case Settings::Simd::k128:
      return 128;
    case Settings::Simd::k256:
      return 256;
    case Settings::Simd::k512:
      return 512;
  }
  return 0;
}

DataplaneParams dataplane_params(const Settings& s) {
  DataplaneParams params;
  for (const Settings::Port& port : s.ports) params.ports.push_back({port.name, port.device, {}});
  for (const Settings::PortSources& sources : s.port_sources) {
    for (DataplaneParams::Port& port : params.ports) {
      if (port.name != sources.port) continue;
      port.sources.insert(port.sources.end(), sources.prefixes.begin(), sources.prefixes.end());
    }
  }
  for (const Settings::Wire& wire : s.wires) params.wires.push_back({wire.a, wire.b});
  params.workers = static_cast<unsigned>(s.workers);
  params.cores = s.cores;
  params.max_flows = s.max_flows;
  params.memory_mib = static_cast<unsigned>(s.memory_mib);
  params.mbufs = static_cast<unsigned>(s.mbufs);
  params.mtu = static_cast<unsigned>(s.mtu);
  params.startup = s.startup == Settings::Startup::kPass ? StartupMode::kPass : StartupMode::kDrop;
  params.checksum = checksum_of(s.checksum);
  params.pass_non_ip = s.non_ip == Settings::Handling::kPass;
  params.pass_tunnels = s.tunnels == Settings::Handling::kPass;
  params.reset_on_cut = s.on_cut == Settings::OnCut::kReset;
  params.defer_in_floods = s.on_overload == Settings::OnOverload::kDefer;
  params.challenge_percent = static_cast<unsigned>(s.syn_challenge_percent);
  params.quotas = {.source_flows = s.source_flows,
                   .source_half_open = s.source_half_open,
                   .endpoint_flows = s.endpoint_flows,
                   .endpoint_half_open = s.endpoint_half_open};
  params.pick_up_tcp = s.tcp_pickup == Settings::Pickup::kAlways;
  params.idle_us = static_cast<unsigned>(s.idle_us);
  params.eal = s.eal;
  params.simd_bits = bits_of(s.simd);
  params.timeouts = timeouts_of(s);
  params.fragments = s.fragments;
  params.fragments_held = s.fragments_held;
  params.fragment_hold_s = static_cast<uint32_t>(s.fragment_hold_s);
  params.fragment_s = static_cast<uint32_t>(s.fragment_s);
  params.log = log_line;
  return params;
}

admin::Facts facts_of(const Settings& s) {
  constexpr const char* kChecksums[] = {"off", "state", "all"};
  const auto handling = [](Settings::Handling h) {
    return h == Settings::Handling::kPass ? "pass" : "drop";
  };
  return {.version = RAMPART_VERSION,
          .started = std::chrono::system_clock::now(),
          .startup = s.startup == Settings::Startup::kPass ? "pass" : "drop",
          .checksum = kChecksums[static_cast<unsigned>(s.checksum)],
          .non_ip = handling(s.non_ip),
          .tunnels = handling(s.tunnels)};
}

int fail(const Error& error) {
  log_line(error.text());
  return kFailed;
}

/// Takes over the flows that the run before has written down when it ended. Without any (it
/// crashed, or this is another machine), connections that go on may be picked up for a while.
void take_over_flows(Dataplane& dataplane, const Settings& settings) {
  const std::string path = settings.state_dir + kFlowFile;
  const auto loaded = dataplane.load_flows(path);
  if (loaded) {
    log_line("flows: " + std::to_string(loaded->kept) + " taken over after " +
             std::to_string(loaded->away_ms) + " ms, " + std::to_string(loaded->too_old) +
             " timed out, " + std::to_string(loaded->denied) + " no longer allowed, " +
             std::to_string(loaded->no_room) + " without room");
  } else if (loaded.error().code != ErrorCode::kNotFound) {
    log_line(loaded.error().text() + "; it is ignored");
  }
  // It is of one moment, and never right again.
  std::remove(path.c_str());
  if (loaded || dataplane.rules()->revision == 0 || settings.restart_grace_s == 0) return;
  dataplane.grant_grace(std::chrono::seconds(settings.restart_grace_s));
  log_line("no flows of the run before: TCP connections that policy allows are picked up for " +
           std::to_string(settings.restart_grace_s) + " s");
}

/// Writes the flows down for the next start. A second signal ends that.
void leave_flows(Dataplane& dataplane, const Settings& settings, const sigset_t& signals) {
  const auto go_on = [&signals] {
    constexpr timespec kNow{0, 0};
    return sigtimedwait(&signals, nullptr, &kNow) <= 0;
  };
  const auto started = std::chrono::steady_clock::now();
  const auto saved = dataplane.save_flows(settings.state_dir + kFlowFile, go_on);
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                      std::chrono::steady_clock::now() - started)
                      .count();
  log_line(saved ? "flows: " + std::to_string(*saved) + " written down in " + std::to_string(ms) +
                       " ms"
                 : "flows: not written down: " + saved.error().text());
}

/// The history of what is in force.
history::History remember(const Settings& settings, const publish::Applier& applier,
                          Dataplane& dataplane) {
  const auto cuts = [&dataplane] {
    uint64_t all = 0;
    for (const WorkerStatus& worker : dataplane.status().workers) all += worker.flows_cut;
    return all;
  };
  const auto now = applier.in_force();
  return history::History(
      {.directory = settings.state_dir + kHistory, .log = log_line, .cuts = cuts}, now->revision,
      now->compiled ? now->compiled->state : nullptr);
}

/// Waits for SIGTERM or SIGINT, and looks after what could not be stored meanwhile.
int wait_for_signal(const sigset_t& signals, publish::Applier& applier, history::History& history) {
  for (;;) {
    const int signal = sigtimedwait(&signals, nullptr, &kSaveAgain);
    if (signal > 0) return signal;
    if (errno != EAGAIN) continue;
    applier.save_again();
    history.save();
  }
}

int run(const Settings& settings) {
  // Every thread that is started from here on leaves these to this one.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  log_line("version " RAMPART_VERSION ", settings: " + config::effective(settings));

  // Another rampartd is noticed before any port is touched.
  auto store = store::StateStore::open(settings.state_dir);
  if (!store) return fail(store.error());
  auto socket = http::SocketFile::listen(settings.socket, settings.socket_group);
  if (!socket) return fail(socket.error());

  auto dataplane = Dataplane::create(dataplane_params(settings));
  if (!dataplane) return fail(dataplane.error());

  const uint64_t max_body = settings.max_body_mib << 20;
  kube::Limits limits;
  limits.bytes = max_body;
  publish::Applier applier({**dataplane, *store, limits, log_line, compile::compile,
                            std::chrono::milliseconds(settings.proof_ms)});
  if (const auto restored = applier.restore(); !restored) return fail(restored.error());
  if (applier.in_force()->revision == 0) {
    log_line("no desired state yet: packets " +
             std::string(settings.startup == Settings::Startup::kPass ? "pass" : "are dropped"));
  }
  take_over_flows(**dataplane, settings);
  if (const auto started = (*dataplane)->start(); !started) return fail(started.error());

  history::History history = remember(settings, applier, **dataplane);
  const admin::Facts facts = facts_of(settings);
  http::Router router;
  admin::add_calls(router, applier, **dataplane, history, facts);
  http::ServerParams server_params;
  server_params.max_body = max_body;
  auto server = http::Server::create(*std::move(socket), server_params, router);
  if (!server) return fail(server.error());
  log_line("running, control socket " + settings.socket);
  if (!notify_service_manager("READY=1")) log_line("NOTIFY_SOCKET: nobody could be told");

  const int signal = wait_for_signal(signals, applier, history);
  log_line(std::string("stopping: ") + (signal == SIGINT ? "SIGINT" : "SIGTERM"));
  notify_service_manager("STOPPING=1");
  (*dataplane)->stop();
  leave_flows(**dataplane, settings, signals);
  server->reset();
  history.save();
  log_line("stopped");
  return 0;
}

int main_with(const std::vector<std::string>& arguments) {
  const auto loaded = config::load(arguments);
  if (!loaded) {
    log_line(loaded.error().text() + " (try --help)");
    return kUsage;
  }
  using Action = config::Loaded::Action;
  switch (loaded->action) {
    case Action::kHelp:
      std::fputs(config::help().c_str(), stdout);
      return 0;
    case Action::kVersion:
      std::puts("rampartd " RAMPART_VERSION);
      return 0;
    case Action::kHelpMarkdown:
      std::fputs(config::help_markdown().c_str(), stdout);
      return 0;
    case Action::kHelpConfig:
      std::fputs(config::help_config().c_str(), stdout);
      return 0;
    case Action::kRun:
      return run(loaded->settings);
  }
  return kUsage;
}

}  // namespace
}  // namespace rampart

int main(int argc, char** argv) {
  return rampart::main_with({argv + 1, argv + argc});
}
