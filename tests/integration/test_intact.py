"""What the cache's disk changes between write and upload is found, never sent, and kept; readers see one version or none."""

import hashlib
import mmap
import os
import random

import pytest

from harness import eventually

MiB = 1 << 20
pytestmark = pytest.mark.options(passthrough="no", upload_delay="1h")


def noise(size, seed=1):
    return random.Random(seed).randbytes(size)


def cache_file(mount, size):
    """The cache file of the only file of that size."""
    found = [p for p in (mount.cache_dir / "files").iterdir() if p.stat().st_size == size and p.suffix == ""]
    assert len(found) == 1, found
    return found[0]


def flip(path, at):
    with open(path, "r+b") as f:
        f.seek(at)
        byte = f.read(1)[0]
        f.seek(at)
        f.write(bytes([byte ^ 4]))


@pytest.mark.stores("local", "s3")
@pytest.mark.parametrize("size,at", ((100, 50), (70_001, 70_000), (3 * MiB, MiB + 7), (40 * MiB + 5, 33 * MiB)))
def test_a_flipped_bit_is_found_and_the_data_kept(mount, size, at):
    data = noise(size)
    (mount.path / "f").write_bytes(data)
    path = cache_file(mount, size)
    flip(path, at)
    done = mount.skydir("sync", mount.top, check=False)
    assert done.returncode == 1 and "does not give back what was written" in done.stderr
    assert mount.client.get(mount.bucket, "f") is None
    assert "does not give back what was written" in str(mount.status())
    assert path.exists() and path.stat().st_size == size
    # Back as it was: then it goes up.
    flip(path, at)
    mount.sync()
    assert mount.client.get(mount.bucket, "f") == data
    assert "does not give back" not in str(mount.status().get("pending", ""))


@pytest.mark.stores("local", "s3")
def test_a_damaged_file_that_is_written_again_goes_up(mount):
    (mount.path / "f").write_bytes(noise(50_000))
    flip(cache_file(mount, 50_000), 4096)
    assert mount.skydir("sync", mount.top, check=False).returncode == 1
    fd = os.open(mount.path / "f", os.O_WRONLY)
    os.pwrite(fd, noise(8192, 2), 4096)
    os.close(fd)
    mount.sync()
    data = bytearray(noise(50_000))
    data[4096:4096 + 8192] = noise(8192, 2)
    assert mount.client.get(mount.bucket, "f") == data


@pytest.mark.stores("local", "s3")
def test_damage_beside_a_small_write_in_the_same_page_is_not_made_good_by_it(mount):
    (mount.path / "f").write_bytes(noise(50_000))
    flip(cache_file(mount, 50_000), 5000)
    fd = os.open(mount.path / "f", os.O_WRONLY)
    os.pwrite(fd, b"small", 4100)
    os.close(fd)
    assert mount.skydir("sync", mount.top, check=False).returncode == 1
    assert mount.client.get(mount.bucket, "f") is None


@pytest.mark.stores("s3")
def test_damage_in_a_part_of_a_change_is_found(mount):
    data = noise(32 * MiB)
    mount.client.put(mount.bucket, "f", data)
    with open(mount.path / "f", "ab") as f:
        f.write(noise(MiB, 2))
    flip(cache_file(mount, 33 * MiB), 32 * MiB + 5)
    assert mount.skydir("sync", mount.top, check=False).returncode == 1
    assert mount.client.get(mount.bucket, "f") == data


@pytest.mark.stores("local", "s3")
def test_a_cache_file_cut_short_is_not_uploaded(mount):
    (mount.path / "f").write_bytes(noise(50_000))
    os.truncate(cache_file(mount, 50_000), 20_000)
    assert mount.skydir("sync", mount.top, check=False).returncode == 1
    assert mount.client.get(mount.bucket, "f") is None


@pytest.mark.stores("local", "s3")
@pytest.mark.parametrize("seed", range(4))
def test_writes_of_all_kinds_are_never_taken_for_damage(mount, seed):
    rng = random.Random(seed)
    data = bytearray(rng.randbytes(200_000))
    path = mount.path / "f"
    if seed % 2:
        mount.client.put(mount.bucket, "f", bytes(data))
    else:
        path.write_bytes(data)
    fd = os.open(path, os.O_RDWR)
    for _ in range(300):
        at, n = rng.randrange(len(data) + 5000), rng.choice((1, 7, 100, 4095, 4096, 4097, 20_000))
        what = rng.random()
        if what < 0.9:
            block = rng.randbytes(n)
            os.pwrite(fd, block, at)
            data.extend(bytes(max(0, at - len(data))))
            data[at:at + n] = block
        elif what < 0.97:
            size = rng.randrange(len(data) + 5000)
            os.ftruncate(fd, size)
            data = data[:size].ljust(size, b"\0")
        else:
            mount.sync()
    os.close(fd)
    assert hashlib.sha256(mount.read("f")).digest() == hashlib.sha256(data).digest()


