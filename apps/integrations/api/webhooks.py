"""Webhooks."""

from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.audit.kind_groups import GROUPS
from apps.identity.api.lookups import named_project
from apps.identity.api.matching import match_for
from apps.integrations import actions, queries
from apps.integrations.chats import SERVICES, STANDARD
from apps.integrations.models import Webhook, WebhookFault, WebhookReason, WebhookService
from apps.integrations.queries.chats import START
from apps.integrations.rules import MAX_URL, WebhookTerms
from apps.integrations.standing import (
    WebhookStanding,
    failing_since,
    fault_detail,
    fault_words,
    standing_of,
    to_enable,
)
from apps.integrations.webhook_secrets import formers
from placet.kernel.api.lists import ListView, page_of
from placet.kernel.api.schema import IF_MATCH
from placet.kernel.api.views import PlacetView, etag
from placet.kernel.clock import now, rfc3339
from placet.kernel.problems import NeedsPermission
from placet.kernel.states import values_of

ADDRESS = (
    "https://…, of a chat what it gives for an incoming webhook; kept encrypted, and not shown"
    " again behind its host"
)
SERVICE = "standard: a program, by Standard Webhooks; else the chat that is told"
STATES = values_of(WebhookStanding)
TOLD = "Groups of kinds of events that it is told of; none: all"


class NewWebhookSerializer(serializers.Serializer[Any]):
    """Who is to be told of events."""

    name = serializers.CharField(max_length=60, help_text="Small letters, digits and hyphens")
    url = serializers.CharField(max_length=MAX_URL, help_text=ADDRESS)
    service = serializers.ChoiceField(
        choices=SERVICES,
        default=STANDARD,
        help_text=SERVICE,
        error_messages={"invalid_choice": f"One of {', '.join(SERVICES)}"},
    )
    groups = serializers.ListField(
        child=serializers.ChoiceField(choices=list(GROUPS)), default=list, help_text=TOLD
    )
    project = serializers.CharField(
        allow_null=True, default=None, help_text="A slug; null: the whole instance"
    )


class WebhookChangeSerializer(serializers.Serializer[Any]):
    """What is to be another; what is left out stays."""

    url = serializers.CharField(max_length=MAX_URL, required=False, help_text=ADDRESS)
    groups = serializers.ListField(
        child=serializers.ChoiceField(choices=list(GROUPS)), required=False, help_text=TOLD
    )


class FormerKeySerializer(serializers.Serializer[Any]):
    """A public key from before a rotation, whose signatures still stand in each request."""

    public_key = serializers.CharField()
    until = serializers.DateTimeField(help_text="When they end")


class WebhookSerializer(serializers.Serializer[Any]):
    """A webhook, without its address and secret; without a project it is the instance's."""

    id = serializers.CharField()
    name = serializers.CharField()
    service = serializers.ChoiceField(choices=WebhookService.values, help_text=SERVICE)
    origin = serializers.CharField(help_text="Of its address, up to the host")
    groups = serializers.ListField(child=serializers.CharField(), help_text=TOLD)
    project = serializers.CharField(allow_null=True, help_text="null: the whole instance")
    state = serializers.ChoiceField(
        choices=STATES,
        help_text="not_enabled: nobody enabled it yet; retrying: events do not get through;"
        " last_attempt_failed: a test did not. Both of these are enabled",
    )
    to_enable = serializers.CharField(help_text="Who has to enable it; empty: it is enabled")
    reason = serializers.ChoiceField(
        choices=WebhookReason.values,
        allow_blank=True,
        help_text="Why it is disabled; empty: it is not, or it is not_enabled",
    )
    public_key = serializers.CharField(
        help_text="whpk_…, of its Ed25519 signatures; of a chat empty"
    )
    former_public_key = serializers.CharField(help_text="The one before it, after a rotation")
    former_until = serializers.DateTimeField(
        allow_null=True,
        help_text="Until when the former ones sign beside the new ones; those before end sooner",
    )
    former_keys = FormerKeySerializer(
        many=True, help_text="All that sign beside public_key at this moment, the last first"
    )
    failing_since = serializers.DateTimeField(
        allow_null=True,
        help_text="Since when nothing has got through; null while all is well, or it is disabled",
    )
    last_fault = serializers.ChoiceField(
        choices=WebhookFault.values,
        allow_blank=True,
        help_text="Of the last attempt, of a test too; empty: it got through, or none was made",
    )
    last_error = serializers.CharField(help_text="The same in words")
    last_detail = serializers.CharField(help_text="What the system or a library says of it")
    waiting = serializers.IntegerField(help_text="Deliveries that are not settled")
    created_by = serializers.CharField()
    enabled_by = serializers.CharField(help_text="Empty: nobody enabled it yet")
    disabled_by = serializers.CharField(
        help_text="system: Placet itself, for its reason; empty: nobody, or it is not known"
    )
    disabled_at = serializers.DateTimeField(
        allow_null=True, help_text="null: it is not disabled, or that is not known"
    )
    created_at = serializers.DateTimeField()


class GivenWebhookSerializer(WebhookSerializer):
    """A webhook with its secret, which is shown this once."""

    secret = serializers.CharField(
        help_text="whsec_…, of its HMAC-SHA256 signatures; of a chat empty"
    )


def webhook_bodies(rows: list[Webhook]) -> list[dict[str, Any]]:
    """Return webhooks as JSON values (one query)."""
    counts = queries.waiting_of(rows)
    return [webhook_body(row, counts.get(row.pk, 0)) for row in rows]


