"""Purpose: the power fails, for real as far as the cache's disk goes: what was not synced is not there any more.

The cache lies on an ext4 in a file (a loop device): what has reached that file is what a disk has after the plug was pulled. A
copy of it is taken right after each fsync returns, while the daemon goes on; later each copy is the disk of a machine that
starts again, and must hold all that was promised by then. Needs root and loop devices.
"""

import contextlib
import os
import pathlib
import random
import shutil
import sqlite3
import subprocess

from work import Wrong

DISK_BYTES = 96 << 20


class Disk:
    """The cache's disk: mounted at place. cut() is what is left of it if the power fails now."""

    def __init__(self, place, image):
        self.place, self.image, self.cuts = pathlib.Path(place), pathlib.Path(image), []

    def make(self):
        """Why there is none, or None."""
        with open(self.image, "wb") as f:
            f.truncate(DISK_BYTES)
        try:
            subprocess.run(["mkfs.ext4", "-q", "-F", str(self.image)], check=True, capture_output=True, text=True)
            self.mount(self.image)
        except FileNotFoundError as e:
            return str(e)
        except subprocess.CalledProcessError as e:
            return e.stderr.strip() or "no loop device"
        return None

    def mount(self, image):
        # Nothing is committed but what somebody syncs.
        subprocess.run(["mount", "-o", "loop,commit=600", str(image), str(self.place)], check=True, capture_output=True, text=True)
        os.chmod(self.place, 0o700)

    def umount(self):
        with contextlib.suppress(subprocess.CalledProcessError):
            subprocess.run(["umount", str(self.place)], check=True, capture_output=True)
            return
        subprocess.run(["umount", "-l", str(self.place)], check=False, capture_output=True)

    def cut(self):
        copy = self.image.with_name(f"{self.image.name}-{len(self.cuts)}")
        subprocess.run(["cp", "--sparse=always", str(self.image), str(copy)], check=True)
        self.cuts.append(copy)
        return copy


def _write(path, data, sync=True, flags=os.O_WRONLY | os.O_CREAT | os.O_TRUNC):
    fd = os.open(path, flags, 0o644)
    try:
        os.write(fd, data)
        if sync:
            os.fsync(fd)
    finally:
        os.close(fd)


def _sync_directory(path):
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class Promises:
    """What is done to the mount, one promise after the other, and what must be in the store after a cut: key -> bytes, None: nothing."""

    def __init__(self, top, seed):
        self.top, self.rng, self.want, self.rows = top, random.Random(seed), {}, 0
        self.database = None

    def data(self):
        return self.rng.randbytes(self.rng.randrange(1, 60_000))

    def make_new(self):
        os.mkdir(self.top / "new")
        self.want["new/one"] = self.data()
        _write(self.top / "new" / "one", self.want["new/one"])

    def overwrite(self):
        self.want["old/a"] = self.data()
        _write(self.top / "old" / "a", self.want["old/a"])

    def append(self):
        more = self.data()
        _write(self.top / "old" / "e", more, flags=os.O_WRONLY | os.O_APPEND)
        self.want["old/e"] += more

    def save(self):
        """As editors do, with all that makes it last."""
        self.want["old/b"], self.want["old/b.tmp"] = self.data(), None
        _write(self.top / "old" / "b.tmp", self.want["old/b"])
        os.rename(self.top / "old" / "b.tmp", self.top / "old" / "b")
        _sync_directory(self.top / "old")

    def sync_after_rename(self):
        self.want["old/c"] = self.data()
        fd = os.open(self.top / "c.tmp", os.O_WRONLY | os.O_CREAT, 0o644)
        os.write(fd, self.want["old/c"])
        os.rename(self.top / "c.tmp", self.top / "old" / "c")
        os.fsync(fd)
        os.close(fd)

    def make_many(self):
        """The directory's fsync is for names; content is each file's own."""
        os.mkdir(self.top / "many")
        for i in range(5):
            self.want[f"many/{i}"] = self.data()
            _write(self.top / "many" / str(i), self.want[f"many/{i}"])
        os.rename(self.top / "many" / "0", self.top / "many" / "zero")
        self.want["many/zero"], self.want["many/0"] = self.want["many/0"], None
        _sync_directory(self.top / "many")

    def remove(self):
        os.unlink(self.top / "old" / "d")
        self.want["old/d"] = None
        _sync_directory(self.top / "old")

    def commit(self):
        """A data base that says of each transaction that it is there."""
        if not self.database:
            self.database = sqlite3.connect(self.top / "base.db", isolation_level=None)
            self.database.execute("PRAGMA synchronous=EXTRA")  # FULL does not sync the unlinking of its journal, which is the commit
            self.database.execute("CREATE TABLE t (n INTEGER, filling BLOB)")
        for _ in range(3):
            self.database.execute("INSERT INTO t VALUES (?, ?)", (self.rows, self.rng.randbytes(5000)))
            self.rows += 1

    def clutter(self, number):
        """Of this nothing was promised."""
        _write(self.top / f"unsynced{number}", self.data(), sync=False)
        _write(self.top / "old" / "f", self.data(), sync=False)

    STEPS = (make_new, overwrite, append, save, sync_after_rename, make_many, remove, commit, commit)


