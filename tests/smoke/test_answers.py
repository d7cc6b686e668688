# SPDX-License-Identifier: Apache-2.0
"""What rampartctl answers beyond looking: when a revision is there, why, who can reach whom."""

import json

from lib import kube
from lib.frames import frame, tcp
from lib.net import wait_for
from lib.runner import smoke

A, B, C = "10.0.0.1", "10.0.0.2", "10.0.0.3"


def pods():
    return [kube.pod("web/client", A, app="client"), kube.pod("web/server", B, app="server"),
            kube.pod("web/other", C, app="other")]


def allow_clients(port=80):
    return kube.policy("web/allow", {"app": "server"}, ingress=[
        {"from": [{"podSelector": {"matchLabels": {"app": "client"}}}], "ports": [kube.port(port)]}])


@smoke(cost=2)
def test_status_waits_for_a_revision_on_every_worker(lab):
    wire = lab.wire()
    lab.start()
    late = lab.ctl("status", "--wait", "1", "--timeout", "3", status=1)
    assert "revision 0 is in force" in late, late
    lab.ctl("apply", "-f", "-", text=json.dumps(kube.listing(*pods(), allow_clients())))
    assert lab.ctl("status", "--wait", "1") == "revision 1 is in force on every worker\n"
    said = json.loads(lab.ctl("-o", "json", "status", "--wait", "1"))
    assert {worker["revision"] for worker in said["workers"]} == {1}, said
    wire.drops(frame(tcp(lab.number(), 80), C, B), "denied_ingress")
    wire.passes(frame(tcp(lab.number(), 80), A, B))
    lab.ctl("status", "--wait", "first", status=2)


@smoke(workers=(2,), cost=10)
def test_a_worker_that_does_not_answer_is_named(lab):
    """The other one's figures go on, and when it answers again everything adds up."""
    wire = lab.wire()
    lab.start(objects=[*pods(), allow_clients()])

    def flows_of(stats):
        return [worker["flows_created"] for worker in stats["workers"]]
    wire.cross([frame(tcp(lab.number(), 80), A, B) for _ in range(20)])
    before = flows_of(lab.daemon.stats())
    assert sum(before) == 20 and 0 not in before, before
    with lab.daemon.worker_stopped(1):
        for _ in range(20):
            wire.left.send(frame(tcp(lab.number(), 80), A, B))
        stats = lab.daemon.stats()
        assert [worker["silent"] for worker in stats["workers"]] == [False, True], stats
        assert flows_of(stats)[1] == before[1], (before, stats)
        assert any(hint.startswith("worker 1: has not answered") for hint in stats["hints"]), stats
        warnings = lab.daemon.get("/v1/status")["warnings"]
        assert ("worker-silent", "worker 1") in [(w["code"], w["object"]) for w in warnings], warnings
        assert "hint: worker 1: has not answered" in lab.ctl("stats")
    wait_for("all of them to be forwarded", lambda: sum(flows_of(lab.daemon.stats())) == 40)
    assert not any(worker["silent"] for worker in lab.daemon.stats()["workers"])


@smoke(workers=(1,), cost=3)
def test_explain_says_the_same_of_files_and_of_what_is_in_force(lab):
    wire = lab.wire()
    lab.start()
    locked = kube.policy("web/locked", {"app": "client"}, egress=[
        {"to": [kube.pods(app="server")], "ports": [kube.port(80), kube.port(8080)]}])
    lab.ctl("apply", "-f", "-", text=json.dumps(kube.listing(*pods(), allow_clients(), locked)))
    snapshot = lab.ctl("snapshot")
    told = 0
    for source in ("web/client", "web/other", C, "192.0.2.1"):
        for target in ("web/server", "web/client", "192.0.2.1"):
            for service in ("TCP/80", "TCP/8080", "UDP/80", "ICMP"):
                online = json.loads(lab.ctl("-o", "json", "explain", source, target, service))
                assert online.pop("revision") == 1 and online.pop("tables_agree") is True, online
                assert online.pop("flows") is None
                offline = json.loads(lab.ctl("-o", "json", "explain", "-f", "-", source, target,
                                             service, text=snapshot))
                assert online == offline, f"{online}\n{offline}"
                told += len(online["egress"]["nearest"]) + len(online["ingress"]["nearest"])
    assert told > 10, told
    n = lab.number()
    wire.drops(frame(tcp(n, 8080), A, B), "denied_ingress")
    said = lab.ctl("explain", A, B, "TCP/8080")
    assert "port 80 is allowed, 8080 is not" in said, said
    wire.drops(frame(tcp(n, 80), C, B), "denied_ingress")
    said = lab.ctl("explain", C, B, "TCP/80")
    assert "would pass if the source had label app=client (it has app=other)" in said, said


@smoke(cost=2)
def test_explain_of_a_live_flow(lab):
    wire = lab.wire()
    lab.start()
    lab.ctl("apply", "-f", "-", text=json.dumps(kube.listing(
        *pods(), allow_clients(), kube.policy("web/silent", {"app": "server"}, egress=[]))))
    n = lab.number()
    wire.passes(frame(tcp(n, 80, "S"), A, B))
    wire.passes(frame(tcp(80, n, "SA", ack=1), B, A), back=True)
    said = lab.ctl("explain", f"{B}:80", f"{A}:{n}", "TCP")
    assert "deny" in said and "isolated for egress by web/silent" in said, said
    assert f"live flow    TCP {A}:{n} to {B}:80" in said and "answers pass" in said, said
    said = lab.ctl("explain", f"{A}:{n}", f"{B}:80", "TCP")
    assert "would be a packet of it" in said and "web/allow ingress[0]" in said, said
    assert "no live flow" in lab.ctl("explain", "--flows", A, B, "TCP/81")


