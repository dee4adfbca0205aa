"""What the form for a recall names, and what a recall took back, as people write it."""

from dataclasses import dataclass
from typing import Any

from django.db.models import OuterRef, Subquery
from django.db.models.functions import Coalesce, JSONObject
from django.urls import reverse

from apps.assurance.models import RecallKind
from apps.assurance.rules import FORMS, IN_PROJECT, written
from apps.builds.models import Bento
from apps.console.queries.page_parts import Link
from apps.console.queries.search import SearchTerms, wanted
from apps.identity.models import Project
from apps.identity.queries import project_by_slug
from apps.registry.models import ModelVersion
from placet.kernel.actor import Actor, Scope
from placet.kernel.problems import FieldError, InvalidInput, NotFound


@dataclass(frozen=True, slots=True)
class RecallItem:
    """What is named, by its id or digest, and the project that it belongs to."""

    what: str
    project: Project | None  # None: it counts everywhere, or nothing says which it is


def recalled_item() -> Coalesce:
    """The version that was recalled, or that of the Bento, as a column of a query for recalls."""
    own = ModelVersion.objects.filter(pk=OuterRef("what"))
    built = ModelVersion.objects.filter(bentos=OuterRef("what"))
    named = JSONObject(project="project__slug", model="model__name", number="number")
    return Coalesce(*(Subquery(rows.values(json=named)[:1]) for rows in (own, built)))


def item_link(recall: Any) -> Link | None:
    """Return where the version of ``recall`` is read, by its name; ``None`` where it has none."""
    item = recall.item
    if not item:
        return None
    url = reverse("version", args=[item["project"], item["model"], item["number"]])
    return Link(f"{item['model']}:{item['number']}", url)


def recallable(actor: Actor) -> list[Project]:
    """Return the projects in which ``actor`` may recall."""
    rows = Project.objects.order_by("slug")
    return [row for row in rows if actor.can("recall.create", Scope(row.pk))]


def named_item(
    actor: Actor, projects: list[Project], *, kind: str, what: str, project: str
) -> RecallItem:
    """Return what a form that offers ``projects`` means.

    Raises :class:`NotFound` or :class:`InvalidInput` where it means nothing. A version may be named
    PROJECT/MODEL:NUMBER. Where no project is chosen it is the one of the version or the Bento; for
    a dataset the only one there is.
    """
    if kind not in IN_PROJECT:
        return RecallItem(what, None)
    terms = wanted(what) if kind == RecallKind.VERSION else SearchTerms(what)
    by_name = bool(terms.project and terms.number)
    chosen = next((row for row in projects if row.slug == project), None)
    if chosen is None and project:
        chosen = project_by_slug(project, actor)  # where the reader may not recall, as is said then
    if chosen is not None and not by_name:
        return RecallItem(what, chosen)
    within = [chosen] if chosen is not None else projects
    if kind == RecallKind.DATASET:  # any project may have used it
        return RecallItem(what, within[0] if len(within) == 1 else None)
    found = _by_name(terms, within) if by_name else _by_id(kind, what, within)
    if found is None:
        raise NotFound(f"There is no such {kind} here")
    return RecallItem(found.pk, found.project)


def _by_name(terms: SearchTerms, projects: list[Project]) -> ModelVersion | None:
    rows = ModelVersion.objects.filter(project__in=projects, project__slug=terms.project)
    rows = rows.select_related("project").filter(model__name=terms.model, number=terms.number or 0)
    return rows.first()


def _by_id(kind: str, what: str, projects: list[Project]) -> ModelVersion | Bento | None:
    written_as = written(kind, what)
    if written_as is None:
        name = "PROJECT/MODEL:NUMBER, or " if kind == RecallKind.VERSION else ""
        raise InvalidInput(errors=[FieldError("/what", f"{name}{FORMS[kind]}")])
    rows: type[ModelVersion | Bento] = ModelVersion if kind == RecallKind.VERSION else Bento
    return (
        rows.objects.filter(pk=written_as, project__in=projects).select_related("project").first()
    )
