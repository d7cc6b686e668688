# SPDX-License-Identifier: Apache-2.0
"""The last accepted state is in force before the first packet after a restart, however it ended."""

import json
import pathlib
import select
import signal
import struct
import threading
import time

from lib import kube
from lib.frames import frame, udp
from lib.net import wait_for
from lib.runner import smoke

A, B = "10.0.0.1", "10.0.0.2"
STATE = [kube.namespace("web"), kube.pod("web/a", A), kube.pod("web/b", B),
         kube.policy("web/allow", ingress=[{"ports": [kube.port(80, "UDP")]}])]


def knock_until_running(lab, wire):
    """Starts the appliance again while packets keep coming; returns the frames that got out."""
    ready = threading.Event()
    numbers = iter(range(1024, 65536))

    def knock():
        while not ready.wait(0.001):
            wire.left.send(frame(udp(next(numbers, 1024), 81), A, B))
            wire.right.send(frame(udp(next(numbers, 1024), 81), B, A))

    thread = threading.Thread(target=knock)
    thread.start()
    try:
        lab.start("--startup", "pass")
    finally:
        ready.set()
        thread.join()
    lab.daemon.settled()
    return wire.right.take() + wire.left.take()


@smoke(cost=6)
def test_the_last_state_is_in_force_before_the_first_packet(lab):
    """With --startup pass, so that a single packet before the stored state would be seen."""
    wire = lab.wire()
    lab.start("--startup", "pass")
    wire.passes(frame(udp(lab.number(), 81), A, B))
    lab.daemon.put(*STATE)
    lab.daemon.patch(kube.event("ADDED", kube.pod("web/c", "10.0.0.3")))
    for end in ("terminate", "kill", "kill"):
        getattr(lab.daemon, end)()
        out = knock_until_running(lab, wire)
        assert out == [], f"{len(out)} denied packets passed after {end}"
        assert lab.daemon.drops("denied_ingress") > 0, "no packet came in time"
        status = lab.daemon.get("/v1/status")
        assert (status["revision"], status["objects"]["pods"]) == (2, 3), status
        wire.passes(frame(udp(lab.number(), 80), A, B))
        wire.drops(frame(udp(lab.number(), 81), A, "10.0.0.3"), "denied_ingress")
        kinds = [i["kind"] for i in lab.daemon.get("/v1/snapshot")["items"]]
        assert sorted(kinds) == ["Namespace", "NetworkPolicy", "Pod", "Pod", "Pod"], kinds
    answer = lab.daemon.put(*STATE)
    assert answer["revision"] == 3, answer


@smoke(workers=(1,), cost=3)
def test_a_damaged_state_is_never_half_believed(lab):
    """Either the start is refused by name, or nothing passes but what --startup says."""
    wire = lab.wire()
    lab.start(objects=STATE)
    wire.passes(frame(udp(lab.number(), 80), A, B))
    lab.daemon.terminate()
    folder = pathlib.Path(lab.daemon.folder, "state")
    files = [p for p in folder.rglob("*") if p.is_file()]
    assert files, "nothing was stored"
    for path in files:
        data = path.read_bytes()
        path.write_bytes(data.replace(b"web", b"wob", 1) if b"web" in data else data[:-1])
    status, said = lab.refused_start()
    assert status == 1 and str(folder) in said, f"status {status}: {said}"


@smoke(workers=(1,), cost=3)
def test_feeding_over_and_over_leaves_one_state(lab):
    """The store holds what is in force and no heap of leftovers."""
    lab.wire()
    lab.start(objects=STATE)
    for i in range(30):
        lab.daemon.patch(kube.event("MODIFIED", kube.pod("web/a", A, turn=str(i))))
    folder = pathlib.Path(lab.daemon.folder, "state")
    files = [p.relative_to(folder).parts for p in folder.rglob("*") if p.is_file()]
    assert len([f for f in files if f[0] != "history"]) <= 3, files
    assert len([f for f in files if f[0] == "history"]) <= 2, f"pods alone are one entry: {files}"
    stored = json.dumps(lab.daemon.get("/v1/snapshot"))
    assert '"29"' in stored and '"28"' not in stored


