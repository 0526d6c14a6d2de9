"""Purpose: what the runs say: the best of each, ratios to the best peer and to the wire, as text and as Markdown."""

SKYDIR, RAW, NATIVE, CURL = "skydir", "raw", "native", "curl"
BEGIN, END = "<!-- scripts/bench --charts writes from here -->", "<!-- to here -->"

# What skydir wants to reach: (workload, measure, beside, at most so many times its seconds). On the first line only.
BARS = (("seqread", "cold", RAW, 1.11), ("seqwrite", "durable", RAW, 1.11), ("parread", "cold", RAW, 1.2), ("smallread", "cold", RAW, 2),
        ("cp", "durable", RAW, 1.5), ("renamedir", "durable", RAW, 1), ("cached", "seq", NATIVE, 1.11), ("cached", "rand4k", NATIVE, 1.11),
        ("seqwrite", "close", NATIVE, 1.11), ("stat", "warm", NATIVE, 1.11))
# On a plain directory these say nothing: there is no cold, and durable is only its close.
NOT_NATIVE = ("cold", "durable")


def line_text(line):
    rate = f"{line['rate'] / 1e6:.0f} MB/s a connection" if line["rate"] else "no limit of bandwidth"
    return f"{line['latency_ms']:g} ms to the first byte, {rate}"


def size_text(size):
    return f"{size >> 30} GiB" if size % (1 << 30) == 0 else f"{size >> 20} MiB"


class Results:
    """The runs of one JSON, looked up by (line, workload, subject)."""

    def __init__(self, report):
        self.report = report
        self.lines, self.workloads, self.subjects = report["lines"], report["workloads"], report["subjects"]
        self.by = {}
        for run in report["runs"]:
            self.by.setdefault((run["line"], run["workload"], run["subject"]), []).append(run)

    def runs(self, line, workload, subject):
        # The plain directory knows no line: it is measured once.
        return self.by.get((0 if subject == NATIVE else line, workload, subject), [])

    def best(self, line, workload, subject, measure):
        """Of the runs whose bytes were right, the record with the least seconds; None without one."""
        if subject == NATIVE and measure in NOT_NATIVE:
            return None
        found = [run["measures"][measure] for run in self.runs(line, workload, subject)
                 if "error" not in run and measure in run["measures"]]
        return min(found, key=lambda record: record["s"]) if found else None

    def memory_mib(self, line, workload, subject):
        found = [run["memory_mib"] for run in self.runs(line, workload, subject) if run.get("memory_mib")]
        return max(found) if found else None

    def over_s(self, line, workload, subject, measure):
        """It was cut off before that measure: after so many seconds."""
        runs = self.runs(line, workload, subject)
        over = [run["over_s"] for run in runs if "over_s" in run and measure not in run["measures"]]
        return max(over) if over and not self.best(line, workload, subject, measure) else None

    def errors(self, line, workload, subject):
        return [run["error"] for run in self.runs(line, workload, subject) if "error" in run]

    def peers(self):
        return [s for s in self.subjects if s not in (SKYDIR, RAW, NATIVE, CURL)]

    def best_peer(self, line, workload, measure):
        """(name, record) of the fastest; (None, None) without one."""
        found = [(name, record) for name in self.peers() if (record := self.best(line, workload, name, measure))]
        return min(found, key=lambda pair: pair[1]["s"]) if found else (None, None)

    def rows(self, line):
        """(workload, title, measure) of all that was run."""
        for w in self.workloads:
            for measure in w["measures"]:
                if any(self.runs(line, w["name"], s) for s in self.subjects if s != NATIVE):
                    yield w["name"], w["title"], measure


def seconds(s):
    if s is None:
        return "-"
    return f"{s:.1f}" if s >= 10 else f"{s:.2f}" if s >= 0.1 else f"{s:.4f}"


def ratio(a, b):
    """a : b, where b may be nothing at all."""
    if not a or not b or not b["s"]:
        return "-"
    return f"{a['s'] / b['s']:.2f}"


def operations(record):
    if not record or "ops" not in record:
        return "-"
    return " ".join(f"{op}{n}" for op, n in record["ops"].items()) or "0"


def megabytes(record):
    return "-" if not record or "up" not in record else f"{record['up'] / 1e6:.2f}/{record['down'] / 1e6:.2f}"


def cell(results, line, workload, subject, measure):
    """The seconds of one subject, or why there are none."""
    record = results.best(line, workload, subject, measure)
    if record:
        return seconds(record["s"])
    if results.over_s(line, workload, subject, measure):
        return f"> {results.over_s(line, workload, subject, measure):.0f}"
    return "failed" if results.errors(line, workload, subject) else "-"


def cost(results, line, workload, subject, measure):
    """Requests, MB up/down, CPU seconds, MiB."""
    record = results.best(line, workload, subject, measure)
    if not record:
        return "-"
    memory = results.memory_mib(line, workload, subject)
    return f"{operations(record)}, {megabytes(record)}, {record.get('cpu_s', 0):.2f}" + (f", {memory}" if memory else "")


def table(results, line):
    """The lines of one table on a terminal."""
    subjects = results.subjects
    rows = [["workload", *subjects, "peer/skydir", "skydir/raw", "skydir/native",
             *(f"{s}: requests, MB up/down, cpu s, MiB" for s in subjects if s != NATIVE)]]
    for workload, _, measure in results.rows(line):
        ours = results.best(line, workload, SKYDIR, measure)
        _, peer = results.best_peer(line, workload, measure)
        rows.append([f"{workload} {measure}", *(cell(results, line, workload, s, measure) for s in subjects),
                     ratio(peer, ours), ratio(ours, results.best(line, workload, RAW, measure)),
                     ratio(ours, results.best(line, workload, NATIVE, measure)),
                     *(cost(results, line, workload, s, measure) for s in subjects if s != NATIVE)])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(text.ljust(w) for text, w in zip(row, widths)).rstrip() for row in rows]


