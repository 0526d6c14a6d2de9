"""POSIX, contents: open and its flags, locks, sizes and holes, mappings, copies. `pytest --plain`: see test_posix_names.py.
"""

import array
import fcntl
import mmap
import os
import signal
import stat
import struct
import subprocess
import sys

import pytest

from syscalls import CREATE, code, d, fallocate, is_plain, make, opened, shared  # noqa: F401

# ---- open and its flags ----

def test_the_umask_and_the_mode_of_what_is_made(d):
    before = os.umask(0o027)
    try:
        os.close(os.open("f", CREATE, 0o666))
        os.mkdir("sub", 0o777)
        os.close(os.open("closed", CREATE, 0o000))
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat("f").st_mode) == 0o640
    assert stat.S_IMODE(os.stat("sub").st_mode) == 0o750
    assert stat.S_IMODE(os.stat("closed").st_mode) == 0


def test_who_makes_a_read_only_file_can_write_it(d):
    with opened("f", CREATE | os.O_EXCL, 0o444) as fd:
        assert os.write(fd, b"once") == 4
    assert open("f", "rb").read() == b"once"
    assert stat.S_IMODE(os.stat("f").st_mode) == 0o444


def test_a_descriptor_does_only_what_it_was_opened_for(d):
    make("f")
    with opened("f", os.O_RDONLY) as fd:
        assert code(os.write, fd, b"x") == "EBADF"
        assert code(os.ftruncate, fd, 0) == "EINVAL"
        assert code(fallocate, fd, 0, 0, 10) == "EBADF"
    with opened("f", os.O_WRONLY) as fd:
        assert code(os.read, fd, 1) == "EBADF"
    with opened("f", os.O_PATH) as fd:
        assert code(os.read, fd, 1) == "EBADF"
        assert os.fstat(fd).st_size == 1


def test_o_creat_through_a_dangling_link_makes_the_target(d):
    os.symlink("target", "link")
    make("link", b"through")
    assert open("target", "rb").read() == b"through"
    assert os.path.islink("link")


def test_o_append_always_writes_at_the_end(d):
    make("f", b"begin")
    with opened("f", os.O_RDWR | os.O_APPEND) as fd:
        os.lseek(fd, 0, os.SEEK_SET)
        os.write(fd, b"-end")
        assert os.lseek(fd, 0, os.SEEK_CUR) == 9
        os.ftruncate(fd, 2)
        os.write(fd, b"!")
    assert open("f", "rb").read() == b"be!"


def test_two_processes_append_whole_records(d):
    program = ("import os,sys\n"
               "fd=os.open('f',os.O_WRONLY|os.O_CREAT|os.O_APPEND,0o644)\n"
               "for i in range(200): os.write(fd,(sys.argv[1]*49+'\\n').encode())\n")
    running = [subprocess.Popen([sys.executable, "-c", program, letter]) for letter in "ab"]
    assert [p.wait(60) for p in running] == [0, 0]
    lines = open("f").read().splitlines()
    assert sorted(lines) == ["a" * 49] * 200 + ["b" * 49] * 200


def test_o_direct_reads_and_writes(d):
    page = mmap.mmap(-1, 8192)
    page[:] = b"d" * 8192
    with opened("f", os.O_RDWR | os.O_CREAT | os.O_DIRECT) as fd:
        assert os.pwrite(fd, page, 0) == 8192
        page[:] = bytes(8192)
        assert os.preadv(fd, [page], 0) == 8192
    assert page[:] == b"d" * 8192
    assert open("f", "rb").read() == b"d" * 8192


def test_an_offset_is_shared_after_fork(d):
    make("f", b"0123456789")
    with opened("f", os.O_RDONLY) as fd:
        pid = os.fork()
        if pid == 0:
            os.read(fd, 4)
            os._exit(0)
        os.waitpid(pid, 0)
        assert os.read(fd, 3) == b"456"


