"""Reads the parts of an ONNX file that point outside it, from the protobuf wire format."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path, PurePosixPath

from workers.builder.scanning import onnx_parts
from workers.builder.scanning.known import words
from workers.builder.scanning.onnx_fields import (
    MAX_PARTS,
    Attribute,
    NotOnnx,
    NotRead,
    Run,
    attribute,
    in_runs,
    listed,
)
from workers.builder.scanning.onnx_trees import lost
from workers.builder.scanning.spread import SECRET

MAX_DEPTH = 40
MAX_WORDS = 100  # letters about one operator
# Of larger ones the outer structure alone is held against itself: ONNX takes four times as much.
MAX_CHECKED = 384 << 20
# message → field number → message, for every way from a model to a tensor
CHILDREN: dict[str, dict[int, str]] = {
    "model": {7: "graph", 25: "function", 20: "training"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
# Fields of a node and of a tensor.
INPUT, OUTPUT, OPERATOR, ATTRIBUTE = 1, 2, 4, 5
EXTERNAL = 13
NAME = 1  # of a function
VERSION = 2  # of operators, in a version
# Where a domain of operators stands: a model's and a function's versions of operators, a version,
# a function and a node have it (onnx ``onnx/onnx.proto3``).
VERSIONS = {"model": 8, "function": 9}
FUNCTION = 25  # of a model
DEFAULT = {b"", b"ai.onnx"}  # two names of one domain
DOMAIN = {"version": 1, "node": 7, "function": 10}
# Those of other domains, such as com.microsoft, are whatever code somebody compiled.
DOMAINS = frozenset({b"", b"ai.onnx", b"ai.onnx.ml"})
# Operators of ONNX and its ML part that a safe model may have. The list is what converters of
# scikit-learn, XGBoost and LightGBM and exporters of plain networks write, without those that
# ONNX Runtime 1.32 reads or answers foreign memory for at values of the file's choosing
# (GatherND, CastLike, SVMClassifier; LSTM, GRU, MatMulInteger, QLinearMatMul and ConvInteger over
# nothing), or ends at (Einsum, FeatureVectorizer and InstanceNormalization over nothing), that
# nothing ends (Loop, Scan), or that few need: what is in doubt is left out.
OPERATORS = words(
    """
    Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh AveragePool BatchNormalization Cast
    Ceil Celu Clip Concat Constant ConstantOfShape Conv ConvTranspose Cos Cosh CumSum Div Dropout
    Elu Equal Erf Exp Expand Flatten Floor Gather GatherElements Gelu Gemm
    GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual GroupNormalization HardSigmoid HardSwish
    Identity If IsInf IsNaN LayerNormalization LeakyRelu Less LessOrEqual
    Log LogSoftmax LpNormalization MatMul Max MaxPool Mean Min Mish Mod Mul Neg NonZero Not Or
    PRelu Pad Pow RNN Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax
    ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Round Selu Shape Sigmoid
    Sign Sin Sinh Size Slice Softmax Softplus Softsign Split Sqrt Squeeze Sub Sum Tan Tanh
    ThresholdedRelu Tile TopK Transpose Unsqueeze Where Xor

    ArrayFeatureExtractor Binarizer Imputer LabelEncoder LinearClassifier
    LinearRegressor Normalizer OneHotEncoder Scaler SVMRegressor TreeEnsemble
    TreeEnsembleClassifier TreeEnsembleRegressor ZipMap
    """
)
# Whole numbers of a node that ONNX Runtime takes unseen: a Cast with another ``saturate`` fills
# nothing. The types are those of ONNX's TensorProto up to bfloat16, without complex ones.
NUMBERS: dict[tuple[bytes, bytes], frozenset[int]] = {
    (b"Cast", b"saturate"): frozenset({0, 1}),
    (b"Cast", b"to"): frozenset({*range(1, 14), 16}),
}
# Sizes of windows and their steps: of larger ones ONNX Runtime's sums run over, and it never ends.
WINDOWS = frozenset({b"AveragePool", b"Conv", b"ConvTranspose", b"MaxPool"})
MAX_WINDOW = 1 << 16
# From this version of operators on ONNX Runtime 1.32 makes a ``Loop`` of a ``Range`` of halves.
LOOPING = 27
# What becomes of the scores of a classifier. PROBIT leaves one of two as it finds the memory.
CLASSIFIERS = frozenset({b"LinearClassifier", b"TreeEnsembleClassifier"})
TRANSFORMS = frozenset({b"NONE", b"SOFTMAX", b"LOGISTIC", b"SOFTMAX_ZERO"})
# Fields that hold one message: of two protobuf makes one, and nobody here has seen that one.
SINGULAR = {"model": {7}, "training": {1, 2}, "sparse": {1, 2}}
# Fields that may come more than once: of any other of these protobuf takes the last.
REPEATED = {
    "node": {1, 2, 5, 9, 10},
    "attribute": {7, 8, 9, 10, 11, 15, 23},
    "tensor": {1, 4, 5, 6, 7, 10, 11, 13, 16},
}
# Operators of whose inputs, or outputs, ONNX Runtime takes each for one that is there, also one
# without a name: any number of them may stand, or it asks for the number alone.
NAMED = {
    INPUT: frozenset({b"Concat", b"LayerNormalization", b"Max", b"Mean", b"Min", b"Sum"}),
    OUTPUT: frozenset({b"BatchNormalization", b"If", b"Split"}),
}
# What a place of weights is told by (onnx ``docs/ExternalData.md``; ``basepath`` is written by
# ``onnx/external_data_helper.py`` and read by nobody). ONNX Runtime knows more, such as
# ``prepacked_0``, whose bytes it hands to compiled code as they are
# (``core/framework/tensor_external_data_info.cc``).
KEYS = frozenset({b"location", b"offset", b"length", b"checksum", b"basepath"})
# A model that was compiled for an accelerator, or the path to one (``core/graph/contrib_ops``).
COMPILED = b"EPContext"
ADVICE = (
    "beyond the plain ones with which files were tried: export it with plain operators of ai.onnx "
    "and ai.onnx.ml, of an opset below 27 (functions inlined), or have the policy allow "
    "code-carrying"
)
PLACE = re.compile(rb"[0-9]{1,18}")
# ONNX Runtime takes the offset for an address of memory where the location is a mark of its own
# (``core/framework/tensorprotoutils.h``, ``kTensorProtoMemoryAddressTag``: "*/_ORT_MEM_ADDR_/*").
# No file is called so.
ADDRESS = re.compile(r"[*]|_ORT_[A-Z_]*ADDR")


@dataclass(frozen=True, slots=True)
class Outside:
    """Where the weights of a tensor lie: so many bytes from ``offset`` on, or all behind it."""

    location: str
    offset: int
    length: int | None


def places(data: memoryview, message: str = "model", depth: int = 0) -> Iterator[Outside]:
    """Yield where the weights of every tensor lie that are not in the model itself."""
    if depth > MAX_DEPTH:
        raise NotOnnx("it is nested too deeply")
    children = CHILDREN.get(message, {})
    entries = []
    seen: set[int] = set()
    for number, value in in_runs(data):
        key = number * SECRET  # which may be any of 29 bits
        twice = key in seen or (isinstance(value, Run) and value.count > 1)
        if twice and _is_one(message, number):
            raise NotRead("a part of it comes twice")
        seen.add(key)
        if not isinstance(value, memoryview):
            continue
        if message == "tensor" and number == EXTERNAL:
            entries.append(value)
            if len(entries) > MAX_PARTS:
                raise NotRead(f"a place of weights has more than {MAX_PARTS} parts")
        elif message == "node" and number == OPERATOR and value == COMPILED:
            raise NotRead("it holds a model that was compiled for an accelerator")
        elif number in children:
            yield from places(value, children[number], depth + 1)
    if entries:
        yield from _place(entries)


def _is_one(message: str, number: int) -> bool:
    """Tell whether a field of a message may come once alone."""
    if message in REPEATED:
        return number not in REPEATED[message]
    return number in SINGULAR.get(message, ())


def foreign(data: bytes) -> list[str]:
    """Return the domains that ONNX does not define, and the operators that are not on the list or
    have a number that none may have. Raises :class:`NotOnnx`."""
    view = memoryview(data)
    plain = OPERATORS - {"Range"} if _makes_loops(view) else OPERATORS
    return sorted({ascii(one)[2:-1][:MAX_WORDS] for one in _foreign(view, "model", plain)})


def _makes_loops(model: memoryview) -> bool:
    """Tell whether ONNX Runtime takes operators of a version from :data:`LOOPING` on, as it does of
    a domain that a model does not import. What ONNX's own check refuses is not so for large ones.
    """
    own = _imports(model, "model")
    functions = (v for n, v in in_runs(model) if n == FUNCTION and isinstance(v, memoryview))
    inner = (newest for each in functions for newest in _imports(each, "function").values())
    return not DEFAULT & own.keys() or max(*own.values(), *inner, 0) >= LOOPING


def _imports(data: memoryview, message: str) -> dict[bytes, int]:
    """Return the domains of operators that a model or a function asks for, and the newest version
    of each. Pairs of both would be keys that a file chooses: of no text Python's hash is zero."""
    newest: dict[bytes, int] = {}
    for number, value in in_runs(data):
        if isinstance(value, memoryview) and number == VERSIONS[message]:
            parts = listed(value)
            domain = b"".join(v for n, v in parts if n == 1 and isinstance(v, memoryview))
            asked = [v for n, v in parts if n == VERSION and isinstance(v, int)]
            newest[domain] = max(*asked, newest.get(domain, 0), 0)
    return newest


