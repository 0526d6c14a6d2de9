"""Purpose: workloads of big files: read and written in a row, at random, at once; patched and copied."""

import concurrent.futures
import os
import random
import subprocess

import content
from wire import PART, RANGE
from works import Workload

MiB = content.MiB
# Each file's place in the period of random bytes.
SHIFTS = {"big": 1, "half": 2, "hundred": 3, "q0": 4, "q1": 5, "q2": 6, "q3": 7}
WRITTEN, PATCH = 20, 30


def ranges(job, key, size):
    return [(str(job.source / key), at, min(RANGE, size - at)) for at in range(0, size, RANGE)]


class SeqRead(Workload):
    name, title, measures = "seqread", "read SIZE in reads of 1 MiB, and again", ("cold", "warm")

    def work(self, job):
        os.listdir(job.path)
        job.mark()
        job.read_through(job.path / "big", SHIFTS["big"], job.p.size)
        job.record("cold")
        job.mark()
        with open(job.path / "big", "rb", buffering=0) as f:
            buffer = bytearray(MiB)
            while f.readinto(buffer):
                pass
        job.record("warm")
        job.read_through(job.path / "big", SHIFTS["big"], job.p.size)

    def wire(self, job):
        job.mark()
        job.wire.run([job.wire.get("big", r) for r in ranges(job, "big", job.p.size)])
        job.record("cold")

    def curl_requests(self, job, presigner):
        url = presigner.url("GET", "big")
        return "cold", [(url, [f'range = "{at}-{at + n - 1}"']) for _, at, n in ranges(job, "big", job.p.size)]


class ParRead(Workload):
    name, title, measures = "parread", "read 4 files of SIZE/4 at once", ("cold",)

    def work(self, job):
        os.listdir(job.path)
        names = [f"q{i}" for i in range(4)]
        job.mark()
        children = []
        for name in names:  # processes: threads of one Python would read in turns
            pid = os.fork()
            if pid == 0:
                status = 1
                try:
                    job.read_through(job.path / name, SHIFTS[name], job.p.quarter)
                    status = 0
                finally:
                    os._exit(status)
            children.append(pid)
        statuses = [os.waitpid(pid, 0)[1] for pid in children]
        job.record("cold")
        assert not any(statuses), "a file has wrong bytes"

    def wire(self, job):
        job.mark()
        by_file = [[job.wire.get(f"q{i}", r) for r in ranges(job, f"q{i}", job.p.quarter)] for i in range(4)]
        job.wire.run([request for group in zip(*by_file) for request in group])
        job.record("cold")


