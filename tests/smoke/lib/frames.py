# SPDX-License-Identifier: Apache-2.0
"""Ethernet frames as bytes, built by hand so that a test can say every one of them.

    frame(tcp(40000, 80, "S"), "10.0.0.1", "10.0.0.2", vlans=[100])

Layer 4 is a `Layer4`: it gets its checksum when the addresses are known. What is wrong in a frame is
wrong because a test asked for it (`checksum=`, `total=`, `ihl=` …).
"""

import ipaddress
import struct

LEFT_MAC = bytes.fromhex("020000000a01")
RIGHT_MAC = bytes.fromhex("020000000b02")

ETH_IPV4, ETH_IPV6, ETH_ARP, ETH_VLAN, ETH_QINQ = 0x0800, 0x86DD, 0x0806, 0x8100, 0x88A8
ICMP, IGMP, TCP, UDP, GRE, ICMP6, SCTP = 1, 2, 6, 17, 47, 58, 132
TCP_FLAGS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "U": 32, "E": 64, "C": 128}


def ones_sum(data):
    """The ones' complement sum of RFC 1071: the big number modulo 65535 is the same thing."""
    if len(data) % 2:
        data += b"\0"
    number = int.from_bytes(data, "big")
    return number % 65535 or (65535 if number else 0)


def checksum_of(data):
    return ~ones_sum(data) & 0xFFFF


def _crc32c_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_CRC32C = _crc32c_table()


def crc32c(data):
    """RFC 9260 appendix A; 0xE3069283 for b"123456789"."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC32C[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def address(text):
    return ipaddress.ip_address(text).packed


class Layer4:
    """A transport header and what follows it; `seal` fills in the checksum."""

    def __init__(self, protocol, data, checksum_at=None, kind="pseudo", checksum=None):
        self.protocol, self.data, self.checksum_at = protocol, bytes(data), checksum_at
        self.kind, self.checksum = kind, checksum

    def seal(self, source, destination, protocol=None):
        if self.checksum_at is None:
            return self.data
        data, at = self.data, self.checksum_at
        if self.kind == "crc32c":
            value = crc32c(data) if self.checksum is None else self.checksum
            return data[:at] + struct.pack("<I", value) + data[at + 4:]
        if self.checksum is not None:
            value = self.checksum
        else:
            pseudo = b""
            if self.kind == "pseudo":
                pseudo = source + destination + struct.pack(
                    ">II", len(data), self.protocol if protocol is None else protocol)
            value = checksum_of(pseudo + data)
            if self.protocol == UDP and value == 0:
                value = 0xFFFF
        return data[:at] + struct.pack(">H", value) + data[at + 2:]


def tcp(sport, dport, flags="S", seq=1000, ack=0, payload=b"", options=b"", offset=None,
        window=65535, checksum=None):
    bits = sum(TCP_FLAGS[f] for f in flags)
    words = (20 + len(options)) // 4 if offset is None else offset
    head = struct.pack(">HHIIBBHHH", sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, words << 4,
                       bits, window, 0, 0)
    return Layer4(TCP, head + options + payload, 16, checksum=checksum)


def udp(sport, dport, payload=b"hello", length=None, checksum=None):
    size = 8 + len(payload) if length is None else length
    return Layer4(UDP, struct.pack(">HHHH", sport, dport, size, 0) + payload, 6, checksum=checksum)


def echo(identifier, sequence=1, payload=b"ping", kind=8, checksum=None):
    """ICMP echo request; kind 0 for the reply."""
    return Layer4(ICMP, struct.pack(">BBHHH", kind, 0, 0, identifier, sequence) + payload, 2, "plain",
                  checksum=checksum)


def echo6(identifier, sequence=1, payload=b"ping", kind=128, checksum=None):
    """ICMPv6 echo request; kind 129 for the reply."""
    return Layer4(ICMP6, struct.pack(">BBHHH", kind, 0, 0, identifier, sequence) + payload, 2,
                  checksum=checksum)


def icmp_error(quoted, kind=3, code=1, rest=0):
    """An ICMP error that quotes an IP packet (without its Ethernet header)."""
    return Layer4(ICMP, struct.pack(">BBHI", kind, code, 0, rest) + quoted, 2, "plain")


def icmp6(kind, code=0, body=b""):
    return Layer4(ICMP6, struct.pack(">BBH", kind, code, 0) + body, 2)


def raw(protocol, data):
    return Layer4(protocol, data)


def chunk(kind, value=b"", flags=0):
    """One SCTP chunk, padded to four bytes (RFC 9260 section 3.2)."""
    return struct.pack(">BBH", kind, flags, 4 + len(value)) + value + b"\0" * (-len(value) % 4)


def sctp(sport, dport, *chunks, vtag=0, checksum=None):
    head = struct.pack(">HHII", sport, dport, vtag, 0)
    return Layer4(SCTP, head + b"".join(chunks), 8, "crc32c", checksum=checksum)


def sctp_init(tag, kind=1, cookie=b""):
    """An INIT (kind 1) or INIT ACK (kind 2, with its state cookie) chunk."""
    value = struct.pack(">IIHHI", tag, 65536, 10, 10, tag)
    if cookie:
        value += struct.pack(">HH", 7, 4 + len(cookie)) + cookie + b"\0" * (-len(cookie) % 4)
    return chunk(kind, value)


def ipv4(l4, source, destination, ttl=64, ident=0x1234, fragment=0, options=b"", tos=0, version=4,
         ihl=None, total=None, checksum=None, protocol=None):
    """`fragment`: flags and offset as they stand in the header (0x2000: more fragments)."""
    source, destination = address(source), address(destination)
    body = l4.seal(source, destination)
    words = 5 + len(options) // 4 if ihl is None else ihl
    size = 20 + len(options) + len(body) if total is None else total
    proto = l4.protocol if protocol is None else protocol
    head = struct.pack(">BBHHHBBH4s4s", version << 4 | words, tos, size, ident, fragment, ttl, proto,
                       0, source, destination) + options
    value = checksum_of(head) if checksum is None else checksum
    return head[:10] + struct.pack(">H", value) + head[12:] + body


def ipv6(l4, source, destination, hops=64, extensions=(), version=6, length=None, label=0):
    """`extensions`: pairs of (next-header number of the extension, its bytes without the first)."""
    source, destination = address(source), address(destination)
    chain = l4.seal(source, destination)
    following = l4.protocol
    for number, data in reversed(list(extensions)):
        chain = bytes([following]) + data + chain
        following = number
    size = len(chain) if length is None else length
    return struct.pack(">IHBB", version << 28 | label, size, following, hops) + source + \
        destination + chain


def ethernet(payload, ethertype, vlans=(), smac=LEFT_MAC, dmac=RIGHT_MAC, pad=0):
    """`vlans`: VIDs or (tpid, tci), outermost first; two VIDs make an 802.1ad and an 802.1Q tag."""
    tags = b""
    for depth, vlan in enumerate(vlans):
        outer = len(vlans) > 1 and depth < len(vlans) - 1
        tpid, tci = vlan if isinstance(vlan, tuple) else (ETH_QINQ if outer else ETH_VLAN, vlan)
        tags += struct.pack(">HH", tpid, tci)
    return dmac + smac + tags + struct.pack(">H", ethertype) + payload + b"\0" * pad


def is_v6(text):
    return ":" in text


def frame(l4, source, destination, vlans=(), smac=LEFT_MAC, dmac=RIGHT_MAC, pad=0, **ip):
    """A whole frame; other arguments go to the IP header of the addresses' family."""
    if is_v6(source):
        return ethernet(ipv6(l4, source, destination, **ip), ETH_IPV6, vlans, smac, dmac, pad)
    return ethernet(ipv4(l4, source, destination, **ip), ETH_IPV4, vlans, smac, dmac, pad)


