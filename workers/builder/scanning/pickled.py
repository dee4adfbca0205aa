"""What stands on a pickle's stack while it is walked, what the walk remembers, and its bytes."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any

from workers.builder.scanning.headers import MAX_ARRAY, MAX_DIMENSIONS
from workers.builder.scanning.known import Verdict, judge, worst

MAX_LINE = 64 << 20
MAX_TOLD = 200
MAX_NESTED = 20
MAX_KEYS = 1000  # of a dict that is followed
SPELLED = re.compile(r"[<>|=]?(O|[biufcmMSUV](?=[0-9]))([0-9]*)")  # as NumPy spells a type
# As int(text, 0) takes it, and strtol(text, 0), which takes 010 as well, and nothing before a NUL.
INTEGER = re.compile(rb"[+-]?(0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|[0-9][0-9_]*)(\s*+[lL])?")
ARRAYS = frozenset({("joblib.numpy_pickle", "NumpyArrayWrapper")})
ARRAY_NAMES = frozenset({"NumpyArrayWrapper", "NDArrayWrapper", "ZNDArrayWrapper"})
# What joblib writes of an array (joblib/numpy_pickle.py, ``NumpyArrayWrapper.__init__``).
WRITTEN = frozenset(
    {"subclass", "shape", "order", "dtype", "allow_mmap", "numpy_array_alignment_bytes"}
)
Item = Any


class Ended(Exception):
    """The stream cannot be followed from here, by no unpickler."""


class Hostile(Exception):
    """A pickle that an unpickler may follow and the walk does not."""


class _Mark:
    """Where a list of items begins on the stack."""


MARK = _Mark()


@dataclass(frozen=True, slots=True)
class Global:
    """A reference to ``module.name``."""

    module: str
    name: str


DTYPE = Global("numpy", "dtype")
# How a type of texts of any length is pickled, whose arrays hold objects to whoever writes them
# (numpy/_core/_internal.py; ``hasobject``).
TEXTS = Global("numpy._core._internal", "_convert_to_stringdtype_kwargs")
GETATTR = Global("builtins", "getattr")  # judged by what it is called with
IMPORTERS = frozenset({"subimport", "dynamic_subimport", "LazyLoader"})  # which return a module


@dataclass(slots=True)
class Made:
    """An object made by calling a global; ``state`` is what BUILD gave it."""

    maker: Any
    args: Any
    state: Any = None


@dataclass(frozen=True, slots=True)
class Opaque:
    """A value that is not followed, and is no text."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text that is not followed: too long, or of an encoding that the loader chooses."""


OPAQUE, TEXT = Opaque(), Text()


@dataclass(slots=True)
class Walk:
    """What walking a stream as pickles found.

    ``verdict`` is the gravest of all that was met, however little of it is told.
    """

    findings: list[tuple[Verdict, str]] = field(default_factory=list)
    verdict: Verdict = "safe"
    effects: bool = False  # something was asked for by name: a loader would have imported it
    complete: bool = False  # every pickle has its STOP, and nothing stands behind the last
    whole: int = 0  # pickles that have their STOP
    longest: int = 0  # opcodes of the longest of them
    arrays: bool = False  # joblib and pickle go different ways
    garbled: bool = False  # numbers of arrays are read as opcodes: by chance they may say much
    calls: bool = False
    lenient: bool = False  # numbers and texts that no unpickler reads are taken as read
    doubtful: bool = False  # it ended at one of them
    cut: bool = False  # the machine, and not the stream, kept it from being followed
    ended: bool = False  # no unpickler reads what stands where it ended
    asked: set[tuple[str, str]] = field(default_factory=set)  # modules and names in them
    error: str = ""
    warn: Callable[[str], None] = lambda what: None  # called when nothing can take malice back

    @property
    def asks_alone(self) -> bool:
        """Whether an unpickler would look for what is asked for, call nothing, and then fail."""
        harmless = not (self.whole or self.calls or self.arrays or self.doubtful)
        return self.ended and bool(self.asked) and harmless

    def soften(self) -> None:
        """Take it for words: looking up what is there does less than a call."""
        self.verdict = "unknown"
        self.findings = [("unknown", what) for _, what in self.findings]

    @property
    def is_a_value(self) -> bool:
        """Whether it gives a plain value: nothing is asked for, or called, on the way to an end."""
        return self.whole > 0 and self.verdict == "safe" and not (self.effects or self.calls)

    def note(self, verdict: Verdict, what: str) -> None:
        """Count a verdict; tell of it once, while there is room."""
        self.verdict = worst([self.verdict, verdict])
        if what and (verdict, what) not in self.findings and len(self.findings) < MAX_TOLD:
            self.findings.append((verdict, what))
        self._tell()

    def called(self) -> None:
        """Count a call."""
        self.calls = True
        self._tell()

    def stopped(self) -> None:
        """Count a pickle that has its STOP."""
        self.whole += 1
        self._tell()

    def _tell(self) -> None:
        """Tell at once of what is malicious and done: what follows may use up all memory."""
        if self.verdict == "malicious" and (self.whole or (self.effects and self.calls)):
            warn, self.warn = self.warn, lambda what: None
            warn(next((what for verdict, what in self.findings if verdict == "malicious"), ""))


