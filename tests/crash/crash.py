"""Purpose: kills the daemon again and again, at chosen points and at random times, and looks for what got lost.

    python tests/crash/crash.py --kills 500 --seed 1 --store local      (or s3: the server of SKYDIR_TEST_S3_*, fleet.py; or both)

Several cells run side by side. Each is one mount with two workers; round after round its daemon is started with a plan
(a fault point and the pass at which to die), what was acknowledged is looked for in the mount, now and then in the store
too, and the workers go on until the daemon dies. A failing run prints the seed of its cell, the plan, what was done last
and the log; --cell-seed runs that cell alone. The result is one JSON object (--result), for report.py.
"""

import argparse
import json
import multiprocessing
import os
import pathlib
import queue
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[1]
os.environ.setdefault("SKYDIR_BUILD_DIR", str(TOP / "build" / "fault"))
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "servers"))
import cell as cells
import fleet
import scenes
from cell import Cell
from work import DaemonDied, Wrong

# What leads to a point that few operations pass.
FAVOURS = {
    "upload-": {"big"}, "tree-": {"rename_dir", "fill_dir"}, "extentlog-": {"patch", "append", "truncate"},
    "rename-": {"rename", "read"}, "meta-": {"chmod", "utime", "xattr"}, "marker-": {"mkdir", "fill_dir"},
    "delete-": {"unlink", "rmtree"}, "truncate-": {"truncate", "patch"}, "fetch-": {"read", "patch"},
    "evict-": {"read", "big", "patch"}, "fsync-": {"save"},
}
SLOW = ("journal-checkpoint-",)  # passed when the mount has been idle for two seconds


def favour_of(point):
    return next((f for p, f in FAVOURS.items() if point and point.startswith(p)), None)


class Rounds:
    """The life of one cell: rounds until `wanted` kills or the time is over."""

    def __init__(self, kind, seed, wanted, deadline, my_points, tell, server=None):
        self.rng = random.Random(seed)
        self.cell = Cell(kind, seed, server=server)
        self.wanted, self.deadline, self.tell = wanted, deadline, tell
        self.points = my_points
        self.kills = {}
        self.plan = None
        self.rounds = 0

    def count(self, what):
        self.kills[what] = self.kills.get(what, 0) + 1
        self.tell(("kill", what))

    def died(self):
        """The daemon is gone: who did it?"""
        self.cell.after_death()
        self.count(self.plan[0] if self.plan else "at a random time")

    def options(self, point):
        rng = self.rng
        options = {
            "upload-delay": rng.choice(["0s", "20ms", "20ms", "200ms", "2s", "1h"]),
            "meta-ttl": rng.choice(["1s", "60s", "60s"]),
            "writeback": rng.choice(["yes"] * 11 + ["no"]),
        }
        if point and point.startswith("upload-"):
            options["upload-delay"] = rng.choice(["0s", "20ms"])
        if (point or "").startswith("evict-") or rng.random() < 0.1:
            options["cache-size"] = "4M"
        return options

    def next_plan(self):
        roll = self.rng.random()
        if roll < 0.2:
            return None
        if not self.points:
            return None
        point = self.points[self.rounds % len(self.points)] if roll < 0.8 else self.rng.choice(self.points)
        most = 2 if point.startswith(("recovery-", "tree-", "upload-", "kept-")) else 12
        return point, self.rng.randrange(1, most + 1)

    def work(self):
        """The workers until the daemon dies, their budget is used up, or (no plan) the time has come."""
        cell, problems = self.cell, queue.Queue()
        budget = self.rng.randrange(4, 40)
        favour = favour_of(self.plan[0]) if self.plan else None

        def run(worker):
            try:
                worker.run(budget, favour)
            except DaemonDied:
                pass
            except Exception as e:  # reported by the round
                problems.put(e)

        threads = [threading.Thread(target=run, args=(w,)) for w in cell.workers]
        for w in cell.workers:
            w.stopping = False
        for t in threads:
            t.start()
        until = time.monotonic() + self.rng.choice([0.02, 0.1, 0.3, 0.6]) if not self.plan else None
        while any(t.is_alive() for t in threads):
            if until and time.monotonic() >= until:
                cell.child.kill()
            for t in threads:
                t.join(0.01)
        if not problems.empty():
            raise problems.get()
        wait_s = 0 if not self.plan else 3.0 if self.plan[0].startswith(SLOW) else self.rng.choice([0.05, 0.2, 0.5])
        until = time.monotonic() + wait_s
        while cell.is_alive() and time.monotonic() < until:
            time.sleep(0.01)

    def round(self):
        """One life of the daemon."""
        cell = self.cell
        self.plan = self.next_plan()
        self.rounds += 1
        point = self.plan[0] if self.plan else None
        if not cell.launch(f"{self.plan[0]}:{self.plan[1]}" if self.plan else None, self.options(point)):
            self.count(point)
            return
        try:
            cell.check_mount()
            if self.rounds % 5 == 0 or (point and point.startswith("change-")):
                cell.sync_all()
                cell.check_store()
            self.work()
        except DaemonDied:
            pass
        if cell.is_alive():
            if point and point.startswith("kept-"):
                cell.end()
                if not cell.child.returncode:
                    return
            else:
                cell.child.kill()
                self.plan = None
        self.died()

    def run(self):
        while sum(self.kills.values()) < self.wanted and time.monotonic() < self.deadline:
            self.round()
        self.plan = None
        if not self.cell.launch():
            raise Wrong("a mount without faults dies")
        self.cell.check_mount()
        self.cell.sync_all()
        self.cell.check_store()
        self.cell.end()
        self.cell.check_fresh()
        self.cell.end()


