# SPDX-License-Identifier: Apache-2.0
"""The two ends of a wire, as raw sockets, and the counting that makes waiting exact: every frame
sent is received, and then forwarded or dropped, so a test never sleeps to see whether one comes."""

from lib.net import wait_for

CHUNK = 64  # frames in flight at most, far below any driver's ring


def short(data):
    """A frame for people to read."""
    return data[:96].hex() + (f"… ({len(data)} bytes)" if len(data) > 96 else "")


class Wire:
    """`left` is the far end of port `a`, `right` that of port `b`."""

    def __init__(self, lab, a, b, left, right):
        self.lab, self.a, self.b, self.left, self.right = lab, a, b, left, right

    def cross(self, left=(), right=()):
        """Sends frames into both ends, waits until each has been accounted for, and returns what came
        out: (frames at the right end, frames at the left end)."""
        daemon = self.lab.daemon
        stray = self.left.take() + self.right.take()
        assert not stray, f"{len(stray)} frames that nobody sent: {short(stray[0])}"
        before = self._counters()
        left, right = list(left), list(right)
        sent = [0, 0]
        while sent != [len(left), len(right)]:
            for side, (frames, end) in enumerate(((left, self.left), (right, self.right))):
                for one in frames[sent[side]:sent[side] + CHUNK]:
                    end.send(one)
                    sent[side] += 1
            wanted = (before[0]["received"] + sent[0], before[1]["received"] + sent[1])

            def accounted():
                now = self._counters()
                return (now[0]["received"] >= wanted[0] and now[1]["received"] >= wanted[1]
                        and all(_ended(p) == p["received"] + p["originated"] for p in now))
            try:
                wait_for("frames", accounted)
            except AssertionError:
                now = self._counters()
                raise AssertionError(
                    f"of {sent} frames sent into {self.a} and {self.b}, the counters know "
                    f"{[n['received'] - o['received'] for n, o in zip(now, before)]}, and "
                    f"{[n['received'] - _ended(n) for n in now]} have not ended") from None
        after = self._counters()
        for side in (0, 1):
            assert after[side]["received"] - before[side]["received"] == sent[side], \
                f"sent {sent[side]}, received {after[side]['received'] - before[side]['received']}"
        out = [after[1]["sent"] - before[1]["sent"], after[0]["sent"] - before[0]["sent"]]
        at_right, at_left = self.right.take_until(out[0], 5), self.left.take_until(out[1], 5)
        assert [len(at_right), len(at_left)] == out, \
            f"{out} frames sent by the counters, {[len(at_right), len(at_left)]} came out"
        assert daemon.alive()
        return at_right, at_left

    def _counters(self):
        ports = {p["name"]: p for p in self.lab.daemon.stats()["ports"]}
        return ports[self.a], ports[self.b]

    def passes(self, one, back=False):
        """A frame into the left end (the right if `back`) comes out at the other, byte for byte."""
        out = self._one(one, back)
        assert out, f"did not pass: {short(one)}; drops {self.lab.daemon.stats()['total']['drops']}"
        assert out == [one], f"changed on its way:\n  in  {short(one)}\n  out {short(out[0])}"

    def drops(self, one, *reasons, back=False):
        """A frame does not come out, and the port it came in on counts one more drop for one of
        `reasons`: several where who comes first, the frame or the sweep, is nobody's to say."""
        name = self.b if back else self.a
        before = self.lab.daemon.port(name)["drops"]
        out = self._one(one, back)
        assert not out, f"passed, expected {' or '.join(reasons)}: {short(one)}"
        after = self.lab.daemon.port(name)["drops"]
        grown = {r: n - before.get(r, 0) for r, n in after.items() if n != before.get(r, 0)}
        assert grown in [{reason: 1} for reason in reasons], \
            f"expected one {' or '.join(reasons)}, counted {grown}: {short(one)}"

    def _one(self, one, back):
        if back:
            return self.cross(right=[one])[1]
        return self.cross(left=[one])[0]


def _ended(port):
    return port["forwarded"] + sum(port["drops"].values())
