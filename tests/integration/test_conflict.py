"""Two mounts with caches of their own, and a client past both, change the same objects: no update is lost in silence.

SKYDIR_CONFLICT_SEED (1) and SKYDIR_CONFLICT_STEPS (60) make the random part longer.
"""

import os
import random
import shutil

import pytest

from harness import eventually

QUICK = {"upload-delay": "20ms", "meta-ttl": "0s", "timeout": "20s"}
SEED = int(os.environ.get("SKYDIR_CONFLICT_SEED", "1"))
STEPS = int(os.environ.get("SKYDIR_CONFLICT_STEPS", "60"))


def pair(make_mount, kind, options=None, **more):
    """Two machines on one bucket."""
    a = make_mount(kind, options={**QUICK, **(options or {})}, **more).start()
    b = make_mount(kind, options={**QUICK, **(options or {})}, bucket=a.bucket, **more)
    return a, b.start(create_bucket=False)


def kept_beside(m, name):
    """The content of what was kept under a name that tells of the conflict."""
    stem = name.split(".")[0]
    return [m.client.get(m.bucket, k) for k in m.client.keys(m.bucket) if k.startswith(f"{stem} (conflict from")]


def clash(a, name=b"report.txt".decode()):
    """a writes what it has based on a version that somebody else has replaced meanwhile."""
    (a.path / name).write_bytes(b"base")
    a.sync()
    with open(a.path / name, "r+b") as f:
        f.write(b"ours")
        a.client.put(a.bucket, name, b"theirs, later")
    done = a.skydir("sync", a.top, check=False, timeout=60)
    return done


@pytest.mark.parametrize("kind", ("s3", "moto"))
def test_keep_both(make_mount, kind):
    a = make_mount(kind, options=dict(QUICK)).start()
    clash(a)
    eventually(lambda: kept_beside(a, "report.txt") == [b"ours"])
    assert a.client.get(a.bucket, "report.txt") == b"theirs, later"
    kept = [n for n in os.listdir(a.path) if "conflict from" in n]
    assert len(kept) == 1 and kept[0].endswith(".txt")
    assert (a.path / kept[0]).read_bytes() == b"ours"
    assert (a.path / "report.txt").read_bytes() == b"theirs, later"
    assert "upload.conflict" in a.log.read_text()
    assert any("report.txt" in e["path"] for e in a.status()["errors"])


@pytest.mark.options(on_conflict="overwrite")
def test_overwrite(make_mount):
    a = make_mount("s3", options={**QUICK, "on-conflict": "overwrite"}).start()
    clash(a)
    assert a.read("report.txt") == b"ours"
    assert a.keys() == ["report.txt"]
    assert "what='overwritten'" in a.log.read_text()


def test_fail_keeps_ours_here(make_mount):
    a = make_mount("s3", options={**QUICK, "on-conflict": "fail"}).start()
    done = clash(a)
    assert done.returncode != 0 and "report.txt" in done.stderr
    assert a.client.get(a.bucket, "report.txt") == b"theirs, later"
    assert (a.path / "report.txt").read_bytes() == b"ours"
    assert os.getxattr(a.path / "report.txt", "user.skydir.state") == b"conflict"
    shown = [u for u in a.status()["uploads"] if "report.txt" in u["path"]]
    assert shown and shown[0]["state"] == "failed" and shown[0]["kind"] == "precondition"
    # it outlives the mount, and the decision to take it away is the user's
    a.umount("--now")
    a.mount()
    assert (a.path / "report.txt").read_bytes() == b"ours"
    (a.path / "report.txt").unlink()
    a.sync()


@pytest.mark.parametrize("kind", ("s3", "moto"))
def test_two_mounts_make_the_same_name(make_mount, kind):
    a, b = pair(make_mount, kind)
    os.listdir(a.path), os.listdir(b.path)
    with open(a.path / "new", "wb") as f, open(b.path / "new", "wb") as g:
        f.write(b"from a")
        g.write(b"from b")
    a.sync()
    b.sync()
    contents = {a.client.get(a.bucket, k) for k in a.client.keys(a.bucket)}
    assert contents == {b"from a", b"from b"}


