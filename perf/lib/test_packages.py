#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""packages: what is there is taken, what is not is fetched, and who waits for that knows."""

import io
import os
import subprocess
import sys
import tempfile
import unittest
from contextlib import redirect_stdout
from unittest import mock

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import l3fwd  # noqa: E402
import packages  # noqa: E402


class Store(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        patch = mock.patch.object(packages.subprocess, "run", side_effect=subprocess.TimeoutExpired("apt-get", 300))
        self.run_ = patch.start()
        self.addCleanup(patch.stop)
        self.there = packages.Store(self.folder, make=False)

    def make(self, *path):
        path = os.path.join(self.folder, *path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8"):
            pass
        return path

    def test_what_is_there_is_taken(self):
        root = os.path.dirname(self.make("nftables-conntrack", "complete"))
        program = self.make("l3fwd", "l3fwd", "build", "l3fwd")
        for store in (self.there, packages.Store(self.folder)):
            self.assertEqual((store.root("nftables", "conntrack"), l3fwd.build(store)), (root, program))
        self.run_.assert_not_called()

    def test_versions_are_told(self):
        packages.machine.write(self.make("a-b", "complete"), "a\t1.0-1\nb\t2.0\n")
        self.make("c", "complete")
        self.assertEqual(self.there.versions(), {"a": "1.0-1", "b": "2.0"})

    def test_what_is_not_there_is_not_made_against_a_wish(self):
        with self.assertRaisesRegex(packages.PackageError, "^fetching nftables and conntrack would .*--no-build"):
            self.there.root("nftables", "conntrack")
        with self.assertRaisesRegex(packages.PackageError, "^fetching dpdk-doc would .*--no-build"):
            l3fwd.build(self.there)
        self.make("dpdk-doc", "complete")
        self.make("dpdk-doc", "usr", "share", "dpdk", "examples", "l3fwd", "Makefile")
        with self.assertRaisesRegex(packages.PackageError, "^building l3fwd would .*--no-build"):
            l3fwd.build(self.there)
        self.run_.assert_not_called()
        self.assertEqual(os.listdir(self.folder), ["dpdk-doc"])

    @mock.patch.object(packages.shutil, "which", lambda name: name)
    def test_a_download_is_announced_and_does_not_last_for_ever(self):
        with redirect_stdout(io.StringIO()) as said, self.assertRaisesRegex(packages.PackageError, "not ended within 300 s"):
            packages.Store(self.folder).root("nftables", "conntrack")
        self.assertIn("fetching nftables and conntrack", said.getvalue())
        self.assertEqual(self.run_.call_args.kwargs["timeout"], 300)


if __name__ == "__main__":
    unittest.main()
