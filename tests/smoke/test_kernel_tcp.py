# SPDX-License-Identifier: Apache-2.0
"""Everything that real TCP stacks do over a line that is bad, or do seldom: the appliance stands in
the path and nobody notices."""

import contextlib
import itertools
import select
import socket

from lib import kube
from lib.net import readable, wait_for, writable
from lib.pods import talk
from lib.runner import smoke
from lib.stack import (AFTER_THE_END, Info, Stream, abort, both_ways, carry, connect_all, end, hurry,
                       nothing_dropped, pace)

# At the pace below what the line holds back is 20 KB late, well within the smallest window.
BAD = "loss=0.02,duplicate=0.02,reorder=0.05,delay-us=0-1000,reorder-us=3000"
PACE = 4_000_000
PORT = 80
ALL = {"timestamps", "sack", "wscale"}


def clients_and_server(lab, *names, impair=None):
    """Pods on the left, web/server on the right, which admits everybody to PORT alone."""
    left, right = lab.sides(impair)
    clients = [lab.pod(left, f"web/{name}", f"10.0.0.{i}", f"fd00::{i}")
               for i, name in enumerate(names, 1)]
    server = lab.pod(right, "web/server", "10.0.0.99", "fd00::99")
    hurry(*clients, server)
    lab.start(objects=[kube.namespace("web"), kube.pod("web/server", *server.addresses, app="server"),
                       *(kube.pod(p.name, *p.addresses) for p in clients),
                       kube.policy("web/one-port", {"app": "server"}, ingress=[
                           {"ports": [kube.port(PORT)]}])])
    return left.relay, clients, server


@smoke(cost=6)
def test_every_byte_arrives_over_a_bad_line(lab):
    """Both ways at once, over IPv4 and IPv6, with and without each of TCP's usual options."""
    settings = {"usual": ({}, ALL), "unscaled": ({"tcp_window_scaling": 0}, ALL - {"wscale"}),
                "no-sack": ({"tcp_sack": 0}, ALL - {"sack"}),
                "no-timestamps": ({"tcp_timestamps": 0}, ALL - {"timestamps"}),
                "bare": ({"tcp_window_scaling": 0, "tcp_sack": 0, "tcp_timestamps": 0}, set()),
                "ecn": ({"tcp_ecn": 1}, ALL | {"ecn"})}
    relay, clients, server = clients_and_server(lab, *settings, impair=BAD)
    for client, (sysctls, _) in zip(clients, settings.values()):
        for name, value in sysctls.items():
            client.ns.sysctl(f"net.ipv4.{name}", value)
    pairs = [(client, server, v6) for client in clients for v6 in (False, True)]
    connections = connect_all(pairs, PORT)
    pace(connections, PACE)
    both_ways(connections, 400_000)
    for (client, _, v6), pair in zip(pairs, connections):
        _, expected = settings[client.name.removeprefix("web/")]
        for s in pair:
            assert Info(s).options == expected, (client.name, v6, Info(s).options)
    assert sum(Info(s).retransmitted for pair in connections for s in pair) > 0
    for pod in (*clients, server):
        assert pod.ns.counters()["Tcp"]["OutRsts"] == 0, f"{pod.name} has sent a reset"
    nothing_dropped(lab)
    for ours, theirs in connections:
        end(ours, theirs)
        end(theirs, ours)
    nothing_dropped(lab, besides=AFTER_THE_END)
    clients[0].no_tcp(server, PORT + 1, why="denied_ingress")
    for told in relay.stop():
        assert all(told[what] > 0 for what in ("lost", "duplicated", "delayed", "reordered")), told


@smoke(cost=3)
def test_one_direction_may_end_long_before_the_other(lab):
    """Half-close by either end, over a bad line: what the other still has to say arrives."""
    _, (client,), server = clients_and_server(lab, "client", impair=BAD)
    pairs = connect_all([(client, server, v6) for v6 in (False, True)] * 2, PORT)
    pace(pairs, PACE)
    both_ways(pairs, 3000)
    halves = [pair if number < 2 else pair[::-1] for number, pair in enumerate(pairs)]
    for first, last in halves:
        end(first, last)
    carry([Stream(last, first, 300_000, 1) for first, last in halves])
    assert len(lab.daemon.flows(state="half_closed")) == 4, lab.daemon.flows()
    nothing_dropped(lab)
    for first, last in halves:
        end(last, first)
    nothing_dropped(lab, besides=AFTER_THE_END)
    client.no_tcp(server, PORT + 1, why="denied_ingress")


@smoke(cost=2)
def test_urgent_data_is_as_urgent_as_sent(lab):
    _, (client,), server = clients_and_server(lab, "client")
    for v6 in (False, True):
        for sender, receiver in itertools.permutations(client.connect(server, PORT, v6)):
            sender.send(b"before")
            sender.send(b"now!", socket.MSG_OOB)
            sender.send(b"after")
            wait_for("urgent data", lambda r=receiver: select.select([], [], [r], 0)[2])
            assert receiver.recv(10, socket.MSG_OOB) == b"!"
            got = b""
            while got != b"beforenowafter":
                wait_for("the rest", lambda r=receiver: readable(r))
                got += receiver.recv(100)
                assert b"beforenowafter".startswith(got), got
    nothing_dropped(lab)


