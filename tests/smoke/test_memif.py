# SPDX-License-Identifier: Apache-2.0
"""Shared-memory ports (memif), whose peers may cut a frame into as many buffers as they like."""

import random

from lib import kube
from lib.frames import fragments, frame, tcp, udp
from lib.memif import MemifPeer
from lib.net import Namespace, RawPort, veth
from lib.runner import smoke
from lib.wire import Wire

A, B, A6, B6 = "10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2"
FAMILIES = ((A, B), (A6, B6))
WEB = [kube.namespace("web"), kube.pod("web/a", A, A6, app="a"), kube.pod("web/b", B, B6, app="b"),
       kube.policy("web/80", {"app": "b"}, ingress=[{"ports": [kube.port(80, "UDP"), kube.port(80)]}])]
HEADERS = 80  # of all frames here, Ethernet to transport


def memif(name, buffer_bytes=None):
    size = f",bsize={buffer_bytes}" if buffer_bytes else ""
    return f"net_memif_{name},role=server,socket=far-{name}{size}"


def interface(lab, name, mtu=1500):
    ns = Namespace(f"far-{name}")
    veth(lab.gateway, name, ns, "end", mtu)
    return RawPort(ns, "end")


def start(lab, *options, b="iface:b", buffer_bytes=None, mtu=1500):
    """A wire from a memif to an interface, or to another memif."""
    right = interface(lab, "b", mtu) if b == "iface:b" else None
    lab.start(*options, devices={"a": memif("a", buffer_bytes), "b": b}, wires=[("a", "b")], objects=WEB)

    def peer(name):
        return MemifPeer(lab.gateway, f"far-{name}", lab.workers, buffer_bytes or 2048)
    left = peer("a")
    return Wire(lab, "a", "b", left, right or peer("b"))


def at_random(seed):
    """Cuts a frame behind its headers, at up to eight places."""
    numbers = random.Random(seed)

    def cuts(data):
        places = range(HEADERS, len(data))
        return sorted(numbers.sample(places, min(len(places), numbers.randrange(9))))
    return cuts


def bytes_of(seed, size):
    return random.Random(seed).randbytes(size)


@smoke(cost=2)
def test_frames_in_many_buffers_pass_as_they_came(lab):
    """Each into the other port's one buffer, time and again around the ring; denied ones are denied."""
    wire = start(lab)
    wire.left.cuts = at_random(1)
    for source, destination in FAMILIES:
        for size in (0, 40, 700, 1400):
            there = [frame(udp(lab.number(), 80, bytes_of(n, size)), source, destination) for n in range(60)]
            back = [frame(udp(lab.number(), 9, bytes_of(n, size)), destination, source) for n in range(60)]
            at_right, at_left = wire.cross(there, back)
            assert sorted(at_right) == sorted(there) and sorted(at_left) == sorted(back)
        wire.drops(frame(udp(lab.number(), 81, bytes_of(9, 1400)), source, destination), "denied_ingress")
        wire.passes(frame(tcp(lab.number(), 80, payload=bytes_of(9, 900)), source, destination, [100]))
        # The checksum is that of all buffers, before anything is remembered of a packet.
        wire.drops(frame(udp(lab.number(), 80, bytes_of(9, 999), checksum=0xBAD), source, destination),
                   "l4_checksum")
    assert set(wire.left.pieces) == {1}, "the appliance sends frames in one buffer"


@smoke()
def test_fragments_in_many_buffers(lab):
    """Held, counted and sent like others, and no buffer of them is lost."""
    wire = start(lab)
    wire.left.cuts = at_random(2)
    for source, destination in FAMILIES:
        for order in (1, -1):
            for _ in range(20):
                number = lab.number()
                all_ = fragments(udp(number, 80, bytes_of(number, 5000)), source, destination, number)
                assert sorted(wire.cross(all_[::order])[0]) == sorted(all_)


@smoke()
def test_jumbo_frames_over_a_memif(lab):
    """Its buffers say how large a frame may be; an interface of up to that size is on the other side."""
    wire = start(lab, buffer_bytes=9216, mtu=9000)
    for cuts in (lambda data: (), at_random(3), lambda data: range(2048, len(data), 2048)):
        wire.left.cuts = cuts
        for size in (1, 2040, 2048, 2100, 4096, 8900):
            n = lab.number()
            wire.passes(frame(udp(n, 80, bytes_of(n, size)), A, B, [100]))
            wire.passes(frame(udp(80, n, bytes_of(n, size)), B, A, [100]), back=True)
    assert set(wire.left.pieces) == {1}


@smoke()
def test_from_one_memif_to_another(lab):
    wire = start(lab, b=memif("b"))
    for end in (wire.left, wire.right):
        end.cuts = at_random(4)
    for round_ in range(3):
        there = [frame(udp(lab.number(), 80, bytes_of(n, 1400)), A, B) for n in range(60)]
        back = [frame(udp(lab.number(), 9, bytes_of(n, 1400)), B, A) for n in range(60)]
        at_right, at_left = wire.cross(there, back)
        assert sorted(at_right) == sorted(there) and sorted(at_left) == sorted(back)
    # A frame that fits no packet buffer has no way out, and takes no other one along.
    large = frame(udp(lab.number(), 80, bytes_of(5, 3000)), A, B)
    wire.drops(large, "tx_error")
    wire.passes(frame(udp(lab.number(), 80, bytes_of(6, 1000)), A, B))
    assert set(wire.left.pieces) == set(wire.right.pieces) == {1}


@smoke(workers=(1,))
def test_buffers_of_another_size_are_refused(lab):
    """The driver of DPDK 22.11 goes wrong with frames of several buffers of its own."""
    for name, mtu in (("b", 1500), ("c", 9000), ("d", 9000)):
        interface(lab, name, mtu)
    jumbo = {"c": "iface:c", "d": "iface:d"}
    for size, room, others in ((512, 2048, {}), (3000, 3008, {}), (2048, 9088, jumbo)):
        devices = {"a": memif("a", size), "b": "iface:b"} | others
        wires = [("a", "b")] + [tuple(others)] * bool(others)
        status, said = lab.refused_start(devices=devices, wires=wires)
        assert status == 1, said
        assert f"its buffers have {size} bytes and packet buffers {room}: give it bsize={room}" in said, said
