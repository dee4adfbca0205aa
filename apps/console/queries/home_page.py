"""The home page in words: what waits for the reader, and what to do where nothing is yet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.urls import reverse

from apps.console.queries.alerts import alert_rows
from apps.console.queries.draft_tasks import DraftTask, StuckDraft, draft_tasks, stuck_drafts
from apps.console.queries.endpoints import EndpointRow, endpoint_list_page
from apps.console.queries.frame import may_have_alerts
from apps.console.queries.links import sees
from apps.console.queries.models import projects_of
from apps.console.queries.own_releases import (
    Followed,
    HeldByReader,
    OwnRequest,
    Startable,
    ToChange,
    followed,
    requests_title,
)
from apps.console.queries.page_parts import (
    Button,
    Link,
    counted,
    in_a_row,
    no_project,
    no_role,
)
from apps.discussions.queries import listed_threads
from apps.governance.queries.break_glass import glasses_told
from apps.governance.queries.standstill import Standstill, Stuck, standstill
from apps.governance.queries.visible_rows import Waiting
from apps.governance.rules import BreakGlassState
from apps.identity.queries import scope_of
from apps.rollouts.queries import awaiting_person
from placet.kernel.actor import Actor

SHOWN = 20  # releases that wait, and endpoints: the inbox and deployments show the others


@dataclass(frozen=True, slots=True)
class PausedRow:
    """A rollout that goes no further until a person lets it, or where a second person is asked for
    something, and why."""

    rollout: Any
    is_asked: bool = False  # whether somebody asks the reader, as a second person

    @property
    def goes_on(self) -> bool:
        """Whether it goes on by itself unless the second person answers before."""
        return self.is_asked and not self.rollout.waits_for_person

    @property
    def what(self) -> str:
        """Its project and its release, and what it waits for."""
        row = self.rollout
        why = ", held" if row.paused_by else ", to be shipped" if row.waits_to_ship else ""
        why = ", a second person is asked" if self.is_asked else why
        why = f"{why} before it goes on by itself" if self.goes_on else why
        stopped = ", behind a stopped endpoint" if row.endpoint.is_stopped else ""
        return f"{row.project.name}, release {row.release.number}{why}{stopped}"

    @property
    def since(self) -> datetime:
        """Since when."""
        asked: datetime = self.rollout.asked_at if self.is_asked else self.rollout.stands_since
        return asked

    @property
    def traffic(self) -> int:
        """The share of the requests that its revision gets, out of 10,000."""
        return 0 if self.rollout.endpoint.is_stopped else self.rollout.to_revision.weight


def paused_rows(actor: Actor) -> list[PausedRow]:
    """Return the rollouts that wait for ``actor`` (one query)."""
    rows: list[Any] = awaiting_person(actor)
    return [PausedRow(row, row.asker not in (None, actor.accountable)) for row in rows]


def paused_title(rows: Sequence[PausedRow]) -> str:
    """Return what stands above rollouts that wait for somebody, or somebody is asked for."""
    going = [row.goes_on for row in rows]
    if all(going):
        return "Waits for a second person"
    also = " or for a second one" if any(going) else ""
    return f"Waits for a person to go on{also}"


@dataclass(frozen=True, slots=True)
class GlassTask:
    """An emergency release that waits for its reader, and for what."""

    told: Mapping[str, Any]  # as glasses_told has it

    @property
    def title(self) -> str:
        """What it is for."""
        return f"{self.told['model']}:{self.told['number']} to {self.told['place']}"

    @property
    def what(self) -> str:
        """What the reader is to do."""
        opened = self.told["state"] == BreakGlassState.OPENED
        return "Co-sign it" if opened else "Close its review"

    @property
    def since(self) -> datetime:
        """When it was started."""
        return datetime.fromisoformat(self.told["at"])

    @property
    def due(self) -> datetime | None:
        """Until when."""
        opened = self.told["state"] == BreakGlassState.OPENED
        until = self.told["until" if opened else "due"]
        return datetime.fromisoformat(until) if until else None


def glass_tasks(inbox: Waiting, actor: Actor) -> list[GlassTask]:
    """Return the emergency releases that wait for ``actor``, as a page's ``inbox`` brought them;
    one query where it is no page's."""
    if inbox.beside is not None and not hasattr(inbox.beside, "frame_glasses"):
        return [GlassTask(row["json"]) for row in glasses_told(actor)]
    # where there is no release there is none
    return [GlassTask(told) for told in getattr(inbox.beside, "frame_glasses", None) or ()]


