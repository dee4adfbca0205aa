"""Targets, and the tokens with which their nodes join."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.identity.api.matching import match_for
from apps.serving import actions, queries
from apps.serving.actions.targets import JOIN_TOKEN_MINUTES, NAME_SAYS, SITE_SAYS
from apps.serving.api.fields import NAME
from apps.serving.models import Site, Target
from apps.serving.queries import node_of, node_status, redact_errors
from placet.kernel.actor import Actor
from placet.kernel.api.lists import ListView, page_of
from placet.kernel.api.views import PlacetView, etag
from placet.kernel.clock import rfc3339

SITES: Any = {"invalid_choice": SITE_SAYS}


class NodeSerializer(serializers.Serializer[Any]):
    """The host of a target, as its agent last reported."""

    id = serializers.CharField()
    alive = serializers.BooleanField(help_text="It was heard of within the last 15 seconds")
    last_seen_at = serializers.DateTimeField(allow_null=True)
    agent_version = serializers.CharField()
    platform = serializers.DictField()
    problems = serializers.ListField(child=serializers.DictField())
    fault = serializers.CharField(help_text="What the platform found wrong; empty for nothing")
    unreached = serializers.CharField(
        help_text="Why nobody can reach what it serves; empty while somebody can, or it is silent"
    )


class TargetSerializer(serializers.Serializer[Any]):
    """Where Bentos run."""

    id = serializers.CharField()
    name = serializers.CharField()
    driver = serializers.CharField()
    site = serializers.ChoiceField(choices=Site.values)
    labels = serializers.DictField(child=serializers.CharField())
    capacity_mb = serializers.IntegerField()
    url = serializers.CharField()
    on_expired = serializers.ChoiceField(choices=["serve", "stop"])
    owner = serializers.CharField(
        help_text="The id of the person who answers for it; empty while nobody was named"
    )
    created_at = serializers.DateTimeField()
    node = NodeSerializer(allow_null=True)


class TargetChangeSerializer(serializers.Serializer[Any]):
    """What may change about a target."""

    site = serializers.ChoiceField(choices=Site.values, required=False, error_messages=SITES)
    labels = serializers.DictField(child=serializers.CharField(max_length=60), required=False)
    capacity_mb = serializers.IntegerField(min_value=64, max_value=1 << 24, required=False)
    url = serializers.CharField(max_length=200, allow_blank=True, required=False)
    on_expired = serializers.ChoiceField(choices=["serve", "stop"], required=False)
    owner = serializers.CharField(
        max_length=254, required=False, help_text="A person by id or e-mail address"
    )


class NewTargetSerializer(serializers.Serializer[Any]):
    """A target to be added."""

    name = serializers.RegexField(NAME, max_length=60, error_messages={"invalid": NAME_SAYS})
    driver = serializers.CharField(max_length=20, default="node")
    site = serializers.ChoiceField(choices=Site.values, default="on-premise", error_messages=SITES)
    labels = serializers.DictField(child=serializers.CharField(max_length=60), required=False)
    capacity_mb = serializers.IntegerField(min_value=64, max_value=1 << 24, default=4096)
    url = serializers.CharField(max_length=200, allow_blank=True, default="")
    owner = serializers.CharField(
        max_length=254, required=False, help_text="A person by id or e-mail address; else you"
    )


class JoinTokenSerializer(serializers.Serializer[Any]):
    """A token, for once, with which an agent joins; it is shown this once."""

    token = serializers.CharField()
    expires_in_seconds = serializers.IntegerField()


def target_tag(target: Target) -> str:
    """Return the ETag of a target; what its node reports does not change it."""
    return etag(target.pk, target.revision)


def target_body(target: Target, actor: Actor) -> dict[str, Any]:
    """Return a target with what ``actor`` is told of its node."""
    row = node_of(target)
    node = redact_errors(node_status(row), actor) if row else None
    return {
        "id": target.pk,
        "name": target.name,
        "driver": target.driver,
        "site": target.site,
        "labels": target.labels,
        "capacity_mb": target.capacity_mb,
        "url": target.url,
        "on_expired": target.on_expired,
        "owner": target.owner,
        "created_at": rfc3339(target.created_at),
        "node": {
            "id": node.id,
            "alive": node.alive,
            "last_seen_at": rfc3339(node.last_seen_at) if node.last_seen_at else None,
            "agent_version": node.agent_version,
            "platform": node.platform,
            "problems": list(node.errors),
            "fault": node.fault,
            "unreached": node.unreached,
        }
        if node
        else None,
    }


class TargetList(ListView):
    """Where Bentos run."""

    @extend_schema(operation_id="targets_list", responses=page_of(TargetSerializer))
    def get(self, request: Request) -> Response:
        """List the targets and how their nodes are."""
        rows = queries.visible_targets(self.actor)
        return self.page(rows, lambda page: [target_body(row, self.actor) for row in page])

    @extend_schema(
        operation_id="targets_create",
        request=NewTargetSerializer,
        responses={201: TargetSerializer},
    )
    def post(self, request: Request) -> Response:
        """Add a target."""
        data: Any = self.body(NewTargetSerializer)
        target = actions.create_target(**data, actor=self.actor)
        headers = {"ETag": target_tag(target), "Location": f"/api/v1/targets/{target.name}"}
        return Response(target_body(target, self.actor), status=201, headers=headers)


class TargetDetail(PlacetView):
    """One target."""

    @extend_schema(operation_id="targets_read", responses=TargetSerializer)
    def get(self, request: Request, name: str) -> Response:
        """Read a target."""
        target = queries.get_target(name, self.actor)
        return Response(target_body(target, self.actor), headers={"ETag": target_tag(target)})

    @extend_schema(
        operation_id="targets_update",
        request=TargetChangeSerializer,
        responses=TargetSerializer,
    )
    def patch(self, request: Request, name: str) -> Response:
        """Change a target. Needs If-Match."""
        target = queries.get_target(name, self.actor)
        data: Any = self.body(TargetChangeSerializer)
        match_for("target.manage", None, target_tag(target), asked=self)
        changed = actions.update_target(target, revision=target.revision, actor=self.actor, **data)
        return Response(target_body(changed, self.actor), headers={"ETag": target_tag(changed)})


class JoinTokenList(PlacetView):
    """Tokens that let a node join."""

    @extend_schema(
        operation_id="join_tokens_create", request=None, responses={201: JoinTokenSerializer}
    )
    def post(self, request: Request, name: str) -> Response:
        """Issue a token for one node, good once and for an hour; it is shown only here."""
        target = queries.get_target(name, self.actor)
        token = actions.issue_join_token(target, actor=self.actor)
        body = {"token": token, "expires_in_seconds": JOIN_TOKEN_MINUTES * 60}
        return Response(body, status=201, headers={"Cache-Control": "no-store"})
