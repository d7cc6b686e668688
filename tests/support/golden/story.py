# SPDX-License-Identifier: Apache-2.0
"""What a golden file tells: frames in order, the port each comes in at, and what must become of it."""

import itertools

from lib import kube
from lib.frames import frame, tcp

# web/a is on the left, web/b on the right. Nobody may open anything to web/a; web/b serves port 80
# to everybody, by TCP, UDP and SCTP, and nothing else. `C` is a stranger on the right.
A, B, C = "10.0.0.1", "10.0.0.2", "192.0.2.9"
A6, B6, C6 = "fd00::1", "fd00::2", "2001:db8::9"
FAMILIES = ((A, B, C), (A6, B6, C6))
OBJECTS = [
    kube.namespace("web"), kube.pod("web/a", A, A6, app="a"), kube.pod("web/b", B, B6, app="b"),
    kube.policy("web/closed", {"app": "a"}, ingress=[]),
    kube.policy("web/port-80", {"app": "b"}, ingress=[
        {"ports": [kube.port(80, protocol) for protocol in ("TCP", "UDP", "SCTP")]}])]
SERVICE, PASS = 80, "forwarded"


class Story:
    """`number`: another for each story. `expect`: PASS, or the reason for the drop. Frames are sent
    one by one, each when the one before has met its end."""

    def __init__(self, number, name, about):
        self.number, self.name, self.about, self.frames = number, name, about, []
        self._ports = itertools.count(10000 + 500 * number)

    def port(self):
        """A port or identifier that nobody else uses."""
        return next(self._ports)

    def left(self, data, expect, says):
        self._add("left", data, expect, says)

    def right(self, data, expect, says):
        self._add("right", data, expect, says)

    def _add(self, side, data, expect, says):
        self.frames.append((data, {"from": side, "says": says, "expect": expect}))


class Tcp:
    """A TCP connection from the left to the right whose segments count on: what passes moves its
    sender's sequence number and is acknowledged by the next segment of the other side, what must not
    pass moves nothing. Initial sequence numbers: 1000 and 5000."""

    def __init__(self, story, family=0, service=SERVICE):
        self.story = story
        self.here, self.there, _ = FAMILIES[family]
        self.port, self.service = story.port(), service
        self.next = {"left": 1000, "right": 5000}

    def left(self, flags, expect, says, **fields):
        self._send("left", flags, expect, says, **fields)

    def right(self, flags, expect, says, **fields):
        self._send("right", flags, expect, says, **fields)

    def segment(self, side, flags, plus=0, ack_plus=0, **fields):
        """The frame; `plus` and `ack_plus`: how far its numbers are from where they ought to be."""
        other = "right" if side == "left" else "left"
        ports = (self.port, self.service)
        ends = (self.here, self.there)
        ack = self.next[other] + ack_plus if "A" in flags else 0
        segment = tcp(*ports[::1 if side == "left" else -1], flags, self.next[side] + plus, ack, **fields)
        return frame(segment, *ends[::1 if side == "left" else -1])

    def _send(self, side, flags, expect, says, payload=b"", **fields):
        getattr(self.story, side)(self.segment(side, flags, payload=payload, **fields), expect, says)
        if expect == PASS and not fields.get("plus"):
            self.next[side] += len(payload) + ("S" in flags) + ("F" in flags)

    def open(self):
        self.left("S", PASS, "SYN")
        self.right("SA", PASS, "SYN-ACK")
        self.left("A", PASS, "ACK: the connection is open")
        return self

    def talk(self):
        """That it is still open, both ways."""
        self.left("PA", PASS, "data", payload=b"question")
        self.right("PA", PASS, "data back", payload=b"answer")
        self.left("A", PASS, "its acknowledgement")
