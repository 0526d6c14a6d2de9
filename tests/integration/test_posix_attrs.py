"""POSIX, attributes: times, modes, owners, extended attributes, and what another user may do.

Permissions are looked at from a second user's side, where the tests run as root. `pytest --plain`: see test_posix_names.py.
"""

import ctypes
import os
import stat
import struct
import time

import pytest

from syscalls import (AT_FDCWD, CREATE, OTHER_GID, OTHER_UID, as_other, call, code, d, is_plain, libc,  # noqa: F401
                   make, needs_root, opened, shared)

# ---- times ----

def later(before, field):
    """Waits until the clock that times are taken from has moved on (its grain may be a jiffy)."""
    while time.time_ns() <= getattr(before, field) + 20_000_000:
        time.sleep(0.005)


def changes_of(name, function):
    """Which of mtime and ctime of `name` a call moves."""
    before = os.lstat(name)
    later(before, "st_ctime_ns")
    function()
    after = os.lstat(name)
    return {f for f in ("mtime", "ctime") if getattr(after, f"st_{f}_ns") > getattr(before, f"st_{f}_ns")}


def write_to(name, flags=os.O_WRONLY):
    with opened(name, flags) as fd:
        os.write(fd, b"yy")


def test_which_calls_move_which_times_of_a_file(d):
    make("f")
    expected = {
        "read": (lambda: open("f", "rb").read(), set()),
        "open": (lambda: os.close(os.open("f", os.O_RDWR)), set()),
        "write": (lambda: write_to("f"), {"mtime", "ctime"}),
        "truncate": (lambda: os.truncate("f", 100), {"mtime", "ctime"}),
        "o_trunc": (lambda: os.close(os.open("f", os.O_WRONLY | os.O_TRUNC)), {"mtime", "ctime"}),
        "chmod": (lambda: os.chmod("f", 0o600), {"ctime"}),
        "chown": (lambda: os.chown("f", os.getuid(), os.getgid()), {"ctime"}),
        "setxattr": (lambda: os.setxattr("f", "user.a", b"1"), {"ctime"}),
        "removexattr": (lambda: os.removexattr("f", "user.a"), {"ctime"}),
        "utime-now": (lambda: os.utime("f"), {"mtime", "ctime"}),
        "utime-past": (lambda: os.utime("f", ns=(5, 5)), {"ctime"}),
        "fallocate": (lambda: fallocate_plain("f"), {"mtime", "ctime"}),
    }
    got = {name: changes_of("f", function) for name, (function, _) in expected.items()}
    assert got == {name: times for name, (_, times) in expected.items()}


def fallocate_plain(name):
    with opened(name, os.O_RDWR) as fd:
        os.posix_fallocate(fd, 0, 5000)


def test_rename_keeps_mtime_and_moves_ctime(d):
    make("f")
    os.utime("f", ns=(10**18, 10**18))
    before = os.stat("f")
    later(before, "st_ctime_ns")
    os.rename("f", "g")
    assert os.stat("g").st_mtime_ns == 10**18
    assert os.stat("g").st_ctime_ns > before.st_ctime_ns


@pytest.mark.parametrize("what,function", [
    ("create", lambda: make("sub/new")), ("mkdir", lambda: os.mkdir("sub/newdir")),
    ("symlink", lambda: os.symlink("x", "sub/newlink")), ("unlink", lambda: os.unlink("sub/file")),
    ("rmdir", lambda: os.rmdir("sub/dir")), ("rename", lambda: os.rename("sub/file", "sub/other")),
    ("rename-out", lambda: os.rename("sub/file", "outside")),
], ids=lambda v: v if isinstance(v, str) else "")
def test_changes_of_names_move_the_times_of_their_directory(d, what, function):
    os.makedirs("sub/dir")
    make("sub/file")
    assert changes_of("sub", function) == {"mtime", "ctime"}


def test_writing_moves_no_times_of_the_directory(d):
    os.mkdir("sub")
    make("sub/f")
    assert changes_of("sub", lambda: write_to("sub/f")) == set()


