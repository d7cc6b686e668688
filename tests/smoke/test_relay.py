# SPDX-License-Identifier: Apache-2.0
"""The bad line of other tests (lib/relay.py): what it carries, it carries byte for byte."""

import collections
import subprocess

from lib.frames import arp, echo6, ethernet, frame, tcp, udp
from lib.net import Namespace, RawPort, wait_for
from lib.runner import smoke
from lib.wire import short

A, B, A6, B6 = "10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2"
TAGS = ((), (0,), (100,), ((0x8100, 0xE064),), ((0x88A8, 7),), (10, 20), ((0x8100, 1), (0x8100, 2)))
KINDS = [arp(A, B), ethernet(b"lldp" * 12, 0x88CC), ethernet(b"\0\7" + b"x" * 50, 0x0027)]
for vlans in TAGS:
    KINDS += [frame(tcp(1, 2, payload=b"p" * 7), A, B, vlans),
              frame(echo6(5), A6, B6, vlans)]
KINDS += [frame(udp(3, 4, b"f" * 1472), A, B, vlans) for vlans in ((), (100,))]  # full: the MTU
KINDS.append(frame(tcp(1, 2, checksum=0xBAD), A, B, ihl=4))


def line(lab, **specs):
    """A relay between two raw sockets: (relay, near end, far end)."""
    ends = [Namespace("near-end"), Namespace("far-end")]
    relay = lab.relay((ends[0], "end0"), (ends[1], "end1"), **specs)
    return relay, RawPort(ends[0], "end0"), RawPort(ends[1], "end1")


@smoke(workers=(1,))
def test_a_relay_without_impairments_is_a_wire(lab):
    relay, near, far = line(lab)
    for one, other in ((near, far), (far, near)):
        for data in KINDS:
            one.send(data)
        got = other.take_until(len(KINDS))
        assert got == KINDS, f"{len(got)} of {len(KINDS)}, changed: " + \
            ", ".join(f"{short(a)} to {short(b)}" for a, b in zip(KINDS, got) if a != b)
        assert one.take() == [], "frames came back to their sender"
    for told in relay.stop():
        assert told["sent"] == told["received"] == len(KINDS) and told["reordered"] == 0, told


@smoke(workers=(1,))
def test_a_relay_does_to_frames_what_it_says(lab):
    """The frames at the far end are those that came in, less the lost and plus the copies."""
    relay, near, far = line(lab, there="loss=0.1,duplicate=0.1,reorder=0.1,delay-us=0-300", back="loss=1")
    sent = [frame(udp(1, 2, number.to_bytes(4, "big")), A, B, TAGS[number % len(TAGS)])
            for number in range(3000)]
    for data in sent:
        near.send(data)
        far.send(data)
    got = []

    def told_the_end():
        near.send(KINDS[0])  # until one gets through, and with it all that came before
        got.extend(far.take())
        return KINDS[0] in got
    wait_for("the end of the line", told_the_end)
    there, back = relay.stop()
    got += far.take()
    assert len(got) == there["sent"] - there["refused"], there
    times = collections.Counter(data for data in got if data != KINDS[0])
    assert set(times) <= set(sent) and max(times.values()) == 2
    lost, twice = len(sent) - len(times), sum(n == 2 for n in times.values())
    # One that is late may still be on its way when the line ends.
    assert 200 < lost <= there["lost"] + there["on_their_way"] and 200 < twice <= there["duplicated"], (lost, twice, there)
    assert there["reordered"] > 200 and there["delayed"] > 2000, there
    firsts = list(dict.fromkeys(data for data in got if data != KINDS[0]))
    assert firsts != [data for data in sent if data in times], "nothing was reordered"
    assert near.take() == [] and back["lost"] == back["received"] == len(sent), back


@smoke(workers=(1,))
def test_a_relay_takes_no_doubtful_arguments(lab):
    binary = line(lab)[0].process.args[4]
    for words in ((), ("--ports", "a"), ("--ports", "a,b,c"), ("--ports",), ("--port", "a,b"),
                  ("--ports", "lo,lo", "--seed", "x"), ("--ports", "lo,lo", "--seed", "-1"),
                  ("--ports", "lo,lo", "--ports", "lo,lo"),
                  ("--ports", "lo,lo", "--near-to-far", "loss=2")):
        done = subprocess.run([binary, *words], capture_output=True, text=True)
        assert done.returncode == 2 and "impair_relay: --" in done.stderr, (words, done)
    done = subprocess.run([binary, "--ports", "nobody,nowhere"], capture_output=True, text=True)
    assert done.returncode == 1 and "nobody" in done.stderr, done
