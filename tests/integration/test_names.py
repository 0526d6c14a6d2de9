"""Every key is listed and reachable, under names by the rule of fs/naming.h; no name leaves the mount."""

import contextlib
import errno
import os
import random
import re
import shutil

import pytest

from harness import eventually, run

PLAIN = [
    "simple.txt", "with space", "trailing space ", " leading", "plus+sign", "a&b<c>d\"e'f", "per%cent", "%41", "%",
    "question?mark", "hash#tag", "semi;colon,comma", "equals=at@", "star*[x]{y}", "back\\slash", "tilde~", "-dash",
    ".hidden", "..two", "...", "ünïcödé-文字-🙂", "e\u0301 (decomposed)", "colon:name", "dollar$HOME`id`", "very/deep/er/key",
    "d$folder", "%~escape-like", "x" * 200,
]
CONTROL = ["tab\there", "new\nline", "bell\x07", "del\x7f"]
HOSTILE = [
    "a//b", "//", "/leading", "a/./b", "a/../b", "../../etc/passwd", ".", "..", "d/.", "d/..",
    "both", "both/below", "both/below/deeper", "three/", "%~", "%~x%=", "long/" + "n" * 300 + "/after",
    "n" * 700, "%~" + "y" * 254,
]
FITS = 255


def escape(segment):
    """The bytes of a segment, as the body of an escaped name."""
    if segment in (b".", b".."):
        return segment.replace(b".", b"%2E")
    return segment.replace(b"%", b"%25").replace(b"\0", b"%00")


def names_of(segment, shadowed):
    """The path components that stand for one segment: a second writing of the rule, to judge the first."""
    special = segment in (b"", b".", b"..") or segment.startswith(b"%~") or b"\0" in segment
    if not special and not shadowed and len(segment) <= FITS:
        return [segment]
    whole = b"%~" + escape(segment) + (b"%=" if shadowed else b"")
    if len(whole) <= FITS:
        return [whole]
    used = 0
    while used < len(segment) and len(b"%~" + escape(segment[:used + 1]) + b"%+") <= FITS:
        used += 1
    return [b"%~" + escape(segment[:used]) + b"%+", *names_of(segment[used:], shadowed)]


def path_of(key, keys):
    """Where a key is found below the bucket's directory."""
    segments = key.encode().split(b"/")
    shadowed = any(k.startswith(key + "/") for k in keys)
    parts = []
    for i, segment in enumerate(segments):
        parts += names_of(segment, shadowed and i == len(segments) - 1)
    return b"/".join(parts)


def random_keys(seed, count):
    """Keys of the kinds that make trouble, alone and beside each other: bytes below 0x20, what looks escaped, long segments,
    keys of 1,024 bytes, keys that are directories of others. Seeded."""
    rng = random.Random(seed)
    bits = ["", ".", "..", "...", "%~", "%~x%=", "%~%2E", "%+", "%=", "%", "x", "y", "~", " ", "\t", "\n", "é", "%2F", "\\", "*", "a" * 251,
            "a" * 252, "a" * 255, "a" * 256, "%" * 90, "%~" + "b" * 253, "c" * 300, "d" * 510, "$folder$", "_$folder$x"]
    keys = set()
    while len(keys) < count:
        segments = [rng.choice(bits) for _ in range(rng.choice([1, 1, 2, 2, 3, 4]))]
        if rng.random() < 0.3:
            segments[-1] += rng.choice("xyz%~.") * rng.choice([1, 2, 5, 250])
        key = "/".join(segments)
        if rng.random() < 0.05:
            key = (key + "/" + "k" * 1024)[:1024]
        if not key or len(key.encode()) > 1024 or key.endswith("_$folder$"):
            continue
        keys.add(key)
        if rng.random() < 0.3:  # and something below it, or its directory's own object
            below = key + rng.choice(["/", "/below", "//", "/.", "/" + "e" * 254])
            if len(below.encode()) <= 1024:
                keys.add(below)
    return sorted(keys)


def shown(paths):
    """Long runs of one byte are shortened."""
    return [re.sub(rb"(.)\1{9,}", lambda m: m[1] + b"{%d}" % len(m[0]), p) for p in sorted(paths)]


def put_what_the_store_can_hold(mount, keys):
    held = []
    if mount.kind == "s3":  # versitygw (1.8) stores names of over 240 bytes, but cannot replace them
        keys = [k for k in keys if max(len(segment.encode()) for segment in k.split("/")) <= 240]
    for key in keys:
        with contextlib.suppress(Exception):  # whatever a server says: it has no such key
            mount.client.put(mount.bucket, key, b"content of " + key.encode())
            held.append(key)
    # What it lists and gives back is what it holds; some say yes and store it elsewhere.
    listed = mount.client.keys(mount.bucket)
    good = [k for k in listed if k in held and mount.client.get(mount.bucket, k) == b"content of " + k.encode()]
    for key in set(listed) - set(good):
        mount.client.delete(mount.bucket, key)
    return [k for k in good if k in set(mount.client.keys(mount.bucket))]


