#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""perf/swap: pods that come and go in a thread of their own, and what is known of it when they do not."""

import http.client
import os
import sys
import time
import types
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import commands  # noqa: E402

swap = commands.load("swap")


def changes(change, rate=1000):
    """A thread that has made some of them, or has ended by itself."""
    made = swap.Changes(types.SimpleNamespace(change=change), rate)
    made.start()
    made.on.set()
    deadline = time.monotonic() + 10
    while made.made < 10 and made.is_alive() and time.monotonic() < deadline:
        time.sleep(0.01)
    made.over.set()
    made.join(10)
    return made


class Changes(unittest.TestCase):
    def test_pods_come_and_go(self):
        seen = []
        made = changes(seen.append)
        self.assertIsNone(made.error)
        self.assertEqual([(event["type"], event["object"]["metadata"]["name"]) for event in seen[:4]],
                         [("ADDED", "guest-0"), ("DELETED", "guest-0"), ("ADDED", "guest-1"), ("DELETED", "guest-1")])

    def test_whatever_ends_it_is_kept(self):
        for error in (OSError("closed"), http.client.BadStatusLine("nothing"), ValueError("no JSON")):
            def change(_event, error=error):
                raise error

            self.assertIs(changes(change).error, error)


if __name__ == "__main__":
    unittest.main()
