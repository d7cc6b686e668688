# SPDX-License-Identifier: Apache-2.0
"""Flows: who may answer whom, zones, states and their ends, a full table."""

import struct

from lib import kube
from lib.frames import (GRE, chunk, echo, echo6, frame, icmp_error, raw, sctp, sctp_init, tcp, udp,
                        without_ethernet)
from lib.net import wait_for
from lib.runner import smoke

A, B = "10.0.0.1", "10.0.0.2"
A6, B6 = "fd00::1", "fd00::2"
PODS = [kube.namespace("web"), kube.pod("web/a", A, A6, app="a"), kube.pod("web/b", B, B6, app="b")]
CLOSED = kube.policy("web/closed", {"app": "a"}, ingress=[])


@smoke()
def test_an_sctp_association_opens_and_its_answers_pass(lab):
    """INIT, INIT ACK, COOKIE ECHO, COOKIE ACK, DATA both ways; the other end may not begin."""
    wire = lab.wire()
    lab.start(objects=[*PODS, CLOSED])
    for a, b in ((A, B), (A6, B6)):
        port = lab.number()
        data = chunk(0, struct.pack(">IHHI", 1, 0, 0, 0) + b"data", flags=3)

        def there(*chunks, vtag):
            return frame(sctp(port, 80, *chunks, vtag=vtag), a, b)

        def back(*chunks, vtag):
            return frame(sctp(80, port, *chunks, vtag=vtag), b, a)

        wire.drops(back(sctp_init(9), vtag=0), "denied_ingress", back=True)
        wire.drops(there(data, vtag=7), "no_flow")
        wire.passes(there(sctp_init(11), vtag=0))
        wire.passes(back(sctp_init(22, 2, b"cookie"), vtag=11), back=True)
        wire.passes(there(chunk(10, b"cookie"), vtag=22))
        wire.passes(back(chunk(11), vtag=11), back=True)
        wire.passes(there(data, vtag=22))
        wire.passes(back(data, vtag=11), back=True)
        flow, = lab.daemon.flows(protocol="SCTP", address=a)
        assert (flow["state"], flow["source_port"], flow["packets"]) == ("established", port, [3, 3]), \
            flow
        wire.drops(frame(sctp(81, port, sctp_init(9)), b, a), "denied_ingress", back=True)


@smoke()
def test_equal_addresses_on_two_vlans_are_two_flows(lab):
    wire = lab.wire()
    lab.start(objects=[*PODS, CLOSED])
    port = lab.number()
    for tags in ((), (100,), (200,), (100, 5), (5, 100)):
        syn = frame(tcp(port, 80), A, B, tags)
        answer = frame(tcp(80, port, "SA"), B, A, tags)
        wire.drops(answer, "no_flow", back=True)
        wire.passes(syn)
        wire.passes(answer, back=True)
    vlans = sorted(f["vlans"] for f in lab.daemon.flows(address=A))
    assert vlans == [[], [5, 100], [100], [100, 5], [200]], vlans


@smoke()
def test_answers_pass_and_strangers_do_not(lab):
    """UDP, echo and other protocols: what answers an allowed packet passes, all else is judged."""
    wire = lab.wire()
    lab.start(objects=[*PODS, CLOSED])
    n = lab.number
    for a, b, ping, pong in ((A, B, 8, 0), (A6, B6, 128, 129)):
        port, ident = n(), n()
        hello = echo if a == A else echo6
        wire.drops(frame(udp(53, port), b, a), "denied_ingress", back=True)
        wire.passes(frame(udp(port, 53), a, b))
        wire.passes(frame(udp(53, port), b, a), back=True)
        wire.drops(frame(udp(54, port), b, a), "denied_ingress", back=True)
        wire.drops(frame(hello(ident, kind=ping), b, a), "denied_ingress", back=True)
        wire.drops(frame(hello(ident, kind=pong), b, a), "icmp_unrelated", back=True)
        wire.passes(frame(hello(ident, kind=ping), a, b))
        wire.passes(frame(hello(ident, kind=pong), b, a), back=True)
        wire.drops(frame(hello(ident, kind=ping), b, a), "denied_ingress", back=True)
    wire.drops(frame(raw(50, b"esp" * 10), B, A), "denied_ingress", back=True)
    wire.passes(frame(raw(50, b"esp" * 10), A, B))
    wire.passes(frame(raw(50, b"pse" * 10), B, A), back=True)
    wire.passes(frame(raw(GRE, b"\0\0\x08\0" + b"x" * 40), A, B))


