"""What a file is by its ending and first bytes, and the reader that says whether it is whole.

A reader yields verdicts with what is worth telling of them; only a reader says ``safe``.
"""

import codecs
import contextlib
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

import yaml

from placet.kernel import yaml_text
from workers.builder.scanning import headers, lightgbm, mlflow_folder, skops, xgboost
from workers.builder.scanning.known import Verdict, judge, shown, words
from workers.builder.scanning.onnx import NotOnnx, check, escapes, outside
from workers.builder.scanning.report import Report
from workers.builder.scanning.trees import NotRead, NotTrees

CHUNK = 1 << 20
MAX_YAML, MAX_CONFIG = 4 << 20, 64 << 20
TEXT = set(
    words(
        ".txt .md .jsonl .csv .tsv .toml .cfg .ini .html .xml .rst .log .cff .lock .in .bib .tex "
        ".sql .md5 .sha256 .gitattributes .gitignore .gitkeep .dockerignore .editorconfig "
        ".python-version .markdown .conf .svg"  # which nobody here draws
    )
)
TEXT_NAMES = frozenset(
    words(
        "LICENSE README NOTICE AUTHORS CHANGELOG CITATION CONTRIBUTING VERSION Dockerfile Makefile "
        "Pipfile MLproject"
    )
)
YAML, HDF5 = words(".yaml .yml"), words(".h5 .hdf5")
TABLES = words(".csv .tsv")
CODE, PACKED_CODE = words(".py .pyw .pyc .pyx .sh .ipynb .r .js .pth"), words(".jar .whl .egg")
IMAGES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"PAR1")
PICTURES = words(".png .jpg .jpeg .gif .parquet")
PROGRAMS = (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\xfe\xed\xfa\xce",
            b"\xfe\xed\xfa\xcf", b"\xca\xfe\xba\xbe", b"\xca\xfe\xba\xbf", b"#!")  # fmt: skip
NATIVE = PROGRAMS[:-1]
# How ONNX and PyTorch call the files that a model's weights lie in, after the model or a parameter
# ("running_mean", "in_proj_weight"): an ending with a low line is that of no loader.
WEIGHTS = {"", *words(".data .bin .weight .weights .bias .alpha .beta .gamma .scale")}
PARAMETER = re.compile(r"\.[a-z0-9]+(_[a-z0-9]+)+")
# What a loader takes a file by, whatever its name: NumPy, HDF5, LightGBM, XGBoost, CatBoost,
# llama.cpp, and behind four bytes TensorFlow Lite and ONNX Runtime.
FORMATS = (b"\x93NUMPY", headers.HDF5, b"tree\n", b"tree\r", b'{"', b"{L\0\0", b"{i", b"{U",
           b"binf", b"CBM1", b"GGUF")  # fmt: skip
