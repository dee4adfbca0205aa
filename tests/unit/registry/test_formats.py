"""Files written by the real tools are recognised and tell what they can."""

import io
import json
import pickle
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from apps.registry import formats
from apps.registry.errors import FormatUnknown
from apps.registry.formats import Files
from apps.registry.rules import example_faults, requirement_faults, signature_faults
from placet.kernel.problems import TooLarge


def files_of(contents: dict[str, bytes]) -> Files:
    def read(path: str, limit: int) -> bytes:
        if len(contents[path]) > limit:
            raise TooLarge
        return contents[path]

    sizes = {path: len(raw) for path, raw in contents.items()}
    return Files(sizes, read, lambda path: io.BytesIO(contents[path]))


def folder_of(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


@pytest.fixture
def quiet() -> Iterator[None]:
    """Real tools warn of their own affairs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture(scope="module")
def forest() -> tuple[Any, Any]:
    """A small real model and the data it was trained on."""
    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestClassifier

    X, y = load_iris(return_X_y=True, as_frame=True)
    return RandomForestClassifier(3, random_state=0).fit(X, y), X


def test_a_joblib_file_is_scikit_learn_and_is_never_opened(forest: tuple[Any, Any]) -> None:
    import joblib

    buffer = io.BytesIO()
    joblib.dump(forest[0], buffer)
    files = files_of({"model.joblib": buffer.getvalue(), "README.md": b"hi"})
    assert formats.detect(files) == "sklearn"
    assert formats.derive("sklearn", files).signature is None


class Canary:
    """Running this is what must not happen."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("/tmp/placet-registry-canary"),))


def test_a_hostile_pickle_is_only_bytes_here() -> None:
    canary = Path("/tmp/placet-registry-canary")
    canary.unlink(missing_ok=True)
    files = files_of({"model.PKL": pickle.dumps(Canary())})
    assert formats.derive(formats.detect(files), files).format == "sklearn"
    assert not canary.exists()


def test_an_mlflow_folder_tells_signature_example_and_requirements(
    forest: tuple[Any, Any], tmp_path: Path, quiet: None
) -> None:
    import mlflow.sklearn
    from mlflow.models import infer_signature

    model, X = forest
    mlflow.sklearn.save_model(
        model,
        str(tmp_path / "m"),
        signature=infer_signature(X, model.predict(X)),
        input_example=X.head(3),
        serialization_format="cloudpickle",
        pip_requirements=["scikit-learn==1.7.2", "cloudpickle==3.1.1"],
    )
    files = files_of(folder_of(tmp_path / "m"))
    found = formats.derive(formats.detect(files), files)
    assert found.format == "mlflow"
    assert found.python_version.startswith("3.")
    assert found.requirements is not None
    assert "scikit-learn==1.7.2" in found.requirements
    assert requirement_faults(found.requirements) == []
    assert found.signature is not None
    assert signature_faults(found.signature) == []
    assert found.signature["inputs"][0] == {"name": "sepal length (cm)", "type": "double"}
    assert found.signature["outputs"] == [{"name": "prediction", "type": "long"}]
    assert found.example is not None
    assert len(found.example) == 3
    assert found.example[0]["sepal length (cm)"] == X.iloc[0, 0]


def test_an_mlflow_folder_of_arrays_has_one_input_with_a_shape(
    forest: tuple[Any, Any], tmp_path: Path, quiet: None
) -> None:
    import mlflow.sklearn
    from mlflow.models import infer_signature

    model, X = forest
    array = X.to_numpy()
    mlflow.sklearn.save_model(
        model,
        str(tmp_path / "m"),
        signature=infer_signature(array, model.predict(array)),
        input_example=array[:2],
        serialization_format="cloudpickle",
        pip_requirements=["scikit-learn==1.7.2"],
    )
    files = files_of(folder_of(tmp_path / "m"))
    found = formats.derive(formats.detect(files), files)
    assert found.signature is not None
    assert found.signature["inputs"] == [{"name": "input", "type": "double", "shape": [4]}]
    assert found.example == [{"input": list(array[0])}, {"input": list(array[1])}]


def test_an_onnx_graph_tells_its_signature(forest: tuple[Any, Any], quiet: None) -> None:
    from skl2onnx import to_onnx

    model, X = forest
    graph = to_onnx(model, X.to_numpy()[:1].astype("float32"), options={"zipmap": False})
    files = files_of({"model.onnx": graph.SerializeToString()})
    assert formats.detect(files) == "onnx"
    assert formats.derive("onnx", files).signature == {
        "inputs": [{"name": "X", "type": "float", "shape": [4]}],
        "outputs": [
            {"name": "label", "type": "long"},
            {"name": "probabilities", "type": "float", "shape": [3]},
        ],
    }


def test_an_onnx_graph_with_an_input_per_column_has_scalars(
    forest: tuple[Any, Any], quiet: None
) -> None:
    from skl2onnx import to_onnx
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model, X = forest
    plain = X.rename(columns=lambda name: name.split(" (")[0].replace(" ", "_"))
    columns = ColumnTransformer([("all", StandardScaler(), list(plain.columns))])
    fitted = make_pipeline(columns, type(model)(3)).fit(plain, model.predict(X))
    graph = to_onnx(fitted, plain[:1], options={"zipmap": False})
    found = formats.derive("onnx", files_of({"m.onnx": graph.SerializeToString()}))
    assert found.signature is not None
    row = {"sepal_length": 1.0, "sepal_width": 2, "petal_length": 3, "petal_width": 4.5}
    assert example_faults([row], found.signature) == []


def test_zipmap_outputs_are_left_out(forest: tuple[Any, Any], quiet: None) -> None:
    from skl2onnx import to_onnx

    model, X = forest
    graph = to_onnx(model, X.to_numpy()[:1].astype("float32"))
    found = formats.derive("onnx", files_of({"m.onnx": graph.SerializeToString()}))
    assert found.signature is not None
    assert [column["name"] for column in found.signature["outputs"]] == ["output_label"]


@pytest.mark.parametrize("raw", [b"", b"not onnx at all", b"\x80\x04K\x01.", b"\x08\x09"])
def test_what_is_no_onnx_model_is_refused_by_name(raw: bytes) -> None:
    with pytest.raises(FormatUnknown, match=r"^m\.onnx: not an ONNX model") as refusal:
        formats.derive("onnx", files_of({"m.onnx": raw}))
    assert refusal.value.errors[0].pointer == "/files/m.onnx"


@pytest.mark.parametrize(
    ("paths", "why"),
    [
        ([], "No model file found"),
        (["README.md", "model.h5"], "No model file found"),
        (["a.pkl", "b.joblib"], "Several files"),
        (["a.pkl", "b.onnx"], "Several files"),
        (["a.onnx", "b.onnx"], "Several files"),
        (["model/MLmodel", "model/x.bin"], "lies in a folder"),
    ],
)
def test_files_in_no_format_say_what_to_do(paths: list[str], why: str) -> None:
    with pytest.raises(FormatUnknown, match=why) as refusal:
        formats.detect(files_of(dict.fromkeys(paths, b"")))
    assert refusal.value.errors[0].pointer == "/files"


def mlflow_folder(signature: Any = None, **more: bytes) -> Files:
    model: dict[str, Any] = {"flavors": {"python_function": {"python_version": "3.13.5"}}}
    if signature is not None:
        model["signature"] = signature
    named = {
        name.replace("_json", ".json").replace("_txt", ".txt"): raw for name, raw in more.items()
    }
    return files_of({"MLmodel": yaml.safe_dump(model).encode(), **named})


def columns(*stored: dict[str, Any]) -> dict[str, str]:
    return {"inputs": json.dumps(stored), "outputs": '[{"type": "long"}]'}


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"flavors: [", "not valid YAML at line 1"),
        (b"flavors: !!python/object/apply:os.system ['x']", "not valid YAML"),
        (b"\xff\xfe", "not valid YAML"),
        (b"- a", "no flavors"),
        (b"flavors: {sklearn: {}}", r"no python_function flavor \(sklearn\)"),
        (b"a: " + b"[" * 5000, "not valid YAML"),
        (b"#" * (256 * 1024 + 1), "larger than"),
    ],
)
def test_a_broken_mlmodel_file_is_named(raw: bytes, why: str) -> None:
    with pytest.raises(FormatUnknown, match=f"^MLmodel: .*{why}") as refusal:
        formats.derive("mlflow", files_of({"MLmodel": raw}))
    assert refusal.value.errors[0].pointer == "/files/MLmodel"


