"""Purpose: one run: one workload on one subject, in a process of its own with a limit of time.

The result: {"measures": {NAME: {"s", "cpu_s", "requests", "ops", "up", "down"}}, "memory_mib"}; "error" when it failed or the
bytes were wrong, "over_s" when it was cut off at the limit: what was measured until then stays.
"""

import json
import os
import resource
import select
import signal
import subprocess
import sys
import time

import fleet
import job
import subjects
import wire


def run(workload, subject_class, data, proxy, scratch, limit_s, number):
    """number: tells runs apart."""
    name = f"{workload.name}-{subject_class.name}-{number}".lower()
    place = scratch / name
    is_native = subject_class is subjects.Native
    top = data.directory(place / "dir", workload.bucket) if is_native else data.bucket(f"b-{name}", workload.bucket)
    bucket = str(top) if is_native else top.name
    subject = subject_class(proxy.endpoint, bucket, place / "mount")
    result = {"measures": {}}
    is_hung = False
    try:
        subject.start()
        is_hung = not _work(workload, subject, data, top, proxy, limit_s, result)
        if subject.pid:
            result["memory_mib"] = subjects.memory_mib(subject)
    except (OSError, AssertionError, RuntimeError, subprocess.SubprocessError) as e:
        result["error"] = f"{type(e).__name__}: {e}"[:400]
    finally:
        subject.stop(is_hung)
        data.drop(top)
        if is_native:
            data.drop(place)
    return result


def _work(workload, subject, data, top, proxy, limit_s, result):
    """Forks, collects what the child tells. False: it was cut off."""
    sys.stdout.flush()
    sys.stderr.flush()
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(ours)
        _child(workload, subject, data, top, proxy, theirs)
    os.close(theirs)
    try:
        return _collect(pid, ours, limit_s, result)
    finally:
        os.close(ours)
        _end(pid)


def _child(workload, subject, data, top, proxy, fd):
    """Never returns."""
    status = 1
    try:
        os.setpgid(0, 0)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        is_wire = isinstance(subject, subjects.Raw)
        has_proxy = not isinstance(subject, subjects.Native)
        j = job.Job(data.p, data.source, subject.path, top, subject.dir, proxy=proxy if has_proxy else None,
                    flush=subject.flush, pid=subject.pid, wire=subject.wire if is_wire else None, tell=job.teller(fd))
        if isinstance(subject, subjects.Curl):
            _curl(workload, j, subject)
        else:
            (workload.wire if is_wire else workload.work)(j)
        status = 0
    except BaseException as e:  # noqa: BLE001 - whatever it is, the parent has to hear of it
        more = getattr(e, "stderr", None) or b""
        text = f"{type(e).__name__}: {e} {more.decode(errors='replace') if isinstance(more, bytes) else more}"
        os.write(fd, json.dumps({"error": text.strip()[:400]}).encode() + b"\n")
    finally:
        os._exit(status)


def _curl(workload, j, subject):
    """One curl for all transfers; its CPU is that of our only child."""
    found, requests = workload.curl_requests(j, wire.Presigner(subject.endpoint, subject.bucket))
    lines = []
    for url, options in requests:
        lines += [f'url = "{url}"', *options, 'output = "/dev/null"', "next"]
    plan = subject.dir / "plan"
    plan.write_text("\n".join(lines[:-1]) + "\n")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    j.mark()
    subprocess.run(["curl", "--disable", "--no-progress-meter", "--fail", "--parallel", "--parallel-immediate", "--parallel-max",
                    str(wire.CONNECTIONS), "--config", str(plan)], check=True, capture_output=True, env=fleet.clean_environment())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    j.record(found, cpu_s=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def _collect(pid, fd, limit_s, result):
    deadline = time.monotonic() + limit_s
    text = b""
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([fd], [], [], left)[0]:
            result["over_s"] = round(limit_s, 1)
            return False
        got = os.read(fd, 65536)
        if not got:
            break
        text += got
        while b"\n" in text:
            line, text = text.split(b"\n", 1)
            record = json.loads(line)
            if "error" in record:
                result["error"] = record["error"]
            else:
                result["measures"][record.pop("measure")] = record
    _, status = os.waitpid(pid, 0)
    if status and "error" not in result:
        result["error"] = f"the workload ended with {os.waitstatus_to_exitcode(status)}"
    return True


def _end(pid):
    """The child and all it started."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except OSError:
        pass
    try:
        # What hangs in a dead mount ends when the mount does; the caller ends that next.
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass
