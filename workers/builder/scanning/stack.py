"""The stack of a pickle that is walked, its memo, and the plain values that go on them."""

import codecs

from workers.builder.scanning.pickled import (
    GETATTR,
    MARK,
    OPAQUE,
    TEXT,
    Bytes,
    Ended,
    Hostile,
    Item,
    Made,
    Walk,
    is_array,
    is_integer,
    is_loose,
)
from workers.builder.scanning.spread import key

MAX_KEPT = 1 << 10  # longer texts are no names
MAX_STACK = 2_000_000  # values; what is pickled has a few thousand, whatever its length


class Stack:
    """Stack and memo. ``joblib``: its arrays are stepped over."""

    def __init__(self, source: Bytes, walk: Walk, *, joblib: bool) -> None:
        self.source, self.walk, self.joblib = source, walk, joblib
        self.stack: list[Item] = []
        self.memo: dict[int | bytes, Item] = {}  # by keys of places

    # the stack
    def push(self, item: Item) -> None:
        self.stack.append(item)
        if len(self.stack) > MAX_STACK:
            raise Hostile("it has too many values that nothing takes")

    def _pop(self, meant: type | None = None) -> Item:
        """Take an item; a name that is ``meant`` is called, another is built with a dict that is.
        Elsewhere it could be changed, or made anew, unseen: joblib reads an array by them."""
        if not self.stack:
            raise Ended("it takes from an empty stack")
        item = self.stack.pop()
        if meant and isinstance(item, meant):
            return item
        if isinstance(item, dict):
            item[None] = None
        elif is_loose(item):
            self._odd_array()
        elif item is GETATTR:
            self.walk.note("malicious", f"asks for {item.module}.{item.name}")
        return item

    def _odd_array(self) -> None:
        if not self.walk.garbled:
            self.walk.note("unknown", "makes an array of joblib in an odd way")

    def _top(self) -> Item:
        if not self.stack:
            raise Ended("it looks at an empty stack")
        return self.stack[-1]

    def _items(self) -> list[Item]:
        """Take what stands above the last mark, and the mark."""
        items: list[Item] = []
        while (item := self._pop()) is not MARK:
            items.append(item)
        return items[::-1]

    # plain values
    def text(self, raw: bytes, encoding: str) -> None:
        try:
            self.push(raw.decode(encoding) if len(raw) <= MAX_KEPT else TEXT)
        except UnicodeError:
            self.push(TEXT)

    def counted(self, width: int, *, signed: bool = False) -> bytes | None:
        """Take a length and that many bytes; ``None`` for more than a name can have."""
        count = self.source.number(width, signed=signed)
        if count <= MAX_KEPT:
            return self.source.take(count)
        self.source.skip(count)
        return None

    def unicode(self, width: int) -> None:
        raw = self.counted(width)
        if raw is None:
            self.push(TEXT)
        else:
            self.text(raw, "utf-8")

    def string(self, width: int) -> None:
        """A text of Python 2, which the loader decodes as it likes; names are ASCII."""
        raw = self.counted(width, signed=width > 1)
        self.push(TEXT if raw is None else raw.decode("latin-1"))

    def data(self, width: int) -> None:
        self.source.skip(self.source.number(width))
        self.push(OPAQUE)

    def doubted(self, why: str) -> None:
        """A number or text that no unpickler reads, as far as is known here."""
        if not self.walk.lenient:
            self.walk.doubtful = True
            raise Ended(why)
        self.push(OPAQUE)

    def integer(self) -> None:
        if is_integer(self.source.line()):
            self.push(OPAQUE)
        else:
            self.doubted("it has a number that is none")

    def fraction(self) -> None:
        try:
            float(self.source.digits().decode("ascii"))
        except ValueError:
            self.doubted("it has a number that is none")
        else:
            self.push(OPAQUE)

    def quoted(self) -> None:
        line = self.source.line().strip()
        if len(line) < 2 or line[0] != line[-1] or line[:1] not in (b"'", b'"'):
            self.doubted("it has a text without quotes")
            return
        if len(line) > MAX_KEPT:
            self.push(TEXT)
            return
        try:
            self.push(codecs.escape_decode(line[1:-1])[0].decode("latin-1"))
        except ValueError:
            self.doubted("it has a text that cannot be read")

    def escaped(self) -> None:
        self.text(self.source.line(), "raw-unicode-escape")

    def small(self, width: int) -> None:
        """A number that may be the length or the place of something."""
        self.push(self.source.number(width, signed=width == 4))

    def long(self, width: int) -> None:
        self.source.skip(self.source.number(width, signed=width > 1))
        self.push(OPAQUE)

    # the memo
    def put(self, place: int) -> None:
        if place < 0:
            raise Ended("it stores at a place below zero")
        self.memo[key(place)] = self._top()

    def get(self, place: int) -> None:
        if (stored := key(place)) not in self.memo:
            raise Ended("it reads a memo that was never written")
        self.again(self.memo[stored])

    def place(self) -> int:
        try:
            return int(self.source.digits())
        except ValueError:
            raise Ended("it names a place that is no number") from None

    def duplicate(self) -> None:
        self.again(self._top())

    def again(self, item: Item) -> None:
        """Push an item once more. joblib takes no array twice; where one was read what it was read
        by is still in the memo, and could be copied, or made anew, unseen."""
        if isinstance(item, Made) and is_array(item.maker):
            self._odd_array()
        self.push(item)
