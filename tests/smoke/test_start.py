# SPDX-License-Identifier: Apache-2.0
"""Starts that must fail, and by name; who may use the socket; how it ends."""

import http.client
import os
import signal
import socket
import stat
import struct
import time

from lib import kube
from lib.daemon import UnixConnection
from lib.frames import frame, udp
from lib.net import wait_for
from lib.runner import smoke

NULLS = {"x": "net_null0,no-rx=1", "y": "net_null1,no-rx=1"}
NOBODY = 65534


@smoke(workers=(1,))
def test_unequal_mtus_on_a_wire_fail_by_name(lab):
    lab.wire("small", "large", mtu=1500, mtu_b=3000)
    status, said = lab.refused_start()
    assert status == 1, f"status {status}: {said}"
    for word in ("small", "large", "1500", "3000"):
        assert word in said, f"{word} is not in: {said}"


@smoke(workers=(1,), cost=4)
def test_starts_that_fail_say_why(lab):
    """Devices that do not exist: exit status 1, and the port and device are named."""
    for device, words in (("iface:nope", ("iface:nope",)), ("0000:ff:1f.7", ("0000:ff:1f.7",)),
                          ("net_nosuchdriver0", ("net_nosuchdriver0",)),
                          ("net_pcap5,rx_pcap=/nope/in.pcap", ("net_pcap5",))):
        status, said = lab.refused_start(devices={"x": device, "y": NULLS["y"]}, wires=[("x", "y")])
        assert status == 1, f"{device}: status {status}: {said}"
        assert all(w in said for w in words) and "x" in said, f"{device}: {said}"


@smoke(workers=(1,), cost=2)
def test_bad_options_are_a_usage_error(lab):
    """Exit status 2, and the option is named."""
    how = {"devices": NULLS, "wires": [("x", "y")]}
    for option, value in (("--workers", "0"), ("--workers", "many"), ("--max-flows", "-1"),
                          ("--startup", "maybe"), ("--checksum", "some"), ("--non-ip", "1"),
                          ("--tunnels", "x"), ("--udp-s", "0"), ("--simd", "64"), ("--wire", "x"), ("--wire", "x,z"),
                          ("--wire", "x,y"), ("--port", "y"), ("--port", "x=net_null2"), ("--port", "z=net_null2"),
                          ("--port-sources", "x=10.0.0.0/40"), ("--port-sources", "q=10.0.0.0/8"),
                          ("--config", "/nope/rampart.conf"), ("--no-such-option", "1")):
        status, said = lab.refused_start(option, value, **how)
        assert status == 2, f"{option} {value}: status {status}: {said}"
        assert option.lstrip("-") in said, f"{option} {value}: {said}"


@smoke(workers=(1,))
def test_a_config_file_says_the_same_as_options(lab):
    wire = lab.wire()
    path = os.path.join(lab.folder, "rampart.conf")
    with open(path, "w", encoding="utf-8") as f:
        f.write("# a comment\nstartup = pass\nport = a=iface:a\nport = b=iface:b\nwire = a,b\n"
                "checksum = off\n")
    lab.start("--config", path, "--checksum", "all", devices={}, wires=[])
    wire.passes(frame(udp(lab.number(), 80), "10.0.0.1", "10.0.0.2"))
    status = lab.daemon.get("/v1/status")
    assert (status["startup"], status["settings"]["checksum"]) == ("pass", "all"), status


@smoke(workers=(1,), cost=2)
def test_a_second_daemon_on_the_socket_is_refused(lab):
    """Likewise one on its state directory; one that died keeps nobody from starting."""
    how = {"devices": NULLS, "wires": [("x", "y")]}
    first = lab.start(**how)
    second = lab.make(folder="second", **how)
    second.socket_path = first.socket_path
    second.launch()
    assert second.process.wait(60) == 1
    assert first.socket_path in "\n".join(second.log())
    third = lab.make("--state-dir", os.path.join(first.folder, "state"), folder="third", **how)
    third.launch()
    assert third.process.wait(60) == 1
    assert os.path.join(first.folder, "state") in "\n".join(third.log())
    assert first.get("/v1/status")["state"] == "running"
    first.kill()
    assert os.path.exists(first.socket_path)
    lab.start(**how)


