"""Walks through many directories (find, rsync, du): listings without a delimiter serve them, and show what each alone would."""

import os
import random

import pytest

from harness import eventually, run

pytestmark = pytest.mark.options(attrs="default", meta_ttl="10m")


def walk(top):
    """Every name below, with what find tells of it."""
    out = run("find", top, "-mindepth", "1", "-printf", r"%y %s %P\0").stdout
    return sorted(filter(None, out.split("\0")))


def lists(mount):
    return mount.ops().get("L", 0)


def only_lists(mount):
    return set(mount.ops()) <= {"L"}


@pytest.mark.stores("s3", only="its objects are made as files beside the server")
def test_find_over_ten_thousand_files_in_a_hundred_directories(mount, versitygw):
    bucket = versitygw.buckets / mount.bucket
    want = []
    for d in range(100):
        (bucket / f"d{d:03}").mkdir()
        want.append(f"d 4096 d{d:03}")
        for i in range(100):
            (bucket / f"d{d:03}" / f"f{i:03}").write_bytes(b"x" * (i % 7))
            want.append(f"f {i % 7} d{d:03}/f{i:03}")
    mount.fresh()
    os.listdir(mount.path.parent)
    mount.proxy.reset()
    got = walk(mount.path)
    assert [line.split(" ", 2)[2] for line in got] == [line.split(" ", 2)[2] for line in sorted(want)]
    assert [line for line in got if line[0] == "f"] == [line for line in sorted(want) if line[0] == "f"]
    assert only_lists(mount) and lists(mount) <= 20, mount.ops()
    mount.proxy.reset()
    assert walk(mount.path) == got
    assert mount.ops() == {}, "a walk through what is known asks nothing"


@pytest.mark.stores("s3")
def test_a_tree_of_small_directories_in_small_ones(mount):
    want = set()
    for a in range(12):
        for b in range(5):
            for c in range(4):
                mount.client.put(mount.bucket, f"a{a}/b{b}/c{c}/file", b"1")
                want.add(f"a{a}/b{b}/c{c}/file")
    mount.fresh()
    os.listdir(mount.path.parent)
    mount.proxy.reset()
    got = {line.split(" ", 2)[2] for line in walk(mount.path) if line[0] == "f"}
    assert got == want
    assert lists(mount) <= 12, "313 directories of 240 keys"


def test_a_few_big_directories_cost_no_more_than_each_alone(mount):
    if not mount.proxy:
        pytest.skip("counts requests")
    for d in "abcd":
        for i in range(30):
            mount.client.put(mount.bucket, f"{d}/{i:02}", b"x")
    mount.fresh()
    os.listdir(mount.path)
    mount.proxy.reset()
    for d in "abcd":
        assert len(os.listdir(mount.path / d)) == 30
    assert lists(mount) <= 4


NAMES = ("a", "b", "d.txt", "e-f", "e", "é", "%2F", "~", "z", "!", "d")
HOSTILE = NAMES + ("", "long" * 70, ".", "..")


def hostile_keys(seed, names):
    rng = random.Random(seed)
    keys = set()
    while len(keys) < 250:
        key = "/".join([f"r/{rng.randrange(40):02}"] + rng.choices(names, k=rng.randrange(1, 5))) + rng.choice(("", "", "/"))
        if len(key.encode()) < 900:
            keys.add(key)
    return sorted(keys)


@pytest.mark.stores("s3", "local", "gcs", "moto")
@pytest.mark.parametrize("seed", (1, 2))
def test_a_walk_shows_what_listings_of_each_directory_show(mount, seed):
    put = []
    for i, key in enumerate(hostile_keys(seed, NAMES if mount.kind == "s3" else HOSTILE)):
        try:
            mount.client.put(mount.bucket, key, b"x" * (i % 3))
            put.append(key)
        except Exception:  # a file and a directory of one name, where that cannot be
            continue
    assert len(put) > 80
    mount.fresh()
    walked = walk(mount.path)
    mount.umount()
    mount.options["meta-ttl"] = "900ms"  # too short for walks: each directory is listed for itself
    mount.start(create_bucket=False)
    assert walk(mount.path) == walked


