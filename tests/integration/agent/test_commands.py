"""The command line, as an operator types it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx

from placet_agent.files import read_json
from placet_agent.procs import ProcessRef
from tests.integration.agent.conftest import ROOT, free_port
from tests.integration.agent.control import Platform

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "platform")}


def agent(*words: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "placet_agent", *words],
        capture_output=True, text=True, env=ENVIRONMENT, check=False, timeout=120,
    )  # fmt: skip


def test_an_operator_joins_runs_and_stops_a_node(platform: Platform, tmp_path: Path) -> None:
    data, port = tmp_path / "node", free_port()
    early = agent("run", "--data", str(data))
    assert early.returncode == 1
    assert "placet-agent join" in early.stderr
    wrong = agent("join", platform.url, "--token", "x." + "0" * 64, "--data", str(data))
    assert wrong.returncode == 1
    assert "root key is not the one" in wrong.stderr

    joined = agent("join", platform.url, "--token", platform.token, "--data", str(data),
                   "--listen", str(port))  # fmt: skip
    assert joined.stdout == "Joined here as nod_1.\n", joined.stderr
    assert json.loads(agent("show", "--data", str(data)).stdout)["port"] == port
    words = [sys.executable, "-m", "placet_agent", "run", "--data", str(data), "--stop-all"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(words, env=ENVIRONMENT, stderr=log)
    try:
        health(port)
        second = agent("run", "--data", str(data))
        assert (second.returncode, "already runs" in second.stderr) == (1, True)
        stored = read_json(data / "haproxy/process.json")
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0, (tmp_path / "log").read_text()

    assert not ProcessRef(stored["pid"], stored["start"]).alive
    assert agent("stop", "--data", str(data)).returncode == 0


def health(port: int) -> None:
    """Wait until the node answers."""
    end = time.monotonic() + 60
    while True:
        try:
            assert httpx.get(f"http://127.0.0.1:{port}/healthz").json() == {"status": "ok"}
            return
        except httpx.HTTPError:
            assert time.monotonic() < end
            time.sleep(0.05)
