# SPDX-License-Identifier: Apache-2.0
"""TCP as scanners and forgers send it (RFC 9293, RFC 5961)."""

from lib.frames import frame, tcp
from story import FAMILIES, PASS, SERVICE, Story, Tcp


def mid_stream():
    story = Story(1, "tcp-mid-stream",
                  "Only a SYN opens a connection: what looks like the middle of one is no way in, "
                  "be it aimed at a port that is open.")
    for number, (here, there, _) in enumerate(FAMILIES):
        for flags in ("A", "PA", "SA", "FA", "R", "RA", "UA"):
            story.left(frame(tcp(story.port(), SERVICE, flags, 7000, 9000, b"x" * 10), here, there), "no_flow",
                       f"{flags} of no connection")
        one = Tcp(story, number)
        one.left("A", "no_flow", "the ACK of a connection to come")
        one.open().talk()
    return story


def flag_scans():
    story = Story(2, "tcp-flag-scans",
                  "NULL, FIN, XMAS and other flags that no stack sends, aimed at an open port and "
                  "into an open connection.")
    for number, (here, there, _) in enumerate(FAMILIES):
        one = Tcp(story, number).open()
        for name, flags in {"NULL": "", "FIN": "F", "XMAS": "FPU", "SYN-FIN": "SF", "SYN-FIN-ACK": "SFA",
                            "SYN-RST": "SR", "FIN-RST": "FR", "all": "FSRPAU", "PSH": "P", "URG": "U",
                            "XMAS with ECE and CWR": "FPUEC"}.items():
            story.left(frame(tcp(story.port(), SERVICE, flags), here, there), "tcp_flags", f"{name} scan")
            one.left(flags, "tcp_flags", f"{name} into the connection")
        one.talk()
        other = Tcp(story, number)
        other.left("SEC", PASS, "a SYN that offers ECN is none of these")
        other.right("SAE", PASS, "and so is its answer")
    return story


def reflection():
    story = Story(3, "tcp-reflection",
                  "A SYN-ACK or RST that answers no SYN: the reflection of a SYN flood that "
                  "somebody else sends under our address, or an idle scan.")
    for number, (here, there, stranger) in enumerate(FAMILIES):
        victim = story.port()
        story.right(frame(tcp(443, victim, "SA", 5000, 1001), stranger, here), "no_flow", "SYN-ACK")
        story.right(frame(tcp(443, victim, "SA", 5000, 1001), stranger, here), "no_flow", "and again")
        story.right(frame(tcp(443, victim, "RA", 0, 1001), stranger, here), "no_flow", "RST")
        story.right(frame(tcp(443, victim, "S", 5000), stranger, here), "denied_ingress",
                    "SYN: nobody may open anything to web/a")
        story.left(frame(tcp(victim, 443, "S", 1000), here, stranger), PASS, "but when web/a asks")
        story.right(frame(tcp(443, victim, "SA", 5000, 1001), stranger, here), PASS, "the answer passes")
        story.right(frame(tcp(444, victim, "SA", 5000, 1001), stranger, here), "no_flow",
                    "that of another port does not")
    return story


def lengths():
    story = Story(4, "tcp-lengths",
                  "A data offset that leaves no room for the header, or points behind the packet.")
    for number in (0, 1):
        one = Tcp(story, number).open()
        for offset in (0, 1, 4, 15):
            one.left("A", "l4_header", f"data offset {offset}", offset=offset)
        one.left("S", "l4_header", "data offset 4 on a SYN", offset=4)
        one.talk()
        one.left("A", PASS, "options of 40 bytes, as many as there may be", options=b"\1" * 40)
    return story


STORIES = [mid_stream(), flag_scans(), reflection(), lengths()]
