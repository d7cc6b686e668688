# SPDX-License-Identifier: Apache-2.0
"""Frames that pass: byte for byte, in every form an allowed packet may have."""

from lib import kube
from lib.frames import (LEFT_MAC, RIGHT_MAC, arp, echo, echo6, frame, neighbour_advertisement,
                        neighbour_solicitation, sctp, sctp_init, tcp, udp)
from lib.runner import smoke

A, B = "10.0.0.1", "10.0.0.2"
A6, B6 = "fd00::1", "fd00::2"
OPEN = [kube.namespace("web"), kube.pod("web/a", A, A6), kube.pod("web/b", B, B6)]


@smoke()
def test_frames_leave_as_they_came(lab):
    """Tags, padding, TTL, options, MACs: not a byte changes, either way."""
    wire = lab.wire()
    lab.start(objects=OPEN)

    def shapes(a, b, a6, b6):
        for tags in ((), (100,), (0x6123,), (10, 20), ((0x88A8, 5), (0x8100, 6)),
                     ((0x8100, 7), (0x8100, 8))):
            n = lab.number()
            yield frame(tcp(n, 80, options=bytes.fromhex("020405b4")), a, b, tags, pad=6)
            yield frame(udp(n, 53, b"q" * 1400), a, b, tags, ttl=1, tos=0xB8)
            yield frame(udp(n, 53, b""), a6, b6, tags, hops=1, label=0xBEEF)
            yield frame(tcp(n, 80), a6, b6, tags, smac=b"\2aaaaa", dmac=b"\2bbbbb")
            yield frame(sctp(n, 80, sctp_init(n)), a, b, tags)
            yield frame(echo(n), a, b, tags, ident=0, fragment=0x4000)
            yield frame(echo6(n), a6, b6, tags)
            yield frame(udp(n, 9, b"opt"), a, b, tags, options=bytes.fromhex("94040000"))
            yield frame(udp(n, 9, b"ext"), a6, b6, tags, extensions=[(0, b"\0\1\4" + b"\0" * 4)])

    to_right, to_left = list(shapes(A, B, A6, B6)), list(shapes(B, A, B6, A6))
    at_right, at_left = wire.cross(to_right, to_left)
    assert sorted(at_right) == sorted(to_right) and sorted(at_left) == sorted(to_left)


@smoke()
def test_arp_and_neighbour_discovery_before_any_policy(lab):
    """Resolution always passes; nothing else does before the first revision."""
    wire = lab.wire()
    lab.start()
    wire.passes(arp(A, B))
    wire.passes(arp(B, A, 2, smac=RIGHT_MAC), back=True)
    wire.passes(arp(A, B, vlans=[7]))
    wire.passes(neighbour_solicitation(A6, B6))
    wire.passes(neighbour_advertisement(B6, A6, dmac=LEFT_MAC), back=True)
    wire.drops(frame(tcp(lab.number(), 80), A, B), "no_policy_yet")
    wire.drops(frame(udp(lab.number(), 80), B6, A6), "no_policy_yet", back=True)
    lab.daemon.put(*OPEN)
    wire.passes(frame(tcp(lab.number(), 80), A, B))
    wire.passes(frame(udp(lab.number(), 80), B6, A6), back=True)
    assert lab.daemon.stats()["passed_always"] == 5
