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

import appliance
import machine
import packages
import workload
from contenders import Window

NUMBERS = itertools.count(10)


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
    def __init__(self, folder, pcap, frames, core, rules):
        self.root = packages.unpacked(folder, "openvswitch-switch-dpdk")
        self.folder = tempfile.mkdtemp(prefix="rampart-perf.")
        self.environment = {**packages.environment(self.root), **dict.fromkeys(
            ("OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR"), self.folder)}
        self.processes = []
        try:
            self._start(core, frames)
            self._wire(pcap, rules)
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
            self.processes.append(subprocess.Popen([os.path.join(self.root, program), *words], env=self.environment,
                                                   stdout=log, stderr=log))

    def _wait(self, path):
        deadline = time.monotonic() + 60
        while not os.path.exists(path):
            if time.monotonic() > deadline or any(p.poll() is not None for p in self.processes):
                raise appliance.ApplianceError("Open vSwitch does not start: " + machine.read(self._path("log"))[-800:])
            time.sleep(0.05)

    def _start(self, core, frames):
        self._tool("ovsdb-tool", "create", self._path("conf.db"),
                   os.path.join(self.root, "usr/share/openvswitch/vswitch.ovsschema"))
        self._serve("usr/sbin/ovsdb-server", self._path("conf.db"), f"--remote=punix:{self._path('db.sock')}",
                    f"--unixctl={self._path('db.ctl')}", "-vconsole:warn")
        self._wait(self._path("db.sock"))
        memory = machine.buffers_mib(frames) + 1024
        huge = "--in-memory" if machine.huge_mib_free() > memory else "--no-huge"
        extra = f"--no-pci {huge} --no-telemetry -m {memory}"
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

    def _wire(self, pcap, rules):
        self._database("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev", "fail-mode=secure")
        self._database("add-port", "br0", "p1", "--", "set", "Interface", "p1", "type=dpdk",
                       f"options:dpdk-devargs=net_null{next(NUMBERS)},no-rx=1", "ofport_request=2")
        self._ask("dpctl/ct-set-maxconns", "netdev@ovs-netdev", "3000000")
        with open(self._path("flows"), "w", encoding="utf-8") as out:
            out.writelines(flow + "\n" for flow in flows(rules))
        self._tool("ovs-ofctl", "--bundle", "replace-flows", f"unix:{self._path('br0.mgmt')}", self._path("flows"))
        self._database("add-port", "br0", "p0", "--", "set", "Interface", "p0", "type=dpdk",
                       f"options:dpdk-devargs=net_pcap{next(NUMBERS)},rx_pcap={pcap},infinite_rx=1", "ofport_request=1")
        error = self._database("get", "Interface", "p0", "error").strip()
        if error != "[]":
            raise appliance.ApplianceError(f"Open vSwitch, net_pcap: {error}")
        tasks = f"/proc/{self.pid}/task"
        pmd = [task for task in os.listdir(tasks) if machine.read(f"{tasks}/{task}/comm").startswith("pmd-")]
        self.thread = f"{tasks}/{pmd[0]}/schedstat"

    def connections(self):
        return int(self._ask("dpctl/ct-get-nconns", "netdev@ovs-netdev"))

    def _sample(self):
        text = self._ask("dpif-netdev/pmd-stats-show")
        thread = text.split("pmd thread")[1].split("main thread")[0]
        count = {name: int(re.search(rf"{name}: (\d+)", thread).group(1))
                 for name in ("packets received", "miss with success upcall", "miss with failed upcall")}
        ran = int(machine.read(self.thread).split()[0]) / 1e9
        return time.monotonic(), count["packets received"], sum(count.values()) - count["packets received"], ran

    def window(self, seconds):
        first = self._sample()
        time.sleep(seconds)
        spent, packets, upcalls, ran = (b - a for a, b in zip(first, self._sample()))
        if packets == 0:
            raise appliance.ApplianceError("Open vSwitch received nothing")
        return Window(ran * machine.tsc_hz() / packets, packets / spent / 1e6, {"upcalls": upcalls / packets})

    def sent_share(self, seconds=11):
        """Of all packets received, what the other port sent. Interfaces' statistics are renewed every five seconds."""
        def count(port, what):
            return int(self._database("get", "Interface", port, f"statistics:{what}"))
        first = count("p0", "rx_packets"), count("p1", "tx_packets")
        time.sleep(seconds)
        received, sent = count("p0", "rx_packets") - first[0], count("p1", "tx_packets") - first[1]
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
