"""Purpose: one mount that dies again and again, with the workers in it and the look into the store behind it.

A Cell is tests/integration's Mount with the daemon as our own child, a directory on a RAM disk where there is one, and
fault points by environment (backends/base/fault.h).
"""

import ctypes
import os
import pathlib
import random
import shutil
import signal
import stat
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))
sys.path.insert(0, str(HERE.parent / "servers"))
import harness
import trees
from work import DEAD, DaemonDied, Worker, Wrong

_libc = ctypes.CDLL(None, use_errno=True)
MNT_DETACH = 2
START_S = float(os.environ.get("SKYDIR_TEST_PATIENCE", "60"))


def points():
    """The fault points of the program under test."""
    told = subprocess.run([str(harness.SKYDIR)], env={**os.environ, "SKYDIR_FAULT_LIST": "1"}, capture_output=True,
                          text=True, check=True).stdout.split()
    if not told:
        raise RuntimeError(f"{harness.SKYDIR} has no fault points (cmake --preset fault)")
    return sorted(set(told))


class LocalStore(harness.LocalClient):
    """With the unfinished uploads, which lie in the store's own directory."""

    def uploads(self, bucket):
        found = self.root / ".skydir" / "buckets" / bucket / "uploads"
        return sorted(p.name for p in found.iterdir()) if found.is_dir() else []