def test_a_running_program_cannot_be_written(d):
    make("prog", open("/bin/sleep", "rb").read(), 0o755)
    process = subprocess.Popen(["./prog", "30"])
    try:
        assert code(os.open, "prog", os.O_WRONLY) == "ETXTBSY"
    finally:
        process.kill()
        process.wait()
    assert code(os.open, "prog", os.O_WRONLY) == "ok"


# ---- locks ----

def lock_state(kind, command, name="f", start=0, length=0):
    """Whether another process gets the lock."""
    program = (f"import fcntl,os,struct,sys\nf=open({name!r},'r+b')\n"
               f"try:\n"
               f"  {'fcntl.flock(f, fcntl.LOCK_NB | ' + command + ')' if kind == 'flock' else ''}\n"
               f"  {f'fcntl.lockf(f, fcntl.LOCK_NB | {command}, {length}, {start})' if kind == 'posix' else ''}\n"
               f"  print('got')\nexcept OSError as e: print('busy')\n")
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()


def test_flock_between_processes(d):
    make("f")
    with open("f", "r+b") as f:
        fcntl.flock(f, fcntl.LOCK_SH)
        assert lock_state("flock", "fcntl.LOCK_SH") == "got"
        assert lock_state("flock", "fcntl.LOCK_EX") == "busy"
        fcntl.flock(f, fcntl.LOCK_EX)
        assert lock_state("flock", "fcntl.LOCK_SH") == "busy"
        fcntl.flock(f, fcntl.LOCK_UN)
        assert lock_state("flock", "fcntl.LOCK_EX") == "got"
        fcntl.flock(f, fcntl.LOCK_EX)
    assert lock_state("flock", "fcntl.LOCK_EX") == "got"  # gone with the descriptor


def test_posix_locks_are_of_ranges(d):
    make("f", b"0" * 100)
    with open("f", "r+b") as f:
        fcntl.lockf(f, fcntl.LOCK_EX, 10, 20)
        assert lock_state("posix", "fcntl.LOCK_EX", start=0, length=20) == "got"
        assert lock_state("posix", "fcntl.LOCK_EX", start=25, length=1) == "busy"
        assert lock_state("posix", "fcntl.LOCK_SH", start=25, length=1) == "busy"
        fcntl.lockf(f, fcntl.LOCK_UN, 5, 20)
        assert lock_state("posix", "fcntl.LOCK_EX", start=20, length=5) == "got"
        assert lock_state("posix", "fcntl.LOCK_EX", start=25, length=5) == "busy"
        open("f", "rb").close()  # as POSIX wants it, any close of the file drops the process's locks
        assert lock_state("posix", "fcntl.LOCK_EX") == "got"


def test_open_file_description_locks(d):
    F_OFD_GETLK, F_OFD_SETLK = 36, 37
    make("f", b"0" * 100)
    want = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 10, 0)
    with open("f", "r+b") as a, open("f", "r+b") as b:
        fcntl.fcntl(a, F_OFD_SETLK, want)
        assert code(fcntl.fcntl, b, F_OFD_SETLK, want) == "EAGAIN"
        kind = struct.unpack("hhqqi4x", fcntl.fcntl(b, F_OFD_GETLK, want))[0]
        assert kind == fcntl.F_WRLCK
        open("f", "rb").close()  # these stay
        assert code(fcntl.fcntl, b, F_OFD_SETLK, want) == "EAGAIN"
    with open("f", "r+b") as b:
        fcntl.fcntl(b, F_OFD_SETLK, want)


def test_waiting_for_a_lock_ends_when_it_is_free(d):
    make("f")
    with open("f", "r+b") as f:
        fcntl.lockf(f, fcntl.LOCK_EX)
        waiter = subprocess.Popen([sys.executable, "-c", "import fcntl,sys\nf=open('f','r+b')\nprint('up',flush=True)\n"
                                   "fcntl.lockf(f,fcntl.LOCK_EX)\nprint('got')"], stdout=subprocess.PIPE, text=True)
        assert waiter.stdout.readline() == "up\n"
        fcntl.lockf(f, fcntl.LOCK_UN)
        assert waiter.communicate(timeout=60)[0] == "got\n"


# ---- sizes, holes, fallocate ----

