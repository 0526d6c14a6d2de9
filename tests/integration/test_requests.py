"""What ordinary work costs: exact numbers of requests, counted by the proxy before the server."""

import math
import os
import shutil

import pytest

from harness import eventually, run

pytestmark = [pytest.mark.stores("s3", "moto", "gcs", "azure", "swift"), pytest.mark.options(attrs="default")]


def settle(mount):
    """All is written and nothing is under way; the counters begin at zero."""
    mount.sync()
    eventually(lambda: mount.proxy.counters()["active"] == 0, what="quiet on the wire")
    mount.proxy.reset()


def after_sync(mount):
    mount.sync()
    return mount.ops()


def put_over(mount):
    """What replacing an object costs: Swift keeps no condition on what is there, so that is looked at just before."""
    return {"H": 1, "P": 1} if mount.kind == "swift" else {"P": 1}


def test_cp_of_a_new_small_file_into_a_listed_directory_is_one_put(mount, tmp_path):
    (tmp_path / "f").write_bytes(b"x" * 4096)
    os.listdir(mount.path)
    settle(mount)
    run("cp", tmp_path / "f", mount.path / "f")
    assert after_sync(mount) == {"P": 1}


def test_overwriting_a_listed_file_is_one_put(mount, tmp_path):
    mount.client.put(mount.bucket, "f", b"old")
    (tmp_path / "f").write_bytes(b"x" * 4096)
    os.listdir(mount.path)
    settle(mount)
    run("cp", tmp_path / "f", mount.path / "f")
    assert after_sync(mount) == put_over(mount)


def test_cat_of_a_listed_file_is_one_get(mount):
    mount.client.put(mount.bucket, "f", b"content" * 100)
    os.listdir(mount.path)
    settle(mount)
    assert run("cat", mount.path / "f").stdout == "content" * 100
    assert mount.ops() == {"G": 1}
    assert run("cat", mount.path / "f").stdout == "content" * 100
    assert mount.ops() == {"G": 1}


@pytest.mark.parametrize("n", (0, 1, 999, 1000, 1001, 2500))
@pytest.mark.stores("s3", only="the files are made beside the server, which has directories for that")
def test_ls_of_n_objects_is_the_least_number_of_lists(mount, versitygw, n):
    bucket = versitygw.buckets / mount.bucket
    (bucket / "d").mkdir()
    for i in range(n):
        (bucket / "d" / f"{i:05}").write_bytes(b"x")
    os.listdir(mount.path)
    settle(mount)
    if n:
        assert len(os.listdir(mount.path / "d")) == n
        assert mount.ops() == {"L": math.ceil(n / 1000)}
        run("ls", "-l", mount.path / "d")
        assert mount.ops() == {"L": math.ceil(n / 1000)}
    else:
        os.listdir(mount.path)
        assert mount.ops() == {}


def test_ls_l_right_after_ls_costs_nothing(mount):
    for i in range(40):
        mount.client.put(mount.bucket, f"d/{i}", b"x" * i)
    os.listdir(mount.path / "d")
    settle(mount)
    lines = run("ls", "-l", mount.path / "d").stdout.splitlines()
    assert len(lines) == 41
    for i in range(40):
        assert (mount.path / "d" / f"{i}").stat().st_size == i
    assert mount.ops() == {}


def test_save_by_temporary_file_and_rename_is_one_put(mount):
    (mount.path / "doc").write_text("version 1")
    os.listdir(mount.path)
    settle(mount)
    (mount.path / ".doc.tmp").write_text("version 2")
    os.rename(mount.path / ".doc.tmp", mount.path / "doc")
    assert after_sync(mount) == put_over(mount)
    assert mount.client.get(mount.bucket, "doc") == b"version 2"
    assert mount.keys() == ["doc"]


def test_sed_i_of_a_file_just_read_is_one_put(mount):
    (mount.path / "f").write_text("one two")
    os.listdir(mount.path)
    settle(mount)
    run("sed", "-i", "s/two/2/", mount.path / "f")
    assert after_sync(mount) == put_over(mount)


