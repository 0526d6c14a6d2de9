"""Coda through the command line: a contract server of our own, made of Coda's OpenAPI description."""

import json

import pytest

from cli import Cli
from coda_contract import TOKEN, CodaContract
from contract import as_json

# Coda's own limits (two lists of docs in six seconds) would make these tests slow.
CONFIG = "[coda]\ntype = coda\nrate-limit = 0\n"


@pytest.fixture
def server():
    with CodaContract() as made:
        yield made


@pytest.fixture
def cli(server):
    with Cli(server.environment, CONFIG) as made:
        yield made


@pytest.fixture
def doc(server):
    made = server.add_doc("Plans")
    server.add_page(made, "Start", "# Hello\nworld\n")
    return made


@pytest.fixture
def table(server, doc):
    return server.add_table(doc, "Tasks", ["Name", ("Count", "number"), ("Go", "button"), "Tags"],
                            [["Tidy", 3, "", ["a", "b"]], ["Cook", 1, "", []]])


def coda(cli, *words, code=0):
    done = cli("coda", *words)
    assert done.code == code, done.err
    return done


def test_a_doc_from_its_creation_to_its_end(cli, server, tmp_path):
    (tmp_path / "start.md").write_text("# Start\n")
    server.lag = 2
    made = coda(cli, "docs", "create", "Plans", "--timezone", "Europe/Zurich", "--folder", "fl-9", "--page-name", "Home", "--content",
                str(tmp_path / "start.md"), "--wait").json
    assert (made["name"], made["status"], made["folder_id"], made["provider"]) == ("Plans", "completed", "fl-9", "coda")
    [page] = server.docs[made["id"]]["pages"].values()
    assert (page["name"], page["text"]) == ("Home", "# Start\n")
    coda(cli, "docs", "update", made["id"], "--title", "Plans 2")
    shown = coda(cli, "docs", "get", made["id"]).json
    assert (shown["name"], shown["pages"], shown["created"]) == ("Plans 2", 1, "2026-11-23T10:00:01.000Z")
    assert "--yes" in coda(cli, "docs", "delete", made["id"], code=2).err and server.docs
    coda(cli, "docs", "delete", made["id"], "--yes")
    assert not server.docs
    coda(cli, "docs", "get", made["id"], code=3)


def test_docs_are_listed_to_the_end_and_filtered(cli, server):
    for name in ("Alpha", "Beta", "Beta 2"):
        server.add_doc(name)
    server.docs[list(server.docs)[0]]["folder"] = "fl-2"
    assert [d["name"] for d in coda(cli, "docs", "list", "--page-size", "1").items] == ["Alpha", "Beta", "Beta 2"]
    assert [dict(r.query).get("limit") for r in server.requests] == ["1"] * 3
    assert [d["name"] for d in coda(cli, "docs", "list", "--query", "beta").items] == ["Beta", "Beta 2"]
    assert [d["name"] for d in coda(cli, "docs", "list", "--folder", "fl-2").items] == ["Alpha"]
    assert coda(cli, "docs", "list", "--published", "--owned", "--starred", "--gallery", "--source", "x", "--workspace", "w").items == []
    assert len(coda(cli, "docs", "list", "--limit", "2").items) == 2


def test_publishing_and_categories(cli, server, doc):
    server.lag = 1
    done = coda(cli, "docs", "publish", doc["id"], "--slug", "plans", "--mode", "play", "--discoverable", "no", "--category", "Games",
                "--category", "Project management", "--wait").json
    assert done["status"] == "completed" and doc["published"] == {
        "slug": "plans", "mode": "play", "discoverable": False, "categoryNames": ["Games", "Project management"]}
    assert coda(cli, "docs", "get", doc["id"]).json["published"] == "play"
    coda(cli, "docs", "unpublish", doc["id"])
    assert doc["published"] is None
    assert [c["name"] for c in coda(cli, "categories", "list").items] == ["Project management", "Games"]


