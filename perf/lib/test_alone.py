# SPDX-License-Identifier: Apache-2.0
"""A command in namespaces of its own ends as it would without, and leaves as little."""

import os
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

# Says that it runs in there, and waits; says so when it is asked to end.
COMMAND = """
import os, sys, tempfile, time
sys.path.insert(0, sys.argv[1])
import alone, machine
machine.end_as_if_asked()
alone.go(sys.argv)
with tempfile.TemporaryDirectory(dir=sys.argv[2]):
    try:
        print(os.getpid(), os.listdir("/run"), flush=True)
        time.sleep(600)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        sys.exit(3)
"""


class Alone(unittest.TestCase):
    def end_by(self, number):
        """(what it said, its status, what it left) when a signal came to the process that was started."""
        with tempfile.TemporaryDirectory() as folder:
            program, left = os.path.join(folder, "command"), os.path.join(folder, "left")
            os.mkdir(left)
            with open(program, "w", encoding="utf-8") as out:
                out.write(COMMAND)
            with subprocess.Popen([sys.executable, program, os.path.dirname(os.path.abspath(__file__)), left],
                                  stdout=subprocess.PIPE, text=True) as running:
                self.assertEqual(running.stdout.readline(), "1 ['netns']\n")
                running.send_signal(number)
                said = running.stdout.read()
            return said, running.returncode, os.listdir(left)

    def test_ends_in_order_when_it_is_asked_to(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            self.assertEqual(self.end_by(number), ("interrupted\n", 3, []))


if __name__ == "__main__":
    unittest.main()