def test_utimens_in_all_its_forms(d):
    make("f")
    os.symlink("f", "link")
    for when in (0, 1, 10**18 + 123456789, 4 * 10**18, -5 * 10**9):
        os.utime("f", ns=(when, when))
        assert os.stat("f").st_mtime_ns == when
    with opened("f", os.O_RDWR) as fd:
        os.utime(fd, ns=(7 * 10**9 + 7, 8 * 10**9 + 8))
        assert os.fstat(fd).st_mtime_ns == 8 * 10**9 + 8
    before = os.stat("f").st_mtime_ns
    os.utime("link", ns=(3 * 10**9, 3 * 10**9), follow_symlinks=False)
    assert os.stat("f").st_mtime_ns == before
    assert os.lstat("link").st_mtime_ns == 3 * 10**9
    omit, now = (1 << 30) - 2, (1 << 30) - 1
    times = (ctypes.c_long * 4)(9, 9, 0, omit)  # atime 9.000000009, mtime as it is
    call("utimensat", AT_FDCWD, b"f", times, 0)
    assert os.stat("f").st_mtime_ns == before
    call("utimensat", AT_FDCWD, b"f", (ctypes.c_long * 4)(0, omit, 0, now), 0)
    assert abs(os.stat("f").st_mtime_ns - time.time_ns()) < 60 * 10**9
    assert code(call, "utimensat", AT_FDCWD, b"f", (ctypes.c_long * 4)(0, 0, 0, 10**9), 0) == "EINVAL"


def test_the_time_of_access_is_that_of_the_last_change(d, is_plain):
    if is_plain:
        pytest.skip("a mount keeps no times of access")
    make("f")
    os.utime("f", ns=(10**18, 2 * 10**18))
    assert os.stat("f").st_atime_ns == os.stat("f").st_mtime_ns == 2 * 10**18


# ---- modes and owners ----

def test_chmod_sets_all_twelve_bits(d):
    make("f")
    os.mkdir("sub")
    for mode in (0o000, 0o400, 0o644, 0o777, 0o1777, 0o2755, 0o4755, 0o6755, 0o7777):
        for name in ("f", "sub"):
            os.chmod(name, mode)
            assert stat.S_IMODE(os.stat(name).st_mode) == mode, name
    with opened("f", os.O_RDONLY) as fd:
        os.fchmod(fd, 0o640)
        assert stat.S_IMODE(os.fstat(fd).st_mode) == 0o640


@needs_root
def test_chown_sets_who_and_leaves_what_is_not_said(d):
    make("f")
    os.mkdir("sub")
    os.symlink("f", "link")
    for name in ("f", "sub"):
        os.chown(name, 1000, 1001)
        os.chown(name, -1, 1002)
        os.chown(name, 1003, -1)
        os.chown(name, -1, -1)
        assert (os.stat(name).st_uid, os.stat(name).st_gid) == (1003, 1002)
    os.lchown("link", 5, 6)
    assert (os.lstat("link").st_uid, os.lstat("link").st_gid) == (5, 6)
    assert os.stat("f").st_uid == 1003


@needs_root
def test_chown_takes_setuid_and_setgid_away(d):
    make("f", mode=0o755)
    os.chmod("f", 0o6755)
    os.chown("f", 1000, 1000)
    assert stat.S_IMODE(os.stat("f").st_mode) == 0o755
    os.mkdir("sub")
    os.chmod("sub", 0o2755)
    os.chown("sub", 1000, 1000)
    assert stat.S_IMODE(os.stat("sub").st_mode) == 0o2755  # of a directory it means something else


@needs_root
@pytest.mark.parametrize("how", ("write", "truncate", "open-truncate", "fallocate"))
def test_a_change_by_another_takes_setuid_and_setgid_away(d, how):
    make("f", b"program", 0o755)
    os.chmod("f", 0o6777)

    def change():
        if how == "truncate":
            os.truncate("f", 3)
        elif how == "open-truncate":
            os.close(os.open("f", os.O_WRONLY | os.O_TRUNC))
        else:
            fd = os.open("f", os.O_RDWR)
            if how == "write":
                os.write(fd, b"evil")
            else:
                os.posix_fallocate(fd, 0, 5000)
            os.close(fd)

    assert as_other(change) == "ok"
    assert stat.S_IMODE(os.stat("f").st_mode) == 0o777


@needs_root
def test_root_may_write_a_setuid_file_and_leave_it_so(d):
    make("f", b"program", 0o755)
    os.chmod("f", 0o4755)
    write_to("f")
    assert stat.S_IMODE(os.stat("f").st_mode) == 0o4755


