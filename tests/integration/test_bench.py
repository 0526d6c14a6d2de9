"""The benchmark itself, in small: every workload with its bytes compared, and what skydir and the bare wire ask for."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
BENCH = TOP / "tests" / "perf" / "bench.py"
FILES, LISTED, DIRS, SIZE = 10, 100, 4, 32 << 20  # with --scale 0.01
ARGUMENTS = ("--size", "32M", "--scale", "0.01", "--only", "skydir,raw,native", "--line", "0ms,0", "--repeat", 1, "--limit", "200s",
             "--budget", 0)


def bench(*arguments, check=0):
    done = subprocess.run([sys.executable, str(BENCH), *map(str, arguments)], capture_output=True, text=True, timeout=550,
                          env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}, check=False)
    assert done.returncode == check, done.stdout + done.stderr
    return done


def ops(runs, subject, workload, measure):
    return runs[subject][workload]["measures"][measure]["ops"]


def check_every_workload_is_done_with_the_right_bytes(runs, report):
    assert report["is_complete"] and len(report["workloads"]) > 20
    for subject in ("skydir", "raw", "native"):
        for workload in report["workloads"]:
            run = runs[subject][workload["name"]]
            assert "error" not in run and "over_s" not in run, run
            if subject != "raw":
                assert list(run["measures"]) == workload["measures"]


def check_the_bare_wire_asks_for_the_least(runs):
    assert ops(runs, "raw", "seqread", "cold") == {"G": SIZE >> 23}
    assert ops(runs, "raw", "seqwrite", "durable") == {"I": 1, "U": 2, "F": 1}
    assert ops(runs, "raw", "smallread", "cold") == {"L": 1, "G": FILES}
    assert ops(runs, "raw", "smallrm", "durable") == {"L": 1, "M": 1}
    assert ops(runs, "raw", "append", "durable") == {"I": 1, "K": 1, "U": 1, "F": 1}
    assert ops(runs, "raw", "renamedir", "durable") == {"L": 1, "C": 4, "M": 1}
    assert runs["raw"]["seqread"]["measures"]["cold"]["down"] == SIZE


def check_skydir_asks_for_little_more(runs):
    assert ops(runs, "skydir", "seqread", "cold").keys() == {"G"}
    assert runs["skydir"]["seqread"]["measures"]["cold"]["down"] == SIZE
    for warm in ("seqread", "smallread", "lsl", "find", "lslr", "findtree", "stat"):
        assert ops(runs, "skydir", warm, "warm") == {}, warm
    assert ops(runs, "skydir", "smallread", "cold")["G"] == FILES
    assert ops(runs, "skydir", "cp", "durable") == {"C": 1}
    assert ops(runs, "skydir", "smallcp", "durable") == {"P": 1}
    assert 0 <= runs["skydir"]["seqwrite"]["measures"]["durable"]["up"] - SIZE < 4096
    assert ops(runs, "skydir", "rename100m", "durable") == {"C": 1, "D": 1}
    assert ops(runs, "skydir", "renamedir", "durable")["C"] == 4
    assert ops(runs, "skydir", "rand4k", "cold")["G"] <= 4


def check_a_run_that_was_cut_off_goes_on(report, cut):
    report = dict(report)
    left_out = [r for r in report["runs"] if r["workload"] in ("find", "cp") and r["subject"] != "native"]
    report["runs"] = [r for r in report["runs"] if r not in left_out]
    cut.write_text(json.dumps(report))
    bench("--resume", *ARGUMENTS, "--output", cut)
    whole = json.loads(cut.read_text())["runs"]
    assert whole[:len(report["runs"])] == report["runs"]
    assert {(r["workload"], r["subject"]) for r in whole[len(report["runs"]):]} == {(r["workload"], r["subject"]) for r in left_out}
    assert "another kind of run" in bench("--resume", "--size", "64M", "--output", cut, check=2).stderr


def check_the_charts_are_drawn_from_the_results(output, tmp_path):
    (tmp_path / "docs").mkdir()
    shutil.copy(TOP / "docs" / "performance.md", tmp_path / "docs")
    shutil.copy(TOP / "README.md", tmp_path)
    # In a tree of its own: the documentation's figures are those of a real run.
    code = ("import sys, json, pathlib\nsys.path.insert(0, sys.argv[1])\nimport charts, report\n"
            "charts.write(report.Results(json.loads(pathlib.Path(sys.argv[2]).read_text())), sys.argv[3])\n")
    subprocess.run([sys.executable, "-c", code, BENCH.parent, output, tmp_path], check=True,
                   env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    page = (tmp_path / "docs" / "performance.md").read_text()
    assert page.startswith("# Performance") and "ls -l of 10,000 objects" in page and "performance-0ms.svg" in page
    assert "docs/performance-0ms-summary.svg" in (tmp_path / "README.md").read_text()
    chart = (tmp_path / "docs" / "performance-0ms.svg").read_text()
    assert chart.startswith("<svg") and "seqread cold" in chart and "nan" not in chart


@pytest.mark.timeout(600)
def test_the_benchmark_in_small(tmp_path):
    """One test: the run that all of it looks at is the dear part."""
    output = tmp_path / "bench.json"
    bench(*ARGUMENTS, "--output", output)
    report, runs = json.loads(output.read_text()), {}
    for run in report["runs"]:
        runs.setdefault(run["subject"], {})[run["workload"]] = run
    check_every_workload_is_done_with_the_right_bytes(runs, report)
    check_the_bare_wire_asks_for_the_least(runs)
    check_skydir_asks_for_little_more(runs)
    check_the_charts_are_drawn_from_the_results(output, tmp_path)
    check_a_run_that_was_cut_off_goes_on(report, tmp_path / "cut.json")


def test_what_bench_does_not_know_is_told():
    assert "unknown: nosuch" in bench("--only", "nosuch", check=2).stderr
    assert "seqread" in bench("--help").stdout
