"""What heavier work costs, to the request and the byte: the figures that docs/performance.md promises."""

import math
import os
import random
import shutil

import pytest

from harness import eventually

pytestmark = [pytest.mark.stores("s3", only="objects are made beside the server, as files"), pytest.mark.options(attrs="default")]

MiB = 1 << 20


def make_objects(mount, versitygw, directory, count):
    top = versitygw.buckets / mount.bucket / directory
    top.mkdir()
    for i in range(count):
        (top / f"{i:05}").write_bytes(b"x")


def settle(mount):
    """All is written and nothing is under way; the counters begin at zero."""
    mount.sync()
    eventually(lambda: mount.proxy.counters()["active"] == 0, what="quiet on the wire")
    mount.proxy.reset()


@pytest.mark.options(attrs="default", upload_delay="60s")
@pytest.mark.parametrize("n", (1000, 1001))
def test_rm_r_is_one_delete_for_each_thousand_files(mount, versitygw, n):
    make_objects(mount, versitygw, "d", n)
    assert len(os.listdir(mount.path / "d")) == n
    settle(mount)
    shutil.rmtree(mount.path / "d")
    mount.sync()
    assert mount.client.keys(mount.bucket) == []
    ops = mount.ops()
    # The directory's own object (which this server makes of a directory) goes after what was in it; the first file went alone when the
    # second was late.
    assert ops.pop("M") == math.ceil((n - 1) / 1000) and ops.pop("D", 0) <= 2 + n % 1000 and not ops, mount.ops()


def test_a_directorys_rename_is_a_copy_of_each_file_and_a_delete_for_each_thousand(mount, versitygw):
    n = 1001
    make_objects(mount, versitygw, "d", n)
    assert len(os.listdir(mount.path / "d")) == n
    settle(mount)
    os.rename(mount.path / "d", mount.path / "e")
    assert len(os.listdir(mount.path / "e")) == n
    mount.sync()
    counters = mount.proxy.counters()
    assert {k.split("/", 1)[0] for k in mount.client.keys(mount.bucket)} == {"e"}
    assert len(mount.client.keys(mount.bucket)) == n
    ops = counters["ops"]
    assert ops.pop("C") == n and ops.pop("M", 0) + ops.pop("D", 0) == math.ceil(n / 1000), counters
    assert ops.pop("L", 0) <= 2 * math.ceil(n / 1000) + 1 and not ops, counters  # what is to be copied, and deleted


def test_missing_names_in_one_directory_are_three_requests(mount, versitygw):
    make_objects(mount, versitygw, "d", 20)
    os.listdir(mount.path)
    settle(mount)
    for i in range(125):
        assert not (mount.path / "d" / f"missing-{i}").exists()
    assert mount.proxy.counters()["requests"] <= 3, mount.ops()


def test_random_reads_of_4_kib_fetch_what_was_asked(mount):
    data = b"".join(random.Random(i).randbytes(MiB) for i in range(64))
    mount.client.put(mount.bucket, "big", data)
    os.listdir(mount.path)
    settle(mount)
    rng = random.Random(22)
    fd = os.open(mount.path / "big", os.O_RDONLY)
    try:
        for _ in range(200):
            at = rng.randrange(len(data) // 4096) * 4096
            assert os.pread(fd, 4096, at) == data[at : at + 4096]
    finally:
        os.close(fd)
    counters = mount.proxy.counters()
    assert set(counters["ops"]) == {"G"} and counters["ops"]["G"] <= 200, counters
    assert counters["bytes_down"] <= 2_000_000, counters


def test_a_big_object_is_read_in_big_pieces_and_each_byte_once(mount):
    data = random.Random(23).randbytes(64 * MiB)
    mount.client.put(mount.bucket, "big", data)
    os.listdir(mount.path)
    settle(mount)
    with open(mount.path / "big", "rb", buffering=0) as f:
        for at in range(0, len(data), MiB):
            assert f.read(MiB) == data[at : at + MiB]
    counters = mount.proxy.counters()
    assert set(counters["ops"]) == {"G"} and counters["ops"]["G"] <= 8 + 16, counters  # of 8 MiB, and smaller ones at first
    assert counters["bytes_down"] <= len(data) * 1.01, counters
