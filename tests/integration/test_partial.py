"""A change of a big object sends what changed: parts that are copied on the server, counted by the proxy."""

import hashlib
import mmap
import os
import random
import time

import pytest

from harness import eventually, run

MiB = 1 << 20
MIN_PART = 5 * MiB  # S3's least for every part but the last
BIG = 256 * MiB
pytestmark = pytest.mark.options(upload_delay="50ms")


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def noise(size, seed=1):
    rng = random.Random(seed)
    return b"".join(rng.randbytes(min(16 * MiB, size - at)) for at in range(0, size, 16 * MiB))


def stored(mount, key="f"):
    mount.sync()
    # One that was overtaken is given up beside the next.
    eventually(lambda: mount.client.uploads(mount.bucket) == [], what="the end of all uploads in parts")
    return mount.client.get(mount.bucket, key)


def sent(mount):
    """Bytes of request bodies since the last reset, the list of parts included, and the operations."""
    counters = mount.proxy.counters()
    return counters["bytes_up"], counters["bytes_down"], counters["ops"]


def put_big(mount, size, seed=1, key="f"):
    """An object of somebody else: nothing of it is in the cache."""
    data = bytearray(noise(size, seed))
    mount.client.put(mount.bucket, key, bytes(data))
    os.listdir(mount.path)
    mount.proxy.reset()
    return data


LITTLE = 64 << 10  # begin, complete and what else has a body


@pytest.mark.stores("s3", only="it counts copies of ranges")
@pytest.mark.parametrize("is_cached", (False, True))
def test_an_append_of_1_mib_to_256_mib_sends_1_mib(mount, is_cached):
    if is_cached:
        data = bytearray(noise(BIG))
        (mount.path / "f").write_bytes(data)
        mount.sync()
        mount.proxy.reset()
    else:
        data = put_big(mount, BIG)
    more = noise(MiB, 2)
    with open(mount.path / "f", "ab") as f:
        f.write(more)
    mount.sync()
    up, down, ops = sent(mount)
    assert MiB <= up < MiB + LITTLE
    assert down < LITTLE  # nothing is fetched
    assert ops["K"] >= 1 and ops["U"] == 1
    data += more
    assert sha256(stored(mount)) == sha256(data)
    assert (mount.path / "f").stat().st_size == len(data)


@pytest.mark.stores("s3", only="it counts copies of ranges")
@pytest.mark.parametrize("is_cached", (False, True))
def test_an_overwrite_of_1_mib_in_the_middle_sends_one_minimum_part(mount, is_cached):
    if is_cached:
        data = bytearray(noise(BIG))
        (mount.path / "f").write_bytes(data)
        mount.sync()
        mount.proxy.reset()
    else:
        data = put_big(mount, BIG)
    at, patch = 100 * MiB + 12345, noise(MiB, 3)
    with open(mount.path / "f", "r+b") as f:
        f.seek(at)
        f.write(patch)
    mount.sync()
    up, down, ops = sent(mount)
    assert MIN_PART <= up < MIN_PART + LITTLE
    # What completes the part that is sent, and nothing else.
    assert down < (LITTLE if is_cached else MIN_PART - MiB + LITTLE)
    assert ops["K"] == 2 and ops["U"] == 1
    data[at:at + MiB] = patch
    assert sha256(stored(mount)) == sha256(data)
    mount.fresh()
    assert sha256((mount.path / "f").read_bytes()) == sha256(data)


