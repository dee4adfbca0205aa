"""Witnesses over REST: who witnesses this log, whom it witnesses, and the witness's own door."""

from dataclasses import asdict
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.audit.actions.cosigning import add_checkpoint, forget_log, witness_log
from apps.audit.actions.witnesses import MOST_DAYS, RETAIN_DAYS, add_witness, remove_witness
from apps.audit.models import Witness, WitnessedHead, WitnessedLog, WitnessKind
from apps.audit.queries.witnesses import (
    heads_of,
    own_keys,
    witnessed_logs_visible,
    witnesses_visible,
)
from placet.kernel.api.lists import ListView, page_of
from placet.kernel.api.views import PlacetView


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


def witness_body(row: Witness) -> dict[str, Any]:
    """Return a witness with its state."""
    state = row.state
    body = {
        "id": row.pk,
        "name": row.name,
        "kind": row.kind,
        "address": row.address,
        "key": row.key,
        "retain_days": row.retain_days,
        "created_at": row.created_at,
        "size": state.size,
        "seen_at": state.seen_at,
        "fault": state.fault,
        "sentence": state.sentence,
        "error": state.error,
    }
    return dict(WitnessSerializer(body).data)


def witnessed_log_body(row: WitnessedLog, head: WitnessedHead | None) -> dict[str, Any]:
    """Return a witnessed log with what was seen of it."""
    body = {
        "id": row.pk,
        "origin": row.origin,
        "key": row.key,
        "created_at": row.created_at,
        "size": head.size if head else 0,
        "cosigned_at": head.cosigned_at if head else None,
        "forked": bool(head and head.fork),
    }
    return dict(WitnessedLogSerializer(body).data)


class WitnessList(ListView):
    """Who witnesses this log."""

    @extend_schema(
        operation_id="witnesses_list",
        responses=page_of(WitnessSerializer, "A page of witnesses."),
    )
    def get(self, request: Request) -> Response:
        """List the witnesses and how far each has come."""
        rows = witnesses_visible(self.actor)
        return self.page(rows, lambda page: [witness_body(row) for row in page])

    @extend_schema(
        operation_id="witnesses_add",
        request=NewWitnessSerializer,
        responses={201: WitnessSerializer},
    )
    def post(self, request: Request) -> Response:
        """Add a witness; the next checkpoint is shown to it within seconds."""
        data: Any = self.body(NewWitnessSerializer)
        return Response(witness_body(add_witness(**data, actor=self.actor)), status=201)


class WitnessRemove(PlacetView):
    """Taking a witness away."""

    @extend_schema(operation_id="witnesses_remove", request=None, responses={204: None})
    def post(self, request: Request, witness: str) -> Response:
        """Show nothing more to a witness; its cosignatures stay."""
        witnesses_visible(self.actor)
        remove_witness(witness, actor=self.actor)
        return Response(status=204)


class WitnessedLogList(ListView):
    """The logs of others that this installation cosigns."""

    @extend_schema(
        operation_id="witnessed_logs_list",
        responses=page_of(WitnessedLogSerializer, "A page of witnessed logs."),
    )
    def get(self, request: Request) -> Response:
        """List the logs that are witnessed here."""

        def render(page: Any) -> list[Any]:
            heads = heads_of(page)
            return [witnessed_log_body(row, heads.get(row.origin)) for row in page]

        return self.page(witnessed_logs_visible(self.actor), render)

    @extend_schema(
        operation_id="witnessed_logs_add",
        request=NewWitnessedLogSerializer,
        responses={201: WitnessedLogSerializer},
    )
    def post(self, request: Request) -> Response:
        """Begin to cosign a log of others."""
        data: Any = self.body(NewWitnessedLogSerializer)
        row = witness_log(key=data["key"], actor=self.actor)
        return Response(witnessed_log_body(row, heads_of([row]).get(row.origin)), status=201)


class WitnessedLogRemove(PlacetView):
    """Cosigning a log no more."""

    @extend_schema(operation_id="witnessed_logs_remove", request=None, responses={204: None})
    def post(self, request: Request, log: str) -> Response:
        """Cosign a log no more. What was seen of it is remembered."""
        witnessed_logs_visible(self.actor)
        forget_log(log, actor=self.actor)
        return Response(status=204)


class OwnKeys(PlacetView):
    """The keys that witnesses and witnessed logs are given."""

    @extend_schema(operation_id="witness_keys", responses=OwnKeysSerializer)
    def get(self, request: Request) -> Response:
        """Read the verifier keys of this log and of this witness."""
        return Response(asdict(own_keys()))


@extend_schema(exclude=True)
class AddCheckpoint(APIView):
    """The witness's door (C2SP tlog-witness): open, because a checkpoint carries its signature."""

    authentication_classes = ()
    permission_classes = ()

    def post(self, request: Request) -> HttpResponse:
        """Cosign a checkpoint, or say why not."""
        reply = add_checkpoint(request._request.body)
        response = HttpResponse(reply.text, status=reply.status)
        response["Content-Type"] = "text/plain; charset=utf-8"
        for name, value in reply.headers.items():
            response[name] = value
        return response
