# SPDX-License-Identifier: Apache-2.0
"""ICMP errors that somebody made up (RFC 5927)."""

from lib.frames import echo, echo6, frame, icmp6, icmp_error, tcp, udp, without_ethernet
from story import A, FAMILIES, PASS, SERVICE, Story

KINDS = {False: {"port unreachable": (3, 3, 0), "too big": (3, 4, 1300), "time exceeded": (11, 0, 0),
                 "parameter problem": (12, 0, 0), "redirect": (5, 1, 0x0A000001)},
         True: {"port unreachable": (1, 4, 0), "too big": (2, 0, 1300), "time exceeded": (3, 0, 0),
                "parameter problem": (4, 1, 0)}}


def error(kind, code, rest, quoted, source, destination):
    """`quoted`: a frame; its packet is quoted whole."""
    packet = without_ethernet(quoted)
    if ":" in source:
        return frame(icmp6(kind, code, rest.to_bytes(4, "big") + packet), source, destination)
    return frame(icmp_error(packet, kind, code, rest), source, destination)


def quotes():
    story = Story(14, "icmp-quotes",
                  "An ICMP error passes only to the sender of a packet that belongs to a live flow; "
                  "whoever guesses what to quote guesses ports, protocol and addresses.")
    for here, there, router in FAMILIES:
        kinds = KINDS[here != A]
        live = story.port()
        question = frame(udp(live, SERVICE, b"question"), here, there)
        for name, kind in kinds.items():
            story.right(error(*kind, question, router, here), "icmp_unrelated",
                        f"{name}: about a packet that nobody has sent yet")
        story.left(question, PASS, "now web/a has")
        for name, kind in kinds.items():
            story.right(error(*kind, question, router, here), PASS, f"{name}: a router's, about it")
        for name, guess in {
                "another port": frame(udp(live, SERVICE + 1, b"question"), here, there),
                "another source port": frame(udp(live + 5000, SERVICE, b"question"), here, there),
                "another protocol": frame(tcp(live, SERVICE, "A"), here, there),
                "another receiver": frame(udp(live, SERVICE, b"question"), here, router)}.items():
            story.right(error(*kinds["too big"], guess, router, here), "icmp_unrelated",
                        f"too big: {name}")
        story.right(error(*kinds["too big"], question, router, there), "icmp_unrelated",
                    "too big: sent to another than the quoted sender")
        story.left(error(*kinds["too big"], question, router, here), "icmp_unrelated",
                   "too big: from the side on which the quoted sender is")
        story.right(frame(udp(SERVICE, live, b"answer"), there, here), PASS, "the answer")
    return story


def malformed():
    story = Story(15, "icmp-malformed",
                  "Quotes that are too short, of the wrong family, or of an error.")
    for here, there, router in FAMILIES:
        live, number = story.port(), story.port()
        question = frame(udp(live, SERVICE, b"question"), here, there)
        story.left(question, PASS, "a packet to complain about")
        kind, code, rest = KINDS[here != A]["time exceeded"]
        ip_bytes = 20 if here == A else 40
        packet = without_ethernet(question)
        for length in (0, ip_bytes, ip_bytes + 7):
            data = question[:14] + packet[:length]
            story.right(error(kind, code, rest, data, router, here), "l4_truncated",
                        f"{length} bytes of it quoted")
        story.right(error(kind, code, rest, question[:14] + b"\x15" + packet[1:], router, here), "l4_header",
                    "the quote is of no IP version")
        about = error(kind, code, rest, question, here, there)
        story.right(error(kind, code, rest, about, router, here), "icmp_unrelated", "an error about an error")
        story.right(error(kind, code, rest, question[:14] + packet[:ip_bytes + 8], router, here), PASS,
                    "the header and eight bytes are enough")
        hello, ping, pong = (echo, 8, 0) if here == A else (echo6, 128, 129)
        story.right(frame(hello(number, kind=pong), there, here), "icmp_unrelated",
                    "an answer to no echo request")
        story.left(frame(hello(number, kind=ping), here, router), PASS, "an echo request")
        story.right(frame(hello(number, kind=pong), router, here), PASS, "its answer")
        story.right(frame(hello(number + 5000, kind=pong), router, here), "icmp_unrelated",
                    "an answer with another identifier")
    return story


STORIES = [quotes(), malformed()]
