"""Purpose: what a workload works with: one subject's mount, its bucket as the server has it, a clock and the proxy's counters.

A job lives in a process of its own, forked for each run, so that a subject that hangs can be cut off; each measure is told to
the parent as soon as it is there.
"""

import dataclasses
import json
import os
import pathlib
import time

import content

MiB = content.MiB
TICKS = os.sysconf("SC_CLK_TCK")


@dataclasses.dataclass(frozen=True)
class Params:
    """How much of everything."""

    size: int
    scale: float = 1.0

    def _scaled(self, n):
        return max(int(n * self.scale), 4)

    @property
    def half(self):
        return min(256 * MiB, self.size // 2)

    @property
    def hundred(self):
        return min(100 * MiB, self.size // 4)

    @property
    def quarter(self):
        return self.size // 4

    @property
    def files(self):
        return self._scaled(1000)

    @property
    def listed(self):
        return self._scaled(10_000)

    @property
    def tree_dirs(self):
        return self._scaled(100)

    @property
    def tree_files(self):
        """Of each of the tree's directories."""
        return self.listed // self.tree_dirs

    @property
    def stats(self):
        return self._scaled(1000)

    @property
    def misses(self):
        return self._scaled(125)

    @property
    def randoms(self):
        return self._scaled(200)

    @property
    def renamed(self):
        return self._scaled(200)

    @property
    def archived(self):
        return self._scaled(3000)

    @property
    def versioned(self):
        return self._scaled(400)


def process_cpu_s(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def process_memory_mib(pid):
    """The most it ever had."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmHWM")) // 1024


class Job:
    """One run. `path` is where the subject shows the bucket, `bucket` the server's own files of it."""

    def __init__(self, params, source, path, bucket, scratch, proxy=None, flush=None, pid=None, wire=None, tell=None):
        self.p, self.source = params, pathlib.Path(source)
        self.path, self.bucket, self.scratch = pathlib.Path(path), pathlib.Path(bucket), pathlib.Path(scratch)
        self.proxy, self._flush, self.pid, self.wire = proxy, flush, pid, wire
        self.tell = tell or (lambda _record: None)
        self.paused_s = self.cpu_at = self.began = 0

    # ---- measuring ----

    def mark(self):
        """From here on is counted."""
        if self.proxy:
            self.proxy.reset()
        if self.wire:
            self.wire.mark()
        self.cpu_at = process_cpu_s(self.pid) if self.pid else 0
        self.began = time.monotonic()

    def record(self, measure, cpu_s=None):
        """What it took since mark(). cpu_s: where it is not that of the subject's process."""
        now = time.monotonic()
        found = {"s": self.wire.seconds if self.wire else now - self.began}
        if cpu_s is not None:
            found["cpu_s"] = cpu_s
        elif self.wire:
            found["cpu_s"] = self.wire.cpu_s
        elif self.pid:
            found["cpu_s"] = process_cpu_s(self.pid) - self.cpu_at
        if self.proxy:
            c = self.proxy.counters()
            found.update(ops=c["ops"], requests=c["requests"], up=c["bytes_up"], down=c["bytes_down"])
        self.tell({"measure": measure, **{k: round(v, 6) if isinstance(v, float) else v for k, v in found.items()}})
        self.began += time.monotonic() - now  # the counters' own time does not count

    def durable(self, there):
        """The bucket has it all: there() becomes true. Asks the subject to upload now, where that can be asked."""
        if self._flush:
            self._flush()
        while not there():
            time.sleep(0.005)
        self.record("durable")

    def arrived(self, sizes):
        """A condition: the bucket holds these keys with these sizes."""
        left = [(self.bucket / key, size) for key, size in sizes.items()]

        def there():
            while left:
                try:
                    if os.stat(left[-1][0]).st_size != left[-1][1]:
                        return False
                except OSError:
                    return False
                left.pop()
            return True

        return there

    # ---- bytes ----

    def check_object(self, key, shift, size, patches=()):
        content.check(self.bucket / key, shift, size, patches)

    def read_through(self, path, shift, size):
        """Reads once in reads of 1 MiB, comparing each."""
        fd = os.open(path, os.O_RDONLY)
        try:
            for offset, wanted in content.pieces(shift, size):
                assert os.read(fd, MiB) == wanted, f"{path}: wrong bytes in the MiB at {offset}"
            assert not os.read(fd, 1), f"{path}: longer than {size} bytes"
        finally:
            os.close(fd)

    @staticmethod
    def blocks(shift):
        """What write_through writes, made before the clock runs."""
        return [data for _, data in content.pieces(shift, content.PERIOD)]

    @staticmethod
    def write_through(path, blocks, size):
        """Writes a new file in writes of 1 MiB; back when close is."""
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            for n in range(size // MiB):
                at = memoryview(blocks[n % len(blocks)])
                while at:
                    at = at[os.write(fd, at):]
        finally:
            os.close(fd)


def teller(fd):
    """Writes each record as a line of JSON."""
    def tell(record):
        os.write(fd, json.dumps(record).encode() + b"\n")
    return tell
