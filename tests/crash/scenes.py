"""Purpose: what a random worker would not come to: conflicts, a damaged journal, a list of kept files, the system going down.

Each scene makes its situation in a cell of its own, and goes through it once for each point at which it is to die.
"""

import os
import random
import sqlite3
import traceback
import types

import harness
import trees
from cell import Cell
from powercut import power_cut
from work import DEAD, DaemonDied, Wrong


def outside_server():
    """The S3 server that fleet.py started, from the environment."""
    return types.SimpleNamespace(endpoint=os.environ["SKYDIR_TEST_S3_ENDPOINT"], key=os.environ["SKYDIR_TEST_S3_KEY"],
                                 secret=os.environ["SKYDIR_TEST_S3_SECRET"], region=os.environ["SKYDIR_TEST_S3_REGION"])


def _up(cell, plan=None, **more):
    """Mounted, however often it dies on the way; how often it did."""
    for deaths in range(4):
        if cell.launch(plan if deaths == 0 else None, **more):
            return deaths
    raise Wrong("the daemon dies again and again without a reason")


def _finish(cell, plan, tally):
    """sync, through a death at the plan's point; counts it."""
    died = False
    try:
        cell.sync_all()
    except DaemonDied:
        died = True
    if died or not cell.is_alive():
        cell.after_death()
        died = True
        _up(cell, options={"upload-delay": "0s"})
        cell.sync_all()
    if died:
        tally.take("kill", plan.split(":")[0])
    return died


def conflict(cell, plan, tally):
    """Somebody else changes the object under a dirty file: both must be there, under names that say so."""
    _up(cell, options={"upload-delay": "0s"})
    path = cell.path / "report.txt"
    path.write_bytes(b"first")
    cell.sync_all()
    cell.kill_now()
    _up(cell, plan, options={"upload-delay": "1h"})
    cell.sync_all()  # what the kill left to be done again would take the new content along at once
    path.write_bytes(b"ours, which is longer")
    cell.client.put(cell.bucket, "report.txt", b"theirs")
    _finish(cell, plan, tally)
    found = {k: cell.client.get(cell.bucket, k) for k in cell.client.keys(cell.bucket)}
    kept = [k for k, data in found.items() if data == b"ours, which is longer"]
    if found.get("report.txt") != b"theirs" or len(kept) != 1 or "conflict" not in kept[0]:
        raise Wrong(f"after a conflict the store holds {found}")


def damaged_journal(cell, plan, tally):
    """A journal with a foreign version: its rows are carried over and nothing is lost, though the daemon dies meanwhile."""
    _up(cell, options={"upload-delay": "1h"})
    data = {f"f{i}": random.Random(i).randbytes(1000 * i) for i in range(12)}
    for name, content in data.items():
        (cell.path / name).write_bytes(content)
    cell.end()
    with sqlite3.connect(cell.cache_dir / "journal.db") as db:
        db.execute("PRAGMA user_version = 99")
    deaths = _up(cell, plan, options={"upload-delay": "0s"})
    if deaths:
        tally.take("kill", plan.split(":")[0])
    seen = {p.name: p.read_bytes() for p in cell.path.iterdir() if p.is_file()}
    if seen != data:
        raise Wrong(f"after a damaged journal there are {sorted(seen)}")
    cell.sync_all()
    stored = {k: cell.client.get(cell.bucket, k) for k in cell.client.keys(cell.bucket)}
    if {k: v for k, v in stored.items() if not k.endswith("/")} != data:
        raise Wrong(f"after a damaged journal the store holds {sorted(stored)}")


def lost_journal(cell, plan, tally):
    """A journal of noise: what the cache files hold is kept in a named place, and told."""
    _up(cell, options={"upload-delay": "1h"})
    data = {f"f{i}": random.Random(i).randbytes(1000 * i + 1) for i in range(12)}
    for name, content in data.items():
        (cell.path / name).write_bytes(content)
    cell.kill_now()
    for name in ("journal.db", "journal.db-wal", "journal.mirror"):
        place = cell.cache_dir / name
        place.write_bytes(random.Random(7).randbytes(place.stat().st_size))
    if _up(cell, plan):
        tally.take("kill", plan.split(":")[0])
    kept = {p.read_bytes() for p in (cell.cache_dir / "rescued").glob("*[0-9a-f]") if p.suffix != ".json"}
    if kept != set(data.values()):
        raise Wrong(f"{len(set(data.values()) - kept)} of {len(data)} files are not in the place for rescued ones")
    if "rescued" not in cell.status().get("damage", ""):
        raise Wrong("status does not tell of rescued files")