def test_pages_are_made_written_read_and_deleted(cli, server, doc, tmp_path):
    text = tmp_path / "text.md"
    text.write_text("one\ntwo\n")
    parent = next(iter(doc["pages"]))
    server.lag = 2
    made = coda(cli, "pages", "create", doc["id"], "Notes", "--subtitle", "of today", "--parent", parent, "--content", str(text)).json
    assert made["status"] == "pending" and made["id"] not in doc["pages"]
    assert coda(cli, "mutations", "get", made["request_id"]).json["status"] == "pending"
    coda(cli, "pages", "create", doc["id"], "Web", "--embed-url", "https://example.org/", "--wait")
    for _ in range(3):
        status = coda(cli, "mutations", "get", made["request_id"]).json["status"]
    assert status == "completed"
    assert [(p["name"], p["parent"], p["type"]) for p in coda(cli, "pages", "list", doc["id"], "--page-size", "1").items] == [
        ("Start", None, "canvas"), ("Web", None, "embed"), ("Notes", "Start", "canvas")]
    shown = coda(cli, "pages", "get", doc["id"], "Notes").json
    assert (shown["id"], shown["subtitle"], shown["parent_id"], shown["hidden"]) == (made["id"], "of today", parent, False)
    text.write_text("three\n")
    done = coda(cli, "pages", "update", doc["id"], "Notes", "--name", "Log", "--hidden", "yes", "--content", str(text), "--wait").json
    assert done["status"] == "completed" and done["id"] == made["id"]
    page = doc["pages"][made["id"]]
    assert (page["name"], page["hidden"], page["text"]) == ("Log", True, "one\ntwo\nthree\n")
    lines = coda(cli, "pages", "content", doc["id"], "Log", "--page-size", "1").items
    assert [(line["id"], line["content"]) for line in lines] == [("cl-0", "one"), ("cl-1", "two"), ("cl-2", "three")]
    coda(cli, "pages", "clear", doc["id"], "Log", "--element", "cl-1", "--wait", "--yes")
    assert page["text"] == "one\nthree"
    coda(cli, "pages", "update", doc["id"], "Log", "--content", str(text), "--mode", "replace", "--format", "html", "--wait")
    coda(cli, "pages", "clear", doc["id"], "Log", "--wait", "--yes")
    assert page["text"] == ""
    coda(cli, "pages", "delete", doc["id"], "Log", "--wait", "--yes")
    assert made["id"] not in doc["pages"]


def test_what_says_how_to_write_needs_something_to_write(cli, server, doc):
    before = len(server.requests)
    assert "there is none" in coda(cli, "pages", "update", doc["id"], "Start", "--mode", "replace", code=2).err
    assert len(server.requests) == before


def test_a_page_is_exported(cli, server, doc):
    server.export_looks = 2
    shown = coda(cli, "pages", "export", doc["id"], "Start").json
    assert (shown["text"], shown["format"], shown["status"]) == ("# Hello\nworld\n", "markdown", "complete")
    assert coda(cli, "pages", "export", doc["id"], "Start", "--format", "html").json["text"] == "<p># Hello</p><p>world</p>"
    begun = coda(cli, "exports", "create", doc["id"], "Start").json
    assert begun["status"] == "inProgress"
    for _ in range(3):
        seen = coda(cli, "exports", "get", doc["id"], "Start", begun["id"]).json
    assert seen["status"] == "complete" and seen["link"].startswith(server.endpoint + "/blobs/")
    next(iter(doc["pages"].values()))["broken"] = True
    assert "the page is broken" in coda(cli, "pages", "export", doc["id"], "Start", code=6).err


def test_an_export_leads_nowhere_else(cli, server, doc):
    link = {"id": "export-1", "status": "complete", "href": "x", "downloadLink": "http://192.0.2.7/secret"}
    server.faults.append(lambda r: as_json(200, link) if "/export/" in r.path else None)
    assert "plain http" in coda(cli, "pages", "export", doc["id"], "Start", code=1).err


def test_tables_and_columns(cli, server, doc, table):
    server.add_table(doc, "Open", ["Name"], kind="view")
    assert [(t["name"], t["type"], t["page"]) for t in coda(cli, "tables", "list", doc["id"], "--page-size", "1").items] == [
        ("Tasks", "table", "Start"), ("Open", "view", "Start")]
    assert [t["name"] for t in coda(cli, "tables", "list", doc["id"], "--sort", "name", "--type", "table").items] == ["Tasks"]
    assert coda(cli, "tables", "get", doc["id"], "Tasks").json["rows"] == 2
    columns = coda(cli, "columns", "list", doc["id"], table["id"], "--page-size", "1", "--visible").items
    assert [(c["name"], c["type"]) for c in columns] == [("Name", "text"), ("Count", "number"), ("Go", "button"), ("Tags", "text")]
    assert coda(cli, "columns", "get", doc["id"], "Tasks", "Count").json["id"] == columns[1]["id"]
    coda(cli, "columns", "get", doc["id"], "Tasks", "Nothing", code=3)


