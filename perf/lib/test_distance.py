#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""distance: figures by how far two cores were."""

import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import distance  # noqa: E402
import machine  # noqa: E402
from distance import Distance  # noqa: E402


def around(before, after):
    return Distance(before, 20), Distance(after, 80)


class Groups(unittest.TestCase):
    def test_near_and_far_apart(self):
        pairs = [around(90, 150), around(600, 550), around(120, 100), around(130, 590), around(580, 110)]
        self.assertEqual(distance.groups(pairs, "abcde"),
                         [("where a line took 90 to 150 cycles from core to core", ["a", "c"]),
                          ("where a line took 550 to 600 cycles from core to core", ["b"])])

    def test_all_alike(self):
        found = distance.groups([around(500, 900), around(600, 700)], [1, 2])
        self.assertEqual(found, [("where a line took 500 to 900 cycles from core to core", [1, 2])])

    def test_parts_all_count(self):
        near, far = Distance(100, 20), Distance(600, 80)
        rounds = [(near, near, near), (near, far, near), (far, far, far), (far, near, far)]
        self.assertEqual([values for _, values in distance.groups(rounds, [1, 2, 3, 4])], [[1], [3]])
        self.assertEqual(distance.steady(rounds), [0, 2])

    def test_far_and_much_farther_is_a_change(self):
        rounds = [(Distance(90, 20),) * 3, (Distance(212, 30), Distance(212, 30), Distance(1053, 90)), ()]
        self.assertEqual(distance.steady(rounds), [0])

    def test_none(self):
        self.assertEqual(distance.groups([], []), [])
        self.assertEqual(distance.steady([]), [])


class Between(unittest.TestCase):
    def program(self, text):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = os.path.join(folder.name, "core_to_core")
        with open(path, "w", encoding="utf-8") as out:
            out.write(f"#!/bin/sh\n{text}\n")
        os.chmod(path, 0o755)
        return path

    def test_reads_what_it_says(self):
        self.assertEqual(distance.between(self.program("echo '{\"line\": 1'$1', \"buffer\": 2'$2'}'"), 0, 1), Distance(10, 21))

    def test_tells_why_it_failed(self):
        with self.assertRaisesRegex(machine.Failed, "core_to_core: no such CPU"):
            distance.between(self.program("echo no such CPU >&2; exit 2"), 0, 1)


if __name__ == "__main__":
    unittest.main()
