"""Our own meter: what skydir caused at the clouds, to the request and the byte, and the budgets made of it.

That it counts right is told by the proxy, which stands between and counts by itself."""

import errno
import json
import os
import re
import sqlite3

import pytest

from cli import Cli
from harness import eventually

ONE_CLOUD = pytest.mark.stores("s3", only="the meter is the same for all")


def usage(mount, *args):
    return json.loads(mount.skydir("usage", *args, "--output", "json").stdout)["items"]


def quiet(mount):
    mount.sync()
    eventually(lambda: mount.proxy.counters()["active"] == 0, what="quiet on the wire")


def totals(items):
    return {k: sum(i[k] for i in items) for k in ("requests", "sent", "received", "errors")}


def prices(mount, text):
    (mount.dir / "prices.conf").write_text(text)


def configure(mount, **sections):
    """The configuration as it is from now on; the daemon looks at it by itself."""
    mount.sections = sections
    before = mount.config.stat().st_mtime_ns
    mount.write_config()
    os.utime(mount.config, ns=(before + 10**9, before + 10**9))


@pytest.mark.stores("s3", "gcs", "azure", "swift")
def test_every_request_and_byte_is_counted_by_store_bucket_and_operation(mount):
    mount.client.put(mount.bucket, "theirs", b"y" * 70000)
    quiet(mount)
    before = [i for i in usage(mount, "--by", "store") if i["store"] == mount.store]
    seen = mount.proxy.counters()["requests"]
    for i in range(5):
        (mount.path / f"f{i}").write_bytes(b"x" * 10000)
    quiet(mount)
    assert (mount.path / "theirs").read_bytes() == b"y" * 70000
    quiet(mount)
    ours = mount.proxy.counters()["requests"] - seen

    def grown():  # a reader has its bytes a moment before the request is over
        after = totals([i for i in usage(mount, "--by", "store") if i["store"] == mount.store])
        return {k: after[k] - totals(before)[k] for k in after}

    eventually(lambda: grown()["requests"] >= ours, what="the counts")
    more = grown()
    assert more["requests"] == ours
    assert 50000 <= more["sent"] < 60000 and 70000 <= more["received"] < 80000
    by_class = {i["class"]: i["requests"] for i in usage(mount, "--by", "class,bucket") if i["bucket"] == mount.bucket}
    assert by_class["write"] >= 5 and by_class["read"] >= 1
    whole = usage(mount)
    assert [(i["provider"], i["store"]) for i in whole if i["store"] != "auth"] == [(mount.kind, mount.store)]
    listed = [i for i in usage(mount, "--by", "day,store") if i["store"] == mount.store]
    assert totals(listed) == totals([i for i in whole if i["store"] == mount.store])
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", listed[0]["day"])


@ONE_CLOUD
def test_counts_outlive_the_mount_and_a_kill(mount):
    (mount.path / "a").write_bytes(b"1" * 1000)
    quiet(mount)
    first = totals(usage(mount))
    assert first["requests"] > 0
    mount.kill()
    mount.unmount_lazily()
    assert totals(usage(mount)) == first
    mount.mount()
    (mount.path / "b").write_bytes(b"2" * 1000)
    quiet(mount)
    second = totals(usage(mount))
    assert second["requests"] > first["requests"] and second["sent"] >= first["sent"] + 1000
    mount.umount()
    assert totals(usage(mount))["requests"] >= second["requests"]
    assert usage(mount, "--until", "2001-01-01") == [] and usage(mount, "--month", "2001-01") == []
    assert oct((mount.dir / "home/.local/state/skydir/usage.db").stat().st_mode & 0o777) == "0o600"


@ONE_CLOUD
def test_a_command_without_a_mount_is_counted_too(mount):
    mount.umount()
    before = totals(usage(mount))["requests"]
    mount.skydir("objects", "list", f"/s3/{mount.bucket}")
    now = {i["operation"]: i["requests"] for i in usage(mount, "--by", "operation")}
    assert sum(now.values()) == before + 1 and now["ListObjectsV2"] >= 1


