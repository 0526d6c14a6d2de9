"""Purpose: a long life under everything at once: what is acknowledged stays, and the daemon takes no more as time goes by.

    python tests/crash/soak.py --seconds 60 --seed 1 --store local      (or s3: versitygw behind skydir-proxy)

Actors (actors.py) work side by side in one mount, and one in a second mount of the same bucket. Time goes by in episodes of
a few seconds, each with one trouble: the daemon stopped and continued, a clock that jumps, unmounting while busy, a network
that flaps, is slow or full of errors; and, in the first part of each cycle, kill -9, lazy and clean unmounting. Now and then,
and in the end, everything is compared with what was acknowledged: in the mount, in the store by a client of its own, and
as a machine sees it that has never seen the store. The rest of a cycle is one life of the daemon, which is sampled each
second and must stay level (steady.py). --build DIR: a build with fault points (preset fault).
"""

import argparse
import json
import os
import pathlib
import queue
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[1]


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="how long to work; checks at the end come on top")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    parser.add_argument("--store", choices=["local", "s3"], default="local")
    parser.add_argument("--build", type=pathlib.Path, default=os.environ.get("SKYDIR_BUILD_DIR", TOP / "build" / "fault"))
    parser.add_argument("--big", type=int, default=64, help="MiB of the big file")
    parser.add_argument("--only", default="", help="episodes to choose from, by comma")
    parser.add_argument("--log-level", default="info")
    parser.add_argument("--keep", action="store_true", help="leave the directory of a failed run")
    parser.add_argument("--result", type=pathlib.Path, help="where the JSON for report.py goes")
    return parser.parse_args()


ARGS = parse() if __name__ == "__main__" else None
if ARGS:
    os.environ["SKYDIR_BUILD_DIR"] = str(pathlib.Path(ARGS.build).resolve())
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "servers"))
sys.path.insert(0, str(HERE.parent / "integration"))
import cell as cells
import fleet
import harness
import model
import steady
import trees
from actors import Big, Mapped, Mixed, Programs, Tools, work_until
from work import Wrong

CYCLE_S, ROUGH_PART = 600, 0.3
LETHAL = ("kill", "kill", "lazy", "clean")
LOG_MOST = 64 << 20
SYNC_S = 600
OPTIONS = {"upload-delay": "50ms", "meta-ttl": "1s", "cache-size": "256M", "timeout": "60s"}


class Place(cells.Cell):
    """One mount of the bucket, with what a soak asks of it beyond a cell."""

    def start_up(self, **more):
        if not self.launch(options={**OPTIONS, **more}):
            raise Wrong(f"the daemon dies without a reason {self.tail()}")

    def sync_all(self):
        done = self.skydir("sync", "--timeout", f"{SYNC_S}s", self.top, check=False, timeout=SYNC_S + 30)
        if done.returncode != 0:
            raise Wrong(f"sync fails: {done.stderr.strip()} {self.tail()}")
        self.syncs += 1

    def shorten_log(self):
        if self.log.exists() and self.log.stat().st_size > LOG_MOST:
            os.truncate(self.log, 0)