@pytest.mark.stores("s3", "local")
def test_what_changes_here_during_a_walk_stays(mount):
    for d in range(60):
        for i in range(20):
            mount.client.put(mount.bucket, f"d{d:02}/f{i:02}", b"x")
    mount.fresh()
    want = {f"d{d:02}/f{i:02}" for d in range(60) for i in range(20)}
    seen = []
    for d in range(60):
        seen += os.listdir(mount.path / f"d{d:02}")
        if d == 10:  # ahead of the walk, and behind it
            (mount.path / "d50/new").write_bytes(b"n")
            (mount.path / "d05/new").write_bytes(b"n")
            os.unlink(mount.path / "d51/f00")
            os.rename(mount.path / "d52", mount.path / "d58" / "moved")
            want |= {"d50/new", "d05/new"} | {f"d58/moved/f{i:02}" for i in range(20)}
            want -= {"d51/f00"} | {f"d52/f{i:02}" for i in range(20)}
            (mount.path / "d52").mkdir()
    assert {line.split(" ", 2)[2] for line in walk(mount.path) if line[0] == "f"} == want
    mount.sync()
    assert {line.split(" ", 2)[2] for line in walk(mount.path) if line[0] == "f"} == want
    mount.fresh()
    assert {line.split(" ", 2)[2] for line in walk(mount.path) if line[0] == "f"} == want


@pytest.mark.stores("s3", "local")
def test_directories_removed_after_a_walk_stay_away(mount):
    """Their markers were seen by the walk, or rmdir would leave them behind."""
    for d in range(12):
        mount.client.put(mount.bucket, f"d{d:02}/", b"")
        mount.client.put(mount.bucket, f"d{d:02}/f", b"x")
    mount.fresh()
    assert len(walk(mount.path)) == 24
    run("rm", "-r", *(mount.path / f"d{d:02}" for d in range(12)))
    mount.sync()
    assert mount.client.keys(mount.bucket) == []
    mount.fresh()
    assert os.listdir(mount.path) == []


@pytest.mark.stores("s3", "local")
def test_two_walks_at_once_in_other_orders(mount):
    for d in range(40):
        for i in range(10):
            mount.client.put(mount.bucket, f"p/{d:02}/{i}", b"x")
    mount.fresh()
    import concurrent.futures

    def visit(order):
        return sorted((d, tuple(sorted(os.listdir(mount.path / "p" / f"{d:02}")))) for d in order)

    orders = [list(range(40)), list(range(39, -1, -1)), random.Random(1).sample(range(40), 40)]
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        results = list(pool.map(visit, orders))
    assert results[0] == results[1] == results[2] == [(d, tuple(str(i) for i in range(10))) for d in range(40)]
    eventually(lambda: walk(mount.path) is not None)


@pytest.mark.stores("s3", only="its objects are made as files beside the server")
def test_looking_up_names_all_over_a_tree(mount, versitygw):
    """One page of the tree's keys serves several directories: fewer requests than one listing of each."""
    bucket = versitygw.buckets / mount.bucket
    for d in range(40):
        (bucket / "t" / f"d{d:03}").mkdir(parents=True)
        for i in range(50):
            (bucket / "t" / f"d{d:03}" / f"f{i:03}").write_bytes(b"x" * (d + 1))
    mount.fresh()
    os.listdir(mount.path)
    mount.proxy.reset()
    paths = [(f"d{d:03}/f{i:03}", d + 1) for d in range(40) for i in range(0, 50, 5)]
    random.Random(3).shuffle(paths)
    for name, size in paths:
        assert (mount.path / "t" / name).stat().st_size == size
        assert not (mount.path / "t" / f"{name}.missing").exists()
    assert mount.proxy.counters()["requests"] <= 30, mount.ops()
    assert sorted(os.listdir(mount.path / "t" / "d007")) == [f"f{i:03}" for i in range(50)]


@pytest.mark.stores("s3", only="its objects are made as files beside the server")
def test_looking_up_names_in_big_directories_lists_none_of_them_twice(mount, versitygw):
    bucket = versitygw.buckets / mount.bucket
    for d in range(4):
        (bucket / "t" / f"d{d}").mkdir(parents=True)
        for i in range(1100):
            (bucket / "t" / f"d{d}" / f"f{i:04}").write_bytes(b"x")
    mount.fresh()
    os.listdir(mount.path / "t")
    mount.proxy.reset()
    for i in (5, 1090, 7):
        for d in range(4):
            assert (mount.path / "t" / f"d{d}" / f"f{i:04}").stat().st_size == 1
    # A HEAD and a page of each, a HEAD for what is not on the page, and one page of the tree that did not finish a directory.
    assert mount.proxy.counters()["requests"] <= 4 * 3 + 2, mount.ops()
