# SPDX-License-Identifier: Apache-2.0
"""SYN floods, and connections that a policy cuts with a reset: what the appliance says by itself."""

import errno
import os
import select
import socket

from lib import kube, pcap
from lib.frames import frame, tcp
from lib.net import Namespace, RawPort, wait_for
from lib.pods import talk
from lib.runner import smoke


def cluster(lab):
    left, right = lab.sides()
    client = lab.pod(left, "web/client", "10.0.0.1", "fd00::1")
    server = lab.pod(right, "web/server", "10.0.0.2", "fd00::2")
    objects = [kube.namespace("web"), kube.pod("web/client", *client.addresses, app="client"),
               kube.pod("web/server", *server.addresses, app="server"),
               kube.policy("web/server", {"app": "server"}, ingress=[{"ports": [kube.port(80)]}])]
    return left, client, server, objects


def counted(lab, name):
    return sum(w[name] for w in lab.daemon.stats()["workers"])


@smoke(cost=6)
def test_real_clients_get_in_during_a_syn_flood(lab):
    """SYNs from addresses that are nobody's fill the table until new clients are challenged; a real
    kernel's stack answers, and has its connection, with window scaling and all that it negotiated."""
    left, client, server, objects = cluster(lab)
    crowd = Namespace("crowd")
    left.plug(crowd)
    flood = RawPort(crowd, "eth0")
    lab.start("--max-flows", 1024, objects=objects)
    before, theirs = client.connect(server, 80)
    talk(before, theirs)
    # The flood shares the honest client's address and ports, too.
    syns = [frame(tcp(1024 + n % 60000, 80, seq=n), f"10.0.{1 + n % 100}.{n % 250}", "10.0.0.2")
            for n in range(2000)]
    syns += [frame(tcp(32768 + n, 80, seq=n), "10.0.0.1", "10.0.0.2") for n in range(200)]
    for first in range(0, len(syns), 50):
        received = lab.daemon.port("a")["received"]
        for one in syns[first:first + 50]:
            flood.send(one)
        wait_for("the flood", lambda r=received: lab.daemon.port("a")["received"] >= r + 50)
    assert counted(lab, "challenged") > 1000, lab.daemon.stats()["workers"]
    assert counted(lab, "verified") == 0
    for v6 in (False, True, False):
        client.tcp(server, 80, v6)
    assert counted(lab, "verified") >= 3, lab.daemon.stats()["workers"]
    talk(before, theirs)
    client.no_tcp(server, 81, why="denied_ingress")
    stats = lab.daemon.check_laws()
    # To its sender, through the port that it came in by.
    assert stats["total"]["originated"] == counted(lab, "challenged")
    assert lab.daemon.port("b")["originated"] == counted(lab, "challenged")
    wait_for("a line in the log", lambda: any("new clients are challenged" in line
                                              for line in lab.daemon.log()))


def error_of_sending(s):
    """0, or what the kernel said: it says a connection's error once, here or to SO_ERROR."""
    try:
        s.send(b"x")
    except OSError as e:
        return e.errno
    return 0


@smoke(cost=4)
def test_a_cut_connection_is_reset_at_both_ends(lab):
    """--on-cut reset: real stacks on both sides take the reset for what it is."""
    _, client, server, objects = cluster(lab)
    lab.start("--on-cut", "reset", objects=objects)
    talks = [client.connect(server, 80, v6) for v6 in (False, True, False)]
    for ours, theirs in talks:
        talk(ours, theirs)
    lab.daemon.patch(kube.event("MODIFIED", kube.policy("web/server", {"app": "server"}, ingress=[])))
    # One from each end, and one that the background sweep has met before (unless a late
    # acknowledgement was faster).
    met = {talks[0][0]: error_of_sending(talks[0][0]), talks[1][1]: error_of_sending(talks[1][1])}
    wait_for("the sweep", lambda: all(f["state"] == "cut" for f in lab.daemon.flows()))
    met[talks[2][1]] = error_of_sending(talks[2][1])
    for pair in talks:
        for s in pair:
            wait_for("a reset", lambda s=s: select.select([s], [], [], 0)[0])
            error = met.get(s) or s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            assert error in (errno.ECONNRESET, errno.EPIPE), errno.errorcode.get(error, error)
    assert lab.daemon.stats()["total"]["originated"] == 6
    assert counted(lab, "flows_cut") == 3
    assert lab.daemon.flows() == []


@smoke(workers=(1,), cost=3)
def test_a_flood_that_leaves_no_time_is_put_off(lab):
    """More SYNs than a worker has time for, from a file that is played for ever: what is met for the
    first time is dropped by name, before policy is asked."""
    objects = [kube.namespace("web"), kube.pod("web/server", "10.0.0.2", app="server"),
               kube.policy("web/server", {"app": "server"}, ingress=[{"ports": [kube.port(80)]}])]
    syns = os.path.join(lab.folder, "syns.pcap")
    pcap.write(syns, [frame(tcp(1024 + n, 80, seq=n), f"10.1.{n % 100}.{n % 250}", "10.0.0.2")
                      for n in range(8192)])
    for choice, put_off in (("defer", True), ("serve", False)):
        lab.start("--max-flows", 1024, "--on-overload", choice, "--mbufs", 16383, objects=objects, wires=[("in", "out")],
                  devices={"in": f"net_pcap0,rx_pcap={syns},infinite_rx=1", "out": "net_null0,no-rx=1"})
        wait_for("the flood", lambda: counted(lab, "challenged") > 20000)
        if put_off:
            wait_for("first packets to be put off",
                     lambda: lab.daemon.stats()["total"]["drops"].get("flood_deferred", 0) > 20000)
            assert "overload" in [w["code"] for w in lab.daemon.get("/v1/status")["warnings"]]
            wait_for("a line in the log", lambda: any("first packets of new flows are put off" in line
                                                      for line in lab.daemon.log()))
        else:
            assert "flood_deferred" not in lab.daemon.stats()["total"]["drops"]
            assert "overload" not in [w["code"] for w in lab.daemon.get("/v1/status")["warnings"]]
        lab.daemon.check_laws()
        lab.daemon.terminate()
