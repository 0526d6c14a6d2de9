"""Modes, times, links and extended attributes are kept in the store and come back on another machine."""

import errno
import os
import stat

import pytest

from harness import eventually, run

# Attributes never seen here are asked for exactly, as `fresh` makes a machine that has seen none.
pytestmark = pytest.mark.options(attrs="exact")


def test_chmod(mount):
    f = mount.path / "f"
    f.write_text("x")
    f.chmod(0o600)
    assert stat.S_IMODE(f.stat().st_mode) == 0o600
    mount.sync()
    f.chmod(0o751)
    assert stat.S_IMODE(f.stat().st_mode) == 0o751
    mount.fresh()
    assert stat.S_IMODE(f.stat().st_mode) == 0o751
    assert f.read_text() == "x"


def test_mtime_is_kept_to_the_nanosecond(mount):
    f = mount.path / "f"
    f.write_text("x")
    os.utime(f, ns=(1_500_000_000_123_456_789, 1_600_000_000_987_654_321))
    assert f.stat().st_mtime_ns == 1_600_000_000_987_654_321
    mount.fresh()
    assert f.stat().st_mtime_ns == 1_600_000_000_987_654_321


def test_touch_of_an_uploaded_file(mount):
    f = mount.path / "f"
    f.write_text("x")
    mount.sync()
    run("touch", "-d", "2001-02-03 04:05:06 UTC", f)
    assert int(f.stat().st_mtime) == 981173106
    mount.fresh()
    assert int(f.stat().st_mtime) == 981173106


def test_writing_moves_mtime(mount):
    f = mount.path / "f"
    f.write_text("x")
    os.utime(f, (1000, 1000))
    with open(f, "a") as a:
        a.write("y")
    assert f.stat().st_mtime > 1_700_000_000


def test_symlinks(mount):
    (mount.path / "target.txt").write_text("through the link")
    os.symlink("target.txt", mount.path / "link")
    os.symlink("nowhere/at all", mount.path / "broken")
    assert os.readlink(mount.path / "link") == "target.txt"
    assert (mount.path / "link").read_text() == "through the link"
    mount.fresh()
    assert os.readlink(mount.path / "link") == "target.txt"
    assert (mount.path / "link").read_text() == "through the link"
    assert os.readlink(mount.path / "broken") == "nowhere/at all"
    assert stat.S_ISLNK(os.lstat(mount.path / "broken").st_mode)


def test_user_xattrs(mount):
    f = mount.path / "f"
    f.write_text("x")
    os.setxattr(f, "user.colour", b"blue")
    os.setxattr(f, "user.binary", bytes(range(256)))
    assert os.getxattr(f, "user.colour") == b"blue"
    assert {"user.colour", "user.binary"} <= set(os.listxattr(f))
    with pytest.raises(FileExistsError):
        os.setxattr(f, "user.colour", b"x", os.XATTR_CREATE)
    with pytest.raises(OSError) as e:
        os.setxattr(f, "user.other", b"x", os.XATTR_REPLACE)
    assert e.value.errno == errno.ENODATA
    mount.fresh()
    assert os.getxattr(f, "user.colour") == b"blue"
    assert os.getxattr(f, "user.binary") == bytes(range(256))
    os.removexattr(f, "user.colour")
    with pytest.raises(OSError) as e:
        os.getxattr(f, "user.colour")
    assert e.value.errno == errno.ENODATA
    mount.fresh()
    assert "user.colour" not in os.listxattr(f)


def test_modes_and_times_of_directories(mount):
    d = mount.path / "d"
    d.mkdir()
    d.chmod(0o700)
    assert stat.S_IMODE(d.stat().st_mode) == 0o700
    mount.fresh()
    assert stat.S_IMODE(d.stat().st_mode) == 0o700


def test_cp_p_keeps_what_a_file_has(mount, tmp_path):
    source = tmp_path / "f"
    source.write_text("x")
    source.chmod(0o640)
    os.utime(source, (1_234_567_890, 1_234_567_890))
    run("cp", "-p", source, mount.path / "f")
    mount.fresh()
    s = (mount.path / "f").stat()
    assert (stat.S_IMODE(s.st_mode), int(s.st_mtime)) == (0o640, 1_234_567_890)


def test_attributes_do_not_change_the_content(mount):
    f = mount.path / "f"
    f.write_bytes(b"content" * 1000)
    mount.sync()
    f.chmod(0o600)
    os.utime(f, (5, 5))
    os.setxattr(f, "user.k", b"v")
    assert mount.read("f") == b"content" * 1000


