"""Purpose: skydir beside its peers, the bare wire and a plain directory: the same work on the same server through one proxy.

The proxy delays the first byte of each answer and limits each connection, as a real store over a real line does; it counts
requests and bytes. Requests and bytes repeat exactly; wall times on a busy machine only as ratios. `close` and `call` are when
the program was done, `durable` when the bucket held all of it (the server's own files are looked at, past the proxy); `cold`
and `warm` are a first and a second time. Bytes are compared in every workload; a figure whose bytes are wrong does not count.
skydir's uploads are asked for by `skydir sync`; rclone's write-back rests 0.1 s; the others upload at close.

raw is what the wire allows: the fewest requests over 32 plain connections (one, where each read waits for the one before).
native is the same on a plain directory. curl, where it is on PATH, moves the same bytes by the same ranges and parts and keeps
none: what libcurl costs in CPU. Peers are run where they are on PATH: s3fs and rclone (installed from Debian),
geesefs, goofys, mount-s3. juicefs, gcsfuse and blobfuse2 are not among them: they keep files in a form of their own, or
speak to other stores than S3.
"""

import argparse
import json
import os
import pathlib
import platform
import shutil
import signal
import sys
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "servers"))
sys.path.insert(0, str(TOP / "tests" / "integration"))
import fleet
import harness

import charts
import job
import measure
import report
import subjects
import work_big  # noqa: F401 - they name the workloads
import work_names  # noqa: F401
import work_small  # noqa: F401
import works
from data import Data

VERSION = 2
PEER_LEAST_S, PEER_TIMES = 10, 6
EPILOG = """
workloads:
{workloads}

How long it takes: at most the budget (20 minutes) and the run that is under way then. With s3fs and rclone, --size 512M and
both lines, one round is 10 to 15 minutes on an idle machine with two processors (peers that are cut off are the greater part
of it); further rounds (--repeat) are begun while the budget lasts. A few workloads (--only skydir,raw,seqread) take seconds. What is not measured when the time is
over, or when it is interrupted, is kept as missing: --resume goes on from there.
"""


def number(text, k):
    """"4M" with k = 1024 (sizes) or 1000 (rates)."""
    units = {"K": k, "M": k**2, "G": k**3}
    return int(float(text[:-1]) * units[text[-1].upper()]) if text[-1].upper() in units else int(text)


def size_of(text):
    size = number(text, 1024)
    if size < 8 * job.MiB or size > 4096 * job.MiB or size % (4 * job.MiB):
        raise argparse.ArgumentTypeError("from 8M to 4G, in steps of 4M")
    return size


def line_of(text):
    latency, rate = text.split(",")
    return {"latency_ms": float(latency.removesuffix("ms")), "rate": number(rate, 1000)}


def seconds_of(text):
    return float(text[:-1]) * 60 if text.endswith("m") else float(text.removesuffix("s"))


def parse(argv):
    listed = "\n".join(f"  {w.name:12} {w.title} ({', '.join(w.measures)})" for w in works.ALL.values())
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__.removeprefix("Purpose: "), epilog=EPILOG.format(workloads=listed),
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=size_of, default=1 << 30, help="of the big file (1G)")
    parser.add_argument("--only", default="", metavar="NAMES", help="these subjects and workloads, comma-separated")
    parser.add_argument("--line", action="append", type=line_of, metavar="LATENCY,RATE",
                        help="first byte and rate of a connection (25ms,80M and 0ms,0)")
    parser.add_argument("--repeat", type=int, default=3, help="rounds; the best of each counts (3)")
    parser.add_argument("--budget", type=seconds_of, default=1200, metavar="TIME", help="start nothing more after that (20m; 0: no end)")
    parser.add_argument("--limit", type=seconds_of, default=45, metavar="TIME",
                        help=f"cut a run off (45s); a peer's also at {PEER_TIMES} times what skydir or raw took, after {PEER_LEAST_S} s")
    parser.add_argument("--scale", type=float, default=1.0, help="of the counts of files, names and reads (1)")
    parser.add_argument("--output", default=str(TOP / "build" / "bench.json"), help="the results (build/bench.json)")
    parser.add_argument("--resume", action="store_true", help="go on with the results of a run of the same sizes that was cut off")
    parser.add_argument("--charts", action="store_true",
                        help="measure nothing: draw docs/performance-*.svg, fill in docs/performance.md and README.md from the results")
    return parser.parse_args(argv)


def chosen(only):
    """(workloads, subjects) by --only; ValueError names what is neither."""
    wanted = {w for w in only.split(",") if w}
    unknown = wanted - set(works.ALL) - set(subjects.ALL)
    if unknown:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
    found = [w for n, w in works.ALL.items() if not wanted & set(works.ALL) or n in wanted]
    classes = [c for n, c in subjects.ALL.items() if not wanted & set(subjects.ALL) or n in wanted]
    absent = [c.name for c in classes if c.name in wanted and not c.is_here()]
    if absent:
        raise ValueError(f"not installed: {', '.join(absent)}")
    return found, [c for c in classes if c.is_here()]


