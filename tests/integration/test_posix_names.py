"""POSIX, what each call says of names: the exact errno, call by call.

`pytest --plain` runs the same on an ordinary directory, which proves that the tests ask for nothing but what Linux gives;
what a mount does otherwise, by intent, is in `DIFFERS` and in docs/semantics.md.
"""

import ctypes
import os
import socket
import stat

import pytest

from syscalls import (CREATE, code, d, fallocate, is_plain, libc, make, opened, openat2, prepare, renameat2,  # noqa: F401
                   shared)

# ---- what each call says of what it cannot do ----

LONG = "n" * 256
DEEP = "/".join(["a" * 100] * 45)

NAMES = [
    # open
    ("open-missing", lambda: os.open("none", os.O_RDONLY), "ENOENT"),
    ("open-missing-parent", lambda: os.open("none/x", CREATE), "ENOENT"),
    ("open-below-file", lambda: os.open("file/x", CREATE), "ENOTDIR"),
    ("open-dir-to-write", lambda: os.open("dir", os.O_WRONLY), "EISDIR"),
    ("open-dir-create", lambda: os.open("dir", CREATE), "EISDIR"),
    ("open-dir-truncate", lambda: os.open("dir", os.O_RDWR | os.O_TRUNC), "EISDIR"),
    ("open-excl-file", lambda: os.open("file", CREATE | os.O_EXCL), "EEXIST"),
    ("open-excl-dir", lambda: os.open("dir", CREATE | os.O_EXCL), "EEXIST"),
    ("open-excl-dangling", lambda: os.open("dangling", CREATE | os.O_EXCL), "EEXIST"),
    ("open-directory-on-file", lambda: os.open("file", os.O_RDONLY | os.O_DIRECTORY), "ENOTDIR"),
    ("open-directory-on-dir", lambda: os.open("dir", os.O_RDONLY | os.O_DIRECTORY), "ok"),
    ("open-nofollow-link", lambda: os.open("link", os.O_RDONLY | os.O_NOFOLLOW), "ELOOP"),
    ("open-nofollow-file", lambda: os.open("file", os.O_RDONLY | os.O_NOFOLLOW), "ok"),
    ("open-loop", lambda: os.open("loop", os.O_RDONLY), "ELOOP"),
    ("open-slash-on-file", lambda: os.open("file/", os.O_RDONLY), "ENOTDIR"),
    ("open-slash-create", lambda: os.open("new/", CREATE), "EISDIR"),
    ("open-long", lambda: os.open(LONG, CREATE), "ENAMETOOLONG"),
    ("open-deep", lambda: os.open(DEEP, os.O_RDONLY), "ENAMETOOLONG"),
    ("open-empty", lambda: os.open("", os.O_RDONLY), "ENOENT"),
    ("openat2-beneath", lambda: openat2("dir/../../x", os.O_RDONLY, 0x08), "EXDEV"),
    ("openat2-no-links", lambda: openat2("link", os.O_RDONLY, 0x04), "ELOOP"),
    ("openat2-plain", lambda: openat2("dir/../file", os.O_RDONLY, 0x08), "ok"),
    # stat, access
    ("stat-missing", lambda: os.stat("none"), "ENOENT"),
    ("stat-below-file", lambda: os.stat("file/x"), "ENOTDIR"),
    ("stat-slash", lambda: os.stat("file/"), "ENOTDIR"),
    ("stat-dangling", lambda: os.stat("dangling"), "ENOENT"),
    ("lstat-dangling", lambda: os.lstat("dangling"), "ok"),
    ("stat-loop", lambda: os.stat("loop"), "ELOOP"),
    ("stat-long", lambda: os.stat(LONG), "ENAMETOOLONG"),
    # mkdir, rmdir, unlink
    ("mkdir-file", lambda: os.mkdir("file"), "EEXIST"),
    ("mkdir-dir", lambda: os.mkdir("dir"), "EEXIST"),
    ("mkdir-dangling", lambda: os.mkdir("dangling"), "EEXIST"),
    ("mkdir-no-parent", lambda: os.mkdir("none/x"), "ENOENT"),
    ("mkdir-below-file", lambda: os.mkdir("file/x"), "ENOTDIR"),
    ("mkdir-dot", lambda: os.mkdir("."), "EEXIST"),
    ("mkdir-slash", lambda: os.mkdir("made/"), "ok"),
    ("mkdir-long", lambda: os.mkdir(LONG), "ENAMETOOLONG"),
    ("rmdir-full", lambda: os.rmdir("full"), "ENOTEMPTY"),
    ("rmdir-file", lambda: os.rmdir("file"), "ENOTDIR"),
    ("rmdir-link", lambda: os.rmdir("dirlink"), "ENOTDIR"),
    ("rmdir-missing", lambda: os.rmdir("none"), "ENOENT"),
    ("rmdir-dot", lambda: os.rmdir("dir/."), "EINVAL"),
    ("rmdir-dotdot", lambda: os.rmdir("full/sub/.."), "ENOTEMPTY"),
    ("rmdir-long", lambda: os.rmdir(LONG), "ENAMETOOLONG"),
    ("unlink-dir", lambda: os.unlink("dir"), "EISDIR"),
    ("unlink-missing", lambda: os.unlink("none"), "ENOENT"),
    ("unlink-slash", lambda: os.unlink("file/"), "ENOTDIR"),
    ("unlink-below-file", lambda: os.unlink("file/x"), "ENOTDIR"),
    ("unlink-long", lambda: os.unlink(LONG), "ENAMETOOLONG"),
    # rename
    ("rename-missing", lambda: os.rename("none", "x"), "ENOENT"),
    ("rename-no-parent", lambda: os.rename("file", "none/x"), "ENOENT"),
    ("rename-below-file", lambda: os.rename("dir", "file/x"), "ENOTDIR"),
    ("rename-file-to-dir", lambda: os.rename("file", "dir"), "EISDIR"),
    ("rename-dir-to-file", lambda: os.rename("dir", "file"), "ENOTDIR"),
    ("rename-dir-to-full", lambda: os.rename("dir", "full"), "ENOTEMPTY"),
    ("rename-dir-to-empty", lambda: os.rename("dir", "empty"), "ok"),
    ("rename-dir-into-itself", lambda: os.rename("full", "full/x"), "EINVAL"),
    ("rename-dir-into-its-child", lambda: os.rename("full", "full/sub/x"), "EINVAL"),
    ("rename-parent-over-child", lambda: os.rename("full/sub", "full"), "ENOTEMPTY"),
    ("rename-dot", lambda: os.rename("dir/.", "x"), "EBUSY"),
    ("rename-slash-file", lambda: os.rename("file/", "x"), "ENOTDIR"),
    ("rename-to-slash", lambda: os.rename("file", "x/"), "ENOTDIR"),
    ("rename-dir-to-slash", lambda: os.rename("dir", "x/"), "ok"),
    ("rename-itself", lambda: os.rename("file", "file"), "ok"),
    ("rename-long", lambda: os.rename("file", LONG), "ENAMETOOLONG"),
    ("rename-dangling", lambda: os.rename("dangling", "moved"), "ok"),
    ("rename-noreplace", lambda: renameat2("file", "link", 1), "EEXIST"),
    ("rename-noreplace-new", lambda: renameat2("file", "x", 1), "ok"),
    ("rename-exchange-missing", lambda: renameat2("file", "x", 2), "ENOENT"),
    ("rename-both-flags", lambda: renameat2("file", "link", 3), "EINVAL"),
    ("rename-unknown-flag", lambda: renameat2("file", "x", 64), "EINVAL"),
    # links
    ("symlink-exists", lambda: os.symlink("x", "file"), "EEXIST"),
    ("symlink-empty", lambda: os.symlink("", "x"), "ENOENT"),
    ("symlink-long-name", lambda: os.symlink("x", LONG), "ENAMETOOLONG"),
    ("symlink-long-target", lambda: os.symlink("t/" * 2100, "x"), "ENAMETOOLONG"),
    ("symlink-target-4095", lambda: os.symlink("t" * 4095, "x"), "ok"),
    ("readlink-file", lambda: os.readlink("file"), "EINVAL"),
    ("readlink-dir", lambda: os.readlink("dir"), "EINVAL"),
    ("readlink-missing", lambda: os.readlink("none"), "ENOENT"),
    ("link-missing", lambda: os.link("none", "x"), "ENOENT"),
    ("link-exists", lambda: os.link("file", "link"), "EEXIST"),
    ("link-dir", lambda: os.link("dir", "x"), "EPERM"),
    # attributes
    ("chmod-missing", lambda: os.chmod("none", 0o600), "ENOENT"),
    ("chown-missing", lambda: os.chown("none", 0, 0), "ENOENT"),
    ("utime-missing", lambda: os.utime("none"), "ENOENT"),
    ("truncate-missing", lambda: os.truncate("none", 0), "ENOENT"),
    ("truncate-dir", lambda: os.truncate("dir", 0), "EISDIR"),
    ("truncate-negative", lambda: os.truncate("file", -1), "EINVAL"),
    ("listdir-file", lambda: os.listdir("file"), "ENOTDIR"),
    ("chdir-file", lambda: os.chdir("file"), "ENOTDIR"),
]

