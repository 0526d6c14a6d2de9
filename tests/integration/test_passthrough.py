"""FUSE passthrough: the kernel reads and writes whole cache files by itself, and nothing that holds without it is lost.

What the daemon is asked is counted by kernel_requests_total. Where the kernel has no passthrough, or we are not root, only what must
hold without it is looked at.
"""

import contextlib
import ctypes
import json
import mmap
import os
import random
import signal
import time

import pytest

from harness import eventually, run

MiB = 1 << 20


@pytest.fixture(autouse=True)
def _has_passthrough(request):
    if "mount" in request.fixturenames and not request.node.get_closest_marker("needs_none"):
        why_not = request.getfixturevalue("mount").status()["passthrough"]["why_not"]
        if why_not and "kernel" not in why_not and "CAP" not in why_not and "file system" not in why_not:
            pytest.skip(f"no passthrough: {why_not}")  # SKYDIR_TEST_PASSTHROUGH=no
        if why_not:
            pytest.skip(f"this machine has none: {why_not}")


def noise(size, seed=1):
    return random.Random(seed).randbytes(size)


def asked(mount, before, *operations):
    now = mount.kernel_requests()
    return {o: now[o] - before[o] for o in operations}


def close_dead(*files):
    """Of a mount that is gone: closing says so."""
    for f in files:
        with contextlib.suppress(OSError):
            if isinstance(f, int):
                os.close(f)
            else:
                f.close()


def given(mount, name, data):
    """An object that is whole in the cache, and clean."""
    (mount.path / name).write_bytes(data)
    mount.sync()
    if mount.proxy:
        mount.proxy.reset()


@pytest.mark.stores("local")
def test_a_whole_file_is_read_without_the_daemon(mount):
    given(mount, "f", noise(3 * MiB))
    before = mount.kernel_requests()
    assert (mount.path / "f").read_bytes() == noise(3 * MiB)
    with open(mount.path / "f", "rb") as f, mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ) as m:
        assert m[MiB : MiB + 10] == noise(3 * MiB)[MiB : MiB + 10]
    assert asked(mount, before, "open", "read", "flush") == {"open": 2, "read": 0, "flush": 0}


@pytest.mark.stores("local", "s3")
def test_a_file_is_written_without_the_daemon(mount):
    before = mount.kernel_requests()
    with open(mount.path / "f", "wb", buffering=0) as f:
        for i in range(24):
            f.write(noise(MiB, i))
        assert os.stat(mount.path / "f").st_size == 24 * MiB
    assert asked(mount, before, "create", "write", "flush") == {"create": 1, "write": 0, "flush": 1}
    assert mount.read("f") == b"".join(noise(MiB, i) for i in range(24))


@pytest.mark.stores("local")
@pytest.mark.options(passthrough="no")
@pytest.mark.needs_none
def test_it_can_be_switched_off(mount):
    before = mount.kernel_requests()
    given(mount, "f", noise(300_000))
    assert asked(mount, before, "write")["write"] > 0
    assert mount.status()["passthrough"] == {"on": False, "why_not": "switched off", "opens": 0}
    assert "passthrough: off (switched off)" in mount.skydir("status", mount.top).stdout


@pytest.mark.stores("s3")
def test_what_was_opened_for_writing_and_not_written_costs_nothing(mount):
    given(mount, "f", noise(100_000))
    before = os.stat(mount.path / "f")
    for flags in (os.O_RDWR, os.O_WRONLY, os.O_WRONLY | os.O_APPEND):
        fd = os.open(mount.path / "f", flags)
        mount.sync()
        assert os.getxattr(mount.path / "f", "user.skydir.state") == b"cached"
        os.close(fd)
    with open(mount.path / "f", "r+b") as f, mmap.mmap(f.fileno(), 0) as m:
        assert m[:10] == noise(100_000)[:10]
    mount.sync()
    assert mount.status()["dirty"]["files"] == 0
    assert mount.ops() == {}
    assert os.stat(mount.path / "f").st_mtime_ns == before.st_mtime_ns
    # Nor after a restart, when the daemon was killed meanwhile.
    fd = os.open(mount.path / "f", os.O_RDWR)
    mount.kill(signal.SIGKILL)
    mount.unmount_lazily()
    close_dead(fd)
    mount.mount()
    mount.sync()
    assert {o: n for o, n in mount.ops().items() if o.startswith("Put")} == {}