@pytest.mark.stores("gcs", "azure", "swift", only="what these do in place of part copies")
def test_an_append_keeps_what_is_there_where_it_is(mount):
    """Composed with the new part; committed blocks named again; segments named again."""
    data = noise(24 * MiB)
    (mount.path / "f").write_bytes(data)
    mount.sync()
    mount.proxy.reset()
    more = noise(100_000, 2)
    with open(mount.path / "f", "ab") as f:
        f.write(more)
    mount.sync()
    up, down, ops = sent(mount)
    assert len(more) <= up < len(more) + LITTLE and down < LITTLE, ops
    if mount.kind == "gcs":
        assert ops.pop("M", 0) + ops.pop("D", 0) == 1 and ops == {"H": 1, "P": 1, "F": 1}, ops
    elif mount.kind == "azure":
        assert ops["U"] == 1 and ops["F"] == 1 and not {"K", "G", "P"} & set(ops), ops
    else:
        assert ops["U"] <= 3 and ops["F"] == 1 and not {"K", "P"} & set(ops), ops  # a part, and lists of ranges
    assert sha256(stored(mount)) == sha256(data + more)
    assert mount.keys() == ["f"]
    mount.fresh()
    assert sha256((mount.path / "f").read_bytes()) == sha256(data + more)


@pytest.mark.stores("azure", "swift", only="what these do in place of part copies")
def test_an_overwrite_keeps_the_blocks_and_segments_beside_it(mount):
    data = bytearray(noise(40 * MiB))
    (mount.path / "f").write_bytes(data)
    mount.sync()
    mount.proxy.reset()
    with open(mount.path / "f", "r+b") as f:
        f.seek(20 * MiB)
        f.write(b"changed")
    data[20 * MiB:20 * MiB + 7] = b"changed"
    mount.sync()
    # One least part; and on Azurite, which copies no ranges of itself, what else is in the block it lies in.
    assert sent(mount)[0] < (10 * MiB if mount.kind == "azure" else MiB + LITTLE)
    assert sha256(stored(mount)) == sha256(data)
    assert mount.keys() == ["f"]


@pytest.mark.stores("gcs", only="elsewhere ranges are copied")
def test_cut_then_appended_to_is_sent_whole(mount):
    data = put_big(mount, 24 * MiB)
    os.truncate(mount.path / "f", 20 * MiB + 1)
    with open(mount.path / "f", "ab") as f:
        f.write(b"the end")
    assert sha256(stored(mount)) == sha256(data[:20 * MiB + 1] + b"the end")
    assert sent(mount)[0] > 20 * MiB
    assert "upload.no_part_copy" not in mount.log.read_text()


@pytest.mark.stores("s3", only="it counts copies of ranges")
def test_what_is_cut_shorter_is_copied(mount):
    data = put_big(mount, 64 * MiB)
    os.truncate(mount.path / "f", 40 * MiB + 1)
    mount.sync()
    up, down, _ = sent(mount)
    assert up < LITTLE and down < LITTLE
    assert sha256(stored(mount)) == sha256(data[:40 * MiB + 1])


@pytest.mark.stores("s3", only="it counts copies of ranges")
def test_cut_and_appended_to(mount):
    data = put_big(mount, 64 * MiB)
    os.truncate(mount.path / "f", 40 * MiB + 1)
    with open(mount.path / "f", "ab") as f:
        f.write(b"the end")
    mount.sync()
    assert sent(mount)[0] < LITTLE
    assert sha256(stored(mount)) == sha256(data[:40 * MiB + 1] + b"the end")


@pytest.mark.stores("s3", "local")
def test_cut_and_grown_again_shows_zeros(mount):
    data = bytearray(noise(40 * MiB))
    mount.client.put(mount.bucket, "f", bytes(data))
    os.truncate(mount.path / "f", 20 * MiB)
    os.truncate(mount.path / "f", 40 * MiB)
    data[20 * MiB:] = bytes(20 * MiB)
    assert sha256(stored(mount)) == sha256(data)
    assert sha256((mount.path / "f").read_bytes()) == sha256(data)


@pytest.mark.stores("s3", "local", "moto")
def test_a_write_behind_the_end_leaves_zeros(mount):
    data = noise(32 * MiB)
    mount.client.put(mount.bucket, "f", data)
    with open(mount.path / "f", "r+b") as f:
        f.seek(33 * MiB)
        f.write(b"island")
        f.flush()
        f.seek(32 * MiB - 10)
        assert f.read(30) == data[-10:] + bytes(20)
    assert sha256(stored(mount)) == sha256(data + bytes(MiB) + b"island")


