# SPDX-License-Identifier: Apache-2.0
"""What a test is given: a namespace for the appliance, ends of wires, pods, and the appliance."""

import itertools
import os
import subprocess
from functools import partial

from lib.daemon import Daemon
from lib.net import Namespace, RawPort, veth
from lib.pods import Pod, Side
from lib.relay import Relay
from lib.wire import Wire


class Lab:
    def __init__(self, build, workers, folder):
        self.build, self.workers, self.folder = build, workers, folder
        self.gateway = Namespace("gw")
        self.daemon = None
        self.daemons = []
        self.ports = {}  # name to DEVICE, in the order in which they were made
        self.wires = []
        self._numbers = itertools.count(20000)

    @property
    def rampartd(self):
        return os.path.join(self.build, "control", "rampartd")

    @property
    def rampartctl(self):
        path = os.path.join(self.build, "tools", "rampartctl")
        return os.path.join(path, "rampartctl") if os.path.isdir(path) else path

    def result(self, name, good):
        """Says how a part of the test went that counts by itself."""
        workers = f"{self.workers} worker{'s' if self.workers > 1 else ''}"
        print(f"{'ok' if good else 'FAILED'} smoke: {name}, {workers}", flush=True)

    def number(self):
        """A port or identifier that no other frame of this test has."""
        return next(self._numbers)

    # ---- topologies ----

    def wire(self, a="a", b="b", mtu=1500, mtu_b=None):
        """Two ports of the appliance, a wire between them, and raw sockets at the far ends."""
        ends = []
        for name, size in ((a, mtu), (b, mtu if mtu_b is None else mtu_b)):
            ns = Namespace(f"far-{name}")
            veth(self.gateway, name, ns, "end", size)
            ends.append(RawPort(ns, "end"))
            self.ports[name] = f"iface:{name}"
        self.wires.append((a, b))
        return Wire(self, a, b, *ends)

    def relay(self, near, far, there="", back="", seed=1):
        """A bad line between two places, each a namespace and the name of its interface there."""
        return Relay(os.path.join(self.build, "tests", "support", "impair_relay"), near, far, there,
                     back, seed)

    def sides(self, impair=None, seed=1):
        """Two ports, a wire between them, and a bridge behind each for pods to be plugged into.
        `impair`: what the line between the first bridge and its port does, both ways (see
        relay.py)."""
        sides = []
        for name in ("a", "b"):
            make = partial(self.relay, there=impair, back=impair, seed=seed)
            sides.append(Side(self.gateway, name, make if impair and name == "a" else None))
            self.ports[name] = f"iface:{name}"
        self.wires.append(("a", "b"))
        return sides

    def pod(self, side, name, *addresses):
        return Pod(self, side, name, addresses)

    # ---- the appliance ----

    def make(self, *options, devices=None, wires=None, folder="d", workers=None):
        """A Daemon that has not been started."""
        folder = os.path.join(self.folder, folder)
        os.makedirs(folder, exist_ok=True)
        options = list(options)
        for name, value in (("--workers", workers or self.workers), ("--idle-us", 50),
                            ("--state-dir", os.path.join(folder, "state")), ("--max-flows", 65536)):
            if name not in options:
                options += [name, value]
        daemon = Daemon(self.rampartd, self.gateway, folder,
                        self.ports if devices is None else devices,
                        self.wires if wires is None else wires, options)
        self.daemons.append(daemon)
        return daemon

    def start(self, *options, objects=None, **how):
        """Starts the appliance on all ports made so far, with a snapshot if objects are given."""
        self.daemon = self.make(*options, **how)
        self.daemon.start()
        if objects is not None:
            self.daemon.put(*objects)
        return self.daemon

    def refused_start(self, *options, **how):
        """Starts an appliance that must not start; returns (exit status, what it said)."""
        daemon = self.make(*options, **how).launch()
        try:
            status = daemon.process.wait(60)
        except subprocess.TimeoutExpired:
            daemon.kill()
            raise AssertionError(f"started all the same: {' '.join(daemon.command())}") from None
        return status, "\n".join(daemon.log())

    def ctl(self, *arguments, text=None, status=0):
        """Runs rampartctl against the appliance; returns what it printed (or, with another status than 0,
        what it complained of, if it did)."""
        done = subprocess.run(
            [self.rampartctl, "--socket", self.daemon.socket_path, *map(str, arguments)],
            input=text, capture_output=True, text=True, timeout=60)
        assert done.returncode == status, \
            f"rampartctl {arguments}: status {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout if status == 0 else done.stderr or done.stdout

    # ---- the end ----

    def finish(self):
        for daemon in self.daemons:
            if daemon.alive():
                daemon.finish()

    def explain_failure(self):
        """Logs, counters and state of every appliance, for the reader of a failure."""
        for daemon in self.daemons:
            print(f"    $ {' '.join(daemon.command())}")
            for line in daemon.log():
                print(f"    | {line}")
            if not daemon.alive():
                print(f"    (not running, status {daemon.process and daemon.process.returncode})")
                continue
            for path in ("/v1/stats", "/v1/status", "/v1/flows?limit=20"):
                try:
                    print(f"    {path}: {daemon.call('GET', path, timeout=5).body.decode()}")
                except OSError as e:
                    print(f"    {path}: {e}")
