"""Purpose: workloads of names: listings of a flat directory and of a tree, known and missing names."""

import os
import random
import subprocess

from works import Workload


def flat_names(job):
    return [f"object-{i:06}" for i in range(job.p.listed)]


def tree_names(job):
    return [f"d{d:03}/f{f:03}" for d in range(job.p.tree_dirs) for f in range(job.p.tree_files)]


def output_of(*command):
    return subprocess.run(command, check=True, capture_output=True, env={**os.environ, "LC_ALL": "C"}).stdout.decode()


def page_through(job, prefix, names):
    """Listings without a delimiter, each from where the one before ended."""
    w = job.wire
    job.mark()
    answers = w.run([w.list(prefix, after=f"{prefix}{names[at - 1]}" if at else "") for at in range(0, len(names), 1000)], 1)
    job.record("cold")
    assert sum(a.body.count(b"<Key>") for a in answers) == len(names), "a listing is not complete"


class Listing(Workload):
    """Base: a command run twice; `check` raises when its output is not all there is."""

    def __init_subclass__(cls):
        cls.measures = ("cold", "warm")
        super().__init_subclass__()

    command, top = (), ""

    def work(self, job):
        for measure in self.measures:
            job.mark()
            out = output_of(*self.command, str(job.path / self.top))
            job.record(measure)
            self.check(job, out)

    def check(self, job, out):
        raise NotImplementedError

    def wire(self, job):
        page_through(job, self.top + "/", flat_names(job) if self.top == "l" else tree_names(job))


class FlatLs(Listing):
    name, title = "lsl", "ls -l of 10,000 objects in one directory, and again"
    command, top = ("ls", "-l"), "l"

    def check(self, job, out):
        lines = [line.split() for line in out.splitlines()[1:]]
        assert [line[-1] for line in lines] == flat_names(job), "names are wrong"
        assert {line[4] for line in lines} == {"1"}, "sizes are wrong"


class FlatFind(Listing):
    name, title = "find", "find over 10,000 objects in one directory, and again"
    command, top = ("find",), "l"

    def check(self, job, out):
        assert sorted(os.path.basename(line) for line in out.splitlines()[1:]) == flat_names(job), "names are wrong"


class TreeLs(Listing):
    name, title = "lslr", "ls -lR of 10,000 objects in 100 directories, and again"
    command, top = ("ls", "-lR"), "t"

    def check(self, job, out):
        files = [line.split()[-1] for line in out.splitlines() if line.startswith("-")]
        assert files == [name.split("/")[1] for name in tree_names(job)], "names are wrong"


class TreeFind(Listing):
    name, title = "findtree", "find over 10,000 objects in 100 directories, and again"
    command, top = ("find",), "t"

    def check(self, job, out):
        top = str(job.path / self.top) + "/"
        found = sorted(line.removeprefix(top) for line in out.splitlines() if line.startswith(top) and "/" in line.removeprefix(top))
        assert found == tree_names(job), "names are wrong"


class StatStorm(Workload):
    name, title, measures = "stat", "stat of 1,000 known paths of that tree; again, 10 times over", ("cold", "warm")

    def work(self, job):
        paths = [str(job.path / "t" / name) for name in random.Random(6).sample(tree_names(job), min(job.p.stats, len(tree_names(job))))]
        job.mark()
        found = [os.stat(path).st_size for path in paths]
        job.record("cold")
        assert set(found) == {1}, "sizes are wrong"
        job.mark()
        for _ in range(10):
            for path in paths:
                os.stat(path)
        job.record("warm")

    def wire(self, job):
        page_through(job, "t/", tree_names(job))


class MissingNames(Workload):
    name, title, measures = "statmiss", "look-ups of 125 names that are not there, in a directory of 1,000", ("cold",)

    def work(self, job):
        paths = [str(job.path / "r" / f"missing-{i}") for i in range(job.p.misses)]
        job.mark()
        found = [path for path in paths if os.path.lexists(path)]
        job.record("cold")
        assert not found

    def wire(self, job):
        job.mark()
        job.wire.run([job.wire.list("r/", delimiter="/")], 1)
        job.record("cold")