@smoke(workers=(1,), cost=3)
def test_the_matrix_is_what_packets_meet(lab):
    wire = lab.wire()
    lab.start()
    lab.ctl("apply", "-f", "-", text=json.dumps(kube.listing(
        *pods(), allow_clients(), kube.policy("web/quiet", {"app": "other"}, egress=[
            {"ports": [kube.port(81)]}]))))
    matrix = json.loads(lab.ctl("-o", "json", "matrix"))
    ends = {end["pods"][0]: i for i, end in enumerate(matrix["ends"]) if end["pods"]}
    address = {"client": A, "server": B, "other": C}
    opened = 0
    for source, source_end in ends.items():
        for target, target_end in ends.items():
            if source == target:
                continue
            ports = matrix["ports"][matrix["cells"][source_end][target_end]]
            for port in (80, 81):
                allowed = any(first <= port <= last for first, last in ports["TCP"])
                out, _ = wire.cross([frame(tcp(lab.number(), port), address[source], address[target])])
                assert bool(out) == allowed, f"{source} to {target} on {port}: {ports['text']}"
                opened += allowed
    assert 0 < opened < 12, opened
    assert "web/app=client" in lab.ctl("matrix", "--kinds")
    assert "<svg" in lab.ctl("-o", "html", "matrix")
    # What is in force against what could be: nothing differs, then one port more.
    snapshot = lab.ctl("snapshot")
    assert lab.ctl("diff", "@running", "-", text=snapshot) == "nothing opens or closes\n"
    other_port = json.dumps(kube.listing(*pods(), allow_clients(81)))
    assert lab.ctl("diff", "@running", "-", text=other_port, status=1).startswith(
        "+ web/app=client → web/app=server: TCP 81\n"), "no error, a difference"


@smoke(cost=2)
def test_a_dry_run_names_the_flows_that_it_would_cut(lab):
    wire = lab.wire()
    lab.start()
    lab.ctl("apply", "-f", "-", text=json.dumps(kube.listing(*pods(), allow_clients())))
    n, m = lab.number(), lab.number()
    wire.passes(frame(tcp(n, 80), A, B))
    wire.passes(frame(tcp(m, 80), B, C))
    locked = json.dumps(kube.listing(*pods(), allow_clients(443)))
    said = lab.ctl("apply", "-f", "-", "--dry-run", text=locked, status=1)
    assert "+ web/app=client → web/app=server: TCP 443" in said, said
    assert "- web/app=client → web/app=server: TCP 80" in said, said
    assert "1 live flow of 2 would be cut:" in said, said
    assert f"TCP web/client ({A}) port {n} to web/server ({B}) port 80" in said, said
    assert lab.daemon.get("/v1/status")["revision"] == 1
    wire.passes(frame(tcp(n, 80), A, B))
    before = sum(worker["flows_cut"] for worker in lab.daemon.stats()["workers"])
    lab.ctl("apply", "-f", "-", text=locked)
    wire.drops(frame(tcp(n, 80), A, B), "denied_ingress")
    wire.passes(frame(tcp(m, 80), B, C))
    after = sum(worker["flows_cut"] for worker in lab.daemon.stats()["workers"])
    assert after - before == 1, "it cuts what was said, and no more"


@smoke(workers=(1,), cost=3)
def test_history_remembers_and_rollback_puts_policies_back(lab):
    wire = lab.wire()
    lab.start()
    lab.ctl("apply", "-f", "-", "--reason", "as it should be",
            text=json.dumps(kube.listing(*pods(), allow_clients())))
    n = lab.number()
    wire.passes(frame(tcp(n, 80), A, B))
    lab.ctl("delta", "-f", "-", text=json.dumps(kube.event("MODIFIED", allow_clients(443))))
    wire.drops(frame(tcp(n, 80), A, B), "denied_ingress")
    newest = json.loads(lab.ctl("-o", "json", "history"))["revisions"][0]
    assert (newest["revision"], newest["flows_cut"], newest["by"]["uid"]) == (2, 1, 0), newest
    assert newest["policies"] == ["~ NetworkPolicy web/allow"], newest
    # It survives a restart, and a pod that has come since stays where it is.
    lab.daemon.terminate()
    lab.start()
    lab.ctl("delta", "-f", "-", text=json.dumps(kube.pod("web/new", "10.0.0.4", app="client")))
    said = lab.ctl("history")
    assert "because  as it should be" in said and "rampartctl" in said, said
    said = lab.ctl("rollback", "1", "--reason", "too narrow")
    assert "policies  are those of revision 1" in said, said
    wire.passes(frame(tcp(lab.number(), 80), A, B))
    wire.passes(frame(tcp(lab.number(), 80), "10.0.0.4", B))
    wire.drops(frame(tcp(lab.number(), 443), A, B), "denied_ingress")
    assert json.loads(lab.ctl("-o", "json", "history"))["revisions"][0]["action"] == "rollback to 1"
    lab.ctl("rollback", "99", status=1)
