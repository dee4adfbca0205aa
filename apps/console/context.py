"""What every page shows around its content: who is signed in, where they stand, and the menu."""

from collections import Counter
from functools import partial
from typing import Any

from django.core.validators import slug_re
from django.http import HttpRequest
from django.urls import reverse

from apps.console.addresses import form_page, standing
from apps.console.navigation import (
    ACCOUNT,
    DEPLOYMENTS,
    IN_ALL,
    Counts,
    Navigation,
    navigation,
    page_above,
)
from apps.console.queries.break_glass_page import banners
from apps.console.queries.frame import Frame, Tasks, frame_of, with_frame
from apps.console.queries.home_page import HomePage
from apps.console.queries.inbox import InboxPage
from apps.console.queries.page_parts import Link, in_a_row
from apps.console.queries.release_rows import DECIDED, with_requester
from apps.governance.queries.by_clock import with_clock
from apps.governance.queries.requested_changes import with_requests
from apps.governance.queries.visible_rows import Menu, Waiting, menu, waiting_on
from apps.governance.rules import ROLE_OF
from placet.kernel.actor import ANONYMOUS, Actor

DECIDED_ON = "releases that wait for your role"
COOKIE = "project"  # the slug of the project that its reader stood in last


def shell(request: HttpRequest) -> dict[str, Any]:
    """Return the actor and the menu that they may use; nothing for a part of a page."""
    actor: Actor = getattr(request, "actor", ANONYMOUS)
    if actor.kind == "anonymous" or request.headers.get("HX-Request"):
        form = partial(form_page, request)
        return {"actor": actor, "navigation": Navigation(), "form_page": form}
    listed: Waiting | None = getattr(request, "waiting", None)  # by a page that asked for more
    page_menu = (
        menu(actor, partial(with_frame, actor=actor, chosen=chosen(request)))
        if listed is None
        else Menu(_waiting_for_role(listed), listed.glasses, listed.beside)
    )
    tasks: Tasks | None = getattr(request, "tasks", None)  # by a page that lists them
    frame = frame_of(page_menu.beside, actor, chosen(request), tasks)
    return {
        "actor": actor,
        "withheld": sorted(actor.withheld),
        "navigation": navigation(standing(request.path), actor, frame, counts_of(page_menu, frame)),
        "account_menu": account_menu(actor),
        "broken_glasses": banners(page_menu.glasses),
        "form_page": partial(form_page, request),  # asked by the page of a refusal
        "nearest": partial(page_above, request.path, actor),
    }


def _waiting_for_role(listed: Waiting) -> Counter[str]:
    """Count what is listed as :func:`menu` does: nothing for who was recalled."""
    rows: list[Any] = listed.rows
    return Counter(row.project_id for row in rows if not row.recalled)


def account_menu(actor: Actor) -> list[Link]:
    """Return what stands below one's own name."""
    decided = f"{reverse('releases')}?who={DECIDED}"
    own = [Link("Your profile", reverse("person", args=[actor.accountable]))]
    if any(actor.can_somewhere(permission) for permission in ROLE_OF):
        own.append(Link("Your decisions", decided))
    return [*own, *(Link(entry.text, reverse(entry.route)) for entry in ACCOUNT)]


def chosen(request: HttpRequest) -> str:
    """Return the slug or id of the project that a page is about: by what it shows, by its address,
    or, where neither says, the one that its reader stood in last. A list of all projects' things is
    about none."""
    shown: str = getattr(request, "frame", "")
    match = request.resolver_match
    if slug := shown or (match.kwargs.get("project", "") if match else ""):
        return slug
    if request.path in (reverse(entry.route) for entry in (*IN_ALL, *DEPLOYMENTS)):
        return request.GET.get("project", "").replace("\x00", "")
    kept = request.COOKIES.get(COOKIE, "")
    return kept if slug_re.match(kept) else ""


def counts_of(page_menu: Menu, frame: Frame) -> Counts:
    """Return how many things stand behind entries of the menu, in the project where one stands, and
    what they are."""
    at, waiting = frame.project, page_menu.waiting
    here = waiting.total() if at is None else waiting[at.id]
    alerts = frame.alerts.total() if at is None else frame.alerts[at.id]
    inbox = {
        DECIDED_ON: waiting.total(),
        "approved releases to be rolled out": frame.tasks.startable,
        "rollouts that wait for a person to go on or for a second one": frame.tasks.paused,
        "policy drafts that you may publish": frame.tasks.drafts,
        "discussions that mention you": frame.tasks.mentions,
        "releases of yours to change": frame.tasks.changes,
        "emergency releases to co-sign or review": frame.tasks.glasses,
    }
    said = [what for what, count in inbox.items() if count]
    return {
        "inbox": (sum(inbox.values()), in_a_row(said) if said else ""),
        "releases": (here, DECIDED_ON),
        "alerts": (alerts, f"open alerts in {at.name}" if at else "open alerts"),
    }


def waiting(request: HttpRequest, actor: Actor, *, lists_all: bool = False) -> Waiting:
    """Return what waits on the actor; the menu and the page ask once for both. A page that
    ``lists_all`` that waits besides then calls :func:`count_listed`."""
    cached: Waiting | None = getattr(request, "waiting", None)
    if cached is None:
        place = chosen(request)
        cached = waiting_on(
            actor,
            lambda rows: with_clock(
                with_requests(
                    with_requester(
                        with_frame(rows, actor=actor, chosen=place, counted=not lists_all)
                    )
                )
            ),
        )
        setattr(request, "waiting", cached)  # noqa: B010  (a request has no such field)
    return cached


def count_listed(request: HttpRequest, page: HomePage | InboxPage) -> None:
    """Have the menu count what a page lists that waits besides decisions: it is not read again."""
    listed = (page.startable, page.paused, page.drafts, page.mentions, page.changes, page.glasses)
    counts = (len(rows) for rows in listed)
    setattr(request, "tasks", Tasks(*counts))  # noqa: B010  (a request has no such field)
