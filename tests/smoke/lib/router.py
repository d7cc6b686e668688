# SPDX-License-Identifier: Apache-2.0
"""A router with a kernel of its own behind one of the appliance's ports."""

import socket

from lib import frames
from lib.net import Namespace, veth


class Router:
    """Stands on a side's bridge as 10.0.255.254 and fd00::fffe, with a network of its own behind it:
    10.9.0.0/16 and fd09::/64. Packets into that network may have `mtu` bytes, though its wires and
    its hosts' interfaces carry 1,500: only the router can tell (RFC 1191, RFC 8201)."""

    NEAR, FAR = ("10.0.255.254", "fd00::fffe"), ("10.9.255.254", "fd09::fffe")

    def __init__(self, side, mtu):
        self.ns = Namespace("router", ipv6=True)
        side.plug(self.ns)
        self.ns.sysctl("net.ipv4.ip_forward", 1)
        self.ns.sysctl("net.ipv6.conf.all.forwarding", 1)
        self.ns.ip(f"address add {self.NEAR[0]}/16 dev eth0",
                   f"address add {self.NEAR[1]}/64 dev eth0 nodad",
                   "link add name br type bridge stp_state 0 mcast_snooping 0", "link set dev br up",
                   f"address add {self.FAR[0]}/32 dev br", f"address add {self.FAR[1]}/128 dev br nodad",
                   f"route add 10.9.0.0/16 dev br mtu lock {mtu}",
                   f"route add fd09::/64 dev br mtu lock {mtu}")
        self.plugged = 0

    def plug(self, pod_ns):
        """Gives a pod its place behind the router."""
        self.plugged += 1
        name = f"pod{self.plugged}"
        veth(pod_ns, "eth0", self.ns, name)
        self.ns.ip(f"link set dev {name} master br")

    def lead(self, *pods):
        """Pods on either side learn the way to the other."""
        for pod in pods:
            behind = pod.side is self
            nets, via = (("10.0.0.0/16", "fd00::/64"), self.FAR) if behind else (
                ("10.9.0.0/16", "fd09::/64"), self.NEAR)
            pod.ns.ip(*(f"route add {net} via {gateway}" for net, gateway in zip(nets, via)))

    def too_big(self, quoted, to, mtu=1000):
        """Sends a pod the error about a packet (without its Ethernet header) that the router would
        send if that packet had been too big."""
        v6 = frames.is_v6(to)
        quoted = quoted[:512]  # RFC 1812 section 4.3.2.3: the error has 576 bytes at most
        with self.ns:
            s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_RAW,
                              socket.IPPROTO_ICMPV6 if v6 else socket.IPPROTO_ICMP)
        error = frames.icmp6(2, 0, mtu.to_bytes(4, "big") + quoted) if v6 else \
            frames.icmp_error(quoted, 3, 4, mtu)
        with s:
            s.sendto(error.seal(frames.address(self.NEAR[v6]), frames.address(to)), (to, 0))