@ONE_CLOUD
def test_a_damaged_file_is_put_aside_and_the_data_is_not_touched_by_it(mount):
    (mount.path / "a").write_bytes(b"1")
    quiet(mount)
    usage(mount)
    mount.umount()
    path = mount.dir / "home/.local/state/skydir/usage.db"
    path.write_bytes(b"this is no database" * 500)
    mount.mount()
    (mount.path / "b").write_bytes(b"2")
    quiet(mount)
    assert totals(usage(mount))["requests"] > 0
    assert path.with_name("usage.db.damaged").exists() and sqlite3.connect(path).execute("pragma integrity_check").fetchone() == ("ok",)
    assert mount.read("b") == b"2"


@ONE_CLOUD
def test_costs_are_by_the_price_table_which_the_user_may_change(mount):
    prices(mount, "[s3]\ncurrency = EUR\ndate = 2026-11-01\nwrite-1000 = 2000\nread-1000 = 0\nlist-1000 = 0\negress-gb = 0\n")
    (mount.path / "a").write_bytes(b"1")
    quiet(mount)
    mount.umount()
    row = next(i for i in usage(mount, "--by", "operation") if i["operation"] == "PutObject")
    assert row["cost"] == 2 * row["requests"] and row["currency"] == "EUR"
    shown = {i["name"]: i for i in json.loads(mount.skydir("usage", "prices", "--output", "json").stdout)["items"]}
    assert shown["s3"]["write_1000"] == 2000 and shown["s3"]["date"] == "2026-11-01" and shown["gcs"]["currency"] == "USD"
    prices(mount, "[s3]\nwrite-1000 = cheap\n")
    bad = mount.skydir("usage", check=False)
    assert bad.returncode == 2 and "prices.conf:2: write-1000: 'cheap' is no amount" in bad.stderr


@ONE_CLOUD
@pytest.mark.options(upload_delay="10ms")
def test_a_budget_warns_stops_writes_and_lets_them_go_on_when_it_is_raised(mount):
    """What is not uploaded waits in the cache, and says why; deleting and reading go on."""
    prices(mount, "[s3]\nwrite-1000 = 1000\nread-1000 = 0\nlist-1000 = 0\negress-gb = 0\n")  # a unit for each PUT
    (mount.path / "kept").write_bytes(b"before")
    (mount.path / "goes").write_bytes(b"before")
    quiet(mount)
    spent = sum(i["cost"] for i in usage(mount, "--by", "operation") if i["cost"])
    writer = open(mount.path / "late", "wb")  # opened before the stop: what it takes must not be lost
    configure(mount, monthly={"type": "budget", "amount": "1", "provider": "s3", "warn": "50, 100", "stop": "writes"})
    eventually(lambda: mount.status()["budgets"] and mount.status()["budgets"][0]["stopped"], what="the stop")
    with writer:
        writer.write(b"late" * 1000)
    with pytest.raises(OSError) as refused:
        (mount.path / "new").write_bytes(b"x")
    assert refused.value.errno == errno.EDQUOT
    with pytest.raises(OSError) as refused:
        (mount.path / "kept").rename(mount.path / "moved")
    assert refused.value.errno == errno.EDQUOT
    assert (mount.path / "kept").read_bytes() == b"before"
    (mount.path / "goes").unlink()

    eventually(lambda: "late" not in mount.client.keys(mount.bucket) and "goes" not in mount.client.keys(mount.bucket), what="the delete")
    failed = mount.skydir("sync", mount.top, check=False)
    assert failed.returncode != 0 and "budget 'monthly' is used up" in failed.stderr + failed.stdout
    status = mount.skydir("status", mount.top).stdout
    assert re.search(r"budget monthly: [\d.]+ of 1.00 USD spent this month \(\d+%\); writes refused", status)
    assert "late" in status and mount.status()["dirty"]["files"] == 1
    log = mount.log.read_text()
    assert "budget.warning" in log and "budget.stopped" in log
    for _ in range(20):
        with pytest.raises(OSError, match="quota exceeded"):
            (mount.path / "new").write_bytes(b"x")
    told = [line for line in mount.log.read_text().splitlines() if "request.failed" in line and "used up" in line]
    assert 1 <= len(told) < 10, "once a minute, not once a call"
    assert json.loads(mount.skydir("usage", "budgets", "--output", "json").stdout)["items"][0]["stopped"] is True
    direct = mount.skydir("objects", "upload", mount.config, f"/s3/{mount.bucket}/direct", check=False)
    assert direct.returncode == 7 and "budget 'monthly'" in direct.stderr

    configure(mount, monthly={"type": "budget", "amount": str(int(spent) + 1000), "provider": "s3", "stop": "writes"})
    eventually(lambda: mount.client.get(mount.bucket, "late") == b"late" * 1000, what="the upload after the budget was raised")
    (mount.path / "new").write_bytes(b"x")
    assert mount.read("new") == b"x" and "budget.resumed" in mount.log.read_text()


