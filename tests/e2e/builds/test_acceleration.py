"""A build that is asked to accelerate serves ONNX when every row agrees, else the original."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from apps.builds.models import Bento
from apps.registry.store import store
from placet.kernel.keystore import ring
from placet_verify.signing import dsse
from placet_verify.statements import ProvenanceStatement
from tests.support.bentos import register, served
from tests.support.cache import RUNTIMES
from tests.support.factories import ApiClient
from tests.support.models import (
    Trained,
    fine_differences,
    histogram_boosting,
    lightgbm_model,
    sklearn_shared,
    skops_model,
    xgboost_model,
)
from workers.builder.comparison import ACCELERATED
from workers.builder.smoke import same

pytestmark = [pytest.mark.e2e]
Run = Callable[..., int]
MODELS: dict[str, Callable[[], Trained]] = {
    "forest": sklearn_shared,
    "scaled logistic regression": skops_model,
    "xgboost": xgboost_model,
    "lightgbm": lightgbm_model,
    "histogram boosting with gaps": histogram_boosting,
}


def build(ada: ApiClient, address: str, run_jobs: Run, **choice: Any) -> Any:
    """Ask for a build, let the worker run, and return how it ended."""
    asked = ada.post(f"{address}/builds", choice)
    assert asked.status_code == 202, asked.content
    run_jobs("build")
    ended = ada.get(f"/builds/{asked.json()['id']}").json()
    assert (ended["state"], ended["error"]) == ("succeeded", "")
    return ended


def evidence(ada: ApiClient, address: str) -> dict[str, Any]:
    """Return the newest evidence by kind."""
    return {e["kind"]: e for e in reversed(ada.get(f"{address}/evidence").json()["items"])}


@pytest.mark.parametrize("kind", MODELS)
def test_equal_answers_are_served_from_onnx(
    kind: str, ada: ApiClient, run_jobs: Run, tmp_path: Path
) -> None:
    trained = MODELS[kind]()
    attached = "\n".join(json.dumps(row) for row in trained.facts["example"] * 10)
    trained.files["evaluation.jsonl"] = attached.encode()
    address = register(ada, "tumour", trained)
    ended = build(ada, address, run_jobs, accelerate=True)
    found = evidence(ada, address)
    fact = found["acceleration"]
    assert fact["source"] == "measured"
    assert fact["bento_digest"] == ended["bento_digest"]
    data = fact["data"]
    gaps = sum(not c.get("required", True) for c in trained.facts["signature"]["inputs"])
    assert (data["verdict"], data["rows"], data["equal"]) == ("accelerated", 55 + gaps, 55 + gaps)
    assert 0 <= data["max_absolute"] < 1e-5
    assert data["tolerance"] == {"absolute": 1e-5, "relative": 1e-5}
    assert "onnx" in data["converters"]
    assert found["smoke_test"]["data"]["result"] == "equal"
    bento = Bento.objects.get(pk=ended["bento_digest"])
    assert bento.accelerated
    envelope = dsse.Envelope.from_json(bento.provenance)
    assert ProvenanceStatement.parse(ring().verify(envelope, "build")).parameters["served"] == (
        "accelerated"
    )
    python = RUNTIMES / bento.runtime_id.removeprefix("sha256:") / "bin" / "python"
    rows = ada.get(address).json()["example"]
    with served(store().path(bento.digest), python, tmp_path / "bento") as service:
        assert (tmp_path / "bento" / "src" / "accelerated.onnx").is_file()
        answer = service.predict({"instances": rows})
        assert answer.status == 200, answer.body
        assert same(answer.body["predictions"], trained.facts["expected"], ACCELERATED)
        first = next(iter(rows[0]))
        wrong = service.predict({**rows[0], first: "wide"})
        assert (wrong.status, wrong.body["errors"][0]["pointer"]) == (400, f"/{first}")


def test_other_answers_keep_the_original_and_say_why(
    ada: ApiClient, run_jobs: Run, tmp_path: Path
) -> None:
    trained = fine_differences()
    address = register(ada, "line", trained)
    ended = build(ada, address, run_jobs, accelerate=True)
    found = evidence(ada, address)
    data = found["acceleration"]["data"]
    assert (data["verdict"], data["rows"]) == ("original", 5)
    assert data["max_absolute"] > 1e-3
    assert "answers otherwise: Row 0 is" in data["detail"]
    assert found["smoke_test"]["data"]["result"] == "equal"
    bento = Bento.objects.get(pk=ended["bento_digest"])
    assert not bento.accelerated
    log = ada.get(f"/builds/{ended['id']}/log").json()["lines"]
    assert any("The original model is served" in line["text"] for line in log)
    python = RUNTIMES / bento.runtime_id.removeprefix("sha256:") / "bin" / "python"
    with served(store().path(bento.digest), python, tmp_path / "bento") as service:
        assert not (tmp_path / "bento" / "src" / "accelerated.onnx").exists()
        answer = service.predict({"instances": trained.facts["example"]})
        assert same(answer.body["predictions"], trained.facts["expected"])


def test_without_rows_there_is_nothing_to_compare_and_the_original_stays(
    ada: ApiClient, run_jobs: Run
) -> None:
    trained = sklearn_shared()
    facts = {k: v for k, v in trained.facts.items() if k not in {"example", "expected"}}
    address = register(ada, "tumour", Trained("sklearn", trained.files, facts))
    build(ada, address, run_jobs, accelerate=True)
    data = evidence(ada, address)["acceleration"]["data"]
    assert (data["verdict"], data["rows"]) == ("original", 0)
    assert "nothing to compare on" in data["detail"]