@dataclass(frozen=True, slots=True)
class StuckRow:
    """An environment in which nobody can give the approvals that releases wait for; ``links`` lead
    to the oldest of them, for who sees releases. ``is_giver`` says that the reader gives roles
    there."""

    stuck: Stuck
    links: Sequence[Link] = ()
    is_giver: bool = False

    @property
    def more(self) -> int:
        """How many more there are than are linked."""
        return self.stuck.releases - len(self.links)

    @property
    def sentence(self) -> str:
        """What waits there, and for what."""
        return f"{self.clause}."

    @property
    def clause(self) -> str:
        """The same without its end, to go on behind where that is."""
        waits = "waits" if self.stuck.releases == 1 else "wait"
        roles = " and ".join(self.stuck.roles)
        what, none_left = "an approval", "nobody is left who could give it"
        if self.stuck.some_could:
            what, none_left = "approvals", "too few people are left, each of whom decides once"
        count = counted(self.stuck.releases, "release")
        return f"{count} {waits} for {what} as {roles}, and {none_left}{self._failed}"

    @property
    def remedy(self) -> str:
        """Who gives the roles."""
        roles = "this role" if len(self.stuck.roles) == 1 else "these roles"
        if self.is_giver:
            return f"You can give {roles} to others, and nobody to themselves."
        return f"An access administrator can give {roles} to others."

    @property
    def _failed(self) -> str:
        """That an approval alone would not help, where gates have failed as well; '' else."""
        if not self.stuck.failed:
            return ""
        if self.stuck.releases == 1:
            return ". A gate has failed too: unless it passes, an approval does not help"
        of_them = f"{self.stuck.failed} of them"
        return f". A gate of {of_them} has failed too: unless it passes, no approval helps there"


def stuck_row(stuck: Stuck, actor: Actor) -> StuckRow:
    """Return where releases are stuck, with links to them if ``actor`` may open these."""
    named = stuck.named if sees(stuck.environment, "release.view", actor) else ()
    return StuckRow(
        stuck,
        [
            Link(f"{row.version}, release {row.number}", reverse("release", args=[row.id]))
            for row in named
        ],
        actor.can("access.manage", scope_of(stuck.environment)),
    )


def what_stands_still(inbox: Waiting, releases: Followed, actor: Actor) -> Standstill:
    """Return what stands still around ``actor`` (one query), and have each release that waits for
    them or is their own say of itself that too few people could decide (``too_few_people``)."""
    rows: list[Any] = [*inbox.rows, *(row.release for row in releases.own)]
    still = standstill(actor, rows)
    for row in rows:
        row.too_few_people = still.too_few.get(row.pk, "")
    return still


