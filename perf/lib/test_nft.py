#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""nft.ruleset: the set says what the rules say."""

import os
import re
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import nft  # noqa: E402
import workload  # noqa: E402


def elements(text):
    return [part.strip() for part in re.search(r"elements = \{ (.*?) \}", text, re.DOTALL).group(1).split(",")]


class Ruleset(unittest.TestCase):
    def test_an_element_a_rule(self):
        rules = [workload.Rule("10.2.0.1", 32, "10.1.0.9", workload.TCP, 80, 80, 0),
                 workload.Rule("128.0.0.0", 16, "10.1.0.2", workload.UDP, 10000, 10099, None),
                 workload.Rule("10.2.0.3", 32, "10.1.0.4", workload.TCP, 0, 65535, 2)]
        self.assertEqual(elements(nft.ruleset(rules)), [
            "10.2.0.1 . 10.1.0.9 . tcp . 80", "128.0.0.0/16 . 10.1.0.2 . udp . 10000-10099",
            "10.2.0.3 . 10.1.0.4 . tcp . 0-65535"])

    def test_what_is_said_twice_stands_there_once(self):
        rule = workload.Rule("10.2.0.1", 32, "10.1.0.9", workload.TCP, 80, 80, 0)
        self.assertEqual(len(elements(nft.ruleset([rule, rule]))), 1)

    def test_all_of_a_workload_and_nothing_else(self):
        made = workload.Workload(1000)
        self.assertEqual(len(elements(nft.ruleset(made.rules))), len({rule.text() for rule in made.rules}))
        self.assertIn("policy drop", nft.ruleset(made.rules))


if __name__ == "__main__":
    unittest.main()
