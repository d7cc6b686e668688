# SPDX-License-Identifier: Apache-2.0
"""IP headers that would lead a packet, or its reader, astray (RFC 791, RFC 8200, RFC 5095)."""

from lib.frames import address, frame, raw, tcp, udp
from story import A, A6, B, B6, FAMILIES, PASS, SERVICE, Story

DESTINATION, HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION = 60, 0, 43, 44, 51
PADDED = b"\0\1\4\0\0\0\0"  # eight bytes of padding options, without the first
NO_SEGMENTS = b"\0\2\0" + b"\0" * 4  # type 2, none left


def source_routes():
    story = Story(10, "source-routes",
                  "A packet that names its own way may end elsewhere than where policy looked (IPv4 "
                  "options 131 and 137, IPv6 routing headers).")
    syn = tcp(story.port(), SERVICE)
    for name, options in {"loose": "83070400000000", "strict": "89070400000000",
                          "loose, exhausted": "83070800000000",
                          "strict behind padding": "0101018907040a000001",
                          "loose behind record route": "070704000000008307040a00000100"}.items():
        data = bytes.fromhex(options)
        story.left(frame(syn, A, B, options=data + b"\0" * (-len(data) % 4)), "source_route", name)
    for name, header in {"type 0": b"\0\0\0" + b"\0" * 4, "type 0, one left": b"\2\0\1" + b"\0" * 20,
                         "type 2, one left": b"\2\2\1" + b"\0" * 20,
                         "type 4 (segments), one left": b"\2\4\1" + b"\0" * 20,
                         "a type nobody knows, one left": b"\0\xfa\1" + b"\0" * 4}.items():
        story.left(frame(syn, A6, B6, extensions=[(ROUTING, header)]), "source_route",
                   f"routing header of {name}")
        story.left(frame(syn, A6, B6, extensions=[(HOP_BY_HOP, PADDED), (ROUTING, header)]), "source_route",
                   "the same behind hop-by-hop options")
    story.left(frame(tcp(story.port(), SERVICE), A, B, options=bytes.fromhex("94040000")), PASS, "router alert")
    story.left(frame(tcp(story.port(), SERVICE), A, B, options=bytes.fromhex("0707040000000000")), PASS,
                 "record route")
    story.left(frame(tcp(story.port(), SERVICE), A6, B6, extensions=[(ROUTING, NO_SEGMENTS)]), PASS,
                 "routing header of type 2, none left")
    return story


def extensions():
    story = Story(11, "extension-headers",
                  "IPv6 extension headers hide the transport header from those who give up early or "
                  "look at a fixed place.")
    one = story.port()

    def syn(*chain, number=SERVICE):
        return frame(tcp(one, number), A6, B6, extensions=list(chain))

    story.left(syn((HOP_BY_HOP, PADDED), (DESTINATION, PADDED)), PASS, "SYN behind options")
    story.left(syn((HOP_BY_HOP, PADDED), (DESTINATION, PADDED), number=81), "denied_ingress",
               "the same to another port")
    story.left(syn(*[(DESTINATION, PADDED)] * 8, number=81), "denied_ingress", "behind eight headers")
    story.left(syn(*[(DESTINATION, PADDED)] * 9), "ip_extension", "nine headers are too many")
    story.left(syn((DESTINATION, PADDED), (HOP_BY_HOP, PADDED)), "ip_extension",
               "hop-by-hop options that do not come first")
    story.left(syn((DESTINATION, b"\xff\1\4\0\0\0\0")), "ip_extension", "a header longer than its packet")
    story.left(frame(raw(DESTINATION, b"\6\0\1"), A6, B6), "ip_extension", "a header cut short")
    story.left(syn((AUTHENTICATION, b"\0" + b"\0" * 6)), "ip_extension",
               "an authentication header too short to be one")
    story.left(frame(raw(59, b"x" * 20), A6, B6), "denied_ingress", "no next header: only by address")
    for unknown, what in {135: "mobility", 139: "host identity", 140: "shim6", 253: "experiment"}.items():
        story.left(syn((unknown, PADDED)), "ip_extension", f"{what} header with a SYN behind: nobody reads on")
    return story


def addresses():
    story = Story(12, "impossible-addresses",
                  "Land attacks (source equal destination) and addresses that never stand on a "
                  "wire.")
    for source, destination, what in (
            (B, B, "land"), (B6, B6, "land"), ("127.0.0.1", B, "loopback"), ("::1", B6, "loopback"),
            ("224.0.0.1", B, "from a group"), ("ff02::1", B6, "from a group"), ("0.0.0.0", B, "from nobody"),
            ("::", B6, "from nobody"), ("255.255.255.255", B, "from everybody"),
            (A, "127.0.0.1", "to loopback"), (A6, "::1", "to loopback"),
            ("::ffff:10.0.0.1", B6, "IPv4-mapped")):
        story.left(frame(tcp(SERVICE, SERVICE, "S"), source, destination), "martian", what)
        story.left(frame(udp(SERVICE, SERVICE), source, destination), "martian", f"{what}, UDP")
    for here, there, _ in FAMILIES:
        story.left(frame(tcp(SERVICE, SERVICE, "S"), here, there), PASS, "equal ports alone are no land attack")
    return story


def lengths():
    story = Story(13, "length-lies",
                  "Lengths of IP and UDP that contradict each other or the frame.")

    def both(says, expect, length=None, **ip):
        """Over IPv4 and IPv6: a UDP header and 24 bytes, with padding behind the packet. `ip_bytes`:
        what the IP header says of these 32 bytes."""
        said = ip.pop("ip_bytes", 32)
        for here, there, _ in FAMILIES:
            claim = {"length": said} if here == A6 else {"total": 20 + said}
            story.left(frame(udp(story.port(), SERVICE, b"x" * 24, length), here, there, pad=40, **claim), expect,
                       says)

    both("right, with padding", PASS)
    for length in (0, 7, 33, 65535):
        both(f"UDP length {length} in 32 bytes", "l4_header", length)
    for here, there, _ in FAMILIES:
        datagram = udp(story.port(), SERVICE, b"x" * 23).seal(address(here), address(there))
        story.left(frame(raw(17, datagram + b"!"), here, there), PASS,
                   "the UDP datagram ends before its packet")
    both("a packet that ends before its UDP datagram", "l4_header", ip_bytes=31)
    both("a packet that ends within the UDP header", "l4_truncated", ip_bytes=7)
    both("a packet that ends beyond its frame", "ip_truncated", ip_bytes=32 + 41)
    for says, ip in {"header length 4": {"ihl": 4}, "a header longer than the packet": {"ihl": 15},
                     "total length below the header's": {"total": 19},
                     "an option longer than the header": {"options": b"\7\x20\4\0"},
                     "an option of length 1": {"options": b"\7\1\4\0"}}.items():
        story.left(frame(udp(story.port(), SERVICE), A, B, **ip), "ip_header", says)
    return story


STORIES = [source_routes(), extensions(), addresses(), lengths()]
