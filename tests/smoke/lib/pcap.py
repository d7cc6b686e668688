# SPDX-License-Identifier: Apache-2.0
"""Files of Ethernet frames, as tcpdump writes them (little-endian)."""

import struct

MAGIC, MAGIC_NANOSECONDS, VERSION, ETHERNET = 0xA1B2C3D4, 0xA1B23C4D, (2, 4), 1


def to_bytes(frames):
    """Frames a microsecond apart, from the epoch on: equal frames make equal files."""
    out = struct.pack("<IHHiIII", MAGIC, *VERSION, 0, 0, 65535, ETHERNET)
    for number, data in enumerate(frames):
        out += struct.pack("<IIII", 0, number, len(data), len(data)) + data
    return out


def write(path, frames):
    with open(path, "wb") as f:
        f.write(to_bytes(frames))


def read(path):
    frames = []
    with open(path, "rb") as f:
        magic, = struct.unpack_from("<I", f.read(24))
        assert magic in (MAGIC, MAGIC_NANOSECONDS), f"{path} is no such file"
        while head := f.read(16):
            frames.append(f.read(struct.unpack("<IIII", head)[2]))
    return frames
