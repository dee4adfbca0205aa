"""What the routes of assurance take and answer."""

from collections.abc import Iterable, Mapping
from typing import Any

from rest_framework import serializers

from apps.assurance.models import (
    EffectAction,
    EffectState,
    Recall,
    RecallEffect,
    RecallKind,
    RecallState,
    Receipt,
    ReceiptKind,
)
from apps.assurance.queries import Place, Reach
from apps.audit.queries import unseal_many
from placet.kernel.clock import rfc3339

Base = serializers.Serializer[Any]


class NewRecallSerializer(Base):
    """What is to be recalled."""

    kind = serializers.ChoiceField(choices=RecallKind.values)
    what = serializers.CharField(
        max_length=100, help_text="An id (version, passkey, person, key) or a digest"
    )
    project = serializers.CharField(
        required=False, help_text="The slug, for a version, a Bento or a dataset"
    )
    reason = serializers.CharField(max_length=2000)


class LiftSerializer(Base):
    """Why a recall is lifted."""

    reason = serializers.CharField(max_length=2000)


class RecallSerializer(Base):
    """Something that was taken back, and how far that is. Counts are of releases."""

    id = serializers.CharField()
    project = serializers.CharField(allow_null=True, help_text="null: it counts everywhere")
    kind = serializers.ChoiceField(choices=RecallKind.values)
    what = serializers.CharField()
    reason = serializers.CharField()
    state = serializers.ChoiceField(choices=RecallState.values)
    recalled_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    lifted_by = serializers.CharField(allow_null=True)
    lift_reason = serializers.CharField()
    lifted_at = serializers.DateTimeField(allow_null=True)
    releases = serializers.IntegerField(help_text="Reached")
    ran = serializers.IntegerField(help_text="Of these, that ever ran")
    confirmed = serializers.IntegerField(help_text="Of these, by a signed receipt of the node")
    open = serializers.IntegerField(help_text="Not confirmed, or contradicted")
    contradicted = serializers.IntegerField(help_text="The node's own words deny its receipt")
    statement_digest = serializers.CharField()


class RecallDetailSerializer(RecallSerializer):
    """A recall with what the decision key signed: DSSE envelopes."""

    envelope = serializers.CharField()
    lift_envelope = serializers.CharField(help_text="'' while it stands")


class EffectSerializer(Base):
    """What a recall did to one release."""

    id = serializers.CharField()
    project = serializers.CharField()
    environment = serializers.CharField()
    endpoint = serializers.CharField()
    endpoint_name = serializers.CharField()
    release = serializers.CharField()
    release_number = serializers.IntegerField()
    target = serializers.CharField()
    action = serializers.ChoiceField(choices=EffectAction.values)
    fallback = serializers.CharField(allow_null=True, help_text="The revision that serves instead")
    state = serializers.ChoiceField(choices=EffectState.values)
    receipt = serializers.CharField(allow_null=True)
    confirmed_at = serializers.DateTimeField(allow_null=True, help_text="By the node's clock")
    contradiction = serializers.CharField()


class ForeseenSerializer(Base):
    """What would become of one release."""

    project = serializers.CharField()
    environment = serializers.CharField()
    endpoint = serializers.CharField()
    endpoint_name = serializers.CharField()
    release = serializers.CharField()
    release_number = serializers.IntegerField()
    release_state = serializers.CharField()
    target = serializers.CharField()
    action = serializers.ChoiceField(choices=EffectAction.values)
    fallback = serializers.CharField(allow_null=True)
    ran = serializers.BooleanField(help_text="Its node must confirm that nothing runs any more")


class PreviewSerializer(Base):
    """What a recall would reach; nothing was written."""

    kind = serializers.ChoiceField(choices=RecallKind.values)
    what = serializers.CharField()
    bentos = serializers.ListField(child=serializers.CharField())
    releases = ForeseenSerializer(many=True)


