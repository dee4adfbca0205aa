"""How pages show states, digests, times and numbers: one way for all of them."""

import json
import math
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django import template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from apps.console.queries.actor_names import by_machine
from apps.governance.queries.changes import MetricComparison
from apps.identity.queries import Scoped, scope_of
from apps.registry.comparison import preferred
from apps.rollouts.guard import sentences
from placet.kernel.actor import Actor, Scope
from placet.kernel.clock import now
from placet.kernel.durations import spell
from placet.kernel.sizes import spell_size
from placet_protocol.guard import GuardEntry
from placet_verify.capture import Capture
from placet_verify.units import UnitSource

register = template.Library()
register.filter(spell)
register.filter("machine", by_machine)

SHOWN = 4  # digits of a number

# state → (tone, icon, words). A state is always an icon and a word, never a colour alone.
STATES: dict[str, tuple[str, str, str]] = {
    "draft": ("plain", "○", "Draft"),
    "finalised": ("pass", "●", "Finalised"),
    "published": ("pass", "●", "Published"),
    "queued": ("wait", "◷", "Queued"),
    "running": ("wait", "◷", "Running"),
    "succeeded": ("pass", "✓", "Succeeded"),
    "failed": ("fail", "✕", "Failed"),
    "cancelled": ("plain", "–", "Cancelled"),
    "requested": ("wait", "◷", "Waiting"),
    "approved": ("pass", "✓", "Approved"),
    "rolling_out": ("wait", "◷", "Rolling out"),
    "live": ("pass", "●", "Live"),
    "superseded": ("plain", "–", "Superseded"),
    "retired": ("plain", "–", "Retired"),
    "deleted": ("plain", "–", "Deleted"),
    "rejected": ("fail", "✕", "Rejected"),
    "withdrawn": ("plain", "–", "Withdrawn"),
    "expired": ("plain", "–", "Expired"),
    "rolled_back": ("fail", "↩", "Rolled back"),
    "revoked": ("fail", "✕", "Revoked"),
    "starting": ("wait", "◷", "Starting"),
    "ready": ("pass", "✓", "Ready"),
    "not_ready": ("wait", "◷", "Not ready"),
    "asleep": ("plain", "☾", "Asleep"),
    "warm": ("plain", "◐", "Standby"),
    "draining": ("wait", "◷", "Draining"),
    "stopping": ("wait", "◷", "Stopping"),
    "stopped": ("plain", "■", "Stopped"),
    "shifting": ("wait", "◷", "Shifting traffic"),
    "skipped": ("plain", "–", "Skipped"),
    "now": ("wait", "◷", "Now"),
    "analysing": ("wait", "◷", "Analysing"),
    "successful": ("pass", "✓", "Successful"),
    "effect_shown": ("pass", "✓", "Effect shown"),
    "shipped": ("pass", "✓", "Shipped"),
    "inconclusive": ("wait", "?", "Inconclusive"),
    "done": ("pass", "✓", "Done"),
    "returning": ("wait", "◷", "Returning"),
    "aborting": ("wait", "◷", "Aborting"),
    "aborted": ("fail", "✕", "Aborted"),
    "active": ("pass", "●", "Active"),
    "alive": ("pass", "●", "Online"),
    "silent": ("fail", "✕", "Offline"),
    "unreached": ("fail", "✕", "Unreachable"),
    "waiting": ("wait", "◷", "Waiting"),
    "passed": ("pass", "✓", "Passed"),
    "not_passed": ("plain", "–", "Not passed"),
    "error": ("fail", "!", "Error"),
    "approve": ("pass", "✓", "Approved"),
    "reject": ("fail", "✕", "Rejected"),
    "request_changes": ("wait", "✎", "Changes requested"),
    "open": ("fail", "▲", "Open"),
    "acknowledged": ("wait", "◷", "Acknowledged"),
    "resolved": ("pass", "✓", "Resolved"),
    "confirmed": ("pass", "✓", "Confirmed"),
    "contradicted": ("fail", "!", "Contradicted"),
    "never_ran": ("plain", "–", "Never ran"),
    "standing": ("fail", "✕", "Recalled"),
    "lifted": ("plain", "–", "Withdrawn"),
    "awaiting_co_signature": ("wait", "◷", "Awaiting co-signature"),
    "needless": ("plain", "–", "Not needed"),
    "cannot_decide": ("plain", "–", "Cannot decide"),
    "asked_no_more": ("plain", "–", "Asked no more"),
    "lapsed": ("plain", "–", "Lapsed"),
    "ended": ("plain", "–", "Ended"),
    "ended_by_recall": ("fail", "✕", "Ended by a recall"),
    "broken": ("fail", "▲", "Active"),
    "used": ("fail", "▲", "Used"),
    "overdue": ("fail", "✕", "Review overdue"),
    "justified": ("pass", "✓", "Justified"),
    "not_justified": ("fail", "✕", "Not justified"),
    "met": ("pass", "✓", "Met"),
    "breached": ("fail", "▲", "Not met"),
    "unknown": ("wait", "?", "Unknown"),
    "streaming": ("pass", "●", "Active"),
    "not_begun": ("wait", "◷", "Not started"),
    "paused": ("wait", "‖", "Paused"),
    "blocked": ("fail", "✕", "Blocked"),
    "not_enabled": ("wait", "◷", "Not enabled"),
    "enabled": ("pass", "●", "Enabled"),
    "last_attempt_failed": ("fail", "▲", "Last attempt failed"),
    "retrying": ("fail", "▲", "Retrying"),
    "disabled": ("fail", "✕", "Disabled"),
}


