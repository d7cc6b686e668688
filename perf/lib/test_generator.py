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

    def test_what_it_complained_of(self):
        with self.assertRaisesRegex(generator.GeneratorError, "^stream has ended:\\n--rate wants a number$"):
            self.started("echo --rate wants a number >&2; exit 2")

    def test_the_last_of_it(self):
        with self.assertRaises(generator.GeneratorError) as told:
            self.started("seq 1000 >&2; echo not yet; read line")
        self.assertEqual(str(told.exception).splitlines(), ["stream is not ready:", *map(str, range(991, 1001))])

    def test_nothing_on_our_own_standard_error(self):
        kept, (reads, writes) = os.dup(2), os.pipe()
        os.dup2(writes, 2)
        try:
            self.started("echo noise >&2; echo ready").process.wait(10)
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(writes)
        with os.fdopen(reads, "rb") as seen:
            self.assertEqual(seen.read(), b"")


if __name__ == "__main__":
    unittest.main()
