# SPDX-License-Identifier: Apache-2.0
"""rampartctl against the appliance: what it shows is what packets meet."""

import json
import os
import subprocess

from lib import kube
from lib.frames import frame, tcp, udp
from lib.runner import smoke

A, B, C = "10.0.0.1", "10.0.0.2", "10.0.0.3"

NAMESPACES_YAML = """\
# one document after the other
apiVersion: v1
kind: Namespace
metadata: {name: web}
---
apiVersion: v1
kind: List
items:
- apiVersion: networking.k8s.io/v1
  kind: NetworkPolicy
  metadata: {name: allow, namespace: web}
  spec:
    podSelector: {matchLabels: {app: server}}
    policyTypes: [Ingress]
    ingress:
    - from:
      - podSelector: {matchLabels: {app: client}}
      ports:
      - {port: 80, protocol: TCP}
"""


def cluster_folder(lab):
    """The cluster as a directory of YAML and JSON."""
    folder = os.path.join(lab.folder, "cluster")
    os.makedirs(folder)
    pods = [kube.pod("web/client", A, app="client"), kube.pod("web/server", B, app="server"),
            kube.pod("web/other", C, app="other")]
    for name, text in (("10-policies.yaml", NAMESPACES_YAML), ("20-pods.json",
                                                              json.dumps(kube.listing(*pods)))):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
            f.write(text)
    return folder


@smoke(cost=3)
def test_apply_explain_and_packets_agree(lab):
    wire = lab.wire()
    lab.start()
    folder = cluster_folder(lab)
    n = lab.number
    lab.ctl("apply", "-f", folder, "--dry-run", status=1)
    assert lab.daemon.get("/v1/status")["revision"] == 0
    wire.drops(frame(tcp(n(), 80), A, B), "no_policy_yet")
    answer = json.loads(lab.ctl("-o", "json", "apply", "-f", folder))
    assert (answer["revision"], answer["objects"]["pods"]) == (1, 3), answer
    wire.passes(frame(tcp(n(), 80), A, B))
    wire.drops(frame(tcp(n(), 81), A, B), "denied_ingress")
    wire.drops(frame(tcp(n(), 80), C, B), "denied_ingress")

    allowed = lab.ctl("explain", "web/client", "web/server", "TCP/80")
    assert "allow" in allowed and "web/allow" in allowed and "spec.ingress[0]" in allowed, allowed
    denied = lab.ctl("explain", C, "web/server", "TCP/80")
    assert "den" in denied and "web/allow" in denied, denied
    for source in (A, B, C, "192.0.2.1"):
        for target in (A, B, C):
            for proto, port in (("TCP", 80), ("TCP", 81), ("UDP", 80)):
                if source == target:
                    continue
                said = json.loads(lab.ctl("-o", "json", "explain", source, target, f"{proto}/{port}"))
                assert said["tables_agree"] is True, said
                make = tcp if proto == "TCP" else udp
                out, _ = wire.cross([frame(make(n(), port), source, target)])
                assert bool(out) == (said["verdict"] == "allow"), f"{out} {said}"


@smoke(workers=(1,), cost=2)
def test_every_view_shows_what_is_there(lab):
    wire = lab.wire()
    lab.start()
    lab.ctl("apply", "-f", cluster_folder(lab))
    port = lab.number()
    wire.passes(frame(tcp(port, 80), A, B))
    wire.drops(frame(tcp(port, 81), A, B), "denied_ingress")
    for words, expected in ((["status"], ["iface:a", "iface:b"]),
                            (["endpoints"], ["web/client", "web/server", A, C]),
                            (["policies"], ["web/allow"]),
                            (["flows"], [A, B, str(port), "syn_sent"]),
                            (["flows", "--port", "81"], []),
                            (["stats"], ["denied_ingress", "a", "b"]),
                            (["reasons"], ["denied_ingress", "no_flow", "rx_no_mbuf"]),
                            (["metrics"], ["# TYPE rampart_"]),
                            (["snapshot"], ["web", "allow", "client"])):
        said = lab.ctl(*words)
        for word in expected:
            assert word in said, f"{words}: no {word} in\n{said}"
    assert str(port) not in lab.ctl("flows", "--port", "81")
    for command, key in (("status", "revision"), ("endpoints", "endpoints"), ("flows", "flows"),
                         ("policies", "policies"), ("stats", "total"), ("reasons", "reasons"),
                         ("snapshot", "items")):
        assert key in json.loads(lab.ctl("-o", "json", command)), command
    readings = lab.ctl("-o", "json", "stats", "--watch", "1", "--count", "2").splitlines()
    assert [json.loads(r)["total"]["received"] for r in readings] == [2, 2], readings
    script = lab.ctl("completion", "bash")
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    lab.ctl("reset-port", "a")
    wire.passes(frame(tcp(port, 80, "S"), A, B))
    stored = lab.ctl("snapshot")
    assert json.loads(lab.ctl("-o", "json", "apply", "-f", "-", text=stored))["changed"] is False


@smoke(workers=(1,), cost=2)
def test_what_is_refused_exits_1_and_changes_nothing(lab):
    wire = lab.wire()
    lab.start()
    lab.ctl("apply", "-f", cluster_folder(lab))
    bad = kube.policy("web/bad", ingress=[{"ports": [kube.port(90, end=80)]}])
    said = lab.ctl("apply", "-f", "-", text=json.dumps(kube.listing(bad)), status=1)
    for word in ("NetworkPolicy", "web/bad", "spec.ingress[0].ports[0].endPort"):
        assert word in said, said
    lab.ctl("apply", "-f", "-", text="a: [", status=1)
    lab.ctl("apply", "-f", "/nope", status=1)
    lab.ctl("explain", "web/nobody", "web/server", "TCP/80", status=1)
    lab.ctl("reset-port", "nosuch", status=1)
    lab.ctl("explain", "web/client", status=2)
    lab.ctl("no-such-command", status=2)
    lab.ctl("apply", status=2)
    assert lab.daemon.get("/v1/status")["revision"] == 1
    wire.drops(frame(tcp(lab.number(), 81), A, B), "denied_ingress")
    event = kube.event("DELETED", kube.policy("web/allow"))
    lab.ctl("delta", "-f", "-", text=json.dumps(event))
    wire.passes(frame(tcp(lab.number(), 81), A, B))
    nobody = subprocess.run([lab.rampartctl, "--socket", "/nope/rampart.sock", "status"],
                            capture_output=True, text=True, timeout=60)
    assert nobody.returncode == 1 and "/nope/rampart.sock" in nobody.stderr, nobody