class Conversation:
    """A TCP connection whose every byte is checked, in both directions."""

    def __init__(self, client, server, port, v6=False):
        self.ours, self.theirs = client.connect(server, port, v6)
        self.port = self.ours.getsockname()[1]
        self.said = [0, 0]
        self.heard = [0, 0]

    def say(self, side, count=4000):
        """Puts numbered bytes on their way; they need not arrive yet."""
        begin = self.said[side]
        (self.ours, self.theirs)[side].sendall(numbered(begin, count))
        self.said[side] += count

    def hear(self):
        """Everything said so far has arrived, in order and whole."""
        for side, end in ((0, self.theirs), (1, self.ours)):
            while self.heard[side] < self.said[side]:
                wait_for("bytes on the connection", lambda e=end: select.select([e], [], [], 0)[0],
                         seconds=60)
                data = end.recv(65536)
                assert data, "the connection was closed"
                assert data == numbered(self.heard[side], len(data)), "bytes were changed or lost"
                self.heard[side] += len(data)

    def both(self):
        self.say(0)
        self.say(1)
        self.hear()


def numbered(begin, count):
    return bytes((begin + i) * 7 % 251 for i in range(count))


@smoke(cost=12, limit=180)
def test_open_connections_outlive_both_kinds_of_restart(lab):
    """After SIGTERM the flows come back from the file; after SIGKILL they are picked up by grace,
    whichever end speaks first, if the policy allows them."""
    left, right = lab.sides()
    client = lab.pod(left, "web/client", "10.0.0.1", "fd00::1")
    server = lab.pod(right, "web/server", "10.0.0.2", "fd00::2")
    objects = [kube.namespace("web"), kube.pod("web/client", *client.addresses, app="client"),
               kube.pod("web/server", *server.addresses, app="server"),
               kube.policy("web/server", {"app": "server"}, ingress=[{"ports": [kube.port(80)]}]),
               kube.policy("web/client", {"app": "client"}, ingress=[])]
    lab.start(objects=objects)
    talks = [Conversation(client, server, 80), Conversation(client, server, 80, v6=True)]
    for one in talks:
        one.both()

    def counted(name):
        return sum(w[name] for w in lab.daemon.stats()["workers"])

    def flow(one):
        found = lab.daemon.flows(port=one.port)
        return found and (found[0]["state"], found[0]["destination_port"])

    for end, first in (("terminate", 0), ("terminate", 1), ("kill", 0), ("kill", 1)):
        getattr(lab.daemon, end)()
        began = time.monotonic()
        for one in talks:
            one.say(first)  # on its way while nobody is there
        lab.start()
        for one in talks:
            one.hear()
        print(f"    {end}: the first byte came through {(time.monotonic() - began) * 1000:.0f} ms after "
              "the appliance had gone")
        for one in talks:
            one.both()
            assert flow(one) == ("established", 80), f"after {end}: {flow(one)}"
        name, other = ("flows_restored", "flows_picked_up") if end == "terminate" else \
            ("flows_picked_up", "flows_restored")
        assert (counted(name), counted(other)) == (2, 0), lab.daemon.stats()["workers"]
        assert lab.daemon.drops("denied_ingress", "tcp_window", "tcp_state") == 0, lab.daemon.stats()
    # No restart without grace, and what policy does not allow is not picked up.
    lab.daemon.kill()
    lab.start("--restart-grace-s", 0)
    talks[0].say(0)
    wait_for("a segment of nobody's", lambda: lab.daemon.drops("no_flow") > 0)
    lab.daemon.kill()
    lab.start()
    talks[0].hear()
    lab.daemon.patch(kube.event("MODIFIED", kube.policy("web/server", {"app": "server"}, ingress=[])))
    before = lab.daemon.drops("denied_ingress")
    talks[0].say(0)
    wait_for("a denied segment", lambda: lab.daemon.drops("denied_ingress") > before)
    lab.daemon.kill()
    lab.start()
    talks[1].say(1)
    wait_for("a segment that policy forbids", lambda: lab.daemon.drops("denied_ingress") > 0)
    assert counted("flows_picked_up") == 0


