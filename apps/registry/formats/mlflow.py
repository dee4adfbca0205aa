"""MLflow model folders: ``MLmodel`` and what lies beside it, read as data."""

import re
from typing import Any

from apps.registry.formats.base import Derived, Files, Format, refusal, short_text, yaml_of
from apps.registry.formats.column_checks import trouble
from apps.registry.rules import (
    TYPES,
    example_faults,
    python_version_faults,
    requirement_faults,
)
from apps.registry.rules.requirements import MAX_LINES
from placet.kernel.problems import FieldError, InvalidInput
from placet_verify import canonical
from placet_verify.errors import Malformed

MODEL_FILE, REQUIREMENTS_FILE = "MLmodel", "requirements.txt"
EXAMPLE_FILES = ("input_example.json", "serving_input_example.json")
MAX_MODEL_FILE, MAX_EXAMPLE_FILE, MAX_ROWS = 256 * 1024, 4 * 1024**2, 10
MAX_WEIGHT = 24 * 1024**2  # of an example that is read; most of its rows are thrown away
UNNAMED_INPUT, UNNAMED_OUTPUT = "input", "prediction"
_NUMPY = {
    "float64": "double",
    "float32": "float",
    "float16": "float",
    "int64": "long",
    "uint64": "long",
    "uint32": "long",
    "int32": "integer",
    "int16": "integer",
    "int8": "integer",
    "uint8": "integer",
    "uint16": "integer",
    "bool": "boolean",
    "str": "string",
    "object": "string",
}


class _NotOurs(Exception):
    """A part of a signature that has no counterpart here."""


def derive(files: Files) -> Derived:
    """Return what the folder says: signature, example, requirements and Python version."""
    model = _model_file(files)
    derived = Derived("mlflow", python_version=_python_version(model))
    derived.requirements = _requirements(files)
    try:
        derived.signature = _signature(model)
    except _NotOurs as error:
        detail = f"{MODEL_FILE}: {error}; give the signature yourself"
        derived.faults.append(FieldError("/signature", detail))
    if derived.signature:
        derived.example = _example(model, files, derived.signature)
    return derived


def _model_file(files: Files) -> dict[str, Any]:
    model = yaml_of(files, MODEL_FILE, MAX_MODEL_FILE)
    flavors = model.get("flavors") if isinstance(model, dict) else None
    if not isinstance(flavors, dict):
        raise refusal(MODEL_FILE, "it lists no flavors: was it written by MLflow?")
    if not isinstance(flavors.get("python_function"), dict):
        names = ", ".join(sorted(map(str, flavors)))[:200]
        raise refusal(
            MODEL_FILE,
            f"it has no python_function flavor ({names}): log it with a flavor that has one",
        )
    document: dict[str, Any] = model
    return document


def _python_version(model: dict[str, Any]) -> str:
    text = str(model["flavors"]["python_function"].get("python_version", ""))
    match = re.match(r"3\.\d+", text)
    version = match.group() if match else ""
    return "" if python_version_faults(version) else version


def _requirements(files: Files) -> list[str] | None:
    if REQUIREMENTS_FILE not in files.sizes:
        return None
    text = files.read(REQUIREMENTS_FILE, MAX_MODEL_FILE).decode("utf-8", "replace")
    kept: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        requirement = re.sub(r"(^|\s)#.*", "", line).strip()
        if not requirement:
            continue
        if faults := requirement_faults([requirement]):
            raise refusal(REQUIREMENTS_FILE, f"line {number}: {faults[0].detail}")
        if len(kept) == MAX_LINES:
            raise refusal(REQUIREMENTS_FILE, f"it has more than {MAX_LINES} requirements")
        kept.append(requirement)
    return kept


def _signature(model: dict[str, Any]) -> dict[str, Any]:
    stored = model.get("signature")
    if not isinstance(stored, dict):
        raise _NotOurs("it holds no signature (save it with signature=infer_signature(…))")
    signature = {
        "inputs": _columns(stored.get("inputs"), "input", UNNAMED_INPUT),
        "outputs": _columns(stored.get("outputs"), "output", UNNAMED_OUTPUT),
    }
    if sentence := trouble(signature):
        raise _NotOurs(sentence)
    return signature


