#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tcp_ratio.Ratio: what can be told, and what cannot."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

from tcp_ratio import Ratio  # noqa: E402


class Told(unittest.TestCase):
    def test_each_without_the_driver_of_its_own_bursts(self):
        found = Ratio([300, 310, 305], [200, 210, 205], [290, 292, 291], [240, 242, 241])
        self.assertTrue(found.known)
        self.assertEqual((found.own, found.floor, found.text()), ([100] * 3, [50] * 3, "2.00"))

    def test_a_floor_below_the_noise_is_no_divisor(self):
        found = Ratio([300] * 5, [200] * 5, [210, 190, 205, 195, 202], [200] * 5)
        self.assertFalse(found.known)
        self.assertIsNone(found.ratio)
        # The floor is 2, give or take 5.
        self.assertTrue(found.text().startswith("more than 14.29 "), found.text())

    def test_nobody_is_faster_than_nothing(self):
        found = Ratio([190] * 3, [200] * 3, [250] * 3, [200] * 3)
        self.assertFalse(found.known)
        self.assertTrue(found.text().startswith("not told (Rampart's own, -10"), found.text())

    def test_a_negative_floor_counts_as_none(self):
        found = Ratio([300] * 3, [200] * 3, [195] * 3, [200] * 3)
        self.assertFalse(found.known)
        self.assertTrue(found.text().startswith("more than 100.00 "), found.text())


if __name__ == "__main__":
    unittest.main()
