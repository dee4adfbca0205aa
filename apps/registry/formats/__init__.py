"""What a version's files are: recognised by name and read as data. Nothing here unpickles."""

from collections.abc import Callable
from typing import NoReturn

from apps.registry.errors import FormatUnknown
from apps.registry.formats import bento_project, lightgbm, mlflow, onnx, sklearn, skops, xgboost
from apps.registry.formats.base import Derived, Files
from apps.registry.formats.usable import usable
from placet.kernel.problems import FieldError

FORMATS: dict[str, Callable[[Files], Derived]] = {
    "sklearn": sklearn.derive,
    "skops": skops.derive,
    "xgboost": xgboost.derive,
    "lightgbm": lightgbm.derive,
    "onnx": onnx.derive,
    "mlflow": mlflow.derive,
    "bentoml": bento_project.derive,
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
    projects = [mlflow.MODEL_FILE] if mlflow.MODEL_FILE in files.sizes else []
    if build_file := bento_project.found(files):
        projects.append(build_file)
    if len(projects) == 2:
        _refuse(f"It cannot be both an MLflow model and a BentoML project ({', '.join(projects)})")
    if projects:
        return "bentoml" if build_file else "mlflow"
    found = [(name, path) for name, find in CANDIDATES.items() for path in find(files)]
    if len(found) == 1:
        return found[0][0]
    if found:
        names = ", ".join(sorted(path for _, path in found))
        _refuse(f"Several files could be the model ({names}): keep one of them")
    roots = ("/" + mlflow.MODEL_FILE, "/" + bento_project.BENTOFILE)
    nested = [path for path in files.sizes if path.endswith(roots)]
    if nested:
        _refuse(f"{nested[0]} lies in a folder: upload the folder's content itself")
    return _refuse(
        "No model file found: upload one .joblib, .pkl or .pickle file (scikit-learn), one .skops "
        "file, one .json or .ubj file written by XGBoost, one .txt file written by LightGBM, one "
        ".onnx file, an MLflow model folder with its MLmodel file, or a BentoML project with its "
        "bentofile.yaml"
    )


def derive(name: str, files: Files) -> Derived:
    """Return what the files of format ``name`` say about themselves, as far as an author could."""

    def path() -> str:
        return CANDIDATES[name](files)[0] if name in CANDIDATES else mlflow.MODEL_FILE

    return usable(FORMATS[name](files), path)


def _refuse(detail: str) -> NoReturn:
    raise FormatUnknown(detail, errors=[FieldError("/files", detail)])
