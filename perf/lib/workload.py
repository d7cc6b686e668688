# SPDX-License-Identifier: Apache-2.0
"""The same policies and the same traffic for everybody who is measured: N policies with a rule each, and
frames that hit these rules."""

import functools
import ipaddress
import itertools
import random
import socket
import struct

import machine

LOCAL_PODS = 110
TCP, UDP = 6, 17
PORTS = {TCP: (80, 443, 8080, 5432, 6379, 9090, 3306, 9200), UDP: (123, 514, 2055, 8125, 6000, 9995)}
SERVERS, WEB, CALLS = 4, 80, 8125  # servers that everybody may call, on TCP and on UDP
NAMES = {TCP: "TCP", UDP: "UDP"}
TAG = bytes.fromhex("81000064")  # IEEE 802.1Q, VLAN 100
MACS = bytes.fromhex("020000000002" "020000000001")
IPV4, IPV6 = bytes.fromhex("0800"), bytes.fromhex("86dd")


def local(number):
    return f"10.1.0.{1 + number}"


def peer(number):
    return f"10.2.{number // 250}.{1 + number % 250}"


def other(number):
    return f"10.{64 + number // 62500}.{number // 250 % 250}.{1 + number % 250}"


def server(number):
    return f"10.3.0.{1 + number}"


def other_family(address):
    """The IPv6 address of a pod that has this IPv4 address."""
    return "fd00::" + address.replace(".", ":")


class Rule:
    """To a pod, from another pod or a block: allowed on these ports."""

    def __init__(self, source, length, destination, protocol, first, last, pod):
        self.source, self.length, self.destination = source, length, destination
        self.protocol, self.first, self.last, self.pod = protocol, first, last, pod

    def text(self):
        return f"{self.source}/{self.length} {self.destination}/32 {self.protocol} {self.first} {self.last}"

    def policy(self, number, allow):
        ports = {"protocol": NAMES[self.protocol]}
        if (self.first, self.last) != (0, 65535):
            ports["port"] = self.first
            if self.first != self.last:
                ports["endPort"] = self.last
        who = ({"podSelector": {"matchLabels": {"peer": f"n{self.pod}"}}} if self.pod is not None
               else {"ipBlock": {"cidr": f"{self.source}/{self.length}"}})
        return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
                "metadata": {"name": f"rule-{number}", "namespace": "apps"},
                "spec": {"podSelector": {"matchLabels": {"address": self.destination}}, "policyTypes": ["Ingress"],
                         "ingress": [{"from": [who], "ports": [ports]}] if allow else []}}


