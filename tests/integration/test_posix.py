"""What programs expect of a file system, call by call."""

import ctypes
import ctypes.util
import errno
import fcntl
import mmap
import os
import random
import threading

import pytest

from harness import run

libc = ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True)
KiB = 1024

pytestmark = pytest.mark.both_ways


def raises(number):
    return pytest.raises(OSError, match=rf"\[Errno {number}\]")


def test_o_excl(mount):
    f = mount.path / "f"
    os.close(os.open(f, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    with raises(errno.EEXIST):
        os.open(f, os.O_CREAT | os.O_EXCL | os.O_WRONLY)


def test_o_excl_sees_what_others_made(mount):
    mount.client.put(mount.bucket, "theirs", b"x")
    with raises(errno.EEXIST):
        os.open(mount.path / "theirs", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    assert mount.read("theirs") == b"x"


def test_o_trunc(mount):
    mount.client.put(mount.bucket, "f", b"long content")
    fd = os.open(mount.path / "f", os.O_WRONLY | os.O_TRUNC)
    os.write(fd, b"new")
    os.close(fd)
    assert mount.read("f") == b"new"


def test_errors_for_what_is_not_there(mount):
    for call in (os.stat, os.unlink, os.rmdir, os.listdir, os.readlink):
        with raises(errno.ENOENT):
            call(mount.path / "nothing")
    with raises(errno.ENOENT):
        os.rename(mount.path / "nothing", mount.path / "else")
    with raises(errno.ENOENT):
        os.open(mount.path / "nothing" / "file", os.O_CREAT | os.O_WRONLY)


def test_errors_for_the_wrong_kind(mount):
    (mount.path / "f").write_text("x")
    (mount.path / "d").mkdir()
    with raises(errno.EISDIR):
        os.open(mount.path / "d", os.O_WRONLY)
    with raises(errno.ENOTDIR):
        os.stat(mount.path / "f" / "below")
    with raises(errno.ENOTDIR):
        os.listdir(mount.path / "f")
    with pytest.raises(OSError) as e:
        os.unlink(mount.path / "d")
    assert e.value.errno in (errno.EISDIR, errno.EPERM)
    with raises(errno.EINVAL):
        os.readlink(mount.path / "f")


def test_a_name_over_255_bytes_is_refused(mount):
    with raises(errno.ENAMETOOLONG):
        (mount.path / ("n" * 256)).write_text("x")
    (mount.path / ("n" * 200)).write_text("x")


def test_an_unlinked_open_file_lives_on(mount):
    f = mount.path / "f"
    fd = os.open(f, os.O_RDWR | os.O_CREAT)
    os.write(fd, b"still here")
    os.unlink(f)
    assert not f.exists()
    assert os.listdir(mount.path) == []
    os.pwrite(fd, b"STILL", 0)
    os.fsync(fd)
    assert os.pread(fd, 100, 0) == b"STILL here"
    assert os.fstat(fd).st_size == 10
    os.ftruncate(fd, 5)
    assert os.fstat(fd).st_size == 5
    f.write_text("another")
    assert os.pread(fd, 100, 0) == b"STILL"
    os.close(fd)
    assert mount.read("f") == b"another"


def test_an_unlinked_open_file_of_the_store_can_be_read(mount):
    data = random.Random(1).randbytes(300 * KiB)
    mount.client.put(mount.bucket, "f", data)
    with open(mount.path / "f", "rb") as f:
        assert f.read(10) == data[:10]
        os.unlink(mount.path / "f")
        assert f.read() == data[10:]
    assert mount.keys() == []


def test_rename_over_an_open_file(mount):
    (mount.path / "old").write_text("old content")
    (mount.path / "new").write_text("new content")
    with open(mount.path / "old") as f:
        os.rename(mount.path / "new", mount.path / "old")
        assert f.read() == "old content"
    assert (mount.path / "old").read_text() == "new content"
    assert mount.read("old") == b"new content"


def test_writing_goes_on_after_a_rename(mount):
    with open(mount.path / "a", "wb", buffering=0) as f:
        f.write(b"one ")
        os.rename(mount.path / "a", mount.path / "b")
        f.write(b"two")
    assert (mount.path / "b").read_bytes() == b"one two"
    assert mount.read("b") == b"one two"
    assert mount.keys() == ["b"]


def test_two_descriptors_see_each_other(mount):
    f = mount.path / "f"
    a = os.open(f, os.O_RDWR | os.O_CREAT)
    b = os.open(f, os.O_RDWR)
    os.pwrite(a, b"hello", 0)
    assert os.pread(b, 10, 0) == b"hello"
    os.pwrite(b, b"J", 0)
    assert os.pread(a, 10, 0) == b"Jello"
    os.ftruncate(a, 2)
    assert os.fstat(b).st_size == 2
    os.close(a)
    os.close(b)
    assert mount.read("f") == b"Je"


def test_appenders_do_not_overwrite_each_other(mount):
    f = mount.path / "f"

    def append(letter):
        fd = os.open(f, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for _ in range(50):
            os.write(fd, letter * 10)
        os.close(fd)

    threads = [threading.Thread(target=append, args=(bytes([65 + i]),)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    data = mount.read("f")
    assert len(data) == 2000
    assert all(data.count(bytes([65 + i])) == 500 for i in range(4))


def test_ftruncate_both_ways(mount):
    fd = os.open(mount.path / "f", os.O_RDWR | os.O_CREAT)
    os.write(fd, b"0123456789")
    os.ftruncate(fd, 4)
    os.ftruncate(fd, 8)
    assert os.pread(fd, 100, 0) == b"0123\0\0\0\0"
    os.ftruncate(fd, 0)
    assert os.pread(fd, 100, 0) == b""
    os.pwrite(fd, b"x", 3)
    os.close(fd)
    assert mount.read("f") == b"\0\0\0x"


def test_a_hole_reads_as_zeros(mount):
    with open(mount.path / "f", "wb") as f:
        f.write(b"begin")
        f.seek(1_000_000)
        f.write(b"end")
    expected = b"begin".ljust(1_000_000, b"\0") + b"end"
    assert (mount.path / "f").read_bytes() == expected
    assert mount.read("f") == expected


def test_seek_data_and_hole(mount):
    f = mount.path / "f"
    with open(f, "wb") as w:
        w.seek(4 << 20)
        w.write(b"x" * 4096)
        w.truncate(8 << 20)
    fd = os.open(f, os.O_RDONLY)
    try:
        data = os.lseek(fd, 0, os.SEEK_DATA)
        hole = os.lseek(fd, data, os.SEEK_HOLE)
        assert 0 <= data <= 4 << 20 < hole <= 8 << 20
        with raises(errno.ENXIO):
            os.lseek(fd, 9 << 20, os.SEEK_DATA)
        assert os.lseek(fd, (8 << 20) - 1, os.SEEK_HOLE) in ((8 << 20) - 1, 8 << 20)
    finally:
        os.close(fd)


def test_seek_data_never_hides_what_the_store_holds(mount):
    mount.client.put(mount.bucket, "f", b"x" * 100_000)
    fd = os.open(mount.path / "f", os.O_RDONLY)
    try:
        assert os.lseek(fd, 0, os.SEEK_DATA) == 0
        assert os.lseek(fd, 5000, os.SEEK_DATA) == 5000
        assert os.lseek(fd, 0, os.SEEK_HOLE) == 100_000
    finally:
        os.close(fd)


def fallocate(fd, mode, offset, length):
    if libc.fallocate(fd, mode, ctypes.c_long(offset), ctypes.c_long(length)) != 0:
        raise OSError(ctypes.get_errno(), "fallocate")


def test_fallocate(mount):
    fd = os.open(mount.path / "f", os.O_RDWR | os.O_CREAT)
    os.write(fd, b"data")
    os.posix_fallocate(fd, 0, 100_000)
    assert os.fstat(fd).st_size == 100_000
    fallocate(fd, 1, 0, 200_000)  # FALLOC_FL_KEEP_SIZE
    assert os.fstat(fd).st_size == 100_000
    os.close(fd)
    assert mount.read("f") == b"data".ljust(100_000, b"\0")


def test_punching_a_hole(mount):
    data = random.Random(2).randbytes(100_000)
    mount.client.put(mount.bucket, "f", data)
    fd = os.open(mount.path / "f", os.O_RDWR)
    fallocate(fd, 3, 10_000, 50_000)  # PUNCH_HOLE | KEEP_SIZE
    os.close(fd)
    expected = data[:10_000] + bytes(50_000) + data[60_000:]
    assert (mount.path / "f").read_bytes() == expected
    assert mount.read("f") == expected


def test_statfs(mount):
    s = os.statvfs(mount.path)
    assert s.f_bavail > 0 and s.f_blocks >= s.f_bavail and s.f_namemax == 255
    assert run("df", mount.path).returncode == 0


def test_copy_file_range(mount):
    data = random.Random(3).randbytes(500_000)
    (mount.path / "a").write_bytes(data)
    mount.sync()
    a = os.open(mount.path / "a", os.O_RDONLY)
    b = os.open(mount.path / "b", os.O_RDWR | os.O_CREAT)
    done = 0
    while done < len(data):
        n = os.copy_file_range(a, b, len(data) - done, done, done)
        assert n > 0
        done += n
    assert os.fstat(b).st_size == len(data)
    os.close(a)
    os.close(b)
    assert (mount.path / "b").read_bytes() == data
    assert mount.read("b") == data


def test_copy_file_range_of_a_part(mount):
    data = random.Random(4).randbytes(200_000)
    (mount.path / "a").write_bytes(data)
    (mount.path / "b").write_bytes(b"B" * 100_000)
    mount.sync()
    a = os.open(mount.path / "a", os.O_RDONLY)
    b = os.open(mount.path / "b", os.O_RDWR)
    done = 0
    while done < 30_000:
        n = os.copy_file_range(a, b, 30_000 - done, 50_000 + done, 20_000 + done)
        assert n > 0
        done += n
    os.close(a)
    os.close(b)
    expected = b"B" * 20_000 + data[50_000:80_000] + b"B" * 50_000
    assert (mount.path / "b").read_bytes() == expected
    assert mount.read("b") == expected


def test_the_copy_does_not_follow_the_original(mount):
    (mount.path / "a").write_bytes(b"first" * 1000)
    mount.sync()
    run("cp", mount.path / "a", mount.path / "b")
    (mount.path / "a").write_bytes(b"other")
    assert (mount.path / "b").read_bytes() == b"first" * 1000
    assert mount.read("b") == b"first" * 1000
    assert mount.read("a") == b"other"


def test_a_copy_of_what_is_not_uploaded_yet(mount):
    (mount.path / "a").write_bytes(b"fresh" * 1000)
    run("cp", mount.path / "a", mount.path / "b")
    with open(mount.path / "a", "ab") as f:
        f.write(b"more")
    assert mount.read("b") == b"fresh" * 1000
    assert mount.read("a") == b"fresh" * 1000 + b"more"


def test_mmap_reads(mount):
    data = random.Random(5).randbytes(1_000_000)
    mount.client.put(mount.bucket, "f", data)
    with open(mount.path / "f", "rb") as f, mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ) as m:
        assert m[500_000:500_100] == data[500_000:500_100]
        assert m[:] == data


def test_mmap_shared_writes(mount):
    data = bytearray(random.Random(6).randbytes(300_000))
    mount.client.put(mount.bucket, "f", bytes(data))
    with open(mount.path / "f", "r+b") as f, mmap.mmap(f.fileno(), 0) as m:
        m[1000:1005] = b"hello"
        m[299_995:300_000] = b"world"
        m.flush()
    data[1000:1005] = b"hello"
    data[299_995:300_000] = b"world"
    assert (mount.path / "f").read_bytes() == data
    assert mount.read("f") == data


def test_fsync_and_fdatasync(mount):
    fd = os.open(mount.path / "f", os.O_WRONLY | os.O_CREAT)
    os.write(fd, b"x")
    os.fsync(fd)
    os.fdatasync(fd)
    os.close(fd)
    directory = os.open(mount.path, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(directory)
    os.close(directory)


@pytest.mark.options(fsync="remote")
@pytest.mark.stores("s3")
def test_fsync_remote_waits_for_the_store(mount):
    fd = os.open(mount.path / "f", os.O_WRONLY | os.O_CREAT)
    os.write(fd, b"in the cloud now")
    os.fsync(fd)
    assert mount.client.get(mount.bucket, "f") == b"in the cloud now"
    os.close(fd)


@pytest.mark.options(writeback="no")
def test_without_writeback_close_means_stored(mount):
    (mount.path / "f").write_bytes(b"at once")
    assert mount.client.get(mount.bucket, "f") == b"at once"
    (mount.path / "f").unlink()
    assert mount.client.get(mount.bucket, "f") is None


def test_locks(mount):
    f = mount.path / "f"
    f.write_text("x")
    with open(f, "r+") as a, open(f, "r+") as b:
        fcntl.flock(a, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(BlockingIOError):
            fcntl.flock(b, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(a, fcntl.LOCK_UN)
        fcntl.flock(b, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_o_tmpfile_or_a_clean_no(mount):
    try:
        os.close(os.open(mount.path, os.O_TMPFILE | os.O_RDWR))
    except OSError as e:
        assert e.errno in (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOSYS)


def test_readdir_while_files_come_and_go(mount):
    for i in range(200):
        (mount.path / f"{i:03}").write_text("")
    seen = []
    with os.scandir(mount.path) as entries:
        for n, entry in enumerate(entries):
            seen.append(entry.name)
            if n == 20:
                for i in range(0, 200, 2):
                    (mount.path / f"{i:03}").unlink()
    # What was never touched is seen exactly once.
    odd = [f"{i:03}" for i in range(1, 200, 2)]
    assert sorted(n for n in seen if int(n) % 2) == odd
    assert len(seen) == len(set(seen))
    assert sorted(os.listdir(mount.path)) == odd


def test_dot_entries_and_inode_numbers(mount):
    (mount.path / "d").mkdir()
    (mount.path / "d" / "f").write_text("x")
    assert os.stat(mount.path / "d" / "..").st_ino == os.stat(mount.path).st_ino
    with os.scandir(mount.path / "d") as entries:
        for entry in entries:
            assert entry.inode() == entry.stat().st_ino
            assert entry.is_file()
    before = (mount.path / "d" / "f").stat().st_ino
    mount.sync()
    assert (mount.path / "d" / "f").stat().st_ino == before


def test_a_sparse_read_past_the_end(mount):
    mount.client.put(mount.bucket, "f", b"12345")
    fd = os.open(mount.path / "f", os.O_RDONLY)
    assert os.pread(fd, 100, 3) == b"45"
    assert os.pread(fd, 100, 5) == b""
    assert os.pread(fd, 100, 1 << 40) == b""
    os.close(fd)


def test_access_follows_modes_of_a_read_only_file(mount):
    f = mount.path / "f"
    f.write_text("x")
    f.chmod(0o444)
    assert os.access(f, os.R_OK)
    if os.getuid() != 0:
        assert not os.access(f, os.W_OK)


@pytest.mark.options(ro="yes")
def test_read_only_mount(mount):
    mount.client.put(mount.bucket, "f", b"x")
    assert (mount.path / "f").read_bytes() == b"x"
    for call in (lambda: (mount.path / "g").write_text("x"), lambda: (mount.path / "d").mkdir(),
                 lambda: (mount.path / "f").unlink(), lambda: os.rename(mount.path / "f", mount.path / "g"),
                 lambda: open(mount.path / "f", "a"), lambda: os.chmod(mount.path / "f", 0o600)):
        with raises(errno.EROFS):
            call()


def test_threads_read_and_write_beside_each_other(mount):
    problems = []

    def work(i):
        try:
            rng = random.Random(i)
            for n in range(15):
                f = mount.path / f"t{i}-{n}"
                data = rng.randbytes(rng.randrange(1, 50_000))
                f.write_bytes(data)
                assert f.read_bytes() == data
                if n % 3 == 0:
                    f.unlink()
        except (OSError, AssertionError) as e:
            problems.append(e)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not problems
    assert len(mount.keys()) == 8 * 10
