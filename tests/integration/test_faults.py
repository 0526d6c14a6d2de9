"""Every kind of fault on the way to the server, drawn from a seed: whatever happens, the right bytes arrive.

Options of the environment, for longer runs: SKYDIR_FAULT_SEED (1), SKYDIR_FAULT_PERMILLE (50), SKYDIR_FAULT_FILES (120),
SKYDIR_FAULT_FIGURES (a directory: each run leaves its figures there as JSON; tests/servers/figures.py makes a page of them).
"""

import concurrent.futures
import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

from harness import SKYDIR, eventually
from workload import Work

SEED = int(os.environ.get("SKYDIR_FAULT_SEED", "1"))
PERMILLE = int(os.environ.get("SKYDIR_FAULT_PERMILLE", "50"))
FILES = int(os.environ.get("SKYDIR_FAULT_FILES", "120"))
FAST = {"upload-delay": "20ms", "part-size": "5M", "timeout": "60s", "log-level": "debug"}

# What goes wrong, and with which requests. A bit that flips in a listing over plain http shows no trace, so that `corrupt`
# is for objects; there is no checksum of a range either: big objects are read undisturbed.
KINDS = {
    "500": ("*", "status", {"status": 500, "code": "InternalError"}),
    "503 slow down": ("*", "status", {"status": 503, "code": "SlowDown", "retry_after": 1}),
    "429": ("*", "status", {"status": 429, "code": "TooManyRequests"}),
    "reset before": ("*", "reset-before", {}),
    "reset midway": ("*", "reset-mid", {}),
    "reset after": ("*", "reset-after", {}),
    "truncated": ("*", "truncate", {}),
    "stall": ("*", "stall", {"ms": 700}),
    "corrupt down": ("G", "corrupt", {"match": "/f"}),
    "corrupt up": ("PU", "corrupt-up", {}),
    "expired token": ("*", "status", {"status": 400, "code": "ExpiredToken"}),
}


def disturb(proxy, kinds, permille, seed):
    for number, kind in enumerate(kinds):
        ops, how, more = KINDS[kind]
        for op in ops:
            proxy.fault(op, how, count=0, permille=permille, seed=seed * 1000 + number, label=kind, **more)


def leave_figures(name, work, counters, seconds):
    place = os.environ.get("SKYDIR_FAULT_FIGURES")
    if place:
        figures = {"kind": name, "seed": SEED, "requests": counters["requests"], "faults": counters["faults_by"],
                   "operations": work.operations, "bytes_checked": work.bytes_checked, "seconds": round(seconds, 1)}
        (pathlib.Path(place) / f"{name.replace(' ', '-')}-{SEED}.json").write_text(json.dumps(figures))


def fresh_keys(m):
    """A process that gives new session credentials each time it is asked, and how often that was."""
    asked = m.dir / "asked"
    script = m.dir / "keys.sh"
    script.write_text(f"""#!/bin/sh
echo x >> {asked}
n=$(wc -l < {asked})
echo "{{\\"Version\\": 1, \\"AccessKeyId\\": \\"{m.server.key}\\", \\"SecretAccessKey\\": \\"{m.server.secret}\\",
\\"SessionToken\\": \\"session-$n-token\\", \\"Expiration\\": \\"2099-01-01T00:00:00Z\\"}}"
""")
    script.chmod(0o700)
    aws = m.dir / "home" / ".aws"
    aws.mkdir(mode=0o700, exist_ok=True)
    (aws / "config").write_text(f"[profile fresh]\ncredential_process = {script}\n")
    m.store_config.update({"access-key-id": None, "secret-access-key": None, "profile": "fresh"})
    return lambda: len(asked.read_text().splitlines()) if asked.exists() else 0


def survive(m, name, kinds, permille=PERMILLE, files=FILES):
    """The day's work with these faults; then all of it read by a machine that has never seen it."""
    started = time.monotonic()
    m.proxy.reset()
    disturb(m.proxy, kinds, permille, SEED)
    work = Work(m, SEED, files)
    work.steps()
    m.umount()
    counters = m.proxy.counters()
    m.proxy.clear()
    work.check_store()
    disturb(m.proxy, kinds, permille, SEED + 1)
    m.remove_cache()
    m.mount()
    work.check_mount()
    after = m.proxy.counters()
    m.proxy.clear()
    assert m.status()["failed"] == 0
    assert not [k for k in work.mount.client.keys(m.bucket) if "conflict from" in k]
    leave_figures(name, work, after, time.monotonic() - started)
    return counters, after


@pytest.mark.parametrize("name", KINDS)
def test_the_right_bytes_arrive(make_mount, name):
    # moto takes any session token; what arrives damaged it does not notice, so the strict server has the rest
    m = make_mount("moto" if name == "expired token" else "s3", options=dict(FAST))
    asked = fresh_keys(m) if name == "expired token" else None
    m.start()
    _, after = survive(m, name, [name])
    assert set(after["faults_by"]) == {name} and after["faults_by"][name] > 0
    if asked:
        assert asked() >= 2


