# SPDX-License-Identifier: Apache-2.0
"""What must be refused is refused, and what was in force stays in force: shown with packets."""

import contextlib
import json
import os
import socket

from lib import kube
from lib.frames import frame, udp
from lib.net import wait_for
from lib.runner import smoke

A, B = "10.0.0.1", "10.0.0.2"
STATE = [kube.namespace("web"), kube.pod("web/a", A), kube.pod("web/b", B),
         kube.policy("web/allow", ingress=[{"ports": [kube.port(80, "UDP")]}])]


def still_in_force(lab, wire, revision=1):
    """The old revision is in force: by its number, and by what passes."""
    assert lab.daemon.get("/v1/status")["revision"] == revision
    wire.passes(frame(udp(lab.number(), 80), A, B))
    wire.drops(frame(udp(lab.number(), 81), A, B), "denied_ingress")


def refused(lab, method, path, body, *statuses, **headers):
    """The request is answered with a problem document; returns it."""
    answer = lab.daemon.call(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
    what = f"{method} {path} {str(body)[:80]}: {answer}"
    assert answer.status in statuses, f"expected {statuses}: {what}"
    assert answer.headers["Content-Type"].startswith("application/problem+json"), what
    problem = answer.json
    assert problem["status"] == answer.status and problem["title"] and problem["detail"], what
    return problem


def listing(*objects):
    return json.dumps(kube.listing(*objects))


BROKEN = ["", "null", "[]", "7", '"List"', "{", '{"kind": "List", "items": [', "\0\0\0", "{}garbage",
          '{"apiVersion":"v1","kind":"List","items":{}}', '{"apiVersion":"v1","kind":"List","items":7}',
          '{"apiVersion":"v1","kind":"List","items":[null]}', '{"apiVersion":"v1","kind":"Pod"}',
          '{"apiVersion":"v1","kind":"List","items":[{"kind":"Pod","apiVersion":"v1","metadata":7}]}',
          "[" * 100000, '{"items":' * 50000, '{"kind":"List","items":[],"apiVersion":"v1"}]',
          b'\xff\xfe{"kind":"List"}', b'{"apiVersion":"v1","kind":"List","items":[{"kind":"\xc3\x28"}]}']


@smoke()
def test_broken_bodies_change_nothing(lab):
    wire = lab.wire()
    lab.start(objects=STATE)
    for body in BROKEN:
        refused(lab, "PUT", "/v1/snapshot", body, 400, 422)
        refused(lab, "POST", "/v1/validate", body, 400, 422)
    for body in ("{", "null", "[]", '{"type":"ADDED"}', '{"type":"WAT","object":{}}',
                 '{"type":"ADDED","object":null}',
                 '{"type":"ERROR","object":{"kind":"Status","code":410,"message":"too old"}}',
                 kube.lines(kube.event("DELETED", STATE[3])) + b'{"type":'):
        refused(lab, "PATCH", "/v1/snapshot", body, 400, 409, 410, 422)
    still_in_force(lab, wire)


@smoke()
def test_invalid_objects_are_refused_with_kind_name_field_and_reason(lab):
    wire = lab.wire()
    lab.start(objects=STATE)

    def bad(kind, name, field, thing):
        for body, method, path in ((listing(*STATE, thing), "PUT", "/v1/snapshot"),
                                   (listing(*STATE, thing), "POST", "/v1/validate"),
                                   (kube.lines(kube.event("ADDED", thing)), "PATCH", "/v1/snapshot")):
            problem = refused(lab, method, path, body, 422)
            where = problem.get("object", "").removesuffix(" (line 1)")
            assert (problem.get("kind"), where, problem.get("field")) == (kind, name, field), problem
            assert problem["reason"] and problem["reason"] in problem["detail"], problem

    def ports(*entries):
        return kube.policy("web/bad", ingress=[{"ports": list(entries)}])

    np = "NetworkPolicy", "web/bad"
    bad(*np, "spec.ingress[0].ports[0].endPort", ports(kube.port(90, end=80)))
    bad(*np, "spec.ingress[0].ports[1].port", ports(kube.port(1), kube.port(70000)))
    bad(*np, "spec.ingress[0].ports[0].protocol", ports({"port": 1, "protocol": "tcp"}))
    bad(*np, "spec.egress[0].to[0].ipBlock.cidr",
        kube.policy("web/bad", egress=[{"to": [kube.block("10.0.0.0/33")]}]))
    bad(*np, "spec.ingress[0].from[0].ipBlock.except[0]",
        kube.policy("web/bad", ingress=[{"from": [kube.block("10.0.0.0/8", "11.0.0.0/16")]}]))
    bad("Pod", "web/x", "status.podIPs[0].ip", kube.pod("web/x", "10.0.0.256"))
    still_in_force(lab, wire)


@smoke()
def test_requests_that_are_no_requests(lab):
    """Unknown paths, wrong methods, preconditions, bodies that are too large or never end."""
    wire = lab.wire()
    lab.start("--max-body-mib", 4)
    refused(lab, "PATCH", "/v1/snapshot", kube.lines(kube.event("ADDED", STATE[0])), 409)
    lab.daemon.put(*STATE)
    for path in ("/", "/v1", "/v1/nothing", "/v2/status", "/v1/status/x", "/v1/ports/a"):
        refused(lab, "GET", path, None, 404)
    for method, path in (("DELETE", "/v1/snapshot"), ("POST", "/v1/status"), ("PUT", "/v1/stats"),
                         ("GET", "/v1/ports/a/reset"), ("BREW", "/v1/status")):
        answer = lab.daemon.call(method, path)
        assert answer.status in (405, 501), f"{method} {path}: {answer}"
        assert answer.status == 501 or answer.headers["Allow"], f"{method} {path}"
    refused(lab, "PUT", "/v1/snapshot", listing(*STATE[:2]), 412, If_Match='"7"')
    refused(lab, "PUT", "/v1/snapshot", b" " * (5 << 20), 413)
    refused(lab, "POST", "/v1/ports/nosuch/reset", None, 404)
    for query in ("", "from=web/a", "from=web/a&to=web/b&protocol=TCP&port=x",
                  "from=web/a&to=web/b&protocol=TCP&port=99999", "from=web/q&to=web/b&protocol=TCP&port=1"):
        refused(lab, "GET", f"/v1/explain?{query}", None, 400, 404, 422)
    still_in_force(lab, wire)
    answer = lab.daemon.call("PUT", "/v1/snapshot", listing(*STATE[:3]), {"If-Match": '"1"'})
    assert answer.status == 200 and answer.json["revision"] == 2, answer
    wire.passes(frame(udp(lab.number(), 81), A, B))


@smoke(cost=2)
def test_bad_talkers_do_not_keep_others_waiting(lab):
    """Half requests, silence, and noise on the socket; everybody else is served meanwhile."""
    wire = lab.wire()
    lab.start(objects=STATE)
    noise = [b"", b"PUT", b"GET /v1/status HTTP/1.1\r\n", b"GET /v1/status HTTP/1.1\r\nHost",
             b"PUT /v1/snapshot HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{\"kind\"",
             b"PUT /v1/snapshot HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhalf",
             b"PUT /v1/snapshot HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n",
             b"PUT /v1/snapshot HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
             b"\0" * 5000, os.urandom(5000), b"GET / HTTP/9.9\r\n\r\n", b"A" * 100000,
             b"GET /v1/status HTTP/1.1\r\nX: " + b"y" * 200000]
    with contextlib.ExitStack() as stack:
        for words in noise * 3:
            s = stack.enter_context(socket.socket(socket.AF_UNIX))
            s.connect(lab.daemon.socket_path)
            s.settimeout(5)
            with contextlib.suppress(ConnectionError, TimeoutError):
                s.sendall(words)
            assert lab.daemon.get("/v1/status")["state"] == "running"
        still_in_force(lab, wire)
        assert lab.daemon.put(*STATE)["changed"] is False
    still_in_force(lab, wire)


@smoke(workers=(1,))
def test_http_as_clients_speak_it(lab):
    """Chunked bodies, several requests on a connection, HEAD."""
    wire = lab.wire()
    lab.start()
    body = listing(*STATE).encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(body[i:i + 100]), body[i:i + 100])
                      for i in range(0, len(body), 100))
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(lab.daemon.socket_path)
        s.settimeout(20)
        s.sendall(b"PUT /v1/snapshot HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" +
                  chunks + b"0\r\n\r\n" + b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n" +
                  b"HEAD /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        got = b""
        while data := s.recv(65536):
            got += data
    assert got.count(b"HTTP/1.1 200") == 3, got
    assert b'"revision"' in got
    still_in_force(lab, wire)


@smoke(workers=(1,), cost=3)
def test_a_cluster_too_large_for_memory_is_refused(lab):
    """A revision that does not fit is refused, not died of; a smaller one is welcome afterwards."""
    wire = lab.wire()
    lab.start("--memory", 66, "--on-overload", "serve", "--max-flows", 1024, "--mbufs", 13000, objects=STATE)
    pods = [kube.pod(f"web/p{i}", f"10.1.{i >> 8}.{i & 255}", unique=f"u{i}") for i in range(3000)]
    policies = [kube.policy(f"web/n{i}", {"unique": f"u{i}"}, ingress=[
        {"from": [kube.block(f"{20 + i % 100}.{i // 100}.0.0/16")],
         "ports": [kube.port(1000 + j * 7 + i) for j in range(64)]}]) for i in range(3000)]
    problem = refused(lab, "PUT", "/v1/snapshot", listing(*STATE, *pods, *policies), 413, 507)
    assert "memory" in problem["detail"], problem
    still_in_force(lab, wire)
    answer = lab.daemon.put(*STATE, *pods[:100], *policies[:100])
    assert answer["objects"]["policies"] == 101, answer
    still_in_force(lab, wire, revision=2)


@smoke(workers=(1,))
def test_an_unsupported_kind_warns_and_config_maps_are_skipped(lab):
    wire = lab.wire()
    lab.start()
    other = {"apiVersion": "policy.networking.k8s.io/v1alpha1", "kind": "AdminNetworkPolicy",
             "metadata": {"name": "deny"}, "spec": {}}
    maps = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"m{i}", "namespace": "web"}}
            for i in range(4)]
    answer = lab.daemon.put(*STATE, other, *maps)
    assert {"kind": "ConfigMap", "count": 4} in answer["skipped"], answer
    assert any(w["code"] == "unsupported-policy" for w in answer["warnings"]), answer
    still_in_force(lab, wire)
    wait_for("the warning to go", lambda: not any(
        w["code"] == "unsupported-policy" for w in lab.daemon.put(*STATE)["warnings"]))
