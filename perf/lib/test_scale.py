#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""perf/scale: which rows have a bar, and what is told of an appliance that does not do its part."""

import io
import os
import sys
import types
import unittest
from contextlib import redirect_stdout
from unittest import mock

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import appliance  # noqa: E402
import bars  # noqa: E402
import commands  # noqa: E402

scale = commands.load("scale")
ANSWER = {"milliseconds": {"decode": 1, "compile": 2, "swap": 3, "store": 4}, "objects": {"pods": 1000, "policies": 100},
          "classes": 1, "subjects": 1, "rules": 1, "changed": True}


class Device:
    """In the place of an appliance: does at once what it is asked for, until it has `ended`."""

    made = []

    def __init__(self, *_words, **_more):
        self.folder, self.running, self.ended = "", True, False
        self.process = types.SimpleNamespace(pid=os.getpid())
        self.control = types.SimpleNamespace(call=self.call, used=0.0, sent=0.0)
        Device.made.append(self)

    def call(self, *_request):
        if self.ended:
            raise appliance.ApplianceError("it has ended")
        return ANSWER

    def cpu(self):
        if self.ended:
            raise OSError("no such process")
        return 1.0, 0.0

    def end(self):
        self.running = False


class Ending(Device):
    def call(self, *request):
        self.ended = True
        return super().call(*request)


def measure(**options):
    """What a small cluster gives that is called L."""
    wanted = {"size": "L", "pods": None, "policies": None, "seed": 1, "workers": 1, "only": None, "changes": 4,
              "policy_changes": 4, "puts": 3, "curve": None, "build": "", "core": 1, **options}
    report = bars.Report(types.SimpleNamespace(**wanted))
    Device.made = []
    with mock.patch.dict(scale.generator.SIZES, L=(300, 10, 30), S=(300, 10, 30)), redirect_stdout(io.StringIO()), \
            mock.patch.object(scale.Sender, "put", lambda *_: (0.2, 0.1, ANSWER, 0.001)):
        scale.measure(report, "")
    return {row[0]: row[2] for row in report.rows}


class Scale(unittest.TestCase):
    def test_bars_are_for_the_large_cluster_and_one_worker(self):
        with mock.patch.object(appliance, "Appliance", Device):
            found = measure()
            self.assertIn("≥ 300", found.values())
            self.assertEqual(list(found.values()).count("≤ 1536"), 2)
            self.assertEqual(found["L, one pod added: p99 of 4, ms"], "≤ 10")
            for options in ({"size": "S"}, {"workers": 2}, {"pods": 200}):
                self.assertEqual(set(measure(**options).values()), {""}, options)

    def test_a_batch_is_as_large_as_it_says(self):
        with mock.patch.object(appliance, "Appliance", Device):
            moved = [name for name in measure(only=["burst"]) if "in one PATCH: median" in name]
        self.assertRegex(moved[0], "^L, 2[0-9][0-9] pods moved")

    def test_every_appliance_ends(self):
        with mock.patch.object(appliance, "Appliance", Device):
            measure()
        self.assertEqual([one.running for one in Device.made], [False] * (3 + 1))

    def test_the_first_error_is_told(self):
        for only in (["pods"], ["pruned"], ["full"]):
            with mock.patch.object(appliance, "Appliance", side_effect=appliance.ApplianceError("it does not start")):
                with self.assertRaisesRegex(appliance.ApplianceError, "it does not start"):
                    measure(only=only)

    def test_one_that_ends_meanwhile_is_not_asked(self):
        for only in (None, ["pods"]):
            with mock.patch.object(appliance, "Appliance", Ending), \
                    self.assertRaisesRegex(appliance.ApplianceError, "it has ended"):
                measure(only=only)
            self.assertFalse(any(one.running for one in Device.made))


if __name__ == "__main__":
    unittest.main()
