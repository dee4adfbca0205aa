"""What somebody may see of recalls."""

from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import (
    BooleanField,
    Case,
    CharField,
    Count,
    Exists,
    F,
    Func,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    TextField,
    Value,
    When,
)
from django.db.models.functions import Cast, Coalesce, Concat, JSONObject

from apps.assurance.models import (
    UNCONFIRMED,
    EffectState,
    Recall,
    RecallEffect,
    RecallKind,
    RecallState,
    Receipt,
)
from apps.assurance.queries.aborted_along import aborted_along
from apps.assurance.queries.recalls_beside import recall_that_revoked
from apps.assurance.queries.voided import voided_something
from apps.assurance.queries.ways_back import stopped_before, way_back
from apps.identity.models import ApproverPasskey
from apps.identity.queries import name_in, visible
from apps.registry.models import ModelVersion
from apps.registry.queries import large_of
from apps.serving.models import Endpoint, Target
from placet.kernel.actor import Actor
from placet.kernel.problems import NotFound
from placet_verify.statements import RecalledNames


def visible_recalls(actor: Actor) -> QuerySet[Recall]:
    """Return the recalls that ``actor`` may see: of their projects, and those that count
    everywhere for who sees every project."""
    return visible(Recall.objects.select_related("project"), actor, view="recall.view")


def recalls_matching(
    actor: Actor, *, project: str = "", kind: str = "", state: str = ""
) -> QuerySet[Recall]:
    """Return the recalls that ``actor`` may see; every filter that is given must match. A recall is
    of a ``project`` that it was made for, and of each where it reached something or voided it."""
    wanted = {"kind": kind, "state": state}
    rows = visible_recalls(actor)
    if project:
        there = RecallEffect.objects.filter(recall=OuterRef("pk"), project__slug=project)
        here = Q(project__slug=project) | Q(Exists(there)) | voided_something(project)
        rows = rows.filter(here)
    return rows.filter(**{name: value for name, value in wanted.items() if value})


def with_counts(rows: QuerySet[Recall]) -> QuerySet[Recall]:
    """Add ``reached``, ``confirmed``, ``open_count`` and ``contradicted`` to recalls: releases. And
    what :func:`names_in` has."""
    ran = ~Q(effects__state=EffectState.NEVER_RAN)
    return rows.annotate(**names_in()).annotate(
        reached=Count("effects"),
        ran=Count("effects", filter=ran),
        confirmed=Count("effects", filter=Q(effects__state=EffectState.CONFIRMED)),
        open_count=Count("effects", filter=Q(effects__state__in=UNCONFIRMED)),
        contradicted=Count("effects", filter=Q(effects__state=EffectState.CONTRADICTED)),
    )


def names_in(recall: str = "") -> dict[str, Any]:
    """Return the names in a recall as columns of a query that reads recalls, or has one as
    ``recall`` with its ``__``: whose decisions it took back (``person``) or which version
    (``version_name``), and who recalled it and withdrew that."""
    return {
        "person": person_recalled(recall),
        "version_name": _version_recalled(recall),
        "recalled_by_name": name_in(f"{recall}recalled_by"),
        "lifted_by_name": name_in(f"{recall}lifted_by"),
    }


def person_recalled(recall: str = "") -> Case:
    """Return the name of the person whose decisions a recall takes back, '' where it is of
    something else."""
    of_person = When(**{f"{recall}kind": RecallKind.PERSON}, then=name_in(f"{recall}what"))
    return Case(of_person, default=Value(""), output_field=CharField())


def _version_recalled(recall: str) -> Coalesce:
    """Return the version that a recall is of, or that of its Bento, as commands take it; '' where
    it is of something else."""
    own = ModelVersion.objects.filter(pk=OuterRef(f"{recall}what"))
    built = ModelVersion.objects.filter(bentos=OuterRef(f"{recall}what"))
    number = Cast("number", CharField())
    parts = ("project__slug", Value("/"), "model__name", Value(":"), number)
    name = Concat(*parts, output_field=CharField())
    found = (Subquery(rows.values(name=name)[:1]) for rows in (own, built))
    return Coalesce(*found, Value(""), output_field=CharField())


