"""What the page of an endpoint is made of: what runs there, how it is kept apart and called."""

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.text import capfirst

from apps.assurance.models import OF_DECISIONS, EffectAction, EffectState, RecallKind
from apps.assurance.queries.ways_back import STAYED_STOPPED, fell_back
from apps.console.queries.approvers import approval
from apps.console.queries.links import recall_url
from apps.console.queries.page_parts import Sign, counted, either, listed
from apps.console.templatetags.placet import number, rate, raw
from apps.identity.rules.permissions import roles_with
from apps.monitoring.queries import Recent
from apps.monitoring.rules import FEWEST
from apps.registry.models import ModelVersion
from apps.serving.models import EndpointKey, Revision
from apps.serving.queries import EndpointStatus, RevisionStatus
from apps.serving.replicas import ready_of, scaled_live
from apps.serving.rules import RevisionState, serving_config
from placet.kernel.actor import Actor

EXPOSED = {"older": "older isolation", "shared": "the host's network"}  # what a neighbour can reach
HEALTH = {
    "healthy": Sign("pass", "●", "Healthy"),
    "degraded": Sign("fail", "▲", "Degraded"),
    "starting": Sign("wait", "◷", "Starting"),
    "down": Sign("fail", "✕", "Down"),
    "unknown": Sign("wait", "?", "No news"),
    "stopping": Sign("wait", "◷", "Stopping"),
    "stopped": Sign("plain", "■", "Stopped"),
    "deleted": Sign("plain", "–", "Deleted"),
}
EMPTY = Sign("plain", "○", "Empty")
UNUSED = Sign("plain", "○", "Never served")
IN_VAIN = {
    "rejected": "was rejected",
    "withdrawn": "was withdrawn",
    "expired": "expired",
    "revoked": "was revoked",
}
PENDING = {"requested": "waits for approval", "approved": "is approved and has not started"}
SERVING = (RevisionState.LIVE, RevisionState.READY)  # with replicas that answer


def why(status: EndpointStatus) -> str:
    """Return in few words why an endpoint is not healthy."""
    return listed(list(dict.fromkeys(trouble.title for trouble in status.troubles)))


@dataclass(frozen=True, slots=True)
class Asked:
    """The newest release that was asked of an endpoint which nothing was ever rolled out to."""

    release: str
    number: int
    state: str

    @property
    def is_in_vain(self) -> bool:
        """Whether nothing is on its way there."""
        return self.state in IN_VAIN

    @property
    def begins(self) -> str:
        """Begins the sentence, which the release continues."""
        return "Never served:" if self.is_in_vain else "Nothing served here yet:"

    @property
    def became(self) -> str:
        """What became of the release."""
        return IN_VAIN.get(self.state) or PENDING.get(self.state, "has not been rolled out")

    @property
    def url(self) -> str:
        """Where it is read."""
        return reverse("release", args=[self.release])


def health(word: str, asked: Asked | None = None) -> Sign:
    """Return how an endpoint is, as pages show it; ``asked`` of one that never served."""
    return HEALTH.get(word, UNUSED if asked and asked.is_in_vain else EMPTY)


def kept_apart(isolation: str) -> str:
    """Return in a few words how replicas are kept apart that are not on the host's network."""
    if not isolation:
        return "–"
    return "its own, by a link" if isolation == "link" else "its own"


def version_url(version: ModelVersion, project: str) -> str:
    """Return where a version is read."""
    return reverse("version", args=[project, version.model.name, version.number])


@dataclass(frozen=True, slots=True)
class EndpointRecall:
    """What a recall did to an endpoint, and whether its node says the same."""

    url: str  # of the recall, '' for who may not see it
    action: str
    state: str
    since: datetime | None = None  # when it was, where what served after it serves no more
    is_past: bool = False  # because another revision went live; else a later recall took it off
    back: Mapping[str, Any] | None = None  # as ``way_back`` reads it
    kind: str = RecallKind.VERSION
    was_stopped: bool = False  # before, by somebody

    @property
    def what(self) -> str:
        """What was done."""
        stopped = self.action == EffectAction.STOPPED
        ended = "endpoint stopped" if stopped else fell_back(self.back)
        if stopped and self.was_stopped:
            ended = STAYED_STOPPED
        if self.kind in OF_DECISIONS:
            return f"The decisions on what was live here were recalled, and the {ended}."
        return f"What was live here was recalled, and the {ended}."

    @property
    def then(self) -> str:
        """Continues the sentence on when that was."""
        if self.is_past:
            return "another revision has gone live since"
        return "a later recall has taken off what served after it"

    @property
    def is_confirmed(self) -> bool:
        """Whether there is nothing left to look after."""
        return self.state == EffectState.CONFIRMED

    @property
    def news(self) -> str:
        """What its node says."""
        if self.is_confirmed:
            return f"The node has confirmed that {self._taken} does not run."
        if self.state == EffectState.CONTRADICTED:
            return "The node contradicts its own receipt."
        return f"The node has not confirmed yet that {self._taken} does not run."

    @property
    def _taken(self) -> str:
        return "what they released" if self.kind in OF_DECISIONS else "what was recalled"