@pytest.mark.stores("s3", "local", only="it counts copies of ranges")
def test_mmap_and_fallocate_in_the_middle(mount):
    data = bytearray(noise(48 * MiB))
    mount.client.put(mount.bucket, "f", bytes(data))
    fd = os.open(mount.path / "f", os.O_RDWR)
    with mmap.mmap(fd, 48 * MiB) as m:
        m[20 * MiB:20 * MiB + 5000] = b"m" * 5000
        m.flush()
    data[20 * MiB:20 * MiB + 5000] = b"m" * 5000
    run("fallocate", "--punch-hole", "--offset", 30 * MiB, "--length", 10_000, mount.path / "f")
    data[30 * MiB:30 * MiB + 10_000] = bytes(10_000)
    os.close(fd)
    assert sha256(stored(mount)) == sha256(data)
    if mount.proxy:
        assert sent(mount)[0] < 2 * MIN_PART + LITTLE
    assert sha256((mount.path / "f").read_bytes()) == sha256(data)


@pytest.mark.stores("s3")
def test_copy_file_range_into_the_middle(mount):
    data = put_big(mount, 48 * MiB)
    (mount.path / "g").write_bytes(noise(MiB, 9))
    with open(mount.path / "g", "rb") as g, open(mount.path / "f", "r+b") as f:
        at, left = 24 * MiB, MiB
        while left:
            try:
                n = os.copy_file_range(g.fileno(), f.fileno(), left, offset_dst=at)
            except OSError:  # then programs read and write
                n = os.pwrite(f.fileno(), os.pread(g.fileno(), left, MiB - left), at)
            at, left = at + n, left - n
    data[24 * MiB:25 * MiB] = noise(MiB, 9)
    assert sha256(stored(mount)) == sha256(data)


@pytest.mark.stores("s3", "moto")
def test_attributes_go_with_the_new_object(mount):
    put_big(mount, 32 * MiB)
    path = mount.path / "f"
    path.chmod(0o640)
    os.setxattr(path, "user.test", b"before")
    mount.sync()
    with open(path, "ab") as f:
        f.write(b"x")
    os.setxattr(path, "user.test", b"after")
    path.chmod(0o600)
    os.utime(path, ns=(10**18 + 7, 10**18 + 7))
    mount.sync()
    mount.fresh()
    assert os.getxattr(path, "user.test") == b"after"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_mtime_ns == 10**18 + 7


@pytest.mark.stores("s3", only="it counts copies of ranges")
def test_changes_are_sent_again_and_again_but_each_once(mount):
    data = put_big(mount, 64 * MiB)
    for i in range(4):
        with open(mount.path / "f", "ab") as f:
            f.write(noise(100_000, i))
        data += noise(100_000, i)
        assert sha256(stored(mount)) == sha256(data)
    assert sent(mount)[0] < 4 * 100_000 + LITTLE


@pytest.mark.stores("s3", only="the proxy plays such an S3 server")
@pytest.mark.parametrize("status,code", ((501, "NotImplemented"), (405, "MethodNotAllowed")))
def test_a_server_without_part_copies_gets_the_whole_file_and_is_asked_once(mount, status, code):
    data = put_big(mount, 32 * MiB)
    mount.proxy.fault(op="K", status=status, code=code, count=0)
    for i in range(2):
        with open(mount.path / "f", "r+b") as f:
            f.seek(10 * MiB + i)
            f.write(b"changed")
        data[10 * MiB + i:10 * MiB + i + 7] = b"changed"
        assert sha256(stored(mount)) == sha256(data)
    assert 1 <= mount.ops()["K"] <= 4  # those that went side by side at first
    assert mount.log.read_text().count("upload.no_part_copy") == 1


