"""Releases: asking, reading, withdrawing, and the permit."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.builds.models import Bento
from apps.governance import actions
from apps.governance.api.changes import ChangesSerializer
from apps.governance.api.deciders import (
    AskedDeciderSerializer,
    BarredSerializer,
    DeciderSerializer,
    ReviewerSerializer,
    WantedReviewersSerializer,
)
from apps.governance.api.decisions import DecisionSerializer
from apps.governance.api.environments import targets_of
from apps.governance.api.gates import GateSerializer
from apps.governance.models import Release
from apps.governance.queries import visible_rows
from apps.governance.queries.by_clock import with_clock
from apps.governance.queries.named_filters import named
from apps.governance.queries.release_detail import ReleaseView, release_view
from apps.governance.queries.shown_states import SHOWN_STATES, shown_as, stands
from apps.identity.models import Project
from apps.identity.queries import project_by_slug, scope_of
from apps.registry.queries import version_for
from apps.serving.api.fields import ToldRecallSerializer
from apps.serving.hooks import keeper
from apps.serving.rules import EndpointState
from placet.kernel.actor import Actor
from placet.kernel.api.lists import ListView, page_of
from placet.kernel.api.views import PlacetView
from placet.kernel.filters import refuse_unknown
from placet.kernel.problems import FieldError, InvalidInput, NotFound

ABOUT = {
    "environment": "Only this environment",
    "state": f"One of {', '.join(SHOWN_STATES)}. What is stopped is live behind an "
    "endpoint that is stopped; live has it too",
    "model": "Only this model",
    "endpoint": "Only this endpoint",
}
FILTERS = tuple(ABOUT)
PARAMETERS = [OpenApiParameter(name, OpenApiTypes.STR, description=ABOUT[name]) for name in ABOUT]


class PinnedSerializer(serializers.Serializer[Any]):
    """A piece of evidence that a request is bound to."""

    id = serializers.CharField()
    kind = serializers.CharField()
    digest = serializers.CharField()


class ReleaseSerializer(serializers.Serializer[Any]):
    """A request to serve a Bento behind an endpoint, and what became of it. ``gates`` is the
    last evaluation."""

    id = serializers.CharField()
    number = serializers.IntegerField()
    project = serializers.CharField(source="project.slug")
    environment = serializers.CharField(source="environment.name")
    endpoint = serializers.CharField(source="endpoint.name")
    endpoint_id = serializers.CharField()
    target = serializers.CharField(source="endpoint.target.name", help_text="Where it runs")
    model = serializers.CharField(source="version.model.name")
    version = serializers.IntegerField(source="version.number")
    version_id = serializers.CharField()
    bento_digest = serializers.CharField(source="bento_id")
    policy = serializers.IntegerField(source="policy.number")
    state = serializers.CharField()
    is_stopped = serializers.BooleanField(
        help_text="It is live behind an endpoint that is stopped: it answers nobody"
    )
    stands = serializers.SerializerMethodField(
        help_text="How lists tell its state: stopped where it is_stopped; of what is requested "
        "failed where a gate has failed, and held where changes are requested"
    )
    reason = serializers.CharField()
    plan = serializers.JSONField()
    serving = serializers.JSONField()
    evidence = PinnedSerializer(many=True)
    requested_by = serializers.CharField()
    requester = serializers.CharField()
    author = serializers.CharField(source="version.author")
    request_digest = serializers.CharField()
    gates = GateSerializer(many=True)
    not_after = serializers.DateTimeField()
    created_at = serializers.DateTimeField()
    approved_at = serializers.DateTimeField(allow_null=True)
    live_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    ended_reason = serializers.CharField()

    def get_stands(self, row: Release) -> str:
        """Return how lists tell its state."""
        return stands(row)


class NewReleaseSerializer(WantedReviewersSerializer):
    """A release to be asked for. ``endpoint`` is a name, or an id (``end_…``). Without
    ``reviewers`` nobody is asked by name."""

    model = serializers.CharField(max_length=80)
    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
    environment = serializers.CharField(max_length=40, required=False)
    endpoint = serializers.CharField(max_length=60)
    bento = serializers.CharField(max_length=71, required=False)
    target = serializers.CharField(max_length=60, required=False)
    plan = serializers.DictField(required=False)
    serving = serializers.DictField(required=False)
    reason = serializers.CharField(max_length=4000, allow_blank=True, required=False)
    reviewers = serializers.ListField(
        child=serializers.CharField(max_length=254),
        required=False,
        help_text="Whom to ask by name to review it: ids, e-mail addresses or names",
    )


class BoundSerializer(serializers.Serializer[Any]):
    """The digests that a decision on a release is bound to; ``request`` names them all."""

    request = serializers.CharField()
    artifact = serializers.CharField()
    bento = serializers.CharField()
    evidence = serializers.CharField()
    evidence_count = serializers.IntegerField()
    policy = serializers.CharField()
    policy_number = serializers.IntegerField()
    plan = serializers.CharField()
    serving = serializers.CharField()


class AnsweredSerializer(serializers.Serializer[Any]):
    """A request for changes on a former release that a newer one answers."""

    id = serializers.CharField()
    person = serializers.CharField()
    name = serializers.CharField()
    role = serializers.CharField()
    at = serializers.DateTimeField()
    comment = serializers.CharField()
    release = serializers.CharField()
    number = serializers.IntegerField()
    state = serializers.CharField(help_text="Of that release")
    version = serializers.IntegerField()


class AnswerSerializer(serializers.Serializer[Any]):
    """The newest release that answers requests for changes on a former one."""

    release = serializers.CharField()
    number = serializers.IntegerField()
    version = serializers.IntegerField()
    state = serializers.CharField()


class ReleaseDetailSerializer(serializers.Serializer[Any]):
    """A release with everything a person sees before deciding; ``gates`` as they stand now."""

    release = ReleaseSerializer()
    gates = GateSerializer(many=True)
    all_passed = serializers.BooleanField()
    changes = ChangesSerializer()
    bound = BoundSerializer()
    shared_network = serializers.CharField(
        help_text="Why its replicas are not kept from the network, or ''"
    )
    waits_for = serializers.CharField(
        help_text="What it waits for beside its gates, its turn or room on its target, or ''"
    )
    overtaken_by = serializers.IntegerField(
        source="release.overtaken_by",
        allow_null=True,
        help_text="The newest release that went live since it was approved, by number",
    )
    egress_marks = serializers.ListField(
        child=serializers.CharField(),
        help_text="Private, link-local and metadata addresses among its destinations",
    )
    decisions = DecisionSerializer(many=True)
    may_still_decide = AskedDeciderSerializer(
        many=True,
        help_text="Who could give an approval that is missing, now or once they can; nobody where "
        "none is missing, though the release may be held still",
    )
    may_decide_again = DeciderSerializer(
        many=True,
        help_text="Who requested changes and can decide again now, with the roles of which they "
        "could give an approval that is missing",
    )
    held = serializers.CharField(
        source="lifting.says",
        help_text="Until what the requests for changes hold it; where nobody can lift them as "
        "roles are held now, how it ends all the same. '' where none holds it",
    )
    cannot_count = BarredSerializer(many=True)
    reviewers = ReviewerSerializer(many=True, help_text="Who was asked by name")
    may_be_asked = DeciderSerializer(many=True, help_text="Who can be asked by name")
    missing_roles = serializers.ListField(child=serializers.CharField())
    too_few_people = serializers.CharField(
        help_text="That more people have to decide than could: each decides once. Or ''"
    )
    can_decide = serializers.BooleanField(
        help_text="Whether you can decide now, to reject it too: not with a token, nor where you "
        "decided, took part in it or hold no role that counts. Gates are not asked"
    )
    can_approve = serializers.BooleanField(
        help_text="Whether the policy asks for an approval of the role that you decide as"
    )
    you_decide_as = serializers.CharField()
    you_cannot_count = serializers.CharField(help_text="Why not, or ''")
    your_request = serializers.CharField(
        help_text="The id of your own request for changes that holds it, or ''"
    )
    answers = AnsweredSerializer(many=True)
    answered_by = AnswerSerializer(
        allow_null=True, help_text="What answers the requests for changes on it, if anything does"
    )
    requester_name = serializers.CharField()
    author_name = serializers.CharField()
    recall = serializers.SerializerMethodField(
        help_text="What revoked it; null also where that is not visible to you"
    )

    @extend_schema_field(ToldRecallSerializer(allow_null=True))
    def get_recall(self, view: ReleaseView) -> Mapping[str, Any] | None:
        """Return the recall that revoked the release, for whoever reads it."""
        found = view.release.revoking  # type: ignore[attr-defined]
        told = keeper().told_to([found] if found else [], self.context["actor"])
        return next(iter(told.values()), None)


def with_recall(releases: QuerySet[Release]) -> QuerySet[Release, Any]:
    """Have a release bring how it stands now, and the recall that revoked it (``revoking``)."""
    return with_clock(releases).annotate(revoking=keeper().that_revoked())


def wanted(view: PlacetView, project: Project | None) -> QuerySet[Release]:
    """Return the releases that the query string asks for."""
    filters = {name: view.request.query_params.get(name, "") for name in FILTERS}
    state = filters["state"]
    called = named(filters, view.actor, "release.view", project=project)
    refuse_unknown(filters, words={"state": SHOWN_STATES}, called=called)
    if state != EndpointState.STOPPED:  # live has those that are stopped, as their "state" has it
        return visible_rows.releases(view.actor, project=project, **filters)
    rows = visible_rows.releases(view.actor, project=project, **filters | {"state": ""})
    return shown_as(rows, state)


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


def review_of(data: dict[str, Any]) -> actions.Reviewers | None:
    """Take who is to be asked by name out of a request; ``None`` for nobody. A due date of nobody's
    review is refused."""
    people = data.pop("reviewers", [])
    due = data.pop("review_days", None), data.pop("review_due_at", None)
    return actions.Reviewers(people, *due) if people or any(due) else None


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
    data["review"] = review_of(data)
    return {**data, "version": version}


class ReleaseList(ListView):
    """The releases of a project."""

    filters = FILTERS

    @extend_schema(
        operation_id="releases_list", parameters=PARAMETERS, responses=page_of(ReleaseSerializer)
    )
    def get(self, request: Request, slug: str) -> Response:
        """List the releases of a project, newest first."""
        rows = wanted(self, project_by_slug(slug, self.actor))
        return self.page(with_clock(rows), rendered)

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
        return self.page(with_clock(wanted(self, None)), rendered)


class ReleaseDetail(PlacetView):
    """One release."""

    @extend_schema(operation_id="releases_read", responses=ReleaseDetailSerializer)
    def get(self, request: Request, release: str) -> Response:
        """Read a release: what changes, what a decision binds, gates as they stand now."""
        view = release_view(release, self.actor, with_recall)
        return Response(ReleaseDetailSerializer(view, context={"actor": self.actor}).data)


class ReleaseWithdraw(PlacetView):
    """Taking a request back."""

    @extend_schema(operation_id="releases_withdraw", request=None, responses=ReleaseSerializer)
    def post(self, request: Request, release: str) -> Response:
        """Withdraw a release that you asked for and that has not started."""
        row = actions.withdraw(visible_rows.release(release, self.actor), actor=self.actor)
        return Response(ReleaseSerializer(row).data)