@pytest.mark.stores("s3")
def test_attributes_of_a_file_that_is_open_but_not_written_move_no_content(mount):
    given(mount, "f", noise(100_000))
    with open(mount.path / "f", "r+b"):
        os.chmod(mount.path / "f", 0o600)
        os.utime(mount.path / "f", ns=(5 * 10**9, 5 * 10**9))
    mount.sync()
    assert "PutObject" not in mount.ops()
    mount.fresh()
    os.getxattr(mount.path / "f", "user.skydir.etag")
    assert mount.client.meta(mount.bucket, "f")["mtime"].startswith("5")


@pytest.mark.stores("local", "s3")
@pytest.mark.options(upload_delay="0s")
def test_a_change_of_the_same_size_is_never_missed(mount):
    given(mount, "f", noise(8192))
    for i in range(60):
        with open(mount.path / "f", "r+b", buffering=0) as f:
            f.write(b"%05d" % i)
        if i % 20 == 19:
            assert mount.read("f")[:5] == b"%05d" % i


@pytest.mark.stores("local", "s3")
@pytest.mark.options(upload_delay="0s")
def test_what_is_written_beside_an_upload_goes_up_too(mount):
    with open(mount.path / "f", "w+b", buffering=0) as f:
        f.write(noise(2 * MiB))
        for i in range(25):
            f.seek(i * 4096)
            f.write(b"%05d" % i)
            mount.sync()
            f.seek(MiB + i)
            f.write(b"!")
            if i % 8 == 0:
                data = mount.client.get(mount.bucket, "f")
                assert data[i * 4096 : i * 4096 + 5] == b"%05d" % i
        f.seek(0)
        expected = f.read()
    assert mount.read("f") == expected


@pytest.mark.stores("local", "s3")
def test_stores_into_mapped_memory_are_uploaded(mount):
    given(mount, "f", noise(MiB))
    expected = bytearray(noise(MiB))
    with open(mount.path / "f", "r+b") as f, mmap.mmap(f.fileno(), 0) as m:
        for i in range(12):
            # The second store finds its page dirty already, unless the sync between has cleaned it.
            expected[7] = m[7] = i + 1
            mount.sync()
            assert mount.client.get(mount.bucket, "f")[7] == i + 1
            expected[7] = m[7] = i + 100
    before = time.time() - 60
    assert os.stat(mount.path / "f").st_mtime > before
    assert mount.read("f") == bytes(expected)


@pytest.mark.stores("local", "s3")
@pytest.mark.options(upload_delay="1h")
def test_kill_9_after_a_write_loses_nothing(mount):
    """All ways a file can be open for writing; the kill comes at once, before anything could be settled."""
    names = {"clean": None, "renamed": None, "mapped": None, "appended": None, "cut": None}
    for name in names:
        (mount.path / name).write_bytes(noise(50_000, 3))
    mount.sync()
    expected, held = {}, []
    for name in names:
        held.append(open(mount.path / name, "r+b", buffering=0))
    os.rename(mount.path / "renamed", mount.path / "moved")
    new = open(mount.path / "new", "wb", buffering=0)
    time.sleep(0.6)  # the ticker has looked at all of them
    base = noise(50_000, 3)
    held[0].write(b"CLEAN")
    expected["clean"] = b"CLEAN" + base[5:]
    held[1].write(b"MOVED")
    expected["moved"] = b"MOVED" + base[5:]
    mapped = mmap.mmap(held[2].fileno(), 0)
    mapped[100:105] = b"STORE"
    expected["mapped"] = base[:100] + b"STORE" + base[105:]
    held[3].seek(0, 2)
    held[3].write(b"TAIL")
    expected["appended"] = base + b"TAIL"
    held[4].truncate(10)
    expected["cut"] = base[:10]
    new.write(noise(70_000, 5))
    expected["new"] = noise(70_000, 5)
    os.kill(mount.pid, signal.SIGKILL)
    mapped.close()
    close_dead(*held, new)
    mount.unmount_lazily()
    eventually(lambda: mount.mount().returncode == 0, what="the next mount")
    for name, data in expected.items():
        assert (mount.path / name).read_bytes() == data, name
    mount.sync()
    for name, data in expected.items():
        assert mount.client.get(mount.bucket, name) == data, name
    assert mount.keys() == sorted(expected)