def run_cell(kind, seed, wanted, deadline, my_points, results, keep):
    server = scenes.outside_server() if kind != "local" else None
    life = None
    try:
        life = Rounds(kind, seed, wanted, deadline, my_points, results.put, server)
        life.run()
        cell = life.cell
        results.put(("done", {
            "seen": sorted(cell.seen()), "bytes": cell.bytes_checked, "mounts": cell.started, "syncs": cell.syncs,
            "steps": sum(w.steps for w in cell.workers), "written": sum(w.bytes_written for w in cell.workers)}))
    except BaseException as e:
        cell = life.cell if life else None
        text = f"cell seed {seed}: {e}\n" if isinstance(e, Wrong) else f"cell seed {seed}:\n{traceback.format_exc()}"
        if cell:
            text += f"round {life.rounds}, plan {life.plan}, options {cell.options}\n"
            for w in cell.workers:
                text += f"last of {w.name}: " + "; ".join(w.history[-12:]) + "\n"
            text += cell.about(str(e)) + "\n" + cell.sanitizer_reports()
            if keep:
                text += f"\nkept: {cell.dir}"
        results.put(("failed", text))
    finally:
        if life and not keep:
            life.cell.destroy()
        elif life:
            life.cell.kill_now()


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    parser.add_argument("--store", choices=["local", "s3", "both"], default="local")
    parser.add_argument("--again", type=int, default=0, metavar="N",
                        help="a run that finds something is told, and done N times more: then it must find nothing")
    parser.add_argument("--minutes", type=float, default=60, help="ends earlier when the kills are done")
    parser.add_argument("--cells", type=int, default=4, help="mounts side by side")
    parser.add_argument("--cell-seed", type=int, help="one cell of an earlier run alone")
    parser.add_argument("--points", default="", help="only fault points that begin so")
    parser.add_argument("--keep", action="store_true", help="leave the directory of a failed cell")
    parser.add_argument("--scenes-only", action="store_true", help="the chosen scenes, no random kills")
    parser.add_argument("--no-scenes", action="store_true", help="without the chosen scenes")
    parser.add_argument("--disk", action="store_true",
                        help="on a disk (TMPDIR) instead of a RAM disk: there the kernel may read and write cache files by itself")
    parser.add_argument("--all-points", action="store_true", help="fail when a fault point was never passed (takes many kills)")
    parser.add_argument("--result", type=pathlib.Path, help="where the JSON for report.py goes")
    return parser.parse_args()


class Tally:
    def __init__(self):
        self.kills, self.seen, self.sums, self.failures, self.scenes = {}, set(), {}, [], {}

    def take(self, kind, what):
        if kind == "kill":
            self.kills[what] = self.kills.get(what, 0) + 1
        elif kind == "done":
            self.seen |= set(what.pop("seen"))
            for key, value in what.items():
                self.sums[key] = self.sums.get(key, 0) + value
        else:
            self.failures.append(what)