def test_deleted_there_written_here(make_mount):
    a = make_mount("s3", options=dict(QUICK)).start()
    (a.path / "f").write_bytes(b"base")
    a.sync()
    with open(a.path / "f", "r+b") as f:
        f.write(b"ours")
        a.client.delete(a.bucket, "f")
    assert a.read("f") == b"ours"
    assert a.keys() == ["f"]


def test_renamed_here_changed_there(make_mount):
    """A rename acts on what is there when it arrives: their bytes travel along."""
    a = make_mount("s3", options=dict(QUICK)).start()
    (a.path / "f").write_bytes(b"base")
    a.sync()
    a.client.put(a.bucket, "f", b"theirs")
    os.rename(a.path / "f", a.path / "g")
    a.sync()
    assert b"theirs" in {a.client.get(a.bucket, k) for k in a.client.keys(a.bucket)}


@pytest.mark.parametrize("kind", ("s3", "moto", "azure"))
def test_what_another_host_put_at_the_old_name_of_a_rename_stays(make_mount, kind):
    """Between our copy and our delete: the delete is of what was copied, and of nothing else."""
    a = make_mount(kind, options=dict(QUICK)).start()
    (a.path / "f").write_bytes(b"base")
    a.sync()
    a.proxy.fault("D", status=503, retry_after=5, count=1, label="held")
    os.rename(a.path / "f", a.path / "g")
    eventually(lambda: a.proxy.counters()["faults_by"].get("held") == 1, what="the delete is asked for")
    a.client.put(a.bucket, "f", b"theirs")
    a.sync()
    assert a.client.get(a.bucket, "g") == b"base"
    assert a.client.get(a.bucket, "f") == b"theirs"
    assert "rename.conflict" in a.log.read_text()
    eventually(lambda: (a.path / "f").read_bytes() == b"theirs" if (a.path / "f").exists() else None, what="theirs is shown")


@pytest.mark.parametrize("kind", ("local", "s3", "moto", "gcs", "azure"))
def test_what_has_our_size_and_time_is_not_ours_by_that(make_mount, kind):
    """Both unpacked the same archive, say. No answer of ours was lost, so nothing of ours can be there."""
    a = make_mount(kind, options={**QUICK, "upload-delay": "1h"}).start()
    when = 1_700_000_000 * 10**9
    (a.path / "f").write_bytes(b"base")
    (a.path / "g").write_bytes(b"ours")
    os.utime(a.path / "g", ns=(when, when))
    a.sync()
    theirs = make_mount(kind, options=dict(QUICK), bucket=a.bucket)
    if kind == "local":
        shutil.rmtree(theirs.dir / "data")
        (theirs.dir / "data").symlink_to(a.dir / "data")
    theirs.start(create_bucket=False)
    (a.path / "f").write_bytes(b"ours")
    os.utime(a.path / "f", ns=(when, when))
    (theirs.path / "f").write_bytes(b"them")
    os.utime(theirs.path / "f", ns=(when, when))
    theirs.sync()
    a.skydir("sync", a.top, check=False, timeout=60)
    assert a.client.get(a.bucket, "f") == b"them"
    assert kept_beside(a, "f") == [b"ours"]


# ---- servers that take conditions and ignore them ----


