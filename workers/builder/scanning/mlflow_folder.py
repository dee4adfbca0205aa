"""What an MLmodel file has MLflow do: import, open and put on Python's path.

Read as MLflow reads it (mlflow ``models/model.py``, ``Model.load``: YAML, then names by key), by
the platform's own reader: what that refuses cannot be followed and is ``unknown``.
"""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote

from placet.kernel import yaml_text
from workers.builder.scanning import skops
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
# Flavors whose files are followed here, or said to be code or unknown by :mod:`loaders`. The others
# have modules of their own that unpickle, and that import what settings in JSON name
# (mlflow/llama_index/serialize_objects.py, mlflow/shap/__init__.py).
FOLLOWED = {"python_function", "tensorflow", "keras", *UNPICKLING, *(one.name for one in FLAVORS)}
# mlflow/xgboost/__init__.py _load_model makes an object of the class that it finds here.
CLASSES = frozenset({"model_class"})
BOOSTERS = words(
    """
    xgboost.core.Booster xgboost.sklearn.XGBModel xgboost.sklearn.XGBClassifier
    xgboost.sklearn.XGBRegressor xgboost.sklearn.XGBRanker xgboost.sklearn.XGBRFClassifier
    xgboost.sklearn.XGBRFRegressor lightgbm.basic.Booster lightgbm.sklearn.LGBMModel
    lightgbm.sklearn.LGBMClassifier lightgbm.sklearn.LGBMRegressor lightgbm.sklearn.LGBMRanker
    """
)
# mlflow/pyfunc/__init__.py PyFuncModel looks a method of the loaded model up by what it finds here
# and calls it with what a request says.
METHODS = frozenset({"predict_fn", "predict_stream_fn"})
PREDICTS = words(
    "predict predict_proba predict_log_proba predict_joint_log_proba score predict_stream"
)
SKOPS = frozenset({"sklearn", "lightgbm"})  # which read that as well
LINES = "lightgbm.basic.Booster"  # of a text, by LightGBM itself
# Files that hold the name of a module (mlflow/pytorch/__init__.py, mlflow/tensorflow/__init__.py).
NAMING = frozenset({"pickle_module_info.txt", "keras_module.txt"})
CODE = frozenset({"code", "model_code_path", "mlflow_code"})
# An artifact's origin is told and not opened.
NOT_OPENED = frozenset({"uri", "source", "artifact_uri", "model_uri", "mlflow_version", "run_id"})
# Beside its flavors an MLmodel tells where it comes from, what its columns are called (JSON in
# ``signature``, mlflow/types/schema.py) and what its author likes. Nothing of that is opened.
TELLING = words(
    """
    artifact_path auth_policy databricks_runtime env_vars flavors is_signature_from_type_hint
    metadata mlflow_version model_id model_size_bytes model_uuid name prompts resources run_id
    signature type_hint_from_example utc_time_created
    """
)
# Told as well, unless it is a text: that is opened, wherever it is (mlflow/models/model.py,
# ``Model.resources``).
RESOURCES = "resources"
# The example is read when the model is loaded: mlflow/models/utils.py _read_file_content and
# _load_serving_input_example join these to the folder; what is not there is taken for an address.
EXAMPLE = "saved_input_example_info"
EXAMPLE_FILES = frozenset({"artifact_path", "serving_input_path"})
# mlflow/onnx/__init__.py hands settings of providers to ONNX Runtime, some of which are libraries
# and folders: those that are plain words and numbers are none.
PROVIDERS = "providers"
# MLflow reads what these name as YAML and follows it, whatever it is called
# (mlflow/pyfunc/__init__.py, _get_model_dependencies and _get_conda_env).
ENVIRONMENT = "env"
# What skops makes for MLflow beside what it makes for all (mlflow/sklearn/__init__.py). MLflow has
# some of its own written for LightGBM (mlflow/lightgbm/__init__.py).
TRUSTED = "skops_trusted_types"
OF_MLFLOW = BOOSTERS | {"collections.OrderedDict"}
SETTING = re.compile(r"(?!.*(?:path|dir|lib|file|plugin|prefix|cache|context))[a-z_0-9]+", re.ASCII)
INSIDE = re.compile(r"\w[\w.-]*(?:/\w[\w.-]*)*", re.ASCII)
ELSEWHERE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[/\\]")
PYTHON_TAG = "!!python"
MAX_QUOTED = 20  # times that a name is quoted over again: nobody means to


def told(raw: bytes) -> Iterator[tuple[Verdict, str]]:
    """Yield what is worth telling of an MLmodel file."""
    if len(raw) > MAX_BYTES:
        yield "unknown", "is too large for an MLmodel file"
        return
    if not raw.isascii():  # which MLflow writes; it reads what the machine's locale makes of it
        yield "unknown", "has letters that are not ASCII: write them as YAML escapes them"
    try:
        model = yaml_text.read(raw.decode("utf-8")).value
    except yaml_text.YamlFault as fault:
        grave = PYTHON_TAG.encode() in raw or b"tag:yaml.org,2002:python" in raw
        yield ("malicious" if grave else "unknown"), f"line {fault.line} {fault.detail}"
        return
    except UnicodeDecodeError:
        return  # which has been told
    flavors = model.get("flavors") if isinstance(model, dict) else None
    if not isinstance(flavors, dict):
        yield "unknown", "lists no flavors, so it cannot be told how MLflow would load it"
        return
    findings: dict[tuple[Verdict, str], None] = {}  # two flavors name the same file
    for name, flavor in sorted(flavors.items()):
        of_all = (*_flavor(flavor), *_data(name, flavor), *_unpickled(name, flavors))
        if name not in FOLLOWED:
            yield (
                "code-carrying",
                f"has a flavor of MLflow that nobody here follows, {shown(str(name))}",
            )
        findings |= dict.fromkeys(of_all)
    yield from findings | dict.fromkeys(_beside_flavors(model))


