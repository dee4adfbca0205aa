"""Ways to break a body on purpose.

``one_by_one`` goes through each member of a body that would be understood, and puts in its place
what no reader expects, then through what can be wrong with the bytes as a whole. ``WAYS`` break one
at random, anywhere in it.
"""

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from random import Random
from typing import Any

PLAIN = "application/json"
MARK = "\u2603 here"  # is replaced in the bytes


@dataclass(frozen=True)
class Sent:
    """What is sent instead of a body, and how it is called."""

    word: str
    raw: bytes
    kind: str = PLAIN
    headers: dict[str, str] = field(default_factory=dict)


def nested(depth: int) -> Any:
    value: Any = []
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


VALUES: dict[str, Any] = {
    "null": None,
    "true": True,
    "zero": 0,
    "minus": -1,
    "fraction": 0.5,
    "2^53": 2**53,
    "2^63": 2**63,
    "2^200": 2**200,
    "1e308": 1e308,
    "empty": "",
    "text": "x",
    "spaces": "   ",
    "long": "x" * 100_000,
    "surrogate": "\ud800",
    "null in a text": "a\x00b",
    "lines": "a\r\nb",
    "wide": "\u202e\U000e0001\ufeff",
    "number as text": "1" * 400,
    "list": [],
    "object": {},
    "lists": [[]],
    "nulls": [None],
    "texts": ["x"] * 3000,
    "numbers": [2**63, 1e308, -0.0],
    "objects": [{}],
    "members": {str(n): n for n in range(3000)},
    "deep": nested(30),
    "deeper": nested(200),
    "odd names": {"": 1, "\x00": 2, "__proto__": 3, "a/b~c": 4},
}
WHOLE: dict[str, bytes] = {
    "nothing": b"",
    "a space": b" ",
    "a null byte": b"\0",
    "a mark": b"\xef\xbb\xbf{}",
    "not utf-8": b'{"a":"\xff\xfe"}',
    "open": b"{",
    "a list": b"[]",
    "a number": b"1",
    "NaN": b'{"a":NaN}',
    "huge": b'{"a":1e999}',
    "digits": b'{"a":' + b"9" * 5000 + b"}",
    "depth": b'{"a":' * 100_000,
    "lists": b"[" * 500_000,
    "twice": b'{"a":1,"a":2}',
    "names": b"{" + b",".join(b'"%x":1' % n for n in range(50_000)) + b',"c34f":1}',
}
TYPES = (
    "",
    "text/plain",
    "multipart/form-data",
    "multipart/form-data; boundary=a",
    "application/x-www-form-urlencoded",
    "application/xml",
    "a/b; charset=\x7f",
    "application/json; charset=no-such",
    "application/json; charset=utf-16",
    "application/json; charset=utf-7",
    "application/jsonp",
    "*/*",
    "json",
)
NO_NUMBERS = [
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"1e999",
    b"-1e999",
    b"9" * 5000,
    b"0x1",
    b"01",
    b"1.",
    b"+1",
    b"-",
    b"1e",
    b"undefined",
]
NO_UTF8 = [b'"\xff"', b'"\xc0\x80"', b'"\xed\xa0\x80"', b"\xfe\xff", b'"\xf5"']
CODECS = ["utf-16", "utf-16-le", "utf-32", "utf-7", "utf-8-sig", "cp500"]


def dumped(body: Any) -> bytes:
    return json.dumps(body).encode("ascii")


