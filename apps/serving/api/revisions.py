"""What has been behind an endpoint."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.registry.queries import large_of
from apps.serving import queries
from apps.serving.api.fields import ToldRecallSerializer, isolation_field
from apps.serving.hooks import keeper, mover
from apps.serving.models import Endpoint, Revision
from apps.serving.queries import RevisionStatus
from apps.serving.replicas import wanted_replicas
from apps.serving.rules import ENDED, PRESENT, SERVERS, serving_config
from placet.kernel.api.lists import ListView, page_of
from placet.kernel.clock import rfc3339
from placet_verify.permit.scaling import scaling_of


class EgressCountSerializer(serializers.Serializer[Any]):
    """What replicas sent to one destination, as their node counts it."""

    to = serializers.CharField()
    connections = serializers.IntegerField()
    refused = serializers.IntegerField()
    bytes_in = serializers.IntegerField()
    bytes_out = serializers.IntegerField()


class RevisionSerializer(serializers.Serializer[Any]):
    """One Bento behind an endpoint, and what its node says of it."""

    id = serializers.CharField()
    number = serializers.IntegerField()
    state = serializers.CharField()
    weight = serializers.IntegerField(help_text="Wanted, out of 10,000")
    release = serializers.CharField()
    bento_digest = serializers.CharField()
    version = serializers.CharField()
    replicas = serializers.IntegerField()
    max_replicas = serializers.IntegerField()
    scaling = serializers.DictField(
        child=serializers.IntegerField(),
        allow_null=True,
        help_text="By load: `least` and `most` replicas, `target` in flight; null: not",
    )
    wanted_replicas = serializers.IntegerField(
        help_text="How many are to answer; `least` if it is live and scaled"
    )
    memory_mb = serializers.IntegerField()
    server = serializers.ChoiceField(
        choices=list(SERVERS), help_text="What answers requests: `slim` is without BentoML"
    )
    created_at = serializers.DateTimeField()
    live_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    first_served_at = serializers.DateTimeField(
        allow_null=True, help_text="When it first had a share of the requests, live or not"
    )
    last_served_at = serializers.DateTimeField(
        allow_null=True,
        help_text="Since when it has none any more, such as since its endpoint was stopped; null "
        "while it has some",
    )
    peak_weight = serializers.IntegerField(help_text="The largest weight it had, out of 10,000")
    phase = serializers.CharField(help_text="As the node reports it; empty when it does not")
    asleep_since = serializers.DateTimeField(
        allow_null=True, help_text="Since when it sleeps until somebody calls"
    )
    ready_replicas = serializers.IntegerField()
    applied_weight = serializers.IntegerField()
    unit = serializers.DictField(
        child=serializers.CharField(),
        allow_null=True,
        help_text="What a split treats alike; null: each request is drawn by itself",
    )
    salt = serializers.CharField(help_text="Draws which units this revision gets")
    detail = serializers.CharField()
    egress = serializers.ListField(
        child=serializers.CharField(),
        allow_null=True,
        help_text="All that a replica may reach; null: approved under earlier rules",
    )
    isolation = isolation_field(
        help_text="As the node reports it: `socket` or `link` (a network of its own), `shared` "
        "(the host can give none), `older` (approved under earlier rules); empty when it does not"
    )
    egress_counts = EgressCountSerializer(many=True)
    is_stopped = serializers.BooleanField(
        help_text="Its endpoint is stopped: it answers nobody until that is started, and then has "
        "this state and weight again"
    )
    aborted = serializers.BooleanField(
        help_text="Whether people or a recall aborted its rollout: nothing of it failed"
    )
    recalled = serializers.BooleanField(help_text="Whether a recall ended it")
    recall = ToldRecallSerializer(
        allow_null=True, help_text="That recall; null also where it is not visible to you"
    )


def revision_body(
    row: RevisionStatus,
    endpoint: Endpoint,
    *,
    aborted: bool = False,
    recalled: bool = False,
    recall: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return a revision of ``endpoint`` and what its node says of it; whether its rollout was
    aborted, whether a recall ended it, and what whoever asks is told of that."""
    revision = row.revision
    return {
        "id": revision.pk,
        "number": revision.number,
        "state": revision.state,
        "weight": revision.weight,
        "release": revision.release,
        "bento_digest": revision.bento_id,
        "version": str(revision.bento.version),
        **_size(revision),
        "server": revision.server,
        "created_at": rfc3339(revision.created_at),
        **_times(revision, endpoint),
        "peak_weight": revision.peak_weight,
        "phase": row.phase,
        "asleep_since": rfc3339(row.asleep_since) if row.asleep_since else None,
        "ready_replicas": row.ready_replicas,
        "applied_weight": row.weight,
        "unit": revision.serving.get("unit"),
        "salt": revision.salt,
        "detail": row.detail,
        "egress": revision.serving.get("egress"),
        "isolation": row.isolation,
        "egress_counts": list(row.egress),
        "is_stopped": endpoint.is_stopped and revision.state in PRESENT,
        "aborted": aborted and revision.state in ENDED,
        "recalled": recalled,
        "recall": recall,
    }


def _size(revision: Revision) -> dict[str, Any]:
    """Return how many replicas a revision has, may have and is to have, and the memory of each."""
    scaling = scaling_of(revision.serving)
    return {
        "replicas": revision.replicas,
        "max_replicas": serving_config(revision.serving).max_replicas,
        "scaling": asdict(scaling) if scaling else None,
        "wanted_replicas": wanted_replicas(revision),
        "memory_mb": revision.memory_mb,
    }


def _times(revision: Revision, endpoint: Endpoint) -> dict[str, str | None]:
    """Return when a revision was what; it had its last requests as its endpoint was stopped."""
    had_some = revision.weight and (revision.first_served_at or revision.live_at)
    stopped = endpoint.stopped_at if endpoint.is_stopped and had_some else None
    times = {name: getattr(revision, name) for name in ("live_at", "ended_at", "first_served_at")}
    times["last_served_at"] = revision.last_served_at or stopped
    return {name: rfc3339(at) if at else None for name, at in times.items()}


class RevisionList(ListView):
    """What has been behind an endpoint."""

    @extend_schema(operation_id="revisions_list", responses=page_of(RevisionSerializer))
    def get(self, request: Request, endpoint: str) -> Response:
        """List the revisions of an endpoint, newest first, ended ones too."""
        endpoint_row = queries.get_endpoint(endpoint, self.actor)
        rows = endpoint_row.revisions.select_related("bento__version__model")
        rows = rows.defer(*large_of("bento__version")).annotate(
            ended_by=keeper().that_ended(), aborted=mover().aborted()
        )
        reported = queries.reported_revisions(queries.node_of(endpoint_row.target))

        def render(page: Sequence[Any]) -> list[Any]:
            recalls = {row.pk: row.ended_by for row in page if row.ended_by and row.state in ENDED}
            told = keeper().told_to(recalls.values(), self.actor)
            return [
                revision_body(
                    queries.revision_status(row, reported),
                    endpoint_row,
                    aborted=row.aborted,
                    recalled=row.pk in recalls,
                    recall=told.get(recalls.get(row.pk, {}).get("id", "")),
                )
                for row in page
            ]

        return self.page(rows, render)
