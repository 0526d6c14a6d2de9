"""Purpose: the file systems that are compared, each with its own fast options; a plain directory, and the bare wire.

A subject is started anew, with an empty cache, for each run. Peers are taken where they are found on PATH.
"""

import os
import pathlib
import shutil
import signal
import subprocess

import fleet
import harness
import job
import wire


class Subject:
    """One file system on one bucket, in a scratch directory of its own."""

    name = program = ""
    needs_fuse = True

    def __init__(self, endpoint, bucket, scratch):
        self.endpoint, self.bucket, self.dir = endpoint, bucket, pathlib.Path(scratch)
        self.top = self.dir / "mnt"
        self.process = None

    @classmethod
    def is_here(cls):
        return bool(shutil.which(cls.program))

    @classmethod
    def version(cls):
        done = subprocess.run([cls.program, "--version"], capture_output=True, text=True, check=False)
        return (done.stdout + done.stderr).strip().splitlines()[0][:100]

    @property
    def path(self):
        """Where the work is done."""
        return self.top

    @property
    def pid(self):
        return self.process.pid if self.process else None

    def start(self):
        self.top.mkdir(parents=True)
        self.launch()
        harness.eventually(self.is_up, timeout=30, what=f"{self.name}'s mount")

    def is_up(self):
        if self.process.poll() is not None:
            log = (self.dir / "log").read_text(errors="replace").strip()[-200:]
            raise RuntimeError(f"{self.name} ended with {self.process.returncode}: {log}")
        return harness.is_mounted(self.top)

    def launch(self):
        raise NotImplementedError

    def flush(self):
        """Asks for what was written to be uploaded now, where there is a way to ask."""

    def stop(self, is_hung=False):
        if self.process and is_hung:
            self.process.kill()
        if harness.is_mounted(self.top):
            subprocess.run(["fusermount3", "-uz", str(self.top)], check=False, capture_output=True)
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
        if self.process:
            self.process.wait()
        if not harness.is_mounted(self.top):
            shutil.rmtree(self.dir, ignore_errors=True)

    def popen(self, command, **env):
        with open(self.dir / "log", "wb") as log:
            self.process = subprocess.Popen(
                [str(c) for c in command], env={**fleet.clean_environment(), "HOME": str(self.dir), **env},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def keys(self):
        return {"AWS_ACCESS_KEY_ID": fleet.KEY, "AWS_SECRET_ACCESS_KEY": fleet.SECRET, "AWS_REGION": fleet.REGION}


class Skydir(Subject):
    name = "skydir"

    @classmethod
    def is_here(cls):
        return True

    @classmethod
    def version(cls):
        return harness.run(harness.SKYDIR, "--version").stdout.strip()

    def launch(self):
        conf = self.dir / "skydir.conf"
        conf.write_text(
            f"[skydir]\ncache-dir = {self.dir}/cache\n[s3]\ntype = s3\nendpoint = {self.endpoint}\n"
            f"region = {fleet.REGION}\naccess-key-id = {fleet.KEY}\nsecret-access-key = {fleet.SECRET}\n")
        conf.chmod(0o600)
        self.env = {"SKYDIR_CONFIG": str(conf), "SKYDIR_RUNTIME_DIR": str(self.dir / "run"),
                    "XDG_DATA_HOME": str(self.dir / "data")}
        (self.dir / "run").mkdir(mode=0o700)
        self.popen([harness.SKYDIR, "mount", f"/s3/{self.bucket}", self.top, "-f"], **self.env)

    def flush(self):
        done = subprocess.run([str(harness.SKYDIR), "sync", str(self.top)], env={**fleet.clean_environment(), **self.env},
                              check=False, capture_output=True, text=True)
        assert done.returncode == 0, f"skydir sync: {done.stderr.strip()}"


class S3fs(Subject):
    name = program = "s3fs"

    def launch(self):
        password = self.dir / "passwd"
        password.write_text(f"{fleet.KEY}:{fleet.SECRET}\n")
        password.chmod(0o600)
        self.popen(["s3fs", self.bucket, self.top, "-f", "-o",
                    (f"url={self.endpoint},use_path_request_style,passwd_file={password},endpoint={fleet.REGION},"
                     "parallel_count=32,multipart_size=16,multireq_max=40,max_stat_cache_size=200000,"
                     "enable_noobj_cache,stat_cache_expire=600")])


class Rclone(Subject):
    name = program = "rclone"

    def launch(self):
        conf = self.dir / "rclone.conf"
        conf.write_text(
            f"[s]\ntype = s3\nprovider = Other\nendpoint = {self.endpoint}\nregion = {fleet.REGION}\n"
            f"access_key_id = {fleet.KEY}\nsecret_access_key = {fleet.SECRET}\nforce_path_style = true\n"
            "upload_concurrency = 16\nchunk_size = 16M\n")
        conf.chmod(0o600)
        self.popen(["rclone", "mount", f"s:{self.bucket}", self.top, "--config", conf, "--cache-dir", self.dir / "cache",
                    "--vfs-cache-mode", "full", "--vfs-write-back", "100ms", "--transfers", "16",
                    "--dir-cache-time", "10m", "--no-modtime", "--buffer-size", "64M", "--vfs-read-ahead", "128M"])


class Geesefs(Subject):
    name = program = "geesefs"

    def launch(self):
        self.popen(["geesefs", "-f", "--endpoint", self.endpoint, "--region", fleet.REGION, "--memory-limit", "2000",
                    "--max-flushers", "32", "--max-parallel-parts", "32", "--stat-cache-ttl", "10m", self.bucket, self.top],
                   **self.keys())


class Goofys(Subject):
    name = program = "goofys"

    def launch(self):
        self.popen(["goofys", "-f", "--endpoint", self.endpoint, "--region", fleet.REGION, "--stat-cache-ttl", "10m",
                    "--type-cache-ttl", "10m", self.bucket, self.top], **self.keys())


class MountS3(Subject):
    name = program = "mount-s3"

    def launch(self):
        (self.dir / "cache").mkdir()
        self.popen(["mount-s3", self.bucket, self.top, "--foreground", "--endpoint-url", self.endpoint, "--region", fleet.REGION,
                    "--force-path-style", "--allow-delete", "--allow-overwrite", "--metadata-ttl", "600",
                    "--cache", self.dir / "cache"], **self.keys())


class Native(Subject):
    """The same work on a plain directory: what a complete cached file and a known name are measured by."""

    name = "native"
    needs_fuse = False

    @classmethod
    def is_here(cls):
        return True

    @classmethod
    def version(cls):
        return "a plain directory"

    def start(self):
        self.dir.mkdir(parents=True)

    @property
    def path(self):
        return pathlib.Path(self.bucket)  # a directory, see data.py


class Raw(Subject):
    """The fewest requests over 32 plain connections (skydir-wire)."""

    name = "raw"
    needs_fuse = False

    @classmethod
    def is_here(cls):
        return True

    @classmethod
    def version(cls):
        return f"{wire.CONNECTIONS} plain connections"

    def start(self):
        self.dir.mkdir(parents=True)
        self.wire = wire.Wire(self.endpoint, self.bucket)
        self.process = self.wire.process

    def stop(self, is_hung=False):
        if not is_hung and self.process:
            self.wire.close()
        super().stop(is_hung)


class Curl(Subject):
    """curl(1), as many transfers at once as raw: what libcurl costs in CPU. Its bytes are not kept, so not compared."""

    name = program = "curl"
    needs_fuse = False

    def start(self):
        self.dir.mkdir(parents=True)


PEERS = (S3fs, Rclone, Geesefs, Goofys, MountS3)
ALL = {c.name: c for c in (Skydir, Raw, Native, Curl, *PEERS)}


def memory_mib(subject):
    try:
        return job.process_memory_mib(subject.pid)
    except (OSError, StopIteration):
        return None


def cleanup_leftovers(scratch):
    """What is still mounted below scratch after a crash of the benchmark's own."""
    with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as f:
        mounts = [line.split(" ")[1] for line in f]
    for mount in mounts:
        if mount.startswith(f"{os.fspath(scratch)}/"):
            subprocess.run(["fusermount3", "-uz", mount], check=False, capture_output=True)
