"""Wrong keys, absent servers, garbage and absurd answers: a clear error, the right code, and nothing is lost."""

import errno
import json
import os
import time

import pytest

from harness import eventually, fleet, is_mounted, run

SHORT = {"timeout": "3s"}


def failing_mount(m, *args, code, says=()):
    """`skydir mount` fails with this exit code, one line on stderr, and leaves nothing mounted."""
    done = m.mount(*args, check=False)
    assert done.returncode == code, (done.returncode, done.stderr)
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("skydir: "), done.stderr
    for text in says:
        assert str(text) in done.stderr, done.stderr
    assert not is_mounted(m.top)
    return done.stderr


# ---- the configuration ----


@pytest.mark.parametrize("text, line, key", (
    ("[skydir]\ncache-siz = 1G\n", 2, "cache-siz"),
    ("[skydir]\n\ncache-size = lots\n", 3, "cache-size"),
    ("[skydir]\nupload-delay = -1s\n", 2, "upload-delay"),
    ("[skydir]\non-conflict = maybe\n", 2, "on-conflict"),
    ("[s3]\ntype = s3\nendpoin = http://127.0.0.1:1\n", 3, "endpoin"),
    ("[s3]\ntype = s4\n", 2, "s4"),
    ("[s3]\ntype = s3\npath-style = perhaps\n", 3, "path-style"),
    ("[a/b]\ntype = s3\n", 1, "a/b"),
))
def test_a_mistake_in_the_file_is_named(make_mount, text, line, key):
    m = make_mount("local")
    m.config.write_text(text)
    failing_mount(m, code=2, says=(f"{m.config.name}:{line}", key))


@pytest.mark.parametrize("text", (b"no section = 1\n", b"[skydir\n", b"[skydir]\njust words\n", b"\xff\xfe\0\0", b"[" * 100_000,
                                  b"[skydir]\ncache-size = " + b"1" * 1_000_000))
def test_a_garbage_file_is_refused(make_mount, text):
    m = make_mount("local")
    m.config.write_bytes(text)
    done = m.mount(check=False)
    assert done.returncode == 2, done.stderr
    assert m.config.name in done.stderr and len(done.stderr) < 2000


def test_a_file_that_is_not_there(make_mount):
    m = make_mount("local")
    m.config.unlink(missing_ok=True)
    done = m.skydir("mount", m.top, "--config", m.dir / "nothing.conf", check=False)
    assert done.returncode in (2, 3)
    assert "nothing.conf" in done.stderr


def test_a_file_that_cannot_be_read(make_mount):
    m = make_mount("local")
    m.config.unlink(missing_ok=True)
    m.config.mkdir()
    done = m.mount(check=False)
    assert done.returncode in (1, 2, 4)
    assert str(m.config) in done.stderr


def test_wrong_usage(make_mount):
    m = make_mount("local")
    m.write_config()
    for args in (("mount",), ("mount", "-o", "no-such-option", m.top), ("mount", "--no-such", m.top), ("frobnicate",),
                 ("mount", "a", "b", "c"), ("umount",), ("mount", "-o", "cache-size=lots", m.top)):
        done = m.skydir(*args, check=False)
        assert done.returncode == 2, (args, done.stderr)
        assert done.stderr.startswith("skydir: ")


def test_a_mount_point_that_is_not_there(make_mount):
    m = make_mount("local")
    m.write_config()
    assert m.skydir("mount", m.dir / "no" / "where", check=False).returncode == 3
    (m.dir / "file").write_text("")
    assert m.skydir("mount", m.dir / "file", check=False).returncode in (1, 2)


def test_a_store_that_is_not_there(make_mount):
    m = make_mount("local", source="/nowhere/bucket")
    m.write_config()
    failing_mount(m, code=3, says=("nowhere",))


