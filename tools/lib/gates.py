#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The gates of the house that a search can keep. Prints a line per gate, `ok NAME` or `FAILED NAME`,
and the offending places before a failure. Exit 1 if one failed.

usage: gates.py ROOT
"""

import os
import re
import subprocess
import sys

CODE_ROOTS = ("dataplane", "control", "config", "tools", "tests", "perf")
CODE = (".cpp", ".hpp")

# Which of our folders each room may include from. The first matching prefix counts; a room that is
# not listed may include anything of ours except tests and perf.
ALLOWED_INCLUDES = {
    "dataplane/base/": ["dataplane/base/"],
    "dataplane/dpdk/": ["dataplane/base/", "dataplane/dpdk/"],
    "dataplane/packet/": ["dataplane/base/", "dataplane/dpdk/", "dataplane/packet/"],
    "dataplane/flow/": ["dataplane/base/", "dataplane/dpdk/", "dataplane/packet/", "dataplane/flow/"],
    "dataplane/fragment/": ["dataplane/base/", "dataplane/dpdk/", "dataplane/packet/",
                            "dataplane/fragment/"],
    "dataplane/addr/": ["dataplane/base/", "dataplane/dpdk/", "dataplane/packet/", "dataplane/addr/"],
    "dataplane/acl/": ["dataplane/base/", "dataplane/dpdk/", "dataplane/packet/", "dataplane/acl/"],
    "dataplane/state/": ["dataplane/base/", "dataplane/dpdk/", "dataplane/packet/", "dataplane/flow/",
                         "dataplane/fragment/", "dataplane/addr/", "dataplane/acl/", "dataplane/state/"],
    "dataplane/stages/": ["dataplane/base/", "dataplane/dpdk/", "dataplane/packet/",
                          "dataplane/flow/", "dataplane/fragment/", "dataplane/addr/",
                          "dataplane/acl/", "dataplane/state/", "dataplane/stages/"],
    "dataplane/worker/": ["dataplane/"],
    "config/": ["config/", "dataplane/base/"],
    "control/kube/": ["control/kube/", "dataplane/base/"],
    "control/lint/": ["control/lint/", "control/kube/", "dataplane/base/"],
    "control/explain/": ["control/explain/", "control/kube/", "dataplane/base/"],
    "control/reach/": ["control/reach/", "control/explain/", "control/kube/", "dataplane/base/"],
    "tools/": ["tools/", "control/", "dataplane/base/", "dataplane/packet/drop_reason.hpp"],
}
NO_DPDK = ("dataplane/base/", "config/", "control/kube/", "control/lint/", "control/explain/", "control/reach/",
           "control/http/", "tools/")


def files(root, tops, suffixes):
    for top in tops:
        for folder, folders, names in os.walk(os.path.join(root, top)):
            folders[:] = sorted(f for f in folders if not f.startswith(".") and f != "__pycache__")
            for name in sorted(names):
                if name.endswith(suffixes):
                    yield os.path.relpath(os.path.join(folder, name), root)


def programs(root, tops):
    """Scripts whose name says nothing: their first line does."""
    for path in files(root, tops, ("",)):
        if "." not in os.path.basename(path):
            with open(os.path.join(root, path), "rb") as f:
                if f.read(2) == b"#!":
                    yield path


def lines(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as f:
        return f.read().splitlines()


def grep(root, paths, pattern, skip=None):
    found = []
    for path in paths:
        for number, line in enumerate(lines(root, path), 1):
            if re.search(pattern, line) and not (skip and re.search(skip, line)):
                found.append(f"{path}:{number}: {line.strip()}")
    return found


def gate_format(root):
    paths = list(files(root, CODE_ROOTS, CODE))
    run = subprocess.run(["clang-format-14", "--dry-run", "-Werror", *paths], cwd=root,
                         capture_output=True, text=True)
    return [l for l in run.stderr.splitlines() if "error:" in l] or (
        [run.stderr.strip() or "clang-format failed"] if run.returncode else [])


def gate_licence_line(root):
    tag = "SPDX-License-Identifier: Apache-2.0"
    paths = list(files(root, CODE_ROOTS, CODE + (".py", ".sh", "meson.build")))
    return [f"{p}: no SPDX line in the first three" for p in paths
            if not any(tag in l for l in lines(root, p)[:3])
            and not (p.endswith("meson.build") and len(lines(root, p)) < 40)]


def gate_pragma_once(root):
    return [f"{p}: no #pragma once" for p in files(root, CODE_ROOTS, (".hpp",))
            if "#pragma once" not in lines(root, p)]


def gate_include_paths(root):
    """An include line tells the room: full path from the root, and it exists."""
    bad = []
    for path in files(root, CODE_ROOTS, CODE):
        for number, line in enumerate(lines(root, path), 1):
            m = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if m and not os.path.isfile(os.path.join(root, m.group(1))):
                bad.append(f"{path}:{number}: {m.group(1)} is no path from the root")
    return bad


def gate_include_direction(root):
    bad = []
    for path in files(root, ("dataplane", "control", "config", "tools"), CODE):
        allowed = next((a for room, a in ALLOWED_INCLUDES.items() if path.startswith(room)),
                       ["dataplane/", "config/", "control/"])
        for number, line in enumerate(lines(root, path), 1):
            m = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if m and not any(m.group(1).startswith(a) for a in allowed):
                bad.append(f"{path}:{number}: may not include {m.group(1)}")
            if re.match(r"\s*#\s*include\s+<rte_", line) and path.startswith(NO_DPDK):
                bad.append(f"{path}:{number}: this room does not know DPDK")
        if path.startswith("control/") and path != "control/rampartd.cpp":
            bad += grep(root, [path], r'#\s*include\s+"dataplane/stages/')
    return bad


def gate_handles(root):
    """Only dataplane/dpdk makes and frees the library's handles. (A packet is no handle.)"""
    paths = [p for p in files(root, ("dataplane", "control", "config", "tools"), CODE)
             if not p.startswith("dataplane/dpdk/")]
    return grep(root, paths, r"\brte_\w+_(create|free)\s*\(", skip=r"^\s*//|rte_pktmbuf_free")


