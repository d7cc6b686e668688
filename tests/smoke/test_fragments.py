# SPDX-License-Identifier: Apache-2.0
"""Datagrams in pieces: they share the fate of their first, in any order, and leave as they came."""

import random
import select
import socket

from lib import kube
from lib.frames import UDP, address, echo, echo6, fragment, fragments, frame, tcp, udp
from lib.net import wait_for
from lib.runner import smoke

A, B, A6, B6 = "10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2"
FAMILIES = ((A, B), (A6, B6))
PODS = [kube.namespace("web"), kube.pod("web/a", A, A6, app="a"), kube.pod("web/b", B, B6, app="b")]
WEB = [*PODS, kube.policy("web/80", {"app": "b"}, ingress=[{"ports": [kube.port(80, "UDP")]}])]


def datagram(lab, source, destination, port=80, size=3000, each=1000):
    """The pieces of a UDP datagram."""
    number = lab.number()
    payload = random.Random(number).randbytes(size)
    return fragments(udp(number, port, payload), source, destination, number, each)


def hold(lab, wire, *frames):
    """Sends fragments that have to wait for their first."""
    before = lab.daemon.stats()["total"]["held"]
    for one in frames:
        wire.left.send(one)
    wait_for("fragments to be held",
             lambda: lab.daemon.stats()["total"]["held"] == before + len(frames))


def dropped(lab, reason):
    return lab.daemon.drops(reason)


@smoke()
def test_fragments_share_the_fate_of_their_first(lab):
    """Of an allowed datagram all pieces pass, byte for byte; of a denied one none does."""
    wire = lab.wire()
    lab.start(objects=WEB)
    for source, destination in FAMILIES:
        for order in ((0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1), (1, 3, 0, 2)):
            good = datagram(lab, source, destination)
            assert len(good) == 4
            at_right, at_left = wire.cross([good[n] for n in order])
            assert sorted(at_right) == sorted(good) and not at_left
            assert at_right.index(good[0]) <= order.index(0), "overtaken by what waited for it"
            before = lab.daemon.stats()["total"]["drops"]
            bad = datagram(lab, source, destination, 81)
            assert wire.cross([bad[n] for n in order]) == ([], [])
            after = lab.daemon.stats()["total"]["drops"]
            assert after["denied_ingress"] == before.get("denied_ingress", 0) + 1, after
            assert after["fragment_denied"] == before.get("fragment_denied", 0) + 3, after
            # The other way nothing is denied.
            back = datagram(lab, destination, source, 9)
            assert sorted(wire.cross(right=[back[n] for n in order])[1]) == sorted(back)


@smoke()
def test_fragments_that_come_too_early_are_held(lab):
    """They show as held, on their port and in total, and go when their first comes or time is over."""
    wire = lab.wire()
    lab.start("--fragment-hold-s", 1, objects=WEB)
    for source, destination in FAMILIES:
        first, *later = datagram(lab, source, destination)
        hold(lab, wire, *later)
        assert lab.daemon.port("a")["held"] == 3 and not wire.right.take()
        held = next(line for line in lab.ctl("stats").splitlines() if line.startswith("a "))
        assert held.split()[5] == "3", held
        lab.daemon.check_laws()
        wire.left.send(first)
        assert sorted(wire.right.take_until(4)) == sorted([first, *later])
        assert lab.daemon.settled()["total"]["drops"].get("fragment_orphan", 0) == 0

    # A live flow and addresses that are allowed to talk do not help who has no first piece.
    for source, destination in FAMILIES:
        wire.passes(frame(udp(5000, 80), source, destination))
        orphans = datagram(lab, source, destination)[1:]
        before = dropped(lab, "fragment_orphan")
        hold(lab, wire, *orphans)
        wait_for("orphans to be dropped",
                 lambda: dropped(lab, "fragment_orphan") == before + len(orphans))
        assert not wire.right.take()