def test_lseek_of_data_and_holes(d):
    with opened("f") as fd:
        os.pwrite(fd, b"x" * 4096, 1 << 20)
        os.ftruncate(fd, 4 << 20)
        assert os.lseek(fd, 0, os.SEEK_DATA) <= 1 << 20
        hole = os.lseek(fd, 1 << 20, os.SEEK_HOLE)
        assert (1 << 20) + 4096 <= hole <= 4 << 20
        assert os.lseek(fd, 0, os.SEEK_END) == 4 << 20
        assert code(os.lseek, fd, 4 << 20, os.SEEK_DATA) == "ENXIO"
        assert code(os.lseek, fd, 4 << 20, os.SEEK_HOLE) == "ENXIO"
        assert code(os.lseek, fd, -1, os.SEEK_SET) == "EINVAL"
        assert code(os.lseek, fd, 0, 99) == "EINVAL"


def test_the_modes_of_fallocate(d):
    data = bytes(range(256)) * 64
    with opened("f") as fd:
        os.write(fd, data)
        fallocate(fd, 0, 10_000, 10_000)  # grows
        assert os.fstat(fd).st_size == 20_000
        fallocate(fd, 1, 0, 50_000)  # KEEP_SIZE
        assert os.fstat(fd).st_size == 20_000
        fallocate(fd, 3, 100, 200)  # PUNCH_HOLE | KEEP_SIZE
        fallocate(fd, 0x11, 1000, 100_000)  # ZERO_RANGE | KEEP_SIZE
        assert os.fstat(fd).st_size == 20_000
        fallocate(fd, 0x10, 19_000, 2000)  # ZERO_RANGE, grows
        assert os.fstat(fd).st_size == 21_000
        assert code(fallocate, fd, 0, 0, 0) == "EINVAL"
        assert code(fallocate, fd, 0, -1, 10) == "EINVAL"
        assert code(fallocate, fd, 2, 0, 10) == "EOPNOTSUPP"  # PUNCH_HOLE without KEEP_SIZE
    expected = bytearray(data[:1000].ljust(21_000, b"\0"))
    expected[100:300] = bytes(200)
    assert open("f", "rb").read() == expected


def test_truncate_both_ways_leaves_no_old_bytes(d):
    make("f", b"secret" * 1000)
    os.truncate("f", 10)
    os.truncate("f", 6000)
    assert open("f", "rb").read() == b"secretsecr".ljust(6000, b"\0")
    with opened("f", os.O_RDWR) as fd:
        os.pwrite(fd, b"end", 10_000)
        assert os.fstat(fd).st_size == 10_003
        assert os.pread(fd, 4000, 6000) == bytes(4000)


def test_what_is_larger_than_an_object_may_be_is_efbig(shared, d, is_plain):
    if is_plain:
        pytest.skip("the limit is the disk's own")
    if shared.kind == "local":
        with opened("f") as fd:
            assert code(os.ftruncate, fd, 1 << 62) == "EFBIG"  # only the cache's disk has a limit
        return
    limit = 5 << 40  # of an object in S3
    with opened("f") as fd:
        os.write(fd, b"begin")
        os.ftruncate(fd, limit)
        assert os.fstat(fd).st_size == limit
        os.pwrite(fd, b"end", limit - 3)
        assert os.pread(fd, 10, limit - 3) == b"end"
        assert os.pread(fd, 4, 1 << 41) == bytes(4)
        assert code(os.ftruncate, fd, limit + 1) == "EFBIG"
        if shared.status()["passthrough"]["on"]:
            assert code(os.pwrite, fd, b"x", limit) == "ok"  # the kernel's own doing: only the close can tell
            assert code(os.close, os.dup(fd)) == "EFBIG"
            os.ftruncate(fd, limit)
        else:
            assert code(os.pwrite, fd, b"x", limit) == "EFBIG"
        assert code(fallocate, fd, 0, limit, 1) == "EFBIG"
        assert os.fstat(fd).st_size == limit
        # A second file is written beside it: the cache counts what is there, not the holes.
        make("g", b"g" * 1_000_000)
        os.ftruncate(fd, 5)
    assert open("f", "rb").read() == b"begin"


