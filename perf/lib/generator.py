# SPDX-License-Identifier: Apache-2.0
"""Our own generators (perf/gen): programs that obey lines on their standard input."""

import json
import os
import select
import subprocess
import tempfile
import time

import machine


class GeneratorError(machine.Failed):
    pass


class Generator:
    def __init__(self, program, core, within=(), wait=True, **options):
        """`core`: the CPU of all its threads. `wait`: until it is ready. `options`: --name value, '-' for '_'."""
        if not os.access(program, os.X_OK):
            raise GeneratorError(f"no {program} (ninja generators)")
        command = [*machine.ENDS_WITH_US, *within, "taskset", "-c", str(core)]
        command += [program, "--core", str(core)]
        for name, value in options.items():
            command += ["--" + name.replace("_", "-"), str(value)]
        self.name = os.path.basename(program)
        self.complaints = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.complaints)
        if wait:
            self.wait()

    def wait(self):
        """Until it is ready."""
        try:
            if self._line(30) != "ready":
                raise self.failure("is not ready")
        except BaseException:
            self.end()
            raise

    def failure(self, what):
        """The error that says so, with the last that the program has complained of: else nobody hears of that."""
        size = os.fstat(self.complaints.fileno()).st_size
        lines = os.pread(self.complaints.fileno(), 2000, max(0, size - 2000)).decode(errors="replace").splitlines()[-10:]
        return GeneratorError("\n".join([f"{self.name} {what}{':' if lines else ''}", *lines]))

    def _line(self, seconds):
        deadline = time.monotonic() + seconds
        line = b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
            byte = os.read(self.process.stdout.fileno(), 1) if ready else b""
            if not byte:
                raise self.failure("has ended" if ready else "does not answer")
            line += byte
        return line.decode().strip()

    def tell(self, command):
        try:
            self.process.stdin.write(command.encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError as error:
            raise self.failure("has ended") from error

    def ask(self, command):
        self.tell(command)
        return json.loads(self._line(30))

    def end(self):
        try:
            self.process.communicate(timeout=10)
        except (OSError, ValueError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        self.complaints.close()