def _foreign(
    data: memoryview, message: str, plain: frozenset[str], depth: int = 0
) -> Iterator[bytes]:
    if depth > MAX_DEPTH:
        raise NotOnnx("it is nested too deeply")
    children = CHILDREN.get(message, {})
    if message == "node":
        yield from _odd(data, plain)
    for number, value in in_runs(data):
        if not isinstance(value, memoryview):
            continue
        if number == DOMAIN.get(message) and bytes(value) not in DOMAINS:
            yield bytes(value)
        elif message == "function" and number == NAME and str(value, "utf-8", "replace") in plain:
            yield b"function " + value  # may stand for the operator, and does what its nodes do
        elif number == VERSIONS.get(message):
            yield from _foreign(value, "version", plain, depth + 1)
        elif number in children and children[number] != "tensor":
            yield from _foreign(value, children[number], plain, depth + 1)


def _odd(node: memoryview, plain: frozenset[str]) -> Iterator[bytes]:
    """Yield a node's operator unless it is one that may be safe, with numbers that it may have."""
    parts = listed(node)
    kinds = [bytes(v) for n, v in parts if n == OPERATOR and isinstance(v, memoryview)]
    named = {kind.decode("utf-8", "replace") for kind in kinds}
    if not kinds:
        raise NotOnnx("a node has no operator")
    if len(kinds) > 1 or not named <= plain:
        yield from kinds
        return
    kind = kinds[0]
    nameless = {n for n, v in parts if isinstance(v, memoryview) and not v}
    if any(kind in NAMED[number] for number in nameless & NAMED.keys()):
        yield kind + b" with a part that has no name"
    outputs = sum(n == OUTPUT and isinstance(v, memoryview) for n, v in parts)
    given: dict[bytes, Attribute] = {}
    for number, value in parts:
        if number == ATTRIBUTE and isinstance(value, memoryview):
            read = attribute(value)
            name = read.name
            allowed = NUMBERS.get((kind, name))
            if kind == b"Split" and name == b"num_outputs":
                allowed = frozenset({outputs})
            vast = kind in WINDOWS and max(read.wholes, default=0) > MAX_WINDOW
            odd = allowed is not None and read.whole not in ({one} for one in allowed)
            if name in given or vast or odd:
                yield kind + b" with " + name
            given[name] = read
    if kind in CLASSIFIERS:
        yield from (kind + b" with " + name for name in _unfilled(given))
    yield from lost(kind, given)


