# SPDX-License-Identifier: Apache-2.0
"""Ports of other kinds, several wires, and ports that go away and come back."""

import os

from lib import kube, pcap
from lib.frames import frame, tcp, udp
from lib.net import RawPort, wait_for
from lib.runner import smoke

A, B = "10.0.0.1", "10.0.0.2"
STATE = [kube.namespace("web"), kube.pod("web/a", A, app="a"), kube.pod("web/b", B),
         kube.policy("web/closed", {"app": "a"}, ingress=[])]


@smoke(cost=2)
def test_three_wires_do_not_mix(lab):
    """What comes in leaves through its own wire only; equal addresses on two wires are two flows."""
    wires = [lab.wire("a", "b"), lab.wire("c", "d"), lab.wire("e", "f")]
    lab.start(objects=STATE)
    port = lab.number()
    for number, wire in enumerate(wires):
        wire.drops(frame(tcp(80, port, "SA"), B, A), "no_flow", back=True)
        wire.passes(frame(tcp(port, 80), A, B))
        wire.passes(frame(tcp(80, port, "SA"), B, A), back=True)
        for other in wires:
            assert not other.left.take() and not other.right.take()
        assert {f["wire"] for f in lab.daemon.flows(port=port)} == set(range(number + 1))


@smoke(cost=2)
def test_a_port_is_reset_and_recovers(lab):
    wire = lab.wire()
    lab.start(objects=STATE)
    port = lab.number()
    wire.passes(frame(tcp(port, 80), A, B))
    for name in ("a", "b", "a"):
        before = lab.daemon.port(name)
        answer = lab.daemon.call("POST", f"/v1/ports/{name}/reset")
        assert answer.status == 200, answer
        assert lab.daemon.port(name)["received"] >= before["received"], "counters went back"
        wire.passes(frame(tcp(80, port, "SA", seq=5000, ack=1001), B, A), back=True)
        wire.passes(frame(tcp(port, 80, "A", seq=1001, ack=5001), A, B))
    resets = {p["name"]: p["resets"] for p in lab.daemon.get("/v1/status")["ports"]}
    assert resets == {"a": 2, "b": 1}, resets


@smoke(cost=2)
def test_status_says_how_ports_spread_what_they_receive(lab):
    """Also after a reset, when the device is a new one."""
    devices = {"a": "net_null0,no-rx=1", "b": "net_null1,no-rx=1"}
    lab.start(devices=devices, wires=[("a", "b")])

    def rss():
        return [(p["rx_queues"], p["rss"]) for p in lab.daemon.get("/v1/status")["ports"]]

    for queues, one in rss():
        assert queues == lab.workers, f"{queues} queues, {lab.workers} workers"
        if lab.workers == 1:
            assert one == {"function": "none", "key": None, "types": []}, one
        else:
            assert (one["function"], one["key"]) == ("toeplitz", "symmetric"), one
            assert {"ipv4-tcp", "ipv6-udp"} <= set(one["types"]), one
    before = rss()
    lab.ctl("reset-port", "a")
    assert rss() == before, (before, rss())
    shown = lab.ctl("status")
    assert ("one queue" if lab.workers == 1 else "symmetric key") in shown, shown


@smoke()
def test_a_link_goes_down_and_comes_back(lab):
    """Frames for a dead link are dropped by name and not a moment later than they came."""
    wire = lab.wire()
    lab.start(objects=STATE)
    wire.passes(frame(tcp(lab.number(), 80), A, B))
    wire.right.ns.ip("link set dev end down")
    before = lab.daemon.port("a")["received"]
    for _ in range(20):
        wire.left.send(frame(tcp(lab.number(), 80), A, B))
    wait_for("the frames", lambda: lab.daemon.port("a")["received"] == before + 20)
    lab.daemon.settled()
    lab.daemon.check_laws()
    wire.right.ns.ip("link set dev end up")
    wire.right.take()

    def comes_through():
        wire.left.send(frame(tcp(lab.number(), 80), A, B))
        return wire.right.take_until(1, 0.2)
    wait_for("the link to carry frames again", comes_through)
    lab.daemon.settled()
    wire.right.take()
    wire.passes(frame(tcp(lab.number(), 80), A, B))


@smoke()
def test_a_tap_is_a_port(lab):
    """tap:NAME makes an interface whose kernel side is the far end."""
    wire = lab.wire("a", "b")
    lab.ports["a"] = "tap:tap-a"
    lab.start(objects=STATE)
    lab.gateway.ip("link set dev tap-a up")
    wire.left = RawPort(lab.gateway, "tap-a")
    for tags in ((), (100,), (10, 20)):
        n = lab.number()
        wire.passes(frame(udp(n, 53, b"x" * 1000), A, B, tags))
        wire.passes(frame(udp(53, n, b"y" * 1000), B, A, tags), back=True)
        wire.drops(frame(udp(54, n, b"z"), B, A, tags), "denied_ingress", back=True)


