# SPDX-License-Identifier: Apache-2.0
"""Flows as people see them: what is said of them, and what happens when some are ended by request."""

import json
import socket
import struct
import threading

from lib import kube
from lib.frames import frame, tcp, udp
from lib.net import wait_for
from lib.pods import talk
from lib.runner import smoke

A, B = "10.0.0.1", "10.0.0.2"
A6, B6 = "fd00::1", "fd00::2"
PODS = [kube.namespace("web"), kube.pod("web/a", A, A6, app="a"), kube.pod("web/b", B, B6, app="b")]


@smoke(cost=2)
def test_flows_can_be_asked_for(lab):
    """Filters of /v1/flows, and what it says of one flow."""
    wire = lab.wire()
    allow = kube.policy("web/allow", {"app": "b"}, ingress=[
        {"from": [kube.pods(app="a")], "ports": [kube.port(80)]}, {"ports": [kube.port(53, "UDP")]}])
    lab.start(objects=[*PODS, allow])
    one = lab.number()
    wire.passes(frame(tcp(one, 80), A, B, [100]))
    wire.passes(frame(tcp(80, one, "SA", ack=1001), B, A, [100]), back=True)
    wire.cross([frame(udp(20000 + i, 53), f"10.1.0.{i}", B) for i in range(1, 101)])
    flow, = lab.daemon.flows(port=one)
    expected = {"source": A, "source_port": one, "destination": B, "destination_port": 80,
                "protocol": "TCP", "state": "syn_received", "wire": 0, "vlans": [100],
                "packets": [1, 1], "source_pod": "web/a", "destination_pod": "web/b",
                "ingress_rule": "web/allow ingress[0]", "egress_rule": None, "revision": 1,
                "opened_on": "a"}
    assert {k: flow[k] for k in expected} == expected, flow
    assert len(lab.daemon.flows(protocol="UDP")) == 100
    assert len(lab.daemon.flows(address=B)) == 101
    assert len(lab.daemon.flows(address="10.1.0.7")) == 1
    assert len(lab.daemon.flows(state="syn_received")) == 1
    assert len(lab.daemon.flows(port=53, protocol="TCP")) == 0
    assert len(lab.daemon.flows(pod="web/a")) == 1
    assert len(lab.daemon.flows(pod="web/b", protocol="UDP")) == 100
    assert len(lab.daemon.flows(policy="web/allow")) == 101
    some = lab.daemon.get("/v1/flows", limit=10)
    assert len(some["flows"]) == 10 and some["truncated"] is True
    assert lab.daemon.get("/v1/flows", limit=101)["truncated"] is False
    for bad in ("address=nobody", "port=x", "port=70000", "limit=0", "protocol=WAT", "colour=red",
                "state=open", "pod=b", "policy="):
        assert lab.daemon.call("GET", f"/v1/flows?{bad}").status == 400, bad
    for unknown in ("pod=web/c", "policy=web/none"):
        assert lab.daemon.call("GET", f"/v1/flows?{unknown}").status == 404, unknown


@smoke(cost=3)
def test_one_of_two_connections_is_cut(lab):
    """Real TCP: what follows on the one that was cut belongs to no flow, the other one lives on."""
    left, right = lab.sides()
    client = lab.pod(left, "web/a", A, A6)
    server = lab.pod(right, "web/b", B, B6)
    lab.start(objects=PODS)
    for v6 in (False, True):
        cut, cut_end = client.connect(server, 80, v6)
        kept, kept_end = client.connect(server, 80, v6)
        talk(cut, cut_end)
        talk(kept, kept_end)
        before = sum(w["flows_cut"] for w in lab.daemon.stats()["workers"])
        said = lab.ctl("flows", "--cut", "--protocol", "tcp", "--port", cut.getsockname()[1],
                       "--pod", "web/b")
        assert said == "1 flow was cut\n", said
        assert sum(w["flows_cut"] for w in lab.daemon.stats()["workers"]) == before + 1
        dropped = lab.daemon.drops("no_flow")
        for end in (cut, cut_end):
            end.send(b"anybody there?")
            wait_for("what follows to be dropped", lambda: lab.daemon.drops("no_flow") > dropped)
            dropped = lab.daemon.drops("no_flow")
        talk(kept, kept_end)
        for end in (cut, cut_end):
            end.setblocking(False)
            try:
                assert end.recv(100) == b"", "bytes passed on a connection that was cut"
            except BlockingIOError:
                pass
            # Closed without a word more, so that nothing is sent again while the test ends.
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.close()
        client.tcp(server, 80, v6)
        kept.close()
        kept_end.close()


@smoke(cost=4)
def test_flows_are_cut_beside_traffic(lab):
    """Thousands of flows of both families come and go while all are cut, again and again: each was
    either cut or lives, and the answers told of every one."""
    wire = lab.wire()
    allow = kube.policy("web/allow", {"app": "b"}, ingress=[{"from": [kube.pods(app="a")]}])
    lab.start("--udp-s", 3600, objects=[*PODS, allow])
    stop, told, failed = threading.Event(), [], []

    def cut_all():
        while not stop.is_set():
            answer = lab.daemon.call("DELETE", "/v1/flows?policy=web/allow")
            if answer.status != 200:
                failed.append(answer)
                return
            told.append(json.loads(answer.body)["cut"])

    cutter = threading.Thread(target=cut_all)
    cutter.start()
    try:
        for round_ in range(10):
            ports = range(20000 + 300 * round_, 20300 + 300 * round_)
            sent = [frame(udp(p, 53), *ends) for p in ports for ends in ((A, B), (A6, B6))]
            out, _ = wire.cross(sent)
            assert sorted(out) == sorted(sent), "a datagram that policy allows was lost"
    finally:
        stop.set()
        cutter.join()
    assert not failed, failed
    workers = lab.daemon.stats()["workers"]
    total = {key: sum(w[key] for w in workers)
             for key in ("flows_created", "flows_cut", "flows_expired", "flows")}
    assert total["flows_created"] == 6000, total
    assert sum(told) == total["flows_cut"] > 0, (total, told)
    assert total["flows_created"] == total["flows_cut"] + total["flows"], total
    assert lab.daemon.call("DELETE", "/v1/flows").status == 400
    assert lab.daemon.call("DELETE", "/v1/flows?all=true").json == {"cut": total["flows"]}
    assert lab.daemon.flows() == []
    wire.drops(frame(tcp(1, 80, "A"), A, B), "no_flow")
