"""Purpose: workloads of many small files: written, read, removed; an archive unpacked, a repository cloned."""

import os
import pathlib
import subprocess
import tarfile

import content
from works import Workload

GIT = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_AUTHOR_NAME": "b", "GIT_AUTHOR_EMAIL": "b@example.org",
       "GIT_COMMITTER_NAME": "b", "GIT_COMMITTER_EMAIL": "b@example.org", "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z",
       "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z", "PATH": os.environ.get("PATH", "/usr/bin")}


def names(job):
    return [f"{i:04}" for i in range(job.p.files)]


def put_all(job, files):
    """{key: path} by one PUT each."""
    w = job.wire
    job.mark()
    w.run([w.put(key, (str(path), 0, os.path.getsize(path)) if os.path.getsize(path) else None) for key, path in files.items()])
    job.record("close")
    job.record("durable")


class SmallWrite(Workload):
    name, title, measures = "smallwrite", "write 1,000 files of 4 KiB, one after the other", ("close", "durable")
    bucket = {}

    def work(self, job):
        (job.path / "w").mkdir()
        os.listdir(job.path / "w")
        data = [content.small(i) for i in range(job.p.files)]
        job.mark()
        for name, d in zip(names(job), data):
            fd = os.open(job.path / "w" / name, os.O_WRONLY | os.O_CREAT, 0o644)
            os.write(fd, d)
            os.close(fd)
        job.record("close")
        job.durable(job.arrived({f"w/{name}": content.SMALL_BYTES for name in names(job)}))
        for name, d in zip(names(job), data):
            assert (job.bucket / "w" / name).read_bytes() == d, f"wrong bytes in {name}"

    def wire(self, job):
        put_all(job, {f"w/{name}": job.source / "r" / name for name in names(job)})


class SmallCopy(Workload):
    name, title, measures = "smallcp", "cp of one new file of 4 KiB into a listed directory", ("close", "durable")
    bucket = {}

    def work(self, job):
        os.listdir(job.path)
        job.mark()
        subprocess.run(["cp", str(job.source / "r" / "0001"), str(job.path / "copied")], check=True)
        job.record("close")
        job.durable(job.arrived({"copied": content.SMALL_BYTES}))
        assert (job.bucket / "copied").read_bytes() == content.small(1), "wrong bytes"

    def wire(self, job):
        put_all(job, {"copied": job.source / "r" / "0001"})


class SmallRead(Workload):
    name, title, measures = "smallread", "read 1,000 files of 4 KiB, one after the other, and again", ("cold", "warm")

    def work(self, job):
        for measure in self.measures:
            found = {}
            job.mark()
            for name in sorted(os.listdir(job.path / "r")):
                fd = os.open(job.path / "r" / name, os.O_RDONLY)
                found[name] = os.read(fd, 2 * content.SMALL_BYTES)
                os.close(fd)
            job.record(measure)
            assert found == {name: content.small(i) for i, name in enumerate(names(job))}, "wrong bytes"

    def wire(self, job):
        w = job.wire
        job.mark()
        w.run([w.list("r/", delimiter="/")], 1)
        w.run([w.get(f"r/{name}", (str(job.source / "r" / name), 0, content.SMALL_BYTES)) for name in names(job)])
        job.record("cold")


class SmallRemove(Workload):
    name, title, measures = "smallrm", "rm -r of a directory of 1,000 files", ("call", "durable")
    bucket = {"r": "r"}

    def work(self, job):
        job.mark()
        subprocess.run(["rm", "-r", str(job.path / "r")], check=True)
        job.record("call")
        left = [job.bucket / "r" / name for name in names(job)]

        def gone():
            while left and not left[-1].exists():
                left.pop()
            return not left

        job.durable(gone)
        assert not os.path.lexists(job.path / "r"), "the directory is still there"

    def wire(self, job):
        w = job.wire
        job.mark()
        for at in range(0, job.p.files, 1000):
            w.run([w.list("r/", after=f"r/{names(job)[at - 1]}" if at else "")], 1)
            w.run([w.delete_many([f"r/{name}" for name in names(job)[at:at + 1000]])], 1)
        job.record("call")
        job.record("durable")
        assert not any((job.bucket / "r" / name).exists() for name in names(job)), "files are left"