# What a mount answers otherwise; docs/semantics.md says why.
DIFFERS = {
    "rename-exchange": "EINVAL",
    "link-file": "EPERM",
    "mkfifo": "EPERM",
    "bind": "EPERM",
    "tmpfile": "EOPNOTSUPP",
    "collapse": "EOPNOTSUPP",
    "insert": "EOPNOTSUPP",
}


def test_what_each_call_says_of_names(d, is_plain):
    wrong = []
    for name, function, expected in NAMES:
        os.mkdir(name)
        os.chdir(name)
        try:
            prepare()
            if not is_plain:
                expected = DIFFERS.get(name, expected)
            got = code(function)
            if got != expected:
                wrong.append(f"{name}: {got}, expected {expected}")
        finally:
            os.chdir(d)
    assert not wrong, "\n".join(wrong)


OTHERWISE = [
    ("rename-exchange", lambda: renameat2("file", "link", 2)),
    ("link-file", lambda: os.link("file", "x")),
    ("mkfifo", lambda: os.mkfifo("x")),
    ("bind", lambda: socket.socket(socket.AF_UNIX).bind("x")),
    ("tmpfile", lambda: os.open(".", os.O_TMPFILE | os.O_RDWR)),
    ("collapse", lambda: fallocate_on("file", 0x08, 0, 4096)),
    ("insert", lambda: fallocate_on("file", 0x20, 0, 4096)),
]


