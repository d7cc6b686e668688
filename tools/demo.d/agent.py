# SPDX-License-Identifier: Apache-2.0
"""One pod of the demo: serves on its ports, and opens connections when it is told to.

usage: agent.py NAME tcp/80 udp/53 …

Servers: `dns` ports (53) answer real DNS queries, all others answer each line with NAME and the line.
Commands come as JSON lines on standard input, answers go as JSON lines to standard output, each with
the `id` of its command. The agent ends when its standard input does.
"""

import asyncio
import json
import struct
import sys

DNS_ANSWER = "10.96.0.80"  # what every name resolves to here


def dns_query(number, name="backend.app.svc.cluster.local"):
    """An A query (RFC 1035 §4.1)."""
    labels = b"".join(bytes([len(l)]) + l.encode() for l in name.split("."))
    return struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", 1, 1)


def dns_reply(query):
    """The query's own header and question with one A record behind them."""
    address = bytes(map(int, DNS_ANSWER.split(".")))
    return (query[:2] + struct.pack(">5H", 0x8180, 1, 1, 0, 0) + query[12:]
            + struct.pack(">HHHIH", 0xC00C, 1, 1, 5, 4) + address)


def is_dns_reply(reply, number):
    return len(reply) > 16 and struct.unpack(">H", reply[:2])[0] == number and reply[2] & 0x80 != 0


class UdpServer(asyncio.DatagramProtocol):
    def __init__(self, name, dns):
        self.name, self.dns = name, dns

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, peer):
        self.transport.sendto(dns_reply(data) if self.dns else self.name.encode() + b" " + data, peer)


class UdpClient(asyncio.DatagramProtocol):
    def __init__(self):
        self.reply = asyncio.get_running_loop().create_future()

    def datagram_received(self, data, peer):
        if not self.reply.done():
            self.reply.set_result(data)

    def error_received(self, error):
        if not self.reply.done():
            self.reply.set_exception(error)


class Agent:
    def __init__(self, name):
        self.name = name
        self.connections = {}
        self.queries = 0

    async def serve(self, protocol, port):
        dns = port == 53
        if protocol == "udp":
            await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: UdpServer(self.name, dns), local_addr=("0.0.0.0", port))
        else:
            await asyncio.start_server(self.answer_dns if dns else self.answer_lines, "0.0.0.0", port)

    async def answer_lines(self, reader, writer):
        try:
            while line := await reader.readline():
                writer.write(self.name.encode() + b" " + line)
                await writer.drain()
        except OSError:
            pass
        writer.close()

    async def answer_dns(self, reader, writer):
        """DNS over TCP: two bytes of length before each message (RFC 1035 §4.2.2)."""
        try:
            while True:
                length = struct.unpack(">H", await reader.readexactly(2))[0]
                reply = dns_reply(await reader.readexactly(length))
                writer.write(struct.pack(">H", len(reply)) + reply)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        writer.close()

    async def probe_tcp(self, host, port, peer):
        reader, writer = await asyncio.open_connection(host, port)
        try:
            if port == 53:
                self.queries += 1
                query = dns_query(self.queries)
                writer.write(struct.pack(">H", len(query)) + query)
                length = struct.unpack(">H", await reader.readexactly(2))[0]
                good = is_dns_reply(await reader.readexactly(length), struct.unpack(">H", query[:2])[0])
            else:
                writer.write(b"hello\n")
                good = await reader.readline() == f"{peer} hello\n".encode()
        finally:
            writer.close()
        return "open" if good else "wrong answer"

    async def probe_udp(self, host, port, peer):
        """Asks a few times, since UDP may lose a datagram; the caller's time-out ends it."""
        loop = asyncio.get_running_loop()
        transport, client = await loop.create_datagram_endpoint(UdpClient, remote_addr=(host, port))
        self.queries += 1
        number = self.queries
        try:
            while True:
                transport.sendto(dns_query(number) if port == 53 else b"hello")
                done, _ = await asyncio.wait([client.reply], timeout=0.7)
                if done:
                    reply = client.reply.result()
                    good = is_dns_reply(reply, number) if port == 53 else reply == f"{peer} hello".encode()
                    return "open" if good else "wrong answer"
        finally:
            transport.close()

    async def probe(self, protocol, host, port, peer, timeout):
        try:
            one = self.probe_udp if protocol == "udp" else self.probe_tcp
            return await asyncio.wait_for(one(host, port, peer), timeout)
        except asyncio.TimeoutError:
            return "timeout"
        except (OSError, asyncio.IncompleteReadError) as error:
            return getattr(error, "strerror", None) or type(error).__name__

    async def open(self, connection, host, port, timeout):
        """Opens a connection and keeps it under a name for `ask`."""
        try:
            self.connections[connection] = await asyncio.wait_for(
                asyncio.open_connection(host, port), timeout)
            return "open"
        except (OSError, asyncio.TimeoutError) as error:
            return type(error).__name__

    async def ask(self, connection, line, timeout):
        """Sends a line over a kept connection: `answer`, or `silence` when none comes in time."""
        reader, writer = self.connections[connection]
        try:
            writer.write(line.encode() + b"\n")
            reply = await asyncio.wait_for(reader.readline(), timeout)
            return "answer" if reply.endswith(line.encode() + b"\n") else "closed"
        except asyncio.TimeoutError:
            return "silence"
        except OSError as error:
            return error.strerror or type(error).__name__


async def main():
    agent = Agent(sys.argv[1])
    for service in sys.argv[2:]:
        protocol, port = service.split("/")
        await agent.serve(protocol, int(port))
    loop = asyncio.get_running_loop()
    commands = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    running = set()

    async def run(command):
        number, verb = command.pop("id"), command.pop("do")
        result = await getattr(agent, verb)(**command)
        print(json.dumps({"id": number, "result": result}), flush=True)

    print(json.dumps({"ready": agent.name}), flush=True)
    while line := await commands.readline():
        task = asyncio.create_task(run(json.loads(line)))
        running.add(task)
        task.add_done_callback(running.discard)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
