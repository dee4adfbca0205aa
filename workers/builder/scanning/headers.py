"""Headers of files that hold arrays: what they say must be true of the bytes that follow."""

import ast
import base64
import functools
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from workers.builder.scanning.known import Verdict, judge
from workers.builder.scanning.texts import parsed

MAX_HEADER = 100_000_000
MAX_NUMPY_HEADER = 1 << 20
MAX_NUMPY_HEADERS = 4 << 20  # of all files, of those that are long
LONG = 10_000  # bytes: of more NumPy reads none by itself (numpy/lib/format.py, _MAX_HEADER_SIZE)
MAX_FOOTER = 64 << 20
MEMBERS = 3  # of a header: descr, fortran_order and shape
BITS = {
    "BOOL": 8,
    "U8": 8,
    "I8": 8,
    "F8_E4M3": 8,
    "F8_E5M2": 8,
    "F8_E8M0": 8,
    "I16": 16,
    "U16": 16,
    "F16": 16,
    "BF16": 16,
    "I32": 32,
    "U32": 32,
    "F32": 32,
    "I64": 64,
    "U64": 64,
    "F64": 64,
    "C64": 64,
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
}
PLAIN = re.compile(r"[<>|=]?([?biufcmMSUaV])(\d*)(\[[\w/]+\])?")
VALUES = re.compile(r"[<>|=]?([?biufc]\d*|[SU][1-9]\d{0,2})")
MAX_ARRAY = 1 << 62  # bytes that NumPy can count
MAX_DIGITS = 18  # of such a number, and few enough for Python to read
SIZES = {"?": 1, "b": 1, "i": 4, "u": 4, "f": 8, "c": 16, "m": 8, "M": 8}
# Arrow's schema stands in base64 in a Parquet file's footer; so this type is named in it.
BASE64 = re.compile(rb"[A-Za-z0-9+/]{24,}")
MAX_DIMENSIONS = 64  # of NumPy 2; 32 before
PICKLED_TYPE = b"arrow.py_extension_type"
KERAS_ROOTS = frozenset({"keras", "tf_keras"})
# Keras before 3.15 loads layers that wait for each other for ever.
KERAS_NOT_TRIED = "is a model of Keras, with no version of which files were tried"
KERAS_NAMES = Path(__file__).with_name("keras_names.txt")
# What Keras calls what it makes of program code, or reads from elsewhere, in a config.
KERAS_CODE = {
    "Lambda": "a Lambda layer, which is program code",
    "__lambda__": "a Lambda layer, which is program code",
    "TorchModuleWrapper": "a module of PyTorch, which is a pickle",
    "TFSMLayer": "a layer that runs a graph of TensorFlow from a folder",
}


class Lies(Exception):
    """The header says what is not so."""


class NotOne(Exception):
    """The bytes are not of this kind at all."""


class NotJson(NotOne):
    """They are not JSON, whoever reads them."""


