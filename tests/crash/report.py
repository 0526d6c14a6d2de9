"""Purpose: writes what the reliability harnesses measured into docs/reliability.md, one section for each harness.

A harness hands over one JSON object, as a file or through update():

    {"name": "crash",                       what the section is known by: a later run replaces it, the others stay
     "order": 10,                           sections stand in this order (then by name)
     "title": "Killed at any moment",
     "text": ["paragraphs ..."],            what was done, and what would have counted as a failure
     "command": "python tests/crash/crash.py --kills 500 --seed 1",
     "figures": {"kills": 500, ...},        shown as a table of two columns
     "tables": [{"title": "...", "columns": ["a", "b"], "rows": [["x", 1], ...]}]}

As a program:  python tests/crash/report.py RESULT.json [...]      (--output FILE: another page)
Numbers are printed with thousands separated; nothing of the machine (names, paths) belongs into a result.
"""

import argparse
import datetime
import json
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
PAGE = TOP / "docs" / "reliability.md"
HEAD = """# Reliability: what was tried, and what came of it

The harnesses write this page themselves: each section is one run, with the command that makes it again. A run that finds
a single lost or wrong byte ends with an error and writes nothing here.
"""
SECTION = re.compile(r"<!-- begin (\S+) (\d+) -->\n(.*?)<!-- end \1 -->\n", re.S)


def _cell(value):
    if isinstance(value, bool) or value is None:
        text = {True: "yes", False: "no", None: ""}[value]
    elif isinstance(value, int):
        text = f"{value:,}"
    elif isinstance(value, float):
        text = f"{value:,.1f}"
    else:
        text = str(value)
    return text.replace("|", "\\|").replace("\n", " ")


def _table(columns, rows):
    lines = ["| " + " | ".join(map(_cell, columns)) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(map(_cell, row)) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _version():
    try:
        told = subprocess.run(["git", "-C", str(TOP), "log", "-1", "--format=%h"], capture_output=True, text=True, check=True)
        return f", at {told.stdout.strip()}" if told.stdout.strip() else ""
    except (OSError, subprocess.CalledProcessError):
        return ""


def section(result):
    parts = [f"## {result['title']}\n", *(f"{paragraph}\n" for paragraph in result.get("text", []))]
    if result.get("command"):
        parts.append(f"    {result['command']}\n")
    parts.append(f"Run on {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}{_version()}.\n")
    if result.get("figures"):
        parts.append(_table(["figure", "value"], result["figures"].items()))
    for table in result.get("tables", []):
        parts.append(f"### {table['title']}\n")
        parts.append(_table(table["columns"], table["rows"]))
    return "\n".join(parts)


def update(result, page=PAGE):
    """Puts the section of this result into the page, in place of its last one."""
    page = pathlib.Path(page)
    old = page.read_text(encoding="utf-8") if page.exists() else ""
    sections = {name: (int(order), text) for name, order, text in SECTION.findall(old)}
    sections[result["name"]] = (int(result.get("order", 50)), section(result))
    blocks = [f"<!-- begin {name} {order} -->\n{text}<!-- end {name} -->\n"
              for name, (order, text) in sorted(sections.items(), key=lambda s: (s[1][0], s[0]))]
    page.write_text(HEAD + "\n" + "\n".join(blocks), encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", nargs="+", type=pathlib.Path)
    parser.add_argument("--output", type=pathlib.Path, default=PAGE)
    args = parser.parse_args()
    for path in args.results:
        update(json.loads(path.read_text(encoding="utf-8")), args.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
