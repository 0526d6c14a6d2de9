"""Purpose: the daemon under valgrind does real work without an error or a leak."""

import os
import shutil
import subprocess
import time

import harness
import model
import pytest


@pytest.mark.skipif(not shutil.which("valgrind"), reason="valgrind is not installed")
@pytest.mark.skipif("asan" in str(harness.SKYDIR) or "tsan" in str(harness.SKYDIR), reason="a sanitizer build")
def test_no_warning_from_valgrind():
    base = harness.scratch_dir("vg")
    mnt, log = base / "mnt", base / "valgrind.log"
    env = dict(os.environ, SKYDIR_RUNTIME_DIR=str(base / "run"), SKYDIR_CONFIG="", HOME=str(base))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "SKYDIR_CONFIG"):
        env.pop(name, None)
    for xdg in ("DATA", "CACHE", "CONFIG"):
        env[f"XDG_{xdg}_HOME"] = str(base / xdg.lower())
    for made in (mnt, base / "run", base / "data" / "skydir" / "local" / "bucket"):
        made.mkdir(parents=True, mode=0o700)
    daemon = subprocess.Popen(
        ["valgrind", "-q", "--leak-check=full", "--errors-for-leak-kinds=definite", "--error-exitcode=99",
         f"--log-file={log}", harness.SKYDIR, "mount", "/local/bucket", mnt, "-f", "-o", "upload-delay=50ms"],
        env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def is_up():
            return any(str(mnt) in line for line in open("/proc/self/mounts", encoding="utf-8"))

        harness.eventually(is_up, what="the mount under valgrind")
        model.run(str(mnt), model.generate(7, 60))
        (mnt / "big").write_bytes(bytes(3 << 20))
        subprocess.run([harness.SKYDIR, "sync"], env=env, check=True, timeout=harness.PATIENCE_S)
        subprocess.run([harness.SKYDIR, "umount", mnt], env=env, check=True, timeout=harness.PATIENCE_S)
        code = daemon.wait(harness.PATIENCE_S)
        # Its own notes (a system call it does not know) are no findings.
        findings = [line for line in log.read_text(errors="replace").splitlines() if line.startswith("==")]
        assert code == 0 and not findings, "\n".join(findings[:60])
    finally:
        if daemon.poll() is None:
            daemon.kill()
            daemon.wait(10)
            subprocess.run(["fusermount3", "-uzq", mnt], check=False)
            time.sleep(0.1)
        shutil.rmtree(base, ignore_errors=True)