def safetensors(stream: IO[bytes]) -> None:
    """Raise unless the tensors that the header names fill the file, without gap and overlap."""
    size = stream.seek(0, 2)
    stream.seek(0)
    length = int.from_bytes(stream.read(8), "little")
    if not 2 <= length <= MAX_HEADER or stream.read(1) != b"{":
        raise NotOne("it has no header")
    if 8 + length > size:
        raise Lies(f"its header has {length} bytes and the file {size}")
    stream.seek(8)
    try:
        header = parsed(stream.read(length), "utf-8", object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise NotOne("its header is not JSON") from None
    if not isinstance(header, dict):
        raise NotOne("its header is no object")
    texts = header.pop("__metadata__", {})
    if not isinstance(texts, dict) or not all(isinstance(v, str) for v in texts.values()):
        raise Lies("its metadata is not texts by name")
    end = 0
    for start, stop in sorted(_span(name, tensor) for name, tensor in header.items()):
        if start != end:
            raise Lies(f"its tensors leave a gap or overlap at byte {end}")
        end = stop
    if end != size - 8 - length:
        raise Lies(f"its tensors take {end} bytes and {size - 8 - length} follow the header")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object whose members stand once: readers differ over which of two counts."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Lies("its header has a member twice")
    return members


def _span(name: str, tensor: Any) -> tuple[int, int]:
    match tensor:
        case {"dtype": str(kind), "shape": list(shape), "data_offsets": [int(start), int(stop)]}:
            if len(shape) > MAX_DIMENSIONS:
                raise NotOne("a tensor of its has more dimensions than NumPy knows")
            known = kind in BITS and all(type(n) is int and n >= 0 for n in shape)
            if known and (stop - start) * 8 == math.prod(shape) * BITS[kind] and start >= 0:
                return start, stop
    raise Lies(f"the tensor {ascii(name)[:80]} is not what its type, shape and place say")


def hdf5(stream: IO[bytes]) -> None:
    """Raise when the file ends before or behind the end that its first block names."""
    size = stream.seek(0, 2)
    stream.seek(0)
    block = stream.read(128)
    if len(block) < 24:  # the least that one can have
        raise NotOne("its first block is cut off")
    version = block[8]
    if version not in {0, 1, 2, 3}:
        raise NotOne("its first block is of an unknown version")
    width = block[13] if version < 2 else block[9]
    if width not in {2, 4, 8}:
        raise NotOne("its addresses have an odd length")
    offset = {0: 24, 1: 28}.get(version, 12) + 2 * width
    end = int.from_bytes(block[offset : offset + width], "little")
    if end > size:
        raise Lies(f"it says that it has {end} bytes and has {size}")
    if end < size:
        raise NotOne("something stands behind its end")


def numpy_objects(stream: IO[bytes], most: int = MAX_NUMPY_HEADER) -> bool:
    """Tell whether an .npy file may hold pickled objects; its data stands next in ``stream``. Its
    header may have ``most`` bytes.

    What is not a plain number, text or record type counts as objects, however it is spelled.
    Raises :class:`NotOne` and :class:`Lies`.
    """
    header = _numpy_header(stream, most)
    if header is None or not _plain(header[0]):
        return True
    _measure(stream, *header)
    return False


def numpy_values(stream: IO[bytes]) -> bool:
    """Tell whether an .npy file holds numbers, truth values or texts: no records, dates or bytes of
    no type. Raises :class:`NotOne`."""
    header = _numpy_header(stream, LONG)
    return header is not None and isinstance(header[0], str) and bool(VALUES.fullmatch(header[0]))


def _numpy_header(stream: IO[bytes], most: int) -> tuple[Any, Any] | None:
    """Return the type and shape that an .npy file says it has, ``None`` where it cannot be read."""
    begin = stream.read(8)
    size = stream.read(2 if begin[6:7] == b"\1" else 4)
    if len(begin) < 8 or len(size) < 2:
        raise NotOne("it is cut off")
    length = int.from_bytes(size, "little")
    if length > most:
        raise NotOne("its header is too long, alone or with those of other arrays")
    try:
        text = stream.read(length).decode("latin-1").strip()
        if not _is_one_dict(read := ast.parse(text, mode="eval"), text):
            return None
        header = ast.literal_eval(read)
        return header["descr"], header["shape"]
    except (ValueError, SyntaxError, LookupError, TypeError, MemoryError, RecursionError):
        return None


def _is_one_dict(read: ast.Expression, text: str) -> bool:
    """Tell whether a header is a dict of three members, as NumPy wants it, with no other and no set
    in it: numbers that a file chooses may all meet in one place of one."""
    whole = isinstance(read.body, ast.Dict) and len(read.body.keys) <= MEMBERS
    inside = ast.walk(read) if whole and text.count("{") > 1 else ()  # which a name may have too
    return whole and sum(isinstance(one, ast.Dict | ast.Set) for one in inside) <= 1


def _measure(stream: IO[bytes], kind: Any, shape: Any) -> None:
    if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
        raise Lies("its shape is not whole numbers")
    if len(shape) > MAX_DIMENSIONS:
        raise NotOne("its shape has more dimensions than NumPy knows")
    if not _takes_bytes(kind):
        raise NotOne("an item of its takes no bytes, so NumPy would answer what memory held")
    if math.prod(n or 1 for n in shape) * _item(kind) >= MAX_ARRAY:
        raise NotOne("its shape is larger than memory can be")
    here = stream.tell()
    left = stream.seek(0, 2) - here
    stream.seek(here)
    wanted = math.prod(shape) * _item(kind)
    if wanted > left:
        raise Lies(f"its array takes {wanted} bytes and {left} follow the header")
    if wanted < left:
        raise NotOne("something stands behind its array")


def _takes_bytes(kind: Any) -> bool:
    """Tell whether each part of a plain type takes bytes: of a text or of bytes without a length
    any number fits into an empty file."""
    if isinstance(kind, list):
        return bool(kind) and all(_takes_bytes((part[1], part[2:])) for part in kind)
    if isinstance(kind, tuple):
        return _takes_bytes(kind[0]) and all(n > 0 for n in _lengths(kind[1:]))
    match = PLAIN.fullmatch(kind)
    texts = match is not None and match[1] in "SUaV" and not match[2]
    return not texts and _item(kind) > 0


def _lengths(shape: Any) -> Iterator[int]:
    """Yield the lengths of a shape, however deep it has them."""
    if isinstance(shape, tuple):
        for one in shape:
            yield from _lengths(one)
    else:
        yield shape


def _item(kind: Any) -> int:
    """Return how many bytes one item of a plain type takes."""
    if isinstance(kind, list):
        return sum(_item(part[1]) * _count(*part[2:]) for part in kind)
    if isinstance(kind, tuple):
        return _item(kind[0]) * _count(kind[1])
    match = PLAIN.fullmatch(kind)
    letter, digits = (match[1], match[2]) if match else ("?", "1")
    if len(digits) > MAX_DIGITS:
        raise NotOne("an item of its is larger than memory can be")
    item = int(digits) if digits else SIZES.get(letter, 1)
    return item * (4 if letter == "U" else 1)


def _count(*shapes: Any) -> int:
    """Return how many items the shape behind a type makes of it."""
    if any(isinstance(shape, tuple) and len(shape) > MAX_DIMENSIONS for shape in shapes):
        raise NotOne("its type has a shape with more dimensions than NumPy knows")
    return math.prod(math.prod(s) if isinstance(s, tuple) else s for s in shapes)


def _plain(kind: Any) -> bool:
    if isinstance(kind, str):
        return PLAIN.fullmatch(kind) is not None
    if isinstance(kind, list):
        return all(
            isinstance(part, tuple) and len(part) > 1 and _plain(part[1]) and _shape(*part[2:])
            for part in kind
        )
    return isinstance(kind, tuple) and len(kind) == 2 and _plain(kind[0]) and _shape(kind[1])


def _shape(*shapes: Any) -> bool:
    """What stands behind a type may be its shape; NumPy takes another type there as well."""
    return all(
        type(length) is int
        for shape in shapes
        for length in (shape if isinstance(shape, tuple) else (shape,))
    )


def parquet_pickles(stream: IO[bytes]) -> bool:
    """Tell whether a Parquet file names a type that pyarrow before 14.0.1 unpickles.

    Sources: apache/parquet-format README, "File format"; pyarrow ``types.pxi``
    ``PyExtensionType.__arrow_ext_deserialize__`` (CVE-2023-47248). What has no footer is read by
    nobody.
    """
    size = stream.seek(0, 2)
    stream.seek(max(size - 8, 0))
    end = stream.read(8)
    length = int.from_bytes(end[:4], "little")
    if not end.endswith(b"PAR1") or length + 8 > size:
        return False
    if length > MAX_FOOTER:
        raise NotOne("its footer is too long")
    stream.seek(size - 8 - length)
    footer = stream.read(length)
    return any(
        PICKLED_TYPE in base64.b64decode(run[start : len(run) - (len(run) - start) % 4])
        for run in BASE64.findall(footer)
        for start in range(4)  # the number before it may look like a part of it
    )


def keras(config: bytes) -> Iterator[tuple[Verdict, str]]:
    """Yield what is worth telling of a Keras model's ``config.json``. Raises :class:`NotJson`."""
    try:
        waiting: list[Any] = [parsed(config)]
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise NotJson("its config is not JSON") from None
    except (ValueError, RecursionError):
        yield (
            "unknown",
            "is a config that is too large or too deep, or has a number too long",
        )
        return
    layers = 0
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            waiting += value.values()
            if isinstance(value.get("class_name"), str):
                if not layers:
                    yield "code-carrying", KERAS_NOT_TRIED
                layers += 1
                yield from _keras_object(value)


@functools.cache
def keras_names() -> frozenset[str]:
    """Return what Keras has that only computes."""
    lines = KERAS_NAMES.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def _keras_object(value: dict[str, Any]) -> Iterator[tuple[Verdict, str]]:
    module, name, settings = value.get("module"), value["class_name"], value.get("config")
    if name == "function" and isinstance(settings, str):
        name = settings  # a function is named where others have their settings
    names = (name, value.get("registered_name"), value.get("spec_name"))
    named = {one for one in names if isinstance(one, str)} - {"", "function"}
    for what in sorted({KERAS_CODE[one] for one in named & KERAS_CODE.keys()}):
        yield "code-carrying", f"holds {what}"
    if isinstance(settings, dict) and isinstance(settings.get("vocabulary"), str):
        yield "unknown", "has a layer that reads its words from a file"
    module = module if isinstance(module, str) else "keras"
    own = module.partition(".")[0] in KERAS_ROOTS
    if own or module == "builtins":  # there Keras looks functions up among its own
        known = keras_names() if "config" in value else named
        for one in sorted(named - KERAS_CODE.keys() - known):
            yield "unknown", f"calls for {ascii(one)[1:-1][:80]}, which Keras may do anything with"
    if own or (module == "builtins" and name in keras_names()):
        return
    verdict, what = judge(module, name)
    yield verdict, what or f"calls for {module}.{name}"
