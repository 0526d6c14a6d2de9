"""Coda's docs in the tree: tables as CSV and JSON lines, pages as Markdown, read by ordinary programs."""

import csv
import errno
import json
import os
import subprocess

import pytest

import harness
from coda_contract import TOKEN, CodaContract
from contract import as_json

NAMES = ["Tidy, and dust", 'Say "hello"', "two\nlines", "Cook", " plain"]


class CodaMount(harness.Mount):
    def __init__(self, server, **options):
        super().__init__("local", options=options)
        self.contract, self.store = server, "coda"

    def write_config(self):
        super().write_config()
        with open(self.config, "a", encoding="utf-8") as f:
            f.write(f"[coda]\ntype = coda\ntoken = {TOKEN}\nendpoint = {self.contract.endpoint}/apis/v1\nrate-limit = 0\n")

    def secrets(self):
        return [TOKEN]

    @property
    def top_of_docs(self):
        return self.top / "coda"


@pytest.fixture
def server():
    with CodaContract() as made:
        yield made


@pytest.fixture
def plans(server):
    doc = server.add_doc("Plans")
    server.add_page(doc, "Start", "# Hello\nworld\n")
    server.add_table(doc, "Tasks", ["Name", ("Count", "number"), "Tags"],
                     [[name, i, ["a", f"b{i}"]] for i, name in enumerate(NAMES)])
    return doc


def mounted(server, **options):
    made = CodaMount(server, **options)
    made.start(create_bucket=False)
    return made


@pytest.fixture
def sky(server, plans):
    made = mounted(server)
    yield made
    made.close()


def run(*command):
    return subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True).stdout


def rows_asked(server):
    return len([r for r in server.requests if r.path.endswith("/rows")])


def test_programs_read_tables_and_pages(server, sky):
    doc = sky.top_of_docs / "Plans"
    assert sorted(os.listdir(sky.top_of_docs)) == ["Plans"]
    assert sorted(os.listdir(doc)) == ["Tasks.csv", "Tasks.jsonl", "pages"]
    assert rows_asked(server) == 0  # names alone cost no rows
    text = run("cat", doc / "Tasks.csv")
    assert text == ('Name,Count,Tags\n"Tidy, and dust",0,"a,b0"\n"Say ""hello""",1,"a,b1"\n"two\nlines",2,"a,b2"\n'
                    'Cook,3,"a,b3"\n" plain",4,"a,b4"\n')
    with open(doc / "Tasks.csv", newline="", encoding="utf-8") as f:
        assert [row["Name"] for row in csv.DictReader(f)] == NAMES
    assert run("grep", "-c", "Cook", doc / "Tasks.csv") == "1\n"
    assert run("awk", "-F,", "$1 == \"Cook\" { print $2 }", doc / "Tasks.csv") == "3\n"
    assert [json.loads(line) for line in (doc / "Tasks.jsonl").read_text().splitlines()] == [
        {"Name": name, "Count": i, "Tags": ["a", f"b{i}"]} for i, name in enumerate(NAMES)]
    assert run("cat", doc / "pages" / "Start.md") == "# Hello\nworld\n"
    assert "Tasks.csv" in run("grep", "-rl", "hello", doc)


def test_sizes_are_right_before_anything_is_read(server, sky):
    doc = sky.top_of_docs / "Plans"
    listed = {line.split()[-1]: int(line.split()[4]) for line in run("ls", "-l", doc).splitlines()[1:]}
    assert listed["Tasks.csv"] == len((doc / "Tasks.csv").read_bytes()) == 120
    assert listed["Tasks.jsonl"] == len((doc / "Tasks.jsonl").read_bytes())
    assert os.stat(doc / "pages" / "Start.md").st_size == len("# Hello\nworld\n")
    asked = rows_asked(server)
    assert asked == 2  # each file was made once: for its size, and not again for its bytes
    run("ls", "-l", doc)
    (doc / "Tasks.csv").read_bytes()
    assert rows_asked(server) == asked


def test_a_table_of_many_pages(server, plans):
    server.page_max = 7
    table = next(iter(plans["tables"].values()))
    key = next(iter(table["columns"]))
    for i in range(40):
        server.add_row(plans, table, {key: f"row {i}"})
    sky = mounted(server)
    try:
        assert len((sky.top_of_docs / "Plans" / "Tasks.jsonl").read_text().splitlines()) == 45
        assert rows_asked(server) == 7
    finally:
        sky.close()


def test_what_changed_is_seen(server, plans):
    sky = mounted(server, **{"consistency": "strict"})
    try:
        file = sky.top_of_docs / "Plans" / "Tasks.csv"
        page = sky.top_of_docs / "Plans" / "pages" / "Start.md"
        before = file.read_text()
        assert page.read_text() == "# Hello\nworld\n"
        with server.lock:
            table = next(iter(plans["tables"].values()))
            server.add_row(plans, table, {next(iter(table["columns"])): "a new one"})
            next(iter(plans["pages"].values()))["text"] = "other"
        harness.eventually(lambda: file.read_text() == before + "a new one,,\n", what="the new row")
        harness.eventually(lambda: page.read_text() == "other", what="the new text")
        assert os.stat(file).st_size == len(before) + len("a new one,,\n")
        with server.lock:
            server.add_table(plans, "More", ["x"])
            del plans["tables"][table["id"]]
            server.touch(plans)
        harness.eventually(lambda: sorted(os.listdir(file.parent)) == ["More.csv", "More.jsonl", "pages"], what="the other table")
        with pytest.raises(FileNotFoundError):
            file.read_text()
    finally:
        sky.close()


