#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""paired.judge on pairs that were drawn with a known difference."""

import os
import random
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import paired  # noqa: E402


def drawn(ratio, noise, of_a_start=0.0, seed=11):
    """Four starts of eight pairs: `ratio`, what a start adds to it, and noise of each pair."""
    dice = random.Random(seed)
    out = []
    for _ in range(4):
        middle = ratio * (1 + dice.uniform(-of_a_start, of_a_start))
        out.append([middle * dice.lognormvariate(0, noise) for _ in range(8)])
    return out


class Judge(unittest.TestCase):
    def test_a_clear_loss_is_slower(self):
        judged = paired.judge(drawn(1.05, 0.01), 0.01)
        self.assertEqual(judged.word, "slower")
        self.assertLess(judged.low, 1.05)
        self.assertGreater(judged.high, 1.05 - 0.005)

    def test_a_clear_gain_is_faster(self):
        self.assertEqual(paired.judge(drawn(0.95, 0.01), 0.01).word, "faster")

    def test_noise_alone_is_no_difference(self):
        words = [paired.judge(drawn(1.0, 0.05, 0.02, seed), 0.01, draws=1000).word for seed in range(20)]
        self.assertGreaterEqual(words.count("no difference"), 18)

    def test_less_than_asked_for_is_no_difference(self):
        self.assertEqual(paired.judge(drawn(1.005, 0.0005), 0.01).word, "no difference")

    def test_one_start_that_fell_elsewhere_does_not_decide(self):
        starts = [[1.0, 1.001, 0.999, 1.0] for _ in range(3)] + [[1.3, 1.31, 1.3, 1.29]]
        self.assertEqual(paired.judge(starts, 0.01).word, "no difference")


if __name__ == "__main__":
    unittest.main()