@pytest.mark.stores("s3", only="the proxy plays such an S3 server")
def test_a_server_that_copies_the_wrong_range_is_found_out(mount):
    """Each part would be the whole object: the proxy cannot play that, so it tells of parts of another size."""
    data = put_big(mount, 32 * MiB)
    mount.proxy.fault(op="p", status=200, count=1, body=(
        '<?xml version="1.0" encoding="UTF-8"?><ListPartsResult><IsTruncated>false</IsTruncated>'
        "<Part><PartNumber>1</PartNumber><ETag>x</ETag><Size>33554433</Size></Part></ListPartsResult>"))
    with open(mount.path / "f", "ab") as f:
        f.write(b"x")
    data += b"x"
    assert sha256(stored(mount)) == sha256(data)
    assert sent(mount)[0] > 32 * MiB
    assert mount.log.read_text().count("upload.no_part_copy") == 1


@pytest.mark.stores("s3")
@pytest.mark.parametrize("faults", (
    [dict(op="K", kind="reset-before"), dict(op="U", kind="reset-after")],
    [dict(op="K", status=503), dict(op="F", kind="reset-after")],
    [dict(op="I", status=500), dict(op="K", kind="reset-after", skip=1), dict(op="U", kind="corrupt-up")],
))
def test_faults_on_the_way(mount, faults):
    data = put_big(mount, 64 * MiB)
    for fault in faults:
        mount.proxy.fault(**fault)
    with open(mount.path / "f", "r+b") as f:
        f.seek(30 * MiB)
        f.write(b"changed")
    data[30 * MiB:30 * MiB + 7] = b"changed"
    assert sha256(stored(mount)) == sha256(data)
    assert sorted(mount.client.keys(mount.bucket)) == ["f"]


@pytest.mark.stores("s3")
@pytest.mark.options(upload_delay="1h", meta_ttl="1h")
def test_somebody_else_changed_the_object_and_all_of_ours_is_here(mount):
    theirs = noise(40 * MiB, 5)
    data = put_big(mount, 32 * MiB)
    assert sha256((mount.path / "f").read_bytes()) == sha256(data)
    with open(mount.path / "f", "r+b") as f:
        f.seek(16 * MiB)
        f.write(b"ours")
    data[16 * MiB:16 * MiB + 4] = b"ours"
    mount.client.put(mount.bucket, "f", theirs)
    mount.sync()
    keys = mount.client.keys(mount.bucket)
    assert len(keys) == 2
    other = next(k for k in keys if k != "f")
    assert "conflict from" in other
    assert sha256(mount.client.get(mount.bucket, other)) == sha256(data)
    assert sha256(mount.client.get(mount.bucket, "f")) == sha256(theirs)
    eventually(lambda: mount.client.uploads(mount.bucket) == [], what="the end of what was refused")  # given up beside the rest


@pytest.mark.stores("s3")
@pytest.mark.options(upload_delay="1h", meta_ttl="1h")
def test_somebody_else_changed_the_object_before_all_of_it_was_read(mount):
    """No byte is made up: what was written stays here, and status says so."""
    theirs = noise(40 * MiB, 5)
    put_big(mount, 32 * MiB)
    with open(mount.path / "f", "r+b") as f:
        f.seek(16 * MiB)
        f.write(b"ours" * 16384)
    mount.client.put(mount.bucket, "f", theirs)
    done = mount.skydir("sync", mount.top, check=False)
    assert done.returncode == 1 and "unchanged parts" in done.stderr
    assert mount.client.keys(mount.bucket) == ["f"]
    assert sha256(mount.client.get(mount.bucket, "f")) == sha256(theirs)
    assert "unchanged parts" in str(mount.status())
    fd = os.open(mount.path / "f", os.O_RDONLY)
    assert os.pread(fd, 65536, 16 * MiB) == b"ours" * 16384
    os.close(fd)
    # The way out: another content for all of it.
    (mount.path / "f").write_bytes(b"decided")
    assert mount.read("f") is not None
    assert b"decided" in [mount.client.get(mount.bucket, k) for k in mount.client.keys(mount.bucket)]


