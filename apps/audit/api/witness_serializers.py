"""What the routes about witnesses take and answer."""

from typing import Any

from rest_framework import serializers

from apps.audit.actions.witnesses import MOST_DAYS, RETAIN_DAYS
from apps.audit.models import Witness, WitnessedHead, WitnessedLog, WitnessKind


class WitnessSerializer(serializers.Serializer[Any]):
    """Who is shown this log's checkpoints, and what it holds of them.

    ``fault`` is ``ahead`` when it saw more events than there are, ``forked`` when it saw others,
    and ``sentence`` says it in words; ``error`` says why it did not answer the last time.
    """

    id = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(WitnessKind.choices)
    address = serializers.CharField()
    key = serializers.CharField()
    retain_days = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    size = serializers.IntegerField()
    seen_at = serializers.DateTimeField(allow_null=True)
    fault = serializers.CharField()
    sentence = serializers.CharField()
    error = serializers.CharField()


class NewWitnessSerializer(serializers.Serializer[Any]):
    """A witness to be added. ``address`` is an ``https://`` prefix (``http``), the name of a folder
    below ``PLACET_WITNESS_DIR`` (``file``), or ``s3://bucket/prefix`` (``s3``)."""

    name = serializers.CharField(max_length=60)
    kind = serializers.ChoiceField(WitnessKind.choices)
    address = serializers.CharField(max_length=500)
    key = serializers.CharField(max_length=300, required=False, allow_blank=True)
    retain_days = serializers.IntegerField(
        min_value=1, max_value=MOST_DAYS, default=RETAIN_DAYS, help_text="Of a bucket's lock"
    )


class WitnessedLogSerializer(serializers.Serializer[Any]):
    """A log of others that the installation cosigns; ``forked``: it showed two histories."""

    id = serializers.CharField()
    origin = serializers.CharField()
    key = serializers.CharField()
    created_at = serializers.DateTimeField()
    size = serializers.IntegerField()
    cosigned_at = serializers.DateTimeField(allow_null=True)
    forked = serializers.BooleanField()


class NewWitnessedLogSerializer(serializers.Serializer[Any]):
    """A log of others, by its verifier key (C2SP): ``name+id+base64``."""

    key = serializers.CharField(max_length=300)


class OwnKeysSerializer(serializers.Serializer[Any]):
    """What others are given: the key of this log, and the one that it cosigns theirs with."""

    origin = serializers.CharField()
    log_key = serializers.CharField()
    witness_key = serializers.CharField()


def witness(row: Witness) -> dict[str, Any]:
    """Return a witness with its state."""
    state = row.state
    body = {
        "id": row.pk, "name": row.name, "kind": row.kind, "address": row.address, "key": row.key,
        "retain_days": row.retain_days, "created_at": row.created_at, "size": state.size,
        "seen_at": state.seen_at, "fault": state.fault, "sentence": state.sentence,
        "error": state.error,
    }  # fmt: skip
    return dict(WitnessSerializer(body).data)


def witnessed_log(row: WitnessedLog, head: WitnessedHead | None) -> dict[str, Any]:
    """Return a witnessed log with what was seen of it."""
    body = {
        "id": row.pk, "origin": row.origin, "key": row.key, "created_at": row.created_at,
        "size": head.size if head else 0, "cosigned_at": head.cosigned_at if head else None,
        "forked": bool(head and head.fork),
    }  # fmt: skip
    return dict(WitnessedLogSerializer(body).data)
