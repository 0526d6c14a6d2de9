"""Purpose: what the POSIX tests share: one mount for a whole file of tests, a directory of its own for each test, system
calls that Python has no function for, and the eyes of another user.
"""

import contextlib
import ctypes
import ctypes.util
import errno
import itertools
import os
import struct

import pytest

import harness

libc = ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True)
AT_FDCWD = -100
OTHER_UID, OTHER_GID = 54321, 54322
CREATE = os.O_CREAT | os.O_WRONLY
numbers = itertools.count()


@pytest.fixture(scope="module", params=["local", "s3"])
def shared(request):
    if request.config.getoption("--plain"):
        if request.param != "local":
            pytest.skip("there is one kind of plain directory")
        m = harness.Plain()
    else:
        server = request.getfixturevalue("versitygw") if request.param == "s3" else None
        m = harness.Mount(request.param, server=server,
                          options={"upload-delay": "100ms", "allow-other": "yes", "cache-size": "2G"})
    m.start()
    yield m
    try:
        m.sync()  # all of it could be stored
    finally:
        m.close()


@pytest.fixture
def is_plain(shared):
    return shared.kind == "plain"


@pytest.fixture
def d(shared):
    """An empty directory; the current one during the test, so that names are short."""
    path = shared.path / f"d{next(numbers)}-{os.getpid()}"
    path.mkdir(mode=0o755)
    before = os.getcwd()
    os.chdir(path)
    yield path
    os.chdir(before)


def code(function, *args, **more):
    """The name of the errno, or "ok"."""
    try:
        result = function(*args, **more)
    except OSError as e:
        return "EOPNOTSUPP" if e.errno == errno.EOPNOTSUPP else errno.errorcode[e.errno]
    if isinstance(result, int) and function is os.open:
        os.close(result)
    return "ok"


def call(name, *args):
    ctypes.set_errno(0)
    if getattr(libc, name)(*args) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def renameat2(old, new, flags):
    call("renameat2", AT_FDCWD, os.fsencode(old), AT_FDCWD, os.fsencode(new), flags)


def openat2(name, flags, resolve):
    how = struct.pack("QQQ", flags, 0, resolve)
    for _ in range(1000):  # EAGAIN: somebody renamed or mounted something, anywhere, while ".." was followed: again, says openat2(2)
        ctypes.set_errno(0)
        fd = libc.syscall(437, ctypes.c_int(AT_FDCWD), os.fsencode(name), how, ctypes.c_size_t(len(how)))
        if fd >= 0 or ctypes.get_errno() != errno.EAGAIN:
            break
    if fd < 0:
        raise OSError(ctypes.get_errno(), "openat2")
    os.close(fd)


def fallocate(fd, mode, offset, length):
    call("fallocate", fd, mode, ctypes.c_long(offset), ctypes.c_long(length))


def make(name, data=b"x", mode=0o644):
    fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    os.write(fd, data)
    os.close(fd)


@contextlib.contextmanager
def opened(name, flags=os.O_RDWR | os.O_CREAT, mode=0o644):
    fd = os.open(name, flags, mode)
    try:
        yield fd
    finally:
        os.close(fd)


def as_other(function, uid=OTHER_UID, gid=OTHER_GID, groups=()):
    """What the call gives another user: the errno's name or "ok". Its paths are relative to the current directory."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups(list(groups))
            os.setgid(gid)
            os.setuid(uid)
            os.write(write_end, code(function).encode())
        finally:
            os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as f:
        said = f.read().decode()
    os.waitpid(pid, 0)
    return said


needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")


def prepare():
    make("file")
    os.mkdir("dir")
    os.mkdir("full")
    make("full/inside")
    os.mkdir("full/sub")
    os.mkdir("empty")
    os.symlink("file", "link")
    os.symlink("dir", "dirlink")
    os.symlink("nowhere", "dangling")
    os.symlink("loop", "loop")