def _unfilled(given: dict[bytes, Attribute]) -> Iterator[bytes]:
    """Yield the attributes for which a classifier leaves scores as it finds the memory, or ends
    (onnxruntime/core/providers/cpu/ml: ml_common.h, tree_ensemble_aggregator.h)."""
    nothing = Attribute()
    transform = given.get(b"post_transform")
    if transform is not None and (len(transform.text) != 1 or not transform.text <= TRANSFORMS):
        yield b"post_transform"
    texts = len(given.get(b"classlabels_strings", nothing).leaves)
    if texts == 1:
        yield b"classlabels_strings"
    two = texts == 2 or len(given.get(b"classlabels_int64s", nothing).wholes) == 2
    one = given.get(b"base_values", nothing).fractions == 1 or b"base_values_as_tensor" in given
    ids = given.get(b"class_ids", nothing).wholes
    if two and one and (not ids or ids.count(ids[0]) < len(ids)):
        yield b"base_values"


def _place(entries: list[memoryview]) -> Iterator[Outside]:
    """Yield the place that a tensor's entries tell of: each key once, since readers differ over
    which of two counts."""
    by_key: dict[bytes, bytes] = {}
    for entry in entries:
        two = ((n, v) for n, v in in_runs(entry) if n in (1, 2))  # of any that it may have
        parts = {n: bytes(v) for n, v in two if isinstance(v, memoryview)}
        key = parts.get(1, b"")
        if key in by_key:
            raise NotRead("a tensor of its has two places")
        if key not in KEYS:
            raise NotRead(f"a tensor of its has {ascii(key)[1:60]} beside its place")
        by_key[key] = parts.get(2, b"")
    numbers = {key: by_key[key] for key in (b"offset", b"length") if by_key.get(key)}
    if not all(map(PLACE.fullmatch, numbers.values())):
        raise NotOnnx("a place of its weights is no number")
    length = int(numbers[b"length"]) if b"length" in numbers else None
    if b"location" in by_key:
        location = by_key[b"location"].decode("utf-8", "surrogateescape")
        yield Outside(location, int(numbers.get(b"offset", 0)), length)


