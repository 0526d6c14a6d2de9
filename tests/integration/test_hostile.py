"""A server that means harm: memory stays bounded, calls end in time with a clear error, the mount lives, keys stay here."""

import datetime
import errno
import itertools
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

import pytest

import harness
from harness import eventually, fleet, is_sanitized, run

import hostile
from hostile import Hostile, answer, head, listing

SHORT = {"timeout": "3s", "meta-ttl": "0s"}
BOUND_S = 3 + 12  # timeout, and patience with a loaded machine
MEMORY_BOUND = 150 << 20


@pytest.fixture
def server():
    with Hostile() as s:
        yield s


def mount_on(make_mount, server, **more):
    m = make_mount("s3", server=server, proxy=None, options={**SHORT, **more.pop("options", {})}, **more)
    m.store_config["region"] = "us-east-1"
    m.write_config()
    m.mount()
    return m


def resident(m):
    fields = pathlib.Path(f"/proc/{m.pid}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGESIZE")


def ends(call, *expected):
    """The call fails in time (or succeeds, with nothing of what was not asked for); its error."""
    started = time.monotonic()
    try:
        call()
        problem = None
    except OSError as e:
        problem = e
    took = time.monotonic() - started
    assert took < BOUND_S, f"took {took:.1f} s"
    return problem


def alive(m, server):
    """Whatever came before: with sane answers the mount works."""
    server.answer = lambda r: listing(["sane"]) if "list-type" in r.split("\r\n")[0] else answer(b"x", ETag='"e"')

    def works():
        return os.listdir(m.root / "alive-bucket") == ["sane"]

    eventually(works, timeout=60)
    if not is_sanitized():
        assert resident(m) < MEMORY_BOUND, resident(m)


def endless(first, piece):
    yield first
    yield from itertools.repeat(piece)


def drip(first, byte=b" ", pause_s=0.3):
    yield first
    while True:
        time.sleep(pause_s)
        yield byte


ENDLESS_XML = b"<x>" + b"y" * 60_000 + b"</x>"
DEEP = b"<a>" * 500_000
BOMB = (b'<!DOCTYPE l [<!ENTITY a "aaaaaaaaaa">' +
        b"".join(b'<!ENTITY %c "%s">' % (98 + i, b"&%c;" % (97 + i) * 10) for i in range(9)) +
        b"]><ListBucketResult><Name>&j;</Name></ListBucketResult>")

LISTINGS = {
    "endless headers": lambda r: endless(b"HTTP/1.1 200 OK\r\n", b"X-Pad: " + b"p" * 8000 + b"\r\n"),
    "an endless header line": lambda r: endless(b"HTTP/1.1 200 OK\r\nX-Pad: ", b"p" * 65536),
    "an endless status line": lambda r: endless(b"HTTP/1.1 200 ", b"p" * 65536),
    "endless interim answers": lambda r: endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "ten gigabytes": lambda r: endless(head(200, 10 << 30) + b"<ListBucketResult>", ENDLESS_XML),
    "endless chunks": lambda r: endless(head(200, Transfer_Encoding="chunked") + b"12\r\n<ListBucketResult>\r\n",
                                        b"10000\r\n" + b"y" * 0x10000 + b"\r\n"),
    "garbage for chunks": lambda r: head(200, Transfer_Encoding="chunked") + b"zz\r\nnot a chunk\r\n-1\r\n\r\n",
    "a chunk of 2^64": lambda r: head(200, Transfer_Encoding="chunked") + b"ffffffffffffffffff\r\nx",
    "an entity bomb": lambda r: answer(BOMB),
    "deep elements": lambda r: answer(DEEP),
    "a negative length": lambda r: head(200, -5) + b"<ListBucketResult/>",
    "a length that is no number": lambda r: head(200, "12abc") + b"<ListBucketResult/>",
    "two lengths": lambda r: head(200, "5\r\nContent-Length: 50") + b"<ListBucketResult/>",
    "a length too long": lambda r: [head(200, 5000) + b"<ListBucketResult></ListBucketResult>"],
    "a length too short": lambda r: head(200, 5) + b"<ListBucketResult></ListBucketResult>",
    "a gzip bomb": lambda r: answer(b"\x1f\x8b\x08\0\0\0\0\0\0\3" + b"\xec\xc1" * 1000, Content_Encoding="gzip"),
    "nothing": lambda r: [b""],
    "a drip": lambda r: drip(head(200, 100_000) + b"<ListBucketResult>"),
    "a drip of headers": lambda r: drip(b"HTTP/1.1 200 OK\r\nX-Drip: ", b"x"),
    "an endless error": lambda r: endless(head(403), b"<Error>" + b"y" * 65536),
    "a switch of protocols": lambda r: head(101, 0, Upgrade="h2c", Connection="Upgrade"),
    "a redirect to elsewhere": lambda r: head(307, 0, Location="http://127.0.0.1:1/steal"),
    "the same token for ever": lambda r: listing(["k"], token="again"),
    "a circle of tokens": lambda r: listing(["k"], token={"t1": "t2", "t2": "t3", "t3": "t1"}.get(
        r.partition("continuation-token=")[2][:2], "t1")),
    "keys outside the prefix": lambda r: listing(["../../etc/passwd", "/abs", "ok/../../x"]),
    "keys twice and out of order": lambda r: listing(["z", "a", "z", "a", "m"] * 50, ["d/", "d/", "a/"]),
    "an entity tag of garbage": lambda r: listing(["k"], etag="&#34;" + "e" * 3000),
    "an object of 2^63": lambda r: listing(["k"], size=1 << 63),
    "an object of 2^64": lambda r: listing(["k"], size=1 << 64),
}


