#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The story that tools/demo tells, once everything is built.

usage: demo.py --build DIR [--color auto|always|never] [--bridge]

--bridge puts a plain bridge where the appliance stands: nothing is enforced then and the demo must
fail. It is there to see the matrix fail.

Exit status: 0 if everything was as expected, 1 if not, 130 if interrupted.
"""

import argparse
import fcntl
import json
import os
import pty
import shlex
import shutil
import signal
import subprocess
import sys
import time

import matrix
from network import GATEWAY, DemoError, Network, run, start_in, stop

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXAMPLES = "config/examples"
FOLDER = "/run/rampart-demo"  # one demo at a time, see main(); what a killed one left is not in the way


def run_on_terminal(command):
    """Runs a command whose output goes to a terminal, so that it colours it; (status, output, errors)."""
    ours, its = pty.openpty()
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=its,
                               stderr=subprocess.PIPE, text=True)
    os.close(its)
    output = b""
    try:
        while chunk := os.read(ours, 65536):
            output += chunk
    except OSError:  # EIO: the other end is closed
        pass
    os.close(ours)
    errors = process.communicate()[1]
    return process.returncode, output.decode(errors="replace").replace("\r\n", "\n"), errors


class Demo:
    def __init__(self, options):
        self.options = options
        self.paint = matrix.Paint(options.color == "always"
                                  or (options.color == "auto" and sys.stdout.isatty()
                                      and "NO_COLOR" not in os.environ))
        self.network = Network()
        self.appliance = None
        self.folder = FOLDER
        shutil.rmtree(FOLDER, ignore_errors=True)
        os.mkdir(FOLDER, 0o700)
        self.socket = os.path.join(self.folder, "rampart.sock")
        self.log = os.path.join(self.folder, "rampartd.log")
        self.wrong = []
        self.step = 0

    def out(self, text=""):
        print(text, flush=True)

    def heading(self, text):
        self.step += 1
        self.out(f"\n{self.paint('1;36', f'{self.step}. {text}')}\n")

    def check(self, what, seen, expected, note=""):
        """One line of the story that must be so."""
        if seen == expected:
            self.out(f"  {self.paint.good('✔')} {what}: {self.paint.bold(str(seen))} {note}".rstrip())
        else:
            self.wrong.append(f"{what}: expected {expected}, seen {seen}")
            self.out(f"  {self.paint.bad('✘ ' + self.wrong[-1])}")

    # The appliance and its command line -----------------------------------------------------------

    def program(self, name):
        return os.path.join(self.options.build, {"rampartd": "control", "rampartctl": "tools/rampartctl"}[name], name)

    def ctl(self, *arguments, show=True):
        """Runs rampartctl; if shown, with the command before and in colour where the demo is."""
        command = [self.program("rampartctl"), "--socket", self.socket, *arguments]
        if show:
            self.out(self.paint.dim("  $ ") + "rampartctl " + shlex.join(arguments))
        if show and self.paint.on:
            status, output, errors = run_on_terminal(command)
        else:
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
            status, output, errors = done.returncode, done.stdout, done.stderr
        if show:
            for line in output.splitlines():
                self.out(("    " + line).rstrip())
        if status:
            raise DemoError(f"rampartctl {shlex.join(arguments)}: exit status {status}: {errors.strip()}")
        return output

    def change(self, verb, file):
        if not self.options.bridge:
            self.ctl(verb, "-f", f"{EXAMPLES}/{file}")

    def start_appliance(self):
        if self.options.bridge:
            run("ip", "-n", GATEWAY, "link", "add", "br0", "type", "bridge", "forward_delay", "0")
            for port in ("left", "right", "br0"):
                run("ip", "-n", GATEWAY, "link", "set", port, "up",
                    *([] if port == "br0" else ["master", "br0"]))
            return
        arguments = ["--port", "left=iface:left", "--port", "right=iface:right", "--wire", "left,right",
                     "--workers", "1", "--idle-us", "50",
                     "--socket", self.socket, "--state-dir", os.path.join(self.folder, "state")]
        self.out(self.paint.dim("  $ ") + "rampartd " + shlex.join(arguments[:10]) + " …")
        with open(self.log, "w", encoding="utf-8") as log:
            self.appliance = start_in(GATEWAY, [self.program("rampartd"), *arguments],
                                      stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while True:
            if self.appliance.poll() is not None:
                raise DemoError(f"rampartd ended with status {self.appliance.returncode}")
            try:
                status = json.loads(self.ctl("status", "-o", "json", show=False))
                if status["state"] == "running" and all(port["up"] for port in status["ports"]):
                    break
            except (DemoError, ValueError) as error:
                if time.monotonic() > deadline:
                    raise DemoError(f"rampartd does not answer: {error}") from error
            if time.monotonic() > deadline:
                raise DemoError("rampartd's ports do not come up")
            time.sleep(0.1)
        drivers = ", ".join(f"{port['name']} ({port['driver']})" for port in status["ports"])
        self.out(f"    running: ports {drivers}, {len(status['workers'])} worker, "
                 f"{'huge pages' if status['memory']['huge_pages'] else 'no huge pages needed'}")

    # The story ------------------------------------------------------------------------------------

    def show_matrix(self, policies):
        self.wrong += matrix.show(self.network.pods, policies, self.paint, self.out)

    def before_any_policy(self):
        self.heading("Two nodes, and the appliance as a bump in the wire between them")
        self.network.up()
        self.out("  node-a: frontend-a backend-a database-a, and an outside client on its uplink\n"
                 "  node-b: frontend-b backend-b database-b, and CoreDNS (kube-system)\n")
        self.start_appliance()
        pods = self.network.pods
        if not self.options.bridge:
            seen = pods["frontend-a"].ask("probe", protocol="tcp", host=pods["backend-b"].address,
                                          port=8080, peer="backend-b", timeout=1.2)
            self.check("frontend-a → backend-b TCP/8080", seen, "timeout",
                       "(nothing passes before it knows the cluster)")
        self.heading("The cluster without policies: everybody reaches everybody")
        self.change("apply", "three-tier/cluster.yaml")
        self.out()
        self.show_matrix(False)

    def with_policies(self):
        self.heading("Three policies, one per tier: who may speak to whom")
        self.change("apply", "three-tier")
        self.out()
        self.show_matrix(True)

    def policy_meets_open_connection(self):
        self.heading("The policy changes while connections are open")
        pods = self.network.pods
        frontend, backend = pods["frontend-a"], pods["backend-a"]
        opened = [frontend.ask("open", connection="web", host=pods["backend-b"].address, port=8080, timeout=5),
                  backend.ask("open", connection="sql", host=pods["database-b"].address, port=5432, timeout=5)]
        if opened != ["open", "open"]:
            raise DemoError(f"the two connections did not open: {opened}")

        def both(line, seconds):
            numbers = [(pod, pod.send("ask", connection=name, line=line, timeout=seconds))
                       for pod, name in ((frontend, "web"), (backend, "sql"))]
            return [pod.result(number) for pod, number in numbers]

        web, sql = both("before", 3)
        self.check("frontend-a → backend-b TCP/8080, connected", web, "answer")
        self.check("backend-a → database-b TCP/5432, connected", sql, "answer")
        self.out("\n  now the database is locked for maintenance (its policy loses its only rule):")
        self.change("delta", "database-locked.yaml")
        self.out()
        web, sql = both("after", 3)
        self.check("frontend-a → backend-b TCP/8080, the same connection", web, "answer", "(untouched)")
        self.check("backend-a → database-b TCP/5432, the same connection", sql, "silence", "(cut)")
        self.out()
        self.change("delta", "three-tier/database.yaml")

    def why(self):
        self.heading("Why does frontend-a not reach database-b?")
        self.ctl("explain", "app/frontend-a", "app/database-b", "TCP/5432")

    def counters(self):
        self.heading("What the appliance counted")
        self.ctl("stats")
        total = json.loads(self.ctl("stats", "-o", "json", show=False))["total"]
        dropped = sum(total["drops"].values())
        came, went = total["received"] + total["originated"], total["sent"] + dropped + total["held"]
        self.out()
        self.check(f"nothing vanished: {came} received, and {total['sent']} sent + {dropped} dropped by name "
                   f"+ {total['held']} held", went, came)

    def tell(self):
        self.before_any_policy()
        self.with_policies()
        self.policy_meets_open_connection()
        if not self.options.bridge:
            self.why()
            self.counters()

    def end(self):
        """Ends and removes everything; a failure here is one of the demo."""
        if self.appliance is not None:
            status = stop(self.appliance)
            if status != 0:
                self.wrong.append(f"rampartd ended with status {status}")
        self.network.down()
        if self.wrong and os.path.exists(self.log):
            self.out("\n  the last lines of rampartd's log:")
            with open(self.log, encoding="utf-8", errors="replace") as log:
                for line in log.readlines()[-25:]:
                    self.out("    " + line.rstrip())
        shutil.rmtree(self.folder, ignore_errors=True)


def arguments():
    parser = argparse.ArgumentParser(description="Rampart's demo, once everything is built")
    parser.add_argument("--build", required=True, help="build directory")
    parser.add_argument("--color", choices=["auto", "always", "never"], default="auto")
    parser.add_argument("--bridge", action="store_true", help="no appliance, a plain bridge: must fail")
    return parser.parse_args()


def main():
    options = arguments()
    lock = open(FOLDER + ".lock", "w", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        print("another demo is running on this machine", file=sys.stderr)
        return 1

    def interrupted(number, frame):
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    started = time.monotonic()
    demo = Demo(options)
    status = None
    try:
        demo.tell()
    except KeyboardInterrupt:
        status = 130
        demo.out("\n  interrupted")
    except (DemoError, OSError) as error:
        demo.wrong.append(str(error))
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        demo.end()
    if status is not None:
        return status
    seconds = time.monotonic() - started
    demo.out()
    if demo.wrong:
        demo.out(demo.paint.bad(f"{len(demo.wrong)} things were not as expected") + f" ({seconds:.0f} s):")
        for line in demo.wrong:
            demo.out("  " + line)
        return 1
    demo.out(demo.paint.good("Everything was as expected.")
             + f" {seconds:.0f} s; namespaces and processes are gone again.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