def module_told(name: str) -> Iterator[tuple[Verdict, str]]:
    """Yield what is worth telling of a module that MLflow imports by this name."""
    if name not in READ:
        yield "code-carrying", f"is loaded by {shown(name)}"


def _beside_flavors(model: dict[Any, Any]) -> Iterator[tuple[Verdict, str]]:
    """What MLflow opens of an MLmodel beside the files of its flavors.

    A key that it does not know it makes an attribute of the model (mlflow/models/model.py,
    ``Model.__init__``): one of its own that begins with a low line is in place of another.
    """
    if isinstance(path := model.get(RESOURCES), str):
        grave: Verdict = "malicious" if leads_out(path) else "unknown"
        yield grave, f"opens {shown(path)} for what it needs, wherever that is"
    for name in sorted(model.keys() - TELLING, key=str):
        if str(name).startswith("_"):
            yield "unknown", f"sets {shown(str(name))} of MLflow's own"
        for key, value in _texts(model[name]):
            if leads_out(value):
                yield "malicious", f"opens {shown(value)}, which is not in the model"
            elif key in EXAMPLE_FILES and name == EXAMPLE and not INSIDE.fullmatch(value):
                yield "unknown", f"names {shown(value)} as its example, which is no plain path"


def _texts(whole: Any) -> Iterator[tuple[str, str]]:
    """Yield every text, and the key that it stands under."""
    waiting: list[tuple[str, Any]] = [("", whole)]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.items()
        elif isinstance(value, list):
            waiting += [(key, item) for item in value]
        elif isinstance(value, str) and value:
            yield key, value


def leads_out(value: str) -> bool:
    """Tell whether a path leads out of the folder that it is joined to, on any system.

    What is not there MLflow unquotes (mlflow/utils/file_utils.py local_file_uri_to_path).
    """
    for _ in range(MAX_QUOTED):
        if (plain := unquote(value)) == value:
            path = PurePosixPath(value.replace("\\", "/"))
            return ".." in path.parts or path.is_absolute()
        value = plain
    return True


def _flavor(flavor: Any) -> Iterator[tuple[Verdict, str]]:
    waiting = [flavor]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.values()
            if value.get("extra_session_config"):  # another folder of weights, another parser
                yield "unknown", "gives ONNX Runtime settings of its own (extra_session_config)"
            if not all(map(_is_plain_provider, _listed(value.get(PROVIDERS)))):
                yield "unknown", "gives providers of ONNX Runtime settings that may be paths"
            for _, name in _texts(value.get(ENVIRONMENT)):
                if PurePosixPath(name).suffix not in {".yaml", ".yml"}:
                    yield "unknown", f"reads its environment from {shown(name)}, which is no .yaml"
            for name in map(str, _listed(value.get(TRUSTED) or [])):
                if name not in skops.names() | OF_MLFLOW:
                    yield "code-carrying", f"has skops make {shown(name)}"
        elif isinstance(value, list):
            waiting += value
    for key, text in _texts(flavor):
        if key not in NOT_OPENED:
            yield from _named(key, text)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _is_plain_provider(entry: Any) -> bool:
    """Tell whether a provider is a name, or a name and settings that are no paths."""
    if not isinstance(entry, list):
        return entry is None or isinstance(entry, str)
    settings = [one for one in entry if not isinstance(one, str)]
    return all(
        isinstance(one, dict)
        and all(SETTING.fullmatch(str(key)) for key in one)
        and all(str(value).replace("-", "").isalnum() for value in one.values())
        for one in settings
    )


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
        own = settings if isinstance(settings := flavors.get(known), dict) else {}
        skops = known in SKOPS and own.get("serialization_format") == "skops"
        elsewhere = module and known == "sklearn" and "data" in flavor
        trees = known == "lightgbm" and own.get("model_class", LINES) == LINES
        if elsewhere or not (skops or trees):
            yield "code-carrying", f"has mlflow.{known} unpickle what it names"


def _named(key: str, value: str) -> Iterator[tuple[Verdict, str]]:
    if key in MODULES:
        yield from module_told(value)
    if key in METHODS and value not in PREDICTS:
        yield "code-carrying", f"is asked by calling {shown(value)} of it"
    if key in CLASSES and value not in BOOSTERS:
        module, _, kind = value.rpartition(".")
        verdict, what = judge(module, kind)
        yield verdict, shown(what or f"is loaded by {value}")
    if key in CODE:
        yield "code-carrying", f"puts {shown(value)} on Python's path"
    if leads_out(value):
        yield "malicious", f"opens {shown(value)}, which is not in the model"
    elif "\\" in value or ELSEWHERE.match(value):
        yield "code-carrying", f"names {shown(value)}, which some system takes for another place"