def fallocate_on(name, mode, offset, length):
    with opened(name, os.O_RDWR) as fd:
        os.truncate(fd, 1 << 20)
        fallocate(fd, mode, offset, length)


@pytest.mark.parametrize("name,function", OTHERWISE, ids=[n for n, _ in OTHERWISE])
def test_what_no_object_can_be_is_refused_by_its_name(d, is_plain, name, function):
    prepare()
    before = sorted(os.listdir("."))
    got = code(function)
    assert got == ("ok" if is_plain and (name not in ("collapse", "insert") or got == "ok") else DIFFERS[name]), name
    if not is_plain:
        assert sorted(os.listdir(".")) == before


# ---- unlink and rename of what is open ----

def test_an_unlinked_file_is_whole_for_who_has_it_open(d):
    with opened("f") as fd:
        os.write(fd, b"still here")
        os.unlink("f")
        assert os.fstat(fd).st_nlink == 0
        assert code(os.stat, "f") == "ENOENT"
        os.pwrite(fd, b"STILL", 0)
        with opened(f"/proc/self/fd/{fd}", os.O_RDWR) as again:
            assert os.pread(again, 100, 0) == b"STILL here"
        os.fchmod(fd, 0o600)
        os.fsync(fd)
        assert stat.S_IMODE(os.fstat(fd).st_mode) == 0o600


def test_a_replaced_file_is_whole_for_who_has_it_open(d):
    make("old", b"old")
    make("new", b"new")
    with opened("old", os.O_RDWR) as fd:
        os.rename("new", "old")
        assert os.fstat(fd).st_nlink == 0
        os.write(fd, b"OLD")
        assert open("old", "rb").read() == b"new"
        assert os.pread(fd, 9, 0) == b"OLD"


def test_a_removed_directory_that_is_open_is_empty_and_takes_nothing(d):
    os.mkdir("sub")
    with opened("sub", os.O_RDONLY | os.O_DIRECTORY) as fd:
        os.rmdir("sub")
        assert os.listdir(fd) == []
        assert code(os.open, "x", CREATE, dir_fd=fd) == "ENOENT"
        assert code(os.mkdir, "x", dir_fd=fd) == "ENOENT"
        assert os.fstat(fd).st_nlink == 0


