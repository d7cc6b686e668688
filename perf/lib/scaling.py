# SPDX-License-Identifier: Apache-2.0
"""What several workers do together, by the CPU time that each of them had."""

import os
import re
import socket
import struct
import time
from typing import NamedTuple

import machine


class Count(NamedTuple):
    """Of one worker since its start."""

    packets: int  # forwarded
    ran: float    # seconds
    hits: int
    handed_over: int
    received: int  # from the source


class Turn:
    """Between two samples of all workers."""

    def __init__(self, first, last):
        spans = [Count(*(b - a for a, b in zip(before, after))) for before, after in zip(first, last)]
        packets = sum(span.packets for span in spans)
        if any(span.packets == 0 or span.ran <= 0 for span in spans):
            raise ValueError(f"a worker has forwarded nothing: {spans}")
        # If each of them had a CPU of its own the whole time. What others took of it is not in the figure.
        self.rate = sum(span.packets / span.ran for span in spans)
        self.threads = len(spans)
        self.hits = sum(span.hits for span in spans) / packets
        self.handed_over = sum(span.handed_over for span in spans) / packets
        # Rings to a worker that is behind are full: then what was received was not forwarded.
        self.lost = 1 - packets / sum(span.received for span in spans)


def window(one, seconds):
    """What happens in so many seconds of one whose turn it is."""
    first = one.sample()
    time.sleep(seconds)
    return Turn(first, one.sample())


def gains(one, several):
    """How many times the rate, turn by turn."""
    return [b.rate / a.rate for a, b in zip(one, several)]


def text(flow):
    """As the appliance names it."""
    source, destination, source_port, port = flow
    return tuple(socket.inet_ntoa(struct.pack(">I", address)) for address in (source, destination)), source_port, port


def split(flows, owners):
    """[the flows of worker 0, those of worker 1], equally many. `owners`: {(source, source port, destination, port): worker}"""
    parts = {0: [], 1: []}
    for flow in flows:
        (source, destination), source_port, port = text(flow)
        parts[owners[source, source_port, destination, port]].append(flow)
    count = min(map(len, parts.values()))
    return [parts[worker][:count] for worker in (0, 1)]


def worker_seconds(pid):
    """[seconds that the thread of worker 0, 1, … has run] (schedstat); rampartd's worker N is DPDK's lcore N + 1."""
    tasks, found = f"/proc/{pid}/task", {}
    for task in os.listdir(tasks):
        name = re.fullmatch(r"rte-worker-(\d+)", machine.read(f"{tasks}/{task}/comm").strip())
        if name:
            found[int(name.group(1)) - 1] = int(machine.read(f"{tasks}/{task}/schedstat").split()[0]) / 1e9
    return [found[worker] for worker in sorted(found)]