@smoke(workers=(1,), cost=2)
def test_interfaces_by_the_names_of_dpdk(lab):
    """net_af_xdp and net_pcap live, named as DPDK names them."""
    for driver in ("net_pcap{0},rx_iface_in={1},tx_iface={1}", "net_af_xdp{0},iface={1}"):
        folder = driver.partition("{")[0]
        wire = lab.wire(folder[-4:] + "-a", folder[-4:] + "-b")
        names = (wire.a, wire.b)
        lab.start(devices={n: driver.format(i, n) for i, n in enumerate(names)}, wires=[names],
                  folder=folder, objects=STATE)
        for tags in ((), (100,), (10, 20)):
            n = lab.number()
            wire.passes(frame(udp(n, 53, b"x" * 1400), A, B, tags))
            wire.passes(frame(udp(53, n, b"y"), B, A, tags), back=True)
            wire.drops(frame(udp(54, n, b"z"), B, A, tags), "denied_ingress", back=True)
        lab.daemon.finish()


@smoke(cost=3)
def test_vdevs_of_dpdk_are_ports(lab):
    """net_pcap files in, files out; the state of the last run is in force for their first frame."""
    nulls = {"a": "net_null0,no-rx=1", "b": "net_null1,no-rx=1"}
    lab.start(devices=nulls, wires=[("a", "b")], objects=STATE)
    lab.daemon.finish()
    path = {k: os.path.join(lab.folder, k + ".pcap") for k in ("in-a", "in-b", "out-a", "out-b")}
    good = [frame(udp(p, 53, bytes([p % 256]) * (p % 900)), A, B) for p in range(2000, 2300)]
    denied = [frame(udp(p, 53), B, A) for p in range(5000, 5100)]
    pcap.write(path["in-a"], good)
    pcap.write(path["in-b"], denied)
    lab.start(devices={n: f"net_pcap{i},rx_pcap={path['in-' + n]},tx_pcap={path['out-' + n]}"
                       for i, n in enumerate("ab")}, wires=[("a", "b")])
    wait_for("all frames of the files",
             lambda: lab.daemon.stats()["total"]["received"] == len(good) + len(denied))
    lab.daemon.settled()
    assert lab.daemon.port("b")["drops"] == {"denied_ingress": len(denied)}
    lab.daemon.finish()
    out = pcap.read(path["out-b"])
    assert sorted(out) == sorted(good) and pcap.read(path["out-a"]) == []
    if lab.workers == 1:
        assert out == good


@smoke(workers=(2,))
def test_one_queue_serves_two_workers(lab):
    """The ports here have one queue each; both workers own flows and both take part."""
    wire = lab.wire()
    lab.start(objects=STATE)
    status = lab.daemon.get("/v1/status")
    queues = [p["rx_queues"] for p in status["ports"]]
    sent = [frame(udp(p, 53), A, B) for p in range(20000, 20400)]
    out, _ = wire.cross(sent)
    assert sorted(out) == sorted(sent)
    workers = lab.daemon.stats()["workers"]
    assert all(w["flows"] > 50 for w in workers), workers
    if queues == [1, 1]:
        assert sum(w["handed_over"] for w in workers) > 0, workers
    lab.daemon.finish()
    lab.start(folder="four", workers=4)
    lab.daemon.put(*STATE)
    out, _ = wire.cross(sent)
    assert sorted(out) == sorted(sent)
    assert all(w["flows"] > 25 for w in lab.daemon.stats()["workers"])


@smoke(workers=(1,))
def test_what_the_host_itself_sends_is_not_forwarded(lab):
    """The appliance takes what comes in from the wire, not what the kernel sends out to it."""
    wire = lab.wire()
    lab.start("--startup", "pass")
    RawPort(lab.gateway, "a").send(frame(udp(lab.number(), 80), A, B))
    assert len(wire.left.take_until(1, 5)) == 1
    wire.passes(frame(udp(lab.number(), 80), A, B))
    assert lab.daemon.stats()["total"]["received"] == 1
    assert wire.right.take() == []


@smoke()
def test_jumbo_frames(lab):
    wire = lab.wire(mtu=9000)
    lab.start(objects=STATE)
    assert lab.daemon.get("/v1/status")["ports"][0]["mtu"] == 9000
    for size in (1500, 2048, 3500, 8900):
        n = lab.number()
        wire.passes(frame(udp(n, 53, bytes(range(256)) * (size // 256)), A, B, [100]))
        wire.passes(frame(udp(53, n, bytes(range(256)) * (size // 256)), B, A, [100]), back=True)
