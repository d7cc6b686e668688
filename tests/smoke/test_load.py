# SPDX-License-Identifier: Apache-2.0
"""More than it can take, and things that happen meanwhile: nothing vanishes."""

import json
import threading

from lib import kube
from lib.frames import frame, udp
from lib.net import wait_for
from lib.runner import smoke

A, B = "10.0.0.1", "10.0.0.2"
STATE = [kube.namespace("web"), kube.pod("web/a", A, app="a"), kube.pod("web/b", B),
         kube.policy("web/some", {"app": "a"}, ingress=[{"ports": [kube.port(80, "UDP")]}])]


def many_policies(count=3000):
    """Takes long to compile: policies that are all different, each with a pod of its own."""
    return [kube.pod(f"web/p{i}", f"10.1.{i >> 8}.{i & 255}", unique=f"u{i}") for i in range(count)] + [
        kube.policy(f"web/n{i}", {"unique": f"u{i}"}, ingress=[
            {"ports": [kube.port(1000 + j * 7 + i) for j in range(4)]}]) for i in range(count)]


class Sent:
    """A request on its way, in a thread of its own."""

    def __init__(self, daemon, method, path, body):
        self.answer = None
        self._thread = threading.Thread(target=self._run, args=(daemon, method, path, body))
        self._thread.start()

    def _run(self, daemon, *request):
        self.answer = daemon.call(*request, timeout=100)

    def join(self):
        self._thread.join()
        assert self.answer is not None, "no answer"
        return self.answer


class Background:
    """Does something over and over in a thread of its own until the block ends."""

    def __init__(self, action):
        self.action, self.count, self.stop = action, 0, threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        while not self.stop.wait(0.0005):
            self.action(self.count)
            self.count += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


@smoke(cost=3)
def test_a_flood_adds_up(lab):
    """Frames as fast as they can be sent, in part denied: each one is forwarded or has a reason,
    those that the port had no room for included, and what was forwarded came out."""
    wire = lab.wire()
    lab.start(objects=STATE)
    there = [frame(udp(1024 + i % 5000, 80), A, B) for i in range(15000)]
    back = [frame(udp(1024 + i % 5000, 80 + i % 2), B, A) for i in range(15000)]
    for one, other in zip(there, back):
        wire.left.send(one)
        wire.right.send(other)
    wait_for("all frames to be counted",
             lambda: lab.daemon.stats()["total"]["received"] == len(there) + len(back))
    lab.daemon.settled()
    stats = {p["name"]: p for p in lab.daemon.check_laws()["ports"]}
    assert stats["a"]["received"] == len(there) and stats["b"]["received"] == len(back), stats
    assert 0 < stats["b"]["drops"]["denied_ingress"] <= len(back) // 2, stats
    assert set(stats["a"]["drops"]) <= {"rx_missed", "tx_full", "handoff_full"}, stats
    for end, name, sent in ((wire.right, "b", there), (wire.left, "a", back)):
        out = end.take_until(stats[name]["sent"])
        assert len(out) == stats[name]["sent"] > 0 and set(out) <= set(sent), name


@smoke(cost=3)
def test_resets_under_traffic_add_up(lab):
    """Ports are taken away and come back while packets flow both ways."""
    wire = lab.wire()
    lab.start(objects=STATE)
    forward, denied = frame(udp(9000, 80), A, B), frame(udp(9000, 81), B, A)

    def knock(_):
        wire.left.send(forward)
        wire.right.send(denied)

    with Background(knock) as knocking:
        for turn in range(10):
            answer = lab.daemon.call("POST", f"/v1/ports/{'ab'[turn % 2]}/reset")
            assert answer.status == 200, answer
            lab.daemon.check_laws()
            seen = knocking.count
            wait_for("more traffic", lambda n=seen: knocking.count > n + 5)
    lab.daemon.settled()
    assert wire.left.take() == [] and set(wire.right.take()) == {forward}
    wire.passes(forward)
    wire.drops(denied, "denied_ingress", back=True)


@smoke(workers=(1,), cost=3)
def test_a_long_compilation_keeps_nobody_waiting(lab):
    """Questions are answered and packets judged by the old revision until the new one is there."""
    wire = lab.wire()
    lab.start(objects=STATE)
    body = json.dumps(kube.listing(*STATE, *many_policies()))
    answers, meanwhile = [], 0
    feeder = threading.Thread(target=lambda: answers.append(
        lab.daemon.call("PUT", "/v1/snapshot", body, timeout=100)))
    feeder.start()
    while feeder.is_alive():
        wire.passes(frame(udp(lab.number(), 80), B, A), back=True)
        wire.drops(frame(udp(lab.number(), 81), B, A), "denied_ingress", back=True)
        if not answers and lab.daemon.get("/v1/status")["revision"] == 1:
            meanwhile += 1
    feeder.join()
    assert answers[0].status == 200 and answers[0].json["revision"] == 2, answers
    assert meanwhile > 0, "nothing could be asked while it compiled"


