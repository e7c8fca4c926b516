"""A head as a user starts it, `ray start --head`: reached as `HOST:PORT` and by Ray's client, with real cells."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.heavy, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
MARK = f"vitals-fleet-{os.getpid()}"
SECONDS = 400
# A token in the home of whoever runs this would be asked for; see findings/ray-token-of-an-earlier-cluster.sh.
RAY = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture(scope="module")
def head():
    """The ports of a head with one processor: of the cluster, and of Ray's client."""
    port, client = free_port(), free_port()
    ray = Path(sys.executable).with_name("ray")
    command = [str(ray), "start", "--head", "--block", f"--port={port}", "--num-cpus=1"]
    command += [f"--ray-client-server-port={client}", "--include-dashboard=false"]
    command += ["--labels=kind=desk", "--object-store-memory=100000000"]
    env = {**os.environ, **RAY, "VITALS_MARK": MARK}
    process = subprocess.Popen(
        command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    until = time.monotonic() + SECONDS
    while not (listens(port) and listens(client)):
        assert process.poll() is None
        assert time.monotonic() < until, "the head did not start"
        time.sleep(0.5)
    yield port, client
    process.terminate()  # with --block all of its processes end with it
    process.wait(120)


def listens(port):
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def bench(tmp_path, where, *options):
    command = [sys.executable, "-m", "pytest", str(ROOT / "bench"), "--fleet", where]
    command += ["--models", "mlp", "--size", "tiny", "--backend", "eager", "--out", str(tmp_path)]
    return subprocess.Popen(
        [*command, "-p", "no:cacheprovider", "-q", "--rootdir", str(ROOT), *options],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **RAY},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def records_in(folder):
    return [json.loads(x) for path in folder.rglob("records.jsonl") for x in path.open()]


def ours_on_nodes():
    """Return the processes of cells and launchers that the nodes of this test's head have started."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            environment = (folder / "environ").read_bytes() if folder.name.isdigit() else b""
            command = (folder / "cmdline").read_bytes() if environment else b""
        except OSError:
            continue
        if MARK.encode() in environment and b"suite.worker" in command:
            found.append(int(folder.name))
    return found


def test_rays_client_measures_as_a_driver_beside_the_head_does(head, tmp_path):
    port, client = head
    for name, where in (("driver", f"127.0.0.1:{port}"), ("client", f"ray://127.0.0.1:{client}")):
        process = bench(tmp_path / name, where, "--plan", "quick", "-k", "latency")
        told, _ = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, told[-3000:]
        assert [(r["step"], r["outcome"]) for r in records_in(tmp_path / name)] == [
            ("latency", "passed")
        ]
        assert "desk: 1 passed" in told


def test_ctrl_c_leaves_nothing_running_on_the_nodes(head, tmp_path):
    process = bench(tmp_path, f"127.0.0.1:{head[0]}", "--plan", "rigorous")
    until = time.monotonic() + SECONDS
    while not ours_on_nodes():
        assert process.poll() is None, process.communicate()[0][-3000:]
        assert time.monotonic() < until, "no cell began"
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=SECONDS)
    while ours_on_nodes():
        assert time.monotonic() < until, "cells go on after Ctrl-C"
        time.sleep(0.2)
    assert all(r["outcome"] != "crashed" for r in records_in(tmp_path))


def test_a_gate_on_a_node_judges_its_rows_in_both_arms(head, tmp_path):
    options = ("--against", "HEAD", "--anyway", "--plan", "quick")
    process = bench(tmp_path, f"127.0.0.1:{head[0]}", *options)
    told, _ = process.communicate(timeout=SECONDS)
    (found,) = tmp_path.glob("gates/*/verdict.json")
    verdict = json.loads(found.read_text())
    assert process.returncode == verdict["exit_code"], told[-3000:]
    (row,) = verdict["rows"]
    assert (row["model"], row["broken"], row["skipped"]) == ("mlp", "", "")
    assert row["verdict"]
    assert verdict["base"]["versions"] == verdict["head"]["versions"] != {}
    assert verdict["control"]["blocks"]
