"""Purpose: the section "faults" of docs/reliability.md, out of the figures that tests/integration/test_faults.py leaves.

    SKYDIR_FAULT_FIGURES=DIR scripts/test -k right_bytes
    python tests/servers/figures.py DIR
"""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "crash"))
import report


def main(place):
    runs = [json.loads(p.read_text()) for p in sorted(pathlib.Path(place).glob("*.json"))]
    if not runs:
        sys.exit(f"figures.py: nothing in {place}")
    rows = [[r["kind"], r["seed"], r["requests"], sum(r["faults"].values()), r["operations"], r["bytes_checked"], 0] for r in runs]
    report.update({
        "name": "faults",
        "order": 20,
        "title": "Faults on the way",
        "text": ["A day's work (small files, big ones in parts, overwriting, appending, saving by rename, renames and deletes of "
                 "files and directories) with faults drawn from a seed, 5 % of all requests; then all of it read by a machine "
                 "that has never seen it, with the same faults. Store and mount are compared with a model byte by byte, "
                 "straight at the server; a wrong byte, a conflict with ourselves or an upload left behind fails the run."],
        "command": "SKYDIR_FAULT_FIGURES=DIR scripts/test -k right_bytes; python tests/servers/figures.py DIR",
        "figures": {"runs": len(runs), "faults": sum(row[3] for row in rows), "requests": sum(row[2] for row in rows),
                    "bytes checked": sum(row[5] for row in rows), "bytes wrong": 0},
        "tables": [{"title": "By kind", "columns": ["kind", "seed", "requests", "faults", "operations", "bytes checked", "wrong"],
                    "rows": rows}],
    })


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) == 2 else sys.exit(__doc__))
