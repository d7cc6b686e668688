# SPDX-License-Identifier: Apache-2.0
"""Open vSwitch with its DPDK datapath and conntrack: the same rules as OpenFlow flows, one PMD thread. From Debian's
package, unpacked; private database and sockets."""

import itertools
import os
import re
import shutil
import subprocess
import tempfile
import time
from typing import NamedTuple

import appliance
import machine
import packages
import workload
from contenders import Window

NUMBERS = itertools.count(10)
# Of one pool for all ports (its default), less what descriptors and caches hold; net_pcap wants a buffer a frame.
MOST_FRAMES = 240000


class Sample(NamedTuple):
    """Of the PMD thread since its start: packets received, those that were asked of OpenFlow's tables, seconds of CPU
    time; and the connections that there are."""

    time: float
    packets: int
    upcalls: int
    ran: float
    connections: int = 0


def first_lap(samples, frames, hz):
    """The window of first packets among samples from before a file of `frames` flows began (nothing received, nothing
    tracked) to after its first lap. What the lap cost is taken from the first sample that saw a packet to the last one
    within the lap: before and after it the thread polled, or met the same flows again."""
    begun = [s for s in samples if s.packets > samples[0].packets]
    within = [s for s in begun if s.packets - samples[0].packets <= frames]
    if len(begun) == len(within):
        raise appliance.ApplianceError(f"Open vSwitch: no lap of {frames:,} frames came to its end")
    first, last = (within[0], within[-1]) if within else (samples[0], samples[0])
    packets = last.packets - first.packets
    if packets < frames / 2:
        raise appliance.ApplianceError(f"Open vSwitch: only {packets:,} packets of a lap of {frames:,} were seen")
    shares = {"upcalls": (last.upcalls - first.upcalls) / packets,
              "created": (samples[-1].connections - samples[0].connections) / frames}
    return Window((last.ran - first.ran) * hz / packets, packets / (last.time - first.time) / 1e6, shares)


def prefixes(first, last):
    """[(value, mask)…] that cover a range of ports."""
    while first <= last:
        size = first & -first or 1 << 16
        while first + size - 1 > last:
            size //= 2
        yield first, 0xFFFF & ~(size - 1)
        first += size


def flows(rules):
    """Connection tracking as CNIs do it: established ones go out at once, new ones are asked of the rules and committed."""
    yield "table=0,priority=10,ip actions=ct(table=1,zone=100)"
    yield "table=1,priority=200,ct_state=+est+trk,ip actions=output:2"
    yield "table=1,priority=200,ct_state=+rel+trk,ip actions=output:2"
    yield "table=1,priority=190,ct_state=+inv+trk,ip actions=drop"
    yield "table=1,priority=10,ct_state=+new+trk,ip actions=resubmit(,2)"
    for rule in rules:
        what = (f"{'tcp' if rule.protocol == workload.TCP else 'udp'},nw_src={rule.source}/{rule.length},"
                f"nw_dst={rule.destination}")
        for value, mask in ([(0, 0)] if (rule.first, rule.last) == (0, 65535) else prefixes(rule.first, rule.last)):
            ports = f",tp_dst=0x{value:x}/0x{mask:x}" if mask else ""
            yield f"table=2,priority=200,{what}{ports} actions=ct(commit,zone=100),output:2"
    yield "table=2,priority=0 actions=drop"