class ReceiptSerializer(Base):
    """What a node signed with its own key."""

    id = serializers.CharField()
    kind = serializers.ChoiceField(choices=ReceiptKind.values)
    node = serializers.CharField()
    public_key = serializers.CharField(help_text="Of the node then; Ed25519, base64")
    target = serializers.CharField()
    recall = serializers.CharField(allow_null=True)
    endpoint = serializers.CharField(allow_null=True)
    release = serializers.CharField(allow_null=True)
    revision = serializers.CharField(allow_null=True)
    bento_digest = serializers.CharField(allow_null=True)
    started_at = serializers.DateTimeField(allow_null=True)
    at = serializers.DateTimeField(help_text="It ended, or nothing ran; by the node's clock")
    received_at = serializers.DateTimeField()
    digest = serializers.CharField()
    envelope = serializers.CharField(help_text="DSSE, an in-toto statement")


def recall_bodies(rows: Iterable[Any]) -> list[dict[str, Any]]:
    """Return recalls with their counts as JSON values."""
    found = list(rows)
    texts = unseal_many(c for row in found for c in (row.reason_sealed, row.lift_reason_sealed))
    return [_recall(row, texts) for row in found]


def _recall(row: Any, texts: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": row.pk,
        "project": row.project.slug if row.project else None,
        "kind": row.kind,
        "what": row.what,
        "reason": texts.get(row.reason_sealed, ""),
        "state": row.state,
        "recalled_by": row.recalled_by,
        "created_at": rfc3339(row.created_at),
        "lifted_by": row.lifted_by or None,
        "lift_reason": texts.get(row.lift_reason_sealed, ""),
        "lifted_at": rfc3339(row.lifted_at) if row.lifted_at else None,
        "releases": row.reached,
        "ran": row.ran,
        "confirmed": row.confirmed,
        "open": row.open_count,
        "contradicted": row.contradicted,
        "statement_digest": row.statement_digest,
    }


def recall_detail(row: Recall) -> dict[str, Any]:
    """Return one recall with its envelopes."""
    return recall_bodies([row])[0] | {
        "envelope": row.envelope,
        "lift_envelope": row.lift_envelope,
    }


def effect_body(row: RecallEffect) -> dict[str, Any]:
    """Return an effect as JSON values."""
    return {
        "id": row.pk,
        "project": row.project.slug,
        "environment": row.endpoint.environment,
        "endpoint": row.endpoint_id,
        "endpoint_name": row.endpoint.name,
        "release": row.release_id,
        "release_number": row.release.number,
        "target": row.target.name,
        "action": row.action,
        "fallback": row.fallback or None,
        "state": row.state,
        "receipt": row.receipt or None,
        "confirmed_at": rfc3339(row.confirmed_at) if row.confirmed_at else None,
        "contradiction": row.contradiction,
    }


def preview_body(found: Reach, places: Iterable[Place]) -> dict[str, Any]:
    """Return what would be reached as JSON values."""
    subject = found.subject
    return {
        "kind": subject.kind,
        "what": subject.what,
        "bentos": list(found.bentos),
        "releases": [_foreseen(place) for place in places],
    }


def _foreseen(place: Place) -> dict[str, Any]:
    release = place.release
    return {
        "project": release.project.slug,
        "environment": release.environment.name,
        "endpoint": release.endpoint_id,
        "endpoint_name": release.endpoint.name,
        "release": release.pk,
        "release_number": release.number,
        "release_state": release.state,
        "target": release.endpoint.target.name,
        "action": str(place.action),
        "fallback": place.fallback.pk if place.fallback else None,
        "ran": bool(place.revisions),
    }


def receipt_body(row: Receipt) -> dict[str, Any]:
    """Return a receipt as JSON values."""
    return {
        "id": row.pk,
        "kind": row.kind,
        "node": row.node_id,
        "public_key": row.public_key,
        "target": row.target_id,
        "recall": row.recall or None,
        "endpoint": row.endpoint or None,
        "release": row.release or None,
        "revision": row.revision or None,
        "bento_digest": row.bento_digest or None,
        "started_at": rfc3339(row.started_at) if row.started_at else None,
        "at": rfc3339(row.at),
        "received_at": rfc3339(row.received_at),
        "digest": row.digest,
        "envelope": row.envelope,
    }