def webhook_body(row: Webhook, waiting: int) -> dict[str, Any]:
    """Return a webhook as JSON values."""
    return {
        "id": row.pk,
        "name": row.name,
        "service": row.service,
        "origin": row.origin,
        "groups": row.groups,
        "project": row.project.slug if row.project else None,
        "state": standing_of(row),
        "to_enable": to_enable(row),
        "reason": row.reason,
        "public_key": row.public_key,
        "former_public_key": row.former_public_key,
        "former_until": _moment(row.former_until),
        "former_keys": [
            {"public_key": one["public_key"], "until": one["until"]} for one in formers(row, now())
        ],
        "failing_since": _moment(failing_since(row)),
        "last_fault": row.fault,
        "last_error": fault_words(row),
        "last_detail": fault_detail(row),
        "waiting": waiting,
        "created_by": row.created_by,
        "enabled_by": row.enabled_by,
        "disabled_by": row.disabled_by,
        "disabled_at": _moment(row.disabled_at),
        "created_at": rfc3339(row.created_at),
    }


def _moment(at: datetime | None) -> str | None:
    return rfc3339(at) if at else None


def _answer(row: Webhook, status: int = 200, **more: str) -> Response:
    body = {**webhook_body(row, queries.waiting(row)), **more}
    return Response(body, status=status, headers={"ETag": _etag(row)})


def _secret(given: actions.GivenWebhook, status: int = 200) -> Response:
    answer = _answer(given.webhook, status, secret=given.secret)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _etag(row: Webhook) -> str:
    return etag(row.pk, row.generation)


def _matched(webhook: str, permission: str, view: PlacetView) -> Webhook:
    """Return a webhook that is as it was read, to who has ``permission``."""
    row = queries.get_webhook(webhook, view.actor)
    match_for(permission, row, _etag(row), asked=view, see="stream.view")
    return row


class WebhookList(ListView):
    """Who is told of events."""

    @extend_schema(
        operation_id="webhooks_list", responses=page_of(WebhookSerializer, "One page of webhooks.")
    )
    def get(self, request: Request) -> Response:
        """List the webhooks that you see, newest first."""
        rows = queries.visible_webhooks(self.actor)
        return self.page(rows, lambda page: webhook_bodies(list(page)))

    @extend_schema(
        operation_id="webhooks_add",
        request=NewWebhookSerializer,
        responses={201: GivenWebhookSerializer},
    )
    def post(self, request: Request) -> Response:
        """Add a webhook; its secret is shown this once. It is told of events when somebody with
        ``audit.export`` enables it, at once when you have that yourself."""
        if not self.actor.can_somewhere("stream.manage"):
            raise NeedsPermission(self.actor, "stream.manage", scope=None)
        data: Any = dict(self.body(NewWebhookSerializer))
        made = actions.add_webhook(
            name=data["name"],
            terms=WebhookTerms(data["url"], tuple(data["groups"]), data["service"]),
            project=named_project(data["project"], self.actor),
            actor=self.actor,
        )
        return _secret(made, 201)


class WebhookDetail(PlacetView):
    """One webhook."""

    @extend_schema(operation_id="webhooks_read", responses=WebhookSerializer)
    def get(self, request: Request, webhook: str) -> Response:
        """Read a webhook, without its address and secret."""
        return _answer(queries.get_webhook(webhook, self.actor))

    @extend_schema(
        operation_id="webhooks_change",
        request=WebhookChangeSerializer,
        responses=WebhookSerializer,
    )
    def patch(self, request: Request, webhook: str) -> Response:
        """Give a webhook another address or other kinds of events. Needs If-Match. Without
        ``audit.export`` it is disabled until somebody who has that enables it again."""
        row = _matched(webhook, "stream.manage", self)
        data: Any = self.body(WebhookChangeSerializer)
        groups = tuple(data["groups"]) if "groups" in data else None
        changed = actions.change_webhook(
            row,
            url=data.get("url"),
            groups=groups,
            if_generation=row.generation,
            actor=self.actor,
        )
        return _answer(changed)

    @extend_schema(operation_id="webhooks_remove", responses={204: None})
    def delete(self, request: Request, webhook: str) -> Response:
        """Tell it of nothing more, for good, and forget what was delivered. Needs If-Match."""
        row = _matched(webhook, "stream.manage", self)
        actions.remove_webhook(row, if_generation=row.generation, actor=self.actor)
        return Response(status=204)


class WebhookEnable(PlacetView):
    """Having a webhook told of events."""

    @extend_schema(
        operation_id="webhooks_enable",
        request=None,
        parameters=[IF_MATCH],
        responses=WebhookSerializer,
    )
    def post(self, request: Request, webhook: str) -> Response:
        """Have it told of what happens from now on. Needs ``audit.export`` where it belongs, and
        If-Match with the webhook's ETag: what was read is what is enabled."""
        row = _matched(webhook, START, self)
        enabled = actions.enable_webhook(row, if_generation=row.generation, actor=self.actor)
        return _answer(enabled)


class WebhookDisable(PlacetView):
    """Having a webhook told of nothing more."""

    @extend_schema(operation_id="webhooks_disable", request=None, responses=WebhookSerializer)
    def post(self, request: Request, webhook: str) -> Response:
        """Tell it of nothing more, nor of what waits to be delivered."""
        row = queries.get_webhook(webhook, self.actor)
        return _answer(actions.disable_webhook(row, actor=self.actor))


class WebhookRotate(PlacetView):
    """Giving a webhook another secret."""

    @extend_schema(operation_id="webhooks_rotate", request=None, responses=GivenWebhookSerializer)
    def post(self, request: Request, webhook: str) -> Response:
        """Make another secret and key; the secret is shown this once. For a day the former ones
        sign beside them; a fourth rotation within it is refused. A chat has none."""
        row = queries.get_webhook(webhook, self.actor)
        return _secret(actions.rotate_webhook(row, actor=self.actor))
