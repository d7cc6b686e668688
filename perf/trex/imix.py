# SPDX-License-Identifier: Apache-2.0
"""The hit path with frames of the sizes of the simple IMIX: 64, 594 and 1518 bytes, 7 : 4 : 1 in numbers.

start -f imix.py -m 100% -p 0 1 -t --flows 100000
"""

import argparse
import os

from trex_stl_lib.api import *

SIZES = ((64, 7), (594, 4), (1518, 1))


class Imix(object):
    def get_streams(self, direction=0, tunables=(), **kwargs):
        parser = argparse.ArgumentParser(prog=os.path.basename(__file__))
        parser.add_argument("--flows", type=int, default=100000, help="of each size (100000)")
        parser.add_argument("--clients", default="10.1.0.1-10.1.0.240", help="addresses, first-last")
        parser.add_argument("--server", default="10.2.0.1", help="address that they call")
        parser.add_argument("--port", type=int, default=8125, help="UDP port that they call (8125)")
        args = parser.parse_args(tunables)
        first, last = args.clients.split("-")

        streams = []
        for number, (size, share) in enumerate(SIZES):
            # A third of the ports for each size, so that a flow has one size.
            low = 1025 + number * 21000
            vm = STLVM()
            vm.tuple_var(name="client", ip_min=first, ip_max=last, port_min=low, port_max=low + 20999,
                         limit_flows=args.flows)
            if direction == 0:
                packet = Ether() / IP(src=first, dst=args.server) / UDP(sport=low, dport=args.port)
                vm.write(fv_name="client.ip", pkt_offset="IP.src")
                vm.write(fv_name="client.port", pkt_offset="UDP.sport")
            else:
                packet = Ether() / IP(src=args.server, dst=first) / UDP(sport=args.port, dport=low)
                vm.write(fv_name="client.ip", pkt_offset="IP.dst")
                vm.write(fv_name="client.port", pkt_offset="UDP.dport")
            vm.fix_chksum_hw(l3_offset="IP", l4_offset="UDP", l4_type=CTRexVmInsFixHwCs.L4_TYPE_UDP)
            pad = max(0, size - 4 - len(packet)) * "r"
            streams.append(STLStream(packet=STLPktBuilder(pkt=packet / pad, vm=vm), mode=STLTXCont(pps=share)))
        return streams


def register():
    return Imix()