class Bytes:
    """A stream with an end, read forward."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream
        self.frame = 0  # where the frame ends that it is in
        here = stream.tell()
        self.size = stream.seek(0, 2)
        stream.seek(here)

    def take(self, count: int) -> bytes:
        """Return exactly ``count`` bytes."""
        if not 0 <= count <= self.left():
            raise Ended("it is cut off")
        self._stay(self.stream.tell(), count)
        return self.stream.read(count)

    def open_frame(self) -> None:
        """Begin a frame: as many bytes, with whole opcodes in them."""
        length = self.number(8)
        here = self.stream.tell()
        if here < self.frame:
            raise Hostile("a frame begins inside another")
        self.frame = here + min(length, self.left())

    def _stay(self, here: int, count: int) -> None:
        """Refuse what reaches beyond its frame: of C's unpickler it drops what is left of that."""
        if here < self.frame < here + count:
            raise Hostile("something reaches beyond the frame that it stands in")

    def skip(self, count: int) -> None:
        """Step over ``count`` bytes."""
        if not 0 <= count <= self.left():
            raise Ended("it is cut off")
        self._stay(self.stream.tell(), count)
        self.stream.seek(count, 1)

    def number(self, width: int, *, signed: bool = False) -> int:
        """Return a little-endian number of ``width`` bytes."""
        return int.from_bytes(self.take(width), "little", signed=signed)

    def line(self, *, cut: bool = False) -> bytes:
        """Return a line without its last character, which is its end unless it is ``cut``."""
        here = self.stream.tell()
        line = self.stream.readline(MAX_LINE)
        self._stay(here, len(line))
        if line.endswith(b"\n") or (cut and len(line) < MAX_LINE):
            return line[:-1]
        if len(line) < MAX_LINE:
            raise Ended("a line has no end")
        raise Hostile("it has a line that is too long to be followed")

    def digits(self) -> bytes:
        """Return a line that is a number; in C a number ends at a NUL, whatever follows it."""
        return self.line().partition(b"\0")[0]

    def left(self) -> int:
        """Return how many bytes are left."""
        return self.size - self.stream.tell()


def is_integer(line: bytes) -> bool:
    """Tell whether an unpickler may read a line as a whole number."""
    digits = line.partition(b"\0")[0]
    return INTEGER.fullmatch(digits.strip()) is not None or bool(line and not digits)


def is_array(item: Item) -> bool:
    return isinstance(item, Global) and (item.module, item.name) in ARRAYS


def is_loose(item: Item) -> bool:
    """Tell whether it is joblib's class of arrays, or one that was not read yet."""
    return is_array(item) or (
        isinstance(item, Made) and is_array(item.maker) and item.state is None
    )


def may_be_text(item: Item) -> bool:
    """Only what a call returned can be a text that does not stand in the file."""
    return isinstance(item, Made) and not is_array(item.maker)


def pairs(items: list[Item]) -> dict[str | None, Item]:
    """Return what is followed of a dict; ``None`` in it says that there is more."""
    members = zip(items[::2], items[1::2], strict=False)
    return {key if isinstance(key, str) else None: value for key, value in members}


