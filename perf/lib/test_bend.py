#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""bend: from which size on each further thing costs more."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import bend  # noqa: E402


class Bend(unittest.TestCase):
    def test_a_straight_line_has_none(self):
        line = [(1, 10), (2, 20), (4, 40), (8, 80)]
        self.assertIsNone(bend.bend(line))
        self.assertEqual(bend.text(line, "pods"), "no bend: 8.0 times from 1 to 8 pods")

    def test_nor_has_one_that_begins_above_nothing(self):
        self.assertIsNone(bend.bend([(1, 110), (2, 120), (4, 140), (8, 180), (16, 260)]))

    def test_nor_has_what_is_flat_or_falls(self):
        self.assertEqual(bend.text([(1, 10), (2, 10), (4, 10), (8, 12)], "pods"), "flat: 1.2 times from 1 to 8 pods")
        self.assertIsNone(bend.bend([(1, 10), (2, 12), (4, 11), (8, 9)]))

    def test_noise_on_a_flat_beginning_is_none(self):
        self.assertIsNone(bend.bend([(1, 10.0), (2, 10.1), (4, 10.0), (8, 13.0), (16, 20.0)]))

    def test_it_is_where_the_steep_piece_begins(self):
        self.assertEqual(bend.bend([(1, 10), (2, 20), (4, 40), (8, 120), (16, 500)]), (4, 2.0))
        self.assertEqual(bend.text([(1000, 10), (2000, 20), (4000, 40), (8000, 80), (16000, 400)], "pods"),
                         "bends at 8,000 pods: 4.0 times as much for each that is added")


if __name__ == "__main__":
    unittest.main()