@pytest.mark.stores("local", "s3", "moto")
@pytest.mark.options(meta_ttl="1s")
@pytest.mark.parametrize("size", (2 * MiB, 4 * MiB, 6 * MiB))
def test_a_reader_never_gets_new_bytes_with_the_old_length(mount, size):
    """The name was listed as 4 MiB of zeros; somebody puts ones of another length."""
    mount.client.put(mount.bucket, "f", bytes(4 * MiB))
    assert (mount.path / "f").stat().st_size == 4 * MiB
    mount.client.put(mount.bucket, "f", b"\1" * size)

    def read():
        with open(mount.path / "f", "rb") as f:
            told = os.fstat(f.fileno()).st_size
            data = f.read()
        return told, data

    def new():
        """ESTALE until the name is asked for anew (eventually() takes it as not yet), never a mixture."""
        told, data = read()
        assert data in (bytes(4 * MiB), b"\1" * size), "two versions in one read"
        assert told == len(data)
        return data == b"\1" * size

    eventually(new, what="the new version")


# ---- what was written before a kill ----


@pytest.mark.stores("local", "s3")
@pytest.mark.parametrize("size,at", ((100, 50), (70_001, 70_000), (40 * MiB + 5, 33 * MiB)))
def test_damage_between_a_kill_and_the_next_mount_is_set_aside(mount, size, at):
    data = noise(size)
    mount.client.put(mount.bucket, "f", b"what the cloud has")
    (mount.path / "f").write_bytes(data)
    (mount.path / "good").write_bytes(data[:-1])
    path = cache_file(mount, size)
    mount.kill()
    mount.unmount_lazily()
    flip(path, at)
    mount.mount()
    assert (mount.path / "good").read_bytes() == data[:-1]
    assert (mount.path / "f").read_bytes() == b"what the cloud has"
    kept = mount.cache_dir / "rescued" / path.name
    assert kept.stat().st_size == size
    assert "does not give back what was written" in (kept.parent / (kept.name + ".json")).read_text()
    assert "rescued" in str(mount.status())
    mount.sync()
    assert mount.client.get(mount.bucket, "f") == b"what the cloud has"
    assert mount.client.get(mount.bucket, "good") == data[:-1]


@pytest.mark.stores("local", "s3")
def test_good_data_is_never_taken_for_damaged_after_a_kill(mount):
    """Overwritten, appended to, cut, grown, punched, mapped, renamed, uploaded and written again: each before a kill."""
    rng = random.Random(5)
    want = {}
    for i in range(12):
        name = f"f{i}"
        data = bytearray(noise(rng.choice((10, 5000, 300_000)), i))
        (mount.path / name).write_bytes(data)
        if i % 3 == 0:
            mount.sync()
        fd = os.open(mount.path / name, os.O_RDWR)
        for _ in range(rng.randrange(1, 12)):
            what, at = rng.randrange(5), rng.randrange(len(data) + 1)
            if what < 2:
                piece = noise(rng.choice((1, 100, 4096, 9000)), at)
                os.pwrite(fd, piece, at)
                data[at:at + len(piece)] = piece
            elif what == 2:
                os.ftruncate(fd, at)
                del data[at:]
            elif what == 3:
                os.ftruncate(fd, len(data) + 5000)
                data += bytes(5000)
            elif len(data) >= 4096:
                with mmap.mmap(fd, len(data)) as m:
                    m[100:200] = piece = noise(100, at)
                    m.flush()
                data[100:200] = piece
        os.close(fd)
        if i % 4 == 0:
            os.rename(mount.path / name, mount.path / (name := name + " moved"))
        want[name] = bytes(data)
    mount.kill()
    mount.unmount_lazily()
    mount.mount()
    assert {name: (mount.path / name).read_bytes() for name in os.listdir(mount.path)} == want
    mount.sync()
    assert {k: mount.client.get(mount.bucket, k) for k in mount.client.keys(mount.bucket)} == want
    assert not (mount.cache_dir / "rescued").exists()