def test_rows_are_listed_by_query_order_and_format(cli, doc, table):
    rows = coda(cli, "rows", "list", doc["id"], "Tasks", "--column-names", "--page-size", "1").items
    assert [(r["name"], r["values"]["Count"], r["values"]["Tags"]) for r in rows] == [("Tidy", 3, "a,b"), ("Cook", 1, "")]
    found = coda(cli, "rows", "list", doc["id"], "Tasks", "--query", '"Count":3', "--value-format", "simpleWithArrays",
                 "--column-names").items
    assert [r["values"]["Tags"] for r in found] == [["a", "b"]]
    assert coda(cli, "rows", "list", doc["id"], "Tasks", "--query", '"Name":"Cook"').json["count"] == 1
    rich = coda(cli, "rows", "get", doc["id"], "Tasks", "Cook", "--value-format", "rich", "--column-names", "--doc-version",
                "latest").json
    assert rich["values"]["Name"] == "```Cook```"
    assert coda(cli, "rows", "list", doc["id"], "Tasks", "--sort", "natural", "--visible", "--limit", "1").json["count"] == 1
    assert "bad query" in coda(cli, "rows", "list", doc["id"], "Tasks", "--query", "x", code=2).err
    table_text = cli.run("coda", "rows", "list", doc["id"], "Tasks", "--columns", "name,index").out
    assert table_text.splitlines()[1].split() == ["Tidy", "0"]


def test_a_sync_token_brings_only_what_changed_since(cli, server, doc, table):
    first = coda(cli, "rows", "list", doc["id"], "Tasks", "--page-size", "1").json
    assert first["count"] == 2 and first["next_sync_token"]
    coda(cli, "rows", "update", doc["id"], "Tasks", "Cook", "Count=7")
    later = coda(cli, "rows", "list", doc["id"], "Tasks", "--sync-token", first["next_sync_token"]).json
    assert [r["name"] for r in later["items"]] == ["Cook"] and later["next_sync_token"] != first["next_sync_token"]
    assert coda(cli, "rows", "list", doc["id"], "Tasks", "--limit", "1").json["next_sync_token"] is None
    assert cli("coda", "rows", "list", doc["id"], "Tasks", "--all-providers").json["count"] == 2


def test_rows_are_inserted_updated_and_deleted(cli, server, doc, table):
    server.lag = 1
    made = coda(cli, "rows", "insert", doc["id"], "Tasks", "Name=Iron", "Count=5", "--wait").json
    assert made["status"] == "completed" and len(made["row_ids"]) == 1 and made["provider"] == "coda"
    key = {c["name"]: c["id"] for c in table["columns"].values()}
    assert table["rows"][made["row_ids"][0]]["values"] == {key["Name"]: "Iron", key["Count"]: 5}
    rows = json.dumps([{"Name": "Iron", "Count": "6"}, {"Name": "Mend", "Tags": ["x"]}])
    done = coda(cli, "rows", "insert", doc["id"], "Tasks", "--rows", rows, "--key", "Name", "--no-parsing", "--wait").json
    assert done["row_ids"] is None and len(table["rows"]) == 4
    assert table["rows"][made["row_ids"][0]]["values"][key["Count"]] == "6"
    done = coda(cli, "rows", "update", doc["id"], "Tasks", made["row_ids"][0], "Count=8", "--cells", '{"Tags": ["q"]}', "--wait").json
    assert done["id"] == made["row_ids"][0]
    assert table["rows"][done["id"]]["values"] == {key["Name"]: "Iron", key["Count"]: "8", key["Tags"]: ["q"]}
    coda(cli, "rows", "delete", doc["id"], "Tasks", "Iron", "--yes", "--wait")
    left = list(table["rows"])
    server.requests.clear()
    done = coda(cli, "rows", "delete", doc["id"], "Tasks", *left[:2], "--yes", "--wait").json
    assert done["row_ids"] == left[:2] and list(table["rows"]) == left[2:]
    assert server.changes() == [f"DELETE docs/{doc['id']}/tables/Tasks/rows"]
    assert "nothing to write" in coda(cli, "rows", "insert", doc["id"], "Tasks", code=2).err