@dataclass(frozen=True, slots=True)
class HomePage:
    """Everything the home page shows."""

    actor: Actor
    inbox: Waiting
    alerts: Sequence[Any]
    rows: list[EndpointRow]
    more: str  # not '' where there are more endpoints that something was rolled out to
    startable: Sequence[Startable]
    requests: Sequence[OwnRequest]
    changes: Sequence[ToChange]
    holding: Sequence[HeldByReader]
    paused: list[PausedRow]
    drafts: list[DraftTask]  # of policies that the reader may publish
    mentions: list[Any]  # discussions in which the reader is mentioned
    glasses: list[GlassTask]  # emergency releases to co-sign or review
    stuck: list[StuckRow]  # where the reader sees who has access
    stuck_drafts: list[StuckDraft]  # there, and of the reader's own
    knows_project: bool  # asked where nothing serves alone: an empty page says what to do

    @property
    def lead(self) -> str:
        """What is wrong and what waits for the reader, in a sentence behind their name; where they
        have no role, what to do about that."""
        if not self.actor.grants:
            why = no_role(self.actor).removesuffix(".")
            return f"{why[:1].lower()}{why[1:]}"
        wrong = [counted(len(self.alerts), "open alert")] if self.alerts else []
        if len({row.alert.project_id for row in self.alerts}) > 1:
            wrong = [f"{wrong[0]} in all projects"]
        said = [*wrong, *self.waits, *self.stands_still]
        return in_a_row(said) if said else "you're all caught up"

    @property
    def requests_title(self) -> str:
        """What stands above the reader's requests."""
        return requests_title(self.requests)

    @property
    def paused_title(self) -> str:
        """What stands above the rollouts that wait."""
        return paused_title(self.paused)

    @property
    def waits(self) -> list[str]:
        """What waits for the reader, of every kind."""
        said: list[str] = []
        held = [row for row in self.paused if not row.goes_on]
        asked = [row for row in self.paused if row.goes_on]
        for rows, what, then in (
            (self.glasses, "emergency release", "for your co-signature or review"),
            (self.inbox.needed, "release", "for your decision"),
            (self.changes, "release", "for changes of yours"),
            (self.holding, "release", "for you, who requested changes, to decide again"),
            (self.startable, "approved release", "to be rolled out"),
            (held, "rollout", "for a person to go on"),
            (asked, "rollout request", "for a second person"),
            (self.drafts, "policy draft", "to be published or withdrawn"),
        ):
            if rows:
                wait = "waits" if len(rows) == 1 else "wait"
                said.append(f"{counted(len(rows), what)} {wait} {then}")
        if self.mentions:
            mention = "mentions" if len(self.mentions) == 1 else "mention"
            said.append(f"{counted(len(self.mentions), 'discussion')} to read that {mention} you")
        return said

    @property
    def stands_still(self) -> list[str]:
        """How many releases wait for what nobody can give, and policy drafts, if any do."""
        count = sum(row.stuck.releases for row in self.stuck)
        waits = "waits" if count == 1 else "wait"
        said = [f"{counted(count, 'release')} {waits} that nobody can approve"] if count else []
        drafts = len(self.stuck_drafts)
        return [*said, *[f"{counted(drafts, 'policy draft')} cannot be published"][: bool(drafts)]]

    @property
    def first_waiting(self) -> Waiting:
        """What waits for a decision, the oldest of it."""
        waits = self.inbox
        return replace(waits, needed=waits.needed[:SHOWN], barred=waits.barred[:SHOWN])

    @property
    def more_waiting(self) -> str:
        """How many more wait for a decision than are shown, '' for none."""
        more = self.inbox.size - self.first_waiting.size
        return f"{counted(more, 'more release')} in the inbox" if more else ""

    @property
    def serves(self) -> bool:
        """Whether something is live that the reader sees."""
        return any(row.release for row in self.rows)

    @property
    def has_served(self) -> bool:
        """Whether something is live, or was of what the reader asked for."""
        return self.serves or any(row.release.live_at for row in self.requests)

    @property
    def nothing(self) -> str:
        """Says that nothing serves that the reader sees."""
        sees_all = self.actor.can("endpoint.view")
        return f"Nothing {'' if sees_all else 'that you may see '}serves yet"

    @property
    def advice(self) -> str:
        """What to do where nothing serves yet."""
        can = self.actor.can_somewhere
        if not self.knows_project:
            if can("project.create"):
                return "Make a project and give people roles in it."
            if not self.actor.grants and not self.actor.withheld:
                return "What is live in your projects shows here, once you have a role."
            return no_project(self.actor)
        if can("model.create"):
            return (
                "Register a model, build it, ask for a release. What is live shows here, with who "
                "approved it."
            )
        if can("endpoint.view"):
            return "What is live in your projects shows here, with who approved it."
        return "You look after people and access; models and releases are other people's work."

    @property
    def first(self) -> Button | None:
        """Where the reader begins."""
        if self.actor.withheld and not self.actor.grants:
            return Button("Set up a second factor", href=reverse("mfa_index"), tone="primary")
        if self.knows_project and self.actor.can_somewhere("model.create"):
            return Button("Models", href=reverse("models"), tone="primary")
        if not self.knows_project and self.actor.can_somewhere("project.create"):
            return Button("Projects", href=reverse("projects"), tone="primary")
        if self.actor.can("access.manage"):
            return Button("Administration", href=reverse("administration"), tone="primary")
        return None


def home_page(inbox: Waiting, actor: Actor) -> HomePage:
    """Answer at a glance: what waits on ``actor``; what runs where, since when, by whom."""
    rows, more = endpoint_list_page(actor, tried=True, most=SHOWN)
    releases = followed(actor)
    still = what_stands_still(inbox, releases, actor)
    return HomePage(
        actor=actor,
        inbox=inbox,
        alerts=alert_rows(actor) if may_have_alerts(inbox.beside) else [],
        rows=rows,
        more=more,
        startable=releases.startable,
        requests=releases.own,
        changes=releases.changes,
        holding=releases.holding,
        paused=paused_rows(actor),
        drafts=draft_tasks(still.drafts, actor),
        mentions=listed_threads(actor),
        glasses=glass_tasks(inbox, actor),
        stuck=[stuck_row(row, actor) for row in still.stuck],
        stuck_drafts=stuck_drafts(still.followed, actor),
        knows_project=bool(rows or releases.own or inbox.size or projects_of(actor)),
    )
