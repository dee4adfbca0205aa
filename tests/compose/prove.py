"""``make compose``: docker-compose.yml for real, from nothing to nothing.

Docker Engine of Debian's packages, base images made here, the image built without a network, every
service healthy, the demo's path driven from outside over TLS, everything restarted, taken down and
put away. What was seen is written to ``proofs/results/compose-DATE-COMMIT.json``.
"""

import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "platform"), str(ROOT)]

from apps.operations.demo.people import DemoPerson  # noqa: E402
from apps.operations.demo.story import DemoStory  # noqa: E402
from proofs.record import RESULTS, commit  # noqa: E402
from tests.compose.engine import Engine, install, run  # noqa: E402
from workers.builder.requirements import gather  # noqa: E402

LASTING = ("postgres", "redis", "web", "worker", "worker-build", "node")
WEB, ENDPOINTS = "https://placet.localhost:8443", "https://models.localhost:9443"
# what each process must be able to read, and must not
MAY_READ = {
    "web": (
        {
            "keys/decision.key",
            "keys/access.key",
            "keys/witness.key",
            "secrets/web/placet_secret_key",
            "tls/web.key",
        },
        {
            "keys/state.key",
            "keys/log.key",
            "keys/secret.key",
            "keys/build.key",
            "tls/endpoints.key",
        },
    ),
    "worker": (
        {
            "keys/state.key",
            "keys/log.key",
            "keys/secret.key",
            "secrets/worker/placet_database_url",
        },
        {
            "keys/decision.key",
            "keys/witness.key",
            "keys/build.key",
            "secrets/web/placet_secret_key",
            "tls/web.key",
        },
    ),
    "worker-build": (
        {"keys/build.key", "keys/model-signing.key"},
        {
            "keys/decision.key",
            "keys/state.key",
            "keys/secret.key",
            "secrets/web/placet_token_key",
        },
    ),
    "node": ({"tls/endpoints.key"}, {"secrets/worker", "keys/keys.json", "tls/web.key"}),
}
NEVER = {"keys/root.key", "secrets/owner/placet_database_url", "secrets/postgres/superuser"}


class Failed(Exception):
    """The installation did not do what it must."""


def must(condition: object, sentence: str) -> None:
    """Raise unless ``condition`` holds."""
    if not condition:
        raise Failed(sentence)


