# SPDX-License-Identifier: Apache-2.0
"""Segments that a stranger sends into a connection, and what state and windows say to them (RFC 9293,
RFC 5961). All windows are 65,535 and not scaled."""

from lib.frames import frame, icmp6, icmp_error, without_ethernet
from story import FAMILIES, PASS, Story, Tcp

FAR = 70_000  # beyond any window here


def resets():
    story = Story(5, "tcp-resets",
                  "A RST counts only with the very number that its receiver waits for; beyond the "
                  "window it does not even pass, within it the receiver asks its sender again.")
    for number in (0, 1):
        one = Tcp(story, number).open()
        one.talk()
        for side, send in (("left", one.left), ("right", one.right)):
            for plus in (FAR, -1, -FAR, 1 << 31):
                send("R", "tcp_window", f"RST from the {side}, {plus} from where it ought to be", plus=plus)
                send("RA", "tcp_window", "with ACK", plus=plus)
        one.talk()
        one.left("R", PASS, "within the window: the receiver will ask (a challenge ACK)", plus=100)
        one.right("A", PASS, "and does")
        one.talk()
        one.right("PA", PASS, "data", payload=b"answer")
        one.right("RA", PASS, "and a RST behind it: the connection is over")
        one.left("A", PASS, "the acknowledgement of the data, sent before the RST was there")
        one.left("S", PASS, "the ports are used again at once", plus=FAR)
        one.right("R", "tcp_window", "the answer to that acknowledgement has no place in the new connection")
        one.next = {"left": one.next["left"] + FAR + 1, "right": 9000}
        one.right("SA", PASS, "the answer to the SYN has")
        one.left("A", PASS, "open again")
        one.talk()
    return story


def segments():
    story = Story(6, "tcp-blind-data",
                  "Data and acknowledgements that a stranger guesses: outside the window, or of "
                  "what was never sent.")
    for number in (0, 1):
        one = Tcp(story, number).open()
        one.talk()
        for side, send in (("left", one.left), ("right", one.right)):
            for flags, payload in (("PA", b"guess"), ("A", b""), ("FA", b""), ("UA", b"guess")):
                for plus in (FAR, -FAR, 1 << 31):
                    send(flags, "tcp_window", f"{flags} from the {side}, {plus} from where it ought to be",
                         plus=plus, payload=payload)
                send(flags, "tcp_window", f"{flags} from the {side}, acknowledges one byte too much",
                     ack_plus=1, payload=payload)
                send(flags, "tcp_window", f"{flags} from the {side}, acknowledges the far future",
                     ack_plus=FAR, payload=payload)
                send(flags, "tcp_window", f"{flags} from the {side}, acknowledges the far past",
                     ack_plus=-FAR, payload=payload)
        one.talk()
        one.left("A", PASS, "a keep-alive is one below", plus=-1)
        one.right("A", PASS, "and is answered")
        one.left("PA", PASS, "a retransmission", plus=-8, payload=b"question")
    return story


def handshakes():
    story = Story(7, "tcp-handshakes",
                  "Segments that have no place in a handshake, and SYNs in a connection.")
    for number in (0, 1):
        one = Tcp(story, number)
        one.left("S", PASS, "SYN")
        one.left("A", "tcp_state", "an ACK before there is anything to acknowledge", ack_plus=1)
        one.left("PA", "tcp_state", "data before the answer", payload=b"early")
        one.right("PA", "tcp_state", "data before the answer, from the other end", payload=b"early", ack_plus=9)
        one.right("R", "tcp_window", "a RST that acknowledges nothing")
        one.right("RA", "tcp_window", "a RST that acknowledges another SYN", ack_plus=9)
        one.left("S", PASS, "SYN, sent again", plus=-1)
        one.right("SA", PASS, "SYN-ACK")
        one.left("A", "tcp_window", "an ACK of another SYN-ACK", ack_plus=9)
        one.left("A", PASS, "ACK: the connection is open")
        one.talk()
        one.left("S", PASS, "a SYN in the connection: the receiver will ask", plus=100)
        one.right("A", PASS, "and does")
        one.talk()
        with_data = Tcp(story, number)
        with_data.left("S", PASS, "a SYN with data", payload=b"hello")
        with_data.right("SA", PASS, "a SYN-ACK that takes the SYN alone", ack_plus=-5)
        with_data.left("PA", PASS, "so it is sent again", plus=-5, payload=b"hello")
        with_data.right("A", PASS, "and taken")
        with_data.talk()
    return story


def ends():
    story = Story(8, "tcp-ends",
                  "What may still come after a FIN, and out of TIME-WAIT.")
    for number in (0, 1):
        one = Tcp(story, number).open()
        one.left("FA", PASS, "FIN from the left")
        one.right("A", PASS, "its acknowledgement")
        one.left("PA", "tcp_state", "data behind the FIN", payload=b"more")
        one.right("PA", PASS, "data from the right: it has not ended", payload=b"answer")
        one.left("A", PASS, "acknowledged")
        one.right("FA", PASS, "FIN from the right")
        one.left("A", PASS, "acknowledged: TIME-WAIT")
        one.left("FA", PASS, "the FIN again", plus=-1)
        one.left("S", "tcp_state", "a SYN with a number of the old connection", plus=-3)
        one.right("S", "tcp_state", "a SYN from the other end, with an old number", plus=-3)
        one.right("S", "denied_ingress", "with a new one it is judged: nobody may open anything to web/a",
                  plus=FAR)
        one.left("S", PASS, "a newer SYN from the left is a new connection", plus=FAR)
    return story


def quotes():
    story = Story(9, "icmp-tcp-quotes",
                  "An ICMP error about a TCP segment that cannot be on its way: whoever made it up "
                  "knows the ports, and not the numbers (RFC 5927).")
    for number, (here, there, router) in enumerate(FAMILIES):
        one = Tcp(story, number).open()
        one.talk()

        def error(plus, to=here, sender="left"):
            packet = without_ethernet(one.segment(sender, "PA", plus=plus, payload=b"x" * 20))
            if number:
                return frame(icmp6(2, 0, (1300).to_bytes(4, "big") + packet), router, to)
            return frame(icmp_error(packet, 3, 4, 1300), router, to)
        for plus in (FAR, -2 * FAR, 1 << 31):
            story.right(error(plus), "icmp_unrelated", f"{plus} from where it ought to be")
        story.right(error(-8), PASS, "about the segment before")
        one.talk()
    return story


STORIES = [resets(), segments(), handshakes(), ends(), quotes()]
