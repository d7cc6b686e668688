# SPDX-License-Identifier: Apache-2.0
"""The last accepted state is in force before the first packet after a restart, however it ended."""

import json
import os
import pathlib
import threading

from lib import kube
from lib.frames import frame, udp
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
    assert len(list(folder.rglob("*"))) <= 3, sorted(os.listdir(folder))
    stored = json.dumps(lab.daemon.get("/v1/snapshot"))
    assert '"29"' in stored and '"28"' not in stored
