"""A full disk, a full cache, few descriptors, little memory: writers wait or hear ENOSPC, and what was there stays whole."""

import contextlib
import errno
import os
import resource
import subprocess
import threading
import time

import pytest

from harness import eventually

MIB = 1 << 20


@contextlib.contextmanager
def small_disk(place, megabytes):
    """A tmpfs, as root may mount it."""
    place.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "tmpfs", place], capture_output=True)
    if done.returncode:
        pytest.skip("only root can mount a small disk")
    try:
        yield place
    finally:
        for _ in range(50):
            if subprocess.run(["umount", place], capture_output=True).returncode == 0:
                break
            time.sleep(0.2)
        else:
            subprocess.run(["umount", "-l", place], check=False)


def write_until_full(m, prefix, size=MIB, most=200):
    """Files until one fails; those that were written and closed, and the error."""
    written = {}
    for i in range(most):
        name, data = f"{prefix}{i}", os.urandom(size)
        try:
            (m.path / name).write_bytes(data)
        except OSError as e:
            return written, e
        written[name] = data
    return written, None


def all_there(m, written):
    eventually(lambda: m.skydir("sync", m.top, check=False).returncode == 0 or None, timeout=90)
    for name, data in written.items():
        assert m.client.get(m.bucket, name) == data, name


@pytest.mark.parametrize("server_is", ("up", "down"))
def test_a_full_cache_disk(make_mount, server_is):
    m = make_mount("s3", options={"upload-delay": "20ms", "free-space-floor": "0", "timeout": "3s"})
    with small_disk(m.cache_dir, 24):
        m.start()
        os.listdir(m.path)
        if server_is == "down":
            m.proxy.down()
        started = time.monotonic()
        written, problem = write_until_full(m, "f", most=60)
        if server_is == "up":
            assert problem is None, "with uploads going on there is always room again"
            assert len(written) == 60
        else:
            assert problem.errno == errno.ENOSPC and len(written) > 5
            assert time.monotonic() - started < 60
            m.proxy.up()
        all_there(m, written)
        for name, data in written.items():
            assert (m.path / name).read_bytes() == data
        (m.path / "after").write_bytes(b"goes on")
        assert m.read("after") == b"goes on"
        m.umount()


def test_cache_size_reached_with_dirty_data_only(make_mount):
    m = make_mount("s3", options={"upload-delay": "20ms", "cache-size": "16M", "timeout": "4s"}).start()
    os.listdir(m.path)
    written, problem = write_until_full(m, "up", most=40)
    assert problem is None, "writers wait for uploads, then go on"
    m.sync()
    m.proxy.down()
    started = time.monotonic()
    more, problem = write_until_full(m, "down", most=60)
    took = time.monotonic() - started
    assert problem is not None and problem.errno == errno.ENOSPC, problem
    assert took < 45, "the time limit, and patience"
    assert len(more) <= 24, "the bound holds"
    m.proxy.up()
    all_there(m, {**written, **more})
    (m.path / "after").write_bytes(b"goes on")
    assert m.read("after") == b"goes on"


def test_a_writer_waits_as_long_as_uploads_move(make_mount):
    """Slow is not down: no ENOSPC while bytes get across."""
    m = make_mount("s3", options={"upload-delay": "0s", "cache-size": "8M", "timeout": "2s", "uploads": "2"}).start()
    os.listdir(m.path)
    m.proxy.set(rate=1_500_000)
    written, problem = write_until_full(m, "f", size=3 * MIB, most=7)
    assert problem is None, problem
    m.proxy.set(rate=0)
    all_there(m, written)


def test_few_descriptors(make_mount):
    m = make_mount("s3", options={"upload-delay": "20ms", "uploads": "4", "max-connections": "8"})
    m.client.create_bucket(m.bucket)
    m.write_config()
    old = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (96, old[1]))
    try:
        done = subprocess.run(["sh", "-c", 'ulimit -Hn 96 && exec "$@"', "sh", str(m_skydir()), "mount", str(m.top)],
                              env=m.environment(), capture_output=True, text=True, timeout=60)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, old)
    assert done.returncode == 0, done.stderr
    written, opened, problem = {}, [], None
    with contextlib.ExitStack() as stack:
        for i in range(120):
            try:
                opened.append(stack.enter_context(open(m.path / f"f{i}", "wb")))
                opened[-1].write(b"%d" % i)
                opened[-1].flush()
                written[f"f{i}"] = b"%d" % i
            except OSError as e:
                problem = e
                break
        assert problem is not None and problem.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC), problem
        assert len(written) > 10
        for name in list(written)[:3]:
            assert os.path.exists(m.path / name)
    all_there(m, written)
    (m.path / "after").write_bytes(b"goes on")
    assert m.read("after") == b"goes on"


def m_skydir():
    import harness
    return harness.SKYDIR


def test_little_address_space(make_mount):
    """With memory for little, big work still gets through, or fails clearly; what was closed arrives."""
    import harness
    if harness.is_sanitized():
        pytest.skip("sanitizers need their address space")
    m = make_mount("s3", options={"upload-delay": "20ms", "uploads": "4", "max-connections": "8"})
    m.client.create_bucket(m.bucket)
    m.write_config()
    done = subprocess.run(["sh", "-c", 'ulimit -v 700000 && exec "$@"', "sh", str(m_skydir()), "mount", str(m.top)],
                          env=m.environment(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    written, lock = {}, threading.Lock()

    def work(n):
        for i in range(10):
            data = os.urandom(500_000)
            with contextlib.suppress(OSError):
                (m.path / f"w{n}-{i}").write_bytes(data)
                with lock:
                    written[f"w{n}-{i}"] = data

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(120)
    assert len(written) > 10
    all_there(m, written)
