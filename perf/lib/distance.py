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


def _sides(around):
    """For each tuple of Distances: whether it was far all the time, or near (False); None: now this, now that, or empty."""
    limit = FAR * min((one.line for some in around for one in some), default=0)
    found = []
    for lines in ([one.line for one in some] for some in around):
        if lines and max(lines) <= limit:
            found.append(False)
        else:
            found.append(True if lines and limit < min(lines) and max(lines) <= FAR * min(lines) else None)
    return found


def steady(around):
    """Indices of those in which the distance was not seen to change. `around` as in groups()."""
    return [n for n, side in enumerate(_sides(around)) if side is not None]


def groups(around, values):
    """The values by how far the cores were: [(text, values)…], near ones first. `around`: the Distances before and after each
    of them, and between its parts if it has some. What was near at one time and far at another is in neither group."""
    sides, found = _sides(around), []
    for far in (False, True):
        chosen = [n for n, side in enumerate(sides) if side is far]
        if chosen:
            took = [one.line for n in chosen for one in around[n]]
            found.append((f"where a line took {min(took):.0f} to {max(took):.0f} cycles from core to core", [values[n] for n in chosen]))
    return found