def get_recall(recall_id: str, actor: Actor) -> Recall:
    """Return one recall with its counts, or raise :class:`NotFound`."""
    recall = with_counts(visible_recalls(actor)).filter(pk=recall_id).first()
    if recall is None:
        raise NotFound
    return recall


def effects_of(recall: Recall) -> QuerySet[RecallEffect]:
    """Return what a recall did: who sees that sees all of it."""
    return as_done(
        RecallEffect.objects.filter(recall=recall)
        .select_related("project", "release__version__model", "endpoint", "target__node")
        .defer("release__request_envelope", *large_of("release__version"))
    )


def as_done(effects: QuerySet[RecallEffect]) -> QuerySet[RecallEffect]:
    """Add to effects what their outcome is read from: the recall that revoked the release
    (``revoking``), the rollout of another one that ended with it (``along``), how far its endpoint
    is on its way back (``back``), and whether that was stopped before (``was_stopped``)."""
    return effects.annotate(
        revoking=recall_that_revoked("release"),
        along=aborted_along(),
        back=way_back(),
        was_stopped=stopped_before(),
    )


def whose_decisions(recall: Recall) -> set[str]:
    """Return the people whose decisions a recall takes back: they do not give them back."""
    if recall.kind == RecallKind.PASSKEY:
        rows = ApproverPasskey.objects.filter(credential__in=recall.names["passkeys"])
        return set(rows.values_list("person", flat=True))
    return {recall.what} if recall.kind == RecallKind.PERSON else set()


def receipts_of(recall: Recall) -> QuerySet[Receipt]:
    """Return what nodes signed about a recall."""
    return Receipt.objects.filter(recall=recall.pk)


def unanswered(recall: Recall) -> QuerySet[Target]:
    """Return the targets that are told of a recall and have a node which signed nothing about it
    yet."""
    told = targets_told(recall).filter(node__isnull=False)
    return told.exclude(pk__in=receipts_of(recall).values("target"))


def targets_told(recall: Recall) -> QuerySet[Target]:
    """Return the targets whose nodes are told of a recall."""
    if recall.names == RecalledNames().to_dict():
        return Target.objects.none()  # see ``RecallKeeper.told``
    if recall.project_id is None:
        return Target.objects.all()
    return Target.objects.filter(endpoints__project=recall.project_id).distinct()


def receipts_of_endpoint(endpoint: Endpoint) -> QuerySet[Receipt]:
    """Return what nodes signed to have run behind an endpoint."""
    return Receipt.objects.filter(endpoint=endpoint.pk)


def recalls_of_version(at: str = "") -> ArraySubquery:
    """Return the standing recalls of a version, or of data that it was trained on, as a column of a
    query; ``at`` is the lookup of the version there with its ``__``, '' where it is the row."""
    digest = Func(Cast(Value("digest"), TextField()), F("what"), function="jsonb_build_object")
    datasets = Func(
        OuterRef(f"{at}lineage"),
        Cast(Value("datasets"), TextField()),
        template="(%(expressions)s)",
        arg_joiner=" -> ",
    )
    trained = Func(
        datasets,
        Func(digest, function="jsonb_build_array"),
        template="coalesce(%(expressions)s, false)",
        arg_joiner=" @> ",
        output_field=BooleanField(),
    )
    rows = standing_recalls().alias(trained=trained)
    rows = rows.filter(Q(project=None) | Q(project=OuterRef(f"{at}project")))
    own = Q(kind=RecallKind.VERSION, what=OuterRef(f"{at}pk"))
    rows = rows.filter(own | Q(kind=RecallKind.DATASET, trained=True)).order_by("pk")
    said = JSONObject(
        id="pk",
        kind="kind",
        what="what",
        at="created_at",
        by="recalled_by",
        reason="reason_sealed",
    )
    return ArraySubquery(rows.values(json=said))


def standing_recalls() -> QuerySet[Recall]:
    """Return the recalls that nobody has lifted."""
    return Recall.objects.filter(state=RecallState.STANDING)