@smoke()
def test_icmp_errors_belong_to_what_they_quote(lab):
    wire = lab.wire()
    lab.start(objects=[*PODS, CLOSED])
    port = lab.number()
    question = frame(udp(port, 53, b"q" * 100), A, B)
    about = without_ethernet(question)
    other = without_ethernet(frame(udp(port, 54, b"q" * 100), A, B))
    wire.drops(frame(icmp_error(about), B, A), "icmp_unrelated", back=True)
    wire.passes(question)
    wire.passes(frame(icmp_error(about), B, A), back=True)
    wire.passes(frame(icmp_error(about[:28], 3, 4, 1400), "192.0.2.1", A), back=True)
    wire.drops(frame(icmp_error(other), B, A), "icmp_unrelated", back=True)
    wire.drops(frame(icmp_error(about), B, "10.0.0.77"), "icmp_unrelated", back=True)


@smoke()
def test_multicast_and_dhcp(lab):
    """IGMP and DHCP always pass, as narrow as they are; other multicast is an address like others."""
    wire = lab.wire()
    lab.start(objects=[*PODS, CLOSED, kube.policy("web/mute", {"app": "a"}, egress=[])])
    igmp = raw(2, bytes.fromhex("16000903e0000009"))
    discover, offer = udp(68, 67, b"\1" * 240), udp(67, 68, b"\2" * 240)
    always = lab.daemon.stats()["passed_always"]
    wire.passes(frame(igmp, A, "224.0.0.9", ttl=1))
    wire.passes(frame(discover, "0.0.0.0", "255.255.255.255"))
    wire.passes(frame(offer, B, "255.255.255.255"), back=True)
    wire.passes(frame(udp(546, 547), "fe80::1", "ff02::1:2"))
    assert lab.daemon.stats()["passed_always"] == always + 4
    wire.drops(frame(igmp, A, "224.0.0.9", ttl=2), "denied_egress")
    wire.drops(frame(discover, A, B), "denied_egress")
    wire.drops(frame(udp(68, 68), "0.0.0.0", "255.255.255.255"), "martian")
    wire.drops(frame(udp(5353, 5353), A, "224.0.0.251"), "denied_egress")
    wire.passes(frame(udp(5353, 5353), B, "224.0.0.251"), back=True)


@smoke(cost=11)
def test_flows_end_when_their_time_is_over(lab):
    """Each by the timer of its state, of which no two are alike; then the other end is a stranger again."""
    wire = lab.wire()
    # The shortest is for a flow of which nothing more is sent, and all are long for the way of one packet: a machine
    # that has other work takes its time.
    seconds = {"udp-answered": 3, "icmp": 4, "udp-replied": 5, "tcp-reset": 6, "udp": 7, "tcp-opening": 8, "tcp-closing": 9,
               "tcp-established": 200, "tcp-half-closed": 300}
    lab.start(*(word for name, value in seconds.items() for word in (f"--{name}-s", value)), objects=[*PODS, CLOSED])

    def flow(number):
        """(state, how long it may be idle)"""
        found = lab.daemon.flows(port=number)
        return (found[0]["state"], round((found[0]["idle_ms"] + found[0]["expires_in_ms"]) / 1000)) if found else None

    def send(number, flags, sent=0, seen=0, back=False):
        """The opener's SYN is number 1000, the other's 5000; data and FINs from 1001 and 5001 on."""
        ends = ((80, number), (B, A)) if back else ((number, 80), (A, B))
        mine, other = (5000, 1000) if back else (1000, 5000)
        seq = mine if "S" in flags else mine + 1 + sent
        ack = other + 1 + seen if "A" in flags else 0
        wire.passes(frame(tcp(*ends[0], flags, seq=seq, ack=ack), *ends[1]), back=back)

    def is_at(number, state, timer):
        assert flow(number) == (state, seconds[timer]), f"flow {number} is {flow(number)}, and not {state} by {timer}"

    kept, half, closed, reset, opening, udp1, udp2, dns, ping = (lab.number() for _ in range(9))
    for number in (closed, kept, half, reset):
        send(number, "S")
        is_at(number, "syn_sent", "tcp-opening")
        send(number, "SA", back=True)
        is_at(number, "syn_received", "tcp-opening")
        send(number, "A")
        is_at(number, "established", "tcp-established")
    send(closed, "FA", back=True)
    is_at(closed, "half_closed", "tcp-half-closed")
    send(closed, "FA", seen=1)
    is_at(closed, "closing", "tcp-closing")
    send(closed, "A", sent=1, seen=1, back=True)
    is_at(closed, "time_wait", "tcp-closing")
    send(half, "FA")
    is_at(half, "half_closed", "tcp-half-closed")
    send(opening, "S")
    is_at(opening, "syn_sent", "tcp-opening")
    wire.passes(frame(udp(udp1, 4000), A, B))
    is_at(udp1, "unreplied", "udp")
    send(reset, "R", back=True)
    is_at(reset, "reset", "tcp-reset")
    for number, port, state, timer in ((udp2, 4000, "replied", "udp-replied"), (dns, 53, "answered", "udp-answered")):
        wire.passes(frame(udp(number, port), A6, B6))
        wire.passes(frame(udp(port, number), B6, A6), back=True)
        is_at(number, state, timer)
    wire.passes(frame(echo(ping), A, B))
    is_at(ping, "unreplied", "icmp")
    ending = (closed, reset, opening, udp1, udp2, dns, ping)
    for number in ending:
        wait_for(f"flow {number} to end", lambda n=number: flow(n) is None)

    def expired():
        return sum(w["flows_expired"] for w in lab.daemon.stats()["workers"])
    # The list leaves them out from when their time is over, the sweep comes by within the second after.
    wait_for("the sweep", lambda: expired() >= len(ending))
    assert (flow(kept), flow(half)) == (("established", 200), ("half_closed", 300))
    wire.drops(frame(udp(4000, udp1), B, A), "denied_ingress", back=True)
    wire.drops(frame(udp(4000, udp2), B6, A6), "denied_ingress", back=True)
    wire.drops(frame(udp(53, dns), B6, A6), "denied_ingress", back=True)
    wire.drops(frame(tcp(80, opening, "SA"), B, A), "no_flow", back=True)
    wire.drops(frame(tcp(80, closed, "A"), B, A), "no_flow", back=True)
    send(kept, "PA", back=True)
    send(half, "PA", seen=1, back=True)
    assert expired() == len(ending)
    send(reset, "S")


