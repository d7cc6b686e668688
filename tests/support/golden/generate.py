#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the golden files of tests/smoke/golden, or says how they differ from what it would write.

usage: generate.py [--check]
"""

import json
import pathlib
import sys

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "smoke"))

from lib import pcap  # noqa: E402
from stories import STORIES  # noqa: E402
from story import OBJECTS, PASS  # noqa: E402


def table(story):
    """One line a frame, so that a change is a line."""
    lines = ",\n".join("    " + json.dumps({"number": n} | told)
                       for n, (_, told) in enumerate(story.frames, 1))
    return f'{{\n  "about": {json.dumps(story.about)},\n  "frames": [\n{lines}\n  ]\n}}\n'


def files(stories, objects):
    """Name to bytes of everything that belongs into the folder."""
    made = {"cluster.json": (json.dumps(objects, indent=1) + "\n").encode()}
    for story in stories:
        assert f"{story.name}.pcap" not in made, f"two stories are called {story.name}"
        assert [s.number for s in stories].count(story.number) == 1, f"two have number {story.number}"
        expected = {told["expect"] for _, told in story.frames}
        assert PASS in expected and len(expected) > 1, f"{story.name}: a denial and its twin"
        made[f"{story.name}.pcap"] = pcap.to_bytes(data for data, _ in story.frames)
        made[f"{story.name}.json"] = table(story).encode()
    return made


def main():
    if sys.argv[1:] not in ([], ["--check"]):
        print(__doc__.strip().splitlines()[-1], file=sys.stderr)
        return 2
    folder = HERE.parents[1] / "smoke" / "golden"
    made = files(STORIES, OBJECTS)
    there = {p.name: p.read_bytes() for p in folder.iterdir() if p.suffix in (".pcap", ".json")}
    if "--check" in sys.argv:
        wrong = [f"{name}: is not there" for name in made if name not in there]
        wrong += [f"{name}: nobody tells this story" for name in there if name not in made]
        wrong += [f"{name}: differs" for name in made if name in there and made[name] != there[name]]
        for line in sorted(wrong):
            print(f"tests/smoke/golden/{line} (run tests/support/golden/generate.py)")
        return 1 if wrong else 0
    for name in set(there) - set(made):
        (folder / name).unlink()
    for name, data in made.items():
        (folder / name).write_bytes(data)
    print(f"{len(STORIES)} stories, {sum(len(s.frames) for s in STORIES)} frames")
    return 0


if __name__ == "__main__":
    sys.exit(main())
