"""What the loaders of models go by, each with its source: the scanner follows this table.

A loader decides by a file's folder, ending or first bytes what it does with it. What one of them
unpickles or imports is never ``safe``, whatever it looks like to another. The scanner asks for
first bytes and endings by the loader's name; a loader that has neither takes any file, or one by
its folder, and what it does the scanner follows in every one.
"""

from dataclasses import dataclass
from typing import Literal

from workers.builder.scanning.known import words

Does = Literal[
    "unpickles",
    "decompresses",
    "opens as zip",
    "opens as tar",
    "reads data",
    "imports",
    "runs names",
]


@dataclass(frozen=True, slots=True)
class Loader:
    """One way into a file. ``starts`` and ``endings``: when it is taken; none of both: always."""

    name: str
    does: Does
    source: str
    starts: tuple[bytes, ...] = ()
    endings: frozenset[str] = frozenset()


LOADERS = (
    # pickle.load looks at neither name nor first bytes.
    Loader("pickle", "unpickles", "cpython Lib/pickle.py _Unpickler.load"),
    Loader("cloudpickle", "unpickles", "cloudpickle/cloudpickle.py: load = pickle.load"),
    # joblib.load: _detect_compressor compares the first bytes with each prefix, then unpickles.
    Loader("joblib zlib", "decompresses", "joblib/compressor.py ZlibCompressorWrapper", (b"\x78",)),
    Loader(
        "joblib gzip", "decompresses", "joblib/compressor.py GzipCompressorWrapper", (b"\x1f\x8b",)
    ),
    Loader("joblib bz2", "decompresses", "joblib/compressor.py BZ2CompressorWrapper", (b"BZ",)),
    Loader(
        "joblib lzma", "decompresses", "joblib/compressor.py LZMACompressorWrapper", (b"\x5d\x00",)
    ),
    Loader(
        "joblib xz",
        "decompresses",
        "joblib/compressor.py XZCompressorWrapper",
        (b"\xfd\x37\x7a\x58\x5a",),
    ),
    Loader(
        "joblib lz4",
        "decompresses",
        "joblib/compressor.py LZ4CompressorWrapper",
        (b"\x04\x22\x4d\x18",),
    ),
    Loader(
        "joblib, before 0.10",
        "decompresses",
        "joblib/numpy_pickle_compat.py _ZFILE_PREFIX",
        (b"ZF",),
    ),
    # numpy.load: a zip by its first bytes, .npy by its magic, and anything else a pickle.
    Loader(
        "numpy zip", "opens as zip", "numpy/lib/_npyio_impl.py load", (b"PK\x03\x04", b"PK\x05\x06")
    ),
    Loader("numpy array", "reads data", "numpy/lib/_format_impl.py read_array", (b"\x93NUMPY",)),
    # torch.load: a zip by its first bytes, a tar of its first releases, and else pickles in a row.
    Loader("torch zip", "opens as zip", "torch/serialization.py _is_zipfile", (b"PK\x03\x04",)),
    Loader("torch", "unpickles", "torch/serialization.py _legacy_load"),
    Loader(
        "torch tar", "opens as tar", "torch/serialization.py legacy_load: all that tarfile opens"
    ),
    Loader(
        "keras",
        "opens as zip",
        "keras/src/saving/saving_lib.py load_model",
        endings=words(".keras"),
    ),
    Loader("keras folder", "runs names", "keras/src/saving/saving_api.py load_model: config.json"),
    Loader(
        "keras classes",
        "runs names",
        "keras/src/saving/serialization_lib.py deserialize_keras_object",
    ),
    Loader(
        "hdf5",
        "reads data",
        "h5py; keras/src/legacy/saving/legacy_h5_format.py",
        (b"\x89HDF\r\n\x1a\n",),
        words(".h5 .hdf5"),
    ),
    Loader(
        "skops",
        "opens as zip",
        "skops/io/_persist.py load; any ending: "
        "mlflow/sklearn/__init__.py _load_model_from_local_file",
        endings=words(".skops"),
    ),
    Loader("skops types", "runs names", "skops/io/_utils.py gettype"),
    Loader("mlflow", "runs names", "mlflow/pyfunc/__init__.py load_model: loader_module, code"),
    Loader("mlflow example", "reads data", "mlflow/models/utils.py _read_file_content"),
    Loader(
        "mlflow requirements",
        "reads data",
        "mlflow/utils/requirements_utils.py _parse_requirements",
    ),
    Loader(
        "python",
        "imports",
        "cpython Lib/importlib/_bootstrap_external.py, Lib/zipimport.py",
        endings=words(".py .pyc .pyw .so .pyd .zip .egg .whl .pth"),
    ),
    Loader("onnxruntime", "reads data", "onnxruntime/core/graph/model.cc", endings=words(".onnx")),
    # What it does not know by its ending it takes for JSON or UBJSON, by its first bytes.
    Loader(
        "xgboost",
        "reads data",
        "xgboost src/c_api/c_api.cc XGBoosterLoadModel",
        (b'{"', b"{L\0\0", b"{i", b"{U"),
    ),
    Loader(
        "xgboost, before 3.1",
        "reads data",
        "xgboost src/learner.cc LearnerIO::LoadModel",
        (b"binf",),
    ),
    Loader(
        "lightgbm",
        "reads data",
        "LightGBM src/boosting/boosting.cpp GetBoostingTypeFromModelFile",
        (b"tree\n", b"tree\r"),
    ),
    Loader(
        "catboost",
        "reads data",
        "catboost/libs/model/model.cpp MODEL_FILE_DESCRIPTOR_CHARS",
        (b"CBM1",),
    ),
    Loader("llama.cpp", "reads data", "ggml/include/gguf.h GGUF_MAGIC", (b"GGUF",)),
    Loader(
        "safetensors",
        "reads data",
        "safetensors/src/tensor.rs SafeTensors::read_metadata",
        endings=words(".safetensors"),
    ),
)


