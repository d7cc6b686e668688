#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whether the tests that docs/semantics.md names exist, and whether every row of it names one.

usage: named_tests.py ROOT
"""

import glob
import os
import re
import sys

NAME = re.compile(r"`([A-Z]\w+\.\w+|test_\w+|[a-z0-9]+-\d\d-[\w-]+)`")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def existing(root):
    names = set()
    for path in glob.glob(os.path.join(root, "tests", "**", "*.cpp"), recursive=True):
        names |= {f"{suite}.{name}"
                  for suite, name in re.findall(r"^TEST\w*\(\s*(\w+),\s*(\w+)\)", read(path), re.M)}
    for path in glob.glob(os.path.join(root, "tests", "smoke", "test_*.py")):
        names |= set(re.findall(r"^def (test_\w+)\(", read(path), re.M))
    names |= {os.path.basename(path)[:-5]
              for path in glob.glob(os.path.join(root, "tests", "semantics", "cases", "*.json"))}
    return names


def main():
    root = sys.argv[1]
    names = existing(root)
    wrong = []
    rows = [line for line in read(os.path.join(root, "docs", "semantics.md")).splitlines()
            if line.startswith("| ") and not line.startswith(("| question", "| ---"))]
    for row in rows:
        question, shown = row.strip("| ").split(" | ")[0], row.strip("| ").split(" | ")[-1]
        named = NAME.findall(shown)
        if not named and not shown.startswith("—"):
            wrong.append(f"{question}: names no test")
        wrong += [f"{question}: there is no test {name}" for name in named if name not in names]
    if len(rows) < 20:
        wrong.append(f"only {len(rows)} rows found")
    for line in wrong:
        print(f"docs/semantics.md: {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
