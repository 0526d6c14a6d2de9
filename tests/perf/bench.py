"""Purpose: skydir, s3fs and rclone side by side: the same work on the same server through the same proxy.

The proxy delays the first byte of each answer and limits each connection, as a real store over a real line does; it
counts requests and bytes. Requests and bytes repeat exactly; wall times on a busy machine only as ratios. `close` is when
the program was done, `durable` when the bucket held all of it (a client of our own looks, past the proxy).

    bench.py [--size 1G] [--only skydir,seqread,...] [--line 25ms,80M] [--line 0ms,0] [--repeat N]

Prints a table for each line and writes build/bench.json.
"""

import argparse
import concurrent.futures
import contextlib
import json
import os
import pathlib
import platform
import shutil
import signal
import subprocess
import sys
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "servers"))
sys.path.insert(0, str(TOP / "tests" / "integration"))
import fleet
import harness

MiB = 1 << 20
SMALL_FILES, SMALL_BYTES = 250, 4096
LISTED = 10_000


def number(text, k):
    """"4M" with k = 1024 (sizes) or 1000 (rates)."""
    units = {"K": k, "M": k**2, "G": k**3}
    return int(float(text[:-1]) * units[text[-1].upper()]) if text[-1].upper() in units else int(text)


def size_of(text):
    return number(text, 1024)


# ---- the subjects ----


class Subject:
    """One file system on one bucket. Started anew, with an empty cache, for each workload."""

    name = ""

    def __init__(self, endpoint, bucket, scratch):
        self.endpoint, self.bucket, self.dir = endpoint, bucket, scratch
        self.top = scratch / "mnt"
        self.path = self.top

    @staticmethod
    def version():
        return ""

    def start(self):
        shutil.rmtree(self.dir, ignore_errors=True)
        self.top.mkdir(parents=True)
        self.launch()
        harness.eventually(lambda: harness.is_mounted(self.top), timeout=30, what=f"{self.name}'s mount")

    def launch(self):
        raise NotImplementedError

    def flush(self):
        """Asks for what was written to be uploaded now, where there is a way to ask."""

    def pid(self):
        return self.process.pid

    def cpu_s(self):
        with open(f"/proc/{self.pid()}/stat", encoding="ascii") as f:
            fields = f.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mib(self):
        with open(f"/proc/{self.pid()}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmHWM")) // 1024

    def stop(self):
        if harness.is_mounted(self.top):
            subprocess.run(["fusermount3", "-uz", str(self.top)], check=False, capture_output=True)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def popen(self, command, **env):
        log = open(self.dir / "log", "wb")  # noqa: SIM115 - the child's, for as long as it lives
        self.process = subprocess.Popen(
            [str(c) for c in command], env={**fleet.clean_environment(), "HOME": str(self.dir), **env}, stdin=subprocess.DEVNULL,
            stdout=log, stderr=log)


class Skydir(Subject):
    name = "skydir"

    @staticmethod
    def version():
        return harness.run(harness.SKYDIR, "--version").stdout.strip()

    def launch(self):
        conf = self.dir / "skydir.conf"
        conf.write_text(
            f"[skydir]\ncache-dir = {self.dir}/cache\n[s3]\ntype = s3\nendpoint = {self.endpoint}\n"
            f"region = {fleet.REGION}\naccess-key-id = {fleet.KEY}\nsecret-access-key = {fleet.SECRET}\n")
        conf.chmod(0o600)
        self.env = {"SKYDIR_CONFIG": str(conf), "SKYDIR_RUNTIME_DIR": str(self.dir / "run"),
                    "XDG_DATA_HOME": str(self.dir / "data")}
        (self.dir / "run").mkdir(mode=0o700)
        self.popen([harness.SKYDIR, "mount", f"/s3/{self.bucket}", self.top, "-f"], **self.env)

    def flush(self):
        subprocess.run([str(harness.SKYDIR), "sync", str(self.top)], env={**fleet.clean_environment(), **self.env}, check=True,
                       capture_output=True)


