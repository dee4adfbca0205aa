"""What a version may ask for, and what is refused before anything is fetched."""

import pytest

from workers.builder.errors import BuildFailed
from workers.builder.pinned import BENTOML, SERVING
from workers.builder.requirements import gather, parse


@pytest.mark.parametrize(
    "text",
    [
        "evil @ https://example.com/evil-1.0-py3-none-any.whl",
        "evil@https://example.com/evil.whl",
        "https://example.com/evil.whl",
        "git+https://example.com/evil.git",
        "evil @ file:///etc/passwd",
        "-r other.txt",
        "--index-url https://example.com/wheels",
        "-e .",
        "./local",
        "../up",
        "/etc/passwd",
        "~/model",
        "numpy\n--index-url=https://example.com",
        "numpy\x00",
        "numpy==1.0 ; python_version",
        "not a name",
        "x" * 300,
    ],
)
def test_a_requirement_that_is_no_name_and_version_is_refused(text: str) -> None:
    with pytest.raises(BuildFailed, match="requirement"):
        parse(text)


@pytest.mark.parametrize("text", ["numpy", "scikit-learn==1.5.2", "ray[serve]<3,>=2", "a~=1.4"])
def test_names_and_versions_are_taken(text: str) -> None:
    assert str(parse(text)) == text


def test_the_service_gets_what_its_format_needs() -> None:
    needs = ["joblib", "scikit-learn==1.5.2"]
    assert gather(["scikit-learn==1.5.2"], "sklearn") == sorted([BENTOML, *SERVING, *needs])
    assert "onnxruntime" in gather([], "onnx")
    assert "xgboost-cpu" in gather([], "xgboost")
    assert "xgboost-cpu" not in gather(["xgboost==3.4.1"], "xgboost")
    assert {"lightgbm", "numpy"} < set(gather([], "lightgbm"))
    assert {"scikit-learn", "skops"} < set(gather([], "skops"))
    assert "mlflow" not in gather(["mlflow-skinny==2.0"], "mlflow")


def test_a_requirement_that_counts_nowhere_does_not_stand_for_what_the_format_needs() -> None:
    lines = gather(["onnxruntime; python_version < '3'"], "onnx")
    assert [line for line in lines if line.startswith("onnxruntime")] == [
        "onnxruntime",
        'onnxruntime; python_version < "3"',
    ]
    pinned = gather(["onnxruntime==1.32.0; python_version >= '3'"], "onnx")
    assert "onnxruntime" not in pinned


def test_converters_come_only_where_acceleration_is_asked_for() -> None:
    assert "skl2onnx" not in gather([], "sklearn")
    assert {"skl2onnx", "onnxruntime"} < set(gather([], "sklearn", accelerate=True))
    assert {"onnxmltools", "onnxruntime"} < set(gather([], "lightgbm", accelerate=True))
    assert gather([], "mlflow", accelerate=True) == gather([], "mlflow")


def test_the_author_cannot_choose_another_bentoml() -> None:
    assert [line for line in gather(["bentoml==1.0.0"], "onnx") if "bentoml" in line] == [BENTOML]


def test_an_author_who_needs_another_loop_has_it() -> None:
    lines = gather(["uvloop<0.22", "HTTPTools==0.7.1"], "onnx")
    assert {"uvloop<0.22", "HTTPTools==0.7.1"} < set(lines)
    assert not {*SERVING} & {*lines}


def test_a_flood_of_requirements_is_refused() -> None:
    with pytest.raises(BuildFailed, match="at most"):
        gather([f"package-{n}" for n in range(201)], "sklearn")
