"""Watching, and choosing how one is told: everybody for themselves. The log has no events of it
(:class:`apps.notices.models.Watch`)."""

from collections.abc import Mapping

from django.db import transaction

from apps.governance.models import Release
from apps.identity.models import Project, User
from apps.identity.queries import sees_in, stands_for_person
from apps.identity.rules import WRITES
from apps.notices.errors import NarrowToken
from apps.notices.models import Preference, Watch
from apps.notices.queries import refuse_program
from apps.notices.rules import EXPIRING, KINDS, USUAL, WAYS
from placet.kernel.actor import Actor
from placet.kernel.clock import now
from placet.kernel.problems import FieldError, InvalidInput, NotFound


def choose(kind: str, *, way: str, project: Project | None = None, actor: Actor) -> None:
    """Have ``actor`` told of ``kind`` in this ``way``, in one project or in all that have no choice
    of their own. ``usual`` takes back what was chosen."""
    refuse_program(actor)
    faults = [] if kind in KINDS else [FieldError("/kind", f"One of {', '.join(KINDS)}")]
    if way not in (*WAYS, USUAL):
        faults.append(FieldError("/way", f"One of {', '.join((*WAYS, USUAL))}"))
    if kind == EXPIRING and project is not None:
        faults.append(FieldError("/project", "A token is told of everywhere or nowhere"))
    if faults:
        raise InvalidInput(errors=faults)
    if project is not None and not sees_in(project.pk, "project.view", actor):
        raise NotFound
    _refuse_narrow(actor, project)
    with transaction.atomic():
        person = User.objects.select_for_update(no_key=True).get(pk=actor.accountable)
        rows = Preference.objects.filter(person=person, project=project, kind=kind)
        if way == USUAL:
            rows.delete()
        elif not rows.update(way=way):
            Preference.objects.create(person=person, project=project, kind=kind, way=way)


def choose_all(ways: Mapping[str, str], *, actor: Actor) -> None:
    """Have ``actor`` told of each kind in its way, in all projects that have no choice of their
    own; or change nothing where one of them is wrong."""
    with transaction.atomic():
        for kind, way in ways.items():
            choose(kind, way=way, actor=actor)


def watch_project(project: Project, *, is_on: bool, actor: Actor) -> None:
    """Have ``actor`` watch a project or no longer: its releases, and what is wrong in it."""
    refuse_program(actor)
    if not sees_in(project.pk, "project.view", actor):
        raise NotFound
    _refuse_narrow(actor, project)
    _set(project.pk, None, is_on, actor)


def watch_release(release: Release, *, is_on: bool, actor: Actor) -> None:
    """Have ``actor`` watch a release, or have no news of it, whether or not they asked for it,
    decided on it, were mentioned there or watch its project."""
    refuse_program(actor)
    if not sees_in(release.project_id, "release.view", actor):
        raise NotFound
    _refuse_narrow(actor, release.project)
    _set(release.project_id, release.pk, is_on, actor)


def _set(project: str, release: str | None, is_on: bool, actor: Actor) -> None:
    with transaction.atomic():
        person = User.objects.select_for_update(no_key=True).get(pk=actor.accountable)
        mine = Watch.objects.filter(person=person, project=project, release=release)
        if release is None and not is_on:
            mine.delete()
        elif not mine.update(is_on=is_on):
            place = {"project_id": project, "release_id": release}
            Watch.objects.create(person=person, **place, is_on=is_on, created_at=now())


def _refuse_narrow(actor: Actor, project: Project | None) -> None:
    """Refuse a token that may not also write: in the ``project``, or for all of them wherever its
    holder may."""
    if actor.in_session:
        return
    if project is not None:
        able = sees_in(project.pk, WRITES, actor)
    else:
        able = stands_for_person(actor, WRITES)
    if not able:
        where = "in this project" if project else "wherever you may"
        raise NarrowToken(
            f"Choose in the browser, or with a token that may write {where} ({WRITES})"
        )