class S3fs(Subject):
    name = "s3fs"

    @staticmethod
    def version():
        return harness.run("s3fs", "--version").stdout.splitlines()[0]

    def launch(self):
        password = self.dir / "passwd"
        password.write_text(f"{fleet.KEY}:{fleet.SECRET}\n")
        password.chmod(0o600)
        self.popen(["s3fs", self.bucket, self.top, "-f", "-o",
                    (f"url={self.endpoint},use_path_request_style,passwd_file={password},endpoint={fleet.REGION},"
                     "parallel_count=32,multipart_size=16,multireq_max=40,max_stat_cache_size=200000,"
                     "enable_noobj_cache,stat_cache_expire=600")])


class Rclone(Subject):
    name = "rclone"

    @staticmethod
    def version():
        return harness.run("rclone", "version").stdout.splitlines()[0]

    def launch(self):
        conf = self.dir / "rclone.conf"
        conf.write_text(
            f"[s]\ntype = s3\nprovider = Other\nendpoint = {self.endpoint}\nregion = {fleet.REGION}\n"
            f"access_key_id = {fleet.KEY}\nsecret_access_key = {fleet.SECRET}\nforce_path_style = true\n"
            "upload_concurrency = 16\nchunk_size = 16M\n")
        self.popen(["rclone", "mount", f"s:{self.bucket}", self.top, "--config", conf, "--cache-dir", self.dir / "cache",
                    "--vfs-cache-mode", "full", "--vfs-write-back", "100ms", "--transfers", "16",
                    "--dir-cache-time", "10m", "--no-modtime", "--buffer-size", "64M", "--vfs-read-ahead", "128M"])


# ---- the workloads ----


