"""What every page shows around its content: who is signed in, and the menu."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from apps.console.addresses import form_page
from apps.console.queries.alerts import open_alerts, with_open_alerts
from apps.console.queries.break_glass_page import banners
from apps.console.queries.page_parts import Link
from apps.governance.queries.visible_rows import Menu, Waiting, menu, waiting_on
from placet.kernel.actor import ANONYMOUS, Actor


@dataclass(frozen=True, slots=True)
class MenuItem:
    """One entry of the menu."""

    label: str
    url: str
    active: bool
    count: int = 0
    counted: str = ""  # what


MENU = (
    ("Home", "home", ""),
    ("Projects", "projects", "project.view"),
    ("Models", "models", "model.view"),
    ("Releases", "releases", "release.view"),
    ("Endpoints", "endpoints", "endpoint.view"),
    ("Alerts", "alerts", "alert.view"),
    ("Recalls", "recalls", "recall.view"),
    ("Targets", "targets", "target.view"),
    ("Policies", "policy-list", "policy.view"),
    ("Duties", "duties", "access.view"),
    ("Audit", "audit", "audit.view"),
)

ACCOUNT: tuple[tuple[str, str, tuple[str, ...]], ...] = (  # one of the permissions is enough
    ("API tokens", "tokens", ()),
    ("Passkeys and second factor", "mfa_index", ()),
    ("Approvers' passkeys", "passkeys", ()),
    ("People and access", "admin:index", ("access.manage",)),
    ("Streams of the log", "streams", ("stream.view",)),
    ("Witnesses of the log", "witnesses", ("audit.witness", "audit.view")),
    ("Retention of the log", "retention", ("audit.hold", "audit.view")),
    ("Docs", "guides", ()),
    ("API reference", "api-docs", ()),
)


def shell(request: HttpRequest) -> dict[str, Any]:
    """Return the actor and the menu that they may use; nothing for a part of a page."""
    actor: Actor = getattr(request, "actor", ANONYMOUS)
    account = partial(account_menu, actor)  # asked by who shows it: a part of a page does not
    if actor.kind == "anonymous" or request.headers.get("HX-Request"):
        form = partial(form_page, request)
        return {"actor": actor, "navigation": [], "account_menu": account, "form_page": form}
    listed: Waiting | None = getattr(request, "waiting", None)  # by a page that asked for more
    page_menu = (
        menu(actor, partial(with_open_alerts, actor=actor))
        if listed is None
        else Menu(listed.size, listed.glasses, listed.beside)
    )
    items = navigation(request, actor, counts_of(page_menu, actor))
    return {
        "actor": actor,
        "navigation": items,
        "account_menu": account,
        "broken_glasses": banners(page_menu.glasses),
        "form_page": partial(form_page, request),  # asked by the page of a refusal
        "nearest": partial(nearest, request, items, actor),
    }


def counts_of(page_menu: Menu, actor: Actor) -> dict[str, tuple[int, str]]:
    """Return how many things stand behind entries of the menu, and what they are."""
    beside = page_menu.beside
    alerts = open_alerts(actor) if beside is None else beside.open_alerts
    return {"releases": (page_menu.waiting, "waiting for you"), "alerts": (alerts, "open alerts")}


def navigation(
    request: HttpRequest, actor: Actor, counts: Mapping[str, tuple[int, str]]
) -> list[MenuItem]:
    """Return the menu entries that the actor's permissions open."""
    items = []
    for label, name, permission in MENU:
        if permission and not actor.can_somewhere(permission):
            continue
        url = reverse(name)
        active = request.path == url if url == "/" else request.path.startswith(url)
        items.append(MenuItem(label, url, active, *counts.get(name, (0, ""))))
    return items


def nearest(request: HttpRequest, items: list[MenuItem], actor: Actor) -> Link | None:
    """Return the page of the menus above the one that was asked for: one that the reader may open,
    whatever there is below it."""
    links = [Link(item.label, item.url) for item in items if item.url != "/"]
    above = [
        link
        for link in [*links, *account_menu(actor)]
        if request.path.startswith(link.url) and request.path != link.url
    ]
    return max(above, key=lambda link: len(link.url), default=None)


def account_menu(actor: Actor) -> list[Link]:
    """Return what the reader's own menu leads to."""
    return [
        Link(text, reverse(name))
        for text, name, permissions in ACCOUNT
        if not permissions or any(actor.can_somewhere(each) for each in permissions)
    ]


def waiting(request: HttpRequest, actor: Actor) -> Waiting:
    """Return what waits on the actor; the menu and the page ask once for both."""
    cached: Waiting | None = getattr(request, "waiting", None)
    if cached is None:
        cached = waiting_on(actor, partial(with_open_alerts, actor=actor))
        setattr(request, "waiting", cached)  # noqa: B010  (a request has no such field)
    return cached
