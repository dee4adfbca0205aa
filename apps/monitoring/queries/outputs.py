"""Counting what captured predictions gave."""

import json
from datetime import datetime
from typing import Literal

from django.db.models import BooleanField, Count, F, Func, JSONField, TextField, Value
from django.db.models.functions import Coalesce

from apps.monitoring.models import CapturedPrediction
from placet_verify.capture import REDACTED

COMPARED = {"is": "==", "above": ">"}


def count_outputs(
    revision: str,
    test: Literal["is", "above"],
    value: str | float | bool,
    *,
    field: str,
    since: datetime,
    by_unit: bool,
) -> tuple[int, int]:
    """Return how many predictions of a revision count, and how many of them gave ``value`` (``is``)
    or something ``above`` it.

    Those since then that a split decided on and whose output was kept; with ``by_unit`` each unit's
    first that was stored. Of several rows one counts, drawn by the prediction's id. An output of
    another type, or without ``field``, gave nothing; one that was redacted is not counted.
    """
    rows = CapturedPrediction.objects.filter(
        revision=revision, at__gte=since, cohort="", output__isnull=False
    )
    if by_unit:
        first = rows.exclude(unit="").order_by("unit", "pk").distinct("unit")
        rows = CapturedPrediction.objects.filter(pk__in=first.values("pk"))
    gave = _gave(COMPARED[test], value, field)
    counts = rows.exclude(_gave("==", REDACTED, field)).aggregate(
        trials=Count("pk"), given=Count("pk", filter=gave)
    )
    return counts["trials"], counts["given"]


def _gave(operator: str, value: str | float | bool, field: str) -> Coalesce:
    """Return whether an output, or its member, compares so: never where it has none."""
    member = f".{json.dumps(field)}" if field else ""
    path = Func(
        Value(f"strict ${member} ? (@ {operator} $value)"),
        template="%(expressions)s::jsonpath",
        output_field=TextField(),
    )
    holds = Func(
        F("output"),
        path,
        Value({"value": value}, JSONField()),
        Value(True),
        function="jsonb_path_exists",
        output_field=BooleanField(),
    )
    return Coalesce(holds, False)
