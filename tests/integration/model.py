"""A random tester: the same operations on a mount and on a plain directory, compared after each.

Seeded, so that a failure can be run again; `shrink` drops operations as long as the failure stays.
Used by test_model.py, and by hand:  python tests/integration/model.py MOUNTED_DIR [SEED] [COUNT]
"""

import errno
import hashlib
import os
import random
import shutil
import stat
import sys
import tempfile
import time

NAMES = ["a", "b", "c d", "e.txt", "ü", "x%y"]


# versitygw's own files on their way to an object stand in its listings, for a moment.
FOREIGN = ".sgwtmp."


class Mismatch(AssertionError):
    pass


def _path(rng, depth=3):
    return "/".join(rng.choice(NAMES) for _ in range(rng.randint(1, depth)))


def generate(seed, count):
    """The operations as plain tuples, so that they can be printed, kept and run again."""
    rng = random.Random(seed)
    ops = []
    for _ in range(count):
        kind = rng.choices(
            ["write", "append", "patch", "truncate", "read", "unlink", "mkdir", "rmdir", "rename", "chmod",
             "utime", "symlink", "listdir", "copy", "rewrite", "settle", "setxattr", "unlink_open", "rmtree"],
            [12, 6, 8, 6, 8, 6, 10, 4, 10, 3, 3, 3, 5, 4, 5, 2, 2, 2, 1])[0]
        size = rng.choice([0, 1, 10, 4095, 4096, 4097, 70000, 300000])
        ops.append((kind, _path(rng), _path(rng), size, rng.randint(0, 400000), rng.randint(0, 1 << 30)))
    return ops


def _data(size, salt):
    return random.Random(salt).randbytes(size)


def _err(function):
    try:
        return ("ok", function())
    except OSError as error:
        # Which of two true reasons is named first is the file system's choice.
        number = {errno.EEXIST: errno.ENOTEMPTY}.get(error.errno, error.errno)
        return ("error", number)


def _op_write(root, op):
    with open(os.path.join(root, op[1]), "wb") as f:
        f.write(_data(op[3], op[5]))


def _op_append(root, op):
    with open(os.path.join(root, op[1]), "ab") as f:
        f.write(_data(op[3] % 5000, op[5]))


def _op_patch(root, op):
    with open(os.path.join(root, op[1]), "r+b") as f:
        f.seek(op[4])
        f.write(_data(op[3] % 10000, op[5]))
        f.seek(op[4] // 3)
        f.write(b"patched")


def _op_truncate(root, op):
    os.truncate(os.path.join(root, op[1]), op[4] % 200000)


def _op_read(root, op):
    with open(os.path.join(root, op[1]), "rb") as f:
        f.seek(op[4] % 100000)
        return hashlib.md5(f.read(op[3] + 1)).hexdigest()


def _op_rename(root, op):
    os.rename(os.path.join(root, op[1]), os.path.join(root, op[2]))


def _op_listdir(root, op):
    return sorted(n for n in os.listdir(os.path.join(root, os.path.dirname(op[1]))) if FOREIGN not in n)


def _op_copy(root, op):
    source, target = os.path.join(root, op[1]), os.path.join(root, op[2])
    if os.path.isfile(source) and not os.path.exists(target) and os.path.isdir(os.path.dirname(target)):
        shutil.copyfile(source, target)


def _op_rewrite(root, op):
    """As editors save: a temporary file renamed over the target."""
    target = os.path.join(root, op[1])
    if os.path.isdir(target):
        return
    with open(target + "~tmp", "wb") as f:
        f.write(_data(op[3], op[5]))
    os.rename(target + "~tmp", target)


def _op_unlink_open(root, op):
    with open(os.path.join(root, op[1]), "r+b") as f:
        os.unlink(f.name)
        f.seek(0, 2)
        f.write(b"after unlink")
        f.seek(0)
        return hashlib.md5(f.read()).hexdigest()


def _op_setxattr(root, op):
    os.setxattr(os.path.join(root, op[1]), "user.test", str(op[5]).encode(), follow_symlinks=True)


OPS = {
    "write": _op_write,
    "append": _op_append,
    "patch": _op_patch,
    "truncate": _op_truncate,
    "read": _op_read,
    "rename": _op_rename,
    "listdir": _op_listdir,
    "copy": _op_copy,
    "rewrite": _op_rewrite,
    "unlink_open": _op_unlink_open,
    "setxattr": _op_setxattr,
    "unlink": lambda root, op: os.unlink(os.path.join(root, op[1])),
    "mkdir": lambda root, op: os.mkdir(os.path.join(root, op[1])),
    "rmdir": lambda root, op: os.rmdir(os.path.join(root, op[1])),
    "rmtree": lambda root, op: shutil.rmtree(os.path.join(root, op[1].split("/")[0]), ignore_errors=True),
    "chmod": lambda root, op: os.chmod(os.path.join(root, op[1]), 0o600 | op[5] % 64),
    "utime": lambda root, op: os.utime(os.path.join(root, op[1]), ns=(op[5] * 10**9 + 7, op[5] * 10**9 + 7)),
    "symlink": lambda root, op: os.symlink(op[2], os.path.join(root, op[1])),
}


def snapshot(root):
    """Everything a user can see of a tree: names, types, modes, sizes, contents, link targets, xattrs."""
    seen = {}
    for directory, names, files in os.walk(root):
        for name in names + [n for n in files if FOREIGN not in n]:
            path = os.path.join(directory, name)
            st = os.lstat(path)
            key = os.path.relpath(path, root)
            if stat.S_ISLNK(st.st_mode):
                seen[key] = ("link", os.readlink(path))
            elif stat.S_ISDIR(st.st_mode):
                seen[key] = ("dir", stat.S_IMODE(st.st_mode))
            else:
                with open(path, "rb") as f:
                    data = f.read()
                try:
                    xattr = os.getxattr(path, "user.test")
                except OSError:
                    xattr = None
                seen[key] = ("file", stat.S_IMODE(st.st_mode), st.st_size, hashlib.md5(data).hexdigest(), xattr)
    return seen


def compare(mount, plain, what):
    here, there = snapshot(mount), snapshot(plain)
    if here == there:
        return
    lines = [f"after {what}:"]
    for key in sorted(set(here) | set(there)):
        if here.get(key) != there.get(key):
            lines.append(f"  {key!r}: mount {here.get(key)} expected {there.get(key)}")
    raise Mismatch("\n".join(lines))


def _await_foreign(root, patience_s=10):
    """True when something stood there that is not ours, and has gone."""
    deadline, seen = time.monotonic() + patience_s, False
    while any(FOREIGN in name for _, names, files in os.walk(root) for name in names + files):
        seen = True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return seen


def run(mount, ops, settle=None, every=25):
    """Runs the operations on both; settle() is called now and then (sync, remount, ...)."""
    plain = tempfile.mkdtemp(prefix="skydir-model-")
    try:
        for number, op in enumerate(ops):
            if op[0] == "settle":
                if settle:
                    settle(number)
                    compare(mount, plain, f"settling at operation {number}")
                continue
            expected = _err(lambda: OPS[op[0]](plain, op))
            got = _err(lambda: OPS[op[0]](mount, op))
            if got == ("error", errno.ENOTEMPTY) != expected and _await_foreign(mount):
                got = _err(lambda: OPS[op[0]](mount, op))
            if got != expected:
                raise Mismatch(f"operation {number} {op}: mount {got}, expected {expected}")
            if number % every == every - 1:
                compare(mount, plain, f"operation {number} {op}")
        compare(mount, plain, "the last operation")
        if settle:
            settle(len(ops))
            compare(mount, plain, "settling")
        return snapshot(plain)
    finally:
        shutil.rmtree(plain, ignore_errors=True)


def empty(root):
    for name in os.listdir(root):
        path = os.path.join(root, name)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)


