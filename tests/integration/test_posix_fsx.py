"""One file under random operations (fsx.py): its bytes are right after each, in the store, and on a fresh machine."""

import subprocess

import pytest

import fsx

pytestmark = [pytest.mark.stores("local", "s3"), pytest.mark.options(upload_delay="20ms", meta_ttl="300ms")]


def work(mount, seed, count, max_bytes, settle):
    path, ops = str(mount.path / "file"), fsx.generate(seed, count, max_bytes)
    try:
        return fsx.run(path, ops, settle)
    except fsx.Mismatch as e:
        problem = e
    try:
        fewer = fsx.shrink(path, ops, settle, seconds=20)
    except (OSError, AssertionError, subprocess.SubprocessError) as e:
        fewer = [f"not shrunk: {e}"]
    lines = "\n".join(f"  {op!r}" for op in fewer)
    raise AssertionError(f"seed {seed}, {count} operations, at most {max_bytes} bytes: {problem}\n{len(fewer)} of them:\n{lines}")


def check(mount, wanted):
    assert mount.read("file") == wanted
    assert mount.keys() == ["file"]
    mount.fresh()
    assert (mount.path / "file").read_bytes() == wanted


@pytest.mark.parametrize("seed", (1, 2))
def test_a_file_under_random_operations(mount, seed):
    check(mount, work(mount, seed, 600, 400_000, lambda _: mount.sync()))


def test_a_file_whose_cache_is_lost_now_and_then(mount):
    # What is read and changed then is a mixture of what was fetched, what is missing and what was written.
    check(mount, work(mount, 3, 150, 3_000_000, lambda _: mount.fresh()))


@pytest.mark.slow
@pytest.mark.stores("s3")
def test_a_file_of_many_parts_under_random_operations(mount):
    check(mount, work(mount, 4, 60, 40_000_000, lambda _: mount.fresh()))


def test_the_tester_finds_a_wrong_byte(tmp_path):
    """A file system that loses a write (this one is a plain directory with a saboteur) is found out, and with few operations."""
    path = str(tmp_path / "file")
    ops = fsx.generate(5, 200, 100_000)

    def spoil(_):
        with open(path if (tmp_path / "file").exists() else path + ".r", "r+b") as f:
            byte = f.read(1)
            if byte:
                f.seek(0)
                f.write(bytes([byte[0] ^ 1]))

    with pytest.raises(fsx.Mismatch):
        fsx.run(path, [*ops, ("write", 0, 10, 0, 1), ("settle", 0, 0, 0, 0), ("read", 0, 10, 0, 0)], spoil)
    fewer = fsx.shrink(path, [("write", 0, 10, 0, 1), ("fsync", 0, 1, 0, 1), ("settle", 0, 0, 0, 0), ("fsync", 0, 1, 0, 1)], spoil, seconds=5)
    assert [op[0] for op in fewer] == ["write", "settle"]