def endpoint_recall(row: Mapping[str, Any], actor: Actor) -> EndpointRecall:
    """Return a recall as the query of an endpoint reads it along, for ``actor``."""
    url = recall_url(row["recall"], row["project"], actor)
    over = row["is_past"] or row["is_followed"]
    since = datetime.fromisoformat(row["at"]) if over else None
    told = (row["is_past"], row["back"], row["kind"], row["was_stopped"])
    return EndpointRecall(url, row["action"], row["state"], since, *told)


@dataclass(frozen=True, slots=True)
class Running:
    """One revision that is there, with what was counted of it lately."""

    row: RevisionStatus
    recent: Recent | None
    is_split: bool  # whether requests are drawn by their unit
    is_stopped: bool = False  # with its endpoint

    @property
    def state(self) -> str:
        """How it is: what is live answers nobody behind a stopped endpoint, once its node has
        stopped it, nor while its node says that no replica of it is ready."""
        if not self.is_stopped:
            answers = self.row.answers or not self.row.phase
            state = self.row.revision.state
            if self.row.is_asleep and state in SERVING:
                return "asleep"
            return state if answers or state not in SERVING else "not_ready"
        return "stopping" if self.row.ready_replicas else RevisionState.STOPPED

    @property
    def ready(self) -> str:
        """How many of its replicas answer."""
        return ready_of(self.row.revision, self.row.ready_replicas)

    @property
    def notes(self) -> list[str]:
        """What stands below its state."""
        return list(self._notes())

    def _notes(self) -> Iterator[str]:
        if scaled_live(self.row.revision) and not self.is_stopped:
            yield self.row.ready
        if self.row.detail:
            yield self.row.detail
        if emergency := getattr(self.row.revision, "emergency", None):
            yield approval((), emergency)
        if self.recent is None:
            return
        if self.is_split and self.recent.units:
            yield f"{counted(self.recent.units, 'new unit')} in 15 min"
        if testers := self.recent.apart.get("overridden"):
            yield f"{number(testers)} by testers’ header"
        if copied := self.recent.apart.get("mirrored"):
            yield counted(copied, "copied request")
        if refused := self.recent.apart.get("limited"):
            yield f"{counted(refused, 'request')} refused by limits in 15 min"


def figures(recent: Recent | None) -> Iterator[tuple[str, str]]:
    """Yield what a revision answered lately: each figure and what it counts."""
    if recent is None or not recent.requests:
        return
    asked = "request" if recent.requests == 1 else "requests"
    yield number(recent.requests), f"{asked} in 15 min"
    yield rate(recent.error_rate), "server errors"
    yield rate(recent.rejected_rate), "rejected requests (4xx)"
    if recent.requests < FEWEST:
        yield "–", f"p50, p95, p99: shown from {FEWEST} requests"
    elif recent.p50_ms:
        yield f"{number(recent.p50_ms)} ms", "p50"
        yield f"{number(recent.p95_ms)} ms", "p95"
        yield f"{number(recent.p99_ms)} ms", "p99"


def strays(recent: Recent | None) -> str:
    """Say how many requests could not be split; '' for none."""
    lost = recent.apart.get("no_unit") if recent else None
    if not recent or not lost:
        return ""
    of = counted(recent.requests, "request")
    return f"{number(lost)} of {of} had no unit and stayed on the live revision."


