"""A version is frozen once nothing is missing, and then for ever."""

import io
import json
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytest

from apps.audit.models import Event
from apps.registry import actions, rules
from apps.registry.errors import AlreadyFinalised, ChangedMeanwhile
from apps.registry.models import ModelVersion, VersionState
from placet_verify import canonical
from tests.integration.registry.helpers import FACTS, SIGNATURE, Lab, sha256
from tests.unit.registry.test_odd_columns import ODD, TOLD, WRITERS

MLMODEL = b"""flavors:
  python_function: {python_version: 3.13.5}
signature:
  inputs: '[{"type": "long", "name": "age"}]'
  outputs: '[{"type": "long"}]'
"""


def finalise(lab: Lab, version: ModelVersion) -> Any:
    return lab.api.post(f"{lab.at(version)}/finalise")


def faults(answer: Any) -> dict[str, str]:
    return {error["pointer"]: error["detail"] for error in answer.json()["errors"]}


def test_a_complete_draft_is_frozen_with_the_digest_of_its_files(lab: Lab) -> None:
    version = lab.draft()
    lab.put(version, "model.joblib", b"a model")
    lab.put(version, "a/notes.txt", b"notes")
    answer = finalise(lab, version)
    assert answer.status_code == 200
    body = answer.json()
    manifest = [
        {"path": "a/notes.txt", "size": 5, "sha256": sha256(b"notes")},
        {"path": "model.joblib", "size": 7, "sha256": sha256(b"a model")},
    ]
    assert body["artifact_digest"] == canonical.digest(manifest)
    assert (body["state"], body["format"]) == ("finalised", "sklearn")
    assert body["finalised_at"]
    assert Event.objects.filter(kind="version.finalised.v1", subject=version.pk).count() == 1


def test_the_names_of_variables_are_frozen_and_logged_with_the_version(lab: Lab) -> None:
    version = lab.draft(variables=["MODE", "LEVEL"])
    lab.put(version, "model.joblib", b"a model")
    assert finalise(lab, version).json()["variables"] == ["MODE", "LEVEL"]
    logged = Event.objects.get(kind="version.finalised.v1", subject=version.pk)
    assert json.loads(logged.body)["after"][f"registry.modelversion:{version.pk}"]["variables"] == [
        "MODE",
        "LEVEL",
    ]
    assert lab.draft().variables == []


@pytest.mark.parametrize(("given", "names"), [([], ["MODE"]), (["LEVEL"], ["LEVEL"])])
def test_a_bentoml_project_names_its_variables_unless_the_author_does(
    lab: Lab, given: list[str], names: list[str]
) -> None:
    version = lab.draft(
        format="bentoml",
        requirements=[],
        signature=None,
        example=None,
        expected=None,
        variables=given,
    )
    lab.put(version, "service.py", b"")
    lab.put(version, "bentofile.yaml", b"service: service:Greeter\nenvs: [{name: MODE}]\n")
    answer = finalise(lab, version)
    assert answer.status_code == 200, answer.json()
    assert answer.json()["variables"] == names


def test_the_same_files_have_the_same_digest(lab: Lab) -> None:
    assert lab.finalised(b"x").artifact_digest == lab.finalised(b"x").artifact_digest
    assert lab.finalised(b"x").artifact_digest != lab.finalised(b"y").artifact_digest


def test_a_second_click_changes_nothing(lab: Lab) -> None:
    version = lab.finalised()
    answer = finalise(lab, version)
    assert (answer.status_code, answer.json()["code"]) == (409, "already_finalised")
    assert Event.objects.filter(kind="version.finalised.v1").count() == 1


