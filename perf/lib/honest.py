# SPDX-License-Identifier: Apache-2.0
"""Honest hosts: real kernels' TCP stacks, and what their connections lived through."""

import collections
import contextlib
import os
import random
import selectors
import signal
import socket
import time

import shop

IP_BIND_ADDRESS_NO_PORT = 24
CLIENT_COUNT = 16
FIRST_PORT, PORT_COUNT = 32768, 2048
PATIENCE = 30  # seconds; SYNs go out after 0, 1, 3, 7 and 15


def client(n):
    return f"10.1.0.{1 + n}"


def settle(clients, servers):
    """Gives two namespaces (their eth0 lead to either side of the appliance) addresses and routes: every
    address there is lies behind the other side, at a link-layer address that is known."""
    macs = []
    for ns, addresses, router in ((clients, [client(n) for n in range(CLIENT_COUNT)], "10.1.255.254"),
                                  (servers, shop.SERVERS, "10.2.255.254")):
        ns.ip(*[f"address add {address}/16 dev eth0" for address in addresses],
              f"route add default via {router}")
        ns.sysctl("net.ipv4.ip_local_port_range", f"{FIRST_PORT} {FIRST_PORT + PORT_COUNT - 1}")
        ns.sysctl("net.core.somaxconn", 4096)
        macs.append(mac_of(ns))
    clients.ip(f"neigh add 10.1.255.254 lladdr {macs[1]} nud permanent dev eth0")
    servers.ip(f"neigh add 10.2.255.254 lladdr {macs[0]} nud permanent dev eth0")
    return macs


def mac_of(ns):
    with ns, socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
        s.bind(("eth0", 0))
        return ":".join(f"{byte:02x}" for byte in s.getsockname()[4])


def serve(ns, core):
    """A process that sends back what it is sent. Returns its id when it listens."""
    with ns:
        listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("0.0.0.0", shop.WEB))
    listener.listen(4096)
    listener.setblocking(False)
    child = os.fork()
    if child != 0:
        listener.close()
        return child
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.sched_setaffinity(0, {core})
        echo(listener)
    finally:
        os._exit(1)


def echo(listener):
    selector = selectors.EpollSelector()
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            s = key.fileobj
            if s is listener:
                with contextlib.suppress(OSError):
                    theirs, _ = listener.accept()
                    theirs.setblocking(False)
                    selector.register(theirs, selectors.EVENT_READ)
                continue
            data = b""
            with contextlib.suppress(OSError):
                data = s.recv(4096)
            if data:
                with contextlib.suppress(OSError):
                    s.send(data)
            else:
                selector.unregister(s)
                s.close()


class Attempt:
    """One new connection: opens, asks, is answered, closes."""

    def __init__(self, s, now):
        self.socket, self.begun, self.opened = s, now, None


class Kept:
    """One connection that is open all the time, and says something ten times a second."""

    EVERY = 0.1

    def __init__(self, s, now):
        self.socket, self.due, self.number = s, now, 0
        self.sent_at, self.harm, self.waiting, self.got = None, None, False, b""

    def message(self):
        return b"%063d\n" % self.number


