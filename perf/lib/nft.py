# SPDX-License-Identifier: Apache-2.0
"""The kernel's nftables with connection tracking: the same policies as one set, between two network namespaces. From
Debian's package, unpacked; ends what it has started, and everything is gone with its namespaces.

    source's namespace: veth_stream ─ out ══ veth ══ in ─ router's namespace: forward chain ─ sink (ifb, which drops)

Source and router share a core and a thread. The source alone is measured too, with a rule that drops every frame as it
comes in, and subtracted: what is left is the kernel's share. Nothing of the system's settings is touched: connections have the room and the hash table
that the kernel has given them (a namespace can change neither)."""

import os
import subprocess
import tempfile
import time
from typing import NamedTuple

import appliance
import machine
import packages
import workload
from contenders import Window
from generator import Generator

MAC_IN = "02:00:00:00:00:02"  # what the frames are addressed to (workload.MACS)
ALONE = """table netdev alone {
 chain ingress {
  type filter hook ingress device "in" priority 0
  drop
 }
}
"""
SETTINGS = {"net.ipv4.ip_forward": 1, "net.ipv4.conf.all.rp_filter": 0, "net.ipv4.conf.default.rp_filter": 0,
            "net.ipv4.conf.in.rp_filter": 0, "net.netfilter.nf_conntrack_udp_timeout": 3600,
            "net.netfilter.nf_conntrack_udp_timeout_stream": 3600}


def ruleset(rules):
    """One set of (source, destination, protocol, port); what connection tracking knows passes first."""
    names = {workload.TCP: "tcp", workload.UDP: "udp"}
    elements = []
    for rule in rules:
        source = rule.source if rule.length == 32 else f"{rule.source}/{rule.length}"
        ports = str(rule.first) if rule.first == rule.last else f"{rule.first}-{rule.last}"
        elements.append(f"{source} . {rule.destination} . {names[rule.protocol]} . {ports}")
    listed = ",\n".join(dict.fromkeys(elements))
    return f"""table ip policies {{
 set allowed {{
  type ipv4_addr . ipv4_addr . inet_proto . inet_service
  flags interval
  elements = {{ {listed} }}
 }}
 counter accepted {{ }}
 chain forward {{
  type filter hook forward priority 0; policy drop
  ct state established,related counter name accepted accept
  ct state invalid drop
  ip saddr . ip daddr . meta l4proto . th dport @allowed counter name accepted accept
 }}
}}
"""


class Sample(NamedTuple):
    """Frames that the source sent, and seconds of its thread; frames that came in, and that left."""

    time: float
    packets: int
    ran: float
    came: int
    left: int


def between(first, last, hz, connections=0):
    """`connections`: those that the frames between the two samples have opened."""
    packets, came = last.packets - first.packets, last.came - first.came
    if packets == 0 or came == 0:
        raise appliance.ApplianceError("nftables received nothing")
    return Window((last.ran - first.ran) * hz / packets, packets / (last.time - first.time) / 1e6,
                  {"sent": (last.left - first.left) / came, "created": connections / came})


def kernels_share(whole, source):
    """A window without what the source alone costs, which was measured before and after it."""
    return whole._replace(cycles=whole.cycles - sum(window.cycles for window in source) / len(source))


def check_room(frames, room):
    if frames > room:
        raise packages.PackageError(f"a file of {frames:,} flows does not fit the kernel's table of {room:,} connections")