def test_cp_inside_the_mount_moves_no_byte(mount):
    (mount.path / "f").write_bytes(os.urandom(3_000_000))
    os.listdir(mount.path)
    settle(mount)
    run("cp", mount.path / "f", mount.path / "g")
    mount.sync()
    counters = mount.proxy.counters()
    assert counters["ops"] == {"C": 1}
    assert counters["bytes_up"] < 10_000 and counters["bytes_down"] < 10_000
    assert mount.client.get(mount.bucket, "g") == mount.client.get(mount.bucket, "f")


def test_cp_inside_the_mount_of_what_was_never_read(mount):
    data = os.urandom(2_000_000)
    mount.client.put(mount.bucket, "f", data)
    os.listdir(mount.path)
    settle(mount)
    run("cp", mount.path / "f", mount.path / "g")
    mount.sync()
    counters = mount.proxy.counters()
    assert counters["ops"] == {"C": 1}
    assert counters["bytes_down"] < 10_000
    assert mount.client.get(mount.bucket, "g") == data
    assert (mount.path / "g").read_bytes() == data


def test_missing_names_in_a_listed_directory_cost_nothing(mount):
    mount.client.put(mount.bucket, "d/there", b"x")
    os.listdir(mount.path / "d")
    settle(mount)
    for i in range(125):
        assert not (mount.path / "d" / f"missing-{i}").exists()
    assert mount.ops() == {}


def test_missing_names_in_an_unlisted_directory_cost_few(mount):
    for i in range(20):
        mount.client.put(mount.bucket, f"d/{i}", b"x")
    settle(mount)
    for i in range(125):
        assert not (mount.path / "d" / f"missing-{i}").exists()
    assert mount.proxy.counters()["requests"] <= 12, mount.ops()


def test_a_file_deleted_before_its_upload_costs_nothing(mount):
    os.listdir(mount.path)
    settle(mount)
    (mount.path / "f").write_text("soon gone")
    (mount.path / "f").unlink()
    assert after_sync(mount) == {}


def test_a_temporary_file_renamed_and_deleted_costs_nothing(mount):
    os.listdir(mount.path)
    settle(mount)
    (mount.path / "f").write_text("soon gone")
    (mount.path / "f").rename(mount.path / "g")
    (mount.path / "g").unlink()
    assert after_sync(mount) == {}


def test_a_new_directory_is_known_to_be_empty(mount):
    os.listdir(mount.path)
    settle(mount)
    (mount.path / "d").mkdir()
    (mount.path / "d" / "f").write_text("x")
    assert os.listdir(mount.path / "d") == ["f"]
    ops = after_sync(mount)
    assert set(ops) == {"P"} and ops["P"] <= 2, ops


def test_files_in_a_directory_just_made_are_one_put_each(mount):
    os.listdir(mount.path)
    settle(mount)
    (mount.path / "d").mkdir()
    for i in range(30):
        (mount.path / "d" / f"{i}").write_bytes(b"x" * 100)
    ops = after_sync(mount)
    assert set(ops) == {"P"} and ops["P"] <= 31, ops


def test_opening_one_file_does_not_list_its_siblings(mount):
    for i in range(30):
        mount.client.put(mount.bucket, f"d/{i}", b"content")
    settle(mount)
    assert (mount.path / "d" / "7").read_bytes() == b"content"
    ops = mount.ops()
    # At most a look at the directory and one at the file, then its content.
    assert ops.get("G") == 1
    assert ops.get("H", 0) <= 2 and ops.get("L", 0) <= 1, ops


def test_rm_r_is_batched(mount):
    if mount.kind == "s3":
        (mount.path / "d").mkdir()
    for i in range(60):
        (mount.path / "d").mkdir(exist_ok=True)
        (mount.path / "d" / f"{i}").write_bytes(b"x")
    settle(mount)
    shutil.rmtree(mount.path / "d")
    ops = after_sync(mount)
    assert mount.client.keys(mount.bucket) == []
    assert ops.get("M", 0) + ops.get("D", 0) <= 6 and not ops.get("H") and not ops.get("G"), ops


