"""A directory of 100,000 objects: few requests, little memory."""

import os
import time

import pytest

from harness import is_sanitized, run


def resident_mib(pid):
    with open(f"/proc/{pid}/status") as f:
        for line in f:
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    raise AssertionError("no VmHWM")


def fill(bucket, directories, files):
    """Objects made behind the server's back: its files are its objects."""
    for d in directories:
        (bucket / d).mkdir(parents=True)
        for i in range(files):
            os.close(os.open(bucket / d / f"object-{i:06}", os.O_CREAT | os.O_WRONLY, 0o644))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.stores("s3", only="its objects are made as files beside the server")
@pytest.mark.options(timeout="5m", meta_ttl="10m")
def test_a_directory_of_100000_objects(mount, versitygw):
    fill(versitygw.buckets / mount.bucket, ["d"], 100_000)
    os.listdir(mount.path)
    mount.proxy.reset()
    started = time.monotonic()
    names = os.listdir(mount.path / "d")
    took = time.monotonic() - started
    assert len(names) == 100_000 and len(set(names)) == 100_000
    assert mount.ops() == {"L": 100}
    memory = resident_mib(mount.pid)
    # A sanitizer keeps freed memory back.
    limit = 200 if not is_sanitized() else 1000
    assert memory < limit, f"{memory:.0f} MiB"
    run("ls", "-l", mount.path / "d", timeout=120)
    assert mount.ops() == {"L": 100}
    assert resident_mib(mount.pid) < limit
    assert took < 300


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.stores("s3", only="its objects are made as files beside the server")
def test_find_over_100_directories_of_50(mount, versitygw):
    fill(versitygw.buckets / mount.bucket, [f"d{i:03}" for i in range(100)], 50)
    found = run("find", mount.path, "-type", "f", timeout=200).stdout.splitlines()
    assert len(found) == 5000
    # A listing for each directory at most, and the one above.
    assert mount.proxy.counters()["requests"] <= 102, mount.ops()
