"""The main job: ordinary programs work in a mounted bucket, and the store holds what they wrote."""

import hashlib
import os
import random
import shutil
import subprocess
import tarfile
import zipfile

import pytest

from harness import run, tree

SIZES = (0, 1, 4095, 4096, 4097, 131072, 1048577)

pytestmark = pytest.mark.both_ways


def noise(size, seed=1):
    return random.Random(seed).randbytes(size)


def make_tree(top, files=30):
    """A small source tree: nested, with empty files, an empty directory, a link, and a program."""
    for i in range(files):
        directory = top / f"d{i % 4}" / f"sub{i % 3}"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f"file {i}.txt").write_bytes(noise(i * 997 % 20000, i))
    (top / "empty-dir").mkdir()
    (top / "program.sh").write_text("#!/bin/sh\necho ran\n")
    (top / "program.sh").chmod(0o755)
    (top / "link").symlink_to("d0/sub0/file 0.txt")
    return top


def test_an_empty_bucket_is_an_empty_directory(mount):
    assert os.listdir(mount.path) == []
    assert mount.bucket in os.listdir(mount.root)


@pytest.mark.parametrize("size", SIZES)
def test_cp_in_and_out(mount, tmp_path, size):
    data = noise(size)
    (tmp_path / "in").write_bytes(data)
    run("cp", tmp_path / "in", mount.path / "file.bin")
    assert (mount.path / "file.bin").stat().st_size == size
    run("cp", mount.path / "file.bin", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == data
    assert mount.read("file.bin") == data


def test_cat_of_an_object_made_elsewhere(mount):
    mount.client.put(mount.bucket, "dir/hello.txt", b"hello, world\n")
    assert run("cat", mount.path / "dir" / "hello.txt").stdout == "hello, world\n"
    assert os.listdir(mount.path) == ["dir"]


def test_what_was_written_is_there_for_a_new_mount(mount):
    (mount.path / "a").mkdir()
    (mount.path / "a" / "b.txt").write_text("kept")
    mount.fresh()
    assert (mount.path / "a" / "b.txt").read_text() == "kept"


def test_mv_and_rm(mount):
    (mount.path / "old.txt").write_text("content")
    run("mv", mount.path / "old.txt", mount.path / "new.txt")
    assert os.listdir(mount.path) == ["new.txt"]
    assert mount.read("new.txt") == b"content"
    assert mount.keys() == ["new.txt"]
    run("rm", mount.path / "new.txt")
    assert os.listdir(mount.path) == []
    assert mount.keys() == []


def test_mkdir_rmdir_and_their_errors(mount):
    run("mkdir", "-p", mount.path / "a" / "b" / "c")
    assert run("mkdir", mount.path / "a", check=False).returncode != 0
    with pytest.raises(OSError, match="not empty"):
        os.rmdir(mount.path / "a")
    with pytest.raises(NotADirectoryError):
        (mount.path / "file").write_text("")
        os.rmdir(mount.path / "file")
    with pytest.raises(FileNotFoundError):
        os.rmdir(mount.path / "nothing")
    run("rmdir", mount.path / "a" / "b" / "c", mount.path / "a" / "b", mount.path / "a")
    assert os.listdir(mount.path) == ["file"]


def test_an_empty_directory_survives(mount):
    os.makedirs(mount.path / "kept" / "inner")
    mount.fresh()
    assert os.listdir(mount.path) == ["kept"]
    assert os.listdir(mount.path / "kept") == ["inner"]
    assert os.listdir(mount.path / "kept" / "inner") == []


def test_a_directory_stays_when_its_last_file_goes(mount):
    (mount.path / "d").mkdir()
    (mount.path / "d" / "f").write_text("x")
    mount.sync()
    (mount.path / "d" / "f").unlink()
    assert os.listdir(mount.path / "d") == []
    mount.fresh()
    assert os.listdir(mount.path) == ["d"]


def test_rm_r(mount, tmp_path):
    make_tree(tmp_path)
    run("cp", "-r", tmp_path, mount.path / "tree")
    mount.sync()
    run("rm", "-r", mount.path / "tree")
    assert os.listdir(mount.path) == []
    assert mount.keys() == []
    assert mount.client.keys(mount.bucket) == []


# A listing does not tell what is a link: see docs/semantics.md.
@pytest.mark.options(attrs="exact")
def test_cp_r_and_back(mount, tmp_path):
    source = make_tree(tmp_path / "source") if (tmp_path / "source").mkdir() is None else None
    run("cp", "-a", source, mount.path / "copy")
    assert tree(mount.path / "copy") == tree(source)
    mount.fresh()
    run("cp", "-a", mount.path / "copy", tmp_path / "back")
    assert tree(tmp_path / "back") == tree(source)
    files = {k.removeprefix("copy/"): v for k, v in ((k, mount.client.get(mount.bucket, k)) for k in mount.keys())}
    expected = {k: v for k, v in tree(source).items() if isinstance(v, bytes)}
    assert {k: v for k, v in files.items() if k in expected} == expected


@pytest.mark.stores("s3", "moto", "gcs")
def test_a_link_that_looks_like_a_file_can_be_read(mount):
    (mount.path / "target").write_text("through the link")
    os.symlink("target", mount.path / "link")
    mount.fresh()
    os.listdir(mount.path)
    assert run("cat", mount.path / "link").stdout == "through the link"
    assert os.readlink(mount.path / "link") == "target"


def test_rsync_twice_copies_nothing_the_second_time(mount, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    make_tree(source)
    first = run("rsync", "-a", "--stats", f"{source}/", f"{mount.path}/copy/").stdout
    assert "Number of regular files transferred: 31" in first
    second = run("rsync", "-a", "--stats", f"{source}/", f"{mount.path}/copy/").stdout
    assert "Number of regular files transferred: 0" in second
    assert tree(mount.path / "copy") == tree(source)
    mount.remount()
    third = run("rsync", "-a", "--stats", f"{source}/", f"{mount.path}/copy/").stdout
    assert "Number of regular files transferred: 0" in third


def test_rsync_deletes_and_updates(mount, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    make_tree(source)
    run("rsync", "-a", f"{source}/", f"{mount.path}/copy/")
    shutil.rmtree(source / "d1")
    (source / "d2" / "sub2" / "file 2.txt").write_text("changed")
    (source / "new.txt").write_text("new")
    run("rsync", "-a", "--delete", f"{source}/", f"{mount.path}/copy/")
    assert tree(mount.path / "copy") == tree(source)
    assert mount.read("copy/new.txt") == b"new"
    assert not [k for k in mount.keys() if k.startswith("copy/d1/")]


def test_tar_in_and_out(mount, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    make_tree(source)
    run("tar", "cf", mount.path / "a.tar", "-C", source, ".")
    os.mkdir(mount.path / "x")
    run("tar", "xf", mount.path / "a.tar", "-C", mount.path / "x")
    assert tree(mount.path / "x") == tree(source)
    (tmp_path / "a.tar").write_bytes(mount.read("a.tar"))
    with tarfile.open(tmp_path / "a.tar") as archive:
        assert "./program.sh" in archive.getnames()


def test_sed_i(mount):
    (mount.path / "f.txt").write_text("one\ntwo\nthree\n")
    run("sed", "-i", "s/two/2/", mount.path / "f.txt")
    assert (mount.path / "f.txt").read_text() == "one\n2\nthree\n"
    assert mount.read("f.txt") == b"one\n2\nthree\n"
    assert mount.keys() == ["f.txt"]


def test_ed_edits_in_place(mount):
    (mount.path / "f.txt").write_text("alpha\nbeta\n")
    done = subprocess.run(["ed", "-s", str(mount.path / "f.txt")], input="2a\ngamma\n.\nw\nq\n", text=True, timeout=30)
    assert done.returncode == 0
    assert mount.read("f.txt") == b"alpha\nbeta\ngamma\n"


def test_save_by_backup_and_rename_as_editors_do(mount):
    target = mount.path / "doc.txt"
    target.write_text("version 1")
    mount.sync()
    for version in ("version 2", "version 3, longer than before"):
        new = mount.path / ".doc.txt.swp"
        with open(new, "x") as f:
            f.write(version)
            f.flush()
            os.fsync(f.fileno())
        os.rename(target, mount.path / "doc.txt~")
        os.rename(new, target)
        assert target.read_text() == version
        os.unlink(mount.path / "doc.txt~")
    assert mount.read("doc.txt") == b"version 3, longer than before"
    assert mount.keys() == ["doc.txt"]


def test_append(mount):
    target = mount.path / "log.txt"
    for i in range(20):
        with open(target, "a") as f:
            f.write(f"line {i}\n")
        if i == 10:
            mount.sync()
    expected = "".join(f"line {i}\n" for i in range(20)).encode()
    assert target.read_bytes() == expected
    assert mount.read("log.txt") == expected


def test_dd_overwrites_the_middle(mount):
    data = bytearray(noise(300_000))
    target = mount.path / "f.bin"
    target.write_bytes(data)
    mount.fresh()
    subprocess.run(["dd", f"of={target}", "bs=1000", "seek=123", "conv=notrunc", "status=none"],
                   input=b"z" * 5000, check=True, timeout=60)
    data[123_000:128_000] = b"z" * 5000
    assert target.read_bytes() == data
    assert mount.read("f.bin") == data


def test_what_was_cut_off_does_not_come_back_when_the_file_grows_again(mount):
    """The upload of a cut object fetches what it keeps, and not a byte more: what lies behind would show when it grows."""
    data = os.urandom(9000)
    mount.client.put(mount.bucket, "cut", data)
    os.truncate(mount.path / "cut", 4500)
    mount.sync()
    assert mount.client.get(mount.bucket, "cut") == data[:4500]
    assert max(p.stat().st_size for p in (mount.cache_dir / "files").iterdir()) == 4500
    os.truncate(mount.path / "cut", 9000)
    mount.sync()
    assert mount.client.get(mount.bucket, "cut") == data[:4500] + bytes(4500)
    assert (mount.path / "cut").read_bytes() == data[:4500] + bytes(4500)


@pytest.mark.parametrize("size", (0, 10, 99_999, 400_000))
def test_truncate_of_an_object(mount, size):
    data = noise(200_000)
    mount.client.put(mount.bucket, "f.bin", data)
    run("truncate", "-s", size, mount.path / "f.bin")
    expected = data[:size].ljust(size, b"\0")
    assert (mount.path / "f.bin").read_bytes() == expected
    assert mount.read("f.bin") == expected


def test_shell_redirections(mount):
    run("sh", "-c", "echo one > f; echo two >> f; cat f f > g; : > empty; wc -l < g > count", cwd=mount.path)
    assert (mount.path / "g").read_text() == "one\ntwo\none\ntwo\n"
    assert mount.read("count").strip() == b"4"
    assert mount.read("empty") == b""


def test_a_program_runs_from_the_mount(mount):
    (mount.path / "p.sh").write_text("#!/bin/sh\necho it runs\n")
    (mount.path / "p.sh").chmod(0o755)
    assert run(mount.path / "p.sh").stdout == "it runs\n"


def test_zip_and_unzip(mount, tmp_path):
    with zipfile.ZipFile(mount.path / "a.zip", "w", zipfile.ZIP_DEFLATED) as z:
        for i in range(10):
            z.writestr(f"d/{i}.txt", f"content {i} " * 100)
    (tmp_path / "a.zip").write_bytes(mount.read("a.zip"))
    with zipfile.ZipFile(tmp_path / "a.zip") as z:
        assert z.testzip() is None
        assert len(z.namelist()) == 10
    with zipfile.ZipFile(mount.path / "a.zip", "a") as z:
        z.writestr("late.txt", "added")
    with zipfile.ZipFile(mount.path / "a.zip") as z:
        assert z.read("late.txt") == b"added"


def test_sqlite_database(mount):
    database = mount.path / "db.sqlite"
    for statement in ("create table t (i integer primary key, s text);",
                      "begin; " + "".join(f"insert into t values ({i}, 'row {i}');" for i in range(200)) + " commit;",
                      "update t set s = 'changed' where i % 7 = 0; delete from t where i % 5 = 0; vacuum;"):
        run("sqlite3", database, statement)
    mount.fresh()
    assert run("sqlite3", database, "select count(*) from t; pragma integrity_check;").stdout.split() == ["160", "ok"]


def test_git_repository(mount):
    if not shutil.which("git"):
        pytest.skip("git is not installed")
    env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@t",
           "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@t", "HOME": str(mount.dir)}
    repo = mount.path / "repo"
    run("git", "init", "-q", "-b", "main", repo, env=env)
    for i in range(3):
        (repo / f"f{i}").write_text(f"content {i}")
        run("git", "-C", repo, "add", ".", env=env)
        run("git", "-C", repo, "commit", "-q", "-m", f"c{i}", env=env)
    assert run("git", "-C", repo, "fsck", "--strict", env=env).returncode == 0
    assert len(run("git", "-C", repo, "log", "--oneline", env=env).stdout.splitlines()) == 3
    assert run("git", "-C", repo, "status", "--porcelain", env=env).stdout == ""


def test_find_and_grep(mount, tmp_path):
    for i in range(25):
        mount.client.put(mount.bucket, f"t/{i % 5}/{i}.txt", f"needle {i}\n".encode() if i % 2 else b"hay\n")
    found = run("grep", "-rl", "needle", mount.path).stdout.split()
    assert len(found) == 12
    assert len(run("find", mount.path, "-type", "f").stdout.split()) == 25
    assert len(run("find", mount.path, "-type", "d").stdout.split()) == 7


def test_many_small_files(mount):
    (mount.path / "many").mkdir()
    for i in range(150):
        (mount.path / "many" / f"{i:03}").write_bytes(noise(100 + i, i))
    assert sorted(os.listdir(mount.path / "many")) == [f"{i:03}" for i in range(150)]
    assert mount.keys() == [f"many/{i:03}" for i in range(150)]
    mount.fresh()
    for i in range(150):
        assert (mount.path / "many" / f"{i:03}").read_bytes() == noise(100 + i, i)


def test_overwriting_replaces_the_whole_object(mount):
    target = mount.path / "f"
    target.write_bytes(b"long content " * 1000)
    mount.sync()
    target.write_bytes(b"short")
    assert mount.read("f") == b"short"
    mount.fresh()
    assert target.read_bytes() == b"short"


def test_sha256sum_of_what_came_back(mount):
    data = noise(3_000_001)
    (mount.path / "f").write_bytes(data)
    mount.fresh()
    assert run("sha256sum", mount.path / "f").stdout.split()[0] == hashlib.sha256(data).hexdigest()


def test_buckets_are_made_and_removed_by_mkdir_and_rmdir(mount):
    bucket = mount.bucket + "-two"
    os.mkdir(mount.root / bucket)
    assert bucket in mount.client.buckets()
    (mount.root / bucket / "f").write_text("x")
    mount.sync()
    with pytest.raises(OSError):
        os.rmdir(mount.root / bucket)
    os.unlink(mount.root / bucket / "f")
    mount.sync()
    os.rmdir(mount.root / bucket)
    assert bucket not in mount.client.buckets()
    assert bucket not in os.listdir(mount.root)