def test_blocks_are_of_what_is_there(d):
    make("f", b"x" * 100_000)
    s = os.stat("f")
    assert s.st_blocks * 512 >= 98_000 and s.st_size == 100_000 and s.st_blksize >= 512


# ---- mmap ----

def test_a_shared_mapping_is_the_file(d):
    make("f", b"a" * 10_000)
    with opened("f", os.O_RDWR) as fd, mmap.mmap(fd, 10_000) as m:
        m[0:5] = b"hello"
        m.flush()
        assert os.pread(fd, 5, 0) == b"hello"
        os.pwrite(fd, b"WORLD", 5000)
        assert m[5000:5005] == b"WORLD"
        m[9990:10_000] = b"0123456789"
    assert open("f", "rb").read()[9990:] == b"0123456789"


def test_a_mapping_outlives_its_descriptor(d):
    make("f", b"a" * 8192)
    with opened("f", os.O_RDWR) as fd:
        m = mmap.mmap(fd, 8192)
    m[4096:4100] = b"late"
    m.close()
    assert open("f", "rb").read()[4096:4100] == b"late"


def test_a_private_mapping_changes_nothing(d):
    make("f", b"a" * 4096)
    with opened("f", os.O_RDONLY) as fd, mmap.mmap(fd, 4096, access=mmap.ACCESS_COPY) as m:
        m[0:4] = b"mine"
    assert open("f", "rb").read() == b"a" * 4096


def test_two_processes_share_a_mapping(d):
    make("f", bytes(4096))
    with opened("f", os.O_RDWR) as fd, mmap.mmap(fd, 4096) as m:
        pid = os.fork()
        if pid == 0:
            with opened("f", os.O_RDWR) as own, mmap.mmap(own, 4096) as theirs:
                theirs[100:105] = b"child"
            os._exit(0)
        os.waitpid(pid, 0)
        assert m[100:105] == b"child"


# ---- copying inside the kernel ----

def test_copy_file_range_sendfile_and_splice(d):
    data = os.urandom(300_000)
    make("a", data)
    with opened("a", os.O_RDONLY) as a, opened("b") as b:
        done = 0
        while done < len(data):
            done += os.copy_file_range(a, b, len(data) - done)
        assert os.copy_file_range(a, b, 100) == 0
    with opened("a", os.O_RDONLY) as a, opened("c") as c:
        done = 0
        while done < len(data):
            done += os.sendfile(c, a, done, len(data) - done)
    with opened("a", os.O_RDONLY) as a, opened("e") as e:
        pipe = os.pipe()
        while (n := os.splice(a, pipe[1], 65536)) > 0:
            while n:
                n -= os.splice(pipe[0], e, n)
        os.close(pipe[0])
        os.close(pipe[1])
    for name in "bce":
        assert open(name, "rb").read() == data, name
    with opened("b", os.O_RDWR) as b:
        assert code(os.copy_file_range, b, b, 100, 0, 50) == "EINVAL"  # onto itself
    with opened("a", os.O_RDONLY) as a, opened("b", os.O_RDONLY) as b:
        assert code(os.copy_file_range, a, b, 10) == "EBADF"


# ---- signals, ioctls ----

def test_signals_and_short_reads(d):
    make("f", b"x" * 5000)
    ticks = []
    before = signal.signal(signal.SIGALRM, lambda *_: ticks.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
    try:
        while len(ticks) < 20:
            make("g", b"y" * 100_000)
            assert open("g", "rb").read() == b"y" * 100_000
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    with opened("f", os.O_RDONLY) as fd:
        buffers = [bytearray(3000), bytearray(3000)]
        assert os.preadv(fd, buffers, 0) == 5000
        assert os.readv(fd, [bytearray(10)]) == 10


def test_fionread_and_other_ioctls_are_refused_cleanly(d):
    make("f")
    with opened("f", os.O_RDONLY) as fd:
        assert code(fcntl.ioctl, fd, 0x5401, array.array("i", [0] * 20)) == "ENOTTY"