class Nft:
    def __init__(self, store, generator, pcap, frames, replies, strange, core, rules):
        """`pcap`: the frames to be measured, `frames` of them, each of another flow; `replies`: their answers, which make
        connections out of them (None: for first packets); `strange`: frames that no rule names; all are files.
        `generator`: the program veth_stream."""
        self.root = store.root("nftables", "conntrack")
        self.environment = packages.environment(self.root)
        self.source, self.router = (f"rampart-perf-{os.getpid()}-{side}" for side in ("source", "router"))
        self.program, self.core = generator, core
        self.streams, self.files = [], tempfile.TemporaryDirectory(prefix="rampart-perf.")
        try:
            self._wire()
            self._load(ruleset(rules))  # from now on connections are tracked
            check_room(frames, self._number("max"))
            self.strange, self.leaked = self._once(strange)
            for path in (pcap, replies) if replies else ():
                self._once(path)
            self.stream = self._stream(pcap)
            self.pid = self.stream.process.pid
        except BaseException:
            self.end()
            raise

    def _tool(self, *command):
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=self.environment)
        if done.returncode:
            raise appliance.ApplianceError(f"{' '.join(command)}: {done.stderr.strip()[-400:]}")
        return done.stdout

    def _within(self, *command):
        return self._tool("ip", "netns", "exec", self.router, *command)

    def _wire(self):
        for name in (self.source, self.router):
            self._tool("ip", "netns", "add", name)
        self._tool("ip", "link", "add", "out", "netns", self.source, "type", "veth", "peer", "name", "in", "netns", self.router)
        self._tool("ip", "-n", self.source, "link", "set", "out", "up")
        router = ("ip", "-n", self.router)
        self._tool(*router, "link", "set", "in", "address", MAC_IN, "up")
        self._tool(*router, "address", "add", "169.254.7.1/30", "dev", "in")
        self._tool(*router, "link", "add", "sink", "type", "ifb")
        self._tool(*router, "link", "set", "sink", "up")
        # One next hop that is known: every other address would want an entry of its own among the neighbours.
        self._tool(*router, "address", "add", "169.254.8.1/30", "dev", "sink")
        self._tool(*router, "neighbour", "add", "169.254.8.2", "lladdr", "02:00:00:00:00:09", "nud", "permanent", "dev", "sink")
        self._tool(*router, "route", "add", "default", "via", "169.254.8.2", "dev", "sink")
        self._within("sysctl", "-qw", *(f"{name}={value}" for name, value in SETTINGS.items()))

    def _load(self, text):
        path = os.path.join(self.files.name, "rules")
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        self._within(os.path.join(self.root, "usr/sbin/nft"), "-f", path)

    def _stream(self, pcap):
        self.streams.append(Generator(self.program, self.core, within=("ip", "netns", "exec", self.source),
                                      interface="out", file=pcap))
        return self.streams[-1]

    def _once(self, pcap):
        """(frames that came in, frames that left) when a file is sent one time."""
        before = self._counted()
        stream = self._stream(pcap)
        stream.ask("once")
        self.streams.remove(stream)
        stream.end()
        return [b - a for a, b in zip(before, self._counted())]

    def _counted(self):
        """(frames in, frames out). An ifb drops what is routed to it, and counts it there."""
        statistics = [line.split() for line in self._within("cat", "/proc/net/dev").splitlines() if ":" in line]
        by_name = {words[0].rstrip(":"): list(map(int, words[1:])) for words in statistics}
        return by_name["in"][1], by_name["sink"][3]

    def _number(self, name):
        return int(self._within("cat", f"/proc/sys/net/netfilter/nf_conntrack_{name}"))

    def connections(self):
        return self._number("count")

    def _sample(self):
        stats = self.stream.ask("stats")
        return Sample(time.monotonic(), stats["packets"], stats["cpu_ns"] / 1e9, *self._counted())

    def _span(self, seconds):
        self.stream.tell("send on")
        first = self._sample()
        time.sleep(seconds)
        last = self._sample()
        self.stream.tell("send off")
        return between(first, last, machine.tsc_hz())

    def _once_new(self):
        self._within(os.path.join(self.root, "usr/sbin/conntrack"), "--flush")
        if left := self.connections():
            raise appliance.ApplianceError(f"nftables keeps {left:,} connections that were flushed")
        first = self._sample()
        self.stream.ask("once")
        return between(first, self._sample(), machine.tsc_hz(), self.connections())

    def _without_source(self, measure, seconds):
        source = []
        for turn in ("before", "between", "after"):
            if turn == "between":
                whole = measure()
                continue
            self._load(ALONE)
            source.append(self._span(seconds))
            self._load("delete table netdev alone\n")
        return kernels_share(whole, source)

    def window(self, seconds):
        """The kernel's share: less what the source costs, measured before and after."""
        return self._without_source(lambda: self._span(seconds), seconds / 4)

    def lap(self, seconds=0.15):
        """The same of first packets: every frame once, all connections being forgotten before. `seconds`: for the source."""
        return self._without_source(self._once_new, seconds)

    def end(self):
        for stream in self.streams:
            stream.end()
        for name in (self.source, self.router):
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)
        self.files.cleanup()
