#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""rows: a figure that meets its bar passes only with its proof."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

from contenders import Window  # noqa: E402
from rows import PeerRow, Row, allowed_beside  # noqa: E402


def measured(cycles=300):
    """A row of one round: the driver takes 100 cycles, the floor 100 more, Rampart `cycles` in all."""
    row = Row("udp", 1000)
    row.add(100, Window(200, 10, {"hits": 1}), Window(cycles, 7, {"hits": 1}), None)
    return row


class Rows(unittest.TestCase):
    def test_what_was_not_proven_has_no_verdict(self):
        row = measured()
        self.assertEqual(row.verdict(), "no proof")
        row.prove("hits", 0.999)
        self.assertEqual(row.verdict(), "PASS")

    def test_a_bar(self):
        row = measured(500)
        row.prove("hits", 0.999)
        self.assertEqual(row.verdict(), "FAIL")

    def test_a_proof_that_does_not_hold(self):
        row = measured()
        row.shares[0]["hits"] = 0.9
        row.prove("hits", 0.999)
        self.assertEqual(row.verdict(), "no proof")

    def test_a_peer_wants_a_proof_of_its_own(self):
        row = measured()
        row.prove("hits", 0.999)
        peer = PeerRow(row, "l3fwd-acl", 0.5)
        peer.add(Window(290, 7, {"sent": 1}))
        self.assertEqual(peer.verdict(), "no proof")
        peer.prove("sent 1.0000", True)
        self.assertEqual(peer.verdict(), "PASS")

    def test_a_peer_of_a_row_without_proof(self):
        peer = PeerRow(measured(), "l3fwd-acl", 0.5)
        peer.add(Window(290, 7, {"sent": 1}))
        peer.prove("sent 1.0000", True)
        self.assertEqual(peer.verdict(), "no proof")

    def test_what_denied_packets_are_compared_with(self):
        rows = []
        for flows, hits in ((500, 1), (200, 1), (100, 0.5)):
            rows.append(Row("new", flows))
            rows[-1].add(100, Window(200, 10, {"hits": hits}), Window(300, 7, {"hits": hits}), None)
            rows[-1].prove("hits", 0.9)
        self.assertEqual(allowed_beside(rows, 500).flows, 500)
        self.assertEqual(allowed_beside(rows, 7).flows, 200)
        self.assertEqual(allowed_beside(rows, 100).flows, 200)
        self.assertIsNone(allowed_beside([measured(), rows[-1]], 1000))


if __name__ == "__main__":
    unittest.main()
