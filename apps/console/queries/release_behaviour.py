"""The page of how the build of a release behaved where it served: in the environments before its
own, and in its own by earlier revisions and by the release itself."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, Q, QuerySet
from django.urls import reverse
from django.utils.http import urlencode

from apps.console.queries.analyses import AnalysisView, last_analyses
from apps.console.queries.behaviour_parts import FigureColumn, figure_rows, output_rows
from apps.console.queries.disagreements import DisagreementPage
from apps.console.queries.page_parts import Button, Link
from apps.console.queries.release_rows import with_requester
from apps.console.queries.release_words import with_words
from apps.console.queries.rollout_steps import BADLY
from apps.console.queries.rollout_words import moved
from apps.governance.models import Environment, Release
from apps.governance.queries.compared import ComparedRelease, compared_release
from apps.identity.queries import visible
from apps.monitoring.models import CapturedPrediction
from apps.monitoring.queries import TOLERANCE, Span, seen_in, series
from apps.monitoring.rules import WindowCounts, total
from apps.registry.queries import large_of
from apps.rollouts.models import Rollout
from apps.rollouts.passed import PassedOver, passings_told, told_in
from apps.rollouts.pauses import PAUSED
from apps.rollouts.queries import disagreements
from apps.rollouts.states import ENDED_STATES, RolloutKind
from apps.rollouts.steps import needs
from apps.serving.models import Revision
from apps.serving.windows import KEEP_DAYS, kept_period
from placet.kernel.actor import Actor, Scope
from placet.kernel.clock import now

MOST = 5  # revisions that are shown, the newest
OUTPUTS = 200  # captured predictions of each whose outputs are counted
DAY = 86_400


@dataclass(frozen=True, slots=True)
class ServedBefore:
    """One revision of the build: what it answered during its rollout beside what was live then, and
    after that alone."""

    rollout: Any  # as :func:`_rollouts` reads it
    counts: Mapping[str, WindowCounts]
    analyses: Sequence[AnalysisView]
    copies: WindowCounts
    disagreements: DisagreementPage | None = None
    is_answers_seen: bool = False  # whether the reader may see what was predicted

    @property
    def revision(self) -> Revision:
        """The revision itself."""
        revision: Revision = self.rollout.to_revision
        return revision

    @property
    def before(self) -> Revision | None:
        """What was live at the endpoint when it came."""
        revision: Revision | None = self.rollout.from_revision
        return revision

    @property
    def title(self) -> str:
        """Where it served."""
        return f"{self.rollout.endpoint.environment} / {self.rollout.endpoint.name}"

    @property
    def says(self) -> str:
        """What its rollout moved."""
        return moved(self.rollout)

    @property
    def passed_over(self) -> list[PassedOver]:
        """The analyses that people signed and its rollout went past."""
        return told_in(self.rollout.passings_json, self.rollout.steps)

    @property
    def ended_badly(self) -> bool:
        """Whether its rollout did not reach its end."""
        return self.rollout.state in BADLY

    @property
    def state(self) -> str:
        """How its rollout stands or ended; of one that reached its end how its release stands."""
        row = self.rollout
        if self.ended_badly:
            return str(row.state)
        if row.state not in ENDED_STATES and row.waits_for_person:
            return PAUSED
        return str(row.release.shown_state)

    @property
    def columns(self) -> list[FigureColumn]:
        """What was counted, beside each other."""
        return list(self._columns())

    def _columns(self) -> Iterator[FigureColumn]:
        row, own = self.rollout, f"revision {self.revision.number}, this build"
        until = row.finished_at or now()
        if self.before:
            yield FigureColumn(own, "in its rollout", row.created_at, until, self.counts["new"])
            live = f"revision {self.before.number}, {self.before.bento.version}"
            yield FigureColumn(live, "live then", row.created_at, until, self.counts["old"])
        if not self.ended_badly and row.finished_at:
            end = served_until(row)
            yield FigureColumn(own, "live after it", row.finished_at, end, self.counts["after"])
        elif not self.before:
            yield FigureColumn(own, "in its rollout", row.created_at, until, self.counts["new"])

    @property
    def figures(self) -> list[tuple[str, list[str]]]:
        """The lines of the table: each a figure of every column."""
        return figure_rows(self.columns)

    @property
    def uncounted(self) -> str:
        """Why nothing was counted; '' where something was."""
        if any(column.counts.requests for column in self.columns):
            return ""
        if served_until(self.rollout) <= kept_period()[0]:
            return f"Counts are kept for {KEEP_DAYS} days: those of this revision are gone."
        return "No requests counted."

    @property
    def copied(self) -> list[tuple[str, list[str]]]:
        """What it answered to copies of requests; empty where it got none."""
        column = FigureColumn("copies", "", self.rollout.created_at, now(), self.copies)
        return figure_rows([column])[1:] if self.copies.requests else []

    @property
    def outputs(self) -> list[tuple[str, str, str]]:
        """How captured outputs spread, by their name: of the build, and of what was live."""
        if not self.is_answers_seen:
            return []
        return output_rows(self.rollout.outputs, self.rollout.outputs_before)

    @property
    def sample(self) -> int:
        """How many captured predictions are counted at most."""
        return OUTPUTS

    @property
    def links(self) -> list[Link]:
        """Where all of it is read."""
        row = self.rollout
        links = [Link("Open rollout", reverse("rollout", args=[row.pk]))]
        links.append(Link("Open endpoint", reverse("endpoint", args=[row.endpoint_id])))
        if self.is_answers_seen and is_compared(row):
            links.append(Link("Disagreements", reverse("rollout-disagreements", args=[row.pk])))
        return links


@dataclass(frozen=True, slots=True)
class ReleaseBehaviourPage:
    """Everything the page of how a release's build behaved before shows."""

    compared: ComparedRelease
    actor: Actor
    served: Sequence[ServedBefore]
    is_cut: bool
    earlier: Sequence[str]  # the environments before, in order, where it served in none

    @property
    def release(self) -> Any:
        """The release itself."""
        return self.compared.release

    @property
    def most(self) -> int:
        """How many revisions are shown."""
        return MOST

    @property
    def what_first(self) -> str:
        """What can be done where it served nowhere."""
        version, here = self.release.version, self.release.environment.name
        if not self.earlier:
            return f"No environment comes before {here}, and no earlier revision has this build."
        return (
            f"This build of {version} has served neither in {' nor in '.join(self.earlier)} nor in "
            f"{here}: to see how it behaves, release it to {self.earlier[-1]} first."
        )

    @property
    def button(self) -> Button | None:
        """Requests that, for who may."""
        row = self.release
        scope = Scope(row.project_scope(), self.earlier[-1] if self.earlier else None)
        if not self.earlier or not self.actor.can("release.request", scope):
            return None
        query = urlencode({"version": row.version_id})
        return Button("Request release", href=f"{reverse('release-new')}?{query}")


