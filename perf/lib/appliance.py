# SPDX-License-Identifier: Apache-2.0
"""The whole rampartd under measurement, asked over its own socket."""

import concurrent.futures
import http.client
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time

import machine


class ApplianceError(machine.Failed):
    pass


class Connection(http.client.HTTPConnection):
    """Stays open between calls; one that has been idle for a minute is ended by the appliance."""

    IDLE_S = 30

    def __init__(self, path):
        super().__init__("localhost", timeout=120)
        self.path = path
        self.used = self.sent = time.monotonic()  # of the latest call, and of its request's last byte

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)

    def call(self, method, target, body=None):
        if time.monotonic() - self.used > self.IDLE_S:
            self.close()
        self.request(method, target, body, {"Content-Type": "application/json"} if body else {})
        self.sent = time.monotonic()
        response = self.getresponse()
        text = response.read()
        self.used = time.monotonic()
        if response.status != 200:
            raise ApplianceError(f"{method} {target}: {response.status} {text.decode(errors='replace')[:500]}")
        return json.loads(text)


class Sample:
    """The workers' counters at one moment, summed up."""

    NAMES = ("received", "forwarded", "dropped", "flow_hits", "flows_created", "flows", "flows_rejudged", "half_open",
             "challenged", "verified", "busy_cycles")

    def __init__(self, time_s, stats, ran=0.0):
        self.time, self.ran = time_s, ran
        for name in self.NAMES:
            setattr(self, name, sum(worker[name] for worker in stats["workers"]))
        self.drops = stats["total"]["drops"]
        # Cycles by stage, of a build that counts them (-Dstage_cycles=true).
        counts = [worker["stages"]["cycles"] for worker in stats["workers"] if "stages" in worker]
        self.stages = {name: sum(count[name] for count in counts) for name in (counts[0] if counts else ())}


class Span:
    """What happened between two samples."""

    def __init__(self, first, last):
        self.packets = last.received - first.received
        seconds = last.time - first.time
        self.mpps = self.packets / seconds / 1e6 if seconds > 0 else 0
        share = lambda name: ((getattr(last, name) - getattr(first, name)) / self.packets
                              if self.packets else 0)
        self.cycles = share("busy_cycles")
        self.stages = {name: (count - first.stages[name]) / self.packets
                       for name, count in last.stages.items() if self.packets}
        # By the time that the worker had its CPU: what it shared with others is not in it. For workers
        # that always have packets.
        self.own_cycles = share("ran") * machine.tsc_hz()
        self.forwarded, self.hits, self.created = share("forwarded"), share("flow_hits"), share("flows_created")
        self.challenged, self.dropped = share("challenged"), share("dropped")
        denied = ("denied_egress", "denied_ingress")
        self.denied = (sum(last.drops.get(d, 0) - first.drops.get(d, 0) for d in denied) / self.packets
                       if self.packets else 0)
        self.deferred = ((last.drops.get("flood_deferred", 0) - first.drops.get("flood_deferred", 0)) / self.packets
                         if self.packets else 0)


def from_file(pcap):
    """Devices of a wire that plays a file for ever into nothing."""
    return {"in": f"net_pcap0,rx_pcap={pcap},infinite_rx=1", "out": "net_null0,no-rx=1"}


def memif(number, path):
    """A device whose other end one of our generators takes."""
    return f"net_memif{number},role=server,id=0,socket-abstract=no,socket={path}"


def lending_memif(number, path, slots_log2):
    """The same where the other end listens already: packets lie in the appliance's own buffers, as those of a NIC do, and are
    not copied on its side. Wants LENDING of the EAL. `slots_log2`: of a ring's length."""
    return f"net_memif{number},role=client,zero-copy=yes,rsize={slots_log2},id=0,socket-abstract=no,socket={path}"


LENDING = "--single-file-segments"


