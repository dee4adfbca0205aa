"""The page of one release: what it says, and what may be done there, as its templates print it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse

from apps.console.queries.break_glasses import BreakGlassForm, break_glass_barred, break_glass_form
from apps.console.queries.notifications import watch_release_button
from apps.console.queries.page_parts import Banner, Button, Link, Sign, counted
from apps.console.queries.passkeys import Signing
from apps.console.queries.plans import Picture
from apps.console.queries.release_changes import ShownChanges
from apps.console.queries.release_end import RecalledBefore, ReleaseEnd, with_end
from apps.console.queries.release_outlook import starts_alone
from apps.console.queries.release_parts import (
    barred,
    compared_with,
    documents,
    excluded,
    in_place,
    live_column,
    network,
    own_column,
    picture_of,
    replicas,
    serving_words,
    signs,
    with_story_in_words,
)
from apps.console.queries.release_records import ShownRecord, kept_record
from apps.console.queries.release_review import Review, signing_of
from apps.console.queries.release_reviewers import ReviewersCard
from apps.console.queries.release_rows import may_withdraw, with_requester
from apps.console.queries.release_standing import ReleaseStanding
from apps.console.queries.releases import AT_ONCE, RolloutPhase, rollout_steps
from apps.console.queries.request_again import request_again_url
from apps.console.queries.rollout_words import with_last_words
from apps.console.queries.summary_tiles import SummaryTile, tiles
from apps.console.queries.tried_again import requested_again, with_requested_again
from apps.console.queries.way_back import WayBack, way_back
from apps.governance.models import UNFINISHED_STATES, Release
from apps.governance.plan import Plan
from apps.governance.queries.presets import title_of
from apps.governance.queries.release_detail import DecisionRow, ReleaseView, release_view
from apps.governance.queries.waiting import overtaken
from apps.governance.rules import ReleaseState
from apps.notices.queries import with_watched
from apps.rollouts.attempts import WorstAttempt, with_attempts, worst_before
from apps.rollouts.models import Rollout
from apps.rollouts.states import RolloutKind
from placet.kernel.actor import Actor, Scope
from placet_verify.statements import APPROVE, REJECT

PRINTED = 20  # records of decisions


@dataclass(frozen=True, slots=True)
class ReleasePage:
    """Everything the page of one release shows."""

    view: ReleaseView
    actor: Actor
    rollout: Rollout | None
    steps: list[RolloutPhase]
    way_back: WayBack | None  # what happens if it goes wrong; None: nothing can any more
    tiles: list[SummaryTile]
    strategy: str
    picture: Picture
    signing: Signing | None  # how the reader's decision is signed; None: as they are signed in
    break_glass_form: BreakGlassForm | None  # where the reader may open a break-glass
    worst: WorstAttempt | None  # of the attempts before it

    @property
    def release(self) -> Release:
        """The release itself."""
        return self.view.release

    @property
    def is_open(self) -> bool:
        """Whether it still waits, for people or for its start."""
        return self.release.state in UNFINISHED_STATES

    @property
    def now(self) -> ReleaseStanding:
        """How it stands."""
        serving = self.view.live.pk if self.view.live else ""
        answer = self.review.answer
        said = [*(sign.text for sign in self.signs), self.release.endpoint.state, serving]
        said += [answer.text] if answer else []
        return ReleaseStanding(self.release, self.rollout, self.actor, said)

    @property
    def end(self) -> ReleaseEnd:
        """What is said of it once it has ended."""
        return ReleaseEnd(self.view, bool(self.rollout or self.release.live_at))

    @property
    def recalled_before(self) -> RecalledBefore | None:
        """The withdrawn recall of what it runs, for who may see it."""
        return self.end.recalled_before(self.actor)

    @property
    def compared(self) -> bool:
        """Whether there is something live to set it beside."""
        return bool(self.view.changes.compared_with)

    @property
    def needs_passkey_script(self) -> bool:
        """Whether anything on the page is signed with a passkey."""
        return bool(self.signing or (self.break_glass_form and self.break_glass_form.signing))

    def may(self, permission: str) -> bool:
        """Tell whether the reader holds ``permission`` at the release."""
        scope = Scope(self.release.project_scope(), self.release.environment_scope())
        return self.actor.can(permission, scope)

    @property
    def may_comment(self) -> bool:
        """Whether the reader may comment on it."""
        return self.may("release.comment")

    @property
    def may_withdraw(self) -> bool:
        """Whether the reader asked for it and can take that back."""
        return may_withdraw(self.release, self.actor)

    @property
    def may_export(self) -> bool:
        """Whether there is a bundle for outsiders that the reader may take."""
        return self.release.approved_at is not None and self.may("audit.export")

    @property
    def signs(self) -> list[Sign]:
        """What holds it back while it waits; one line each."""
        return signs(self.view) if self.release.state == ReleaseState.REQUESTED else []

    @property
    def buttons(self) -> list[Button]:
        """What the reader can do with it now."""
        return list(buttons(self))

    @property
    def banners(self) -> list[Banner]:
        """What must not be overlooked."""
        return list(banners(self))

    @property
    def is_excluded(self) -> bool:
        """Whether the reader had a part in it and others decide."""
        return self.view.you_are_excluded and bool(self.view.missing_roles)

    @property
    def cannot_count(self) -> str:
        """Why the reader's decision would not count, where that is not told by a banner."""
        deciding = "" if self.is_excluded else self.view.you_cannot_count
        if deciding or self.break_glass_form:
            return deciding
        return break_glass_barred(self.release, self.actor)

    @property
    def records(self) -> list[ShownRecord]:
        """What was kept with the last of the decisions, as the print shows it."""
        last = slice(-PRINTED, None)
        both = zip(self.view.decisions[last], self.view.made[last], strict=True)
        return [kept_record(self.release, row, made) for row, made in both]

    @property
    def unprinted(self) -> int:
        """How many decisions before those there are."""
        return max(len(self.view.decisions) - PRINTED, 0)

    @property
    def decisions(self) -> list[DecisionRow]:
        """The decisions; what somebody said who ended or holds it stands above."""
        above = {d.id for d in (*self.end.rejections, *self.view.requests)}
        return [replace(d, comment="") if d.id in above else d for d in self.view.decisions]

    @property
    def in_place(self) -> str:
        """Continues the sentence that says what would serve where: in place of what."""
        return in_place(self.view) if self.is_open else ""

    @property
    def network(self) -> Sign | None:
        """What must not be read past of what it may reach."""
        return network(self.view)

    @property
    def replicas(self) -> str:
        """How many replicas of what size."""
        return replicas(self.release.serving, self.view.record.evidence)

    @property
    def against(self) -> str:
        """What stands beside the heading of the changes."""
        return compared_with(self.view)

    @property
    def changes(self) -> ShownChanges:
        """What it changes."""
        columns = live_column(self.view), own_column(self.release)
        return ShownChanges(self.view.record, *columns)

    @property
    def bound_title(self) -> str:
        """What stands above what decisions are bound to."""
        if self.view.can_decide:
            return "What you are signing"
        if {APPROVE, REJECT} & {d.verdict for d in self.view.decisions if not d.voided_reason}:
            return "What was signed"
        open_still = self.release.state == ReleaseState.REQUESTED
        return "What will be signed" if open_still else "What was requested"

    @property
    def evidence_label(self) -> str:
        """How much evidence decisions are bound to."""
        return counted(self.view.bound.evidence_count, "item")

    @property
    def policy_name(self) -> str:
        """The revision of the policy that asks."""
        return f"{self.release.environment.name} r{self.view.bound.policy_number}"

    @property
    def policy_url(self) -> str:
        """Where that policy is read."""
        args = self.release.project.slug, self.release.environment.name
        return reverse("policy", args=[*args, self.view.bound.policy_number])

    @property
    def endpoint_url(self) -> str:
        """Where its endpoint is read, also when it never served there; '' for who may not."""
        may = self.may("endpoint.view")
        return reverse("endpoint", args=[self.release.endpoint_id]) if may else ""

    @property
    def version_url(self) -> str:
        """Where the proposed version is read."""
        version, project = self.release.version, self.release.project
        return reverse("version", args=[project.slug, version.model.name, version.number])

    @property
    def compare_url(self) -> str:
        """Where the live and the proposed version stand beside each other."""
        version, live = self.release.version, self.view.live
        url = reverse("compare", args=[self.release.project.slug, version.model.name])
        return f"{url}?v={live.version.number if live else ''}&v={version.number}"

    @property
    def review(self) -> Review:
        """How the reader finishes their review, and what others asked to change."""
        return Review(self.view, self.actor, self.may_comment)

    @property
    def reviewers(self) -> ReviewersCard:
        """Who was asked by name to review it, and who can be."""
        return ReviewersCard(self.view, self.actor)

    @property
    def documents(self) -> list[Link]:
        """What may be taken away: the permit, and what outsiders check."""
        return list(documents(self.release, may_export=self.may_export))

    @property
    def comparable(self) -> bool:
        """Whether what is live is a version of the same model."""
        live, own = self.view.live, self.release.version.model_id
        return self.compared and live is not None and live.version.model_id == own

    @property
    def serving(self) -> str:
        """The serving configuration in one line, without its digest."""
        return " · ".join(serving_words(self.release.serving))

    @property
    def url(self) -> str:
        """Where the page is, from which it renews its rollout."""
        return reverse("release", args=[self.release.pk])

    @property
    def rollout_title(self) -> str:
        """What stands above the phases of the rollout."""
        if self.rollout is None:
            return "Rollout plan"
        is_under_way = self.release.state == ReleaseState.ROLLING_OUT
        return "Rollout in progress" if is_under_way else "Rollout"

    @property
    def start(self) -> str:
        """By whom it will be started, and why by somebody; or that nobody will."""
        if self.end.is_over:
            return "never started"
        if not starts_alone(self.release):
            newer = overtaken(self.release)
            return f"{newer}: started by an operator" if newer else "started by an operator"
        return "starts with the endpoint" if self.view.is_stopped else "starts on approval"

    @property
    def has_stairs(self) -> bool:
        """Whether requests reach it in more than one step."""
        return self.steps[1].text != AT_ONCE and not self.goes_at_once

    @property
    def goes_at_once(self) -> bool:
        """Whether its steps fall away because nothing is live yet."""
        return not self.rollout and not self.view.live and len(self.picture.stairs) > 1

    @property
    def waits(self) -> str:
        """Begins the sentence that says what it waits for."""
        requested = self.release.state == ReleaseState.REQUESTED
        return "Besides its gates, waiting" if requested else "Waiting"

    @property
    def barred(self) -> list[str]:
        """Why others cannot count, a sentence each."""
        return barred(self.view)


