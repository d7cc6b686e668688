# SPDX-License-Identifier: Apache-2.0
"""Network namespaces, veth pairs, bridges and raw sockets. Linux, root.

A test runs in a mount, PID and network namespace of its own (see runner.py), so whatever is made
here is gone when the test's process is, however that ended.
"""

import array
import ctypes
import errno
import fcntl
import os
import select
import socket
import struct
import subprocess
import time

CLONE_NEWNET = 0x40000000
SOL_PACKET, PACKET_AUXDATA, PACKET_IGNORE_OUTGOING = 263, 8, 23
TP_STATUS_VLAN_VALID, TP_STATUS_VLAN_TPID_VALID = 0x10, 0x40
SO_RCVBUFFORCE, SO_SNDBUFFORCE = 33, 32
ETH_P_ALL = 3
SIOCETHTOOL, SIOCGIFFLAGS, IFF_RUNNING = 0x8946, 0x8913, 0x40
# rx, tx, sg, tso, gso, gro of `ethtool -K`
OFFLOADS = (0x15, 0x17, 0x19, 0x1F, 0x24, 0x2C)

_libc = ctypes.CDLL(None, use_errno=True)


def run(*command, text=None):
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()} {text or ''}")
    return done.stdout


class Namespace:
    """A named network namespace. `with ns:` puts the calling thread into it: sockets opened there
    belong to it for good."""

    def __init__(self, name, ipv6=False):
        self.name = name
        run("ip", "netns", "add", name)
        self.fd = os.open(f"/run/netns/{name}", os.O_RDONLY | os.O_CLOEXEC)
        self._home = []
        with self:
            for group in ("all", "default"):
                base = f"/proc/sys/net/ipv6/conf/{group}/"
                _write(base + "disable_ipv6", "0" if ipv6 else "1")
                _write(base + "accept_dad", "0")
                _write(base + "accept_ra", "0")
                _write(base + "router_solicitations", "0")
        self.ip("link set lo up")

    def __enter__(self):
        self._home.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        _setns(self.fd)
        return self

    def __exit__(self, *_):
        home = self._home.pop()
        _setns(home)
        os.close(home)

    def sysctl(self, name, value):
        """`name` as sysctl(8) says it: net.ipv4.tcp_sack."""
        with self:
            _write("/proc/sys/" + name.replace(".", "/"), str(value))

    def counters(self):
        """The kernel's own: {"Tcp": {"OutRsts": 0, …}, "TcpExt": …, "Icmp": …, "Icmp6": …}."""
        found = {}
        with self:
            for name in ("snmp", "netstat"):
                lines = _read(f"/proc/thread-self/net/{name}").splitlines()
                for names, values in zip(lines[::2], lines[1::2]):
                    group, _, values = values.partition(":")
                    found[group] = dict(zip(names.split()[1:], map(int, values.split())))
            found["Icmp6"] = {}
            for line in _read("/proc/thread-self/net/snmp6").splitlines():
                name, value = line.split()
                if name.startswith("Icmp6"):
                    found["Icmp6"][name.removeprefix("Icmp6")] = int(value)
        return found

    def ip(self, *commands):
        """Runs `ip` commands in this namespace, all in one process."""
        run("ip", "-n", self.name, "-batch", "-", text="\n".join(commands) + "\n")


def _write(path, value):
    with open(path, "w", encoding="ascii") as f:
        f.write(value)


def _read(path):
    with open(path, encoding="ascii") as f:
        return f.read()


def _setns(fd):
    if _libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def offloads(ns, device, on=False):
    """What `ethtool -K DEVICE rx off tx off sg off tso off gso off gro off` does: frames leave with
    their checksums filled in and no longer than the MTU. `on`: the reverse."""
    with ns, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for command in OFFLOADS:
            value = array.array("I", [command, int(on)])
            request = struct.pack("16sP16x", device.encode(), value.buffer_info()[0])
            try:
                fcntl.ioctl(s, SIOCETHTOOL, request)
            except OSError as e:
                if e.errno != errno.EOPNOTSUPP:
                    raise


def veth(ns_a, name_a, ns_b, name_b, mtu=1500, mtu_b=None):
    """A pair, both ends up, without offloads."""
    run("ip", "link", "add", "name", name_a, "netns", ns_a.name, "mtu", str(mtu), "type", "veth", "peer",
        "name", name_b, "netns", ns_b.name, "mtu", str(mtu if mtu_b is None else mtu_b))
    for ns, name in ((ns_a, name_a), (ns_b, name_b)):
        offloads(ns, name)
        ns.ip(f"link set dev {name} up")


def wait_for(what, condition, seconds=20.0):
    """Polls until condition() is true and returns what it said; the time limit is only for a test
    that has gone wrong."""
    end = time.monotonic() + seconds
    pause = 0.002
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds:g} s in vain for {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


def wait_running(ns, device):
    """Waits until an interface carries frames: for a moment after both ends of a pair came up the
    kernel throws away what is sent."""
    def running():
        request = fcntl.ioctl(s, SIOCGIFFLAGS, struct.pack("16sH14x", device.encode(), 0))
        return struct.unpack("16sH14x", request)[1] & IFF_RUNNING
    with ns, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        wait_for(f"{device} in {ns.name} to run", running)


def readable(s):
    return bool(select.select([s], [], [], 0)[0])


def writable(s):
    return bool(select.select([], [s], [], 0)[1])


class RawPort:
    """The far end of one of the appliance's ports: sends frames and takes all that come out, byte
    for byte, with the VLAN tag that the kernel takes off put back."""

    def __init__(self, ns, device):
        self.ns, self.device = ns, device
        with ns:
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 8 << 20)
        self.socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.socket.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        self.socket.bind((device, ETH_P_ALL))
        self.socket.setblocking(False)

    def send(self, data):
        while True:
            try:
                self.socket.send(data)
                return
            except OSError as e:
                if e.errno not in (errno.ENOBUFS, errno.EAGAIN):
                    raise
                time.sleep(0.0005)

    def receive(self):
        """One frame, or None if none is there."""
        while True:
            try:
                data, extra, _, _ = self.socket.recvmsg(65536, 128)
                break
            except BlockingIOError:
                return None
            except OSError as e:  # said once, when the device has gone down
                if e.errno != errno.ENETDOWN:
                    raise
        for level, kind, value in extra:
            if level == SOL_PACKET and kind == PACKET_AUXDATA:
                status, _, _, _, _, tci, tpid = struct.unpack("=IIIHHHH", value[:20])
                if status & TP_STATUS_VLAN_VALID:
                    tpid = tpid if status & TP_STATUS_VLAN_TPID_VALID else 0x8100
                    data = data[:12] + struct.pack(">HH", tpid, tci) + data[12:]
        return data

    def take(self):
        """All frames that are there now."""
        frames = []
        while (data := self.receive()) is not None:
            frames.append(data)
        return frames

    def take_until(self, count, seconds=20.0):
        """Frames until there are `count`; fewer only if the time is over."""
        frames = self.take()
        end = time.monotonic() + seconds
        while len(frames) < count and time.monotonic() < end:
            select.select([self.socket], [], [], 0.05)
            frames += self.take()
        return frames