def put_all(mount, keys):
    for key in keys:
        mount.client.put(mount.bucket, key, b"content of " + key.encode())


def files_below(top):
    top = os.fsencode(top)
    found = set()
    for directory, _, files in os.walk(top):
        found |= {os.path.relpath(os.path.join(directory, f), top) for f in files}
    return found


def check_all(mount, keys):
    paths = {path_of(k, keys): k for k in keys}
    assert files_below(mount.path) == set(paths)
    for path, key in paths.items():
        full = os.path.join(os.fsencode(mount.path), path)
        with open(full, "rb") as f:
            assert f.read() == b"content of " + key.encode(), key


def test_names_that_posix_can_say_stand_as_they_are(mount):
    keys = [k for k in PLAIN if not k.startswith("%~")]
    put_all(mount, keys)
    for key in keys:
        assert path_of(key, keys) == key.encode()
    check_all(mount, keys)


def test_names_made_here_are_the_keys_there(mount):
    keys = [k for k in PLAIN if not k.startswith("%~")]
    for key in keys:
        (mount.path / key).parent.mkdir(parents=True, exist_ok=True)
        (mount.path / key).write_bytes(b"content of " + key.encode())
    assert mount.keys() == sorted(keys)
    for key in keys:
        assert mount.client.get(mount.bucket, key) == b"content of " + key.encode(), key
    mount.fresh()
    check_all(mount, keys)


@pytest.mark.stores("local", "s3", "gcs")
def test_control_bytes_in_names(mount):
    # versitygw's listings cannot say what XML has no character for.
    keys = [k for k in CONTROL if mount.kind != "s3" or "\x07" not in k]
    if mount.kind == "gcs":  # the service takes no line ends in names
        keys = [k for k in keys if "\n" not in k and "\r" not in k]
    put_all(mount, keys)
    check_all(mount, keys)


@pytest.mark.stores("local", "s3", "moto", "gcs")
def test_a_key_that_looks_escaped(mount):
    keys = ["%~escape-like", "%~", "%~x%=", "%~%2E%2E"]
    put_all(mount, keys)
    check_all(mount, keys)


# Each alone, so that a server that cannot hold one key still shows the others.
@pytest.mark.stores("local", "moto", "gcs")
@pytest.mark.parametrize("key", HOSTILE, ids=[f"{i}" for i in range(len(HOSTILE))])
def test_a_hostile_key(mount, key):
    if key.endswith("/") and key.strip("/"):
        pytest.skip("a marker of a directory, see below")
    try:
        mount.client.put(mount.bucket, key, b"content of " + key.encode())
        if mount.client.get(mount.bucket, key) is None:
            raise ValueError
    except Exception:  # noqa: BLE001 - whatever a server says: it has no such key
        pytest.skip("this server cannot hold the key")
    if mount.client.keys(mount.bucket) != [key]:
        pytest.skip("this server stores it under another key")
    check_all(mount, [key])
    # Changed through the mount, it is the same key; removed, it is gone.
    path = os.path.join(os.fsencode(mount.path), path_of(key, [key]))
    with open(path, "wb") as f:
        f.write(b"changed")
    assert mount.read(key) == b"changed"
    os.unlink(path)
    mount.sync()
    assert mount.client.get(mount.bucket, key) is None


@pytest.mark.stores("local", "moto", "gcs")
def test_both_x_and_x_slash_y(mount):
    keys = ["x", "x/y", "x/y/z", "w"]
    put_all(mount, keys)
    check_all(mount, keys)
    assert (mount.path / "x").is_dir()
    assert (mount.path / "%~x%=").read_bytes() == b"content of x"
    (mount.path / "%~x%=").unlink()
    assert mount.keys() == ["w", "x/y", "x/y/z"]


@pytest.mark.stores("local", "moto", "gcs")
def test_all_of_them_together(mount):
    keys = []
    for key in PLAIN + CONTROL[:1] + [k for k in HOSTILE if not k.endswith("/")]:
        try:
            mount.client.put(mount.bucket, key, b"content of " + key.encode())
        except Exception:  # noqa: BLE001
            continue
    keys = mount.client.keys(mount.bucket)
    assert len(keys) >= len(PLAIN)
    for key in keys:
        mount.client.put(mount.bucket, key, b"content of " + key.encode())
    check_all(mount, keys)


