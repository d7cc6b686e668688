# SPDX-License-Identifier: Apache-2.0
"""SCTP associations that begin otherwise than they may (RFC 9260 §3.3.2, §8.5.1)."""

from lib.frames import chunk, frame, sctp, sctp_init
from story import FAMILIES, PASS, SERVICE, Story, port

DATA = chunk(0, b"\0" * 12 + b"data", flags=3)


def openings():
    story = Story("sctp-openings", "Only an INIT that travels alone and carries no tag opens an association.")
    for here, there, _ in FAMILIES:
        def send(*chunks, tag, number=None, to=SERVICE):
            return frame(sctp(number or port(), to, *chunks, vtag=tag), here, there)

        story.left(send(sctp_init(11), tag=7), "no_flow", "INIT with a verification tag")
        story.left(send(sctp_init(11), DATA, tag=0), "no_flow", "INIT with DATA behind it")
        story.left(send(sctp_init(11), sctp_init(11), tag=0), "no_flow", "two INITs")
        story.left(send(DATA, sctp_init(11), tag=0), "no_flow", "INIT behind DATA")
        story.left(send(sctp_init(22, 2, b"cookie"), tag=11), "no_flow", "INIT ACK")
        story.left(send(chunk(10, b"cookie"), tag=22), "no_flow", "COOKIE ECHO")
        story.left(send(chunk(6), tag=22), "no_flow", "ABORT")
        story.left(send(DATA, tag=22), "no_flow", "DATA")
        story.left(send(sctp_init(11), tag=0, to=81), "denied_ingress", "INIT to another port")
        number = port()
        story.left(send(sctp_init(11), tag=0, number=number), PASS, "INIT")
        story.right(frame(sctp(SERVICE, number, sctp_init(22, 2, b"cookie"), vtag=11), there, here),
                    PASS, "INIT ACK")
        story.left(send(chunk(10, b"cookie"), tag=22, number=number), PASS, "COOKIE ECHO")
        story.right(frame(sctp(SERVICE, number, chunk(11), vtag=11), there, here), PASS, "COOKIE ACK")
        story.left(send(DATA, tag=22, number=number), PASS, "DATA")
    return story


STORIES = [openings()]
