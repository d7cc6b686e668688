# SPDX-License-Identifier: Apache-2.0
"""Every truth table of tests/semantics/cases, sent as packets through the real binary."""

import itertools
import json
import pathlib

from lib.frames import echo, echo6, frame, is_v6, sctp, sctp_init, tcp, udp
from lib.kube import event
from lib.runner import smoke

CASES = pathlib.Path(__file__).resolve().parent.parent / "semantics" / "cases"
SUPPORTED = {"Namespace", "Pod", "Node", "NetworkPolicy"}
NAMESPACELESS = {"Namespace", "Node", "ClusterNetworkPolicy"}


def key(thing):
    meta = thing["metadata"]
    return thing["kind"], meta.get("namespace", ""), meta["name"]


class Cluster:
    """The objects of a case, as its steps change them."""

    def __init__(self, objects):
        self.objects = {key(o): o for o in objects}

    def step(self, step):
        """Takes a step and returns it as watch events."""
        events = []
        for reference in step.get("delete", []):
            gone = [k for k in self.objects if self._goes(k, reference)]
            assert gone, f"nothing to delete: {reference}"
            events += [event("DELETED", self.objects.pop(k)) for k in gone]
        for thing in step.get("apply", []):
            kind = "MODIFIED" if key(thing) in self.objects else "ADDED"
            self.objects[key(thing)] = thing
            events.append(event(kind, thing))
        return events

    @staticmethod
    def _goes(k, reference):
        if reference["kind"] == "Namespace":
            return k == ("Namespace", "", reference["name"]) or k[1] == reference["name"]
        return k == (reference["kind"], reference.get("namespace", ""), reference["name"])

    def address(self, text):
        if ("Pod", *text.partition("/")[::2]) in self.objects:
            return self.objects["Pod", *text.partition("/")[::2]]["status"]["podIP"]
        assert "/" not in text, f"no such pod: {text}"
        return text


def first_packet(proto, number, port):
    if proto == "TCP":
        return tcp(number, port)
    if proto == "UDP":
        return udp(number, port, b"probe")
    if proto == "SCTP":
        return sctp(number, port, sctp_init(number))
    assert proto == "ICMP"
    return None


class Prober:
    def __init__(self, wire):
        self.wire = wire
        self.numbers = itertools.cycle(range(1025, 65536))

    def packet(self, source, destination, probe):
        number = next(self.numbers)
        l4 = first_packet(probe["proto"], number, probe["dport"])
        if l4 is None:
            l4 = echo6(number) if is_v6(source) else echo(number)
        return frame(l4, source, destination)

    def run(self, cluster, probes):
        """Sends each probe over the wire in both directions; returns what went wrong and how many
        packets were sent."""
        sent = ({}, {})
        for probe in probes:
            ends = cluster.address(probe["src"]), cluster.address(probe["dst"])
            if ends[0] == ends[1]:
                continue
            for way in sent:
                way[self.packet(*ends, probe)] = probe
        seen = [set(frames) for frames in self.wire.cross(*map(list, sent))]
        wrong = []
        for way, out, name in zip(sent, seen, ("to the right", "to the left")):
            wrong += [f"{name}: a frame that nobody sent: {f.hex()}" for f in out - set(way)]
            wrong += [f"{name}: {p['src']} -> {p['dst']} {p['proto']}/{p['dport']}: expected "
                      f"{p['expect']}, {'passed' if f in out else 'dropped'}"
                      for f, p in way.items() if (p["expect"] == "allow") != (f in out)]
        return wrong, sum(map(len, sent))


def unsupported(objects):
    return [o for o in objects if o["kind"] not in SUPPORTED]


def explained(lab, probes):
    """Asks explain about some of the probes; returns where it says anything but the table."""
    wrong = []
    for probe in probes[::17]:
        said = lab.daemon.get("/v1/explain", from_=probe["src"], to=probe["dst"],
                              protocol=probe["proto"], port=probe["dport"])
        if said["verdict"] != probe["expect"] or said["tables_agree"] is not True:
            wrong.append(f"explain {probe}: {said}")
    return wrong


def run_case(lab, prober, case):
    cluster = Cluster(case["objects"])
    answer = lab.daemon.put(*cluster.objects.values())
    if unsupported(case["objects"]):
        names = {f"{o['kind']} {o['metadata']['name']}" for o in unsupported(case["objects"])}
        for place in (answer["warnings"], lab.daemon.get("/v1/status")["warnings"]):
            warned = {w["object"] for w in place if w["code"] == "unsupported-policy"}
            if not names <= warned:
                return [f"expected warnings about {names}, got {place}"], 1
        return [], 1
    wrong, count = prober.run(cluster, case["probes"])
    wrong += explained(lab, case["probes"])
    for number, step in enumerate(case.get("steps", []), 1):
        lab.daemon.patch(*cluster.step(step))
        found, more = prober.run(cluster, step["probes"])
        wrong += [f"step {number}: {w}" for w in found + explained(lab, step["probes"])]
        count += more
    return wrong, count


@smoke(cost=40, limit=240)
def test_cases(lab):
    wire = lab.wire()
    lab.start("--max-flows", 131072, "--syn-challenge-percent", 0)
    prober = Prober(wire)
    failed = []
    paths = sorted(CASES.glob("*.json"))
    assert len(paths) >= 50, f"only {len(paths)} cases in {CASES}"
    for path in paths:
        case = json.loads(path.read_text(encoding="utf-8"))
        wrong, count = run_case(lab, prober, case)
        assert count > 0, f"{path.stem}: nothing sent"
        lab.result(f"case {path.stem}", not wrong)
        for line in wrong[:10]:
            print(f"    {line}")
        failed += [path.stem] if wrong else []
    lab.daemon.check_laws()
    for reason in ("tx_full", "rx_missed", "rx_no_mbuf", "handoff_full", "table_full"):
        assert lab.daemon.drops(reason) == 0, f"{lab.daemon.drops(reason)} packets lost: {reason}"
    assert not failed, f"{len(failed)} cases: {' '.join(failed)}"
