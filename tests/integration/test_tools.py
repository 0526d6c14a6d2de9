"""Daily work, for real: what programs do in a mounted bucket is what they do on a disk, what a client of our own then finds
in the store is the same, and so is what a machine sees that has never seen the bucket.
"""

import hashlib
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import textwrap

import pytest

import model
from harness import run

pytestmark = [pytest.mark.stores("local", "s3"), pytest.mark.options(attrs="exact", upload_delay="100ms")]

PREPARE = r"""
mkdir -p src/deep/er && cd src
for i in 1 2 3 4 5; do head -c $((i * 5000)) /dev/zero | tr '\0' "$i" >"f$i.txt"; done
printf 'one\ntwo\nthree\n' >text; : >empty; seq 2000 >deep/numbers; cp text 'deep/er/with blank and ü'
ln -s ../text deep/link; ln -s nowhere dangling; chmod 755 f1.txt; chmod 600 f2.txt
touch -d '2001-02-03 04:05:06.789' f3.txt text; setfattr -n user.test -v value f4.txt; cd ..
"""

# Each runs in an empty directory of the mount and of the disk, after PREPARE; what it prints and leaves must be the same.
SCRIPTS = {
    "cp-a": "cp -a src copy; diff -r --no-dereference src copy",
    "cp-sparse": "truncate -s 300000 h; printf end >>h; cp --sparse=always h a; cp --sparse=never h b; cmp h a; cmp h b",
    "cp-reflink": "cp --reflink=auto src/f5.txt a; cmp src/f5.txt a; cp --reflink=always src/f5.txt b 2>/dev/null && "
                  "cmp src/f5.txt b; rm -f b",
    "cp-update": "cp -pu src/text a; cp -pu src/text a; cp --backup=numbered src/f1.txt a; ls",
    "mv": "mv src/f1.txt renamed; mv src/deep moved; mv -n renamed src/f2.txt; mv -t src moved; ls -R",
    "install": "install -D -m 0750 src/f1.txt a/b/c/prog; install -d -m 0700 x/y; install -m 644 -t x src/text; stat -c '%A %n' "
               "a/b/c/prog x/y x/text",
    "rm": "cp -a src other; rm -r other; mkdir e; rmdir e; ls",
    "dd": "dd if=src/f5.txt of=o bs=1000 count=7 skip=2 status=none; dd if=src/text of=o bs=1 seek=500 conv=notrunc status=none; "
          "dd if=src/text of=o bs=5 oflag=append conv=notrunc status=none; dd if=/dev/zero of=z bs=1M count=3 conv=fsync status=none; "
          "md5sum o z",
    "truncate": "truncate -s 10000 a; truncate -s -3 src/f1.txt; truncate -s +5 src/text; truncate -s '<100' src/f2.txt; wc -c a src/text src/*.txt",
    "redirections": "echo a >x; echo b >>x; cat <>x; : >|x; echo c | tee -a x y; exec 5>z; echo to-z >&5; echo more >&5; exec 5>&-; cat x y z",
    "sed-i": "sed -i 's/two/TWO/' src/text; sed -i.bak 's/one/1/' src/text; sed -i --follow-symlinks 's/three/3/' src/deep/link; cat src/text "
             "src/text.bak; ls -A src",
    "perl-i": "perl -pi -e 's/two/zwei/' src/text; perl -pi.orig -e 's/one/eins/' src/text; cat src/text; ls -A src",
    "sort-in-place": "shuf --random-source=src/f1.txt -o src/deep/numbers src/deep/numbers; sort -n -o src/deep/numbers src/deep/numbers; "
                     "cmp <(seq 2000) src/deep/numbers && echo sorted",
    "split-and-cat": "split -b 3000 src/f5.txt part.; cat part.* >whole; cmp whole src/f5.txt; ls part.*",
    "csplit-paste": "seq 30 | csplit -s - 10 20; paste xx00 xx01 | sed -n 1,3p; comm -12 <(sort xx00) <(seq 9 | sort) | wc -l",
    "find": "find . -type f -size +4k -printf '%P %s %m\\n' | sort; find . -name '*.txt' -newer src/f3.txt | sort; find src -type l | sort; "
            "find . -name 'f[12]*' -delete; find . -type f | sort",
    "grep-r": "grep -rl two . | sort; grep -rc '^1' src/deep/numbers; grep -rIh --include=text . src",
    "ed": "printf ',s/two/2/g\\nw\\nq\\n' | ed -s src/text; cat src/text",
    "vim": "vim -u NONE -N -es -c 'set backup backupcopy=no' -c '%s/two/II/' -c wq src/text </dev/null || true; "
           "vim -u NONE -N -es -c 'set backupcopy=yes' -c '%s/one/I/' -c wq src/text </dev/null || true; "
           "vim -u NONE -N -es -c 'set writebackup undofile' -c '$s/three/III/' -c 'w! new' -c q! src/text </dev/null || true; "
           "cat src/text new; ls -A src",
    "tar": "tar -cf a.tar src; tar -df a.tar; mkdir out; tar -C out -xpf a.tar; diff -r --no-dereference src out/src; tar -tvf a.tar | wc -l; "
           "rm a.tar; tar -czf a.tgz --sort=name --mtime=@0 src; tar -tzf a.tgz | sed -n 1,3p; rm a.tgz",
    "tar-update": "tar -cf a.tar -C src text; touch -d 2030-01-01 src/text; tar -uf a.tar -C src text; tar -rf a.tar -C src f1.txt; tar -tf a.tar; "
                  "tar --delete -f a.tar f1.txt; tar -tf a.tar",
    "zip": "zip -qr a.zip src -x 'src/dangling'; unzip -qq a.zip -d out; diff -r --exclude=dangling src out/src && echo same; zip -qd a.zip src/text; "
           "unzip -Z1 a.zip | sort | sed -n 1,4p; rm a.zip",
    "cpio-ar": "cd src; ar rcD ../lib.a f1.txt f2.txt; ar dD ../lib.a f1.txt; ar t ../lib.a",
    "gzip": "gzip -n src/f1.txt; gunzip -k src/f1.txt.gz; cmp <(zcat src/f1.txt.gz) src/f1.txt; ls src",
    "patch": "cp src/text src/new; sed -i 's/two/2/' src/new; diff -u src/text src/new >p || true; sed -i 1,2d p; "
             "(printf -- '--- a\\n+++ b\\n'; cat p) >q; patch -s src/text q; cat src/text",
    "touch": "touch -d '2010-10-10 10:10:10.5 UTC' a; touch -r a b; touch -m -d '2011-11-11 UTC' a; stat -c '%n %Y' a b; stat -c %y b | cut -c 1-23",
    "links": "ln -s src/text l; cat l; ln -sfn src/deep l; ls l | wc -l; readlink -f l | grep -c deep; cp -L src/deep/link dereferenced; cat dereferenced",
    "flock": "flock lockfile -c 'echo locked'; flock -n lockfile true && echo again; (flock -n 9 && ! flock -n lockfile true && echo held) 9>lockfile",
    "mktemp": "f=$(mktemp ./t.XXXXXX); echo x >$f; d=$(mktemp -d ./d.XXXXXX); mv $f $d/f; cat $d/f; rm -r $d",
    "checksums": "find src -type f -exec md5sum {} + | sort >sums; md5sum -c --quiet sums && echo good",
    "save-by-rename": "for i in 1 2 3 4 5; do echo \"version $i\" >.doc.tmp; sync .doc.tmp; mv .doc.tmp doc; done; cat doc; ls -A",
    "save-with-backup": "echo first >doc; cp -p doc doc~; echo second >doc; mv doc doc.old; echo third >doc; rm doc.old; cat doc doc~; ls -A",
    "save-in-place": "echo 'a long first version' >doc; printf short >doc; exec 6<>doc; printf S >&6; exec 6>&-; cat doc",
    "lock-file-of-an-office": "echo me >.~lock.doc#; echo text >doc; cp doc lu1.tmp; echo more >>lu1.tmp; mv lu1.tmp doc; rm .~lock.doc#; cat doc; ls -A",
    "many": "for i in $(seq 300); do echo $i >n$i; done; cat n* | sort -n | md5sum; ls | wc -l; rm n1*; ls | wc -l",
    "log-rotation": "for i in 1 2 3; do echo line $i >>log; [ ! -e log.1 ] || mv log.1 log.2; mv log log.1; : >log; done; head log*",
    "du": "du -s --apparent-size -B1 src/f5.txt; wc -c src/*.txt | tail -n 1",
    "xattr-tools": "setfattr -n user.test -v changed src/f4.txt; getfattr -n user.test --only-values src/f4.txt; cp --preserve=xattr src/f4.txt c; "
                   "getfattr -n user.test --only-values c; setfattr -x user.test c; getfattr c",
}
TOOLS = {"vim": "vim", "perl-i": "perl", "patch": "patch"}


