#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""That a command of perf/ can begin with nothing but a clone."""

import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import bars  # noqa: E402

SMALL = "perf/libfixed_random.so"  # one source file


class MakeReady(unittest.TestCase):
    def test_from_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            build = os.path.join(folder, "build")
            bars.make_ready(build, [SMALL])
            self.assertTrue(os.path.getsize(os.path.join(build, SMALL)))
            with self.assertRaisesRegex(OSError, f"no such_thing in {build}"):
                bars.make_ready(build, ["such_thing"])


if __name__ == "__main__":
    unittest.main()
