"""What mails say: what happened as pages tell it, where that is, and how to stop. Never what people
wrote, and no link that decides anything."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from django.core.mail import EmailMessage

from apps.audit.hooks import teller
from apps.audit.models import Event
from apps.audit.queries.events import entry_of
from apps.governance.models import PolicyRevision
from apps.identity.models import ApiToken, Project, User
from apps.notices.asked import Asked, asked_of, once
from apps.notices.models import Notice
from apps.notices.rules import DAILY, EXPIRING, KINDS
from placet.kernel.actor import Actor
from placet.kernel.config import config

LISTED = 100  # notices that a digest lists
PAGES = {
    "rel_": "/releases/{}/",
    "bgl_": "/break-glass/{}/",
    "rlo_": "/rollouts/{}/",
    "thr_": "/threads/{}/",
    "bld_": "/builds/{}/",
    "tok_": "/tokens/",
    "alr_": "/alerts/",
}
PREFERENCES = "/notifications/"


@dataclass(frozen=True, slots=True)
class Item:
    """What one notice says."""

    headline: str
    lines: tuple[str, ...]
    about: str
    url: str


def letter(notices: Sequence[Notice], person: User, actor: Actor) -> EmailMessage:
    """Return the mail that tells ``person`` of ``notices``, which are all that it holds. Of a
    release that they are asked to review it tells once.

    Sent again after a crash it has the same id: a mailbox that knows ids shows it once.
    """
    items = _items(once(notices), actor)
    host = urlsplit(config().public_url).hostname
    return EmailMessage(
        subject=_line(_subject(items, is_digest=notices[0].way == DAILY)),
        body=_body(items),
        to=[person.email],
        headers={
            "Message-ID": f"<{notices[0].letter}@{host}>",
            "Auto-Submitted": "auto-generated",
            "List-Unsubscribe": f"<{_address(PREFERENCES)}>",
        },
    )


def _subject(items: Sequence[Item], *, is_digest: bool) -> str:
    first, count = items[0], len(items)
    if is_digest:
        return f"[Placet] Daily digest: {count} notice{'' if count == 1 else 's'}"
    if count > 1:
        return f"[Placet] {count} notices"
    return f"[Placet] {first.headline}" + (f": {first.about}" if first.about else "")


def _body(items: Sequence[Item]) -> str:
    parts = ["\n".join([item.headline, *item.lines, item.url]) for item in items[:LISTED]]
    if len(items) > LISTED:
        parts.append(f"And {len(items) - LISTED} more.")
    parts.append(f"-- \nChoose what is mailed to you, or stop it: {_address(PREFERENCES)}")
    return "\n\n".join(parts)


def _items(notices: Sequence[Notice], actor: Actor) -> list[Item]:
    """Return what the notices say, in few queries however many."""
    indexes = [notice.index for notice in notices if notice.index is not None]
    events = list(Event.objects.filter(index__in=indexes).order_by("index"))
    entries = [entry_of(event) for event in events]
    told = dict(zip((e.index for e in entries), teller()(entries, actor), strict=True))
    times = {entry.index: entry.at for entry in entries}
    slugs = _slugs(entry.place.project for entry in entries)
    places = {
        entry.index: [slugs.get(entry.place.project or "", ""), entry.place.environment or ""]
        for entry in entries
    }
    policies = _policy_pages(notices)
    tokens, asked = _token_lines(notices), asked_of(notices, actor)
    items = []
    for notice in notices:
        said = told.get(notice.index) if notice.index is not None else None
        place = places.get(notice.index or 0, []) if said and said.project_name else []
        names = [said.about_name, *place] if said else []
        task = asked.get(notice.subject, Asked())
        lines = [said.sentence, " · ".join(filter(None, names))] if said else []
        lines += [_at(times.get(notice.index or 0))] if said else [tokens.get(notice.subject, "")]
        items.append(
            Item(
                headline=task.headline(notice.kind, KINDS[notice.kind].headline),
                lines=tuple(_line(line) for line in (*lines, *task.lines, task.first) if line),
                about=said.about_name if said else "",
                url=_address(policies.get(notice.subject) or _page(notice.subject)),
            )
        )
    return items


def _at(time: datetime | None) -> str:
    return f"{time:%-d %b %Y, %H:%M} UTC" if time else ""


def _page(subject: str) -> str:
    return PAGES.get(subject[:4], "/inbox/").format(subject)


def _slugs(projects: Iterable[str | None]) -> Mapping[str, str]:
    """Return what projects are called in addresses: their names are whatever somebody wrote."""
    rows = Project.objects.filter(pk__in={one for one in projects if one})
    return dict(rows.values_list("pk", "slug"))


def _policy_pages(notices: Sequence[Notice]) -> Mapping[str, str]:
    """Return where the policy drafts among them are."""
    ids = [notice.subject for notice in notices if notice.kind == "policy"]
    rows = PolicyRevision.objects.filter(pk__in=ids) if ids else PolicyRevision.objects.none()
    place = ("pk", "environment__project__slug", "environment__name", "number")
    return {pk: f"/policies/{slug}/{name}/{n}/" for pk, slug, name, n in rows.values_list(*place)}


def _token_lines(notices: Sequence[Notice]) -> Mapping[str, str]:
    """Return what is said of the tokens among them: whose they are shows their beginning."""
    ids = [notice.subject for notice in notices if notice.kind == EXPIRING]
    rows = ApiToken.objects.filter(pk__in=ids) if ids else ApiToken.objects.none()
    return {token.pk: f"Token {token.prefix}… expires on {_at(token.expires_at)}" for token in rows}


def _address(path: str) -> str:
    return config().public_url.rstrip("/") + path


def _line(text: str) -> str:
    """Return ``text`` as one line, however names are written, with nothing that a reader of mail
    makes a link of: a header ends at its line, and the only links are ours."""
    return " ".join(text.split()).replace("://", ": //")
