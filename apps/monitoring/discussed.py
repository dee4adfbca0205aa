"""Alerts as discussions know them."""

from collections.abc import Collection, Iterator

from apps.discussions.hooks import Subject, SubjectKind
from apps.monitoring.models import Alert


def _alerts(kind: SubjectKind, ids: Collection[str]) -> Iterator[Subject]:
    for row in Alert.objects.filter(pk__in=ids):
        title = f"Alert: {row.get_kind_display()}, {row.about}"
        yield Subject(kind, row.pk, row.project_id or "", row.environment, title)


ALERT = SubjectKind(
    name="alert",
    noun="alert",
    view="alert.view",
    write="release.comment",
    parts=(),
    find=_alerts,
)


def discussed() -> tuple[SubjectKind, ...]:
    """Return what of this app is discussed."""
    return (ALERT,)
