"""Random operations on a mount and on a plain directory, side by side (model.py), and what the store holds in the end.

What a mount shows is only half of it: afterwards a client of our own looks for each file's bytes, for objects that nobody
asked for, and for uploads that were begun and left.
"""

import fcntl
import os
import subprocess
import sys

import pytest

import model
from harness import eventually

SHRINK_S = 20
pytestmark = [pytest.mark.options(upload_delay="20ms", meta_ttl="300ms", attrs="exact"), pytest.mark.both_ways]


def run_model(mount, seed, count, settle):
    """Runs `count` operations; a failure names the seed and the fewest operations found that fail alike."""
    ops = model.generate(seed, count)
    try:
        return model.run(mount.path, ops, settle)
    except (model.Mismatch, OSError, AssertionError) as e:
        problem = e
    try:
        fewer = model.shrink(mount.path, ops, settle, seconds=SHRINK_S)
    except (OSError, AssertionError, subprocess.SubprocessError) as e:
        fewer = [f"not shrunk: {e}"]
    lines = "\n".join(f"  {op!r}" for op in fewer)
    raise AssertionError(f"seed {seed}, {count} operations: {problem}\n{len(fewer)} of them:\n{lines}")


@pytest.mark.parametrize("seed", (11, 12))
def test_what_is_done_to_a_mount_and_to_a_directory_ends_alike(mount, seed):
    seen = run_model(mount, seed, 400, lambda _: mount.sync())
    model.check_store(mount, seen)
    # A machine that has never seen the bucket finds the same in it.
    if mount.kind != "plain":
        mount.fresh()
        assert model.snapshot(mount.path) == seen, f"seed {seed}, on a fresh machine"


@pytest.mark.stores("local")
def test_four_programs_work_beside_each_other(mount):
    seeds = range(21, 25)
    running = []
    for seed in seeds:
        (mount.path / f"p{seed}").mkdir()
        running.append(subprocess.Popen(
            [sys.executable, model.__file__, str(mount.path / f"p{seed}"), str(seed), "250"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
    try:
        said = [process.communicate(timeout=100)[0] for process in running]
    finally:
        for process in running:
            process.kill()
            process.wait()
    failed = [text for process, text in zip(running, said) if process.returncode]
    assert not failed, "\n".join(failed)
    model.check_store(mount, model.snapshot(mount.path))


@pytest.mark.stores("local", "s3", "gcs")
def test_a_remount_in_the_middle_changes_nothing(mount):
    seen = run_model(mount, 31, 150, lambda _: mount.remount())
    model.check_store(mount, seen)


def lock_is_free(mount):
    """The kernel takes a killed process's locks away a little after its memory."""
    with open(mount.cache_dir / "lock", "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True


def kill_and_mount(mount):
    if mount.kind != "plain":
        mount.kill()
        mount.unmount_lazily()
        eventually(lambda: lock_is_free(mount), what="the dead daemon's lock to go")
        mount.mount()


@pytest.mark.stores("local", "s3", "gcs")
def test_all_that_was_closed_is_there_after_kill_9(mount):
    seen = run_model(mount, 41, 150, lambda _: kill_and_mount(mount))
    model.check_store(mount, seen)


@pytest.mark.stores("local")
@pytest.mark.options(upload_delay="1h")
def test_all_that_was_closed_is_there_after_kill_9_though_nothing_was_uploaded(mount):
    seen = run_model(mount, 42, 150, lambda _: kill_and_mount(mount))
    model.check_store(mount, seen)
