"""Renames: of files and directories, over what is there, while files are open, in the store afterwards."""

import ctypes
import ctypes.util
import errno
import os

import pytest

from harness import eventually, run, tree

libc = ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True)
AT_FDCWD, NOREPLACE, EXCHANGE = -100, 1, 2


def renameat2(old, new, flags):
    if libc.renameat2(AT_FDCWD, os.fsencode(old), AT_FDCWD, os.fsencode(new), flags) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def test_file_to_a_new_name(mount):
    (mount.path / "a").write_text("content")
    os.rename(mount.path / "a", mount.path / "b")
    assert os.listdir(mount.path) == ["b"]
    assert (mount.path / "b").read_text() == "content"
    assert mount.keys() == ["b"]


def test_file_of_the_store_into_a_directory(mount):
    mount.client.put(mount.bucket, "a", b"content")
    (mount.path / "d").mkdir()
    os.rename(mount.path / "a", mount.path / "d" / "b")
    assert mount.keys() == ["d/b"]
    assert mount.client.get(mount.bucket, "d/b") == b"content"


@pytest.mark.parametrize("synced", (False, True), ids=("at once", "after upload"))
def test_file_over_an_existing_one(mount, synced):
    (mount.path / "a").write_text("new")
    (mount.path / "b").write_text("old")
    if synced:
        mount.sync()
    os.rename(mount.path / "a", mount.path / "b")
    assert (mount.path / "b").read_text() == "new"
    assert not (mount.path / "a").exists()
    assert mount.keys() == ["b"]
    assert mount.client.get(mount.bucket, "b") == b"new"


def test_noreplace(mount):
    (mount.path / "a").write_text("a")
    (mount.path / "b").write_text("b")
    with pytest.raises(FileExistsError):
        renameat2(mount.path / "a", mount.path / "b", NOREPLACE)
    assert (mount.path / "b").read_text() == "b"
    renameat2(mount.path / "a", mount.path / "c", NOREPLACE)
    assert (mount.path / "c").read_text() == "a"


def test_noreplace_sees_what_others_made(mount):
    (mount.path / "a").write_text("a")
    mount.client.put(mount.bucket, "theirs", b"t")
    with pytest.raises(FileExistsError):
        renameat2(mount.path / "a", mount.path / "theirs", NOREPLACE)


def test_exchange_works_or_is_refused(mount):
    (mount.path / "a").write_text("a")
    (mount.path / "b").write_text("b")
    try:
        renameat2(mount.path / "a", mount.path / "b", EXCHANGE)
        expected = ("b", "a")
    except OSError as e:
        assert e.errno in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)
        expected = ("a", "b")
    assert ((mount.path / "a").read_text(), (mount.path / "b").read_text()) == expected


def test_a_rename_to_itself_changes_nothing(mount):
    (mount.path / "a").write_text("content")
    os.rename(mount.path / "a", mount.path / "a")
    assert mount.read("a") == b"content"


@pytest.mark.parametrize("synced", (False, True), ids=("at once", "after upload"))
def test_directory_with_what_is_in_it(mount, synced):
    for name in ("x/1", "x/2", "x/deep/3", "x/deep/er/4"):
        (mount.path / name).parent.mkdir(parents=True, exist_ok=True)
        (mount.path / name).write_text(name)
    (mount.path / "x" / "empty").mkdir()
    if synced:
        mount.sync()
    os.rename(mount.path / "x", mount.path / "y")
    assert os.listdir(mount.path) == ["y"]
    expected = {"1": b"x/1", "2": b"x/2", "deep": None, "deep/3": b"x/deep/3", "deep/er": None,
                "deep/er/4": b"x/deep/er/4", "empty": None}
    assert tree(mount.path / "y") == expected
    assert mount.keys() == ["y/1", "y/2", "y/deep/3", "y/deep/er/4"]
    mount.fresh()
    assert os.listdir(mount.path) == ["y"]
    assert tree(mount.path / "y") == expected


