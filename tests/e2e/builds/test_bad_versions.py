"""Versions that cannot or must not be built: each ends with words, and nothing is left behind."""

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from apps.builds.models import Bento, Build
from apps.jobs.models import Job
from apps.registry.formats import FORMATS
from apps.registry.models import ArtifactFile
from apps.registry.store import store
from placet.kernel.config import ROOT, config
from tests.integration.jobs.conftest import database_url
from tests.support.bentos import register
from tests.support.cache import RUNTIMES
from tests.support.factories import ApiClient
from tests.support.models import Trained, onnx_model, sklearn_model
from workers import build_job

pytestmark = [pytest.mark.e2e]
SIGNATURE = {
    "inputs": [{"name": "age", "type": "double"}],
    "outputs": [{"name": "prediction", "type": "double"}],
}
Run = Callable[..., int]


def version(data: bytes, **facts: Any) -> Trained:
    """Return a version whose one file is ``data``."""
    import sklearn

    given = {
        "signature": SIGNATURE,
        "example": [{"age": 1.0}],
        "requirements": [f"scikit-learn=={sklearn.__version__}"],
    }
    return Trained("sklearn", {"model.pkl": data}, {**given, **facts})


def build(ada: ApiClient, trained: Trained, run_jobs: Run) -> Any:
    """Register and build; return how the build ended."""
    address = register(ada, "odd", trained)
    asked = ada.post(f"{address}/builds").json()
    run_jobs("build")
    ended = ada.get(f"/builds/{asked['id']}").json()
    assert list(build_job.workplaces().glob("*")) == []
    return ended


def evidence(ada: ApiClient, kind: str) -> Any:
    """Return the newest evidence of one kind."""
    items = ada.get("/projects/risk/models/odd/versions/1/evidence").json()["items"]
    return next(item["data"] for item in items if item["kind"] == kind)


