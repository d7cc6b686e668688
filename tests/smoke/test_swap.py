# SPDX-License-Identifier: Apache-2.0
"""Revisions come and go while packets flow."""

import itertools
import select
import struct
import threading
import time

from lib import kube
from lib.frames import frame, tcp, udp
from lib.runner import smoke

A, B = "10.0.0.1", "10.0.0.2"
OLD_FLOWS = 64
# Destination ports by what the two snapshots say of them.
BOTH, NEITHER, FIRST, SECOND = 1000, 2000, 3000, 3001
LOSSES = ("tx_full", "tx_error", "rx_missed", "rx_error", "rx_no_mbuf", "handoff_full", "table_full")


class Stream:
    """Frames from one end to the other from a thread of its own, numbered, in four kinds."""

    def __init__(self, sender, receiver, source, destination):
        self.sender, self.receiver, self.ends = sender, receiver, (source, destination)
        self.sent = dict.fromkeys((BOTH, NEITHER, FIRST, SECOND), 0)
        self.seen = dict.fromkeys((BOTH, NEITHER, FIRST, SECOND), 0)
        self.numbers = itertools.count()
        self.stop = threading.Event()
        self.stuck = False
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _frame(self, kind):
        number = next(self.numbers)
        old = number % 2 == 0
        port = 10000 + number % OLD_FLOWS if old else 20000 + number // 2 % 20000
        return frame(udp(port, kind, struct.pack(">HI", kind, number)), *self.ends)

    def _take(self):
        for one in self.receiver.take():
            self.seen[struct.unpack(">H", one[-6:-4])[0]] += 1

    def _run(self):
        """Bursts, each sent when all of the one before that both snapshots allow has come out: a
        packet socket's ring is short when its reader has to wait for a CPU, so what is in flight
        must be little. What is lost then, the appliance lost."""
        while not self.stop.is_set():
            for kind in (NEITHER, FIRST, BOTH, SECOND, BOTH) * 6:
                self.sender.send(self._frame(kind))
                self.sent[kind] += 1
            end = time.monotonic() + 20
            self._take()
            while self.sent[BOTH] > self.seen[BOTH] and not self.stop.is_set():
                select.select([self.receiver.socket], [], [], 0.01)
                self._take()
                if time.monotonic() > end:
                    self.stuck = True
                    return

    def finish(self, accounted):
        self.stop.set()
        self.thread.join()
        accounted()
        end = time.monotonic() + 5
        while self.sent[BOTH] > self.seen[BOTH] and time.monotonic() < end:
            select.select([self.receiver.socket], [], [], 0.01)
            self._take()


def snapshots():
    """Two desired states that agree on 1000 (allowed) and 2000 (denied) and disagree on the rest."""
    pods = [kube.namespace("web"), kube.pod("web/a", A), kube.pod("web/b", B)]
    return [[*pods, kube.policy(f"web/{name}", ingress=[{"ports": [kube.port(BOTH, "UDP"),
                                                                     kube.port(port, "UDP")]}])]
            for name, port in (("first", FIRST), ("second", SECOND))]


@smoke(cost=30, limit=300)
def test_a_thousand_swaps_under_traffic(lab):
    """What both snapshots allow is never lost, what both deny never passes, and the counters add up
    at any moment."""
    wire = lab.wire()
    states = snapshots()
    lab.start("--max-flows", 262144, objects=states[1])
    streams = [Stream(wire.left, wire.right, A, B), Stream(wire.right, wire.left, B, A)]
    for stream in streams:
        stream.thread.start()
    for turn in range(1000):
        answer = lab.daemon.put(*states[turn % 2])
        assert answer["changed"] and answer["revision"] == turn + 2, answer
        if turn % 50 == 0:
            lab.daemon.check_laws()
            assert not any(s.stuck for s in streams), "packets that both snapshots allow are lost"
    for stream in streams:
        stream.finish(lab.daemon.settled)
    lost = {r: n for r, n in lab.daemon.stats()["total"]["drops"].items() if r in LOSSES}
    for stream in streams:
        what = f"sent {stream.sent}, seen {stream.seen}, drops {lost}"
        assert stream.seen[NEITHER] == 0, f"denied by both, passed: {what}"
        assert stream.seen[BOTH] == stream.sent[BOTH], f"allowed by both, lost: {what}"
        assert stream.sent[BOTH] > 1000, f"hardly any traffic: {what}"
        for kind in (FIRST, SECOND):
            assert 0 < stream.seen[kind] < stream.sent[kind], f"never swapped under traffic: {what}"
    assert not lost, f"lost outside of policy: {lost}"
    assert sum(w["flows_rejudged"] for w in lab.daemon.stats()["workers"]) > 0


@smoke()
def test_a_verdict_holds_from_the_answer_on(lab):
    """When PUT has answered, every worker uses the revision: the very next packet shows it."""
    wire = lab.wire()
    first, second = snapshots()
    lab.start(objects=second)
    for turn in range(20):
        states = (first, FIRST, SECOND) if turn % 2 == 0 else (second, SECOND, FIRST)
        lab.daemon.put(*states[0])
        ports = [30000 + turn * 10 + i for i in range(10)]
        allowed = [frame(udp(p, states[1]), A, B) for p in ports]
        denied = [frame(udp(p, states[2]), A, B) for p in ports]
        out, _ = wire.cross(allowed + denied)
        assert sorted(out) == sorted(allowed), f"turn {turn}: {len(out)} passed"


@smoke()
def test_the_same_content_is_no_new_revision(lab):
    wire = lab.wire()
    first, _ = snapshots()
    lab.start(objects=first)
    answer = lab.daemon.put(*reversed(first))
    assert (answer["changed"], answer["revision"]) == (False, 1), answer
    answer = lab.daemon.patch(kube.event("BOOKMARK", {"kind": "Pod", "metadata": {
        "resourceVersion": "7"}}))
    assert (answer["changed"], answer["revision"]) == (False, 1), answer
    answer = lab.daemon.patch(kube.event("DELETED", first[-1]))
    assert (answer["changed"], answer["revision"]) == (True, 2), answer
    wire.passes(frame(tcp(lab.number(), 9), A, B))