def test_secrets_are_never_shown(make_mount):
    m = make_mount("s3", options={"log-level": "debug"}).start()
    (m.path / "f").write_text("x")
    m.sync()
    m.status()
    shown = m.skydir("doctor", check=False)
    command_lines = run("cat", f"/proc/{m.pid}/cmdline").stdout
    everything = m.log.read_text() + shown.stdout + shown.stderr + command_lines + m.skydir("status").stdout
    assert m.server.secret not in everything


def test_json_errors(make_mount):
    m = make_mount("local")
    m.write_config()
    done = m.skydir("umount", m.top, "--output", "json", check=False)
    assert done.returncode == 3
    error = json.loads(done.stderr)
    assert {"code", "message", "retryable"} <= set(error.get("error", error))


# ---- credentials and servers ----


def test_wrong_secret(make_mount):
    m = make_mount("s3", source="/s3/{bucket}", store_config={"secret-access-key": "wrong"})
    m.client.create_bucket(m.bucket)
    m.write_config()
    failing_mount(m, code=4)


def test_wrong_key_id(make_mount):
    m = make_mount("s3", source="/s3/{bucket}", store_config={"access-key-id": "AKIDNOBODY"})
    m.client.create_bucket(m.bucket)
    m.write_config()
    done = m.mount(check=False)
    assert done.returncode in (3, 4), done.stderr  # this server says 404 for a key it does not know
    assert not is_mounted(m.top)


def test_wrong_secret_found_inside_the_mount(make_mount):
    m = make_mount("s3", store_config={"secret-access-key": "wrong"})
    m.client.create_bucket(m.bucket)
    m.client.put(m.bucket, "f", b"x")
    m.write_config()
    m.mount()
    with pytest.raises(OSError) as e:
        (m.path / "f").read_bytes()
    assert e.value.errno in (errno.EACCES, errno.EPERM)
    with pytest.raises(OSError) as e:
        os.listdir(m.path)
    assert e.value.errno in (errno.EACCES, errno.EPERM)


def test_expired_token(make_mount):
    m = make_mount("s3").start()
    m.client.put(m.bucket, "f", b"x")
    os.listdir(m.path)
    m.proxy.fault("G", count=0, status=400, code="ExpiredToken")
    with pytest.raises(OSError) as e:
        (m.path / "f").read_bytes()
    assert e.value.errno in (errno.EACCES, errno.EPERM)
    m.proxy.clear()
    eventually(lambda: (m.path / "f").read_bytes() == b"x", timeout=20)


def test_no_such_bucket(make_mount):
    m = make_mount("s3", source="/s3/never-made-bucket")
    m.write_config()
    failing_mount(m, code=3, says=("never-made-bucket",))


def test_no_such_bucket_inside_the_mount(make_mount):
    for kind in ("local", "s3"):
        m = make_mount(kind).start()
        with pytest.raises(FileNotFoundError):
            os.listdir(m.root / "never-made")
        with pytest.raises(FileNotFoundError):
            (m.root / "never-made" / "f").write_text("x")


def test_names_that_no_bucket_may_have(make_mount):
    m = make_mount("s3").start()
    for name in ("UPPER", "a", "x" * 64, "with space"):
        with pytest.raises(OSError):
            os.mkdir(m.root / name)
    with pytest.raises(OSError):
        (m.root / "a-file-among-buckets").write_text("x")


def test_server_down_from_the_start(make_mount):
    m = make_mount("s3", source="/s3/{bucket}", options=SHORT)
    m.proxy.down()
    m.write_config()
    started = time.monotonic()
    failing_mount(m, code=5)
    assert time.monotonic() - started < 30
    m.proxy.up()