@pytest.mark.stores("local")
def test_what_a_killed_mount_left_shows_without_a_mount(mount):
    given(mount, "f", noise(5000))
    given(mount, "g", noise(5000))
    mount.remount()  # the row of an upload that is done may stay for a moment
    written, idle = (open(mount.path / name, "r+b", buffering=0) for name in "fg")
    mount.sync()
    written.write(b"written")
    os.kill(mount.pid, signal.SIGKILL)
    mount.unmount_lazily()
    close_dead(written, idle)
    left = json.loads(mount.skydir("status", "-o", "json").stdout)["orphans"]
    assert [u["path"] for o in left for u in o["uploads"]] == [f"/{mount.store}/{mount.bucket}/f"]
    eventually(lambda: mount.skydir("sync", check=False).returncode == 0, what="the sync without a mount")
    assert mount.client.get(mount.bucket, "f") == b"written" + noise(5000)[7:]


@pytest.mark.stores("s3")
def test_a_file_partly_here_is_written_through_the_daemon(mount):
    mount.client.put(mount.bucket, "big", noise(20 * MiB))
    before = mount.kernel_requests()
    with open(mount.path / "big", "r+b", buffering=0) as f:
        f.seek(10 * MiB)
        f.write(b"middle")
        # Another open of it, while it is open so.
        with open(mount.path / "big", "rb") as other:
            other.seek(10 * MiB)
            assert other.read(6) == b"middle"
    assert asked(mount, before, "write")["write"] > 0
    data = bytearray(noise(20 * MiB))
    data[10 * MiB : 10 * MiB + 6] = b"middle"
    assert mount.read("big") == bytes(data)
    assert (mount.path / "big").read_bytes() == bytes(data)

    def is_whole():  # from now on
        before = mount.kernel_requests()
        assert (mount.path / "big").read_bytes() == bytes(data)
        return asked(mount, before, "read") == {"read": 0}

    eventually(is_whole, what="a read without the daemon")


@pytest.mark.stores("s3")
@pytest.mark.parametrize("direct_io", ("0", "1M"))
def test_a_file_that_fills_up_changes_over_at_the_next_open(make_mount, direct_io):
    mount = make_mount("s3", options={"direct-io": direct_io}).start()
    if not mount.status()["passthrough"]["on"]:
        pytest.skip("no passthrough")
    mount.client.put(mount.bucket, "f", noise(6 * MiB))
    opens = mount.status()["passthrough"]["opens"]
    with open(mount.path / "f", "rb", buffering=0) as first:
        assert first.read(MiB) == noise(6 * MiB)[:MiB]
        while first.read(MiB):
            pass
        def opened_anew():
            assert (mount.path / "f").read_bytes() == noise(6 * MiB)
            return mount.status()["passthrough"]["opens"] > opens

        # Pages that the kernel keeps for the first handle forbid it; direct I/O keeps none.
        if direct_io == "0":
            assert not opened_anew()
        else:
            eventually(opened_anew, what="a passthrough handle beside one of direct I/O")
        first.seek(5)
        assert first.read(10) == noise(6 * MiB)[5:15]
    opens = mount.status()["passthrough"]["opens"]
    assert (mount.path / "f").read_bytes() == noise(6 * MiB)
    assert mount.status()["passthrough"]["opens"] == opens + 1


