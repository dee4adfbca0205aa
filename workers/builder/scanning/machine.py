"""The pickle machine without its effects, for every opcode of protocols 0 to 5."""

import re
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Callable
from typing import Any

from workers.builder.scanning.known import Verdict, judge, shown
from workers.builder.scanning.pickled import (
    ARRAY_NAMES,
    ARRAYS,
    GETATTR,
    MARK,
    MAX_KEYS,
    OPAQUE,
    Ended,
    Global,
    Hostile,
    Item,
    Made,
    Text,
    array_bytes,
    attribute,
    is_array,
    may_be_text,
    pairs,
)
from workers.builder.scanning.stack import MAX_KEPT, Stack

MAX_OPCODES = 50_000_000
NEWEST_PROTOCOL = 5
READING = ("joblib", "numpy")  # by which arrays are read
# What an importer finds a file for: "_sysconfigdata__linux_x86_64-linux-gnu" is Python's own, and
# of ".os" it looks for what stands behind the dot. It never goes back: to remember each dot of
# millions took all memory.
MODULE = re.compile(r"[^\W\d][\w-]*+(?:\.[\w-]*+)*+|\.[\w.-]++")


class Machine(Stack):
    """The pickle machine without its effects. ``joblib``: step over its arrays."""

    def run(self) -> None:
        """Follow one pickle to its STOP."""
        for count in range(MAX_OPCODES):
            code = self.source.take(1)
            if code == b".":
                self._pop()
                self.walk.longest = max(self.walk.longest, count)
                return
            if code not in STEPS:
                raise Ended("it holds what is no opcode")
            STEPS[code](self)
        raise Hostile("it has too many opcodes")

    # containers
    def pack(self, count: int) -> None:
        items = [self._pop() for _ in range(count)]
        self.push(tuple(items[::-1]))

    def into(self, count: int) -> None:
        """Items go into the container below them, which is not followed."""
        for _ in range(count):
            self._pop()
        self.changed()

    def all_into(self) -> None:
        self._items()
        self.changed()

    def changed(self) -> Item:
        """Return what is given items or a state; of what has a name that is as much as a call."""
        target = self._top()
        if isinstance(target, Global):
            self.walk.called()
            grave: Verdict = "unknown" if target.module.startswith(READING) else "code-carrying"
            self.walk.note(grave, shown(f"changes {target.module}.{target.name}"))
        return target

    def set_items(self, items: list[Item]) -> None:
        target = self.changed()
        if isinstance(target, dict):
            target |= pairs(items) if len(target) < MAX_KEYS else {None: None}

    # names
    def named(self) -> None:
        """Python's own unpickler imports a last line without its end, but for one character."""
        module, name = self.source.line(cut=True), self.source.line(cut=True)
        self.refer(module.decode("utf-8", "replace"), name.decode("utf-8", "replace"))

    def instance(self) -> None:
        self.named()  # asked for before the arguments are looked at
        maker = self._pop()
        self.call(maker, tuple(self._items()))

    def stacked(self) -> None:
        name, module = self._pop(), self._pop()
        if isinstance(name, str) and isinstance(module, str):
            self.refer(module, name, meant=True)  # no text begins so
            return
        if not all(isinstance(p, str | Text | Global) or may_be_text(p) for p in (name, module)):
            raise Ended("it asks for something whose name is no text")
        self.walk.effects = True
        self.walk.called()
        grave: Verdict = "code-carrying" if self.walk.garbled else "malicious"
        self.walk.note(grave, "computes the name of what it asks for")
        self.push(OPAQUE)

    def refer(self, module: str, name: str, *, meant: bool = False) -> None:
        """Judge the name as it stands, and as Python 3 reads what Python 2 wrote."""
        odd = not MODULE.fullmatch(module)
        found = meant or self.walk.lenient or "Storage" in name  # torch finds those by name alone
        if odd and not found:  # a folder and an extension may be called so: it is looked further
            self.walk.doubtful = True
            raise Ended("it asks for a module by an odd name")
        self.walk.effects = True
        if odd or module.startswith("."):
            grave: Verdict = "code-carrying" if self.walk.garbled else "malicious"
            self.walk.note(grave, f"asks for a module by an odd name: {shown(module)}")
            self.walk.asked.add((module, name))
            module = module.lstrip(".")
        newer = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
        new = odd or not self.walk.asked.issuperset({(module, name), newer})
        self.walk.asked |= {(module, name), newer}
        if newer == (GETATTR.module, GETATTR.name):
            self.push(GETATTR)
            return
        for verdict, why in {judge(module, name), judge(*newer)} if new else ():
            self.walk.note(verdict, shown(why))
        like_array = not ARRAY_NAMES.isdisjoint(name.split(".")) and not self.walk.garbled
        if like_array and (module, name) not in ARRAYS:
            self.walk.note("unknown", f"asks for an array of joblib in an odd way: {shown(name)}")
        # All of it has been judged: it may be changed, or asked for more, a million times.
        self.push(Global(module[:MAX_KEPT], name[:MAX_KEPT]))

    def opaque(self) -> None:
        """Push a value that is not followed."""
        self.push(OPAQUE)

    def opaque_items(self) -> None:
        self._items()
        self.opaque()

    def extension(self, width: int) -> None:
        self.source.take(width)
        if self.walk.garbled:
            raise Ended("it asks for an extension that nobody registered")
        self.walk.note("unknown", "asks for an entry of the extension registry")
        self.push(OPAQUE)

    def outside(self, item: Item) -> None:
        """What it stands for is the loader's to say; plain pickle ends here."""
        if isinstance(item, tuple):
            self.walk.note("code-carrying", "refers to objects outside itself")
        self.push(Made(OPAQUE, ()))  # torch gives back a text that stands in the file

    # calls
    def call(self, maker: Item, args: Item) -> None:
        self.walk.called()
        if is_array(maker) and args != ():
            self._odd_array()
        self.push(Made(maker, args))

    def reduce(self) -> None:
        args, maker = self._pop(), self._pop(Global)
        if maker is GETATTR:
            verdict, why = attribute(args)
            self.walk.note(verdict, shown(why))
        self.call(maker, args)

    def reduce_ex(self) -> None:
        self._pop()
        self.reduce()

    def make(self) -> None:
        items = self._items()
        if not items:
            raise Ended("it makes an object of nothing")
        self.call(items[0], tuple(items[1:]))

    def build(self) -> None:
        state, target = self._pop(dict), self.changed()
        if isinstance(target, Made):
            if is_array(target.maker) and target.state is not None and self.joblib:
                raise Hostile("an array of joblib is built twice")
            target.state = state
            if is_array(target.maker):
                self.walk.arrays = True
                if self.joblib:
                    self._array(state)

    def _array(self, state: Item) -> None:
        """Step over the raw array that joblib writes between two opcodes."""
        if self.source.stream.tell() < self.source.frame:  # joblib reads on behind that
            raise Hostile("an array of joblib stands inside a frame")
        size = array_bytes(state)
        if size is None:  # joblib hands its content to plain pickle
            Machine(self.source, self.walk, joblib=False).run()
            return
        if state.get("numpy_array_alignment_bytes") is not None:
            self.source.skip(self.source.number(1))
        self.source.skip(size)