@pytest.mark.stores("s3", "local")
@pytest.mark.parametrize("is_cached", (False, True))
def test_a_kill_during_a_partial_upload_loses_nothing(mount, is_cached):
    data = bytearray(noise(64 * MiB))
    if is_cached:
        (mount.path / "f").write_bytes(data)
        mount.sync()
    else:
        mount.client.put(mount.bucket, "f", bytes(data))
    if mount.proxy:
        mount.proxy.fault(op="F", kind="reset-before", count=0)
    with open(mount.path / "f", "r+b") as f:
        f.seek(30 * MiB)
        f.write(b"changed")
        f.seek(0, 2)
        f.write(b"the end")
    data[30 * MiB:30 * MiB + 7] = b"changed"
    data += b"the end"
    if mount.proxy:
        eventually(lambda: mount.ops().get("F"), what="an attempt to complete")
    mount.kill()
    mount.unmount_lazily()
    if mount.proxy:
        mount.proxy._control("/clear")
    mount.mount()
    assert sha256(stored(mount)) == sha256(data)
    assert mount.client.keys(mount.bucket) == ["f"]
    assert sha256((mount.path / "f").read_bytes()) == sha256(data)


@pytest.mark.stores("s3", "swift")
def test_a_completion_whose_answer_a_kill_took_is_known_as_our_own(mount):
    data = put_big(mount, 64 * MiB)
    mount.proxy.fault(op="F", kind="reset-after", count=0)  # done, and nobody learns of it
    mount.proxy.fault(op="H", kind="stall", ms=0, count=1)
    with open(mount.path / "f", "r+b") as f:
        f.seek(30 * MiB)
        f.write(b"changed")
    data[30 * MiB:30 * MiB + 7] = b"changed"
    eventually(lambda: mount.client.get(mount.bucket, "f") == data, what="the object in the cloud")
    mount.kill()
    mount.unmount_lazily()
    mount.proxy._control("/clear")
    mount.mount()
    assert sha256(stored(mount)) == sha256(data)
    assert mount.client.keys(mount.bucket) == ["f"]


@pytest.mark.stores("s3")
def test_a_rename_of_a_changed_big_file(mount):
    data = put_big(mount, 32 * MiB)
    for i, name in enumerate(("g", "h")):
        was = "f" if i == 0 else "g"
        with open(mount.path / was, "r+b") as f:
            f.seek(16 * MiB + 100 * i)
            f.write(b"changed")
        data[16 * MiB + 100 * i:16 * MiB + 100 * i + 7] = b"changed"
        os.rename(mount.path / was, mount.path / name)
    assert sha256(stored(mount, "h")) == sha256(data)
    assert mount.client.keys(mount.bucket) == ["h"]
    assert sha256((mount.path / "h").read_bytes()) == sha256(data)


@pytest.mark.stores("s3", "gcs", "azure", "swift", only="behind the proxy")
@pytest.mark.options(upload_delay="1h")
def test_a_changed_file_that_is_renamed_on_is_read_where_it_went(mount):
    """Each copy is another version, and what is missing here is of the last of them."""
    data = put_big(mount, 4 * MiB)
    with open(mount.path / "f", "r+b") as f:
        f.seek(2 * MiB)
        f.write(b"changed")
    data[2 * MiB:2 * MiB + 7] = b"changed"
    mount.proxy.set(latency_ms=300)  # the second rename comes while the first is carried out
    os.rename(mount.path / "f", mount.path / "g")
    os.rename(mount.path / "g", mount.path / "h")
    mount.proxy.set(latency_ms=0)
    eventually(lambda: mount.client.keys(mount.bucket) == ["h"], what="both renames in the cloud")
    assert sha256(stored(mount, "h")) == sha256(data)
    assert mount.client.keys(mount.bucket) == ["h"]
    assert sha256((mount.path / "h").read_bytes()) == sha256(data)


