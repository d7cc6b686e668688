# SPDX-License-Identifier: Apache-2.0
"""A bad line between two places: loses, repeats, reorders and delays frames.

A specification reads "loss=0.02,duplicate=0.01,reorder=0.05,delay-us=0-2000"; the program and all
that it knows are tests/support/impair_relay.cpp and impairment.hpp.
"""

import json
import os
import signal
import subprocess

from lib.net import Namespace, veth, wait_running


class Relay:
    """`near` and `far`: (namespace, name of the interface to make there). `there` is what happens to
    frames from near to far, `back` to the others; empty: nothing."""

    def __init__(self, binary, near, far, there="", back="", seed=1):
        self.ns = Namespace(f"relay-{far[1]}")
        veth(*near, self.ns, "near")
        veth(*far, self.ns, "far")
        for place in (near, far, (self.ns, "near"), (self.ns, "far")):
            wait_running(*place)
        words = ["ip", "netns", "exec", self.ns.name, binary, "--ports", "near,far", "--seed", str(seed)]
        for name, spec in (("--near-to-far", there), ("--far-to-near", back)):
            words += [name, spec] if spec else []
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        said = self.process.stdout.readline()
        assert said == "ready\n", f"{' '.join(words)}: {said}"

    def pause(self):
        """From now on frames wait in front of the line, in both directions."""
        os.kill(self.process.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)

    def resume(self):
        os.kill(self.process.pid, signal.SIGCONT)

    def stop(self):
        """Ends the line; returns what it did in each direction, (there, back)."""
        self.process.send_signal(signal.SIGTERM)
        said, _ = self.process.communicate(timeout=20)
        assert self.process.returncode == 0, f"the relay ended with {self.process.returncode}"
        told = json.loads(said)
        for name, t in told.items():
            assert t["received"] + t["duplicated"] == \
                t["lost"] + t["overflowed"] + t["sent"] + t["on_their_way"], f"{name}: {t}"
            assert t["offloaded"] == 0, f"{name}: frames that a real wire would not carry: {t}"
        return told["near_to_far"], told["far_to_near"]