class Bench:
    def __init__(self, size):
        self.size = size

    # Each workload: what the bucket holds before, then the work; returns {measure: seconds}.

    def seqread(self, s, _store, _mark):
        """read SIZE once, cold, in reads of 1 MiB"""
        os.listdir(s.path)
        return {"cold": self.read_all(s.path / "big")}

    def read_all(self, path):
        started = time.monotonic()
        fd, total = os.open(path, os.O_RDONLY), 0
        while block := os.read(fd, MiB):
            total += len(block)
        os.close(fd)
        assert total == self.size, f"{total} bytes read of {self.size}"
        return time.monotonic() - started

    def seqwrite(self, s, store, mark):
        """write SIZE in writes of 1 MiB"""
        os.listdir(s.path)
        block = os.urandom(MiB)
        mark()
        started = time.monotonic()
        fd = os.open(s.path / "written", os.O_WRONLY | os.O_CREAT)
        for _ in range(self.size // MiB):
            os.write(fd, block)
        os.close(fd)
        closed = time.monotonic() - started
        s.flush()
        store.wait({"written": self.size})
        return {"close": closed, "durable": time.monotonic() - started}

    def smallcp(self, s, store, mark):
        """cp of one new file of 4 KiB into a listed directory"""
        os.listdir(s.path)
        source = s.dir / "source"
        source.write_bytes(os.urandom(SMALL_BYTES))
        mark()
        started = time.monotonic()
        subprocess.run(["cp", str(source), str(s.path / "copied")], check=True)
        closed = time.monotonic() - started
        s.flush()
        store.wait({"copied": SMALL_BYTES})
        return {"close": closed, "durable": time.monotonic() - started}

    def smallwrite(self, s, store, mark):
        """write 250 files of 4 KiB, one after the other"""
        (s.path / "w").mkdir()
        os.listdir(s.path / "w")
        data = os.urandom(SMALL_BYTES)
        mark()
        started = time.monotonic()
        for i in range(SMALL_FILES):
            (s.path / "w" / f"{i:04}").write_bytes(data)
        closed = time.monotonic() - started
        s.flush()
        store.wait({f"w/{i:04}": SMALL_BYTES for i in range(SMALL_FILES)})
        return {"close": closed, "durable": time.monotonic() - started}

    def smallread(self, s, _store, mark):
        """read 250 files of 4 KiB, one after the other, cold"""
        mark()
        started = time.monotonic()
        for name in sorted(os.listdir(s.path / "r")):
            assert len((s.path / "r" / name).read_bytes()) == SMALL_BYTES
        return {"cold": time.monotonic() - started}

    def lsl(self, s, _store, mark):
        """ls -l of 10,000 objects, cold, and again"""
        mark()
        times = {}
        for measure in ("cold", "warm"):
            started = time.monotonic()
            out = subprocess.run(["ls", "-l", str(s.path / "l")], check=True, capture_output=True).stdout
            times[measure] = time.monotonic() - started
            assert out.count(b"\n") == LISTED + 1
        return times

    def cpinside(self, s, store, mark):
        """cp of SIZE/4 inside the mount"""
        os.listdir(s.path)
        mark()
        started = time.monotonic()
        subprocess.run(["cp", str(s.path / "quarter"), str(s.path / "quarter.copy")], check=True)
        called = time.monotonic() - started
        s.flush()
        store.wait({"quarter.copy": self.size // 4})
        return {"close": called, "durable": time.monotonic() - started}

    def rmr(self, s, store, mark):
        """rm -r of 250 files"""
        mark()
        started = time.monotonic()
        shutil.rmtree(s.path / "d")
        called = time.monotonic() - started
        s.flush()
        store.wait_gone("d/")
        return {"close": called, "durable": time.monotonic() - started}


WORKLOADS = ("seqread", "seqwrite", "smallcp", "smallwrite", "smallread", "lsl", "cpinside", "rmr")


class Store:
    """The bucket, seen and filled past the proxy."""

    def __init__(self, server, bucket):
        self.s3, self.server, self.bucket = harness.S3Client(server).s3, server, bucket

    def sizes(self, prefix=""):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return {o["Key"]: o["Size"] for page in pages for o in page.get("Contents", [])}

    def wait(self, wanted, timeout=900):
        prefix = os.path.commonprefix(list(wanted))

        def there():
            found = self.sizes(prefix)
            return all(found.get(k) == n for k, n in wanted.items())

        harness.eventually(there, timeout=timeout, what=f"{len(wanted)} objects in the bucket")

    def wait_gone(self, prefix, timeout=900):
        harness.eventually(lambda: not self.sizes(prefix), timeout=timeout, what=f"the end of {prefix}")

    def put_small(self, prefix, count):
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda i: self.s3.put_object(Bucket=self.bucket, Key=f"{prefix}/{i:04}",
                                                       Body=os.urandom(SMALL_BYTES)), range(count)))

    def put_big(self, key, size):
        upload = self.s3.create_multipart_upload(Bucket=self.bucket, Key=key)["UploadId"]
        parts, block = [], 64 * MiB
        for number in range((size + block - 1) // block):
            body = os.urandom(min(block, size - number * block))
            done = self.s3.upload_part(Bucket=self.bucket, Key=key, UploadId=upload, PartNumber=number + 1, Body=body)
            parts.append({"PartNumber": number + 1, "ETag": done["ETag"]})
        self.s3.complete_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts})

    def prepare(self, workload, size):
        self.s3.create_bucket(Bucket=self.bucket)
        if workload == "seqread":
            self.put_big("big", size)
        elif workload == "cpinside":
            self.put_big("quarter", size // 4)
        elif workload == "smallread":
            self.put_small("r", SMALL_FILES)
        elif workload == "rmr":
            self.put_small("d", SMALL_FILES)
        elif workload == "lsl":
            # The server's files are its objects: faster than 10,000 puts.
            (self.server.buckets / self.bucket / "l").mkdir()
            for i in range(LISTED):
                (self.server.buckets / self.bucket / "l" / f"object-{i:06}").write_bytes(b"x")

    def drop(self):
        shutil.rmtree(self.server.buckets / self.bucket, ignore_errors=True)


def measure(subject_class, workload, size, line, server, scratch):
    """One run in a bucket of its own; {seconds, ops, requests, bytes, cpu, memory}, or {error}."""
    bucket = f"bench-{workload}-{subject_class.name}"
    store = Store(server, bucket)
    store.prepare(workload, size)
    with fleet.Proxy(server.endpoint, latency_ms=line[0], rate=line[1]) as proxy:
        subject = subject_class(proxy.endpoint, bucket, scratch / subject_class.name)
        try:
            subject.start()
            seconds = getattr(Bench(size), workload)(subject, store, proxy.reset)
            counters = proxy.counters()
            return {
                "seconds": {k: round(v, 4) for k, v in seconds.items()},
                "ops": counters["ops"],
                "requests": counters["requests"],
                "bytes_up": counters["bytes_up"],
                "bytes_down": counters["bytes_down"],
                "cpu_s": round(subject.cpu_s(), 2),
                "memory_mib": subject.memory_mib(),
            }
        except (OSError, AssertionError, subprocess.SubprocessError) as e:
            return {"error": f"{type(e).__name__}: {e}"[:300]}
        finally:
            with contextlib.suppress(OSError, AttributeError):
                subject.stop()
            store.drop()


def best(runs):
    """Of repeated runs, the fastest (by the last measure); requests do not differ."""
    good = [r for r in runs if "error" not in r]
    return min(good, key=lambda r: list(r["seconds"].values())[-1]) if good else runs[0]


def table(results, subjects):
    """The lines of one table: seconds, ratio to the best peer (over 1: skydir is faster), requests, MB."""
    peers = [s for s in subjects if s != "skydir"]
    rows = [["workload", *subjects, "best peer / skydir", *(f"{s}: requests, MB up/down, cpu s, MiB" for s in subjects)]]
    for workload, by_subject in results.items():
        measures = next((list(r["seconds"]) for r in by_subject.values() if "seconds" in r), ["-"])
        for n, name in enumerate(measures):
            times = {s: by_subject[s].get("seconds", {}).get(name) for s in by_subject}
            row = [f"{workload} {name}"] + [f"{times[s]:.3f}" if times.get(s) is not None else "failed" for s in subjects]
            found = [times[p] for p in peers if times.get(p) is not None]
            row.append(f"{min(found) / times['skydir']:.2f}" if found and times.get("skydir") else "-")
            for s in subjects:
                r = by_subject.get(s, {})
                if n or "ops" not in r:
                    row.append("" if n else r.get("error", "")[:60])
                    continue
                ops = " ".join(f"{op}{count}" for op, count in r["ops"].items()) or "0"
                row.append(f"{ops}, {r['bytes_up'] / 1e6:.2f}/{r['bytes_down'] / 1e6:.2f}, {r['cpu_s']}, {r['memory_mib']}")
            rows.append(row)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip() for row in rows]