def power_loss(cell, plan, tally):
    """The system goes down: every block that was not synced is lost. What was fsynced is uploaded; what was not leaves the
    good object alone, and is set aside."""
    cell.boot = "boot one"
    _up(cell, options={"upload-delay": "0s"})
    files = {f"{kind}{i}": random.Random(f"{kind}{i}").randbytes(30000 + i) for kind in ("synced", "unsynced", "saved") for i in range(4)}
    for name in files:
        (cell.path / name).write_bytes(b"good " + name.encode())
    cell.sync_all()
    cell.kill_now()
    _up(cell, options={"upload-delay": "1h"})
    cell.sync_all()
    for name, data in files.items():
        temporary = cell.path / (name + ".tmp") if name.startswith("saved") else cell.path / name
        with open(temporary, "wb") as f:
            f.write(data)
            if not name.startswith("unsynced"):
                os.fsync(f.fileno())
        if temporary.name != name:
            os.rename(temporary, cell.path / name)
    with open(cell.path / "synced0", "ab") as f:  # and then some more, of which nothing was promised
        f.write(b"tail")
    cell.kill_now()
    # The disk as it may be: sizes have arrived, the blocks of files that were never synced have not.
    for place in (cell.cache_dir / "files").iterdir():
        if place.suffix == "" and place.read_bytes()[:30000] in {d[:30000] for n, d in files.items() if n.startswith("unsynced")}:
            place.write_bytes(b"\0" * place.stat().st_size)
    cell.boot = "boot two"
    if _up(cell, plan, options={"upload-delay": "0s"}):
        tally.take("kill", plan.split(":")[0])
    cell.sync_all()
    for name, data in files.items():
        found = cell.client.get(cell.bucket, name)
        wanted = b"good " + name.encode() if name.startswith("unsynced") else data
        if found != wanted and not (name == "synced0" and found == data + b"tail"):
            raise Wrong(f"after a power loss the object {name!r} has {len(found or b'')} bytes that are not "
                        f"{'the good ones' if name.startswith('unsynced') else 'those that were fsynced'}")
    if len(list((cell.cache_dir / "rescued").glob("*.json"))) != 4:
        raise Wrong(f"set aside: {sorted(p.name for p in (cell.cache_dir / 'rescued').iterdir())}")
    if "rescued" not in cell.status().get("damage", ""):
        raise Wrong("status does not tell of files set aside")


def kept_list(cell, plan, tally):
    """A clean end that dies while it lists what the cache keeps, or the start that takes it up."""
    _up(cell, options={"upload-delay": "0s"})
    (cell.path / "kept").write_bytes(b"k" * 5000)
    cell.sync_all()
    cell.end()
    _up(cell, plan, options={"upload-delay": "0s"})
    if cell.is_alive() and (cell.path / "kept").read_bytes() != b"k" * 5000:
        raise Wrong("a kept file has other bytes")
    cell.end()
    if cell.child.returncode:
        tally.take("kill", plan.split(":")[0])
    _up(cell)
    if (cell.path / "kept").read_bytes() != b"k" * 5000:
        raise Wrong("a kept file has other bytes")


def unmapped_growth(cell, plan, tally):
    """A write behind the end of a file that is partly here reaches the cache file, and the daemon dies before the map has it:
    the write never was, and what was written before it goes up."""
    cell.client.put(cell.bucket, "log", b"x" * 50)
    _up(cell, plan, options={"upload-delay": "1h"})
    fd = os.open(cell.path / "log", os.O_RDWR)
    written = 0
    try:
        written += os.pwrite(fd, b"y" * 17, 16)
        written += os.pwrite(fd, b"z" * 3000, 49)
    except OSError as e:
        if e.errno not in DEAD:
            raise
    try:
        os.close(fd)
    except OSError:
        pass
    now = b"x" * 16 + b"y" * 17 + b"x" * 17
    if plan != "none:1":
        cell.after_death()
        tally.take("kill", plan.split(":")[0])
        _up(cell, options={"upload-delay": "0s"})
    if written > 17 or plan.startswith("extentlog-append-after"):
        now = now[:49] + b"z" * 3000
    if (cell.path / "log").read_bytes() != now:
        raise Wrong(f"the file is {trees.Entry('file', 0, (cell.path / 'log').read_bytes()).brief()}, not {len(now)} bytes; {written} were acknowledged")
    cell.sync_all()
    if cell.client.get(cell.bucket, "log") != now:
        raise Wrong("the object is not what the file is")


