"""What webhooks were sent."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.integrations import actions, queries
from apps.integrations.models import (
    WebhookAttempt,
    WebhookDelivery,
    WebhookDeliveryState,
    WebhookDrop,
    WebhookFault,
)
from apps.integrations.standing import (
    DeliveryStanding,
    delivery_standing,
    delivery_words,
    fault_detail,
    fault_words,
    in_standing,
)
from placet.kernel.actor import Actor
from placet.kernel.api.lists import ListView, page_of
from placet.kernel.api.views import PlacetView
from placet.kernel.clock import rfc3339
from placet.kernel.states import values_of

STATES = values_of(DeliveryStanding)
FAULT = "What went wrong; empty: nothing"
DETAIL = "What the system or a library says of it"


class WebhookDeliverySerializer(serializers.Serializer[Any]):
    """One event on its way to a webhook, or a test."""

    id = serializers.CharField(help_text="What goes out as webhook-id, the same at each attempt")
    event = serializers.IntegerField(allow_null=True, help_text="The event's index; null: a test")
    kind = serializers.CharField()
    state = serializers.ChoiceField(choices=STATES, help_text="retrying: it waits after an attempt")
    attempts = serializers.IntegerField()
    status = serializers.IntegerField(help_text="HTTP's, of the last attempt; 0: no answer")
    fault = serializers.ChoiceField(
        choices=WebhookFault.values, allow_blank=True, help_text=f"{FAULT}. Of the last attempt"
    )
    dropped = serializers.ChoiceField(
        choices=WebhookDrop.values,
        allow_blank=True,
        help_text="Why it was given up though it would still have been tried; empty: it was not",
    )
    error = serializers.CharField(help_text="Both in words")
    detail = serializers.CharField(help_text=DETAIL)
    next_at = serializers.DateTimeField(
        allow_null=True, help_text="When it is tried next; null: it is settled"
    )
    created_at = serializers.DateTimeField()


class WebhookAttemptSerializer(serializers.Serializer[Any]):
    """One attempt at a delivery."""

    number = serializers.IntegerField()
    at = serializers.DateTimeField()
    seconds = serializers.FloatField()
    headers = serializers.DictField(
        child=serializers.CharField(), help_text="Of the request, without the signatures"
    )
    status = serializers.IntegerField(help_text="HTTP's; 0: no answer")
    answer = serializers.CharField(
        allow_null=True,
        help_text="The first 1,024 characters of what came back; null: of an event, to who does "
        "not hold audit.view where the webhook belongs",
    )
    fault = serializers.ChoiceField(choices=WebhookFault.values, allow_blank=True, help_text=FAULT)
    error = serializers.CharField(help_text="The same in words")
    detail = serializers.CharField(help_text=DETAIL)


class WebhookDeliveryDetailSerializer(WebhookDeliverySerializer):
    """A delivery with its last attempts, newest first."""

    last_attempts = WebhookAttemptSerializer(many=True)


def delivery_body(row: WebhookDelivery) -> dict[str, Any]:
    """Return a delivery as JSON values."""
    waits = row.state == WebhookDeliveryState.WAITING
    return {
        "id": row.pk,
        "event": row.index,
        "kind": row.kind,
        "state": delivery_standing(row),
        "attempts": row.attempts,
        "status": row.status,
        "fault": row.fault,
        "dropped": row.dropped,
        "error": delivery_words(row),
        "detail": fault_detail(row),
        "next_at": rfc3339(row.next_at) if waits else None,
        "created_at": rfc3339(row.created_at),
    }


def attempt_body(row: WebhookAttempt, reads_answer: bool) -> dict[str, Any]:
    """Return an attempt as JSON values."""
    return {
        "number": row.number,
        "at": rfc3339(row.at),
        "seconds": row.seconds,
        "headers": row.headers,
        "status": row.status,
        "answer": row.answer if reads_answer else None,
        "fault": row.fault,
        "error": fault_words(row),
        "detail": fault_detail(row),
    }


def _answer(row: WebhookDelivery, actor: Actor, status: int = 200) -> Response:
    reads = queries.reads_answers(row, actor)
    tried = [attempt_body(attempt, reads) for attempt in queries.attempts_of(row)]
    return Response({**delivery_body(row), "last_attempts": tried}, status=status)


class WebhookDeliveryList(ListView):
    """What a webhook was sent, or waits to be."""

    filters = ("state",)

    @extend_schema(
        operation_id="webhooks_deliveries",
        responses=page_of(WebhookDeliverySerializer, "One page of deliveries."),
    )
    def get(self, request: Request, webhook: str) -> Response:
        """List the deliveries that are kept, newest first."""
        hook = queries.get_webhook(webhook, self.actor)
        rows = queries.visible_deliveries(hook, self.actor)
        if state := request.query_params.get("state"):
            rows = in_standing(rows, state)
        return self.page(rows, lambda page: [delivery_body(row) for row in page])


class WebhookDeliveryDetail(PlacetView):
    """One delivery."""

    @extend_schema(operation_id="webhooks_delivery_read", responses=WebhookDeliveryDetailSerializer)
    def get(self, request: Request, webhook: str, delivery: str) -> Response:
        """Read a delivery with its last attempts."""
        return _answer(queries.get_delivery(webhook, delivery, self.actor), self.actor)


class WebhookRedeliver(PlacetView):
    """Sending once more."""

    @extend_schema(
        operation_id="webhooks_redeliver",
        request=None,
        responses={202: WebhookDeliveryDetailSerializer},
    )
    def post(self, request: Request, webhook: str, delivery: str) -> Response:
        """Send it once more under the same webhook-id, within seconds."""
        row = queries.get_delivery(webhook, delivery, self.actor)
        return _answer(actions.redeliver(row, actor=self.actor), self.actor, 202)


class WebhookTest(PlacetView):
    """Trying whether a webhook gets through."""

    @extend_schema(
        operation_id="webhooks_test",
        request=None,
        responses={202: WebhookDeliveryDetailSerializer},
    )
    def post(self, request: Request, webhook: str) -> Response:
        """Send something that holds nothing of the log, once; read what comes of it as a delivery
        within seconds."""
        hook = queries.get_webhook(webhook, self.actor)
        made = actions.ask_for_webhook_test(hook, actor=self.actor)
        return _answer(made, self.actor, 202)