class Cell(harness.Mount):
    def __init__(self, kind, seed, workers=2, server=None, proxy=None, **more):
        super().__init__(kind, server=server, proxy=proxy, **more)
        self.seed, self.rng = seed, random.Random(seed)
        self.child, self.started = None, 0
        self.seen_file = self.dir / "seen"
        self.bytes_checked = self.syncs = 0
        self.boot = None
        if kind == "local":
            self.client = LocalStore(self.dir / "data" / "skydir" / "local")
            # Kills, not power losses, are what most of the tests are about.
        big = (5 << 20) * 2 + 4097 if kind != "local" else (2 << 20) + 4097
        self.workers = [Worker(f"w{i}", seed * 100 + i, big) for i in range(workers)]
        for w in self.workers:
            w.top = str(self.path / w.name)
            w.is_dead = self.is_dying
        if "bucket" not in more:  # else another cell has made it
            self.client.create_bucket(self.bucket)

    # ---- the daemon ----

    def launch(self, plan=None, options=None, extra=None):
        """Starts the daemon and waits until it answers. False: it died before that (a fault point in recovery)."""
        base = {"upload-delay": "0s", "part-size": "1M" if self.kind == "local" else "5M", "free-space-floor": "16M",
                "attrs": "exact", "log-level": "debug"}
        self.options = {**base, **(options or {})}
        self.write_config()
        env = {**self.environment(), "SKYDIR_FAULT_SEEN": str(self.seen_file), **(extra or {})}
        if plan:
            env["SKYDIR_FAULT"] = plan
        if self.boot:
            env["SKYDIR_FAULT_BOOT"] = self.boot
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen([str(harness.SKYDIR), "mount", str(self.top), "-f"], env=env,
                                          stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + START_S
        outside = self.dir.stat().st_dev
        while time.monotonic() < deadline:
            if self.child.poll() is not None:
                return self._ended_early()
            try:
                socket = self.dir / "run" / f"{self.child.pid}.sock"
                if self.top.stat().st_dev != outside and socket.exists() and self.root.is_dir():
                    self.started += 1
                    return True
            except OSError as e:
                if e.errno not in DEAD:
                    raise
            time.sleep(0.004)
        raise Wrong(f"the mount does not answer within {START_S} s {self.tail()}")

    def _ended_early(self):
        status = self.child.returncode
        self.after_death()
        if status != -signal.SIGKILL:
            raise Wrong(f"the daemon does not start: it ends with {status} {self.tail()}")
        return False

    def is_alive(self):
        return self.child is not None and self.child.poll() is None

    def is_dying(self):
        until = time.monotonic() + 1
        while self.is_alive() and time.monotonic() < until:
            time.sleep(0.01)
        return not self.is_alive()

    def kill_now(self):
        if self.child and self.child.poll() is None:
            self.child.kill()
        self.after_death()

    def server_is_done(self):
        """The server carries out what the dead daemon had sent whole: it must not be overtaken by the next mount's requests,
        which a real cloud's way there and back and a machine's start make slower than that. Its end of such a connection is
        in CLOSE_WAIT until the answer is written."""
        port = f":{int(self.server.endpoint.rsplit(':', 1)[1]):04X} "
        for line in pathlib.Path("/proc/net/tcp").read_text().splitlines():
            fields = line.split()
            if fields[3] == "08" and (fields[1] + " ").endswith(port):
                return False
        return True

    def after_death(self):
        """Waits for the end and takes away what the kernel still holds. Tells how it ended."""
        status = self.child.wait(30) if self.child else 0
        if self.server:
            harness.eventually(self.server_is_done, timeout=START_S, what="the server's answers to a dead daemon")
        while harness.is_mounted(self.top):
            if _libc.umount2(os.fsencode(str(self.top)), MNT_DETACH) != 0:
                subprocess.run(["fusermount3", "-uz", str(self.top)], check=True, capture_output=True)
        if status not in (0, -signal.SIGKILL):
            raise Wrong(f"the daemon ended by itself with {status} {self.sanitizer_reports()} {self.tail(30)}")
        return status

    def end(self):
        """A clean end that leaves what is not uploaded to the next mount."""
        if self.is_alive():
            self.skydir("umount", "--now", self.top, check=False)
        return self.after_death()

    def seen(self):
        return set(self.seen_file.read_text().split()) if self.seen_file.exists() else set()

    # ---- looking ----

    def about(self, message):
        """The lines of the log that speak of the paths of a message, and the last ones."""
        keys = {part.split(" (conflict")[0].rsplit("/", 1)[-1] for line in message.splitlines()
                if line.startswith("  '") for part in [line.split("'")[1]]}
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        told = [line for line in lines if any(f"/{k}'" in line for k in keys)]
        return "\n".join(["log of these:", *told[-60:], *self.stored_now(keys), "end of the log:", *lines[-8:]])

    def stored_now(self, names):
        """What the store has under such names."""
        try:
            found = [k for k in self.client.keys(self.bucket) if k.rsplit("/", 1)[-1] in names]
            meta = getattr(self.client, "meta", lambda *_: "")
            return ["in the store:", *(f"  {k!r}: {len(self.client.get(self.bucket, k))} bytes {meta(self.bucket, k)}" for k in found[:30])]
        except Exception as e:  # this is about another failure
            return [f"the store cannot be looked at: {e}"]

    def guarded(self, call):
        """call(), where a daemon that dies meanwhile shows as DaemonDied."""
        try:
            return call()
        except OSError as e:
            if e.errno in DEAD or not self.is_alive():
                raise DaemonDied(str(e)) from None
            raise

    def check_mount(self):
        """All workers' trees through the mount; what was in flight is settled by what is there."""
        for w in self.workers:
            if not os.path.isdir(w.top):
                self.guarded(lambda: os.mkdir(w.top))
            seen, size = self.guarded(lambda: trees.look(w.top))
            self.bytes_checked += size
            w.settle(seen)

    def sync_all(self):
        done = self.skydir("sync", "--timeout", "60s", self.top, check=False, timeout=90)
        if done.returncode != 0:
            if "went away" in done.stderr or self.is_dying():
                raise DaemonDied(done.stderr)
            raise Wrong(f"sync fails: {done.stderr.strip()} {self.tail()}")
        self.syncs += 1

    def check_store(self):
        """The store, by a client of its own: exactly what was acknowledged, and no unfinished upload."""
        files, dirs = {}, set()
        for w in self.workers:
            dirs.add(w.name)
            for key, entry in w.tree.items():
                (dirs.add if entry.kind == "dir" else lambda k, e=entry: files.__setitem__(k, e))(f"{w.name}/{key}")
        keys = self.client.keys(self.bucket)
        found = {k for k in keys if not k.endswith("/") and trees.ARTEFACT not in k}
        lines = [f"  lost in the store: {k!r} ({files[k].brief()})" for k in sorted(set(files) - found)]
        lines += [f"  came back in the store: {k!r}" for k in sorted(found - set(files))]
        lines += [f"  a marker of no directory: {k!r}" for k in keys if k.endswith("/") and k[:-1] not in dirs]
        for key in sorted(found & set(files)):
            if files[key].kind == "file":
                data = self.client.get(self.bucket, key)
                self.bytes_checked += len(data)
                if data != files[key].data:
                    at = next((i for i, (x, y) in enumerate(zip(data, files[key].data)) if x != y), -1)
                    lines.append(f"  wrong in the store: {key!r}: {len(data)} bytes, expected {files[key].brief()}, "
                                 f"differs at {at}")
        occupied = {k.rsplit("/", i + 1)[0] for k in keys for i in range(k.count("/"))} | {k[:-1] for k in keys}
        lines += [f"  an empty directory is not in the store: {d!r}" for d in sorted(dirs - occupied)]
        if lines:
            raise Wrong("\n".join(["after sync:", *lines]))
        try:
            harness.eventually(lambda: not self.client.uploads(self.bucket), timeout=15)
        except AssertionError:
            left = [f"  {key!r} is an unfinished upload" for key in self.client.uploads(self.bucket)]
            raise Wrong("\n".join(["after sync:", *left, self.about_uploads()])) from None

    def about_uploads(self):
        """What a server tells of them: when they began, and which parts they have."""
        s3, told = getattr(self.client, "s3", None), []
        for u in s3.list_multipart_uploads(Bucket=self.bucket).get("Uploads", []) if s3 else []:
            parts = s3.list_parts(Bucket=self.bucket, Key=u["Key"], UploadId=u["UploadId"]).get("Parts", [])
            told.append(f"  id {u['UploadId']}, begun {u['Initiated']}, parts "
                        + ", ".join(f"{p['PartNumber']} ({p['Size']} bytes, {p['LastModified']})" for p in parts))
        return "\n".join(told)

    def check_fresh(self):
        """As a machine sees it that has never seen the store."""
        shutil.rmtree(self.cache_dir, ignore_errors=True)
        if not self.launch(options={"attrs": "exact"}):
            raise Wrong("the last mount dies")
        for w in self.workers:
            seen, size = trees.look(w.top)
            self.bytes_checked += size
            lines = trees.differences(seen, w.tree)
            if lines:
                raise Wrong("\n".join([f"{w.name}, on a fresh machine:", *lines]))

    def destroy(self):
        """Nothing is left: no process, no mount, no file."""
        if self.child and self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        while harness.is_mounted(self.top):
            if _libc.umount2(os.fsencode(str(self.top)), MNT_DETACH) != 0:
                subprocess.run(["fusermount3", "-uz", str(self.top)], check=False, capture_output=True)
        shutil.rmtree(self.dir, ignore_errors=True)


def ram_dir():
    """Where cells live: a RAM disk when there is one with room and extended attributes of users."""
    for place in ("/dev/shm", os.environ.get("TMPDIR", "/tmp")):
        try:
            s = os.statvfs(place)
            if s.f_bavail * s.f_frsize < 3 << 30 or not stat.S_ISDIR(os.stat(place).st_mode):
                continue
            return place
        except OSError:
            continue
    return "/tmp"
