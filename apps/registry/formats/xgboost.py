"""XGBoost's own files: JSON tells its features and objective, UBJSON only that it is XGBoost."""

import re
from typing import Any

from apps.registry.formats.base import (
    MAX_FEATURES,
    Conversion,
    Derived,
    Files,
    Format,
    outputs_of_trees,
    refusal,
    short_text,
    unsaid,
)
from apps.registry.formats.json_stream import JsonDocument, JsonTooLarge, NotJson

JSON_ENDINGS, BINARY_ENDINGS = (".json",), (".ubj",)
HEAD, MAX_JSON = 4096, 64 * 1024**2
_JSON_START = re.compile(rb'\s*\{\s*("version"\s*:\s*\[[\d\s,]*\]\s*,\s*)?"learner"\s*:\s*\{')
# What ``Booster.save_config`` writes begins with settings that no model has; members are sorted.
_SETTINGS_START = re.compile(rb'\s*\{\s*"learner"\s*:\s*\{\s*"generic_param"')
_BINARY_START = re.compile(rb"\{[LliUI](.{1,8})(learner\{|version\[)", re.DOTALL)
_WANTED = {"feature_names", "feature_types", "objective", "learner_model_param"}
_TYPES = {"float": "float", "q": "float", "int": "long", "i": "boolean"}


def candidates(files: Files) -> list[str]:
    """Return the models that XGBoost wrote. Other JSON, its settings too, is none; a .ubj that is
    none is refused.

    Old binary files (``.model``, ``.bin``) and pickles are no native format of XGBoost any more.
    """
    heads = {path: files.header(path, HEAD) for path in files.ending(*JSON_ENDINGS)}
    json_models = [
        path
        for path, head in heads.items()
        if _JSON_START.match(head) and not _SETTINGS_START.match(head)
    ]
    return sorted(json_models + files.ending(*BINARY_ENDINGS))


def derive(files: Files) -> Derived:
    """Return the signature that a JSON file declares."""
    path = candidates(files)[0]
    if path.lower().endswith(BINARY_ENDINGS):
        if not _BINARY_START.match(files.header(path, HEAD)):
            raise refusal(path, "not an XGBoost model: write it with Booster.save_model")
        return unsaid("xgboost", f"{path} is binary and not read here")
    if files.sizes[path] > MAX_JSON:
        return unsaid("xgboost", f"{path} is too large to be read here")
    try:
        learner = _learner(path, files)
    except JsonTooLarge:
        return unsaid("xgboost", f"{path} is too large to be read here")
    names, kinds = learner.get("feature_names"), learner.get("feature_types")
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        return unsaid("xgboost", f"{path} names no features (it was not trained on a DataFrame)")
    if len(names) > MAX_FEATURES:
        return unsaid("xgboost", f"{path} has more than {MAX_FEATURES} features")
    kinds = (
        kinds if isinstance(kinds, list) and len(kinds) == len(names) else ["float"] * len(names)
    )
    if strange := [n for n, k in zip(names, kinds, strict=True) if str(k) not in _TYPES]:
        return unsaid(
            "xgboost", f"{path} has categories in {short_text(strange[0])}, served as their codes"
        )
    inputs = [{"name": n, "type": _TYPES[k]} for n, k in zip(names, kinds, strict=True)]
    return Derived("xgboost", signature={"inputs": inputs, "outputs": _outputs(learner)})


def _learner(path: str, files: Files) -> dict[str, Any]:
    """Return what a signature needs of the learner. The trees are passed over."""
    try:
        with files.opener(path) as stream:
            document = JsonDocument(stream)
            learner = _members(document)
            document.end()
    except NotJson as error:
        raise refusal(path, f"{error}: is the upload whole?") from None
    if not learner.get("gradient_booster"):
        raise refusal(path, "not an XGBoost model: it has no learner with a booster")
    return learner


def _members(document: JsonDocument) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name in document.members():
        if name != "learner":
            continue
        members = {}
        if not document.starts_with(b"{"):
            continue
        for member in document.members():
            if member in _WANTED:
                members[member] = document.value()
            elif member == "gradient_booster":
                members[member] = document.starts_with(b"{")
    return members


def _outputs(learner: dict[str, Any]) -> list[dict[str, Any]]:
    objective, sizes = learner.get("objective"), learner.get("learner_model_param")
    name = str(objective.get("name", "")) if isinstance(objective, dict) else ""
    sizes = sizes if isinstance(sizes, dict) else {}
    if name.startswith("multi:"):
        return outputs_of_trees(max(_count(sizes.get("num_class")), 2))
    if name == "binary:logistic":
        return outputs_of_trees(2)
    return outputs_of_trees(0, _count(sizes.get("num_target")))


def _count(text: Any) -> int:
    return int(text) if re.fullmatch(r"[1-9]\d{0,3}", str(text)) else 0


FORMAT = Format(
    name="xgboost",
    title="XGBoost",
    endings=(*JSON_ENDINGS, *BINARY_ENDINGS),
    find=candidates,
    derive=derive,
    packages=("xgboost-cpu", "numpy"),
    # Older ones write behind their answer (1.5), and load any ``lib/libxgboost.so`` of the runtime
    # last (1.7, ``xgboost/core.py``).
    safe_from={"xgboost": {"xgboost": "2.0", "xgboost-cpu": "2.0"}},
    instead={"xgboost-cpu": "xgboost"},  # the plain one brings a CUDA library
    shared=("placet_boosted.py",),
    onnx=Conversion("xgboost", ("onnxmltools", "skl2onnx", "onnxruntime")),
    family="gradient-boosted trees",
)
