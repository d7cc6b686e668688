# SPDX-License-Identifier: Apache-2.0
"""Connections as HTTP makes them: one request, one answer, close. With a large --answer: long transfers.

start -f http.py -m 100000 -t --answer 1024          connections a second: -m times 1
start -f http.py -m 100 -t --answer 100000000        long transfers
"""

import argparse
import os

from trex.astf.api import *

REQUEST = b"GET /measure HTTP/1.1\r\nHost: server\r\nConnection: close\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
CHUNK = 1 << 20


class Http(object):
    def get_profile(self, tunables=(), **kwargs):
        parser = argparse.ArgumentParser(prog=os.path.basename(__file__))
        parser.add_argument("--answer", type=int, default=1024, help="bytes that a server sends (1024)")
        parser.add_argument("--clients", default="10.1.0.1-10.1.0.240", help="addresses, first-last")
        parser.add_argument("--servers", default="10.2.0.1-10.2.0.4", help="addresses, first-last")
        parser.add_argument("--port", type=int, default=80, help="TCP port that they call (80)")
        args = parser.parse_args(tunables)

        # A long answer is a chunk that is sent again and again: it has to lie in TRex's memory only once.
        whole, rest = divmod(args.answer, CHUNK)
        head = HEAD % args.answer
        client = ASTFProgram()
        client.send(REQUEST)
        client.recv(len(head) + args.answer)
        server = ASTFProgram()
        server.recv(len(REQUEST))
        server.send(head + b"r" * rest)
        if whole:
            server.set_var("chunks", whole)
            server.set_label("more")
            server.send(b"r" * CHUNK)
            server.jmp_nz("chunks", "more")

        addresses = ASTFIPGen(
            glob=ASTFIPGenGlobal(ip_offset="0.1.0.0"),  # between TRex's own pairs of ports
            dist_client=ASTFIPGenDist(ip_range=args.clients.split("-"), distribution="seq"),
            dist_server=ASTFIPGenDist(ip_range=args.servers.split("-"), distribution="seq"))
        template = ASTFTemplate(
            client_template=ASTFTCPClientTemplate(program=client, ip_gen=addresses, port=args.port, cps=1),
            server_template=ASTFTCPServerTemplate(program=server, assoc=ASTFAssociationRule(port=args.port)))
        return ASTFProfile(default_ip_gen=addresses, templates=template)


def register():
    return Http()
