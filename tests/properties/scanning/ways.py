"""The ways in which files are loaded: each loader as its users call it. Runs in the sandbox.

Where the loader cannot be here its rules stand in its place (:mod:`rules`); ``make prove`` holds
those of torch and keras against the real ones where they are installed.
"""

import bz2
import gzip
import importlib
import io
import lzma
import pickle
import pickletools
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.properties.scanning.rules import (
    by_rules_of_items,
    by_rules_of_keras,
    by_rules_of_mlflow,
    by_rules_of_onnx,
    by_rules_of_onnxruntime,
    by_rules_of_operators,
    by_rules_of_rounds,
    by_rules_of_safetensors,
    by_rules_of_sklearn,
    files,
)

MODULES = ("own", "own.inner", "own.", "own.inner.x")


def unpickled(path: Path) -> None:
    with path.open("rb") as stream:
        pickle.load(stream)


def unpickled_in_python(path: Path) -> None:
    with path.open("rb") as stream:
        pickle._Unpickler(stream).load()  # type: ignore[attr-defined]


def one_by_one(path: Path) -> None:
    """Unpickle all that stand one behind the other, as torch and many scripts do."""
    with path.open("rb") as stream:
        while True:
            pickle.load(stream)


def joblibbed(path: Path) -> None:
    import joblib

    joblib.load(path)


def numpied(path: Path) -> None:
    import numpy

    found = numpy.load(path, allow_pickle=True)
    if isinstance(found, numpy.lib.npyio.NpzFile):
        for name in found.files:
            found[name]


class _Torch(pickle.Unpickler):
    """Takes every persistent id for a storage (torch/serialization.py ``persistent_load``)."""

    def persistent_load(self, outside: Any) -> Any:
        return outside[-1] if isinstance(outside, tuple) else None

    def find_class(self, module: str, name: str) -> Any:
        """A storage's type becomes a plain one; what else is asked for is found."""
        if module == "torch" and name.endswith("Storage"):
            return bytearray
        return super().find_class(module, name)


def torched(path: Path) -> None:
    """``torch.load(path, weights_only=False)`` (torch/serialization.py ``load``, ``_legacy_load``):
    a zip by its first bytes, a tar if tarfile opens it, and else pickles in a row."""
    with path.open("rb") as stream:
        head = stream.read(4)
        stream.seek(0)
        if head == b"PK\x03\x04":
            with zipfile.ZipFile(stream) as archive:
                [data] = [n for n in archive.namelist() if n.endswith("data.pkl")][:1]
                _Torch(io.BytesIO(archive.read(data))).load()
            return
        try:
            with tarfile.open(fileobj=stream, mode="r:", format=tarfile.PAX_FORMAT) as archive:
                for part in ("storages", "tensors", "pickle"):
                    held = archive.extractfile(part)
                    while held is not None and held.read(1):
                        held.seek(-1, 1)
                        _Torch(held).load()
            return
        except (tarfile.TarError, KeyError):
            stream.seek(0)
        for _ in range(5):  # magic number, protocol, system, object, keys
            _Torch(stream).load()


def skopsed(path: Path) -> None:
    """Load with all that skops itself says it does not trust: the most that a user may trust."""
    import skops.io

    skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))


def mlflowed(folder: Path) -> None:
    import mlflow.pyfunc

    mlflow.pyfunc.load_model(str(folder), suppress_warnings=True)


def imported(folder: Path) -> None:
    """Import what may lie in a folder, and in each archive of it, as a loader's code path does."""
    tried = [folder, *(path for path in files(folder) if path.suffix != ".txt")]
    for place in tried:
        sys.path.insert(0, str(place))
        sys.path_importer_cache.clear()
        importlib.invalidate_caches()
        for name in MODULES:
            for known in [known for known in sys.modules if known.partition(".")[0] == "own"]:
                del sys.modules[known]
            try:
                importlib.import_module(name)
            except Exception:
                continue
        sys.path.remove(str(place))


OPENERS: tuple[Callable[[bytes], bytes], ...] = (
    gzip.decompress,
    bz2.decompress,
    lzma.decompress,
    zlib.decompress,
)


def unpacked(path: Path) -> None:
    """Unpack whatever can be, and unpickle whatever comes out: somebody who helps themselves."""
    _unpacked(path.read_bytes(), 0)


def _unpacked(data: bytes, depth: int) -> None:
    inner: list[bytes] = []
    for opener in OPENERS:
        try:
            inner.append(opener(data))
        except Exception:
            continue
    for opened in (_members_of_zip, _members_of_tar):
        try:
            inner += opened(data)
        except Exception:
            continue
    for one in inner:
        if depth < 12 and one != data:
            _unpacked(one, depth + 1)
    if depth:
        try:
            pickle._Unpickler(io.BytesIO(data)).load()  # type: ignore[attr-defined]
        except Exception:
            return