@pytest.mark.stores("s3", "moto", "gcs")
def test_metadata_of_s3fs_is_read_and_written(mount):
    mount.client.put(mount.bucket, "theirs", b"x",
                     Metadata={"mode": str(0o100640), "mtime": "1234567890", "uid": str(os.getuid()), "gid": "0"})
    s = (mount.path / "theirs").stat()
    assert (stat.S_IMODE(s.st_mode), int(s.st_mtime)) == (0o640, 1_234_567_890)
    (mount.path / "ours").write_text("x")
    (mount.path / "ours").chmod(0o604)
    os.utime(mount.path / "ours", (1_000_000_000, 1_000_000_000))
    mount.sync()
    meta = mount.client.meta(mount.bucket, "ours")
    assert int(meta["mode"]) == 0o100604
    assert float(meta["mtime"]) == 1_000_000_000


@pytest.mark.stores("s3", "moto", "gcs")
def test_mtime_of_rclone_is_read(mount):
    mount.client.put(mount.bucket, "f", b"x", Metadata={"mtime": "1234567890.123456789"})
    assert (mount.path / "f").stat().st_mtime_ns == 1_234_567_890_123_456_789


def test_virtual_attributes(mount):
    f = mount.path / "f"
    f.write_text("x")
    state = os.getxattr(f, "user.skydir.state")
    assert state in (b"dirty", b"uploading", b"cached")
    mount.sync()
    assert os.getxattr(f, "user.skydir.state") == b"cached"
    assert len(os.getxattr(f, "user.skydir.etag")) > 8
    mount.fresh()
    assert os.getxattr(f, "user.skydir.state") == b"cloud"
    f.read_text()
    assert os.getxattr(f, "user.skydir.state") == b"cached"
    with pytest.raises(OSError):
        os.setxattr(f, "user.skydir.state", b"dirty")


def test_virtual_attributes_are_not_copied_along(mount, tmp_path):
    (mount.path / "f").write_text("x")
    run("cp", "-a", mount.path / "f", mount.path / "g")
    run("cp", "-a", mount.path / "f", tmp_path / "g")
    assert "user.skydir.state" not in os.listxattr(tmp_path / "g")


@pytest.mark.stores("s3")
def test_presigned_url_in_an_attribute(mount):
    import urllib.request

    (mount.path / "f").write_bytes(b"by url")
    mount.sync()
    url = os.getxattr(mount.path / "f", "user.skydir.url").decode()
    assert mount.server.secret not in url
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    assert opener.open(url, timeout=10).read() == b"by url"


def test_hard_links_are_refused_cleanly(mount):
    if mount.kind == "plain":
        pytest.skip("an ordinary directory has hard links")
    (mount.path / "f").write_text("x")
    with pytest.raises(OSError) as e:
        os.link(mount.path / "f", mount.path / "g")
    assert e.value.errno in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


def test_chown_to_oneself(mount):
    (mount.path / "f").write_text("x")
    os.chown(mount.path / "f", os.getuid(), os.getgid())
    assert (mount.path / "f").stat().st_uid == os.getuid()


def test_a_time_beyond_the_year_2262_stops_there(mount):
    """It is kept in nanoseconds; it must not come round to the past."""
    (mount.path / "f").write_text("x")
    os.utime(mount.path / "f", (0, 32503680000))
    assert (mount.path / "f").stat().st_mtime > 9.2e9
    mount.sync()
    assert (mount.path / "f").read_text() == "x"
    mount.fresh()
    assert (mount.path / "f").read_text() == "x"
    assert (mount.path / "f").stat().st_mtime > 9.2e9


@pytest.mark.stores("s3")
@pytest.mark.options(upload_delay="5s", part_size="5M", passthrough="no")
def test_sync_returns_when_attributes_changed_during_an_upload_are_there_too(mount):
    """An upload in parts begins with the attributes of that time; where they cannot go with its end, they follow."""
    mount.proxy.fault(op="F", kind="status", status=400, code="EntityTooLarge", count=1)
    (mount.path / "f").write_bytes(b"x" * (24 << 20))
    eventually(lambda: "cloud.failed" in mount.log.read_text(), what="a failed attempt")
    (mount.path / "f").chmod(0o640)
    mount.proxy.clear()
    mount.sync()
    assert mount.client.meta(mount.bucket, "f")["mode"] == str(0o100640)
