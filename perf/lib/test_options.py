#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""That a command of perf/ that cannot do what it is told says which option is at fault, before it begins."""

import argparse
import glob
import os
import subprocess
import sys
import tempfile
import unittest

LIB = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, LIB)
sys.dont_write_bytecode = True

import option_types  # noqa: E402

PERF = os.path.dirname(LIB)
COMMANDS = sorted(path for path in glob.glob(os.path.join(PERF, "*")) if os.path.isfile(path) and os.access(path, os.X_OK))
# A value of each that makes no sense; compare needs two programs before.
WRONG = {"--core": "9999", "--json": "/nonexistent/x", "--flows": "abc", "--seconds": "0", "--repeat": "0", "--pods": "100,100",
         "--sizes": "5", "--window": "0", "--policies": "0", "--puts": "0", "--workers": "99999", "--blocks": "0", "--swaps": "5",
         "--changes": "0", "--max-flows": "-1", "--rate": "nan", "--record": "/", "--curves": "/dev/null"}


def run(command, *words):
    between = [sys.executable] * 2 if os.path.basename(command) == "compare" and words != ("--help",) else []
    return subprocess.run([sys.executable, command, *between, *words], capture_output=True, text=True, timeout=60, check=False)


class Commands(unittest.TestCase):
    def test_there_are_commands(self):
        self.assertIn("run", map(os.path.basename, COMMANDS))
        self.assertGreater(len(COMMANDS), 10)

    def test_each_refuses_nonsense_by_name(self):
        for command in COMMANDS:
            text = run(command, "--help")
            self.assertEqual(text.returncode, 0, text.stderr)
            asked = [option for option in WRONG if option in text.stdout.replace("=", " ").replace(",", " ").split()]
            self.assertGreater(len(asked), 2, command)
            for option in asked:
                with self.subTest(command=os.path.basename(command), option=option):
                    done = run(command, option, WRONG[option])
                    self.assertEqual(done.returncode, 2, done.stderr)
                    self.assertIn(option, done.stderr.splitlines()[-1])
                    self.assertNotIn("Traceback", done.stderr)

    def test_compare_names_what_is_no_program(self):
        done = subprocess.run([sys.executable, os.path.join(PERF, "compare"), "/nonexistent", "/nonexistent"], capture_output=True, text=True,
                              timeout=60, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("no rampartd at /nonexistent", done.stderr)


class Types(unittest.TestCase):
    def refuses(self, of, *texts):
        for text in texts:
            with self.assertRaises(argparse.ArgumentTypeError, msg=text):
                of(text)

    def test_numbers(self):
        self.assertEqual(option_types.whole(1, 5)("5"), 5)
        self.refuses(option_types.whole(1, 5), "0", "6", "x", "1.5", "")
        self.assertEqual(option_types.above_zero("0.25"), 0.25)
        self.refuses(option_types.above_zero, "0", "-1", "inf", "nan", "x")

    def test_lists(self):
        self.assertEqual(option_types.some(option_types.whole())("1,20"), [1, 20])
        self.refuses(option_types.some(option_types.whole()), "1,,2", "1,0", "")
        self.assertEqual(option_types.pair(option_types.whole())("1,2"), [1, 2])
        self.refuses(option_types.pair(option_types.whole()), "1", "1,1", "2,1", "1,2,3")

    def test_files(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "x")
            self.assertEqual(option_types.file_to_write(path), path)
            self.assertFalse(os.path.exists(path))
            self.refuses(option_types.file_to_write, folder, os.path.join(path, "y"))
            self.assertEqual(option_types.folder_to_write(path), path)
            self.refuses(option_types.folder_to_write, "/dev/null")


if __name__ == "__main__":
    unittest.main()
