"""An upload in parts that a kill interrupted is gone on with: what has arrived is not sent again, counted by the proxy. What is
given up leaves nothing at the server."""

import os
import random

import pytest

from harness import eventually

MiB = 1 << 20
PART = 5 * MiB
SIZE = 8 * PART + 12345
pytestmark = [pytest.mark.stores("s3"), pytest.mark.options(upload_delay="50ms", part_size="5M", passthrough="no")]


def noise(size, seed=1):
    return random.Random(seed).randbytes(size)


def kill_when_all_parts_are_there(mount, before_kill=lambda: None):
    """The daemon dies while completing fails; the proxy counts anew from there."""
    eventually(lambda: mount.ops().get("F"), what="an attempt to complete")
    before_kill()
    # What was journalled before this file is committed with it at the latest.
    (mount.path / "last").write_bytes(b"")
    mount.kill()
    mount.unmount_lazily()
    mount.proxy.clear()
    mount.proxy.reset()


def resumed(mount, key="f"):
    """Mounted again, and all of it uploaded: the operations that took, without those of other files."""
    mount.mount()
    mount.sync()
    eventually(lambda: mount.client.uploads(mount.bucket) == [], what="the end of all uploads in parts")
    ops = mount.ops()
    return {**{op: ops.get(op, 0) for op in "IUKF"}, "A": min(ops.get("A", 0), 1)}, mount.client.get(mount.bucket, key)


def late_aborts(mount):
    """On S3 what a dead daemon was sending may arrive after the end: the upload is aborted once more. (What else is done later nobody
    waits for.)"""
    return 1 if mount.kind == "s3" else 0


def test_what_has_arrived_is_not_sent_again(mount):
    data = noise(SIZE)
    mount.proxy.fault(op="F", kind="reset-before", count=0)
    (mount.path / "f").write_bytes(data)
    os.chmod(mount.path / "f", 0o640)
    kill_when_all_parts_are_there(mount)
    ops, stored = resumed(mount)
    assert stored == data
    assert ops == {"I": 0, "U": 0, "K": 0, "F": 1, "A": late_aborts(mount)}
    assert (mount.path / "f").stat().st_mode & 0o777 == 0o640
    assert mount.client.meta(mount.bucket, "f")["mode"] == str(0o100640)


@pytest.mark.lacks(gcs="a part is an object like others there: requests do not tell them apart")
def test_a_part_that_was_written_to_is_sent_again(mount):
    data = bytearray(noise(SIZE))
    mount.proxy.fault(op="F", kind="reset-before", count=0)
    (mount.path / "f").write_bytes(data)

    def change():
        sent = mount.ops()["U"]
        mount.proxy.fault(op="U", kind="reset-before", count=0)
        with open(mount.path / "f", "r+b") as f:
            f.seek(3 * PART + 100)
            f.write(b"changed")
        data[3 * PART + 100:3 * PART + 107] = b"changed"
        eventually(lambda: mount.ops()["U"] > sent, what="an attempt to send the part again")

    kill_when_all_parts_are_there(mount, change)
    ops, stored = resumed(mount)
    assert stored == data
    assert ops == {"I": 0, "U": 1, "K": 0, "F": 1, "A": late_aborts(mount)}


def test_a_change_of_a_big_object_is_gone_on_with(mount):
    data = bytearray(noise(SIZE))
    mount.client.put(mount.bucket, "f", bytes(data))
    mount.proxy.fault(op="F", kind="reset-before", count=0)
    with open(mount.path / "f", "r+b") as f:
        f.seek(4 * PART)
        f.write(b"changed")
    data[4 * PART:4 * PART + 7] = b"changed"
    kill_when_all_parts_are_there(mount)
    ops, stored = resumed(mount)
    assert stored == data
    assert ops == {"I": 0, "U": 0, "K": 0, "F": 1, "A": late_aborts(mount)}


def test_an_upload_that_is_gone_is_begun_anew(mount):
    data = noise(SIZE)
    mount.proxy.fault(op="F", kind="reset-before", count=0)
    (mount.path / "f").write_bytes(data)
    kill_when_all_parts_are_there(mount)
    mount.client.drop_uploads(mount.bucket, "f")
    ops, stored = resumed(mount)
    assert stored == data
    if mount.kind == "gcs":
        assert ops["F"] == 1
    else:
        assert (ops["U"], ops["F"]) == (9, 1)


def begun(mount):
    return {u["UploadId"] for u in mount.client.s3.list_multipart_uploads(Bucket=mount.bucket).get("Uploads", [])}


@pytest.mark.stores("s3", only="uploads that the server itself begins, lists and aborts")
def test_an_abort_that_fails_is_made_good_by_the_same_mount(mount):
    """The file goes while its parts are on their way, and the server does not take the abort: it is asked until it does."""
    mount.proxy.fault(op="U", kind="stall", ms=600_000, count=0)
    mount.proxy.fault(op="A", kind="reset-before", count=0, label="abort")
    (mount.path / "f").write_bytes(noise(SIZE))
    eventually(lambda: mount.ops().get("U"), what="a part on its way")
    (mount.path / "f").unlink()
    eventually(lambda: "upload.abort" in mount.log.read_text(), what="an abort that failed for good")
    assert len(begun(mount)) == 1
    mount.proxy.clear()
    mount.sync()
    assert begun(mount) == set()


@pytest.mark.stores("s3", only="uploads that the server itself begins, lists and aborts")
def test_a_begin_whose_answer_never_came_leaves_nothing(mount):
    """The server began it, and could not say so; then the file goes, and no later upload of that key looks after it."""
    mount.proxy.fault(op="I", kind="reset-after", count=0, label="begin")
    (mount.path / "f").write_bytes(noise(SIZE))
    eventually(lambda: begun(mount) and mount.status()["uploads"], what="a begin that failed")
    (mount.path / "f").unlink()
    eventually(lambda: mount.status()["pending"], what="the wish to look for it")
    mount.proxy.clear()
    mount.sync()
    assert begun(mount) == set()
    assert mount.client.keys(mount.bucket) == []


@pytest.mark.stores("s3", only="a server that makes an upload anew for a part that comes too late")
def test_a_part_that_went_twice_is_cleared_away_after_the_end(mount):
    """What was cut off may arrive when all is put together: versitygw then has a new upload of the old name, which shows with the
    next one of that key. It is aborted once more, and the object stays; an upload without such a part costs no request."""
    data = noise(SIZE)
    (mount.path / "f").write_bytes(data)
    mount.sync()
    assert not mount.ops().get("A")
    mount.proxy.fault(op="U", kind="reset-after", count=1, label="part")
    (mount.path / "g").write_bytes(data)
    mount.sync()
    assert mount.proxy.counters()["faults_by"]["part"] == 1
    eventually(lambda: mount.ops().get("A"), what="an abort after the end")
    mount.sync()
    assert mount.client.get(mount.bucket, "g") == data
