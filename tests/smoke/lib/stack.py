# SPDX-License-Identifier: Apache-2.0
"""Real TCP stacks at work: many connections and streams at once, and what the kernel says of them."""

import errno
import hashlib
import itertools
import random
import select
import socket
import struct

from lib.net import readable, wait_for

SO_MAX_PACING_RATE = 47
OPTIONS = {"timestamps": 1, "sack": 2, "wscale": 4, "ecn": 8}  # TCPI_OPT_* of linux/tcp.h
# A stack that has closed a connection answers late copies of its segments with resets, which need
# not lie in the window any more.
AFTER_THE_END = {"tcp_window", "tcp_state"}
# Frames that a machine short of time loses before or behind the appliance's judgement.
SHORT_OF_ROOM = {"rx_missed", "rx_no_mbuf", "tx_full", "handoff_full"}


def hurry(*pods):
    """Lost packets cost milliseconds: retransmission timers from 20 ms on, neighbours asked often."""
    for pod in pods:
        for family in ("ipv4", "ipv6"):
            pod.ns.sysctl(f"net.{family}.neigh.eth0.retrans_time_ms", 50)
            pod.ns.sysctl(f"net.{family}.neigh.eth0.mcast_solicit", 20)
        pod.ns.sysctl("net.ipv4.tcp_congestion_control", "reno")
        pod.ns.ip("route add 10.0.0.0/24 dev eth0 rto_min 20ms",
                  "route add fd00::/80 dev eth0 rto_min 20ms")


class Info:
    """What getsockopt(TCP_INFO) says, as far as tests ask."""

    def __init__(self, s):
        data = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 232)
        self.closed = data[0] == 7  # TCP_CLOSE: nothing is left of the connection at this end
        self.options = {name for name, bit in OPTIONS.items() if data[5] & bit}
        self.retransmitted, = struct.unpack_from("=I", data, 100)
        self.send_window, = struct.unpack_from("=I", data, 228)


def connect_all(pairs, port):
    """Opens connections at once: [(our socket, theirs)] for each (pod, other pod, v6)."""
    ours = [a.begin(b, port, v6) for a, b, v6 in pairs if b.serve("TCP", port, v6)]
    theirs = {}

    def accepted():
        for _, b, v6 in pairs:
            listener = b.serve("TCP", port, v6)
            while readable(listener):
                s, peer = listener.accept()
                s.setblocking(False)
                theirs[peer[:2]] = s
        return len(theirs) == len(ours)
    wait_for(f"{len(ours)} connections", accepted)
    return [(s, theirs[s.getsockname()[:2]]) for s in ours]


def pace(connections, bytes_per_second):
    """No end sends faster than this, so that a delay on the line has a known length in bytes."""
    for s in itertools.chain.from_iterable(connections):
        s.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, bytes_per_second)


class Stream:
    """Bytes one way over an open connection."""

    def __init__(self, sender, receiver, size, seed):
        self.sender, self.receiver = sender, receiver
        data = random.Random(seed).randbytes(size)
        self.rest = memoryview(data)
        self.sent, self.got = hashlib.sha256(data), hashlib.sha256()
        self.size, self.missing = size, size

    def send(self):
        self.rest = self.rest[self.sender.send(self.rest):]

    def receive(self):
        data = self.receiver.recv(self.missing)
        assert data, f"the connection ended with {self.missing} of {self.size} bytes missing"
        self.got.update(data)
        self.missing -= len(data)


def carry(streams, patience=30):
    """Carries all streams and compares what arrived. A reset is an exception; `patience`: seconds in
    which at least something has to move."""
    while waiting := [s for s in streams if s.missing]:
        readers = {s.receiver: s for s in waiting}
        writers = {s.sender: s for s in waiting if s.rest}
        come, room, _ = select.select(readers, writers, [], patience)
        assert come or room, "nothing moves: " + ", ".join(
            f"{s.missing} of {s.size} bytes missing" for s in waiting)
        for s in come:
            readers[s].receive()
        for s in room:
            writers[s].send()
    for s in streams:
        assert s.got.digest() == s.sent.digest(), f"{s.size} bytes arrived, but others"


def end(sender, receiver):
    """Ends one direction of a connection (FIN) and waits until the other end knows."""
    sender.shutdown(socket.SHUT_WR)
    wait_for("the end of a stream", lambda: readable(receiver))
    assert receiver.recv(1) == b"", "bytes behind the end"


def both_ways(connections, size):
    """Carries `size` bytes each way over every connection, all at once."""
    carry([Stream(a, b, size, number) for number, pair in enumerate(connections)
           for a, b in (pair, pair[::-1])])


def abort(sender, receiver):
    """Ends a connection with a reset and waits until the other end knows."""
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sender.close()
    wait_for("a reset", lambda: receiver.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
             == errno.ECONNRESET)
    receiver.close()


def nothing_dropped(lab, besides=frozenset()):
    """The appliance has judged no packet so far as one to drop, but for the reasons given."""
    drops = lab.daemon.settled()["total"]["drops"]
    assert set(drops) <= SHORT_OF_ROOM | besides, f"dropped: {drops}"
