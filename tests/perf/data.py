"""Purpose: what the buckets hold: one that all reading workloads share, and one for each run that changes something.

The server keeps an object as a file (versitygw), so a bucket of a run is made of links to the shared one's files and costs
nothing; it puts new files in the place of old ones and never writes into them. A plain directory (native) gets copies.
"""

import os
import shutil

import content
import harness
import wire
import work_big
import work_small

SHARED = "bench-shared"


class Data:
    """`source`: the same files on a plain directory. make() fills both."""

    def __init__(self, server, scratch, params):
        self.server, self.p, self.source = server, params, scratch / "source"
        self.s3 = harness.S3Client(server).s3

    @property
    def shared(self):
        return self.server.buckets / SHARED

    def make(self):
        p = self.p
        self.s3.create_bucket(Bucket=SHARED)
        sizes = {"big": p.size, "half": p.half, "hundred": p.hundred, **{f"q{i}": p.quarter for i in range(4)}}
        for name in ("r", "n"):
            (self.source / name).mkdir(parents=True)
        for name, size in sizes.items():
            content.write(self.source / name, work_big.SHIFTS[name], size)
        for i in range(p.files):
            (self.source / "r" / f"{i:04}").write_bytes(content.small(i))
        for i in range(p.renamed):
            os.link(self.source / "r" / f"{i:04}", self.source / "n" / f"{i:04}")
        w = wire.Wire(self.server.endpoint, SHARED)
        try:
            w.run([w.put(key, (str(self.source / key), 0, size)) for key, size in sizes.items()], 4)
            small = [f"r/{i:04}" for i in range(p.files)] + [f"n/{i:04}" for i in range(p.renamed)]
            w.run([w.put(key, (str(self.source / key), 0, content.SMALL_BYTES)) for key in small], 8)
        finally:
            w.close()
        # Names alone: written straight into the server's directory, faster than 20,000 puts.
        (self.shared / "l").mkdir()
        for i in range(p.listed):
            (self.shared / "l" / f"object-{i:06}").write_bytes(b"x")
        for d in range(p.tree_dirs):
            (self.shared / "t" / f"d{d:03}").mkdir(parents=True)
            for f in range(p.tree_files):
                (self.shared / "t" / f"d{d:03}" / f"f{f:03}").write_bytes(b"x")
        if p.size > 64 << 20:
            os.sync()  # or the disk would still be at it under the first measures

    def bucket(self, name, wanted):
        """A bucket of a run's own; `wanted` as in Workload.bucket (None: the shared one). Returns its directory."""
        if wanted is None:
            return self.shared
        top = self.server.buckets / name
        self.s3.create_bucket(Bucket=name)
        for key, source in wanted.items():
            if (self.shared / source).is_dir():
                shutil.copytree(self.shared / source, top / key, copy_function=os.link)
            else:
                os.link(self.shared / source, top / key)
        return top

    def directory(self, top, wanted):
        """The same for native: a plain directory."""
        if wanted is None:
            return self.shared
        top.mkdir(parents=True)
        for key, source in wanted.items():
            if (self.source / source).is_dir():
                shutil.copytree(self.source / source, top / key)
            else:
                shutil.copyfile(self.source / source, top / key)
        return top

    def drop(self, top):
        if top != self.shared:
            shutil.rmtree(top, ignore_errors=True)
