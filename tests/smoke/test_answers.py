# SPDX-License-Identifier: Apache-2.0
"""What rampartctl answers beyond looking: when a revision is there, why, who can reach whom."""

import json

from lib import kube
from lib.frames import frame, tcp
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
    late = lab.ctl("status", "--wait", "1", "--timeout", "1", status=1)
    assert "revision 0 is in force" in late, late
    lab.ctl("apply", "-f", "-", text=json.dumps(kube.listing(*pods(), allow_clients())))
    assert lab.ctl("status", "--wait", "1") == "revision 1 is in force on every worker\n"
    said = json.loads(lab.ctl("-o", "json", "status", "--wait", "1"))
    assert {worker["revision"] for worker in said["workers"]} == {1}, said
    wire.drops(frame(tcp(lab.number(), 80), C, B), "denied_ingress")
    wire.passes(frame(tcp(lab.number(), 80), A, B))
    lab.ctl("status", "--wait", "first", status=2)