def test_server_gone_midway(make_mount):
    m = make_mount("s3", options={**SHORT, "upload-delay": "50ms"}).start()
    m.client.put(m.bucket, "cached", b"seen before")
    m.client.put(m.bucket, "other", b"never read")
    assert (m.path / "cached").read_bytes() == b"seen before"
    os.listdir(m.path)
    m.proxy.down()
    started = time.monotonic()
    # Cached reads and writes go on; the rest fails in time.
    assert (m.path / "cached").read_bytes() == b"seen before"
    (m.path / "written").write_text("while it was gone")
    assert (m.path / "written").read_text() == "while it was gone"
    with pytest.raises(OSError) as e:
        (m.path / "other").read_bytes()
    assert e.value.errno in (errno.EIO, errno.EHOSTUNREACH, errno.ETIMEDOUT, errno.ENETUNREACH, errno.ECONNREFUSED)
    assert time.monotonic() - started < 20
    m.proxy.up()
    assert m.read("written") == b"while it was gone"
    eventually(lambda: (m.path / "other").read_bytes() == b"never read")


def test_sync_says_what_is_not_in_the_cloud(make_mount):
    m = make_mount("s3", options={**SHORT, "upload-delay": "50ms"}).start()
    m.proxy.fault("P", count=0, status=403, code="AccessDenied")
    (m.path / "refused").write_text("mine")
    done = m.skydir("sync", m.top, check=False)
    assert done.returncode != 0
    assert "refused" in done.stderr
    status = m.status()
    assert "refused" in json.dumps(status)
    assert (m.path / "refused").read_text() == "mine"
    m.proxy.clear()

    def stored():
        m.skydir("sync", m.top, check=False)
        return m.client.get(m.bucket, "refused") == b"mine"

    eventually(stored)


@pytest.mark.parametrize("cut", (lambda path: open(path, "wb"), lambda path: os.truncate(path, 0),
                                 lambda path: os.truncate(path, 3)), ids=("open", "truncate", "shorten"))
def test_a_cut_that_is_refused_changes_nothing(make_mount, cut):
    m = make_mount("s3", options={**SHORT, "upload-delay": "50ms"}).start()
    m.client.put(m.bucket, "kept", b"what was there")
    assert os.listdir(m.path) == ["kept"]
    m.proxy.fault("P", count=0, status=403, code="AccessDenied")
    (m.path / "refused").write_text("mine")
    m.skydir("sync", m.top, check=False)  # from now on the bucket takes no changes
    with pytest.raises(PermissionError):
        cut(m.path / "kept")
    assert (m.path / "kept").stat().st_size == len(b"what was there")
    assert (m.path / "kept").read_bytes() == b"what was there"
    m.proxy.clear()


# ---- faults on the way ----

RETRIED = (("status", {"status": 503, "retry_after": 0}), ("status", {"status": 500, "code": "InternalError"}),
           ("reset-before", {}), ("reset-mid", {}), ("reset-after", {}), ("truncate", {}))


@pytest.mark.parametrize("kind, more", RETRIED, ids=[f"{k} {m.get('status', '')}".strip() for k, m in RETRIED])
def test_reads_survive_faults(make_mount, kind, more):
    m = make_mount("s3").start()
    data = os.urandom(700_000)
    m.client.put(m.bucket, "f", data)
    m.proxy.fault("*", kind, count=2, **more)
    assert os.listdir(m.path) == ["f"]
    m.proxy.fault("G", kind, count=2, **more)
    assert (m.path / "f").read_bytes() == data


@pytest.mark.parametrize("kind, more", RETRIED, ids=[f"{k} {m.get('status', '')}".strip() for k, m in RETRIED])
def test_writes_survive_faults(make_mount, kind, more):
    m = make_mount("s3").start()
    os.listdir(m.path)
    data, big = os.urandom(50_000), os.urandom(20 << 20)
    for op in "PUFI":
        m.proxy.fault(op, kind, count=2, **more)
    (m.path / "f").write_bytes(data)
    (m.path / "big").write_bytes(big)
    assert m.read("f") == data
    assert m.client.get(m.bucket, "big") == big
    assert m.keys() == ["big", "f"]