@pytest.mark.parametrize("how", ("auto", "no", "yes"))
def test_a_server_that_ignores_conditions(make_mount, how):
    """Its name hidden, its conditions stripped: auto finds out, no compares always, yes believes (and loses: it was told to)."""
    a = make_mount("moto", options=dict(QUICK), store_config={"conditional-writes": how}).start()
    (a.path / "report.txt").write_bytes(b"base")
    a.sync()
    a.umount()
    a.proxy.set(hide_server=1)
    a.proxy.fault("*", "strip", count=0, label="stripped")
    a.mount()
    assert (a.path / "report.txt").read_bytes() == b"base"
    for round_ in range(2):
        with open(a.path / "report.txt", "r+b") as f:
            f.write(b"ours")
            a.client.put(a.bucket, "report.txt", b"theirs %d" % round_)
        a.sync()
        if how == "yes":
            assert a.client.get(a.bucket, "report.txt") == b"ours"
            return
        assert a.client.get(a.bucket, "report.txt") == b"theirs %d" % round_
        eventually(lambda: (a.path / "report.txt").read_bytes() == b"theirs %d" % round_)
    assert len(kept_beside(a, "report.txt")) >= 1 and set(kept_beside(a, "report.txt")) <= {b"ours", b"ourss 0", b"oursrs 0"}
    assert not [k for k in a.client.keys(a.bucket) if "skydir-probe" in k]
    assert a.log.read_text().count("s3.no_conditions") == (1 if how == "auto" else 0)


def test_doctor_finds_out_by_effect(make_mount):
    a = make_mount("moto", options=dict(QUICK), store_config={"conditional-writes": "yes"}).start()
    place = f"/s3/{a.bucket}"
    assert "is honoured" in a.skydir("doctor", "--write", place, check=False).stdout
    a.proxy.set(hide_server=1)
    a.proxy.fault("*", "strip", count=0)
    assert "is ignored by this server" in a.skydir("doctor", "--write", place, check=False).stdout
    a.store_config["conditional-writes"] = "auto"
    a.write_config()
    told = a.skydir("doctor", "--write", place, check=False).stdout
    assert "is not kept by this server" in told and "compared before and after" in told
    assert a.client.keys(a.bucket) == []


# ---- close-to-open ----


@pytest.mark.parametrize("options", ({"meta-ttl": "1s"}, {"consistency": "strict", "meta-ttl": "1h"}),
                         ids=("after meta-ttl", "strict"))
def test_opened_after_a_close_elsewhere_shows_the_new_bytes(make_mount, options):
    a, b = pair(make_mount, "s3", options)
    strict = "consistency" in options
    for i, size in enumerate((10, 200_000, 5, 200_000, 70_000)):
        data = bytes([65 + i]) * size
        (a.path / "f").write_bytes(data)
        a.sync()
        if strict:
            assert (b.path / "f").read_bytes() == data
            continue

        def fresh():
            got = (b.path / "f").read_bytes()
            assert len(set(got)) <= 1, "two versions are mixed"
            return got == data

        eventually(fresh, timeout=30)


def test_never_new_bytes_with_the_old_length(make_mount):
    """A reader that has the old file open, and one that opens it while it is replaced."""
    a = make_mount("s3", options={**QUICK, "meta-ttl": "1h", "read-ahead": "0"}).start()
    old, new = b"o" * 3_000_000, b"n" * 5_000_000
    a.client.put(a.bucket, "f", old)
    assert os.listdir(a.path) == ["f"]
    with open(a.path / "f", "rb", buffering=0) as f:
        assert f.read(4096) == old[:4096]
        a.client.put(a.bucket, "f", new)
        f.seek(2_500_000)
        try:
            got = f.read(4096)
        except OSError:
            got = b""  # ESTALE: open it again
        assert set(got) <= {ord("o")}
    eventually(lambda: (a.path / "f").read_bytes() == new, timeout=30)


# ---- anything, drawn from a seed ----