@pytest.mark.parametrize("name", LISTINGS)
def test_a_listing(make_mount, server, name):
    m = mount_on(make_mount, server)
    server.answer = LISTINGS[name]
    bucket = m.root / "some-bucket"
    names = []
    problem = ends(lambda: names.extend(os.listdir(bucket)))
    assert all("/" not in n and n not in (".", "..") for n in names)
    assert problem is None or problem.errno != errno.ENOSYS
    for n in names[:3]:
        ends(lambda n=n: (bucket / n).stat())
        ends(lambda n=n: (bucket / n).open("rb").close())
    alive(m, server)


OBJECTS = {
    "longer than it was": lambda r: answer(b"x" * 5000, ETag='"v"'),
    "shorter than it was": lambda r: answer(b"x", ETag='"v"'),
    "endless": lambda r: endless(head(200, ETag='"v"'), b"x" * 65536),
    "2^63 bytes": lambda r: [head(206, (1 << 63) - 1, ETag='"v"', Content_Range=f"bytes 0-{(1 << 63) - 2}/{(1 << 63) - 1}")],
    "another range": lambda r: answer(b"x" * 100, 206, ETag='"v"', Content_Range="bytes 900-999/1000"),
    "no range": lambda r: answer(b"x" * 1000, 206, ETag='"v"', Content_Range="bytes */*"),
    "another version": lambda r: answer(b"x" * 1000, ETag='"other"'),
    "a redirect": lambda r: head(302, 0, Location="http://127.0.0.1:1/steal"),
    "metadata without end": lambda r: head(200, 1000, ETag='"v"', **{f"x_amz_meta_k{i}": "v" * 500 for i in range(250)}) + b"x" * 1000,
}


@pytest.mark.parametrize("name", OBJECTS)
def test_an_object(make_mount, server, name):
    m = mount_on(make_mount, server, options={"meta-ttl": "1h"})

    def serve(request):
        line = request.split("\r\n")[0]
        if "list-type" in line:
            return listing(["f"], size=1000, etag='"v"')
        return OBJECTS[name](request) if "/f" in line else head(200, 0)

    server.answer = serve
    os.listdir(m.root / "some-bucket")
    got = []
    problem = ends(lambda: got.append((m.root / "some-bucket" / "f").read_bytes()))
    # Opened anew it may be what the server says by then; never anything in between.
    assert problem or got[0] in (b"x" * 1000, b"x" * 5000, b"x"), "never other bytes, nor another length"
    alive(m, server)