@pytest.mark.parametrize(
    ("signature", "why"),
    [
        (None, "holds no signature"),
        ({"inputs": None, "outputs": None}, "lists no inputs"),
        ({"inputs": "[", "outputs": "[]"}, "not JSON"),
        ({"inputs": "3", "outputs": "[]"}, "no list of columns"),
        (columns({"name": "t", "type": "datetime"}), "type datetime, which cannot be served"),
        (columns({"name": "t", "type": "tensor"}), "without a shape"),
        (columns({"name": "t", "type": "long"}, {"name": "t", "type": "long"}), "stands twice"),
    ],
)
def test_a_signature_that_does_not_translate_says_why(signature: Any, why: str) -> None:
    found = formats.derive("mlflow", mlflow_folder(signature))
    assert found.signature is None
    assert why in found.faults[0].detail
    assert "give the signature yourself" in found.faults[0].detail


def test_requirements_of_a_folder_are_cleaned_of_comments_and_refused_by_line() -> None:
    good = mlflow_folder(requirements_txt=b"# made by mlflow\n\nnumpy==2.1  # pinned\nscipy\n")
    assert formats.derive("mlflow", good).requirements == ["numpy==2.1", "scipy"]
    bad = mlflow_folder(requirements_txt=b"numpy==2.1\n-c constraints.txt\n")
    with pytest.raises(FormatUnknown, match=r"^requirements\.txt: line 2: Options"):
        formats.derive("mlflow", bad)


