"""Purpose: what the control plane costs: the CPU of a small command, and of small calls on the socket with many clients.

    control.py [--commands N] [--clients N] [--calls N]      (scripts/bench --control builds first)

Counted is the CPU time of skydir alone (user and system), so that a busy machine and a slow server change little; the wall time
stands beside it. `instances list` asks a contract server of EC2 on 127.0.0.1; the daemon answers `version`, one call of each
client on its way at a time, and its memory is looked at before and after.
"""

import argparse
import os
import pathlib
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "servers"))
from ec2_contract import KEY, REGION, SECRET, Ec2Contract  # noqa: E402

SKYDIR = pathlib.Path(os.environ.get("SKYDIR_BUILD_DIR", TOP / "build" / "release")) / "skydir"
LINE = b'{"jsonrpc":"2.0","id":1,"method":"version"}\n'
TICKS = os.sysconf("SC_CLK_TCK")


def command(arguments, environment):
    """(CPU seconds, wall seconds) of one run."""
    began = time.monotonic()
    child = subprocess.Popen([SKYDIR, *arguments], env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"skydir {' '.join(arguments)}: exit code {child.returncode}")
    return usage.ru_utime + usage.ru_stime, time.monotonic() - began


def measure_commands(count, home):
    print(f"{'command':<34} {'CPU ms (median, least, most)':<32} wall ms (median)")
    with Ec2Contract() as server:
        environment = {"PATH": os.environ["PATH"], "HOME": home, "XDG_RUNTIME_DIR": home, "AWS_ACCESS_KEY_ID": KEY,
                       "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": REGION, "AWS_ENDPOINT_URL_EC2": server.endpoint}
        for arguments in (["--version"], ["help", "instances", "create"], ["instances", "list"],
                          ["instances", "list", "--output", "json"]):
            runs = [command(arguments, environment) for _ in range(count)]
            cpu = [c * 1000 for c, _ in runs]
            told = f"{statistics.median(cpu):.1f} ({min(cpu):.1f} to {max(cpu):.1f})"
            print(f"{'skydir ' + ' '.join(arguments):<34} {told:<32} {statistics.median(w for _, w in runs) * 1000:.1f}")


def cpu_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_kib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def call_all(path, clients, calls):
    """Each client sends its next call when the last was answered. The wall seconds."""
    selector, left = selectors.DefaultSelector(), calls
    for _ in range(clients):
        s = socket.socket(socket.AF_UNIX)
        s.connect(str(path))
        selector.register(s, selectors.EVENT_READ)
    began = time.monotonic()
    for key in list(selector.get_map().values()):
        key.fileobj.send(LINE)
    answered = 0
    left -= clients
    while answered < calls:
        for key, _ in selector.select():
            if not key.fileobj.recv(65536).endswith(b"\n"):
                raise SystemExit("an answer came in pieces, or none")
            answered += 1
            if left > 0:
                key.fileobj.send(LINE)
                left -= 1
    took = time.monotonic() - began
    for key in list(selector.get_map().values()):
        key.fileobj.close()
    return took


def measure_socket(clients, calls, home):
    environment = {"PATH": os.environ["PATH"], "HOME": home, "XDG_RUNTIME_DIR": home}
    daemon = subprocess.Popen([SKYDIR, "daemon"], env=environment)
    path = pathlib.Path(home) / "skydir" / f"{daemon.pid}.sock"
    try:
        while not path.exists():
            if daemon.poll() is not None:
                raise SystemExit("the daemon has ended")
            time.sleep(0.05)
        call_all(path, clients, clients * 50)  # what is made once is made
        memory, cpu = resident_kib(daemon.pid), cpu_s(daemon.pid)
        wall = call_all(path, clients, calls)
        cpu = cpu_s(daemon.pid) - cpu
        print(f"\n{calls} calls of {clients} clients: {cpu:.2f} s of the daemon's CPU ({calls / cpu:.0f} calls a CPU second), "
              f"{wall:.1f} s by the clock ({calls / wall:.0f} a second, the clients' own work with it)")
        print(f"memory: {memory} KiB before, {resident_kib(daemon.pid)} KiB after")
    finally:
        daemon.terminate()
        daemon.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--commands", type=int, default=20)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--calls", type=int, default=100000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        measure_commands(given.commands, home)
        measure_socket(given.clients, given.calls, home)


if __name__ == "__main__":
    main()