class Session:
    """One call: what is to be run, and the report that grows with each run."""

    def __init__(self, args):
        self.args, self.output = args, pathlib.Path(args.output)
        self.lines = args.line or [line_of("25ms,80M"), line_of("0ms,0")]
        self.workloads, self.classes = chosen(args.only)
        self.began = time.monotonic()
        self.report = {
            "version": VERSION, "size": args.size, "scale": args.scale, "lines": self.lines, "rounds": 0, "is_complete": False,
            "workloads": [{"name": w.name, "title": w.title, "measures": w.measures} for w in self.workloads],
            "subjects": [c.name for c in self.classes], "versions": {c.name: c.version() for c in self.classes},
            "machine": {"date": time.strftime("%Y-%m-%d"), "cpus": os.cpu_count(), "kernel": ".".join(platform.release().split(".")[:2]),
                        "load": round(os.getloadavg()[0], 1)},
            "runs": [],
        }
        if args.resume and self.output.exists():
            self.resume()

    def resume(self):
        old = json.loads(self.output.read_text(encoding="utf-8"))
        same = ("version", "size", "scale", "lines", "versions")
        if any(old.get(k) != self.report[k] for k in same):
            raise ValueError(f"{self.output} is of another kind of run: {', '.join(k for k in same if old.get(k) != self.report[k])}")
        self.report["runs"] = old["runs"]

    def save(self):
        """After each run, so that a cut costs one."""
        self.output.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.output.with_suffix(".new")
        temporary.write_text(json.dumps(self.report, indent=1) + "\n", encoding="utf-8")
        temporary.replace(self.output)

    def todo(self, round_number):
        """(line number, workload, class) of a round, in order: what is compared is measured close together."""
        done = {(r["line"], r["workload"], r["subject"]) for r in self.report["runs"] if r["round"] == round_number}
        hopeless = {(r["line"], r["workload"], r["subject"]) for r in self.report["runs"] if "over_s" in r or "error" in r}
        for n in range(len(self.lines)):
            for w in self.workloads:
                for c in self.classes:
                    key = (n, w.name, c.name)
                    if key in done or (round_number and key in hopeless) or (c is subjects.Native and n):
                        continue
                    if c is subjects.Curl and not w.curl_requests:
                        continue
                    yield n, w, c

    def limit_s(self, n, w, c):
        if c not in subjects.PEERS:
            return self.args.limit
        took = [sum(m["s"] for m in r["measures"].values()) for r in self.report["runs"]
                if (r["line"], r["workload"]) == (n, w.name) and r["subject"] in ("skydir", "raw") and "error" not in r]
        return min(self.args.limit, max(PEER_LEAST_S, PEER_TIMES * max(took))) if took else self.args.limit

    def is_over(self):
        return self.args.budget and time.monotonic() - self.began > self.args.budget

    def run(self, data, proxies, scratch):
        """False: the time was over first."""
        for round_number in range(self.args.repeat):
            for n, w, c in list(self.todo(round_number)):
                if self.is_over():
                    self.report["is_complete"] = round_number > 0
                    return False
                print(f"{time.monotonic() - self.began:6.0f} s  {self.lines[n]['latency_ms']:g} ms: {w.name} on {c.name}",
                      end="", file=sys.stderr, flush=True)
                result = measure.run(w, c, data, proxies[n], scratch, self.limit_s(n, w, c), len(self.report["runs"]))
                said = [f"{k} {report.seconds(m['s'])}" for k, m in result["measures"].items()]
                said += [f"> {result['over_s']:g}"] if "over_s" in result else []
                said += [result["error"]] if "error" in result else []
                print(f": {', '.join(said)}", file=sys.stderr, flush=True)
                self.report["runs"].append({"line": n, "workload": w.name, "subject": c.name, "round": round_number, **result})
                self.report["rounds"] = max(self.report["rounds"], round_number + 1)
                self.save()
            self.report["is_complete"] = True
        return True


def run_all(session):
    scratch = harness.scratch_dir("b")
    try:
        with fleet.Versitygw() as server:
            print("making the buckets", file=sys.stderr, flush=True)
            data = Data(server, scratch, job.Params(session.args.size, session.args.scale))
            data.make()
            proxies = [fleet.Proxy(server.endpoint, line["latency_ms"], line["rate"]) for line in session.lines]
            try:
                for proxy in proxies:
                    proxy.start()
                return session.run(data, proxies, scratch)
            finally:
                for proxy in proxies:
                    proxy.stop()
    finally:
        session.save()
        subjects.cleanup_leftovers(scratch)
        shutil.rmtree(scratch, ignore_errors=True)


def show(results):
    for n, line in enumerate(results.lines):
        print(f"\n{report.line_text(line)}, SIZE {report.size_text(results.report['size'])}; seconds\n")
        print("\n".join(report.table(results, n)), flush=True)
    print()
    for text in report.verdict(results):
        print(text)
    for text in report.notes(results):
        print(f"failed: {text}", file=sys.stderr)


def stop(status):
    """Everything is ended and unmounted on the way out."""
    print("\nbench: interrupted; what was measured is kept, --resume goes on", file=sys.stderr)
    sys.exit(status)


def main(argv):
    args = parse(argv)
    try:
        if args.charts:
            results = report.Results(json.loads(pathlib.Path(args.output).read_text(encoding="utf-8")))
            for path in charts.write(results, TOP):
                print(f"written: {path}")
            return 0
        session = Session(args)
    except (ValueError, OSError) as e:
        print(f"bench: {e}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: stop(143))
    signal.signal(signal.SIGINT, lambda *_: stop(130))
    is_whole = run_all(session)
    results = report.Results(session.report)
    show(results)
    print(f"\nwritten: {args.output}" + ("" if is_whole else "; the time was over: --resume goes on"), file=sys.stderr)
    return 1 if any(r["subject"] == "skydir" and ("error" in r or "over_s" in r) for r in session.report["runs"]) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