def gate_no_todo(root):
    paths = [p for p in files(root, CODE_ROOTS, CODE + (".py", ".sh"))
             if p != "tools/lib/gates.py"]
    return grep(root, paths, r"\b(TODO|FIXME|XXX|HACK)\b")


def gate_fast_path(root):
    """No lock, allocation, exception or logging on the packets' way."""
    paths = files(root, ("dataplane/stages",), CODE)
    return grep(root, paths, r"\b(new [A-Z]|malloc\(|throw\b|std::mutex|std::lock_guard|printf\()",
                skip=r"^\s*//")


def gate_room_readmes(root):
    bad = []
    for top in ("dataplane", "control"):
        for name in sorted(os.listdir(os.path.join(root, top))):
            room = os.path.join(top, name)
            if any(files(root, (room,), CODE)) and not os.path.isfile(
                    os.path.join(root, room, "README.md")):
                bad.append(f"{room}: no README.md")
    return bad


def gate_scripts_parse(root):
    bad = []
    candidates = list(files(root, ("tools", "tests", "perf", "config"), (".py", ".sh")))
    candidates += programs(root, (*CODE_ROOTS, ".ci"))
    for path in candidates:
        full = os.path.join(root, path)
        with open(full, encoding="utf-8") as f:
            source = f.read()
        if path.endswith(".py") or "python" in source.split("\n", 1)[0]:
            try:
                compile(source, path, "exec")
            except SyntaxError as e:
                bad.append(f"{path}:{e.lineno}: {e.msg}")
        else:
            run = subprocess.run(["bash", "-n", full], capture_output=True, text=True)
            if run.returncode:
                bad.append(run.stderr.strip())
    return bad


GATES = {
    "format (clang-format)": gate_format,
    "licence line": gate_licence_line,
    "pragma once": gate_pragma_once,
    "include paths from the root": gate_include_paths,
    "include direction": gate_include_direction,
    "handles only in dataplane/dpdk": gate_handles,
    "nothing left to do": gate_no_todo,
    "nothing slow in stages": gate_fast_path,
    "a README in every room": gate_room_readmes,
    "scripts parse": gate_scripts_parse,
}


def main():
    root = sys.argv[1]
    failed = False
    for name, gate in GATES.items():
        offences = gate(root)
        for offence in offences[:20]:
            print(f"    {offence}")
        if len(offences) > 20:
            print(f"    … and {len(offences) - 20} more")
        print(f"{'FAILED' if offences else 'ok'} gate: {name}")
        failed = failed or bool(offences)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