@dataclass(frozen=True, slots=True)
class Flavor:
    """A flavor of MLflow whose library reads the file that ``data`` names, whatever it is called.

    ``endings``: under which the scanner reads it as that library does, or says no ``safe``.
    """

    name: str
    library: str
    source: str
    endings: frozenset[str]


FLAVORS = (
    Flavor(
        "xgboost", "XGBoost", "mlflow/xgboost/__init__.py _load_model", words(".json .ubj .xgb")
    ),
    # A class of lightgbm.sklearn is unpickled, or read as skops.
    Flavor(
        "lightgbm",
        "LightGBM",
        "mlflow/lightgbm/__init__.py _load_model",
        words(".txt .lgb .pkl .skops"),
    ),
    Flavor(
        "onnx", "ONNX", "mlflow/onnx/__init__.py _load_model, _OnnxModelWrapper", words(".onnx")
    ),
    # It goes by save_format, and has trees in JSON too, which nobody here holds against themselves.
    Flavor("catboost", "CatBoost", "mlflow/catboost/__init__.py _load_model", frozenset()),
)

# Flavors of MLflow that unpickle what they name, whatever it is called and looks like.
UNPICKLING = {
    "sklearn": "mlflow/sklearn/__init__.py _load_model_from_local_file",
    "pyfunc.model": "mlflow/pyfunc/model.py _load_context_model_and_signature",
    "lightgbm": "mlflow/lightgbm/__init__.py _load_model, all but a Booster",
    "statsmodels": "mlflow/statsmodels/__init__.py _load_model",
    "pytorch": "mlflow/pytorch/__init__.py _load_model",
    "pmdarima": "mlflow/pmdarima/__init__.py _load_model",
    "dspy": "mlflow/dspy/load.py _load_model",
    "langchain": "mlflow/langchain/utils/logging.py _load_from_pickle",
    "fastai": "mlflow/fastai/__init__.py _load_model, of its first releases",
}


_BY_NAME = {loader.name: loader for loader in LOADERS}
# The first bytes of what a loader reads as data, whatever its name.
DATA = tuple(start for loader in LOADERS if loader.does == "reads data" for start in loader.starts)


def takes(name: str, head: bytes) -> bool:
    """Tell whether the loader ``name`` takes a file with these first bytes for its own."""
    return head.startswith(_BY_NAME[name].starts)


def endings(name: str) -> frozenset[str]:
    """Return the endings that the loader ``name`` goes by."""
    return _BY_NAME[name].endings


def imports(name: str) -> bool:
    """Tell whether a file of this name may be a module of Python's."""
    return name.lower().endswith(tuple(endings("python")))


def compression(head: bytes) -> str:
    """Return the loader that would decompress a file with these first bytes, or ''."""
    for loader in LOADERS:
        if loader.does == "decompresses" and head.startswith(loader.starts):
            return loader.name
    return ""
