"""Ways to break what a page's form sends."""

import json
from collections.abc import Callable
from random import Random
from typing import Any
from urllib.parse import quote_from_bytes

from tests.contract.breaking import VALUES, WAYS, Sent, spoiled

FORM = "application/x-www-form-urlencoded"
TYPES = (
    "",
    "text/plain",
    "multipart/form-data",
    "multipart/form-data; boundary=",
    "multipart/form-data; boundary=\xff",
    "multipart/form-data; boundary=" + "b" * 300,
    f"{FORM}; charset=no-such",
    f"{FORM}; charset=utf-16",
    "application/json",
    "multipart/mixed; boundary=a",
    "multipart/form-data; charset=utf-7; boundary=a",
)
Pairs = list[tuple[str, str]]


def pairs(body: Any) -> Pairs:
    """Return the fields of a form, as a browser would send them."""
    items = body.items() if isinstance(body, dict) else []
    return [
        (name, as_text(one))
        for name, value in items
        for one in (value if isinstance(value, list) else [value])
    ]


def as_text(value: Any) -> str:
    """Of a file a form that is no multipart sends the name alone."""
    value = getattr(value, "name", value)
    return value if isinstance(value, str) else json.dumps(value)


def urlencoded(fields: Pairs) -> bytes:
    return "&".join(f"{quoted(name)}={quoted(value)}" for name, value in fields).encode("ascii")


def quoted(text: str) -> str:
    return quote_from_bytes(text.encode("utf-8", "surrogatepass"))


def multipart(fields: Pairs, rng: Random) -> bytes:
    """Return fields as parts, among them one that is a file, or is encoded or named oddly."""
    odd = rng.choice(
        [
            b"",
            b'; filename="a.txt"',
            b"; filename*=utf-7''%ff",
            b'; name="b"',
            b'; filename="' + b"f" * 5000 + b'"',
        ]
    )
    more = rng.choice(
        [
            b"",
            b"Content-Transfer-Encoding: base64\r\n",
            b"Content-Type: \xff\r\n",
            b"Content-Transfer-Encoding: no-such\r\n",
            b"X: " + b"x" * 20_000 + b"\r\n",
            b"Content-Type: text/plain; charset=no-such\r\n",
        ]
    )
    parts = [
        b'--a\r\nContent-Disposition: form-data; name="%s"%s\r\n%s\r\n%s\r\n'
        % (name.encode("utf-8", "surrogatepass"), odd, more, value.encode("utf-8", "surrogatepass"))
        for name, value in fields
    ]
    return b"".join(parts) + b"--a--\r\n"


def another_value(fields: Pairs, rng: Random) -> Sent:
    made, value = list(fields) or [("x", "")], as_text(rng.choice(list(VALUES.values())))
    at = rng.randrange(len(made))
    made[at] = (made[at][0], value)
    return Sent("another value", urlencoded(made), FORM)


def another_name(fields: Pairs, rng: Random) -> Sent:
    made = list(fields) or [("x", "")]
    name, value = made.pop(rng.randrange(len(made)))
    more = [
        [],
        [(name, value)] * 2,
        [(f"{name}\x00", value)],
        [("", value)],
        [(name, value)] * 3000,
    ]
    return Sent("another name", urlencoded([*made, *rng.choice(more)]), FORM)


def broken_escape(fields: Pairs, rng: Random) -> Sent:
    written = rng.choice(
        [
            b"%",
            b"%zz",
            b"%ff",
            b"%00",
            b"%u0041",
            b"%ed%a0%80",
            b"\xff",
            b"\0",
            b"&&&=&",
            b";",
            b"%0d%0a",
        ]
    )
    raw = urlencoded([(name, "~" if at == 0 else value) for at, (name, value) in enumerate(fields)])
    return Sent("broken escape", (raw or b"x=~").replace(b"~", written), FORM)


def json_inside(fields: Pairs, rng: Random) -> Sent:
    """Break the JSON of a field that has some, in the way of a JSON body; else put some in."""
    made = list(fields) or [("x", "")]
    held = [at for at, (_, value) in enumerate(made) if value.startswith("{")]
    at = rng.choice(held or [*range(len(made))])
    body = json.loads(made[at][1]) if held else {"a": [1, "b"]}
    broken = WAYS[rng.choice([*WAYS])](body, rng).raw
    before = urlencoded([field for field in made if field is not made[at]])
    raw = before + b"&" + made[at][0].encode() + b"=" + quote_from_bytes(broken).encode()
    return Sent("JSON inside", raw, FORM)


def cut(fields: Pairs, rng: Random) -> Sent:
    raw = multipart(fields, rng)
    return Sent("parts, cut", raw[: rng.randrange(len(raw))], "multipart/form-data; boundary=a")


FORM_WAYS: dict[str, Callable[[Pairs, Random], Sent]] = {
    "another value": another_value,
    "another name": another_name,
    "broken escape": broken_escape,
    "JSON inside": json_inside,
    "parts": lambda fields, rng: Sent(
        "parts", multipart(fields, rng), "multipart/form-data; boundary=a"
    ),
    "parts, cut": cut,
    "another type": lambda fields, rng: Sent(
        "another type", rng.choice([urlencoded(fields), multipart(fields, rng)]), rng.choice(TYPES)
    ),
    "bytes changed": lambda fields, rng: Sent(
        "bytes changed", spoiled(urlencoded(fields), rng), FORM
    ),
    "JSON instead": lambda fields, rng: WAYS[rng.choice([*WAYS])](dict(fields), rng),
}
