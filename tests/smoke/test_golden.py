# SPDX-License-Identifier: Apache-2.0
"""The golden files: frames that somebody made up to get past a firewall, replayed one by one."""

import json
import pathlib

from lib import pcap
from lib.net import wait_for
from lib.runner import smoke
from lib.wire import short

GOLDEN = pathlib.Path(__file__).parent / "golden"


class Replay:
    """Sends frames one by one, each when the one before has met its end."""

    def __init__(self, wire):
        self.wire = wire
        self.ends = {"left": (wire.left, wire.a), "right": (wire.right, wire.b)}
        self.before = self._counters()

    def _counters(self):
        return {p["name"]: p for p in self.wire.lab.daemon.stats()["ports"]}

    def send(self, side, data):
        """What became of a frame that came in on this side: "forwarded" or the reason."""
        end, port = self.ends[side]
        far, _ = self.ends["left" if side == "right" else "right"]
        before = self.before[port]
        end.send(data)

        def has_ended():
            now = self._counters()
            p = now[port]
            return p["received"] > before["received"] and p["held"] == 0 and now
        self.before = wait_for("the frame's end", has_ended)
        now = self.before[port]
        reasons = [r for r, n in now["drops"].items() if n != before["drops"].get(r, 0)]
        forwarded = now["forwarded"] - before["forwarded"]
        assert forwarded + len(reasons) == 1, f"{before} became {now}"
        came = far.take_until(forwarded, 5)
        assert came == [data][:forwarded], f"{short(data)} came out as {[short(f) for f in came]}"
        return reasons[0] if reasons else "forwarded"


def replay(wire, path):
    """Sends the frames of a file; returns where anything but its table came true."""
    told = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["frames"]
    sender, wrong = Replay(wire), []
    for one, data in zip(told, pcap.read(path), strict=True):
        became = sender.send(one["from"], data)
        if became != one["expect"]:
            wrong.append(f"frame {one['number']} from the {one['from']}: {became}, not "
                         f"{one['expect']} ({one['says']}): {short(data)}")
    assert wire.left.take() == wire.right.take() == [], "a frame that nobody sent"
    return wrong


@smoke(cost=8)
def test_golden_files(lab):
    """A line for each file; the objects in force are those of cluster.json."""
    wire = lab.wire()
    lab.start("--fragment-hold-s", 1, objects=json.loads((GOLDEN / "cluster.json").read_text(encoding="utf-8")))
    failed = []
    paths = sorted(GOLDEN.glob("*.pcap"))
    assert len(paths) > 15, f"only {len(paths)} files in {GOLDEN}"
    for path in paths:
        wrong = replay(wire, path)
        lab.result(f"golden {path.stem}", not wrong)
        for line in wrong[:10]:
            print(f"    {line}")
        failed += [path.stem] if wrong else []
    assert not failed, f"{len(failed)} files: {' '.join(failed)}"