@smoke(workers=(1,), cost=3)
def test_what_waits_for_a_long_compilation_becomes_one_revision(lab):
    """Of snapshots that wait the last to come counts, and the others' senders are told at once. It and the
    events that wait become one revision, and history names their senders alone. A dry run has its turn
    among them, but what it cannot read it refuses at once."""
    lab.wire()
    lab.start(objects=STATE)
    sent = []

    def send(reason, method, *things):
        body = kube.lines(*things) if method == "PATCH" else json.dumps(kube.listing(*STATE, *things))
        sent.append(Sent(lab.daemon, method, f"/v1/snapshot?reason={reason}", body))
        return sent[-1]

    def told():
        return [s for s in waiting if s.answer is not None]

    compiled = lab.daemon.thread_ticks("changes")
    slow = send("slow", "PUT", *many_policies(15000))
    wait_for("the compilation to run", lambda: lab.daemon.thread_ticks("changes") > compiled + 2)
    waiting = [send(f"early{i}", "PUT", kube.pod(f"web/early{i}", f"10.2.0.{i}")) for i in range(1, 4)]
    # Which of them came last, the threads decide: once the others are told, it is there and waits.
    wait_for("all but one to be told", lambda: len(told()) == len(waiting) - 1)
    last = send("last", "PUT", kube.pod("web/last", "10.2.0.10"), kube.policy("web/gone", ingress=[]))
    wait_for("the last of the early ones to be told", lambda: len(told()) == len(waiting))
    for early in waiting:
        answer = early.join()
        assert (answer.status, answer.json["code"], answer.json["revision"]) == (409, "superseded", 1), answer
    broken = lab.daemon.call("POST", "/v1/validate", json.dumps(kube.listing(kube.pod("web/B_"))))
    assert (broken.status, broken.json["revision"]) == (422, 1), f"a dry run of what cannot be read: {broken}"
    dry = Sent(lab.daemon, "POST", "/v1/validate", json.dumps(kube.listing(*STATE)))
    events = [send("event1", "PATCH", kube.event("ADDED", kube.pod("web/event", "10.2.0.11"))),
              send("event2", "PATCH", kube.event("DELETED", kube.policy("web/gone", ingress=[])))]
    assert slow.join().status == 200 and slow.answer.json["revision"] == 2, slow.answer
    for one in (last, *events):
        assert one.join().status == 200 and one.answer.json["revision"] == 3, one.answer
    assert dry.join().status == 200 and dry.answer.json["revision"] > 1, dry.answer
    objects = [(o["kind"], o["metadata"]["name"]) for o in lab.daemon.get("/v1/snapshot")["items"]]
    assert sorted(objects) == [("Namespace", "web"), ("NetworkPolicy", "some"), ("Pod", "a"), ("Pod", "b"),
                               ("Pod", "event"), ("Pod", "last")], objects
    newest, before = lab.daemon.get("/v1/history")["revisions"][:2]
    assert (newest["first"], newest["revision"], before["revision"]) == (3, 3, 2), (newest, before)
    assert {one["reason"] for one in (newest, *newest["others"])} == {"last", "event1", "event2"}, newest
    assert before["reason"] == "slow" and before["others"] == [], before
    assert newest["changed"]["NetworkPolicy"] == {"added": 0, "changed": 0, "removed": 15000}, newest


@smoke(workers=(2,))
def test_feeders_at_once_lose_nothing(lab):
    """Every change is in the revision that its answer names, alone or with others that waited with
    it; of many that expect one revision, one wins."""
    lab.wire()
    lab.start(objects=STATE)
    answers = []

    def feed(method, headers, body):
        answers.append(lab.daemon.call(method, "/v1/snapshot", body, headers))

    def all_at_once(method, headers, bodies):
        answers.clear()
        threads = [threading.Thread(target=feed, args=(method, headers, b)) for b in bodies]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    all_at_once("PATCH", {}, [kube.lines(kube.event("ADDED", kube.pod(f"web/x{i}", f"10.2.0.{i}")))
                              for i in range(1, 41)])
    assert all(a.status == 200 for a in answers), answers
    last = lab.daemon.get("/v1/status")["revision"]
    assert {a.json["revision"] for a in answers} == set(range(2, last + 1)), answers
    assert lab.daemon.get("/v1/status")["objects"]["pods"] == 42
    assert sum(line.count("is in force") for line in lab.daemon.log()) == last
    all_at_once("PUT", {"If-Match": f'"{last}"'}, [
        json.dumps(kube.listing(*STATE, kube.pod(f"web/y{i}", f"10.3.0.{i}"))) for i in range(1, 21)])
    assert sorted(a.status for a in answers) == [200] + [412] * 19, answers