@needs_root
def test_what_is_made_in_a_setgid_directory_has_its_group(d):
    os.mkdir("sub")
    os.chown("sub", -1, 777)
    os.chmod("sub", 0o2777)
    make("sub/f")
    os.mkdir("sub/dir", 0o755)
    os.symlink("x", "sub/link")
    assert {os.lstat(f"sub/{n}").st_gid for n in ("f", "dir", "link")} == {777}
    assert stat.S_IMODE(os.stat("sub/dir").st_mode) == 0o2755
    assert stat.S_IMODE(os.stat("sub/f").st_mode) == 0o644


OTHERS = [
    ("read-0600", lambda: os.open("private", os.O_RDONLY), "EACCES"),
    ("read-0644", lambda: os.open("public", os.O_RDONLY), "ok"),
    ("write-0644", lambda: os.open("public", os.O_WRONLY), "EACCES"),
    ("write-0666", lambda: os.open("open", os.O_WRONLY), "ok"),
    ("truncate", lambda: os.truncate("public", 0), "EACCES"),
    ("stat-0600", lambda: os.stat("private"), "ok"),
    ("exec-0644", lambda: os.execv("public", ["x"]), "EACCES"),
    ("list-closed", lambda: os.listdir("closed"), "EACCES"),
    ("stat-below-closed", lambda: os.stat("closed/f"), "EACCES"),
    ("list-0711", lambda: os.listdir("pass"), "EACCES"),
    ("stat-below-0711", lambda: os.stat("pass/f"), "ok"),
    ("create", lambda: os.open("new", CREATE), "EACCES"),
    ("mkdir", lambda: os.mkdir("new"), "EACCES"),
    ("symlink", lambda: os.symlink("x", "new"), "EACCES"),
    ("unlink", lambda: os.unlink("open"), "EACCES"),
    ("rename", lambda: os.rename("open", "shared/x"), "EACCES"),
    ("create-shared", lambda: os.close(os.open("shared/new", CREATE, 0o600)), "ok"),
    ("unlink-shared", lambda: os.unlink("shared/theirs"), "ok"),
    ("sticky-unlink", lambda: os.unlink("sticky/theirs"), "EPERM"),
    ("sticky-rename", lambda: os.rename("sticky/theirs", "sticky/mine"), "EPERM"),
    ("sticky-replace", lambda: os.rename("sticky/ours", "sticky/theirs"), "EPERM"),
    ("sticky-rmdir", lambda: os.rmdir("sticky/dir"), "EPERM"),
    ("sticky-unlink-own", lambda: os.unlink("sticky/ours"), "ok"),
    ("chmod", lambda: os.chmod("open", 0o777), "EPERM"),
    ("chown", lambda: os.chown("open", OTHER_UID, -1), "EPERM"),
    ("chown-own-away", lambda: os.chown("shared/ours", 0, -1), "EPERM"),
    ("chgrp-own-to-foreign", lambda: os.chown("shared/ours", -1, 1), "EPERM"),
    ("chgrp-own-to-own", lambda: os.chown("shared/ours", -1, OTHER_GID), "ok"),
    ("utime-set", lambda: os.utime("open", ns=(1, 1)), "EPERM"),
    ("utime-now-0666", lambda: os.utime("open"), "ok"),
    ("utime-now-0644", lambda: os.utime("public"), "EACCES"),
    ("setxattr-0644", lambda: os.setxattr("public", "user.a", b"1"), "EACCES"),
    ("getxattr-0600", lambda: os.getxattr("private", "user.b"), "EACCES"),
    ("group-read", lambda: os.open("of-group", os.O_RDONLY), "ok"),
    ("group-write", lambda: os.open("of-group", os.O_WRONLY), "EACCES"),
]


def prepare_others():
    make("private", mode=0o600)
    make("public", mode=0o644)
    os.close(os.open("open", CREATE, 0o666))
    os.chmod("open", 0o666)
    for name, mode in (("closed", 0o700), ("pass", 0o711), ("shared", 0o777), ("sticky", 0o1777)):
        os.mkdir(name)
        make(f"{name}/f")
        make(f"{name}/theirs")
        make(f"{name}/ours")
        os.chown(f"{name}/ours", OTHER_UID, OTHER_GID)
        os.mkdir(f"{name}/dir")
        os.chmod(name, mode)
    make("of-group", mode=0o640)
    os.chown("of-group", 0, OTHER_GID)


