"""Purpose: what a directory tree should be, what it is, and whether the one may be the other after a crash.

A tree is a dict: path below its top -> Entry. Entries never change; a change makes a new one, so that a copy of the dict
is a copy of the tree. What was in flight when the daemon died is a pair of trees (before, after); a write may also have
been done in part.
"""

import itertools
import os
import stat
from typing import NamedTuple, Optional


ARTEFACT = ".sgwtmp."  # versitygw lists the temporary file of an object that is just being replaced


class Entry(NamedTuple):
    kind: str  # "file", "dir" or "link"
    mode: int = 0
    data: bytes = b""  # of a link: its target
    xattrs: tuple = ()
    mtime_ns: Optional[int] = None  # None: not set by hand, so not compared

    def brief(self):
        text = f"{self.kind} {self.mode:o} {len(self.data)} bytes"
        if self.kind == "file" and self.data:
            text += f" crc {hash(self.data) & 0xffffffff:x} zeros {self.data.count(0)}"
        elif self.kind == "link":
            text += f" -> {self.data!r}"
        return text + (f" {dict(self.xattrs)}" if self.xattrs else "") + (f" @{self.mtime_ns}" if self.mtime_ns else "")


def _xattrs(path):
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError:
        return ()
    return tuple(sorted((n, os.getxattr(path, n, follow_symlinks=False)) for n in names if n.startswith("user.")))


def look(top):
    """What is there: (tree, bytes read)."""
    found, total = {}, 0
    for directory, names, files in os.walk(top, onerror=_raise):
        for name in names + files:
            if ARTEFACT in name:
                continue
            path = os.path.join(directory, name)
            key = os.path.relpath(path, top)
            st = os.lstat(path)
            if stat.S_ISLNK(st.st_mode):
                found[key] = Entry("link", 0, os.fsencode(os.readlink(path)))
            elif stat.S_ISDIR(st.st_mode):
                found[key] = Entry("dir", stat.S_IMODE(st.st_mode))
            else:
                try:
                    with open(path, "rb", buffering=0) as f:
                        data = f.readall()
                except OSError as e:
                    raise type(e)(e.errno, f"{e.strerror} while {key} is read") from None
                if len(data) != st.st_size:
                    raise AssertionError(f"{key}: {st.st_size} bytes by stat, {len(data)} by read")
                total += len(data)
                found[key] = Entry("file", stat.S_IMODE(st.st_mode), data, _xattrs(path), st.st_mtime_ns)
    return found, total


def _raise(error):
    raise error


def _same(seen, wanted):
    if wanted.mtime_ns is None:
        seen = seen._replace(mtime_ns=None)
    return seen == wanted


def _partly(seen, before, after):
    """A write that was done in part: what it was to change is new here and old there, as after a crash of any file system
    (what came behind in the cache file may be there before the note that it was written); nothing else is touched."""
    if seen.kind != "file" or after.kind != "file" or seen.mode != after.mode or seen.xattrs != after.xattrs:
        return False
    old, new, now = before.data if before else b"", after.data, seen.data
    if not min(len(old), len(new)) <= len(now) <= max(len(old), len(new)):
        return False
    if now == new[:len(now)] or now == old[:len(now)]:
        return True
    return all(b == n or b == o for b, n, o in itertools.zip_longest(now, new[:len(now)], old[:len(now)]))


def differences(seen, wanted):
    lines = []
    for key in sorted(set(seen) | set(wanted)):
        a, b = seen.get(key), wanted.get(key)
        if a is None or b is None or not _same(a, b):
            line = f"  {key!r}: there is {a.brief() if a else 'nothing'}, expected {b.brief() if b else 'nothing'}"
            if a and b and a.kind == b.kind == "file" and a.data != b.data:
                at = next((i for i, (x, y) in enumerate(zip(a.data, b.data)) if x != y), min(len(a.data), len(b.data)))
                line += f"; first difference at byte {at}"
            lines.append(line)
    return lines


def settle(seen, before, after, written):
    """Which state the tree is in, as the tree to go on with; None when it is in none that it may be in.

    before, after: of the operation in flight (after None: there was none). written: the path whose write was in flight.
    """
    for wanted in (before, after):
        if wanted is not None and not differences(seen, wanted):
            return dict(wanted)
    if after is None or written is None or written not in seen or written not in after:
        return None
    if not _partly(seen[written], before.get(written), after[written]):
        return None
    middle = dict(after)
    middle[written] = after[written]._replace(data=seen[written].data, mtime_ns=None)
    return None if differences(seen, middle) else middle
