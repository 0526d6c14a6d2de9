"""Between two clouds in one mount: what is copied from one to the other passes through, however big it is."""

import os

import harness
from harness import eventually, run

MIB = 1 << 20


def resident_peak(pid):
    """The most memory the process ever had."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) << 10 for line in f if line.startswith("VmHWM"))


def test_cp_from_one_cloud_to_another_streams(make_mount):
    """Larger than the cache, in both directions; and what the cache had of it is given back."""
    there = make_mount("gcs")
    m = make_mount("s3", options={"cache-size": "48M", "upload-delay": "10ms"})
    m.client.create_bucket(m.bucket)
    there.client.create_bucket(there.bucket)
    m.sections["gcs"] = there._store_values(there.proxy.endpoint)
    m.write_config()
    m.mount()
    here, over = m.top / "s3" / m.bucket, m.top / "gcs" / there.bucket
    size = 112 * MIB + 12345
    data = os.urandom(MIB + 7) * (size // (MIB + 7) + 1)
    m.client.put(m.bucket, "x", data[:size])
    before = resident_peak(m.pid)
    run("cp", here / "x", over / "y")
    m.sync()
    assert there.client.get(there.bucket, "y") == data[:size]
    (over / "d").mkdir()
    run("cp", over / "y", here / "z")
    m.sync()
    assert m.client.get(m.bucket, "z") == data[:size]
    assert m.proxy.counters()["bytes_down"] < size + 8 * MIB and m.proxy.counters()["bytes_up"] < size + 8 * MIB
    eventually(lambda: int(run("du", "-sk", m.cache_dir, check=False).stdout.split()[0]) < 96 << 10, what="a cache within its size, and a little")
    if not harness.is_sanitized():
        grown = resident_peak(m.pid) - before
        assert grown < 96 * MIB, f"{grown >> 20} MiB more"