@pytest.mark.parametrize(
    "saved",
    [
        {"columns": ["a", "b"], "data": [[1, "x"]]},
        {"dataframe_split": {"columns": ["a", "b"], "data": [[1, "x"]]}},
        {"dataframe_records": [{"a": 1, "b": "x"}]},
        [{"a": 1, "b": "x"}],
        {"inputs": {"a": [1], "b": ["x"]}},
    ],
)
def test_an_example_is_read_in_every_shape_that_mlflow_saves(saved: Any) -> None:
    signature = columns({"name": "a", "type": "long"}, {"name": "b", "type": "string"})
    folder = mlflow_folder(signature, input_example_json=json.dumps(saved).encode())
    assert formats.derive("mlflow", folder).example == [{"a": 1, "b": "x"}]


@pytest.mark.parametrize("raw", [b"{", b'[{"a": "text"}]', b"7", b"null", b'{"columns": 1}', b"[]"])
def test_an_example_that_does_not_fit_is_left_out(raw: bytes) -> None:
    folder = mlflow_folder(columns({"name": "a", "type": "long"}), input_example_json=raw)
    assert formats.derive("mlflow", folder).example is None


@pytest.mark.parametrize("info", [["a"], "a", 7, {"artifact_path": ["a"]}, {"artifact_path": 7}])
def test_what_an_mlmodel_says_of_its_example_may_be_anything(info: Any) -> None:
    model = {
        "flavors": {"python_function": {}},
        "saved_input_example_info": info,
        "signature": columns({"name": "a", "type": "long"}),
    }
    files = files_of({"MLmodel": yaml.safe_dump(model).encode(), "input_example.json": b"[1]"})
    assert formats.derive("mlflow", files).example == [{"a": 1}]


def test_optional_inputs_may_be_missing_from_the_example() -> None:
    signature = columns(
        {"name": "a", "type": "long", "required": True},
        {"name": "b", "type": "double", "required": False},
    )
    raw = json.dumps({"columns": ["a", "b"], "data": [[1, None]]}).encode()
    found = formats.derive("mlflow", mlflow_folder(signature, input_example_json=raw))
    assert found.example == [{"a": 1}]
    assert found.signature is not None
    assert found.signature["inputs"][1]["required"] is False
