"""Completion in real shells: bash and zsh on a terminal, fish by its own `complete -C`; names of things come from the socket of a
daemon."""

import contextlib
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time

import pytest

import harness
from cli import Cli
from nova_contract import NovaContract

pytestmark = pytest.mark.timeout(400)
SHELLS = ("bash", "zsh", "fish")
PROMPT = "READY> "


@pytest.fixture
def cli():
    with NovaContract() as server, Cli(server.environment) as made:
        for name in ("alpha-one", "beta-two"):
            made("instances", "create", name, "--image", "debian-12", "--flavor", "a1-small").json
        bin_dir = made.dir / "bin"
        bin_dir.mkdir()
        (bin_dir / "skydir").symlink_to(harness.SKYDIR)
        made.environment.update(PATH=f"{bin_dir}:{os.environ['PATH']}", TERM="dumb", LC_ALL="C.UTF-8")
        made.server = server
        yield made


@pytest.fixture(params=SHELLS)
def shell(request, cli):
    if not shutil.which(request.param):
        pytest.skip(f"{request.param} is not installed (scripts/test does it)")
    with Shell(request.param, cli) as made:
        yield made


class Shell:
    """complete(text): what the shell makes of it at a Tab."""

    def __init__(self, name, cli):
        self.name, self.cli, self.child, self.shown = name, cli, None, ""
        script = cli.run("completion", name)
        assert script.code == 0, script.err
        self.script = cli.dir / ("_skydir" if name == "zsh" else "completion")
        self.script.write_text(script.out)

    def __enter__(self):
        if self.name != "fish":
            self.ours, theirs = pty.openpty()
            command = ["bash", "--norc", "--noprofile", "-i"] if self.name == "bash" else ["zsh", "-f", "-i"]
            self.child = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
                                          env={**self.cli.environment, "PS1": PROMPT}, cwd=self.cli.dir)
            os.close(theirs)
            assert self.expect(PROMPT), self.shown
            # As the help of `skydir completion` says: a file that is sourced, or one in fpath.
            setup = {"bash": f"source {self.script}; bind 'set bell-style none'",
                     "zsh": f"unsetopt prompt_cr prompt_sp beep; fpath=({self.cli.dir} $fpath); autoload -Uz compinit; compinit -u -D"}
            self.type(setup[self.name] + "; echo SET''UP\n")
            assert self.expect("SETUP") and self.expect(PROMPT), self.shown
        return self

    def __exit__(self, *_exception):
        if self.child:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.child.pid, signal.SIGKILL)
            self.child.wait(60)
            os.close(self.ours)

    def type(self, text):
        os.write(self.ours, text.encode())

    def expect(self, wanted, patience_s=90):
        """Reads up to it; what is behind it is for the next. False when it does not come."""
        deadline = time.monotonic() + patience_s
        while wanted not in self.shown and time.monotonic() < deadline:
            if select.select([self.ours], [], [], 1)[0]:
                self.shown += os.read(self.ours, 65536).decode(errors="replace")
        is_there = wanted in self.shown
        self.shown = self.shown.partition(wanted)[2] if is_there else self.shown
        return is_there

    def offers(self, typed, whole):
        if self.name == "fish":
            done = subprocess.run(["fish", "--no-config", "-c", f"source {self.script}; complete -C {typed!r}"], text=True,
                                  env=self.cli.environment, capture_output=True, timeout=120, check=False, cwd=self.cli.dir)
            self.shown = done.stdout + done.stderr
            return whole in [line.split("\t")[0] for line in done.stdout.splitlines()]
        self.type(typed + "\t")
        is_there = self.expect(typed) and self.expect(whole[len(typed.split(" ")[-1]):], 10)
        self.type("\x15")
        return is_there

    def completes(self, typed, whole):
        """At a Tab the last word, of which this is the beginning, becomes the whole one. Names of the cloud are given up
        after three seconds, which a busy machine may need: then a user would press Tab again."""
        for _ in range(5):
            if self.offers(typed, whole):
                return
        raise AssertionError(f"{typed!r} does not become {whole!r}: {self.shown!r}")


def test_words_of_the_tables(shell):
    shell.completes("skydir instan", "instances")
    shell.completes("skydir instances cons", "console")
    shell.completes("skydir dns zones exp", "export")
    shell.completes("skydir instances reboot x --mode ha", "hard")
    shell.completes("skydir instances create x --secur", "--security-group")


def test_live_names_come_from_the_socket(shell):
    daemon = subprocess.Popen([str(harness.SKYDIR), "daemon"], env=shell.cli.environment, stdout=subprocess.PIPE, text=True)
    try:
        assert daemon.stdout.readline().strip().endswith(".sock")
        assert len(shell.cli("instances", "list").items) == 2  # it has signed in
        server = shell.cli.server
        server.requests.clear()
        shell.completes("skydir instances get alp", "alpha-one")
        shell.completes("skydir instances create x --flavor a4", "a4.big+")
        heard = [r.path for r in server.requests]
        assert any(p.endswith("/servers/detail") for p in heard) and not any("/identity/" in p for p in heard), heard
    finally:
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(60) == 0


def test_a_shell_without_a_daemon_asks_itself(shell):
    shell.completes("skydir instances delete bet", "beta-two")
    assert re.search("servers/detail", str([r.path for r in shell.cli.server.requests]))
