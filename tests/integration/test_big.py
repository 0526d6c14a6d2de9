"""Files of many parts, up and down, whole and in pieces."""

import hashlib
import os
import random
import threading

import pytest

from harness import run

MiB = 1 << 20


def file_of(path, size, seed=7):
    """Writes size bytes of noise; returns their sha256."""
    rng, total = random.Random(seed), hashlib.sha256()
    with open(path, "wb") as f:
        for at in range(0, size, MiB):
            block = rng.randbytes(min(MiB, size - at))
            total.update(block)
            f.write(block)
    return total.hexdigest()


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def test_64_mib_up_and_down(mount, tmp_path):
    wanted = file_of(tmp_path / "in", 64 * MiB + 12345)
    run("cp", tmp_path / "in", mount.path / "big")
    assert sha256(mount.read("big")) == wanted
    assert mount.client.uploads(mount.bucket) == []
    mount.fresh()
    run("cp", mount.path / "big", tmp_path / "out")
    assert sha256((tmp_path / "out").read_bytes()) == wanted


@pytest.mark.parametrize("size", (8 * MiB - 1, 8 * MiB, 8 * MiB + 1, 16 * MiB))
def test_sizes_around_the_part_size(mount, tmp_path, size):
    wanted = file_of(tmp_path / "in", size)
    run("cp", tmp_path / "in", mount.path / "f")
    assert sha256(mount.read("f")) == wanted
    mount.fresh()
    assert sha256((mount.path / "f").read_bytes()) == wanted


def test_random_reads_of_an_object(mount, tmp_path):
    file_of(tmp_path / "in", 24 * MiB)
    data = (tmp_path / "in").read_bytes()
    mount.client.put(mount.bucket, "f", data)
    rng = random.Random(11)
    fd = os.open(mount.path / "f", os.O_RDONLY)
    for _ in range(80):
        at, n = rng.randrange(len(data)), rng.choice((1, 100, 4096, 70_000, 300_000))
        assert os.pread(fd, n, at) == data[at:at + n]
    os.close(fd)


@pytest.mark.stores("s3", "moto", "gcs")
def test_random_reads_do_not_fetch_the_whole_object(mount, tmp_path):
    file_of(tmp_path / "in", 64 * MiB)
    mount.client.put(mount.bucket, "f", (tmp_path / "in").read_bytes())
    rng = random.Random(12)
    fd = os.open(mount.path / "f", os.O_RDONLY)
    for _ in range(20):
        os.pread(fd, 4096, rng.randrange(64 * MiB - 4096))
    os.close(fd)
    assert mount.proxy.counters()["bytes_down"] < 32 * MiB


@pytest.mark.parametrize("seed", (1, 2, 3))
def test_random_reads_and_writes_against_a_model(mount, seed):
    rng = random.Random(seed)
    model = bytearray(rng.randbytes(rng.randrange(1, 12 * MiB)))
    mount.client.put(mount.bucket, "f", bytes(model))
    path = mount.path / "f"
    fd = os.open(path, os.O_RDWR)
    for step in range(150):
        at = rng.randrange(len(model) + 200_000)
        n = rng.choice((1, 511, 4096, 65_536, 400_000))
        what = rng.random()
        if what < 0.45:
            assert os.pread(fd, n, at) == model[at:at + n], f"step {step}, seed {seed}"
        elif what < 0.85:
            data = rng.randbytes(n)
            assert os.pwrite(fd, data, at) == n
            if at > len(model):
                model.extend(bytes(at - len(model)))
            model[at:at + n] = data
        elif what < 0.9:
            size = rng.randrange(len(model) + 100_000)
            os.ftruncate(fd, size)
            model = model[:size].ljust(size, b"\0")
            if not model:
                model.extend(b"x")
                os.pwrite(fd, b"x", 0)
        elif what < 0.94:
            os.close(fd)
            mount.sync()
            fd = os.open(path, os.O_RDWR)
        else:
            assert os.fstat(fd).st_size == len(model)
    os.close(fd)
    assert path.read_bytes() == model
    assert sha256(mount.read("f")) == sha256(model)
    mount.fresh()
    assert sha256(path.read_bytes()) == sha256(model)


def test_append_to_a_big_object(mount):
    data = random.Random(3).randbytes(20 * MiB)
    mount.client.put(mount.bucket, "f", data)
    with open(mount.path / "f", "ab") as f:
        f.write(b"the end")
    assert mount.read("f") == data + b"the end"


def test_a_sparse_file(mount):
    with open(mount.path / "f", "wb") as f:
        f.truncate(40 * MiB)
        f.seek(20 * MiB)
        f.write(b"island")
    assert (mount.path / "f").stat().st_size == 40 * MiB
    expected = bytes(20 * MiB) + b"island" + bytes(20 * MiB - 6)
    assert mount.read("f") == expected
    mount.fresh()
    assert sha256((mount.path / "f").read_bytes()) == sha256(expected)


def test_four_readers_at_once(mount):
    files = {}
    for i in range(4):
        files[f"f{i}"] = random.Random(i).randbytes(12 * MiB + i)
        mount.client.put(mount.bucket, f"f{i}", files[f"f{i}"])
    found = {}

    def read(name):
        found[name] = (mount.path / name).read_bytes()

    threads = [threading.Thread(target=read, args=(n,)) for n in files]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert {n: sha256(d) for n, d in found.items()} == {n: sha256(d) for n, d in files.items()}


def test_many_readers_of_one_file(mount):
    data = random.Random(9).randbytes(16 * MiB)
    mount.client.put(mount.bucket, "f", data)
    found = []

    def read():
        with open(mount.path / "f", "rb", buffering=0) as f:
            parts = []
            while block := f.read(100_000):
                parts.append(block)
            found.append(sha256(b"".join(parts)))

    threads = [threading.Thread(target=read) for _ in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert found == [sha256(data)] * 6


@pytest.mark.stores("s3", "moto", "gcs")
def test_a_sequential_read_fetches_each_byte_once(mount):
    data = random.Random(10).randbytes(40 * MiB)
    mount.client.put(mount.bucket, "f", data)
    os.listdir(mount.path)
    mount.proxy.reset()
    assert sha256((mount.path / "f").read_bytes()) == sha256(data)
    assert mount.proxy.counters()["bytes_down"] < 44 * MiB


@pytest.mark.options(cache_size="64M")
@pytest.mark.stores("s3")
def test_a_file_bigger_than_the_cache(mount, tmp_path):
    wanted = file_of(tmp_path / "in", 160 * MiB)
    run("cp", tmp_path / "in", mount.path / "f", timeout=120)
    mount.sync()
    run("cmp", tmp_path / "in", mount.path / "f", timeout=120)
    assert sha256(mount.client.get(mount.bucket, "f")) == wanted
    used = int(run("du", "-s", "-B1", mount.cache_dir).stdout.split()[0])
    assert used < 100 * MiB


@pytest.mark.stores("s3")
@pytest.mark.options(cache_size="48M")
def test_writers_wait_when_only_dirty_data_is_left(mount):
    for i in range(6):
        (mount.path / f"f{i}").write_bytes(random.Random(i).randbytes(16 * MiB))
    mount.sync()
    for i in range(6):
        assert sha256(mount.client.get(mount.bucket, f"f{i}")) == sha256(random.Random(i).randbytes(16 * MiB))