def test_buttons_formulas_controls_and_automations(cli, server, doc, table):
    server.add_formula(doc, "Total", 42.5)
    server.add_formula(doc, "All", ["a", 1])
    server.add_control(doc, "Slider", "slider", 3)
    server.lag = 1
    row = list(table["rows"])[1]
    done = coda(cli, "buttons", "push", doc["id"], "Tasks", "Cook", "Go", "--wait").json
    assert (done["id"], done["status"]) == (row, "completed") and server.pushed[0][0] == row
    assert [f["name"] for f in coda(cli, "formulas", "list", doc["id"], "--page-size", "1", "--sort", "name").items] == ["All", "Total"]
    assert coda(cli, "formulas", "get", doc["id"], "Total").json["value"] == 42.5
    assert coda(cli, "formulas", "get", doc["id"], "All").json["value"] == ["a", 1]
    assert len(coda(cli, "controls", "list", doc["id"], "--page-size", "1").items) == 1
    control = coda(cli, "controls", "get", doc["id"], "Slider").json
    assert (control["type"], control["value"]) == ("slider", 3)
    coda(cli, "automations", "trigger", doc["id"], "grid-auto-1", "--payload", '{"who": "me"}', "--wait")
    coda(cli, "automations", "trigger", doc["id"], "grid-auto-1", "--wait")
    assert server.triggered == [("grid-auto-1", {"who": "me"}), ("grid-auto-1", {})]
    assert "not triggered by webhooks" in coda(cli, "automations", "trigger", doc["id"], "other", code=2).err


def test_sharing_permissions_and_settings(cli, server, doc):
    assert coda(cli, "sharing", "get", doc["id"]).json["can_share_with_org"] is False
    coda(cli, "permissions", "add", doc["id"], "write", "email", "bea@example.org", "--quiet")
    coda(cli, "permissions", "add", doc["id"], "readonly", "anyone")
    assert "must name whom" in coda(cli, "permissions", "add", doc["id"], "comment", "domain", code=2).err
    listed = coda(cli, "permissions", "list", doc["id"], "--page-size", "1").items
    assert [(p["access"], p["type"], p["principal"]) for p in listed] == [
        ("write", "email", "bea@example.org"), ("readonly", "anyone", None)]
    coda(cli, "permissions", "delete", doc["id"], listed[1]["id"], "--yes")
    assert len(doc["permissions"]) == 1
    assert [(p["id"], p["type"]) for p in coda(cli, "principals", "search", doc["id"], "Ant").items] == [
        ("anton@example.org", "user"), ("grp-1", "group")]
    assert coda(cli, "acl", "get", doc["id"]).json["copying"] is True
    changed = coda(cli, "acl", "update", doc["id"], "--viewers-may-ask", "yes", "--copying", "no").json
    assert (changed["viewers_may_ask"], changed["copying"], changed["editors_may_share"]) == (True, False, True)


def test_analytics_links_and_who_we_are(cli, server, doc):
    other = server.add_doc("Other")
    assert coda(cli, "whoami").json["id"] == "ann@example.org"
    figures = coda(cli, "analytics", "docs", "--page-size", "1", "--since", "2026-11-01", "--until", "2026-11-23", "--scale", "daily",
                   "--order-by", "views", "--direction", "descending").items
    assert [f["name"] for f in figures] == ["Other", "Plans"] and figures[0]["metrics"][0]["views"] == 9
    assert [f["id"] for f in coda(cli, "analytics", "docs", "--docs", other["id"]).items] == [other["id"]]
    assert [f["name"] for f in coda(cli, "analytics", "pages", doc["id"], "--page-size", "1").items] == ["Start"]
    assert coda(cli, "analytics", "summary", "--published").json["sessions"] == 34
    assert coda(cli, "analytics", "updated").json["docs"] == "2026-11-22"
    link = coda(cli, "links", "resolve", f"https://coda.io/d/Plans_d{doc['id']}").json
    assert (link["type"], link["id"], link["name"]) == ("doc", doc["id"], "Plans")
    assert "does not appear to be a Coda URL" in coda(cli, "links", "resolve", "https://example.org/", code=2).err


