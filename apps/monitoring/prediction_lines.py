"""Reads the lines that a service wrote of its predictions. Pure: standard library and the verifier.

They come from other people's code, so a line is taken only if it is what we would have written:
of this revision, drawn by its id, within the bounds. All others are counted and left out.
"""

import hashlib
import hmac
import json
import math
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from apps.monitoring.rules import APART
from placet_verify.capture import Capture, is_captured
from placet_verify.numbers import is_number
from placet_verify.units import is_readable

MAX_LINES = 1 << 20  # bytes of a range, before compression
MAX_ROWS = 100_000
MAX_OUTPUT = 1000
SKEW = timedelta(minutes=10)  # how far a node's clock may be ahead
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class PredictionLine:
    """One captured prediction. Inputs and outputs are JSON lists, absent when over the bound."""

    prediction: str
    at: datetime
    unit: str
    rows: int
    inputs: str | None
    outputs: str | None
    milliseconds: float
    dropped: int
    cohort: str = ""  # why no split decided on it; '': one did


def unpack(packed: bytes) -> bytes:
    """Return the lines in ``packed``; raise ``ValueError`` with a sentence when they are none."""
    reader = zlib.decompressobj()
    try:
        lines = reader.decompress(packed, MAX_LINES + 1)
    except zlib.error:
        raise ValueError("The body is not compressed by zlib") from None
    if len(lines) > MAX_LINES or not reader.eof or reader.unused_data:
        raise ValueError(f"The body must be one whole stream of at most {MAX_LINES} bytes")
    if not lines.endswith(b"\n"):
        raise ValueError("The last line is cut: send whole lines")
    return lines


def read_line(
    raw: bytes, *, revision: str, capture: Capture, latest: datetime
) -> PredictionLine | None:
    """Return the prediction on a line; ``None`` when it is none of this revision."""
    try:
        data = json.loads(raw, parse_constant=_no_constant)
        at = datetime.fromtimestamp(_number(data["at"], 0, 2**40), UTC)
        line = PredictionLine(
            prediction=str(data["id"]),
            at=at,
            unit=_unit(data["unit"]),
            rows=int(_number(data["rows"], 1, MAX_ROWS)),
            inputs=_text(data["inputs"], capture.max_bytes),
            outputs=_text(data["outputs"], capture.max_bytes),
            milliseconds=_number(data["ms"], 0, 2**40),
            dropped=int(_number(data["dropped"], 0, 2**31 - 1)),
            cohort=str(data.get("cohort", "")),
        )
        ours = data["revision"] == revision and _ID.fullmatch(line.prediction)
    except (ValueError, TypeError, KeyError, OverflowError, OSError, RecursionError):
        return None
    drawn = ours and is_captured(line.prediction, capture.percent)
    timely = latest - timedelta(days=capture.days) <= at <= latest + SKEW
    known = (line.unit == "" or is_readable(line.unit)) and line.cohort in ("", *APART)
    return line if drawn and timely and known else None


def drawn_output(line: PredictionLine) -> Any:
    """Return the output of one of a prediction's rows, drawn by its id, for analyses to count.

    So what is counted of a prediction is one trial, however many rows it has: a row that lies in a
    share of them is drawn as often. ``None`` where outputs are not written down, or one is larger
    than ``MAX_OUTPUT`` characters, or the database has no such value.
    """
    rows = json.loads(line.outputs) if line.outputs else []
    if not rows:
        return None
    drawn = hashlib.sha256(f"row:{line.prediction}".encode()).digest()
    output = rows[int.from_bytes(drawn[:8], "big") % len(rows)]
    text = json.dumps(output) if sayable(output) else ""
    return output if 0 < len(text) <= MAX_OUTPUT and "\\u0000" not in text else None


def sayable(value: Any) -> bool:
    """Tell whether JSON of ours can say what was read of a line: 1e999 is read as infinite, half a
    character has no bytes, and lists lie in lists deeper than an answer may have them."""
    try:
        json.dumps([[[[[[[[value]]]]]]]], allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return False
    return True


def json_or_none(text: str | None) -> Any:
    """Return what an answer shows of inputs or outputs; ``None`` for none, and for what it cannot
    say."""
    try:
        value = json.loads(text) if text else None
    except RecursionError:
        return None
    return value if sayable(value) else None


def unit_hash(salt: str, unit: str) -> str:
    """Return what stands for a unit in the index and in the files; '' for none."""
    return hmac.digest(salt.encode(), unit.encode(), hashlib.sha256).hex()[:32] if unit else ""


def expected(answers: int, percent: float) -> tuple[int, int]:
    """Return how many of ``answers`` should have been captured, and how far chance may lead
    from that: three standard deviations of a binomial count."""
    share = percent / 100
    return round(answers * share), math.ceil(3 * math.sqrt(answers * share * (1 - share)))


def split(lines: bytes) -> Iterable[bytes]:
    """Return the lines without their ends."""
    return lines.removesuffix(b"\n").split(b"\n")


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _number(value: Any, low: float, high: float) -> float:
    if not is_number(value, low, high):
        raise ValueError("not such a number")
    return value


def _unit(value: Any) -> str:
    if value is not None and not isinstance(value, str):
        raise ValueError("not a unit")
    return value or ""


def _text(value: Any, limit: int) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > limit:
        raise ValueError("not such a text")
    value.encode()  # half a character has no bytes, so that no file could hold it
    if not isinstance(json.loads(value, parse_constant=_no_constant), list):
        raise ValueError("not a list")
    return value
