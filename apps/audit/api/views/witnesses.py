"""Witnesses over REST: who witnesses this log, whom it witnesses, and the witness's own door."""

from dataclasses import asdict
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.audit.actions.cosigning import add_checkpoint, forget_log, witness_log
from apps.audit.actions.witnesses import add_witness, remove_witness
from apps.audit.api import witness_serializers as s
from apps.audit.queries.witnesses import (
    heads_of,
    own_keys,
    witnessed_logs_visible,
    witnesses_visible,
)
from placet.kernel.api.lists import ListView, page_of
from placet.kernel.api.views import PlacetView


class WitnessList(ListView):
    """Who witnesses this log."""

    @extend_schema(
        operation_id="witnesses_list",
        responses=page_of(s.WitnessSerializer, "A page of witnesses."),
    )
    def get(self, request: Request) -> Response:
        """List the witnesses and how far each has come."""
        rows = witnesses_visible(self.actor)
        return self.page(rows, lambda found: [s.witness(row) for row in found])

    @extend_schema(
        operation_id="witnesses_add",
        request=s.NewWitnessSerializer,
        responses={201: s.WitnessSerializer},
    )
    def post(self, request: Request) -> Response:
        """Add a witness; the next checkpoint is shown to it within seconds."""
        data: Any = self.body(s.NewWitnessSerializer)
        return Response(s.witness(add_witness(**data, actor=self.actor)), status=201)


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
        responses=page_of(s.WitnessedLogSerializer, "A page of witnessed logs."),
    )
    def get(self, request: Request) -> Response:
        """List the logs that are witnessed here."""

        def render(found: Any) -> list[Any]:
            heads = heads_of(found)
            return [s.witnessed_log(row, heads.get(row.origin)) for row in found]

        return self.page(witnessed_logs_visible(self.actor), render)

    @extend_schema(
        operation_id="witnessed_logs_add",
        request=s.NewWitnessedLogSerializer,
        responses={201: s.WitnessedLogSerializer},
    )
    def post(self, request: Request) -> Response:
        """Begin to cosign a log of others."""
        data: Any = self.body(s.NewWitnessedLogSerializer)
        row = witness_log(key=data["key"], actor=self.actor)
        return Response(s.witnessed_log(row, heads_of([row]).get(row.origin)), status=201)


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

    @extend_schema(operation_id="witness_keys", responses=s.OwnKeysSerializer)
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
