"""Purpose: the bytes that the benchmark moves, and whether they are right.

The content of a file is a cut of one long period of random bytes that begins at a place of the file's own (`shift`), so that any
piece can be compared without keeping or hashing the file: a comparison costs a tenth of what the fastest file system costs.
"""

import os
import random

MiB = 1 << 20
PERIOD = 67 * MiB  # a prime number of MiB: parts of 2**n bytes that change places are seen
SMALL_BYTES = 4096

_PERIOD_BYTES = None


def _period():
    """Made once, then shared by all processes that are forked."""
    global _PERIOD_BYTES
    if _PERIOD_BYTES is None:
        block = random.Random(8).randbytes(PERIOD)
        _PERIOD_BYTES = block + block[:2 * MiB]
    return _PERIOD_BYTES


def piece(shift, offset, length):
    """What stands at offset of the file of this shift; up to 2 MiB."""
    at = (shift * 4099 + offset) % PERIOD
    return _period()[at:at + length]


def pieces(shift, size, length=MiB):
    """(offset, bytes) of all of a file."""
    for offset in range(0, size, length):
        yield offset, piece(shift, offset, min(length, size - offset))


def write(path, shift, size):
    with open(path, "wb", buffering=0) as f:
        for _, data in pieces(shift, size):
            f.write(data)


def check(path, shift, size, patches=()):
    """AssertionError unless the file at path is this content, but for the patches: (offset, bytes)."""
    with open(path, "rb", buffering=0) as f:
        assert os.fstat(f.fileno()).st_size == size, f"{path}: {os.fstat(f.fileno()).st_size} bytes, {size} expected"
        for offset, wanted in pieces(shift, size):
            for at, data in patches:
                if offset <= at and at + len(data) <= offset + len(wanted):
                    wanted = wanted[:at - offset] + data + wanted[at - offset + len(data):]
            data = f.read(len(wanted))
            assert data == wanted, f"{path}: wrong bytes in the MiB at {offset}"


def small_shift(i):
    return 1000 + i


def small(i):
    return piece(small_shift(i), 0, SMALL_BYTES)


def sized(i):
    """A file of an archive: between 1 byte and 16 KiB, most of them small."""
    return piece(small_shift(i), 0, 1 + (i * i * 7919) % (SMALL_BYTES * (1, 1, 2, 4)[i % 4]))
