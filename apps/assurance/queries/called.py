"""What ids are called: people by their names, objects by theirs and with what belongs to them."""

from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Model, OuterRef, Q, QuerySet

from apps.assurance.models import Recall, RecallEffect, RecallKind, Receipt
from apps.builds.models import Bento, Build
from apps.governance.models import BreakGlass, Release
from apps.identity.models import Project, ServiceAccount, User
from apps.identity.queries import visible
from apps.monitoring.models import Alert, Erasure, Objective
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
from apps.serving.models import Endpoint, EndpointKey, Revision, Target
from placet.kernel.actor import Actor
from placet.kernel.problems import FieldError, InvalidInput

PEOPLE = 50
OF_ENDPOINT: tuple[type[Model], ...] = (
    *(Revision, Rollout, Release, EndpointKey, Objective, Alert, Drill, DrillSchedule, Erasure),
)
OF_VERSION: tuple[type[Model], ...] = (Build, Bento, Evidence, Release, Alias, Hold)
OF_EACH = 300  # of a table, the newest: events of what is older are found by its own id


class NameFinder:
    """See :class:`apps.audit.hooks.Finder`."""

    def people(self, name: str) -> list[str]:
        """Return the ids of people and service accounts whose name has ``name`` in it (one query).

        Raises :class:`InvalidInput` where there are too many: whom to leave out nobody could tell.
        """
        users = User.objects.filter(Q(name__icontains=name) | Q(email__iexact=name))
        accounts = ServiceAccount.objects.filter(name__icontains=name)
        found = _ids(users.order_by("pk")[: PEOPLE + 1], accounts.order_by("pk")[: PEOPLE + 1])
        if len(found) > PEOPLE:
            detail = f"More than {PEOPLE} are called so: give more of the name"
            raise InvalidInput(errors=[FieldError("person", detail)])
        return found

    def objects(self, name: str, actor: Actor) -> list[str]:
        """Return the ids of endpoints, models and targets called ``name``, or of the version
        ``name:3``, and of what belongs to them: versions, uploads, aliases, builds, evidence,
        releases, emergency releases, revisions, rollouts, what nodes signed of them, and an
        endpoint's SLO, alerts, API keys and rollback tests; and of the recalls that name or reached
        them (one query)."""
        model, _, number = name.rpartition(":")
        if model and number.isascii() and number.isdigit() and len(number) < 10:
            of = {"model__name": model, "number": int(number)}
            return _ids(*_of_versions(of, actor))
        at = {"endpoint__name": name}
        return _ids(
            _own(Endpoint.objects.filter(name=name), actor),
            *(_own(table._default_manager.filter(**at), actor) for table in OF_ENDPOINT),
            _own(BreakGlass.objects.filter(release__endpoint__name=name), actor),
            _own(Receipt.objects.filter(endpoint__in=_pks(Endpoint, {"name": name})), actor),
            _own(Recall.objects.filter(pk__in=_recalls_at(at)), actor),
            _own(RegisteredModel.objects.filter(name=name), actor),
            *_of_versions({"model__name": name}, actor),
            Target.objects.filter(name=name)[:1],
        )

    def came_of(self, cause: str) -> list[str]:
        """Return the ids of a recall, of what it did, of the revisions that it took off, which
        never run again, and of the rollouts by which their endpoints fell back (one query)."""
        rollouts = Rollout.objects.filter(
            endpoint=OuterRef("endpoint"),
            from_revision__release=OuterRef("release"),
            to_revision=OuterRef("fallback"),
        )
        back = ArraySubquery(rollouts.values("pk"))
        effects = RecallEffect.objects.filter(recall=cause).annotate(back=back)
        rows = effects.values_list("pk", "revisions", "back")
        return [cause, *(one for pk, off, moves in rows for one in (pk, *off, *moves))]

    def project(self, project_id: str, actor: Actor) -> str:
        """Return the short name of a project that ``actor`` may see, '' for no other."""
        seen = visible(Project.objects.filter(pk=project_id), actor, project="pk")
        return seen.values_list("slug", flat=True).first() or ""


def _of_versions(of: dict[str, Any], actor: Actor) -> list[QuerySet[Any]]:
    of_version = {f"version__{column}": value for column, value in of.items()}
    of_release = {f"release__{column}": value for column, value in of_version.items()}
    of_bento = {f"bento__{column}": value for column, value in of_version.items()}
    versions, bentos = _pks(ModelVersion, of), _pks(Bento, of_version)
    releases = _pks(Release, of_version)
    behind = Release.objects.filter(**of_version).values("endpoint")  # what receipts are found by
    itself = Q(kind=RecallKind.VERSION, what__in=versions)
    itself |= Q(kind=RecallKind.BENTO, what__in=bentos)
    return [
        _own(ModelVersion.objects.filter(**of), actor),
        *(_own(table._default_manager.filter(**of_version), actor) for table in OF_VERSION),
        _own(Upload.objects.filter(**of_version), actor, project="version__project"),
        _own(Declaration.objects.filter(about__in=versions), actor),
        _own(Revision.objects.filter(**of_bento), actor),
        _own(Rollout.objects.filter(**of_release), actor),
        _own(BreakGlass.objects.filter(**of_release), actor),
        _own(Receipt.objects.filter(release__in=releases, endpoint__in=behind), actor),
        _own(Recall.objects.filter(itself | Q(pk__in=_recalls_at(of_release))), actor),
    ]


def _recalls_at(of: dict[str, Any]) -> QuerySet[RecallEffect, Any]:
    """Return the recalls that reached what is meant."""
    return RecallEffect.objects.filter(**of).values("recall")


def _pks(table: type[Model], of: dict[str, Any]) -> QuerySet[Any, Any]:
    return table._default_manager.filter(**of).values("pk")


def _own(rows: QuerySet[Any], actor: Actor, project: str = "project") -> QuerySet[Any]:
    """Return the newest of ``rows`` in projects whose events ``actor`` may read."""
    return visible(rows, actor, view="audit.view", project=project).order_by("-pk")[:OF_EACH]


def _ids(first: QuerySet[Any], *others: QuerySet[Any]) -> list[str]:
    parts = [rows.values_list("pk", flat=True) for rows in others]
    return list(dict.fromkeys(first.values_list("pk", flat=True).union(*parts, all=True)))
