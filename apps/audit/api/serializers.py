"""What the routes of the log answer."""

from typing import Any

from rest_framework import serializers

from apps.audit.models import Checkpoint
from apps.audit.queries.archived import Leaf
from apps.audit.queries.events import sentence
from apps.audit.queries.proofs import cosigned_note


class ActorSerializer(serializers.Serializer[Any]):
    """Who did it. ``accountable`` is the person who answers for a service account."""

    kind = serializers.CharField()
    id = serializers.CharField()
    accountable = serializers.CharField()
    token = serializers.CharField(allow_null=True)


class EventSerializer(serializers.Serializer[Any]):
    """One event of the log."""

    index = serializers.IntegerField()
    at = serializers.CharField()
    kind = serializers.CharField()
    sentence = serializers.CharField()
    actor = ActorSerializer()
    subject = serializers.CharField()
    project = serializers.CharField(allow_null=True)
    environment = serializers.CharField(allow_null=True)
    data = serializers.DictField()  # type: ignore[assignment]  # the member is called so
    leaf_hash = serializers.CharField()


class RowChangeSerializer(serializers.Serializer[Any]):
    """One row before and after an event."""

    key = serializers.CharField()
    before = serializers.DictField(allow_null=True)
    after = serializers.DictField(allow_null=True)
    changed = serializers.ListField(child=serializers.CharField())


class EventDetailSerializer(EventSerializer):
    """An event with what it changed; ``body`` is the very text whose hash is the leaf."""

    body = serializers.CharField()
    changes = RowChangeSerializer(many=True)
    texts = serializers.DictField(child=serializers.CharField())


class InclusionSerializer(serializers.Serializer[Any]):
    """The proof that an event is in the log under a signed checkpoint (RFC 6962)."""

    index = serializers.IntegerField()
    size = serializers.IntegerField()
    leaf_hash = serializers.CharField()
    hashes = serializers.ListField(child=serializers.CharField())
    note = serializers.CharField()


class ConsistencySerializer(serializers.Serializer[Any]):
    """The proof that a larger log continues a smaller one (RFC 6962)."""

    old = serializers.IntegerField()
    new = serializers.IntegerField()
    old_root = serializers.CharField()
    new_root = serializers.CharField()
    hashes = serializers.ListField(child=serializers.CharField())


class LeafSerializer(serializers.Serializer[Any]):
    """A leaf; ``body`` is missing where the reader may not see it."""

    index = serializers.IntegerField()
    leaf_hash = serializers.CharField()
    body = serializers.CharField(allow_null=True)


class LeavesSerializer(serializers.Serializer[Any]):
    """Consecutive leaves; ``next`` is where the next ones begin, ``null`` at the end."""

    items = LeafSerializer(many=True)
    next = serializers.IntegerField(allow_null=True)
    size = serializers.IntegerField()


class CosignedSerializer(serializers.Serializer[Any]):
    """A signed tree head, as a C2SP note with the cosignatures of its witnesses."""

    size = serializers.IntegerField()
    root = serializers.CharField()  # type: ignore[assignment]  # likewise
    note = serializers.CharField()
    created_at = serializers.DateTimeField()


class CheckpointSerializer(CosignedSerializer):
    """The newest signed tree head, and the newest that witnesses cosigned."""

    cosigned = CosignedSerializer(allow_null=True)


def checkpoint(head: Checkpoint, cosigned: Checkpoint | None) -> dict[str, Any]:
    """Return the newest checkpoint and the newest cosigned one."""
    body = _note(head) | {"cosigned": _note(cosigned) if cosigned else None}
    return dict(CheckpointSerializer(body).data)


def _note(head: Checkpoint) -> dict[str, Any]:
    return {
        "size": head.size,
        "root": bytes(head.root).hex(),
        "note": cosigned_note(head),
        "created_at": head.created_at,
    }


def as_json(body: dict[str, Any], index: int, leaf_hash: str) -> dict[str, Any]:
    """Return an event's public members from its body."""
    return {
        "index": index,
        "at": body["at"],
        "kind": body["kind"],
        "sentence": sentence(body["kind"], body["data"]),
        "actor": body["actor"],
        "subject": body["subject"],
        "project": body["project"],
        "environment": body["environment"],
        "data": body["data"],
        "leaf_hash": leaf_hash,
    }


def leaf(event: Leaf, *, visible: bool) -> dict[str, Any]:
    """Return a leaf, with its body where it may be read."""
    return {
        "index": event.index,
        "leaf_hash": bytes(event.leaf_hash).hex(),
        "body": event.body if visible else None,
    }
