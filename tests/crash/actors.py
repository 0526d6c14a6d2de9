"""Purpose: who works in the mount during a long soak: each actor keeps one directory of its own and knows what must be in it.

All are Workers (work.py): `turn` does a handful of operations, `tree` is what was acknowledged, `settle` takes over what a
killed daemon left of the one step in flight. Programs that cannot live through a kill (`is_fragile`) only work in episodes
that have none.
"""

import os
import pathlib
import random
import shutil
import subprocess
import sys
import time

import harness
import mapper
import model
import trees
from trees import Entry
from mapper import MAP_PAGES, PAGE, map_round
from work import DaemonDied, Worker, Wrong

MIB = 1 << 20
HISTORY = 4000  # steps that are kept for a report
PROGRAM_S = 600  # no program here works that long, with a sanitizer and a slow network neither


class Actor(Worker):
    is_fragile = False
    count = 5

    def turn(self):
        if len(self.history) > HISTORY:
            del self.history[:HISTORY // 2]
        self.run(self.count)


class Mixed(Actor):
    """What crash.py's workers do, with storms of small files."""

    OPS = [*Worker.OPS, ("storm", 2), ("rename_dir", 6)]

    def op_storm(self):
        """A directory of a hundred files, read, moved and taken away again."""
        key = self._new_name()
        if not key:
            return
        self._mkdir(key)
        for i in range(100):
            self._put(f"{key}/{i:03}", self._data(self.rng.choice([0, 10, 3000])))
        new = self._new_name()
        if new and not new.startswith(key + "/"):
            self._rename(key, new)
            key = new
        for below in sorted(k for k in self.tree if k.startswith(key + "/")):
            self._unlink(below)
        self.step(f"rmdir {key}", lambda: os.rmdir(self.path(key)), lambda tree: tree.pop(key))


class Big(Actor):
    """One big file, written, read whole, appended to, overwritten in the middle, cut and renamed."""

    count = 3
    OPS = [("big", 2), ("patch", 8), ("append", 6), ("truncate_end", 2), ("read", 6), ("read_all", 3), ("rename", 1),
           ("drop", 0.3)]

    def __init__(self, name, seed, size):
        super().__init__(name, seed, size)
        self.size = size

    def op_big(self):
        key = self._file() or "big"
        data = self._data(self.size)
        fd = self._open(key, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            for at in range(0, len(data), 4 * MIB):
                self._write(fd, key, at, data[at:at + 4 * MIB])
        finally:
            self._close(fd)

    def op_truncate_end(self):
        """A little at the end goes or comes; nearly all stays."""
        key = self._file()
        if key:
            now = self.tree[key].data
            size = max(0, len(now) + self.rng.randrange(-200000, 200000))

            def change(tree):
                tree[key] = tree[key]._replace(data=now[:size].ljust(size, b"\0"), mtime_ns=None)

            self.step(f"truncate {key} {size}", lambda: os.truncate(self.path(key), size), change)

    def op_drop(self):
        key = self._file()
        if key:
            self._unlink(key)

    def op_read_all(self):
        key = self._file()
        if not key:
            return
        fd = self._open(key, os.O_RDONLY)
        try:
            wanted, at = self.tree[key].data, 0
            while at < len(wanted):
                data = self.step(f"read {key} {at}", lambda: os.pread(fd, 4 * MIB, at))
                if not data or data != wanted[at:at + len(data)]:
                    raise Wrong(f"{self.name}: {key} reads other bytes at {at} of {len(wanted)} than were written")
                at += len(data)
        finally:
            self._close(fd)


class Mapped(Actor):
    """A file that is only written through a shared map, in a process of its own."""

    def __init__(self, name, seed):
        super().__init__(name, seed, 0)
        self.map_seed, self.next, self.open_round = seed, 0, None

    def _after(self, number, data):
        now = bytearray(data)
        for page, piece in map_round(self.map_seed, number):
            now[page * PAGE:(page + 1) * PAGE] = piece
        return bytes(now)

    def turn(self):
        if "map" not in self.tree:
            self._put("map", bytes(MAP_PAGES * PAGE))
        self.open_round = None
        count = 20
        done = subprocess.run([sys.executable, mapper.__file__, self.path("map"), str(self.map_seed), str(self.next), str(count)],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PROGRAM_S)
        data = self.tree["map"].data
        flushed = len(done.stdout.split())
        for number in range(self.next, self.next + flushed):
            data = self._after(number, data)
        self.tree = {"map": self.tree["map"]._replace(data=data)}
        self.steps += flushed
        self.bytes_written += flushed * 4 * PAGE
        self.history.append(f"map {self.next}, {flushed} of {count} rounds")
        self.next += flushed
        if done.returncode != 0:
            self.open_round = self.next
            self.next += 1
            if self.is_dead():
                raise DaemonDied("mmap")
            raise Wrong(f"{self.name}: the writer of a map ends with {done.returncode}: {done.stderr[-500:]}")

    def settle(self, seen):
        if self.open_round is not None and "map" in seen and len(seen["map"].data) == MAP_PAGES * PAGE:
            old = self.tree["map"].data
            new, now = self._after(self.open_round, old), seen["map"].data
            for at in range(0, len(now), PAGE):
                page = now[at:at + PAGE]
                # A page may have been told in pieces; each byte is the old or the new one.
                if any(c not in (a, b) for a, b, c in zip(old[at:at + PAGE], new[at:at + PAGE], page)):
                    raise Wrong(f"{self.name}: the page at {at} is neither the old one nor the new one")
            self.tree = {"map": self.tree["map"]._replace(data=now)}
        self.open_round = None
        super().settle(seen)


# ---- programs ----

class Tools(Actor):
    """rsync, tar and git, as a user has them; the directory is empty between two turns."""

    is_fragile = True

    def __init__(self, name, seed, source):
        super().__init__(name, seed, 0)
        self.source = pathlib.Path(source)
        for i in range(30):
            path = self.source / f"d{i % 4}" / f"file {i}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self._data(self._size()))
        (self.source / "link").symlink_to("d0")

    def _run(self, *command):
        done = subprocess.run([str(c) for c in command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=PROGRAM_S, env={**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "LC_ALL": "C"})
        self.history.append(" ".join(map(str, command))[:200])
        self.steps += 1
        if done.returncode != 0:
            raise Wrong(f"{self.name}: {command} exits {done.returncode}: {done.stderr[-800:]}")
        return done.stdout

    def turn(self):
        getattr(self, "_" + self.rng.choice(["rsync", "tar", "git"]))()
        for entry in os.scandir(self.top):
            shutil.rmtree(entry.path)
        if os.listdir(self.top):
            raise Wrong(f"{self.name}: {os.listdir(self.top)} stays in an emptied directory")

    def _same(self, copy):
        if harness.tree(copy) != harness.tree(self.source):
            raise Wrong(f"{self.name}: the copy differs from its source")

    def _rsync(self):
        copy = self.path("copy")
        self._run("rsync", "-a", f"{self.source}/", copy)
        moved = self._run("rsync", "-ai", f"{self.source}/", copy).splitlines()
        if moved := [line for line in moved if not line.startswith(".d..t")]:  # a directory's time moves no file
            raise Wrong(f"{self.name}: the second rsync moves {moved[:5]!r}")
        self._same(copy)

    def _tar(self):
        archive, out = self.path("tree/a.tar"), self.path("tree/out")
        os.makedirs(out)
        self._run("tar", "-C", self.source, "-cf", archive, ".")
        self._run("tar", "-C", out, "-xf", archive)
        self._same(out)

    def _git(self):
        repo = self.path("repo")
        git = ["git", "-C", repo, "-c", "user.name=soak", "-c", "user.email=soak@example.org", "-c", "gc.autoDetach=false"]
        self._run("git", "init", "-q", repo)
        for i in range(2):
            shutil.copytree(self.source / f"d{i}", os.path.join(repo, f"d{i}"))
            self._run(*git, "add", "-A")
            self._run(*git, "commit", "-qm", f"number {i}")
        self._run(*git, "gc", "-q")
        self._run(*git, "fsck", "--strict")
        if self._run(*git, "status", "--porcelain").strip():
            raise Wrong(f"{self.name}: git sees changes nobody made")


class Programs(Actor):
    """The random tester of tests/integration, compared with a plain directory after each few operations."""

    is_fragile = True

    def turn(self):
        seed = self.rng.randrange(1 << 30)
        place = self.path(f"p{seed}")
        os.mkdir(place)
        done = subprocess.run([sys.executable, model.__file__, place, str(seed), "150"], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=PROGRAM_S, env={**os.environ, "PYTHONHASHSEED": "0"})
        self.history.append(f"model {seed}")
        self.steps += 150
        if done.returncode != 0:
            raise Wrong(f"{self.name}: model.py {place} {seed} 150: {(done.stdout + done.stderr)[-3000:]}")
        shutil.rmtree(place)


def work_until(actor, deadline, problems):
    """The thread of one actor: turns until the time is over or the daemon is gone."""
    try:
        while time.monotonic() < deadline and not actor.stopping:
            actor.turn()
    except DaemonDied:
        actor.died = True
    except Exception as e:  # told by the episode that started us
        if actor.is_dead():
            actor.died = True
        else:
            problems.put((actor, e))
