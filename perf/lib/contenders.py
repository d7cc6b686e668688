# SPDX-License-Identifier: Apache-2.0
"""Programs that are measured in turn on one core: while one has its turn the others are stopped (SIGSTOP),
so that what the machine's neighbours do for a minute is in the figures of all of them."""

import contextlib
import os
import signal
import time
from typing import NamedTuple

import appliance
import generator
import machine

PATIENT = ("--udp-s", 3600, "--udp-replied-s", 3600)  # for a Rampart that is stopped for longer than half a minute
WARM_S = 0.05  # of every turn: caches and branch predictors are somebody else's at first


class Window(NamedTuple):
    """One turn: TSC ticks of the thread's CPU time a packet, packets a second, and what became of them
    (shares of the packets by name); where the cycles went, if the build counts that."""

    cycles: float
    mpps: float
    shares: dict
    stages: dict = {}


@contextlib.contextmanager
def turn(contender):
    os.kill(contender.pid, signal.SIGCONT)
    try:
        time.sleep(WARM_S)
        yield contender
    finally:
        os.kill(contender.pid, signal.SIGSTOP)


@contextlib.contextmanager
def waiting(contender):
    """Stops it; when all is over lets it end."""
    os.kill(contender.pid, signal.SIGSTOP)
    try:
        yield contender
    finally:
        os.kill(contender.pid, signal.SIGCONT)
        contender.end()


def expect_like_memory(contenders):
    """Raises if some of them (name: contender) have huge pages and others have none."""
    if unlike := machine.unlike_memory({name: one.pid for name, one in contenders.items()}):
        raise appliance.ApplianceError(unlike)


class Floor:
    """perf/floor on a wire of two devices."""

    def __init__(self, program, devices, core, flows, frames, rules):
        self.program = generator.Generator(program, core, **{"in": devices[0], "out": devices[1]}, flows=flows,
                                           mbufs=frames + 16384, rules=rules)
        self.pid, self.frames = self.program.process.pid, frames
        self.end = self.program.end

    @staticmethod
    def between(first, last, seconds):
        packets = last["packets"] - first["packets"]
        if packets == 0:
            raise generator.GeneratorError("floor received nothing")
        share = {name: (last[name] - first[name]) / packets for name in ("sent", "hits", "created", "denied")}
        cycles = (last["cpu_ns"] - first["cpu_ns"]) / 1e9 * machine.tsc_hz() / packets
        return Window(cycles, packets / seconds / 1e6, {**share, "flows": last["flows"]})

    def window(self, mode, seconds):
        """`mode`: "io" for the driver alone, or "floor"."""
        self.program.tell(f"mode {mode}")
        time.sleep(WARM_S)
        began, first = time.monotonic(), self.program.ask("stats")
        time.sleep(seconds)
        last = self.program.ask("stats")
        return self.between(first, last, time.monotonic() - began)

    def fill(self):
        """Takes the flows of a whole lap in."""
        self.program.ask(f"lap {self.frames}")

    def lap(self):
        """One lap over the file with an empty table."""
        began = time.monotonic()
        last = self.program.ask(f"lap {self.frames}")
        return self.between(dict.fromkeys(last, 0), last, time.monotonic() - began)


class Rampart:
    """rampartd with a snapshot in force."""

    def __init__(self, program, devices, core, flows, frames, snapshot, extra=()):
        self.device = appliance.Appliance(program, devices, core, max(1 << 17, 1 << (2 * flows - 1).bit_length()),
                                          frames, [*PATIENT, *extra])
        self.pid = self.device.process.pid
        self.end = self.device.end
        try:
            self.device.apply(snapshot)
        except BaseException:
            self.end()
            raise

    @staticmethod
    def of(span, cycles):
        shares = {"sent": span.forwarded, "hits": span.hits, "created": span.created, "denied": span.denied}
        return Window(cycles, span.mpps, shares, span.stages)

    def window(self, seconds):
        first = self.device.sample()
        time.sleep(seconds)
        span = appliance.Span(first, self.device.sample())
        return self.of(span, span.own_cycles)

    def lap(self, allow, deny):
        """The best stretch of the first lap after policy has begun to allow it; see perf/README.md."""
        span = appliance.first_laps(self.device, 1, allow, deny)[0]
        return self.of(span, span.cycles)
