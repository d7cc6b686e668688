#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes clusters: namespaces, nodes, pods and NetworkPolicies of a size and a seed.

    perf/gen/cluster.py --size L [--seed N] [--pods full|pruned] > cluster.json

The same size and seed give the same bytes. What is drawn, and why like that:

- Namespaces differ wildly in size. Their weights are lognormal (sigma 1.3): published traces of shared
  clusters show a few tenants with most of the pods and a long tail of nearly empty ones. Every namespace
  has a team and an environment, for those are the labels that namespaceSelectors ask for.
- A pod is a replica of a workload. Replicas are lognormal (median 3, at most 400), so a hundred thousand
  pods come from about twenty thousand workloads. Nine of ten are Deployments (their pods carry
  pod-template-hash, another one for each), one is a StatefulSet (a label with the pod's own name), so
  that labels which no policy asks for are there in their real number.
- A workload's `app` comes from a catalogue of 400 names, by Zipf's law: charts are copied from namespace
  to namespace, so most names are everywhere and many are rare. Name, tier, version, managed-by come with it.
- A node takes 50 pods (Kubernetes' tested limit is 110), has a /24 and a /80, and pods take addresses
  from their node's. Two pods a node are on the host's network; one pod in a hundred has finished.
- Policies: a third of the namespaces has none, as surveys say; the others have a number by their size.
  The mix follows what the catalogues of recipes recommend and what is seen in published repositories:
  default denial, DNS, "from my namespace", one workload calling another, an ingress controller, another
  team, monitoring (combined selectors), ranges of addresses with exceptions, matchExpressions, named
  ports, ranges of ports. Copied charts bring copied policies: the shape (a spec without its names) is
  often another namespace's, and the rest is drawn by itself. `shapes` counts the distinct ones.
"""

import argparse
import bisect
import hashlib
import itertools
import json
import math
import random
import sys

SIZES = {  # pods, namespaces, policies
    "S": (1000, 50, 100),
    "M": (10000, 500, 1000),
    "L": (100000, 5000, 12000),
}
PODS_A_NODE = 50
TIERS = ("frontend", "backend", "cache", "database", "queue", "batch")
ENVIRONMENTS = ("prod", "prod", "staging", "dev", "test")
PORTS = (80, 443, 8080, 8443, 9090, 3000, 5432, 3306, 6379, 9092, 27017, 5672, 50051, 8000, 9000, 4222)
WORDS = ("api", "auth", "billing", "cart", "catalog", "chat", "feed", "gateway", "geo", "image", "index",
         "invoice", "ledger", "mail", "media", "notify", "order", "payment", "profile", "quota", "report",
         "search", "session", "stock", "stream", "tax", "ticket", "token", "upload", "user")


class App:
    """An entry of the catalogue: what its pods' labels and ports are wherever it runs."""

    def __init__(self, number, rng):
        self.name = f"{WORDS[number % len(WORDS)]}-{'service worker server store'.split()[number // len(WORDS) % 4]}" + (
            f"-{number // (4 * len(WORDS))}" if number >= 4 * len(WORDS) else "")
        self.tier = rng.choice(TIERS)
        self.version = f"v{rng.randint(1, 4)}.{rng.randint(0, 9)}"
        self.port = rng.choice(PORTS)
        self.ports = [("http" if rng.random() < 0.7 else "grpc", self.port)]
        if rng.random() < 0.5:
            self.ports.append(("metrics", 9100 + rng.randint(0, 3)))
        if rng.random() < 0.2:
            self.ports.append(("admin", 15000))


class Workload:
    def __init__(self, namespace, app, name, stateful, replicas):
        self.namespace, self.app, self.name = namespace, app, name
        self.stateful, self.replicas = stateful, replicas
        self.labels = {"app": app.name, "app.kubernetes.io/name": app.name, "tier": app.tier,
                       "version": app.version, "app.kubernetes.io/managed-by": "Helm"}


class Cluster:
    def __init__(self, pods, namespaces, policies, seed=1):
        self.rng = random.Random(f"{seed}/{pods}/{namespaces}/{policies}")
        rng = self.rng
        self.apps = [App(n, rng) for n in range(400)]
        self.zipf = list(itertools.accumulate(1 / (n + 1) ** 0.8 for n in range(len(self.apps))))
        self.teams = [f"team-{n}" for n in range(max(4, namespaces // 12))]
        self.namespaces = [(f"ns-{n:04}", {"team": rng.choice(self.teams), "env": rng.choice(ENVIRONMENTS)})
                           for n in range(namespaces - 3)]
        self.namespaces += [("kube-system", {"team": "platform", "env": "prod"}),
                            ("monitoring", {"team": "platform", "env": "prod"}),
                            ("ingress", {"team": "platform", "env": "prod"})]
        self.nodes = max(4, pods // PODS_A_NODE)
        self.workloads = []
        self.by_namespace = {name: [] for name, _ in self.namespaces}
        self.make_workloads(pods)
        self.policies = []
        self.make_policies(policies)

    def app(self):
        return self.apps[bisect.bisect(self.zipf, self.rng.random() * self.zipf[-1])]

    def add_workload(self, namespace, app, replicas):
        count = len(self.by_namespace[namespace])
        workload = Workload(namespace, app, f"{app.name}-{count}", self.rng.random() < 0.1, replicas)
        self.workloads.append(workload)
        self.by_namespace[namespace].append(workload)

    def make_workloads(self, pods):
        rng = self.rng
        left = pods - 2 * self.nodes  # two a node are the node's own
        weights = list(itertools.accumulate(rng.lognormvariate(0, 1.3) for _ in self.namespaces))
        for namespace, _ in self.namespaces:  # none is empty
            self.add_workload(namespace, self.app(), 1)
            left -= 1
        while left > 0:
            namespace = self.namespaces[bisect.bisect(weights, rng.random() * weights[-1])][0]
            replicas = min(left, 400, max(1, round(rng.lognormvariate(math.log(3), 1.0))))
            self.add_workload(namespace, self.app(), replicas)
            left -= replicas

    def make_policies(self, count):
        rng = self.rng
        with_policies = [name for name, _ in self.namespaces if rng.random() < 0.67] or [self.namespaces[0][0]]
        weights = list(itertools.accumulate(len(self.by_namespace[n]) ** 0.5 for n in with_policies))
        taken = {}
        for _ in range(count):
            namespace = with_policies[bisect.bisect(weights, rng.random() * weights[-1])]
            number = taken[namespace] = taken.get(namespace, 0) + 1
            self.policies.append(self.policy(namespace, number))

    # One policy -------------------------------------------------------------------------------

    def ports(self, app):
        """The ports entry of a rule that lets somebody call `app`."""
        rng, draw = self.rng, self.rng.random()
        if draw < 0.55:
            return [{"protocol": "TCP", "port": app.port}]
        if draw < 0.75:
            return [{"protocol": "TCP", "port": app.ports[0][0]}]  # by name
        if draw < 0.85:
            first = rng.choice((8000, 9000, 30000))
            return [{"protocol": "TCP", "port": first, "endPort": first + rng.choice((9, 99, 999))}]
        return [{"protocol": "TCP", "port": p} for p in sorted(rng.sample(PORTS, rng.randint(2, 5)))]

    def block(self):
        rng = self.rng
        cidr = rng.choice([f"172.{16 + rng.randint(0, 15)}.0.0/16", f"192.168.{rng.randint(0, 255)}.0/24",
                           f"203.0.{rng.randint(0, 255)}.0/24", "0.0.0.0/0", "0.0.0.0/0"])
        block = {"cidr": cidr}
        if cidr == "0.0.0.0/0":
            block["except"] = rng.choice([["10.0.0.0/8"], ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"],
                                          ["169.254.169.254/32"]])
        elif rng.random() < 0.3:
            block["except"] = [cidr.rsplit(".", 1)[0] + f".{16 * rng.randint(0, 15)}/28"]
        return {"ipBlock": block}

    def peer(self, namespace):
        rng, draw = self.rng, self.rng.random()
        mates = self.by_namespace[namespace]
        if draw < 0.40:
            return {"podSelector": {"matchLabels": {"app": rng.choice(mates).app.name}}}
        if draw < 0.50:
            return {"podSelector": {"matchLabels": {"tier": rng.choice(TIERS)}}}
        if draw < 0.58:
            return {"podSelector": {}}
        if draw < 0.68:
            return {"namespaceSelector": {"matchLabels": {"team": rng.choice(self.teams)}}}
        if draw < 0.76:
            return {"namespaceSelector": {"matchLabels": {
                        "kubernetes.io/metadata.name": rng.choice(("ingress", "monitoring"))}}}
        if draw < 0.86:
            return {"namespaceSelector": {"matchLabels": {"team": rng.choice(self.teams)}},
                    "podSelector": {"matchLabels": {"app": self.app().name}}}
        if draw < 0.93:
            return {"podSelector": {"matchExpressions": [rng.choice([
                {"key": "tier", "operator": "In", "values": sorted(rng.sample(TIERS, 2))},
                {"key": "tier", "operator": "NotIn", "values": sorted(rng.sample(TIERS, rng.randint(1, 2)))},
                {"key": "app", "operator": "Exists"}])]}}
        return self.block()

    def policy(self, namespace, number):
        rng, draw = self.rng, self.rng.random()
        mine = rng.choice(self.by_namespace[namespace])
        subject = {"matchLabels": {"app": mine.app.name}}
        if draw < 0.12:
            kind, spec = "default-deny", {"podSelector": {}, "policyTypes": rng.choice(
                [["Ingress"], ["Ingress", "Egress"]])}
        elif draw < 0.22:
            kind, spec = "dns", {"podSelector": {}, "policyTypes": ["Egress"], "egress": [
                {"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
                         "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}],
                 "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]}]}
        elif draw < 0.30:
            kind, spec = "same-namespace", {"podSelector": {}, "policyTypes": ["Ingress"],
                                            "ingress": [{"from": [{"podSelector": {}}]}]}
        elif draw < 0.85:
            kind = "ingress"
            rules = []
            for _ in range(rng.choice((1, 1, 1, 2, 3))):
                peers = [self.peer(namespace) for _ in range(rng.choice((1, 1, 2, 2, 3)))]
                rules.append({"from": peers, "ports": self.ports(mine.app)})
            if rng.random() < 0.1:
                subject = {"matchExpressions": [{"key": "tier", "operator": "In",
                                                 "values": sorted({mine.app.tier, rng.choice(TIERS)})}]}
            spec = {"podSelector": subject, "policyTypes": ["Ingress"], "ingress": rules}
        else:
            kind = "egress"
            target = rng.choice(self.by_namespace[namespace])
            rules = [{"to": [{"podSelector": {"matchLabels": {"app": target.app.name}}}],
                      "ports": self.ports(target.app)}]
            if rng.random() < 0.5:
                rules.append({"to": [self.block()], "ports": [{"protocol": "TCP", "port": 443}]})
            spec = {"podSelector": subject, "policyTypes": ["Egress"], "egress": rules}
        return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
                "metadata": {"name": f"{kind}-{number}", "namespace": namespace}, "spec": spec}

    def shapes(self):
        return len({json.dumps(p["spec"], sort_keys=True) for p in self.policies})

    # Objects ----------------------------------------------------------------------------------

    def node_address(self, node):
        return f"192.168.{100 + node // 250}.{node % 250 + 1}", f"fd00:20::{node + 1:x}"

    def pod_addresses(self, node, slot):
        return f"10.{node // 250}.{node % 250}.{slot % 250 + 1}", f"fd00:10:{node:x}::{slot + 1:x}"

    def small_objects(self):
        """All but the pods."""
        for name, labels in self.namespaces:
            yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {
                "name": name, "labels": {"kubernetes.io/metadata.name": name, **labels}}}
        for node in range(self.nodes):
            v4, v6 = self.node_address(node)
            yield {"apiVersion": "v1", "kind": "Node", "metadata": {
                "name": f"node-{node:04}", "labels": {"kubernetes.io/hostname": f"node-{node:04}",
                                                     "topology.kubernetes.io/zone": f"zone-{node % 3}"}},
                   "status": {"addresses": [{"type": "InternalIP", "address": v4}, {"type": "InternalIP", "address": v6},
                                            {"type": "Hostname", "address": f"node-{node:04}"}]}}
        yield from self.policies

    def pods(self):
        """(namespace, workload or None, name, labels, node, addresses, host network, finished) of each pod."""
        slots = [0] * self.nodes
        number = 0
        for node in range(self.nodes):
            for agent in ("kube-proxy", "cni-agent"):
                yield ("kube-system", None, f"{agent}-{node:05x}", {"k8s-app": agent, "pod-template-generation": "1"},
                       node, self.node_address(node), True, False)
        for workload in self.workloads:
            hash_ = hex5(workload.namespace, workload.name) + hex5(workload.name)
            for replica in range(workload.replicas):
                node = (number * 7919 + number // self.nodes) % self.nodes
                slot = slots[node]
                slots[node] += 1
                labels = dict(workload.labels)
                if workload.stateful:
                    name = f"{workload.name}-{replica}"
                    labels["statefulset.kubernetes.io/pod-name"] = name
                else:
                    name = f"{workload.name}-{hash_}-{hex5(workload.namespace, workload.name)[:2]}{replica:03x}"
                    labels["pod-template-hash"] = hash_
                if workload.namespace == "kube-system" and replica < 4:
                    labels["k8s-app"] = "kube-dns"
                yield (workload.namespace, workload, name, labels, node, self.pod_addresses(node, slot), False,
                       number % 100 == 99)
                number += 1


def hex5(*parts):
    return hashlib.md5("/".join(map(str, parts)).encode()).hexdigest()[:5]


def pruned(pod):
    """The fields that matter, as a sidecar sends them: about 500 bytes."""
    namespace, workload, name, labels, node, (v4, v6), host, finished = pod
    host_v4, host_v6 = f"192.168.{100 + node // 250}.{node % 250 + 1}", f"fd00:20::{node + 1:x}"
    spec = {"nodeName": f"node-{node:04}"}
    if host:
        spec["hostNetwork"] = True
    if workload is not None:
        spec["containers"] = [{"ports": [{"name": n, "containerPort": p, "protocol": "TCP"}
                                         for n, p in workload.app.ports]}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace, "labels": labels},
            "spec": spec,
            "status": {"phase": "Succeeded" if finished else "Running", "hostIPs": [{"ip": host_v4}, {"ip": host_v6}],
                       "podIPs": [{"ip": v4}, {"ip": v6}]}}


def fields(names):
    return {f"f:{name}": {} for name in names}


def full(pod):
    """The whole object, as an API server stores it and kubectl prints it: about 8 KB when indented."""
    small = pruned(pod)
    namespace, workload, name, labels, node, _, _, finished = pod
    when = f"2025-11-{1 + node % 28:02}T{node % 24:02}:{len(name) % 60:02}:07Z"
    uid = "-".join(hashlib.md5(f"{namespace}/{name}".encode()).hexdigest()[a:b]
                   for a, b in ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32)))
    image = f"registry.example.org/{namespace}/{labels.get('app', 'agent')}:{labels.get('version', '1')}"
    container = {
        "image": image, "imagePullPolicy": "IfNotPresent",
        "name": "main", "ports": small["spec"].get("containers", [{}])[0].get("ports", []),
        "resources": {"limits": {"cpu": "1", "memory": "512Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
        "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}
    managed = [
        {"apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {
            "f:metadata": {"f:generateName": {}, "f:labels": {".": {}, **fields(labels)},
                           "f:ownerReferences": {".": {}, f'k:{{"uid":"{uid}"}}': {}}},
            "f:spec": {'f:containers': {'k:{"name":"main"}': {
                ".": {}, **fields(("image", "name", "ports", "resources"))}},
                **fields(("dnsPolicy", "restartPolicy", "schedulerName", "securityContext"))}},
         "manager": "kube-controller-manager", "operation": "Update", "time": when},
        {"apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {"f:status": {
            "f:conditions": {f'k:{{"type":"{t}"}}': {".": {}, "f:status": {}, "f:type": {}}
                             for t in ("ContainersReady", "Ready")},
            **fields(("containerStatuses", "hostIP", "phase", "podIP", "podIPs", "startTime"))}},
         "manager": "kubelet", "operation": "Update", "subresource": "status", "time": when}]
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "creationTimestamp": when, "generateName": name[:-5], "labels": labels, "managedFields": managed,
            "name": name, "namespace": namespace,
            "ownerReferences": [{"apiVersion": "apps/v1", "blockOwnerDeletion": True, "controller": True,
                                 "kind": "ReplicaSet", "name": name[:-6], "uid": uid}],
            "resourceVersion": str(1000000 + node), "uid": uid},
        "spec": {
            "automountServiceAccountToken": False, "containers": [container], "dnsPolicy": "ClusterFirst", "enableServiceLinks": True,
            **{k: v for k, v in small["spec"].items() if k != "containers"},
            "preemptionPolicy": "PreemptLowerPriority", "priority": 0, "restartPolicy": "Always",
            "schedulerName": "default-scheduler", "securityContext": {}, "serviceAccount": "default",
            "serviceAccountName": "default", "terminationGracePeriodSeconds": 30},
        "status": {
            "conditions": [{"lastProbeTime": None, "lastTransitionTime": when, "status": "True", "type": t}
                           for t in ("Initialized", "Ready", "ContainersReady")],
            "containerStatuses": [{"containerID": "containerd://" + hashlib.sha256(uid.encode()).hexdigest(),
                                   "image": image, "imageID": image + "@sha256:" + hashlib.sha256(image.encode()).hexdigest(),
                                   "name": "main", "ready": not finished, "restartCount": 0,
                                   "started": True, "state": {"running": {"startedAt": when}}}],
            "hostIP": small["status"]["hostIPs"][0]["ip"], **small["status"],
            "podIP": small["status"]["podIPs"][0]["ip"], "qosClass": "Burstable", "startTime": when}}


def write(cluster, out, pods="pruned"):
    """The v1 List: compact with pruned pods, indented as kubectl does it with full ones. `out`: binary."""
    def text(thing):
        if pods == "pruned":
            return json.dumps(thing, separators=(",", ":"))
        return json.dumps(thing, indent=4).replace("\n", "\n        ")
    between = ",\n" if pods == "pruned" else ",\n        "
    out.write(b'{"apiVersion":"v1","kind":"List","items":[\n' if pods == "pruned" else
              b'{\n    "apiVersion": "v1",\n    "items": [\n        ')
    make = pruned if pods == "pruned" else full
    first = True
    for thing in itertools.chain(cluster.small_objects(), map(make, cluster.pods())):
        out.write((text(thing) if first else between + text(thing)).encode())
        first = False
    out.write(b"\n]}\n" if pods == "pruned" else b'\n    ],\n    "kind": "List"\n}\n')


def make(size, seed=1):
    return Cluster(*SIZES[size], seed=seed)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--size", choices=SIZES, default="M")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pods", choices=("full", "pruned"), default="pruned")
    options = parser.parse_args()
    cluster = make(options.size, options.seed)
    write(cluster, sys.stdout.buffer, options.pods)
    print(f"{len(cluster.namespaces)} namespaces, {cluster.nodes} nodes, {sum(1 for _ in cluster.pods())} pods of "
          f"{len(cluster.workloads)} workloads, {len(cluster.policies)} policies of {cluster.shapes()} shapes",
          file=sys.stderr)


if __name__ == "__main__":
    main()