class Proof:
    """One run, and what it found."""

    def __init__(self, engine: Engine, work: Path) -> None:
        self.engine, self.work = engine, work
        self.result: dict[str, Any] = {
            "what": "docker compose: build, up, the demo's path over TLS, restart, down",
            "date": datetime.now(tz=UTC).isoformat(timespec="seconds"),
            "commit": commit(),
            "seconds": {},
            "passed": False,
        }

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Note how long something takes."""
        print(f"== {name}", flush=True)
        begun = time.monotonic()
        yield
        self.result["seconds"][name] = round(time.monotonic() - begun, 1)

    def compose(self, *words: str) -> str:
        """Run docker compose on the file at the root, with its defaults."""
        place = ("--project-directory", str(ROOT), "--env-file", str(ROOT / ".env.example"))
        wheels = {"PLACET_WHEELS": str(self.work / "runtime"), "PLACET_OFFLINE": "1"}
        return self.engine.docker("compose", *place, *words, **wheels)

    def fetch_wheels(self) -> None:
        """Download what the image and the demo's models are made of, by hash."""
        lock = self.work / "runtime.txt"
        wanted = [f"{name}=={version(name)}" for name in ("scikit-learn", "pandas")]
        resolve = [
            str(Path(sys.executable).with_name("uv")),
            "pip",
            "compile",
            "-q",
            "--only-binary",
            ":all:",
            "--generate-hashes",
            "--no-emit-index-url",
            "--python",
            sys.executable,
            "-o",
            str(lock),
            "-",
        ]
        run(*resolve, text="\n".join(gather(wanted, "sklearn")) + "\n")
        ours = [ROOT / "requirements" / f"{name}.txt" for name in ("boot", "server", "site")]
        locks = {"image": ours, "runtime": [lock]}
        for name, files in locks.items():
            run(
                sys.executable,
                "-m",
                "pip",
                "download",
                "-q",
                "--require-hashes",
                "--no-deps",
                "--only-binary",
                ":all:",
                "-d",
                str(self.work / name),
                *(word for file in files for word in ("-r", str(file))),
            )

    def build(self) -> None:
        """Build the image as the Dockerfile says for a machine without a network."""
        self.engine.docker(
            "build",
            "-q",
            "--network",
            "none",
            "-t",
            "placet:local",
            "--build-context",
            f"wheels={self.work / 'image'}",
            "-f",
            str(ROOT / "platform/deploy/Dockerfile"),
            str(ROOT),
        )
        size = self.engine.docker("image", "inspect", "-f", "{{.Size}}", "placet:local")
        history = self.engine.docker("history", "--no-trunc", "placet:local")
        self.result["image_mb"] = round(int(size) / 1e6)
        must("PRIVATE KEY" not in history and "password" not in history.lower(), "a secret in it")

    def up(self) -> None:
        """Start everything; every lasting service must be healthy."""
        self.compose("up", "-d", "--wait", *LASTING)
        self.result["containers"] = {name: self.inspect(name) for name in LASTING}
        for name, found in self.result["containers"].items():
            must(found["health"] == "healthy", f"{name} is {found['health']}")
            must(found["user"].split(":")[0] not in ("", "0", "root"), f"{name} runs as root")
            must(found["read_only"] and found["cap_drop"] == ["ALL"], f"{name} is not confined")
        authority = self.work / "ca.pem"
        self.compose("cp", "web:/etc/placet/tls/ca.pem", str(authority))
        os.environ["SSL_CERT_FILE"] = str(authority)

    def inspect(self, service: str) -> dict[str, Any]:
        """Return how a service's container runs."""
        container = self.compose("ps", "-q", service).strip()
        (found,) = json.loads(self.engine.docker("inspect", container))
        host = found["HostConfig"]
        return {
            "health": found["State"]["Health"]["Status"],
            "user": found["Config"]["User"],
            "read_only": host["ReadonlyRootfs"],
            "cap_drop": host["CapDrop"],
            "security_opt": host["SecurityOpt"],
            "memory_mb": host["Memory"] >> 20,
            "pids": host["PidsLimit"],
            "restarts": found["RestartCount"],
        }

    def readable(self) -> None:
        """Look, as each process, at files that it needs and at files of others."""
        for service, (own, foreign) in MAY_READ.items():
            for path in own | foreign | NEVER:
                done = subprocess.run(
                    [
                        "docker",
                        "compose",
                        "--project-directory",
                        str(ROOT),
                        "exec",
                        "-T",
                        service,
                        "test",
                        "-r",
                        f"/etc/placet/{path}",
                    ],
                    env=self.engine.environment,
                    capture_output=True,
                    check=False,
                )
                must(
                    (done.returncode == 0) == (path in own),
                    f"{service} {'cannot' if path in own else 'can'} read {path}",
                )

    def transport(self) -> None:
        """TLS with the trial's authority and no other; nothing answers plain HTTP."""
        for url in (f"{WEB}/readyz", f"{ENDPOINTS}/healthz"):
            must(httpx.get(url).status_code == 200, f"{url} does not answer")
            must(
                refused(
                    lambda url=url: httpx.get(
                        url, verify=ssl.create_default_context(cadata=_other_authority())
                    )
                ),
                f"{url} is believed by a stranger",
            )
            plain = url.replace("https", "http")
            must(refused(lambda url=plain: httpx.get(url).raise_for_status()), f"{plain} answers")

    def drive(self) -> None:
        """Walk the demo's path through the API, as people and their tokens do."""
        answer = self.compose("run", "--rm", "-T", "prepare", "manage", "prepare", "--demo")
        facts = json.loads(answer.strip().splitlines()[-1])
        self.people = {
            p["role"]: DemoPerson.sign_in(
                WEB, role=p["role"], name=p["name"], email=p["email"], password=p["password"]
            )
            for p in facts["people"]
        }
        story = DemoStory(WEB, self.people, lambda text: print(text, flush=True))
        self.result["story"] = story.tell()

    def try_it(self) -> None:
        """A prediction by way of the web process, which trusts the trial's authority too."""
        endpoint, row = self.endpoint()
        path = f"/endpoints/{endpoint['id']}/predict"
        answer = self.people["operator"].do("POST", path, {"instances": [row]})
        must(answer["status"] == 200, f"the page's trial got {answer}")

    def endpoint(self) -> tuple[dict[str, Any], dict[str, float]]:
        """Return the production endpoint and a row for it."""
        operator = self.people["operator"]
        items = operator.do("GET", "/projects/clinic/environments/production/endpoints")["items"]
        version = operator.do("GET", "/projects/clinic/models/breast-cancer/versions/1")
        return items[0], version["example"][0]

    def restart(self) -> None:
        """Restart every process; the endpoint must answer as before."""
        endpoint, row = self.endpoint()
        self.compose("restart", *LASTING)
        self.compose("up", "-d", "--wait", *LASTING)
        end = time.monotonic() + 120
        while (status := _status(f"{endpoint['url']}/predict", row)) != 200:
            must(time.monotonic() < end, f"after a restart the endpoint answers {status}")
            time.sleep(0.2)

    def down(self) -> None:
        """Take it down: no container, volume or network may be left."""
        self.compose("down", "-v", "--remove-orphans")
        networks = ("network", "ls", "-q", "-f", "type=custom")
        for kind in (("ps", "-aq"), ("volume", "ls", "-q"), networks):
            must(not self.engine.docker(*kind).strip(), f"something is left of docker {kind[0]}")

    def go(self) -> None:
        """Do all of it."""
        steps: list[tuple[str, Callable[[], object]]] = [
            ("base images", self.engine.make_bases),
            ("wheels", self.fetch_wheels),
            ("image", self.build),
            ("up", self.up),
            ("who reads what", self.readable),
            ("tls", self.transport),
            ("demo's path", self.drive),
            ("try it", self.try_it),
            ("restart", self.restart),
            ("down", self.down),
        ]
        self.result["docker"] = self.engine.docker("version", "-f", "{{.Server.Version}}").strip()
        self.result["compose"] = self.engine.docker("compose", "version", "--short").strip()
        for name, step in steps:
            with self.timed(name):
                step()

    def logs(self) -> str:
        """Return what the services said last, for a person who looks for a fault."""
        try:
            return self.compose("logs", "--no-color", "--tail", "40")
        except RuntimeError as error:
            return str(error)


