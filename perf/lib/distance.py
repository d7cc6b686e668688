# SPDX-License-Identifier: Apache-2.0
"""How far the two CPUs of a measurement are from each other. On a virtual machine the host decides that, and may do so anew
at any moment: what two cores exchange then takes four times as long."""

import json
import subprocess
from typing import NamedTuple

import machine

FAR = 2  # times as long as the shortest


class Distance(NamedTuple):
    """TSC cycles, as perf/gen/core_to_core has them."""

    line: float    # until a cache line that one core has written is with the other
    buffer: float  # of a packet's buffer that changes its core, beyond one that stays


def between(program, one, other):
    """Takes a tenth of a second, in which both CPUs should have nothing else to do."""
    done = subprocess.run([program, str(one), str(other)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise machine.Failed(f"{program}: {done.stderr.strip() or done.returncode}")
    found = json.loads(done.stdout)
    return Distance(found["line"], found["buffer"])


def groups(around, values):
    """The values by how far the cores were: [(text, values)…], near ones first. `around`: the Distances before and after each
    of them. What was near at first and far in the end, or the other way round, is in neither group."""
    limit = FAR * min((one.line for pair in around for one in pair), default=0)
    found = []
    for far in (False, True):
        chosen = [(pair, value) for pair, value in zip(around, values) if all((one.line > limit) == far for one in pair)]
        if chosen:
            took = [one.line for pair, _ in chosen for one in pair]
            found.append((f"where a line took {min(took):.0f} to {max(took):.0f} cycles from core to core",
                          [value for _, value in chosen]))
    return found
