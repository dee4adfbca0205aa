"""Holds the walk against both unpicklers of Python, which are given nothing that they ask for.

``python -m tests.properties.scanning.unpicklers SEED COUNT``: pickles of any opcodes with odd
numbers, texts and names, one or several in a row, and an import behind them. Writes as JSON how
many there were, for how many an unpickler came to a name that can be imported, and those of them
that the walk calls safe, or a plain value.
"""

import io
import json
import pickle
import resource
import sys
import warnings
from random import Random

from workers.builder.scanning.machine import MODULE, STEPS
from workers.builder.scanning.walker import walk_pickle

MEMORY = 3 << 30  # of addresses: a place of the memo may be far away
MAX_MISSED = 20
OPCODES = [*STEPS, b"N.", b"."]
LINES = b"FILPSVgp"
PARTS = (
    b"\0",
    b" ",
    b"\t",
    b"\x0b",
    b"\x0c",
    b"\r",
    b"+",
    b"-",
    b"0",
    b"1",
    b"00",
    b"01",
    b"0x",
    b"0x1",
    b"0b1",
    b"0o7",
    b"_",
    b"L",
    b"l",
    b"e",
    b".",
    b"inf",
    b"nan",
    b"'",
    b"''",
    b'""',
    b"'a'",
    b"\\",
    b"\\x4",
    b"\x80",
    b"\xff",
    b"9" * 20,
    b"9" * 5000,
    b"u",
    b"\\u12",
    b"'\\'",
    b"N",
    b"08",
    b"\x1c",
    b"\x85",
    b"\xa0",
    b"1e400",
    b"-0",
    b"1_0",
    b"1__0",
    b"  1 ",
    b"J",
)
NAMES = (b"os\nx\n", b"\nx\n", b"a b\nc\n", b"os\n\n", b"os", b".os\nx\n", b"..\nx\n", b"1\n2\n")
# What stands behind an opcode, by how its argument is written.
BEHIND: tuple[tuple[bytes, tuple[bytes, ...]], ...] = (
    (b"ci", NAMES),
    (b"Kqh\x80", (b"\0", b"\1", b"\2", b"\5", b"\xff")),
    (b"M", (b"\1\0",)),
    (b"Jrj", (b"\0\0\0\0", b"\1\0\0\0", b"\xff\xff\0\0")),
    (b"UC\x8c\x8a", (b"\0", b"\1a", b"\2os", b"\3\xed\xa0\x80", b"\1\xff", b"\x80")),
    (b"TXB\x8b", (bytes(4), b"\1\0\0\0a", b"\2\0\0\0os", b"\xff" * 4, b"\0\0\0\x80")),
    (
        b"\x8d\x8e\x96\x95",
        (bytes(8), b"\1" + bytes(7) + b"a", b"\x20" + bytes(7), b"\xff" * 8, bytes(7) + b"\x80"),
    ),
    (b"G", (bytes(8),)),
)
ENDS = (b"cposix\nsystem\n.", b"(iposix\nsystem\n.", b"\x8c\5posix\x8c\6system\x93.")


class InC(pickle.Unpickler):
    """CPython's ``Modules/_pickle.c``."""

    asked: list[str]

    def find_class(self, module: str, name: str) -> None:
        """Give nothing."""
        self.asked.append(module)
        raise KeyError(name)


class InPython(pickle._Unpickler):  # type: ignore[name-defined,misc]
    """CPython's ``Lib/pickle.py``."""

    asked: list[str]

    def find_class(self, module: str, name: str) -> None:
        """Give nothing."""
        self.asked.append(module)
        raise KeyError(name)


def piece(random: Random) -> bytes:
    """Return an opcode and its argument."""
    code = random.choice(OPCODES)
    if code in LINES:
        return code + b"".join(random.choice(PARTS) for _ in range(random.randrange(4))) + b"\n"
    return code + next((random.choice(few) for codes, few in BEHIND if code in codes), b"")


def drawn(random: Random) -> bytes:
    """Return a pickle: a few pieces, and an import that is reached when they can be read."""
    if random.random() < 0.5:  # one line alone, taken off again, of any bytes
        line = b"".join(random.choice(PARTS) for _ in range(random.randrange(4)))
        start = bytes([random.choice(LINES)]) + line + b"\n0"
    else:
        start = b"".join(piece(random) for _ in range(random.randint(1, 5)))
    return start + random.choice(ENDS)


def reached(data: bytes) -> bool:
    """Tell whether an unpickler comes to a name of which there can be a file, in this pickle or in
    one behind it."""
    asked: list[str] = []
    for kind in (InC, InPython):
        stream = io.BytesIO(data)
        try:
            while stream.tell() < len(data):
                unpickler = kind(stream)
                unpickler.asked = asked
                unpickler.load()
        except Exception:  # most of what is drawn is broken
            continue
    return any(MODULE.fullmatch(module) for module in asked)


def held(seed: int, count: int) -> dict[str, int | list[str]]:
    """Draw ``count`` pickles and hold the walk against the unpicklers."""
    random, missed, came = Random(f"{seed}/unpicklers"), [], 0
    for _ in range(count):
        data = drawn(random)
        if reached(data):
            came += 1
            walk = walk_pickle(io.BytesIO(data))
            passed = not walk.effects and (walk.is_a_value or not walk.whole)
            if passed and len(missed) < MAX_MISSED:
                missed.append(ascii(data[:200]))
    return {"drawn": count, "reached": came, "missed": missed}


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    warnings.simplefilter("ignore")
    print(json.dumps(held(int(sys.argv[1]), int(sys.argv[2]))))
