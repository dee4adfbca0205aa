"""Versions as discussions know them."""

from collections.abc import Collection, Iterator

from apps.discussions.hooks import Subject, SubjectKind
from apps.registry.models import ModelVersion
from apps.registry.queries import metric_names


def _versions(kind: SubjectKind, ids: Collection[str]) -> Iterator[Subject]:
    rows = ModelVersion.objects.filter(pk__in=ids).select_related("model")
    for row in rows.only("number", "project_id", "model__name"):
        yield Subject(kind, row.pk, row.project_id, "", str(row))


def _names(subject: Subject, part: str) -> Collection[str]:
    return metric_names(subject.id) if part == "metrics" else ()


VERSION = SubjectKind(
    name="version",
    noun="version",
    view="version.view",
    write="release.comment",
    parts=("metrics", "card", "evidence", "signature", "lineage", "files", "builds"),
    find=_versions,
    names=_names,
)


def discussed() -> tuple[SubjectKind, ...]:
    """Return what of this app is discussed."""
    return (VERSION,)
