"""What a version's files are: recognised by name and read as data. Nothing here unpickles."""

from collections.abc import Callable
from typing import NoReturn

from apps.registry.errors import FormatUnknown
from apps.registry.formats import lightgbm, mlflow, onnx, sklearn, skops, xgboost
from apps.registry.formats.base import Derived, Files
from placet.kernel.problems import FieldError

FORMATS: dict[str, Callable[[Files], Derived]] = {
    "sklearn": sklearn.derive,
    "skops": skops.derive,
    "xgboost": xgboost.derive,
    "lightgbm": lightgbm.derive,
    "onnx": onnx.derive,
    "mlflow": mlflow.derive,
}
# The formats whose model is one file, and how that file is found.
CANDIDATES: dict[str, Callable[[Files], list[str]]] = {
    "sklearn": lambda files: files.ending(*sklearn.ENDINGS),
    "skops": lambda files: files.ending(*skops.ENDINGS),
    "xgboost": xgboost.candidates,
    "lightgbm": lightgbm.candidates,
    "onnx": lambda files: files.ending(*onnx.ENDINGS),
}

__all__ = ["CANDIDATES", "FORMATS", "Derived", "Files", "derive", "detect"]


def detect(files: Files) -> str:
    """Return the name of the format of ``files``. Raises :class:`FormatUnknown`, saying why."""
    if mlflow.MODEL_FILE in files.sizes:
        return "mlflow"
    found = [(name, path) for name, find in CANDIDATES.items() for path in find(files)]
    if len(found) == 1:
        return found[0][0]
    if found:
        names = ", ".join(sorted(path for _, path in found))
        _refuse(f"Several files could be the model ({names}): keep one of them")
    nested = [path for path in files.sizes if path.endswith("/" + mlflow.MODEL_FILE)]
    if nested:
        _refuse(f"{nested[0]} lies in a folder: upload the MLflow folder's content itself")
    return _refuse(
        "No model file found: upload one .joblib, .pkl or .pickle file (scikit-learn), one .skops "
        "file, one .json or .ubj file written by XGBoost, one .txt file written by LightGBM, one "
        ".onnx file, or an MLflow model folder with its MLmodel file"
    )


def derive(name: str, files: Files) -> Derived:
    """Return what the files of format ``name`` say about themselves."""
    return FORMATS[name](files)


def _refuse(detail: str) -> NoReturn:
    raise FormatUnknown(detail, errors=[FieldError("/files", detail)])
