"""Counting what captured predictions gave."""

import json
from datetime import timedelta
from typing import Any, Literal
from uuid import uuid4

import pytest

from apps.monitoring import actions, queries
from apps.monitoring.models import CapturedPrediction
from apps.serving.models import Endpoint, Revision
from placet.kernel.clock import now
from tests.support.captures import line, send, text
from tests.support.story import Story
from tests.support.world import World

pytestmark = pytest.mark.django_db
HIDDEN = "[redacted]"


class Captured:
    """An endpoint that captures everything, and what its predictions gave."""

    def __init__(self, story: Story) -> None:
        serving = {"unit": {"header": "X-User"}, "capture": {"percent": 100, "days": 7}}
        self.node, self.endpoint = story.node, story.live(serving=serving).endpoint
        self.revision = Revision.objects.get(endpoint=self.endpoint, state="live").pk

    def gave(self, *outputs: Any, **changes: Any) -> list[dict[str, Any]]:
        """Have the node bring a prediction of one row for each output, and store it."""
        rows = [json.dumps([output]) for output in outputs]
        lines = [line(self.revision, **({"outputs": row} | changes)) for row in rows]
        file = f"{uuid4().hex}-000000.jsonl"
        assert send(self.node, self.revision, text(*lines), file=file)[0] == 201
        actions.store_captures()
        return lines

    def count(
        self,
        test: Literal["is", "above"],
        value: str | float | bool,
        field: str = "",
        *,
        by_unit: bool = False,
        minutes: int = 60,
    ) -> tuple[int, int]:
        """Count the last hour."""
        return queries.count_outputs(
            self.revision,
            test,
            value,
            field=field,
            by_unit=by_unit,
            since=now() - timedelta(minutes=minutes),
        )


@pytest.fixture
def captured(story: Story) -> Captured:
    """A fresh endpoint."""
    return Captured(story)


def test_values_are_counted_as_what_they_are(captured: Captured) -> None:
    captured.gave("fraud", "ok", "ok", 1, 1.0, 0.25, True, False, None, ["fraud"], {"a": 1})
    assert captured.count("is", "fraud") == (10, 1)
    assert captured.count("is", 1) == (10, 2)
    assert captured.count("is", True) == (10, 1)
    assert captured.count("above", 0.25) == (10, 2)
    assert captured.count("above", -1) == (10, 3)


def test_a_member_is_counted_and_an_output_without_it_gave_nothing(captured: Captured) -> None:
    captured.gave({"score": 0.9, 'a"$b': "x"}, {"score": 0.1}, {"score": "high"}, {"other": 1}, 5)
    assert captured.count("above", 0.5, "score") == (5, 1)
    assert captured.count("is", "high", "score") == (5, 1)
    assert captured.count("is", "x", 'a"$b') == (5, 1)


def test_what_was_redacted_is_not_counted(captured: Captured) -> None:
    captured.gave({"score": 0.9, "name": HIDDEN}, HIDDEN, {"score": HIDDEN, "name": "x"})
    assert captured.count("above", 0.5, "score") == (2, 1)
    assert captured.count("is", "x", "name") == (2, 1)
    assert captured.count("is", "x") == (2, 0)


@pytest.mark.parametrize(
    "outputs",
    [
        None,
        "[]",
        json.dumps(["x" * 1000]),
        json.dumps(["a\0b"]),
        json.dumps(["\ud800"]),
        "[1e999]",
        "[[[[-1e999]]]]",
    ],
)
def test_what_cannot_be_kept_is_stored_all_the_same(
    captured: Captured, outputs: str | None
) -> None:
    captured.gave("ok", outputs=outputs)
    captured.gave("ok")
    assert captured.count("is", "ok") == (1, 1)
    assert CapturedPrediction.objects.count() == 2


def test_one_of_several_rows_counts_drawn_by_the_prediction(captured: Captured) -> None:
    lines = captured.gave(*[0] * 400, outputs="[1, 0, 0, 0]", rows=4)
    total, given = captured.count("is", 1)
    assert total == 400
    assert 70 <= given <= 130  # a quarter; three and a half standard deviations
    kept = CapturedPrediction.objects.get(prediction=lines[0]["id"]).output
    assert kept in (0, 1)


def test_a_unit_counts_once_and_what_no_split_decided_on_never(captured: Captured) -> None:
    captured.gave("fraud", unit="u1")
    captured.gave("ok", "ok", unit="u1")
    captured.gave("ok", unit="u2")
    captured.gave("ok", unit=None)
    captured.gave("fraud", cohort="mirrored")
    captured.gave("fraud", cohort="overridden")
    assert captured.count("is", "fraud") == (5, 1)
    assert captured.count("is", "fraud", by_unit=True) == (2, 1)


def test_what_was_predicted_before_does_not_count(captured: Captured) -> None:
    captured.gave("fraud", at=round(now().timestamp() - 600, 3))
    captured.gave("fraud")
    assert captured.count("is", "fraud", minutes=5) == (1, 1)


def test_what_is_erased_counts_no_more(captured: Captured, world: World) -> None:
    captured.gave("fraud", unit="u1")
    captured.gave("ok", unit="u2")
    endpoint = Endpoint.objects.get(pk=captured.endpoint.pk)
    erasure = actions.erase_unit(endpoint, unit="u1", actor=world.otto)
    actions.carry_out(erasure.pk)
    assert captured.count("is", "fraud") == (1, 0)
