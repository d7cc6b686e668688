# SPDX-License-Identifier: Apache-2.0
"""Who must reach whom, written by hand from the three policies, and the table that compares it with
what real connections see. Nothing here asks the product what it thinks."""

from network import DemoError

# Columns: (server, protocol, port). Rows: a client and, column by column, whether it gets through once
# the three policies are in force: + yes, - no.
ACROSS = [
    ("node-a → node-b",
     [("frontend-b", "tcp", 80), ("backend-b", "tcp", 8080), ("backend-b", "tcp", 9090),
      ("database-b", "tcp", 5432), ("coredns", "udp", 53), ("coredns", "tcp", 53)],
     [("outside",    "+ - - - + +"),   # anybody may see the website; nobody isolates DNS
      ("frontend-a", "- + - - + -"),   # backend on 8080 and DNS over UDP, nothing else
      ("backend-a",  "- - - + + -"),   # database on 5432 and DNS over UDP, nothing else
      ("database-a", "+ - - - + +")]), # its egress is free; what it calls still has ingress rules
    ("node-b → node-a",
     [("frontend-a", "tcp", 80), ("backend-a", "tcp", 8080), ("backend-a", "tcp", 9090),
      ("database-a", "tcp", 5432), ("outside", "tcp", 443)],
     [("frontend-b", "- + - - -"),
      ("backend-b",  "- - - + -"),
      ("database-b", "+ - - - +"),
      ("coredns",    "+ - - - +")]),
]
# A denied packet is dropped in silence, so "denied" is a time-out; a lost SYN is sent again after 1 s.
TIMEOUT = 2.4


class Paint:
    def __init__(self, on):
        self.on = on

    def __call__(self, code, text):
        return f"\x1b[{code}m{text}\x1b[0m" if self.on else text

    def bold(self, text):
        return self(1, text)

    def dim(self, text):
        return self(2, text)

    def good(self, text):
        return self("1;32", text)

    def bad(self, text):
        return self("1;37;41", text)

    def denied(self, text):
        return self(31, text)


def expected_cells(policies):
    """[(title, columns, [(client, [expected…])…])…]; without policies everything is open."""
    tables = []
    for title, columns, rows in ACROSS:
        made = []
        for client, marks in rows:
            marks = marks.split()
            if len(marks) != len(columns):
                raise DemoError(f"the expected row of {client} ({title}) has {len(marks)} cells")
            made.append((client, [not policies or mark == "+" for mark in marks]))
        tables.append((title, columns, made))
    return tables


def probe_all(pods, tables):
    """Opens every connection of the tables, all at the same time; {(client, server, proto, port): seen}."""
    sent = {}
    for _, columns, rows in tables:
        for client, _ in rows:
            for server, protocol, port in columns:
                sent[client, server, protocol, port] = pods[client].send(
                    "probe", protocol=protocol, host=pods[server].address, port=port, peer=server,
                    timeout=TIMEOUT)
    return {key: pods[key[0]].result(number) for key, number in sent.items()}


def cell(seen, expected, paint):
    """`seen/expected`, padded to 3; anything but a time-out where a denial is expected is wrong too."""
    marks = {"open": "✔", "timeout": "✘"}
    text = f"{marks.get(seen, '?')}/{'✔' if expected else '✘'}"
    right = seen == ("open" if expected else "timeout")
    if not right:
        return paint.bad(text), False
    return (paint.good(text) if expected else paint.denied(text)), True


def show(pods, policies, paint, out):
    """Probes and prints the matrix; the list of cells that are not as expected."""
    tables = expected_cells(policies)
    seen = probe_all(pods, tables)
    wrong, total = [], 0
    for title, columns, rows in tables:
        width = 12
        out("  " + paint.bold(f"{title:<18}") + "".join(f"{server:^{width}}" for server, _, _ in columns).rstrip())
        out("  " + " " * 18 + paint.dim("".join(f"{f'{port}/{protocol.upper()}':^{width}}"
                                                for _, protocol, port in columns).rstrip()))
        for client, expectations in rows:
            line = f"  {client:<18}"
            for (server, protocol, port), expected in zip(columns, expectations):
                result = seen[client, server, protocol, port]
                text, right = cell(result, expected, paint)
                line += " " * 4 + text + " " * (width - 7)
                total += 1
                if not right:
                    wrong.append(f"{client} → {server} {protocol.upper()}/{port}: expected "
                                 f"{'open' if expected else 'timeout'}, seen {result}")
            out(line.rstrip())
        out("")
    verdict = f"{total - len(wrong)} of {total} connections as expected"
    out("  " + (paint.bad(verdict) if wrong else paint.good(verdict))
        + paint.dim("    seen/expected: ✔ answered, ✘ timed out"))
    return wrong
