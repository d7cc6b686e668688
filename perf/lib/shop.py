# SPDX-License-Identifier: Apache-2.0
"""Servers that the whole world may call, beside the cluster of lib/cluster.py: what a flood from outside
is aimed at."""

import json

from cluster import Cluster

SERVERS = [f"10.2.0.{n + 1}" for n in range(4)]
WEB, CALLS = 80, 4000  # open ports, TCP and UDP


def snapshot():
    made = Cluster().snapshot()
    made["items"].append({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    for n, address in enumerate(SERVERS):
        made["items"].append({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": f"server-{n}", "namespace": "shop", "labels": {"app": "server"}},
            "spec": {"nodeName": "node-0"}, "status": {"phase": "Running", "podIPs": [{"ip": address}]}})
    made["items"].append({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "server", "namespace": "shop"},
        "spec": {"podSelector": {"matchLabels": {"app": "server"}}, "policyTypes": ["Ingress"],
                 "ingress": [{"ports": [{"protocol": "TCP", "port": WEB}, {"protocol": "UDP", "port": CALLS}]}]}})
    return json.dumps(made).encode()
