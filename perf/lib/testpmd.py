# SPDX-License-Identifier: Apache-2.0
"""The peer of every measurement: dpdk-testpmd, which does nothing but receive, swap in two MAC
addresses and send, on the same source, the same sink and the same core."""

import os
import re
import select
import shutil
import subprocess
import time

import machine

PROGRAM = "dpdk-testpmd"


class PeerError(machine.Failed):
    pass


class Console:
    """testpmd's command line: one command at a time, each waited for."""

    def __init__(self, command):
        self.process = subprocess.Popen([*machine.ENDS_WITH_US, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        self.seen = ""

    def read_until(self, text, seconds):
        """Everything up to and with the next `text`."""
        deadline = time.monotonic() + seconds
        while text not in self.seen:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
            chunk = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not chunk:
                raise PeerError(f"{PROGRAM} {'has ended' if ready else 'does not answer'}:\n"
                                + "\n".join(self.seen.splitlines()[-10:]))
            self.seen += chunk.decode(errors="replace")
        before, _, self.seen = self.seen.partition(text)
        return before

    def tell(self, line, until=None, seconds=60):
        """Gives a command and waits for its echo, or else until it has printed a text and a line's end."""
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        said = self.read_until(until or line, seconds)
        return said + "\n" + self.read_until("\n", seconds) if until else said

    def end(self):
        try:
            self.process.communicate(b"quit\n", timeout=60)
        except (OSError, ValueError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()


class Testpmd:
    """One forwarding core between two devices, changing MAC addresses on the way; `frames` lie in files that are played."""

    def __init__(self, devices, frames, core, prefix):
        if shutil.which(PROGRAM) is None:
            raise PeerError(f"no {PROGRAM} (Debian package dpdk-dev)")
        mbufs = frames + 16384
        memory = machine.buffers_mib(mbufs) + 512
        huge = machine.huge_mib_free() > memory
        others = [cpu for cpu in sorted(os.sched_getaffinity(0)) if cpu != core] or [core]
        self.runtime = f"/var/run/dpdk/{prefix}"  # EAL leaves it there
        self.console = Console([
            "stdbuf", "-oL", PROGRAM, "--lcores", f"0@{others[0]},1@{core}", "--no-pci", "--no-telemetry",
            "--file-prefix", prefix, "-m", str(memory), "--in-memory" if huge else "--no-huge", "--log-level", "error",
            "--vdev", devices[0], "--vdev", devices[1],
            "--", "-i", "--no-lsc-interrupt", f"--total-num-mbufs={mbufs}", "--mbuf-size=2176",
            "--burst=64", "--nb-cores=1", "--forward-mode=mac"])
        self.pid = self.console.process.pid
        try:
            self.console.read_until("testpmd> ", 60 + frames / 50000)
            self.console.tell("set record-core-cycles on")
            self.console.tell("start", "packet forwarding")
        except BaseException:
            self.end()
            raise

    def end(self):
        self.console.end()
        shutil.rmtree(self.runtime, ignore_errors=True)

    def window(self, seconds):
        """(TSC cycles of the bursts a packet, Mpps)"""
        try:
            return window(self.console, seconds)[::-1]
        except OSError as error:
            raise PeerError(f"{PROGRAM}: {error}") from error


def window(console, seconds):
    console.tell("clear fwd stats all")
    started = time.monotonic()
    time.sleep(seconds)
    # This line is missing if not a single packet came: then the machine is too busy to measure.
    text = console.tell("show fwd stats all", "CPU cycles/packet=", 10)
    span = time.monotonic() - started
    total = text.split("Accumulated forward statistics")[-1]
    received, sent = [int(n) for n in re.findall(r"[RT]X-packets: (\d+)", total)[:2]]
    if sent / received < 0.999:
        raise PeerError(f"{PROGRAM} received {received} and sent {sent}")
    return received / span / 1e6, float(re.match(r"[\d.]+", total.splitlines()[-1]).group())
