# SPDX-License-Identifier: Apache-2.0
"""rampartd with a worker a file of datagrams, which are that worker's own or, with the files the other way round, the other
one's, so that every packet has to be handed over."""

import os
import signal
import time

import appliance
import contenders
import scaling
import workload


class Rampart:
    """Started and taught its flows, then stopped until it is its turn."""

    def __init__(self, program, dice, files, core, snapshot):
        """`dice`: libfixed_random.so. `files`: (path, frames) of each worker. `core`: the first one's CPU; the other has the first
        other one, as everything else has."""
        sources = ",".join(f"rx_pcap={path}" for path, _ in files)
        frames = sum(count for _, count in files)
        # Its dice are loaded: see gen/fixed_random.cpp.
        self.device = appliance.Appliance(
            program, {"in": f"net_pcap0,{sources},infinite_rx=1", "out": "net_null0,no-rx=1"}, core,
            max(1 << 17, 4 * frames), frames, contenders.PATIENT,
            within=("env", f"LD_PRELOAD={dice}"), workers=len(files))
        self.pid = self.device.process.pid
        try:
            self.device.apply(snapshot)
            self.fill()
            os.kill(self.pid, signal.SIGSTOP)
        except BaseException:
            self.device.end()
            raise

    def end(self):
        try:
            os.kill(self.pid, signal.SIGCONT)
        except ProcessLookupError:  # it has ended by itself, which device.end() tells
            pass
        self.device.end()

    def fill(self):
        """Until nothing is new any more."""
        created = 0
        while created != (created := self.device.sample().flows_created) or not created:
            time.sleep(0.5)

    def sample(self):
        ran = scaling.worker_seconds(self.pid)
        stats = self.device.watch.call("GET", "/v1/stats")["workers"]
        return [scaling.Count(worker["forwarded"], ran[worker["worker"]], worker["flow_hits"], worker["handed_over"], worker["received"])
                for worker in stats]

    def turn(self):
        return contenders.turn(self)

    def owners(self):
        """{(source, source port, destination, port): worker}"""
        found = self.device.watch.call("GET", "/v1/flows?limit=100000")["flows"]
        return {(flow["source"], flow["source_port"], flow["destination"], flow["destination_port"]): flow["worker"] for flow in found}


def split(folder, flows, start):
    """A file of worker 0's flows and one of worker 1's, equally many: (path, frames) of each. `start(files)`: a Rampart."""
    def write(name, some):
        path = os.path.join(folder, name)
        return path, workload.write_pcap(path, map(workload.udp_frame, some))

    half = len(flows) // 2
    taught = start([write("first", flows[:half]), write("second", flows[half:])])
    try:
        with taught.turn():
            owners = taught.owners()
    finally:
        taught.end()
    return [write(f"own{worker}", part) for worker, part in enumerate(scaling.split(flows, owners))]
