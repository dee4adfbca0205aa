"""Real builds and real served Bentos for tests."""

import contextlib
import hashlib
import io
import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.registry.store import Store
from placet.embedded.supervisor import free_port
from placet_verify import canonical
from placet_verify.archive import extract
from placet_verify.signing.keys import PrivateKey
from tests.support.cache import RUNTIMES
from tests.support.factories import ApiClient
from tests.support.models import Trained
from workers.builder import pipeline
from workers.builder.runtimes import RuntimeCache
from workers.builder.sandbox import Sandbox
from workers.builder.spec import BuildResult, BuildSpec, SourceFile


def build(trained: Trained, number: int, folder: Path) -> BuildResult:
    """Build a Bento as the build worker does."""
    store, sandbox = Store(folder / "store"), Sandbox.detect()
    files = []
    for path, data in trained.files.items():
        sha256, size = store.put_stream(io.BytesIO(data))
        files.append(SourceFile(path, sha256, size))
    spec = BuildSpec(
        build=f"bld_{number}",
        project="prj_1",
        version=f"ver_{number}",
        model="tumour",
        number=number,
        format=trained.format,
        artifact_digest=canonical.digest(
            [{"path": f.path, "size": f.size, "sha256": f.sha256} for f in files]
        ),
        files=tuple(files),
        **{k: v for k, v in trained.facts.items() if k != "requirements"},
        requirements=tuple(trained.facts["requirements"]),
    )
    workshop = pipeline.Workshop(
        store=store,
        runtimes=RuntimeCache(RUNTIMES, store, sandbox),
        sandbox=sandbox,
        build_key=PrivateKey.generate(),
    )
    return pipeline.run(
        spec,
        workshop=workshop,
        workdir=folder / "work",
        log=lambda step, text: None,
        cancelled=lambda: False,
    )


def register(client: ApiClient, model: str, trained: Trained) -> str:
    """Create, fill and finalise a version over the API; return its address."""
    client.post("/projects/risk/models", {"name": model})
    made = client.post(f"/projects/risk/models/{model}/versions", trained.facts)
    assert made.status_code == 201, made.content
    address = f"/projects/risk/models/{model}/versions/{made.json()['number']}"
    for path, data in trained.files.items():
        announced = {"path": path, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        upload = client.post(f"{address}/uploads", announced)
        if upload.status_code == 200:  # the store holds these bytes already
            continue
        sent = client.patch(
            f"/uploads/{upload.json()['upload']['id']}",
            raw=data,
            upload_offset="0",
            content_type="application/offset+octet-stream",
        )
        assert sent.status_code < 300, sent.content
    finalised = client.post(f"{address}/finalise")
    assert finalised.status_code == 200, finalised.content
    return address


@dataclass
class Answer:
    """An HTTP answer."""

    status: int
    body: Any
    headers: dict[str, str]


@dataclass
class Served:
    """A Bento that is being served."""

    port: int

    def call(self, path: str, body: Any = None, raw: bytes | None = None) -> Answer:
        """GET, or POST when there is a body."""
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=data)
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return _answer(answer.status, answer.read(), answer.headers)
        except urllib.error.HTTPError as error:
            with error:
                return _answer(error.code, error.read(), error.headers)

    def predict(self, body: Any) -> Answer:
        """POST to /predict."""
        return self.call("/predict", body)


def _answer(status: int, raw: bytes, headers: Any) -> Answer:
    try:
        body = json.loads(raw)
    except ValueError:
        body = raw.decode("utf-8", "replace")
    return Answer(status, body, {k.lower(): v for k, v in headers.items()})


@contextlib.contextmanager
def served(archive: Path, python: Path, folder: Path, **variables: str) -> Iterator[Served]:
    """Unpack a Bento archive and serve it with plain ``bentoml serve`` on a loopback port."""
    shutil.rmtree(folder, ignore_errors=True)
    extract(archive, folder)
    # None of those that the kernel gives away: BentoML takes two of these for its own processes
    # before it listens on ours, and has taken that one.
    port = free_port(26_000 + os.getpid() % 500 * 4, 400)
    log = (folder.parent / "serve.log").open("wb")
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder.parent),
        "BENTOML_HOME": str(folder.parent),
        "BENTOML_DO_NOT_TRACK": "true",
        **variables,
    }
    server = subprocess.Popen(
        [
            "bwrap",
            "--dev-bind",
            "/",
            "/",
            "--unshare-pid",
            "--proc",
            "/proc",
            "--die-with-parent",
            str(python),
            "-m",
            "bentoml",
            "serve",
            str(folder),
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
        ],
        stdout=log,
        stderr=log,
        env=environment,
    )
    try:
        yield _ready(Served(port), server, folder.parent / "serve.log")
    finally:
        server.kill()
        server.wait()
        log.close()


def _ready(found: Served, server: subprocess.Popen[bytes], log: Path) -> Served:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError):
            if found.call("/readyz").status == 200:
                return found
        time.sleep(0.1)
    raise AssertionError(f"the Bento did not become ready:\n{log.read_text()[-3000:]}")