def fragment(protocol, data, source, destination, ident, offset, more, vlans=(), **ip):
    """One piece of a datagram: `data` from `offset` on (bytes), behind a header of its own."""
    if is_v6(source):
        field = struct.pack(">HI", offset | int(more), ident)
        ip["extensions"] = [*ip.get("extensions", ()), (44, b"\0" + field)]
        return frame(raw(protocol, data), source, destination, vlans, **ip)
    return frame(raw(protocol, data), source, destination, vlans, ident=ident & 0xFFFF,
                 fragment=offset // 8 | (0x2000 if more else 0), **ip)


def fragments(l4, source, destination, ident, each=1000, vlans=(), **ip):
    """A datagram cut into pieces of at most `each` bytes (rounded down to eight), in order."""
    data = l4.seal(address(source), address(destination))
    each -= each % 8
    return [fragment(l4.protocol, data[at:at + each], source, destination, ident, at,
                     at + each < len(data), vlans, **ip) for at in range(0, len(data), each)]


def arp(source, target, operation=1, smac=LEFT_MAC, vlans=()):
    body = struct.pack(">HHBBH", 1, ETH_IPV4, 6, 4, operation) + smac + address(source) + b"\0" * 6 + \
        address(target)
    return ethernet(body, ETH_ARP, vlans, smac, b"\xff" * 6)


def neighbour_solicitation(source, target, smac=LEFT_MAC):
    """RFC 4861 section 4.3, to the solicited-node group, hop limit 255."""
    group = bytes.fromhex("ff0200000000000000000001ff") + address(target)[13:]
    body = b"\0" * 4 + address(target) + b"\1\1" + smac
    packet = ipv6(icmp6(135, 0, body), source, str(ipaddress.IPv6Address(group)), hops=255)
    return ethernet(packet, ETH_IPV6, (), smac, b"\x33\x33" + group[12:])


def neighbour_advertisement(source, destination, smac=RIGHT_MAC, dmac=LEFT_MAC):
    body = b"\x60\0\0\0" + address(source) + b"\2\1" + smac
    packet = ipv6(icmp6(136, 0, body), source, destination, hops=255)
    return ethernet(packet, ETH_IPV6, (), smac, dmac)


def without_ethernet(data, tags=0):
    return data[14 + 4 * tags:]
