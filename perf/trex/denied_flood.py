# SPDX-License-Identifier: Apache-2.0
"""The denied path: every frame is the SYN of another connection that no policy allows.

start -f denied_flood.py -m 100% -p 0
"""

import argparse
import os

from trex_stl_lib.api import *


class DeniedFlood(object):
    def get_streams(self, direction=0, tunables=(), **kwargs):
        parser = argparse.ArgumentParser(prog=os.path.basename(__file__))
        parser.add_argument("--flows", type=int, default=15360000, help="until the first comes again (15360000)")
        parser.add_argument("--clients", default="11.0.0.1-11.0.0.240", help="addresses, first-last")
        parser.add_argument("--server", default="10.2.0.1", help="address that they call")
        parser.add_argument("--port", type=int, default=9999, help="TCP port that they call (9999)")
        args = parser.parse_args(tunables)
        if direction != 0:
            return []
        first, last = args.clients.split("-")
        vm = STLVM()
        vm.tuple_var(name="client", ip_min=first, ip_max=last, port_min=1025, port_max=65024, limit_flows=args.flows)
        vm.write(fv_name="client.ip", pkt_offset="IP.src")
        vm.write(fv_name="client.port", pkt_offset="TCP.sport")
        vm.fix_chksum_hw(l3_offset="IP", l4_offset="TCP", l4_type=CTRexVmInsFixHwCs.L4_TYPE_TCP)
        packet = Ether() / IP(src=first, dst=args.server) / TCP(sport=1025, dport=args.port, flags="S", seq=4096)
        pad = max(0, 60 - len(packet)) * "\0"
        return [STLStream(packet=STLPktBuilder(pkt=packet / pad, vm=vm), mode=STLTXCont())]


def register():
    return DeniedFlood()