def test_directory_of_the_store_that_was_never_looked_at(mount):
    for i in range(40):
        mount.client.put(mount.bucket, f"x/{i % 4}/{i}", f"{i}".encode())
    os.rename(mount.path / "x", mount.path / "y")
    assert (mount.path / "y" / "3" / "7").read_bytes() == b"7"
    assert sorted(os.listdir(mount.path / "y")) == ["0", "1", "2", "3"]
    assert mount.keys() == sorted(f"y/{i % 4}/{i}" for i in range(40))
    assert all(mount.client.get(mount.bucket, f"y/{i % 4}/{i}") == f"{i}".encode() for i in range(40))


def test_directory_over_an_empty_one(mount):
    (mount.path / "a").mkdir()
    (mount.path / "a" / "f").write_text("x")
    (mount.path / "b").mkdir()
    os.rename(mount.path / "a", mount.path / "b")
    assert os.listdir(mount.path / "b") == ["f"]
    assert mount.keys() == ["b/f"]


def test_what_must_fail(mount):
    (mount.path / "d").mkdir()
    (mount.path / "d" / "f").write_text("x")
    (mount.path / "e").mkdir()
    (mount.path / "e" / "g").write_text("x")
    (mount.path / "file").write_text("x")
    with pytest.raises(OSError) as e:
        os.rename(mount.path / "d", mount.path / "e")
    assert e.value.errno in (errno.ENOTEMPTY, errno.EEXIST)
    with pytest.raises(NotADirectoryError):
        os.rename(mount.path / "d", mount.path / "file")
    with pytest.raises(IsADirectoryError):
        os.rename(mount.path / "file", mount.path / "d")
    with pytest.raises(OSError) as e:
        os.rename(mount.path / "d", mount.path / "d" / "below")
    assert e.value.errno == errno.EINVAL
    assert mount.keys() == ["d/f", "e/g", "file"]


def test_an_open_file_follows_its_directory(mount):
    (mount.path / "a").mkdir()
    with open(mount.path / "a" / "f", "wb", buffering=0) as f:
        f.write(b"one ")
        os.rename(mount.path / "a", mount.path / "b")
        f.write(b"two")
    assert (mount.path / "b" / "f").read_bytes() == b"one two"
    assert mount.keys() == ["b/f"]
    assert mount.client.get(mount.bucket, "b/f") == b"one two"


def test_a_chain_of_renames_at_once(mount):
    (mount.path / "f").write_text("content")
    mount.sync()
    for i in range(10):
        os.rename(mount.path / ("f" if i == 0 else f"f{i - 1}"), mount.path / f"f{i}")
    assert mount.keys() == ["f9"]
    assert mount.client.get(mount.bucket, "f9") == b"content"


def test_two_names_change_places(mount):
    (mount.path / "a").write_text("was a")
    (mount.path / "b").write_text("was b")
    mount.sync()
    os.rename(mount.path / "a", mount.path / "t")
    os.rename(mount.path / "b", mount.path / "a")
    os.rename(mount.path / "t", mount.path / "b")
    mount.sync()
    assert mount.keys() == ["a", "b"]
    assert mount.client.get(mount.bucket, "a") == b"was b"
    assert mount.client.get(mount.bucket, "b") == b"was a"


def test_a_new_file_in_the_place_of_a_renamed_one(mount):
    (mount.path / "log").write_text("first")
    mount.sync()
    os.rename(mount.path / "log", mount.path / "log.1")
    (mount.path / "log").write_text("second")
    mount.sync()
    assert mount.client.get(mount.bucket, "log.1") == b"first"
    assert mount.client.get(mount.bucket, "log") == b"second"


def test_directories_change_places(mount):
    for d in "ab":
        (mount.path / d).mkdir()
        (mount.path / d / f"in-{d}").write_text(d)
    mount.sync()
    os.rename(mount.path / "a", mount.path / "t")
    os.rename(mount.path / "b", mount.path / "a")
    os.rename(mount.path / "t", mount.path / "b")
    assert tree(mount.path) == {"a": None, "a/in-b": b"b", "b": None, "b/in-a": b"a"}
    assert mount.keys() == ["a/in-b", "b/in-a"]


def test_a_file_of_many_parts_is_renamed(mount):
    data = os.urandom(20 << 20)
    (mount.path / "f").write_bytes(data)
    mount.sync()
    os.rename(mount.path / "f", mount.path / "g")
    assert mount.read("g") == data
    assert mount.keys() == ["g"]


def test_between_buckets(mount):
    if mount.kind == "plain":
        pytest.skip("an ordinary directory has no buckets")
    other = mount.bucket + "-two"
    os.mkdir(mount.root / other)
    (mount.path / "f").write_text("content")
    mount.sync()
    try:
        os.rename(mount.path / "f", mount.root / other / "f")
    except OSError as e:
        assert e.errno == errno.EXDEV
        return
    mount.sync()
    assert mount.client.get(other, "f") == b"content"
    assert mount.keys() == []


@pytest.mark.options(consistency="strict")
def test_in_strict_mode_empty_directories_are_removed_and_replaced(mount):
    for name in "abc":
        (mount.path / name).mkdir()
    (mount.path / "c" / "f").write_text("x")
    mount.sync()
    (mount.path / "a").rmdir()
    (mount.path / "c").rename(mount.path / "b")
    with pytest.raises(OSError):
        (mount.path / "b").rmdir()
    mount.sync()
    assert os.listdir(mount.path) == ["b"]
    assert (mount.path / "b" / "f").read_text() == "x"


def test_a_directory_is_moved_out_of_one_that_then_goes(make_mount):
    """All of it waits for the network: when it is carried out the renamed directory in the middle is there no more."""
    m = make_mount("s3", options={"upload-delay": "0s", "meta-ttl": "1h"}).start()
    for key in ("e/b/a/f", "e/g"):
        m.client.put(m.bucket, key, key.encode())
    tree_before = sorted(os.path.relpath(os.path.join(d, n), m.path) for d, _, names in os.walk(m.path) for n in names)
    assert tree_before == ["e/b/a/f", "e/g"]
    m.proxy.down()
    os.rename(m.path / "e" / "b", m.path / "x")
    os.rename(m.path / "e", m.path / "n")
    os.rename(m.path / "x" / "a", m.path / "n" / "b")
    os.rmdir(m.path / "x")
    m.proxy.up()
    assert m.keys() == ["n/b/f", "n/g"]
    assert (m.path / "n" / "b" / "f").read_text() == "e/b/a/f"
    assert m.client.get(m.bucket, "n/b/f") == b"e/b/a/f"


@pytest.mark.stores("s3", "gcs", "azure", "swift", only="behind the proxy")
@pytest.mark.lacks(moto="heeds no condition on what is copied", ceph="heeds no condition on what is copied")
@pytest.mark.parametrize("what", ("rename", "copy"))
def test_what_somebody_changed_before_it_was_carried_out_is_shown_as_it_is(mount, what):
    """Theirs is what arrives at the new name: nothing that was cached of the version before may be shown for it."""
    mount.client.put(mount.bucket, "f", b"ours" * 1000)
    assert (mount.path / "f").read_bytes() == b"ours" * 1000
    mount.proxy.fault(op="C", status=503, count=0)
    if what == "rename":
        os.rename(mount.path / "f", mount.path / "g")
    else:
        run("cp", mount.path / "f", mount.path / "g")
    assert (mount.path / "g").read_bytes() == b"ours" * 1000
    eventually(lambda: mount.ops().get("C"), what="an attempt")
    mount.client.put(mount.bucket, "f", b"their own, which is longer" * 1000)
    mount.proxy.clear()
    mount.sync()
    assert mount.client.get(mount.bucket, "g") == b"their own, which is longer" * 1000
    assert mount.keys() == (["g"] if what == "rename" else ["f", "g"])
    assert (mount.path / "g").stat().st_size == 26000
    assert (mount.path / "g").read_bytes() == b"their own, which is longer" * 1000


@pytest.mark.stores("s3", "gcs", "azure", "swift", only="behind the proxy")
def test_a_copy_says_which_version_it_is_of(mount):
    """So that it cannot be half of one and half of another; that costs no request more."""
    mount.client.put(mount.bucket, "f", b"x" * 100_000)
    os.listdir(mount.path)
    mount.sync()
    mount.proxy.reset()
    run("cp", mount.path / "f", mount.path / "g")
    mount.sync()
    asked = [e for e in mount.proxy.log() if e["op"] == "C"]
    assert len(asked) == 1 and mount.ops() == {"C": 1}, mount.ops()
    if mount.kind == "gcs":
        assert "ifSourceGenerationMatch=" in asked[0]["request"]
