# SPDX-License-Identifier: Apache-2.0
"""Finds the tests, runs each in namespaces of its own, two at a time, and says how it went.

Every test is a process in a new mount, PID and network namespace with an empty /run. When that process
ends, for whatever reason, the kernel ends the others of its PID namespace and takes the network
namespaces with it: nothing is left to clean up.
"""

import concurrent.futures
import importlib
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent.parent
TESTS = []
AT_A_TIME = 2


class Test:
    def __init__(self, function, workers, cost, limit):
        self.function, self.workers, self.cost, self.limit = function, workers, cost, limit
        self.name = function.__name__.removeprefix("test_")

    def title(self, workers):
        return f"smoke: {self.name}, {workers} worker{'s' if workers > 1 else ''}"


def smoke(workers=(1, 2), cost=1, limit=120):
    """Makes a function a test. `workers`: the counts it makes sense with; `cost`: about how many
    seconds it takes, so that long ones begin first; `limit`: seconds after which it has failed."""
    def register(function):
        TESTS.append(Test(function, workers, cost, limit))
        return function
    return register


def load():
    for path in sorted(HERE.glob("test_*.py")):
        importlib.import_module(path.stem)
    names = [t.name for t in TESTS]
    twice = {n for n in names if names.count(n) > 1}
    if twice:
        sys.exit(f"two tests have one name: {', '.join(sorted(twice))}")


# ---- the test's own process ----

class OutOfTime(Exception):
    pass


def _alarm(*_):
    raise OutOfTime("the test's time is over")


def run_here(name, workers, build):
    """Runs one test in this process, which must be alone in its namespaces."""
    from lib.lab import Lab
    test = next(t for t in TESTS if t.name == name)
    subprocess.run(["mount", "-t", "tmpfs", "smoke", "/run"], check=True)
    os.makedirs("/run/netns")
    folder = "/run/lab"
    os.makedirs(folder)
    signal.signal(signal.SIGALRM, _alarm)
    signal.alarm(test.limit)
    lab = None
    try:
        lab = Lab(build, workers, folder)
        test.function(lab)
        lab.finish()
    except BaseException:
        signal.alarm(0)
        traceback.print_exc(file=sys.stdout)
        if lab is not None:
            lab.explain_failure()
        print(f"FAILED {test.title(workers)}", flush=True)
        return 1
    print(f"ok {test.title(workers)}", flush=True)
    return 0


# ---- the runner ----

class Runner:
    def __init__(self, build, verbose=False):
        self.build, self.verbose = build, verbose
        self.running = {}
        self.lock = threading.Lock()
        self.stopping = False

    def one(self, test, workers):
        command = ["setpriv", "--pdeathsig", "KILL", "unshare", "--fork", "--pid", "--mount-proc",
                   "--mount", "--net", "--kill-child=KILL", sys.executable, str(HERE / "run"),
                   "--build", self.build, "--workers", str(workers), "--here", test.name]
        with self.lock:
            if self.stopping:
                return False
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, text=True)
            self.running[process.pid] = process
        began = time.monotonic()
        try:
            output, _ = process.communicate(timeout=test.limit + 60)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
        with self.lock:
            del self.running[process.pid]
            if self.stopping:
                return False
            good = process.returncode == 0
            lines = output.splitlines()
            if not good and not any(line.startswith("FAILED ") for line in lines):
                lines.append(f"FAILED {test.title(workers)} (status {process.returncode})")
            print("\n".join(lines))
            if self.verbose:
                print(f"    ({time.monotonic() - began:.1f} s)")
            sys.stdout.flush()
        return good

    def stop(self, *_):
        """Ends all tests at once, and with them whatever they made."""
        self.stopping = True
        for process in list(self.running.values()):
            process.kill()
        os._exit(143)

    def all(self, jobs, keep_going=True):
        signal.signal(signal.SIGTERM, self.stop)
        signal.signal(signal.SIGINT, self.stop)
        good = True
        with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
            futures = [pool.submit(self.one, *job) for job in jobs]
            for future in concurrent.futures.as_completed(futures):
                good = future.result() and good
                if not good and not keep_going:
                    with self.lock:
                        self.stopping = True
                    for other in futures:
                        other.cancel()
                    for process in list(self.running.values()):
                        process.kill()
        return good