@pytest.mark.stores("s3", "moto", "gcs")
@pytest.mark.parametrize("marker", ("slash", "folder"))
def test_markers_of_directories_are_not_files(mount, marker):
    mount.client.put(mount.bucket, "d/" if marker == "slash" else "d_$folder$", b"")
    mount.client.put(mount.bucket, "e/f", b"x")
    if marker == "slash":
        mount.client.put(mount.bucket, "e/", b"")
    else:
        mount.client.put(mount.bucket, "e_$folder$", b"")
    assert sorted(os.listdir(mount.path)) == ["d", "e"]
    assert (mount.path / "d").is_dir()
    assert os.listdir(mount.path / "d") == []
    assert os.listdir(mount.path / "e") == ["f"]
    (mount.path / "d" / "new").write_text("x")
    (mount.path / "d" / "new").unlink()
    (mount.path / "d").rmdir()
    assert os.listdir(mount.path) == ["e"]
    mount.sync()
    assert [k for k in mount.client.keys(mount.bucket) if k.startswith("d")] == []


def test_names_that_are_no_canonical_escape_are_refused(mount):
    for name in ("%~plain", "%~%2e", "%~%41", "%~a%+", "%~%", "%~%2"):
        with pytest.raises(OSError) as e:
            (mount.path / name).write_text("x")
        assert e.value.errno in (errno.EINVAL, errno.ENOENT, errno.ENAMETOOLONG), name
    assert mount.keys() == []


def test_nothing_leads_out_of_the_mount(mount):
    for name in ("../../../../etc/hostname", "d/../../../../../etc/hostname"):
        mount.client.put(mount.bucket, "d/inside", b"x")
        assert os.path.realpath(mount.path / "d" / ".." / "d" / "inside").startswith(str(mount.path))
        with pytest.raises(OSError):
            os.unlink(mount.path / "%~%2E%2E" / "%~%2E%2E" / name)


def test_names_that_are_no_utf8(mount):
    path = os.path.join(os.fsencode(mount.path), b"latin-\xe9")
    try:
        with open(path, "wb") as f:
            f.write(b"x")
    except OSError as e:
        assert e.errno in (errno.EILSEQ, errno.EINVAL)
        return
    # What a store cannot keep must be said by `skydir sync`, never be lost in silence.
    done = mount.skydir("sync", mount.top, check=False)
    with open(path, "rb") as f:
        assert f.read() == b"x"
    if done.returncode == 0:
        eventually(lambda: len(mount.client.keys(mount.bucket)) == 1)
    else:
        os.unlink(path)


@pytest.mark.stores("local", "s3", "moto", "ceph")
@pytest.mark.parametrize("seed", (1, 2, 3))
def test_any_set_of_keys_is_listed_read_copied_and_deleted(mount, seed, tmp_path):
    """The property that all of the above are cases of: one path for each key, one key for each path."""
    keys = put_what_the_store_can_hold(mount, random_keys(seed, 120))
    assert len(keys) > (15 if mount.kind == "s3" else 80)
    top = os.fsencode(mount.path)
    paths = {path_of(k, keys): k for k in keys}
    assert len(paths) == len(keys)
    found = files_below(mount.path)
    assert found == set(paths), f"hidden: {shown(set(paths) - found)}\nnot of any key: {shown(found - set(paths))}"
    for path, key in paths.items():
        with open(os.path.join(top, path), "rb") as f:
            assert f.read() == b"content of " + key.encode(), key
    # In another order, on a machine that has only listed what stands above.
    mount.fresh()
    order = sorted(paths)
    random.Random(seed).shuffle(order)
    os.listdir(mount.path)
    for path in order[:40]:
        for end in [i for i, c in enumerate(path) if c == ord("/")]:
            os.listdir(os.path.join(top, path[:end]))
        assert os.stat(os.path.join(top, path)).st_size == len(b"content of " + paths[path].encode()), path
    # Copied out by an ordinary program, every file is there.
    shutil.rmtree(tmp_path / "out", ignore_errors=True)
    run("cp", "-r", mount.path, tmp_path / "out")
    assert files_below(tmp_path / "out") == set(paths)
    # Changed through the mount, each is still its own key; removed, the bucket is empty.
    for path in order[:20]:
        with open(os.path.join(top, path), "wb") as f:
            f.write(b"changed " + path)
    mount.sync()
    for path in order[:20]:
        assert mount.client.get(mount.bucket, paths[path]) == b"changed " + path, path
    assert sorted(k for k in mount.client.keys(mount.bucket) if not k.endswith("/") or k in keys) == keys
    run("find", mount.path, "-mindepth", "1", "-delete")
    mount.sync()
    assert mount.client.keys(mount.bucket) == []


