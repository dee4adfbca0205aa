"""Policies: drafts, publication, and what a draft would say."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.governance import actions
from apps.governance.actions.policies import checked
from apps.governance.api.environments import environment_of
from apps.governance.api.gates import GateSerializer
from apps.governance.hooks import unpublishable
from apps.governance.models import Environment, PolicyRevision
from apps.governance.queries import visible_rows
from apps.governance.queries.dry_run import dry_run
from apps.governance.queries.policy_history import standing, with_ends
from apps.identity.api.passkeys import (
    AssertionSerializer,
    ChallengeSerializer,
    ChosenPasskeySerializer,
    challenged,
)
from apps.identity.queries import authorize
from placet.kernel.actor import Actor
from placet.kernel.api.lists import ListView, many, page_of
from placet.kernel.api.views import PlacetView


class PolicySerializer(serializers.Serializer[Any]):
    """A numbered document of gates: the source as written, and the document it means."""

    id = serializers.CharField()
    environment = serializers.CharField(source="environment.name")
    number = serializers.IntegerField()
    state = serializers.CharField(help_text="draft, published or withdrawn")
    standing = serializers.SerializerMethodField(
        help_text="As pages say it: draft, withdrawn, active, or superseded by a later revision"
    )
    source = serializers.CharField()  # type: ignore[assignment]
    document = serializers.JSONField()
    digest = serializers.CharField()
    drafted_by = serializers.CharField()
    published_by = serializers.CharField()
    published_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()

    def get_standing(self, row: PolicyRevision) -> str | None:  # servers before 0.2.0 say nothing
        """Return how it stands."""
        return standing(row)


class PolicyDetailSerializer(PolicySerializer):
    """A policy revision, and what keeps a draft from being published."""

    cannot_publish = serializers.SerializerMethodField(
        help_text="Why a draft cannot be published as roles are held now, as far as you may know, "
        "and who is to do what; '' where it can, and of what is no draft any more"
    )

    def get_cannot_publish(self, row: PolicyRevision) -> str | None:  # null before 0.2.0
        """Return it for whoever reads it."""
        return unpublishable()(row, self.context["actor"])


class PolicySourceSerializer(serializers.Serializer[Any]):
    """A policy as people write it: YAML."""

    source = serializers.CharField(  # type: ignore[assignment]
        max_length=70_000, trim_whitespace=False
    )


class DryRunSerializer(serializers.Serializer[Any]):
    """How one open or live release fares under the policy in force, and under another."""

    release = serializers.CharField(source="release.pk")
    number = serializers.IntegerField(source="release.number")
    state = serializers.CharField(source="release.state")
    passes_now = serializers.BooleanField()
    passes_then = serializers.BooleanField()
    gates = GateSerializer(source="results", many=True)


class DryRunResultSerializer(serializers.Serializer[Any]):
    """How open and live releases fare under another policy."""

    digest = serializers.CharField()
    document = serializers.JSONField()
    items = DryRunSerializer(many=True)


class PublicationSerializer(serializers.Serializer[Any]):
    """What the passkey answered, where the policy in force demands one."""

    assertion = AssertionSerializer(required=False)


def policy_of(slug: str, name: str, number: int, actor: Actor) -> PolicyRevision:
    """Return the policy revision that a path names."""
    return visible_rows.policy(environment_of(slug, name, actor), number, actor)


def _would_say(environment: Environment, document: dict[str, Any], digest: str) -> Response:
    answer = {"digest": digest, "document": document, "items": dry_run(environment, document)}
    return Response(DryRunResultSerializer(answer).data)


class PolicyList(ListView):
    """The policy revisions of an environment."""

    @extend_schema(operation_id="policies_list", responses=page_of(PolicySerializer))
    def get(self, request: Request, slug: str, name: str) -> Response:
        """List the policy revisions of an environment, newest first, drafts too."""
        rows = visible_rows.policies(environment_of(slug, name, self.actor), self.actor)
        rows = with_ends(rows)
        return self.page(rows, many(PolicySerializer), order="-number")

    @extend_schema(
        operation_id="policies_draft",
        request=PolicySourceSerializer,
        responses={201: PolicyDetailSerializer},
    )
    def post(self, request: Request, slug: str, name: str) -> Response:
        """Draft a policy revision from YAML. Another person publishes it."""
        environment = environment_of(slug, name, self.actor)
        source = self.body(PolicySourceSerializer)["source"]
        policy = actions.draft_policy(environment, source=source, actor=self.actor)
        location = f"/api/v1/projects/{slug}/environments/{name}/policies/{policy.number}"
        data = PolicyDetailSerializer(policy, context={"actor": self.actor}).data
        return Response(data, status=201, headers={"Location": location})


class PolicyTry(PlacetView):
    """What a policy that is not even a draft would say."""

    @extend_schema(
        operation_id="policies_try",
        request=PolicySourceSerializer,
        responses=DryRunResultSerializer,
    )
    def post(self, request: Request, slug: str, name: str) -> Response:
        """Evaluate YAML on everything open and live in the environment; nothing is stored."""
        environment = environment_of(slug, name, self.actor)
        authorize(self.actor, "policy.draft", environment, view="policy.view")
        policy = checked(environment, self.body(PolicySourceSerializer)["source"])
        return _would_say(environment, policy.document, policy.digest)


class PolicyDetail(PlacetView):
    """One policy revision."""

    @extend_schema(operation_id="policies_read", responses=PolicyDetailSerializer)
    def get(self, request: Request, slug: str, name: str, number: int) -> Response:
        """Read a policy revision."""
        row = policy_of(slug, name, number, self.actor)
        return Response(PolicyDetailSerializer(row, context={"actor": self.actor}).data)


class PolicyDryRun(PlacetView):
    """What a revision would say."""

    @extend_schema(operation_id="policies_dry_run", request=None, responses=DryRunResultSerializer)
    def post(self, request: Request, slug: str, name: str, number: int) -> Response:
        """Evaluate a revision on everything open and live in its environment; nothing changes."""
        policy = policy_of(slug, name, number, self.actor)
        return _would_say(policy.environment, policy.document, policy.digest)


class PolicyPublish(PlacetView):
    """Putting a draft into force."""

    @extend_schema(
        operation_id="policies_publish", request=PublicationSerializer, responses=PolicySerializer
    )
    def post(self, request: Request, slug: str, name: str, number: int) -> Response:
        """Publish a draft that somebody else wrote. Unfinished releases move to it at once."""
        policy = policy_of(slug, name, number, self.actor)
        data: Any = self.body(PublicationSerializer)
        published = actions.publish_policy(policy, **data, actor=self.actor).policy
        return Response(PolicySerializer(published).data)


class PolicyChallenge(PlacetView):
    """What a passkey signs to publish."""

    @extend_schema(
        operation_id="policies_challenge",
        request=ChosenPasskeySerializer,
        responses={201: ChallengeSerializer},
    )
    def post(self, request: Request, slug: str, name: str, number: int) -> Response:
        """Ask for the challenge that your passkey answers to publish a draft."""
        policy = policy_of(slug, name, number, self.actor)
        data: Any = self.body(ChosenPasskeySerializer)
        return challenged(actions.ask_to_publish(policy, **data, actor=self.actor))


class PolicyWithdraw(PlacetView):
    """Giving up a draft."""

    @extend_schema(operation_id="policies_withdraw", request=None, responses=PolicySerializer)
    def post(self, request: Request, slug: str, name: str, number: int) -> Response:
        """Withdraw a draft; its number is not used again."""
        policy = policy_of(slug, name, number, self.actor)
        return Response(PolicySerializer(actions.withdraw_policy(policy, actor=self.actor)).data)
