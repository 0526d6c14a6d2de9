"""Google's functions and databases through the command line, against servers made from Google's discovery documents."""

import json

import pytest

from cli import Cli
from functions_contract import FunctionsContract
from sql_contract import SqlContract

HUSH = "hush-Hush~1"
PYTHON = ("--runtime", "python313", "--handler", "hello")


def refused(done, code, text):
    assert done.code == code and text in done.err, (done.code, done.err)


@pytest.fixture
def functions(tmp_path):
    with FunctionsContract() as server:
        server.credentials(tmp_path / "account.json")
        yield server


@pytest.fixture
def cli(functions, tmp_path):
    with Cli({"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "account.json"), "CLOUDSDK_COMPUTE_ZONE": "europe-west6-a",
              "CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDFUNCTIONS": functions.endpoint,
              "CLOUDSDK_API_ENDPOINT_OVERRIDES_LOGGING": functions.endpoint}) as made:
        yield made


@pytest.fixture
def code(tmp_path):
    (tmp_path / "hello").mkdir()
    (tmp_path / "hello" / "main.py").write_text("def hello(request):\n    return 'hello'\n")
    return str(tmp_path / "hello")


def test_a_function_from_its_creation_to_its_end(cli, functions, code, tmp_path):
    (tmp_path / "secrets").write_text(f"DB_KEY={HUSH}\n")
    done = cli("functions", "create", "hello", code, *PYTHON, "--memory-mb", "512", "--timeout-s", "30", "--env", "A=1", "--tag", "t=x",
               "--description", "d", "--role", "me@x", "--secrets-file", str(tmp_path / "secrets"), "--wait")
    made = done.json
    assert (made["name"], made["status"], made["runtime"], made["handler"], made["memory_mb"], made["timeout_s"], made["tags"]) == (
        "hello", "active", "python313", "hello", 512, 30, {"t": "x"})
    assert (made["env"], made["role"], made["url"]) == (["A", "DB_KEY"], "me@x", functions.endpoint + "/run/hello")
    one = functions.functions["hello"]
    assert one["serviceConfig"]["environmentVariables"]["DB_KEY"] == HUSH and functions.sources == {"u0": ["main.py"]}
    assert one["buildConfig"]["source"]["storageSource"] == {"bucket": "gcf-uploads", "object": "u0.zip", "generation": "7"}
    told = cli("functions", "get", "hello", "--raw")
    assert HUSH not in told.out + done.out + done.err + cli("functions", "list", "--raw").out
    refused(cli("functions", "create", "hello", code, *PYTHON), 6, "already exists")
    refused(cli("functions", "create", "bad", code, "--runtime", "python1", "--handler", "x"), 6, "runtime python1 is not supported")
    assert cli("functions", "update", "hello", "--location", "gs://code/dir/x.zip").code == 0
    assert one["buildConfig"]["source"]["storageSource"] == {"bucket": "code", "object": "dir/x.zip"}
    assert cli("functions", "delete", "hello", "--yes", "--wait").code == 0
    refused(cli("functions", "get", "hello"), 3, "not found")


def test_a_function_is_called(cli, functions, code):
    assert cli("functions", "create", "hello", code, *PYTHON).code == 0
    called = cli("functions", "invoke", "hello", '{"name": "me"}').json
    assert (called["payload"], called["http_status"], called["request_id"]) == ({"echo": {"name": "me"}}, 200, "run-1")
    assert functions.calls == [{"name": "me"}]
    build = functions.functions["hello"]["buildConfig"]
    build["entryPoint"] = "text"
    assert cli("functions", "invoke", "hello").json["payload"] == "plain text"
    build["entryPoint"] = "fail"
    refused(cli("functions", "invoke", "hello"), 1, "the function failed (500)")
    refused(cli("functions", "invoke", "hello", "--async"), 1, "'async' is not supported by gcp")
    functions.functions["hello"]["serviceConfig"]["uri"] = "http://192.0.2.1/run"  # a token goes nowhere in the clear
    count = len(functions.requests)
    refused(cli("functions", "invoke", "hello"), 1, "no https")
    assert [r.path for r in functions.requests[count:]] == ["/v2/projects/skydir-test/locations/europe-west6/functions/hello"]