def release_behaviour_page(release_id: str, actor: Actor) -> ReleaseBehaviourPage:
    """Return everything that page shows, or raise ``NotFound``.

    At most nine queries: release, what is live, rollouts, looks, two for counts, copies, and two
    for the files of answers; where it served nowhere one for the environments.
    """
    compared, _ = compared_release(release_id, actor, lambda rows: with_requester(with_words(rows)))
    row = compared.release
    places = Environment.objects.filter(
        project=row.project_id, position__lte=row.environment.position
    ).exclude(pk=row.environment_id)
    before = places.order_by("position", "pk").values_list("name", flat=True)
    found = list(_rollouts(row, before, actor)[: MOST + 1])
    served = _served(found[:MOST], actor)
    earlier = () if served else tuple(before)
    return ReleaseBehaviourPage(compared, actor, served, len(found) > MOST, earlier)


def _rollouts(row: Release, earlier: QuerySet[Any, Any], actor: Actor) -> QuerySet[Rollout, Any]:
    """Return the rollouts of the release's Bento to the environments ``earlier``, and to its own of
    no later release, the newest first; each with the newest outputs that were captured of both
    revisions, where ``actor`` may see any."""
    here = Q(endpoint__environment=row.environment.name, release__number__lte=row.number)
    rows = Rollout.objects.filter(here | Q(endpoint__environment__in=earlier.order_by()))
    rows = rows.filter(
        project=row.project_id, kind=RolloutKind.RELEASE, to_revision__bento=row.bento_id
    )
    rows = (
        visible(rows, actor, view="rollout.view")
        .select_related(
            "endpoint", "release__endpoint", "to_revision", "from_revision__bento__version__model"
        )
        .defer(
            "release__request_envelope",
            "to_revision__permit",
            "from_revision__permit",
            *large_of("from_revision__bento__version"),
        )
    )
    rows = rows.annotate(passings_json=passings_told())
    if actor.can_somewhere("prediction.view"):
        both = {"outputs": "to_revision", "outputs_before": "from_revision"}
        rows = rows.annotate(**{name: _outputs(side) for name, side in both.items()})
    return rows.order_by("-created_at")


