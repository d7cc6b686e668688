# SPDX-License-Identifier: Apache-2.0
"""Every way a packet can be wrong, each counted under its own name, next to one that is right."""

from lib import kube
from lib.frames import (ETH_IPV4, ETH_IPV6, GRE, LEFT_MAC, RIGHT_MAC, address, arp, chunk, echo, echo6,
                        ethernet, frame, icmp_error, ipv4, ipv6, is_v6, neighbour_solicitation, raw,
                        sctp, sctp_init, tcp, udp, without_ethernet)
from lib.runner import smoke

A, B = "10.0.0.1", "10.0.0.2"
A6, B6 = "fd00::1", "fd00::2"
PODS = [kube.namespace("web"), kube.pod("web/a", A, A6), kube.pod("web/b", B, B6)]


@smoke()
def test_malformed_packets_are_dropped_by_name(lab):
    wire = lab.wire()
    lab.start(objects=PODS)
    n = lab.number
    good = [frame(tcp(n(), 80), A, B), frame(tcp(n(), 80), A6, B6), frame(udp(n(), 80), A, B)]
    for one in good:
        wire.passes(one)
    padding = b"\1\4" + b"\0" * 4
    wrong = {
        "runt": [RIGHT_MAC + LEFT_MAC + bytes.fromhex("8100 0001 8100 0000")],
        "vlan_depth": [frame(tcp(n(), 80), A, B, [1, (0x8100, 2), (0x8100, 3)])],
        "non_ip": [ethernet(b"lldp" * 12, 0x88CC), ethernet(b"\0" * 46, 0x0027, [9])],
        "ip_truncated": [frame(tcp(n(), 80), A, B, total=41), frame(udp(n(), 80), A6, B6, length=14),
                         ethernet(b"\x45" + b"\0" * 18, ETH_IPV4),
                         ethernet(b"\x60" + b"\0" * 38, ETH_IPV6)],
        "ip_version": [frame(tcp(n(), 80), A, B, version=6), frame(tcp(n(), 80), A6, B6, version=4)],
        "ip_header": [frame(tcp(n(), 80), A, B, ihl=4), frame(tcp(n(), 80), A, B, total=19),
                      frame(tcp(n(), 80), A, B, options=bytes.fromhex("44010000"))],
        "ip_checksum": [frame(tcp(n(), 80), A, B, checksum=0x1234)],
        "ip_extension": [frame(tcp(n(), 80), A6, B6, extensions=[(60, b"\0" + padding)] * 9),
                         frame(tcp(n(), 80), A6, B6, extensions=[(60, b"\xff" + padding)])],
        "source_route": [frame(tcp(n(), 80), A, B, options=bytes.fromhex("83070400000000") + b"\0"),
                         frame(tcp(n(), 80), A, B, options=bytes.fromhex("89070400000000") + b"\0"),
                         frame(tcp(n(), 80), A6, B6, extensions=[(43, b"\0\0\0" + b"\0" * 4)])],
        "martian": [frame(udp(n(), 80), s, d) for s, d in (
            (A, A), (A6, A6), ("127.0.0.1", B), (A, "127.0.0.1"), ("224.0.0.1", B), ("0.0.0.0", B),
            (A, "0.0.0.0"), ("255.255.255.255", B), ("240.0.0.1", B), ("::1", B6), (A6, "::1"),
            ("ff02::1", B6), ("::ffff:10.0.0.1", B6))],
        "fragment_tiny": [
            frame(raw(6, b"x" * 64), A, B, fragment=0x0001, ident=8),
            frame(raw(6, b"x" * 16), A, B, fragment=0x2000, ident=9),
            frame(raw(17, b""), A6, B6, extensions=[
                (44, b"\0" + bytes.fromhex("0001 00000007")), (60, b"\0\1\4" + b"\0" * 4)])],
        "fragment_length": [
            frame(raw(17, b"x" * 63), A, B, fragment=0x2010, ident=7),
            frame(raw(17, b""), A, B, fragment=0x0010, ident=7),
            frame(raw(17, b"x" * 16), A, B, fragment=0x1FFE, ident=7),
            frame(raw(17, b"x" * 60), A6, B6,
                  extensions=[(44, b"\0" + bytes.fromhex("0081 00000007"))])],
        "l4_truncated": [frame(raw(6, b"\0" * 19), A, B), frame(raw(17, b"\0" * 7), A6, B6),
                         frame(raw(1, b"\x08\0\0\0"), A, B), frame(raw(132, b"\0" * 12), A, B)],
        "l4_header": [frame(tcp(n(), 80, offset=4), A, B), frame(tcp(n(), 80, offset=6), A6, B6),
                      frame(udp(n(), 80, length=7), A, B), frame(udp(n(), 80, length=99), A, B),
                      frame(tcp(n(), 0), A, B)],
        "tcp_flags": [frame(tcp(n(), 80, flags), A, B)
                      for flags in ("", "SF", "SR", "F", "FPU", "SRFPAU", "FR")],
        "l4_checksum": [frame(tcp(n(), 80, checksum=0xBAD), A, B),
                        frame(tcp(n(), 80, checksum=0xBAD), A6, B6),
                        frame(sctp(n(), 80, sctp_init(1), checksum=0xBAD), A, B)],
        "no_flow": [frame(tcp(n(), 80, "A"), A, B), frame(tcp(n(), 80, "SA"), A6, B6),
                    frame(tcp(n(), 80, "R"), A, B), frame(tcp(n(), 80, "FA"), A, B),
                    frame(sctp(n(), 80, chunk(10, b"cookie"), vtag=5), A, B),
                    frame(sctp(n(), 80, chunk(0, b"\0" * 12), vtag=5), A6, B6)],
        "icmp_unrelated": [
            frame(icmp_error(without_ethernet(frame(udp(n(), 53), B, A))), A, B),
            frame(icmp_error(without_ethernet(frame(udp(n(), 53), A, B))), A, B),
            frame(echo(n(), kind=0), A, B), frame(echo6(n(), kind=129), A6, B6)],
    }
    for reason, frames in wrong.items():
        for one in frames:
            wire.drops(one, reason)
    for one in good:
        wire.passes(one)
    status = lab.daemon.stats()
    assert any("port a" in hint and "checksum" in hint for hint in status["hints"]), status["hints"]


