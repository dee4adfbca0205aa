"""LightGBM's own text file: the lines before the first tree tell features and objective."""

import re
from typing import Any

from apps.registry.formats.base import Derived, Files, outputs_of_trees, refusal, unsaid

ENDINGS = (".txt",)
START = b"tree\nversion=v"
HEAD = 2 * 1024**2
_CLASSES = {"multiclass", "multiclassova", "softmax", "ova"}


def candidates(files: Files) -> list[str]:
    """Return the text files that LightGBM wrote."""
    wanted = len(START)
    return [path for path in files.ending(*ENDINGS) if files.header(path, wanted) == START]


def derive(files: Files) -> Derived:
    """Return the signature that the header declares."""
    path = candidates(files)[0]
    facts = _header(path, files.header(path, HEAD))
    names = facts.get("feature_names", "").split(" ")
    if str(len(names) - 1) != facts.get("max_feature_idx"):
        raise refusal(path, "not a whole LightGBM model: its feature_names and max_feature_idx "
                            "do not agree")  # fmt: skip
    if len(set(names)) != len(names):
        return unsaid("lightgbm", f"{path} names a feature twice")
    inputs = [{"name": name, "type": "double"} for name in names]
    return Derived("lightgbm", signature={"inputs": inputs, "outputs": _outputs(facts)})


def _header(path: str, raw: bytes) -> dict[str, str]:
    head, separator, _ = raw.decode("utf-8", "replace").partition("\n\n")
    if not separator:
        raise refusal(path, "not a whole LightGBM model: its header has no end")
    pairs = [line.partition("=") for line in head.splitlines()]
    return {name: value.strip() for name, _, value in pairs}


def _outputs(facts: dict[str, str]) -> list[dict[str, Any]]:
    objective = facts.get("objective", "").split(" ")[0]
    if objective in _CLASSES:
        number = facts.get("num_class", "")
        return outputs_of_trees(int(number) if re.fullmatch(r"[1-9]\d{0,3}", number) else 2)
    return outputs_of_trees(2 if objective == "binary" else 0)
