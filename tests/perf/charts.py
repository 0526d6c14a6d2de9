"""Purpose: the charts of the README and of docs/performance.md, and the tables there, from the JSON of a run.

One chart for each line: a row for each measure, a mark for each subject on a logarithmic scale of seconds. SVG, written by hand:
no library is needed, and a new run changes only what changed.
"""

import html
import math
import pathlib

import report

ROW, LEFT, WIDTH, TOP = 17, 150, 640, 64
COLOURS = {"skydir": "#0b57d0", "raw": "#202124", "native": "#9aa0a6", "s3fs": "#d93025", "rclone": "#e8710a", "geesefs": "#188038",
           "goofys": "#a142f4", "mount-s3": "#12b5cb", "curl": "#b8860b"}
SUMMARY = (("seqread", "cold"), ("parread", "cold"), ("rand4k", "cold"), ("seqwrite", "durable"), ("smallwrite", "durable"),
           ("smallread", "cold"), ("smallrm", "durable"), ("lsl", "cold"), ("findtree", "cold"), ("stat", "cold"), ("append", "durable"),
           ("overwrite", "durable"), ("cp", "durable"), ("rename100m", "durable"), ("renamedir", "durable"), ("untar", "durable"),
           ("gitclone", "durable"))


def _mark(subject, x, y):
    colour = COLOURS.get(subject, "#5f6368")
    if subject == "raw":
        return f'<path d="M{x:.1f} {y - 6}v12" stroke="{colour}" stroke-width="2.5"/>'
    if subject == "native":
        return f'<path d="M{x:.1f} {y - 5}l4 5l-4 5l-4-5z" fill="{colour}"/>'
    return f'<circle cx="{x:.1f}" cy="{y}" r="{5 if subject == "skydir" else 3.6}" fill="{colour}"/>'


def _text(x, y, text, more=""):
    return f'<text x="{x:.1f}" y="{y}" {more}>{html.escape(text)}</text>'


def _scale(values):
    """Whole powers of ten around them."""
    low = math.floor(math.log10(max(min(values), 1e-4)))
    high = math.ceil(math.log10(max(max(values), 1e-3)))
    return low, max(high, low + 1)


def _rows(results, line, wanted):
    for workload, _, measure in results.rows(line):
        if wanted and (workload, measure) not in wanted:
            continue
        found = {s: record["s"] for s in results.subjects if (record := results.best(line, workload, s, measure)) and record["s"] > 0}
        over = {s: t for s in results.subjects if (t := results.over_s(line, workload, s, measure))}
        if found:
            yield f"{workload} {measure}", found, over


def _axis(low, high, bottom):
    out = []
    for power in range(low, high + 1):
        x = LEFT + WIDTH * (power - low) / (high - low)
        out.append(f'<path d="M{x:.1f} {TOP - 8}V{bottom}" stroke="#dadce0"/>')
        out.append(_text(x, TOP - 14, f"{10.0 ** power:g} s", 'text-anchor="middle" fill="#5f6368"'))
    return out


def seconds_chart(results, line, wanted=None):
    """The SVG; None when nothing was measured."""
    rows = list(_rows(results, line, wanted))
    if not rows:
        return None
    low, high = _scale([s for _, found, over in rows for s in (*found.values(), *over.values())])
    bottom = TOP + ROW * len(rows)
    width = LEFT + WIDTH + 40

    def place(s):
        return LEFT + WIDTH * min(max((math.log10(s) - low) / (high - low), 0), 1)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {bottom + 14}" font-family="sans-serif" font-size="11">',
           f'<rect width="{width}" height="{bottom + 14}" fill="#ffffff"/>']
    x = 12
    for subject in results.subjects:
        out += [_mark(subject, x, 18), _text(x + 9, 22, subject)]
        x += 9 * len(subject) + 26
    out.append(_text(width - 12, 22, f"{report.line_text(results.lines[line])}; further left is faster", 'text-anchor="end" fill="#5f6368"'))
    out += _axis(low, high, bottom)
    for n, (name, found, over) in enumerate(rows):
        y = TOP + ROW * n + ROW // 2
        if n % 2 == 0:
            out.append(f'<rect x="0" y="{TOP + ROW * n}" width="{width}" height="{ROW}" fill="#000000" fill-opacity="0.03"/>')
        out.append(_text(LEFT - 12, y + 4, name, 'text-anchor="end"'))
        # skydir last: on top.
        out += [_mark(s, place(t), y) for s, t in sorted(found.items(), key=lambda pair: pair[0] == "skydir")]
        for s, t in over.items():
            out.append(f'<path d="M{place(t) - 4:.1f} {y - 4}l7 4l-7 4" fill="none" stroke="{COLOURS.get(s, "#5f6368")}" stroke-width="2"/>')
    return "\n".join([*out, "</svg>", ""])


def _replace(page, text):
    """What stands between the marks."""
    before, found, rest = page.read_text(encoding="utf-8").partition(report.BEGIN)
    _, ended, after = rest.partition(report.END)
    if not found or not ended:
        raise ValueError(f"{page} has no place for the figures ({report.BEGIN} ... {report.END})")
    page.write_text(before + text + after, encoding="utf-8")
    return page


def _readme(results):
    """A chart and a sentence for each line."""
    out = [report.BEGIN, ""]
    for n, line in enumerate(results.lines):
        if seconds_chart(results, n, SUMMARY):
            ahead, total, _ = report.standing(results, n)
            out += [f"![seconds by workload](docs/performance-{line['latency_ms']:g}ms-summary.svg)", ""]
            out += [f"{report.line_text(line)}: at least as fast as every peer in {ahead} of {total} measures.", ""] if total else []
    return "\n".join([*out, report.END])


def write(results, top):
    """Draws docs/performance-*.svg, replaces the sections of docs/performance.md and README.md; returns the files."""
    docs = pathlib.Path(top) / "docs"
    written, charts = [], {}
    for n, line in enumerate(results.lines):
        name = f"performance-{line['latency_ms']:g}ms"
        for suffix, wanted in (("", None), ("-summary", SUMMARY)):
            svg = seconds_chart(results, n, wanted)
            if svg:
                (docs / f"{name}{suffix}.svg").write_text(svg, encoding="utf-8")
                written.append(docs / f"{name}{suffix}.svg")
        if docs / f"{name}.svg" in written:
            charts[n] = f"{name}.svg"
    return [_replace(docs / "performance.md", report.markdown(results, charts)),
            _replace(pathlib.Path(top) / "README.md", _readme(results)), *written]
