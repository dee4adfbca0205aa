"""What the pages of releases and environments say of requests that open by themselves."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import F, OuterRef, QuerySet, Subquery
from django.db.models.functions import JSONObject
from django.urls import reverse

from apps.console.queries.page_parts import Link, Sign
from apps.governance import promotion
from apps.governance.models import Environment, Promotion, Release
from apps.governance.queries.presets import common_presets
from apps.governance.queries.promotions import asked_there, policy_at, soak_of, with_soak
from apps.governance.rules import ReleaseState
from apps.identity.queries import name_in, scope_of
from placet.kernel.actor import Actor


@dataclass(frozen=True, slots=True)
class PromotionLine:
    """One sentence: what it says before a release, the release, and what it says behind it."""

    sign: Sign
    release: Link | None = None
    rest: str = ""


def with_promotion(releases: QuerySet[Release]) -> QuerySet[Release, Any]:
    """Have each release bring what :func:`promotion_lines` looks at: what became of it in the next
    environment (``promoted``), of what it came (``came_of``), and what may still become of it."""
    made = Promotion.objects.filter(source=OuterRef("pk")).order_by("created_at", "pk")
    became = JSONObject(
        release="release", number="release__number", to="environment__name", why="why"
    )
    before = Promotion.objects.filter(release=OuterRef("pk"))
    source = JSONObject(
        release="source",
        number="source__number",
        place="source__environment__name",
        who=name_in("source__requester"),
    )
    asked = asked_there().order_by("number").values(json=JSONObject(release="pk", number="number"))
    return with_soak(releases).annotate(
        promoted=ArraySubquery(made.values(json=became)),
        came_of=Subquery(before.values(json=source)[:1]),
        next_place=F("environment__promote_to__name"),
        asked_there=Subquery(asked[:1]),
    )


def promotion_lines(release: Any) -> list[PromotionLine]:
    """Return what a page says of a release that comes :func:`with_promotion`."""
    return list(_lines(release))


def _lines(release: Any) -> Iterator[PromotionLine]:
    if came := release.came_of:
        rest = f"soaked in {came['place']}, for {came['who']}"
        yield PromotionLine(Sign("plain", "→", "Requested by itself after"), _link(came), rest)
    for made in release.promoted:
        yield _became(made)
    settled = {made["to"] for made in release.promoted}
    if release.state == ReleaseState.LIVE and release.next_place not in (None, *settled):
        yield _ahead(release)


def _became(made: Mapping[str, Any]) -> PromotionLine:
    """Say what was made of it in the next environment."""
    if made["release"] is None:
        text = f"Not requested in {made['to']} by itself: {made['why']}"
        return PromotionLine(Sign("fail", "✕", text, wrap=True))
    return PromotionLine(Sign("pass", "→", "Opened"), _link(made), f"in {made['to']}")


def _ahead(release: Any) -> PromotionLine:
    """Say what will be, and what keeps it from being."""
    place, target = release.environment.name, release.next_place
    if release.asked_there:
        sign = Sign("plain", "→", f"Not requested in {target} by itself: it was requested there by")
        return PromotionLine(sign, _link(release.asked_there))
    if why := promotion.fault(release.next_policy, place, target):
        sign = Sign("wait", "▲", f"Not requested in {target} by itself: {why}", wrap=True)
        return PromotionLine(sign)
    says = f"Opens a request in {target} once it has soaked"
    says = f"{says} {promotion.wanted(release.next_policy, place)}"
    soak = soak_of(release)
    if release.is_stopped:
        return PromotionLine(Sign("wait", "◷", f"{says}: not while its endpoint is stopped"))
    if soak.passes_at:
        return PromotionLine(Sign("wait", "◷", f"{says}:", at=soak.passes_at))
    return PromotionLine(Sign("wait", "◷", f"{says}: within half a minute"))


def _link(told: Mapping[str, Any]) -> Link:
    return Link(f"release {told['number']}", reverse("release", args=[told["release"]]))


@dataclass(frozen=True, slots=True)
class PromotionSetting:
    """Whether an environment has requests opened in the next, and the form that says so.

    The environment comes :func:`with_setting`.
    """

    environment: Any
    later: list[Environment]  # where they may be opened; none for who may not change it

    @property
    def sentence(self) -> str:
        """What is set."""
        row: Environment = self.environment
        if row.promote_to is None:
            return "No request opens by itself when a release has soaked here."
        long = f" for {promotion.wanted(self.environment.next_policy, row.name)}"
        plan = f" with the plan {row.promote_plan}" if row.promote_plan else ""
        return (
            f"Once a release has soaked here{'' if self.fault else long}, a request in "
            f"{row.promote_to}{plan} opens by itself, on behalf of whoever requested it here. "
            f"Set by {self.environment.promote_setter}."
        )

    @property
    def fault(self) -> str:
        """Why nothing comes of it, '' where nothing is in its way."""
        row: Environment = self.environment
        if row.promote_to is None:
            return ""
        return promotion.fault(self.environment.next_policy, row.name, row.promote_to.name)

    @property
    def places(self) -> list[tuple[str, str]]:
        """Where a request may open, for the form."""
        return [(place.name, place.name) for place in self.later]

    @property
    def plans(self) -> list[tuple[str, str]]:
        """The plans that it may open with, those that one environment has for itself last."""
        common = [(preset.name, preset.title) for preset in common_presets()]
        own = [(name, f"{name} ({p.name})") for p in self.later for name in sorted(p.plans)]
        return [*common, *own]


def with_setting(environments: QuerySet[Environment]) -> QuerySet[Environment, Any]:
    """Have environments bring what :class:`PromotionSetting` shows."""
    rows = environments.select_related("project", "promote_to")
    return rows.annotate(
        next_policy=policy_at("promote_to"), promote_setter=name_in("promote_set_by")
    )


def promotion_setting(environment: Environment, actor: Actor) -> PromotionSetting:
    """Return the setting of an environment as its page shows it to ``actor``."""
    if not actor.can("environment.manage", scope_of(environment)):
        return PromotionSetting(environment, [])
    same = Environment.objects.filter(project=environment.project_id)
    return PromotionSetting(environment, list(same.filter(position__gt=environment.position)))
