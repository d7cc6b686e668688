# SPDX-License-Identifier: Apache-2.0
"""The peer of every measurement: dpdk-testpmd, which does nothing but receive, swap in two MAC
addresses and send, on the same source, the same sink and the same core."""

import os
import re
import shutil
import subprocess
import time

PROGRAM = "dpdk-testpmd"


class PeerError(Exception):
    pass


def measure(pcap, frames, core, windows, seconds, huge, prefix):
    """[(Mpps, TSC cycles per packet)…], one pair a window."""
    if shutil.which(PROGRAM) is None:
        raise PeerError(f"no {PROGRAM} (Debian package dpdk-dev)")
    mbufs = frames + 16384
    memory = mbufs * 2560 // (1 << 20) + 512
    others = [cpu for cpu in sorted(os.sched_getaffinity(0)) if cpu != core] or [core]
    command = [PROGRAM, "--lcores", f"0@{others[0]},1@{core}", "--no-pci", "--no-telemetry",
               "--file-prefix", prefix, "-m", str(memory), *([] if huge else ["--no-huge"]),
               "--log-level", "error",
               "--vdev", f"net_pcap0,rx_pcap={pcap},infinite_rx=1", "--vdev", "net_null0,no-rx=1",
               "--", "-i", "--no-lsc-interrupt", f"--total-num-mbufs={mbufs}", "--mbuf-size=2176",
               "--burst=32", "--nb-cores=1", "--forward-mode=mac"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
    tell = lambda *lines: (process.stdin.write("\n".join(lines) + "\n"), process.stdin.flush())
    spans = []
    try:
        tell("set record-core-cycles on", "start")
        time.sleep(1 + frames / 2e6)
        for _ in range(windows):
            started = time.monotonic()
            tell("clear fwd stats all")
            time.sleep(seconds)
            tell("show fwd stats all")
            spans.append(time.monotonic() - started)
        tell("stop", "quit")
        text, _ = process.communicate(timeout=120)
    except (BrokenPipeError, subprocess.TimeoutExpired):
        process.kill()
        text, _ = process.communicate()
        raise PeerError(f"{PROGRAM} did not run:\n" + "\n".join(text.splitlines()[-10:])) from None
    finally:
        shutil.rmtree(f"/var/run/dpdk/{prefix}", ignore_errors=True)  # it leaves this behind
    cycles = [float(n) for n in re.findall(r"CPU cycles/packet=([\d.]+)", text)]
    sums = [[int(n) for n in re.findall(r"X-packets: (\d+)", part)[:2]]
            for part in text.split("Accumulated forward statistics")[1:]]
    if len(cycles) < windows or len(sums) < windows:
        raise PeerError(f"{PROGRAM} printed no statistics:\n" + "\n".join(text.splitlines()[-10:]))
    for received, sent in sums[:windows]:
        if received == 0 or sent / received < 0.999:
            raise PeerError(f"{PROGRAM} received {received} and sent {sent}")
    return [(received / span / 1e6, cost) for (received, _), span, cost in zip(sums, spans, cycles)]
