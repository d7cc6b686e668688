# SPDX-License-Identifier: Apache-2.0
"""Real TCP, UDP and ICMP between pods with a kernel of their own, over IPv4 and IPv6."""

import errno
import select
import socket

from lib import kube
from lib.net import offloads, wait_for
from lib.pods import talk
from lib.runner import smoke


def three_pods(lab):
    """web/client and web/other on the left, web/server on the right, and their objects."""
    left, right = lab.sides()
    pods = [lab.pod(left, "web/client", "10.0.0.1", "fd00::1"),
            lab.pod(left, "web/other", "10.0.0.2", "fd00::2"),
            lab.pod(right, "web/server", "10.0.0.3", "fd00::3")]
    objects = [kube.namespace("web")]
    objects += [kube.pod(p.name, *p.addresses, app=p.name.split("/")[1]) for p in pods]
    return *pods, objects


@smoke(cost=3)
def test_ingress_admits_who_and_what_it_names(lab):
    client, other, server, objects = three_pods(lab)
    lab.start(objects=[*objects, kube.policy("web/allow", {"app": "server"}, ingress=[
        {"from": [kube.pods(app="client")], "ports": [kube.port(80), kube.port(53, "UDP")]}])])
    for v6 in (False, True):
        client.tcp(server, 80, v6)
        client.udp(server, 53, v6)
        client.no_tcp(server, 81, v6, why="denied_ingress")
        client.no_udp(server, 80, v6, why="denied_ingress")
        other.no_tcp(server, 80, v6, why="denied_ingress")
        other.no_udp(server, 53, v6, why="denied_ingress")
        server.tcp(client, 8080, v6)
        server.udp(other, 9, v6)


@smoke(cost=3)
def test_a_pod_that_may_not_speak_can_still_answer(lab):
    client, other, server, objects = three_pods(lab)
    lab.start(objects=[*objects, kube.policy("web/mute", {"app": "server"}, egress=[])])
    for v6 in (False, True):
        client.tcp(server, 80, v6)
        other.udp(server, 53, v6)
        client.ping(server, v6)
        server.no_tcp(client, 80, v6, why="denied_egress")
        server.no_udp(other, 53, v6, why="denied_egress")
        server.no_ping(client, v6, why="denied_egress")


@smoke(cost=3)
def test_ping_passes_only_by_rules_without_ports(lab):
    client, other, server, objects = three_pods(lab)
    lab.start(objects=[
        *objects,
        kube.policy("web/ports", {"app": "server"}, ingress=[
            {"from": [kube.pods(app="client")], "ports": [kube.port(80), {"protocol": "UDP"}]}]),
        kube.policy("web/all", {"app": "server"}, ingress=[{"from": [kube.pods(app="other")]}])])
    for v6 in (False, True):
        client.no_ping(server, v6, why="denied_ingress")
        other.ping(server, v6)
        server.ping(client, v6)
        client.udp(server, 9, v6)


@smoke(cost=3)
def test_egress_to_dns_and_nowhere_else(lab):
    left, right = lab.sides()
    app = lab.pod(left, "web/app", "10.0.0.1", "fd00::1")
    dns = lab.pod(right, "kube-system/dns", "10.0.0.53", "fd00::53")
    friend = lab.pod(right, "web/friend", "10.0.0.2", "fd00::2")
    lab.start(objects=[
        kube.namespace("web"), kube.namespace("kube-system"),
        kube.pod("web/app", *app.addresses, app="app"),
        kube.pod("kube-system/dns", *dns.addresses, ports=[("dns", "UDP", 53)], k8s="dns"),
        kube.pod("web/friend", *friend.addresses),
        kube.policy("web/only-dns", {"app": "app"}, egress=[{
            "to": [{"namespaceSelector": {"matchLabels":
                                          {"kubernetes.io/metadata.name": "kube-system"}},
                    "podSelector": {"matchLabels": {"k8s": "dns"}}}],
            "ports": [{"port": "dns", "protocol": "UDP"}]}])])
    for v6 in (False, True):
        app.udp(dns, 53, v6)
        app.no_udp(dns, 54, v6, why="denied_egress")
        app.no_tcp(dns, 53, v6, why="denied_egress")
        app.no_udp(friend, 53, v6, why="denied_egress")
        friend.tcp(app, 80, v6)
        friend.tcp(dns, 53, v6)


@smoke(cost=2)
def test_icmp_errors_of_a_flow_come_back(lab):
    """The kernel's "port unreachable" belongs to the flow that it answers, whatever its sender's
    egress policies say."""
    client, _, server, objects = three_pods(lab)
    lab.start(objects=[*objects, kube.policy("web/mute", {"app": "server"}, egress=[])])
    for v6 in (False, True):
        with client.socket(socket.SOCK_DGRAM, v6) as ours:
            ours.connect((server.address(v6), 4000))
            ours.send(b"anybody?")
            assert wait_for("an ICMP error", lambda s=ours: s.getsockopt(
                socket.SOL_SOCKET, socket.SO_ERROR)) == errno.ECONNREFUSED
    assert lab.daemon.drops("icmp_unrelated") == 0


@smoke(cost=3)
def test_a_policy_change_cuts_only_what_it_forbids(lab):
    client, other, server, objects = three_pods(lab)
    lab.start(objects=objects)
    doomed, theirs = client.connect(server, 80)
    spared, spared_theirs = other.connect(server, 80)
    talk(doomed, theirs)
    talk(spared, spared_theirs)

    lab.daemon.patch(kube.event("ADDED", kube.pod("web/new", "10.0.0.9", app="new")),
                     kube.event("ADDED", kube.policy("web/new", {"app": "new"}, ingress=[])))
    talk(doomed, theirs)
    lab.daemon.patch(kube.event("ADDED", kube.policy("web/cut", {"app": "server"}, ingress=[
        {"from": [kube.pods(app="other")]}])))
    before = lab.daemon.drops()
    doomed.send(b"too late")
    wait_for("the packet to be dropped or to arrive",
             lambda: lab.daemon.drops() > before or select.select([theirs], [], [], 0)[0])
    assert not _has_data(theirs), "a cut connection carries bytes"
    theirs.send(b"too late as well")
    talk(spared, spared_theirs)
    assert not _has_data(doomed), "a cut connection carries bytes back"
    client.no_tcp(server, 80, why="denied_ingress")
    assert sum(w["flows_cut"] for w in lab.daemon.stats()["workers"]) >= 1
    for s in (doomed, theirs, spared, spared_theirs):
        s.close()


@smoke(cost=2)
def test_a_sender_that_leaves_checksums_to_its_nic_is_told_so(lab):
    """With checksum offload on its veth pair a pod's packets are wrong: counted, with a hint."""
    client, other, server, objects = three_pods(lab)
    lab.start(objects=objects)
    offloads(client.ns, "eth0", on=True)
    offloads(client.side.ns, "uplink", on=True)
    client.no_tcp(server, 80, why="l4_checksum")
    hints = lab.daemon.stats()["hints"]
    assert any("port a" in h and "checksum" in h and "tx off" in h for h in hints), hints
    other.tcp(server, 80)
    server.tcp(other, 80, v6=True)


def _has_data(s):
    try:
        return len(s.recv(1)) > 0
    except BlockingIOError:
        return False
