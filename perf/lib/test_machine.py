# SPDX-License-Identifier: Apache-2.0
"""What a command has started ends with it."""

import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import machine  # noqa: E402

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


class HugePages(unittest.TestCase):
    """Of a file that stands for the kernel's."""

    def setUp(self):
        self.file = tempfile.NamedTemporaryFile("w+", encoding="utf-8")
        self.addCleanup(self.file.close)
        machine.write(self.file.name, 7)

    def pages(self):
        return int(machine.read(self.file.name))

    def some(self, more=2):
        return machine.huge_pages(machine.huge_mib_free() + more, path=self.file.name)

    def test_who_took_some_gives_them_back_whoever_else_does(self):
        first, second = self.some(), self.some()
        with first:
            taken = self.pages() - 7
            self.assertGreater(taken, 0)
            second.__enter__()
        self.assertEqual(self.pages(), 7 + taken)
        second.__exit__(None, None, None)
        self.assertEqual(self.pages(), 7)

    def test_who_took_none_gives_none_back(self):
        with self.some(more=0):
            machine.write(self.file.name, 30)
        self.assertEqual(self.pages(), 30)


if __name__ == "__main__":
    unittest.main()
