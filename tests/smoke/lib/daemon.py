# SPDX-License-Identifier: Apache-2.0
"""rampartd as a child process, its control socket, and the laws that hold at the end of each test."""

import contextlib
import ctypes
import http.client
import json
import os
import signal
import socket
import subprocess
import time
import urllib.parse

from lib import kube
from lib.net import wait_for

PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT, WALL = 17, 0x4206, 0x4207, 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def _ptrace(request, task):
    if _libc.ptrace(ctypes.c_long(request), ctypes.c_long(task), None, None) == -1:
        raise OSError(ctypes.get_errno(), f"ptrace({request:#x}, {task}): {os.strerror(ctypes.get_errno())}")


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"HTTP {self.status} {self.body[:2000].decode(errors='replace')}"


class Daemon:
    """One run of rampartd in a namespace. `devices`: port name to DEVICE; `wires`: pairs of names."""

    def __init__(self, binary, ns, folder, devices, wires, options=(), socket_path=None):
        self.binary, self.ns, self.folder = binary, ns, folder
        self.devices, self.wires, self.options = devices, wires, list(options)
        self.socket_path = socket_path or os.path.join(folder, "rampart.sock")
        self.log_path = os.path.join(folder, "rampartd.log")
        self.process = None
        self.buffers = None  # packet buffers that were free at the start

    def command(self):
        words = ["ip", "netns", "exec", self.ns.name, self.binary, "--socket", self.socket_path]
        for name, device in self.devices.items():
            words += ["--port", f"{name}={device}"]
        for a, b in self.wires:
            words += ["--wire", f"{a},{b}"]
        return words + [str(o) for o in self.options]

    def launch(self):
        """Starts the process and does not wait for it."""
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log)
        return self

    def start(self):
        self.launch()
        wait_for("rampartd to run", self._runs, seconds=60)
        self.buffers = self._free_buffers()
        return self

    def _free_buffers(self):
        return self.get("/v1/status")["memory"]["mbufs_free"]

    def _runs(self):
        if self.process.poll() is not None:
            raise AssertionError(f"rampartd ended with status {self.process.returncode}")
        try:
            return self.get("/v1/status")["state"] == "running"
        except (OSError, http.client.HTTPException):
            return False

    # ---- the control socket ----

    def call(self, method, path, body=None, headers=None, timeout=60):
        connection = UnixConnection(self.socket_path, timeout)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, path, **query):
        if query:
            path += "?" + urllib.parse.urlencode({k.rstrip("_"): v for k, v in query.items()})
        answer = self.call("GET", path)
        assert answer.status == 200, f"GET {path}: {answer}"
        return answer.json

    def put(self, *objects):
        answer = self.call("PUT", "/v1/snapshot", json.dumps(kube.listing(*objects)))
        assert answer.status == 200, f"PUT: {answer}"
        return answer.json

    def patch(self, *events):
        answer = self.call("PATCH", "/v1/snapshot", kube.lines(*events))
        assert answer.status == 200, f"PATCH: {answer}"
        return answer.json

    def stats(self):
        return self.get("/v1/stats")

    def port(self, name):
        return next(p for p in self.stats()["ports"] if p["name"] == name)

    def drops(self, *reasons):
        """Packets dropped in total for these reasons (all reasons if none is named)."""
        drops = self.stats()["total"]["drops"]
        return sum(n for r, n in drops.items() if not reasons or r in reasons)

    def flows(self, **query):
        return self.get("/v1/flows", **query)["flows"]

    def thread_ticks(self, name):
        """The CPU time of rampartd's thread of that name, in clock ticks (proc(5), /proc/PID/stat)."""
        _, fields = self._thread(name)
        return sum(int(ticks) for ticks in fields.split()[11:13])

    @contextlib.contextmanager
    def worker_stopped(self, number):
        """Stops one worker's thread, and no other, for as long as the block runs (ptrace(2))."""
        task, _ = self._thread(f"rte-worker-{number + 1}")  # it is DPDK's lcore of that number
        _ptrace(PTRACE_SEIZE, task)
        try:
            _ptrace(PTRACE_INTERRUPT, task)
            os.waitpid(task, WALL)
            yield
        finally:
            _ptrace(PTRACE_DETACH, task)

    def _thread(self, name):
        """Its number, and what /proc says of it behind its name."""
        tasks = f"/proc/{self.process.pid}/task"
        for task in os.listdir(tasks):
            with open(f"{tasks}/{task}/stat", encoding="ascii") as file:
                command, fields = file.read().split("(", 1)[1].rsplit(")", 1)
            if command == name:
                return int(task), fields
        raise AssertionError(f"rampartd has no thread {name}")

    # ---- the end ----

    def settled(self):
        """Waits until nothing is held and the counters stand still; returns the statistics."""
        def quiet():
            before, after = self.stats(), self.stats()
            return before["total"] == after["total"] and after["total"]["held"] == 0 and after
        return wait_for("rampartd to hold no packets", quiet)

    def check_laws(self):
        """Nothing vanishes and no worker allocates; true at any moment."""
        stats = self.stats()
        for p in stats["ports"]:
            end = p["forwarded"] + sum(p["drops"].values()) + p["held"]
            assert p["received"] + p["originated"] == end, f"port {p['name']} does not add up: {p}"
        total = stats["total"]
        dropped = sum(total["drops"].values())
        assert total["dropped"] == dropped, f"total drops do not add up: {total}"
        assert total["received"] + total["originated"] == total["sent"] + dropped + total["held"], \
            f"the total does not add up: {total}"
        for key in ("received", "sent", "held", "originated"):
            assert total[key] == sum(p[key] for p in stats["ports"]), f"{key}: {stats}"
        assert "internal" not in total["drops"], f"packets without a verdict: {total}"
        for worker in self.get("/v1/status")["workers"]:
            assert worker["heap_bytes"] == 0, f"a worker allocated: {worker}"
        return stats

    def finish(self):
        """The laws, no buffer lost, then a clean end."""
        self.check_laws()
        self.settled()
        self.check_laws()
        # net_af_xdp keeps sent frames until it needs the room in its ring.
        if not any("net_af_xdp" in device for device in self.devices.values()):
            # A port that reads a file had frames in them when they were counted first.
            wait_for("every packet buffer to be free again",
                     lambda: self._free_buffers() >= self.buffers, seconds=5)
        self.terminate()

    def terminate(self, seconds=10):
        self.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"rampartd still runs {seconds} s after SIGTERM") from None
        assert status == 0, f"rampartd ended with status {status} on SIGTERM"
        assert not os.path.exists(self.socket_path), "rampartd left its socket behind"
        return time.monotonic() - began

    def kill(self):
        self.process.kill()
        self.process.wait()

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def log(self, last=60):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as f:
                return f.read().splitlines()[-last:]
        except OSError:
            return []
