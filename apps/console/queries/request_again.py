"""A release that ended, as the form that asks for one starts with it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.urls import reverse
from django.utils.http import urlencode

from apps.audit.models import Event
from apps.audit.queries import unseal_many
from apps.console.queries.page_parts import listed
from apps.console.queries.release_end import has_ended, with_live_now
from apps.console.queries.release_rows import with_rejection
from apps.console.queries.releases import RequestChoices
from apps.console.templatetags.placet import state_word
from apps.governance.events import RELEASE_REQUESTED
from apps.governance.models import Release
from apps.governance.plan import Plan
from apps.governance.queries.presets import Preset, common_presets, in_a_line, own_presets
from apps.registry.events import VERSION_CARD_CHANGED
from apps.registry.models import Evidence, EvidenceSource, ModelVersion, VersionState

# members of a serving configuration that are numbers, each with an input of its name
NUMBERS = ("replicas", "max_replicas", "min_replicas", "target_inflight", "memory_mb")
AS_FORMER = "as_former"  # names the plan of the release that is requested again


@dataclass(frozen=True, slots=True)
class Former:
    """A release that ended, beside the form that requests it again: how it ended, and what changed
    since."""

    release: Any  # as :func:`with_former` reads it
    reason: str  # why it ended, as people said it
    changes: list[str]

    @property
    def title(self) -> str:
        """Who rejected it, or else how it ended."""
        number, rejected = self.release.number, self.release.rejection
        if rejected:
            return f"{rejected['name']} rejected release {number} (as {rejected['role']})"
        return f"Release {number}: {state_word(self.release.state).lower()}"

    @property
    def at(self) -> datetime | None:
        """When that was."""
        rejected, ended = self.release.rejection, self.release.ended_at
        return datetime.fromisoformat(rejected["at"]) if rejected else ended

    @property
    def url(self) -> str:
        """Where all of it is read."""
        return reverse("release", args=[self.release.pk])


def request_again_url(release: Release) -> str:
    """Return the address of the form that starts as ``release`` was asked for. It names the release
    alone: what people wrote, and values of variables, stand in no address and no request log."""
    return f"{reverse('release-new')}?{urlencode({'again': release.pk})}"


def with_former(rows: QuerySet[Release]) -> QuerySet[Release]:
    """Have releases bring what the form reads of their version, who rejected them, what is live at
    their endpoint now, the ``newest`` version of their model that was finalised since, the kinds of
    ``evidence_since``, and whether the card was changed (``card_changed``)."""
    versions = ModelVersion.objects.filter(model=OuterRef("version__model"))
    since = versions.filter(state=VersionState.FINALISED, finalised_at__gt=OuterRef("created_at"))
    newest = since.order_by("-number").values("number")
    whole = rows.select_related("version__project", "version__model__project")
    requested = Event.objects.filter(subject=OuterRef(OuterRef("pk")), kind=RELEASE_REQUESTED.name)
    first = Subquery(requested.order_by("index").values("index")[:1])
    cards = Event.objects.filter(subject=OuterRef("version"), kind=VERSION_CARD_CHANGED.name)
    facts = Evidence.objects.filter(
        version=OuterRef("version"), created_at__gt=OuterRef("created_at")
    )
    facts = facts.filter(bento_digest__in=("", OuterRef("bento"))).order_by("kind")
    facts = facts.exclude(
        kind="model_card", source=EvidenceSource.MEASURED
    )  # ``card_changed`` says it
    return with_rejection(with_live_now(whole)).annotate(
        newest=Subquery(newest[:1]),
        evidence_since=ArraySubquery(facts.values("kind").distinct()),
        card_changed=Exists(cards.filter(index__gt=first)),
    )


def former(release: Any, offered: RequestChoices) -> Former | None:
    """Return what is said of ``release`` above the form, one query where somebody rejected it;
    ``None`` where it has not ended."""
    if not has_ended(release):
        return None
    comment = release.rejection["comment"] if release.rejection else ""
    reason = unseal_many([comment]).get(comment, "") if comment else release.ended_reason
    return Former(release, reason, list(_changes(release, offered)))


def _changes(release: Any, offered: RequestChoices) -> Iterator[str]:
    """Yield what is otherwise now than when it was requested, a sentence each."""
    model, place = release.version.model.name, release.environment.name
    if (release.newest or 0) > release.version.number:
        yield f"{model}:{release.newest} is newer than this version."
    if offered.bentos and all(bento.recalls for bento in offered.bentos):
        yield f"{release.version} is recalled."
    bento = next((bento for bento in offered.bentos if not bento.recalls), None)
    if bento is not None and bento.pk != release.bento_id:
        yield "There is a newer build than the one that was requested."
    if release.evidence_since:
        fresh = [kind.replace("_", " ") for kind in release.evidence_since]
        yield f"New evidence: {listed(fresh)}."
    if release.card_changed:
        yield "The model card was changed."
    there = [choice.policy for choice in offered.environments if choice.environment.name == place]
    if there and there[0] and there[0].pk != release.policy_id:
        yield f"Policy r{there[0].number} is active in {place}; it was r{release.policy.number}."
    live = release.live_now or {"release": "", "version": "nothing"}
    if release.seen_live is not None and release.seen_live != live["release"]:
        then = "another version" if release.seen_live else "nothing"
        yield f"Live at {release.endpoint.name} now: {live['version']}; it was {then}."


def preset_of(release: Release) -> str:
    """Return the key of the plan to choose that ``release`` was asked for with; the first that is
    the same, whoever starts it, else :data:`AS_FORMER`."""
    rows = [*own_presets(release.environment), *common_presets()]
    wanted = _without_start(release.plan)
    return next((row.key for row in rows if _without_start(row.plan) == wanted), AS_FORMER)


def _without_start(plan: Mapping[str, Any]) -> dict[str, Any]:
    return {**Plan.stored(plan).document, "start": ""}


def plan_of(release: Release) -> Preset:
    """Return the plan of ``release`` as a choice of the form, where it is none of the others."""
    says = in_a_line(Plan.stored(release.plan))
    return Preset(AS_FORMER, f"As release {release.number}", says, release.plan)


def as_requested(release: Release) -> dict[str, Any]:
    """Return how ``release`` was asked for, by the names of the form's inputs."""
    serving = release.serving
    fields = {
        "environment": release.environment.name,
        "endpoint": release.endpoint.name,
        "bento": release.bento_id,
        "plan": preset_of(release),
        "start": release.plan.get("start", ""),
        "reason": release.reason,
        "egress": "\n".join(serving.get("egress") or ()),
        "secrets": "\n".join(f"{f}={n}" for f, n in (serving.get("secrets") or {}).items()),
        "capture": (serving.get("capture") or {}).get("percent", ""),
        "server": serving.get("server", ""),
        **{name: str(value) for name, value in (serving.get("limits") or {}).items()},
        **{name: serving.get(name, "") for name in NUMBERS},
        **_unit(serving.get("unit") or {}),
        **{f"variable.{name}": value for name, value in (serving.get("variables") or {}).items()},
    }
    return {name: value for name, value in fields.items() if value != ""}


def _unit(unit: Mapping[str, Any]) -> dict[str, str]:
    """Return by what requests are split, as the form has it."""
    return next(({"unit_source": k, "unit_name": str(v)} for k, v in unit.items()), {})