class Appliance:
    """One worker on one core. `devices`: DEVICE by port, two for a wire, in their order; `frames`:
    how many lie in files that are played; `extra`: more options; `state`: a state directory that
    outlives the process; `within`: words before the command."""

    def __init__(self, program, devices, core, max_flows, frames=0, extra=(), state=None, within=(), workers=1):
        self.folder = tempfile.mkdtemp(prefix="rampart-perf.")
        self.log = os.path.join(self.folder, "log")
        self.process = self.schedstat = None
        socket_path = os.path.join(self.folder, "s")
        names = list(devices)
        command = [*within, program]
        for name in names:
            command += ["--port", f"{name}={devices[name]}"]
        for a, b in zip(names[::2], names[1::2]):
            command += ["--wire", f"{a},{b}"]
        # A second worker has the CPU that everything else runs on: there is none left.
        others = [c for c in sorted(os.sched_getaffinity(0)) if c != core]
        cores = [core, *others][:workers]
        command += ["--workers", str(workers), "--cores", ",".join(map(str, cores)), "--max-flows", str(max_flows),
                    "--socket", socket_path, "--state-dir", state or os.path.join(self.folder, "state")]
        if frames:
            command += ["--mbufs", str(frames + 16384)]
        try:
            with open(self.log, "w", encoding="utf-8") as log:
                self.process = subprocess.Popen([*machine.ENDS_WITH_US, *command, *map(str, extra)], stdin=subprocess.DEVNULL,
                                                stdout=log, stderr=log)
            self.control = self.wait_for_socket(socket_path, 60 + frames / 50000)
            self.watch = Connection(socket_path)
        except BaseException:
            self.end()
            raise

    def wait_for_socket(self, path, seconds):
        deadline = time.monotonic() + seconds
        while True:
            if self.process.poll() is not None:
                raise ApplianceError(f"rampartd ended with status {self.process.returncode}:\n{self.tail()}")
            connection = Connection(path)
            try:
                if connection.call("GET", "/v1/status")["state"] == "running":
                    return connection
            except OSError:
                pass
            if time.monotonic() > deadline:
                raise ApplianceError(f"rampartd does not answer:\n{self.tail()}")
            time.sleep(0.01)

    def tail(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-15:])

    def cpu(self):
        """Seconds that the worker's thread has run, and has waited for its CPU (schedstat): what it waited
        it shared the CPU with others, and no figure of that time is any good."""
        if self.schedstat is None:
            tasks = f"/proc/{self.process.pid}/task"
            self.schedstat = next(f"{tasks}/{task}/schedstat" for task in os.listdir(tasks)
                                  if machine.read(f"{tasks}/{task}/comm").startswith("rte-worker"))
        return [int(ns) / 1e9 for ns in machine.read(self.schedstat).split()[:2]]

    def apply(self, snapshot):
        return self.control.call("PUT", "/v1/snapshot", snapshot)

    def change(self, *events):
        return self.control.call("PATCH", "/v1/snapshot", "".join(json.dumps(e) + "\n" for e in events))

    def sample(self):
        stats = self.watch.call("GET", "/v1/stats")
        return Sample(time.monotonic(), stats, self.cpu()[0])

    def wait_for_flows(self, wanted, seconds=60):
        deadline = time.monotonic() + seconds
        while (seen := self.sample()).flows != wanted:
            if time.monotonic() > deadline:
                raise ApplianceError(f"{seen.flows} flows live, and not {wanted}, after {seconds} s")
            time.sleep(0.05)

    def check_laws(self):
        """Nothing vanishes; raises if something did."""
        total = self.watch.call("GET", "/v1/stats")["total"]
        dropped = sum(total["drops"].values())
        if total["received"] + total["originated"] != total["sent"] + dropped + total["held"]:
            raise ApplianceError(f"it does not add up: {total}")

    def stop(self, seconds=60):
        """SIGTERM. Returns what it has logged."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(seconds)
        return machine.read(self.log)

    def end(self):
        try:
            if self.process is not None:
                self.stop(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def windows(appliance, count, seconds):
    """`count` spans of a steady state."""
    spans = []
    last = appliance.sample()
    for _ in range(count):
        time.sleep(seconds)
        now = appliance.sample()
        spans.append(Span(last, now))
        last = now
    return spans


def first_laps(appliance, count, allow, deny):
    """`count` spans in which (nearly) every packet opened a flow.

    The source plays the same file for ever, so a flow is new once: in the first lap after the policy
    began to allow it. Under `deny` all flows are cut; `allow` then makes every one of them new again,
    in the warm process, with the tables already in memory. While a lap lasts the counters are read
    every few milliseconds, and the longest stretch with at least 0.99 flows created a packet counts.
    """
    spans, missed = [], 0
    while len(spans) < count:
        appliance.apply(deny)
        appliance.wait_for_flows(0)
        samples = [appliance.sample()]
        # The answer comes later than the first new flow: a large policy has to be put on the disk before.
        with concurrent.futures.ThreadPoolExecutor(1) as beside:
            applied = beside.submit(appliance.apply, allow)
            begun = watch_lap(appliance, samples, applied.done)
            applied.result()
        while not ended(samples, begun):
            begun = watch_lap(appliance, samples, lambda: True) or begun
            if samples[-1].time - samples[0].time > 60:
                raise ApplianceError("no lap of new flows came to its end within 60 s")
        best = best_stretch(samples)
        if best is not None:
            spans.append(best)
        elif (missed := missed + 1) > 5:  # we, too, want a CPU now and then
            raise ApplianceError("no stretch of a lap had 0.99 new flows a packet: more of them are needed")
    return spans


def watch_lap(appliance, samples, enough):
    """Samples every few milliseconds, at least once. Returns whether a lap has begun."""
    begun = False
    while True:
        time.sleep(0.003)  # each report is a moment in which the worker does something else
        samples.append(appliance.sample())
        begun = begun or Span(samples[-2], samples[-1]).created >= 0.99
        if enough():
            return begun


def ended(samples, begun):
    """Nothing is new any more; if nobody has looked while it was, the lap is over all the same."""
    step = Span(samples[-2], samples[-1])
    return step.packets and step.created < (0.5 if begun else 0.01) and samples[-1].flows


def best_stretch(samples):
    """The longest span between two of them with at least 0.99 flows created a packet, or None."""
    best = None
    for i, first in enumerate(samples):
        for last in reversed(samples[i + 1:]):
            if best is not None and last.received - first.received <= best.packets:
                break
            span = Span(first, last)
            if span.packets and span.created >= 0.99:
                best = span
                break
    return best
