"""Purpose: a cache directory that a kill left is damaged by seed, again and again, and taken up: what then?

    python tests/servers/fleet.py run versitygw -- python tests/crash/damage.py --runs 200 --seed 1

One mount makes new files, changes objects that are partly in the cache, overwrites, renames and deletes, and is killed. Each
run takes a copy of what it left, damages one to three of its files (bits, truncation, zeros, noise, removal; cache files that
changed places, maps that are gone, empty or another file's; another owner, a directory in the place of a file), and has
`skydir sync` take it up, twice. It must not die nor refuse; each object must have one of the contents it may have; what was
not damaged must have been uploaded, and whatever was acknowledged is in the store, in the cache directory or in its place
for rescued files, with a message. One damaged file of the journal takes nothing away, whichever it is; nor do two, as long as
its second record is one that is whole; of what both have lost nobody may know. Cache files are damaged only where the log of checksums is not: it is what finds that out.
"""

import argparse
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[1]
os.environ.setdefault("SKYDIR_BUILD_DIR", str(TOP / "build" / "fault"))
sys.path.insert(0, str(HERE))
import cell as cells
import scenes
from cell import Cell
from work import Wrong

SIZE = 20000
PATIENCE_S = 120


class Room:
    """The killed mount, and what its store and cache held at that moment."""

    def __init__(self, seed):
        self.cell = Cell("s3", seed, workers=0, server=scenes.outside_server())  # the same content is the same version there
        self.rng = random.Random(f"room {seed}")
        self.old, self.new, self.files = {}, {}, {}  # key -> content (None: no object); key -> its cache file
        self._fill()
        self.kept = self.cell.dir / "copy"
        shutil.copytree(self.cell.cache_dir, self.kept)
        self.stored = {k: self.cell.client.get(self.cell.bucket, k) for k in self.cell.client.keys(self.cell.bucket)}

    def _fill(self):
        cell, rng = self.cell, self.rng
        self.old = {f"b{i}": rng.randbytes(SIZE + i) for i in range(7)}
        for key, data in self.old.items():
            cell.client.put(cell.bucket, key, data)
        if not cell.launch(options={"upload-delay": "1h", "meta-ttl": "60s"}):
            raise Wrong("a mount without faults dies")
        self.new = dict(self.old)
        for i in range(6):
            self._write(f"n{i}", rng.randbytes(SIZE + 100 * i))
        for i in range(3):  # partly in the cache
            with open(cell.path / f"b{i}", "r+b", buffering=0) as f:
                f.seek(4096 * i + 7)
                f.write(b"changed here")
            data = bytearray(self.old[f"b{i}"])
            data[4096 * i + 7:4096 * i + 19] = b"changed here"
            self.new[f"b{i}"] = bytes(data)
        self._write("b3", rng.randbytes(SIZE))
        os.rename(cell.path / "b4", cell.path / "r4")
        self.new["r4"], self.new["b4"] = self.old["b4"], None
        os.unlink(cell.path / "b5")
        self.new["b5"] = None
        for place in cell.cache_dir.glob("files/*[0-9a-f]"):
            for key, data in self.new.items():
                if data is not None and place.read_bytes() == data:
                    self.files[key] = place.name
        cell.kill_now()

    def _write(self, key, data):
        (self.cell.path / key).write_bytes(data)
        self.new[key] = data

    def restore(self):
        cell = self.cell
        shutil.rmtree(cell.cache_dir, ignore_errors=True)
        shutil.copytree(self.kept, cell.cache_dir)
        for key in cell.client.keys(cell.bucket):
            if key not in self.stored:
                cell.client.delete(cell.bucket, key)
        for key, data in self.stored.items():
            if cell.client.get(cell.bucket, key) != data:
                cell.client.put(cell.bucket, key, data)

    # ---- one run ----

    def damage(self, rng):
        """[(file, what was done)]"""
        places = sorted(p for p in self.cell.cache_dir.rglob("*") if p.is_file() and p.name != "lock" and
                        (p.parent.name != "files" or p.suffix in ("", ".map")))
        journals = [p for p in places if p.name in ("journal.db", "journal.db-wal", "journal.mirror")]
        places.append(self.cell.cache_dir / "files" / "sums.log")
        done = []
        for _ in range(rng.randrange(1, 4)):
            place = rng.choice(places + 4 * journals)
            if not place.is_file():
                continue
            names = {name for name, _ in done}
            is_data = place.parent.name == "files" and not place.suffix
            kinds = ["bits", "cut", "zeros", "noise", "more", "removed"] + ["owner", "directory"] * (place.suffix != ".db")
            if is_data:
                kinds.remove("more")  # of what stands behind all that was ever written no checksum tells
                kinds = ["removed", "owner", "directory"] if "sums.log" in names else [*kinds, "swapped"]
            elif place.name == "sums.log" and any(not pathlib.Path(name).suffix for name in names):
                continue  # nobody could know
            elif place.suffix == ".map":
                kinds += ["emptied", "foreign"]
            what = rng.choice(kinds)
            other = rng.choice([p for p in places if p.suffix == place.suffix and p.is_file()] or [place])
            if what in ("swapped", "foreign") and other == place:
                continue
            self._do(rng, what, place, other)
            done.append((place.name, what))
            if what == "swapped":
                done.append((other.name, what))
        return done

    def _do(self, rng, what, place, other):
        if what == "removed":
            place.unlink()
        elif what == "directory":
            place.unlink()
            place.mkdir()
        elif what == "owner":
            if os.geteuid() == 0:
                os.chown(place, 12345, 12345)
            place.chmod(0o666)
        elif what == "emptied":
            place.write_bytes(b"")
        elif what == "foreign":
            place.write_bytes(other.read_bytes())
        elif what == "swapped":
            mine, theirs = place.read_bytes(), other.read_bytes()
            place.write_bytes(theirs)
            other.write_bytes(mine)
        else:
            place.write_bytes(self._damaged(rng, what, place.read_bytes()))

    @staticmethod
    def _damaged(rng, what, data):
        data = bytearray(data)
        at = rng.randrange(len(data) + 1)
        if what == "bits":
            for _ in range(rng.randrange(1, 20)):
                if data:
                    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        elif what == "cut":
            del data[at:]
        elif what == "zeros":
            data[at:at + 4096] = bytes(len(data[at:at + 4096]))
        elif what == "noise":
            data[at:at + 512] = rng.randbytes(len(data[at:at + 512]))
        else:
            data += rng.randbytes(rng.randrange(1, 5000))
        return bytes(data)

    def sync(self):
        done = self.cell.skydir("sync", "--timeout", "60s", check=False, timeout=PATIENCE_S)
        if done.returncode not in (0, 1):
            raise Wrong(f"sync ends with {done.returncode}: {done.stderr} {self.cell.sanitizer_reports()}")
        return done

    def check(self, done, told):
        """What must hold, whatever was damaged; told: what sync said."""
        cell = self.cell
        names = {name for name, _ in done}
        # What one record of the journal has lost comes from the other.
        is_journal_hit = "journal.mirror" in names and any(name.startswith("journal.db") for name in names)
        stored = {k: cell.client.get(cell.bucket, k) for k in cell.client.keys(cell.bucket)}
        for key, data in stored.items():
            base = key.split(" (conflict")[0]
            if data not in (self.old.get(base), self.new.get(base)):
                raise Wrong(f"the object {key!r} has {len(data)} bytes that nobody wrote there")
        left = {p.read_bytes() for p in cell.cache_dir.rglob("*") if p.is_file() and "db" not in p.name}
        for key, data in self.new.items():
            file = self.files.get(key)
            if stored.get(key) == data:
                continue
            if file and file in names:
                if not any(word in told for word in ("rescued", "kept", "damage", "gone", "cannot")):
                    raise Wrong(f"{key!r} is not uploaded, and nobody says so: {told}")
                continue
            if not is_journal_hit and not (file and f"{file}.map" in names) and not self._is_mixture(key):
                raise Wrong(f"{key!r} was not damaged and is not uploaded: {told}")
            if is_journal_hit:  # both records at once: what neither has, nobody knows of
                continue
            if data is not None and file and data not in left and key.startswith("n"):
                raise Wrong(f"{key!r} is neither in the store nor in the cache directory")
            if key.startswith("n") and "rescued" not in told and "kept" not in told and "damage" not in told:
                raise Wrong(f"{key!r} is not uploaded, and nobody says so: {told}")

    def _is_mixture(self, key):
        """Which map belongs to it is not known from outside."""
        return key in ("b0", "b1", "b2")

    def run(self, seed):
        self.restore()
        rng = random.Random(f"damage {seed}")
        done = self.damage(rng)
        try:
            first = self.sync()
            second = self.sync()
            status = self.cell.skydir("status", check=False)
            self.check(done, first.stdout + first.stderr + second.stdout + second.stderr + status.stdout + status.stderr)
        except (Wrong, subprocess.TimeoutExpired) as e:
            raise Wrong(f"run {seed}, damaged: {done}: {e}") from None
        return done


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    parser.add_argument("--only", type=int, help="one run of that number")
    args = parser.parse_args()
    scratch = tempfile.mkdtemp(prefix="skydir-damage-", dir=cells.ram_dir())
    os.environ["SKYDIR_TEST_SCRATCH"] = scratch
    room, kinds = None, {}
    try:
        room = Room(args.seed)
        for i in range(args.runs) if args.only is None else [args.only]:
            for name, what in room.run(args.seed * 100000 + i):
                kinds[what] = kinds.get(what, 0) + 1
        print(f"seed {args.seed}: {args.runs} damaged cache directories, {kinds}", flush=True)
        return 0
    except Wrong as e:
        print(f"FAILED (seed {args.seed}): {e}\n{room.cell.tail(25) if room else ''}", file=sys.stderr, flush=True)
        return 1
    finally:
        if room:
            room.cell.destroy()
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