@dataclass(frozen=True, slots=True)
class RevisionNetwork:
    """What a revision may reach, how it is kept apart, and what it sent where."""

    row: RevisionStatus
    is_stopped: bool = False  # with its endpoint

    @property
    def is_exposed(self) -> bool:
        """Whether it is on the network of its host."""
        return self.row.isolation in EXPOSED

    @property
    def reaches(self) -> str:
        """Continues the sentence about it: what it reaches follows."""
        if self.is_exposed:
            return "was asked to reach"
        return "reached, before it was stopped:" if self.is_stopped else "reaches"

    @property
    def unknown(self) -> str:
        """Why there is nothing to say of how it is kept apart, where there is no sign."""
        if self.is_stopped:
            return (
                "Nothing runs while it is stopped, so its node does not say how it is kept apart."
            )
        return "Its node has not said yet how it is kept apart."

    @property
    def sign(self) -> Sign | None:
        """How it is kept apart; ``None`` while its node does not say it."""
        if not self.row.isolation:
            return None
        says = capfirst(self.row.isolation_says)
        return Sign("wait", "▲", says) if self.is_exposed else Sign("pass", "✓", says)


@dataclass(frozen=True, slots=True)
class Input:
    """A field of the form that tries a version out."""

    name: str
    type: str
    value: str
    required: bool


def inputs(version: ModelVersion) -> list[Input]:
    """Return a field for each input of a version, filled in with its example."""
    row = version.example[0] if version.example else {}
    return [
        Input(
            name=column.get("name", ""),
            type=column.get("type", ""),
            value=raw(row.get(column.get("name"), "")),
            required=column.get("required") in (None, True),
        )
        for column in (version.signature or {}).get("inputs", ())
    ]


def curl(address: str, sample: Any, *, key: bool) -> str:
    """Return how ``address`` is called from a shell, with a ``key`` where one is asked for."""
    lines = [f"curl {shlex.quote(address)}", "-H 'Content-Type: application/json'"]
    if key:
        lines.append("-H 'Authorization: Bearer KEY'")
    lines.append(f"-d {shlex.quote(json.dumps(sample, ensure_ascii=False))}")
    return " \\\n  ".join(lines)


def python(address: str, sample: Any, *, key: bool) -> str:
    """Return how ``address`` is called from Python."""
    headers = ', headers={"Authorization": "Bearer KEY"}' if key else ""
    return (
        "import httpx\n\n"
        f"row = {sample!r}\n"
        f"answer = httpx.post({address!r}, json=row{headers})\n"
        'print(answer.json(), answer.headers["X-Placet-Release"])'
    )


def restart_words(live: Revision | None) -> str:
    """Say what a restart does to what serves."""
    if live is None:
        return ""
    if scaled_live(live):
        return (
            f"The replicas of {live.bento.version} are replaced one after another; nothing else "
            "changes."
        )
    how = "is replaced" if live.replicas == 1 else "are replaced one after another"
    return (
        f"{counted(live.replicas, 'replica')} of {live.bento.version} {how}; nothing else changes."
    )


def scale_words(live: Revision | None) -> str:
    """Say what a replica takes, and how many were approved; '' where nobody scales it."""
    if live is None or scaled_live(live):
        return ""
    most = serving_config(live.serving).max_replicas
    approved = "1 was approved" if most == 1 else f"1 to {most} were approved"
    return (
        f"{counted(live.replicas, 'replica')} of {live.bento.version} now; {approved}, more needs a"
        f" release. Each takes {number(live.memory_mb)} MB of {live.endpoint.target.name}."
    )


def former_words(former: Sequence[Any]) -> str:
    """Say what a rollback would go back to; '' when there is nothing."""
    if not former:
        return ""
    first = former[0]
    how = "is on standby: a rollback only shifts the traffic."
    if first.state == RevisionState.STOPPED:
        how = "is stopped: a rollback starts it first."
    more = f" {len(former)} earlier revisions are available." if len(former) > 1 else ""
    return f"{first.bento.version} (revision {first.number}) {how}{more}"


def open_words(keys: Iterable[EndpointKey]) -> str:
    """Say what it means that no key is required."""
    if any(key.revoked_at is None for key in keys):
        return (
            "No API key required: keys are not checked. A request without one, or with a wrong "
            "one, is answered too."
        )
    return "No API key required: requests without one are answered."


def keys_there(keys: Iterable[EndpointKey]) -> str:
    """Say how many keys would still be accepted once they are required."""
    count = sum(key.revoked_at is None for key in keys)
    if count:
        return f"{counted(count, 'key')} can be used."
    return "There is no key yet: create one for each client first."


def key_makers() -> str:
    """Say who creates keys, to who may not."""
    makers = either(roles_with("endpoint.manage"))
    return f"You can't create keys here: {makers} can, and says whether one is required."