def one_by_one(body: Any) -> Iterator[Sent]:
    """Yield what is made of a body that would be understood."""
    members = body if isinstance(body, dict) else {}
    for name in members:
        for word, value in VALUES.items():
            yield Sent(f"{name}: {word}", dumped({**members, name: value}))
    raw = dumped(body)
    yield Sent("without its length", raw, headers={"Transfer-Encoding": "chunked"})
    for word, other in WHOLE.items():
        yield Sent(word, other)
    for share in range(1, 4):
        yield Sent(f"cut at {share}/4", raw[: len(raw) * share // 4])
    yield Sent("twice in a row", raw + raw)
    yield Sent("its members twice", raw[:-1] + b"," + raw[1:])
    yield Sent("utf-16", raw.decode().encode("utf-16"), f"{PLAIN}; charset=utf-16")
    for kind in TYPES:
        yield Sent(f"as {kind!r}", raw, kind)
    for kind, packed in (
        ("gzip", gzip.compress(raw)),
        ("deflate", zlib.compress(raw)),
        ("br", raw),
        ("gzip", gzip.compress(b" " * 5_000_000)),
    ):
        yield Sent(f"{kind}, {len(packed)} bytes", packed, headers={"Content-Encoding": kind})


# ── at random, anywhere ──────────────────────────────────────────────────────────────────────


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each place in a body: what holds it, and its name or number there."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for name, inner in items:
        yield value, name
        if isinstance(inner, dict | list):
            yield from places(inner)


def put(body: Any, rng: Random, *values: Any) -> Any:
    """Return a body with values in the place of others, or beside them where there is none."""
    whole = [deepcopy(body) if isinstance(body, dict | list) else {}]
    for value in values:
        holder, name = rng.choice(list(places(whole)))
        if rng.random() < 0.2 and isinstance(holder[name], dict):
            holder, name = holder[name], rng.choice(["", "x", "__proto__", "\x00", "id", "n" * 999])
        holder[name] = deepcopy(value)  # the next may go into it
    return whole[0]


def token(body: Any, rng: Random, written: bytes) -> bytes:
    """Return a body with something in it that JSON does not write so."""
    return dumped(put(body, rng, MARK)).replace(json.dumps(MARK).encode(), written)


def objects(body: Any) -> list[dict[str, Any]]:
    """Return the objects in a body that have members."""
    held = [holder[name] for holder, name in places([body])]
    return [found for found in held if isinstance(found, dict) and found]


def renamed(body: Any, rng: Random) -> Any:
    """Return a body with a member less, or one under another name."""
    made = deepcopy(body)
    if found := objects(made):
        chosen = rng.choice(found)
        value = chosen.pop(name := rng.choice([*chosen]))
        if rng.random() < 0.5:
            chosen[rng.choice([name.upper(), name + "\u0301", f" {name}", f"{name}\x00"])] = value
    return made


def doubled(body: Any, rng: Random) -> bytes:
    """Return a body with a name twice in one object."""
    made = deepcopy(body)
    if not (found := objects(made)):
        return b'{"a":1,"a":1}'
    chosen = rng.choice(found)
    name, value = rng.choice(list(chosen.items()))
    chosen[MARK] = rng.choice([value, None, "x"])
    return dumped(made).replace(json.dumps(MARK).encode(), json.dumps(name).encode())


def spoiled(raw: bytes, rng: Random) -> bytes:
    """Return bytes with a few changed, taken out or put in."""
    made = bytearray(raw)
    for _ in range(rng.randint(1, 4)):
        at = rng.randint(0, len(made))
        made[at : at + rng.choice([0, 0, 1, 3])] = rng.randbytes(rng.choice([0, 1, 1, 2, 9]))
    return bytes(made)


def several(body: Any, rng: Random) -> Sent:
    values = [rng.choice(list(VALUES.values())) for _ in range(rng.randint(2, 5))]
    return Sent("several", dumped(put(body, rng, *values)))


def halved(body: Any, rng: Random) -> Sent:
    text = rng.choice(['"\\ud800"', '"a\\udfff"', '"\\udc00\\ud800"', '"\\u0000"', '{"\\ud83d":1}'])
    return Sent("half of a pair", token(body, rng, text.encode()))


def recoded(body: Any, rng: Random) -> Sent:
    codec = rng.choice(CODECS)
    kind = rng.choice([PLAIN, f"{PLAIN}; charset={codec}", f"{PLAIN};charset=utf-8;charset=x"])
    return Sent("another charset", dumped(body).decode().encode(codec), kind)


def compressed(body: Any, rng: Random) -> Sent:
    packed = rng.choice([dumped(body), gzip.compress(dumped(body)), zlib.compress(dumped(body))])
    named = rng.choice(["gzip", "deflate", "br", "identity, gzip", "\xff"])
    return Sent("compressed", packed, headers={"Content-Encoding": named})


WAYS: dict[str, Callable[[Any, Random], Sent]] = {
    "another value": lambda body, rng: Sent(
        "another value", dumped(put(body, rng, rng.choice(list(VALUES.values()))))
    ),
    "several": several,
    "another name": lambda body, rng: Sent("another name", dumped(renamed(body, rng))),
    "no number": lambda body, rng: Sent("no number", token(body, rng, rng.choice(NO_NUMBERS))),
    "half of a pair": halved,
    "NUL": lambda body, rng: Sent(
        "NUL", token(body, rng, rng.choice([b'"\0"', b"\0", b'"\\u0000"', b'{"\\u0000":1}']))
    ),
    "deep": lambda body, rng: Sent(
        "deep", token(body, rng, b"[" * (deep := rng.choice([31, 40, 990, 100_000])) + b"]" * deep)
    ),
    "a name twice": lambda body, rng: Sent("a name twice", doubled(body, rng)),
    "another type": lambda body, rng: Sent("another type", dumped(body), rng.choice(TYPES)),
    "another charset": recoded,
    "compressed": compressed,
    "cut": lambda body, rng: Sent("cut", (raw := dumped(body))[: rng.randrange(len(raw))]),
    "not UTF-8": lambda body, rng: Sent("not UTF-8", token(body, rng, rng.choice(NO_UTF8))),
    "bytes changed": lambda body, rng: Sent("bytes changed", spoiled(dumped(body), rng)),
    "a whole other": lambda body, rng: Sent("a whole other", rng.choice(list(WHOLE.values()))),
}
