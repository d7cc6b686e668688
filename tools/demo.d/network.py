# SPDX-License-Identifier: Apache-2.0
"""The demo's network: pods, nodes and the gateway as network namespaces, and the agents in the pods.

     node-a (bridge)                gateway                 node-b (bridge)
    frontend-a ─┐              ┌───────────────┐             ┌─ frontend-b
    backend-a  ─┼── uplink ────┤left  rampartd │── uplink ───┼─ backend-b
    database-a ─┤              │          right│             ├─ database-b
    outside    ─┘              └───────────────┘             └─ coredns

Everything is made by `Network.up` and removed by `Network.down`, which may be called at any time and
twice. Namespaces carry PREFIX, so that what a killed run left behind is known and removed by the next.
"""

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time

PREFIX = "rampart-demo-"
HERE = os.path.dirname(os.path.abspath(__file__))

# name: (node, address, services)
PODS = {
    "frontend-a": ("node-a", "10.244.1.10", ["tcp/80"]),
    "backend-a": ("node-a", "10.244.1.20", ["tcp/8080", "tcp/9090"]),
    "database-a": ("node-a", "10.244.1.30", ["tcp/5432"]),
    "outside": ("node-a", "203.0.113.7", ["tcp/443"]),
    "frontend-b": ("node-b", "10.244.2.10", ["tcp/80"]),
    "backend-b": ("node-b", "10.244.2.20", ["tcp/8080", "tcp/9090"]),
    "database-b": ("node-b", "10.244.2.30", ["tcp/5432"]),
    "coredns": ("node-b", "10.244.2.53", ["udp/53", "tcp/53"]),
}
NODES = {"node-a": "left", "node-b": "right"}  # and the gateway's interface towards each
GATEWAY = PREFIX + "gateway"


class DemoError(Exception):
    """Something did not work as it must; the text says what."""


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise DemoError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


def end_with_parent():
    """In a child before exec: the kernel ends it should the demo itself be killed (prctl(2))."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def start_in(namespace, command, **how):
    return subprocess.Popen(["ip", "netns", "exec", namespace, *command],
                            preexec_fn=end_with_parent, start_new_session=True, **how)


def stop(process, seconds=5):
    """SIGTERM, and SIGKILL if that is not enough; the exit status."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode


def namespaces():
    return [line.split()[0] for line in run("ip", "netns", "list").splitlines()
            if line.startswith(PREFIX)]


class Pod:
    def __init__(self, name):
        self.name = name
        self.node, self.address, self.services = PODS[name]
        self.namespace = PREFIX + name
        self.next_id = 0
        self.answers = {}
        self.pending = b""
        self.process = start_in(
            self.namespace, [sys.executable, os.path.join(HERE, "agent.py"), name, *self.services],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def send(self, verb, **arguments):
        """Tells the agent to do something; the number under which its answer will come."""
        self.next_id += 1
        command = {"id": self.next_id, "do": verb, **arguments}
        self.process.stdin.write(json.dumps(command).encode() + b"\n")
        self.process.stdin.flush()
        return self.next_id

    def read(self, deadline):
        """Waits for one more line of the agent."""
        while b"\n" not in self.pending:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, left))
            chunk = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not chunk:
                raise DemoError(f"the pod {self.name} {'has died' if ready else 'does not answer'}")
            self.pending += chunk
        line, _, self.pending = self.pending.partition(b"\n")
        return json.loads(line)

    def wait_ready(self):
        self.read(time.monotonic() + 20)

    def result(self, number, seconds=20):
        deadline = time.monotonic() + seconds
        while number not in self.answers:
            answer = self.read(deadline)
            self.answers[answer["id"]] = answer["result"]
        return self.answers.pop(number)

    def ask(self, verb, **arguments):
        return self.result(self.send(verb, **arguments))


class Network:
    def __init__(self):
        self.pods = {}

    def up(self):
        self.remove_leftovers()
        for name in ["gateway", *NODES, *PODS]:
            run("ip", "netns", "add", PREFIX + name)
            self.quieten(PREFIX + name)
            run("ip", "-n", PREFIX + name, "link", "set", "lo", "up")
        for node, port in NODES.items():
            run("ip", "-n", PREFIX + node, "link", "add", "br0", "type", "bridge",
                "forward_delay", "0", "mcast_snooping", "0")
            run("ip", "-n", PREFIX + node, "link", "set", "br0", "up")
            self.cable((PREFIX + node, "uplink"), (GATEWAY, port))
            run("ip", "-n", PREFIX + node, "link", "set", "uplink", "master", "br0")
        for name, (node, address, _) in PODS.items():
            self.cable((PREFIX + name, "eth0"), (PREFIX + node, name))
            run("ip", "-n", PREFIX + node, "link", "set", name, "master", "br0")
            run("ip", "-n", PREFIX + name, "addr", "add", address + "/32", "dev", "eth0")
            # One segment for all: the appliance is a bump in the wire, nobody routes here.
            for block in ("10.244.0.0/16", "203.0.113.0/24"):
                run("ip", "-n", PREFIX + name, "route", "add", block, "dev", "eth0", "src", address)
        for name in PODS:
            self.pods[name] = Pod(name)
        for pod in self.pods.values():
            pod.wait_ready()

    @staticmethod
    def quieten(namespace):
        """No IPv6 here: its own chatter would only blur the counters at the end."""
        if os.path.exists("/proc/sys/net/ipv6"):
            for which in ("all", "default"):
                run("ip", "netns", "exec", namespace, "sysctl", "-qw",
                    f"net.ipv6.conf.{which}.disable_ipv6=1")

    @staticmethod
    def cable(one, other):
        """A veth pair. Without the offloads of a virtual link, frames are as they would be on a wire:
        checksums filled in, nothing larger than the MTU."""
        run("ip", "link", "add", one[1], "netns", one[0], "type", "veth",
            "peer", "name", other[1], "netns", other[0])
        for namespace, interface in (one, other):
            run("ip", "netns", "exec", namespace, "ethtool", "-K", interface,
                "tx", "off", "tso", "off", "gso", "off", "gro", "off")
            run("ip", "-n", namespace, "link", "set", interface, "up")

    @staticmethod
    def remove_leftovers():
        """Of a run that was killed before it could clean up: its processes, then its namespaces."""
        for namespace in namespaces():
            for pid in run("ip", "netns", "pids", namespace).split():
                try:
                    os.kill(int(pid), signal.SIGKILL)
                except ProcessLookupError:
                    pass
            run("ip", "netns", "delete", namespace)

    def down(self):
        for pod in self.pods.values():
            stop(pod.process)
        self.pods = {}
        self.remove_leftovers()