class Untar(Workload):
    name, title, measures = "untar", "unpack an archive of 3,000 files of up to 16 KiB", ("close", "durable")
    bucket = {}

    @staticmethod
    def files(job):
        return {f"d{i % 30:02}/f{i:04}": content.sized(i) for i in range(job.p.archived)}

    def archive(self, job):
        """The files in a directory of their own, and the archive of them; made by the first job that needs it."""
        top, tar = job.source / "unpacked", job.source / "archive.tar"
        if not tar.exists():
            for name, data in self.files(job).items():
                (top / name).parent.mkdir(parents=True, exist_ok=True)
                (top / name).write_bytes(data)
            with tarfile.open(tar, "w") as t:
                for path in sorted(top.iterdir()):
                    t.add(path, path.name)
        return top, tar

    def work(self, job):
        _, tar = self.archive(job)
        (job.path / "u").mkdir()
        job.mark()
        subprocess.run(["tar", "-xf", str(tar), "--no-same-owner", "-C", str(job.path / "u")], check=True)
        job.record("close")
        files = self.files(job)
        job.durable(job.arrived({f"u/{name}": len(data) for name, data in files.items()}))
        for name, data in files.items():
            assert (job.bucket / "u" / name).read_bytes() == data, f"wrong bytes in {name}"

    def wire(self, job):
        top, _ = self.archive(job)
        put_all(job, {f"u/{name}": top / name for name in self.files(job)})


class GitClone(Workload):
    name, title, measures = "gitclone", "git clone of a repository of 400 files", ("close", "durable")
    bucket = {}

    @staticmethod
    def git(*arguments, cwd=None):
        return subprocess.run(["git", *map(str, arguments)], cwd=cwd, env={**GIT, "HOME": "/nonexistent"}, check=True,
                              stdin=subprocess.DEVNULL, capture_output=True).stdout

    def clone_to(self, job, where):
        self.git("-c", "safe.directory=*", "clone", "-q", "--no-local", job.source / "repository", where)

    def repository(self, job):
        """Made once; beside it a clone on a plain directory, which says what has to arrive."""
        top, plain = job.source / "repository", job.source / "clone"
        if not plain.exists():
            top.mkdir()
            self.git("init", "-q", "-b", "main", cwd=top)
            for i in range(job.p.versioned):
                path = top / f"src{i % 20:02}" / f"file{i:03}.c"
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(content.sized(i).hex().encode())
            self.git("add", ".", cwd=top)
            self.git("commit", "-q", "-m", "all of it", cwd=top)
            self.clone_to(job, plain)
        return plain

    @staticmethod
    def files(top):
        return {str(pathlib.Path(at, name).relative_to(top)): os.path.getsize(os.path.join(at, name))
                for at, _, found in os.walk(top) for name in found}

    def work(self, job):
        plain = self.repository(job)
        job.mark()
        self.clone_to(job, job.path / "clone")
        job.record("close")
        # Not all of .git repeats byte for byte (the index has times, the hooks' names are the version's).
        sizes = {f"clone/{k}": n for k, n in self.files(plain).items() if not k.startswith(".git/")}
        sizes["clone/.git/HEAD"] = os.path.getsize(plain / ".git" / "HEAD")
        wanted = {f"clone/{k}": n for k, n in self.files(job.path / "clone").items()}
        assert sizes.items() <= wanted.items(), "files of the clone are missing"
        job.durable(job.arrived(wanted))
        for key in sizes:
            assert (job.bucket / key).read_bytes() == (job.source / key).read_bytes(), f"wrong bytes in {key}"
        self.git("-c", "safe.directory=*", "-C", job.path / "clone", "fsck", "--strict")

    def wire(self, job):
        plain = self.repository(job)
        put_all(job, {f"clone/{k}": plain / k for k in self.files(plain)})


class RenameDirectory(Workload):
    name, title, measures = "renamedir", "rename a directory of 200 files", ("call", "durable")
    bucket = {"n": "n"}

    def work(self, job):
        os.listdir(job.path)
        job.mark()
        os.rename(job.path / "n", job.path / "moved")
        job.record("call")
        found = names(job)[:job.p.renamed]
        there = job.arrived({f"moved/{name}": content.SMALL_BYTES for name in found})
        job.durable(lambda: there() and not any((job.bucket / "n" / name).exists() for name in found))
        for i, name in enumerate(found):
            assert (job.bucket / "moved" / name).read_bytes() == content.small(i), f"wrong bytes in {name}"
        assert sorted(os.listdir(job.path / "moved")) == found

    def wire(self, job):
        w, found = job.wire, names(job)[:job.p.renamed]
        job.mark()
        w.run([w.list("n/")], 1)
        w.run([w.copy(f"n/{name}", f"moved/{name}") for name in found])
        for at in range(0, len(found), 1000):
            w.run([w.delete_many([f"n/{name}" for name in found[at:at + 1000]])], 1)
        job.record("call")
        job.record("durable")

