"""Walks the opcodes of a pickle with a symbolic stack: nothing is imported, nothing is called."""

import pickletools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any

from workers.builder.scanning.known import Verdict, judge

MAX_OPCODES = 50_000_000
MAX_NESTED = 1000
DTYPE = re.compile(r"[<>|=]?([a-zA-Z?])(\d*)")
IDENTIFIER = re.compile(r"^[\w.<>\-]+$")
MARK = object()


class Hostile(Exception):
    """A pickle built so that it cannot be followed."""


@dataclass(frozen=True, slots=True)
class Global:
    """A reference to ``module.name``."""

    module: str
    name: str


@dataclass(slots=True)
class Made:
    """An object made by calling a global; ``state`` is what BUILD gave it."""

    maker: Any
    args: Any
    state: Any = None


@dataclass(frozen=True, slots=True)
class Opaque:
    """A value that is not followed."""


OPAQUE = Opaque()
Item = Any
STRINGS = frozenset(
    {"STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE",
     "BINUNICODE8"}
)  # fmt: skip
NUMBERS = frozenset({"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4"})
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}


@dataclass(slots=True)
class Walk:
    """What walking one pickle found."""

    findings: list[tuple[Verdict, str]] = field(default_factory=list)
    globals: set[str] = field(default_factory=set)
    complete: bool = False  # STOP was reached
    error: str = ""

    def note(self, verdict: Verdict, what: str) -> None:
        """Remember a finding once."""
        if what and (verdict, what) not in self.findings and len(self.findings) < 200:
            self.findings.append((verdict, what))


