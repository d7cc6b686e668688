# SPDX-License-Identifier: Apache-2.0
"""The hit path: as many UDP flows as asked for, both ends send, so that all of them are established.

start -f established.py -m 100% -p 0 1 -t --flows 100000 --size 64
"""

import argparse
import os

from trex_stl_lib.api import *


class Established(object):
    def get_streams(self, direction=0, tunables=(), **kwargs):
        parser = argparse.ArgumentParser(prog=os.path.basename(__file__))
        parser.add_argument("--flows", type=int, default=100000, help="at most 15,360,000 (100000)")
        parser.add_argument("--size", type=int, default=64, help="of a frame with its FCS (64)")
        parser.add_argument("--clients", default="10.1.0.1-10.1.0.240", help="addresses, first-last")
        parser.add_argument("--server", default="10.2.0.1", help="address that they call")
        parser.add_argument("--port", type=int, default=8125, help="UDP port that they call (8125)")
        args = parser.parse_args(tunables)
        first, last = args.clients.split("-")

        # One generator of (address, port) on both sides, so that side 1 answers what side 0 asks.
        vm = STLVM()
        vm.tuple_var(name="client", ip_min=first, ip_max=last, port_min=1025, port_max=65024, limit_flows=args.flows)
        if direction == 0:
            packet = Ether() / IP(src=first, dst=args.server) / UDP(sport=1025, dport=args.port)
            vm.write(fv_name="client.ip", pkt_offset="IP.src")
            vm.write(fv_name="client.port", pkt_offset="UDP.sport")
        else:
            packet = Ether() / IP(src=args.server, dst=first) / UDP(sport=args.port, dport=1025)
            vm.write(fv_name="client.ip", pkt_offset="IP.dst")
            vm.write(fv_name="client.port", pkt_offset="UDP.dport")
        vm.fix_chksum_hw(l3_offset="IP", l4_offset="UDP", l4_type=CTRexVmInsFixHwCs.L4_TYPE_UDP)
        pad = max(0, args.size - 4 - len(packet)) * "r"
        return [STLStream(packet=STLPktBuilder(pkt=packet / pad, vm=vm), mode=STLTXCont())]


def register():
    return Established()
