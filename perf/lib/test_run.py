#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""perf/run: what does not run is told, and does not take the rest with it."""

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import types
import unittest
from unittest import mock

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import appliance  # noqa: E402
import commands  # noqa: E402
import packages  # noqa: E402
import peers  # noqa: E402
import testpmd  # noqa: E402
from rows import Row  # noqa: E402

run = commands.load("run")


def options(**more):
    return types.SimpleNamespace(**{"policies": 10, "quick": False, "flows": (1, 1000), "only": ("udp", "policies"), "build": "",
                                    "no_build": True, "no_peers": False, "repeat": 1, "curves": None, "record": None,
                                    "json": None, **more})


@contextlib.contextmanager
def quietly():
    with contextlib.redirect_stdout(io.StringIO()) as said:
        yield said


class Rows(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.bench = run.Bench(options(only=("udp", "denied")), folder.name)

    def measured(self, error):
        """Those that were begun, of which the first one ended with `error`."""
        def measure(kind, flows):
            self.bench.rows.append(Row(kind, flows))
            if len(self.bench.rows) == 1:
                raise error

        self.bench.measure = measure
        with quietly():
            self.bench.run()
        return [(row.kind, row.flows) for row in self.bench.rows]

    def test_one_that_breaks_is_not_the_end(self):
        for error in (testpmd.PeerError("no dpdk-testpmd"), OSError("no dpdk-testpmd"),
                      packages.PackageError("no dpdk-testpmd"), subprocess.SubprocessError("no dpdk-testpmd")):
            self.bench.rows, self.bench.broken = [], []
            self.assertEqual(self.measured(error), [("udp", 1), ("udp", 1000), ("denied", 1), ("denied", 1000)])
            self.assertEqual(self.bench.broken, [f"udp, 1 flows: {type(error).__name__}: no dpdk-testpmd"])

    def test_who_interrupts_ends_all(self):
        with self.assertRaises(KeyboardInterrupt):
            self.measured(KeyboardInterrupt())
        self.assertEqual(len(self.bench.rows), 1)


class Peers(unittest.TestCase):
    def start(self, errors, frames=1000):
        """Of a row of udp, in which peers do not start: (those that did, those that did not)."""
        made = peers.Peers(options(), None, "")
        for name in ("_l3fwd", "_ovs", "_nftables"):
            effect = {"side_effect": errors[name]} if name in errors else {"return_value": name}
            setattr(made, name, mock.Mock(**effect))
        with quietly(), mock.patch.object(peers, "waiting", contextlib.nullcontext), contextlib.ExitStack() as stack:
            started = made.start(Row("udp", 1000), "", frames, stack)
        return list(started.values()), made.absent

    def test_the_others_have_their_turn(self):
        started, absent = self.start({"_l3fwd": subprocess.CalledProcessError(1, "dpkg-deb"),
                                      "_ovs": appliance.ApplianceError("Open vSwitch does not start")})
        self.assertEqual(started, ["_nftables"])
        self.assertEqual([one[:3] for one in absent], [("udp", 1000, "l3fwd-acl"), ("udp", 1000, "OVS conntrack")])
        self.assertEqual(absent[1][3], "Open vSwitch does not start")
        self.assertEqual(self.start({"_nftables": OSError("no ip")})[1], [("udp", 1000, "nftables", "no ip")])

    def test_too_many_frames(self):
        started, absent = self.start({}, peers.MOST_FRAMES + 1)
        self.assertEqual((started, len(absent)), ([], 3))

    def test_who_is_absent_is_told_at_the_end(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "found.json")
            bench = types.SimpleNamespace(rows=[], peer_rows=[], broken=[],
                                          absent=[("udp", 1000, "nftables", "it does\nnot start")])
            with quietly() as said:
                run.tell(options(json=path), {}, bench, {}, [])
            with open(path, encoding="utf-8") as kept:
                self.assertEqual(json.load(kept)["absent"], [
                    {"traffic": "udp", "flows": 1000, "peer": "nftables", "why": "it does\nnot start"}])
        self.assertIn("\nudp, 1,000 flows: no nftables: it does not start\n", said.getvalue())


if __name__ == "__main__":
    unittest.main()