def parts(cell, plan, tally):
    """An upload in parts is begun, or ended, and the daemon dies: nothing of it is left, not even a place for it."""
    data = random.Random(3).randbytes(64 << 10) * (36 if cell.kind == "local" else 176)
    _up(cell, plan, options={"upload-delay": "0s"})
    try:
        (cell.path / "big").write_bytes(data)
    except OSError as e:
        if e.errno not in DEAD:
            raise
        cell.after_death()
        _up(cell)
        (cell.path / "big").write_bytes(data)
    _finish(cell, plan, tally)
    if cell.client.get(cell.bucket, "big") != data:
        raise Wrong("the object is not what the file is")
    harness.eventually(lambda: not cell.client.uploads(cell.bucket), timeout=30,
                       what=f"uploads in the store to go: {cell.client.uploads(cell.bucket)}")


def ended_while_open(cell, plan, tally):
    """Told to end while a program reads a file: the daemon ends by itself and well, the program's file does not keep it."""
    _up(cell)
    (cell.path / "f").write_bytes(b"x")
    with open(cell.path / "f", "rb"):
        cell.child.terminate()
        if status := cell.child.wait(60):
            raise Wrong(f"the daemon ends with {status}")
    cell.after_death()


def copied(cell, plan, tally):
    """copy_file_range that the cloud is to do, dying before or after the journal has it: the file is empty or whole."""
    _up(cell, options={"upload-delay": "0s"})
    data = random.Random(4).randbytes(50000)
    (cell.path / "from").write_bytes(data)
    cell.sync_all()
    cell.kill_now()
    _up(cell, plan, options={"upload-delay": "1h"})
    cell.sync_all()
    reader = os.open(cell.path / "from", os.O_RDONLY)
    writer = os.open(cell.path / "to", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        os.copy_file_range(reader, writer, len(data), 0, 0)
    except OSError as e:
        if e.errno not in DEAD:
            raise
    for fd in (reader, writer):
        try:
            os.close(fd)
        except OSError:
            pass
    cell.after_death()
    tally.take("kill", plan.split(":")[0])
    _up(cell, options={"upload-delay": "0s"})
    found = (cell.path / "to").read_bytes()
    if found not in (b"", data):
        raise Wrong(f"the copy is {trees.Entry('file', 0, found).brief()}")
    cell.sync_all()
    if cell.client.get(cell.bucket, "to") != found:
        raise Wrong("the object is not what the file is")


SCENES = [(copied, ["copy-queued:1", "copy-journalled:1"]),
          (parts, ["local-upload-made:1", "local-upload-aside:1", "upload-begin-after:1", "upload-complete-after:1"]),
          (unmapped_growth, ["extentlog-append-before:1", "extentlog-append-after:1", "none:1"]),
          (conflict, ["conflict-copy-named:1", "conflict-copy-journalled:1", "none:1"]),
          (damaged_journal, ["journal-rescue-rows:1", "journal-rescue-aside:1", "journal-rescue-renamed:1", "none:1"]),
          (lost_journal, ["rescue-moved:3", "none:1"]),
          (power_loss, ["rescue-moved:2", "recovery-end:1", "none:1"]),
          (power_cut, ["none:1"]),
          (ended_while_open, ["none:1"]),
          (kept_list, ["kept-list-removed:1", "kept-save-before:1", "kept-save-after:1"])]


def run_all(kind, seed, tally):
    server = outside_server() if kind != "local" else None
    for scene, plans in SCENES:
        for plan in plans:
            cell = Cell(kind, seed, workers=0, server=server)
            try:
                scene(cell, plan, tally)
                tally.seen |= cell.seen()
                tally.scenes[scene.__name__] = tally.scenes.get(scene.__name__, 0) + 1
            except Exception as e:  # one scene's failure does not hide the others'
                why = str(e) if isinstance(e, Wrong) else traceback.format_exc()
                tally.failures.append(f"scene {scene.__name__}, dying at {plan}: {why}\n{cell.tail(25)}")
            finally:
                cell.destroy()