def test_the_current_directory_moves_along(d):
    os.mkdir("a")
    os.chdir("a")
    os.rename(d / "a", d / "b")
    make("f", b"x")
    os.chdir(d)
    assert os.listdir("b") == ["f"]


# ---- directories ----

class Dirent(ctypes.Structure):
    _fields_ = [("ino", ctypes.c_ulong), ("off", ctypes.c_long), ("reclen", ctypes.c_ushort),
                ("type", ctypes.c_ubyte), ("name", ctypes.c_char * 256)]


libc.opendir.restype = ctypes.c_void_p
libc.readdir.restype = ctypes.POINTER(Dirent)
libc.readdir.argtypes = libc.closedir.argtypes = libc.rewinddir.argtypes = libc.telldir.argtypes = [ctypes.c_void_p]
libc.telldir.restype = ctypes.c_long
libc.seekdir.argtypes = [ctypes.c_void_p, ctypes.c_long]


def read_names(handle, count=None):
    names = []
    while count is None or len(names) < count:
        entry = libc.readdir(handle)
        if not entry:
            break
        names.append(entry.contents.name.decode())
    return names


def test_telldir_seekdir_and_rewinddir(d):
    names = {f"f{i:04}" for i in range(3000)}
    for name in names:
        os.close(os.open(name, CREATE))
    handle = libc.opendir(b".")
    first = read_names(handle, 1000)
    place = libc.telldir(handle)
    rest = read_names(handle)
    assert sorted(first + rest) == sorted(names | {".", ".."})
    libc.seekdir(handle, place)
    assert read_names(handle) == rest
    # What came and went while it was open is seen after a rewind; the untouched exactly once at any time.
    libc.rewinddir(handle)
    begun = read_names(handle, 500)
    os.close(os.open("new", CREATE))
    gone = [n for n in sorted(names) if n not in begun][:700]
    for name in gone:
        os.unlink(name)
    after = begun + read_names(handle)
    assert len(after) == len(set(after))
    assert names - set(gone) <= set(after)
    libc.rewinddir(handle)
    assert sorted(read_names(handle)) == sorted((names - set(gone)) | {".", "..", "new"})
    libc.closedir(handle)


def test_types_and_numbers_in_a_directory_are_those_of_stat(d):
    prepare()
    with os.scandir(".") as entries:
        for e in entries:
            s = os.lstat(e.name)
            assert e.inode() == s.st_ino
            assert (e.is_dir(follow_symlinks=False), e.is_symlink()) == (stat.S_ISDIR(s.st_mode), stat.S_ISLNK(s.st_mode))
            assert s.st_dev == os.stat(".").st_dev
    assert os.lstat("link").st_size == len("file")
    assert os.stat("file").st_nlink == 1
    assert os.stat("dir").st_nlink >= 1


def test_a_name_may_hold_any_byte_but_two(d):
    # One file with all of them, and some that stand alone; what a store cannot keep is another test's business.
    names = [b" ", b"\\", b"*", b"~", b"-", b"'\"", b"\t", "é".encode(), b"a" * 255]
    for name in names:
        os.close(os.open(name, CREATE))
    assert sorted(os.listdir(b".")) == sorted(names)


def test_statfs_tells_room_and_the_longest_name(d):
    s = os.statvfs(".")
    assert s.f_namemax == 255 and s.f_bavail > 0 and s.f_files >= s.f_ffree > 0 and s.f_frsize > 0


def test_two_mounts_and_stores_are_other_file_systems(shared, d, is_plain, tmp_path):
    make("f")
    assert code(os.rename, "f", "/dev/shm/skydir-test-xdev" if is_plain else tmp_path / "x") == "EXDEV"
    if is_plain:
        return
    assert code(os.rename, "f", shared.top / "f") in ("EXDEV", "EPERM")
    assert code(os.rmdir, shared.top) == "EBUSY"
    assert code(os.mkdir, shared.top / "x") == "EPERM"
    assert code(os.open, shared.root / "x", CREATE) == "EPERM"
    assert code(os.rename, shared.path, shared.root / "other") == "EXDEV"
