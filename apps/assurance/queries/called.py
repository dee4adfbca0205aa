"""What ids are called: people by their names, objects by theirs and with what belongs to them."""

from collections.abc import Iterator
from typing import Any

from django.db.models import Exists, F, Func, Model, OuterRef, Q, QuerySet, TextField, Value
from django.db.models.functions import Concat

from apps.assurance.models import Recall, RecallEffect, RecallKind, Receipt, ReceiptKind
from apps.audit.hooks import Found
from apps.audit.models import FAMILY, Event
from apps.audit.queries.events_about import naming, row_said
from apps.builds.models import Bento, Build
from apps.governance.models import (
    BreakGlass,
    Environment,
    Freeze,
    PolicyRevision,
    Release,
)
from apps.identity.events import TEAM_CREATED
from apps.identity.models import Project, ServiceAccount, Team, User
from apps.identity.queries import known_projects, one_of, visible
from apps.monitoring.models import Alert, Erasure, Objective
from apps.registry.events import ALIAS_SET, HOLD_PLACED, UPLOAD_STARTED
from apps.registry.models import (
    Alias,
    Declaration,
    Evidence,
    Hold,
    ModelVersion,
    RegisteredModel,
    Upload,
)
from apps.rollouts.models import Drill, DrillSchedule, Rollout
from apps.serving.events import PREFETCH_ADDED
from apps.serving.models import Endpoint, EndpointKey, Prefetch, Revision, Target
from placet.kernel.actor import Actor
from placet.kernel.ids import is_id
from placet.kernel.problems import FieldError, InvalidInput

PEOPLE = 50
PK = F("pk")
OF_ENDPOINT: tuple[type[Model], ...] = (
    *(Revision, Rollout, Release, EndpointKey, Objective, Alert, Drill, DrillSchedule, Erasure),
)
OF_VERSION: tuple[type[Model], ...] = (Build, Bento, Evidence, Release, Alias, Hold)
OF_ENVIRONMENT: tuple[type[Model], ...] = (PolicyRevision, Freeze)
OF_EACH = 300  # of a table, the newest: events of what is older are found by its own id


class NameFinder:
    """See :class:`apps.audit.hooks.Finder`."""

    def ids(
        self, actor: Actor, *, person: str, thing: str, cause: str, place: tuple[str, str]
    ) -> Found:
        """Return the ids of all that is looked for (one query).

        Raises :class:`InvalidInput` where too many people are called so: whom to leave out nobody
        could tell.
        """
        found = Found(outcome=[cause] if cause else [])
        parts = [
            *(_told("people", rows) for rows in (_people(person, actor) if person else ())),
            *(_told("objects", rows) for rows in (_objects(thing, actor) if thing else ())),
            *(_told("outcome", rows, one) for rows, one in (_came_of(cause) if cause else ())),
            *(_told(where, rows, one) for where, rows, one in _places(*place, actor)),
        ]
        for pk, where in parts[0].union(*parts[1:], all=True) if parts else ():
            getattr(found, where).append(pk)
        named = [one for one in found.objects if one.startswith("per_")]
        for field, people in (("person", found.people), ("object", named)):
            if len(people) > PEOPLE:
                detail = f"More than {PEOPLE} people are called so: give more of the name"
                raise InvalidInput(errors=[FieldError(field, detail)])
        found.objects = list(dict.fromkeys(found.objects))
        return found

    def project(self, project_id: str, actor: Actor) -> str:
        """Return the short name of a project that ``actor`` may see, '' for no other."""
        seen = visible(Project.objects.filter(pk=project_id), actor, project="pk")
        return seen.values_list("slug", flat=True).first() or ""


def _places(
    project: str, environment: str, actor: Actor
) -> Iterator[tuple[str, QuerySet[Any], Any]]:
    """Yield the rows of a project and of an environment, there or anywhere, with where they are
    told and by what: of projects that ``actor`` sees, or of whose log they read something."""
    projects = known_projects(actor, "audit.view", "audit.export")
    if project:
        column = "pk" if is_id(project) else "slug"
        projects = projects.filter(**{column: project})
        yield "projects", projects, PK
    if environment:
        named = Environment.objects.filter(name=environment, project__in=projects.values("pk"))
        yield "environments", named.order_by("pk")[:1], F("name")