def test_errors_keep_codas_message_and_have_the_right_class(cli, server, doc):
    gone = server.add_page(doc, "Gone")
    gone["gone"] = True
    hidden = server.add_doc("Hidden", owner="nobody")
    assert "has been deleted" in coda(cli, "pages", "get", doc["id"], "Gone", code=3).err
    assert "do not have access" in coda(cli, "docs", "get", hidden["id"], code=4).err
    assert "invalid or has expired" in cli("coda", "whoami", CODA_API_TOKEN="wrong").err
    assert cli("coda", "whoami", CODA_API_TOKEN="wrong").code == 4

    def refuse(status, message, times=1, **headers):
        for _ in range(times):
            server.faults.append(lambda r: (status, {"Content-Type": "application/json", **headers}, json.dumps(
                {"statusCode": status, "statusMessage": "x", "message": message})))
    body = {"statusCode": 400, "statusMessage": "Bad Request", "message": "Request validation failed",
            "codaDetail": {"validationErrors": [{"path": "rows[0].cells", "message": "Expected an array"}]}}
    server.faults.append(lambda r: as_json(400, body))
    error = json.loads(coda(cli, "whoami", code=2).err)
    assert (error["message"], error["hint"]) == ("Request validation failed", "rows[0].cells: Expected an array")
    refuse(422, "cannot be processed")
    assert "cannot be processed" in coda(cli, "whoami", code=2).err
    refuse(429, "slow down", **{"Retry-After": "1"})
    server.requests.clear()
    assert coda(cli, "whoami").json["name"] == "Ann"  # asked again, after the time that Coda named
    assert len(server.requests) == 2


def test_a_dry_run_sends_nothing_and_shows_no_secret(cli, server, doc, table):
    server.requests.clear()
    calls = [["docs", "create", "X"], ["docs", "update", doc["id"], "--title", "Y"], ["docs", "delete", doc["id"], "--yes"],
             ["docs", "publish", doc["id"]], ["docs", "unpublish", doc["id"]], ["pages", "create", doc["id"], "P"],
             ["pages", "update", doc["id"], "Start", "--name", "N"], ["pages", "delete", doc["id"], "Start", "--yes"],
             ["pages", "clear", doc["id"], "Start", "--yes"], ["rows", "insert", doc["id"], "Tasks", "Name=A"],
             ["rows", "update", doc["id"], "Tasks", "Cook", "Name=A"], ["rows", "delete", doc["id"], "Tasks", "Cook", "--yes"],
             ["buttons", "push", doc["id"], "Tasks", "Cook", "Go"], ["automations", "trigger", doc["id"], "r"],
             ["permissions", "add", doc["id"], "write", "anyone"], ["permissions", "delete", doc["id"], "p", "--yes"],
             ["acl", "update", doc["id"], "--copying", "no"]]
    for call in calls:
        done = coda(cli, *call, "--dry-run")
        [request] = done.json["would_send"]
        assert request["url"].startswith(server.endpoint + "/apis/v1/docs") and request["method"] != "GET"
        assert TOKEN not in done.out + done.err
    assert server.requests == []


def test_the_key_may_stand_under_its_other_name_or_in_the_file(server):
    with Cli({"CODA_API_KEY": TOKEN, "CODA_API_URL": server.endpoint + "/apis/v1/"}) as cli:
        assert coda(cli, "whoami").json["provider"] == "coda"
        steps = {s["source"]: s["state"] for s in cli("auth", "explain", "coda").items}
        assert steps == {"section": "absent", "CODA_API_TOKEN": "absent", "CODA_API_KEY": "used"}
        assert {o["operation"] for o in cli("capabilities", "--provider", "coda", "--filter", "coda=true").items} >= {
            "coda.rows.insert", "coda.pages.export", "coda.whoami"}
    with Cli({}, f"[work]\ntype = coda\ntoken = {TOKEN}\nendpoint = {server.endpoint}/apis/v1\n") as cli:
        assert coda(cli, "whoami").json["provider"] == "work"
        done = cli("auth", "explain")
        assert done.items[0]["state"] == "used" and TOKEN not in done.out
    with Cli({}) as cli:
        assert cli("coda", "whoami").code == 4


def test_names_reach_only_what_they_name(cli, server, doc):
    coda(cli, "docs", "get", "../whoami", code=2)
    coda(cli, "docs", "get", "..", code=2)
    assert server.requests == []
    coda(cli, "docs", "get", "a/b?c#d", code=3)
    assert server.requests[-1].path == "/apis/v1/docs/a%2Fb%3Fc%23d"
