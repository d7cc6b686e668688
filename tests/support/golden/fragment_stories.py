# SPDX-License-Identifier: Apache-2.0
"""Datagrams in pieces that would be put together to something else than was judged (RFC 1858, RFC 3128,
RFC 5722)."""

from lib.frames import TCP, UDP, fragment, fragments, frame, tcp, udp
from story import A6, FAMILIES, PASS, SERVICE, Story

NOTHING = b""


class Datagram:
    """Pieces of one datagram from the left to the right, by hand."""

    def __init__(self, story, family, protocol=UDP):
        self.story, self.protocol, self.ident = story, protocol, story.port()
        self.here, self.there, _ = FAMILIES[family]
        head = (udp if protocol == UDP else tcp)(self.ident, SERVICE).seal(NOTHING, NOTHING)
        self.head = head if protocol == TCP else head[:4] + b"\x0f\xa0" + head[6:8]  # UDP: 4,000 bytes

    def piece(self, offset, data, more, expect, says):
        self.story.left(fragment(self.protocol, data, self.here, self.there, self.ident, offset, more),
                        expect, says)

    def first(self, size, expect, says):
        """The first `size` bytes: transport header and then something."""
        self.piece(0, self.head[:size] + b"f" * (size - len(self.head)), True, expect, says)


def tiny():
    story = Story(18, "fragments-tiny",
                  "A first fragment that does not hold all that is to be judged, or a later one that "
                  "writes over it.")
    for family in (0, 1):
        one = Datagram(story, family, TCP)
        one.first(8, "fragment_tiny", "a first fragment with the ports and no flags")
        one.piece(8, one.head[8:], False, "fragment_tiny", "the flags, in the next")
        two = Datagram(story, family, TCP)
        two.first(16, "fragment_tiny", "a first fragment without the end of its header")
        three = Datagram(story, family, TCP)
        three.first(40, PASS, "a first fragment with its header")
        three.piece(8, b"r" * 16, False, "fragment_tiny", "one that would write over the flags")
        three.piece(40, b"t" * 8, False, PASS, "the honest rest")
    return story


def overlapping():
    story = Story(19, "fragments-overlapping",
                  "Pieces that lie over each other: the ends differ in which bytes they take, so what was "
                  "judged need not be what arrives (teardrop and its kin).")
    for family in (0, 1):
        drop = Datagram(story, family)
        drop.first(48, PASS, "teardrop: the first piece")
        drop.piece(24, b"t" * 8, True, "fragment_overlap", "the second, inside the first: dropped alone")
        drop.piece(48, b"e" * 9, False, PASS, "the rest of the datagram")
        for name, offset, size in (("half inside", 40, 24), ("around", 16, 64), ("from within to the end", 40, 72)):
            one = Datagram(story, family)
            one.first(48, PASS, f"{name}: the first piece")
            one.piece(offset, b"o" * size, True, "fragment_overlap", "a piece over it")
            one.piece(160, b"e" * 8, False, "fragment_overlap", "the datagram is spoilt")
        again = Datagram(story, family)
        again.first(48, PASS, "the header twice: the first time")
        again.first(56, "fragment_overlap", "and again, longer")
        ends = Datagram(story, family)
        ends.first(48, PASS, "two ends: the first piece")
        ends.piece(64, b"e" * 8, False, PASS, "an end")
        ends.piece(80, b"e" * 8, False, "fragment_length", "another end, farther out")
    return story


def impossible():
    story = Story(20, "fragments-impossible", "Pieces that no stack sends (ping of death and the like).")
    for family in (0, 1):
        one = Datagram(story, family)
        one.piece(65528, b"d" * 8, False, "fragment_length", "ends beyond 65,535")
        one.piece(64, b"d" * 12, True, "fragment_length", "not the last, and no multiple of eight")
        one.piece(64, NOTHING, False, "fragment_length", "empty")
        one.first(48, PASS, "an ordinary first piece")
        one.piece(48, b"e" * 5, False, PASS, "an ordinary last one")
    return story


def fates():
    story = Story(21, "fragments-without-ports",
                  "A later fragment has no ports: it shares the fate of its first, and never passes on "
                  "its addresses.")
    for family, (here, there, _) in enumerate(FAMILIES):
        good, bad = story.port(), story.port()
        for n, one in enumerate(fragments(udp(good, SERVICE, b"x" * 2000), here, there, good, 800)):
            story.left(one, PASS, f"piece {n} of an allowed datagram")
        for n, one in enumerate(fragments(udp(bad, SERVICE + 1, b"x" * 2000), here, there, bad, 800)):
            story.left(one, "fragment_denied" if n else "denied_ingress", f"piece {n} of a denied one")
        back = fragments(udp(SERVICE, good, b"y" * 2000), there, here, bad, 800)
        for n, one in enumerate(back):
            story.right(one, PASS, f"piece {n} of an answer, under the same number")
    here, there, _ = FAMILIES[0]
    orphan = fragments(udp(good, SERVICE, b"x" * 900), here, there, story.port(), 800)[1]
    story.left(orphan, "fragment_orphan", "a later one whose first never comes, of a flow that lives")
    atomic = story.port()
    story.left(frame(udp(atomic, SERVICE), A6, FAMILIES[1][1], extensions=[(44, b"\0\0\0" + b"\0\0\0\7")]),
               PASS, "an atomic fragment is a whole packet")
    return story


STORIES = [tiny(), overlapping(), impossible(), fates()]
