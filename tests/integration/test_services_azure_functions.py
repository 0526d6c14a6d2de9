"""Azure's functions and databases through the command line, against servers written after the public REST reference."""

import pytest

from azdb_contract import AzdbContract
from azfunc_contract import HOST_KEY, INSIGHTS_ID, STORE_KEY, AzfuncContract
from azsql_contract import AzsqlContract
from azvm_contract import CLIENT, GROUP, LOCATION, SECRET, SUBSCRIPTION, TENANT
from cli import Cli

HUSH = "hush-Hush~1"
CREATE = ("--class", "Standard_B1ms", "--version", "16", "--user", "root")


def refused(done, code, text):
    assert done.code == code and text in done.err, (done.code, done.err)


def client(server):
    config = (f"[azure]\ntype = azure\nmanagement-endpoint = {server.endpoint}\nsubscription-id = {SUBSCRIPTION}\n"
              f"resource-group = {GROUP}\nlocation = {LOCATION}\nfunctions-endpoint = {server.endpoint}/\ninsights-endpoint = {server.endpoint}\n")
    return Cli({"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT, "AZURE_CLIENT_SECRET": SECRET, "AZURE_AUTHORITY_HOST": server.endpoint}, config)


@pytest.fixture
def server():
    with AzfuncContract() as made:
        yield made


@pytest.fixture
def cli(server):
    with client(server) as made:
        yield made


@pytest.fixture
def db():
    with AzdbContract() as server, client(server) as made:
        made.server = server
        yield made


@pytest.fixture
def code(tmp_path):
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "host.json").write_text("{}")
    return str(tmp_path / "app")


@pytest.fixture
def password(tmp_path):
    (tmp_path / "password").write_text(HUSH + "\n")
    return "--password-file", str(tmp_path / "password")


def test_an_application_from_its_creation_to_its_end(cli, server, code, tmp_path):
    (tmp_path / "secrets").write_text(f"PLAIN={HUSH}\n")
    create = ("functions", "create", "web", code, "--runtime", "python:3.12", "--storage", "store1")
    done = cli(*create, "--env", "A=1", "--secrets-file", str(tmp_path / "secrets"), "--tag", "t=x", "--wait")
    made = done.json
    assert (made["name"], made["status"], made["runtime"], made["url"], made["functions"], made["tags"]) == (
        "web", "active", "python|3.12", "https://web.azurewebsites.net", ["hello"], {"t": "x"})
    settings = server.settings["web"]
    assert (settings["PLAIN"], settings["A"], settings["FUNCTIONS_WORKER_RUNTIME"]) == (HUSH, "1", "python")
    assert server.code == {"web": ["host.json"]} and HUSH not in done.out + done.err and STORE_KEY not in done.out + done.err
    refused(cli(*create), 6, "exists already")
    assert cli("functions", "update", "web", code + "/host.json").code == 0
    server.will_fail = True
    refused(cli("functions", "update", "web", code), 1, "the code could not be deployed: pip failed")
    assert [f["name"] for f in cli("functions", "list").items] == ["web"]
    assert cli("functions", "delete", "web", "--yes", "--wait").code == 0
    assert [t["name"] for t in server.things.values()] == ["store1"]  # its plan went with it
    refused(cli("functions", "get", "web"), 3, "web")


def add(server, name, **more):
    base = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Web/sites/{name}"
    server.things[base.lower()] = made = {"id": base, "name": name, "kind": "functionapp,linux", "properties": {
        "state": "Running", "defaultHostName": f"{name}.azurewebsites.net", "serverFarmId": "/x/serverfarms/other", "hostNameSslStates": []}, **more}
    return made


def test_a_function_is_called(cli, server):
    app = add(server, "web")
    add(server, "page", kind="app,linux")
    called = cli("functions", "invoke", "web", '{"name": "me"}')
    assert called.json["payload"] == {"echo": {"name": "me"}} and called.json["function"] == "web/hello" and HOST_KEY not in called.out
    refused(cli("functions", "invoke", "page"), 3, "no function application")
    server.inner = {"hello": "/api/hello", "fail": "/api/fail", "timer": None, "parts": "/api/x/{id}"}
    refused(cli("functions", "invoke", "web"), 2, "has 4 functions: say which")
    assert cli("functions", "invoke", "web", "--entry", "hello").code == 0
    refused(cli("functions", "invoke", "web", "--entry", "fail"), 1, "the function failed (500)")
    refused(cli("functions", "invoke", "web", "--entry", "timer"), 1, "not called by HTTP")
    refused(cli("functions", "invoke", "web", "--entry", "parts"), 1, "parts to be filled in")
    refused(cli("functions", "invoke", "web", "--entry", "none"), 3, "no function 'none'")
    calls = len(server.calls)
    for host in ("evil.invalid", "web.azurewebsites.net.evil.invalid", "a/b.azurewebsites.net"):  # no key goes there
        app["properties"]["defaultHostName"] = host
        refused(cli("functions", "invoke", "web", "--entry", "hello"), 1, "no host of the service")
    assert len(server.calls) == calls


def test_logs(cli, server):
    add(server, "web")
    refused(cli("functions", "logs", "web"), 2, "no setting APPLICATIONINSIGHTS_CONNECTION_STRING")
    server.settings["web"] = {"APPLICATIONINSIGHTS_CONNECTION_STRING": f"InstrumentationKey=k;ApplicationId={INSIGHTS_ID}", "S": HUSH}
    done = cli("functions", "logs", "web", "--since", "5m")
    assert [(x["message"], x["level"]) for x in done.items] == [("one", "information"), ("two", "error")] and HUSH not in done.out
    assert "cloud_RoleName =~ 'web'" in server.queried[0]


def test_lists_dry_runs_and_what_is_wrong(cli, server, code, tmp_path):
    for name in ("a", "b", "c"):
        add(server, name)
    assert [f["name"] for f in cli("functions", "list", "--page-size", "1").items] == ["a", "b", "c"]
    create = ("functions", "create", "x", code, "--storage", "store1")
    (tmp_path / "secrets").write_text(f"PLAIN={HUSH}\n")
    server.requests.clear()
    done = cli(*create, "--runtime", "node|22", "--secrets-file", str(tmp_path / "secrets"), "--dry-run")
    sent = done.json["would_send"]
    assert [r["method"] for r in sent] == ["PUT", "PUT"] and HUSH not in done.out + done.err
    assert {s["name"]: s["value"] for s in sent[1]["body"]["properties"]["siteConfig"]["appSettings"]}["PLAIN"] == "***"
    refused(cli(*create), 2, "'runtime' is missing")
    refused(cli(*create[:4], "--runtime", "node|22"), 2, "'storage' is missing")
    refused(cli("functions", "create", "x", "--location", "s3://a/b", "--storage", "store1", "--runtime", "node|22"), 1, "'location' is not")
    refused(cli(*create, "--runtime", "node"), 2, "must be like python|3.12")
    refused(cli(*create, "--runtime", "node|22", "--role", "r"), 1, "'role' is not supported by azure")
    assert server.requests == []


@pytest.mark.parametrize("engine, version", [("postgres", "16"), ("mysql", "8.4")])
def test_a_database_from_its_creation_to_its_end(db, password, engine, version):
    done = db("databases", "create", "shop", engine, *CREATE[:3], version, *CREATE[4:], *password, "--size-gb", "32", "--tag", "env=test",
              "--backup-days", "7", "--wait")
    made = done.json
    assert (made["name"], made["status"], made["engine"], made["version"], made["class"], made["size_gb"], made["user"]) == (
        "shop", "available", engine, version, "Standard_B1ms", 32, "root")
    assert (made["host"], made["public"], made["replicated"], made["tags"], made["created"]) == (
        "shop.database.invalid", False, False, {"env": "test"}, "2026-11-23T10:00:00.123Z")
    assert db.server.last_body["properties"]["administratorLoginPassword"] == HUSH and HUSH not in done.out + done.err
    refused(db("databases", "create", "shop", engine, *CREATE, *password), 6, "exists already")
    for name in ("SHOP", f"{GROUP}/shop", made["id"]):
        assert db("databases", "get", name).json["id"] == made["id"]
    refused(db("databases", "start", "shop"), 6, "Cannot complete operation")
    assert db("databases", "stop", "shop", "--wait").json["status"] == "stopped"
    assert db("databases", "start", "shop", "--wait").json["status"] == "available"
    assert db("databases", "reboot", "shop", "--wait").code == 0 and db.server.restarts == 1
    taken = db("databases", "snapshots", "create", "monday", "--database", "shop", "--wait").json
    assert (taken["name"], taken["status"], taken["database"], taken["kind"], taken["engine"]) == ("monday", "available", "shop", "manual", engine)
    assert db("databases", "snapshots", "get", "monday", "--database", "shop").json["id"] == taken["id"]
    refused(db("databases", "snapshots", "get", "monday"), 2, "'database' is missing")
    assert db("databases", "snapshots", "delete", taken["id"], "--yes", "--wait").code == 0
    refused(db("databases", "delete", "shop", "--final-snapshot", "s", "--yes"), 1, "'final_snapshot' is not supported by azure")
    assert db("databases", "delete", "shop", "--yes", "--wait").code == 0
    refused(db("databases", "get", "shop"), 3, "no database 'shop'")
    web = made["id"].replace("DBfor" + ("PostgreSQL" if engine == "postgres" else "MySQL") + "/flexibleServers", "Web/sites")
    refused(db("databases", "delete", web, "--yes"), 2, "is no identifier of a database")


def test_databases_that_fail_and_lists(db, password):
    refused(db("databases", "create", "x", "postgres", "--class", "Standard_Broken", *CREATE[2:], *password), 6, "not available")
    for name, engine in (("a", "postgres"), ("b", "mysql"), ("twin", "postgres"), ("twin", "mysql")):
        assert db("databases", "create", name, engine, *CREATE, *password).code == 0
    for name in ("a", "b"):
        assert db("databases", "snapshots", "create", "of-" + name, "--database", name).code == 0
    assert [d["name"] for d in db("databases", "list", "--page-size", "1").items] == ["a", "twin", "b", "twin"]
    assert [s["name"] for s in db("databases", "snapshots", "list").items] == ["of-a", "of-b"]
    assert [s["name"] for s in db("databases", "snapshots", "list", "--database", "b").items] == ["of-b"]
    refused(db("databases", "stop", "twin"), 2, "several databases 'twin'")
    db.server.requests.clear()
    refused(db("databases", "create", "y", "oracle", *CREATE, *password), 2, "must be postgres, mysql or sqlserver")
    refused(db("databases", "create", "y", "mysql", *CREATE), 2, "'password' is missing")
    refused(db("databases", "create", "y", "mysql", *CREATE, *password, "--network", "n"), 1, "'network' is not supported by azure")
    assert db.server.requests == []
    plan = db("databases", "create", "y", "mysql", *CREATE, *password, "--dry-run")
    assert plan.json["would_send"][0]["body"]["properties"]["administratorLoginPassword"] == "***" and HUSH not in plan.out + plan.err


@pytest.fixture
def sql():
    with AzsqlContract() as server, client(server) as made:
        made.server = server
        yield made


def test_azure_sql(sql, password):
    create = ("databases", "create", "big/shop", "sqlserver", "--class", "DW100c")
    done = sql(*create, "--user", "root", *password, "--size-gb", "10", "--tag", "env=test", "--wait")
    made = done.json
    assert (made["name"], made["status"], made["engine"], made["class"], made["size_gb"], made["host"], made["tags"]) == (
        "big/shop", "available", "sqlserver", "DW100c", 10, "big.database.windows.net", {"env": "test"})
    assert sql.server.servers == {"big": HUSH} and HUSH not in done.out + done.err
    refused(sql(*create), 6, "exists already")
    refused(sql("databases", "create", "big/other", "sqlserver", "--class", "S0", "--user", "root", *password), 2, "server is there already")
    assert sql("databases", "create", "big/other", "sqlserver", "--class", "S0", "--wait").json["name"] == "big/other"
    for name in ("shop", "BIG/shop", made["id"]):
        assert sql("databases", "get", name).json["id"] == made["id"]
    assert [d["name"] for d in sql("databases", "list", "--page-size", "1").items] == ["big/shop", "big/other"]
    assert sql("databases", "stop", "shop", "--wait").json["status"] == "stopped"
    assert sql("databases", "start", "shop", "--wait").json["status"] == "available"
    refused(sql("databases", "stop", "other"), 2, "not supported for this edition")
    assert sql("databases", "reboot", "other", "--wait").code == 0 and sql.server.failovers == 1
    taken = sql("databases", "snapshots", "create", "monday", "--database", "shop", "--wait").json
    assert (taken["name"], taken["status"], taken["database"], taken["kind"]) == ("monday", "available", "big/shop", "manual")
    assert [s["id"] for s in sql("databases", "snapshots", "list").items] == [taken["id"]]
    assert sql("databases", "snapshots", "delete", taken["id"], "--yes").code == 0 and sql("databases", "snapshots", "list").items == []
    assert sql("databases", "delete", "shop", "--yes", "--wait").code == 0
    refused(sql("databases", "get", "shop"), 3, "no database 'shop'")
    refused(sql("databases", "get", "master"), 3, "no database 'master'")
    assert sql("databases", "create", "far/other", "sqlserver", "--class", "S0", "--user", "root", *password).code == 0
    refused(sql("databases", "get", "other"), 2, "name it SERVER/NAME")
    plan = sql("databases", "create", "new", "sqlserver", "--class", "S0", "--user", "root", *password, "--dry-run")
    assert [r["method"] for r in plan.json["would_send"]] == ["PUT", "PUT"] and HUSH not in plan.out + plan.err
    refused(sql("databases", "create", "new", "sqlserver", "--class", "S0"), 2, "'user' is missing")
    refused(sql("databases", "create", "a/b/c", "sqlserver", "--class", "S0"), 2, "is no name")
    refused(sql("databases", "create", "new", "sqlserver", "--class", "S0", "--version", "12"), 1, "'version' is not supported by azure")
