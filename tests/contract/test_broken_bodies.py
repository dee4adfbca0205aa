"""Bodies that are broken on purpose: whoever sends them is refused, and nothing breaks.

Each member of a body that gets far is replaced by what no reader expects, and the bytes as a whole
are cut, nested, repeated, compressed and named otherwise. In the usual run the roles ask a part, in
turns; in ``make prove`` each asks all.
"""

import gzip
import json
import logging
import zlib
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
from django.db import connection, transaction

from placet.config import config
from tests.contract.operations import operations, send
from tests.permissions.world import ROLES, World, build

PROVING = hypothesis.settings.default.max_examples > 100
WHO = (*ROLES, "stranger", "anonymous")
SHARE = 20  # one of so many, and no multiple of the roles: each of them asks
PLAIN, PROBLEM = "application/json", "application/problem+json"
NOTHING_SERVES = "POST /api/v1/endpoints/{endpoint}/predict"  # and 502 is how it says so
Sent = tuple[str, bytes, str, dict[str, str]]  # what it is called, bytes, their type, headers


def nested(depth: int) -> Any:
    value: Any = []
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


VALUES: dict[str, Any] = {
    "null": None, "true": True, "zero": 0, "minus": -1, "fraction": 0.5, "2^53": 2**53,
    "2^63": 2**63, "2^200": 2**200, "1e308": 1e308, "empty": "", "text": "x", "spaces": "   ",
    "long": "x" * 100_000, "surrogate": "\ud800", "null in a text": "a\x00b", "lines": "a\r\nb",
    "wide": "\u202e\U000e0001\ufeff", "number as text": "1" * 400, "list": [], "object": {},
    "lists": [[]], "nulls": [None], "texts": ["x"] * 3000, "numbers": [2**63, 1e308, -0.0],
    "objects": [{}], "members": {str(n): n for n in range(3000)}, "deep": nested(30),
    "deeper": nested(200), "odd names": {"": 1, "\x00": 2, "__proto__": 3, "a/b~c": 4},
}  # fmt: skip
WHOLE: dict[str, bytes] = {
    "nothing": b"", "a space": b" ", "a null byte": b"\0", "a mark": b"\xef\xbb\xbf{}",
    "not utf-8": b'{"a":"\xff\xfe"}', "open": b"{", "a list": b"[]", "a number": b"1",
    "NaN": b'{"a":NaN}', "huge": b'{"a":1e999}', "digits": b'{"a":' + b"9" * 5000 + b"}",
    "depth": b'{"a":' * 100_000, "lists": b"[" * 500_000, "twice": b'{"a":1,"a":2}',
    "names": b"{" + b",".join(b'"%x":1' % n for n in range(50_000)) + b',"c34f":1}',
}  # fmt: skip


def broken(body: Any) -> Iterator[Sent]:
    """Yield what is made of a body that would be understood."""
    members = body if isinstance(body, dict) else {}
    for name in members:
        for word, value in VALUES.items():
            raw = json.dumps({**members, name: value}).encode("ascii")
            yield f"{name}: {word}", raw, PLAIN, {}
    raw = json.dumps(body).encode("ascii")
    for word, other in WHOLE.items():
        yield word, other, PLAIN, {}
    for share in range(1, 4):
        yield f"cut at {share}/4", raw[: len(raw) * share // 4], PLAIN, {}
    yield "twice in a row", raw + raw, PLAIN, {}
    yield "its members twice", raw[:-1] + b"," + raw[1:], PLAIN, {}
    yield "utf-16", raw.decode().encode("utf-16"), f"{PLAIN}; charset=utf-16", {}
    for kind in ("", "text/plain", "multipart/form-data", "multipart/form-data; boundary=a",
                 "application/x-www-form-urlencoded", "application/xml", "a/b; charset=\x7f",
                 "application/json; charset=no-such"):  # fmt: skip
        yield f"as {kind!r}", raw, kind, {}
    for kind, packed in (("gzip", gzip.compress(raw)), ("deflate", zlib.compress(raw)),
                         ("br", raw), ("gzip", gzip.compress(b" " * 5_000_000))):  # fmt: skip
        yield f"{kind}, {len(packed)} bytes", packed, PLAIN, {"Content_Encoding": kind}


@pytest.fixture
def world(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The permission table's world, on a connection that no request closes, and no log."""
    made = build()
    monkeypatch.setattr(connection, "close_if_unusable_or_obsolete", lambda: None)
    monkeypatch.setattr(config(), "session_requests_per_minute", 0)
    monkeypatch.setattr(config(), "token_requests_per_minute", 0)
    for client in made.clients.values():
        client.raise_request_exception = False  # an answer of 500 is what is looked for
    logging.disable()
    yield made
    logging.disable(logging.NOTSET)


def asked(world: World) -> list[tuple[str, Sent]]:
    """Return what can be asked, by operation: of the API, of nodes and of the pages' forms."""
    published = [str(op) for op in operations() if op.takes_json]
    every = dict.fromkeys([*published, *(key for key in world.bodies if "{" in key or "/" in key)])
    return [(key, sent) for key in every for sent in broken(world.bodies.get(key, {}))]


def test_a_body_that_is_broken_breaks_nothing(world: World) -> None:
    every = asked(world)
    if PROVING:
        mine = [(role, *one) for role in WHO for one in every]
    else:
        mine = [(WHO[at % len(WHO)], *every[at]) for at in range(0, len(every), SHARE)]
    wrong = [f"{role}: {fault}" for role, *one in mine if (fault := answered(world, role, *one))]
    assert not wrong, f"{len(wrong)} of {len(mine)}\n" + "\n".join(wrong[:40])


def answered(world: World, role: str, key: str, sent: Sent) -> str:
    """Send one body; return what is wrong with the answer."""
    method, _, route = key.partition(" ")
    word, raw, kind, headers = sent
    path = world.path(route)
    with transaction.atomic():
        try:
            if method != "POST" and (tag := send(world, role, "GET", path).headers.get("ETag")):
                headers = {**headers, "If_Match": tag}
            answer = send(world, role, method, path, raw, content_type=kind, **headers)
        finally:
            transaction.set_rollback(True)
    status = answer.status_code
    if status >= 500 and not (status == 502 and key == NOTHING_SERVES):
        return f"{key}: {word}: {status} {answer.content[:200]!r}"
    if status >= 400 and route.startswith("/api/v1/") and answer["Content-Type"] != PROBLEM:
        return f"{key}: {word}: {status} as {answer['Content-Type']}"
    return ""
