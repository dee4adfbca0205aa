"""A ready BentoML project is built as it is: its own APIs, behind Placet's probes and headers."""

import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from apps.builds.models import Bento
from apps.registry.store import store
from tests.support.bentos import register, served
from tests.support.cache import RUNTIMES
from tests.support.factories import ApiClient
from tests.support.models import SHARED, Trained

pytestmark = [pytest.mark.e2e]
Run = Callable[..., int]
SERVICE = b"""import os
from pathlib import Path

import bentoml

WORD = Path("data/word.txt").read_text().strip()


@bentoml.service(name="AnythingAtAll", traffic={"timeout": 20})
class Greeter:
    @bentoml.api
    def greet(self, name: str, times: int = 1) -> dict:
        return {"text": " ".join([f"{WORD} {name}"] * times)}

    @bentoml.api
    def shout(self, name: str) -> str:
        return f"{WORD} {name}{os.environ.get('GREETED_BY', '!')}".upper()
"""
BUILD_FILE = b"""service: service:Greeter
labels:
  owner: risk-team
include: ["*.py", "data/"]
envs:
  - name: GREETED_BY
"""
FACTS = {
    "signature": {
        "inputs": [
            {"name": "name", "type": "string"},
            {"name": "times", "type": "long", "required": False},
        ],
        "outputs": [{"name": "text", "type": "string"}],
        "api": "greet",
    },
    "example": [{"name": "Ada"}, {"name": "Bo", "times": 2}],
    "expected": [{"text": "Hello Ada"}, {"text": "Hello Bo Hello Bo"}],
    "requirements": SHARED,
}

# What runs as `bentoml build` ends, when the Bento is whole
SWAP = b"""
import atexit
import json
import os
from pathlib import Path


def swap():
    for source in Path(os.environ["BENTOML_HOME"], "bentos").glob("*/*/src"):
        facts = json.loads((source / "placet.json").read_text())
        (source / "placet.json").write_text(json.dumps({**facts, "variables": ["OTHER"]}))
        (source / "data/word.txt").write_text("Goodbye")
        (source / "sitecustomize.py").write_text("raise SystemExit")
        (source / "placet_entry.py").unlink()
        (source.parent / "apis" / "sitecustomize.py").write_text("raise SystemExit")


atexit.register(swap)
"""
ELSE = b"""
import atexit
import os
from pathlib import Path


def start_another():
    for told in Path(os.environ["BENTOML_HOME"], "bentos").glob("*/*/bento.yaml"):
        told.write_text(told.read_text().replace("placet_entry:service", "service:Greeter"))


atexit.register(start_another)
"""


def project(service: bytes = SERVICE, **facts: Any) -> Trained:
    """Return a project, with what its author says of it."""
    files = {
        "bentofile.yaml": BUILD_FILE,
        "service.py": service,
        "data/word.txt": b"Hello\n",
        "notes/left_out.md": b"not included",
    }
    return Trained("bentoml", files, {**FACTS, **facts})


def build(ada: ApiClient, address: str, run_jobs: Run) -> Any:
    """Ask for a build, let the worker run, and return how it ended."""
    asked = ada.post(f"{address}/builds")
    assert asked.status_code == 202, asked.content
    run_jobs("build")
    return ada.get(f"/builds/{asked.json()['id']}").json()


def test_from_upload_to_its_own_apis(ada: ApiClient, run_jobs: Run, tmp_path: Path) -> None:
    address = register(ada, "greeter", project())
    version = ada.get(address).json()
    assert (version["format"], version["variables"]) == ("bentoml", ["GREETED_BY"])
    ended = build(ada, address, run_jobs)
    assert (ended["state"], ended["error"]) == ("succeeded", "")
    facts = {e["kind"]: e["data"] for e in ada.get(f"{address}/evidence").json()["items"]}
    assert (facts["smoke_test"]["result"], facts["smoke_test"]["equal"]) == ("equal", 2)
    assert facts["scan"]["verdict"] == "code-carrying"
    bento = Bento.objects.get(pk=ended["bento_digest"])
    python = RUNTIMES / bento.runtime_id.removeprefix("sha256:") / "bin" / "python"
    variables = {"PLACET_RELEASE": "rel_1", "PLACET_REVISION": "rev_1", "GREETED_BY": " by us"}
    with served(store().path(bento.digest), python, tmp_path / "bento", **variables) as service:
        greeted = service.call("/greet", {"name": "Eve", "times": 2})
        assert (greeted.status, greeted.body) == (200, {"text": "Hello Eve Hello Eve"})
        assert service.call("/shout", {"name": "Eve"}).body == "HELLO EVE BY US"
        assert greeted.headers["x-placet-model"] == "greeter:1"
        assert greeted.headers["x-placet-release"] == "rel_1"
        assert greeted.headers["x-placet-revision"] == "rev_1"
        assert service.call("/greet", {"times": 1}).status == 400
        for probe in ("/healthz", "/livez", "/readyz"):
            assert service.call(probe).status == 200
        sources = tmp_path / "bento" / "src"
        assert not (sources / "notes").exists()
        assert (sources / "service.py").read_bytes() == SERVICE
        assert json.loads((sources / "placet.json").read_text())["variables"] == ["GREETED_BY"]


def test_without_a_signature_it_is_only_known_to_start(ada: ApiClient, run_jobs: Run) -> None:
    address = register(
        ada, "greeter", Trained("bentoml", project().files, {"requirements": SHARED})
    )
    ended = build(ada, address, run_jobs)
    assert (ended["state"], ended["error"]) == ("succeeded", "")
    facts = {e["kind"]: e["data"] for e in ada.get(f"{address}/evidence").json()["items"]}
    assert facts["smoke_test"]["result"] == "starts"


def test_parts_of_an_image_in_its_source_are_refused(ada: ApiClient, run_jobs: Run) -> None:
    sly = SERVICE.replace(
        b'name="AnythingAtAll"',
        b'name="a", image=bentoml.images.Image().system_packages("git").run("id > /tmp/x")',
    )
    ended = build(ada, register(ada, "greeter", project(sly)), run_jobs)
    assert ended["state"] == "failed"
    assert "what its build file does not say" in ended["error"]
    assert not Bento.objects.exists()


def test_what_its_source_swaps_while_it_is_built_stays_as_it_was(
    ada: ApiClient, run_jobs: Run
) -> None:
    ended = build(ada, register(ada, "greeter", project(SERVICE + SWAP)), run_jobs)
    assert (ended["state"], ended["error"]) == ("succeeded", "")
    bento = Bento.objects.get(pk=ended["bento_digest"])
    with tarfile.open(store().path(bento.digest)) as tar:
        held = {name: tar.extractfile(name) for name in tar.getnames() if "." in name}
        texts = {name: file.read() for name, file in held.items() if file}
    assert json.loads(texts["src/placet.json"])["variables"] == ["GREETED_BY"]
    assert texts["src/data/word.txt"] == b"Hello\n"
    assert "src/placet_entry.py" in texts
    assert not any("sitecustomize" in name for name in texts)


def test_a_bento_that_would_start_another_service_ends_the_build(
    ada: ApiClient, run_jobs: Run
) -> None:
    ended = build(ada, register(ada, "greeter", project(SERVICE + ELSE)), run_jobs)
    assert ended["state"] == "failed"
    assert "what its build file does not say (service)" in ended["error"]
    assert not Bento.objects.exists()