def _people(name: str, actor: Actor) -> list[QuerySet[Any]]:
    """Return who has ``name`` in theirs, as id, or as e-mail address for who may know that: of
    others nobody but themselves."""
    called = Q(pk=name) if is_id(name) else Q(name__icontains=name)
    known = Q() if _knows(actor) else Q(pk=actor.accountable)
    users = User.objects.filter(called | (known & _has_address(name)))
    accounts = ServiceAccount.objects.filter(called)
    return [rows.order_by("pk")[: PEOPLE + 1] for rows in (users, accounts)]


def _has_address(name: str) -> Q:
    return Q(email=User.objects.normalize_email(name))


def _knows(actor: Actor) -> bool:
    """Tell whether ``actor`` sees who has access wherever they read the log, or a file of it."""
    read = {one.scope for one in actor.grants if one.permission in ("audit.view", "audit.export")}
    return bool(read) and all(actor.can("access.view", scope) for scope in read)


def _holders(name: str, actor: Actor) -> list[QuerySet[Any]]:
    """Return the people in whose name the words of ``name`` stand, and the teams, those that are
    gone too, and service accounts that are called so; for who may know them wherever they read the
    log."""
    if not _knows(actor):
        return []
    spaced = Concat(Value(" "), "name", Value(" "), output_field=TextField())
    users = User.objects.alias(spaced=spaced).filter(
        Q(spaced__icontains=f" {name} ") | _has_address(name)
    )
    others = (table.objects.filter(name__iexact=name) for table in (Team, ServiceAccount))
    made = Event.objects.alias(family=FAMILY, said=row_said(Team, "name"))
    made = made.filter(family="team", kind=TEAM_CREATED.name, said__iexact=name)
    return [rows.order_by("pk")[: PEOPLE + 1] for rows in (users, *others, made)]


def _objects(name: str, actor: Actor) -> list[QuerySet[Any]]:
    """Return endpoints, models, environments and targets called ``name``, or the version
    ``name:3``, those of a project as ``project/name``, an endpoint as ``project/environment/name``
    too, and what belongs to them: versions, uploads, aliases, builds, evidence, releases, emergency
    releases, revisions, rollouts, what nodes signed of them, an endpoint's SLO, alerts, API keys
    and rollback tests, an environment's policies and freezes; the recalls that name or reached
    them; a project by its slug; and people, teams and service accounts."""
    place, _, own = name.rpartition("/")
    project, _, environment = place.partition("/")
    slug = {"project__slug": project} if project else {}
    if environment:
        return _of_endpoints({"name": own, "environment": environment, **slug}, actor)
    model, _, number = own.rpartition(":")
    if model and number.isascii() and number.isdigit() and len(number) < 10:
        of = _by("model", {"name": model, **slug})
        return _of_versions({"number": int(number), **of}, actor)
    called = {"name": own, **slug}
    within = _by("environment", called)
    return [
        *_of_endpoints(called, actor),
        _own(RegisteredModel.objects.filter(**called), actor),
        *_of_versions(_by("model", called), actor),
        _own(Environment.objects.filter(**called), actor),
        *(_own(table._default_manager.filter(**within), actor) for table in OF_ENVIRONMENT),
        _own(Project.objects.filter(slug=name), actor, project="pk"),
        Target.objects.filter(name=name)[:1],
        *_holders(name, actor),
    ]


def _of_endpoints(called: dict[str, Any], actor: Actor) -> list[QuerySet[Any]]:
    at = _by("endpoint", called)
    return [
        _own(Endpoint.objects.filter(**called), actor),
        *(_own(table._default_manager.filter(**at), actor) for table in OF_ENDPOINT),
        _own(BreakGlass.objects.filter(**_by("release", at)), actor),
        _own(Receipt.objects.filter(endpoint__in=_pks(Endpoint, called)), actor),
        _own(Recall.objects.filter(pk__in=_recalls_at(at)), actor),
    ]


def _by(path: str, of: dict[str, Any]) -> dict[str, Any]:
    """Return what columns are to hold, as seen from what leads there by ``path``."""
    return {f"{path}__{column}": value for column, value in of.items()}


