# SPDX-License-Identifier: Apache-2.0
"""What has to be known of the machine to read a figure."""

import contextlib
import datetime
import functools
import os
import re
import signal
import subprocess
import sys
import time

STARTED = time.monotonic()

# Before a command that is to end with us, however we end. (One that is stopped hears nothing but KILL.)
ENDS_WITH_US = ("setpriv", "--pdeathsig", "KILL")


class Failed(Exception):
    """Something that a measurement needs is not there or does not do its part; the text is for who runs it."""


def end_as_if_asked():
    """From now on SIGTERM ends us as Ctrl-C does, behind a shell's & too: all that was started ends, and its folders go."""
    def interrupt(_number, _frame):
        raise KeyboardInterrupt
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, interrupt)


def say(text):
    seconds = int(time.monotonic() - STARTED)
    print(f"[{seconds // 60:02}:{seconds % 60:02}] {text}", flush=True)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path, what):
    with open(path, "w", encoding="utf-8") as file:
        file.write(str(what))


def first_line(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip().split("\n")[0] if done.returncode == 0 else "unknown"


def huge_mib_free():
    memory = read("/proc/meminfo")
    pages = int(re.search(r"HugePages_Free:\s+(\d+)", memory).group(1))
    return pages * int(re.search(r"Hugepagesize:\s+(\d+)", memory).group(1)) // 1024


def resident_bytes(smaps_rollup):
    """Of a process, huge pages among them; the text of /proc/PID/smaps_rollup (proc(5))."""
    rss = re.search(r"^Rss:\s+(\d+) kB", smaps_rollup, re.MULTILINE)
    return 1024 * int(rss.group(1)) + huge_bytes(smaps_rollup)


def huge_bytes(smaps_rollup):
    """What of that is in huge pages."""
    return 1024 * sum(map(int, re.findall(r"^(?:Private|Shared)_Hugetlb:\s+(\d+) kB", smaps_rollup, re.MULTILINE)))


def unlike_memory(pids):
    """Empty if all of some programs (name: process) have huge pages, or none has; else who has them and who has not, between
    which nothing can be compared but memory."""
    huge = {name: huge_bytes(read(f"/proc/{pid}/smaps_rollup")) > 0 for name, pid in pids.items()}
    if len(set(huge.values())) < 2:
        return ""
    have, lack = (" and ".join(name for name in huge if huge[name] == it) for it in (True, False))
    return f"huge pages for {have}, ordinary memory for {lack}: there are too few huge pages (vm.nr_hugepages)"


def buffers_mib(frames):
    """DPDK's memory for a packet buffer a frame. Without huge pages no buffer crosses a 4 KiB page."""
    return frames * 4096 // (1 << 20)


@functools.cache
def tsc_hz():
    """As the kernel has measured it at its start; under a hypervisor that is what cpuinfo says."""
    return float(re.search(r"cpu MHz\s*: ([\d.]+)", read("/proc/cpuinfo")).group(1)) * 1e6


def facts(root):
    commit = first_line("git", "-C", root, "rev-parse", "--short", "HEAD")
    if first_line("git", "-C", root, "status", "--porcelain", "-uno"):
        commit += "+"
    info = read("/proc/cpuinfo")
    model = re.search(r"model name\s*: (.*)", info).group(1)
    numbers = [re.search(rf"{name}\s*: (\d+)", info).group(1) for name in ("cpu family", "model")]
    mhz = float(re.search(r"cpu MHz\s*: ([\d.]+)", info).group(1))
    return {
        "date": datetime.date.today().isoformat(),
        "arguments": sys.argv[1:],
        "commit": commit,
        "cpu": f"{model} ({'/'.join(numbers)}), {mhz / 1000:.1f} GHz",
        "dpdk": first_line("pkg-config", "--modversion", "libdpdk"),
        "kernel": os.uname().release,
        "compiler": first_line("c++", "--version"),
        "load": f"{os.getloadavg()[0]:.1f}",  # what else the machine was doing: next to nothing, or measure again
        "memory": f"{huge_mib_free()} MiB huge" if huge_mib_free() >= 1024 else "no huge pages",
    }


def stolen():
    """(ticks taken by the hypervisor, all ticks), proc(5)."""
    ticks = [int(n) for n in read("/proc/stat").split("\n", 1)[0].split()[1:9]]
    return ticks[7], sum(ticks)


def stolen_share(before):
    now = stolen()
    return (now[0] - before[0]) / max(1, now[1] - before[1])


@contextlib.contextmanager
def huge_pages(*amounts, path="/proc/sys/vm/nr_hugepages"):
    """Has so many MiB in free huge pages meanwhile, the first of these amounts that half of the free memory is enough for, or
    what there is; gives back what it took, and no more."""
    size_kib = int(re.search(r"Hugepagesize:\s+(\d+)", read("/proc/meminfo")).group(1))
    available_kib = int(re.search(r"MemAvailable:\s+(\d+)", read("/proc/meminfo")).group(1))
    missing = [max(0, mib - huge_mib_free()) * 1024 // size_kib for mib in amounts]
    wanted = next((pages for pages in missing if pages * size_kib <= available_kib // 2), 0)
    taken = 0
    if wanted and os.access(path, os.W_OK):
        before = int(read(path))
        write(path, before + wanted)
        taken = int(read(path)) - before  # the kernel may not find so many
    try:
        yield
    finally:
        if taken > 0:
            write(path, max(0, int(read(path)) - taken))