def outside(data: bytes) -> list[Outside]:
    """Return where a model's weights lie that are not in it. Raises :class:`NotOnnx`."""
    view = memoryview(data)
    onnx_parts.bound(view)
    top = {number for number, _ in in_runs(view) if number in (1, 7)}
    if len(top) < 2:
        raise NotOnnx("it has no version or no graph")
    # Side by side, and not in a set: a file may choose places that all meet in one place of that.
    told = sorted(places(view), key=lambda one: (one.location, one.offset, one.length or 0))
    return [weights for weights, _ in groupby(told)]


def check(data: bytes, path: Path | None) -> None:
    """Raise :class:`NotOnnx` unless ONNX's own checker takes the model; ``path`` is where it lies
    when its weights lie beside it."""
    if len(data) > MAX_CHECKED:
        return
    import onnx  # heavy: only a scan of an ONNX file pays for it
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from onnx.checker import ValidationError, check_model

    try:
        if path is None:
            check_model(onnx.ModelProto.FromString(data))
        else:
            check_model(str(path))
    except DecodeError as error:
        if "alloc" in str(error):  # which says nothing about the model
            raise MemoryError from None
        raise NotOnnx("its bytes are no model") from None
    except (ValidationError, ValueError) as error:
        raise NotOnnx(str(error).strip().splitlines()[0][:120]) from None


def is_address(location: str) -> bool:
    """Tell whether ONNX Runtime may take a location for a mark of its own and no file."""
    return ADDRESS.search(location) is not None


def escapes(location: str) -> bool:
    """Tell whether a location leads out of the model's own folder."""
    path = PurePosixPath(location.replace("\\", "/"))
    return (
        not location
        or path.is_absolute()
        or ".." in path.parts
        or ":" in path.parts[0]
        or any(not c.isprintable() for c in location)
    )