class Workload:
    """Three rules in four name a pod, the others a block of addresses; four in five are TCP; one in sixteen
    has a range of ports, one in thirty any port."""

    def __init__(self, policies=1000, seed=7, local_pods=LOCAL_PODS):
        dice = random.Random(seed)
        self.local_pods = local_pods
        self.rules, pods, blocks = [], itertools.count(), itertools.count()
        for _ in range(policies):
            destination = local(dice.randrange(local_pods))
            protocol = TCP if dice.random() < 0.8 else UDP
            kind = dice.random()
            first = last = dice.choice(PORTS[protocol])
            if kind < 1 / 16:
                first = dice.randrange(10000, 50000)
                last = first + dice.choice((9, 99, 999))
            elif kind < 1 / 16 + 1 / 30:
                first, last = 0, 65535
            if dice.random() < 0.75:
                pod = next(pods)
                self.rules.append(Rule(peer(pod), 32, destination, protocol, first, last, pod))
            else:
                base = ipaddress.ip_address((128 << 24) + (next(blocks) << 16))
                length = dice.choice((16, 18, 20, 22, 24, 24, 24, 26, 28))
                self.rules.append(Rule(str(base), length, destination, protocol, first, last, None))
        self.pods = next(pods)

    def snapshot(self, allow=True, others=0):
        """The v1 List. Without `allow` the same policies have no rules: they isolate, and allow nothing. `others`: pods
        that no policy selects and no rule names, in a namespace of their own."""
        items = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "apps"}}]

        def pod(name, address, node, labels, namespace="apps"):
            addresses = [{"ip": address}, {"ip": other_family(address)}]
            items.append({"apiVersion": "v1", "kind": "Pod",
                          "metadata": {"name": name, "namespace": namespace, "labels": labels},
                          "spec": {"nodeName": node}, "status": {"phase": "Running", "podIPs": addresses}})

        for n in range(self.local_pods):
            pod(f"local-{n}", local(n), "node-0", {"address": local(n)})
        for n in range(self.pods):
            pod(f"peer-{n}", peer(n), f"node-{1 + n % 15}", {"peer": f"n{n}"})
        if others:
            items.append({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "others"}})
        for n in range(others):
            pod(f"other-{n}", other(n), f"node-{1 + n % 15}", {"app": f"a{n % 500}"}, "others")
        items += [rule.policy(n, allow) for n, rule in enumerate(self.rules)]
        return {"apiVersion": "v1", "kind": "List", "items": items}

    def with_servers(self):
        """The same, and servers that everybody may call."""
        made = self.snapshot()
        for n in range(SERVERS):
            made["items"].append({"apiVersion": "v1", "kind": "Pod",
                                  "metadata": {"name": f"server-{n}", "namespace": "apps", "labels": {"app": "server"}},
                                  "spec": {"nodeName": "node-0"},
                                  "status": {"phase": "Running", "podIPs": [{"ip": server(n)}]}})
        ports = [{"protocol": "TCP", "port": WEB}, {"protocol": "UDP", "port": CALLS}]
        made["items"].append({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
                              "metadata": {"name": "server", "namespace": "apps"},
                              "spec": {"podSelector": {"matchLabels": {"app": "server"}}, "policyTypes": ["Ingress"],
                                       "ingress": [{"ports": ports}]}})
        return made

    def write_rules(self, path):
        with open(path, "w", encoding="utf-8") as out:
            out.writelines(rule.text() + "\n" for rule in self.rules)

    def flows(self, count, protocol, pods_only=False, seed=5):
        """`count` distinct (source, destination, source port, port) that a rule allows, addresses as numbers, in an
        order that is none."""
        rules = [(int(ipaddress.ip_address(r.source)), (1 << 32 - r.length) - 2, int(ipaddress.ip_address(r.destination)),
                  r.first, r.last - r.first + 1)
                 for r in self.rules if r.protocol == protocol and (r.pod is not None or not pods_only)]
        if count > len(rules) * 60000:
            raise machine.Failed(f"{count:,} flows: {len(rules)} rules that they could have allow {len(rules) * 60000:,} at the most")
        for number in random.Random(seed).sample(range(len(rules) * 60000), count):
            source, hosts, destination, first, ports = rules[number // 60000]
            n = number % 60000
            yield source + 1 + n % hosts if hosts > 0 else source, destination, 1024 + n, first + n % ports or 1


def denied(flows):
    """The same from addresses that no rule names, another one each."""
    for number, (_, *rest) in enumerate(flows):
        yield ((11 << 24) + number, *rest)


def zipf_frames(flows):
    """How many draws a file holds: so many that nobody learns them by heart, and what memory there is can hold."""
    return min(max(flows, 1 << 17), 1 << 20)


def zipf(flows, frames, seed=3):
    """`frames` draws from `flows`: the k-th is taken with a probability that is proportional to 1/k."""
    flows = list(flows)
    weights = list(itertools.accumulate(1 / k for k in range(1, len(flows) + 1)))
    return random.Random(seed).choices(flows, cum_weights=weights, k=frames)


def _words(data):
    """The sum of them, for a checksum."""
    return sum(struct.unpack(f">{len(data) // 2}H", data))


# One call of struct a frame: a million of them are made for a row.
_IP = ">HHIHHII"  # up to total length, identification and flags, TTL and protocol, checksum, addresses
_UDP = struct.Struct(_IP + "HHHH22s")
_SYN = struct.Struct(_IP + "HHIIHHHH10x")
_PAYLOAD = b"rampart measures this!"
_UDP_SUM = UDP + 2 * 30 + _words(_PAYLOAD)  # pseudo header and header (RFC 768)
_SYN_SUM = TCP + 20 + 0x1000 + 0x5002 + 64240  # (RFC 9293)


def _checksum(total):
    total = (total & 0xFFFF) + (total >> 16)
    return (total & 0xFFFF) + (total >> 16) ^ 0xFFFF


def _ends(flow):
    source, destination = flow[:2]
    return (source >> 16) + (source & 0xFFFF) + (destination >> 16) + (destination & 0xFFFF)


def udp_frame(flow, tag=b""):
    """IPv4 (RFC 791) and UDP, 64 bytes without a tag."""
    source, destination, source_port, port = flow
    ends = _ends(flow)
    return MACS + tag + IPV4 + _UDP.pack(
        0x4500, 50, 0x4000, 0x4011, _checksum(0x4500 + 50 + 0x4000 + 0x4011 + ends), source, destination,
        source_port, port, 30, _checksum(_UDP_SUM + ends + source_port + port) or 0xFFFF, _PAYLOAD)


def syn_frame(flow, tag=b""):
    """A TCP SYN without options, padded to 64 bytes as Ethernet pads."""
    source, destination, source_port, port = flow
    ends = _ends(flow)
    return MACS + tag + IPV4 + _SYN.pack(
        0x4500, 40, 0x4000, 0x4006, _checksum(0x4500 + 40 + 0x4000 + 0x4006 + ends), source, destination,
        source_port, port, 0x1000, 0, 0x5002, 64240, _checksum(_SYN_SUM + ends + source_port + port), 0)


@functools.cache
def _six(address):
    return socket.inet_pton(socket.AF_INET6, other_family(str(ipaddress.ip_address(address))))


def udp6_frame(flow, tag=b""):
    """The same flow between the pods' IPv6 addresses: UDP with two bytes of payload, 64 bytes without a tag."""
    source, destination, source_port, port = flow
    ends = _six(source) + _six(destination)
    udp = struct.pack(">3H", source_port, port, 10)
    checksum = _checksum(_words(ends + udp) + UDP + 10 + 0x7231)
    return (MACS + tag + IPV6 + struct.pack(">IHBB", 6 << 28, 10, UDP, 64) + ends + udp
            + struct.pack(">H", checksum or 0xFFFF) + b"r1")


def write_pcap(path, frames):
    """Returns how many."""
    count = 0
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for frame in frames:
            out.write(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)
            count += 1
    return count