@pytest.mark.stores("local", "moto")
def test_a_key_is_found_by_its_path_in_a_directory_that_was_never_listed(mount):
    keys = ["both", "both/below", "l" * 300, "z/" + "m" * 600, "w" * 254, "w" * 254 + "/x", "dir//inside", "//deep", "mark", "mark/below"]
    put_all(mount, keys)
    mount.client.put(mount.bucket, "mark", b"")  # as some tools mark directories
    expected = {path_of(k, keys): k for k in keys if k != "mark"}
    for path, key in expected.items():
        if key.startswith("both/") or key.startswith("w" * 254 + "/"):
            continue  # the object of the name before is found first, until its directory is listed: docs/semantics.md
        mount.fresh()
        with open(os.path.join(os.fsencode(mount.path), path), "rb") as f:
            assert f.read() == b"content of " + key.encode()


@pytest.mark.stores("local", "moto")
def test_a_second_path_to_a_key_does_not_exist(mount):
    a, w = "a" * 251, "w" * 254
    keys = ["x", "y/z", a, a + "b", a + "c" * 100, w, w + "/below", "d/f"]
    put_all(mount, keys)
    mount.client.put(mount.bucket, "d/", b"")
    seconds = ["%~x%=", "%~y%=", "%~" + a + "%=", "%~" + a + "%+/b", "%~" + a + "%+/%~b%=", "%~" + a + "%+/%~", "%~" + w[:251] + "%+/www",
               "%~" + w[:251] + "%+/www/below", "d/%~", "%~", "%~%=", "d/%~f%="]
    for listed in (False, True):
        mount.fresh()
        if listed:
            files_below(mount.path)
        for name in seconds:
            assert not os.path.lexists(mount.path / name), (name, listed)
            if name == "%~y%=":  # y is a directory: an object of that name can stand beside it
                continue
            with pytest.raises(OSError):
                (mount.path / name).write_text("second")
            with pytest.raises(OSError):
                os.rename(mount.path / "d" / "f", mount.path / name)
            with pytest.raises(OSError):
                os.symlink("x", mount.path / name)
    with pytest.raises(OSError):
        (mount.path / ("%~" + "q" * 251 + "%+")).mkdir()
    check_all(mount, keys)
    assert mount.keys() == sorted(keys)


@pytest.mark.stores("local", "moto")
def test_the_object_of_a_directory_that_holds_something_is_kept(mount):
    mount.client.put(mount.bucket, "d/", b"not only a marker")
    mount.client.put(mount.bucket, "d/f", b"x")
    os.chmod(mount.path / "d", 0o750)
    mount.sync()
    assert mount.client.get(mount.bucket, "d/") == b"not only a marker"
    mount.fresh()
    assert (mount.path / "d" / "%~").read_bytes() == b"not only a marker"
    with pytest.raises(OSError):
        os.rmdir(mount.path / "d")


@pytest.mark.stores("local", "azure")
@pytest.mark.lacks(gcs="takes UTF-8 only", fakegcs="takes UTF-8 only", swift="takes UTF-8 only", s3="the SDK takes UTF-8 only",
                   moto="the SDK takes UTF-8 only")
def test_keys_that_are_no_utf8(mount):
    keys = [os.fsdecode(k) for k in (b"latin-\xe9", b"\xff/\xfe\x01", b"\xc3", b"a/\xed\xa0\x80", bytes(range(1, 47)) + bytes(range(48, 256)))]
    for key in keys:
        mount.client.put(mount.bucket, key, b"content of " + os.fsencode(key))
    assert files_below(mount.path) == {os.fsencode(k) for k in keys}
    for key in keys:
        with open(os.path.join(os.fsencode(mount.path), os.fsencode(key)), "r+b") as f:
            assert f.read() == b"content of " + os.fsencode(key)
            f.write(b"+")
    mount.sync()
    for key in keys:
        assert mount.client.get(mount.bucket, key) == b"content of " + os.fsencode(key) + b"+"
    run("find", mount.path, "-mindepth", "1", "-delete")
    assert mount.keys() == []


@pytest.mark.stores("s3", "local")
@pytest.mark.options(consistency="strict")
def test_a_directory_kept_by_a_folder_marker_is_found_again(mount):
    """What Hadoop's tools of old left behind; in strict mode each look-up asks the cloud."""
    mount.client.put(mount.bucket, "d_$folder$", b"")
    assert os.listdir(mount.path) == ["d"]
    for _ in range(3):
        assert os.path.isdir(mount.path / "d") and os.listdir(mount.path / "d") == []
    (mount.path / "d/f").write_bytes(b"x")
    mount.sync()
    assert os.listdir(mount.path / "d") == ["f"]
    os.unlink(mount.path / "d/f")
    os.rmdir(mount.path / "d")
    mount.sync()
    assert mount.client.keys(mount.bucket) == []