def in_both(mount, disk, name, script):
    """Runs a script in both places; the differences, as lines."""
    said = []
    for place in (disk, mount):
        where = place / name
        where.mkdir()
        done = subprocess.run(["bash", "-euc", "set -o pipefail\n" + PREPARE + script], cwd=where, capture_output=True, text=True, timeout=120,
                              stdin=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": str(disk.parent)})
        said.append((done.returncode, done.stdout, done.stderr.replace(str(place), "")))
    wrong = []
    if said[0] != said[1] or said[0][0] != 0:
        wrong.append(f"{name}: on the disk {said[0]}\n    in the mount {said[1]}")
    for key, (there, here) in differences(model.snapshot(disk / name), model.snapshot(mount / name)).items():
        wrong.append(f"{name}: {key!r} is {here}, on the disk {there}")
    return wrong


def differences(a, b):
    return {k: (a.get(k), b.get(k)) for k in sorted(set(a) | set(b)) if a.get(k) != b.get(k)}


def check_store(mount, expected):
    """The bucket holds exactly these files and links (a snapshot); a fresh machine sees all of it."""
    mount.sync()
    wanted = {}
    for name, entry in expected.items():
        if entry[0] == "link":
            wanted[name] = hashlib.md5(os.fsencode(entry[1])).hexdigest()
        elif entry[0] == "file":
            wanted[name] = entry[3]
    keys = [k for k in mount.client.keys(mount.bucket) if not k.endswith("/") and ".sgwtmp." not in k]
    found = {k: hashlib.md5(mount.client.get(mount.bucket, k)).hexdigest() for k in keys}
    assert not differences(wanted, found)
    mount.fresh()
    assert not differences(expected, model.snapshot(mount.path))


def test_tools_do_in_a_mount_what_they_do_on_a_disk(mount, tmp_path):
    wrong, disk = [], tmp_path / "disk"
    disk.mkdir()
    for name, script in SCRIPTS.items():
        assert shutil.which(TOOLS.get(name, "bash")), f"{TOOLS[name]} is not installed (scripts/test does it)"
        wrong += in_both(mount.path, disk, name, script)
    assert not wrong, "\n".join(wrong)
    check_store(mount, model.snapshot(disk))


# ---- rsync ----

def test_the_second_rsync_moves_nothing(mount, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    run("bash", "-euc", PREPARE, cwd=source)
    target = mount.path / "target"
    first = run("rsync", "-aX", "-i", f"{source}/", f"{target}/").stdout
    assert len(first.splitlines()) > 10
    mount.sync()
    for where in ("the same mount", "a mount with an empty cache"):
        if mount.proxy:
            mount.proxy.reset()
        assert run("rsync", "-aX", "-i", f"{source}/", f"{target}/").stdout == "", where
        assert run("rsync", "-aXc", "-i", f"{source}/", f"{target}/").stdout == "", where
        mount.sync()
        if mount.proxy:
            asked = {entry["request"].split()[0] for entry in mount.proxy.log()}
            assert asked <= {"GET", "HEAD"}, where
        mount.fresh()
    # One line more is one file more; --inplace and --append change what they should.
    with open(source / "src" / "text", "a") as f:
        f.write("four\n")
    assert [line.split()[-1] for line in run("rsync", "-ai", f"{source}/", f"{target}/").stdout.splitlines()] == ["src/text"]
    (source / "src" / "f5.txt").write_bytes((source / "src" / "f5.txt").read_bytes()[:-10] + b"0123456789tail")
    run("rsync", "-a", "--inplace", "--no-whole-file", f"{source}/", f"{target}/")
    (source / "src" / "f1.txt").unlink()
    run("rsync", "-a", "--delete", f"{source}/", f"{target}/")
    check_store(mount, {"target/" + k: v for k, v in model.snapshot(source).items()} | {"target": ("dir", stat.S_IMODE(source.stat().st_mode))})


# ---- git ----

GIT_ENV = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@t",
           "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@t", "GIT_AUTHOR_DATE": "1700000000 +0000",
           "GIT_COMMITTER_DATE": "1700000000 +0000"}

GIT_WORK = r"""
git clone -q --no-hardlinks "$1" work; cd work
for i in 1 2 3 4; do echo "change $i" >>file1; echo "new $i" >new$i; git add -A; git commit -q -m "commit $i"; done
git checkout -q -b side HEAD~2; echo side >side; git add side; git commit -q -m side
git checkout -q main; git merge -q -m merge side; git tag -a v1 -m v1
echo dirty >>file2; git stash -q; git stash pop -q; git commit -qam popped
git mv file3 moved; git rm -q file4; git commit -q -m 'moved and removed'
git rebase -q --root --onto HEAD~1 >/dev/null 2>&1 || git rebase --abort >/dev/null 2>&1 || true
git gc -q --prune=now; git fsck --full --strict; git status --porcelain; git log --oneline | wc -l; git count-objects
git init -q --bare -b main ../bare.git; git push -q ../bare.git main --tags; git -C ../bare.git fsck --full
git worktree add -q ../tree side; ls ../tree | wc -l; git worktree remove ../tree; git ls-files -s | md5sum
"""


def test_git_from_clone_to_gc(mount, tmp_path):
    env = {**os.environ, **GIT_ENV, "HOME": str(tmp_path)}
    origin = tmp_path / "origin"
    run("bash", "-euc", "git init -q -b main origin; cd origin; for i in $(seq 60); do seq $i >file$i; done; git add .; git commit -q -m first; "
        "for i in 1 2 3; do echo $i >>file$i; git commit -qam $i; done", cwd=tmp_path, env=env)
    disk = tmp_path / "disk"
    disk.mkdir()
    said = [run("bash", "-euc", GIT_WORK, "bash", origin, cwd=where, env=env) for where in (disk, mount.path)]
    assert said[0].stdout == said[1].stdout
    mount.sync()
    mount.fresh()
    work = mount.path / "work"
    assert run("git", "-C", work, "status", "--porcelain", env=env).stdout == ""
    run("git", "-C", work, "fsck", "--full", "--strict", env=env)
    run("git", "clone", "-q", mount.path / "bare.git", tmp_path / "back", env=env)
    heads = [run("git", "-C", where, "rev-parse", "HEAD", "v1^{}", env=env).stdout for where in (tmp_path / "back", disk / "work")]
    assert heads[0] == heads[1]
    # What a client of the store downloads is a repository too.
    for key in mount.client.keys(mount.bucket, "bare.git/"):
        path = tmp_path / "downloaded" / key
        if key.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(mount.client.get(mount.bucket, key))
    downloaded = tmp_path / "downloaded" / "bare.git"
    (downloaded / "refs").mkdir(exist_ok=True)
    run("git", "-C", downloaded, "fsck", "--full", env=env)
    assert run("git", "-C", downloaded, "rev-parse", "main", env=env).stdout == heads[1].splitlines()[0] + "\n"


# ---- SQLite ----

WRITER = textwrap.dedent("""
    import sqlite3, sys
    path, who, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    db = sqlite3.connect(path, timeout=100, isolation_level=None)
    for i in range(count):
        db.execute("begin immediate")
        db.execute("update total set n = n + 1")
        db.execute("insert into t values (?, ?, ?)", (who, i, "x" * 500))
        db.execute("commit" if i % 10 else "rollback")
    db.close()
""")
READER = textwrap.dedent("""
    import sqlite3, sys
    db = sqlite3.connect(sys.argv[1], timeout=100, isolation_level=None)
    for _ in range(int(sys.argv[2])):
        db.execute("begin")
        rows = db.execute("select count(*) from t").fetchone()[0]
        assert rows == db.execute("select n from total").fetchone()[0], rows
        db.execute("commit")
    assert db.execute("pragma quick_check").fetchone()[0] == "ok"
    db.close()
""")


@pytest.mark.parametrize("journal", ("delete", "wal", "truncate", "persist"))
def test_sqlite_with_readers_and_writers(mount, tmp_path, journal):
    path = mount.path / "data.db"
    db = sqlite3.connect(path, isolation_level=None)
    assert db.execute(f"pragma journal_mode = {journal}").fetchone()[0] == journal
    db.executescript("create table total (n); insert into total values (0); create table t (who, i, s); create index x on t (i)")
    db.close()
    count = 20
    running = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(who), str(count)]) for who in range(2)]
    running += [subprocess.Popen([sys.executable, "-c", READER, str(path), "15"]) for _ in range(2)]
    assert [p.wait(150) for p in running] == [0] * 4
    wanted = 2 * (count - count // 10)

    def check(where):
        again = sqlite3.connect(where)
        assert again.execute("pragma integrity_check").fetchone()[0] == "ok"
        assert again.execute("select count(*), (select n from total) from t").fetchone() == (wanted, wanted)
        again.close()

    check(path)
    (tmp_path / "downloaded.db").write_bytes(mount.read("data.db"))
    check(tmp_path / "downloaded.db")
    mount.fresh()
    check(path)
    db = sqlite3.connect(path)
    db.execute("delete from t where i % 2 = 0")
    db.execute("update total set n = (select count(*) from t)")
    db.commit()
    db.execute("vacuum")
    db.close()
    (tmp_path / "downloaded.db").write_bytes(mount.read("data.db"))
    assert run("sqlite3", tmp_path / "downloaded.db", "pragma integrity_check").stdout == "ok\n"


# ---- building and running ----

def test_make_builds_and_knows_what_is_done(mount):
    project = mount.path / "project"
    (project / "lib").mkdir(parents=True)
    (project / "Makefile").write_text(textwrap.dedent("""\
        prog: main.o lib/libx.a
        \tcc -o $@ main.o lib/libx.a
        lib/libx.a: lib/a.o lib/b.o
        \tar rcs $@ $^
        %.o: %.c lib/x.h
        \tcc -g -c -o $@ $<
        clean:
        \trm -f prog *.o lib/*.o lib/*.a
        """))
    (project / "lib" / "x.h").write_text("int a(void);\nint b(void);\n")
    (project / "lib" / "a.c").write_text('#include "x.h"\nint a(void) { return 40; }\n')
    (project / "lib" / "b.c").write_text('#include "x.h"\nint b(void) { return 2; }\n')
    (project / "main.c").write_text('#include <stdio.h>\n#include "lib/x.h"\nint main(void) { printf("%d\\n", a() + b()); return 0; }\n')
    run("make", "-s", "-j2", cwd=project)
    assert run(project / "prog").stdout == "42\n"
    assert "up to date" in run("make", cwd=project).stdout
    mount.sync()
    mount.fresh()
    # Times are kept in the store, so that another machine need not build again either.
    assert "up to date" in run("make", cwd=project).stdout
    assert run(project / "prog").stdout == "42\n"
    (project / "lib" / "b.c").write_text('#include "x.h"\nint b(void) { return 3; }\n')
    said = run("make", cwd=project).stdout
    assert "lib/b.c" in said and "main.c" not in said
    assert run(project / "prog").stdout == "43\n"
    run("make", "-s", "clean", cwd=project)
    assert sorted(mount.keys()) == [f"project/{n}" for n in ("Makefile", "lib/a.c", "lib/b.c", "lib/x.h", "main.c")]


def test_a_python_environment(mount):
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    place = mount.path / "venv"
    run("/usr/bin/python3", "-m", "venv", "--without-pip", place, env=env)
    code = mount.path / "venv" / "lib" / "mine"
    code.mkdir()
    (code / "__init__.py").write_text("from .part import answer\n")
    (code / "part.py").write_text("answer = 42\n")
    for _ in range(2):
        done = run(place / "bin" / "python", "-c", "import sys; sys.path.insert(0, sys.argv[1]); import mine; print(mine.answer, sys.prefix)",
                   place / "lib", env=env)
        assert done.stdout.split() == ["42", str(place)]
        assert (code / "__pycache__").is_dir()
        mount.sync()
        mount.fresh()


@pytest.mark.slow
@pytest.mark.stores("local")
def test_a_python_environment_with_pip(mount):
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    run("/usr/bin/python3", "-m", "venv", mount.path / "venv", env=env, timeout=170)
    assert "pip" in run(mount.path / "venv" / "bin" / "pip", "--version", env=env).stdout


# ---- between buckets and file systems ----

def test_mv_and_cp_between_buckets_and_disks(mount, tmp_path):
    run("bash", "-euc", PREPARE, cwd=tmp_path)
    other = mount.root / (mount.bucket + "b")
    other.mkdir()
    run("cp", "-a", tmp_path / "src", mount.path / "a")
    expected = model.snapshot(tmp_path / "src")
    run("mv", mount.path / "a", other / "b")
    assert not differences(expected, model.snapshot(other / "b"))
    run("mv", other / "b" / "f5.txt", mount.path / "single")
    assert (mount.path / "single").read_bytes() == (tmp_path / "src" / "f5.txt").read_bytes()
    run("mv", mount.path / "single", other / "b" / "f5.txt")
    run("mv", other / "b", tmp_path / "back")
    assert not differences(expected, model.snapshot(tmp_path / "back"))
    mount.sync()
    assert mount.client.keys(mount.bucket) == []
    assert mount.client.keys(mount.bucket + "b") == []
    other.rmdir()