def parse(argv):
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__.split("\n\n")[0])
    parser.add_argument("--size", type=size_of, default=1 << 30, help="of the big file (1G)")
    parser.add_argument("--only", default="", help="subjects and workloads, comma-separated: " + ", ".join(WORKLOADS))
    parser.add_argument("--line", action="append", help="LATENCY,RATE of a connection (25ms,80M and 0ms,0)")
    parser.add_argument("--repeat", type=int, default=1, help="runs of each; the best counts")
    parser.add_argument("--output", default=str(TOP / "build" / "bench.json"))
    return parser.parse_args(argv)


def main(argv):
    args = parse(argv)
    only = {w for w in args.only.split(",") if w}
    classes = {c.name: c for c in (Skydir, S3fs, Rclone)}
    unknown = only - set(WORKLOADS) - set(classes)
    if unknown:
        print(f"bench: unknown: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    subjects = [n for n in classes if not only & set(classes) or n in only]
    subjects = [n for n in subjects if n == "skydir" or shutil.which(n)]
    workloads = [w for w in WORKLOADS if not only & set(WORKLOADS) or w in only]
    lines = [(float(a.removesuffix("ms")), number(b, 1000)) for a, b in
             (text.split(",") for text in args.line or ("25ms,80M", "0ms,0"))]
    report = {"size": args.size, "cpus": os.cpu_count(), "kernel": platform.release(), "load": os.getloadavg()[0],
              "versions": {n: classes[n].version() for n in subjects}, "lines": []}
    scratch = harness.scratch_dir("b")
    try:
        with fleet.Versitygw() as server:
            for line in lines:
                results = {}
                for workload in workloads:
                    results[workload] = {}
                    for name in subjects:
                        print(f"{line[0]:g} ms: {workload} on {name}", file=sys.stderr, flush=True)
                        results[workload][name] = best([measure(classes[name], workload, args.size, line, server, scratch)
                                                        for _ in range(args.repeat)])
                report["lines"].append({"latency_ms": line[0], "rate": line[1], "results": results})
                print(f"\n{line[0]:g} ms to the first byte, " +
                      (f"{line[1] / 1e6:.0f} MB/s a connection, " if line[1] else "no limit of bandwidth, ") +
                      f"SIZE {args.size >> 20} MiB; seconds\n")
                print("\n".join(table(results, subjects)), flush=True)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    output = pathlib.Path(args.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(report, indent=1) + "\n")
    print(f"\nwritten: {output}", file=sys.stderr)
    failed = [w for entry in report["lines"] for w, r in entry["results"].items() if "error" in r.get("skydir", {})]
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
