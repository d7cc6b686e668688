# SPDX-License-Identifier: Apache-2.0
"""The golden files: frames that somebody made up to get past a firewall, replayed one by one."""

import json
import pathlib

from lib import pcap
from lib.runner import smoke

GOLDEN = pathlib.Path(__file__).parent / "golden"


def replay(wire, path):
    """Sends the frames of a file, each after the one before has met its end; returns where anything
    but the table came true."""
    told = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["frames"]
    wrong = []
    for one, data in zip(told, pcap.read(path), strict=True):
        back = one["from"] == "right"
        try:
            if one["expect"] == "forwarded":
                wire.passes(data, back)
            else:
                wire.drops(data, one["expect"], back)
        except AssertionError as e:
            wrong.append(f"frame {one['number']} from the {one['from']} ({one['says']}): {e}")
    return wrong


@smoke(cost=8)
def test_golden_files(lab):
    """A line for each file; the objects in force are those of cluster.json."""
    wire = lab.wire()
    lab.start(objects=json.loads((GOLDEN / "cluster.json").read_text(encoding="utf-8")))
    failed = []
    paths = sorted(GOLDEN.glob("*.pcap"))
    assert len(paths) >= 11, f"only {len(paths)} files in {GOLDEN}"
    for path in paths:
        wrong = replay(wire, path)
        lab.result(f"golden {path.stem}", not wrong)
        for line in wrong[:10]:
            print(f"    {line}")
        failed += [path.stem] if wrong else []
    assert not failed, f"{len(failed)} files: {' '.join(failed)}"