class Canary:
    """Touches a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.path}",)


def test_a_hostile_pickle_is_refused_and_never_loaded(
    ada: ApiClient, run_jobs: Run, worker: Path
) -> None:
    canary = worker / "canary"
    ended = build(ada, version(pickle.dumps(Canary(canary))), run_jobs)
    assert ended["state"] == "failed"
    assert "malicious" in ended["error"]
    assert evidence(ada, "scan")["verdict"] == "malicious"
    assert not canary.exists()
    assert not Bento.objects.exists()


def test_code_that_the_scan_lets_through_still_runs_in_the_sandbox_only(
    ada: ApiClient, run_jobs: Run, worker: Path
) -> None:
    """``numpy.memmap`` makes files and belongs to a model library: only the sandbox holds it."""
    canary = worker / "canary"
    call = b"\x80\x04\x8c\x05numpy\x8c\x06memmap\x93("
    for text in (str(canary), "uint8", "w+"):
        call += b"X" + len(text.encode()).to_bytes(4, "little") + text.encode()
    call += b"K\x00K\x08tR."
    ended = build(ada, version(call), run_jobs)
    assert evidence(ada, "scan")["verdict"] == "code-carrying"
    assert ended["state"] == "failed"
    assert not canary.exists()


def test_a_requirement_that_does_not_exist_is_named(ada: ApiClient, run_jobs: Run) -> None:
    trained = version(pickle.dumps([1]), requirements=["scikit-learn==0.0.99"])
    ended = build(ada, trained, run_jobs)
    assert ended["state"] == "failed"
    assert "cannot be resolved" in ended["error"]
    assert "scikit-learn" in ended["error"]
    assert "://" not in ended["error"]


def test_a_python_that_is_not_here_is_named(ada: ApiClient, run_jobs: Run) -> None:
    ended = build(ada, version(pickle.dumps([1]), python_version="3.10"), run_jobs)
    assert ended["state"] == "failed"
    assert "Python 3.10" in ended["error"]
    assert f"{sys.version_info.major}.{sys.version_info.minor}" in ended["error"]


def test_a_service_that_never_becomes_ready_fails_with_its_last_words(
    ada: ApiClient, run_jobs: Run
) -> None:
    unknown = b"\x80\x04\x8c\x0anot_a_lib1\x8c\x05Model\x93)R."
    ended = build(ada, version(unknown), run_jobs)
    assert ended["state"] == "failed"
    assert "never became ready" in ended["error"]
    assert "No module named 'not_a_lib1'" in ended["error"]
    assert ended["timings"] == {}
    log = ada.get(f"/builds/{ended['id']}/log").json()["lines"]
    assert any("not_a_lib1" in line["text"] for line in log)


def test_bytes_that_changed_in_the_store_are_noticed(ada: ApiClient, run_jobs: Run) -> None:
    address = register(ada, "odd", version(pickle.dumps([1])))
    asked = ada.post(f"{address}/builds").json()
    blob = store().path(ArtifactFile.objects.get().sha256)
    blob.chmod(0o600)
    blob.write_bytes(pickle.dumps([2]))
    run_jobs("build")
    ended = ada.get(f"/builds/{asked['id']}").json()
    assert ended["state"] == "failed"
    assert "not those that were uploaded" in ended["error"]


def test_a_model_that_predicts_something_else_is_marked_different(
    ada: ApiClient, run_jobs: Run
) -> None:
    trained = sklearn_model()
    trained.facts["expected"][0] = {"prediction": 7, "probability": 0.5}
    ended = build(ada, trained, run_jobs)
    assert ended["state"] == "succeeded"
    found = evidence(ada, "smoke_test")
    assert (found["result"], found["equal"], found["rows"]) == ("different", 4, 5)


@pytest.mark.parametrize("point", ["builds.after_build", "builds.before_commit_success"])
def test_another_worker_takes_over_when_one_is_killed(
    ada: ApiClient, run_jobs: Run, worker: Path, tmp_path: Path, point: str
) -> None:
    address = register(ada, "odd", sklearn_model())
    asked = ada.post(f"{address}/builds").json()
    (tmp_path / point).touch()
    code = (
        "import django; django.setup()\n"
        "import workers.tasks\n"
        "from apps.jobs.actions import run_due\n"
        "run_due('build', 1)\n"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}",
        "DJANGO_SETTINGS_MODULE": "placet.settings",
        "PLACET_DATABASE_URL": database_url(),
        "PLACET_DATA_DIR": str(config().data_dir),
        "PLACET_RUNTIMES_DIR": str(RUNTIMES),
        "PLACET_PROCESS": "build",
        "PLACET_CRASH_FOLDER": str(tmp_path),
    }
    killed = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, timeout=180
    )
    assert killed.returncode == -9, killed.stderr[-2000:]
    half = Build.objects.get(pk=asked["id"])
    assert (half.state, half.bento_digest) == ("running", "")
    Job.objects.filter(pk=half.job).update(lease_until=half.created_at)  # its lease runs out
    run_jobs("build")
    ended = ada.get(f"/builds/{asked['id']}").json()
    assert (ended["state"], ended["error"]) == ("succeeded", "")
    runtime = Bento.objects.get().runtime_id.removeprefix("sha256:")
    assert list(build_job.workplaces().glob("*")) == []
    # other tests make other runtimes in this folder at the same time
    assert list(RUNTIMES.glob(f".making-{runtime}-*")) == []
    log = ada.get(f"/builds/{asked['id']}/log").json()["lines"]
    assert any("Starting again" in line["text"] for line in log)


def test_a_library_from_before_it_was_looked_at_takes_safe_away(
    ada: ApiClient, run_jobs: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = {"onnxruntime": {"onnxruntime": "1000"}}
    monkeypatch.setitem(FORMATS, "onnx", replace(FORMATS["onnx"], safe_from=tried))
    ended = build(ada, onnx_model(), run_jobs)
    assert (ended["state"], ended["error"]) == ("succeeded", "")
    scan = evidence(ada, "scan")
    assert scan["verdict"] == "code-carrying"
    assert "use onnxruntime 1000 or newer" in json.dumps(scan["findings"])
