"""A platform and a node that joined it, with real HAProxy and real sandboxed replicas."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from placet_agent.client import Client
from placet_agent.downloads.pythons import Interpreters
from placet_agent.downloads.runtimes import RuntimeFolder
from placet_agent.loop import Agent, Options, stop_everything
from placet_agent.state.data_dir import Home
from placet_agent.state.joining import join
from tests.integration.agent.control import Platform
from tests.integration.agent.load import LOADS
from tests.integration.agent.run_agent import HURRY, OPTIONS
from tests.support.forking import Forked, Forker

ROOT = Path(__file__).resolve().parents[3]
PATH = "/cancer/production/screening"
PATHS = {"PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}"}


def free_port() -> int:
    """Return a port that nobody has now."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


@dataclass
class NodeUnderTest:
    """A joined node; its agent runs in a thread, or in a process that can be killed."""

    platform: Platform
    home: Home
    port: int
    forker: Forker | None = None  # of agents in processes
    agents: list[Agent] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)
    processes: list[subprocess.Popen[bytes] | Forked] = field(default_factory=list)

    @property
    def agent(self) -> Agent:
        """The agent that runs in a thread."""
        return self.agents[-1]

    def start(self, options: Options = OPTIONS) -> None:
        """Run the agent in a thread."""
        agent = Agent(self.home, options)
        thread = threading.Thread(target=agent.run, name="agent")
        thread.start()
        self.agents.append(agent)
        self.threads.append(thread)

    def stop(self) -> None:
        """Stop the agent as SIGTERM does; what serves goes on."""
        for agent in self.agents:
            agent.stop()
        self.platform.hang_up()  # an agent waits for its poller, which waits for a state
        for thread in self.threads:
            thread.join(timeout=20)

    def start_process(self, **more: str) -> None:
        """Run the agent in a process of its own, with ``more`` in its environment."""
        assert self.forker is not None
        folder, environment = self.home.folder, {**os.environ, **PATHS, **more}
        forked = self.forker.start(str(folder), environment, folder / "agent.log")
        self.processes.append(forked)

    def kill_process(self) -> None:
        """End the agent's process as ``kill -9`` does."""
        self.processes[-1].send_signal(signal.SIGKILL)
        self.processes[-1].wait(timeout=10)

    def get(self, path: str = "/who", **options: Any) -> httpx.Response:
        """Call the endpoint over a new connection."""
        return httpx.get(f"http://127.0.0.1:{self.port}{PATH}{path}", timeout=20, **options)

    def who(self) -> str:
        """Return the name of the Bento that answers, or the status."""
        response = self.get()
        return str(response.json()["name"]) if response.status_code == 200 else str(response)

    def clean(self) -> None:
        """End everything."""
        self.stop()
        for process in self.processes:
            process.kill()
            process.wait(timeout=10)
        stop_everything(self.home)
        for agent in self.agents:
            assert not agent.proxy.process.alive
            for replica in list(agent.replicas.all.values()):
                if replica.child is not None:
                    replica.child.wait(timeout=10)


def a_platform() -> Platform:
    """Return a platform for nodes with this Python."""
    return Platform(f"{sys.version_info.major}.{sys.version_info.minor}")


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runtime of the interpreter alone, as an agent installs it: once for all tests.

    What happens while one is installed is ``test_installing.py``'s.
    """
    made = a_platform()
    home = Home(tmp_path_factory.mktemp("installed") / "node")
    join(home, made.url, made.token, root="", port=free_port(), pythons=[])
    member = home.membership()
    client = Client(member.url, home.key, member.node)
    runtimes = RuntimeFolder(home.folder / "runtimes", client, Interpreters([]))
    runtimes.install(made.runtime)
    client.close()
    made.close()
    return runtimes.folder / made.runtime.removeprefix("sha256:")


def equip(home: Home, runtime: Path) -> None:
    """Lay a runtime into a node's folder, as it lies there once it is installed."""
    home.make()
    shutil.copytree(runtime, home.folder / "runtimes" / runtime.name, symlinks=True)


@pytest.fixture
def platform() -> Iterator[Platform]:
    """A platform without endpoints."""
    made = a_platform()
    yield made
    made.close()


@pytest.fixture(scope="session")
def forker() -> Iterator[Forker]:
    """The program that forks agents."""
    script = Path(__file__).with_name("run_agent.py")
    made = Forker([sys.executable, str(script), "--fork"], {**os.environ, **PATHS})
    yield made
    made.close()


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Agents that run in this process report as often as those that run in their own."""
    for module, name, seconds in HURRY:
        monkeypatch.setattr(module, name, seconds)


@pytest.fixture(autouse=True)
def no_load_left() -> Iterator[None]:
    """The load of a test that failed before it ended it would fail those after it as well."""
    yield
    while LOADS:
        LOADS.pop().stop()


@pytest.fixture
def joined(
    platform: Platform, tmp_path: Path, runtime: Path, forker: Forker
) -> Iterator[NodeUnderTest]:
    """A node that joined and has the runtime; its agent does not run yet."""
    port = free_port()
    home = Home(tmp_path / "node")
    join(home, platform.url, platform.token, root="", port=port, pythons=[])
    equip(home, runtime)
    node = NodeUnderTest(platform, home, port, forker)
    yield node
    node.clean()


@pytest.fixture
def node(joined: NodeUnderTest) -> NodeUnderTest:
    """A node whose agent runs in a thread."""
    joined.start()
    return joined