def _outputs(side: str) -> ArraySubquery:
    rows = CapturedPrediction.objects.filter(revision=OuterRef(side), output__isnull=False)
    return ArraySubquery(rows.filter(cohort="").order_by("-at").values("output")[:OUTPUTS])


def _served(rollouts: Sequence[Rollout], actor: Actor) -> list[ServedBefore]:
    """Return what was measured of each rollout's revisions."""
    counts = _counts(rollouts)
    looked = last_analyses(rollouts)
    copies = _copies([row for row in rollouts if "mirror" in needs(row.steps)])
    compared = next((row for row in rollouts if is_compared(row) and _sees(row, actor)), None)
    found = disagreements(compared, actor, tolerance=TOLERANCE) if compared else None
    return [
        ServedBefore(
            rollout=row,
            counts=counts[row.pk],
            analyses=looked.get(row.pk, ()),
            copies=copies.get(row.to_revision_id, WindowCounts()),
            disagreements=DisagreementPage(found) if found and row == compared else None,
            is_answers_seen=_sees(row, actor),
        )
        for row in rollouts
    ]


def _counts(rollouts: Sequence[Rollout]) -> dict[str, dict[str, WindowCounts]]:
    """Return what clients saw of both revisions in each rollout, and of the new one after it
    (two queries: what was live then may itself have been new before)."""
    during, after = [], []
    for row in rollouts:
        until = row.finished_at or now()
        during += [Span(row.to_revision_id, row.created_at, until)]
        during += [Span(row.from_revision_id or "", row.created_at, until)]
        after += [Span(row.to_revision_id, until, max(until, served_until(row)))]
    then, later = iter(seen_in(during)), iter(seen_in(after))
    return {
        row.pk: {"new": next(then), "old": next(then), "after": next(later)} for row in rollouts
    }


def _copies(rollouts: Sequence[Rollout]) -> dict[str, WindowCounts]:
    """Return what each new revision answered to copies of requests (one query, if any got some)."""
    if not rollouts:
        return {}
    since, until = min(row.created_at for row in rollouts), now()
    found = series([row.to_revision_id for row in rollouts], since, until, DAY)
    return {pk: total(one.mirrored for one in parts.values()) for pk, parts in found.items()}


def is_compared(row: Rollout) -> bool:
    """Tell whether both revisions of a rollout got the same requests, and kept their answers."""
    kept = row.from_revision_id and row.to_revision.serving.get("capture")
    return bool(kept) and "mirror" in needs(row.steps)


def _sees(row: Rollout, actor: Actor) -> bool:
    return actor.can("prediction.view", Scope(row.project_id, row.endpoint.environment))


def served_until(row: Rollout) -> datetime:
    """Return when the new revision of a rollout had its last request, now while it has some."""
    return row.to_revision.last_served_at or row.to_revision.ended_at or now()
