"""What a version may ask for: names and versions, nothing that names a place or runs code."""

from collections.abc import Iterable

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from workers.builder.errors import BuildFailed

BENTOML = "bentoml==1.4.40"
MAX_REQUIREMENTS = 200
MAX_LENGTH = 200
# What the generated service of each format needs, when the version does not name it itself.
FORMAT_NEEDS: dict[str, tuple[str, ...]] = {
    "sklearn": ("scikit-learn", "joblib"),
    "skops": ("scikit-learn", "skops"),
    "xgboost": ("xgboost-cpu", "numpy"),
    "lightgbm": ("lightgbm", "numpy"),
    "onnx": ("onnxruntime", "numpy"),
    "mlflow": ("mlflow",),
}
# What converting to ONNX and answering with it needs beside them.
ACCELERATE_NEEDS: dict[str, tuple[str, ...]] = {
    "sklearn": ("skl2onnx", "onnxruntime"),
    "skops": ("skl2onnx", "onnxruntime"),
    "xgboost": ("onnxmltools", "skl2onnx", "onnxruntime"),
    "lightgbm": ("onnxmltools", "skl2onnx", "onnxruntime"),
}
SAME_IMPORT = {
    "mlflow": {"mlflow-skinny", "mlflow"},
    "xgboost-cpu": {"xgboost-cpu", "xgboost"},  # the plain one brings a CUDA library
}


def parse(text: str) -> Requirement:
    """Return ``text`` as a requirement; raise :class:`BuildFailed` for what is not allowed."""
    shown = "".join(c if c.isprintable() else "\ufffd" for c in text[:80])
    if len(text) > MAX_LENGTH or any(not c.isprintable() for c in text):
        raise BuildFailed(f"The requirement {shown!r} is too long or holds control characters")
    if text.strip().startswith("-"):
        raise BuildFailed(
            f"The requirement {shown!r} is an option; only names and versions may stand"
        )
    if "://" in text or " @ " in text or text.strip().startswith((".", "/", "~")):
        raise BuildFailed(
            f"The requirement {shown!r} names a place; only names and versions may stand"
        )
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        raise BuildFailed(f"The requirement {shown!r} is not a name and a version") from None
    if requirement.url:
        raise BuildFailed(
            f"The requirement {shown!r} names a place; only names and versions may stand"
        )
    return requirement


def gather(
    requirements: Iterable[str], model_format: str, *, accelerate: bool = False
) -> list[str]:
    """Return the sorted inputs of a lock: the version's, the format's, and the pinned BentoML."""
    given = [parse(text) for text in requirements]
    if len(given) > MAX_REQUIREMENTS:
        raise BuildFailed(f"A version may have at most {MAX_REQUIREMENTS} requirements")
    names = {canonicalize_name(r.name) for r in given}
    lines = {str(r) for r in given if canonicalize_name(r.name) != "bentoml"}
    more = ACCELERATE_NEEDS.get(model_format, ()) if accelerate else ()
    for need in (*FORMAT_NEEDS.get(model_format, ()), *more):
        if not names & SAME_IMPORT.get(need, {need}):
            lines.add(need)
    return sorted({*lines, BENTOML})