@needs_root
def test_what_another_user_may_do(d):
    wrong = []
    for name, function, expected in OTHERS:
        os.mkdir(name)
        os.chmod(name, 0o755)
        os.chdir(name)
        try:
            prepare_others()
            got = as_other(function)
            if got != expected:
                wrong.append(f"{name}: {got}, expected {expected}")
        finally:
            os.chdir(d)
    assert not wrong, "\n".join(wrong)


@needs_root
def test_what_another_user_makes_is_his(d):
    os.chmod(".", 0o777)
    assert as_other(lambda: make("f")) == "ok"
    assert as_other(lambda: os.mkdir("sub")) == "ok"
    assert as_other(lambda: os.symlink("x", "link")) == "ok"
    for name in ("f", "sub", "link"):
        assert (os.lstat(name).st_uid, os.lstat(name).st_gid) == (OTHER_UID, OTHER_GID), name


@needs_root
def test_other_groups_count(d):
    make("f", mode=0o640)
    os.chown("f", 0, 999)
    assert as_other(lambda: os.open("f", os.O_RDONLY)) == "EACCES"
    assert as_other(lambda: os.open("f", os.O_RDONLY), groups=[999]) == "ok"


# ---- extended attributes ----

def test_xattr_flags_names_and_sizes(d):
    make("f")
    os.setxattr("f", "user.a", b"one", os.XATTR_CREATE)
    assert code(os.setxattr, "f", "user.a", b"two", os.XATTR_CREATE) == "EEXIST"
    assert code(os.setxattr, "f", "user.b", b"two", os.XATTR_REPLACE) == "ENODATA"
    os.setxattr("f", "user.a", b"two", os.XATTR_REPLACE)
    os.setxattr("f", "user.empty", b"")
    os.setxattr("f", "user.binary", bytes(range(256)))
    assert os.getxattr("f", "user.a") == b"two"
    assert os.getxattr("f", "user.empty") == b""
    assert os.getxattr("f", "user.binary") == bytes(range(256))
    assert sorted(os.listxattr("f")) == ["user.a", "user.binary", "user.empty"]
    small = ctypes.create_string_buffer(2)
    assert code(call, "getxattr", b"f", b"user.a", small, 2) == "ERANGE"
    assert code(call, "listxattr", b"f", small, 2) == "ERANGE"
    assert libc.getxattr(b"f", b"user.a", None, 0) == 3
    assert libc.listxattr(b"f", None, 0) == len(b"user.a\0user.binary\0user.empty\0")
    os.removexattr("f", "user.a")
    assert code(os.removexattr, "f", "user.a") == "ENODATA"
    assert code(os.getxattr, "f", "user.a") == "ENODATA"
    assert code(os.setxattr, "f", "user." + "n" * 250, b"") == "ok"
    assert code(os.setxattr, "f", "user." + "n" * 251, b"") == "ERANGE"
    assert code(os.setxattr, "f", "user.big", b"v" * 65537) == "E2BIG"


def test_xattrs_stand_on_directories_and_not_on_links(d):
    os.mkdir("sub")
    os.symlink("sub", "link")
    os.setxattr("sub", "user.a", b"1")
    assert os.getxattr("sub", "user.a") == b"1"
    assert os.getxattr("link", "user.a") == b"1"
    assert code(os.setxattr, "link", "user.a", b"1", follow_symlinks=False) == "EPERM"
    assert os.listxattr("link", follow_symlinks=False) == []


def test_other_namespaces_of_xattrs_are_refused(d, is_plain):
    make("f")
    assert code(os.setxattr, "f", "nonsense.a", b"1") == "EOPNOTSUPP"
    if is_plain:
        return
    everyone = 0xFFFFFFFF
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in (
        (0x01, 6, everyone), (0x02, 4, 1000), (0x04, 4, everyone), (0x10, 4, everyone), (0x20, 4, everyone)))
    for name in ("trusted.a", "security.a", "system.posix_acl_access"):
        value = acl if "acl" in name else b"1"  # the kernel looks at ACLs first
        assert code(os.setxattr, "f", name, value) == "EOPNOTSUPP", name
        assert code(os.getxattr, "f", name) in ("EOPNOTSUPP", "ENODATA"), name
    assert code(os.setxattr, "f", "user.skydir.state", b"1") == "EPERM"
    assert code(os.setxattr, "f", "user.big", b"v" * 1401) == "E2BIG"
