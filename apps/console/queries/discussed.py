"""Things that are discussed, as pages name them: where each stands, and where a part of it does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from apps.console.queries.page_parts import Link, Tab
from apps.console.queries.release_evidence import release_tabs
from apps.console.queries.release_words import with_words
from apps.discussions.queries import get_subject
from apps.governance.models import PolicyRevision
from apps.governance.queries.visible_rows import release
from apps.identity.queries import visible
from apps.registry.queries import version_by_id
from placet.kernel.actor import Actor
from placet.kernel.problems import NotFound

IN_EVIDENCE = {"metrics": "#kind-metrics", "evidence": "", "card": "#kind-model_card"}


@dataclass(frozen=True, slots=True)
class Thing:
    """What is discussed: its page, and the pages above that."""

    url: str  # '' where it is gone
    above: Sequence[Link] = ()
    tabs: Sequence[Tab] = ()
    release: Any = None  # where it is one, with all that its heading says
    evidence_url: str = ""

    def part_url(self, anchor: str) -> str:
        """Return where the part stands that an anchor names; '' for one of a thing that is gone."""
        part = anchor.partition("/")[0]
        if self.evidence_url and part in IN_EVIDENCE:
            return self.evidence_url + IN_EVIDENCE[part]
        return self.url


def discussion_url(kind: str, subject: str) -> str:
    """Return where a thing is discussed."""
    if kind == "release":
        return reverse("release-discussion", args=[subject])
    return reverse("discussion", args=[kind, subject])


def thing(kind: str, subject: str, actor: Actor) -> Thing:
    """Return what is discussed as pages name it, or raise ``NotFound`` (one query)."""
    if kind not in THINGS:
        raise NotFound
    return THINGS[kind](subject, actor)


def thing_or_gone(kind: str, subject: str, actor: Actor) -> Thing:
    """Return what a thread is about that ``actor`` sees, as pages name it; without a page where it
    is gone, such as a draft that was discarded (one query)."""
    try:
        return thing(kind, subject, actor)
    except NotFound:
        return Thing("")


def _release(subject: str, actor: Actor) -> Thing:
    row = release(subject, actor, with_words)
    return Thing(
        url=reverse("release", args=[row.pk]),
        tabs=release_tabs(row, "release-discussion"),
        release=row,
        evidence_url=reverse("release-evidence", args=[row.pk]),
    )


def _version(subject: str, actor: Actor) -> Thing:
    row = version_by_id(subject, actor)
    model = row.model.name
    url = reverse("version", args=[row.project.slug, model, row.number])
    above = Link(model, reverse("model", args=[row.project.slug, model]))
    return Thing(
        url, [Link("Models", reverse("models")), above, Link(f"version {row.number}", url)]
    )


def _policy(subject: str, actor: Actor) -> Thing:
    rows = PolicyRevision.objects.filter(pk=subject).select_related("environment__project")
    row = visible(rows, actor, view="policy.view").first()
    if row is None:
        raise NotFound
    place = row.environment.project.slug, row.environment.name
    url = reverse("policy", args=[*place, row.number])
    above = Link(row.environment.name, reverse("policies", args=place))
    top = Link("Policies and environments", reverse("policy-list"))
    return Thing(url, [top, above, Link(f"r{row.number}", url)])


def _alert(subject: str, actor: Actor) -> Thing:
    get_subject("alert", subject, actor)
    return Thing(reverse("alerts"), [Link("Alerts", reverse("alerts"))])


THINGS: dict[str, Callable[[str, Actor], Thing]] = {
    "release": _release,
    "version": _version,
    "policy": _policy,
    "alert": _alert,
}