def shrink(mount, ops, settle=None, rounds=60, seconds=60):
    """Fewer operations that still fail; the best found in that many runs and that much time."""
    deadline = time.monotonic() + seconds

    def fails(candidate):
        empty(mount)
        try:
            run(mount, candidate, settle)
        except Mismatch:
            return True
        return False

    step = max(1, len(ops) // 2)
    while step and rounds and time.monotonic() < deadline:
        start = 0
        while start < len(ops) and rounds and time.monotonic() < deadline:
            rounds -= 1
            candidate = ops[:start] + ops[start + step:]
            if fails(candidate):
                ops = candidate
            else:
                start += step
        step //= 2
    return ops


def unfinished_uploads(mount):
    if mount.kind == "local":
        root = mount.client.root / ".skydir" / "buckets" / mount.bucket / "uploads"
        return sorted(p.name for p in root.iterdir()) if root.exists() else []
    return mount.client.uploads(mount.bucket)


def check_store(mount, seen, top=""):
    """The bucket holds what `seen` (a snapshot) says and nothing else: as someone sees it who knows nothing of skydir."""
    mount.sync()
    keys = [k for k in mount.client.keys(mount.bucket, top) if FOREIGN not in k]
    wrong = []
    for name, entry in sorted(seen.items()):
        key = top + name
        if entry[0] == "dir":
            if not any(k.startswith(key + "/") for k in keys):
                wrong.append(f"{key!r}: nothing keeps the directory")
            continue
        data = mount.client.get(mount.bucket, key)
        wanted = hashlib.md5(os.fsencode(entry[1])).hexdigest() if entry[0] == "link" else entry[3]
        found = None if data is None else hashlib.md5(data).hexdigest()
        if found != wanted:
            wrong.append(f"{key!r}: the store has {found} ({data and len(data)} bytes), expected {wanted} {entry}")
    allowed = {top + name + ("/" if entry[0] == "dir" else "") for name, entry in seen.items()}
    allowed |= {"/".join(top.split("/")[:i]) + "/" for i in range(1, top.count("/") + 1)}
    wrong += [f"{key!r}: nobody asked for this object" for key in keys if key not in allowed]
    wrong += [f"{upload!r}: an upload that was left unfinished" for upload in unfinished_uploads(mount)]
    assert not wrong, "\n".join(wrong)


if __name__ == "__main__":
    where = sys.argv[1]
    first = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 30)
    total = int(sys.argv[3]) if len(sys.argv) > 3 else 500
    print("seed", first)
    run(where, generate(first, total))
