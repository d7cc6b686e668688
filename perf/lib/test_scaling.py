#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scaling: rates by CPU time, and flows to their workers."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import scaling  # noqa: E402
from scaling import Count, Turn  # noqa: E402

ZERO = Count(0, 0.0, 0, 0, 0)


class Rates(unittest.TestCase):
    def test_time_that_others_had_the_cpu_does_not_count(self):
        whole = Turn([ZERO], [Count(1000, 0.5, 1000, 0, 1000)])
        shared = Turn([ZERO, ZERO], [Count(1000, 0.5, 1000, 0, 1000), Count(400, 0.2, 400, 0, 400)])
        self.assertEqual(whole.rate, 2000)
        self.assertEqual(scaling.gains([whole], [shared]), [2.0])

    def test_only_what_happened_between_the_samples(self):
        turn = Turn([Count(100, 1.0, 90, 10, 200)], [Count(300, 2.0, 280, 110, 450)])
        self.assertEqual((turn.rate, turn.hits, turn.handed_over), (200, 0.95, 0.5))
        self.assertAlmostEqual(turn.lost, 0.2)

    def test_a_worker_that_stood_still_is_no_figure(self):
        with self.assertRaises(ValueError):
            Turn([ZERO, ZERO], [Count(1000, 0.5, 1000, 0, 1000), Count(0, 0.5, 0, 0, 0)])


class Split(unittest.TestCase):
    def test_each_gets_its_own_and_equally_many(self):
        flows = [(0x0a010001, 0x0a020002, port, 80) for port in range(1, 6)]
        owners = {("10.1.0.1", port, "10.2.0.2", 80): int(port in (2, 4)) for port in range(1, 6)}
        self.assertEqual([[flow[2] for flow in part] for part in scaling.split(flows, owners)], [[1, 3], [2, 4]])


if __name__ == "__main__":
    unittest.main()
