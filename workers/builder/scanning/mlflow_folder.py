"""What an MLmodel file has MLflow do: import, open and put on Python's path.

Read as MLflow reads it (mlflow ``models/model.py``, ``Model.load``: YAML, then names by key), by
the platform's own reader: what that refuses cannot be followed and is ``unknown``.
"""

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from placet.kernel import yaml_text
from workers.builder.scanning.known import Verdict, judge, shown, words
from workers.builder.scanning.loaders import FLAVORS, UNPICKLING

MAX_BYTES = 1 << 20
# Keys whose value is loaded as code (mlflow/pyfunc/__init__.py, mlflow/models/utils.py).
MODULES = frozenset({"loader_module", "pickle_module_name", "module_name", "keras_module"})
# Of these the files are read here; others import what stands in files and settings of their own
# (mlflow/agno/__init__.py, mlflow/pydantic_ai/__init__.py, mlflow/llama_index, mlflow/langchain).
READ = words(
    """
    mlflow.sklearn mlflow.xgboost mlflow.lightgbm mlflow.onnx mlflow.catboost mlflow.statsmodels
    mlflow.pyfunc.model mlflow.pytorch mlflow.tensorflow mlflow.keras mlflow.pytorch.pickle_module
    keras tf_keras tensorflow.keras
    """
)
# mlflow/xgboost/__init__.py _load_model makes an object of the class that it finds here.
CLASSES = frozenset({"model_class"})
BOOSTERS = ("xgboost.core.", "xgboost.sklearn.", "lightgbm.basic.", "lightgbm.sklearn.")
SKOPS = frozenset({"sklearn", "lightgbm"})  # which read that as well
LINES = "lightgbm.basic.Booster"  # of a text, by LightGBM itself
# Files that hold the name of a module (mlflow/pytorch/__init__.py, mlflow/tensorflow/__init__.py).
NAMING = frozenset({"pickle_module_info.txt", "keras_module.txt"})
CODE = frozenset({"code", "model_code_path", "mlflow_code"})
# An artifact's origin is told and not opened.
NOT_OPENED = frozenset({"uri", "source", "artifact_uri", "model_uri", "mlflow_version", "run_id"})
PYTHON_TAG = "!!python"


def told(raw: bytes) -> Iterator[tuple[Verdict, str]]:
    """Yield what is worth telling of an MLmodel file."""
    if len(raw) > MAX_BYTES:
        yield "unknown", "is too large for an MLmodel file"
        return
    try:
        model = yaml_text.read(raw.decode("utf-8")).value
    except yaml_text.YamlFault as fault:
        grave = PYTHON_TAG.encode() in raw or b"tag:yaml.org,2002:python" in raw
        yield ("malicious" if grave else "unknown"), f"line {fault.line} {fault.detail}"
        return
    except UnicodeDecodeError:
        yield "unknown", "is called text and is none"
        return
    flavors = model.get("flavors") if isinstance(model, dict) else None
    if not isinstance(flavors, dict):
        yield "unknown", "lists no flavors, so it cannot be told how MLflow would load it"
        return
    found: dict[tuple[Verdict, str], None] = {}  # two flavors name the same file
    for name, flavor in sorted(flavors.items()):
        of_all = (*_flavor(flavor), *_data(name, flavor), *_unpickled(name, flavors))
        found |= dict.fromkeys(of_all)
    yield from found


def module_told(name: str) -> Iterator[tuple[Verdict, str]]:
    """Yield what is worth telling of a module that MLflow imports by this name."""
    if name not in READ:
        yield "code-carrying", f"is loaded by {shown(name)}"


def _flavor(flavor: Any) -> Iterator[tuple[Verdict, str]]:
    waiting: list[tuple[str, Any]] = [("", flavor)]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.items()
            if value.get("extra_session_config"):  # another folder of weights, another parser
                yield "unknown", "gives ONNX Runtime settings of its own (extra_session_config)"
        elif isinstance(value, list):
            waiting += [(key, item) for item in value]
        elif isinstance(value, str) and value and key not in NOT_OPENED:
            yield from _named(key, value)


def _data(name: str, flavor: Any) -> Iterator[tuple[Verdict, str]]:
    """A library reads the file that its flavor names as its own, whatever else that may be.

    ``python_function`` names the flavor's module (mlflow/pyfunc/__init__.py load_model).
    """
    data = flavor.get("data") if isinstance(flavor, dict) else None
    if not isinstance(data, str):
        return
    for known in FLAVORS:
        module = flavor.get("loader_module") == f"mlflow.{known.name}"
        ending = PurePosixPath(data).suffix.lower()
        if (module or name == known.name) and ending not in known.endings:
            endings = " or ".join(sorted(known.endings))
            what = (
                f"whose ending is not {endings}" if endings else "whose trees nobody here follows"
            )
            yield "unknown", f"has {known.library} read {shown(data)}, {what}"


def _unpickled(name: str, flavors: dict[Any, Any]) -> Iterator[tuple[Verdict, str]]:
    """What a flavor unpickles may look like a text, and is the library's to follow.

    ``sklearn`` takes what has no settings of its own for a pickle; with ``data`` it looks for them
    elsewhere (mlflow/sklearn/__init__.py _load_pyfunc).
    """
    flavor = flavors[name] if isinstance(flavors[name], dict) else {}
    for known in UNPICKLING:
        module = flavor.get("loader_module") == f"mlflow.{known}"
        if not module and name != known:
            continue
        own = found if isinstance(found := flavors.get(known), dict) else {}
        skops = known in SKOPS and own.get("serialization_format") == "skops"
        elsewhere = module and known == "sklearn" and "data" in flavor
        trees = known == "lightgbm" and own.get("model_class", LINES) == LINES
        if elsewhere or not (skops or trees):
            yield "code-carrying", f"has mlflow.{known} unpickle what it names"


def _named(key: str, value: str) -> Iterator[tuple[Verdict, str]]:
    path = PurePosixPath(value.replace("\\", "/"))
    if key in MODULES:
        yield from module_told(value)
    if key in CLASSES and not value.startswith(BOOSTERS):
        module, _, kind = value.rpartition(".")
        verdict, what = judge(module, kind)
        yield verdict, shown(what or f"is loaded by {value}")
    if key in CODE:
        yield "code-carrying", f"puts {shown(value)} on Python's path"
    if ".." in path.parts or path.is_absolute():
        yield "malicious", f"opens {shown(value)}, which is not in the model"