def refused(call: Callable[[], object]) -> bool:
    """Tell whether a call fails."""
    try:
        call()
    except (httpx.HTTPError, OSError):
        return True
    return False


def _status(url: str, row: dict[str, float]) -> int:
    try:
        return httpx.post(url, json=row, timeout=30).status_code
    except httpx.HTTPError:
        return 0


def _other_authority() -> str:
    """Return one of this machine's usual authorities."""
    bundle = Path("/etc/ssl/certs/ca-certificates.crt").read_text()
    return bundle.partition("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"


def know_loopback_names() -> None:
    """Resolve ``*.localhost`` as RFC 6761 says; a resolver without systemd does not."""
    plain = socket.getaddrinfo

    def resolve(host: Any, *rest: Any, **named: Any) -> Any:
        own = isinstance(host, str) and host.endswith(".localhost")
        return plain("127.0.0.1" if own else host, *rest, **named)

    socket.getaddrinfo = resolve


def main() -> int:
    """Run the proof; 1 when anything was wrong or left behind."""
    parser = ArgumentParser(description="Prove docker-compose.yml with a Docker Engine of its own.")
    parser.add_argument("--folder", type=Path, help="where the engine keeps its data meanwhile")
    parser.add_argument("--memory", action="store_true", help="keep it in memory (about 6 GB)")
    options = parser.parse_args()
    know_loopback_names()
    install()
    work = Path(tempfile.mkdtemp(prefix="placet-compose-", dir=options.folder))
    engine = Engine(work / "engine", memory=options.memory)
    proof = Proof(engine, work)
    try:
        engine.start()
        proof.go()
        proof.result["passed"] = True
    except Exception as error:
        proof.result["fault"] = f"{type(error).__name__}: {error}"[:4000]
        print(proof.logs(), flush=True)
    finally:
        proof.result["left"] = engine.close()
        shutil.rmtree(work, ignore_errors=True)
    good = proof.result["passed"] and not proof.result["left"]
    name = f"compose-{datetime.now(tz=UTC):%Y%m%d-%H%M}-{proof.result['commit'][:12]}.json"
    out = RESULTS / name
    out.write_text(json.dumps(proof.result, indent=1) + "\n")
    print(f"{out.name}: {'ok' if good else proof.result.get('fault', proof.result['left'])}")
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