UNREAD, FLATBUFFERS = (b"CBM1", b"GGUF"), (b"TFL3", b"ORTM")
_CONTROLS = frozenset(map(chr, range(32))) - set("\t\n\r\f") | {"\x7f"}
Told = Iterator[tuple[Verdict, str]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file stands; ``report`` takes the types of skops, ``weights`` the files of ONNX."""

    root: Path
    name: str
    report: Report
    weights: set[str]


Reader = Callable[[IO[bytes], Place], Told]


def reader(own: PurePosixPath, head: bytes, name: str, stream: IO[bytes]) -> Reader | None:
    """Return what reads a file of this name that begins so, ``None`` when nothing does."""
    suffix = _suffix(own)
    if head.startswith(NATIVE) or _is_windows(head, stream):
        return _is("unknown", "is native program code")
    if suffix in CODE:
        return _is("code-carrying", "is source or program code")
    if own.name == "MLmodel":
        return _mlmodel
    if own.name in mlflow_folder.NAMING:
        return _naming
    if head.startswith(headers.HDF5) or suffix in HDF5:  # it may begin behind what is another's
        return _hdf5
    if head.startswith(b"\x93NUMPY"):
        return _numpy
    if name.lower().endswith(".skops!schema.json"):
        return _skops
    if own.name == "schema.json" and "!" in name:
        return _schema
    if name.lower().endswith(".keras!config.json"):
        return _keras
    if own.name == "config.json":
        return _config
    if suffix in YAML or own.name == "MLproject":
        return _yaml
    if suffix in TEXT or own.name in TEXT_NAMES:
        return _text
    if suffix == ".parquet":  # its readers go by its end
        whole = head.startswith(b"PAR1")
        return _parquet if whole else _is("unknown", "is called Parquet and does not begin so")
    if head.startswith(IMAGES) and suffix in PICTURES:
        return _parquet  # of which it may be one too
    unread = head.startswith(UNREAD) or head[4:8] in FLATBUFFERS
    other = _is("unknown", "is a model of a kind that is not read here") if unread else None
    return readers().get(suffix, other)


def is_called_text(own: PurePosixPath) -> bool:
    """Tell whether a file of this name is a text to all but those who unpickle it."""
    return _suffix(own) in {".json", *TEXT, *YAML} or own.name in TEXT_NAMES


def readers() -> dict[str, Reader]:
    """Return what reads a file by its ending alone."""
    return {
        ".json": _json, ".onnx": _onnx, ".safetensors": _safetensors, ".ubj": _ubjson,
        ".lgb": _forest("LightGBM", lightgbm.read), ".xgb": _forest("XGBoost", xgboost.read),
        ".keras": _no_zip("unknown", "is called Keras and is no zip"),
        **dict.fromkeys(PACKED_CODE, _no_zip("code-carrying", "is source or program code")),
    }  # fmt: skip


def is_weights(own: PurePosixPath, head: bytes, stream: IO[bytes]) -> bool:
    """Tell whether no loader takes what a model calls its weights for anything else, neither by
    its name nor by its first bytes."""
    named = {"MLmodel", *TEXT_NAMES, *mlflow_folder.NAMING}
    suffix = _suffix(own)
    called = own.name not in named and (suffix in WEIGHTS or PARAMETER.fullmatch(suffix))
    taken = head.startswith((*PROGRAMS, *FORMATS)) or head[4:8] in FLATBUFFERS
    return bool(called) and not taken and not _is_windows(head, stream)


def _is_windows(head: bytes, stream: IO[bytes]) -> bool:
    """Tell whether it is a program of Windows: words and numbers may begin like its first header,
    which says where the second one stands."""
    if not head.startswith(b"MZ"):
        return False
    stream.seek(int.from_bytes(head[60:64], "little"))
    return stream.read(4) == b"PE\0\0"


def _suffix(own: PurePosixPath) -> str:
    """Return the ending; of ".py" too, which can be imported."""
    return PurePosixPath(f"x{own.name}").suffix.lower()


def _is(verdict: Verdict, what: str) -> Reader:
    return lambda stream, place: iter([(verdict, what)])


def _no_zip(verdict: Verdict, what: str) -> Reader:
    """Of a zip its members are told of, each by itself."""
    return lambda stream, place: iter([] if zipfile.is_zipfile(stream) else [(verdict, what)])


def _is_text(
    stream: IO[bytes], without: frozenset[str] = frozenset(), encoding: str = "utf-8"
) -> bool:
    stream.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        while piece := stream.read(CHUNK):
            if without.intersection(decoder.decode(piece)):
                return False
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def is_plain(stream: IO[bytes]) -> bool:
    """Tell whether all of it is text that can be read aloud: UTF-8 without control characters."""
    return _is_text(stream, _CONTROLS)


def _is_table(stream: IO[bytes], own: PurePosixPath) -> bool:
    """Tell whether all of it can be read aloud as spreadsheets write tables that are not UTF-8."""
    if _suffix(own) not in TABLES:
        return False
    stream.seek(0)
    wide = stream.read(2) in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}
    return _is_text(stream, _CONTROLS, "utf-16" if wide else "cp1252")


def forests(stream: IO[bytes]) -> Told:
    """Hold a file against itself when XGBoost or LightGBM would read it: neither asks what else it
    is, and XGBoost takes what it does not know for UBJSON."""
    for library, read in (("LightGBM", lightgbm.read), ("XGBoost", xgboost.read)):
        try:
            read(stream)
        except NotRead as fault:
            yield "unknown", f"is a model of {library} that may be whole, but {fault}"
        except NotTrees as fault:
            yield "unknown", f"is a broken model of {library}: {fault}. Save and upload it anew"


def _text(stream: IO[bytes], place: Place) -> Told:
    if not _is_text(stream) and not _is_table(stream, PurePosixPath(place.name)):
        yield "unknown", "is called text and is none"
        return
    yield "safe", ""


def _json(stream: IO[bytes], place: Place) -> Told:
    yield ("safe", "") if _is_text(stream) else ("unknown", "is called JSON and is no text")


def _ubjson(stream: IO[bytes], place: Place) -> Told:
    """What names a learner has been held against itself already: see :func:`forests`."""
    if xgboost.is_ubjson(stream):
        yield "safe", ""
    else:
        yield "unknown", "is a broken model of XGBoost: it has no learner. Save and upload it anew"


def _forest(library: str, read: Callable[[IO[bytes]], bool]) -> Reader:
    """What is broken has been told of already: see :func:`forests`."""

    def told(stream: IO[bytes], place: Place) -> Told:
        with contextlib.suppress(NotTrees):
            whole = read(stream)
            yield (
                ("safe", "") if whole else ("unknown", f"is called {library} and is no model of it")
            )

    return told


def _yaml(stream: IO[bytes], place: Place) -> Told:
    """A tag of Python's makes whoever loads it carelessly call something; events make nothing."""
    if not _is_text(stream):
        yield "unknown", "is called text and is none"
        return
    stream.seek(0)
    raw = stream.read(MAX_YAML + 1)
    if len(raw) > MAX_YAML:
        yield "unknown", "is too large for a YAML file"
        return
    if yaml_text.mark_inside(raw.decode()):
        yield "unknown", yaml_text.MARK_INSIDE
    if b"!" in raw:
        try:
            tags = {str(getattr(e, "tag", None) or "") for e in yaml.parse(raw, yaml.CSafeLoader)}
        except yaml.YAMLError:
            yield "unknown", "is called YAML and cannot be read"
            return
        if any(tag.startswith("tag:yaml.org,2002:python") for tag in tags):
            yield "malicious", "has a tag that makes objects of Python"
            return
    yield "safe", ""


def _mlmodel(stream: IO[bytes], place: Place) -> Told:
    stream.seek(0)
    found = list(mlflow_folder.told(stream.read(mlflow_folder.MAX_BYTES + 1)))
    yield from found
    yield "safe", ""


def _naming(stream: IO[bytes], place: Place) -> Told:
    stream.seek(0)
    raw = stream.read(mlflow_folder.MAX_BYTES)
    yield from mlflow_folder.module_told(raw.decode("utf-8", "replace"))
    yield "safe", ""


def _onnx(stream: IO[bytes], place: Place) -> Told:
    stream.seek(0)
    data = stream.read()
    folder = PurePosixPath(place.name).parent
    try:
        found = outside(data)
        for location in found:
            if escapes(location):
                yield "malicious", f"reads data from {ascii(location)[:120]}"
                return
            if "!" in place.name or not (place.root / folder / location).is_file():
                yield "unknown", f"refers to {ascii(location)[:120]}, not uploaded"
                return
        check(data, place.root / place.name if found else None)
    except (NotOnnx, RecursionError) as error:
        yield "unknown", f"is called ONNX and is none: {error}"
        return
    place.weights.update((folder / location).as_posix() for location in found)
    yield "safe", ""


def _safetensors(stream: IO[bytes], place: Place) -> Told:
    yield _measured(stream, headers.safetensors, "safetensors", "safe")


def _parquet(stream: IO[bytes], place: Place) -> Told:
    try:
        pickled = headers.parquet_pickles(stream)
    except headers.NotOne as error:
        yield "unknown", f"is called Parquet and is none: {error}"
        return
    if pickled:
        yield "unknown", "has a column of a type that pyarrow before 14.0.1 unpickles"
    yield "safe", ""


def _hdf5(stream: IO[bytes], place: Place) -> Told:
    """HDF5 is not read beyond its first block, which may link to other files: never safe."""
    yield _measured(stream, headers.hdf5, "HDF5", "unknown")


def _measured(
    stream: IO[bytes], check: Callable[[IO[bytes]], None], kind: str, verdict: Verdict
) -> tuple[Verdict, str]:
    """Let ``check`` hold the header against the bytes; a header that lies is no accident."""
    stream.seek(0)
    try:
        check(stream)
    except headers.NotOne as error:
        return "unknown", f"is called {kind} and is none: {error}"
    except headers.Lies as error:
        return "malicious", f"has a {kind} header that lies: {error}"
    return verdict, "" if verdict == "safe" else f"is {kind}, which is not read further"


def _numpy(stream: IO[bytes], place: Place) -> Told:
    from workers.builder.scanning.walker import walk_pickle

    stream.seek(0)
    try:
        objects = headers.numpy_objects(stream)
    except headers.NotOne as error:
        yield "unknown", f"is called NumPy and is none: {error}"
        return
    except headers.Lies as error:
        yield "malicious", f"has a NumPy header that lies: {error}"
        return
    if not objects:
        yield "safe", ""
        return
    walk = walk_pickle(stream)
    yield "code-carrying", "holds a pickle"
    yield from walk.findings
    yield walk.verdict, ""
    if not walk.complete:
        yield "unknown", f"holds a pickle that is not whole: {walk.error}"


def _keras(stream: IO[bytes], place: Place) -> Told:
    stream.seek(0)
    try:
        found = list(headers.keras(stream.read(MAX_CONFIG)))
    except headers.NotOne as error:
        yield "unknown", f"is called Keras and is none: {error}"
        return
    yield "safe", ""
    yield from found


def _config(stream: IO[bytes], place: Place) -> Told:
    """Keras loads a folder with such a file as well (keras/src/saving/saving_api.py)."""
    yield from _json(stream, place)
    if stream.seek(0, 2) > MAX_CONFIG:
        yield "unknown", "is too large for a config"
        return
    stream.seek(0)
    with contextlib.suppress(headers.NotOne):  # then it is another's config
        yield from headers.keras(stream.read())


def _skops(stream: IO[bytes], place: Place) -> Told:
    """A skops file names the types it is made of: safe when all stand in the committed list."""
    stream.seek(0)
    try:
        found = skops.types_of(stream.read(skops.MAX_SCHEMA))
    except skops.NotSkops as error:
        yield "unknown", f"is called skops and is none: {error}"
        return
    yield "safe", ""
    for full in sorted(found - skops.trusted()):
        module, _, kind = full.rpartition(".")
        verdict, what = judge(module, kind)
        yield verdict, shown(what or f"is made of {full}")
        if verdict != "code-carrying":
            found.discard(full)
    place.report.types |= found


def _schema(stream: IO[bytes], place: Place) -> Told:
    """skops asks for no ending: MLflow loads what MLmodel names."""
    stream.seek(0)
    return (_skops if skops.is_schema(stream.read(skops.MAX_SCHEMA)) else _json)(stream, place)


def missing_files(archive: zipfile.ZipFile) -> str:
    """Return a file that the schema of a skops archive names and that it lacks, or ''."""
    names = set(archive.namelist())
    if "schema.json" not in names:
        return "schema.json"
    with archive.open("schema.json") as schema:
        named = skops.files_of(schema.read(skops.MAX_SCHEMA))
    return next(iter(sorted(named - names)), "")
