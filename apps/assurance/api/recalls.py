"""Recalls over the API."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from apps.assurance import actions, queries
from apps.assurance.actions.reporting import report_of
from apps.assurance.api.previews import (
    CUT,
    MOST_VOIDED,
    PreviewSerializer,
    VoidedSerializer,
    preview_body,
    voided_body,
)
from apps.assurance.models import (
    EffectAction,
    EffectState,
    Recall,
    RecallEffect,
    RecallKind,
    RecallState,
)
from apps.assurance.queries.named_items import RecallItem, named_item, named_person, recallable
from apps.assurance.queries.outcomes import did, outcome, state_asked, told_id
from apps.audit.queries import unseal_many
from apps.governance.api.exports import ZipRenderer, zipped
from apps.governance.queries.named_filters import named
from apps.identity.api.lookups import named_project
from placet.kernel import keystore
from placet.kernel.actor import Actor
from placet.kernel.api.lists import ListView, page_of
from placet.kernel.api.views import PlacetView
from placet.kernel.clock import rfc3339
from placet.kernel.filters import refuse_unknown
from placet.kernel.problems import FieldError, InvalidInput

ABOUT = {
    "project": "Only of this project",
    "kind": f"One of {', '.join(RecallKind.values)}",
    "state": "recalled or withdrawn; standing or lifted, as it is told, are the same",
}


class NewRecallSerializer(serializers.Serializer[Any]):
    """What is to be recalled."""

    kind = serializers.ChoiceField(choices=RecallKind.values)
    what = serializers.CharField(
        max_length=200,
        help_text="An id (version, passkey, person, key), a digest, PROJECT/MODEL:NUMBER or, from "
        "who sees who has access everywhere, a person's e-mail address",
    )
    project = serializers.CharField(
        required=False,
        help_text="The slug, for a dataset; for a version or a Bento it can be left out",
    )
    reason = serializers.CharField(max_length=2000)


class LiftSerializer(serializers.Serializer[Any]):
    """Why a recall is withdrawn."""

    reason = serializers.CharField(max_length=2000)


class RecallSerializer(serializers.Serializer[Any]):
    """Something that was taken back, and how far that is. Counts are of releases."""

    id = serializers.CharField()
    project = serializers.CharField(allow_null=True, help_text="null: it counts everywhere")
    kind = serializers.ChoiceField(choices=RecallKind.values)
    what = serializers.CharField()
    what_name = serializers.CharField(
        allow_null=True,
        help_text="Of the person whose decisions it takes back; of a version, or that of the Bento,"
        " PROJECT/MODEL:NUMBER",
    )
    reason = serializers.CharField()
    state = serializers.ChoiceField(choices=RecallState.values)
    recalled_by = serializers.CharField()
    recalled_by_name = serializers.CharField()
    created_at = serializers.DateTimeField()
    lifted_by = serializers.CharField(allow_null=True)
    lifted_by_name = serializers.CharField(allow_null=True)
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
    voided = VoidedSerializer(
        many=True,
        help_text="Of releases that waited and did not end by it, as far as you see them: "
        f"{MOST_VOIDED} at most",
    )
    voided_is_cut = serializers.BooleanField(help_text=CUT)


class EffectSerializer(serializers.Serializer[Any]):
    """What a recall did to one release."""

    id = serializers.CharField()
    project = serializers.CharField()
    environment = serializers.CharField()
    endpoint = serializers.CharField()
    endpoint_name = serializers.CharField()
    release = serializers.CharField()
    release_number = serializers.IntegerField()
    release_state = serializers.CharField(help_text="As it ended, perhaps before the recall")
    target = serializers.CharField()
    action = serializers.ChoiceField(
        choices=EffectAction.values, allow_null=True, help_text="null: it had ended before"
    )
    outcome = serializers.CharField(help_text="What was done or had been before, in words")
    revoked_by = serializers.CharField(
        allow_null=True,
        help_text="The recall that revoked it, perhaps an earlier one; null also where that is not "
        "visible to you",
    )
    fallback = serializers.CharField(allow_null=True, help_text="The revision that serves instead")
    aborted_rollout = serializers.CharField(
        allow_null=True, help_text="Of another release, that was to replace this one"
    )
    state = serializers.ChoiceField(choices=EffectState.values)
    receipt = serializers.CharField(allow_null=True)
    confirmed_at = serializers.DateTimeField(allow_null=True, help_text="By the node's clock")
    contradiction = serializers.CharField()


def recall_bodies(rows: Iterable[Any]) -> list[dict[str, Any]]:
    """Return recalls with their counts as JSON values."""
    recalls = list(rows)
    texts = unseal_many(c for row in recalls for c in (row.reason_sealed, row.lift_reason_sealed))
    return [_recall(row, texts) for row in recalls]


def _recall(row: Any, texts: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": row.pk,
        "project": row.project.slug if row.project else None,
        "kind": row.kind,
        "what": row.what,
        "what_name": row.person or row.version_name or None,
        "reason": texts.get(row.reason_sealed, ""),
        "state": row.state,
        "recalled_by": row.recalled_by,
        "recalled_by_name": row.recalled_by_name,
        "created_at": rfc3339(row.created_at),
        "lifted_by": row.lifted_by or None,
        "lifted_by_name": row.lifted_by_name or None,
        "lift_reason": texts.get(row.lift_reason_sealed, ""),
        "lifted_at": rfc3339(row.lifted_at) if row.lifted_at else None,
        "releases": row.reached,
        "ran": row.ran,
        "confirmed": row.confirmed,
        "open": row.open_count,
        "contradicted": row.contradicted,
        "statement_digest": row.statement_digest,
    }


def recall_detail(row: Recall, actor: Actor) -> dict[str, Any]:
    """Return one recall with its envelopes, and what it voided that ``actor`` sees."""
    return recall_bodies([row])[0] | {
        **voided_body(queries.voided_seen(row, actor)),
        "envelope": row.envelope,
        "lift_envelope": row.lift_envelope,
    }


def effect_body(row: RecallEffect, actor: Actor) -> dict[str, Any]:
    """Return an effect as JSON values."""
    return {
        "id": row.pk,
        "project": row.project.slug,
        "environment": row.endpoint.environment,
        "endpoint": row.endpoint_id,
        "endpoint_name": row.endpoint.name,
        "release": row.release_id,
        "release_number": row.release.number,
        "release_state": row.release.state,
        "target": row.target.name,
        "action": did(row),
        "outcome": outcome(row),
        "revoked_by": told_id(row.revoking, actor),  # type: ignore[attr-defined]
        "fallback": row.fallback or None,
        "aborted_rollout": row.along["id"] if row.along else None,  # type: ignore[attr-defined]
        "state": row.state,
        "receipt": row.receipt or None,
        "confirmed_at": rfc3339(row.confirmed_at) if row.confirmed_at else None,
        "contradiction": row.contradiction,
    }


def previewed(actor: Actor, *, kind: str, what: str, project: str | None) -> dict[str, Any]:
    """Return what a recall would reach, for who may recall it."""
    item = _named(actor, kind, what, project)
    reached = queries.foresee(
        actor, kind=kind, what=item.what, project=item.project, ring=keystore.ring()
    )
    return preview_body(reached, actor)


def _named(actor: Actor, kind: str, what: str, project: str | None) -> RecallItem:
    """Return what is named as the form takes it, and where; what belongs to no project of its own
    is taken with the one that is given, which may then be refused."""
    place = named_project(project, actor)
    if kind == RecallKind.PERSON:
        return RecallItem(named_person(what, actor), place)
    if kind not in (RecallKind.VERSION, RecallKind.BENTO):
        return RecallItem(what, place)
    within = place.slug if place is not None else ""
    return named_item(actor, recallable(actor), kind=kind, what=what, project=within)


class RecallList(ListView):
    """Recalls."""

    filters = tuple(ABOUT)

    @extend_schema(
        operation_id="recalls_list",
        parameters=[OpenApiParameter(name, description=says) for name, says in ABOUT.items()],
        responses=page_of(RecallSerializer),
    )
    def get(self, request: Request) -> Response:
        """List the recalls that you may see, newest first."""
        given = {name: request.query_params.get(name, "") for name in ABOUT}
        called = named(given, self.actor, "recall.view")
        refuse_unknown(given, words={"kind": RecallKind.values}, called=called)
        rows = queries.recalls_matching(self.actor, **given | {"state": state_asked(given)})
        return self.page(queries.with_counts(rows), recall_bodies)

    @extend_schema(
        operation_id="recalls_create",
        request=NewRecallSerializer,
        responses={201: RecallDetailSerializer},
    )
    def post(self, request: Request) -> Response:
        """Recall something: every release that it reaches ends, each endpoint falls back or stops.

        Asked for again while it stands, the same recall is answered.
        """
        data: Any = self.body(NewRecallSerializer)
        kind, what = data["kind"], data["what"]
        item = _named(self.actor, kind, what, data.get("project"))
        row = actions.recall(
            kind=kind,
            what=item.what,
            reason=data["reason"],
            project=item.project,
            actor=self.actor,
        )
        return Response(recall_detail(queries.get_recall(row.pk, self.actor), self.actor), 201)


class RecallPreview(PlacetView):
    """What a recall would reach."""

    query_params = ("kind", "what", "project")

    @extend_schema(
        operation_id="recalls_preview",
        parameters=[
            OpenApiParameter("kind", enum=RecallKind.values, required=True),
            OpenApiParameter(
                "what", required=True, description="An id, a digest, PROJECT/MODEL:NUMBER"
            ),
            OpenApiParameter("project", description="The slug, for a dataset"),
        ],
        responses=PreviewSerializer,
    )
    def get(self, request: Request) -> Response:
        """Say what a recall would reach and do. Nothing is written."""
        query = request.query_params
        kind = query.get("kind", "")
        if kind not in RecallKind.values:
            raise InvalidInput(
                errors=[FieldError("kind", f"One of {', '.join(RecallKind.values)}")]
            )
        body = previewed(
            self.actor, kind=kind, what=query.get("what", ""), project=query.get("project")
        )
        return Response(body)


class RecallDetail(PlacetView):
    """One recall."""

    @extend_schema(operation_id="recalls_read", responses=RecallDetailSerializer)
    def get(self, request: Request, recall: str) -> Response:
        """Read a recall and how far it is."""
        return Response(recall_detail(queries.get_recall(recall, self.actor), self.actor))


class RecallEffects(ListView):
    """What a recall did."""

    @extend_schema(operation_id="recalls_effects", responses=page_of(EffectSerializer))
    def get(self, request: Request, recall: str) -> Response:
        """List what a recall did to each release that it reached."""
        rows = queries.effects_of(queries.get_recall(recall, self.actor))
        return self.page(rows, lambda page: [effect_body(row, self.actor) for row in page])


class RecallReport(PlacetView):
    """A recall for outsiders."""

    renderer_classes: Any = [JSONRenderer, ZipRenderer]

    @extend_schema(
        operation_id="recalls_report",
        responses={(200, "application/zip"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, recall: str) -> HttpResponse:
        """Download a recall with all that an outsider needs to see how far it is. Is itself an
        event."""
        row = queries.get_recall(recall, self.actor)
        response = HttpResponse(zipped(report_of(row, self.actor)), content_type="application/zip")
        response["Content-Disposition"] = f'attachment; filename="{row.pk}.zip"'
        return response


class RecallLift(PlacetView):
    """Ending a recall."""

    @extend_schema(
        operation_id="recalls_lift", request=LiftSerializer, responses=RecallDetailSerializer
    )
    def post(self, request: Request, recall: str) -> Response:
        """Withdraw a recall that somebody else made. The releases stay revoked."""
        row = queries.get_recall(recall, self.actor)
        data: Any = self.body(LiftSerializer)
        actions.lift(row, **data, actor=self.actor)
        return Response(recall_detail(queries.get_recall(recall, self.actor), self.actor))
