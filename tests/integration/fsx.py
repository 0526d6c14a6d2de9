"""One file under random reads, writes, cuts, holes and mappings, beside a copy in memory; compared after each operation.

Seeded, so that a failure can be run again; `shrink` drops operations as long as the failure stays.
Used by test_posix_fsx.py, and by hand:  python tests/integration/fsx.py FILE [SEED] [COUNT] [MAX_BYTES]
"""

import ctypes
import ctypes.util
import mmap
import os
import random
import sys
import time

libc = ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True)
KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE = 1, 2, 16
WEIGHTS = {"read": 10, "write": 14, "append": 4, "truncate": 6, "mapread": 6, "mapwrite": 8, "punch": 5, "zero": 4, "allocate": 3,
           "copy": 5, "fsync": 2, "reopen": 4, "otrunc": 1, "second": 4, "rename": 2, "settle": 2}


class Mismatch(AssertionError):
    pass


def generate(seed, count, max_bytes):
    """Operations as plain tuples (kind, place, length, other place, salt); ends of pages and of the file are hit on purpose."""
    rng = random.Random(seed)

    def place():
        at = rng.randrange(max_bytes)
        return at // 4096 * 4096 if rng.random() < 0.25 else at

    def length():
        return rng.choice([1, 2, 511, 4096, rng.randrange(1, 20_000), rng.randrange(1, max_bytes // 4)])

    kinds = rng.choices(list(WEIGHTS), list(WEIGHTS.values()), k=count)
    return [(kind, place(), length(), place(), rng.randrange(1 << 30)) for kind in kinds]


def _fallocate(fd, mode, offset, length):
    if libc.fallocate(fd, mode, ctypes.c_long(offset), ctypes.c_long(length)) < 0:
        raise OSError(ctypes.get_errno(), "fallocate")


class _File:
    """The file on the disk and what it must hold."""

    def __init__(self, path, settle):
        self.path, self.settle = path, settle
        self.wanted = bytearray()
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
        self.renamed = 0

    def close(self):
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1

    def put(self, at, data):
        if len(self.wanted) < at:
            self.wanted += bytes(at - len(self.wanted))
        self.wanted[at:at + len(data)] = data

    def resize(self, size):
        del self.wanted[size:]
        self.wanted += bytes(size - len(self.wanted))

    def expect(self, what, got, at, length):
        wanted = bytes(self.wanted[at:at + length])
        if got != wanted:
            first = next((i for i, (a, b) in enumerate(zip(got, wanted)) if a != b), min(len(got), len(wanted)))
            raise Mismatch(f"{what} of {length} bytes at {at}: {len(got)} came, {len(wanted)} expected, other from byte {at + first} on")

    # ---- the operations ----

    def read(self, at, length, *_):
        self.expect("read", os.pread(self.fd, length, at), at, length)

    def write(self, at, length, _, salt):
        data = random.Random(salt).randbytes(length)
        os.pwrite(self.fd, data, at)
        self.put(at, data)

    def append(self, _at, length, _, salt):
        data = random.Random(salt).randbytes(length % 5000)
        fd = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        os.write(fd, data)
        os.close(fd)
        self.put(len(self.wanted), data)

    def truncate(self, at, *_):
        os.ftruncate(self.fd, at)
        self.resize(at)

    def otrunc(self, *_):
        os.close(os.open(self.path, os.O_WRONLY | os.O_TRUNC))
        self.resize(0)

    def mapread(self, at, length, *_):
        if not self.wanted:
            return
        with mmap.mmap(self.fd, 0, prot=mmap.PROT_READ) as m:
            self.expect("mapping", m[at:at + length], at, length)

    def mapwrite(self, at, length, _, salt):
        if not self.wanted:
            return
        at %= len(self.wanted)
        data = random.Random(salt).randbytes(min(length, len(self.wanted) - at))
        with mmap.mmap(self.fd, 0) as m:
            m[at:at + len(data)] = data
            if salt % 2:
                m.flush()
        self.put(at, data)

    def punch(self, at, length, *_):
        _fallocate(self.fd, PUNCH_HOLE | KEEP_SIZE, at, length)
        end = min(at + length, len(self.wanted))
        if at < end:
            self.wanted[at:end] = bytes(end - at)

    def zero(self, at, length, _, salt):
        _fallocate(self.fd, ZERO_RANGE | (salt % 2 and KEEP_SIZE), at, length)
        end = min(at + length, len(self.wanted)) if salt % 2 else at + length
        if at < end:
            self.put(at, bytes(end - at))

    def allocate(self, at, length, _, salt):
        _fallocate(self.fd, salt % 2 and KEEP_SIZE, at, length)
        if not salt % 2 and at + length > len(self.wanted):
            self.resize(at + length)

    def copy(self, at, length, to, _):
        length = min(length, max(0, len(self.wanted) - at))
        if abs(at - to) < length or not length:
            return
        done = 0
        while done < length:
            n = os.copy_file_range(self.fd, self.fd, length - done, at + done, to + done)
            if n == 0:
                raise Mismatch(f"copy of {length} bytes at {at} stops after {done}")
            done += n
        self.put(to, bytes(self.wanted[at:at + length]))

    def fsync(self, _at, _length, _, salt):
        (os.fsync if salt % 2 else os.fdatasync)(self.fd)

    def reopen(self, *_):
        os.close(self.fd)
        self.fd = os.open(self.path, os.O_RDWR)

    def second(self, at, length, _, salt):
        """Through another descriptor."""
        with open(self.path, "rb", buffering=0) as f:
            self.expect("second descriptor's read", os.pread(f.fileno(), length, at), at, length)

    def rename(self, *_):
        self.renamed += 1
        new = f"{self.path.removesuffix('.r')}{'.r' if self.renamed % 2 else ''}"
        os.rename(self.path, new)
        self.path = new

    def all(self):
        size = os.fstat(self.fd).st_size
        if size != len(self.wanted):
            raise Mismatch(f"the size is {size}, expected {len(self.wanted)}")


def run(path, ops, settle=None, every=20):
    """Runs the operations; settle(file) is called now and then (sync, remount, ...) with the file closed. What it holds in the end."""
    file = _File(path, settle)
    try:
        for number, (kind, *arguments) in enumerate(ops):
            try:
                if kind == "settle":
                    file.close()
                    if settle:
                        settle(number)
                    file.fd = os.open(file.path, os.O_RDWR)
                else:
                    getattr(file, kind)(*arguments)
                file.all()
                if number % every == every - 1 or kind == "settle":
                    file.read(0, len(file.wanted) + 1)
            except (Mismatch, OSError) as e:
                raise Mismatch(f"operation {number} {(kind, *arguments)}: {e}") from e
        file.read(0, len(file.wanted) + 1)
        if file.renamed % 2:
            file.rename()
        return bytes(file.wanted)
    finally:
        file.close()


def shrink(path, ops, settle=None, seconds=30):
    """Fewer operations that still fail; the best found in that much time."""
    deadline = time.monotonic() + seconds

    def fails(candidate):
        for name in (path, path + ".r"):
            if os.path.exists(name):
                os.unlink(name)
        try:
            run(path, candidate, settle)
        except Mismatch:
            return True
        return False

    step = max(1, len(ops) // 2)
    while step and time.monotonic() < deadline:
        start = 0
        while start < len(ops) and time.monotonic() < deadline:
            candidate = ops[:start] + ops[start + step:]
            if fails(candidate):
                ops = candidate
            else:
                start += step
        step //= 2
    return ops


if __name__ == "__main__":
    seed_given = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 30)
    count_given = int(sys.argv[3]) if len(sys.argv) > 3 else 5000
    max_given = int(sys.argv[4]) if len(sys.argv) > 4 else 400_000
    print("seed", seed_given)
    run(sys.argv[1], generate(seed_given, count_given, max_given))
