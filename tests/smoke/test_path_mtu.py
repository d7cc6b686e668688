# SPDX-License-Identifier: Apache-2.0
"""Path-MTU discovery through the appliance: the errors of a real router behind it come back to those
who need them (RFC 1191, RFC 8201), and nobody else's do."""

import errno
import socket

from lib import kube
from lib.frames import frame, tcp, udp, without_ethernet
from lib.net import readable, wait_for
from lib.router import Router
from lib.runner import smoke
from lib.stack import Stream, carry, hurry, nothing_dropped

MTU = 1300
PORT, DNS = 80, 53
LONG = b"x" * 1400
IP_MTU_DISCOVER, IP_MTU, IPV6_MTU_DISCOVER, IPV6_MTU, PMTUDISC_DO = 10, 14, 23, 24, 2
ICMP_UNREACHABLE = {False: ("Icmp", "DestUnreachs"), True: ("Icmp6", "PktTooBigs")}


def behind_a_router(lab):
    """(router, client, other client, server behind the router); nobody may open connections to the
    clients."""
    left, right = lab.sides()
    router = Router(right, MTU)
    clients = [lab.pod(left, f"web/c{i}", f"10.0.0.{i}", f"fd00::{i}") for i in (1, 2)]
    server = lab.pod(router, "web/server", "10.9.0.3", "fd09::3")
    hurry(*clients)
    router.lead(*clients, server)
    lab.start(objects=[kube.namespace("web"), kube.pod("web/server", *server.addresses),
                       *(kube.pod(p.name, *p.addresses, app="client") for p in clients),
                       kube.policy("web/closed", {"app": "client"}, ingress=[])])
    return router, *clients, server


def errors(pod_or_router, way, v6):
    """Packet-too-big errors that a kernel has sent ("Out") or got ("In")."""
    group, name = ICMP_UNREACHABLE[v6]
    return pod_or_router.ns.counters()[group][way + name]


def path_mtu(s, v6):
    return s.getsockopt(*((socket.IPPROTO_IPV6, IPV6_MTU) if v6 else (socket.IPPROTO_IP, IP_MTU)))


def forge(lab, router, client, quoted):
    """An error about a packet that the client never sent does not reach it."""
    before = lab.daemon.drops("icmp_unrelated")
    router.too_big(without_ethernet(quoted), client)
    wait_for("a forged error to be dropped", lambda: lab.daemon.drops("icmp_unrelated") > before)


@smoke(cost=3)
def test_path_mtu_discovery_works_for_tcp(lab):
    router, client, other, server = behind_a_router(lab)
    pairs = [client.connect(server, PORT, v6) for v6 in (False, True)]
    for v6, (ours, theirs) in enumerate(pairs):
        assert path_mtu(ours, v6) == 1500
        carry([Stream(ours, theirs, 200_000, 1), Stream(theirs, ours, 200_000, 2)])
        assert path_mtu(ours, v6) == MTU
        assert errors(client, "In", v6) == errors(router, "Out", v6) > 0
    got = [errors(client, "In", v6) for v6 in (False, True)]
    nothing_dropped(lab)

    for v6, (ours, theirs) in enumerate(pairs):
        here, there, port = client.address(v6), server.address(v6), ours.getsockname()[1]
        for forged in (frame(tcp(port + 1, PORT, "A", payload=LONG), here, there),
                       frame(tcp(port, PORT + 1, "A", payload=LONG), here, there),
                       frame(tcp(port, PORT, "A", payload=LONG), other.address(v6), there),
                       frame(udp(port, PORT, LONG), here, there)):
            forge(lab, router, here, forged)
        assert path_mtu(ours, v6) == MTU
        assert errors(client, "In", v6) == got[v6], "a forged error came through"
        server.no_tcp(client, PORT, v6, why="denied_ingress")
        carry([Stream(ours, theirs, 3000, 3), Stream(theirs, ours, 3000, 4)])


@smoke(cost=3)
def test_path_mtu_discovery_works_for_udp(lab):
    """For a sender that sets "don't fragment" and looks at the errors itself."""
    router, client, other, server = behind_a_router(lab)
    for v6 in (False, True):
        theirs = server.serve("UDP", DNS, v6)
        with client.socket(socket.SOCK_DGRAM, v6) as ours:
            ours.setsockopt(*((socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER) if v6 else
                              (socket.IPPROTO_IP, IP_MTU_DISCOVER)), PMTUDISC_DO)
            ours.connect((server.address(v6), DNS))
            ours.send(LONG)
            wait_for("the router's error", lambda s=ours: s.getsockopt(
                socket.SOL_SOCKET, socket.SO_ERROR) == errno.EMSGSIZE)
            assert path_mtu(ours, v6) == MTU
            ours.send(b"y" * 1200)
            wait_for("a datagram that fits", lambda s=theirs: readable(s))
            assert theirs.recv(2000) == b"y" * 1200
            assert errors(client, "In", v6) == errors(router, "Out", v6) == 1

            here, there, port = client.address(v6), server.address(v6), ours.getsockname()[1]
            forge(lab, router, here, frame(udp(port + 1, DNS, LONG), here, there))
            forge(lab, router, here, frame(udp(port, DNS, LONG), here, other.address(v6)))
            router.too_big(without_ethernet(frame(udp(port, DNS, LONG), here, there)), here, 1290)
            wait_for("an error that fits to arrive", lambda s=ours: path_mtu(s, v6) == 1290)
            assert errors(client, "In", v6) == 2
        server.no_udp(client, DNS, v6, why="denied_ingress")
    nothing_dropped(lab, besides={"icmp_unrelated", "denied_ingress"})
