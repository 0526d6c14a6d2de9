"""Purpose: `skydir RESOURCE VERB` as a user runs it, with a home and an environment of its own."""

import json
import os
import shutil
import subprocess

import harness
import known_secrets


class Result:
    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def json(self):
        assert self.code == 0, self.err
        return json.loads(self.out) if self.out.strip() else None

    @property
    def items(self):
        found = self.json
        assert found["count"] == len(found["items"])
        return found["items"]


class Cli:
    """config: the text of skydir.conf, or None for no file. environment: variables of the provider."""

    def __init__(self, environment=None, config=None):
        self.dir = harness.scratch_dir("skydir-cli-")
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(self.dir), "XDG_RUNTIME_DIR": str(self.dir),
                            **{k: v for k, v in os.environ.items() if k.startswith(("ASAN_", "UBSAN_", "TSAN_"))},
                            **(environment or {})}
        if config is not None:
            (self.dir / "skydir.conf").write_text(config)
            (self.dir / "skydir.conf").chmod(0o600)
            self.environment["SKYDIR_CONFIG"] = str(self.dir / "skydir.conf")

    def run(self, *arguments, stdin="", **environment):
        done = Result(subprocess.run([str(harness.SKYDIR), *arguments], input=stdin, text=True, capture_output=True,
                                     env={**self.environment, **environment}, timeout=300, check=False))
        shown = known_secrets.shown_in((done.out + "\n" + done.err).encode())
        assert not shown, f"skydir {' '.join(arguments)} shows {shown}"
        return done

    def __call__(self, *arguments, **more):
        """With --output json."""
        return self.run(*arguments, "--output", "json", **more)

    def close(self):
        """What skydir wrote (state, caches) holds no secret."""
        written = [p for top in (".local", ".cache") for p in (self.dir / top).rglob("*") if p.is_file()]
        shown = [(str(p.relative_to(self.dir)), names) for p in written if (names := known_secrets.shown_in(p.read_bytes()))]
        shutil.rmtree(self.dir, ignore_errors=True)
        assert not shown, f"secrets stand in {shown}"

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.close()