def drive(args, all_points, tally):
    """The cells, until all are through or one fails."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    deadline = time.monotonic() + args.minutes * 60
    count = 1 if args.cell_seed is not None else args.cells
    mine = [p for p in all_points if p.startswith(args.points)]
    processes = []
    for i in range(count):
        seed = args.cell_seed if args.cell_seed is not None else args.seed * 1000 + i
        order = list(mine)
        random.Random(seed).shuffle(order)
        wanted = args.kills // count + (i < args.kills % count)
        processes.append(context.Process(target=run_cell, daemon=True,
                                         args=(args.store, seed, wanted, deadline, order, results, args.keep)))
    for p in processes:
        p.start()
    left = count
    while left:
        try:
            kind, what = results.get(timeout=1)
        except queue.Empty:
            dead = [p for p in processes if p.exitcode not in (None, 0)]
            if dead:
                tally.failures.append(f"a cell's process ended with {dead[0].exitcode}")
                break
            continue
        tally.take(kind, what)
        left -= kind != "kill"
    for p in processes:
        p.join(30)


def result_of(args, tally, all_points, seconds):
    rows = sorted(tally.kills.items(), key=lambda k: (-k[1], k[0]))
    return {
        "name": f"crash-{args.store}{'-disk' if args.disk else ''}",
        "order": 10,
        "title": f"Killed at any moment ({'S3 server' if args.store == 's3' else 'local store'}"
                 f"{', cache on a disk' if args.disk else ''})",
        "text": ["SIGKILL at every fault point and at random times, under two workers that create, overwrite, patch, append, "
                 "truncate, rename, delete, link and set attributes, with small files, files in parts and whole directories. "
                 "After each kill the next mount must show exactly what was acknowledged (the one call in flight may be "
                 "done, not done or, a write, done in part); after sync the store must hold the same, by a client of its "
                 "own, with no unfinished upload; at the end a machine with an empty cache must see it, too."],
        "command": f"python tests/crash/crash.py --store {args.store} --kills {args.kills} --seed {args.seed}"
                   + (" --disk" if args.disk else ""),
        "figures": {
            "kills": sum(tally.kills.values()), "fault points": len(all_points),
            "fault points killed at": len(set(tally.kills) & set(all_points)),
            "mounts": tally.sums.get("mounts", 0), "acknowledged calls": tally.sums.get("steps", 0),
            "bytes written": tally.sums.get("written", 0), "bytes compared": tally.sums.get("bytes", 0),
            "comparisons with the store": tally.sums.get("syncs", 0), "bytes lost or wrong": 0,
            "seconds": int(seconds)},
        "tables": [{"title": "Scenes", "columns": ["scene", "times"], "rows": sorted(tally.scenes.items())},
                   {"title": "Kills by place", "columns": ["where", "kills"], "rows": rows}],
    }


def run_apart(args):
    """The stores side by side, or a run that may be done again: each in a process of its own."""
    stores = ["local", "s3"] if args.store == "both" else [args.store]
    words = ["--kills", args.kills, "--seed", args.seed, "--minutes", args.minutes, "--cells", args.cells]
    words += [w for w, is_set in [("--scenes-only", args.scenes_only), ("--no-scenes", args.no_scenes)] if is_set]

    running = []

    def run(store):
        running.append(subprocess.Popen([sys.executable, __file__, "--store", store, *map(str, words)]))
        return running[-1]

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        failed = [store for store, p in [(store, run(store)) for store in stores] if p.wait() != 0]
        for store in failed:
            print(f"store {store}: what was found is above; done again {args.again} times", file=sys.stderr, flush=True)
            if not args.again or any(run(store).wait() != 0 for _ in range(args.again)):
                return 1
        return 0
    finally:
        for p in running:
            p.terminate()  # nothing to one that ended


def main():
    args = parse()
    if args.store == "both" or args.again:
        return run_apart(args)
    started = time.monotonic()
    all_points, tally = cells.points(), Tally()
    place = os.environ.get("TMPDIR", "/tmp") if args.disk else cells.ram_dir()
    scratch = tempfile.mkdtemp(prefix="skydir-crash-", dir=place)
    os.environ["SKYDIR_TEST_SCRATCH"] = scratch
    print(f"seed {args.seed}, {len(all_points)} fault points", flush=True)
    if not args.scenes_only:
        drive(args, all_points, tally)
    if not args.no_scenes and not tally.failures and args.cell_seed is None:
        scenes.run_all(args.store, args.seed, tally)
    for text in tally.failures:
        print(f"FAILED (seed {args.seed}, --store {args.store})\n{text}", file=sys.stderr, flush=True)
    total = sum(tally.kills.values())
    missed = sorted(set(all_points) - tally.seen - set(tally.kills))
    print(f"{total} kills at {len(set(tally.kills) & set(all_points))} of {len(all_points)} points, "
          f"{tally.sums.get('bytes', 0)} bytes compared, {time.monotonic() - started:.0f} s", flush=True)
    if missed and args.all_points:
        print(f"never passed: {' '.join(missed)}", file=sys.stderr, flush=True)
        tally.failures.append("points")
    if not args.keep or not tally.failures:
        import shutil
        shutil.rmtree(scratch, ignore_errors=True)
    if tally.failures:
        return 1
    if args.result:
        args.result.write_text(json.dumps(result_of(args, tally, all_points, time.monotonic() - started), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