def test_reading_twice_costs_once_and_over_a_remount_too(mount):
    data = os.urandom(500_000)
    mount.client.put(mount.bucket, "f", data)
    assert (mount.path / "f").read_bytes() == data
    settle(mount)
    assert (mount.path / "f").read_bytes() == data
    assert mount.ops() == {}
    mount.remount()
    mount.proxy.reset()
    os.listdir(mount.path)
    assert (mount.path / "f").read_bytes() == data
    assert "G" not in mount.ops()


def test_what_was_just_written_is_read_from_the_cache(mount):
    data = os.urandom(500_000)
    os.listdir(mount.path)
    (mount.path / "f").write_bytes(data)
    settle(mount)
    assert (mount.path / "f").read_bytes() == data
    assert mount.ops() == {}


def test_an_idle_mount_asks_nothing(mount):
    (mount.path / "f").write_text("x")
    settle(mount)
    import time

    time.sleep(1.5)
    assert mount.ops() == {}


def test_chmod_of_an_uploaded_file_moves_no_content(mount):
    (mount.path / "f").write_bytes(os.urandom(1_000_000))
    settle(mount)
    (mount.path / "f").chmod(0o600)
    mount.sync()
    counters = mount.proxy.counters()
    assert counters["bytes_up"] < 10_000 and counters["bytes_down"] < 10_000
    # On S3 the HEAD is for the headers that a replacing copy would drop; elsewhere metadata is changed alone.
    assert mount.ops() == ({"C": 1} if mount.kind in ("gcs", "azure") else {"H": 1, "C": 1}), mount.ops()


def test_chmod_of_somebody_elses_object_keeps_their_metadata(mount):
    mount.client.put(mount.bucket, "f", b"theirs", Metadata={"colour": "blue"})
    os.listdir(mount.path)
    for mode in (0o600, 0o640):
        (mount.path / "f").chmod(mode)
        mount.sync()
    (mount.path / "mine").write_bytes(b"first")
    mount.sync()
    mount.client.put(mount.bucket, "mine", b"second", Metadata={"colour": "red"})
    (mount.path / "mine").chmod(0o600)
    mount.sync()
    assert mount.client.meta(mount.bucket, "f")["colour"] == "blue"
    assert mount.client.meta(mount.bucket, "mine")["colour"] == "red"
    assert mount.client.get(mount.bucket, "mine") == b"second"


def test_chmod_and_touch_before_the_upload_are_part_of_it(mount):
    os.listdir(mount.path)
    settle(mount)
    f = mount.path / "f"
    f.write_text("x")
    f.chmod(0o600)
    os.utime(f, (1000, 1000))
    os.setxattr(f, "user.k", b"v")
    assert after_sync(mount) == {"P": 1}


def test_many_writes_to_one_file_are_one_put(mount):
    os.listdir(mount.path)
    settle(mount)
    with open(mount.path / "f", "wb", buffering=0) as f:
        for i in range(200):
            f.write(b"x" * 100)
    with open(mount.path / "f", "ab") as f:
        f.write(b"end")
    assert after_sync(mount) == {"P": 1}


def test_rename_of_an_uploaded_file_is_one_move_or_one_copy_and_one_delete(mount):
    (mount.path / "f").write_bytes(os.urandom(300_000))
    os.listdir(mount.path)
    settle(mount)
    (mount.path / "f").rename(mount.path / "g")
    mount.sync()
    counters = mount.proxy.counters()
    ops = counters["ops"]
    deletes = ops.pop("D", 0) + ops.pop("M", 0)
    assert ops == {"C": 1} and deletes == (0 if mount.kind == "gcs" else 1), counters
    assert counters["bytes_up"] < 10_000
    assert mount.keys() == ["g"]