def _came_of(cause: str) -> list[tuple[QuerySet[Any], Any]]:
    """Return what a recall did, the revisions that it took off, which never run again, the newest
    of what nodes signed to have run of them, and the rollouts by which their endpoints fell back.
    """
    effects = RecallEffect.objects.filter(recall=cause)
    revisions = Func("revisions", function="jsonb_array_elements_text", output_field=TextField())
    fell_back = effects.filter(
        endpoint=OuterRef("endpoint"),
        fallback=OuterRef("to_revision"),
        release=OuterRef("from_revision__release"),
    )
    back = Rollout.objects.filter(Exists(fell_back))
    ran = Receipt.objects.filter(
        kind=ReceiptKind.RAN,
        endpoint__in=effects.values("endpoint"),
        release__in=effects.values("release"),
    ).order_by("-pk")[:OF_EACH]
    return [(effects, PK), (effects, revisions), (ran, PK), (back, PK)]


def _told(where: str, rows: QuerySet[Any], one: Any = PK) -> QuerySet[Any, Any]:
    """Return the ids in ``rows``, of events those of their subjects, each with ``where`` it is
    told."""
    one = F("subject") if rows.model is Event else one
    told: QuerySet[Any, Any] = rows.annotate(one=one, told=Value(where)).values_list("one", "told")
    return told


def _of_versions(of: dict[str, Any], actor: Actor) -> list[QuerySet[Any]]:
    of_version = _by("version", of)
    of_release, of_bento = _by("release", of_version), _by("bento", of_version)
    versions, bentos = _pks(ModelVersion, of), _pks(Bento, of_version)
    releases = _pks(Release, of_version)
    behind = Release.objects.filter(**of_version).values("endpoint")  # what receipts are found by
    itself = Q(kind=RecallKind.VERSION, what__in=versions)
    itself |= Q(kind=RecallKind.BENTO, what__in=bentos)
    return [
        _own(ModelVersion.objects.filter(**of), actor),
        *(_own(table._default_manager.filter(**of_version), actor) for table in OF_VERSION),
        _own(Upload.objects.filter(**of_version), actor, project="version__project"),
        *_gone_of_versions(of, versions, bentos, actor),
        _own(Declaration.objects.filter(about__in=versions), actor),
        _own(Revision.objects.filter(**of_bento), actor),
        _own(Rollout.objects.filter(**of_release), actor),
        _own(BreakGlass.objects.filter(**of_release), actor),
        _own(Receipt.objects.filter(release__in=releases, endpoint__in=behind), actor),
        _own(Recall.objects.filter(itself | Q(pk__in=_recalls_at(of_release))), actor),
    ]


def _gone_of_versions(
    of: dict[str, Any], versions: QuerySet[Any, Any], bentos: QuerySet[Any, Any], actor: Actor
) -> Iterator[QuerySet[Any]]:
    """Yield the newest events that name the versions or their Bentos for what may be gone: uploads
    that ended, aliases that pointed to them once, holds, and Bentos that nodes had pre-loaded."""
    rows = visible(ModelVersion.objects.filter(**of), actor, view="audit.view")
    # found first: by kind alone PostgreSQL would read the bodies of all projects' events
    within = one_of(rows.order_by().values("project").distinct(), field="project")
    for kind, column, named, row in (
        (UPLOAD_STARTED, "version", versions, None),
        (ALIAS_SET, "version_id", versions, Alias),
        (HOLD_PLACED, "version_id", versions, Hold),
        (PREFETCH_ADDED, "bento_id", bentos, Prefetch),
    ):
        # By index alone PostgreSQL would go through the whole log, hoping to meet enough of them.
        newest = naming(kind, column, named, within, row).order_by((F("index") + 0).desc())
        yield newest[:OF_EACH]


def _recalls_at(of: dict[str, Any]) -> QuerySet[RecallEffect, Any]:
    """Return the recalls that reached what is meant."""
    return RecallEffect.objects.filter(**of).values("recall")


def _pks(table: type[Model], of: dict[str, Any]) -> QuerySet[Any, Any]:
    return table._default_manager.filter(**of).values("pk")


def _own(rows: QuerySet[Any], actor: Actor, project: str = "project") -> QuerySet[Any]:
    """Return the newest of ``rows`` in projects whose events ``actor`` may read."""
    return visible(rows, actor, view="audit.view", project=project).order_by("-pk")[:OF_EACH]