class Machine:
    """The pickle machine without its effects."""

    def __init__(self, stream: IO[bytes], walk: Walk, depth: int = 0) -> None:
        self.stream, self.walk, self.depth = stream, walk, depth
        self.stack: list[Item] = []
        self.memo: dict[int, Item] = {}

    def run(self) -> None:
        """Follow the stream to its STOP."""
        for count, (opcode, arg) in enumerate(self._opcodes()):
            if count > MAX_OPCODES:
                raise Hostile("it has too many opcodes")
            self._step(opcode.name, opcode, arg)
            if opcode.name == "STOP":
                self.walk.complete = True
                return

    def _opcodes(self) -> Iterator[tuple[Any, Any]]:
        for opcode, arg, _ in pickletools.genops(self.stream):
            yield opcode, arg

    def _step(self, name: str, opcode: Any, arg: Any) -> None:
        if name in STRINGS or name in NUMBERS:
            self.stack.append(arg)
        elif name in CONSTANTS:
            self.stack.append(CONSTANTS[name])
        elif name == "MARK":
            self.stack.append(MARK)
        elif handler := getattr(self, f"_op_{name.lower()}", None):
            handler(arg)
        else:
            self._generic(opcode)

    def _pop(self) -> Item:
        if not self.stack:
            raise Hostile("it takes from an empty stack")
        return self.stack.pop()

    def _pop_mark(self) -> list[Item]:
        items: list[Item] = []
        while (item := self._pop()) is not MARK:
            items.append(item)
        return items[::-1]

    def _generic(self, opcode: Any) -> None:
        """Move the stack as the opcode's documentation says; results are not followed."""
        before = list(opcode.stack_before)
        if any(kind is pickletools.markobject for kind in before):
            self._pop_mark()
            before = before[: [k is pickletools.markobject for k in before].index(True)]
        for _ in before:
            self._pop()
        self.stack += [OPAQUE] * len(opcode.stack_after)

    # memo
    def _op_put(self, arg: Any) -> None:
        if not self.stack:
            raise Hostile("it stores from an empty stack")
        self.memo[int(arg)] = self.stack[-1]

    _op_binput = _op_long_binput = _op_put

    def _op_memoize(self, arg: Any) -> None:
        self._op_put(len(self.memo))

    def _op_get(self, arg: Any) -> None:
        if int(arg) not in self.memo:
            raise Hostile("it reads a memo that was never written")
        self.stack.append(self.memo[int(arg)])

    _op_binget = _op_long_binget = _op_get

    # containers
    def _op_dup(self, arg: Any) -> None:
        top = self._pop()
        self.stack += [top, top]

    def _op_pop(self, arg: Any) -> None:
        self._pop()

    def _op_pop_mark(self, arg: Any) -> None:
        self._pop_mark()

    def _op_tuple(self, arg: Any) -> None:
        self.stack.append(tuple(self._pop_mark()))

    def _op_empty_tuple(self, arg: Any) -> None:
        self.stack.append(())

    def _op_tuple1(self, arg: Any) -> None:
        self._take_tuple(1)

    def _op_tuple2(self, arg: Any) -> None:
        self._take_tuple(2)

    def _op_tuple3(self, arg: Any) -> None:
        self._take_tuple(3)

    def _take_tuple(self, size: int) -> None:
        items = [self._pop() for _ in range(size)]
        self.stack.append(tuple(items[::-1]))

    def _op_empty_dict(self, arg: Any) -> None:
        self.stack.append({})

    def _op_setitem(self, arg: Any) -> None:
        value, key = self._pop(), self._pop()
        self._set(key, value)

    def _op_setitems(self, arg: Any) -> None:
        items = self._pop_mark()
        for key, value in zip(items[::2], items[1::2], strict=False):
            self._set(key, value)

    def _set(self, key: Item, value: Item) -> None:
        target = self.stack[-1] if self.stack else None
        if isinstance(target, dict) and isinstance(key, str) and len(target) < 1000:
            target[key] = value

    # names
    def _op_global(self, arg: str) -> None:
        module, _, name = arg.partition(" ")
        self._refer(module, name)

    def _op_stack_global(self, arg: Any) -> None:
        name, module = self._pop(), self._pop()
        if not isinstance(name, str) or not isinstance(module, str):
            self.walk.note("malicious", "computes the name of what it asks for")
            self.stack.append(OPAQUE)
            return
        self._refer(module, name)

    def _op_inst(self, arg: str) -> None:
        items = self._pop_mark()
        module, _, name = arg.partition(" ")
        self._refer(module, name)
        self.stack.append(Made(self._pop(), tuple(items)))

    def _op_ext1(self, arg: Any) -> None:
        self.walk.note("unknown", "asks for an entry of the extension registry")
        self.stack.append(OPAQUE)

    _op_ext2 = _op_ext4 = _op_ext1

    def _op_persid(self, arg: Any) -> None:
        self.walk.note("code-carrying", "refers to objects outside itself")
        self.stack.append(OPAQUE)

    def _op_binpersid(self, arg: Any) -> None:
        self._pop()
        self._op_persid(arg)

    def _refer(self, module: str, name: str) -> None:
        verdict, why = judge(module, name)
        shown = "".join(c if c.isprintable() else "\ufffd" for c in why[:200])
        self.walk.note(verdict, shown)
        self.walk.globals.add(f"{module}.{name}"[:200])
        self.stack.append(Global(module, name))

    # calls
    def _op_reduce(self, arg: Any) -> None:
        args, maker = self._pop(), self._pop()
        self.stack.append(Made(maker, args))

    _op_newobj = _op_reduce

    def _op_newobj_ex(self, arg: Any) -> None:
        self._pop()
        self._op_reduce(arg)

    def _op_obj(self, arg: Any) -> None:
        items = self._pop_mark()
        if not items:
            raise Hostile("it makes an object of nothing")
        self.stack.append(Made(items[0], tuple(items[1:])))

    def _op_build(self, arg: Any) -> None:
        state = self._pop()
        target = self.stack[-1] if self.stack else None
        if isinstance(target, Made):
            target.state = state
            if isinstance(target.maker, Global) and target.maker.name in {
                "NumpyArrayWrapper", "NDArrayWrapper"
            }:  # fmt: skip
                self._skip_array(target)

    def _skip_array(self, wrapper: Made) -> None:
        """Step over the raw array that joblib writes between two opcodes."""
        state = wrapper.state
        if not isinstance(state, dict) or "shape" not in state or "dtype" not in state:
            raise Hostile("a joblib array has no shape")
        kind, size = dtype_of(state["dtype"])
        if kind == "O":
            if self.depth >= MAX_NESTED:
                raise Hostile("its arrays are nested too deeply")
            inner = Walk(self.walk.findings, self.walk.globals)
            Machine(self.stream, inner, self.depth + 1).run()
            return
        count = 1
        for length in state["shape"]:
            if not isinstance(length, int) or length < 0:
                raise Hostile("a joblib array has an odd shape")
            count *= length
        if state.get("numpy_array_alignment_bytes") is not None:
            padding = self.stream.read(1)
            self.stream.seek(padding[0] if padding else 0, 1)
        self.stream.seek(count * size, 1)


def dtype_of(value: Item) -> tuple[str, int]:
    """Return kind and item size of a pickled ``numpy.dtype``."""
    text = value.args[0] if isinstance(value, Made) and isinstance(value.args, tuple) else None
    found = DTYPE.fullmatch(text) if isinstance(text, str) else None
    if not isinstance(value, Made) or found is None:
        raise Hostile("a joblib array has a type that cannot be followed")
    kind, digits = found[1], int(found[2] or "1")
    if kind == "V" and value.state is not None and "O" in repr(value.state):
        raise Hostile("a joblib array of records holds objects")
    if kind in "US" and isinstance(value.state, tuple) and len(value.state) >= 6:
        size = value.state[5]
        return kind, size if isinstance(size, int) and size >= 0 else digits * (
            4 if kind == "U" else 1
        )
    return kind, digits * 4 if kind == "U" else digits


def walk_pickle(stream: IO[bytes]) -> Walk:
    """Walk one pickle from where ``stream`` stands. Findings before an error count: a loader would
    have come as far."""
    walk = Walk()
    try:
        Machine(stream, walk).run()
    except Hostile as error:
        walk.error = str(error)
    except Exception as error:  # genops raises whatever a broken stream leads it to
        walk.error = f"not a whole pickle ({type(error).__name__})"
    return walk
