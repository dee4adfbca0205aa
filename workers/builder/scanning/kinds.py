"""What a file is by its ending and first bytes: which of the readers says whether it is whole."""

import re
from pathlib import PurePosixPath
from typing import IO

from workers.builder.scanning import (
    documents,
    lightgbm,
    mlflow_folder,
    readers,
    xgboost,
)
from workers.builder.scanning.known import words
from workers.builder.scanning.loaders import DATA, endings, takes

TEXT = set(
    words(
        ".txt .md .jsonl .ndjson .geojson .csv .tsv .toml .cfg .ini .html .xml .rst .log .cff "
        ".lock .in .bib .tex .sql .md5 .sha256 .gitattributes .gitignore .gitkeep .dockerignore "
        ".editorconfig .python-version .markdown .conf .rels .jinja .jinja2 .srt .vtt .proto "
        ".properties .adoc .css .diff .svg"  # which nobody here draws
    )
)
TEXT_NAMES = frozenset(  # in small letters, as all names here
    words(
        "license readme notice authors changelog citation contributing version dockerfile makefile "
        "pipfile mlproject copying licence changes codeowners"
    )
)
YAML, HDF5 = words(".yaml .yml"), endings("hdf5")
YAML_NAMES = words("mlproject registered_model_meta")
SKOPS_SCHEMA = tuple(f"{ending}!schema.json" for ending in endings("skops"))
KERAS_CONFIG = tuple(f"{ending}!config.json" for ending in endings("keras"))
CODE, PACKED_CODE = words(".py .pyw .pyc .pyx .sh .ipynb .r .js .pth"), words(".jar .whl .egg")
IMAGES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"PAR1")
PICTURES = words(".png .jpg .jpeg .gif .parquet")
PROGRAMS = (
    b"\x7fELF",
    b"\xcf\xfa\xed\xfe",
    b"\xce\xfa\xed\xfe",
    b"\xfe\xed\xfa\xce",
    b"\xfe\xed\xfa\xcf",
    b"\xca\xfe\xba\xbe",
    b"\xca\xfe\xba\xbf",
    b"#!",
)
NATIVE = PROGRAMS[:-1]
# How ONNX and PyTorch call the files that a model's weights lie in, after the model or a parameter
# ("running_mean", "in_proj_weight"): an ending with a low line is that of no loader.
WEIGHTS = {"", *words(".data .bin .weight .weights .bias .alpha .beta .gamma .scale")}
PARAMETER = re.compile(r"\.[a-z0-9]+(_[a-z0-9]+)+")
FLATBUFFERS = (b"TFL3", b"ORTM")  # behind four bytes: TensorFlow Lite and ONNX Runtime


def reader(own: PurePosixPath, head: bytes, name: str, stream: IO[bytes]) -> readers.Reader | None:
    """Return what reads a file of this name that begins so, ``None`` when nothing does."""
    suffix, called = readers.suffix_of(own), own.name.lower()  # some disks know one case
    if head.startswith(NATIVE) or _is_windows(head, stream):
        return readers.says(
            "unknown", "is native program code, which nobody reads here: leave it out"
        )
    if suffix in CODE:
        return readers.says("code-carrying", "is source or program code")
    if called == "mlmodel":
        return readers.read_mlmodel
    if called in mlflow_folder.NAMING:
        return readers.read_module_names
    if takes("hdf5", head) or suffix in HDF5:  # it may begin behind what is another's
        return readers.read_hdf5
    if takes("numpy array", head):
        return readers.read_numpy
    if name.lower().endswith(SKOPS_SCHEMA):
        return readers.read_skops
    if called == "schema.json" and "!" in name:
        return readers.read_schema
    if name.lower().endswith(KERAS_CONFIG):
        return readers.read_keras
    if called == "config.json":
        return readers.read_config
    if suffix in YAML or called in YAML_NAMES:
        return readers.read_yaml
    if suffix in TEXT or called in TEXT_NAMES:
        return readers.read_text
    if suffix == ".parquet":  # its readers go by its end
        if head.startswith(b"PAR1"):
            return readers.read_parquet
        return readers.says("unknown", "is called Parquet and does not begin so")
    if head.startswith(IMAGES) and suffix in PICTURES:
        return readers.read_parquet  # of which it may be one too
    known, buffers = suffix in by_ending(), head[4:8] in FLATBUFFERS
    unread = buffers or takes("catboost", head) or takes("llama.cpp", head)
    if (buffers and suffix in endings("onnxruntime")) or (unread and not known):
        return readers.says("unknown", "is a model of a kind that is not read here")
    return by_ending().get(suffix)


def is_called_text(own: PurePosixPath) -> bool:
    """Tell whether a file of this name is a text to all but those who unpickle it."""
    return readers.suffix_of(own) in {".json", *TEXT, *YAML} or own.name.lower() in TEXT_NAMES


def by_ending() -> dict[str, readers.Reader]:
    """Return what reads a file by its ending alone."""
    return {
        ".json": readers.read_json,
        ".ubj": readers.read_ubjson,
        ".lgb": readers.forest_reader("LightGBM", lightgbm.read),
        ".xgb": readers.forest_reader("XGBoost", xgboost.read),
        **{suffix: readers.document_reader(suffix) for suffix in documents.WHOLE},
        **dict.fromkeys(endings("onnxruntime"), readers.read_onnx),
        **dict.fromkeys(endings("safetensors"), readers.read_safetensors),
        **dict.fromkeys(
            endings("keras"), readers.says_no_zip("unknown", "is called Keras and is no zip")
        ),
        **dict.fromkeys(
            PACKED_CODE, readers.says_no_zip("code-carrying", "is source or program code")
        ),
    }


def is_weights(own: PurePosixPath, head: bytes, stream: IO[bytes]) -> bool:
    """Tell whether no loader takes what a model calls its weights for anything else, neither by
    its name nor by its first bytes."""
    named = {"mlmodel", *TEXT_NAMES, *YAML_NAMES, *mlflow_folder.NAMING}
    suffix = readers.suffix_of(own)
    called = own.name.lower() not in named and (suffix in WEIGHTS or PARAMETER.fullmatch(suffix))
    taken = head.startswith((*PROGRAMS, *DATA)) or head[4:8] in FLATBUFFERS
    return bool(called) and not taken and not _is_windows(head, stream)


def _is_windows(head: bytes, stream: IO[bytes]) -> bool:
    """Tell whether it is a program of Windows: words and numbers may begin like its first header,
    which says where the second one stands."""
    if not head.startswith(b"MZ"):
        return False
    stream.seek(int.from_bytes(head[60:64], "little"))
    return stream.read(4) == b"PE\0\0"
