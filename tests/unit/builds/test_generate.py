"""The generated project: whatever a column is called, it is data and never source."""

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from apps.registry.formats import FORMATS, Files
from workers.builder.errors import BuildFailed
from workers.builder.generate import TEMPLATES, accelerated, bento_name, model_path, project
from workers.builder.spec import BuildSpec, SourceFile

FILE = SourceFile("model.joblib", "0" * 64, 1)
ODD = ['"); import os; os.system("x") #', "größe in m²", "a'b", "{{ x }}", "a\\b", "mean radius"]
SPEC = BuildSpec(
    build="bld_1",
    project="prj_1",
    version="ver_1",
    model="Credit_Risk",
    number=3,
    format="sklearn",
    artifact_digest="sha256:" + "ab" * 32,
    files=(FILE,),
    signature={"inputs": [{"name": name, "type": "double"} for name in ODD]},
)


def test_odd_column_names_change_no_source(tmp_path: Path) -> None:
    for name in ("odd", "plain"):
        (tmp_path / name).mkdir()
    project(SPEC, tmp_path / "odd")
    plain = replace(SPEC, signature={"inputs": [{"name": "a", "type": "double"}]})
    project(plain, tmp_path / "plain")
    for file in tmp_path.glob("odd/*"):
        if file.suffix in {".py", ".yaml"}:
            assert file.read_bytes() == (tmp_path / "plain" / file.name).read_bytes()
    info = json.loads((tmp_path / "odd" / "placet.json").read_text())
    assert [column["name"] for column in info["signature"]["inputs"]] == ODD
    assert info["variables"] == []


def test_the_bento_says_which_variables_a_release_may_set(tmp_path: Path) -> None:
    project(replace(SPEC, variables=("MODE", "LEVEL")), tmp_path)
    assert json.loads((tmp_path / "placet.json").read_text())["variables"] == ["MODE", "LEVEL"]


def test_the_bento_says_where_memory_is_wiped(tmp_path: Path) -> None:
    """Wherever ONNX Runtime may answer: alone, in a folder of MLflow's, or for another model."""
    project(SPEC, tmp_path)
    assert json.loads((tmp_path / "placet.json").read_text())["wipe_memory"] is False
    accelerated(tmp_path, tmp_path / "trial", b"", {})
    assert json.loads((tmp_path / "trial" / "placet.json").read_text())["wipe_memory"] is True
    assert (tmp_path / "trial" / "placet_onnx.py").is_file()
    for kind in FORMATS.values():
        templates = [f"model_{kind.name}.py", *kind.shared]
        texts = [path.read_text() for path in map(TEMPLATES.joinpath, templates) if path.exists()]
        assert kind.wipe_memory == any("onnxruntime" in text for text in texts), kind.name


def test_names_become_what_bentoml_allows() -> None:
    assert bento_name(SPEC) == "credit-risk"
    assert bento_name(replace(SPEC, model="___")) == "model"
    assert len(bento_name(replace(SPEC, model="x" * 200))) == 63


def test_a_version_without_a_signature_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match="no signature"):
        project(replace(SPEC, signature=None), tmp_path)


def test_a_type_that_cannot_be_served_is_named(tmp_path: Path) -> None:
    signature = {"inputs": [{"name": "when", "type": "datetime"}]}
    with pytest.raises(BuildFailed, match="'when' has the type 'datetime'"):
        project(replace(SPEC, signature=signature), tmp_path)  # type: ignore[arg-type]


def test_the_model_is_found_among_its_files() -> None:
    def files(*paths: str) -> Files:
        heads = {"m.json": b'{"learner":{"x":1', "m.txt": b"tree\nversion=v4\n"}
        sizes = dict.fromkeys(paths, 1)
        return Files(sizes, lambda path, size: b"", lambda path: io.BytesIO(heads.get(path, b"")))

    assert model_path("sklearn", files("README.md", "a/model.pkl")) == "a/model.pkl"
    assert model_path("onnx", files("model.onnx", "weights.bin")) == "model.onnx"
    assert model_path("xgboost", files("version.json", "m.json")) == "m.json"
    assert model_path("lightgbm", files("notes.txt", "m.txt")) == "m.txt"
    assert model_path("skops", files("a/m.skops", "notes.txt")) == "a/m.skops"
    assert model_path("mlflow", files("MLmodel", "model.pkl")) == "."
    assert model_path("mlflow", files("m/MLmodel", "m/model.pkl")) == "m"
    for kind, found in (
        ("sklearn", files("a.pkl", "b.pkl")),
        ("onnx", files("a.txt", "b.txt")),
        ("mlflow", files("a.pkl")),
        ("xgboost", files("a.json")),
        ("keras", files("a.h5")),
    ):
        with pytest.raises(BuildFailed):
            model_path(kind, found)