def test_credentials_do_not_follow_a_redirect(make_mount, server):
    """The one redirected to hears nothing at all."""
    with Hostile() as thief:
        thief.answer = lambda r: listing(["stolen"])
        m = mount_on(make_mount, server)
        for status in (301, 302, 303, 307, 308):
            server.answer = lambda r, s=status: answer(
                b"<Error><Code>TemporaryRedirect</Code><Endpoint>127.0.0.1:%d</Endpoint></Error>" % thief.port, s,
                Location=f"{thief.endpoint}/", x_amz_bucket_region="us-east-1")
            ends(lambda: os.listdir(m.root / "some-bucket"))
        assert thief.requests == []
        alive(m, server)


def test_deep_json_from_a_credential_service(make_mount, server):
    with Hostile() as agent:
        m = make_mount("s3", server=server, proxy=None, options=dict(SHORT),
                       store_config={"access-key-id": None, "secret-access-key": None, "use-metadata-service": "yes"})
        m.write_config()
        for body in (b"[" * 400_000, b'{"a":' * 100_000, b"{" + b'"k":1,' * 300_000):
            agent.answer = lambda r, b=body: answer(b)
            done = m.skydir("doctor", check=False,
                            env={"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{agent.endpoint}/creds"})
            assert done.returncode in (0, 1, 4, 5), done
            assert agent.requests and "aaaa" not in done.stdout


# ---- no call waits longer than its time, and Ctrl-C ends it ----


def test_every_call_ends_in_time_when_nothing_answers(make_mount):
    m = make_mount("s3", options={"timeout": "3s", "meta-ttl": "1s", "upload-delay": "20ms"}).start()
    for name in ("f", "g"):
        m.client.put(m.bucket, name, b"x" * 100_000)
    os.listdir(m.path)
    fd = os.open(m.path / "f", os.O_RDONLY)
    m.proxy.fault("*", "stall", count=0, at=0)
    time.sleep(1.2)  # the listing has aged: every call must ask
    calls = {
        "read": lambda: os.read(fd, 10),
        "open and read": lambda: (m.path / "g").read_bytes(),
        "stat": lambda: os.stat(m.path / "never"),
        "create": lambda: (m.path / "new" / "x").write_bytes(b"x"),
        "listdir": lambda: os.listdir(m.path),
        "mkdir": lambda: os.mkdir(m.path / "dir"),
        "getxattr": lambda: os.getxattr(m.path / "f", "user.other"),
        "unlink": lambda: os.unlink(m.path / "g"),
        "rename": lambda: os.rename(m.path / "f", m.path / "h"),
        "bucket": lambda: os.mkdir(m.root / "another-bucket"),
        "statvfs": lambda: os.statvfs(m.path),
    }
    threads = [threading.Thread(target=ends, args=(lambda: os.stat(m.path / f"no{i}"),)) for i in range(40)]
    for t in threads:  # more than there are workers
        t.start()
    for call in calls.values():
        ends(call)
    for t in threads:
        t.join(BOUND_S)
        assert not t.is_alive()
    os.close(fd)
    m.proxy.clear()
    eventually(lambda: os.listdir(m.path) is not None, timeout=60)


@pytest.mark.parametrize("command", (["cat", "f"], ["stat", "unheard-of"], ["ls", "."]), ids=("read", "stat", "ls"))
def test_ctrl_c_ends_a_call_that_hangs(make_mount, command):
    m = make_mount("s3", options={"timeout": "60s", "meta-ttl": "0s"}).start()
    m.client.put(m.bucket, "f", b"x" * 100_000)
    if command[0] == "cat":
        os.stat(m.path / "f")
    m.proxy.fault("G" if command[0] == "cat" else "*", "stall", count=0, at=0)
    hung = [subprocess.Popen(["stat", f"x{i}"], cwd=m.path, stderr=subprocess.DEVNULL) for i in range(35)] if command[0] == "stat" else []
    child = subprocess.Popen(command, cwd=m.path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    eventually(lambda: m.status()["waiting_requests"] > len(hung), timeout=20)
    started = time.monotonic()
    child.send_signal(signal.SIGINT)
    child.wait(30)
    assert time.monotonic() - started < 20, "well before the time limit of a minute"
    for other in hung:
        other.send_signal(signal.SIGINT)
        other.wait(30)
    m.proxy.clear()


# ---- TLS ----


def certificate(place, name, days=1, issuer=None):
    """A key and a certificate for a name, signed by itself or by another; openssl makes them."""
    key, cert = place / f"{name}.key", place / f"{name}.crt"
    ends_at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
    subject = ["-subj", f"/CN={name}", "-addext", f"subjectAltName={'IP:127.0.0.1' if name == '127.0.0.1' else 'DNS:' + name}"]
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
               "-keyout", key, "-out", cert, *subject]
    if days > 0:
        run(*command, "-days", str(days))
    else:
        run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out",
            place / "r.csr", *subject)
        run("openssl", "x509", "-req", "-in", place / "r.csr", "-signkey", key, "-out", cert, "-days", str(days),
            "-copy_extensions", "copyall", check=False)
        if not cert.exists():
            pytest.skip(f"this openssl makes no certificate that ended at {ends_at}")
    return cert, key


