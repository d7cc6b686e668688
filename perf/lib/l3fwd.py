# SPDX-License-Identifier: Apache-2.0
"""DPDK's example l3fwd with --lookup=acl: a stateless filter over the same rules, built from the sources that
Debian packages (dpdk-doc)."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time

import appliance
import machine
import packages
from contenders import Window


def build(store):
    """The program, made once. One flag is taken out: it asks for a checksum offload that net_pcap does not have."""
    program = os.path.join(store.folder, "l3fwd", "l3fwd", "build", "l3fwd")
    if os.path.exists(program):
        return program
    examples = os.path.join(store.root("dpdk-doc"), "usr", "share", "dpdk", "examples")
    store.making("building l3fwd")
    if not os.path.isdir(os.path.join(examples, "l3fwd")):
        raise packages.PackageError("dpdk-doc holds no examples/l3fwd")
    for name in ("l3fwd", "common"):
        shutil.copytree(os.path.join(examples, name), os.path.join(store.folder, "l3fwd", name), dirs_exist_ok=True)
    main = os.path.join(store.folder, "l3fwd", "l3fwd", "main.c")
    text = machine.read(main)
    with open(main, "w", encoding="utf-8") as out:
        out.write(text.replace("RTE_ETH_RX_OFFLOAD_CHECKSUM", "0"))
    done = subprocess.run(["make", "-s", "-C", os.path.dirname(main)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise packages.PackageError(f"l3fwd does not build: {done.stderr[-500:]}")
    return program


class L3fwd:
    """What a rule names goes to net_null, all else is dropped. One thread."""

    MOST_FRAMES = 60000  # its rings have 65,535 descriptors at most

    def __init__(self, store, pcap, frames, core, rules):
        if frames > self.MOST_FRAMES:
            raise packages.PackageError(f"a file of {frames:,} frames does not fit its rings")
        program = build(store)
        self.folder, self.process = tempfile.mkdtemp(prefix="rampart-perf."), None
        self.prefix = f"perf-l3fwd-{os.getpid()}"
        self._open_socket()
        try:
            self._start(program, pcap, frames, core, rules)
            self._connect(20 + frames / 50000)
        except BaseException:
            self.end()
            raise

    @classmethod
    def leaked(cls, store, strange, frames, core, rules):
        """What becomes of a file of frames that no rule names: (how many were received, and sent)."""
        one = cls(store, strange, frames, core, rules)
        try:
            return one._count(0)[0], one._count(1)[1]
        finally:
            one.end()

    def _start(self, program, pcap, frames, core, rules):
        v4, v6 = os.path.join(self.folder, "v4"), os.path.join(self.folder, "v6")
        with open(v4, "w", encoding="utf-8") as out:
            for rule in rules:
                out.write(f"R{rule.source}/{rule.length} {rule.destination}/32 0 : 65535 {rule.first} : {rule.last} "
                          f"0x{rule.protocol:02x}/0xFF 1\n")
        with open(v6, "w", encoding="utf-8") as out:  # it wants one
            out.write("R2001:0db8:0:0:0:0:0:0/64 2001:0db8:0:0:0:0:0:1/128 0 : 65535 0 : 65535 0x11/0xFF 1\n")
        memory = machine.buffers_mib(frames + 16384) + 512
        huge = "--in-memory" if machine.huge_mib_free() > memory else "--no-huge"
        # It makes its pool as large as its rings of descriptors ask for; net_pcap wants a buffer a frame.
        ring = max(1024, frames + 4096)
        simd = "avx512x32" if "avx512bw" in machine.read("/proc/cpuinfo") else "avx2"
        with open(os.path.join(self.folder, "log"), "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [*machine.ENDS_WITH_US, program, "-l", str(core), "--no-pci", "--file-prefix", self.prefix, huge, "-m", str(memory),
                 "--log-level=3", "--force-max-simd-bitwidth=512", "--vdev", f"net_pcap0,rx_pcap={pcap},infinite_rx=1",
                 "--vdev", "net_null1,no-rx=1", "--", "-p", "3", "-P", f"--config=(0,0,{core})", "--lookup=acl",
                 f"--rule_ipv4={v4}", f"--rule_ipv6={v6}", f"--rx-queue-size={ring}", f"--alg={simd}", "--no-numa",
                 "--parse-ptype"], stdout=log, stderr=log)
        self.pid = self.process.pid

    def _open_socket(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(10)

    def _connect(self, seconds):
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.socket.connect(f"/var/run/dpdk/{self.prefix}/dpdk_telemetry.v2")
                self.socket.recv(4096)
                if self._count(0)[0]:
                    return
            except (OSError, KeyError, TypeError) as error:
                last = error
                self.socket.close()
                self._open_socket()
            else:
                last = "it receives nothing"
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise appliance.ApplianceError(f"l3fwd: {last}: {machine.read(os.path.join(self.folder, 'log'))[-800:]}")
            time.sleep(0.1)

    def _count(self, port):
        self.socket.send(f"/ethdev/stats,{port}".encode())
        stats = json.loads(self.socket.recv(16384))["/ethdev/stats"]
        return stats["ipackets"], stats["opackets"]

    def sample(self):
        ran = int(machine.read(f"/proc/{self.pid}/task/{self.pid}/schedstat").split()[0]) / 1e9
        return time.monotonic(), self._count(0)[0], self._count(1)[1], ran

    def window(self, seconds):
        first = self.sample()
        time.sleep(seconds)
        spent, packets, sent, ran = (b - a for a, b in zip(first, self.sample()))
        if packets == 0:
            raise appliance.ApplianceError("l3fwd received nothing")
        return Window(ran * machine.tsc_hz() / packets, packets / spent / 1e6, {"sent": sent / packets})

    def end(self):
        self.socket.close()
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(f"/var/run/dpdk/{self.prefix}", ignore_errors=True)
