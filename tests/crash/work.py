"""Purpose: a seeded worker that changes one tree through the mount and keeps count of what was acknowledged.

Every system call that changes something is one step: the model takes it over when the call has returned. When the daemon
dies the step that was in flight stays open: the tree may be as before it or as after it (trees.settle).
"""

import errno
import os
import random

import trees
from trees import Entry

DEAD = {errno.ENOTCONN, errno.ECONNABORTED, errno.ESHUTDOWN}
NAMES = ["a", "b", "c d", "e.txt", "ü", "x%y", "n" * 60]
XATTRS = ["user.color", "user.note"]
CHUNK = 1 << 20


class DaemonDied(Exception):
    pass


class Wrong(AssertionError):
    """The mount did what no crash excuses."""


class Worker:
    """One tree below `top` (a path that exists), changed by one thread."""

    def __init__(self, name, seed, big_bytes):
        self.name, self.rng, self.big_bytes = name, random.Random(seed), big_bytes
        self.top = None
        self.tree = {}
        self.after = self.written = None  # of the step in flight
        self.history = []
        self.steps = 0
        self.bytes_written = 0
        self.stopping = False
        self.most_bytes = 5 * big_bytes // 2  # of the tree: all of it is read after each death
        self.is_dead = lambda: False  # set by the cell: whether the daemon is gone (a page it was writing then fails with EIO)

    # ---- steps ----

    def step(self, what, call, change=None, written=None):
        """call() on the mount; change(tree) on the model, when it is acknowledged."""
        if self.stopping:
            raise DaemonDied(what)
        if change:
            self.after = dict(self.tree)
            change(self.after)
            self.written = written
        self.history.append(what)
        try:
            result = call()
        except OSError as e:
            if e.errno in DEAD or (e.errno == errno.EIO and self.is_dead()):
                raise DaemonDied(what) from None
            raise Wrong(f"{self.name}: {what}: {e}") from None
        if change:
            self.tree = self.after
        self.after = self.written = None
        self.steps += 1
        return result

    def path(self, key):
        return os.path.join(self.top, key)

    def settle(self, seen):
        """After a crash: takes over what is there, or says why it cannot be."""
        self.history.append("--- died and was mounted again")
        now = trees.settle(seen, self.tree, self.after, self.written)
        if now is None:
            lines = [f"{self.name}: what is there is neither before nor after {self.history[-1:] or 'anything'}"]
            lines += self.about(trees.differences(seen, self.tree), trees.differences(seen, self.after or {}))
            lines += ["against before:", *trees.differences(seen, self.tree)[:12]]
            if self.after is not None:
                lines += ["against after:", *trees.differences(seen, self.after)[:12]]
            raise Wrong("\n".join(lines))
        self.tree, self.after, self.written = now, None, None

    def about(self, *differences):
        """What was done to the paths that differ, whatever they were called before."""
        keys = {line.split("'")[1].split(" (conflict")[0] for lines in differences if len(lines) < 8 for line in lines}
        told = []
        for number, what in reversed(list(enumerate(self.history))):
            words = what.split(" ", 1)
            if any(k in what for k in keys):
                told.append(f"    {number}: {what}")
                if words[0] == "rename" and any(what.endswith(k) or (k.startswith(what.rsplit(" ", 1)[-1] + "/")) for k in keys):
                    keys |= {words[1].rsplit(" ", 1)[0]}
        return ["history of what differs:", *reversed(told[:40])]

    # ---- choices ----

    def _of_kind(self, *kinds):
        return sorted(k for k, e in self.tree.items() if e.kind in kinds)

    def _file(self):
        return self.rng.choice(self._of_kind("file") or [None])

    def _new_name(self):
        """A name that is free, in a directory that is there."""
        dirs = ["", *[d for d in self._of_kind("dir") if d.count("/") < 2]]
        for _ in range(10):
            key = os.path.join(self.rng.choice(dirs), self.rng.choice(NAMES) + str(self.rng.randrange(8)))
            if key not in self.tree:
                return key
        return None

    def _data(self, size):
        return self.rng.randbytes(size) if size < 1 << 16 else (self.rng.randbytes(4099) * (size // 4099 + 1))[:size]

    def _size(self):
        return self.rng.choice([0, 1, 100, 4095, 4096, 5000, 70000, 300000])

    # ---- the pieces of operations ----

    def _write(self, fd, key, offset, data):
        def change(tree):
            old = tree[key]
            base = old.data.ljust(offset, b"\0")
            tree[key] = old._replace(data=base[:offset] + data + base[offset + len(data):], mtime_ns=None)

        whole = self.tree
        done = self.step(f"write {key} {offset}+{len(data)}", lambda: os.pwrite(fd, data, offset), change, key)
        self.bytes_written += done
        if done < len(data):  # the daemon died between two requests of one call: its first part is acknowledged
            self.tree, rest = whole, data[done:]
            data = data[:done]
            self.tree = dict(whole)
            change(self.tree)
            self._write(fd, key, offset + done, rest)

    def _open(self, key, flags, mode=0o644, pause=None):
        """(fd); close it with _close. O_CREAT and O_TRUNC count as steps."""
        def change(tree):
            if key not in tree:
                tree[key] = Entry("file", mode)
            elif flags & os.O_TRUNC:
                tree[key] = tree[key]._replace(data=b"", mtime_ns=None)

        return self.step(f"open {key} {flags:o}", lambda: os.open(self.path(key), flags, mode),
                         change if flags & (os.O_CREAT | os.O_TRUNC) else None)

    def _close(self, fd):
        # What close(2) says of a dead daemon is no news.
        try:
            os.close(fd)
        except OSError:
            pass

    def _put(self, key, data, flags=os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode=0o644, sync=False):
        fd = self._open(key, flags, mode)
        try:
            at = 0
            while at < len(data):
                piece = data[at:at + (CHUNK if len(data) > CHUNK else self.rng.choice([4096, 65536, CHUNK]))]
                self._write(fd, key, at, piece)
                at += len(piece)
            if sync:
                self.step(f"fsync {key}", lambda: os.fsync(fd))
        finally:
            self._close(fd)

    # ---- operations ----

    def op_create(self):
        key = self._new_name()
        if key:
            self._put(key, self._data(self._size()), mode=self.rng.choice([0o644, 0o600, 0o755]),
                      sync=self.rng.random() < 0.1)

    def op_rewrite(self):
        key = self._file()
        if key:
            self._put(key, self._data(self._size()), sync=self.rng.random() < 0.1)

    def op_big(self):
        key = self._file() if self.rng.random() < 0.4 else self._new_name()
        others = [k for k, e in self.tree.items() if len(e.data) >= self.big_bytes]
        if len(others) >= 2:
            key = self.rng.choice(others)
        if key:
            self._put(key, self._data(self.big_bytes + self.rng.randrange(self.big_bytes // 4)))

    def op_append(self):
        key = self._file()
        if key:
            fd = self._open(key, os.O_WRONLY)
            try:
                for _ in range(self.rng.randrange(1, 4)):
                    self._write(fd, key, len(self.tree[key].data), self._data(self.rng.choice([1, 100, 5000])))
            finally:
                self._close(fd)

    def op_patch(self):
        key = self._file()
        if key:
            size = len(self.tree[key].data)
            fd = self._open(key, os.O_RDWR)
            try:
                for _ in range(self.rng.randrange(1, 4)):
                    self._write(fd, key, self.rng.randrange(size + 1), self._data(self.rng.choice([1, 17, 4096, 9000])))
            finally:
                self._close(fd)

    def op_truncate(self):
        key = self._file()
        if key:
            size = self.rng.choice([0, len(self.tree[key].data) // 2, len(self.tree[key].data) + 5000])

            def change(tree):
                tree[key] = tree[key]._replace(data=tree[key].data[:size].ljust(size, b"\0"), mtime_ns=None)

            self.step(f"truncate {key} {size}", lambda: os.truncate(self.path(key), size), change)

    def op_save(self):
        """As editors do: a temporary file, synced, renamed over its target."""
        key = self._file()
        if key:
            beside = os.path.join(os.path.dirname(key), ".save~")
            if beside in self.tree:
                self._unlink(beside)
            self._put(beside, self._data(self._size()), sync=self.rng.random() < 0.5)
            self._rename(beside, key)

    def _rename(self, old, new):
        def change(tree):
            moved = {k: e for k, e in tree.items() if k == old or k.startswith(old + "/")}
            for k in moved:
                del tree[k]
            for k, e in moved.items():
                tree[new + k[len(old):]] = e

        self.step(f"rename {old} {new}", lambda: os.rename(self.path(old), self.path(new)), change)

    def op_rename(self):
        old = self._file() or self.rng.choice(self._of_kind("link") or [None])
        new = self._file() if self.rng.random() < 0.3 else self._new_name()
        if old and new and old != new:
            self._rename(old, new)

    def op_rename_dir(self):
        old = self.rng.choice(self._of_kind("dir") or [None])
        new = self._new_name()
        if old and new and not (new + "/").startswith(old + "/"):
            self._rename(old, new)

    def _unlink(self, key):
        self.step(f"unlink {key}", lambda: os.unlink(self.path(key)), lambda tree: tree.pop(key))

    def op_unlink(self):
        key = self.rng.choice(self._of_kind("file", "link") or [None])
        if key:
            self._unlink(key)

    def op_mkdir(self):
        key = self._new_name()
        if key:
            self._mkdir(key)

    def _mkdir(self, key):
        def change(tree):
            tree[key] = Entry("dir", 0o755)

        self.step(f"mkdir {key}", lambda: os.mkdir(self.path(key), 0o755), change)

    def op_rmtree(self):
        key = self.rng.choice(self._of_kind("dir") or [None])
        for below in sorted((k for k in self.tree if key and k.startswith(key + "/")), reverse=True):
            self._remove(below)
        if key:
            self._remove(key)

    def _remove(self, key):
        if self.tree[key].kind == "dir":
            self.step(f"rmdir {key}", lambda: os.rmdir(self.path(key)), lambda tree: tree.pop(key))
        else:
            self._unlink(key)

    def op_fill_dir(self):
        """A directory of several files, for renames and deletes of directories to have work."""
        key = self._new_name()
        if key:
            self._mkdir(key)
            for i in range(self.rng.randrange(3, 9)):
                self._put(f"{key}/f{i}", self._data(self.rng.choice([10, 3000])))

    def op_symlink(self):
        key = self._new_name()
        if key:
            target = self.rng.choice(["a", "../b", "/nowhere", "ü/x"])

            def change(tree):
                tree[key] = Entry("link", 0, os.fsencode(target))

            self.step(f"symlink {key}", lambda: os.symlink(target, self.path(key)), change)

    def op_chmod(self):
        key = self.rng.choice(self._of_kind("file", "dir") or [None])
        if key:
            mode = self.rng.choice([0o644, 0o600, 0o755, 0o700])

            def change(tree):
                tree[key] = tree[key]._replace(mode=mode)

            self.step(f"chmod {key} {mode:o}", lambda: os.chmod(self.path(key), mode), change)

    def op_utime(self):
        key = self._file()
        if key:
            when = self.rng.randrange(10**9, 2 * 10**9) * 10**9 + self.rng.randrange(10**9)

            def change(tree):
                tree[key] = tree[key]._replace(mtime_ns=when)

            self.step(f"utime {key} {when}", lambda: os.utime(self.path(key), ns=(when, when)), change)

    def op_xattr(self):
        key = self._file()
        if not key:
            return
        name, held = self.rng.choice(XATTRS), dict(self.tree[key].xattrs)
        if name in held and self.rng.random() < 0.4:
            del held[name]
            call = lambda: os.removexattr(self.path(key), name)
        else:
            held[name] = self.rng.randbytes(self.rng.choice([1, 30, 200]))
            call = lambda: os.setxattr(self.path(key), name, held[name])

        def change(tree):
            tree[key] = tree[key]._replace(xattrs=tuple(sorted(held.items())))

        self.step(f"xattr {key} {name}", call, change)

    def op_copy(self):
        """copy_file_range of a whole file to a new name: the cloud may do it alone."""
        source, key = self._file(), self._new_name()
        if not source or not key or not self.tree[source].data:
            return
        data = self.tree[source].data
        reader = self._open(source, os.O_RDONLY)
        try:
            writer = self._open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            try:
                at = 0
                while at < len(data):
                    def change(tree):
                        tree[key] = tree[key]._replace(data=data)

                    done = []
                    self.step(f"copy {source} {key} {at}",
                              lambda: done.append(os.copy_file_range(reader, writer, len(data) - at, at, at)), change, key)
                    at += done[0]
                    self.tree[key] = self.tree[key]._replace(data=data[:at])
                    if not done[0]:
                        raise Wrong(f"{source}: copy_file_range ends after {at} of {len(data)} bytes")
            finally:
                self._close(writer)
        finally:
            self._close(reader)

    def op_read(self):
        key = self._file()
        if key:
            fd = self._open(key, os.O_RDONLY)
            try:
                wanted = self.tree[key].data
                at = self.rng.randrange(len(wanted) + 1)
                data = self.step(f"read {key} {at}", lambda: os.pread(fd, 200000, at))
                if data != wanted[at:at + len(data)] or (not data and at < len(wanted)):
                    raise Wrong(f"{self.name}: {key} reads other bytes at {at} than were written")
            finally:
                self._close(fd)

    def op_list(self):
        keys = ["", *self._of_kind("dir")]
        key = self.rng.choice(keys)
        names = self.step(f"list {key}", lambda: sorted(os.listdir(self.path(key))))
        wanted = sorted(os.path.basename(k) for k in self.tree if os.path.dirname(k) == key)
        if [n for n in names if trees.ARTEFACT not in n] != wanted:
            raise Wrong(f"{self.name}: {key!r} lists {names}, expected {wanted}")

    OPS = [("create", 14), ("rewrite", 7), ("append", 7), ("patch", 9), ("truncate", 6), ("save", 6), ("rename", 8),
           ("rename_dir", 6), ("unlink", 7), ("mkdir", 4), ("rmtree", 2), ("fill_dir", 3), ("symlink", 3), ("chmod", 4),
           ("utime", 3), ("xattr", 4), ("copy", 4), ("read", 6), ("list", 4), ("big", 2)]

    def run(self, count, favour=None):
        """count operations, or until the daemon dies (DaemonDied)."""
        names, weights = zip(*self.OPS)
        if favour:
            weights = [w * (12 if n in favour else 1) for n, w in zip(names, weights)]
        for _ in range(count):
            if self.stopping:
                return
            if len(self.tree) > 60:
                self.op_rmtree()
            if sum(len(e.data) for e in self.tree.values()) > self.most_bytes:
                self._unlink(max(self._of_kind("file"), key=lambda k: len(self.tree[k].data)))
            getattr(self, "op_" + self.rng.choices(names, weights)[0])()
