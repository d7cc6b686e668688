# SPDX-License-Identifier: Apache-2.0
"""What perf/run leaves to others: commands of their own, and micro-benchmarks; and the table of all bars."""

import json
import os
import subprocess

import bars
import curves
import machine
from bars import middle
from rows import table

# Commands beside perf/run, and the options that make a look of them.
COMMANDS = {"workers": ("--repeat", "3", "--flows", "1000"), "pods": ("--repeat", "3"), "memory": (),
            "cps": ("--repeat", "3", "--flows", "1,1000", "--zipf", "10000"), "latency": ("--repeat", "4")}
# Micro-benchmarks, and which of their sizes: those that take seconds each are left to `ninja bench`.
BENCHES = {"parse": ".", "flow_table": "flows:[0-9]{3,6}(/|$)", "address_map": "find", "classify": ".", "burst": ".", "compile": "pods:10000?/.*crossing:0",
           "decode": "pods:1000?0?$", "machine": "clock|pages"}


def run_command(folder, root, name, options):
    """What it has found, as bars.run writes it; says itself how it goes."""
    path = os.path.join(folder, name + ".json")
    words = [os.path.join(root, "perf", name), "--build", options.build, "--core", str(options.core), "--json", path,
             "--no-build"]  # perf/run has
    if options.keep_niceness:
        words.append("--keep-niceness")
    command = subprocess.Popen([*words, *(COMMANDS[name] if options.quick else ())])
    try:
        command.wait()
    except KeyboardInterrupt:
        command.terminate()  # it may have heard of it, or not
        command.wait()
        raise
    if not os.path.exists(path):
        return {"rows": [], "values": {}, "broken": [f"perf/{name} did not run"]}
    return json.loads(machine.read(path))


def benches(build, core):
    """[{"name", "cycles" or "ns"}…] of all micro-benchmarks."""
    found = []
    for name, which in BENCHES.items():
        machine.say(f"bench_{name}")
        done = subprocess.run(
            ["taskset", "-c", str(core), os.path.join(build, "perf", f"bench_{name}"), "--benchmark_min_time=0.05",
             f"--benchmark_filter={which}", "--benchmark_format=json"], capture_output=True, text=True, check=False)
        if done.returncode:
            raise OSError(f"bench_{name}: {done.stderr.strip()[-300:]}")
        found += [measured(name, one) for one in json.loads(done.stdout[done.stdout.index("{"):])["benchmarks"]]
    return found


def measured(program, one):
    """A benchmark of Google Benchmark's JSON."""
    if one.get("error_occurred"):
        raise OSError(f"bench_{program}, {one['name']}: {one['error_message']}")
    nanoseconds = one["real_time"] * {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}[one["time_unit"]]
    return {"program": program, "name": one["name"], "ns": nanoseconds, "cycles": one.get("cycles")}


class Line:
    """A line of the table of bars; `row`: a dictionary as bars.run writes it."""

    def __init__(self, part, row):
        self.part, self.row = part, row

    def cells(self):
        return (self.part, *(self.row[name] for name in bars.HEADINGS))


def of_row(row):
    return {"measured": f"{row.name()}, {row.flows:,} flows: Rampart / floor", "figure": bars.spread(row.ratio, 2),
            "bar": f"≤ {row.bar:.2f}", "verdict": row.verdict(), "proof": row.proof}


def of_peer(row):
    return {"measured": f"{row.row.flows:,} flows: {row.name} / Rampart", "figure": bars.spread(row.ratios(), 2),
            "bar": f"≥ {row.bar:.2f}", "verdict": row.verdict(), "proof": row.proof}


def bars_table(rows, peers, commands):
    """Everything for which there is a bar, or whose proof did not hold. `commands`: {name: what run_command gave}"""
    lines = [Line(row.kind, of_row(row)) for row in rows if row.bar]
    lines += [Line("peers", of_peer(row)) for row in peers if row.bar]
    lines += [Line(name, row) for name, found in commands.items() for row in found["rows"] if row["verdict"]]
    return table(("part", *bars.HEADINGS), lines) if lines else ""


def bench_table(found):
    class One:
        def __init__(self, one):
            self.one = one

        def cells(self):
            one = self.one
            return (f"bench_{one['program']}", one["name"], f"{one['cycles']:.0f} cycles an item" if one["cycles"] else f"{one['ns'] / 1e6:.3g} ms")

    return table(("program", "benchmark", "figure"), map(One, found))


def draw_policies(folder, rows):
    """First packets over the number of policies."""
    rows = [row for row in rows if row.kind == "policies"]
    if rows:
        curves.draw(os.path.join(folder, "policies.svg"), "First packets, one worker, 64-byte frames from net_pcap", "policies", "Mpps", {
            "Rampart": [(row.policies, middle(row.mpps)) for row in rows],
            "floor": [(row.policies, machine.tsc_hz() / (middle(row.floor) + middle(row.driver)) / 1e6) for row in rows]})


def draw_workers(folder, values):
    """{flows: {"one floor": Mpps…}} as perf/workers leaves them."""
    drawn = {}
    for flows, of in values.items():
        flows = f"{int(flows):,} flows"
        drawn[f"floor, {flows}"] = [(1, of["one floor"]), (2, of["two floors"])]
        drawn[f"Rampart, {flows}"] = [(1, of["one worker"]), (2, of["two workers"])]
        drawn[f"all handed over, {flows}"] = [(1, of["one worker"]), (2, of["handed over"])]
    if drawn:
        curves.draw(os.path.join(folder, "workers.svg"), "Workers, by the CPU time that each had", "workers", "Mpps", drawn)
