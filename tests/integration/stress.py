"""Several random testers (model.py) in sibling directories of one bucket, while listings, syncs and the cache's renewal go on
beside them: what one program does must show in no other's directory, and no answer from the cloud may undo what was done here.

By hand, at any length; the build is that of SKYDIR_BUILD_DIR:
    python tests/integration/stress.py --seed 7 --seconds 3600 --store s3 --latency 25
A failure prints the seed of its round and keeps the daemon's log (log-level=debug) and what the programs said.
"""

import argparse
import os
import pathlib
import random
import shutil
import subprocess
import sys
import threading
import time

import model

OPTIONS = {"upload-delay": "20ms", "meta-ttl": "300ms", "log-level": "debug"}


class Divergence(AssertionError):
    pass


class _Beside(threading.Thread):
    """Runs a command again and again until told to stop."""

    def __init__(self, command, environment):
        super().__init__(daemon=True)
        self.command, self.environment, self.rounds, self.over = command, environment, 0, threading.Event()

    def run(self):
        while not self.over.is_set():
            subprocess.run(self.command, env=self.environment, stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
            self.rounds += 1

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        self.over.set()
        self.join()


def _start(mount, top, seed, operations, out):
    (mount.path / top).mkdir()
    with open(out, "wb") as log:
        return subprocess.Popen([sys.executable, model.__file__, str(mount.path / top), str(seed), str(operations)],
                                stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def _await(running, patience_s):
    """Until all have ended, or one has failed: then the others have nothing to add but lines of log."""
    deadline = time.monotonic() + patience_s
    while any(p.poll() is None for p in running):
        if any(p.poll() for p in running):
            return
        if time.monotonic() > deadline:
            raise Divergence(f"the programs did not end in {patience_s} s")
        time.sleep(0.05)


def run_round(mount, seed, programs=6, operations=1200, patience_s=1800):
    """One round in an empty bucket, which it leaves empty. Raises Divergence."""
    outs = [mount.dir / f"out{i}" for i in range(programs)]
    if mount.log.exists():
        os.truncate(mount.log, 0)
    running = []
    beside = [["ls", "-lR", str(mount.path)]]
    if mount.kind != "plain":
        import harness
        beside.append([str(harness.SKYDIR), "sync", str(mount.path)])
    environment = {**mount.environment(), "PYTHONHASHSEED": "0"}
    try:
        with _Beside(beside[0], environment), _Beside(beside[-1], environment):
            for i, out in enumerate(outs):
                running.append(_start(mount, f"p{i}", seed + i, operations, out))
            _await(running, patience_s)
    finally:
        for process in running:
            if process.poll() is None:
                process.kill()
            process.wait()
    said = [out.read_text(errors="replace") for process, out in zip(running, outs) if process.returncode > 0]
    if said:
        raise Divergence(f"round of seed {seed}:\n" + "\n".join(said))
    try:
        model.check_store(mount, model.snapshot(mount.path))
        model.empty(mount.path)
        mount.sync()
        left = [k for k in mount.client.keys(mount.bucket) if model.FOREIGN not in k]
        assert not left, f"left in the emptied bucket: {left}"
        shown = [n for n in os.listdir(mount.path) if model.FOREIGN not in n]
        assert not shown, f"shown in the emptied bucket: {shown}"
    except (AssertionError, OSError) as e:
        raise Divergence(f"round of seed {seed}, in the end: {e}") from e


def keep(mount, place, problem):
    place.mkdir(parents=True, exist_ok=True)
    (place / "problem").write_text(str(problem) + f"\nat {time.time()}\n")
    for path in [mount.log, *mount.dir.glob("out*")]:
        if path.exists():
            shutil.copy(path, place / path.name)


def run(mount, seed, seconds, programs=6, operations=1200, place=None):
    """Rounds until the time is over (at least one); returns how many."""
    deadline, rounds = time.monotonic() + seconds, 0
    while rounds == 0 or time.monotonic() < deadline:
        try:
            run_round(mount, seed + 1000 * rounds, programs, operations)
        except Divergence as problem:
            if place:
                keep(mount, place, problem)
            raise
        rounds += 1
        print(f"round {rounds}: seed {seed + 1000 * (rounds - 1)} agrees", flush=True)
    return rounds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--store", choices=("local", "s3", "moto"), default="local")
    parser.add_argument("--programs", type=int, default=6)
    parser.add_argument("--operations", type=int, default=1200, help="of each program, in each round")
    parser.add_argument("--latency", type=int, default=0, help="ms that each request to the server takes longer")
    parser.add_argument("--keep", type=pathlib.Path, help="where the log of a failure goes (stress-SEED)")
    given = parser.parse_args()

    import harness
    from harness import fleet
    servers, more = [], {}
    place = given.keep or pathlib.Path(f"stress-{given.seed}")
    print(f"seed {given.seed}", flush=True)
    try:
        if given.store != "local":
            servers.append((fleet.Versitygw if given.store == "s3" else fleet.Moto)().start())
            more["server"] = servers[0]
            if given.latency:
                servers.append(fleet.Proxy(servers[0].endpoint, latency_ms=given.latency).start())
                more["proxy"] = servers[1]
        # Walks (fs/walk.h) are recognised only where listings live a second.
        options = OPTIONS | {"meta-ttl": "1s"} if given.seed % 2 else OPTIONS
        with harness.Mount(given.store, options=options, **more) as mount:
            rounds = run(mount, given.seed, given.seconds, given.programs, given.operations, place)
        print(f"{rounds} rounds, no divergence")
        return 0
    except Divergence as problem:
        print(f"{problem}\nkept in {place}", file=sys.stderr)
        return 1
    finally:
        for server in reversed(servers):
            server.stop()


if __name__ == "__main__":
    sys.exit(main())