def test_nothing_can_be_written(server, sky):
    doc = sky.top_of_docs / "Plans"
    calls = [lambda: open(doc / "new", "w"), lambda: open(doc / "Tasks.csv", "a"), lambda: os.unlink(doc / "Tasks.csv"),
             lambda: os.mkdir(doc / "dir"), lambda: os.mkdir(sky.top_of_docs / "Doc"), lambda: os.rmdir(doc / "pages"),
             lambda: os.rename(doc / "Tasks.csv", doc / "x"), lambda: os.chmod(doc / "Tasks.csv", 0o600),
             lambda: os.truncate(doc / "Tasks.csv", 0), lambda: os.symlink("x", doc / "link"),
             lambda: os.setxattr(doc / "Tasks.csv", "user.a", b"b"), lambda: os.utime(doc / "Tasks.csv")]
    for i, call in enumerate(calls):
        with pytest.raises(OSError) as e:
            call()
        assert e.value.errno == errno.EROFS, f"call {i}: {e.value}"
    assert server.changes() == []
    (sky.top / "local" / "b").mkdir()  # other stores are what they were
    (sky.top / "local" / "b" / "f").write_text("x")


def test_names_are_safe_and_unique(server, plans):
    for name in ("a/b", "..", "", "Twice", "Twice", "x" * 300, "Über \u2013 1"):
        server.add_doc(name)
    other = server.add_doc("Odd")
    server.add_page(other, "../../etc/passwd", "p1")
    same = [server.add_page(other, "Same", f"p{i}") for i in (2, 3)]
    server.add_page(other, "Web", kind="embed")
    tables = [server.add_table(other, "T", ["c", "c"], [["1", "2"]]) for _ in range(2)]
    server.add_table(other, ".hidden", ["a"])
    server.add_table(other, "none", [])
    sky = mounted(server)
    try:
        docs = sorted(os.listdir(sky.top_of_docs))
        twice = sorted(f"Twice [{d['id']}]" for d in server.docs.values() if d["name"] == "Twice")
        assert docs == sorted(["Plans", "a_b", "_.", "untitled", *twice, "x" * 160, "Über \u2013 1", "Odd"])
        odd = sky.top_of_docs / "Odd"
        expected = sorted([".hidden.csv", ".hidden.jsonl", "none.csv", "none.jsonl", "pages",
                           *(f"T [{t['id']}].{e}" for t in tables for e in ("csv", "jsonl"))])
        assert sorted(os.listdir(odd)) == expected
        assert sorted(os.listdir(odd / "pages")) == sorted([".._.._etc_passwd.md", *(f"Same [{p['id']}].md" for p in same)])
        assert (odd / "pages" / f"Same [{same[1]['id']}].md").read_text() == "p3"
        columns = list(tables[0]["columns"])
        assert (odd / f"T [{tables[0]['id']}].csv").read_text() == f"c [{columns[0]}],c [{columns[1]}]\n1,2\n"
        assert (odd / "none.csv").read_text() == "" and (odd / "none.jsonl").read_text() == ""
        listed = json.loads(sky.skydir("objects", "list", f"/coda/{other['id']}", "-o", "json").stdout)
        assert listed["count"] == 11  # the identifier is a name too
        with pytest.raises(FileNotFoundError):
            os.listdir(sky.top_of_docs / "nothing")
        assert run("find", odd, "-type", "f").count("\n") == 11
    finally:
        sky.close()


def test_a_doc_that_is_not_up_to_date_yet(server, plans):
    tries = {"left": 2}

    def stale(request):
        if request.path.endswith("/rows") and request.headers.get("X-Coda-Doc-Version") == "latest":
            tries["left"] -= 1
            return as_json(400, {"statusCode": 400, "statusMessage": "Bad Request", "message": "Doc is not up to date"})
        return None
    server.faults += [stale, stale]
    sky = mounted(server)
    try:
        assert (sky.top_of_docs / "Plans" / "Tasks.csv").read_text().startswith("Name,Count,Tags\n")
        assert tries["left"] == 0
    finally:
        sky.close()


def test_failures_are_errors_and_not_empty_files(server, sky):
    doc = sky.top_of_docs / "Plans"
    page = next(iter(server.docs.values()))["pages"]
    next(iter(page.values()))["broken"] = True
    assert "pages" in os.listdir(doc)
    with pytest.raises(OSError):
        (doc / "pages" / "Start.md").read_text()
    next(iter(page.values()))["broken"] = False
    harness.eventually(lambda: (doc / "pages" / "Start.md").read_text() == "# Hello\nworld\n", what="the page")


def test_the_store_from_the_command_line(server, sky):
    listed = json.loads(sky.skydir("objects", "list", "/coda/Plans", "-o", "json").stdout)
    assert [o["key"] for o in listed["items"]] == ["Tasks.csv", "Tasks.jsonl", "pages/Start.md"]
    done = sky.skydir("objects", "download", "/coda/Plans/pages/Start.md", sky.dir / "here.md", check=False)
    assert done.returncode == 0, done.stderr
    assert (sky.dir / "here.md").read_text() == "# Hello\nworld\n"
    assert sky.skydir("objects", "delete", "/coda/Plans/Tasks.csv", "--yes", check=False).returncode == 4
    assert TOKEN not in (sky.log.read_text() if sky.log.exists() else "")
