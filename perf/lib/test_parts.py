#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What perf/run makes of what others have found: the table of bars, curves, Google Benchmark's JSON; and laps."""

import os
import sys
import tempfile
import types
import unittest
import xml.dom.minidom

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import appliance  # noqa: E402
import parts  # noqa: E402


def row(measured, verdict):
    return {"measured": measured, "figure": "1", "bar": "≤ 2", "verdict": verdict, "proof": ""}


class Bars(unittest.TestCase):
    def test_only_what_has_a_verdict(self):
        text = parts.bars_table([], [], {"pods": {"rows": [row("a figure", ""), row("a bar", "PASS"), row("a doubt", "no proof")]}})
        self.assertNotIn("a figure", text)
        self.assertIn("a bar", text)
        self.assertIn("a doubt", text)


class Curves(unittest.TestCase):
    def test_workers(self):
        with tempfile.TemporaryDirectory() as folder:
            parts.draw_workers(folder, {"1000": {"one floor": 20, "two floors": 39, "one worker": 10, "two workers": 19, "handed over": 12}})
            drawn = xml.dom.minidom.parse(os.path.join(folder, "workers.svg"))
        self.assertEqual(len(drawn.getElementsByTagName("polyline")), 3)
        self.assertEqual(len(drawn.getElementsByTagName("circle")), 6)


class Benches(unittest.TestCase):
    def test_units(self):
        found = parts.measured("decode", {"name": "decode/pods:100", "real_time": 2.5, "time_unit": "ms"})
        self.assertEqual((found["ns"], found["cycles"]), (2.5e6, None))

    def test_a_wrong_answer_is_no_figure(self):
        with self.assertRaisesRegex(OSError, "bench_classify, one: a wrong answer"):
            parts.measured("classify", {"name": "one", "error_occurred": True, "error_message": "a wrong answer"})


def sample(received, created, flows=1):
    return types.SimpleNamespace(received=received, flows_created=created, flows=flows, time=received / 1e6, ran=0, drops={}, busy_cycles=0,
                                 forwarded=0, flow_hits=0, challenged=0, dropped=0, stages={})


class Laps(unittest.TestCase):
    def test_the_longest_stretch_of_new_flows(self):
        samples = [sample(0, 0, 0), sample(100, 0, 0), sample(200, 100), sample(400, 299), sample(500, 320)]
        best = appliance.best_stretch(samples)
        self.assertEqual((best.packets, round(best.created, 3)), (300, 0.997))

    def test_none(self):
        self.assertIsNone(appliance.best_stretch([sample(0, 0), sample(100, 50), sample(200, 100)]))

    def test_a_lap_that_nobody_saw_is_over(self):
        self.assertTrue(appliance.ended([sample(0, 100), sample(100, 100)], False))
        self.assertFalse(appliance.ended([sample(0, 0, 0), sample(100, 0, 0)], False))
        self.assertFalse(appliance.ended([sample(0, 0), sample(100, 40)], False))
        self.assertTrue(appliance.ended([sample(0, 0), sample(100, 40)], True))


if __name__ == "__main__":
    unittest.main()
