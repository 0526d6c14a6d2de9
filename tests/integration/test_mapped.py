"""Memory that stays mapped after its file was closed: stores into it arrive, and what it shows stays what it was.

A kernel that reads and writes cache files by itself (passthrough) tells of the close, not of the end of the mapping.
"""

import contextlib
import ctypes
import mmap
import os
import random
import signal

import pytest

from harness import eventually

MiB = 1 << 20
_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_libc.msync.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]

pytestmark = [pytest.mark.stores("local", "s3"), pytest.mark.both_ways, pytest.mark.options(upload_delay="50ms")]


def noise(size, seed=1):
    return random.Random(seed).randbytes(size)


class Mapping:
    """A shared map whose descriptor is closed, as C programs do; Python's own keeps one."""

    def __init__(self, mount, name, flags=os.O_RDWR):
        before = mount.kernel_requests()["release"]
        fd = os.open(mount.path / name, flags)
        self.size = os.fstat(fd).st_size
        self.address = _libc.mmap(None, self.size, mmap.PROT_READ | (mmap.PROT_WRITE if flags & os.O_RDWR else 0),
                                  mmap.MAP_SHARED, fd, 0)
        assert self.address not in (None, ctypes.c_void_p(-1).value), os.strerror(ctypes.get_errno())
        os.close(fd)
        if mount.status()["passthrough"]["on"]:
            eventually(lambda: mount.kernel_requests()["release"] > before, what="the close as the daemon sees it")

    def store(self, at, data):
        ctypes.memmove(self.address + at, data, len(data))

    def flush(self):
        assert _libc.msync(self.address, self.size, 4) == 0  # MS_SYNC

    def load(self, at, size):
        return ctypes.string_at(self.address + at, size)

    def unmap(self):
        if self.address:
            _libc.munmap(self.address, self.size)
        self.address = None

    __enter__ = lambda self: self

    def __exit__(self, *_):
        self.unmap()


def given(mount, name, data):
    (mount.path / name).write_bytes(data)
    mount.sync()


def test_what_is_stored_after_the_close_is_uploaded(mount):
    data = bytearray(noise(MiB))
    given(mount, "f", data)
    with Mapping(mount, "f") as m:
        for i in range(4):  # later stores find their page dirty, or cleaned by an upload
            m.store(100 * i, b"later")
            data[100 * i:100 * i + 5] = b"later"
            assert (mount.path / "f").read_bytes() == bytes(data)
            if i % 2:
                m.flush()
                mount.sync()
                eventually(lambda: mount.client.get(mount.bucket, "f") == bytes(data), what="what was stored so far")
        m.store(500_000, b"last")
        data[500_000:500_004] = b"last"
    assert mount.read("f") == bytes(data)
    eventually(lambda: mount.status()["open_handles"] == 0, what="the end of the mapping as the daemon sees it")
    mount.fresh()
    assert (mount.path / "f").read_bytes() == bytes(data)


def test_a_store_after_the_close_goes_up_by_itself(mount):
    """Nobody asks for it, and the memory stays mapped."""
    given(mount, "f", noise(100_000))
    with Mapping(mount, "f") as m:
        m.store(7, b"by itself")
        wanted = noise(100_000)[:7] + b"by itself" + noise(100_000)[16:]
        if mount.status()["passthrough"]["on"]:
            eventually(lambda: mount.client.get(mount.bucket, "f") == wanted, what="the upload")
    eventually(lambda: mount.client.get(mount.bucket, "f") == wanted, what="the upload")


def test_what_was_mapped_while_another_reads_on_is_not_missed(mount):
    given(mount, "f", noise(100_000))
    with open(mount.path / "f", "rb") as reader:
        with Mapping(mount, "f") as m:
            m.store(7, b"beside")
        assert reader.read()[7:13] == b"beside"
        eventually(lambda: mount.client.get(mount.bucket, "f")[7:13] == b"beside", what="the upload")
    assert mount.read("f")[7:13] == b"beside"


def test_nothing_is_stored_nothing_goes_up(mount):
    given(mount, "f", noise(100_000))
    if mount.proxy:
        mount.proxy.reset()
    with Mapping(mount, "f") as m:
        assert m.load(0, 10) == noise(100_000)[:10]
        mount.sync()
    mount.sync()
    eventually(lambda: mount.status()["open_handles"] == 0, what="the end of the mapping as the daemon sees it")
    if mount.proxy:
        assert mount.ops() == {}


def test_kill_9_after_a_store_loses_nothing(mount):
    if not mount.status()["passthrough"]["on"]:
        pytest.skip("the kernel's own pages die with the daemon")
    given(mount, "f", noise(100_000))
    m = Mapping(mount, "f")
    m.store(50_000, b"stored")
    os.kill(mount.pid, signal.SIGKILL)
    m.unmap()
    mount.unmount_lazily()
    eventually(lambda: mount.mount().returncode == 0, what="the next mount")
    assert (mount.path / "f").read_bytes()[50_000:50_006] == b"stored"
    assert mount.read("f")[50_000:50_006] == b"stored"


@pytest.mark.options(cache_size="8M", free_space_floor="16M")
def test_what_a_program_has_mapped_is_not_taken_from_it(mount):
    """As programs and libraries are that run from the mount: mapped, and closed."""
    data = noise(3 * MiB)
    given(mount, "f", data)
    assert (mount.path / "f").read_bytes() == data
    with Mapping(mount, "f", os.O_RDONLY) as m:
        for i in range(5):
            given(mount, f"g{i}", noise(3 * MiB, i + 2))
            assert (mount.path / f"g{i}").read_bytes() == noise(3 * MiB, i + 2)
        assert m.load(0, 3 * MiB) == data
    eventually(lambda: mount.status()["open_handles"] == 0, what="the end of the mapping as the daemon sees it")


def test_unlinked_and_replaced_files_end_with_their_mapping(mount):
    given(mount, "f", noise(100_000))
    given(mount, "g", noise(100_000, 2))
    with contextlib.ExitStack() as stack:
        f, g = (stack.enter_context(Mapping(mount, name)) for name in "fg")
        os.unlink(mount.path / "f")
        (mount.path / "h").write_bytes(b"new")
        os.rename(mount.path / "h", mount.path / "g")
        f.store(0, b"nowhere")
        g.store(0, b"nowhere")
        assert f.load(0, 7) == g.load(0, 7) == b"nowhere"
        mount.sync()
    eventually(lambda: mount.status()["open_handles"] == 0, what="the end of the mappings as the daemon sees it")
    assert mount.keys() == ["g"]
    assert mount.client.get(mount.bucket, "g") == b"new"