def release_page(release_id: str, actor: Actor) -> ReleasePage:
    """Return the release as its page shows it, with its newest rollout."""
    view = release_view(release_id, actor, lambda rows: _along(rows, actor))
    view = with_story_in_words(view, actor)
    rows = view.release.rollouts.exclude(kind=RolloutKind.DRILL).order_by("-created_at")
    rows = with_last_words(rows.select_related("to_revision", "from_revision"), actor)
    rollout = rows.first() if view.release.state != ReleaseState.REQUESTED else None
    compared = view.live if view.changes.compared_with else None
    back = way_back(view)
    return ReleasePage(
        view=view,
        actor=actor,
        rollout=rollout,
        steps=rollout_steps(view.release, rollout, compared),
        way_back=back,
        tiles=tiles(view, back),
        strategy=title_of(Plan.stored(view.release.plan)),
        picture=picture_of(view.release.plan, rollout),
        signing=signing_of(view, actor),
        break_glass_form=break_glass_form(view.release, actor),
        worst=worst_before(view.release, actor),
    )


def _along(rows: QuerySet[Release], actor: Actor) -> QuerySet[Release]:
    """What the query that reads the release brings for its page."""
    ended = with_requested_again(with_end(with_requester(rows), actor))
    return with_watched(with_attempts(ended, actor), actor)


