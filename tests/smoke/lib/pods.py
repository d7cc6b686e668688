# SPDX-License-Identifier: Apache-2.0
"""Pods as network namespaces with a real TCP/IP stack, on a bridge behind each port of the wire."""

import contextlib
import errno
import socket
import struct

from lib import frames
from lib.net import Namespace, readable, veth, wait_for, writable

SOCKET_TYPES = {"TCP": socket.SOCK_STREAM, "UDP": socket.SOCK_DGRAM}


class Side:
    """A bridge; its uplink is the far end of one of the appliance's ports, or with a relay (a
    function that makes one, given the two namespaces) what lies beyond that."""

    def __init__(self, gateway, port, relay=None):
        self.ns = Namespace(f"side-{port}")
        self.ns.ip("link add name br type bridge stp_state 0 mcast_snooping 0", "link set dev br up")
        self.relay = None
        if relay is None:
            veth(gateway, port, self.ns, "uplink")
        else:
            self.relay = relay((self.ns, "uplink"), (gateway, port))
        self.ns.ip("link set dev uplink master br")
        self.plugged = 0

    def plug(self, pod_ns):
        self.plugged += 1
        name = f"pod{self.plugged}"
        veth(pod_ns, "eth0", self.ns, name)
        self.ns.ip(f"link set dev {name} master br")


class Pod:
    """One pod: addresses, and sockets that live in it."""

    def __init__(self, lab, side, name, addresses):
        self.lab, self.side, self.name, self.addresses = lab, side, name, addresses
        self.ns = Namespace("pod-" + name.replace("/", "-"), ipv6=True)
        side.plug(self.ns)
        for text in addresses:
            self.ns.ip(f"address add {text}/{64 if ':' in text else 16} dev eth0" +
                       (" nodad" if ":" in text else ""))
        self._listeners = {}

    def address(self, v6=False):
        return next(a for a in self.addresses if (":" in a) == v6)

    def socket(self, kind, v6=False, protocol=0):
        with self.ns:
            s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, kind, protocol)
        s.setblocking(False)
        return s

    def serve(self, protocol, port, v6=False):
        """A socket that listens on the port; the same one if asked again."""
        key = (protocol, port, v6)
        if key not in self._listeners:
            s = self.socket(SOCKET_TYPES[protocol], v6)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind((self.address(v6), port))
            if protocol == "TCP":
                s.listen(64)
            self._listeners[key] = s
        return self._listeners[key]

    # ---- what a test asks ----

    def connect(self, other, port, v6=False, source_port=0):
        """An open TCP connection to another pod: (our socket, theirs)."""
        listener = other.serve("TCP", port, v6)
        ours = self.begin(other, port, v6, source_port)
        wait_for(f"TCP {self.name} to {other.name}:{port}", lambda: readable(listener))
        theirs, peer = listener.accept()
        theirs.setblocking(False)
        assert peer[0] == self.address(v6), f"{other.name} sees {peer}, not {self.name}"
        wait_for("the handshake", lambda: writable(ours))
        error = ours.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        assert error == 0, f"connect: {errno.errorcode[error]}"
        return ours, theirs

    def begin(self, other, port, v6=False, source_port=0):
        """A socket whose connection is on its way."""
        ours = self.socket(socket.SOCK_STREAM, v6)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        ours.bind((self.address(v6), source_port))
        ours.connect_ex((other.address(v6), port))
        return ours

    def tcp(self, other, port, v6=False):
        """A TCP connection opens and carries bytes both ways."""
        ours, theirs = self.connect(other, port, v6)
        with ours, theirs:
            talk(ours, theirs)

    def no_tcp(self, other, port, v6=False, why=("denied_ingress", "denied_egress")):
        """A TCP connection does not open: the first SYN was dropped for the reason given."""
        other.serve("TCP", port, v6)
        before = self.lab.daemon.drops(*_tuple(why))
        with self.begin(other, port, v6) as ours:
            self._denied(before, why, lambda: writable(ours))

    def udp(self, other, port, v6=False):
        """A datagram arrives and its answer comes back."""
        server = other.serve("UDP", port, v6)
        with self.socket(socket.SOCK_DGRAM, v6) as ours:
            ours.bind((self.address(v6), 0))
            ours.sendto(b"question", (other.address(v6), port))
            wait_for(f"UDP {self.name} to {other.name}:{port}", lambda: readable(server))
            data, peer = server.recvfrom(100)
            assert (data, peer[0]) == (b"question", self.address(v6)), f"{data} from {peer}"
            server.sendto(b"answer", peer)
            wait_for("the answer", lambda: readable(ours))
            assert ours.recv(100) == b"answer"

    def no_udp(self, other, port, v6=False, why=("denied_ingress", "denied_egress")):
        server = other.serve("UDP", port, v6)
        before = self.lab.daemon.drops(*_tuple(why))
        with self.socket(socket.SOCK_DGRAM, v6) as ours:
            ours.sendto(b"question", (other.address(v6), port))
            self._denied(before, why, lambda: readable(server))

    def ping(self, other, v6=False):
        """The other pod's kernel answers an echo request."""
        with self._ping(other, v6) as s:
            wait_for(f"ping {self.name} to {other.name}", lambda: self._pong(s, other, v6))

    def no_ping(self, other, v6=False, why=("denied_ingress", "denied_egress")):
        before = self.lab.daemon.drops(*_tuple(why))
        with self._ping(other, v6) as s:
            self._denied(before, why, lambda: self._pong(s, other, v6))

    def _ping(self, other, v6):
        s = self.socket(socket.SOCK_RAW, v6, socket.IPPROTO_ICMPV6 if v6 else socket.IPPROTO_ICMP)
        self._echo_id = self.lab.number()
        source = frames.address(self.address(v6))
        l4 = (frames.echo6 if v6 else frames.echo)(self._echo_id)
        s.sendto(l4.seal(source, frames.address(other.address(v6))), (other.address(v6), 0))
        return s

    def _pong(self, s, other, v6):
        with contextlib.suppress(BlockingIOError):
            data, peer = s.recvfrom(2000)
            data = data if v6 else data[(data[0] & 15) * 4:]
            kind, _, _, identifier = struct.unpack(">BBHH", data[:6])
            return peer[0] == other.address(v6) and kind == (129 if v6 else 0) and \
                identifier == self._echo_id
        return False

    def _denied(self, before, why, arrived):
        def decided():
            if arrived():
                return "arrived"
            return self.lab.daemon.drops(*_tuple(why)) > before and "dropped"
        verdict = wait_for(f"a verdict {why}", decided)
        assert verdict == "dropped" and not arrived(), f"arrived, expected {why}"


def talk(ours, theirs, size=3000):
    """Bytes both ways over an open connection."""
    for a, b in ((ours, theirs), (theirs, ours)):
        a.sendall(b"x" * size)
        got = 0
        while got < size:
            wait_for("bytes on the connection", lambda: readable(b))
            got += len(b.recv(65536))


def _tuple(why):
    return (why,) if isinstance(why, str) else why
