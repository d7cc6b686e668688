#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is made of the samples of a peer's first packets: cycles of the lap alone, and the proof that it was one."""

import os
import sys
import types
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import appliance  # noqa: E402
import nft  # noqa: E402
import ovs  # noqa: E402
import peers  # noqa: E402
from contenders import Window  # noqa: E402
from rows import PeerRow, Row  # noqa: E402

HZ = 2e9


def sample(time, packets, ran, connections=0, upcalls=0):
    return ovs.Sample(time, packets, upcalls, ran, connections)


class FirstLap(unittest.TestCase):
    """Open vSwitch had received 500 packets before; it polled for a second, then a lap of 1,000 frames began."""

    LAP = [sample(0, 500, 7.0), sample(1, 500, 8.0), sample(1.1, 600, 8.1, upcalls=3), sample(1.5, 1000, 8.3, upcalls=4),
           sample(1.9, 1400, 8.5, upcalls=5), sample(2.3, 1900, 8.6, 1000, upcalls=5)]

    def test_from_the_first_packet_seen_to_the_last_within_the_lap(self):
        window = ovs.first_lap(self.LAP, 1000, HZ)
        self.assertAlmostEqual(window.cycles, 0.4 * HZ / 800)
        self.assertAlmostEqual(window.mpps, 800 / 0.8 / 1e6)
        self.assertAlmostEqual(window.shares["upcalls"], 2 / 800)
        self.assertEqual(window.shares["created"], 1)

    def test_connections_are_of_the_whole_lap(self):
        last = self.LAP[-1]._replace(connections=980)
        self.assertAlmostEqual(ovs.first_lap([*self.LAP[:-1], last], 1000, HZ).shares["created"], 0.98)

    def test_those_that_were_there_before_were_not_created(self):
        samples = [self.LAP[0]._replace(connections=30), *self.LAP[1:]]
        self.assertAlmostEqual(ovs.first_lap(samples, 1000, HZ).shares["created"], 0.97)

    def test_the_last_frame_is_within_the_lap(self):
        samples = [self.LAP[0], self.LAP[2], sample(2, 1500, 8.9), sample(2.1, 1501, 9.9, 1000)]
        self.assertAlmostEqual(ovs.first_lap(samples, 1000, HZ).cycles, 0.8 * HZ / 900)

    def test_a_lap_without_an_end(self):
        with self.assertRaisesRegex(appliance.ApplianceError, "no lap of 1,000 frames came to its end"):
            ovs.first_lap(self.LAP[:-1], 1000, HZ)

    def test_a_lap_that_was_hardly_seen(self):
        with self.assertRaisesRegex(appliance.ApplianceError, "only 0 packets of a lap of 1,000"):
            ovs.first_lap([self.LAP[0], self.LAP[-1]], 1000, HZ)
        with self.assertRaisesRegex(appliance.ApplianceError, "only 400 packets of a lap of 1,000"):
            ovs.first_lap([self.LAP[0], self.LAP[2], self.LAP[3], self.LAP[-1]], 1000, HZ)


class Kernel(unittest.TestCase):
    FIRST, LAST = nft.Sample(1, 100, 3.0, 90, 50), nft.Sample(1.5, 1100, 3.3, 1090, 1040)

    def test_of_all_that_came_in(self):
        window = nft.between(self.FIRST, self.LAST, HZ, 995)
        self.assertAlmostEqual(window.cycles, 0.3 * HZ / 1000)
        self.assertAlmostEqual(window.mpps, 0.002)
        self.assertAlmostEqual(window.shares["sent"], 0.99)
        self.assertAlmostEqual(window.shares["created"], 0.995)

    def test_nothing_came(self):
        for last in (self.LAST._replace(came=90), self.LAST._replace(packets=100)):
            with self.assertRaisesRegex(appliance.ApplianceError, "received nothing"):
                nft.between(self.FIRST, last, HZ)

    def test_less_what_the_source_costs(self):
        whole = Window(3000, 0.5, {"created": 1})
        share = nft.kernels_share(whole, [Window(600, 3, {}), Window(700, 3, {})])
        self.assertEqual(share, Window(2350, 0.5, {"created": 1}))


def proven_row():
    row = Row("new", 1000)
    row.proof = "created 1.0000"
    return row


class Proof(unittest.TestCase):
    """Of nftables: all that came in left, and every frame opened a connection, in each round."""

    def proven(self, windows, leaked=0, strange=1000):
        row = proven_row()
        row.total = [500] * len(windows)
        made = PeerRow(row, "nftables", None)
        for shares in windows:
            made.add(Window(3000, 1, shares))
        peer = nft.Nft.__new__(nft.Nft)
        peer.strange, peer.leaked = strange, leaked
        peers.prove_new(made, peer)
        return made

    def test_holds(self):
        made = self.proven([{"created": 1, "sent": 1}, {"created": 0.995, "sent": 0.999}])
        self.assertEqual(made.proof, "created 0.9950, sent 0.9990, of 1,000 that no rule names sent 0")
        self.assertEqual((made.verdict(), made.broken), ("", []))
        self.assertEqual(made.ratios(), [6, 6])
        self.assertEqual(made.facts()["rounds"]["shares"][1], {"created": 0.995, "sent": 0.999})

    def test_fails(self):
        good = {"created": 1, "sent": 1}
        for windows, more in (([good, {"created": 0.98, "sent": 1}, good], {}), ([good, {"created": 1, "sent": 0.9}, good], {}),
                              ([{"created": 1.1, "sent": 1}], {}), ([good], {"leaked": 1}), ([good], {"strange": 0})):
            made = self.proven(windows, **more)
            self.assertEqual(made.verdict(), "no proof", (windows, more))
            self.assertIn("nftables, new, 1,000 flows: created", made.broken[0])

    def test_of_open_vswitch(self):
        for created, sent, leaked, verdict in ((1, 0.995, 0, ""), (0.98, 1, 0, "no proof"), (1.1, 1, 0, "no proof"),
                                               (1, 0.98, 0, "no proof"), (1, 1, 1, "no proof")):
            made = PeerRow(proven_row(), "OVS conntrack", None)
            made.add(Window(3000, 1, {"created": created}))
            peers.prove_new(made, types.SimpleNamespace(sent_in_all=lambda sent=sent: sent, strange=9, leaked=leaked))
            self.assertEqual(made.verdict(), verdict, (created, sent, leaked))


class Room(unittest.TestCase):
    def test_more_frames_than_buffers(self):
        with self.assertRaisesRegex(ovs.packages.PackageError, "240,001 frames does not fit its packet buffers"):
            ovs.Ovs("/nonexistent", "", ovs.MOST_FRAMES + 1, "", 0, [])

    def test_more_flows_than_the_kernel_tracks(self):
        nft.check_room(262144, 262144)
        with self.assertRaisesRegex(ovs.packages.PackageError, "262,145 flows does not fit the kernel's table of 262,144 connections"):
            nft.check_room(262145, 262144)


if __name__ == "__main__":
    unittest.main()
