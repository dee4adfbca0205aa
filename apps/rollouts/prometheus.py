"""Asking the Prometheus that is set up (``PLACET_PROMETHEUS_URL``) what a plan's query says."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from apps.rollouts.analysis.readings import Reading, ReadingPoint, Threshold, reading, unread
from placet.kernel.config import config
from placet.kernel.outbound import OutboundFailed, post

TIMEOUT = 5.0  # a look waits for it


class Unread(Exception):
    """Prometheus did not say what was asked; the text says why, in words."""


def readings(
    thresholds: Iterable[Threshold], names: Mapping[str, str], *, since: datetime, now: datetime
) -> tuple[Reading, ...]:
    """Return what follows for each threshold. ``names`` stand in queries as ``$name``.

    Call it outside any transaction. What cannot be read is an ``error`` in words.
    """
    all_readings = []
    for threshold in thresholds:
        begin = threshold.begin(since, now)
        try:
            points = _points(_filled(threshold.query, names), begin, now, threshold.step)
        except Unread as error:
            all_readings.append(unread(threshold, str(error)))
        else:
            all_readings.append(reading(threshold, points, since=since, now=now))
    return tuple(all_readings)


def try_out(now: datetime) -> None:
    """Ask for a series that every Prometheus has. Raises :class:`Unread` with why there is none.

    Call it outside any transaction.
    """
    if not _points("vector(1)", now - timedelta(minutes=1), now, 15):
        raise Unread("its answer holds no values")


def _filled(query: str, names: Mapping[str, str]) -> str:
    """Return a query with names filled in: ids, which hold nothing that PromQL could read."""
    for name, value in names.items():
        query = query.replace(f"${name}", value)
    return query


def _points(query: str, begin: datetime, end: datetime, step: int) -> list[ReadingPoint]:
    """Return the one series that a query gives; it counts back from ``end``."""
    if not config().prometheus_url:
        raise Unread("none is set up (PLACET_PROMETHEUS_URL)")
    steps = int((end - begin).total_seconds() // step)
    parameters = {
        "query": query,
        "start": f"{end.timestamp() - steps * step:.3f}",
        "end": f"{end.timestamp():.3f}",
        "step": str(step),
        "timeout": f"{TIMEOUT:g}s",
    }
    series = _answer(urlencode(parameters).encode())
    if len(series) > 1:
        raise Unread(f"{query} gives {len(series)} series: make it one, by sum or max")
    try:
        return [ReadingPoint(float(at), float(text)) for s in series for at, text in s["values"]]
    except (TypeError, ValueError, KeyError):
        raise Unread("its answer holds no values") from None


def _answer(body: bytes) -> list[dict[str, Any]]:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if token := config().prometheus_token.get_secret_value():
        headers["Authorization"] = f"Bearer {token}"
    url = f"{config().prometheus_url.rstrip('/')}/api/v1/query_range"
    try:
        answer = post(url, body=body, headers=headers, timeout=TIMEOUT)
    except OutboundFailed as error:
        raise Unread(str(error)) from error
    try:
        document = json.loads(answer.body)
        if answer.status != 200 or document["status"] != "success":
            raise Unread(f"it answers {answer.status}: {str(document.get('error'))[:200]}")
        series = document["data"]["result"] if document["data"]["resultType"] == "matrix" else None
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Unread(f"it answers {answer.status}, and not as Prometheus does") from None
    if not isinstance(series, list) or not all(isinstance(item, dict) for item in series):
        raise Unread("its answer holds no series")
    return series
