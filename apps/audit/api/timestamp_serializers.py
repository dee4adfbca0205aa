"""What the routes about time stamps answer."""

import base64
from typing import Any

from rest_framework import serializers

from apps.audit.models import Timestamp
from apps.audit.queries.timestamps import Stamped


class TimestampSerializer(serializers.Serializer[Any]):
    """An authority's word that the checkpoint over ``size`` events existed ``at`` a time."""

    size = serializers.IntegerField()
    authority = serializers.CharField()
    at = serializers.DateTimeField()
    created_at = serializers.DateTimeField()


class TimestampDetailSerializer(TimestampSerializer):
    """A time stamp, opened.

    ``note`` is what was stamped, byte for byte; ``reply`` (base64) the answer of the authority as
    RFC 3161 has it, which ``openssl ts -verify`` takes.
    """

    serial = serializers.CharField()
    note = serializers.CharField()
    reply = serializers.CharField()


def timestamp(row: Timestamp) -> dict[str, Any]:
    """Return a time stamp."""
    return dict(TimestampSerializer(row).data)


def timestamp_detail(found: Stamped) -> dict[str, Any]:
    """Return a time stamp with all that is needed to check it."""
    opened = {
        "serial": found.serial,
        "note": found.note,
        "reply": base64.b64encode(found.reply).decode("ascii"),
    }
    return timestamp(found.row) | opened
