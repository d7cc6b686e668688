# SPDX-License-Identifier: Apache-2.0
"""Our own generators (perf/gen): programs that obey lines on their standard input."""

import json
import os
import select
import subprocess
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
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if wait:
            self.wait()

    def wait(self):
        """Until it is ready."""
        try:
            if self._line(30) != "ready":
                raise GeneratorError(f"{self.name} is not ready")
        except BaseException:
            self.end()
            raise

    def _line(self, seconds):
        deadline = time.monotonic() + seconds
        line = b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
            byte = os.read(self.process.stdout.fileno(), 1) if ready else b""
            if not byte:
                raise GeneratorError(f"{self.name} {'has ended' if ready else 'does not answer'}")
            line += byte
        return line.decode().strip()

    def tell(self, command):
        try:
            self.process.stdin.write(command.encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError as error:
            raise GeneratorError(f"{self.name} has ended") from error

    def ask(self, command):
        self.tell(command)
        return json.loads(self._line(30))

    def end(self):
        try:
            self.process.communicate(timeout=10)
        except (OSError, ValueError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
