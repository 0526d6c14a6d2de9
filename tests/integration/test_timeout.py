"""No call of any kind hangs on a server that takes requests and never answers: it ends by itself, after `timeout` at the latest."""

import ctypes
import fcntl
import os
import subprocess
import sys
import threading

import pytest

from harness import eventually

SIZE = 100_000
# A call may be several requests of the kernel's, each of which has its own time; what hangs, hangs for ever.
HANGS_S = 60
_libc = ctypes.CDLL(None, use_errno=True)

MAP = """
import mmap, sys
with open(sys.argv[1], "rb") as f, mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ) as m:
    m[50000]
"""


def _opened(act, flags=os.O_RDWR):
    """A call on a descriptor that was there before the server fell silent."""
    return flags, act


def _copy_range(fd, d):
    with open(d / "copy", "wb") as f:
        os.copy_file_range(fd, f.fileno(), SIZE, 0, 0)


def _written(fd, _):
    os.pwrite(fd, b"written", 10)
    os.close(os.dup(fd))


def _lock(fd, _):
    fcntl.flock(fd, fcntl.LOCK_EX)
    fcntl.lockf(fd, fcntl.LOCK_EX)


def _mapped(d):
    subprocess.run([sys.executable, "-c", MAP, str(d / "f")], stderr=subprocess.DEVNULL, check=False)


# By name: what is done in a directory of its own that holds the objects f and g, whose names are known and whose bytes are not.
CALLS = {
    "read": _opened(lambda fd, _: os.pread(fd, 10, 0), os.O_RDONLY),
    "write": _opened(lambda fd, _: os.pwrite(fd, b"x", 50_000)),
    "flush": _opened(_written),
    "fsync": _opened(lambda fd, _: (os.pwrite(fd, b"x", 3), os.fsync(fd))),
    "ftruncate": _opened(lambda fd, _: os.ftruncate(fd, 17)),
    "grow": _opened(lambda fd, _: os.ftruncate(fd, 2 * SIZE)),
    "fallocate": _opened(lambda fd, _: _libc.fallocate(fd, 3, ctypes.c_long(10), ctypes.c_long(5000))),
    "lseek": _opened(lambda fd, _: os.lseek(fd, 0, os.SEEK_HOLE), os.O_RDONLY),
    "copy_file_range": _opened(_copy_range, os.O_RDONLY),
    "lock": _opened(_lock),
    "fstat": _opened(lambda fd, _: os.fstat(fd)),
    "mmap": _mapped,
    "open": lambda d: (d / "f").read_bytes(),
    "open-trunc": lambda d: (d / "f").write_bytes(b"new"),
    "append": lambda d: open(d / "f", "ab").write(b"more"),
    "stat": lambda d: os.stat(d / "never"),
    "access": lambda d: os.access(d / "never", os.R_OK),
    "readlink": lambda d: os.readlink(d / "f"),
    "listdir": lambda d: os.listdir(d),
    "listdir-unknown": lambda d: os.listdir(d / "unknown"),
    "scandir": lambda d: [e.stat() for e in os.scandir(d)],
    "create": lambda d: (d / "new").write_bytes(b"x"),
    "create-below": lambda d: (d / "unknown" / "x").write_bytes(b"x"),
    "mknod": lambda d: os.mknod(d / "node"),
    "mkdir": lambda d: os.mkdir(d / "dir"),
    "rmdir": lambda d: os.rmdir(d),
    "unlink": lambda d: os.unlink(d / "f"),
    "rename": lambda d: os.rename(d / "f", d / "h"),
    "rename-over": lambda d: os.replace(d / "f", d / "g"),
    "rename-directory": lambda d: os.rename(d, d.parent / "elsewhere"),
    "link": lambda d: os.link(d / "f", d / "l"),
    "symlink": lambda d: os.symlink("f", d / "l"),
    "chmod": lambda d: os.chmod(d / "f", 0o600),
    "utime": lambda d: os.utime(d / "f", ns=(1, 1)),
    "truncate": lambda d: os.truncate(d / "f", 50),
    "setxattr": lambda d: os.setxattr(d / "f", "user.a", b"b"),
    "getxattr": lambda d: os.getxattr(d / "f", "user.a"),
    "listxattr": lambda d: os.listxattr(d / "f"),
    "removexattr": lambda d: os.removexattr(d / "f", "user.a"),
    "fsync-directory": lambda d: _fsync_directory(d),
    "statvfs": lambda d: os.statvfs(d),
    "make-bucket": lambda d: os.mkdir(d.parents[1] / "another-bucket"),
    "remove-bucket": lambda d: os.rmdir(d.parent),
}


def _fsync_directory(d):
    (d / "synced").write_bytes(b"x")
    fd = os.open(d, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _run(name, act, fd, d, ended):
    try:
        act(fd, d) if fd is not None else act(d)
    except OSError:
        pass  # which error, and whether there is one, is told elsewhere
    ended.add(name)


@pytest.mark.parametrize("waits", ({}, {"writeback": "no", "fsync": "remote"}), ids=("write-back", "write-through"))
def test_every_kind_of_call_ends_though_nothing_answers(make_mount, waits):
    m = make_mount("s3", options={"timeout": "2s", "meta-ttl": "1s", "upload-delay": "20ms", **waits}).start()
    for name in CALLS:
        for key in "fg":
            m.client.put(m.bucket, f"{name}/{key}", b"x" * SIZE)
    os.listdir(m.path)
    held = {}
    for name, call in CALLS.items():
        os.listdir(m.path / name)
        if isinstance(call, tuple):
            held[name] = os.open(m.path / name / "f", call[0])
    m.proxy.fault("*", "stall", count=0, at=0)
    threading.Event().wait(1.2)  # listings have aged: every call has to ask
    ended = set()
    threads = [threading.Thread(target=_run, daemon=True, args=(name, call[1] if name in held else call, held.get(name),
                                                                m.path / name, ended)) for name, call in CALLS.items()]
    for t in threads:
        t.start()
    for t in threads:
        t.join(HANGS_S)
    hanging = set(CALLS) - ended
    m.proxy.clear()
    assert not hanging, f"these hang: {sorted(hanging)}"
    for fd in held.values():
        try:
            os.close(fd)
        except OSError:
            pass  # with writeback=no: what could not be uploaded
    assert eventually(lambda: m.status()["waiting_requests"] == 0 or None, what="the end of all requests")
    eventually(lambda: (m.path / "read" / "g").read_bytes() == b"x" * SIZE, what="the mount as before")