class Soak:
    """The mounts, the actors and the troubles. Use run(), then end()."""

    def __init__(self, args, server=None, proxy=None):
        self.args, self.proxy = args, proxy
        self.rng = random.Random(args.seed)
        self.place = Place(args.store, args.seed, workers=0, server=server, proxy=proxy)
        self.other = Place(args.store, args.seed + 1, workers=0, server=server, bucket=self.place.bucket)
        if args.store == "local":
            data = self.other.dir / "data"
            data.rmdir()
            data.symlink_to(self.place.dir / "data")
        self.clock = self.place.dir / "clock"
        self.clock.write_bytes(bytes(16))
        self.actors = self._actors()
        self.episodes, self.checks, self.refused = {}, 0, 0
        self.problems = queue.Queue()
        self.sampler = steady.Sampler(lambda: self.place.child.pid if self.place.is_alive() else None)
        self.fds_idle = None

    def _actors(self):
        seed, part = self.args.seed * 1000, (2 if self.args.store == "local" else 10) * (1 << 20) + 4097
        found = [Mixed("w0", seed, part), Mixed("w1", seed + 1, part), Big("big", seed + 2, self.args.big << 20),
                 Mapped("map", seed + 3), Tools("tools", seed + 4, self.place.dir / "source"), Programs("model", seed + 5, 0)]
        for a in found:
            a.top, a.is_dead = str(self.place.path / a.name), self.place.is_dying
        far = Mixed("far", seed + 6, part)
        far.top, far.is_dead = str(self.other.path / "far"), self.other.is_dying
        self.far = far
        self.place.workers = found
        return [*found, far]

    # ---- episodes ----

    def work(self, seconds, fragile, trouble=None):
        """All actors for a while, with a trouble beside them; waits until the last has stopped."""
        deadline = time.monotonic() + seconds
        actors = [a for a in self.actors if fragile or not a.is_fragile]
        threads = [threading.Thread(target=work_until, args=(a, deadline, self.problems), daemon=True) for a in actors]
        for a in actors:
            a.died = False
        for t in threads:
            t.start()
        try:
            if trouble:
                trouble(deadline)
        finally:
            for t in threads:
                t.join()
        if not self.problems.empty():
            actor, problem = self.problems.get()
            last = actor.history[-1].partition(" ")[2] if actor.history else ""
            raise Wrong(f"{actor.name}: {problem!r}\nlast: {'; '.join(actor.history[-8:])}\n"
                        f"the paths of the last step:\n  '{last}'\n  '{last.rpartition(' ')[0]}'") from problem

    def _pause(self, deadline, least, most):
        time.sleep(max(0, min(self.rng.uniform(least, most), deadline - time.monotonic())))

    def trouble_stop(self, deadline):
        """kill -STOP and -CONT."""
        child = self.place.child
        while time.monotonic() < deadline:
            child.send_signal(signal.SIGSTOP)
            try:
                time.sleep(self.rng.choice([0.05, 0.5, 2.5]))
            finally:
                child.send_signal(signal.SIGCONT)
            self._pause(deadline, 0.3, 1.5)

    def _jump(self, wall_ns):
        with open(self.clock, "r+b") as f:
            f.write(struct.pack("=q", wall_ns))

    def trouble_clock(self, deadline):
        """Wall time jumps as after a suspend, or when somebody sets the clock; monotonic time does neither."""
        try:
            while time.monotonic() < deadline:
                self._jump(self.rng.choice([3600, 8 * 3600, -3600, 2 * 86400, -30 * 86400, 40]) * 10**9)
                self._pause(deadline, 0.3, 2)
        finally:
            self._jump(0)

    def trouble_busy(self, deadline):
        """Unmounting is refused while somebody has a file open, and disturbs nobody."""
        place = self.place
        with open(place.path / ".held", "w+b") as held:
            while time.monotonic() < deadline:
                done = subprocess.run(["fusermount3", "-u", str(place.top)], capture_output=True, text=True)
                if done.returncode == 0 or not place.is_alive():
                    raise Wrong("a busy mount is unmounted by fusermount3 -u")
                self.refused += 1
                held.write(b"x")
                self._pause(deadline, 0.2, 1)
        os.unlink(held.name)

    def trouble_flap(self, deadline):
        try:
            while time.monotonic() < deadline:
                self.proxy.down()
                time.sleep(self.rng.choice([0.1, 0.7, 3]))
                self.proxy.up()
                self._pause(deadline, 0.3, 1.5)
        finally:
            self.proxy.up()

    def trouble_slow(self, deadline):
        self.proxy.set(latency_ms=self.rng.choice([50, 250]), rate=8 << 20)
        try:
            self._pause(deadline, 60, 60)
        finally:
            self.proxy.set(latency_ms=0, rate=0)

    def trouble_errors(self, deadline):
        """A tenth of the requests goes wrong, one way or the other."""
        kinds = [("status", {"status": 503, "code": "SlowDown"}), ("status", {"status": 500}), ("reset-before", {}),
                 ("reset-mid", {}), ("reset-after", {}), ("truncate", {}), ("corrupt-up", {})]
        for i, (kind, more) in enumerate(self.rng.sample(kinds, 3)):
            self.proxy.fault("*", kind, count=0, permille=30, seed=self.rng.randrange(1, 1 << 30), label=f"soak{i}", **more)
        try:
            self._pause(deadline, 60, 60)
        finally:
            self.proxy.clear()

    def trouble_kill(self, deadline):
        self._pause(deadline, 0.2, 4)
        self.place.child.kill()

    def episode(self, kind):
        self.episodes[kind] = self.episodes.get(kind, 0) + 1
        seconds = self.rng.uniform(3, 7)
        place = self.place
        if kind in ("calm", "lazy", "clean"):
            self.work(seconds, True)
        else:
            self.work(seconds, kind != "kill", getattr(self, "trouble_" + kind))
        if kind == "kill":
            place.after_death()
        elif kind == "lazy":
            self._leave_lazily()
        elif kind == "clean":
            place.end()
        elif not place.is_alive():
            place.after_death()
            raise Wrong(f"the daemon has gone {place.tail(30)}")
        if kind in LETHAL:
            self.start_place()
            place.check_mount()

    def _leave_lazily(self):
        """fusermount3 -uz with a file open: what is written after that counts, too."""
        place, actor = self.place, self.actors[0]
        fd = os.open(os.path.join(actor.top, "lazy"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        was = actor.tree.get("lazy", trees.Entry("file", 0o644))
        actor.tree = {**actor.tree, "lazy": was._replace(data=b"before and after", mtime_ns=None)}
        try:
            os.write(fd, b"before ")
            subprocess.run(["fusermount3", "-uz", str(place.top)], check=True, capture_output=True)
            os.write(fd, b"and after")
        finally:
            os.close(fd)
        place.after_death()

    def start_place(self):
        self.place.shorten_log()
        self.place.start_up(**{"log-level": self.args.log_level})

    # ---- checks ----

    def check(self):
        """Everything, in both mounts and in the store."""
        self.checks += 1
        self.place.check_mount()
        self.other.sync_all()
        self.place.sync_all()
        self._check_each_other()
        own = self.place.workers
        self.place.workers = self.actors
        try:
            self.place.check_store()
        finally:
            self.place.workers = own
        self.other.shorten_log()
        self.place.shorten_log()

    def _blind_to_attributes(self, tree):
        """On S3 an object's version is the tag of its content: new attributes alone leave it as it is, so the other mount goes on
        showing the old ones; a directory has no version on any store (docs/semantics.md). That they arrived is seen by
        check_fresh()."""
        return {k: e._replace(mode=0, xattrs=(), mtime_ns=None) if self.args.store == "s3" or e.kind == "dir" else e
                for k, e in tree.items()}

    def _check_each_other(self):
        """What one mount wrote the other shows, after meta-ttl."""
        for actor, eyes in [(self.far, self.place), *((a, self.other) for a in self.place.workers if a.name != "big")]:
            top = eyes.path / actor.name

            def same():
                seen, size = trees.look(top)
                wanted = self._blind_to_attributes(actor.tree)
                lines = [line for line in trees.differences(self._blind_to_attributes(seen), wanted) if model.FOREIGN not in line]
                if lines:
                    raise AssertionError("\n".join(["", *lines[:12]]))
                self.place.bytes_checked += size
                return True

            try:
                harness.eventually(same, timeout=30, what=f"{actor.name} as the other mount shows it")
            except AssertionError as e:
                raise Wrong(str(e)) from None

    # ---- the run ----

    def choices(self, is_rough):
        kinds = ["calm", "stop", "clock", "busy"] + (["flap", "slow", "errors"] if self.proxy else [])
        if is_rough:
            kinds = [*LETHAL, *LETHAL, *kinds]
        only = [k for k in kinds if k in self.args.only.split(",")] if self.args.only else kinds
        return only or ["calm"]

    def run(self):
        started = time.monotonic()
        os.environ["SKYDIR_FAULT_CLOCK"] = str(self.clock)
        self.start_place()
        del os.environ["SKYDIR_FAULT_CLOCK"]
        self.other.start_up(**{"log-level": self.args.log_level})
        os.mkdir(self.far.top)
        self.place.check_mount()
        self.sampler.start()
        cycle_s = min(CYCLE_S, self.args.seconds)
        number = 0
        while (now := time.monotonic() - started) < self.args.seconds:
            kinds = self.choices((now % cycle_s) / cycle_s < ROUGH_PART)
            kind = self.rng.choice(kinds)
            print(f"{now:6.0f} s: {kind}{self._taken()}", flush=True)
            self.episode(kind)
            number += 1
            if number % 6 == 0:
                self.check()

    def _taken(self):
        s = self.sampler.samples[-1] if self.sampler.samples else None
        return f" (rss {s.rss >> 20} MiB, fds {s.fds}, threads {s.threads})" if s else ""

    def end(self):
        """The last comparison, and how the lives were."""
        self.check()
        sample = steady.read(self.place.child.pid)
        self.fds_idle = sample.fds if sample else None
        self.sampler.stop()
        judge_memory = not harness.is_sanitized()
        for life in self.sampler.lives():
            if found := steady.problems(life, judge_memory):
                raise Wrong(f"a life of {life[-1].at_s - life[0].at_s:.0f} s is not steady: {', '.join(found)}")
        self.place.end()
        self.place.workers = self.actors
        for a in self.actors:
            a.top = str(self.place.path / a.name)
        self.place.check_fresh()
        for place in (self.place, self.other):
            place.end()
            if place.sanitizer_reports():
                raise Wrong(place.sanitizer_reports())
            if place.leaks():
                raise Wrong(f"a secret is shown: {place.leaks()}")

    def result(self, seconds):
        lives = [life for life in self.sampler.lives() if steady.judged(life)]
        rows = []
        for life in lives:
            s = steady.judged(life)
            rows.append([int(life[-1].at_s - life[0].at_s), min(x.rss for x in s) >> 10, max(x.rss for x in s) >> 10,
                         steady.growth(s) >> 10, round(steady.slope(s)), max(x.fds for x in s), max(x.threads for x in s)])
        args = self.args
        return {
            "name": f"soak-{args.store}", "order": 30,
            "title": f"A long life ({'S3 server' if args.store == 's3' else 'local store'})",
            "text": ["Random work, a big file written, patched and appended to, storms of small files, directory renames, a "
                     "writer by shared map, rsync, tar, git and the random tester side by side in one mount, and a second "
                     "mount beside it; while the daemon is stopped and continued, killed, unmounted busy, lazily and cleanly, "
                     "the clock jumps" + (", and the network flaps, is slow or full of errors" if self.proxy else "") +
                     ". Compared with what was acknowledged in both mounts, in the store and on a machine with an empty "
                     "cache; a wrong byte fails the run, and so do memory, descriptors or threads that grow."],
            "command": f"python tests/crash/soak.py --store {args.store} --seconds {args.seconds:.0f} --seed {args.seed}",
            "figures": {
                "seconds": int(seconds), "mounts": self.place.started, "acknowledged calls": sum(a.steps for a in self.actors),
                "bytes written": sum(a.bytes_written for a in self.actors), "bytes compared": self.place.bytes_checked,
                "comparisons of everything": self.checks + 1, "unmounting refused while busy": self.refused,
                "descriptors in the end, idle": self.fds_idle, "bytes lost or wrong": 0},
            "tables": [{"title": "Episodes", "columns": ["trouble", "times"], "rows": sorted(self.episodes.items())},
                       {"title": "Lives that were judged, after their warm-up",
                        "columns": ["seconds", "least KiB", "most KiB", "growth KiB", "bytes/s", "descriptors", "threads"],
                        "rows": rows}],
        }

    def leave_histories(self):
        for a in self.actors:
            (self.place.dir / f"history-{a.name}").write_text("\n".join(a.history))

    def destroy(self, keep):
        for place in (self.place, self.other):
            try:
                if keep:
                    place.kill_now()
            except Wrong as e:  # it had ended before, by itself: that was told; the other one has to go all the same
                print(e, file=sys.stderr)
            if not keep:
                place.destroy()


def soak(args, server=None, proxy=None):
    """The run; returns the exit code."""
    started, life, failed = time.monotonic(), Soak(args, server, proxy), True
    try:
        life.run()
        life.end()
        failed = False
    except Exception as e:  # told whole, with what helps to see why
        text = str(e) if isinstance(e, Wrong) else traceback.format_exc()
        print(f"FAILED (seed {args.seed}, --store {args.store}, {life.episodes})\n{text}\n{life.place.about(text)}\n"
              f"{life.place.sanitizer_reports()}\nof the second mount:\n{life.other.about(text)}", file=sys.stderr, flush=True)
        if args.keep:
            life.leave_histories()
            print(f"kept: {life.place.dir} and {life.other.dir}", file=sys.stderr)
    finally:
        life.destroy(args.keep and failed)
    if failed:
        return 1
    result = life.result(time.monotonic() - started)
    print(json.dumps(result["figures"]), *(json.dumps(t["rows"]) for t in result["tables"]), sep="\n", flush=True)
    if args.result:
        args.result.write_text(json.dumps(result, indent=1))
    return 0


def main():
    scratch = tempfile.mkdtemp(prefix="skydir-soak-", dir=cells.ram_dir())
    os.environ["SKYDIR_TEST_SCRATCH"] = scratch
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # nothing is left mounted
    print(f"seed {ARGS.seed}, {ARGS.store}, {ARGS.seconds:.0f} s", flush=True)
    status = 1
    try:
        if ARGS.store == "local":
            status = soak(ARGS)
        else:
            with fleet.Versitygw() as server, fleet.Proxy(server.endpoint) as proxy:
                status = soak(ARGS, server, proxy)
    finally:
        if not (status and ARGS.keep):
            shutil.rmtree(scratch, ignore_errors=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
