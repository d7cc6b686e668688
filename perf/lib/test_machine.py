# SPDX-License-Identifier: Apache-2.0
"""What a command has started ends with it."""

import os
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

# Starts something that would last, says its number, and waits.
PARENT = """
import subprocess, sys, time
sys.path.insert(0, sys.argv[1])
import machine
machine.end_as_if_asked()
child = subprocess.Popen([*machine.ENDS_WITH_US, "sleep", "600"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
try:
    print(child.pid, flush=True)
    time.sleep(600)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def state(pid):
    """Of a process, as ps has it; empty: there is none."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0]
    except OSError:
        return ""


def name(pid):
    with open(f"/proc/{pid}/comm", encoding="utf-8") as comm:
        return comm.read().strip()


class WhatWasStarted(unittest.TestCase):
    def end_by(self, number):
        """Returns what the parent said when a signal came."""
        command = [sys.executable, "-c", PARENT, os.path.dirname(os.path.abspath(__file__))]
        # As behind a shell's &, which has SIGINT ignored.
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True,
                              preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)) as parent:
            child = int(parent.stdout.readline())
            deadline = time.monotonic() + 10
            while name(child) != "sleep" and time.monotonic() < deadline:  # setpriv has to come first
                time.sleep(0.01)
            self.assertEqual(name(child), "sleep")
            parent.send_signal(number)
            said = parent.stdout.read()
        deadline = time.monotonic() + 10
        while (left := state(child)) not in ("", "Z", "X") and time.monotonic() < deadline:
            time.sleep(0.01)
        if left not in ("", "Z", "X"):
            os.kill(child, signal.SIGKILL)
            self.fail(f"what it had started is still there: {left}")
        return said

    def test_ends_with_who_is_asked_to(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            self.assertEqual(self.end_by(number), "interrupted\n")

    def test_ends_with_who_is_killed(self):
        self.assertEqual(self.end_by(signal.SIGKILL), "")


if __name__ == "__main__":
    unittest.main()
