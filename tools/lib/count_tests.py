#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turns what `meson test` left behind into one line per test case, `ok NAME` or `FAILED NAME`, and
prints the output of each test program that failed.

usage: count_tests.py LABEL TESTLOG.json GTEST_XML_DIR

GoogleTest programs leave an XML file each (GTEST_OUTPUT); their cases count one by one. Any other
test counts as one; so does a program that died before it could write its file.
"""

import glob
import json
import os
import sys
import xml.etree.ElementTree as ElementTree


def gtest_cases(path):
    """[(name, passed)] of one XML file; skipped cases are left out."""
    cases = []
    for suite in ElementTree.parse(path).getroot().iter("testsuite"):
        for case in suite.iter("testcase"):
            if case.get("status") == "notrun" or case.get("result") == "skipped":
                continue
            name = f"{suite.get('name')}.{case.get('name')}"
            cases.append((name, case.find("failure") is None))
    return cases


def main():
    label, log, folder = sys.argv[1:4]
    by_program = {}
    for path in sorted(glob.glob(os.path.join(folder, "*.xml"))):
        program = os.path.basename(path)[:-4]
        by_program[program] = gtest_cases(path)
    failed = False
    with open(log, encoding="utf-8") as f:
        runs = [json.loads(line) for line in f if line.strip()]
    for run in runs:
        passed = run["result"] in ("OK", "EXPECTEDFAIL")
        if run["result"] == "SKIP":
            continue
        program = os.path.basename(run["command"][0])
        cases = by_program.get(program, [])
        name = run["name"].split(" / ")[-1].split(":")[-1]
        for case, good in cases:
            print(f"{'ok' if good else 'FAILED'} {label}: {program}: {case}")
        if not cases or (not passed and all(good for _, good in cases)):
            print(f"{'ok' if passed else 'FAILED'} {label}: {name}")
        if not passed:
            failed = True
            print(f"---- output of {name} ({run['result']}, exit {run['returncode']}) ----")
            text = run.get("stdout", "") + run.get("stderr", "")
            kept = text.splitlines()[-200:]
            print("\n".join("    " + l for l in kept))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
