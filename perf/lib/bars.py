# SPDX-License-Identifier: Apache-2.0
"""Figures that are held against a bar: what the commands beside perf/run share."""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import traceback

import alone
import distance
import json_file
import machine
import option_types

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HEADINGS = ("measured", "figure", "bar", "verdict", "proof")
TARGETS = ("control/rampartd", "generators")


def is_ready(build):
    return all(os.access(os.path.join(build, *program), os.X_OK) for program in (("control", "rampartd"), ("perf", "floor"), ("perf", "core_to_core")))


def make_ready(build, targets=TARGETS):
    """Installs what is missing and builds in `build`, from a mere clone if need be; says so meanwhile. Raises OSError."""
    # A group of its own, to end all of it if we are interrupted.
    with subprocess.Popen([os.path.join(ROOT, "tools", "lib", "build"), build, *targets], start_new_session=True) as making:
        try:
            code = making.wait()
        except KeyboardInterrupt:
            os.killpg(making.pid, signal.SIGTERM)
            raise
    if code:
        raise OSError(f"no {' and '.join(targets)} in {build} (--build names another folder)")


def expect_ready(options, targets=TARGETS):
    """Raises OSError if nothing can be measured, with what `targets` are built of before. `options`: those of parser()."""
    if os.geteuid() != 0:
        raise OSError("needs root")
    if not options.no_build:
        make_ready(options.build, targets)
    elif not is_ready(options.build):
        raise OSError(f"no control/rampartd, no perf/floor or no perf/core_to_core in {options.build} (without --no-build they are made)")


def failure(error):
    """A line about what has ended a measurement; for what nobody reckons with there is a trace, too."""
    if not isinstance(error, (machine.Failed, OSError, subprocess.SubprocessError)):
        traceback.print_exception(error)
    return f"{type(error).__name__}: {error}"


def parser(description):
    """The options that every command has."""
    made = argparse.ArgumentParser(description=description.split("\n", 1)[0])
    made.add_argument("--build", default=os.environ.get("RAMPART_BUILD", os.path.join(ROOT, "build")),
                      help="build directory with control/rampartd and perf/ (build/)")
    made.add_argument("--core", type=option_types.cpu, default=max(os.sched_getaffinity(0)),
                      help="CPU of the appliance's worker (the last); all else runs on the first other one")
    made.add_argument("--record", metavar="FILE", type=option_types.file_to_write, help="append the rows to a table of results")
    made.add_argument("--json", metavar="FILE", type=option_types.file_to_write, help="write the rows, machine, commit and versions")
    made.add_argument("--no-build", action="store_true", help="measure what is there: install nothing and build nothing")
    made.add_argument("--keep-niceness", action="store_true", help="do not raise our priority")
    return made


def middle(values):
    """The median; of an even number, the mean of the two in the middle."""
    return statistics.median(values)


def spread(values, digits):
    """median (lowest–highest)"""
    return f"{middle(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


