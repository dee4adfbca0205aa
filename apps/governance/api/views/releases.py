"""Releases: asking, reading, deciding, talking, withdrawing, and the permit."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.builds.models import Bento
from apps.governance import actions
from apps.governance.api.serializers import (
    AskedDecisionSerializer,
    CommentSerializer,
    DecisionSerializer,
    NewCommentSerializer,
    NewReleaseSerializer,
    ReleaseDetailSerializer,
    ReleaseSerializer,
    SignedDecisionSerializer,
)
from apps.governance.api.views.environments import targets_of
from apps.governance.models import Release, ReleaseState
from apps.governance.queries import visible_rows
from apps.governance.queries.release_detail import comment_rows, decision_rows, release_view
from apps.identity.api.serializers import ChallengeSerializer
from apps.identity.api.views.passkeys import challenged
from apps.identity.models import Project
from apps.identity.queries import project_by_slug, scope_of
from apps.registry.queries import version_for
from placet.kernel.actor import Actor
from placet.kernel.api.lists import ListView, page_of
from placet.kernel.api.views import PlacetView
from placet.kernel.problems import FieldError, InvalidInput, NotFound

FILTERS = ("environment", "state", "model", "endpoint")
PARAMETERS = [OpenApiParameter(name, OpenApiTypes.STR, description=f"Only this {name}")
              for name in FILTERS]  # fmt: skip


def wanted(view: PlacetView, project: Project | None) -> QuerySet[Release]:
    """Return the releases that the query string asks for."""
    given = {name: view.request.query_params.get(name, "") for name in FILTERS}
    if given["state"] and given["state"] not in ReleaseState.values:
        detail = f"One of {', '.join(ReleaseState.values)}"
        raise InvalidInput(errors=[FieldError("state", detail)])
    return visible_rows.releases(view.actor, project=project, **given)


def rendered(rows: Any) -> list[Any]:
    """Return releases as JSON values."""
    return list(ReleaseSerializer(rows, many=True).data)


@contextmanager
def naming(pointer: str, what: str, project: Project, actor: Actor) -> Iterator[None]:
    """Say which name of a request leads nowhere, to whoever sees the models of the project."""
    try:
        yield
    except NotFound:
        if not actor.can("version.view", scope_of(project)):
            raise
        detail = f"There is no {what} here, or you may not see it"
        raise InvalidInput(errors=[FieldError(pointer, detail)]) from None


def asked_for(project: Project, data: dict[str, Any], actor: Actor) -> dict[str, Any]:
    """Turn the names in a request into rows that the actor may see, or say which are none."""
    model, number = data.pop("model"), data.pop("version")
    with naming("/version", f"version {number} of a model {model}", project, actor):
        version = version_for(project.slug, model, number, actor)
    if name := data.pop("environment", ""):
        with naming("/environment", f"environment {name}", project, actor):
            data["environment"] = visible_rows.environment(project, name, actor)
    if name := data.pop("target", ""):
        data["target"] = targets_of([name], actor, at="/target")[0]
    if digest := data.pop("bento", ""):
        with naming("/bento", f"Bento {digest[:80]} of this version", project, actor):
            data["bento"] = Bento.objects.filter(pk=digest, version=version).first()
            if data["bento"] is None:
                raise NotFound
    return {**data, "version": version}


class ReleaseList(ListView):
    """The releases of a project."""

    filters = FILTERS

    @extend_schema(
        operation_id="releases_list", parameters=PARAMETERS, responses=page_of(ReleaseSerializer)
    )
    def get(self, request: Request, slug: str) -> Response:
        """List the releases of a project, newest first."""
        return self.page(wanted(self, project_by_slug(slug, self.actor)), rendered)

    @extend_schema(
        operation_id="releases_create",
        request=NewReleaseSerializer,
        responses={201: ReleaseSerializer},
    )
    def post(self, request: Request, slug: str) -> Response:
        """Ask for a release; its gates are evaluated at once."""
        project = project_by_slug(slug, self.actor)
        data = asked_for(project, self.body(NewReleaseSerializer), self.actor)
        release = actions.request_release(**data, actor=self.actor)
        location = {"Location": f"/api/v1/releases/{release.pk}"}
        return Response(ReleaseSerializer(release).data, status=201, headers=location)


class AllReleases(ListView):
    """The releases of all projects."""

    filters = FILTERS

    @extend_schema(
        operation_id="releases_list_all",
        parameters=PARAMETERS,
        responses=page_of(ReleaseSerializer),
    )
    def get(self, request: Request) -> Response:
        """List the releases you see in all projects, newest first."""
        return self.page(wanted(self, None), rendered)


class Inbox(PlacetView):
    """What waits on whoever asks."""

    @extend_schema(operation_id="inbox", responses=page_of(ReleaseSerializer))
    def get(self, request: Request) -> Response:
        """List the releases that wait for your decision, the oldest first."""
        return Response({"items": rendered(visible_rows.inbox(self.actor)), "next_cursor": None})


class ReleaseDetail(PlacetView):
    """One release."""

    @extend_schema(operation_id="releases_read", responses=ReleaseDetailSerializer)
    def get(self, request: Request, release: str) -> Response:
        """Read a release: what changes, what a decision binds, gates as they stand now."""
        return Response(ReleaseDetailSerializer(release_view(release, self.actor)).data)


class DecisionList(ListView):
    """The decisions on a release."""

    @extend_schema(operation_id="decisions_list", responses=page_of(DecisionSerializer))
    def get(self, request: Request, release: str) -> Response:
        """List the decisions on a release, the first one first, voided ones too."""
        rows = visible_rows.decisions(visible_rows.release(release, self.actor), self.actor)
        return self.page(
            rows,
            lambda found: list(DecisionSerializer(decision_rows(found), many=True).data),
            order="pk",
        )

    @extend_schema(
        operation_id="decisions_create",
        request=SignedDecisionSerializer,
        responses={201: DecisionSerializer},
    )
    def post(self, request: Request, release: str) -> Response:
        """Decide, in a browser session, on exactly what was shown; anything newer is 409."""
        row = visible_rows.release(release, self.actor)
        data: Any = self.body(SignedDecisionSerializer)
        made = actions.decide(row, **data, actor=self.actor)
        return Response(DecisionSerializer(decision_rows([made])[0]).data, status=201)


class DecisionChallenge(PlacetView):
    """What a passkey signs to decide."""

    @extend_schema(
        operation_id="decisions_challenge",
        request=AskedDecisionSerializer,
        responses={201: ChallengeSerializer},
    )
    def post(self, request: Request, release: str) -> Response:
        """Ask for the challenge that your passkey answers to decide like this."""
        row = visible_rows.release(release, self.actor)
        data: Any = self.body(AskedDecisionSerializer)
        return challenged(actions.ask_to_decide(row, **data, actor=self.actor))


class CommentList(ListView):
    """The comments on a release."""

    @extend_schema(operation_id="comments_list", responses=page_of(CommentSerializer))
    def get(self, request: Request, release: str) -> Response:
        """List the comments on a release, the first one first."""
        rows = visible_rows.comments(visible_rows.release(release, self.actor), self.actor)
        return self.page(
            rows,
            lambda found: list(CommentSerializer(comment_rows(found), many=True).data),
            order="pk",
        )

    @extend_schema(
        operation_id="comments_create",
        request=NewCommentSerializer,
        responses={201: CommentSerializer},
    )
    def post(self, request: Request, release: str) -> Response:
        """Say something about a release."""
        row = visible_rows.release(release, self.actor)
        text = self.body(NewCommentSerializer)["text"]
        made = actions.comment(row, text=text, actor=self.actor)
        return Response(CommentSerializer(comment_rows([made])[0]).data, status=201)


class ReleaseWithdraw(PlacetView):
    """Taking a request back."""

    @extend_schema(operation_id="releases_withdraw", request=None, responses=ReleaseSerializer)
    def post(self, request: Request, release: str) -> Response:
        """Withdraw a release that you asked for and that has not started."""
        row = actions.withdraw(visible_rows.release(release, self.actor), actor=self.actor)
        return Response(ReleaseSerializer(row).data)


class ReleasePermit(PlacetView):
    """The permit of a release."""

    @extend_schema(operation_id="releases_permit", responses={200: OpenApiTypes.OBJECT})
    def get(self, request: Request, release: str) -> HttpResponse:
        """Read the permit: policy, request and decisions as signed envelopes."""
        row = visible_rows.release(release, self.actor)
        return HttpResponse(actions.assemble_permit(row), content_type="application/json")