def saved_at(whole, ms):
    """A flow file that was written at another time of the wall clock (dataplane/worker/flow_file.hpp)."""
    head = whole[:16] + struct.pack("<Q", ms) + whole[24:40]
    total = 0x6a09e667f3bcc908
    for (word,) in struct.iter_unpack("<Q", whole[64:] + head):
        product = (word ^ total) * 0x9E3779B97F4A7C15
        total = (product ^ product >> 64) & 0xffffffffffffffff
    return head + struct.pack("<Q", total) + whole[48:]


@smoke(workers=(1,), cost=2)
def test_a_second_signal_cuts_the_writing_of_flows_short(lab):
    wire = lab.wire()
    lab.start(objects=STATE)
    wire.passes(frame(udp(lab.number(), 80), A, B))
    # It sees both at once, so the second is there when it begins to write.
    for one in (signal.SIGSTOP, signal.SIGTERM, signal.SIGINT, signal.SIGCONT):
        lab.daemon.process.send_signal(one)
    assert lab.daemon.process.wait(10) == 0
    assert any("cut short by request" in line for line in lab.daemon.log()), lab.daemon.log()
    assert not list(pathlib.Path(lab.daemon.folder, "state").glob("flows*"))
    lab.start()
    assert any("are picked up for" in line for line in lab.daemon.log()), lab.daemon.log()
    assert lab.daemon.flows() == []


@smoke(workers=(1,), cost=6)
def test_a_flow_file_that_is_not_ours_is_refused_and_ignored(lab):
    wire = lab.wire()
    lab.start(objects=STATE)
    port = lab.number()
    wire.passes(frame(udp(port, 80), A, B))
    wire.passes(frame(udp(80, port), B, A), back=True)
    lab.daemon.terminate()
    path = pathlib.Path(lab.daemon.folder, "state", "flows")
    whole = path.read_bytes()
    lab.start()
    assert not path.exists(), "a flow file is good for one start"
    assert len(lab.daemon.flows(port=port)) == 1
    wire.passes(frame(udp(80, port), B, A), back=True)
    for damaged, why in ((whole[:-1], "cut short or damaged"), (b"", "cut short"),
                         (whole[:-2] + b"\xff\xff", "checksum"), (b"#!/bin/sh\n" * 50, "no flow file"),
                         (whole[:8] + b"\x09" + whole[9:], "version 9")):
        lab.daemon.kill()
        path.write_bytes(damaged)
        lab.start()
        said = [line for line in lab.daemon.log() if str(path) in line and why in line]
        assert said, f"{why}: {lab.daemon.log()}"
        assert lab.daemon.flows() == []
        wire.passes(frame(udp(lab.number(), 80), A, B))
    lab.daemon.kill()
    path.write_bytes(saved_at(whole, int((time.time() + 3600) * 1000)))
    lab.start()
    assert any("from the future" in line for line in lab.daemon.log()), lab.daemon.log()
    assert lab.daemon.flows() == []
    # The same with a clock that has not been set back: the sum is right.
    lab.daemon.kill()
    path.write_bytes(saved_at(whole, int((time.time() - 1) * 1000)))
    lab.start()
    assert len(lab.daemon.flows(port=port)) == 1, lab.daemon.log()
    # Two wires are not the one that the file is about.
    lab.daemon.kill()
    path.write_bytes(whole)
    lab.wire("c", "d")
    lab.start()
    assert any("about other wires: a,b" in line for line in lab.daemon.log()), lab.daemon.log()
    assert lab.daemon.flows() == []
