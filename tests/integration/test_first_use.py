"""The first hour of somebody who knows aws, gcloud, az or openstack: what they type, mistakes too, and what they are told."""

import re

import pytest

from cli import Cli

HINT = re.compile(r"did you mean `skydir ([a-z -]+)`")


@pytest.fixture(scope="module")
def cli():
    with Cli() as made:
        yield made


@pytest.mark.parametrize("typed, meant", [
    ("instance list", "instances list"), ("instances ls", "instances list"), ("server list", "instances list"),
    ("server show web1", "instances get"), ("ec2 describe-instances", "instances list"), ("compute instances list", "instances list"),
    ("vm list", "instances list"), ("instances terminate web1", "instances delete"), ("instances run x", "instances create"),
    ("s3 ls", "buckets list"), ("ls", "buckets list"), ("cp a /local/b", "objects upload"), ("objects rm /local/a/b", "objects delete"),
    ("s3api create-bucket", "buckets create"), ("dns record ls z", "dns records list"), ("dns zone show z", "dns zones get"),
    ("instances lst", "instances list"), ("disk list", "volumes list"), ("loadbalancer list", "load-balancers list"),
    ("lambda ls", "functions list"), ("rds list", "databases list"), ("whoami", "identity users current"), ("login", "auth explain"), ("cloudformation", "stacks"), ("stack show x", "stacks get"),
    ("help dns record", "dns records"),
])
def test_words_of_other_tools_lead_to_ours(cli, typed, meant):
    done = cli.run(*typed.split())
    assert done.code == 2 and done.out == "" and len(done.err.splitlines()) == 1
    if "help" in typed:
        assert "dns" in done.err
        return
    assert HINT.search(done.err).group(1) == meant, done.err
    assert cli.run("help", *meant.split()).code == 0, "there is such a command"


def test_what_is_like_nothing_is_sent_to_the_help(cli):
    for typed in (["xyzzy"], ["instances", "frobnicate"], ["dns", "frobnicate"]):
        done = cli.run(*typed)
        assert done.code == 2 and "skydir help" in done.err and "did you mean" not in done.err, done.err


def test_the_parts_of_a_resource_are_listed(cli):
    done = cli.run("dns", "zones")
    assert done.code == 2 and "dns zones list" in done.err and "dns records" not in done.err
    told = cli.run("dns", "zones", "--help")
    assert told.code == 0 and told.out == done.err and cli.run("help", "dns", "zones").out == told.out
    assert "dns records list" in cli.run("help", "dns").out
    widest = max(len(line) for line in cli.run("help").out.splitlines() if line.startswith("  ") and ", " in line)
    assert widest <= 110, "lists are wrapped"


@pytest.mark.parametrize("typed, told", [
    ("instances create", "argument 'name' is missing (usage: skydir instances create NAME --image TEXT --flavor TEXT [OPTIONS])"),
    ("instances create web1 --image x", "option --flavor is missing"),
    ("instances create web1 --image-id x --flavor y", "did you mean '--image'"),
    ("instances create web1 --image x --instance-type y", "did you mean '--flavor'"),
    ("instances list --format json", "did you mean '--output'"),
    ("instances list --max-items 3", "did you mean '--limit'"),
    ("instances list --output yaml", "table, json, jsonl, csv"),
    ("instances list --filter status", "--filter 'status' is not NAME=VALUE"),
    ("instances list --filter stauts=running", "did you mean 'status'"),
    ("instances list --columns id,colour", "--columns 'colour' is no member of the result (id, name, status"),
    ("instances list --sort-by=-creatd", "did you mean 'created'"),
    ("objects delete /local/a b --yes", "too many arguments: 'b' (usage: skydir objects delete PATH [OPTIONS])"),
    ("objects list s3://my-bucket", "must be /STORE/BUCKET or /STORE/BUCKET/PREFIX, like /s3/my-bucket/key"),
    ("dns records set example.org www A 300.1.1.1", "'300.1.1.1' is no value of type A"),
])
def test_a_wrong_parameter_is_told_before_anything_is_asked(cli, typed, told):
    done = cli.run(*typed.split())
    assert done.code == 2 and told in done.err, done.err  # credentials come later: there are none


def test_members_of_members_and_of_all_results_are_columns(cli):
    cli("buckets", "create", "/local/first").json
    shown = cli.run("buckets", "list", "--columns", "name,store", "--no-headers", "--sort-by", "name", "--filter", "name=fir*")
    assert shown.code == 0 and shown.out.split() == ["first", "local"]


SECRET = "very-secret-text"
KINDS = {"s3": {"access-key-id": "AKIA1", "secret-access-key": SECRET}, "gcs": {"credentials-file": "/none"},
         "azure": {"account": "a", "account-key": SECRET}, "swift": {"auth-url": "https://x.invalid", "token": SECRET},
         "infomaniak": {"access-key-id": "k", "secret-access-key": SECRET}, "aws": {"access-key-id": "AKIA1", "secret-access-key": SECRET},
         "gcp": {"credentials-file": "/none"}, "openstack": {"auth-url": "https://x.invalid", "token": SECRET},
         "infomaniak-domains": {"token": SECRET}, "infomaniak-newsletter": {"token": SECRET}, "coda": {"token": SECRET}, "local": {}}


@pytest.mark.parametrize("kind", KINDS)
def test_the_credentials_of_every_kind_are_explained(kind):
    section = "".join(f"{k} = {v}\n" for k, v in KINDS[kind].items())
    with Cli(config=f"[mine]\ntype = {kind}\n{section}") as cli:
        done = cli("auth", "explain", "mine")
        assert SECRET not in done.out + done.err
        steps = done.items
        assert [s["order"] for s in steps] == list(range(1, len(steps) + 1)) and {s["type"] for s in steps} == {kind}
        assert [s for s in steps if s["state"] in ("used", "broken")], "what the section holds is seen"
        assert cli("auth", "explain").items == steps, "the only one there is"
    with Cli() as cli:
        bare = cli("auth", "explain", kind).items
        assert [s["source"] for s in bare] == [s["source"] for s in steps] or kind == "azure"
        assert kind == "local" or not [s for s in bare if s["state"] == "used"]
