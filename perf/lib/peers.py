# SPDX-License-Identifier: Apache-2.0
"""The peers that have their turn beside Rampart's: which there are for a row, and the proof that each did the same."""

import os
import subprocess

import l3fwd
import machine
import nft
import ovs
import packages
import workload
from contenders import turn, waiting
from rows import PeerRow

# How many of Rampart's cycles a peer's are at least, everything with the driver.
BARS = {"l3fwd-acl": {1: 1.0, 1000: 1 / 1.15, 10000: 1 / 1.15, 100000: 1 / 1.15},
        "OVS conntrack": {1: 4, 1000: 6, 10000: 6, 100000: 5}}
KINDS = {"udp": ("l3fwd-acl", "OVS conntrack", "nftables"), "new": ("OVS conntrack", "nftables")}
LIKE = {"udp": (workload.UDP, workload.udp_frame), "new": (workload.TCP, workload.syn_frame)}
STRANGE = 1000  # frames that no rule names
MOST_FRAMES = 1 << 18  # each has its own copy of all of them


def store(options):
    """Where they are unpacked and built."""
    return packages.Store(os.path.join(options.build, "perf", "peers"), make=not options.no_build)


class Peers:
    """Those of one row. `made`: the workload; `folder`: for files; `pcap`: a file with a frame a flow."""

    def __init__(self, options, made, folder):
        self.options, self.made, self.folder = options, made, folder
        self.store = store(options)
        self.absent = []  # (kind of the row, its flows, name of the peer, why)

    def start(self, row, pcap, frames, stack):
        """{PeerRow: contender} of those that can be had; the others are `absent` from then on."""
        if self.options.no_peers or row.kind not in KINDS or (self.options.quick and row.kind == "udp" and row.flows != 1000):
            return {}
        if frames > MOST_FRAMES:
            machine.say(f"no peers: {frames:,} frames are too many for them")
            self.absent += [(row.kind, row.flows, name, f"{frames:,} frames are too many") for name in KINDS[row.kind]]
            return {}
        make = {"l3fwd-acl": self._l3fwd, "OVS conntrack": self._ovs, "nftables": self._nftables}
        started = {}
        for name in KINDS[row.kind]:
            try:
                one = make[name](row.kind, pcap, frames)
            except (machine.Failed, OSError, subprocess.SubprocessError) as error:
                machine.say(f"no {name}: {error}")
                self.absent.append((row.kind, row.flows, name, str(error)))
                continue
            bar = BARS.get(name, {}).get(row.flows) if row.kind == "udp" else None
            started[PeerRow(row, name, bar)] = stack.enter_context(waiting(one))
        return started

    def _strange(self, kind):
        """A file of frames that no rule names: each peer shows that it denies these."""
        protocol, frame = LIKE[kind]
        path = os.path.join(self.folder, "strange.pcap")
        workload.write_pcap(path, map(frame, workload.denied(self.made.flows(STRANGE, protocol))))
        return path

    def _l3fwd(self, kind, pcap, frames):
        where = (self.options.core, self.made.rules)
        strange, leaked = l3fwd.L3fwd.leaked(self.store, self._strange(kind), STRANGE, *where)
        one = l3fwd.L3fwd(self.store, pcap, frames, *where)
        one.strange, one.leaked = strange, leaked
        return one

    def _ovs(self, kind, pcap, frames):
        return ovs.Ovs(self.store, pcap, frames, self._strange(kind), self.options.core, self.made.rules)

    def _nftables(self, kind, pcap, frames):
        """It wants answers, too, before flows are established."""
        protocol, frame = LIKE[kind]
        replies = os.path.join(self.folder, "replies.pcap") if kind == "udp" else None
        if replies:
            workload.write_pcap(replies, map(frame, ((b, a, to, of) for a, b, of, to in self.made.flows(frames, protocol))))
        return nft.Nft(self.store, os.path.join(self.options.build, "perf", "veth_stream"), pcap, frames,
                       replies, self._strange(kind), self.options.core, self.made.rules)


def absence(kind, flows, name, why):
    """A line about a peer that was absent."""
    return f"{kind}, {flows:,} flows: no {name}: {' '.join(why.split())[:200]}"


def prove(row, peer, seconds):
    """That it let out what it got, and what its connection tracking made of that."""
    with turn(peer):
        if row.row.kind == "new":
            prove_new(row, peer)
        elif isinstance(peer, ovs.Ovs):
            flows, sent = peer.connections(), peer.sent_share()
            row.prove(f"sent {sent:.4f}, connections {flows:,}, {denied(peer)}",
                      flows >= 0.999 * row.row.flows and sent > 0.99 and denies(peer))
        elif isinstance(peer, nft.Nft):
            flows, sent = peer.connections(), peer.window(seconds).shares["sent"]
            row.prove(f"sent {sent:.4f}, connections {flows:,}, {denied(peer)}",
                      0.99 < sent < 1.01 and flows == row.row.flows and denies(peer))
        else:
            sent = peer.window(seconds).shares["sent"]
            row.prove(f"sent {sent:.4f}, {denied(peer)}", sent > 0.99 and denies(peer))


def prove_new(row, peer):
    """That in each round every frame has opened a connection, and has left."""
    created = row.worst("created")
    if isinstance(peer, nft.Nft):
        sent = row.worst("sent")
        row.prove(f"created {created:.4f}, sent {sent:.4f}, {denied(peer)}",
                  0.99 <= created <= 1 and 0.99 < sent < 1.01 and denies(peer))
    else:
        sent = peer.sent_in_all()
        row.prove(f"created {created:.4f}, sent {sent:.4f}, {denied(peer)}", 0.99 <= created <= 1 and sent > 0.99 and denies(peer))


def denied(peer):
    return f"of {peer.strange:,} that no rule names sent {peer.leaked}"


def denies(peer):
    return peer.strange > 0 and peer.leaked == 0