def attribute(args: Item) -> tuple[Verdict, str]:
    """Return the verdict on ``getattr(*args)`` and why: of what has a name it is as good as the
    longer name, which is how methods are pickled; anything else could be anything."""
    owner, name = args if isinstance(args, tuple) and len(args) == 2 else (None, None)
    if isinstance(owner, str | Text):
        owner = Global("builtins", "str")
    elif isinstance(owner, Made):
        owner = owner.maker
    plain = isinstance(name, str) and name.isidentifier() and "__" not in name
    if not plain or not isinstance(owner, Global) or owner.name in IMPORTERS:
        return "malicious", "asks for builtins.getattr"
    return judge(owner.module, f"{owner.name}.{name}")


def array_bytes(state: Item) -> int | None:
    """Return how many bytes an array of joblib takes in its file; ``None``: it holds objects."""
    if not isinstance(state, dict) or None in state or not {"shape", "dtype"} <= state.keys():
        raise Hostile("a joblib array has no shape that can be followed")
    if not state.keys() <= WRITTEN:  # a method of its own would read another way
        raise Hostile("a joblib array has a member that joblib does not write")
    if not isinstance(state.get("numpy_array_alignment_bytes"), int | None):
        raise Hostile("a joblib array has an alignment that cannot be followed")
    kind, size = dtype_of(state["dtype"])
    if kind == "O":
        return None
    shape = state["shape"]
    if not isinstance(shape, tuple) or len(shape) > MAX_DIMENSIONS:
        raise Hostile("a joblib array has an odd shape")
    for length in shape:
        if not isinstance(length, int) or length < 0:
            raise Hostile("a joblib array has an odd shape")
        size *= length
        if size >= MAX_ARRAY:
            raise Hostile("a joblib array is larger than memory can be")
    return size


Dtype = tuple[str, int]


def dtype_of(value: Item, depth: int = 0, known: dict[int, Dtype] | None = None) -> Dtype:
    """Return kind and item size, in bytes, of a pickled ``numpy.dtype``; ``O``: it holds objects.

    One that stands under many fields, and those in it again, is looked at once: ``known``.
    """
    known = {} if known is None else known
    if id(value) not in known:
        known[id(value)] = _dtype_of(value, depth, known)
    return known[id(value)]


def _dtype_of(value: Item, depth: int, known: dict[int, Dtype]) -> Dtype:
    """Look at one type.

    Its state is (version, order, subtype, names, fields, size, alignment, flags, …), of which
    records have fields and sizes, and the lowest flag says that objects are in it, whatever it is
    called (``numpy/_core/src/multiarray/descriptor.c``, ``arraydescr_reduce`` and ``_setstate``).
    """
    if isinstance(value, Made) and value.maker == TEXTS and value.state is None:
        return "O", 0
    given = isinstance(value, Made) and value.maker == DTYPE and depth <= MAX_NESTED
    text = value.args[0] if given and isinstance(value.args, tuple) and value.args else None
    match = SPELLED.fullmatch(text) if isinstance(text, str) else None
    state = value.state if given and value.state is not None else (*(None,) * 7, 0)
    whole = isinstance(state, tuple) and len(state) in {8, 9} and isinstance(state[7], int)
    if match is None or not whole:
        raise Hostile("a joblib array has a type that cannot be followed")
    kind, digits = match[1], int(match[2] or "0")
    if (
        kind == "O"
        or state[7] & 1
        or any(dtype_of(p, depth + 1, known)[0] == "O" for p in _parts(state))
    ):
        return "O", 0
    if kind in "USV" and value.state is not None:
        if not isinstance(state[5], int) or state[5] < 0:
            raise Hostile("a joblib array has a type whose size cannot be followed")
        return kind, state[5]
    return kind, digits * 4 if kind == "U" else digits


def _parts(state: tuple[Item, ...]) -> list[Item]:
    """Return the types of a record's fields, and the one that an inner array is made of."""
    fields = filter(None, state[4].values()) if isinstance(state[4], dict) else ()
    inner = [state[2]] if state[2] is not None else []
    return [part[0] if isinstance(part, tuple) and part else part for part in (*inner, *fields)]
