"""What somebody who recalls names, as people write it."""

import re
from dataclasses import dataclass

from apps.assurance.models import RecallKind
from apps.assurance.rules import FORMS, IN_PROJECT, written
from apps.builds.models import Bento
from apps.identity.models import Project, User
from apps.identity.queries import project_by_slug
from apps.registry.models import ModelVersion
from placet.kernel.actor import Actor, Scope
from placet.kernel.problems import FieldError, InvalidInput, NotFound

_NAME = re.compile(r"([^/:\s]+)/([^/:\s]+):([0-9]{1,9})")


@dataclass(frozen=True, slots=True)
class RecallItem:
    """What is named, by its id or digest, and the project that it belongs to."""

    what: str
    project: Project | None  # None: it counts everywhere, or nothing says which it is


def recallable(actor: Actor) -> list[Project]:
    """Return the projects in which ``actor`` may recall."""
    rows = Project.objects.order_by("slug")
    return [row for row in rows if actor.can("recall.create", Scope(row.pk))]


def named_item(
    actor: Actor, projects: list[Project], *, kind: str, what: str, project: str
) -> RecallItem:
    """Return what is meant by who may recall in ``projects``.

    Raises :class:`NotFound` or :class:`InvalidInput` where it means nothing. A version may be named
    PROJECT/MODEL:NUMBER, a person by their e-mail address. Where no project is chosen it is the one
    of the version or the Bento; for a dataset the only one there is.
    """
    if kind not in IN_PROJECT:
        return RecallItem(named_person(what, actor) if kind == RecallKind.PERSON else what, None)
    by_name = _NAME.fullmatch(what.strip().lower()) if kind == RecallKind.VERSION else None
    slug = project or (by_name[1] if by_name else "")
    chosen = next((row for row in projects if row.slug == slug), None)
    if chosen is None and slug:  # where the reader may not recall, as is said then
        try:
            chosen = project_by_slug(slug, actor)
        except NotFound:
            if project:
                raise
    if chosen is not None and (by_name is None or chosen not in projects):
        return RecallItem(what, chosen)
    within = [chosen] if chosen is not None else projects
    if kind == RecallKind.DATASET:  # any project may have used it
        return RecallItem(what, within[0] if len(within) == 1 else None)
    found = _by_name(by_name, within) if by_name else _by_id(kind, what, within)
    if found is None:
        raise NotFound(f"There is no such {kind} here")
    return RecallItem(found.pk, found.project)


def named_person(what: str, actor: Actor) -> str:
    """Return the id of the person with an e-mail address, for who may know those; anything else as
    it is."""
    if "@" not in what or not actor.can("access.view"):
        return what
    person = User.objects.with_email(what.strip()).first()
    if person is None:
        raise NotFound("There is no such person here")
    return str(person.pk)


def _by_name(name: re.Match[str], projects: list[Project]) -> ModelVersion | None:
    rows = ModelVersion.objects.filter(project__in=projects, project__slug=name[1])
    return rows.select_related("project").filter(model__name=name[2], number=int(name[3])).first()


def _by_id(kind: str, what: str, projects: list[Project]) -> ModelVersion | Bento | None:
    written_as = written(kind, what)
    if written_as is None:
        name = "PROJECT/MODEL:NUMBER, or " if kind == RecallKind.VERSION else ""
        raise InvalidInput(errors=[FieldError("/what", f"{name}{FORMS[kind]}")])
    rows: type[ModelVersion | Bento] = ModelVersion if kind == RecallKind.VERSION else Bento
    return (
        rows.objects.filter(pk=written_as, project__in=projects).select_related("project").first()
    )
