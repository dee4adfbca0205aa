"""The readers: each says whether a file of one kind is whole, and what is worth telling of it.

Only a reader says ``safe``.
"""

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from os.path import isfile
from pathlib import Path, PurePosixPath
from typing import IO

import yaml

from placet.kernel import yaml_text
from workers.builder.scanning import (
    archives,
    documents,
    headers,
    lightgbm,
    mlflow_folder,
    onnx,
    onnx_fields,
    onnx_sizes,
    requirements,
    skops,
    texts,
    xgboost,
    yaml_events,
)
from workers.builder.scanning.known import ORDER, Verdict, judge, shown, words
from workers.builder.scanning.loaders import takes
from workers.builder.scanning.report import Report
from workers.builder.scanning.trees import NotRead, NoTrees, NotTrees

SIGNATURE, ARROW = 8, b"ARROW1"
MAX_YAML, MAX_CONFIG = 4 << 20, 64 << 20
MAX_TAGGED = 128 << 10  # of all files: Python's own reader takes up to 0.1 ms a byte
TABLES = words(".csv .tsv")
MAX_GARBLED = 512 << 10  # of all files: in six locales up to 20 us a byte
MAX_NAMED = 5  # domains of operators
Told = Iterator[tuple[Verdict, str]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file stands; ``report`` takes the types of skops, ``weights`` the files of ONNX. Of
    one that is not ``whole`` its header says more than is there."""

    root: Path
    name: str
    report: Report
    weights: set[str]
    whole: bool = True
    beside: Collection[str] = ()  # what is in the same archive

    @property
    def lies(self) -> Verdict:
        """What a header is that lies: of a whole file it is no accident."""
        return "malicious" if self.whole else "unknown"


Reader = Callable[[IO[bytes], Place], Told]


def suffix_of(own: PurePosixPath) -> str:
    """Return the ending; of ".py" too, which can be imported."""
    return PurePosixPath(f"x{own.name}").suffix.lower()


def says(verdict: Verdict, what: str) -> Reader:
    return lambda stream, place: iter([(verdict, what)])


def says_no_zip(verdict: Verdict, what: str) -> Reader:
    """Of a zip its members are told of, each by itself."""
    return lambda stream, place: iter([] if archives.has_end(stream) else [(verdict, what)])


def forests(stream: IO[bytes]) -> Told:
    """Hold a file against itself when XGBoost or LightGBM would read it: neither asks what else it
    is, and XGBoost takes what it does not know for UBJSON."""
    for library, read in (("LightGBM", lightgbm.read), ("XGBoost", xgboost.read)):
        try:
            read(stream)
        except NotRead as fault:
            yield "unknown", f"is a model of {library} that may be whole, but {fault}"
        except NoTrees as fault:
            yield "safe", str(fault)
        except NotTrees as fault:
            yield "unknown", f"is a broken model of {library}: {fault}. Save and upload it anew"


def behind(stream: IO[bytes]) -> Told:
    """Tell of what is read out of a file whatever it begins with: HDF5 behind a user block (HDF5
    File Format Specification 3.0, II.A), which pandas unpickles, and Parquet by its end."""
    size, place = stream.seek(0, 2), 512
    while place < size:
        stream.seek(place)
        if takes("hdf5", stream.read(SIGNATURE)):
            yield "unknown", "holds HDF5 behind its beginning, which is not read further"
        place *= 2
    pickles = _is_arrow(stream, size) and documents.holds(stream, headers.PICKLED_TYPE)
    with contextlib.suppress(headers.NotOne):  # nobody reads a footer of that length
        pickles = pickles or headers.parquet_pickles(stream)
    if pickles:
        yield "unknown", "has a column of a type that pyarrow before 14.0.1 unpickles"
    if texts.reads_elsewhere(stream):
        yield "unknown", "declares an entity of XML that is read from elsewhere"


def _is_arrow(stream: IO[bytes], size: int) -> bool:
    """Tell whether pyarrow takes it for a file or a stream of Arrow (Columnar Format, "IPC")."""
    stream.seek(0)
    head = stream.read(6)
    stream.seek(max(size - 6, 0))
    return head.startswith((ARROW, b"\xff\xff\xff\xff")) or stream.read() == ARROW


def _is_table(stream: IO[bytes], place: Place) -> bool:
    return suffix_of(PurePosixPath(place.name)) in TABLES and texts.is_table(stream)


def read_text(stream: IO[bytes], place: Place) -> Told:
    if not texts.is_text(stream) and not _is_table(stream, place):
        yield "unknown", "is called text, but cannot be read as text"
        return
    if requirements.is_called_so(PurePosixPath(place.name)):
        stream.seek(0)
        raw = stream.read(requirements.MAX_BYTES + 1)
        if len(raw) > requirements.MAX_BYTES:
            yield "unknown", "is too large for requirements"
        text = raw.decode("utf-8", "replace")
        yield from _leads_out(text, place)
    yield "safe", ""


def _leads_out(text: str, place: Place, garbled: Iterable[str] = ()) -> Told:
    for path in requirements.led_out(text, place.name, place.root, garbled, place.beside):
        named = shown(path.replace("\t", "<tab>"))  # which MLflow takes for a part of it
        yield "unknown", f"requires what {named} says, which is not uploaded"


def read_json(stream: IO[bytes], place: Place) -> Told:
    yield ("safe", "") if texts.is_text(stream) else ("unknown", "is called JSON and is no text")


def read_ubjson(stream: IO[bytes], place: Place) -> Told:
    """What names a learner has been held against itself already: see :func:`forests`."""
    if xgboost.is_ubjson(stream):
        yield "safe", ""
    else:
        yield "unknown", "is a broken model of XGBoost: it has no learner. Save and upload it anew"


def forest_reader(library: str, read: Callable[[IO[bytes]], bool]) -> Reader:
    """What is broken has been told of already: see :func:`forests`."""

    def told(stream: IO[bytes], place: Place) -> Told:
        try:
            whole = read(stream)
        except NoTrees:
            whole = False
        except NotTrees:
            return
        yield ("safe", "") if whole else ("unknown", f"is called {library} and is no model of it")

    return told


def read_yaml(stream: IO[bytes], place: Place) -> Told:
    """A tag of Python's makes whoever loads it carelessly call something; events make nothing."""
    if not texts.is_text(stream):
        yield "unknown", "is called text, but cannot be read as text"
        return
    stream.seek(0)
    raw = stream.read(MAX_YAML + 1)
    if len(raw) > MAX_YAML:
        yield "unknown", "is too large for a YAML file"
        return
    if yaml_text.has_many_directives(text := raw.decode()):
        yield "unknown", yaml_text.DIRECTIVES
        return
    if yaml_text.mark_inside(text):
        yield "unknown", yaml_text.MARK_INSIDE
    tagged, garbled = yaml_events.has_tag(raw), yaml_events.may_be_garbled(raw)
    place.report.tagged += len(raw) * tagged
    place.report.garbled += len(raw) * garbled
    try:
        events = tuple(yaml_events.read(raw, yaml.CSafeLoader))
        if tagged and place.report.tagged > MAX_TAGGED:
            yield "unknown", "is too large for a YAML file with tags, or one of too many"
        elif tagged:  # a comma or a quote belongs to a tag by one of them alone
            both = (*events, *yaml_events.read(raw, yaml.SafeLoader))
            if both[: len(events)] != both[len(events) :]:
                yield "unknown", "is read differently by two readers of YAML: quote what has a !"
            events = both
    except yaml.YAMLError:  # another reader of YAML may go on
        yield "unknown", "is called YAML and cannot be read"
        return
    if garbled and place.report.garbled > MAX_GARBLED:
        yield "unknown", "is too large for YAML with options that is no ASCII, or one of too many"
        garbled = False
    elsewhere = tuple(yaml_events.garbled(raw)) if garbled else ()
    if any(yaml_events.is_of_python(tag) for tag, _ in (*events, *elsewhere)):
        yield "malicious", "has a tag that makes objects of Python"
        return
    values, other = ("\n".join(value for _, value in some) for some in (events, elsewhere))
    yield from _leads_out(values, place, [other])
    yield "safe", ""


def read_mlmodel(stream: IO[bytes], place: Place) -> Told:
    stream.seek(0)
    yield from mlflow_folder.told(stream.read(mlflow_folder.MAX_BYTES + 1))
    yield "safe", ""


def read_module_names(stream: IO[bytes], place: Place) -> Told:
    stream.seek(0)
    raw = stream.read(mlflow_folder.MAX_BYTES)
    yield from mlflow_folder.module_told(raw.decode("utf-8", "replace"))
    yield "safe", ""


def read_onnx(stream: IO[bytes], place: Place) -> Told:
    stream.seek(0)
    data, folder = stream.read(), PurePosixPath(place.name).parent
    try:
        outside = onnx.outside(data)
        told = (one for weights in outside for one in _weights_told(weights, place))
        at_fault = sorted(told, key=lambda one: -ORDER.index(one[0]))[:1]
        yield from at_fault  # first: the graver, and known also where the rest is not read
        for name in onnx.foreign(data)[:MAX_NAMED]:
            yield "code-carrying", f"has operators ({name}) {onnx.ADVICE}"
        for name in onnx_sizes.of_rows(data):
            yield "code-carrying", f"has operators ({name}) {onnx_sizes.ADVICE}"
        if at_fault:
            return
        onnx.check(data, place.root / place.name if outside else None)
    except onnx_fields.NotRead as error:
        yield "unknown", f"is ONNX that is not read here: {error}"
        return
    except (onnx_fields.NotOnnx, RecursionError) as error:
        yield "unknown", f"is called ONNX, but cannot be read as that: {error}"
        return
    place.weights.update((folder / weights.location).as_posix() for weights in outside)
    yield "safe", ""


def _weights_told(weights: onnx.Outside, place: Place) -> Told:
    """What is at fault with the place of weights outside of a model."""
    shown_one = ascii(weights.location)[:120]
    path = place.root / PurePosixPath(place.name).parent / weights.location
    if onnx.is_address(weights.location):
        yield "malicious", f"has a number taken for an address of memory ({shown_one})"
    elif onnx.escapes(weights.location):
        yield "malicious", f"reads data from {shown_one}"
    elif "!" in place.name or not isfile(path):  # noqa: PTH113 -- of a name of any length
        yield "unknown", f"refers to {shown_one}, not uploaded"
    elif weights.offset + (weights.length or 0) > path.stat().st_size:
        yield "unknown", f"asks {shown_one} for bytes that it has not"


def read_safetensors(stream: IO[bytes], place: Place) -> Told:
    yield _measured(stream, place, headers.safetensors, "safetensors", "safe")


def read_parquet(stream: IO[bytes], place: Place) -> Told:
    try:
        pickled = headers.parquet_pickles(stream)
    except headers.NotOne as error:
        yield "unknown", f"is called Parquet, but cannot be read as that: {error}"
        return
    if pickled:
        yield "unknown", "has a column of a type that pyarrow before 14.0.1 unpickles"
    yield "safe", ""


def document_reader(suffix: str) -> Reader:
    """A picture, sound or document is held to its own structure: no loader of models reads one."""

    def told(stream: IO[bytes], place: Place) -> Told:
        try:
            documents.WHOLE[suffix](stream)
        except documents.NotWhole as error:
            yield "unknown", f"is called {suffix}, but {error}; save or export it again"
            return
        if suffix in documents.TABLES and documents.holds(stream, headers.PICKLED_TYPE):
            yield "unknown", "has a column of a type that pyarrow before 14.0.1 unpickles"
        yield "safe", ""

    return told


def read_hdf5(stream: IO[bytes], place: Place) -> Told:
    """HDF5 is not read beyond its first block, which may link to other files: never safe."""
    yield _measured(stream, place, headers.hdf5, "HDF5", "unknown")


def _measured(
    stream: IO[bytes],
    place: Place,
    check: Callable[[IO[bytes]], None],
    kind: str,
    verdict: Verdict,
) -> tuple[Verdict, str]:
    """Let ``check`` hold the header against the bytes."""
    stream.seek(0)
    try:
        check(stream)
    except headers.NotOne as error:
        return "unknown", f"is called {kind}, but cannot be read as that: {error}"
    except headers.Lies as error:
        return place.lies, f"has a {kind} header that lies: {error}"
    return verdict, "" if verdict == "safe" else f"is {kind}, which is not read further"


def read_numpy(stream: IO[bytes], place: Place) -> Told:
    from workers.builder.scanning.walker import walk_pickle

    stream.seek(0)
    left = headers.MAX_NUMPY_HEADERS - place.report.headers
    try:
        objects = headers.numpy_objects(stream, min(headers.MAX_NUMPY_HEADER, left))
    except headers.NotOne as error:
        yield "unknown", f"is called NumPy, but cannot be read as that: {error}"
        return
    except headers.Lies as error:
        yield place.lies, f"has a NumPy header that lies: {error}"
        return
    finally:
        here = stream.tell()  # behind the header, which has been read
        place.report.headers += here if here > headers.LONG else 0
    if not objects:
        yield "safe", ""
        return
    walk = walk_pickle(stream, partial(place.report.once, shown(place.name), "malicious"))
    place.report.cut |= walk.cut
    yield "code-carrying", "holds a pickle"
    yield from walk.findings
    yield walk.verdict, ""
    if not walk.complete:
        yield "unknown", f"holds a pickle that is not whole: {walk.error}"


def read_keras(stream: IO[bytes], place: Place) -> Told:
    stream.seek(0)
    try:
        findings = list(headers.keras(stream.read(MAX_CONFIG)))
    except headers.NotOne as error:
        yield "unknown", f"is called Keras, but cannot be read as that: {error}"
        return
    yield "safe", ""
    yield from findings


def read_config(stream: IO[bytes], place: Place) -> Told:
    """Keras loads a folder with such a file as well (keras/src/saving/saving_api.py)."""
    yield from read_json(stream, place)
    if stream.seek(0, 2) > MAX_CONFIG:
        yield "unknown", "is too large for a config"
        return
    stream.seek(0)
    with contextlib.suppress(headers.NotJson):  # then it is another's config
        yield from headers.keras(stream.read())


def read_skops(stream: IO[bytes], place: Place) -> Told:
    """A skops file names the types it is made of: safe when all stand in the short list."""
    stream.seek(0)
    try:
        schema = skops.read(stream.read(skops.MAX_SCHEMA + 1))
    except skops.NotSkops as error:
        yield "unknown", f"is called skops, but cannot be read as that: {error}"
        return
    yield "safe", ""
    types = schema.types
    yield from (("code-carrying", fault) for fault in sorted(schema.faults))
    for full, loader in sorted(schema.others):
        module, _, kind = full.rpartition(".")
        verdict, what = judge(module, kind)
        by = "" if loader in skops.trusted() else f", by {loader}"
        yield verdict, shown(what or f"is made of {full}{by}")
        if verdict != "code-carrying":
            types.discard(full)
    if schema.faults or schema.others:
        yield "code-carrying", skops.ADVICE
    place.report.takes(shown(place.name), types)


def read_schema(stream: IO[bytes], place: Place) -> Told:
    """skops asks for no ending: MLflow loads what MLmodel names."""
    stream.seek(0)
    try:
        followed = skops.is_schema(stream.read(skops.MAX_SCHEMA + 1))
    except skops.NotSkops as error:
        return iter([("unknown", f"is called as skops calls it, and {error}")])
    return (read_skops if followed else read_json)(stream, place)
