"""What the routes about retention, legal holds and archives take and answer."""

from typing import Any

from rest_framework import serializers

from apps.assurance.actions.retention import LEAST_DAYS, MOST_DAYS
from apps.assurance.models import HoldScope, HoldState, LegalHold, Retention
from apps.audit.models import Archive
from apps.audit.queries import unseal_many


class RetentionSerializer(serializers.Serializer[Any]):
    """After how many days events may be archived; ``null``: never."""

    days = serializers.IntegerField(allow_null=True)
    set_by = serializers.CharField(allow_null=True)
    set_at = serializers.DateTimeField(allow_null=True)


class NewRetentionSerializer(serializers.Serializer[Any]):
    """A rule to be set."""

    days = serializers.IntegerField(min_value=LEAST_DAYS, max_value=MOST_DAYS)


class LegalHoldSerializer(serializers.Serializer[Any]):
    """A legal hold: no event that mentions ``subject`` is archived while it stands.

    ``subject`` is an id, or '' for every event.
    """

    id = serializers.CharField()
    name = serializers.CharField()
    scope = serializers.ChoiceField(HoldScope.choices)
    subject = serializers.CharField()
    state = serializers.ChoiceField(HoldState.choices)
    reason = serializers.CharField()
    placed_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    lifted_by = serializers.CharField()
    lift_reason = serializers.CharField()
    lifted_at = serializers.DateTimeField(allow_null=True)


class NewLegalHoldSerializer(serializers.Serializer[Any]):
    """A hold to be placed. ``subject`` is a project's slug, the id of a person or of an object."""

    name = serializers.CharField(max_length=60)
    scope = serializers.ChoiceField(HoldScope.choices)
    subject = serializers.CharField(max_length=100, required=False, allow_blank=True)
    reason = serializers.CharField(max_length=2000)


class HoldLiftSerializer(serializers.Serializer[Any]):
    """Why a hold is lifted."""

    reason = serializers.CharField(max_length=2000)


class ArchiveSerializer(serializers.Serializer[Any]):
    """Old events that were moved into a file: how many, the first and the last, and the file."""

    id = serializers.CharField()
    first = serializers.IntegerField()
    last = serializers.IntegerField()
    count = serializers.IntegerField()
    size = serializers.IntegerField()
    file = serializers.CharField()
    bytes = serializers.IntegerField()
    older_than = serializers.DateTimeField()
    created_at = serializers.DateTimeField()


def retention_body(row: Retention | None) -> dict[str, Any]:
    """Return the rule."""
    body = {
        "days": row.days if row else None,
        "set_by": row.set_by if row else None,
        "set_at": row.set_at if row else None,
    }
    return dict(RetentionSerializer(body).data)


def hold_bodies(rows: Any) -> list[Any]:
    """Return holds with their reasons (two queries)."""
    texts = unseal_many(s for row in rows for s in (row.reason_sealed, row.lift_reason_sealed))
    return [_hold(row, texts) for row in rows]


def _hold(row: LegalHold, texts: dict[str, str]) -> dict[str, Any]:
    body = {
        "id": row.pk, "name": row.name, "scope": row.scope, "subject": row.subject,
        "state": row.state, "reason": texts[row.reason_sealed], "placed_by": row.placed_by,
        "created_at": row.created_at, "lifted_by": row.lifted_by,
        "lift_reason": texts.get(row.lift_reason_sealed, ""), "lifted_at": row.lifted_at,
    }  # fmt: skip
    return dict(LegalHoldSerializer(body).data)


def archive_body(row: Archive) -> dict[str, Any]:
    """Return an archive."""
    return dict(ArchiveSerializer(row).data)