# Every opcode of protocols 0 to 5: https://github.com/python/cpython/blob/3.13/Lib/pickletools.py
STEPS: dict[bytes, Callable[[Machine], Any]] = {
    b"(": lambda m: m.push(MARK),
    b"0": lambda m: m._pop(),
    b"1": lambda m: m._items(),
    b"2": Machine.duplicate,
    b"F": Machine.fraction,
    b"I": Machine.integer,
    b"J": lambda m: m.small(4),
    b"K": lambda m: m.small(1),
    b"L": Machine.integer,
    b"M": lambda m: m.small(2),
    b"N": lambda m: m.push(None),
    b"P": lambda m: m.outside(m.source.line()),
    b"Q": lambda m: m.outside(m._pop()),
    b"R": Machine.reduce,
    b"S": Machine.quoted,
    b"T": lambda m: m.string(4),
    b"U": lambda m: m.string(1),
    b"V": Machine.escaped,
    b"X": lambda m: m.unicode(4),
    b"a": lambda m: m.into(1),
    b"b": Machine.build,
    b"c": Machine.named,
    b"d": lambda m: m.push(pairs(m._items())),
    b"}": lambda m: m.push({}),
    b"e": Machine.all_into,
    b"g": lambda m: m.get(m.place()),
    b"h": lambda m: m.get(m.source.number(1)),
    b"i": Machine.instance,
    b"j": lambda m: m.get(m.source.number(4)),
    b"l": Machine.opaque_items,
    b"]": Machine.opaque,
    b"o": Machine.make,
    b"p": lambda m: m.put(m.place()),
    b"q": lambda m: m.put(m.source.number(1)),
    b"r": lambda m: m.put(m.source.number(4)),
    b"s": lambda m: m.set_items([m._pop(), m._pop()][::-1]),
    b"t": lambda m: m.push(tuple(m._items())),
    b")": lambda m: m.push(()),
    b"u": lambda m: m.set_items(m._items()),
    b"G": lambda m: m.push(m.source.take(8) and OPAQUE),
    b"B": lambda m: m.data(4),
    b"C": lambda m: m.data(1),
    b"\x80": lambda m: _protocol(m.source.number(1)),
    b"\x81": Machine.reduce,
    b"\x82": lambda m: m.extension(1),
    b"\x83": lambda m: m.extension(2),
    b"\x84": lambda m: m.extension(4),
    b"\x85": lambda m: m.pack(1),
    b"\x86": lambda m: m.pack(2),
    b"\x87": lambda m: m.pack(3),
    b"\x88": lambda m: m.push(True),
    b"\x89": lambda m: m.push(False),
    b"\x8a": lambda m: m.long(1),
    b"\x8b": lambda m: m.long(4),
    b"\x8c": lambda m: m.unicode(1),
    b"\x8d": lambda m: m.unicode(8),
    b"\x8e": lambda m: m.data(8),
    b"\x8f": Machine.opaque,
    b"\x90": Machine.all_into,
    b"\x91": Machine.opaque_items,
    b"\x92": Machine.reduce_ex,
    b"\x93": Machine.stacked,
    b"\x94": lambda m: m.put(len(m.memo)),
    b"\x95": lambda m: m.source.open_frame(),
    b"\x96": lambda m: m.data(8),
    b"\x97": Machine.opaque,
    b"\x98": lambda m: m._top(),
}


def _protocol(number: int) -> None:
    if number > NEWEST_PROTOCOL:
        raise Ended("it is of a protocol that is not known")