def _members_of_zip(data: bytes) -> list[bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [archive.read(name) for name in archive.namelist()]


def _members_of_tar(data: bytes) -> list[bytes]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        held = [archive.extractfile(entry) for entry in archive.getmembers() if entry.isfile()]
        return [one.read() for one in held if one is not None]


def carelessly(path: Path) -> None:
    import yaml

    yaml.unsafe_load(path.read_bytes())


def onnxed(path: Path) -> None:
    import onnx

    onnx.load(path)


def boosted(path: Path) -> None:
    import xgboost

    xgboost.Booster().load_model(path)


def lightgbmed(path: Path) -> None:
    import lightgbm

    lightgbm.Booster(model_file=path)


def boosted_and_asked(path: Path) -> None:
    import numpy
    import xgboost

    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(path)
    booster.predict(xgboost.DMatrix(numpy.zeros((3, 1)), nthread=1))


def lightgbmed_and_asked(path: Path) -> None:
    import lightgbm
    import numpy

    lightgbm.Booster(model_file=path).predict(numpy.zeros((3, 1)), num_threads=1)


def lightgbmed_inside(path: Path) -> None:
    """Have LightGBM answer into a place that is larger than it says its answer is."""
    import ctypes

    import lightgbm
    import numpy
    from lightgbm.basic import _LIB
    from placet_marker import fire

    booster = lightgbm.Booster(model_file=path)
    width, said = booster.num_feature(), ctypes.c_int64(0)
    row, answer = numpy.ones((1, width)), numpy.full(1000, 777.0)
    _LIB.LGBM_BoosterPredictForMat(
        booster._handle,
        row.ctypes.data_as(ctypes.c_void_p),
        *(1, 1, width, 1, 0, 0, -1),  # 64 bits, a row, row by row, probabilities, all rounds
        b"num_threads=1",
        ctypes.byref(said),
        answer.ctypes.data_as(ctypes.POINTER(ctypes.c_double)),
    )
    if (answer[said.value :] != 777.0).any():
        fire()


def mlflowed_and_asked(folder: Path) -> None:
    import mlflow.pyfunc
    import pandas

    model = mlflow.pyfunc.load_model(str(folder), suppress_warnings=True)
    model.predict(pandas.DataFrame({"a": [0.0, 0.5, 1.0]}))


def mlflowed_with_warnings(folder: Path) -> None:
    """As people load a model who ask for nothing more: its requirements are read."""
    import mlflow.pyfunc

    mlflow.pyfunc.load_model(str(folder))


def torch_itself(path: Path) -> None:
    import torch  # type: ignore[import-not-found]

    torch.load(path, weights_only=False)


def keras_itself(folder: Path) -> None:
    import keras  # type: ignore[import-not-found]

    config = folder / "config.json"
    for path in [folder] if config.exists() else folder.glob("*.keras"):
        keras.saving.load_model(path, safe_mode=False)


# Each with what it is given: a file, or the whole folder.
OF_FILES: dict[str, Callable[[Path], None]] = {
    "pickle": unpickled,
    "python's pickle": unpickled_in_python,
    "one by one": one_by_one,
    "joblib": joblibbed,
    "numpy": numpied,
    "torch": torched,
    "skops": skopsed,
    "skops, by the rules of scikit-learn": by_rules_of_sklearn,
    "unpacked": unpacked,
    "careless yaml": carelessly,
    "onnx": onnxed,
    "xgboost": boosted,
    "lightgbm": lightgbmed,
    "safetensors": by_rules_of_safetensors,
    "torch itself": torch_itself,
    "xgboost predicts": boosted_and_asked,
    "lightgbm predicts": lightgbmed_and_asked,
    "lightgbm, inside of its answer": lightgbmed_inside,
    "xgboost, by the rules of its rounds": by_rules_of_rounds,
    "numpy, by the rules of its items": by_rules_of_items,
    "onnx, by the rules of its operators": by_rules_of_operators,
}
OF_FOLDERS: dict[str, Callable[[Path], None]] = {
    "mlflow": mlflowed,
    "mlflow by its rules": by_rules_of_mlflow,
    "keras": by_rules_of_keras,
    "keras itself": keras_itself,
    "imports": imported,
    "mlflow warns": mlflowed_with_warnings,
    "mlflow predicts": mlflowed_and_asked,
    "onnxruntime, by its rules": by_rules_of_onnxruntime,
    "onnx of mlflow, by its rules": by_rules_of_onnx,
}
# These follow what they read in C++: what ends one of them may as well have changed its memory.
FOLLOWING = frozenset({"xgboost predicts", "lightgbm predicts", "mlflow predicts"})


def disassembled(data: bytes) -> str:
    """Return a pickle's opcodes, as far as they can be told, for whoever looks at a failure."""
    told = io.StringIO()
    try:
        pickletools.dis(data, told)
    except Exception as error:
        told.write(f"{error}\n")
    return told.getvalue()
