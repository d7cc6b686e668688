# SPDX-License-Identifier: Apache-2.0
"""Capture files of 64-byte frames with good checksums, one frame a flow."""

import random
import socket
import struct

FRAME = 64  # bytes in memory; a NIC would add the frame check sequence
ETHERNET = bytes.fromhex("020000000002" "020000000001" "0800")


def fold(total):
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def words(data):
    return sum(struct.unpack(f">{len(data) // 2}H", data))


def udp_frame(source, destination, source_port, port):
    """22 bytes of payload; IPv4 (RFC 791) and UDP (RFC 768) checksums filled in."""
    payload = b"rampart measures this!"
    length = 8 + len(payload)
    udp = struct.pack(">4H", source_port, port, length, 0)
    checksum = fold(words(source) + words(destination) + 17 + length + words(udp) + words(payload)) ^ 0xFFFF
    return ip_header(source, destination, 17, 20 + length) + udp[:6] + struct.pack(">H", checksum or 0xFFFF) + payload


def syn_frame(source, destination, source_port, port):
    """A TCP SYN (RFC 9293) without options; the frame is padded to its size as Ethernet pads."""
    tcp = struct.pack(">HHIIBBHHH", source_port, port, 0x1000, 0, 5 << 4, 0x02, 64240, 0, 0)
    checksum = fold(words(source) + words(destination) + 6 + len(tcp) + words(tcp)) ^ 0xFFFF
    return (ip_header(source, destination, 6, 40) + tcp[:16] + struct.pack(">H", checksum) + tcp[18:]).ljust(
        FRAME - len(ETHERNET), b"\0")


def ip_header(source, destination, protocol, length):
    head = struct.pack(">BBHHHBBH", 0x45, 0, length, 0, 0x4000, 64, protocol, 0)
    checksum = fold(words(head) + words(source) + words(destination)) ^ 0xFFFF
    return head[:10] + struct.pack(">H", checksum) + source + destination


def write_pcap(path, frames):
    count = 0
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        record = struct.pack("<IIII", 0, 0, FRAME, FRAME) + ETHERNET
        for frame in frames:
            if len(frame) != FRAME - len(ETHERNET):
                raise ValueError(f"a frame of {len(ETHERNET) + len(frame)} bytes")
            out.write(record + frame)
            count += 1
    return count


def packed(pairs):
    return [(socket.inet_aton(source), socket.inet_aton(destination), port)
            for source, destination, port in pairs]


def spread(pairs, flows, make, seed):
    """`flows` distinct flows over the pairs, each pair with as many source ports as it takes, in an order
    that is no order: neighbours in the file are not neighbours in any table."""
    ports = -(-flows // len(pairs))
    if ports > 60000:
        raise ValueError(f"{flows} flows need {ports} source ports a pair")
    numbers = random.Random(seed).sample(range(len(pairs) * ports), flows)
    for number in numbers:
        source, destination, port = pairs[number // ports]
        yield make(source, destination, 1024 + number % ports, port)


def established(path, cluster, flows):
    """UDP to the cluster's DNS: allowed by egress policies of frontends and backends."""
    pairs = packed((client, server, 53) for client in cluster.clients_of_dns() for server in cluster.dns())
    random.Random(3).shuffle(pairs)
    return write_pcap(path, spread(pairs[:flows], flows, udp_frame, 5))


def new(path, cluster, flows):
    """TCP SYNs from tier to tier: allowed, isolated on both ends."""
    return write_pcap(path, spread(packed(cluster.calls()), flows, syn_frame, 7))


def denied(path, cluster, flows):
    """The same pairs on a port that no policy names."""
    return write_pcap(path, spread(packed((s, d, 9999) for s, d, _ in cluster.calls()), flows, syn_frame, 9))