def test_the_right_bytes_arrive_with_all_at_once(make_mount):
    kinds = [k for k in KINDS if k != "expired token"]
    m = make_mount("s3", options=dict(FAST)).start()
    _, after = survive(m, "all mixed", kinds, max(1, PERMILLE // 3))
    assert sum(after["faults_by"].values()) > 10


# A bit that flips is noticed where a checksum goes along, which the test above is about; these differ from store to store.
ON_THE_WAY = ("500", "503 slow down", "429", "reset before", "reset midway", "reset after", "truncated")


@pytest.mark.parametrize("store", ["gcs", "azure"])
def test_the_right_bytes_arrive_on_other_clouds(make_mount, store):
    m = make_mount(store, options=dict(FAST)).start()
    _, after = survive(m, f"all mixed, {store}", ON_THE_WAY, max(1, PERMILLE // 3), files=FILES // 3)
    assert sum(after["faults_by"].values()) > 5


# ---- the clock ----


def test_a_clock_that_is_off_is_learnt_once(make_mount):
    m = make_mount("moto", options={"upload-delay": "20ms"})
    m.client.create_bucket(m.bucket)
    m.write_config()
    for skew_s in (3600, -7200):  # also when it is set while the mount stands
        m.proxy.clear()
        m.proxy.fault("*", "skew", count=0, skew_s=skew_s, label=f"skew {skew_s}")
        if skew_s == 3600:
            m.mount()
        (m.path / f"f{skew_s}").write_bytes(b"x" * 1000)
        m.sync()
        assert m.client.get(m.bucket, f"f{skew_s}") == b"x" * 1000
        for i in range(20):
            (m.path / f"g{skew_s}-{i}").write_bytes(b"y")
        m.sync()
        refused = m.proxy.counters()["faults_by"][f"skew {skew_s}"]
        assert 1 <= refused <= 10, "what was learnt is remembered: only requests already under way are refused"


# ---- credentials that end midway ----


def test_expired_credentials_are_fetched_anew(make_mount):
    m = make_mount("moto", options={"upload-delay": "20ms", "log-level": "debug"})
    asked = fresh_keys(m)
    m.start()
    (m.path / "a").write_bytes(b"first")
    m.sync()
    assert asked() == 1
    m.proxy.fault("*", count=0, status=400, code="ExpiredToken", head="session-1-token", label="expired")
    (m.path / "b").write_bytes(b"second")
    assert (m.path / "a").read_bytes() == b"first"
    m.sync()
    assert m.client.get(m.bucket, "b") == b"second"
    assert asked() == 2 and m.proxy.counters()["faults_by"]["expired"] >= 1
    assert "session-2-token" not in m.log.read_text()


# ---- an answer that is lost after the deed ----


@pytest.mark.parametrize("op", "PUFICKDM")
def test_a_lost_answer_is_no_conflict(make_mount, op):
    m = make_mount("s3", options={"upload-delay": "20ms", "part-size": "5M"}).start()
    os.listdir(m.path)
    first, second = os.urandom(11 << 20), os.urandom(12 << 20)

    def lose():
        m.proxy.fault(op, "reset-after", count=2, label="lost")

    for content, small in ((first, b"one"), (second, b"two")):
        lose()
        (m.path / "small").write_bytes(small)
        (m.path / "big").write_bytes(content)
        m.sync()
        m.proxy.clear()
    (m.path / "gone1").write_bytes(b"1")
    (m.path / "gone2").write_bytes(b"2")
    (m.path / "dir").mkdir()
    (m.path / "dir" / "x").write_bytes(b"x")
    m.sync()
    lose()
    os.rename(m.path / "small", m.path / "moved")
    (m.path / "gone1").unlink()
    m.sync()
    (m.path / "gone2").unlink()
    os.rename(m.path / "dir", m.path / "dir2")
    m.sync()
    m.proxy.clear()
    with open(m.path / "big", "ab") as f:
        lose()
        f.write(b"end")
    m.sync()
    m.proxy.clear()
    assert m.keys() == ["big", "dir2/x", "moved"]
    assert m.client.get(m.bucket, "big") == second + b"end"
    assert m.client.get(m.bucket, "moved") == b"two"
    assert m.client.uploads(m.bucket) == []
    if op in "PUFIC":
        assert m.proxy.counters()["faults_by"]["lost"] >= 2
    assert "upload.conflict" not in m.log.read_text()


# ---- the server is gone ----


def test_with_the_server_down_writing_goes_on_and_drains_by_itself(make_mount):
    m = make_mount("s3", options={"upload-delay": "20ms", "timeout": "3s"}).start()
    work = Work(m, SEED)
    work.write("d/before", b"0" * 5000)
    work.settle()
    os.listdir(m.path)
    m.proxy.down()
    for i in range(30):
        work.write(f"d/f{i}", work.random.randbytes(3000 * (i + 1)))
    work.append("d/f1", b"more")
    work.rename("d/f2", "d/g2")
    work.remove("d/f3")
    work.write("new/dir/deep", b"deep")
    work.check_mount()
    errors = eventually(lambda: {u["error"] for u in m.status()["uploads"] if "error" in u}, what="tries that fail")
    assert all("127.0.0.1" in e for e in errors), errors
    assert m.status()["dirty"]["files"] >= 30
    assert not all(e["over"] for e in m.status()["errors"])
    m.proxy.up()
    eventually(lambda: m.status()["dirty"]["files"] == 0 and m.status()["pending"] == 0, timeout=90,
               what="all uploads, with nobody's help")
    assert all(e["over"] for e in m.status()["errors"]), "what failed and is done now is history"
    assert m.skydir("status", m.top).stdout.split("failed")[0].rstrip().splitlines()[1].endswith(" 0")
    work.check_store()


def test_a_short_outage_is_not_heard_of(make_mount):
    """Reads and listings wait it out, though uploads that fail have used up what a host is spared by."""
    m = make_mount("s3", options={"upload-delay": "0s", "timeout": "60s", "log-level": "debug"}).start()
    data = os.urandom(100_000)
    for i in range(2):
        m.client.put(m.bucket, f"far{i}", data)
        m.client.put(m.bucket, f"d{i}/x", b"")
    os.listdir(m.path)
    for i in range(2):
        m.proxy.down()
        before = len(m.log.read_text())
        for k in range(40):
            (m.path / f"f{k}").write_bytes(b"x")
        with concurrent.futures.ThreadPoolExecutor() as pool:
            read = pool.submit((m.path / f"far{i}").read_bytes)
            listed = pool.submit(os.listdir, m.path / f"d{i}")
            eventually(lambda: read.done() or listed.done() or " attempt=7 " in m.log.read_text()[before:], timeout=30,
                       what="many attempts")
            m.proxy.up()
            assert read.result(60) == data and listed.result(60) == ["x"]
        m.sync()


def test_a_name_that_is_not_found(make_mount):
    """DNS says no: writing goes on; with the right name back (here: the configuration mended) all of it goes up."""
    m = make_mount("s3", options={"upload-delay": "20ms", "timeout": "3s", "meta-ttl": "10s"})
    m.client.create_bucket(m.bucket)
    m.store_config["endpoint"] = "http://skydir-test.invalid:1"
    m.store_config["path-style"] = "yes"
    m.write_config()
    m.mount()
    started = time.monotonic()
    with pytest.raises(OSError):
        os.listdir(m.path)
    assert time.monotonic() - started < 30
    m.umount("--now")
    del m.store_config["endpoint"]
    m.write_config()
    m.mount()
    os.listdir(m.path)
    assert os.listdir(m.path) == []


def test_a_name_that_is_found_again_while_the_mount_stands(make_mount):
    """The hosts file and the resolver are the mount's own, in a mount namespace."""
    m = make_mount("s3", options={"upload-delay": "20ms", "timeout": "3s", "meta-ttl": "1s"})
    hosts, resolver = m.dir / "hosts", m.dir / "resolv.conf"
    hosts.write_text("127.0.0.1 localhost\n")
    resolver.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    mine = f"mount --bind {hosts} /etc/hosts && mount --bind {resolver} /etc/resolv.conf"
    if os.geteuid() or subprocess.run(["unshare", "-m", "sh", "-c", mine], check=False, capture_output=True).returncode:
        pytest.skip("a mount namespace of one's own takes root")
    m.client.create_bucket(m.bucket)
    m.store_config.update({"endpoint": m.proxy.endpoint.replace("127.0.0.1", "skydir-cloud.test"), "path-style": "yes"})
    m.write_config()
    subprocess.run(["unshare", "-m", "sh", "-c", f'{mine} && exec "$@"', "sh", str(SKYDIR), "mount", str(m.top)],
                   env=m.environment(), stdin=subprocess.DEVNULL, check=True, timeout=60)
    inside = pathlib.Path(f"/proc/{m.pid}/root{m.path}")
    try:
        for _ in range(2):
            with pytest.raises(OSError):
                os.listdir(inside)
        hosts.write_text("127.0.0.1 localhost skydir-cloud.test\n")
        eventually(lambda: os.listdir(inside) == [], what="the name, with nobody's help")
        (inside / "f").write_bytes(b"found")
        eventually(lambda: m.client.get(m.bucket, "f") == b"found", what="the upload")
    finally:
        m.kill(signal.SIGTERM)


def test_slow_down_spares_the_server(make_mount):
    """503 with Retry-After: nobody comes back before."""
    m = make_mount("s3", options={"upload-delay": "10ms"}).start()
    m.proxy.fault("P", status=503, retry_after=3, count=1)
    (m.path / "f").write_bytes(b"x")
    started = time.monotonic()
    m.sync()
    assert time.monotonic() - started >= 2.9
    assert m.client.get(m.bucket, "f") == b"x"