def test_slow_down_is_obeyed(make_mount):
    m = make_mount("s3").start()
    m.client.put(m.bucket, "f", b"x")
    os.listdir(m.path)
    m.proxy.fault("G", count=1, status=503, retry_after=2)
    started = time.monotonic()
    assert (m.path / "f").read_bytes() == b"x"
    assert time.monotonic() - started >= 1.9


def test_a_stalled_read_is_tried_again_or_fails_in_time(make_mount):
    m = make_mount("s3", options={"timeout": "6s"}).start()
    m.client.put(m.bucket, "f", b"x" * 200_000)
    os.listdir(m.path)
    m.proxy.fault("G", "stall", count=0)
    started = time.monotonic()
    with pytest.raises(OSError):
        (m.path / "f").read_bytes()
    assert time.monotonic() - started < 30
    m.proxy.clear()
    eventually(lambda: (m.path / "f").read_bytes() == b"x" * 200_000, timeout=30)


def test_corrupt_uploads_are_noticed(make_mount):
    m = make_mount("s3").start()
    data = os.urandom(300_000)
    m.proxy.fault("P", "corrupt-up", count=1)
    (m.path / "f").write_bytes(data)
    assert m.read("f") == data


def test_corrupt_downloads_are_noticed_where_the_server_gives_a_checksum(make_mount):
    m = make_mount("s3").start()
    data = os.urandom(300_000)
    m.client.put(m.bucket, "f", data, ChecksumAlgorithm="CRC32")
    os.listdir(m.path)
    m.proxy.fault("G", "corrupt", count=1)
    assert (m.path / "f").read_bytes() == data


GARBAGE = ("not xml at all", "<a><b></a>", "<" * 3000, "", "\0\0\0\0", "<ListBucketResult>", "{}", "<?xml version='1.0'?>",
           "<!DOCTYPE x [<!ENTITY a 'b'><!ENTITY c '&a;&a;&a;&a;'>]><ListBucketResult>&c;</ListBucketResult>",
           "<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><ListBucketResult><Name>&a;</Name></ListBucketResult>",
           "<ListBucketResult><Contents><Key>../../x</Key><Size>-1</Size></Contents></ListBucketResult>",
           "<ListBucketResult><Contents><Key>f</Key><Size>99999999999999999999999</Size></Contents></ListBucketResult>",
           "<ListBucketResult>" + "<a>" * 1000, "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>")


@pytest.mark.parametrize("body", GARBAGE, ids=[f"{i}" for i in range(len(GARBAGE))])
def test_garbage_for_a_listing(make_mount, body):
    m = make_mount("s3", options=SHORT).start()
    m.client.put(m.bucket, "f", b"x")
    m.proxy.fault("L", count=0, status=200, body=body)
    started = time.monotonic()
    try:
        names = os.listdir(m.path)
    except OSError:
        pass
    else:
        assert not [n for n in names if "/" in n or n in (".", "..")]
    assert time.monotonic() - started < 30
    m.proxy.clear()
    assert m.skydir("status").returncode == 0
    eventually(lambda: (m.path / "f").read_bytes() == b"x", timeout=90)


@pytest.mark.parametrize("body", GARBAGE[:6], ids=[f"{i}" for i in range(6)])
def test_garbage_for_errors_and_completions(make_mount, body):
    m = make_mount("s3", options={**SHORT, "upload-delay": "50ms"}).start()
    data = os.urandom(18 << 20)
    m.proxy.fault("F", count=1, status=200, body=body)
    m.proxy.fault("P", count=1, status=400, body=body)
    (m.path / "big").write_bytes(data)
    (m.path / "small").write_text("x")

    def stored():
        m.skydir("sync", m.top, check=False)
        return m.client.get(m.bucket, "big") == data and m.client.get(m.bucket, "small") == b"x"

    eventually(stored, timeout=90)


