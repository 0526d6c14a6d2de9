"""Mounting, ending, and what happens to what was written when the end comes early."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import threading
import time

import pytest

import harness
from harness import SKYDIR, daemons_of, eventually, is_mounted, run

# So long that nothing is uploaded unless somebody asks.
HOLD = pytest.mark.options(upload_delay="1h")


def test_the_mount_answers_when_the_command_returns(make_mount):
    m = make_mount("local")
    m.client.create_bucket(m.bucket)
    m.write_config()
    m.mount()
    assert os.listdir(m.top) == ["local"]
    assert os.listdir(m.root) == [m.bucket]


def test_nothing_is_left_after_umount(mount):
    (mount.path / "f").write_text("x")
    pid = mount.pid
    mount.umount()
    assert not is_mounted(mount.top)
    assert pid not in daemons_of(mount.dir / "run")
    assert os.listdir(mount.top) == []
    assert mount.client.get(mount.bucket, "f") == b"x"
    assert not [n for n in os.listdir(mount.dir / "run") if n.endswith(".sock")]


@HOLD
def test_umount_drains(mount):
    for i in range(20):
        (mount.path / f"f{i}").write_bytes(os.urandom(10_000))
    assert mount.client.keys(mount.bucket) == []
    mount.umount()
    assert len(mount.client.keys(mount.bucket)) == 20


def test_umount_waits_for_who_writes(mount):
    (mount.path / "f").write_text("first ")
    with open(mount.path / "f", encoding="utf-8") as reader, open(mount.path / "f", "a", encoding="utf-8") as writer:
        writer.write("second ")
        writer.flush()
        done = mount.skydir("umount", mount.top, check=False)
        assert done.returncode == 6 and f"/{mount.bucket}/f' open for writing" in done.stderr and "--now" in done.stderr
        assert mount.client.get(mount.bucket, "f") == b"first second "  # uploaded all the same
        assert len(mount.status()["written"]) == 1
        writer.write("third")
        writer.close()
        mount.umount()  # who only reads loses nothing
        assert not is_mounted(mount.top) and reader
    assert mount.client.get(mount.bucket, "f") == b"first second third"
    mount.mount()
    g = os.open(mount.path / "g", os.O_WRONLY | os.O_CREAT)
    mount.umount("--now")
    assert not is_mounted(mount.top)
    with pytest.raises(OSError, match="not connected"):
        os.close(g)


@HOLD
def test_umount_now_leaves_the_rest_for_the_next_mount(mount):
    (mount.path / "f").write_text("later")
    mount.umount("--now")
    assert mount.client.get(mount.bucket, "f") is None
    mount.mount()
    assert (mount.path / "f").read_text() == "later"
    assert mount.read("f") == b"later"


@HOLD
def test_sync_uploads_and_says_so(mount):
    (mount.path / "f").write_text("x")
    assert mount.client.get(mount.bucket, "f") is None
    assert mount.skydir("sync", mount.path / "f").returncode == 0
    assert mount.client.get(mount.bucket, "f") == b"x"


@HOLD
def test_sync_without_a_mount_uploads_what_was_left(mount):
    (mount.path / "d").mkdir()
    (mount.path / "d" / "f").write_text("orphan")
    mount.umount("--now")
    done = mount.skydir("status", "-o", "json")
    orphans = json.loads(done.stdout)["orphans"]
    assert [o["dirty"]["files"] for o in orphans] == [1]
    mount.skydir("sync")
    assert mount.client.get(mount.bucket, "d/f") == b"orphan"


@HOLD
def test_status_tells_what_is_dirty(mount):
    status = mount.status()
    assert status["dirty"]["files"] == 0
    (mount.path / "f").write_bytes(b"x" * 12345)
    status = mount.status()
    assert status["dirty"]["files"] == 1
    assert status["dirty"]["bytes"] == 12345
    assert status["mountpoint"] == str(mount.top)
    assert mount.skydir("status").stdout.strip()
    mount.sync()
    status = mount.status()
    assert status["dirty"]["files"] == 0


@HOLD
def test_kill_9_loses_nothing(mount):
    mount.client.put(mount.bucket, "old", b"old content")
    mount.client.put(mount.bucket, "gone", b"to be removed")
    expected = {}
    (mount.path / "d").mkdir()
    for i in range(30):
        expected[f"d/f{i}"] = os.urandom(5000 + i)
        (mount.path / "d" / f"f{i}").write_bytes(expected[f"d/f{i}"])
    with open(mount.path / "old", "ab") as f:
        f.write(b" and new")
    expected["old"] = b"old content and new"
    os.rename(mount.path / "d" / "f0", mount.path / "renamed")
    expected["renamed"] = expected.pop("d/f0")
    os.unlink(mount.path / "gone")
    os.unlink(mount.path / "d" / "f1")
    del expected["d/f1"]
    mount.kill(signal.SIGKILL)
    mount.unmount_lazily()
    mount.mount()
    for key, data in expected.items():
        assert (mount.path / key).read_bytes() == data, key
    assert mount.keys() == sorted(expected)
    for key, data in expected.items():
        assert mount.client.get(mount.bucket, key) == data, key


@HOLD
def test_kill_9_while_a_file_is_open(mount):
    fd = os.open(mount.path / "f", os.O_WRONLY | os.O_CREAT)
    os.write(fd, b"acknowledged")
    mount.kill(signal.SIGKILL)
    mount.unmount_lazily()
    with pytest.raises(OSError):
        os.close(fd)
    mount.mount()
    assert (mount.path / "f").read_bytes() == b"acknowledged"
    assert mount.read("f") == b"acknowledged"


def test_mounting_again_over_a_dead_mount(mount):
    (mount.path / "f").write_text("x")
    mount.kill(signal.SIGKILL)
    with pytest.raises(OSError):
        os.listdir(mount.top)
    done = mount.skydir("mount", mount.top, check=False)
    if done.returncode != 0:
        assert "umount" in done.stderr  # it says what to do
        mount.skydir("umount", mount.top)
        mount.mount()
    assert (mount.path / "f").read_text() == "x"


@HOLD
@pytest.mark.parametrize("number", (signal.SIGTERM, signal.SIGINT))
def test_a_signal_drains_and_unmounts(mount, number):
    (mount.path / "f").write_text("x")
    mount.kill(number)
    eventually(lambda: not is_mounted(mount.top))
    assert mount.client.get(mount.bucket, "f") == b"x"


@HOLD
@pytest.mark.stores("s3")
def test_a_second_signal_leaves_the_rest_to_the_journal(mount):
    (mount.path / "f").write_bytes(os.urandom(100_000))
    mount.proxy.fault("*", "stall", count=0, at=0)
    mount.proxy.fault("P", "delay", count=0, ms=60_000)
    pid = mount.pid
    os.kill(pid, signal.SIGTERM)
    time.sleep(0.5)
    started = time.monotonic()
    os.kill(pid, signal.SIGTERM)
    eventually(lambda: pid not in daemons_of(mount.dir / "run"), timeout=20)
    assert time.monotonic() - started < 20
    mount.unmount_lazily()
    mount.proxy.clear()
    mount.mount()
    assert len(mount.read("f")) == 100_000


def test_fusermount_u_drains_too(mount):
    (mount.path / "f").write_text("x")
    run("fusermount3", "-u", mount.top)
    eventually(lambda: not daemons_of(mount.dir / "run"), what="the daemon's end")
    assert mount.client.get(mount.bucket, "f") == b"x"


def test_foreground(make_mount):
    m = make_mount("local")
    m.client.create_bucket(m.bucket)
    m.write_config()
    with open(m.dir / "stderr", "wb") as err:
        p = subprocess.Popen([SKYDIR, "mount", m.top, "-f"], env=m.environment(), stdin=subprocess.DEVNULL,
                             stdout=err, stderr=err)
    try:
        eventually(lambda: is_mounted(m.top) and os.listdir(m.top))
        (m.path / "f").write_text("x")
        p.send_signal(signal.SIGINT)
        assert p.wait(30) == 0
        assert m.client.get(m.bucket, "f") == b"x"
        assert not is_mounted(m.top)
    finally:
        if p.poll() is None:
            p.kill()
            p.wait()
            m.unmount_lazily()


def test_a_second_mount_of_the_same_cache_is_refused(mount):
    other = mount.dir / "other"
    other.mkdir()
    done = mount.skydir("mount", other, check=False)
    assert done.returncode == 6
    assert str(mount.pid) in done.stderr
    assert not is_mounted(other)


def test_mounting_twice_at_one_place_is_refused(mount):
    done = mount.skydir("mount", mount.top, check=False)
    assert done.returncode == 6
    assert "already" in done.stderr


def test_umount_of_what_is_no_mount(make_mount):
    m = make_mount("local")
    m.write_config()
    assert m.skydir("umount", m.top, check=False).returncode == 3


@pytest.mark.parametrize("source", ("/{store}/{{bucket}}", "/{store}/{{bucket}}/pre/fix"))
@pytest.mark.parametrize("kind", ("local", "s3"))
def test_mounting_a_part(make_mount, kind, source):
    m = make_mount(kind, source=source.format(store="local" if kind == "local" else "s3"))
    prefix = "pre/fix/" if source.endswith("fix") else ""
    m.client.create_bucket(m.bucket)
    m.client.put(m.bucket, prefix + "theirs", b"t")
    m.client.put(m.bucket, "outside", b"o")
    m.start(create_bucket=False)
    assert (m.top / "theirs").read_bytes() == b"t"
    assert os.path.exists(m.top / "outside") == (prefix == "")
    (m.top / "d").mkdir()
    (m.top / "d" / "ours").write_text("x")
    assert m.read(prefix + "d/ours") == b"x"


def test_changes_of_others_are_seen_after_a_while(make_mount):
    m = make_mount("s3", options={"meta-ttl": "300ms"}).start()
    m.client.put(m.bucket, "f", b"one")
    assert (m.path / "f").read_bytes() == b"one"
    m.client.put(m.bucket, "f", b"two, longer")
    m.client.put(m.bucket, "g", b"new")
    eventually(lambda: (m.path / "f").read_bytes() == b"two, longer", timeout=20)
    eventually(lambda: sorted(os.listdir(m.path)) == ["f", "g"], timeout=20)
    m.client.delete(m.bucket, "g")
    eventually(lambda: os.listdir(m.path) == ["f"], timeout=20)


@HOLD
@pytest.mark.stores("s3", "moto")
def test_no_lost_update_keep_both(mount):
    mount.client.put(mount.bucket, "f", b"base")
    with open(mount.path / "f", "a+b") as f:
        f.seek(0)
        assert f.read() == b"base"
        f.write(b" mine")
    mount.client.put(mount.bucket, "f", b"theirs")
    mount.sync()
    keys = mount.client.keys(mount.bucket)
    contents = {mount.client.get(mount.bucket, k) for k in keys}
    assert contents == {b"theirs", b"base mine"}, keys
    assert mount.client.get(mount.bucket, "f") == b"theirs"


@HOLD
@pytest.mark.stores("s3")
@pytest.mark.options(upload_delay="1h", on_conflict="overwrite")
def test_on_conflict_overwrite(mount):
    mount.client.put(mount.bucket, "f", b"base")
    with open(mount.path / "f", "a+b") as f:
        f.seek(0)
        assert f.read() == b"base"
        f.write(b" mine")
    mount.client.put(mount.bucket, "f", b"theirs")
    mount.sync()
    assert mount.client.get(mount.bucket, "f") == b"base mine"
    assert mount.client.keys(mount.bucket) == ["f"]


@HOLD
@pytest.mark.stores("s3", "moto")
def test_a_conflict_whose_base_is_gone_is_not_hidden(mount):
    # What was not fetched before the others replaced it is nowhere any more: that must be said.
    mount.client.put(mount.bucket, "f", b"base")
    with open(mount.path / "f", "ab") as f:
        f.write(b" mine")
    mount.client.put(mount.bucket, "f", b"theirs")
    done = mount.skydir("sync", mount.top, check=False)
    assert mount.client.get(mount.bucket, "f") == b"theirs"
    assert done.returncode != 0 and "f" in done.stderr
    assert mount.status()["dirty"]["files"] == 1 or mount.status()["errors"]


@HOLD
@pytest.mark.stores("s3", "moto")
@pytest.mark.options(upload_delay="1h", on_conflict="overwrite")
def test_on_conflict_overwrite_when_the_object_is_gone(mount):
    mount.client.put(mount.bucket, "f", b"base")
    with open(mount.path / "f", "a+b") as f:
        f.seek(0)
        assert f.read() == b"base"
        f.write(b" mine")
    mount.client.delete(mount.bucket, "f")
    mount.sync()
    assert mount.client.get(mount.bucket, "f") == b"base mine"
    assert mount.client.keys(mount.bucket) == ["f"]


@HOLD
@pytest.mark.stores("s3", "moto")
@pytest.mark.options(upload_delay="1h", on_conflict="overwrite")
@pytest.mark.parametrize("others", (b"theirs", None), ids=("replaced", "deleted"))
def test_on_conflict_overwrite_does_not_make_up_what_was_never_read(mount, others):
    mount.client.put(mount.bucket, "f", b"base")
    with open(mount.path / "f", "ab") as f:
        f.write(b" mine")
    if others is None:
        mount.client.delete(mount.bucket, "f")
    else:
        mount.client.put(mount.bucket, "f", others)
    done = mount.skydir("sync", mount.top, check=False)
    assert mount.client.get(mount.bucket, "f") == others
    assert done.returncode != 0 and "f" in done.stderr
    (mount.path / "f").write_bytes(b"all mine")  # a new whole content needs no base
    mount.sync()
    assert mount.client.get(mount.bucket, "f") == b"all mine"


def test_mount_t_skydir(make_mount):
    helper = pathlib.Path(harness.fleet.TOP / "scripts" / "mount.skydir")
    if os.getuid() != 0 or not helper.exists():
        pytest.skip("only root can install a mount helper")
    m = make_mount("local")
    m.client.create_bucket(m.bucket)
    m.client.put(m.bucket, "f", b"by fstab")
    m.write_config()
    # As mount(8) calls it: SOURCE DIR [-sfnv] [-o OPTIONS]; the program is found beside an installed helper.
    place = m.dir / "sbin"
    place.mkdir()
    shutil.copy(helper, place / "mount.skydir")
    os.symlink(SKYDIR, place / "skydir")
    env = {**m.environment(), "PATH": f"{place}:{os.environ['PATH']}"}
    subprocess.run([place / "mount.skydir", f"/local/{m.bucket}", m.top, "-o",
                    f"rw,noauto,nofail,_netdev,x-systemd.automount,config={m.config}"],
                   env=env, check=True, timeout=60, stdin=subprocess.DEVNULL)
    assert is_mounted(m.top)
    assert (m.top / "f").read_bytes() == b"by fstab"


def test_what_is_installed_is_found_by_mount_8(make_mount):
    """mount(8) looks for its helpers in /sbin; a link there leads to where we are, and from there to the program."""
    build = pathlib.Path(SKYDIR).parent
    if os.getuid() != 0 or not shutil.which("cmake") or not (build / "cmake_install.cmake").exists():
        pytest.skip("needs root, cmake and a build directory")
    m = make_mount("local")
    m.client.create_bucket(m.bucket)
    m.client.put(m.bucket, "f", b"installed")
    m.write_config()
    dest = m.dir / "dest"
    run("cmake", "--install", build, "--prefix", "/usr/local", env={**os.environ, "DESTDIR": str(dest)})
    assert os.readlink(dest / "sbin/mount.skydir") == "/usr/local/sbin/mount.skydir"
    os.symlink(dest / "usr/local/sbin/mount.skydir", m.dir / "mount.skydir")
    run(m.dir / "mount.skydir", f"/local/{m.bucket}", m.top, "-o", f"rw,config={m.config}", env=m.environment())
    assert (m.top / "f").read_bytes() == b"installed"
    assert os.readlink(f"/proc/{m.pid}/exe") == str(dest / "usr/local/bin/skydir")


def test_reads_go_on_while_an_upload_is_slow(make_mount):
    m = make_mount("s3", options={"upload-delay": "10ms"}).start()
    m.client.put(m.bucket, "other", b"readable")
    m.proxy.fault("P", "delay", count=1, ms=4000)
    (m.path / "slow").write_bytes(b"x" * 1000)
    eventually(lambda: m.ops().get("P"))
    started = time.monotonic()
    assert (m.path / "other").read_bytes() == b"readable"
    (m.path / "another").write_text("x")
    assert sorted(os.listdir(m.path)) == ["another", "other", "slow"]
    assert time.monotonic() - started < 2


def test_a_parked_read_can_be_interrupted(make_mount):
    m = make_mount("s3").start()
    m.client.put(m.bucket, "f", b"x" * 100_000)
    m.proxy.fault("G", "stall", count=0, at=0)
    p = subprocess.Popen(["cat", str(m.path / "f")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    eventually(lambda: m.ops().get("G"))
    started = time.monotonic()
    p.send_signal(signal.SIGINT)
    p.wait(15)
    assert time.monotonic() - started < 10
    m.proxy.clear()


def test_one_stalled_directory_does_not_stop_the_others(make_mount):
    m = make_mount("s3").start()
    m.client.put(m.bucket, "d/f", b"x")
    m.client.put(m.bucket, "e/f", b"fine")
    m.proxy.fault("*", "stall", count=0, at=0, match="d%2F")
    m.proxy.fault("*", "stall", count=0, at=0, match="/d/")
    threads = [threading.Thread(target=os.path.exists, args=(m.path / "d" / f"x{i}",), daemon=True)
               for i in range(8)]
    for t in threads:
        t.start()
    time.sleep(0.3)
    started = time.monotonic()
    assert (m.path / "e" / "f").read_bytes() == b"fine"
    assert time.monotonic() - started < 5
    m.proxy.clear()
    m.proxy.down()
    m.proxy.up()
    for t in threads:
        t.join(60)
    assert not any(t.is_alive() for t in threads)