@ONE_CLOUD
def test_what_a_used_up_budget_kept_is_uploaded_by_a_later_mount(mount):
    prices(mount, "[s3]\nwrite-1000 = 1000\n")
    (mount.path / "a").write_bytes(b"1")
    quiet(mount)
    with open(mount.path / "late", "wb") as writer:
        configure(mount, monthly={"type": "budget", "amount": "0.5", "stop": "all"})
        eventually(lambda: mount.status()["budgets"] and mount.status()["budgets"][0]["stopped"], what="the stop")
        writer.write(b"late")
    mount.umount("--now")
    configure(mount)
    mount.mount()
    assert mount.read("late") == b"late"


@ONE_CLOUD
def test_a_budget_can_stop_reads_and_what_is_cached_can_still_be_read(mount):
    prices(mount, "[s3]\nwrite-1000 = 1000\n")
    mount.client.put(mount.bucket, "theirs", b"y" * 1000)
    (mount.path / "ours").write_bytes(b"x" * 1000)
    os.listdir(mount.path)
    quiet(mount)
    configure(mount, monthly={"type": "budget", "amount": "0.5", "stop": "reads"})
    eventually(lambda: mount.status()["budgets"] and mount.status()["budgets"][0]["stopped"], what="the stop")
    with pytest.raises(OSError) as refused:
        (mount.path / "theirs").read_bytes()
    assert refused.value.errno == errno.EDQUOT
    assert (mount.path / "ours").read_bytes() == b"x" * 1000


@pytest.mark.parametrize("section, why", (
    ("type = budget\n", "needs an 'amount'"),
    ("type = budget\namount = much\n", "amount: 'much' will not do"),
    ("type = budget\namount = 1\nstop = everything\n", "stop: 'everything' will not do"),
    ("type = budget\namount = 1\nwarn = 0\n", "warn: '0' will not do"),
    ("type = budget\namount = 1\nprovider = nobody\n", "there is no provider or store 'nobody'"),
    ("type = budget\namount = 1\ncurrency = CHF\nprovider = s3\n", "is in CHF, the prices of 's3' are in USD"),
    ("type = budget\namont = 1\n", "did you mean 'amount'?"),
))
def test_mistakes_in_a_budget_name_file_and_line(section, why):
    with Cli(config=f"[monthly]\n{section}") as cli:
        done = cli.run("usage")
    assert done.code == 2 and why in done.err and "skydir.conf:" in done.err


def test_nothing_was_counted_yet():
    with Cli() as cli:
        assert cli("usage").items == [] and cli("usage", "budgets").items == []
        assert cli.run("usage", "--by", "hour").code == 2
        assert cli.run("usage", "--since", "yesterday").code == 2
        assert cli.run("usage", "--help").out.startswith("skydir usage")