def _look(value: str) -> tuple[str, str, str]:
    return STATES.get(value, ("plain", "○", value.replace("_", " ").capitalize()))


def state_word(value: str) -> str:
    """Return the word that stands beside a state's icon."""
    return _look(value)[2]


@register.filter
def state(value: str) -> SafeString:
    """Show a state as icon and word."""
    tone, icon, words = _look(value)
    return format_html(
        '<span class="state {}"><span aria-hidden="true">{}</span>{}</span>', tone, icon, words
    )


@register.filter
def mark(value: str) -> SafeString:
    """Show a state as its icon alone, with the word for screen readers."""
    tone, icon, words = STATES.get(value, ("plain", "○", value))
    return format_html(
        '<span class="state {}"><span aria-hidden="true">{}</span>'
        '<span class="visually-hidden">{}</span></span>',
        tone,
        icon,
        words,
    )


@register.filter
def audits(actor: Actor, where: Scope | Scoped) -> bool:
    """Tell whether somebody may open events of the log that are of this place, or this row's."""
    return actor.can("audit.view", where if isinstance(where, Scope) else scope_of(where))


@register.filter
def digest(value: str) -> SafeString:
    """Show a digest short, copied whole by a click."""
    if not value:
        return format_html('<span class="text-secondary">{}</span>', "none")
    kind, _, hexdigits = value.rpartition(":")
    short = f"{hexdigits[:4]}…{hexdigits[-4:]}" if len(hexdigits) > 12 else hexdigits
    return format_html(
        '<button type="button" class="digest" data-copy="{}" title="{}">{}{}</button>',
        value,
        value,
        f"{kind}:" if kind else "",
        short,
    )


@register.filter
def ago(value: datetime | None) -> SafeString | str:
    """Show how long ago (or until) in one unit, with the exact time as title: ``times.js`` adds the
    reader's own zone."""
    if value is None:
        return "never"
    seconds = (now() - value).total_seconds()
    words = span(int(abs(seconds)))
    text = "just now" if abs(seconds) < 5 else f"{words} ago" if seconds > 0 else f"in {words}"
    return _time(value, text)


@register.filter
def due(value: datetime) -> SafeString:
    """Show in how long something is to come, or that it is due."""
    seconds = math.ceil((value - now()).total_seconds())
    return _time(value, f"in {span(seconds)}" if seconds > 0 else "due now")


@register.filter
def moment(value: datetime) -> SafeString:
    """Show an exact time, in UTC until ``times.js`` knows the reader's own zone."""
    return _time(value, _utc(value))


@register.filter
def clock(value: datetime) -> SafeString:
    """Show the time of day alone, in UTC until ``times.js`` knows the reader's own zone."""
    return _time(value, _utc(value)[11:19], mark_safe(" data-clock"))


def _time(value: datetime, text: str, mark: str = "") -> SafeString:
    html = '<time datetime="{}" title="{}"{}>{}</time>'
    return format_html(html, value.isoformat(), _utc(value), mark, text)


def _utc(value: datetime) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


@register.filter
def span(seconds: float | None) -> str:
    """Show a length of time that was measured, to the unit that fits it, e.g. ``3 min``."""
    if seconds is None:
        return "–"
    if seconds < 10 and seconds != int(seconds):
        return f"{seconds:.1f} s"
    unit = next((size for size in (86400, 3600, 60) if seconds >= 1.5 * size), 1)
    return spell(round(seconds / unit) * unit)


@register.filter
def guarded(guard: GuardEntry | None) -> str:
    """Show at what a node gives all requests back by itself; nothing for no rules."""
    return ", or ".join(sentences(guard)) if guard else ""


@register.filter
def number(value: Any) -> str:
    """Show a number with four digits and grouped thousands, text as it is, other JSON."""
    if value is None or isinstance(value, bool | list | dict):
        return json.dumps(value, ensure_ascii=False)
    if not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or (
        math.isfinite(value) and value == int(value) and abs(value) < 1e15
    ):
        return f"{int(value):,}".replace("-", "−")
    text = f"{value:.{SHOWN}g}" if math.isfinite(value) else str(value)
    return f"−{text[1:]}" if text.startswith("-") else text