@smoke()
def test_evasions_by_fragments_each_have_their_counter(lab):
    wire = lab.wire()
    lab.start(objects=WEB)
    for source, destination in FAMILIES:
        def piece(offset, more, data, source=source, destination=destination, protocol=UDP):
            return fragment(protocol, data, source, destination, ident, offset, more)

        def first(size, port=80):
            whole = udp(lab.number(), port, b"f" * 4000)
            return piece(0, True, whole.seal(b"", b"")[:size])

        # The TCP header cut in two, and flags written over (RFC 1858, RFC 3128).
        ident = lab.number()
        head = tcp(ident, 80).seal(b"", b"")
        wire.drops(piece(0, True, head[:16], protocol=6), "fragment_tiny")
        wire.drops(piece(8, False, head[8:], protocol=6), "fragment_tiny")

        # teardrop, with the second piece inside the first: it alone is gone.
        ident = lab.number()
        wire.passes(first(48))
        wire.drops(piece(24, True, b"t" * 8), "fragment_overlap")
        wire.passes(piece(48, False, b"t" * 9))

        # newtear, syndrop, bonk: half inside, around, over a gap. The datagram is spoilt.
        for offset, size in ((40, 24), (16, 64), (40, 8 + 64)):
            ident = lab.number()
            wire.passes(first(48))
            wire.passes(piece(104, True, b"x" * 8))
            wire.drops(piece(offset, True, b"y" * size), "fragment_overlap")
            wire.drops(piece(48, True, b"z" * 8), "fragment_overlap")

        # A second first, with the port that was meant.
        ident = lab.number()
        wire.passes(first(48))
        wire.drops(first(48, port=81), "fragment_overlap")
        wire.drops(first(56, port=81), "fragment_overlap")

        # Two ends, and data beyond the end.
        for contradiction in ((96, False), (88, True), (200, True)):
            ident = lab.number()
            wire.passes(first(48))
            wire.passes(piece(80, False, b"e" * 10))
            wire.drops(piece(contradiction[0], contradiction[1], b"e" * 8), "fragment_length")
            wire.drops(piece(48, True, b"e" * 8), "fragment_length")

        # ping of death; no multiple of eight; nothing in it.
        ident = lab.number()
        wire.passes(first(48))
        wire.drops(piece(65528, False, b"d" * 8), "fragment_length")
        wire.drops(piece(48, True, b"d" * 12), "fragment_length")
        wire.drops(piece(48, False, b""), "fragment_length")
        wire.passes(piece(48, False, b"d" * 12))

        # rose: a first piece and one far out, over and over. It ends as it began.
        for _ in range(50):
            ident = lab.number()
            wire.passes(first(48))
            wire.passes(piece(64800, False, b"r" * 8))
    # IPv6: all headers stand in the first piece (RFC 7112); an atomic fragment is no fragment.
    wire.drops(fragment(60, b"\x11\0\1\4\0\0\0\0", A6, B6, 9, 0, True), "fragment_tiny")
    atomic = [fragment(UDP, udp(1, port).seal(address(A6), address(B6)), A6, B6, 9, 0, False)
              for port in (80, 81)]
    for _ in range(2):
        wire.passes(atomic[0])
        wire.drops(atomic[1], "denied_ingress")


@smoke(cost=2)
def test_floods_of_orphans_are_bounded(lab):
    """They take the room of orphans, by name, and no datagram whose first came first suffers."""
    wire = lab.wire()
    lab.start("--fragments", 128, "--fragments-held", 64, "--fragment-hold-s", 1, objects=WEB)
    buffers = lab.daemon.get("/v1/status")["memory"]["mbufs_free"]
    datagrams = [datagram(lab, *family) for family in FAMILIES for _ in range(10)]
    wire.cross([all_[0] for all_ in datagrams])
    for n in range(2000):
        source, destination = FAMILIES[n % 2]
        wire.left.send(fragment(UDP, b"o" * 64, source, destination, 70000 + n, 640, n % 3 == 0))
        if n % 100 == 0:
            wait_for("the flood to be taken", lambda n=n: lab.daemon.port("a")["received"] > n)
            # What lies in rings between workers counts as held for that moment, too.
            wait_for("no more to be held than may be",
                     lambda: lab.daemon.stats()["total"]["held"] <= 64)
            free = lab.daemon.get("/v1/status")["memory"]["mbufs_free"]
            assert buffers - free < 3000, "packet buffers run short"
            lab.daemon.check_laws()
    later = [one for all_ in datagrams for one in all_[1:]]
    for one in later:
        wire.left.send(one)
    at_right = wire.right.take_until(len(later))
    assert sorted(at_right) == sorted(later)
    reasons = ("fragment_orphan", "fragment_limit", "rx_missed")
    wait_for("the orphans to be dropped",
             lambda: sum(dropped(lab, reason) for reason in reasons) == 2000)
    assert dropped(lab, "fragment_limit") > 1000 and dropped(lab, "fragment_orphan") > 0


@smoke()
def test_a_permission_that_goes_between_two_fragments_is_gone(lab):
    wire = lab.wire()
    lab.start(objects=WEB)
    for source, destination in FAMILIES:
        first, second, third, fourth = datagram(lab, source, destination)
        wire.passes(first)
        wire.passes(second)
        lab.daemon.patch(kube.event("ADDED", kube.pod("web/new", "10.0.0.9", app="new")),
                         kube.event("ADDED", kube.policy("web/new", {"app": "new"}, ingress=[])))
        wire.passes(third)
        lab.daemon.patch(kube.event("MODIFIED", kube.policy("web/80", {"app": "b"}, ingress=[])))
        # Judged again with its flow, unless the sweep has met that before and cut it.
        wire.drops(fourth, "denied_ingress", "fragment_denied")
        lab.daemon.put(*WEB)
        # What came before its first is judged with it, by what is in force then.
        first, *later = datagram(lab, source, destination)
        hold(lab, wire, *later)
        lab.daemon.patch(kube.event("MODIFIED", kube.policy("web/80", {"app": "b"}, ingress=[])))
        before = dropped(lab, "fragment_denied")
        wire.left.send(first)
        wait_for("all to be dropped", lambda b=before: dropped(lab, "fragment_denied") == b + 3)
        assert not wire.right.take()
        lab.daemon.put(*WEB)


