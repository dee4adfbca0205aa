"""Parses JSON bodies strictly: size, depth, encoding, duplicate names, NaN."""

import json
import re
from collections import Counter
from typing import IO, Any

from rest_framework.parsers import BaseParser

from placet.kernel.config import config
from placet.kernel.problems import InvalidInput, TooLarge

MAX_DEPTH = 32
_UNFIT = re.compile(r"[\x00\ud800-\udfff]")


def strict_loads(raw: bytes) -> Any:
    """Parse ``raw`` as JSON.

    Raises :class:`InvalidInput` when it is not UTF-8, nested deeper than 32, repeats a name in
    one object, or holds NaN, Infinity, lone surrogates or NUL characters; these are where JSON
    readers disagree, and a signed document must mean one thing.
    """
    try:
        text = raw.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise InvalidInput(f"The body is not UTF-8 (byte {error.start})") from None
    except RecursionError:
        raise InvalidInput(f"The body is nested deeper than {MAX_DEPTH} levels") from None
    except ValueError as error:
        raise InvalidInput(f"The body is not valid JSON: {error}") from None
    _check(value, 1)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise ValueError(f"the name {twice[:80]!r} stands twice in one object")
    return result


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _check(value: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise InvalidInput(f"The body is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, str):
        if _UNFIT.search(value):
            raise InvalidInput("The body holds a NUL character or half of a surrogate pair")
    elif isinstance(value, float):
        if value in (float("inf"), float("-inf")):
            raise InvalidInput("The body holds a number too large for a double")
    elif isinstance(value, dict):
        for key, item in value.items():
            _check(key, depth)
            _check(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check(item, depth + 1)


class StrictJSONParser(BaseParser):
    """The only parser of the API."""

    media_type = "application/json"
    most: int | None = None  # bytes of a body, where fewer do than usual

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Any = None
    ) -> Any:
        """Read at most ``PLACET_MAX_BODY_BYTES``, or ``most``, and parse them."""
        usual = config().max_body_bytes
        limit = min(usual, self.most or usual)
        raw = stream.read(limit + 1)
        if len(raw) > limit:
            raise TooLarge(f"The body may have at most {limit} bytes")
        return strict_loads(raw)