@smoke(cost=3)
def test_ports_are_used_again_at_once(lab):
    """Connection after connection between the same two ports: after a reset by either end, and while
    the server or the client still has the last one in TIME-WAIT."""
    _, (client,), server = clients_and_server(lab, "client")
    client.ns.sysctl("net.ipv4.tcp_tw_reuse", 1)
    port = {False: 5000, True: 5001}

    def connect(v6):
        ours, theirs = client.connect(server, PORT, v6, port[v6])
        talk(ours, theirs)
        return ours, theirs

    for turn in range(10):
        for v6 in (False, True):
            pair = connect(v6)
            abort(*pair[::1 if turn % 2 else -1])
            ours, theirs = connect(v6)
            end(theirs, ours)
            end(ours, theirs)
            wait_for("our end to be closed", lambda s=ours: Info(s).closed)
            ours.close()
            theirs.close()
    for v6 in (False, True):
        ours, theirs = connect(v6)
        end(ours, theirs)
        end(theirs, ours)
        ours.close()
        theirs.close()
    for v6 in (False, True):
        # The kernel uses a port in TIME-WAIT again when its timestamps have gone on (a second).
        ours = wait_for("the port to be free",
                        lambda v=v6: begin_if_free(client, server, v, port[v]))
        listener = server.serve("TCP", PORT, v6)
        wait_for("the connection", lambda s=listener: readable(s))
        theirs, _ = listener.accept()
        talk(ours, theirs)
        ours.close()
        theirs.close()
    assert client.ns.counters()["TcpExt"]["TWRecycled"] == 2, client.ns.counters()["TcpExt"]
    nothing_dropped(lab, besides=AFTER_THE_END)
    client.no_tcp(server, PORT + 1, why="denied_ingress")


def begin_if_free(client, server, v6, source_port):
    """A connection on its way, or nothing if the client's kernel still keeps the port."""
    s = client.begin(server, PORT, v6, source_port)
    if Info(s).closed:
        s.close()
        return None
    return s


@smoke(cost=3)
def test_both_ends_may_open_at_once(lab):
    """Two SYNs that cross on the wire (RFC 9293, 3.5) make one connection. Here only the server may
    open one: its SYN comes first, and the client's belongs to the same flow."""
    relay, (client,), server = clients_and_server(lab, "client", impair="loss=0")
    for v6 in (False, True):
        client.tcp(server, PORT, v6)  # now they know each other's MAC addresses
        before = [pod.ns.counters()["Tcp"] for pod in (client, server)]
        relay.pause()
        ours = client.begin(server, 443, v6, 5000)
        theirs = server.begin(client, 5000, v6, 443)
        wait_for("the server's SYN to open a flow",
                 lambda: lab.daemon.flows(port=443, address=client.address(v6)))
        relay.resume()
        wait_for("both to be connected", lambda a=ours, b=theirs: writable(a) and writable(b))
        talk(ours, theirs)
        for pod, counted in zip((client, server), before):
            now = pod.ns.counters()["Tcp"]
            assert now["ActiveOpens"] - counted["ActiveOpens"] == 1, "not opened by both"
            assert now["PassiveOpens"] == counted["PassiveOpens"], "not opened by both"
        end(ours, theirs)
        end(theirs, ours)
    nothing_dropped(lab)
    client.no_tcp(server, 443, why="denied_ingress")


@smoke(cost=4)
def test_a_connection_may_stand_still(lab):
    """A reader that sleeps until the window is zero, and ends that are idle and ask for each other."""
    _, (client,), server = clients_and_server(lab, "client")
    idle = connect_all([(client, server, v6) for v6 in (False, True)], PORT)
    for s, _ in idle:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    stalled = connect_all([(client, server, v6) for v6 in (False, True)], PORT)
    streams = [Stream(ours, theirs, 8_000_000, 1) for ours, theirs in stalled]

    def full(stream):
        with contextlib.suppress(BlockingIOError):
            while stream.rest:
                stream.send()
        return Info(stream.sender).send_window == 0

    for stream in streams:
        wait_for("a window of zero", lambda s=stream: full(s))
        assert stream.rest, "all was sent before the window was zero"
    wait_for("both ends to ask again", lambda: client.ns.counters()["TcpExt"]["TCPWinProbe"] >= 4)
    wait_for("keepalives", lambda: client.ns.counters()["TcpExt"]["TCPKeepAlive"] >= 2)
    carry(streams)
    for pair in idle:
        talk(*pair)
    nothing_dropped(lab)
    assert server.ns.counters()["TcpExt"]["TCPToZeroWindowAdv"] >= 2
    client.no_tcp(server, PORT + 1, why="denied_ingress")
