# SPDX-License-Identifier: Apache-2.0
"""Kubernetes objects, as short as a test can say them."""

import json


def namespace(name, **labels):
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def node(name, *addresses):
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name},
            "status": {"addresses": [{"type": "InternalIP", "address": a} for a in addresses]}}


def pod(name, *addresses, ports=(), on="n1", phase="Running", **labels):
    """`name` is "namespace/pod"; `ports`: (name, protocol, number)."""
    ns, short = name.split("/")
    containers = [{"name": "c", "image": "i", "ports": [
        {"name": n, "protocol": p, "containerPort": c} for n, p, c in ports]}]
    status = {"phase": phase}
    if addresses:
        status |= {"podIP": addresses[0], "podIPs": [{"ip": a} for a in addresses]}
    return {"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": short, "namespace": ns, "labels": labels},
            "spec": {"nodeName": on, "containers": containers}, "status": status}


def policy(name, selector=None, **spec):
    """`selector`: labels of the pods, all of the namespace if absent; `spec`: ingress=, egress=."""
    ns, short = name.split("/")
    types = [t.capitalize() for t in ("ingress", "egress") if t in spec]
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": short, "namespace": ns},
            "spec": {"podSelector": {"matchLabels": selector} if selector else {},
                     "policyTypes": types} | spec}


def port(number, protocol="TCP", end=None):
    entry = {"port": number, "protocol": protocol}
    return entry | ({"endPort": end} if end else {})


def pods(**labels):
    """A peer: pods of the policy's namespace with these labels."""
    return {"podSelector": {"matchLabels": labels}}


def block(cidr, *exceptions):
    return {"ipBlock": {"cidr": cidr} | ({"except": list(exceptions)} if exceptions else {})}


def listing(*objects):
    return {"apiVersion": "v1", "kind": "List", "items": list(objects)}


def event(kind, thing):
    """`kind`: ADDED, MODIFIED, DELETED."""
    return {"type": kind, "object": thing}


def lines(*events):
    return "".join(json.dumps(e) + "\n" for e in events).encode()
