# SPDX-License-Identifier: Apache-2.0
"""A command in namespaces of its own: whatever it makes is gone when it ends, however it ends."""

import os
import signal
import subprocess
import sys

import machine

MARK = "RAMPART_PERF_ALONE"


def is_inside():
    return bool(os.environ.get(MARK)) and os.getpid() == 1


def go(argv):
    """Runs this very command again in a new mount, PID and network namespace with an empty /run, and ends
    with its status. Comes back only in there. Who asks us to end asks what runs there."""
    if is_inside():
        del os.environ[MARK]
        subprocess.run(["mount", "-t", "tmpfs", "perf", "/run"], check=True)
        os.makedirs("/run/netns")
        return
    command = ["setpriv", "--pdeathsig", "KILL", "unshare", "--fork", "--pid", "--mount-proc", "--mount",
               "--net", "--kill-child=KILL", sys.executable, *argv]
    # (A terminal's Ctrl-C would reach a child in our group, and once more through us.)
    child = subprocess.Popen(command, env={**os.environ, MARK: "yes"}, start_new_session=True)
    while True:
        try:
            sys.exit(child.wait())
        except KeyboardInterrupt:
            for inner in machine.read(f"/proc/{child.pid}/task/{child.pid}/children").split():
                os.kill(int(inner), signal.SIGINT)
