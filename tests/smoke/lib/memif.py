# SPDX-License-Identifier: Apache-2.0
"""The other end of a memif port, for frames cut into buffers where a test wants them cut.

The client's half of the protocol (version 2.0, as in DPDK's guide "Memif Poll Mode Driver"): a control
channel of 128-byte messages over a Unix socket, and rings of descriptors with their buffers in memory
that the client makes. Frames of several descriptors carry the flag NEXT on all but the last. DPDK 22.11's
own driver does not clear that flag when a descriptor is used again; this one sets every descriptor whole.
"""

import array
import mmap
import os
import socket
import struct
import time

ACK, HELLO, INIT, ADD_REGION, ADD_RING, CONNECT, CONNECTED = range(1, 8)
VERSION, COOKIE, NEXT, MASK_INTERRUPTS, TO_SERVER = 0x0200, 0x3E31F20, 1, 1, 1
# Of a ring, in bytes: cookie, flags and head; 64 on, tail; 128 on, descriptors.
HEAD, TAIL, HEADER, DESCRIPTOR = 6, 64, 128, 16


class Ring:
    """A single-producer ring. Ours to fill (towards the server: head) or to empty (tail)."""

    def __init__(self, memory, offset, buffers, log2_size, buffer_bytes):
        self.memory, self.offset, self.size, self.bytes = memory, offset, 1 << log2_size, buffer_bytes
        self.buffers, self.next = buffers, 0
        self.words = memoryview(memory).cast("H")  # struct writes byte by byte, this in one go
        struct.pack_into("=IHH", memory, offset, COOKIE, MASK_INTERRUPTS, 0)
        for slot in range(self.size):
            self.describe(slot, 0, buffer_bytes)

    def describe(self, slot, flags, length):
        slot %= self.size
        struct.pack_into("=HHIII", self.memory, self.offset + HEADER + slot * DESCRIPTOR, flags, 0, length,
                         self.buffers + slot * self.bytes, 0)

    def described(self, slot):
        flags, _, length, offset, _ = struct.unpack_from(
            "=HHIII", self.memory, self.offset + HEADER + slot % self.size * DESCRIPTOR)
        return flags, self.memory[offset:offset + length]

    def buffer(self, slot, data):
        at = self.buffers + slot % self.size * self.bytes
        self.memory[at:at + len(data)] = data

    def set_head(self, value):
        self.words[(self.offset + HEAD) // 2] = value & 0xFFFF

    @property
    def tail(self):
        return self.words[(self.offset + TAIL) // 2]


class MemifPeer:
    """Connects to a memif port of role server; has what lib.wire wants of the end of a wire."""

    def __init__(self, ns, name, queues=1, buffer_bytes=2048, log2_size=6):
        with ns:
            self.control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.settimeout(20)
        self.control.connect("\0" + name)
        self.pieces = []  # of how many buffers each frame consisted that came
        self.cuts = lambda data: ()  # at which offsets a frame is cut that is sent
        self.buffer_bytes, self.turn = buffer_bytes, 0
        size = 1 << log2_size
        ring_bytes = HEADER + size * DESCRIPTOR
        buffers = 2 * queues * ring_bytes
        total = buffers + 2 * queues * size * buffer_bytes
        region = os.memfd_create("memif", os.MFD_ALLOW_SEALING)
        os.ftruncate(region, total)
        self.memory = mmap.mmap(region, total)
        rings = [Ring(self.memory, n * ring_bytes, buffers + n * size * buffer_bytes, log2_size,
                      buffer_bytes) for n in range(2 * queues)]
        self.out, self.back = rings[:queues], rings[queues:]

        self._expect(HELLO)
        self._tell(struct.pack("=HHIB24s32s", INIT, VERSION, 0, 0, b"", b"test"))
        self._tell(struct.pack("=HHQ", ADD_REGION, 0, total), region)
        for direction, group in ((TO_SERVER, self.out), (0, self.back)):
            for index, ring in enumerate(group):
                event = os.eventfd(0, os.EFD_NONBLOCK)
                self._tell(struct.pack("=HHHHIBH", ADD_RING, direction, index, 0, ring.offset, log2_size,
                                       0), event)
                os.close(event)
        self._tell(struct.pack("=H32s", CONNECT, b"test"), answer=CONNECTED)
        os.close(region)
        for ring in self.back:
            ring.set_head(size)  # all of its buffers are the server's to fill

    def _tell(self, message, descriptor=None, answer=ACK):
        passed = []
        if descriptor is not None:
            passed = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))]
        self.control.sendmsg([message.ljust(128, b"\0")], passed)
        self._expect(answer)

    def _expect(self, kind):
        message = self.control.recv(128)
        assert len(message) == 128 and struct.unpack_from("=H", message)[0] == kind, \
            f"memif: waited for message {kind}, got {message[:40]}"

    # ---- frames ----

    def send(self, data):
        """Sends a frame, cut where `cuts` says and wherever a buffer is full; the rings take turns."""
        self.turn += 1
        ring = self.out[self.turn % len(self.out)]
        cuts, pieces = list(self.cuts(data)), []
        for begin, end in zip([0, *cuts], [*cuts, len(data)]):
            pieces += [data[at:min(at + self.buffer_bytes, end)]
                       for at in range(begin, end, self.buffer_bytes)]
        deadline = time.monotonic() + 10
        while (ring.next - ring.tail & 0xFFFF) + len(pieces) > ring.size:
            assert time.monotonic() < deadline, "the memif port takes nothing"
            time.sleep(0.0005)
        for number, piece in enumerate(pieces):
            ring.buffer(ring.next + number, piece)
            ring.describe(ring.next + number, NEXT if number + 1 < len(pieces) else 0, len(piece))
        ring.next += len(pieces)
        ring.set_head(ring.next)

    def take(self):
        """All frames that are there now."""
        frames = []
        for ring in self.back:
            done = ring.tail
            while ring.next & 0xFFFF != done:
                data, count, flags = b"", 0, NEXT
                while flags & NEXT:
                    assert ring.next & 0xFFFF != done, "a frame goes on where none is"
                    flags, piece = ring.described(ring.next)
                    ring.describe(ring.next, 0, self.buffer_bytes)
                    data, count, ring.next = data + piece, count + 1, ring.next + 1
                frames.append(data)
                self.pieces.append(count)
            ring.set_head(ring.next + ring.size)
        return frames

    def take_until(self, count, seconds=20.0):
        """Frames until there are `count`; fewer only if the time is over."""
        frames = self.take()
        end = time.monotonic() + seconds
        while len(frames) < count and time.monotonic() < end:
            time.sleep(0.001)
            frames += self.take()
        return frames
