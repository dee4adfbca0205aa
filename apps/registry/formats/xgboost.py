"""XGBoost's own files: JSON tells its features and objective, UBJSON only that it is XGBoost."""

import json
import re
from typing import Any

from apps.registry.formats.base import Derived, Files, outputs_of_trees, refusal, unsaid

JSON_ENDINGS, BINARY_ENDINGS = (".json",), (".ubj",)
HEAD, MAX_JSON = 4096, 64 * 1024**2
_JSON_START = re.compile(rb'\s*\{\s*("version"\s*:\s*\[[\d\s,]*\]\s*,\s*)?"learner"\s*:\s*\{')
_BINARY_START = re.compile(rb"\{[LliUI](.{1,8})(learner\{|version\[)", re.DOTALL)
_TYPES = {"float": "float", "q": "float", "int": "long", "i": "boolean"}


def candidates(files: Files) -> list[str]:
    """Return the files that XGBoost wrote. Other JSON is no model; a .ubj that is none is refused.

    Old binary files (``.model``, ``.bin``) and pickles are no native format of XGBoost any more.
    """
    found = [p for p in files.ending(*JSON_ENDINGS) if _JSON_START.match(files.header(p, HEAD))]
    return sorted(found + files.ending(*BINARY_ENDINGS))


def derive(files: Files) -> Derived:
    """Return the signature that a JSON file declares."""
    path = candidates(files)[0]
    if path.lower().endswith(BINARY_ENDINGS):
        if not _BINARY_START.match(files.header(path, HEAD)):
            raise refusal(path, "not an XGBoost model: write it with Booster.save_model")
        return unsaid("xgboost", f"{path} is binary and not read here")
    if files.sizes[path] > MAX_JSON:
        return unsaid("xgboost", f"{path} is too large to be read here")
    learner = _learner(path, files.read(path, MAX_JSON))
    names, kinds = learner.get("feature_names"), learner.get("feature_types")
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        return unsaid("xgboost", f"{path} names no features (it was not trained on a DataFrame)")
    kinds = (
        kinds if isinstance(kinds, list) and len(kinds) == len(names) else ["float"] * len(names)
    )
    if strange := [n for n, k in zip(names, kinds, strict=True) if str(k) not in _TYPES]:
        return unsaid("xgboost", f"{path} has categories in {strange[0]!r}, served as their codes")
    inputs = [{"name": n, "type": _TYPES[k]} for n, k in zip(names, kinds, strict=True)]
    return Derived("xgboost", signature={"inputs": inputs, "outputs": _outputs(learner)})


def _learner(path: str, raw: bytes) -> dict[str, Any]:
    try:
        model = json.loads(raw)
    except (ValueError, RecursionError) as error:
        where = f" at line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise refusal(path, f"not valid JSON{where}: is the upload whole?") from None
    learner = model.get("learner") if isinstance(model, dict) else None
    if not isinstance(learner, dict) or not isinstance(learner.get("gradient_booster"), dict):
        raise refusal(path, "not an XGBoost model: it has no learner with a booster")
    found: dict[str, Any] = learner
    return found


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