def test_whoever_one_is_the_function_is_told(cli, functions, code, tmp_path):
    """The kinds of credentials that have identity tokens; and one that has none."""
    assert cli("functions", "create", "hello", code, *PYTHON).code == 0
    person = {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "refresh", "token_uri": functions.endpoint + "/token"}
    acting = {"type": "impersonated_service_account", "source_credentials": person, "delegates": [],
              "service_account_impersonation_url": functions.endpoint + "/v1/projects/-/serviceAccounts/other@x.iam:generateAccessToken"}
    (tmp_path / "person.json").write_text(json.dumps(person))
    (tmp_path / "acting.json").write_text(json.dumps(acting))
    config = "[gcp]\ntype = gcp\nproject-id = skydir-test\nzone = europe-west6-a\nrate-limit = 100\n"
    common = {k: v for k, v in cli.environment.items() if k.startswith("CLOUDSDK")}
    for more, code_, text in (({}, 0, '"echo"'), ({"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "acting.json")}, 0, '"echo"'),
                              ({"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "person.json")}, 4, "403")):
        about = "" if more else "use-metadata-service = yes\n"
        with Cli({**common, **more, "GCE_METADATA_HOST": functions.endpoint.removeprefix("http://")}, config + about) as other:
            done = other("functions", "invoke", "hello", '{"n": 1}')
            assert done.code == code_ and text in done.out + done.err, (more, done.code, done.out, done.err)
            assert "identity-for" not in done.out + done.err and "of-a-person" not in done.out + done.err
    assert len(functions.calls) == 2


def test_logs(cli, functions, code):
    assert cli("functions", "create", "hello", code, *PYTHON).code == 0
    functions.logs = [{"timestamp": "2000-01-01T00:00:00Z", "textPayload": "old"},
                      {"timestamp": "2099-01-01T00:00:00Z", "textPayload": "one", "severity": "INFO"},
                      {"timestamp": "2099-01-01T00:00:01Z", "jsonPayload": {"message": "two"}, "severity": "ERROR"},
                      {"timestamp": "2099-01-01T00:00:02Z", "jsonPayload": {"a": 1}}]
    lines = cli("functions", "logs", "hello", "--page-size", "1").items
    assert [(x["message"], x["level"]) for x in lines] == [("one", "INFO"), ("two", "ERROR"), ('{"a":1}', None)]
    assert len(cli("functions", "logs", "hello", "--limit", "2").items) == 2
    refused(cli("functions", "logs", "nobody"), 3, "not found")


def test_lists_dry_runs_and_what_is_wrong(cli, functions, code):
    for name in ("a", "b", "c"):
        assert cli("functions", "create", name, code, *PYTHON).code == 0
    assert [f["name"] for f in cli("functions", "list", "--page-size", "1").items] == ["a", "b", "c"]
    functions.requests.clear()
    done = cli("functions", "create", "x", code, *PYTHON, "--dry-run")
    assert done.json["would_send"][0]["body"]["buildConfig"]["source"]["storageSource"]["object"].startswith("(a zip of ")
    refused(cli("functions", "create", "x", code, "--runtime", "python313"), 2, "'handler' is missing")
    refused(cli("functions", "create", "x", "--location", "s3://a/b", *PYTHON), 2, "gs://BUCKET/KEY")
    refused(cli("functions", "create", "x", code, *PYTHON, "--plan", "p"), 1, "'plan' is not supported by gcp")
    assert functions.requests == []


@pytest.fixture
def sql(tmp_path):
    with SqlContract() as server:
        server.credentials(tmp_path / "account.json")
        (tmp_path / "password").write_text(HUSH + "\n")
        with Cli({"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "account.json"), "CLOUDSDK_COMPUTE_ZONE": "europe-west6-a",
                  "CLOUDSDK_API_ENDPOINT_OVERRIDES_SQL": server.endpoint}) as made:
            made.server, made.create = server, ("--class", "db-custom-1-3840", "--version", "16", "--password-file",
                                                str(tmp_path / "password"))
            yield made


def test_a_database_from_its_creation_to_its_end(sql):
    done = sql("databases", "create", "shop", "postgres", *sql.create, "--size-gb", "20", "--tag", "env=test", "--network", "projects/p/n",
               "--replicated", "--backup-days", "7", "--wait")
    made = done.json
    assert (made["name"], made["status"], made["engine"], made["version"], made["class"], made["size_gb"], made["host"]) == (
        "shop", "available", "postgres", "16", "db-custom-1-3840", 20, "10.0.0.3")
    assert (made["public"], made["replicated"], made["tags"], made["created"]) == (False, True, {"env": "test"}, "2026-11-23T10:00:00.123Z")
    assert sql.server.last_body["rootPassword"] == HUSH and HUSH not in done.out + done.err
    refused(sql("databases", "create", "shop", "postgres", *sql.create), 6, "already exists")
    assert sql("databases", "stop", "shop", "--wait").json["status"] == "stopped"
    assert sql("databases", "start", "shop", "--wait").json["status"] == "available"
    assert sql("databases", "reboot", "shop", "--wait").code == 0 and sql.server.databases["shop"]["_restarts"] == 1
    taken = sql("databases", "snapshots", "create", "monday", "--database", "shop", "--wait").json
    assert (taken["name"], taken["status"], taken["database"], taken["kind"]) == ("monday", "available", "shop", "manual")
    assert taken["id"] == "shop/1700000000001" == sql("databases", "snapshots", "list").items[0]["id"]
    refused(sql("databases", "snapshots", "get", "monday"), 2, "INSTANCE/NUMBER")
    assert sql("databases", "snapshots", "delete", taken["id"], "--yes", "--wait").code == 0 and sql.server.backups == []
    assert sql("databases", "delete", "shop", "--final-snapshot", "end", "--yes", "--wait").code == 0
    assert sql.server.last_query == {"enableFinalBackup": "true", "finalBackupDescription": "end"}
    refused(sql("databases", "get", "shop"), 3, "does not exist")


def test_databases_that_fail_and_lists(sql):
    refused(sql("databases", "create", "x", "postgres", "--class", "db-broken", *sql.create[2:], "--wait"), 6, "could not be made")
    for name in ("a", "b"):
        assert sql("databases", "create", name, "mysql", "--class", "db-f1-micro", "--version", "8.4", *sql.create[4:], "--wait").code == 0
        assert sql("databases", "snapshots", "create", "of-" + name, "--database", name).json["status"] == "creating"
    assert sql.server.last_body["databaseVersion"] == "MYSQL_8_4" and sql("databases", "get", "a").json["version"] == "8.4"
    assert [d["name"] for d in sql("databases", "list", "--page-size", "1").items] == ["a", "b"]
    assert [s["name"] for s in sql("databases", "snapshots", "list", "--page-size", "1").items] == ["of-a", "of-b"]
    assert [s["name"] for s in sql("databases", "snapshots", "list", "--database", "b").items] == ["of-b"]
    sql.server.requests.clear()
    plan = sql("databases", "create", "y", "postgres", *sql.create, "--dry-run")
    assert plan.json["would_send"][0]["body"]["rootPassword"] == "***" and HUSH not in plan.out + plan.err
    refused(sql("databases", "create", "y", "postgres", *sql.create[:2], *sql.create[4:]), 2, "'version' is missing")
    refused(sql("databases", "create", "y", "postgres", *sql.create, "--user", "me"), 1, "'user' is not supported by gcp")
    assert sql.server.requests == []