def test_an_error_inside_a_200_is_an_error(make_mount):
    m = make_mount("s3").start()
    error = "<Error><Code>InternalError</Code><Message>inside 200</Message></Error>"
    data = os.urandom(18 << 20)
    m.proxy.fault("F", count=1, status=200, body=error)
    m.proxy.fault("C", count=1, status=200, body=error)
    (m.path / "big").write_bytes(data)
    assert m.read("big") == data
    (m.path / "small").write_bytes(b"x" * 1000)
    m.sync()
    os.rename(m.path / "small", m.path / "moved")
    assert m.read("moved") == b"x" * 1000
    assert m.keys() == ["big", "moved"]


def test_an_absurd_content_length(make_mount):
    m = make_mount("s3", options=SHORT).start()
    m.client.put(m.bucket, "f", b"x")
    m.proxy.fault("H", count=0, status=200, body="", header="X-Content-Length: 1\r\nETag: \"" + "e" * 200 + "\"")
    started = time.monotonic()
    try:
        os.stat(m.path / "f")
    except OSError:
        pass
    assert time.monotonic() - started < 30
    m.proxy.clear()
    assert m.status()


def test_a_redirect_to_elsewhere_does_not_leak_or_loop(make_mount):
    m = make_mount("s3", options=SHORT).start()
    m.client.put(m.bucket, "f", b"x")
    m.proxy.fault("*", count=0, status=301, header="Location: http://127.0.0.1:1/",
                  body="<Error><Code>PermanentRedirect</Code><Endpoint>127.0.0.1:1</Endpoint></Error>")
    started = time.monotonic()
    with pytest.raises(OSError):
        (m.path / "f").read_bytes()
    assert time.monotonic() - started < 30
    m.proxy.clear()


def test_a_server_that_answers_no_http(make_mount):
    import socket
    import threading

    listener = socket.create_server(("127.0.0.1", 0))

    def babble():
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer:
                peer.recv(1000)
                peer.sendall(b"220 mail.example.org ESMTP\r\n" * 10)

    threading.Thread(target=babble, daemon=True).start()
    m = make_mount("s3", source="/s3/{bucket}", options=SHORT,
                   store_config={"endpoint": f"http://127.0.0.1:{listener.getsockname()[1]}"})
    m.write_config()
    done = m.mount(check=False)
    listener.close()
    assert done.returncode in (1, 5), done.stderr
    assert done.stderr.startswith("skydir: ")


def test_an_endpoint_that_makes_no_sense(make_mount):
    for endpoint in ("nonsense", "http://", "ftp://127.0.0.1/", "http://127.0.0.1:99999"):
        m = make_mount("s3", source="/s3/{bucket}", store_config={"endpoint": endpoint})
        m.write_config()
        done = m.mount(check=False)
        assert done.returncode in (1, 2, 5), (endpoint, done.stderr)
        assert done.stderr.startswith("skydir: ") and not is_mounted(m.top)


def test_the_cache_disk_is_not_there(make_mount):
    m = make_mount("local", options={"cache-dir": "/proc/no/such/place"})
    m.write_config()
    done = m.mount(check=False)
    assert done.returncode in (1, 2, 3, 4)
    assert "/proc/no" in done.stderr


def test_a_damaged_journal_does_not_stop_the_mount(make_mount):
    m = make_mount("s3", options={"upload-delay": "1h"}).start()
    (m.path / "f").write_text("x")
    m.umount("--now")
    journal = m.cache_dir / "journal.db"
    data = bytearray(journal.read_bytes())
    for i in range(min(len(data), 100)):
        data[i] ^= 0xFF
    journal.write_bytes(data)
    m.mount()
    (m.path / "g").write_text("goes on")
    assert m.read("g") == b"goes on"


def test_fleet_endpoints_are_local(versitygw, moto):
    assert versitygw.endpoint.startswith("http://127.0.0.1:") and moto.endpoint.startswith("http://127.0.0.1:")
    assert fleet.KEY != fleet.SECRET