@pytest.mark.parametrize("case", ("good", "self-signed", "wrong host"))
def test_tls(make_mount, tmp_path, case):
    cert, key = certificate(tmp_path, "elsewhere.example" if case == "wrong host" else "127.0.0.1")
    with Hostile(tls=(cert, key)) as server:
        server.answer = lambda r: listing(["f"])
        m = make_mount("s3", server=server, proxy=None, options=dict(SHORT))
        m.write_config()
        trusted = {} if case == "self-signed" else {"SSL_CERT_FILE": str(cert)}
        m.skydir("mount", m.top, env=trusted)
        if case == "good":
            assert os.listdir(m.root / "some-bucket") == ["f"]
            return
        problem = ends(lambda: os.listdir(m.root / "some-bucket"))
        assert problem is not None
        assert server.requests == [], "nothing is said to a stranger"
        assert "certificate" in m.log.read_text()


# ---- the cache directory ----


def refused(m, *says):
    done = m.mount(check=False)
    assert done.returncode != 0 and not harness.is_mounted(m.top)
    assert all(s in done.stderr for s in says), done.stderr


def test_no_core_is_dumped(make_mount):
    """It would hold credentials and files."""
    m = make_mount("local").start()
    limits = pathlib.Path(f"/proc/{m.pid}/limits").read_text()
    assert re.search(r"^Max core file size +0 ", limits, re.MULTILINE), limits


def test_a_cache_directory_of_others_is_refused(make_mount):
    m = make_mount("local")
    m.write_config()
    m.cache_dir.mkdir(parents=True)
    m.cache_dir.chmod(0o770)
    refused(m, "can be written by others")
    m.cache_dir.chmod(0o755)
    m.cache_dir.parent.chmod(0o777)
    refused(m, "can replace it")
    m.cache_dir.parent.chmod(0o700)
    m.mount()
    assert m.cache_dir.stat().st_mode & 0o777 == 0o700
    assert not [p for p in m.cache_dir.rglob("*") if p.stat().st_mode & 0o077 and p.name not in ("mount-2",)]


def test_links_in_the_cache_directory_lead_nowhere(make_mount):
    m = make_mount("local")
    m.write_config()
    victim = m.dir / "victim"
    victim.mkdir()
    (victim / "keep").write_text("mine")
    m.cache_dir.mkdir(parents=True, mode=0o700)
    (m.cache_dir / "files").symlink_to(victim)
    refused(m, "files")
    (m.cache_dir / "files").unlink()
    (m.cache_dir / "lock").unlink(missing_ok=True)
    (m.cache_dir / "lock").symlink_to(victim / "keep")
    refused(m, "lock")
    (m.cache_dir / "lock").unlink()
    (m.cache_dir / "journal.db").unlink(missing_ok=True)
    (m.cache_dir / "journal.db").symlink_to(victim / "keep")
    m.mount(check=False)
    assert (victim / "keep").read_text() == "mine" and list(victim.iterdir()) == [victim / "keep"]


# ---- proxies ----


def test_what_is_on_this_machine_is_not_asked_through_a_proxy(make_mount):
    with Hostile() as thief:
        m = make_mount("s3").start()
        m.umount()
        m.skydir("mount", m.top, env={"http_proxy": thief.endpoint, "HTTPS_PROXY": thief.endpoint, "ALL_PROXY": thief.endpoint})
        (m.path / "f").write_bytes(b"x")
        m.sync()
        assert m.client.get(m.bucket, "f") == b"x" and thief.requests == []
        assert fleet.SECRET not in str(thief.requests) and hostile.SECRET
