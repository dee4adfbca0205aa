"""Releases and policy revisions as discussions know them."""

from collections.abc import Collection, Iterator

from apps.discussions.hooks import Subject, SubjectKind
from apps.governance.models import PolicyRevision, Release
from apps.registry.queries import metric_names


def _releases(kind: SubjectKind, ids: Collection[str]) -> Iterator[Subject]:
    rows = Release.objects.filter(pk__in=ids).select_related(
        "version__model", "environment", "endpoint"
    )
    fields = ("number", "project_id", "version__number", "version__model__name")
    for row in rows.only(*fields, "environment__name", "endpoint__name"):
        where = row.environment.name
        title = f"Release {row.number}: {row.version} to {where} / {row.endpoint.name}"
        yield Subject(kind, row.pk, row.project_id, where, title)


def _names(subject: Subject, part: str) -> Collection[str]:
    if part != "metrics":
        return ()
    return metric_names(Release.objects.values_list("version_id", flat=True).get(pk=subject.id))


def _policies(kind: SubjectKind, ids: Collection[str]) -> Iterator[Subject]:
    rows = PolicyRevision.objects.filter(pk__in=ids).select_related("environment")
    for row in rows.only("number", "project_id", "environment__name"):
        where = row.environment.name
        yield Subject(kind, row.pk, row.project_id, where, f"Policy r{row.number} of {where}")


RELEASE = SubjectKind(
    name="release",
    noun="release",
    view="release.view",
    write="release.comment",
    parts=("metrics", "evidence", "card", "changes", "gates", "plan", "serving"),
    find=_releases,
    names=_names,
)
POLICY = SubjectKind(
    name="policy",
    noun="policy revision",
    view="policy.view",
    write="release.comment",
    parts=("gates", "source", "changes"),
    find=_policies,
)


def discussed() -> tuple[SubjectKind, ...]:
    """Return what of this app is discussed."""
    return (RELEASE, POLICY)