def test_whoever_changes_the_draft_meanwhile_wins(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = lab.draft()
    lab.put(version, "model.joblib", b"a model")

    def meanwhile(name: str) -> None:
        lab.put(version, "late.txt", b"late")

    monkeypatch.setattr("apps.registry.actions.finalising.crash_point", meanwhile)
    with pytest.raises(ChangedMeanwhile):
        actions.finalise(version, actor=lab.actor)
    version.refresh_from_db()
    assert version.state == VersionState.DRAFT


def test_of_two_who_finalise_one_is_told_that_it_is_done(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = lab.draft()
    lab.put(version, "model.joblib", b"a model")
    calls: list[str] = []

    def other(name: str) -> None:
        calls.append(name)
        if len(calls) == 1:
            actions.finalise(version, actor=lab.actor)

    monkeypatch.setattr("apps.registry.actions.finalising.crash_point", other)
    with pytest.raises(AlreadyFinalised):
        actions.finalise(version, actor=lab.actor)
    assert Event.objects.filter(kind="version.finalised.v1").count() == 1


def test_an_empty_draft_is_told_to_upload(lab: Lab) -> None:
    answer = finalise(lab, lab.draft())
    assert (answer.status_code, answer.json()["code"]) == (422, "not_ready")
    assert faults(answer) == {"/files": "Upload at least one file"}


def test_files_on_their_way_are_named(lab: Lab) -> None:
    version = lab.draft()
    lab.put(version, "model.joblib", b"a model")
    lab.start(version, "big.bin", b"x" * 100)
    answer = finalise(lab, version)
    assert faults(answer) == {"/files/big.bin": "Its upload has 0 of 100 bytes"}


def test_everything_that_scikit_learn_lacks_is_named_at_once(lab: Lab) -> None:
    version = lab.draft(signature=None, example=None, expected=None, requirements=["numpy==2"])
    lab.put(version, "model.pkl", b"a model")
    answer = finalise(lab, version)
    assert set(faults(answer)) == {"/signature", "/requirements"}
    assert "scikit-learn==" in faults(answer)["/requirements"]


def test_ada_asks_what_is_missing_before_finalising(lab: Lab) -> None:
    version = lab.draft(requirements=[])
    address = f"{lab.at(version)}/finalise"
    assert lab.api.get(address).json() == {
        "missing": [{"pointer": "/files", "detail": "Upload at least one file"}]
    }
    lab.put(version, "model.h5", b"a model")
    assert [m["pointer"] for m in lab.api.get(address).json()["missing"]] == ["/files"]
    lab.put(version, "model.pkl", b"a model")
    assert [m["pointer"] for m in lab.api.get(address).json()["missing"]] == ["/requirements"]
    tag = lab.api.get(lab.at(version))["ETag"]
    lab.api.patch(lab.at(version), {"requirements": ["scikit-learn==1.7.2"]}, if_match=tag)
    assert lab.api.get(address).json() == {"missing": []}
    assert finalise(lab, version).status_code == 200
    assert lab.api.get(address).json() == {"missing": []}


def test_files_in_another_format_than_said_are_refused(lab: Lab) -> None:
    version = lab.draft(format="onnx")
    lab.put(version, "model.pkl", b"a model")
    answer = finalise(lab, version)
    assert faults(answer) == {"/format": "The files are in the format sklearn, not onnx"}


def test_unknown_files_say_what_to_do(lab: Lab) -> None:
    version = lab.draft()
    lab.put(version, "model.h5", b"a model")
    answer = finalise(lab, version)
    assert (answer.status_code, answer.json()["code"]) == (422, "format_unknown")
    assert ".joblib" in faults(answer)["/files"]


def test_what_the_author_said_beats_what_the_files_say(lab: Lab) -> None:
    version = lab.draft(requirements=["mlflow==3.1"], python_version="3.12")
    lab.put(version, "MLmodel", MLMODEL)
    lab.put(version, "requirements.txt", b"mlflow==9\n")
    frozen = actions.finalise(version, actor=lab.actor)
    assert frozen.requirements == ["mlflow==3.1"]
    assert frozen.python_version == "3.12"
    assert frozen.signature == SIGNATURE


def test_a_folder_without_requirements_asks_for_them(lab: Lab) -> None:
    version = lab.draft(requirements=[], signature=None, example=None, expected=None)
    lab.put(version, "MLmodel", MLMODEL)
    assert set(faults(finalise(lab, version))) == {"/requirements"}


def test_a_given_example_must_fit_the_signature_of_the_files(lab: Lab) -> None:
    version = lab.draft(signature=None, example=[{"age": "old"}], expected=None)
    lab.put(version, "MLmodel", MLMODEL)
    assert set(faults(finalise(lab, version))) == {"/example/0/age"}


REFUSED = [
    (name, odd)
    for name in WRITERS
    for odd in ("NUL", "half a surrogate pair", "twice", "long")
    if (name, odd) not in TOLD
]


@pytest.mark.parametrize(("name", "odd"), REFUSED)
def test_a_column_that_no_author_may_name_so_is_asked_of_the_author(
    lab: Lab, name: str, odd: str
) -> None:
    files = WRITERS[name]("b", ODD[odd])
    requirements = ["scikit-learn==1.7.2"]
    draft = lab.draft(signature=None, example=None, expected=None, requirements=requirements)
    (path,) = files.sizes
    lab.put(draft, path, files.read(path, 1 << 20))
    assert lab.api.get(lab.at(draft)).status_code == 200
    answer = finalise(lab, draft)
    assert answer.status_code == 422
    [(pointer, said)] = faults(answer).items()
    if (name, odd) != ("onnx", "half a surrogate pair"):
        assert pointer == "/signature"
        assert "give the signature yourself" in said
        actions.edit_draft(draft, signature=SIGNATURE, actor=lab.actor)
        assert finalise(lab, draft).status_code == 200


@pytest.mark.parametrize(("name", "pointer"), [("example", "/0/age"), ("expected", "/0")])
@pytest.mark.parametrize("number", [2**53, 2**53 + 1, '[{"age":1}]'])
def test_rows_that_wait_for_what_they_fit_can_be_kept(
    lab: Lab, name: str, pointer: str, number: int | str
) -> None:
    given = FACTS | {"signature": None, "example": None, "expected": None}
    rows = [{"age": number}] if name == "example" else [number]
    answer = lab.api.post(
        f"{lab.address}/versions", given | {name: number if isinstance(number, str) else rows}
    )
    assert answer.status_code == 400
    (pair,) = faults(answer).items()
    if isinstance(number, str):
        assert pair == (f"/{name}", "A list of at most 100, one item per row")
    else:
        assert pair[0] == f"/{name}{pointer}" and "2^53" in pair[1]


def test_expected_outputs_belong_to_an_example(lab: Lab) -> None:
    version = lab.draft(example=None, expected=[1])
    lab.put(version, "model.pkl", b"a model")
    assert set(faults(finalise(lab, version))) == {"/expected"}


def packed(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, f"{folder.name}/{path.relative_to(folder)}")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A real MLflow model folder as an archive, made before any transaction is open."""
    folder = tmp_path_factory.mktemp("mlflow") / "iris"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow.sklearn
        from mlflow.models import infer_signature
        from sklearn.datasets import load_iris
        from sklearn.linear_model import LogisticRegression

        X, y = load_iris(return_X_y=True, as_frame=True)
        model = LogisticRegression(max_iter=500).fit(X, y)
        mlflow.sklearn.save_model(
            model,
            str(folder),
            signature=infer_signature(X, model.predict(X)),
            input_example=X.head(2),
            serialization_format="cloudpickle",
            pip_requirements=["scikit-learn==1.7.2", "cloudpickle==3.1.1"],
        )
    return packed(folder)


def test_a_real_mlflow_folder_is_frozen_with_all_that_it_says(iris: bytes, lab: Lab) -> None:
    version = actions.create_version(lab.model, actor=lab.actor)
    lab.put(version, "iris.zip", iris, archive=True)
    frozen = actions.finalise(version, actor=lab.actor)
    assert frozen.format == "mlflow"
    assert "scikit-learn==1.7.2" in frozen.requirements
    assert frozen.signature is not None
    assert len(frozen.signature["inputs"]) == 4
    assert frozen.example is not None
    assert len(frozen.example) == 2
    assert frozen.python_version
    assert "MLmodel" in frozen.files.values_list("path", flat=True)


def test_an_example_that_would_make_a_version_too_large_is_left_out(
    iris: bytes, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (actions.create_version(lab.model, actor=lab.actor) for _ in range(2))
    for version in (first, second):
        lab.put(version, "iris.zip", iris, archive=True)
    whole = actions.finalise(first, actor=lab.actor)
    room = len(json.dumps(whole.signature)) + 100
    monkeypatch.setattr(rules, "MAX_FROZEN_BYTES", room)
    frozen = actions.finalise(second, actor=lab.actor)
    assert frozen.signature == whole.signature
    assert frozen.example is None


def test_a_version_that_would_be_too_large_is_not_frozen(lab: Lab) -> None:
    version = lab.draft()
    lab.put(version, "model.joblib", b"a model")
    ModelVersion.objects.filter(pk=version.pk).update(parameters={"p": "x" * 4_500_000})
    assert set(faults(finalise(lab, version))) == {"/parameters"}