def buttons(page: ReleasePage) -> Iterator[Button]:
    """Yield what the reader can do with the release now, the usual thing last."""
    release: Any = page.release  # with what was read along
    yield watch_release_button(release, release.is_watched)
    if page.may_comment and not page.view.can_decide:
        yield Button("Comment…", dialog="comment")
    if page.may_withdraw:
        yield Button("Withdraw…", dialog="withdraw", tone="outline-danger")
    if page.review.is_offered:
        yield Button(page.review.button, dialog="review", tone="primary")
    if page.break_glass_form:
        yield Button("Start emergency release…", dialog="glass", tone="outline-danger")
    if page.now.can_start and page.may("rollout.start"):
        yield Button("Roll out", post=reverse("release-start", args=[release.pk]), tone="primary")
    again = page.end.is_unserved or release.state == ReleaseState.ROLLED_BACK
    if again and not page.end.is_barred and page.may("release.request"):
        tone = "primary" if page.end.is_unserved else ""
        yield Button("Request again…", href=request_again_url(release), tone=tone)
    if release.state == ReleaseState.LIVE:
        yield Button("Open endpoint", href=reverse("endpoint", args=[release.endpoint_id]))


def banners(page: ReleasePage) -> Iterator[Banner]:
    """Yield a recall, a broken glass, and why the reader does not decide."""
    release, view = page.release, page.view
    if revoked := page.end.revoked(page.actor):
        yield revoked
    if release.state == ReleaseState.RETIRED:
        url = reverse("endpoint", args=[release.endpoint_id])
        text = f"{release.ended_reason}: it no longer serves."
        yield Banner("info", text, [Link("Open endpoint", url)])
    if page.end.rolled_back:
        yield page.end.rolled_back
    if retriable := page.end.retriable(page.rollout):
        yield retriable
    if again := requested_again(release):
        yield again
    if view.skipped:
        how = "Emergency release: it could have started"
        if page.is_open:
            how = "Emergency release active: the rollout can start"
        elif page.rollout:
            how = "Its rollout was started as an emergency release,"
        url = f"{reverse('glasses')}?release={release.pk}"
        text = f"{how} without {len(view.skipped)} of its gates."
        yield Banner("danger", text, [Link("Details and review", url)])
    if page.is_excluded:
        yield Banner("info", f"{excluded(release, page.actor)}: others have to decide.")
