"""The command line, as an operator types it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from placet_agent.process.procs import ProcessRef
from placet_agent.state.files import read_json
from tests.integration.agent.conftest import ROOT, free_port
from tests.integration.agent.control import Platform

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "platform")}


def agent(*words: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "placet_agent", *words],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        check=False,
        timeout=120,
    )


def test_an_operator_joins_runs_and_stops_a_node(platform: Platform, tmp_path: Path) -> None:
    data, port = tmp_path / "node", free_port()
    early = agent("run", "--data", str(data))
    assert early.returncode == 1
    assert "placet-agent join" in early.stderr
    wrong = agent("join", platform.url, "--token", "x." + "0" * 64, "--data", str(data))
    assert wrong.returncode == 1
    assert "root key is not the one" in wrong.stderr

    joined = agent(
        "join", platform.url, "--token", platform.token, "--data", str(data), "--listen", str(port)
    )
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


def test_a_file_that_cannot_be_read_is_one_sentence(platform: Platform, tmp_path: Path) -> None:
    data = tmp_path / "node"
    agent("join", platform.url, "--token", platform.token, "--data", str(data))
    for name, command in (("memory.json", "show"), ("node.json", "stop"), ("node.key", "run")):
        before = (data / name).read_bytes()
        (data / name).write_bytes(b"")
        said = agent(command, "--data", str(data))
        assert said.returncode == 1
        assert said.stderr.splitlines()[-1].startswith(f"placet-agent: {data / name} cannot be")
        assert "Traceback" not in said.stderr
        (data / name).write_bytes(before)


def test_a_node_without_a_certificate_answers_to_this_machine_alone(
    platform: Platform, tmp_path: Path
) -> None:
    data, port = tmp_path / "node", free_port()
    agent(
        "join", platform.url, "--token", platform.token, "--data", str(data), "--listen", str(port)
    )
    refused = agent("run", "--data", str(data), "--bind", "0.0.0.0")
    assert (refused.returncode, refused.stderr) == (
        1,
        "placet-agent: without --tls-cert and --tls-key it answers to this machine alone:"
        " give both, or --bind 127.0.0.1, or --plain where others protect the way\n",
    )
    with running(data, tmp_path / "log"):
        health(port)
        assert listens(port) == ["127.0.0.1"]
    with running(data, tmp_path / "log", "--plain"):
        health(port)
        assert listens(port) == ["0.0.0.0"]


def test_a_node_that_answered_others_without_a_certificate_goes_on_and_says_so(
    platform: Platform, tmp_path: Path
) -> None:
    data, port = tmp_path / "node", free_port()
    agent(
        "join", platform.url, "--token", platform.token, "--data", str(data), "--listen", str(port)
    )
    with running(data, tmp_path / "log", "--plain"):  # as an agent of the release before did
        health(port)
    with running(data, tmp_path / "newer"):
        health(port)
        assert listens(port) == ["0.0.0.0"]
    assert "answers other machines without TLS, on *, as before" in (tmp_path / "newer").read_text()
    with running(data, tmp_path / "log", "--bind", "127.0.0.1"):
        health(port)
        assert listens(port) == ["127.0.0.1"]


def test_the_agent_brings_the_unit_that_runs_it() -> None:
    printed = agent("unit")
    lines = printed.stdout.splitlines()
    assert "EnvironmentFile=-/etc/placet/agent.env" in lines
    assert "ExecStart=/opt/placet-agent/bin/placet-agent run --data /var/lib/placet-agent" in lines
    unit = lines[lines.index("[Unit]") : lines.index("[Service]")]
    assert "StartLimitIntervalSec=0" in unit, "five quick ends would be its last"


@contextmanager
def running(data: Path, log: Path, *words: str) -> Iterator[None]:
    """Run the agent, and end it with all it started."""
    command = [sys.executable, "-m", "placet_agent", "run", "--data", str(data), "--stop-all"]
    with log.open("wb") as stderr:
        process = subprocess.Popen([*command, *words], env=ENVIRONMENT, stderr=stderr)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0, log.read_text()


def listens(port: int) -> list[str]:
    """Return the IPv4 addresses on which somebody listens at this port."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    found = [row[1].split(":") for row in rows if row[3] == "0A"]
    return [
        socket.inet_ntoa(bytes.fromhex(address)[::-1])
        for address, number in found
        if int(number, 16) == port
    ]


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
