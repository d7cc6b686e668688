# SPDX-License-Identifier: Apache-2.0
"""SCTP associations that begin otherwise than they may, and what a stranger sends into one without
knowing its tags (RFC 9260 §3.3.2, §8.5)."""

from lib.frames import chunk, frame, icmp6, icmp_error, sctp, sctp_init, without_ethernet
from story import FAMILIES, PASS, SERVICE, Story

DATA = chunk(0, b"\0" * 12 + b"data", flags=3)
ABORT, SHUTDOWN, SHUTDOWN_ACK, COMPLETE = chunk(6), chunk(7, b"\0" * 4), chunk(8), chunk(14)
LEFT_TAG, RIGHT_TAG, WRONG = 11, 22, 33  # what each side expects, and what neither does


def openings():
    story = Story(16, "sctp-openings",
                  "Only an INIT that travels alone and carries no tag opens an association.")
    for here, there, _ in FAMILIES:
        def send(*chunks, tag, number=None, to=SERVICE):
            return frame(sctp(number or story.port(), to, *chunks, vtag=tag), here, there)

        story.left(send(sctp_init(11), tag=7), "no_flow", "INIT with a verification tag")
        story.left(send(sctp_init(11), DATA, tag=0), "no_flow", "INIT with DATA behind it")
        story.left(send(sctp_init(11), sctp_init(11), tag=0), "no_flow", "two INITs")
        story.left(send(DATA, sctp_init(11), tag=0), "no_flow", "INIT behind DATA")
        story.left(send(sctp_init(22, 2, b"cookie"), tag=11), "no_flow", "INIT ACK")
        story.left(send(chunk(10, b"cookie"), tag=22), "no_flow", "COOKIE ECHO")
        story.left(send(chunk(6), tag=22), "no_flow", "ABORT")
        story.left(send(DATA, tag=22), "no_flow", "DATA")
        story.left(send(sctp_init(11), tag=0, to=81), "denied_ingress", "INIT to another port")
        number = story.port()
        story.left(send(sctp_init(11), tag=0, number=number), PASS, "INIT")
        story.right(frame(sctp(SERVICE, number, sctp_init(22, 2, b"cookie"), vtag=11), there, here),
                    PASS, "INIT ACK")
        story.left(send(chunk(10, b"cookie"), tag=22, number=number), PASS, "COOKIE ECHO")
        story.right(frame(sctp(SERVICE, number, chunk(11), vtag=11), there, here), PASS, "COOKIE ACK")
        story.left(send(DATA, tag=22, number=number), PASS, "DATA")
    return story


def tags():
    story = Story(17, "sctp-tags",
                  "A packet with another verification tag than its receiver's ends nothing, starts "
                  "nothing and does not pass.")
    for here, there, router in FAMILIES:
        number = story.port()

        def left(*chunks, tag=RIGHT_TAG):
            return frame(sctp(number, SERVICE, *chunks, vtag=tag), here, there)

        def right(*chunks, tag=LEFT_TAG):
            return frame(sctp(SERVICE, number, *chunks, vtag=tag), there, here)

        story.left(left(sctp_init(LEFT_TAG), tag=0), PASS, "INIT")
        story.right(right(ABORT, tag=WRONG), "sctp_tag", "an ABORT that guesses the tag")
        story.right(right(sctp_init(RIGHT_TAG, 2, b"cookie"), tag=WRONG), "sctp_tag", "an INIT ACK that guesses")
        story.right(right(sctp_init(RIGHT_TAG, 2, b"cookie")), PASS, "INIT ACK")
        story.left(left(chunk(10, b"cookie"), tag=WRONG), "sctp_tag", "a COOKIE ECHO that guesses")
        story.left(left(chunk(10, b"cookie")), PASS, "COOKIE ECHO")
        story.right(right(chunk(11)), PASS, "COOKIE ACK")
        story.left(left(DATA), PASS, "DATA")
        for name, one in {"ABORT": ABORT, "SHUTDOWN": SHUTDOWN, "SHUTDOWN ACK": SHUTDOWN_ACK,
                          "SHUTDOWN COMPLETE": COMPLETE, "DATA": DATA}.items():
            for tag in (WRONG, 0):
                story.left(left(one, tag=tag), "sctp_tag", f"{name} with tag {tag}")
                story.right(right(one, tag=tag), "sctp_tag", f"{name} with tag {tag}, the other way")
        story.left(left(chunk(6, flags=1), tag=WRONG), "sctp_tag", "ABORT with the T bit and a wrong tag")
        story.left(left(sctp_init(WRONG), tag=RIGHT_TAG), "sctp_tag", "INIT with a verification tag")
        story.left(left(sctp_init(WRONG), DATA, tag=0), "sctp_state", "INIT with DATA behind it")
        story.left(left(sctp_init(WRONG), tag=0), PASS, "INIT: perhaps a restart, the receiver will tell")
        story.left(left(DATA), PASS, "the association goes on")
        story.right(right(DATA), PASS, "both ways")

        def error(tag):
            packet = without_ethernet(left(DATA, tag=tag))
            if ":" in here:
                return frame(icmp6(2, 0, (1300).to_bytes(4, "big") + packet), router, here)
            return frame(icmp_error(packet, 3, 4, 1300), router, here)
        story.right(error(WRONG), "icmp_unrelated", "an ICMP error that guesses the quoted tag")
        story.right(error(RIGHT_TAG), PASS, "one that knows it")
        story.right(right(ABORT), PASS, "ABORT with the right tag")
    return story


STORIES = [openings(), tags()]