def test_two_mounts_at_random(make_mount):
    """Per file: every content that was written and synced is in the store at the end, under its name or beside it, unless
    a later write of somebody who had seen it replaced it; and the file itself holds the last content that won."""
    a, b = pair(make_mount, "s3", {"consistency": "strict"})
    r = random.Random(SEED)
    names = [f"f{i}.txt" for i in range(4)]
    alive = {name: set() for name in names}  # contents that nobody has replaced knowingly

    def seen(m, name):
        try:
            return (m.path / name).read_bytes()
        except FileNotFoundError:
            return None

    trace = []
    for step in range(STEPS):
        name, m = r.choice(names), r.choice((a, b))
        content = b"%d by %d" % (step, m is b) + b"." * r.randrange(2000)
        kind = r.randrange(10)
        trace.append(f"{step}: {name} kind {kind} by {m is b}")
        if kind < 5:  # one writes, having seen what is there
            before = seen(m, name)
            (m.path / name).write_bytes(content)
            m.sync()
            alive[name] -= {before}
            alive[name].add(content)
        elif kind < 8:  # both write at the same time, neither seeing the other
            other = b if m is a else a
            before, also = seen(m, name), content + b" too"
            seen(other, name)
            with open(m.path / name, "wb") as f, open(other.path / name, "wb") as g:
                f.write(content)
                g.write(also)
            m.sync()
            other.sync()
            alive[name] -= {before}
            alive[name] |= {content, also}
        else:  # the client beside both
            before = a.client.get(a.bucket, name)
            a.client.put(a.bucket, name, content)
            alive[name] -= {before}
            alive[name].add(content)
    for name in names:
        stem = name.split(".")[0]
        there = {a.client.get(a.bucket, k) for k in a.client.keys(a.bucket)
                 if k == name or k.startswith(f"{stem} (conflict from")}
        assert alive[name] <= there, (
            f"{name}: lost {[c[:12] for c in alive[name] - there]}, there is {[c and c[:12] for c in there]}", trace)
        if a.client.get(a.bucket, name) is not None:
            assert seen(a, name) == seen(b, name) == a.client.get(a.bucket, name)


def test_what_arrived_unheard_is_known_after_many_other_contents(make_mount):
    """The answer to one upload is lost; then the server is gone while the file is written again and again."""
    m = make_mount("s3", options={"upload-delay": "0s", "log-level": "debug"}).start()
    (m.path / "f").write_bytes(b"first")
    m.sync()

    def tries():
        return m.log.read_text().count("change.begin seq=") - before

    before = 0
    m.proxy.fault("P", "reset-after", count=1)
    m.proxy.fault("P", "reset-before", count=0)
    for i in range(5):
        before = m.log.read_text().count("change.begin seq=")
        (m.path / "f").write_bytes(b"content %d" % i)
        eventually(lambda: tries() > 0, what="another try")
        eventually(lambda: m.client.get(m.bucket, "f") == b"content 0", what="what arrived unheard")
    m.proxy.clear()
    assert m.keys() == ["f"], "no conflict with ourselves"
    assert m.client.get(m.bucket, "f") == b"content 4"


@pytest.mark.parametrize("first,then", (("link", "file"), ("file", "link"), ("link", "other")))
def test_another_host_puts_a_file_where_a_link_was(make_mount, first, then):
    m = make_mount("s3", options={"upload-delay": "0s", "meta-ttl": "300ms", "attrs": "exact"}).start()
    other = make_mount("s3", options={"upload-delay": "0s", "meta-ttl": "300ms", "attrs": "exact"}, bucket=m.bucket)
    other.start(create_bucket=False)

    def put(kind):
        if (m.path / "x").is_symlink() or (m.path / "x").exists():
            (m.path / "x").unlink()
        if kind != "file":
            (m.path / "x").symlink_to("target" if kind == "link" else "elsewhere")
        else:
            (m.path / "x").write_bytes(b"content")
        m.sync()

    def shows(kind):
        os.listdir(other.path)
        x = other.path / "x"
        if kind == "file":
            return not x.is_symlink() and x.read_bytes() == b"content"
        return os.readlink(x) == ("target" if kind == "link" else "elsewhere")

    put(first)
    eventually(lambda: shows(first), what=first)
    put(then)
    eventually(lambda: shows(then), timeout=20, what=then)
