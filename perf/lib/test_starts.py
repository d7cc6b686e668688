#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A program that does not start leaves no folder behind."""

import os
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import appliance  # noqa: E402
import l3fwd  # noqa: E402
import packages  # noqa: E402


class Folders(unittest.TestCase):
    def setUp(self):
        made = tempfile.TemporaryDirectory()
        self.addCleanup(made.cleanup)
        self.folder = made.name
        for patch in (mock.patch.object(tempfile, "tempdir", made.name),
                      mock.patch.object(subprocess, "Popen", side_effect=OSError("no memory"))):
            patch.start()
            self.addCleanup(patch.stop)

    def test_of_an_appliance(self):
        with self.assertRaisesRegex(OSError, "no memory"):
            appliance.Appliance("rampartd", {"in": "net_null0", "out": "net_null1"}, 0, 1024)
        self.assertEqual(os.listdir(self.folder), [])

    def test_of_l3fwd(self):
        with mock.patch.object(l3fwd, "build", lambda _folder: "l3fwd"), self.assertRaisesRegex(OSError, "no memory"):
            l3fwd.L3fwd("", "traffic.pcap", 1000, 0, [])
        self.assertEqual(os.listdir(self.folder), [])

    def test_of_l3fwd_that_cannot_be_had(self):
        missing = packages.PackageError("dpdk-doc cannot be had")
        with mock.patch.object(l3fwd, "build", side_effect=missing), self.assertRaises(packages.PackageError):
            l3fwd.L3fwd("", "traffic.pcap", 1000, 0, [])
        self.assertEqual(os.listdir(self.folder), [])


if __name__ == "__main__":
    unittest.main()
