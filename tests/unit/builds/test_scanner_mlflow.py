"""What MLflow opens, joins and calls of a folder beside its models' own files."""

import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from tests.support.models import xgboost_model
from workers.builder.scanning.files import Scanner
from workers.builder.scanning.requirements import led_out

FLAVORS = "flavors: {xgboost: {data: model.json}}\n"
EXAMPLE = "saved_input_example_info: {type: dataframe, %s: %s}\n"


@pytest.fixture(scope="module")
def booster() -> dict[str, bytes]:
    return dict(xgboost_model(".json").files)


def report(folder: Path, **files: str) -> Any:
    """Scan a folder of these texts."""
    for name, text in files.items():
        path = folder / name.replace("__", ".").replace("_in_", "/")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    scanner = Scanner(folder)
    scanner.scan_files()
    return scanner.report


OUT = [
    "../secret.json",
    "/etc/hostname",
    "a/../../secret.json",
    "'..\\secret.json'",
    "'\\\\server\\secret.json'",
    "'C:\\secret.json'",
    "file:///etc/hostname",
    "s3://bucket/secret.json",
    "'%2e%2e/secret.json'",
    "'%252e%252e/secret.json'",
    "'#x'",
    "'?x'",
]


@pytest.mark.parametrize("path", OUT)
@pytest.mark.parametrize("key", ["artifact_path", "serving_input_path"])
def test_an_example_that_lies_outside_of_the_model_is_not_safe(
    key: str, path: str, tmp_path: Path
) -> None:
    found = report(tmp_path, MLmodel=FLAVORS + EXAMPLE % (key, path))
    assert found.verdict() in {"malicious", "unknown"}
    assert path.strip("'").replace("\\\\", "\\") in found.findings[0][2]


def test_an_example_inside_of_the_model_is_safe(tmp_path: Path) -> None:
    told = FLAVORS + EXAMPLE % ("artifact_path", "input_example.json")
    assert report(tmp_path, MLmodel=told, input_example__json="{}").verdict() == "safe"


def test_what_an_mlmodel_tells_of_where_it_comes_from_is_not_opened(tmp_path: Path) -> None:
    told = (
        "artifact_path: file:///srv/mlruns/0/models/m-1/artifacts\n"
        "metadata: {trained_on: /mnt/data/../rows.csv}\n"
        "model_id: m-1\nname: ../a\nprompts: ['prompts:/a/1']\nutc_time_created: '2026-01-01'\n"
        'signature: {inputs: \'[{"type": "double", "name": "../km"}]\', outputs: null}\n'
    )
    found = report(tmp_path, MLmodel=FLAVORS + told)
    assert found.verdict() == "safe", found.findings


@pytest.mark.parametrize("key", ["_saved_input_example_info", "_signature", "__dict__"])
def test_a_key_that_is_in_place_of_mlflows_own_is_not_safe(key: str, tmp_path: Path) -> None:
    found = report(tmp_path, MLmodel=FLAVORS + f"{key}: {{artifact_path: a.json}}\n")
    assert found.verdict() == "unknown"


@pytest.mark.parametrize(
    ("needs", "expected"),
    [
        ("{api_version: '1', databricks: {uc_connection: [{name: ../a}]}}", "safe"),
        ("null", "safe"),
        ("/etc/hostname", "malicious"),
        ("../resources.yaml", "malicious"),
        ("resources.yaml", "unknown"),
    ],
)
def test_what_a_model_needs_is_told_and_not_opened(
    needs: str, expected: str, tmp_path: Path
) -> None:
    """MLflow opens a text there, as a path from wherever it runs."""
    assert report(tmp_path, MLmodel=FLAVORS + f"resources: {needs}\n").verdict() == expected


def test_mlflow_makes_a_key_that_it_does_not_know_an_attribute(
    tmp_path: Path, booster: dict[str, bytes]
) -> None:
    """What the scanner's rule goes by."""
    from mlflow.models import Model

    told = FLAVORS + "_saved_input_example_info: {type: json_object, artifact_path: ../x.json}\n"
    (tmp_path / "x.json").write_text('"from outside"')
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "MLmodel").write_text(told)
    model = Model.load(str(tmp_path / "model"))
    assert model.load_input_example(str(tmp_path / "model")) == "from outside"


LEADS_OUT = {
    "a file outside": "-r ../secret.txt",
    "an absolute one": "-r /etc/hostname",
    "a constraint": "-c ../secret.txt",
    "in words": "--requirement ../secret.txt",
    "with a sign": "--constraint=../secret.txt",
    "without a blank": "-r../secret.txt",
    "behind another option": "--no-index -r ../secret.txt",
    "an address": "-r https://example.org/r.txt",
    "over two lines": "-r \\\n  ../secret.txt",
    "in the middle of an option": "-\\\nr ../secret.txt",
    "behind a line that Python ends": "numpy\u2028-r /etc/hostname",
    "of the environment": "-r ${HOME}/secret.txt",
    "of another file": "-r base.txt",
    "one that is not there": "-r gone.txt",
}


@pytest.mark.parametrize("text", LEADS_OUT.values(), ids=LEADS_OUT)
@pytest.mark.parametrize("name", ["requirements.txt", "conda.yaml", "python_env.yaml"])
def test_requirements_that_lead_outside_are_not_safe(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "base.txt").write_text("-r /etc/hostname\n")
    if name != "requirements.txt":
        item = repr(text).replace("'", '"')
        text = f"dependencies:\n- python=3.13\n- pip:\n  - {item}\n"
    found = report(tmp_path, **{name.replace(".", "__"): text})
    assert found.verdict() == "unknown"
    assert "which is not uploaded" in found.findings[0][2]