@pytest.mark.stores("s3", "local")
def test_what_was_emptied_and_written_anew_is_not_mixed_with_the_old_after_a_kill(mount):
    mount.client.put(mount.bucket, "f", noise(4 * MiB))
    fd = os.open(mount.path / "f", os.O_RDWR)
    assert os.pread(fd, 10, MiB) == noise(4 * MiB)[MiB:MiB + 10]
    os.pwrite(fd, b"a change of the old", 0)  # a mixture, from here on
    os.ftruncate(fd, 0)
    os.pwrite(fd, b"new" * 1000, 0)
    os.close(fd)
    mount.kill()
    mount.unmount_lazily()
    mount.mount()
    assert (mount.path / "f").read_bytes() == b"new" * 1000
    assert stored(mount) == b"new" * 1000


@pytest.mark.stores("s3", only="it sees parts on the wire by what S3 calls them")
@pytest.mark.options(part_size="5M", upload_delay="0s", passthrough="no")  # else nobody tells where the writer is
def test_parts_go_up_while_a_slow_writer_writes_and_stay_right(mount):
    data = bytearray()
    with open(mount.path / "f", "wb", buffering=0) as f:
        eventually_by = time.monotonic() + 60
        while "U" not in mount.ops():  # slower than any uplink, until the first part is seen
            assert time.monotonic() < eventually_by
            block = noise(MiB, len(data))
            f.write(block)
            data += block
            time.sleep(0.05)
        f.seek(100)  # an earlier part changes after it went up
        f.write(b"changed")
        data[100:107] = b"changed"
        f.seek(0, 2)
        f.write(b"the end")
        data += b"the end"
    os.utime(mount.path / "f", ns=(10**18 + 9, 10**18 + 9))  # after the upload began with another time
    assert sha256(stored(mount)) == sha256(data)
    mount.fresh()
    os.listdir(mount.path)
    assert (mount.path / "f").read_bytes() == data
    assert (mount.path / "f").stat().st_mtime_ns == 10**18 + 9


@pytest.mark.stores("s3")
@pytest.mark.options(upload_delay="0s", part_size="5M")
def test_a_file_that_is_written_and_synced_all_the_while_ends_right(mount):
    size = 24 * MiB
    mount.client.put(mount.bucket, "f", bytes(size))
    fd = os.open(mount.path / "f", os.O_RDWR)
    for i in range(1, 9):
        for at in (0, 12 * MiB, size - 1):
            os.pwrite(fd, bytes([i]), at)
        if i % 4 == 0:
            os.fsync(fd)
    os.close(fd)
    final = bytearray(size)
    for at in (0, 12 * MiB, size - 1):
        final[at] = 8
    assert sha256(stored(mount)) == sha256(final)


@pytest.mark.stores("s3", "local")
@pytest.mark.options(part_size="5M", upload_delay="20ms")
@pytest.mark.parametrize("seed", (1, 2))
def test_random_changes_of_a_big_object_against_a_model(mount, seed):
    rng = random.Random(seed)
    model = bytearray(noise(24 * MiB, seed))
    mount.client.put(mount.bucket, "f", bytes(model))
    path = mount.path / "f"
    fd = os.open(path, os.O_RDWR)
    for step in range(60):
        what, at, n = rng.random(), rng.randrange(len(model)), rng.choice((1, 4096, 70_000, 2 * MiB))
        if what < 0.2:
            assert os.pread(fd, n, at) == model[at:at + n], f"step {step}, seed {seed}"
        elif what < 0.65:
            at = len(model) if what < 0.35 else at
            data = noise(n, step)
            os.pwrite(fd, data, at)
            model[at:at + n] = data
        elif what < 0.75:
            size = max(16 * MiB, len(model) + rng.randrange(-6 * MiB, 3 * MiB))
            os.ftruncate(fd, size)
            model = model[:size].ljust(size, b"\0")
        elif what < 0.9:
            os.close(fd)
            if what < 0.8:
                mount.sync()
            fd = os.open(path, os.O_RDWR)
        else:
            os.fsync(fd)
    os.close(fd)
    assert sha256(stored(mount)) == sha256(model)
    assert sorted(mount.client.keys(mount.bucket)) == ["f"]
    if mount.proxy and mount.kind == "s3":
        assert mount.ops().get("K"), "nothing was copied on the server"
    mount.fresh()
    assert sha256(path.read_bytes()) == sha256(model)
