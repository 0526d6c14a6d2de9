"""Purpose: one day's work in a mount, drawn from a seed, with a model of what must be in the store after it.

The work is what people do: many small files, big ones in parts, overwriting, appending, renaming, deleting, whole
directories moved and removed. It uses the mount as programs do and never looks at the store; Work.files says what must be
there, byte for byte.
"""

import hashlib
import os
import random
import shutil

from harness import eventually

MIB = 1 << 20


def payload(random_, size):
    return random_.randbytes(size)


class Work:
    """Keys (relative to the bucket) and what they must hold. steps() is the whole of it."""

    def __init__(self, mount, seed, files=40, big_bytes=11 * MIB):
        self.mount, self.random = mount, random.Random(seed)
        self.files = {}
        self.count, self.big_bytes = files, big_bytes
        self.bytes_checked = self.operations = 0

    def _path(self, key):
        return self.mount.path / key

    def write(self, key, data):
        self._path(key).parent.mkdir(parents=True, exist_ok=True)
        self._path(key).write_bytes(data)
        self.files[key] = data
        self.operations += 1

    def append(self, key, data):
        with open(self._path(key), "ab") as f:
            f.write(data)
        self.files[key] += data
        self.operations += 1

    def patch(self, key, at, data):
        with open(self._path(key), "r+b") as f:
            f.seek(at)
            f.write(data)
        old = self.files[key]
        self.files[key] = old[:at] + data + old[at + len(data):]
        self.operations += 1

    def rename(self, old, new):
        self._path(new).parent.mkdir(parents=True, exist_ok=True)
        os.rename(self._path(old), self._path(new))
        self.files[new] = self.files.pop(old)
        self.operations += 1

    def remove(self, key):
        self._path(key).unlink()
        del self.files[key]
        self.operations += 1

    def rename_tree(self, old, new):
        os.rename(self._path(old), self._path(new))
        for key in [k for k in self.files if k.startswith(old + "/")]:
            self.files[new + key[len(old):]] = self.files.pop(key)
        self.operations += 1

    def remove_tree(self, name):
        shutil.rmtree(self._path(name))
        for key in [k for k in self.files if k.startswith(name + "/")]:
            del self.files[key]
        self.operations += 1

    def save(self, key, data):
        """As an editor does: a temporary file renamed over the old one."""
        temporary = key + ".tmp"
        self._path(temporary).write_bytes(data)
        os.rename(self._path(temporary), self._path(key))
        self.files[key] = data
        self.operations += 1

    def steps(self):
        """The day in three parts, the cloud catching up between them: the later parts meet objects that are there."""
        r = self.random
        for i in range(self.count):
            self.write(f"d{i % 5}/f{i}", payload(r, r.randrange(0, 60_000)))
        self.write("big", payload(r, self.big_bytes))
        self.settle()
        keys = sorted(self.files)
        for key in r.sample([k for k in keys if k != "big"], 8):
            self.write(key, payload(r, r.randrange(0, 60_000)))
        for key in r.sample([k for k in keys if k != "big"], 5):
            self.append(key, payload(r, 5_000))
        for key in r.sample([k for k in keys if k.startswith("d1/")], 3):
            self.save(key, payload(r, 30_000))
        self.append("big", payload(r, 100_000))
        self.patch("big", 3 * MIB, payload(r, 50_000))
        for i, key in enumerate(r.sample([k for k in keys if k.startswith("d2/")], 4)):
            self.rename(key, f"moved/m{i}")
        self.settle()
        self.rename_tree("d3", "d3-renamed")
        self.remove_tree("d4")
        for key in r.sample([k for k in sorted(self.files) if k.startswith("d0/")], 3):
            self.remove(key)
        self.settle()

    def settle(self, timeout=120):
        """Until the cloud has followed, with nobody's help beyond the wish for it."""
        eventually(lambda: self.mount.skydir("sync", self.mount.top, check=False, timeout=timeout).returncode == 0,
                   timeout=timeout, what="the end of all uploads")

    def check_store(self):
        """Past skydir: exactly these keys, exactly these bytes, no unfinished upload."""
        m = self.mount
        there = [k for k in m.client.keys(m.bucket) if not k.endswith("/")]
        assert sorted(there) == sorted(self.files), set(there) ^ set(self.files)
        for key, data in self.files.items():
            self._same(key, m.client.get(m.bucket, key), data, "in the store")
        assert not m.client.uploads(m.bucket)

    def check_mount(self, keys=None):
        """Through the mount, as a program reads."""
        for key in sorted(keys or self.files):
            self._same(key, self._path(key).read_bytes(), self.files[key], "in the mount")

    def _same(self, key, got, wanted, where):
        self.bytes_checked += len(wanted)
        if got != wanted:
            place = next((i for i, (a, b) in enumerate(zip(got or b"", wanted)) if a != b), min(len(got or b""), len(wanted)))
            raise AssertionError(f"'{key}' {where} is wrong at byte {place}: {len(got or b'')} bytes, "
                                 f"{hashlib.sha256(got or b'').hexdigest()[:12]}, wanted {len(wanted)} bytes")