def _columns(text: Any, side: str, unnamed: str) -> list[dict[str, Any]]:
    if text is None:
        raise _NotOurs(f"its signature lists no {side}s")
    try:
        stored = canonical.loads(text) if isinstance(text, str) else text
    except Malformed:
        raise _NotOurs(f"the {side}s of its signature are not JSON") from None
    if not isinstance(stored, list) or not all(isinstance(column, dict) for column in stored):
        raise _NotOurs(f"the {side}s of its signature are no list of columns")
    names = [unnamed] if len(stored) == 1 else [f"{unnamed}_{i}" for i in range(len(stored))]
    return [
        _column(column, str(column.get("name") or name), side)
        for column, name in zip(stored, names, strict=True)
    ]


def _column(stored: dict[str, Any], name: str, side: str) -> dict[str, Any]:
    kind, shape = stored.get("type"), None
    if kind == "tensor":
        spec = stored.get("tensor-spec")
        if not isinstance(spec, dict) or not isinstance(spec.get("shape"), list):
            raise _NotOurs(f"{side} {short_text(name)} is a tensor without a shape")
        dtype = str(spec.get("dtype"))
        kind = "string" if dtype.startswith(("<U", "|U")) else _NUMPY.get(dtype, dtype)
        shape = spec["shape"][1:]
    if not isinstance(kind, str) or kind not in TYPES:
        type_name = short_text(kind)[1:-1]
        raise _NotOurs(
            f"{side} {short_text(name)} has the type {type_name}, which cannot be served"
        )
    column: dict[str, Any] = {"name": name, "type": kind}
    if side == "input" and stored.get("required") is False:
        column["required"] = False
    if shape:
        column["shape"] = shape
    return column


def _example(
    model: dict[str, Any], files: Files, signature: dict[str, Any]
) -> list[dict[str, Any]] | None:
    """Return the saved example as rows, or nothing when it does not fit the signature."""
    for path in _example_paths(model, files):
        if files.sizes[path] > MAX_EXAMPLE_FILE:
            continue
        raw = files.read(path, MAX_EXAMPLE_FILE)
        if canonical.weight(raw) > MAX_WEIGHT:
            continue
        try:
            rows = _rows(canonical.loads(raw), signature["inputs"])
        except (Malformed, InvalidInput, LookupError, TypeError, ValueError):
            continue
        if rows and not example_faults(rows, signature):
            return rows
    return None


def _example_paths(model: dict[str, Any], files: Files) -> list[str]:
    info = model.get("saved_input_example_info")
    keys = ("artifact_path", "serving_input_path")
    named = [info.get(key) for key in keys] if isinstance(info, dict) else []
    paths = [path for path in (*named, *EXAMPLE_FILES) if isinstance(path, str)]
    return [path for path in dict.fromkeys(paths) if path in files.sizes]


def _rows(saved: Any, inputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Turn any of the shapes that MLflow saves into rows of ``{column: value}``."""
    if isinstance(saved, dict):
        if "dataframe_split" in saved or "inputs" in saved:
            saved = saved.get("dataframe_split", saved.get("inputs"))
        elif "dataframe_records" in saved:
            saved = saved["dataframe_records"]
    if isinstance(saved, dict) and set(saved) >= {"columns", "data"}:
        pairs = saved["data"][:MAX_ROWS]
        return [_row(saved["columns"], values) for values in pairs]
    if isinstance(saved, dict):  # named tensors: columns of values
        columns = {name: values[:MAX_ROWS] for name, values in saved.items()}
        return [_row(columns, values) for values in zip(*columns.values(), strict=True)]
    if saved and isinstance(saved[0], dict):
        return list(saved[:MAX_ROWS])
    if len(inputs) == 1:
        return [{inputs[0]["name"]: value} for value in saved[:MAX_ROWS]]
    return [_row([column["name"] for column in inputs], values) for values in saved[:MAX_ROWS]]


def _row(names: Any, values: Any) -> dict[str, Any]:
    return {
        str(name): value for name, value in zip(names, values, strict=True) if value is not None
    }


def _lacking(requirements: list[str]) -> str:
    return "" if requirements else f"The folder has no {REQUIREMENTS_FILE}: give them yourself"


FORMAT = Format(
    name="mlflow",
    title="an MLflow model",
    root=MODEL_FILE,
    derive=derive,
    lacking=_lacking,
    packages=("mlflow",),
    instead={"mlflow": "mlflow-skinny"},
    shared=("placet_onnx.py",),
    wipe_memory=True,
)
