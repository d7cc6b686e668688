# SPDX-License-Identifier: Apache-2.0
"""Established flows of lib/cluster.py's cluster, one frame a flow."""

import ipaddress
import random

import workload


def spread(pairs, flows, seed):
    """`flows` distinct flows over the pairs, each pair with as many source ports as it takes, in an order
    that is no order: neighbours in the file are not neighbours in any table."""
    ports = -(-flows // len(pairs))
    if ports > 60000:
        raise ValueError(f"{flows} flows need {ports} source ports a pair")
    numbers = random.Random(seed).sample(range(len(pairs) * ports), flows)
    for number in numbers:
        source, destination, port = pairs[number // ports]
        yield source, destination, 1024 + number % ports, port


def established(path, cluster, flows):
    """UDP to the cluster's DNS: allowed by egress policies of frontends and backends. Returns how many frames the file has."""
    clients, servers = ([int(ipaddress.ip_address(a)) for a in of] for of in (cluster.clients_of_dns(), cluster.dns()))
    pairs = [(client, server, 53) for client in clients for server in servers]
    random.Random(3).shuffle(pairs)
    return workload.write_pcap(path, map(workload.udp_frame, spread(pairs[:flows], flows, 5)))