@pytest.mark.stores("s3")
def test_a_big_object_is_changed_through_the_daemon_that_knows_what_changed(mount):
    given(mount, "big", noise(20 * MiB))
    before = mount.kernel_requests()
    with open(mount.path / "big", "ab", buffering=0) as f:
        f.write(b"more")
    assert asked(mount, before, "write")["write"] == 1
    mount.sync()
    assert mount.proxy.counters()["bytes_up"] < 9 * MiB
    # Beside a reader the kernel wants to do it all by itself: then all of it goes up.
    with open(mount.path / "big", "rb") as reader, open(mount.path / "big", "r+b", buffering=0) as f:
        f.write(b"begin")
        assert reader.read(5) == b"begin"
    data = b"begin" + noise(20 * MiB)[5:] + b"more"
    assert mount.read("big") == data


@pytest.mark.stores("s3")
def test_a_copy_in_the_cloud_into_a_file_the_kernel_writes_is_refused_and_done_by_hand(mount):
    given(mount, "from", noise(300_000))
    libc = ctypes.CDLL(None, use_errno=True)
    # In this order nobody could know that it is going to be a copy.
    with open(mount.path / "to", "w+b", buffering=0) as to, open(mount.path / "from", "rb") as source:
        left = 300_000
        while left:
            n = libc.copy_file_range(source.fileno(), None, to.fileno(), None, ctypes.c_size_t(left), 0)
            assert n > 0, os.strerror(ctypes.get_errno())
            left -= n
        to.seek(0)
        to.write(b"own")
        to.seek(0)
        assert to.read() == b"own" + noise(300_000)[3:]
    assert mount.read("to") == b"own" + noise(300_000)[3:]
    assert mount.read("from") == noise(300_000)


@pytest.mark.stores("s3")
def test_a_conflict_keeps_both(mount):
    given(mount, "f.txt", b"first version")
    with open(mount.path / "f.txt", "r+b", buffering=0) as f:
        mount.client.put(mount.bucket, "f.txt", b"somebody else's")
        f.write(b"OUR")
        f.flush()
        mount.sync()
        f.write(b"!")
    mount.sync()
    names = mount.keys()
    assert len(names) == 2 and names[1] == "f.txt"
    assert mount.client.get(mount.bucket, "f.txt") == b"somebody else's"
    assert mount.client.get(mount.bucket, names[0]) == b"OUR!t version"


@pytest.mark.stores("local")
@pytest.mark.options(cache_size="16M")
def test_nothing_is_taken_from_under_a_handle_when_the_cache_is_full(mount):
    given(mount, "f", noise(6 * MiB))
    with open(mount.path / "f", "r+b", buffering=0) as f:
        for i in range(5):
            (mount.path / f"g{i}").write_bytes(noise(6 * MiB, i))
            mount.sync()
        eventually(lambda: mount.status()["cache"]["bytes"] <= 16 * MiB, what="room in the cache")
        assert f.read(6 * MiB) == noise(6 * MiB)
        f.seek(MiB)
        f.write(b"still here")
    data = mount.read("f")
    assert data[:MiB] == noise(6 * MiB)[:MiB] and data[MiB : MiB + 10] == b"still here"
    assert data[MiB + 10 :] == noise(6 * MiB)[MiB + 10 :]


@pytest.mark.stores("local")
def test_a_lazily_unmounted_file_keeps_what_was_written(mount):
    given(mount, "f", noise(5000))
    with open(mount.path / "f", "r+b", buffering=0) as f:
        run("fusermount3", "-uz", str(mount.top))
        f.write(b"late")
    eventually(lambda: mount.mount().returncode == 0, what="the next mount")
    assert mount.read("f") == b"late" + noise(5000)[4:]
