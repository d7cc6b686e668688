#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""workload: the same frames whatever else is in a cluster; machine.resident_bytes: what a process has in memory."""

import collections
import os
import sys
import unittest
from unittest import mock

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import machine  # noqa: E402
import workload  # noqa: E402


def addresses(snapshot):
    return [item["status"]["podIPs"][0]["ip"] for item in snapshot["items"] if item["kind"] == "Pod"]


class Others(unittest.TestCase):
    def setUp(self):
        self.made = workload.Workload(70, local_pods=40)

    def test_as_many_pods_as_asked_for_each_with_an_address_of_its_own(self):
        pods = addresses(self.made.snapshot(others=1000))
        self.assertEqual(len(pods), 40 + self.made.pods + 1000)
        self.assertEqual(len(set(pods)), len(pods))
        self.assertEqual(workload.other(99999), "10.65.149.250")

    def test_they_change_nothing_else(self):
        alone, beside = self.made.snapshot(), self.made.snapshot(others=10)
        policies = [[i for i in s["items"] if i["kind"] == "NetworkPolicy"] for s in (alone, beside)]
        self.assertEqual(*policies)
        self.assertTrue(set(addresses(alone)) < set(addresses(beside)))

    def test_rules_name_only_pods_that_are_there(self):
        pods = set(addresses(self.made.snapshot()))
        for rule in self.made.rules:
            self.assertIn(rule.destination, pods)
            self.assertTrue(rule.pod is None or rule.source in pods)


class Zipf(unittest.TestCase):
    def test_the_kth_flow_comes_as_often_as_one_in_k(self):
        made = workload.Workload(70, local_pods=40)
        flows = list(made.flows(1000, workload.UDP))
        drawn = list(workload.zipf(flows, workload.zipf_frames(len(flows))))
        self.assertEqual(len(drawn), 1 << 17)
        often = collections.Counter(drawn)
        self.assertTrue(set(often) <= set(flows))
        all_of_them = sum(1 / k for k in range(1, 1001))
        for k in (1, 2, 3, 10, 100):
            self.assertAlmostEqual(often[flows[k - 1]] * k * all_of_them / len(drawn), 1, delta=0.2)

    def test_a_file_holds_a_draw_a_flow_unless_memory_is_short(self):
        self.assertEqual([workload.zipf_frames(n) for n in (1, 200000, 10000000)], [1 << 17, 200000, 1 << 20])


class Resident(unittest.TestCase):
    def test_huge_pages_count(self):
        text = ("55d0-7ffe ---p 00000000 00:00 0 [rollup]\nRss:     1000 kB\nPss:      900 kB\nAnonymous:  10 kB\n"
                "Shared_Hugetlb:  0 kB\nPrivate_Hugetlb:  2048 kB\n")
        self.assertEqual(machine.resident_bytes(text), 3048 * 1024)
        self.assertEqual(machine.huge_bytes(text), 2048 * 1024)

    def test_programs_with_and_without_huge_pages_do_not_compare(self):
        rollup = "Rss:  10 kB\nShared_Hugetlb:  0 kB\nPrivate_Hugetlb:  {} kB\n".format
        with mock.patch.object(machine, "read", {f"/proc/{n}/smaps_rollup": rollup(kb) for n, kb in enumerate((0, 0, 2048, 4096))}.get):
            self.assertEqual(machine.unlike_memory({"a": 0, "b": 1}), "")
            self.assertEqual(machine.unlike_memory({"a": 2, "b": 3}), "")
            self.assertTrue(machine.unlike_memory({"a": 0, "b": 2}).startswith("huge pages for b, ordinary memory for a:"))
            self.assertTrue(machine.unlike_memory({"a": 3, "b": 0, "c": 2}).startswith("huge pages for a and c, ordinary memory for b:"))


if __name__ == "__main__":
    unittest.main()
