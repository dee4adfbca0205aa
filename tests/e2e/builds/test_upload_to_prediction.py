"""A data scientist uploads a real model and gets a service that answers as the model does."""

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
    lightgbm_model,
    mlflow_model,
    onnx_model,
    regression,
    sklearn_model,
    skops_forest,
    skops_model,
    xgboost_model,
)
from workers.builder.smoke import same

pytestmark = [pytest.mark.e2e]

MODELS: dict[str, Callable[[], Trained]] = {
    "joblib": lambda: sklearn_model("joblib"),
    "pickle": lambda: sklearn_model("pickle"),
    "onnx": onnx_model,
    "mlflow": mlflow_model,
    "skops": skops_model,
    "skops with trees": skops_forest,
    "xgboost json": xgboost_model,
    "xgboost ubjson": lambda: regression("xgboost"),
    "lightgbm": lightgbm_model,
}
# What the scan must call code; the others are data alone. MLflow writes skops itself by now.
CODE = {"joblib", "pickle", "skops with trees"}


def build(ada: ApiClient, address: str, run_jobs: Callable[..., int]) -> Any:
    """Ask for a build, let the worker run, and return how it ended."""
    asked = ada.post(f"{address}/builds")
    assert asked.status_code == 202, asked.content
    run_jobs("build")
    return ada.get(f"/builds/{asked.json()['id']}").json()


@pytest.mark.parametrize("kind", MODELS)
def test_from_upload_to_equal_predictions(
    kind: str, ada: ApiClient, run_jobs: Callable[..., int], tmp_path: Path
) -> None:
    trained = MODELS[kind]()
    address = register(ada, "tumour", trained)
    ended = build(ada, address, run_jobs)
    assert (ended["state"], ended["error"], ended["isolation"]) == ("succeeded", "", "bwrap")
    facts = {e["kind"]: e for e in ada.get(f"{address}/evidence").json()["items"]}
    assert facts["smoke_test"]["data"]["result"] == "equal"
    assert facts["smoke_test"]["data"]["isolation"] == "bwrap"
    assert facts["smoke_test"]["bento_digest"] == ended["bento_digest"]
    assert facts["scan"]["data"]["verdict"] == ("code-carrying" if kind in CODE else "safe")
    version = ada.get(address).json()
    rows, expected = version["example"], trained.facts["expected"]
    column = next(iter(rows[0]))
    bento = Bento.objects.get(pk=ended["bento_digest"])
    python = RUNTIMES / bento.runtime_id.removeprefix("sha256:") / "bin" / "python"
    variables = {"PLACET_RELEASE": "rel_1", "PLACET_REVISION": "rev_1"}
    archive = store().path(bento.digest)
    with served(archive, python, tmp_path / "bento", **variables) as service:
        many = service.predict({"instances": rows})
        assert many.status == 200, many.body
        assert same(many.body["predictions"], expected)
        one = service.predict(rows[0])
        assert same(one.body["prediction"], expected[0])
        assert many.headers["x-placet-release"] == "rel_1"
        assert many.headers["x-placet-revision"] == "rev_1"
        assert many.headers["x-placet-model"] == "tumour:1"
        wrong = service.predict({"instances": [rows[0], {**rows[1], column: "wide"}]})
        assert wrong.status == 400
        assert wrong.headers["content-type"] == "application/problem+json"
        assert wrong.body["errors"][0]["pointer"] == f"/instances/1/{column}"
        assert service.call("/healthz").status == 200
        assert "bentoml" in str(service.call("/metrics").body)


def test_the_papers_of_a_bento_can_be_checked(ada: ApiClient, run_jobs: Callable[..., int]) -> None:
    address = register(ada, "tumour", sklearn_model())
    ended = build(ada, address, run_jobs)
    digest = ended["bento_digest"]
    envelope = dsse.Envelope.from_json(ada.get(f"/bentos/{digest}/provenance").content)
    statement = ProvenanceStatement.parse(ring().verify(envelope, "build"))
    assert (statement.bento_digest, statement.isolation) == (digest, "bwrap")
    assert statement.artifact_digest == ada.get(address).json()["artifact_digest"]
    bento = ada.get(f"/bentos/{digest}").json()
    runtime = ada.get(f"/runtimes/{bento['runtime']}").json()
    bill = b"".join(ada.get(f"/bentos/{digest}/sbom").streaming_content)
    assert all(wheel["sha256"].encode() in bill for wheel in runtime["wheels"])
    assert b"://" not in runtime["lock"].encode()
    signature = ada.get(f"/bentos/{digest}/model-signature")
    assert signature.status_code == 200
    assert b"dsseEnvelope" in signature.content


def test_a_second_build_of_the_same_lock_is_warm(
    ada: ApiClient, run_jobs: Callable[..., int]
) -> None:
    address = register(ada, "tumour", sklearn_model())
    build(ada, address, run_jobs)
    again = build(ada, address, run_jobs)
    assert again["state"] == "succeeded"
    assert again["timings"]["runtime"] < 1
    log = ada.get(f"/builds/{again['id']}/log").json()
    assert log["ended"]
    assert [line["number"] for line in log["lines"]] == list(range(1, log["after"] + 1))
    steps = list(dict.fromkeys(line["step"] for line in log["lines"]))
    assert steps == ["fetch", "scan", "runtime", "generate", "build", "smoke", "sbom", "export"]