@register.filter
def seen(count: int | None) -> str:
    """Show how many there are; of what its reader does not see, ``None``, that it is so."""
    hidden = mark_safe('<span class="text-secondary small">not visible to you</span>')
    return hidden if count is None else number(count)


@register.filter
def change(row: MetricComparison) -> SafeString | str:
    """Show how a metric changes: a sign for the direction, and by how much."""
    if row.live is not None and row.proposed is not None and row.direction != "same":
        return metric_change(row.name, row.live, row.proposed)
    words = '<span class="text-secondary">{}</span>'
    return format_html(words, "same") if row.direction == "same" else row.direction


def metric_change(name: str, before: float, after: float) -> SafeString | str:
    """Show by how much a metric changes, and whether that is better, where its name tells."""
    by, up = difference(before, after), after > before
    if by == "≈ 0" or not (way := preferred(name)):
        return by
    better = up == (way == "more")
    return format_html(
        '<span class="state {}"><span aria-hidden="true">{}</span>{} {}</span>',
        "pass" if better else "fail",
        "▲" if up else "▼",
        by,
        "better" if better else "worse",
    )


def difference(before: float, after: float) -> str:
    """Show ``after - before`` with its sign, as exactly as the two are shown themselves: further
    digits are what computing with fractions leaves."""
    largest = max(abs(before), abs(after))
    if not math.isfinite(largest) or before == after:
        return number(after - before)
    places = max(0, SHOWN - 1 - math.floor(math.log10(largest)))
    rounded = round(after - before, places)
    if not rounded:
        return "≈ 0"
    return f"+{number(rounded)}" if rounded > 0 else number(rounded)


@register.filter
def size(value: int | None) -> str:
    """Show a size in bytes with a decimal unit."""
    return "–" if value is None else spell_size(value)


@register.filter
def initials(name: str) -> str:
    """Return up to two initials."""
    return "".join(word[0] for word in (name or "?").split()[:2]).upper()


@register.filter
def theme(value: str | None) -> str:
    """Return the chosen theme, ``light`` unless the cookie says ``dark``."""
    return "dark" if value == "dark" else "light"


@register.filter
def capture(document: Any) -> str:
    """Show what a serving configuration says of capture, in words."""
    return str(Capture.read(document)) if document else "none"


@register.filter
def reaches(egress: Any) -> str:
    """Show what a replica may reach, in words; ``None`` is from before that was approved."""
    if egress is None:
        return "the host's network (older isolation)"
    return ", ".join(egress) or "nothing"


@register.filter
def variables(document: Any) -> list[tuple[str, str]]:
    """Return the variables of a serving configuration with their values, by name."""
    return sorted((document or {}).items())


@register.filter
def can(actor: Actor | None, permission: str) -> bool:
    """Tell whether the actor holds ``permission`` anywhere (for menus)."""
    return actor is not None and actor.can_somewhere(permission)


@register.filter
def sees_a_part(actor: Actor, permission: str) -> bool:
    """Tell whether the actor sees what ``permission`` shows of some places alone, so that what is
    not listed may be there all the same."""
    return not actor.can(permission)


@register.filter
def lookup(mapping: Any, key: str) -> Any:
    """Return ``mapping[key]`` or ''."""
    return mapping.get(key, "") if mapping else ""


@register.filter
def percent(weight: int) -> str:
    """Show a weight out of 10,000 in percent."""
    return f"{number(weight / 100)}%"


@register.filter
def raw(value: Any) -> str:
    """Return a value as a form field holds it: dots, no groups, ``true`` and ``false``."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


@register.filter
def unit(document: Any) -> str:
    """Show whom a split treats alike: where the unit of a request stands."""
    return "each request" if document is None else str(UnitSource.read(document))


@register.filter
def rate(share: float | None) -> str:
    """Show a share from 0 to 1 in percent."""
    return "–" if share is None else f"{number(share * 100)}%"


@register.filter
def pretty(value: Any) -> str:
    """Return data as indented JSON."""
    return json.dumps(value, indent=1, ensure_ascii=False)


WORDS = {"sbom": "SBOM", "smoke_test": "Smoke test", "load_test": "Load test"}


@register.filter
def did(verdict: str) -> str:
    """Return what somebody did who decided so: ``requested changes``."""
    return {"approve": "approved", "reject": "rejected"}.get(verdict, "requested changes")


@register.filter
def words(name: str) -> str:
    """Return an enumerated word as people read it: ``data_quality`` reads ``Data quality``."""
    return WORDS.get(name, name.replace("_", " ").capitalize())


@register.inclusion_tag("console/parts/export.html")
def export(name: str, **filters: str) -> dict[str, str]:
    """Show the button that takes the list called ``name`` away, with the filters of the page."""
    query = {n: value for n, value in filters.items() if value}
    base = reverse(f"api-exports-{name}")
    return {form: f"{base}?{urlencode({'format': form} | query)}" for form in ("csv", "json")}