class Ovs:
    def __init__(self, store, pcap, frames, strange, core, rules):
        """`strange`: a file of frames that no rule names; of so many of them so many are `leaked`."""
        if frames > MOST_FRAMES:
            raise packages.PackageError(f"a file of {frames:,} frames does not fit its packet buffers")
        self.frames, self.memory = frames, machine.buffers_mib(frames) + 1024
        if machine.huge_mib_free() <= self.memory:  # it asks for --in-memory itself, with which --no-huge does not go
            raise packages.PackageError(f"it needs {self.memory:,} MiB of free huge pages")
        self.root = store.root("openvswitch-switch-dpdk")
        self.folder = tempfile.mkdtemp(prefix="rampart-perf.")
        self.environment = {**packages.environment(self.root), **dict.fromkeys(
            ("OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR"), self.folder)}
        self.processes = []
        try:
            self._start(core)
            self._wire(rules)
            self.strange, self.leaked = self._deny(strange)
            self._join("p0", 1, pcap)
        except BaseException:
            self.end()
            raise

    def _path(self, name):
        return os.path.join(self.folder, name)

    def _tool(self, name, *words, folder="usr/bin"):
        done = subprocess.run([os.path.join(self.root, folder, name), *words], env=self.environment, capture_output=True,
                              text=True, timeout=120, check=False)
        if done.returncode:
            raise appliance.ApplianceError(f"{name} {' '.join(words[-3:])}: {done.stderr.strip()[-400:]}")
        return done.stdout

    def _database(self, *words):
        return self._tool("ovs-vsctl", f"--db=unix:{self._path('db.sock')}", "--timeout=60", *words)

    def _ask(self, *words):
        return self._tool("ovs-appctl", "-t", self._path("vswitchd.ctl"), *words)

    def _serve(self, program, *words):
        with open(self._path("log"), "a", encoding="utf-8") as log:
            self.processes.append(subprocess.Popen([*machine.ENDS_WITH_US, os.path.join(self.root, program), *words], env=self.environment,
                                                   stdout=log, stderr=log))

    def _wait(self, path):
        deadline = time.monotonic() + 60
        while not os.path.exists(path):
            if time.monotonic() > deadline or any(p.poll() is not None for p in self.processes):
                raise appliance.ApplianceError("Open vSwitch does not start: " + machine.read(self._path("log"))[-800:])
            time.sleep(0.05)

    def _start(self, core):
        self._tool("ovsdb-tool", "create", self._path("conf.db"),
                   os.path.join(self.root, "usr/share/openvswitch/vswitch.ovsschema"))
        self._serve("usr/sbin/ovsdb-server", self._path("conf.db"), f"--remote=punix:{self._path('db.sock')}",
                    f"--unixctl={self._path('db.ctl')}", "-vconsole:warn")
        self._wait(self._path("db.sock"))
        extra = f"--no-pci --in-memory --no-telemetry -m {self.memory}"
        other = next((cpu for cpu in sorted(os.sched_getaffinity(0)) if cpu != core), core)
        settings = [f"other_config:{name}={value}" for name, value in {
            "dpdk-init": "true", "dpdk-lcore-mask": hex(1 << other), "pmd-cpu-mask": hex(1 << core),
            "dpdk-extra": f'"{extra}"', "max-idle": 600000, "n-revalidator-threads": 1, "n-handler-threads": 1}.items()]
        self._database("--no-wait", "init")
        self._database("--no-wait", "set", "Open_vSwitch", ".", *settings)
        self._serve("usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk", f"unix:{self._path('db.sock')}",
                    f"--unixctl={self._path('vswitchd.ctl')}", "-vconsole:warn")
        self.pid = self.processes[-1].pid
        self._wait(self._path("vswitchd.ctl"))

    def _wire(self, rules):
        self._database("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev", "fail-mode=secure")
        self._database("add-port", "br0", "p1", "--", "set", "Interface", "p1", "type=dpdk",
                       f"options:dpdk-devargs=net_null{next(NUMBERS)},no-rx=1", "ofport_request=2")
        self._ask("dpctl/ct-set-maxconns", "netdev@ovs-netdev", "3000000")
        with open(self._path("flows"), "w", encoding="utf-8") as out:
            out.writelines(flow + "\n" for flow in flows(rules))
        self._tool("ovs-ofctl", "--bundle", "replace-flows", f"unix:{self._path('br0.mgmt')}", self._path("flows"))
        tasks = f"/proc/{self.pid}/task"
        pmd = [task for task in os.listdir(tasks) if machine.read(f"{tasks}/{task}/comm").startswith("pmd-")]
        self.thread = f"{tasks}/{pmd[0]}/schedstat"

    def _join(self, port, number, pcap):
        """A port from which the frames of a file come, again and again."""
        self._database("add-port", "br0", port, "--", "set", "Interface", port, "type=dpdk",
                       f"options:dpdk-devargs=net_pcap{next(NUMBERS)},rx_pcap={pcap},infinite_rx=1", f"ofport_request={number}")
        error = self._database("get", "Interface", port, "error").strip()
        if error != "[]":
            raise appliance.ApplianceError(f"Open vSwitch, net_pcap: {error}")

    def _deny(self, strange):
        """(packets received of such a file, those that came out)."""
        before = self._sample().packets
        self._join("p2", 3, strange)
        deadline = time.monotonic() + 20
        while self._sample().packets - before < 1000:
            if time.monotonic() > deadline:
                raise appliance.ApplianceError("Open vSwitch received none of the frames that it should deny")
            time.sleep(0.1)
        self._database("del-port", "br0", "p2")
        received = self._sample().packets - before
        ports = self._tool("ovs-ofctl", "dump-ports", f"unix:{self._path('br0.mgmt')}", "p1")
        return received, int(re.search(r"tx pkts=(\d+)", ports).group(1))

    def connections(self):
        return int(self._ask("dpctl/ct-get-nconns", "netdev@ovs-netdev"))

    def _sample(self):
        text = self._ask("dpif-netdev/pmd-stats-show")
        thread = text.split("pmd thread")[1].split("main thread")[0]
        count = {name: int(re.search(rf"{name}: (\d+)", thread).group(1))
                 for name in ("packets received", "miss with success upcall", "miss with failed upcall")}
        ran = int(machine.read(self.thread).split()[0]) / 1e9
        received = count.pop("packets received")
        return Sample(time.monotonic(), received, sum(count.values()), ran)

    def window(self, seconds):
        first = self._sample()
        time.sleep(seconds)
        last = self._sample()
        packets = last.packets - first.packets
        if packets == 0:
            raise appliance.ApplianceError("Open vSwitch received nothing")
        return Window((last.ran - first.ran) * machine.tsc_hz() / packets, packets / (last.time - first.time) / 1e6,
                      {"upcalls": (last.upcalls - first.upcalls) / packets})

    def lap(self):
        """First packets: the port stands still while all connections are forgotten; then it goes on for a lap."""
        self._receive("down")
        self._ask("dpctl/flush-conntrack")
        if left := self.connections():
            raise appliance.ApplianceError(f"Open vSwitch keeps {left:,} connections that were flushed")
        samples = [self._sample()]
        self._receive("up")
        while samples[-1].packets - samples[0].packets <= self.frames:
            if time.monotonic() - samples[0].time > 60:
                raise appliance.ApplianceError("Open vSwitch: no lap came to its end within 60 s")
            samples.append(self._sample())
        self._receive("down")
        samples[-1] = samples[-1]._replace(connections=self.connections())
        return first_lap(samples, self.frames, machine.tsc_hz())

    def _receive(self, state):
        """"up" or "down": whether the thread polls the port that the frames come from."""
        self._tool("ovs-ofctl", "mod-port", f"unix:{self._path('br0.mgmt')}", "p0", state)

    def _counted(self):
        """(received by one port, sent by the other). Interfaces' statistics are renewed every five seconds."""
        return [int(self._database("get", "Interface", port, f"statistics:{what}"))
                for port, what in (("p0", "rx_packets"), ("p1", "tx_packets"))]

    def sent_share(self, seconds=11):
        """Of all packets received meanwhile, what the other port sent."""
        first = self._counted()
        time.sleep(seconds)
        received, sent = (b - a for a, b in zip(first, self._counted()))
        return sent / received if received else 0

    def sent_in_all(self, seconds=6):
        """The same of all packets since the start; nothing may be coming any more."""
        time.sleep(seconds)
        received, sent = self._counted()
        return sent / received if received else 0

    def end(self):
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