class Report:
    """What a command has found out. A row whose bar was missed, or whose proof did not hold, fails."""

    def __init__(self, options):
        self.options = options
        self.program = os.path.join(options.build, "control", "rampartd")
        self.other = next((cpu for cpu in sorted(os.sched_getaffinity(0)) if cpu != options.core), options.core)
        self.rows, self.broken, self.values = [], [], {}  # values: what curves are drawn of, by name
        self.ran = self.waited = 0.0
        self.distances = []

    def share_of_cpu(self, device):
        """To be called before an appliance under measurement ends."""
        ran, waited = device.cpu()
        self.ran, self.waited = self.ran + ran, self.waited + waited

    def distance(self):
        """How far the two CPUs are from each other just now; noted. To be asked for while nothing runs there. None: there is
        one only."""
        if self.other == self.options.core:
            return None
        self.distances.append(distance.between(self.generators("core_to_core"), self.options.core, self.other))
        return self.distances[-1]

    def tell_distances(self):
        """Rows of how far they were."""
        if not self.distances:
            return
        for what, values in (("a cache line from one core to the other, TSC cycles", [one.line for one in self.distances]),
                             ("a packet's buffer that changes its core, by itself", [one.buffer for one in self.distances])):
            self.add(what, spread(values, 0))

    def generators(self, name):
        return os.path.join(self.options.build, "perf", name)

    def add(self, what, figure, bar="", met=None, proof="", proven=True):
        """One row; `met` is None for a figure that no bar is set for."""
        verdict = "" if met is None else "PASS" if met else "FAIL"
        if not proven:
            verdict = "no proof"
            self.broken.append(f"{what}: {proof}")
        elif met is False:
            self.broken.append(f"{what}: {figure}, and the bar is {bar}")
        self.rows.append((what, figure, bar, verdict, proof))
        print("    " + "  ".join(filter(None, self.rows[-1])), flush=True)

    def table(self):
        widths = [max(len(row[i]) for row in [HEADINGS, *self.rows]) for i in range(len(HEADINGS))]
        return "\n".join("  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip()
                         for row in [HEADINGS, *self.rows])

    def record(self, about, command):
        """Appends the rows to a Markdown table; date, commit and machine stand in every one."""
        path = self.options.record
        fresh = not os.path.exists(path) or "| measured |" not in machine.read(path)
        with open(path, "a", encoding="utf-8") as out:
            if fresh:
                columns = ["date", "commit", "CPU", "DPDK", "memory", "load before", "command", *HEADINGS]
                out.write(f"| {' | '.join(columns)} |\n|{' --- |' * len(columns)}\n")
            for row in self.rows:
                out.write("| " + " | ".join([about["date"], about["commit"], about["cpu"], about["dpdk"],
                                             about["memory"], about["load"], command, *row]) + " |\n")


def run(name, options, measure, in_namespaces=False):
    """Runs `measure(report, folder)`, in namespaces of its own if it is to be so, and says how it went. Returns the exit
    status: 0, or 1 if a bar was missed, a proof did not hold or something did not run."""
    machine.end_as_if_asked()
    if not alone.is_inside():
        try:
            expect_ready(options)
        except (OSError, KeyboardInterrupt) as error:
            print(f"perf/{name}: {str(error) or 'interrupted'}", file=sys.stderr)
            return 1
    if in_namespaces:
        alone.go(sys.argv)
    report = Report(options)
    if not options.keep_niceness:
        os.setpriority(os.PRIO_PROCESS, 0, -15)
    os.sched_setaffinity(0, {report.other, options.core})
    about = machine.facts(ROOT)
    print(f"Rampart {about['commit']} on {about['cpu']}, core {options.core}, DPDK {about['dpdk']}, "
          f"{about['memory']}, load {about['load']}", flush=True)
    before = machine.stolen()
    with tempfile.TemporaryDirectory(prefix="rampart-perf.") as folder:
        try:
            measure(report, folder)
        except KeyboardInterrupt:
            report.broken.append("interrupted")
        except Exception as error:  # what was found until then is told
            report.broken.append(failure(error))
    if report.rows:
        waited = (f"the worker waited for its CPU {report.waited / (report.ran + report.waited):.1%} of the time; "
                  if report.ran else "")
        print(f"\n{report.table()}\n\n{waited}stolen by the hypervisor meanwhile: {machine.stolen_share(before):.1%}; "
              f"load now {os.getloadavg()[0]:.1f}")
    for line in report.broken:
        print(f"perf/{name}: {line}", file=sys.stderr)
    if options.json:
        json_file.write(options.json, {"about": about, "rows": [dict(zip(HEADINGS, row)) for row in report.rows],
                                       "values": report.values, "broken": report.broken})
    if options.record and report.rows:
        report.record(about, f"perf/{name}")
    return 1 if report.broken else 0
