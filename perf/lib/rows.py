# SPDX-License-Identifier: Apache-2.0
"""What perf/run has found out: rows, their verdicts, and how they are shown."""

import os

import curves
import machine
from bars import middle, spread

HEADINGS = ("traffic", "flows", "driver", "floor", "Rampart", "ratio", "bar", "verdict", "with driver", "testpmd",
            "Mpps", "proof")
PEER_HEADINGS = ("traffic", "flows", "Rampart", "peer", "its cycles", "peer / Rampart", "bar", "verdict", "proof")
BARS = {"udp": 2.0, "zipf": 2.0, "ipv6": 2.5, "mixed": 2.5, "new": 1.6, "policies": 1.6}


class Row:
    """What was measured of one kind of traffic; lists hold a value a round."""

    def __init__(self, kind, flows, policies=1000):
        self.kind, self.flows, self.policies, self.bar = kind, flows, policies, BARS.get(kind)
        self.driver, self.floor, self.own, self.ratio, self.total, self.testpmd, self.mpps, self.shares, \
            self.floor_shares, self.stages = [], [], [], [], [], [], [], [], [], []
        self.proof, self.broken, self.note = "", [], ""

    def add(self, driver, floor, rampart, peer):
        """`driver`: its cycles; the others: windows, and testpmd's (cycles, Mpps)."""
        self.driver.append(driver)
        self.floor.append(floor.cycles - driver)
        self.own.append(rampart.cycles - driver)
        self.ratio.append(self.own[-1] / self.floor[-1])
        self.total.append(rampart.cycles)
        self.mpps.append(rampart.mpps)
        self.shares.append(rampart.shares)
        self.stages.append(rampart.stages)
        self.floor_shares.append(floor.shares)
        if peer:
            self.testpmd.append(peer[0])

    def prove(self, name, least):
        """So many of the packets were that, Rampart's and the floor's."""
        worst = min(shares[name] for shares in [*self.shares, *self.floor_shares])
        self.proof = f"{name} {worst:.4f}"
        if worst < least:
            self.broken.append(f"{self.kind}, {self.flows:,} flows: only {worst:.4f} of the packets were {name}")

    def name(self):
        return f"new, {self.policies:,} policies" if self.kind == "policies" else self.kind

    def by_stage(self):
        """{stage: cycles a packet}, medians; nothing if the build does not count them."""
        return {name: middle([stages[name] for stages in self.stages]) for name in self.stages[0]}

    def proven(self):
        return bool(self.proof) and not self.broken

    def verdict(self):
        if not self.proven():
            return "no proof"
        if self.bar is None:
            return ""
        return "PASS" if middle(self.ratio) <= self.bar else "FAIL"

    def cells(self):
        return (self.name(), f"{self.flows:,}", spread(self.driver, 0), spread(self.floor, 0), spread(self.own, 0),
                spread(self.ratio, 2), f"≤ {self.bar:.2f}" if self.bar else "", self.verdict(),
                spread(self.total, 0), spread(self.testpmd, 0) if self.testpmd else "", spread(self.mpps, 2), self.proof)

    def facts(self):
        return {"traffic": self.kind, "flows": self.flows, "policies": self.policies, "bar": self.bar,
                "verdict": self.verdict(),
                "median": {name: middle(getattr(self, name)) for name in ("driver", "floor", "own", "ratio", "total")},
                "rounds": {name: getattr(self, name) for name in ("driver", "floor", "own", "ratio", "total", "mpps",
                                                                  "testpmd", "shares")},
                "stages": self.by_stage(), "proof": self.proof, "note": self.note}