def test_of_what_requirements_lead_to_no_more_is_read_than_is_followed(tmp_path: Path) -> None:
    with (tmp_path / "weights.bin").open("wb") as weights:
        weights.truncate(1 << 28)
    tracemalloc.start()
    led = [*led_out("-r weights.bin", "requirements.txt", tmp_path)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert led == ["weights.bin"]
    assert peak < 1 << 27


HONEST = """
# -r ../comment.txt
numpy==2.5.5  # via -r ../requirements.in
scikit-learn @ file:///croot/scikit-learn_1/work
-e git+https://example.org/a.git#egg=a
--pre
-r base.txt
-c constraints.txt
"""


def test_honest_requirements_are_safe(tmp_path: Path) -> None:
    found = report(
        tmp_path,
        requirements__txt=HONEST,
        base__txt="pandas\n",
        constraints__txt="numpy<3\n",
        python_env__yaml="python: 3.13.1\ndependencies:\n- -r requirements.txt\n",
        dev_in_requirements__txt="-r ../requirements.txt\n",
    )
    assert found.verdict() == "safe", found.findings


@pytest.mark.filterwarnings("ignore:.*Any type hint is inferred")
def test_mlflow_opens_what_requirements_lead_to_when_it_loads_a_model(
    tmp_path: Path, booster: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow.pyfunc
    from mlflow.utils import requirements_utils

    opened: list[Path] = []

    def noted(path: str, *how: str) -> Any:
        opened.append(Path(path).resolve())
        return Path(path).open(*how)

    monkeypatch.setattr(requirements_utils, "open", noted, raising=False)
    home = tmp_path / "model"
    home.mkdir()
    for name, data in booster.items():
        (home / name).write_bytes(data)
    pyfunc = "python_function: {loader_module: mlflow.xgboost, data: model.json}"
    (home / "MLmodel").write_text(f"flavors: {{{pyfunc}, xgboost: {{data: model.json}}}}\n")
    (home / "requirements.txt").write_text("-r ../secret.txt\n")
    (tmp_path / "secret.txt").write_text("numpy\n")
    mlflow.pyfunc.load_model(str(home))
    assert tmp_path / "secret.txt" in opened


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("predict_fn: predict_proba", "safe"),
        ("predict_fn: predict", "safe"),
        ("predict_fn: __class__", "code-carrying"),
        ("predict_fn: get_raw_model", "code-carrying"),
        ("predict_stream_fn: __init__", "code-carrying"),
        ("model_class: xgboost.sklearn.XGBClassifier", "safe"),
        ("model_class: xgboost.core.c_str", "code-carrying"),
        ("model_class: xgboost.core.os.system", "malicious"),
        ("env: {conda: 'C:\\conda.yaml'}", "code-carrying"),
        ("env: {conda: 'file:/conda.yaml'}", "code-carrying"),
        ("env: {conda: '%2e%2e/conda.yaml'}", "malicious"),
    ],
)
def test_what_a_flavor_has_called_and_opened_is_told(
    setting: str, expected: str, tmp_path: Path
) -> None:
    told = f"flavors: {{xgboost: {{data: model.json, {setting}}}}}\n"
    assert report(tmp_path, MLmodel=told).verdict() == expected


@pytest.mark.parametrize(
    ("flavors", "expected"),
    [
        ("llama_index: {model_index: index, engine_type: query}", "code-carrying"),
        ("shap: {serialized_explainer: explainer.bin}", "code-carrying"),
        ("paddle: {pickled_model: model}", "code-carrying"),
        ("of_tomorrow: {data: model.json}", "code-carrying"),
        ("xgboost: {data: model.json}, lightgbm: {data: model.txt}", "safe"),
    ],
)
def test_a_flavor_that_nobody_here_follows_is_code(
    flavors: str, expected: str, tmp_path: Path
) -> None:
    """mlflow.llama_index makes objects of the classes that JSON beside its MLmodel names."""
    assert report(tmp_path, MLmodel=f"flavors: {{{flavors}}}\n").verdict() == expected


@pytest.mark.parametrize(
    ("providers", "expected"),
    [
        ("[CUDAExecutionProvider, CPUExecutionProvider]", "safe"),
        ("CPUExecutionProvider", "safe"),
        ("null", "safe"),
        ("[[CUDAExecutionProvider, {device_id: 0, arena_extend_strategy: kSame}]]", "safe"),
        ("[[TensorrtExecutionProvider, {trt_extra_plugin_lib_paths: own}]]", "unknown"),
        ("[[TensorrtExecutionProvider, {trt_engine_cache_path: own}]]", "unknown"),
        ("[[OpenVINOExecutionProvider, {device_type: own.so}]]", "unknown"),
        ("[[QNNExecutionProvider, {backend: [own]}]]", "unknown"),
        ("{a: b}", "unknown"),
    ],
)
def test_a_provider_of_onnx_runtime_is_given_no_path(
    providers: str, expected: str, tmp_path: Path
) -> None:
    told = f"flavors: {{onnx: {{data: model.onnx, providers: {providers}}}}}\n"
    assert report(tmp_path, MLmodel=told).verdict() == expected
