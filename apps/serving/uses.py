"""Which projects and environments may use which target."""

from collections.abc import Collection, Iterable

from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.identity.models import Project
from apps.serving.errors import TargetNotListed
from apps.serving.models import Target, TargetUse


def covering(environment: str | OuterRef) -> Q:
    """Select the entries that reach ``environment`` of the project that they are about."""
    return Q(environment__in=("", environment))


def usable(targets: QuerySet[Target], project: str, environment: str) -> QuerySet[Target]:
    """Return those of ``targets`` that list the environment, by itself or with its project."""
    entries = TargetUse.objects.filter(covering(environment), target=OuterRef("pk"))
    return targets.filter(Exists(entries.filter(project=project)))


def unlisted(
    targets: Iterable[str], project: str, environment: str, *, lock: bool = True
) -> dict[str, str]:
    """Return why each of ``targets`` (ids) may not be used, in a sentence, by the target's id.

    With ``lock`` all of them are held until the transaction ends, in one order: an entry that is
    being taken away is either gone here, or stays until what is put there can be seen. See
    :mod:`apps.rollouts.actions.locking` for what is held before and behind them.
    """
    rows = Target.objects.filter(pk__in=list(targets)).order_by("pk")
    names = {row.pk: row.name for row in (rows.select_for_update(no_key=True) if lock else rows)}
    entries = TargetUse.objects.filter(target__in=names, project=project)
    known: dict[str, set[str]] = {}
    for target, named in entries.values_list("target", "environment"):
        known.setdefault(target, set()).add(named)
    refused = [pk for pk in names if not known.get(pk, set()) & {"", environment}]
    slug = Project.objects.get(pk=project).slug if refused else ""
    return {pk: _why(names[pk], slug, environment, elsewhere=pk in known) for pk in refused}


def why_unlisted(target: str, project: str, environment: str, listed: Collection[str]) -> str:
    """Return why a target (its name) may not be used by an environment of a project (its slug),
    which it lists as ``listed``; '' when it may."""
    if {"", environment} & set(listed):
        return ""
    return _why(target, project, environment, elsewhere=bool(listed))


def _why(target: str, project: str, environment: str, *, elsewhere: bool) -> str:
    whom = f"{environment} of this project" if elsewhere else "this project"
    command = f"placet target allow {target} {project}/{environment}"
    return f"{target} does not list {whom}: who manages targets adds it ({command})"


def refuse_unlisted(target: str, project: str, environment: str, *, lock: bool = True) -> None:
    """Raise :class:`TargetNotListed` unless the target (an id) lists the environment, and hold it
    as :func:`unlisted` does. What runs there already and a way back are not asked this."""
    if why := unlisted([target], project, environment, lock=lock).get(target):
        raise TargetNotListed(why)
