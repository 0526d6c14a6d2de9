"""Purpose: looks for the tests' secrets (known_secrets.py) in files, and in all that is below directories; the names of those that are
found are printed, never they themselves.

    find_secrets.py PATH...     exit code 1 when one was found, 2 when a path is not there
"""

import pathlib
import sys

import known_secrets

CHUNK, OVERLAP = 1 << 20, 512  # longer than any form


def read(path):
    """Pieces that overlap, so that nothing is missed between two."""
    with path.open("rb") as f:
        before = b""
        while piece := f.read(CHUNK):
            yield before + piece
            before = piece[-OVERLAP:]


def look(path):
    return sorted({name for piece in read(path) for name in known_secrets.shown_in(piece)})


def main(paths):
    result = 0
    for top in map(pathlib.Path, paths):
        if not top.exists():
            print(f"{top} is not there", file=sys.stderr)
            return 2
        for path in [top] if top.is_file() else sorted(p for p in top.rglob("*") if p.is_file() and not p.is_symlink()):
            for name in look(path):
                print(f"{path} shows the secret {name}", file=sys.stderr)
                result = 1
    return result


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
