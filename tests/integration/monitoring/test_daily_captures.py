"""What services capture is taken up to so much a day, whatever they write."""

import zlib
from datetime import timedelta
from uuid import uuid4

import pytest
import time_machine

from apps.monitoring import actions
from apps.monitoring.actions import daily
from apps.monitoring.models import CaptureFile, CaptureRange
from apps.serving.models import Endpoint
from placet.kernel.clock import now
from tests.integration.monitoring.test_captures import endpoint, live
from tests.support.captures import FILE, line, send, text
from tests.support.nodes import SimulatedNode

pytestmark = pytest.mark.django_db
__all__ = ["endpoint"]  # the fixture


def test_lines_count_as_they_are_kept_where_that_is_more(
    node: SimulatedNode, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks of nothing make two megabytes of a packed line; it is kept as it came."""
    revision = live(endpoint).pk
    lines = text(line(revision))
    packed = zlib.compress(lines)
    padded = packed[:2] + b"\x00\x00\x00\xff\xff" * 10_000 + packed[2:]
    path = f"/agent/v1/captures?revision={revision}&file={FILE}&offset="
    monkeypatch.setattr(daily, "DAY_BYTES", 2 * len(padded))
    for sent in range(3):
        assert node.call("POST", f"{path}{sent * len(lines)}", padded).status_code == 201
    kept = CaptureRange.objects.values_list("packed", flat=True)
    assert [len(bytes(one)) for one in kept] == [len(padded)] * 2


def test_what_is_more_than_a_days_share_is_dropped_counted_and_said_once_a_minute(
    node: SimulatedNode,
    endpoint: Endpoint,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    revision, other = live(endpoint).pk, f"{uuid4().hex}-000000.jsonl"
    monkeypatch.setattr(daily, "DAY_BYTES", daily.LEAST_BYTES)
    first, more = text(line(revision)), text(line(revision), line(revision))
    end = len(first + more)
    with time_machine.travel(now(), tick=False) as clock:
        assert send(node, revision, first) == (201, len(first))
        assert send(node, revision, more, len(first)) == (201, end), "it is not sent for ever"
        assert send(node, revision, more, len(first)) == (409, end)
        assert send(node, revision, more, file=other) == (201, len(more))
        assert actions.store_captures() == 1
        files = CaptureFile.objects.values_list("name", "offset")
        assert list(files) == [(FILE, end)], "a file of which nothing is kept has no row"
        (said,) = [r.getMessage() for r in caplog.records if r.name == daily.log.name]
        assert said == (
            f"revision {revision} captured more than 4096 bytes today: 2 lines are dropped so far"
        )
        clock.shift(timedelta(days=1))
        assert send(node, revision, text(line(revision)), end)[0] == 201
        assert actions.store_captures() == 1
