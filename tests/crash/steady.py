"""Purpose: what a daemon takes of the machine, sampled each second, and whether it stays the same over a life.

A life is one process. What it takes while it warms up is not judged: caches fill, threads start. After that memory may not
grow with time, and descriptors and threads stay below what the design gives them.
"""

import os
import statistics
import threading
import time
from typing import NamedTuple

# A life shorter than this tells nothing of growth; in one shorter than LEVEL_S the pools of threads, which start one when it is first
# wanted, and their connections may still fill up to what the design gives them.
JUDGED_S = 20
LEVEL_S = 60
WARM_PART, WARM_MOST_S = 0.4, 180
GROWTH_BYTES = 24 << 20  # between two thirds of what is judged: what a heap may breathe
RSS_MOST_BYTES = 512 << 20
FDS_MOST, THREADS_MOST = 512, 128


class Sample(NamedTuple):
    at_s: float
    pid: int
    rss: int  # bytes of its own (RssAnon): mapped files are the kernel's to take back
    fds: int
    threads: int


def read(pid):
    """What the process takes now; None when it has gone."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8") as f:
            told = dict(line.split(":", 1) for line in f if ":" in line)
        fds = len(os.listdir(f"/proc/{pid}/fd"))
        return Sample(time.monotonic(), pid, int(told["RssAnon"].split()[0]) << 10, fds, int(told["Threads"]))
    except (OSError, KeyError):
        return None


class Sampler(threading.Thread):
    """Samples the process that pid_of() names (None: none now), each second until stop()."""

    def __init__(self, pid_of):
        super().__init__(daemon=True)
        self.pid_of, self.samples, self.over = pid_of, [], threading.Event()

    def run(self):
        while not self.over.wait(1):
            pid = self.pid_of()
            sample = read(pid) if pid else None
            if sample:
                self.samples.append(sample)

    def stop(self):
        self.over.set()
        self.join()

    def lives(self):
        """The samples of each process, in order."""
        found = {}
        for s in self.samples:
            found.setdefault(s.pid, []).append(s)
        return list(found.values())


def judged(life):
    """The samples after the warm-up; none when the life was too short."""
    length = life[-1].at_s - life[0].at_s
    if length < JUDGED_S:
        return []
    warm = life[0].at_s + min(WARM_MOST_S, length * WARM_PART)
    return [s for s in life if s.at_s >= warm]


def growth(samples):
    """Bytes between the medians of the first and of the last third."""
    third = max(1, len(samples) // 3)
    return int(statistics.median(s.rss for s in samples[-third:]) - statistics.median(s.rss for s in samples[:third]))


def slope(samples):
    """Bytes a second, by least squares."""
    if len(samples) < 3:
        return 0.0
    return statistics.linear_regression([s.at_s for s in samples], [s.rss for s in samples]).slope


def problems(life, judge_memory=True):
    """What is wrong with a life; judge_memory=False: a sanitizer keeps what was freed."""
    found = []
    fds, threads = max(s.fds for s in life), max(s.threads for s in life)
    if fds > FDS_MOST:
        found.append(f"{fds} descriptors")
    if threads > THREADS_MOST:
        found.append(f"{threads} threads")
    samples = judged(life)
    if samples:
        half, is_level = len(samples) // 2, life[-1].at_s - life[0].at_s >= LEVEL_S
        for what, of, room in (("descriptors", lambda s: s.fds, 48), ("threads", lambda s: s.threads, 12)) if is_level else ():
            early, late = (statistics.median(map(of, part)) for part in (samples[:half], samples[half:]))
            if late > early + room:
                found.append(f"{what} grow: {early:.0f}, later {late:.0f}")
        most = max(s.rss for s in life)
        if judge_memory and most > RSS_MOST_BYTES:
            found.append(f"{most} bytes of memory")
        if judge_memory and growth(samples) > GROWTH_BYTES:
            found.append(f"memory grows by {growth(samples)} bytes in {samples[-1].at_s - samples[0].at_s:.0f} s")
    return found