@smoke(cost=2)
def test_fragments_of_many_flows_find_their_owners(lab):
    """Many flows and names, shuffled, both ways at once: nothing is lost, nothing comes twice."""
    wire = lab.wire()
    lab.start(objects=WEB)
    shuffled = random.Random(4)

    def several(count, *how):
        return [one for _ in range(count) for one in datagram(lab, *how, size=2500)]

    for source, destination in FAMILIES * 5:
        there, denied = several(15, source, destination), several(5, source, destination, 81)
        back = several(20, destination, source, 9)
        left = shuffled.sample(there + denied, 60)
        at_right, at_left = wire.cross(left, shuffled.sample(back, 60))
        assert sorted(at_right) == sorted(there) and sorted(at_left) == sorted(back)
    workers = lab.daemon.stats()["workers"]
    assert all(w["flows"] > 50 for w in workers), workers
    assert lab.workers == 1 or sum(w["handed_over"] for w in workers) > 300, workers
    assert lab.daemon.stats()["total"]["drops"] == {"denied_ingress": 50, "fragment_denied": 100}


@smoke()
def test_held_fragments_do_not_delay_the_end(lab):
    wire = lab.wire()
    lab.start("--fragment-hold-s", 60, objects=WEB)
    hold(lab, wire, *datagram(lab, A, B)[1:])
    lab.daemon.check_laws()
    assert lab.daemon.terminate() < 5


def receive(server, size):
    """One datagram of that size."""
    wait_for(f"a datagram of {size} bytes", lambda: select.select([server], [], [], 0)[0])
    return server.recvfrom(65535)


@smoke(cost=3)
def test_large_datagrams_between_kernels(lab):
    """The stacks of two pods cut up and put together what is larger than the MTU, both ways."""
    left, right = lab.sides()
    client = lab.pod(left, "web/client", A, A6)
    server = lab.pod(right, "web/server", B, B6)
    lab.start(objects=[
        kube.namespace("web"), kube.pod("web/client", A, A6, app="client"),
        kube.pod("web/server", B, B6, app="server"),
        kube.policy("web/in", {"app": "server"}, ingress=[{"ports": [kube.port(80, "UDP")]}])])
    for v6 in (False, True):
        theirs, closed = server.serve("UDP", 80, v6), server.serve("UDP", 81, v6)
        with client.socket(socket.SOCK_DGRAM, v6) as ours:
            ours.bind((client.address(v6), 0))
            for size in (1473, 3000, 9000, 40000, 65507 if not v6 else 65487):
                sent = random.Random(size).randbytes(size)
                ours.sendto(sent, (server.address(v6), 80))
                data, peer = receive(theirs, size)
                assert data == sent and peer[0] == client.address(v6)
                theirs.sendto(sent[::-1], peer)
                assert receive(ours, size)[0] == sent[::-1]
            before = dropped(lab, "fragment_denied")
            ours.sendto(b"n" * 9000, (server.address(v6), 81))
            wait_for("all pieces to be dropped",
                     lambda b=before: dropped(lab, "fragment_denied") == b + 6)
            assert not select.select([closed], [], [], 0)[0]
    assert dropped(lab, "fragment_overlap") == dropped(lab, "fragment_limit") == 0
    # 1,480 bytes of data fit a piece, over IPv6 1,448: every one counts for its flow.
    packets = sorted(f["packets"] for f in lab.daemon.flows(protocol="udp", port=80))
    assert packets == [[85, 85], [86, 86]], packets


@smoke(workers=(1,))
def test_large_pings_pass_by_rules_without_ports(lab):
    wire = lab.wire()
    lab.start(objects=[*PODS, kube.policy("web/a", {"app": "b"}, ingress=[
        {"from": [kube.block("10.0.0.0/30"), kube.block("fd00::/126")]}])])
    for source, destination, request in ((A, B, echo), (A6, B6, echo6)):
        number = lab.number()
        kind = 8 if request is echo else 128
        there = fragments(request(number, payload=b"p" * 3000, kind=kind), source, destination, number)
        assert sorted(wire.cross(there[::-1])[0]) == sorted(there)
        back = fragments(request(number, payload=b"p" * 3000, kind=0 if kind == 8 else 129),
                         destination, source, number)
        assert sorted(wire.cross(right=back)[1]) == sorted(back)
        # An answer that nobody asked for is none, in pieces neither.
        number = lab.number()
        stray = fragments(request(number, payload=b"p" * 3000, kind=0 if kind == 8 else 129),
                          destination, source, number)
        assert wire.cross(right=stray) == ([], [])


@smoke()
def test_fragments_of_jumbo_frames(lab):
    wire = lab.wire(mtu=9000)
    lab.start(objects=WEB)
    for source, destination in FAMILIES:
        for order in (1, -1):
            all_ = datagram(lab, source, destination, size=60000, each=8900)
            assert sorted(wire.cross(all_[::order])[0]) == sorted(all_)