def ask_as(path, user, group):
    """The status of GET /v1/status as somebody else; 0 if the connection was refused or closed."""
    pid = os.fork()
    if pid == 0:
        status = 0
        try:
            os.setgroups([])
            os.setgid(group)
            os.setuid(user)
            connection = UnixConnection(path, 20)
            connection.request("GET", "/v1/status")
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            pass
        os._exit(status // 100)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) * 100


@smoke(workers=(1,))
def test_who_may_use_the_socket(lab):
    """Mode 0660; and whoever gets past the mode is asked who they are."""
    lab.start("--socket-group", "4242", devices=NULLS, wires=[("x", "y")])
    path = lab.daemon.socket_path
    info = os.stat(path)
    assert stat.S_IMODE(info.st_mode) == 0o660 and info.st_gid == 4242, oct(info.st_mode)
    assert ask_as(path, 0, 0) == 200
    assert ask_as(path, NOBODY, 4242) == 200
    assert ask_as(path, NOBODY, NOBODY) == 0
    os.chmod(path, 0o666)
    assert ask_as(path, NOBODY, NOBODY) in (0, 400)
    assert ask_as(path, NOBODY, 4242) == 200


@smoke(cost=2)
def test_a_signal_stops_forwarding_and_ends_cleanly(lab):
    """SIGTERM and SIGINT: nothing passes any more once it has ended, and all that came before has
    been accounted for in what it says at its end or on its way."""
    wire = lab.wire()
    for name, number in (("term", signal.SIGTERM), ("int", signal.SIGINT)):
        lab.start("--startup", "pass", folder=name)
        wire.passes(frame(udp(lab.number(), 80), "10.0.0.1", "10.0.0.2"))
        lab.daemon.process.send_signal(number)
        began, count = time.monotonic(), 0
        while lab.daemon.process.poll() is None:
            wire.left.send(frame(udp(lab.number() % 60000 + 1, 80, struct.pack(">I", count)),
                                 "10.0.0.1", "10.0.0.2"))
            count += 1
            time.sleep(0.001)
        assert lab.daemon.process.returncode == 0, lab.daemon.process.returncode
        assert time.monotonic() - began < 10, "one second is the promise, ten on a busy machine"
        assert not os.path.exists(lab.daemon.socket_path)
        wire.right.take()
        wire.left.send(frame(udp(9, 80), "10.0.0.1", "10.0.0.2"))
        assert wire.right.take_until(1, 0.2) == []


@smoke(workers=(2,))
def test_the_supervisor_is_told(lab):
    """READY=1 and STOPPING=1 to NOTIFY_SOCKET, as systemd expects."""
    path = os.path.join(lab.folder, "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(path)
        s.setblocking(False)
        os.environ["NOTIFY_SOCKET"] = path
        lab.start(devices=NULLS, wires=[("x", "y")])
        said = []

        def heard(what):
            try:
                said.append(s.recv(1000).decode())
            except BlockingIOError:
                pass
            return any(what in line for line in said)

        wait_for("READY=1", lambda: heard("READY=1"))
        lab.daemon.finish()
        wait_for("STOPPING=1", lambda: heard("STOPPING=1"))


@smoke(workers=(1,), cost=4)
def test_narrower_vectors_can_be_asked_for(lab):
    """--simd: rte_acl classifies as wide as asked, and allows and denies the same; what the CPU does not have is refused."""
    wire = lab.wire()
    with open("/proc/cpuinfo", encoding="ascii") as file:
        flags = next(line for line in file if line.startswith("flags")).split()
    widest = 512 if {"avx512f", "avx512vl", "avx512cd", "avx512bw"} <= set(flags) else 256 if "avx2" in flags else 128
    named = {128: "sse", 256: "avx512x16" if widest == 512 else "avx2", 512: "avx512x32"}
    for asked in ("auto", 128, 256, 512):
        bits = widest if asked == "auto" else asked
        if bits > widest:
            status, said = lab.refused_start("--simd", asked)
            assert status == 1 and f"--simd {asked}: this CPU has vectors of at most {widest} bits" in said, (status, said)
            continue
        lab.start("--simd", asked, objects=[
            kube.namespace("web"), kube.pod("web/a", "10.0.0.1"), kube.pod("web/b", "10.0.0.2"),
            kube.policy("web/in", ingress=[{"ports": [{"protocol": "UDP", "port": 80}]}])])
        algorithm = lab.daemon.get("/v1/status")["acl_algorithm"]
        assert algorithm == named[bits], f"--simd {asked}: {algorithm}"
        wire.passes(frame(udp(lab.number(), 80), "10.0.0.1", "10.0.0.2"))
        wire.drops(frame(udp(lab.number(), 81), "10.0.0.1", "10.0.0.2"), "denied_ingress")
        lab.daemon.finish()


@smoke(workers=(1, 2))
def test_a_status_that_a_stranger_can_read(lab):
    """What /v1/status and /metrics say of ports, workers and memory."""
    wire = lab.wire()
    lab.start(objects=[kube.namespace("web"), kube.pod("web/a", "10.0.0.1")])
    wire.passes(frame(udp(lab.number(), 80), "10.0.0.1", "10.0.0.2"))
    status = lab.daemon.get("/v1/status")
    assert [p["name"] for p in status["ports"]] == ["a", "b"]
    for p, peer in zip(status["ports"], "ba"):
        assert (p["wire"], p["mtu"], p["running"], p["up"], p["sources"], p["resets"]) == \
            (peer, 1500, True, True, "any", 0), p
        assert p["device"] == f"iface:{p['name']}" and p["driver"] and p["mac"].count(":") == 5
    assert [w["worker"] for w in status["workers"]] == list(range(lab.workers))
    assert all(w["revision"] == 1 for w in status["workers"]), status["workers"]
    assert status["flows"] == {"live": 1, "max": status["flows"]["max"]}
    assert status["acl_algorithm"] in ("avx512x32", "avx512x16", "avx2", "sse"), status["acl_algorithm"]
    assert status["memory"]["mib"] > 0 and status["memory"]["mbufs_free"] > 0
    text = lab.daemon.call("GET", "/metrics").body.decode()
    for line in ('rampart_port_received_packets_total{port="a"} 1', "rampart_revision 1",
                 'rampart_port_forwarded_packets_total{port="a"} 1',
                 'rampart_port_sent_packets_total{port="b"} 1'):
        assert line in text.splitlines(), f"{line} is not in {text}"
    families = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")}
    assert families and all(f.startswith("rampart_") for f in families), families
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            float(value)
            family = name.split("{")[0]
            assert family in families, f"no TYPE for {line}"
