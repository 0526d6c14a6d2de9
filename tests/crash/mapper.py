"""Purpose: a program that writes a file through a shared map, round by round; a kill of the daemon may end it by SIGBUS.

    python tests/crash/mapper.py FILE SEED FIRST COUNT      tells the number of each round that is flushed
"""

import mmap
import random
import sys

MAP_PAGES = 256
PAGE = 4096


def map_round(seed, number):
    """What one round writes: [(page, its bytes)]."""
    rng = random.Random(f"{seed}/{number}")
    return [(rng.randrange(MAP_PAGES), rng.randbytes(PAGE)) for _ in range(rng.randrange(1, 9))]


def write_maps(path, seed, first, count):
    """Rounds first..first+count, each flushed before it is told."""
    with open(path, "r+b") as f, mmap.mmap(f.fileno(), MAP_PAGES * PAGE) as at:
        for number in range(first, first + count):
            for page, data in map_round(seed, number):
                at[page * PAGE:(page + 1) * PAGE] = data
            at.flush()
            print(number, flush=True)


if __name__ == "__main__":
    write_maps(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
