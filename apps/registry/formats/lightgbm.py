"""LightGBM's own text file: the lines before the first tree tell features and objective."""

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
    unsaid,
)

ENDINGS = (".txt",)
START = b"tree\nversion=v"
HEAD = 2 * 1024**2
WANTED = ("feature_names", "max_feature_idx", "objective", "num_class")
_CLASSES = {"multiclass", "multiclassova", "softmax", "ova"}


def candidates(files: Files) -> list[str]:
    """Return the text files that LightGBM wrote."""
    wanted = len(START)
    return [path for path in files.ending(*ENDINGS) if files.header(path, wanted) == START]


def derive(files: Files) -> Derived:
    """Return the signature that the header declares."""
    path = candidates(files)[0]
    facts = _header(path, files.header(path, HEAD))
    text = facts["feature_names"]
    features = text.count(" ") + 1
    if str(features - 1) != facts["max_feature_idx"]:
        raise refusal(
            path, "not a whole LightGBM model: its feature_names and max_feature_idx do not agree"
        )
    if features > MAX_FEATURES:
        return unsaid("lightgbm", f"{path} has more than {MAX_FEATURES} features")
    names = text.split(" ")
    inputs = [{"name": name, "type": "double"} for name in names]
    return Derived("lightgbm", signature={"inputs": inputs, "outputs": _outputs(facts)})


def _header(path: str, raw: bytes) -> dict[str, str]:
    """Return what is wanted of the header; millions of other lines in it are never split."""
    end = raw.find(b"\n\n")
    if end < 0:
        raise refusal(path, "not a whole LightGBM model: its header has no end")
    return {name: _line(raw, end, name) for name in WANTED}


def _line(raw: bytes, end: int, name: str) -> str:
    """Return what the last line ``name=…`` says."""
    mark = b"\n%b=" % name.encode()
    position = raw.rfind(mark, 0, end)
    if position < 0:
        return ""
    start = position + len(mark)
    stop = raw.find(b"\n", start)
    return raw[start : min(stop, end)].decode("utf-8", "replace").strip()


def _outputs(facts: dict[str, str]) -> list[dict[str, Any]]:
    objective = facts["objective"].split(" ")[0]
    if objective in _CLASSES:
        number = facts["num_class"]
        return outputs_of_trees(int(number) if re.fullmatch(r"[1-9]\d{0,3}", number) else 2)
    return outputs_of_trees(2 if objective == "binary" else 0)


FORMAT = Format(
    name="lightgbm",
    title="LightGBM",
    endings=ENDINGS,
    find=candidates,
    text=True,
    derive=derive,
    packages=("lightgbm", "numpy"),
    # It looks beside its own folder for its compiled library first (``lightgbm/libpath.py``).
    safe_from={"lightgbm": {"lightgbm": "3.3.5"}, "lib_lightgbm": {}},
    shared=("placet_boosted.py",),
    onnx=Conversion("lightgbm", ("onnxmltools", "skl2onnx", "onnxruntime")),
    family="gradient-boosted trees",
)
