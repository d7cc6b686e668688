#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is told of a generator that is not there any more."""

import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import generator  # noqa: E402


class Ended(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.program = os.path.join(folder.name, "stream")

    def started(self, text):
        """A generator that is this shell script."""
        with open(self.program, "w", encoding="utf-8") as out:
            out.write(f"#!/bin/sh\n{text}\n")
        os.chmod(self.program, 0o755)
        made = generator.Generator(self.program, min(os.sched_getaffinity(0)))
        self.addCleanup(made.end)
        return made

    def test_before_it_is_told_something(self):
        made = self.started("echo ready")
        made.process.wait(10)
        with self.assertRaisesRegex(generator.GeneratorError, "stream has ended"):
            made.tell("send on")

    def test_before_it_has_answered(self):
        made = self.started("echo ready; read line")
        with self.assertRaisesRegex(generator.GeneratorError, "stream has ended"):
            made.ask("stats")


if __name__ == "__main__":
    unittest.main()
