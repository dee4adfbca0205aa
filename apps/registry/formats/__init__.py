"""What a version's files are: recognised by name and read as data. Nothing here unpickles."""

from collections.abc import Callable
from typing import NoReturn

from apps.registry.errors import FormatUnknown
from apps.registry.formats import mlflow, onnx, sklearn
from apps.registry.formats.base import Derived, Files
from placet.kernel.problems import FieldError

FORMATS: dict[str, Callable[[Files], Derived]] = {
    "sklearn": sklearn.derive,
    "onnx": onnx.derive,
    "mlflow": mlflow.derive,
}

__all__ = ["FORMATS", "Derived", "Files", "derive", "detect"]


def detect(files: Files) -> str:
    """Return the name of the format of ``files``. Raises :class:`FormatUnknown`, saying why."""
    if mlflow.MODEL_FILE in files.sizes:
        return "mlflow"
    pickles = files.ending(*sklearn.ENDINGS)
    graphs = files.ending(*onnx.ENDINGS)
    if len(graphs) == 1 and not pickles:
        return "onnx"
    if len(pickles) == 1 and not graphs:
        return "sklearn"
    if graphs or pickles:
        names = ", ".join(graphs + pickles)
        _refuse(f"Several files could be the model ({names}): keep one of them")
    nested = [path for path in files.sizes if path.endswith("/" + mlflow.MODEL_FILE)]
    if nested:
        _refuse(f"{nested[0]} lies in a folder: upload the MLflow folder's content itself")
    return _refuse(
        "No model file found: upload one .joblib, .pkl or .pickle file (scikit-learn), one .onnx "
        "file, or an MLflow model folder with its MLmodel file"
    )


def derive(name: str, files: Files) -> Derived:
    """Return what the files of format ``name`` say about themselves."""
    return FORMATS[name](files)


def _refuse(detail: str) -> NoReturn:
    raise FormatUnknown(detail, errors=[FieldError("/files", detail)])
