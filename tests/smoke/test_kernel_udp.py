# SPDX-License-Identifier: Apache-2.0
"""Datagrams that kernels cut in pieces, over a line that loses, repeats and mixes the pieces."""

import contextlib
import random
import select
import socket

from lib import kube
from lib.runner import smoke
from lib.stack import hurry, nothing_dropped

BAD = "loss=0.02,duplicate=0.02,reorder=0.1,delay-us=0-500,reorder-us=3000"
PORT, SIZE, COUNT = 80, 6000, 60


def question(number, v6):
    return bytes([number, v6]) + random.Random(number * 2 + v6).randbytes(SIZE)


def ask_until_answered(client, server, v6):
    """Sends COUNT large datagrams, again and again those that were not answered, all at once; the
    server answers each with its reverse. What arrives is what was sent or nothing."""
    theirs = server.serve("UDP", PORT, v6)
    with client.socket(socket.SOCK_DGRAM, v6) as ours:
        ours.connect((server.address(v6), PORT))
        missing = set(range(COUNT))
        while missing:
            for number in sorted(missing)[:10]:
                with contextlib.suppress(BlockingIOError):
                    ours.send(question(number, v6))
            while ready := select.select([ours, theirs], [], [], 0.05)[0]:
                if theirs in ready:
                    data, peer = theirs.recvfrom(65535)
                    assert data == question(data[0], v6), "a datagram that nobody sent"
                    theirs.sendto(data[::-1], peer)
                if ours in ready:
                    data = ours.recv(65535)[::-1]
                    assert data == question(data[0], v6), "an answer that nobody sent"
                    missing.discard(data[0])


@smoke(cost=4)
def test_large_datagrams_over_a_bad_line_are_whole_or_gone(lab):
    left, right = lab.sides(BAD)
    client = lab.pod(left, "web/client", "10.0.0.1", "fd00::1")
    server = lab.pod(right, "web/server", "10.0.0.2", "fd00::2")
    hurry(client, server)
    lab.start("--fragment-hold-s", 1, objects=[
        kube.namespace("web"), kube.pod("web/client", *client.addresses, app="client"),
        kube.pod("web/server", *server.addresses, app="server"),
        kube.policy("web/mute", {"app": "server"}, ingress=[{"ports": [kube.port(PORT, "UDP")]}], egress=[]),
        kube.policy("web/closed", {"app": "client"}, ingress=[])])
    for v6 in (False, True):
        ask_until_answered(client, server, v6)
    # A first piece that was lost leaves orphans, a piece that came twice is dropped once.
    nothing_dropped(lab, besides={"fragment_orphan", "fragment_overlap"})
    assert lab.daemon.drops("fragment_orphan", "fragment_overlap") > 0
    client.no_udp(server, PORT + 1, why="denied_ingress")
    server.no_udp(client, PORT, why="denied_egress")
    for told in left.relay.stop():
        assert all(told[what] > 0 for what in ("lost", "duplicated", "delayed", "reordered")), told