@smoke()
def test_l4_checksums_off_state_all(lab):
    """Which packets may have a wrong checksum is an option; by default those that change nothing."""
    wire = lab.wire()

    def conversation(port):
        """An open TCP connection, then data with a bad checksum."""
        wire.passes(frame(tcp(port, 80), A, B))
        wire.passes(frame(tcp(80, port, "SA", seq=5000, ack=1001), B, A), back=True)
        numbers = {"seq": 1001, "ack": 5001}
        wire.passes(frame(tcp(port, 80, "A", **numbers), A, B))
        return frame(tcp(port, 80, "PA", payload=b"data", checksum=0xBAD, **numbers), A, B)

    for mode in ("off", "state", "all"):
        lab.start("--checksum", mode, objects=PODS, folder=mode)
        assert lab.daemon.get("/v1/status")["settings"]["checksum"] == mode
        syn = frame(tcp(lab.number(), 80, checksum=0xBAD), A, B)
        data = conversation(lab.number())
        udp_open = lab.number()
        wire.passes(frame(udp(udp_open, 80), A6, B6))
        datagram = frame(udp(udp_open, 80, b"more", checksum=0xBAD), A6, B6)
        none = frame(udp(lab.number(), 80, checksum=0), A, B)  # RFC 768: no checksum
        wire.passes(none)
        if mode == "off":
            wire.passes(syn)
        else:
            wire.drops(syn, "l4_checksum")
        if mode == "all":
            wire.drops(data, "l4_checksum")
            wire.drops(datagram, "l4_checksum")
        else:
            wire.passes(data)
            wire.passes(datagram)
        lab.daemon.finish()


@smoke(workers=(1,))
def test_spoofed_sources_and_other_frames(lab):
    """--port-sources, --non-ip pass, --tunnels drop."""
    wire = lab.wire()
    lab.start("--port-sources", f"a=10.0.0.0/24,{A6}/128", "--non-ip", "pass", "--tunnels", "drop",
              objects=PODS)
    sources = {p["name"]: p["sources"] for p in lab.daemon.get("/v1/status")["ports"]}
    assert sources["b"] == "any" and sorted(sources["a"]) == ["10.0.0.0/24", f"{A6}/128"], sources
    wire.passes(frame(udp(lab.number(), 80), A, B))
    wire.passes(frame(udp(lab.number(), 80), A6, B6))
    wire.drops(frame(udp(lab.number(), 80), "10.0.1.1", B), "spoofed")
    wire.drops(frame(udp(lab.number(), 80), "fd00::9", B6), "spoofed")
    wire.drops(frame(udp(lab.number(), 80), "fe80::9", B6), "spoofed")
    wire.passes(neighbour_solicitation("fe80::9", B6))
    wire.passes(arp("10.0.1.1", B))
    wire.passes(frame(udp(68, 67, b"\1" * 240), "0.0.0.0", "255.255.255.255"))
    wire.passes(frame(udp(lab.number(), 80), "10.0.1.1", A), back=True)
    wire.passes(ethernet(b"lldp" * 12, 0x88CC))
    wire.passes(ethernet(b"\0" * 46, 0x0027, [9]), back=True)
    wire.drops(frame(raw(GRE, b"\0\0\x08\0" + b"x" * 40), A, B), "tunnel")
    wire.drops(frame(raw(4, ipv4(udp(1, 2), "1.1.1.1", "2.2.2.2")), A, B), "tunnel")
    wire.drops(frame(udp(lab.number(), 4789, b"\x08" + b"\0" * 50), A, B), "tunnel")


@smoke(workers=(1,))
def test_tunnels_are_judged_by_their_outer_addresses(lab):
    wire = lab.wire()
    lab.start(objects=[*PODS, kube.policy("web/in", ingress=[{"from": [kube.block(f"{A}/32")]}])])
    inner = ipv6(udp(1, 2), "fd99::1", "fd99::2")
    wire.passes(frame(raw(41, inner), A, B))
    wire.drops(frame(raw(41, inner), "10.0.0.9", B), "denied_ingress")
    assert lab.daemon.stats()["tunnelled"] == 2
    warnings = lab.daemon.get("/v1/status")["warnings"]
    assert any("tunnel" in w["code"] or "encapsulat" in w["message"] for w in warnings), warnings


@smoke(workers=(1,))
def test_startup_pass_and_drop(lab):
    """Before the first revision the option decides; malformed packets are dropped either way."""
    wire = lab.wire()
    lab.start("--startup", "pass")
    wire.passes(frame(tcp(lab.number(), 80), A, B))
    wire.passes(frame(udp(lab.number(), 80), A6, B6), back=True)
    wire.drops(frame(tcp(lab.number(), 80), A, A), "martian")
    lab.daemon.put(*PODS, kube.policy("web/none", ingress=[]))
    wire.drops(frame(tcp(lab.number(), 80), A, B), "denied_ingress")
    lab.daemon.finish()
    lab.start("--startup", "drop", folder="second")
    wire.drops(frame(tcp(lab.number(), 80), A, B), "no_policy_yet")
    lab.daemon.put(*PODS)
    wire.passes(frame(tcp(lab.number(), 80), A, B))
