"""What the quick serializer writes is what DRF's own would have written."""

from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from rest_framework import serializers

from apps.registry.api.versions import VersionSerializer, VersionSummarySerializer
from apps.registry.models import VersionState
from placet.kernel.api.serializers import Serializer
from tests.integration.registry.helpers import Lab

pytestmark = pytest.mark.django_db


class Inner(Serializer):
    """Something nested."""

    size = serializers.IntegerField()


class Odd(Serializer):
    """One field of each kind, and of each way to be absent."""

    text = serializers.CharField()
    number = serializers.IntegerField(allow_null=True)
    flag = serializers.BooleanField()
    state = serializers.ChoiceField(choices=VersionState.choices)
    when = serializers.DateTimeField(allow_null=True)
    anything = serializers.JSONField()
    deep = serializers.CharField(source="inner.name")
    called = serializers.CharField(source="method")
    listed = serializers.ListField(child=serializers.CharField())
    nested = Inner(many=True)
    optional = serializers.CharField(required=False)
    defaulted = serializers.CharField(default="none")
    secret = serializers.CharField(write_only=True)


ROW: dict[str, Any] = {
    "text": 7,
    "number": "12",
    "flag": 1,
    "state": VersionState.DRAFT,
    "when": datetime(2026, 11, 25, 9, 30, 0, 1200, tzinfo=UTC),
    "anything": {"a": [1, None]},
    "inner": {"name": "x"},
    "method": "m",
    "listed": (1, 2),
    "nested": [{"size": 3}],
    "optional": "o",
    "defaulted": "d",
    "secret": "s",
}


def by_drf(serializer: Serializer, row: Any) -> Any:
    """Return what DRF itself makes of ``row``."""
    return serializers.Serializer.to_representation(serializer, row)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"number": None, "when": None, "anything": None},
        {"when": datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=2)))},
        {"state": "unheard of"},
        {"state": ""},
        {"method": lambda: "called"},
    ],
)
def test_every_kind_of_field(change: dict[str, Any]) -> None:
    row = ROW | change
    assert Odd().to_representation(row) == by_drf(Odd(), row)
    as_object = SimpleNamespace(**row | {"inner": SimpleNamespace(name="x")})
    assert Odd().to_representation(as_object) == by_drf(Odd(), as_object)


def test_what_a_row_lacks_is_left_to_drf() -> None:
    row = {k: v for k, v in ROW.items() if k not in ("optional", "defaulted")}
    written = Odd().to_representation(row)
    assert written == by_drf(Odd(), row)
    assert "optional" not in written and written["defaulted"] == "none"
    del row["text"]
    with pytest.raises(KeyError, match="text"):
        Odd().to_representation(row)


def test_a_version_of_the_database() -> None:
    version: Any = Lab().draft()
    version.recalls = []
    for serializer in (VersionSerializer(), VersionSummarySerializer()):
        assert serializer.to_representation(version) == by_drf(serializer, version)