class PeerRow:
    """A peer on the frames of a row, everything with the driver; ratios by round."""

    def __init__(self, row, name, bar):
        self.row, self.name, self.bar = row, name, bar
        self.cycles, self.shares, self.broken, self.proof = [], [], [], ""

    def add(self, window):
        self.cycles.append(window.cycles)
        self.shares.append(window.shares)

    def worst(self, name):
        """The least share of a round's packets that was that."""
        return min(shares[name] for shares in self.shares)

    def ratios(self):
        return [mine / whole for mine, whole in zip(self.cycles, self.row.total)]

    def prove(self, what, holds):
        self.proof = what
        if not holds:
            self.broken.append(f"{self.name}, {self.row.kind}, {self.row.flows:,} flows: {what}")

    def verdict(self):
        if self.broken or not self.proof or not self.row.proven():
            return "no proof"
        if self.bar is None:
            return ""
        return "PASS" if middle(self.ratios()) >= self.bar else "FAIL"

    def cells(self):
        return (self.row.kind, f"{self.row.flows:,}", spread(self.row.total, 0), self.name, spread(self.cycles, 0),
                spread(self.ratios(), 2), f"≥ {self.bar:.2f}" if self.bar else "", self.verdict(), self.proof)

    def facts(self):
        return {"traffic": self.row.kind, "flows": self.row.flows, "peer": self.name, "bar": self.bar,
                "verdict": self.verdict(), "median": {"cycles": middle(self.cycles), "ratio": middle(self.ratios())},
                "rounds": {"cycles": self.cycles, "ratio": self.ratios(), "shares": self.shares}, "proof": self.proof}


def allowed_beside(rows, flows):
    """Of rows that were measured, that of first packets with which `flows` denied ones are compared: of as many, or of the fewest
    where there is none, as where denied ones come again. None: no row has a proof."""
    allowed = sorted((row for row in rows if row.kind == "new" and row.proven()), key=lambda row: (row.flows != flows, row.flows))
    return allowed[0] if allowed else None


def table(headings, rows):
    lines = [headings, *(row.cells() for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(headings))]
    return "\n".join("  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip() for line in lines)


def record(path, headings, rows, about):
    """Appends rows of a Markdown table; date, commit and machine stand in every one."""
    columns = ["date", "commit", "CPU", "DPDK", "memory", "load before", *headings]
    fresh = not os.path.exists(path)
    with open(path, "a", encoding="utf-8") as out:
        if fresh:
            out.write(f"| {' | '.join(columns)} |\n|{' --- |' * len(columns)}\n")
        for row in rows:
            out.write("| " + " | ".join([about["date"], about["commit"], about["cpu"], about["dpdk"],
                                         about["memory"], about["load"], *row.cells()]) + " |\n")


def draw(folder, rows, peers):
    """Curves over the number of flows."""
    os.makedirs(folder, exist_ok=True)
    kinds = [kind for kind in ("udp", "zipf", "ipv6", "mixed") if any(r.kind == kind for r in rows)]
    cycles, rates = {}, {}
    for kind in kinds:
        mine = [row for row in rows if row.kind == kind and row.own]
        cycles[f"Rampart, {kind}"] = [(r.flows, middle(r.own)) for r in mine]
        cycles[f"floor, {kind}"] = [(r.flows, middle(r.floor)) for r in mine]
        rates[f"Rampart, {kind}"] = [(r.flows, middle(r.mpps)) for r in mine]
        if kind == "udp":
            rates["floor, udp"] = [(r.flows, machine.tsc_hz() / (middle(r.floor) + middle(r.driver)) / 1e6) for r in mine]
            rates["testpmd, udp"] = [(r.flows, machine.tsc_hz() / middle(r.testpmd) / 1e6) for r in mine if r.testpmd]
    for peer in peers:
        if peer.row.kind == "udp" and peer.cycles:
            rates.setdefault(peer.name, []).append(
                (peer.row.flows, middle(peer.row.mpps) / middle(peer.ratios())))
    if kinds:
        curves.draw(os.path.join(folder, "cycles.svg"), "Established flows, without the driver", "flows",
                    "TSC cycles a packet", cycles)
        curves.draw(os.path.join(folder, "rates.svg"), "Established flows, one worker, 64-byte frames from net_pcap",
                    "flows", "Mpps", rates)
