#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How results are written down."""

import json
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import json_file  # noqa: E402


class Written(unittest.TestCase):
    def written(self, document):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "x.json")
            json_file.write(path, document)
            with open(path, encoding="utf-8") as file:
                return file.read()

    def test_a_row_is_a_line(self):
        document = {"about": {"commit": "1234567", "arguments": ["--json", "FILE"]},
                    "rows": [{"flows": 1, "rounds": {"own": [1.5, 2.25]}}, {"flows": 2, "rounds": {"own": []}}],
                    "commands": {"cps": {"rows": [{"figure": "× 2"}], "values": {"own": [3, None]}}}, "broken": []}
        text = self.written(document)
        self.assertEqual(json.loads(text), document)
        self.assertEqual(text, """\
{
 "about": {"commit": "1234567", "arguments": ["--json", "FILE"]},
 "rows": [
  {"flows": 1, "rounds": {"own": [1.5, 2.25]}},
  {"flows": 2, "rounds": {"own": []}}
 ],
 "commands": {
  "cps": {
   "rows": [
    {"figure": "× 2"}
   ],
   "values": {"own": [3, null]}
  }
 },
 "broken": []
}
""")

    def test_numbers_have_four_decimals(self):
        self.assertEqual(json.loads(self.written({"rows": [{"own": (1.23456789, 2)}]})), {"rows": [{"own": [1.2346, 2]}]})


if __name__ == "__main__":
    unittest.main()