def notes(results):
    """What the figures do not say: runs that failed, whose bytes were wrong, or that were cut off."""
    for n, line in enumerate(results.lines):
        for w in results.workloads:
            for s in results.subjects:
                for run in results.by.get((n, w["name"], s), []):
                    if "error" in run:
                        yield f"{line['latency_ms']:g} ms: {w['name']} on {s}: {run['error']}"


def standing(results, line):
    """(measures in which skydir is at least as fast as every peer, all that have both, the names of the others)."""
    ahead, behind = 0, []
    for workload, _, measure in results.rows(line):
        ours = results.best(line, workload, SKYDIR, measure)
        name, peer = results.best_peer(line, workload, measure)
        is_cut = any(results.over_s(line, workload, p, measure) for p in results.peers())
        if not ours or (not peer and not is_cut):
            continue
        if not peer or peer["s"] >= ours["s"]:
            ahead += 1
        else:
            behind.append(f"{workload} {measure} ({name}, {ratio(peer, ours)})")
    return ahead, ahead + len(behind), behind


def bars(results):
    """(text, reached) of each bar that was measured, on the first line."""
    for workload, measure, beside, most in BARS:
        ours, other = results.best(0, workload, SKYDIR, measure), results.best(0, workload, beside, measure)
        if ours and other and other["s"]:
            found = ours["s"] / other["s"]
            yield f"{workload} {measure}: {found:.2f} x {beside} (at most {most:g})", found <= most


def cpu_per_gb(results, line):
    """{subject: {"read": s, "write": s}}: the client's CPU seconds for 10^9 bytes moved one way, cold and durable."""
    found = {}
    for subject in results.subjects:
        for name, workload, measure, way in (("read", "seqread", "cold", "down"), ("write", "seqwrite", "durable", "up")):
            record = results.best(line, workload, subject, measure)
            if record and record.get("cpu_s") and record.get(way):
                found.setdefault(subject, {})[name] = record["cpu_s"] / record[way] * 1e9
    return found


def verdict(results):
    """Lines of text: how skydir stands."""
    for n, line in enumerate(results.lines):
        ahead, total, behind = standing(results, n)
        if total:
            yield (f"{line_text(line)}: at least as fast as every peer in {ahead} of {total} measures" +
                   (f"; behind in {', '.join(behind)}" if behind else "") + ".")
        cpu = cpu_per_gb(results, n)
        if cpu:
            yield "CPU seconds a GB, read/write: " + ", ".join(
                f"{s} {found.get('read', 0):.2f}/{found.get('write', 0):.2f}" for s, found in cpu.items()) + "."
    for text, is_reached in bars(results):
        yield f"{'reached' if is_reached else 'NOT reached'}: {text}"


def markdown(results, charts):
    """The section of docs/performance.md between BEGIN and END; charts: {line number: file}."""
    report, machine = results.report, results.report["machine"]
    out = [BEGIN, "", f"Measured {machine['date']} on {machine['cpus']} processors, Linux {machine['kernel']}, SIZE = "
           f"{size_text(report['size'])}" + (f", a {report['scale']:g} of the counts" if report["scale"] != 1 else "") +
           f", the best of up to {report['rounds']} runs.", ""]
    out += [f"- {name}: {version}" for name, version in report["versions"].items()]
    out += ["", "Requests: G get, H head, l list, P put, U part, I/F begin/complete of parts, C copy, K copied part, D delete, "
            "M delete many. *peer : skydir* over 1: skydir is faster. MB: bodies up/down.", ""]
    out += [f"- {text}" for text in verdict(results)]
    for n, line in enumerate(results.lines):
        out += ["", f"### {line_text(line)[0].upper()}{line_text(line)[1:]}", ""]
        if n in charts:
            out += [f"![seconds of each workload]({charts[n]})", ""]
        head = ["workload", "skydir s", "best peer s", "peer : skydir", "raw s", "skydir : raw", "native s",
                "skydir: requests, MB, CPU s, MiB", "peer: requests, MB, CPU s, MiB", "raw: requests, MB, CPU s"]
        out += ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
        for workload, title, measure in results.rows(n):
            name, peer = results.best_peer(n, workload, measure)
            ours, raw = (results.best(n, workload, s, measure) for s in (SKYDIR, RAW))
            peer_text = f"{name} {seconds(peer['s'])}" if name else ", ".join(
                f"{p} {cell(results, n, workload, p, measure)}" for p in results.peers()) or "-"
            out.append("| " + " | ".join([
                f"{title}: **{measure}**", cell(results, n, workload, SKYDIR, measure), peer_text, ratio(peer, ours),
                cell(results, n, workload, RAW, measure), ratio(ours, raw), cell(results, n, workload, NATIVE, measure),
                cost(results, n, workload, SKYDIR, measure), cost(results, n, workload, name, measure) if name else "-",
                cost(results, n, workload, RAW, measure).rsplit(", ", 1)[0] if raw else "-"]) + " |")
    failed = list(notes(results))
    if failed:
        out += ["", "Not counted, because they failed or the bytes were wrong:", "", *(f"- {text}" for text in sorted(set(failed)))]
    if not report["is_complete"]:
        out += ["", "The run was cut short: what is missing above was not measured."]
    return "\n".join([*out, "", END])
