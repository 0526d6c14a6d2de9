"""What file-system operations cost on each cloud: no more requests than on S3. The same script runs on both, and its tables are
compared line by line; where a cloud needs one more, that is said here with the reason."""

import os
import shutil

import pytest

from harness import eventually, run

MIB = 1 << 20
# Swift keeps no condition on what a write replaces: what is there is looked at just before. It knows no uploads in parts: a record is
# written, read and deleted. Whether a container of segments is there is asked once in a mount, and the first upload makes it.
MORE = {"swift": {"overwrite": 1, "save": 1, "append": 1, "truncate": 1, "upload in parts": 3, "look at one": 1, "list": 1}}


def settle(m):
    m.sync()
    eventually(lambda: m.proxy.counters()["active"] == 0, what="quiet on the wire")


def cold(m):
    """Nothing is known, of what others have put there."""
    for i in range(30):
        m.client.put(m.bucket, f"theirs/{i}", b"x" * 100)
    m.fresh()


def listed(m):
    os.listdir(m.path)
    os.listdir(m.path / "theirs")


def ours(m):
    for name in ("a", "f", "c", "e", "s"):
        (m.path / name).write_bytes(b"content")
    (m.path / "dir").mkdir()
    for i in range(5):
        (m.path / "dir" / f"{i}").write_bytes(b"x")


def write(name, data, mode="wb"):
    def act(m):
        with open(m.path / name, mode) as f:
            f.write(data)

    return act


def save(m):
    (m.path / "s.tmp").write_bytes(b"saved")
    os.rename(m.path / "s.tmp", m.path / "s")


# (what it is called, what comes before, what is counted)
SCRIPT = (
    ("look at one", cold, lambda m: (m.path / "theirs" / "7").stat()),
    ("list", cold, lambda m: os.listdir(m.path / "theirs")),
    ("list in full", None, lambda m: run("ls", "-l", m.path / "theirs")),
    ("read", listed, lambda m: (m.path / "theirs" / "3").read_bytes()),
    ("read ten", None, lambda m: [(m.path / "theirs" / f"{i}").read_bytes() for i in range(10, 20)]),
    ("a name that is missing", None, lambda m: (m.path / "theirs" / "none").exists()),
    ("new", ours, write("new", b"x" * 4096)),
    ("overwrite", None, write("a", b"other content")),
    ("save", None, save),
    ("append", None, write("a", b"more", "ab")),
    ("truncate", None, lambda m: os.truncate(m.path / "a", 3)),
    ("change the mode", None, lambda m: (m.path / "f").chmod(0o600)),
    ("copy", None, lambda m: run("cp", m.path / "c", m.path / "copy")),
    ("rename", None, lambda m: os.rename(m.path / "copy", m.path / "renamed")),
    ("rename a directory", None, lambda m: os.rename(m.path / "dir", m.path / "moved")),
    ("make a directory", None, lambda m: (m.path / "made").mkdir()),
    ("remove a directory", None, lambda m: (m.path / "made").rmdir()),
    ("a link", None, lambda m: os.symlink("a", m.path / "link")),
    ("follow it", None, lambda m: (m.path / "link").read_bytes()),
    ("delete", None, lambda m: (m.path / "e").unlink()),
    ("delete a tree", None, lambda m: shutil.rmtree(m.path / "moved")),
    ("upload in parts", write("first", b"f" * (24 * MIB + 5)), write("big", b"b" * (24 * MIB + 5))),
)


def costs(m):
    """{operation: requests by kind}"""
    table = {}
    for name, before, act in SCRIPT:
        if before:
            before(m)
        settle(m)
        m.proxy.reset()
        act(m)
        settle(m)
        table[name] = m.proxy.ops()
    return table


@pytest.fixture(scope="module")
def known():
    return {}


@pytest.mark.parametrize("kind", ("gcs", "azure", "swift"))
def test_no_operation_costs_more_requests_than_on_s3(make_mount, known, kind):
    options = {"upload-delay": "1h", "part-size": "8M", "attrs": "default"}  # nothing goes before sync asks
    if "s3" not in known:
        known["s3"] = costs(make_mount("s3", options=options).start())
    theirs = costs(make_mount(kind, options=options).start())
    worse = {}
    for name, ops in known["s3"].items():
        if sum(theirs[name].values()) > sum(ops.values()) + MORE.get(kind, {}).get(name, 0):
            worse[name] = (ops, theirs[name])
    assert not worse, worse
    # Listings tell attributes there.
    if kind in ("gcs", "azure"):
        assert theirs["list in full"] == {} and sum(theirs["change the mode"].values()) == 1, theirs