class Clients:
    """All honest clients, in one thread; nothing here waits."""

    def __init__(self, ns, seed):
        self.ns, self.random = ns, random.Random(seed)
        self.selector = selectors.EpollSelector()
        self.attempts = collections.OrderedDict()  # socket to Attempt
        self.kept = {}
        self.begun = self.succeeded = 0
        self.failures = collections.Counter()
        self.open_s, self.round_trip_s = [], []

    def _socket(self):
        with self.ns:
            s = socket.socket()
        s.setblocking(False)
        s.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.bind((client(self.random.randrange(CLIENT_COUNT)), 0))
        s.connect_ex((self.random.choice(shop.SERVERS), shop.WEB))
        return s

    def keep(self, count):
        """Opens connections that stay, before there is a flood."""
        for _ in range(count):
            s = self._socket()
            self.selector.register(s, selectors.EVENT_WRITE)
            if not self.selector.select(5):
                raise TimeoutError("a connection did not open, without any flood")
            error = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise OSError(error, "a connection did not open, without any flood")
            self.selector.modify(s, selectors.EVENT_READ)
            self.kept[s] = Kept(s, time.monotonic() + self.random.random() * Kept.EVERY)

    def run(self, seconds, rate):
        """New connections at a rate for so long; the kept ones talk."""
        begun = time.monotonic()
        made = 0
        while (now := time.monotonic()) < begun + seconds:
            while rate and made < (now - begun) * rate:
                self._begin(now)
                made += 1
            self._turn(now, 0.002)

    def finish(self):
        """Until every attempt has ended, and every kept connection has had its answer or its time."""
        while self.attempts:
            self._turn(time.monotonic(), 0.01)
        end = time.monotonic() + PATIENCE
        for one in self.kept.values():
            one.due = float("inf")
        while any(k.waiting and not k.harm for k in self.kept.values()) and time.monotonic() < end:
            self._turn(time.monotonic(), 0.01)
        for one in self.kept.values():
            if one.waiting and not one.harm:
                one.harm = "no answer"

    def _begin(self, now):
        self.begun += 1
        try:
            s = self._socket()
        except OSError as error:
            self.failures[f"the client's own kernel: {error.strerror}"] += 1
            return
        self.attempts[s] = Attempt(s, now)
        self.selector.register(s, selectors.EVENT_WRITE)

    def _turn(self, now, patience):
        for key, _ in self.selector.select(patience):
            s = key.fileobj
            if s in self.kept:
                self._hear(self.kept[s])
            else:
                self._go_on(s, self.attempts[s])
        while self.attempts:
            s, attempt = next(iter(self.attempts.items()))
            if now < attempt.begun + PATIENCE:
                break
            self._end(s, f"no {'answer' if attempt.opened else 'connection'} in {PATIENCE} s")
        for one in self.kept.values():
            if one.due <= now and not one.harm and not one.waiting:
                one.due = max(one.due + Kept.EVERY, now)
                self._say(one)

    def _end(self, s, why=None):
        self.selector.unregister(s)
        s.close()
        del self.attempts[s]
        if why:
            self.failures[why] += 1
        else:
            self.succeeded += 1

    def _go_on(self, s, attempt):
        now = time.monotonic()
        try:
            if attempt.opened is None:
                error = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if error:
                    raise OSError(error, os.strerror(error))
                attempt.opened = now
                s.send(b"question")
                self.selector.modify(s, selectors.EVENT_READ)
                return
            data = s.recv(100)
        except OSError as error:
            return self._end(s, os.strerror(error.errno))
        if data != b"question":
            return self._end(s, "a wrong answer" if data else "closed by the server")
        self.open_s.append(attempt.opened - attempt.begun)
        return self._end(s)

    def _say(self, one):
        one.number += 1
        one.sent_at, one.waiting, one.got = time.monotonic(), True, b""
        try:
            one.socket.send(one.message())
        except OSError as error:
            self._harm(one, error.strerror)

    def _hear(self, one):
        try:
            data = one.socket.recv(4096)
        except OSError as error:
            return self._harm(one, error.strerror)
        if not data:
            return self._harm(one, "closed")
        one.got += data
        if len(one.got) < len(one.message()):
            return None
        if one.got != one.message():
            return self._harm(one, "a wrong answer")
        self.round_trip_s.append(time.monotonic() - one.sent_at)
        one.waiting = False
        return None

    def _harm(self, one, what):
        one.harm = what
        self.selector.unregister(one.socket)

    def forget(self):
        """Begins to count anew."""
        self.begun = self.succeeded = 0
        self.failures.clear()
        self.open_s, self.round_trip_s = [], []

    def harmed(self):
        return collections.Counter(k.harm for k in self.kept.values() if k.harm)