@smoke(cost=2)
def test_a_full_table_keeps_what_is_answered(lab):
    """Unanswered flows make room for new ones, answered ones stay; with nothing but these, no more."""
    wire = lab.wire()
    lab.start("--max-flows", 256, objects=PODS)
    kept = [frame(udp(port, 4000), A, B) for port in range(2000, 2050)]
    answers = [frame(udp(4000, port), B, A) for port in range(2000, 2050)]
    assert len(wire.cross(kept)[0]) == len(wire.cross([], answers)[1]) == 50
    flood = [frame(udp(port, 80), A, B) for port in range(3000, 4000)]
    flood += [frame(tcp(port, 80), A6, B6) for port in range(3000, 4000)]
    passed, _ = wire.cross(flood)
    assert len(passed) == len(flood), "an unanswered flow kept its place"
    assert len(wire.cross(kept)[0]) == 50
    status = lab.daemon.get("/v1/status")["flows"]
    assert status["live"] <= status["max"], status
    assert sum(w["flows_recycled"] for w in lab.daemon.stats()["workers"]) >= 2000 - 256
    _, through = wire.cross([], [frame(udp(4000, port), B, A) for port in range(2000, 2050)])
    assert len(through) == 50, "an answered flow lost its place"
    # Answered to the brim. The last places by one flow at a time, each answered at once: of many, each would take the place
    # of the one before, and the answers those of the others.
    for first in range(5000, 5300, 50):
        wire.cross([frame(udp(port, 4000), A, B) for port in range(first, first + 50)])
        wire.cross([], [frame(udp(4000, port), B, A) for port in range(first, first + 50)])
    for port in range(5300, 5600):
        if not wire.cross([frame(udp(port, 4000), A, B)])[0]:
            break
        wire.cross([], [frame(udp(4000, port), B, A)])
    assert lab.daemon.drops("table_full") > 0
    _, through = wire.cross([], answers)
    assert len(through) == 50, "an answered flow lost its place"


@smoke()
def test_order_within_a_flow_is_kept(lab):
    """Numbered frames of many flows, both ways, over workers that hand packets to each other: with two
    workers, one receives what comes from the left and the other what comes from the right."""
    wire = lab.wire()
    lab.start(objects=PODS)
    ports = range(30000, 30016)
    there = [frame(udp(p, 53, struct.pack(">HI", p, i)), A, B) for i in range(300) for p in ports]
    back = [frame(udp(53, p, struct.pack(">HI", p, i)), B, A) for i in range(300) for p in ports]
    for out, sent in zip(wire.cross(there, back), (there, back)):
        assert len(out) == len(sent)
        last = dict.fromkeys(ports, -1)
        for one in out:
            port, number = struct.unpack(">HI", one[-6:])
            assert number == last[port] + 1, f"flow {port}: {number} after {last[port]}"
            last[port] = number
    workers = lab.daemon.stats()["workers"]
    assert len(workers) == lab.workers and all(w["flows"] > 0 for w in workers), workers
    assert sum(w["flows"] for w in workers) == len(ports), f"a flow in two tables: {workers}"
    assert all((w["handed_over"] > 0) == (lab.workers > 1) for w in workers), workers