def _check(cell, want, rows, what):
    for key, data in want.items():
        found = cell.client.get(cell.bucket, key)
        if found != data:
            raise Wrong(f"the power failed after '{what}': {key!r} has {len(found) if found is not None else 'no'} bytes, "
                        f"promised were {len(data) if data is not None else 'none'}")
        cell.bytes_checked += len(data or b"")
    if rows:
        with contextlib.closing(sqlite3.connect(cell.path / "base.db")) as base:
            if base.execute("PRAGMA integrity_check").fetchone() != ("ok",):
                raise Wrong(f"the power failed after '{what}': the data base is damaged")
            there = [n for n, in base.execute("SELECT n FROM t ORDER BY n")]
        if there[:rows] != list(range(rows)):
            raise Wrong(f"the power failed after '{what}': of {rows} transactions {len(there)} are there")


def power_cut(cell, _plan, tally):
    if cell.kind != "local":  # the bucket is put back for each cut, which takes a store that is a directory
        return
    disk = Disk(cell.dir / "cache", cell.dir / "disk")
    obstacle = "it takes root" if os.geteuid() else disk.make()
    if obstacle:
        print(f"no power cuts: {obstacle}", flush=True)
        return
    try:
        _cut_and_look(cell, disk, tally)
    finally:
        cell.kill_now()
        disk.umount()


def _cut_and_look(cell, disk, tally):
    promises, cuts = Promises(cell.path, cell.seed), []
    cell.boot = "boot one"
    cell.launch(options={"upload-delay": "0s"})
    os.mkdir(cell.path / "old")
    for name in "abcdef":
        promises.want[f"old/{name}"] = promises.data()
        _write(cell.path / "old" / name, promises.want[f"old/{name}"])
    cell.sync_all()
    cell.end()
    promises.want.pop("old/f")
    cell.launch(options={"upload-delay": "1h"})
    for number, step in enumerate(Promises.STEPS):
        promises.clutter(2 * number)
        step(promises)
        cuts.append((disk.cut(), dict(promises.want), promises.rows, step.__name__))
        shutil.copytree(cell.dir / "data", cell.dir / f"data-{number}", symlinks=True)  # the cloud's power stays on
        promises.clutter(2 * number + 1)
    promises.database.close()
    cell.kill_now()
    disk.umount()
    for number, (image, want, rows, what) in enumerate(cuts):
        shutil.rmtree(cell.dir / "data")
        os.rename(cell.dir / f"data-{number}", cell.dir / "data")
        disk.mount(image)
        cell.boot = f"after {what}"
        # In a copy of the store's directory every object has another version.
        cell.launch(options={"upload-delay": "0s", "on-conflict": "overwrite"})
        cell.sync_all()
        _check(cell, want, rows, what)
        cell.end()
        disk.umount()
        image.unlink()
        tally.cuts = getattr(tally, "cuts", 0) + 1