class RandomRead(Workload):
    """Base of both sizes: one read after the other, at places that repeat from run to run."""

    def __init_subclass__(cls):
        cls.title = f"random reads of {cls.length >> 10} KiB in SIZE, one after the other"
        cls.measures = ("cold",)
        super().__init_subclass__()

    length = 0

    def offsets(self, job):
        draw = random.Random(4)
        return [draw.randrange(job.p.size // self.length) * self.length for _ in range(job.p.randoms)]

    def work(self, job):
        os.listdir(job.path)
        found = []
        job.mark()
        fd = os.open(job.path / "big", os.O_RDONLY)
        for offset in self.offsets(job):
            found.append(os.pread(fd, self.length, offset))
        os.close(fd)
        job.record("cold")
        for offset, data in zip(self.offsets(job), found):
            assert data == content.piece(SHIFTS["big"], offset, self.length), f"wrong bytes at {offset}"

    def wire(self, job):
        path = str(job.source / "big")
        job.mark()
        job.wire.run([job.wire.get("big", (path, at, self.length)) for at in self.offsets(job)], 1)
        job.record("cold")


class Random4k(RandomRead):
    name, length = "rand4k", 4096


class Random128k(RandomRead):
    name, length = "rand128k", 128 << 10


class Cached(Workload):
    name, title, measures = "cached", "a file of 256 MiB that is all in the cache: read, 10,000 random reads of 4 KiB", ("seq", "rand4k")

    def work(self, job):
        path = job.path / "half"
        job.read_through(path, SHIFTS["half"], job.p.half)
        job.mark()
        with open(path, "rb", buffering=0) as f:
            buffer = bytearray(MiB)
            while f.readinto(buffer):
                pass
        job.record("seq")
        draw = random.Random(5)
        offsets = [draw.randrange(job.p.half // 4096) * 4096 for _ in range(10_000)]
        job.mark()
        fd = os.open(path, os.O_RDONLY)
        for offset in offsets:
            os.pread(fd, 4096, offset)
        job.record("rand4k")
        for offset in offsets[:1000]:
            assert os.pread(fd, 4096, offset) == content.piece(SHIFTS["half"], offset, 4096), f"wrong bytes at {offset}"
        os.close(fd)

    def wire(self, job):
        """Nothing has to move."""


class SeqWrite(Workload):
    name, title, measures = "seqwrite", "write SIZE in writes of 1 MiB", ("close", "durable")
    bucket = {}

    def work(self, job):
        os.listdir(job.path)
        blocks = job.blocks(WRITTEN)
        job.mark()
        job.write_through(job.path / "written", blocks, job.p.size)
        job.record("close")
        job.durable(job.arrived({"written": job.p.size}))
        job.check_object("written", WRITTEN, job.p.size)

    def wire(self, job):
        job.mark()
        job.wire.upload("sent", (str(job.source / "big"), 0, job.p.size))
        job.record("close")
        job.record("durable")
        job.check_object("sent", SHIFTS["big"], job.p.size)

    def curl_requests(self, job, presigner):
        """Objects of a quarter each: curl sends whole files."""
        return "durable", [(presigner.url("PUT", f"sent{i}"), [f'upload-file = "{job.source / f"q{i}"}"']) for i in range(4)]


class ParWrite(Workload):
    name, title, measures = "parwrite", "write 4 files of SIZE/4 at once", ("close", "durable")
    bucket = {}

    def work(self, job):
        os.listdir(job.path)
        blocks = job.blocks(WRITTEN)
        names = [f"w{i}" for i in range(4)]
        job.mark()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:  # write(2) lets go of Python's lock
            list(pool.map(lambda name: job.write_through(job.path / name, blocks, job.p.quarter), names))
        job.record("close")
        job.durable(job.arrived({name: job.p.quarter for name in names}))
        for name in names:
            job.check_object(name, WRITTEN, job.p.quarter)

    def wire(self, job):
        w, size = job.wire, job.p.quarter
        job.mark()
        names = [f"q{i}" for i in range(4)]
        if size <= PART:
            w.run([w.put(name, (str(job.source / name), 0, size)) for name in names])
        else:
            uploads = [w.begin(name) for name in names]
            parts = [[w.part(name, upload, n, (str(job.source / name), at, min(PART, size - at)))
                      for n, at in enumerate(range(0, size, PART), 1)] for name, upload in zip(names, uploads)]
            etags = w.etags(w.run([p for group in parts for p in group]))
            per = len(parts[0])
            for i, (name, upload) in enumerate(zip(names, uploads)):
                w.complete(name, upload, etags[i * per:(i + 1) * per])
        job.record("close")
        job.record("durable")


class Append(Workload):
    name, title, measures = "append", "append 1 MiB to 256 MiB", ("close", "durable")
    bucket = {"half": "half"}

    def work(self, job):
        os.listdir(job.path)
        job.mark()
        fd = os.open(job.path / "half", os.O_WRONLY | os.O_APPEND)
        os.write(fd, content.piece(PATCH, 0, MiB))
        os.close(fd)
        job.record("close")
        job.durable(job.arrived({"half": job.p.half + MiB}))
        with open(job.bucket / "half", "rb") as f:
            assert all(f.read(MiB) == wanted for _, wanted in content.pieces(SHIFTS["half"], job.p.half)), "wrong bytes"
            assert f.read() == content.piece(PATCH, 0, MiB), "wrong bytes at the end"

    def wire(self, job):
        w = job.wire
        job.mark()
        upload = w.begin("half")
        parts = [w.copy_part("half", "half", upload, 1, 0, job.p.half),
                 w.part("half", upload, 2, (str(job.source / "big"), 0, MiB))]
        w.complete("half", upload, w.etags(w.run(parts)))
        job.record("close")
        job.record("durable")


class Overwrite(Workload):
    name, title, measures = "overwrite", "overwrite 4 KiB in the middle of 256 MiB", ("close", "durable")
    bucket = {"half": "half"}

    def work(self, job):
        os.listdir(job.path)
        at, data = job.p.half // 2, content.piece(PATCH, 0, 4096)
        job.mark()
        fd = os.open(job.path / "half", os.O_WRONLY)
        os.pwrite(fd, data, at)
        os.close(fd)
        job.record("close")

        def there():
            with open(job.bucket / "half", "rb") as f:
                f.seek(at)
                return f.read(4096) == data

        job.durable(there)
        job.check_object("half", SHIFTS["half"], job.p.half, [(at, data)])

    def wire(self, job):
        """The part around the change is 5 MiB, the least there is: what is not new of it comes down first."""
        w, at, least = job.wire, job.p.half // 2, 5 * MiB
        source = str(job.source / "half")
        job.mark()
        if job.p.half - at < least:  # too small for parts: down, and up again
            w.run([w.get("half", (source, 0, job.p.half))], 1)
            w.run([w.put("half", (source, 0, job.p.half))], 1)
        else:
            upload = w.begin("half")
            w.run([w.get("half", (source, at + 4096, least - 4096))], 1)
            parts = [w.copy_part("half", "half", upload, 1, 0, at), w.part("half", upload, 2, (source, at, least))]
            if job.p.half > at + least:
                parts.append(w.copy_part("half", "half", upload, 3, at + least, job.p.half - at - least))
            w.complete("half", upload, w.etags(w.run(parts)))
        job.record("close")
        job.record("durable")


class CopyInside(Workload):
    name, title, measures = "cp", "cp of 256 MiB inside the mount", ("call", "durable")
    bucket = {"half": "half"}

    def copy(self, job):
        subprocess.run(["cp", str(job.path / "half"), str(job.path / "copy")], check=True)

    def work(self, job):
        os.listdir(job.path)
        job.mark()
        self.copy(job)
        job.record("call")
        job.durable(job.arrived({"copy": job.p.half}))
        job.check_object("copy", SHIFTS["half"], job.p.half)

    def wire(self, job):
        job.mark()
        job.wire.run([job.wire.copy("half", "copy")], 1)
        job.record("call")
        job.record("durable")
        job.check_object("copy", SHIFTS["half"], job.p.half)


class CopyFileRange(CopyInside):
    name, title = "cfr", "copy_file_range of 256 MiB inside the mount"

    def copy(self, job):
        with open(job.path / "half", "rb") as source, open(job.path / "copy", "xb") as copy:
            left = job.p.half
            while left:
                n = os.copy_file_range(source.fileno(), copy.fileno(), left)
                assert n > 0, "copy_file_range ends early"
                left -= n


class Rename100m(Workload):
    name, title, measures = "rename100m", "rename a file of 100 MiB", ("call", "durable")
    bucket = {"hundred": "hundred"}

    def work(self, job):
        os.listdir(job.path)
        job.mark()
        os.rename(job.path / "hundred", job.path / "renamed")
        job.record("call")
        there = job.arrived({"renamed": job.p.hundred})
        job.durable(lambda: there() and not (job.bucket / "hundred").exists())
        job.check_object("renamed", SHIFTS["hundred"], job.p.hundred)

    def wire(self, job):
        w = job.wire
        job.mark()
        w.run([w.copy("hundred", "renamed")], 1)
        w.run([w.request("DELETE", "hundred")], 1)
        job.record("call")
        job.record("durable")
