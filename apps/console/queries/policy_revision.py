"""The page of one revision of a policy: its text, who stood behind it, and when it was in force."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from apps.console.queries.links import sees
from apps.console.queries.page_parts import counted
from apps.console.queries.policies import gate_titles
from apps.console.queries.policy_changes import PolicyChanges
from apps.console.queries.policy_trial import AskedPolicy, lacking, outdated, with_remedy
from apps.governance.models import Environment, PolicyRevision, Release
from apps.governance.queries.deciders import deciders, recalled_of
from apps.governance.queries.policy_history import standing
from apps.governance.queries.visible_rows import policies, policy
from apps.governance.rules import PolicyState
from apps.identity.queries import people_names, scope_of
from placet.kernel.actor import Actor


@dataclass(frozen=True, slots=True)
class PastPolicy:
    """One revision of the policy, as it stands now: read with how it ended."""

    row: Any
    names: dict[str, str]  # of who drafted, published and withdrew it

    @property
    def state(self) -> str:
        """How it stands: another may have taken its place."""
        return standing(self.row)

    @property
    def author(self) -> str:
        """Who drafted it."""
        return self.names.get(self.row.drafted_by, "")

    @property
    def publisher(self) -> str:
        """Who published it, '' where nobody did."""
        return self.names.get(self.row.published_by, "")

    @property
    def withdrawer(self) -> str:
        """Who withdrew it, '' where nobody did."""
        return self.names.get(self.row.withdrawn["by"], "") if self.row.withdrawn else ""

    @property
    def withdrawn_at(self) -> datetime | None:
        """When that was."""
        return datetime.fromisoformat(self.row.withdrawn["at"]) if self.row.withdrawn else None

    @property
    def people(self) -> str:
        """Who wrote it, and who published or withdrew it."""
        published = f", published by {self.publisher}" if self.row.published_by else ""
        withdrawn = f", withdrawn by {self.withdrawer}" if self.row.withdrawn else ""
        return f"drafted by {self.author}{published}{withdrawn}"

    @property
    def ended_at(self) -> datetime | None:
        """When another took its place; ``None`` where it never was in force, or still is."""
        was = self.state == "superseded"
        return datetime.fromisoformat(self.row.next["at"]) if was else None

    @property
    def ended_by(self) -> str:
        """Which one took its place."""
        return f"r{self.row.next['number']}" if self.ended_at else ""


@dataclass(frozen=True, slots=True)
class PolicyRevisionPage:
    """Everything the page of one revision shows."""

    environment: Environment
    past: PastPolicy
    current: PolicyRevision | None  # the one in force
    before: PolicyRevision | None  # the one in force before it, or when it was withdrawn
    approved: int | None  # releases under it; None of a draft, or for who may not see them
    shortages: Sequence[str] = ()  # why a draft could not be published as roles are held now
    publishes: bool = False  # whether the reader can publish it, who did not write it
    drafts: bool = False  # whether they can withdraw it

    @property
    def row(self) -> Any:
        """The revision."""
        return self.past.row

    @property
    def gates(self) -> list[str]:
        """What it asks for, in words."""
        return gate_titles(self.row)

    @property
    def is_open(self) -> bool:
        """Whether it is a draft that may still be published."""
        return bool(self.row.state == PolicyState.DRAFT)

    @property
    def never(self) -> str:
        """Why it was not in force at any time."""
        return "not published" if self.is_open else "never"

    @property
    def to_decide(self) -> str:
        """What the reader can do with it while it is a draft, where that is done."""
        able = {"publish": self.publishes, "withdraw": self.drafts}
        acts = [act for act, can in able.items() if can]
        return f"{' or '.join(acts).capitalize()} this draft" if acts else "All drafts here"

    @property
    def releases(self) -> str:
        """How many releases were approved under it."""
        if self.approved is None:
            return "not visible to you"
        return counted(self.approved, "release") if self.approved else "none"

    @property
    def changes(self) -> list[PolicyChanges]:
        """What it changed, and what was changed since."""
        row, current, before = self.row, self.current, self.before
        if self.is_open:
            return [PolicyChanges(current, row)] if current else []
        found = []
        if before:
            then = "in force when it was withdrawn" if row.withdrawn else "the policy before it"
            heading = f"Changes from r{before.number}, {then}"
            found.append(PolicyChanges(before, row, heading))
        if current and current.pk != row.pk and current != before:
            heading = f"Changes since, up to the active policy r{current.number}"
            found.append(PolicyChanges(row, current, heading))
        return found


def around(row: Any) -> set[str]:
    """Return the ids of who drafted, published and withdrew a revision."""
    return {row.drafted_by, row.published_by, row.withdrawn["by"] if row.withdrawn else ""}


def policy_revision_page(environment: Environment, number: int, actor: Actor) -> PolicyRevisionPage:
    """Return the page of one revision, or raise ``NotFound``. The environment was read with who
    decides there."""
    row: Any = policy(environment, number, actor)
    published = policies(environment, actor).filter(state=PolicyState.PUBLISHED).order_by("-number")
    current = row if standing(row) == "active" else published.first()
    approved = Release.objects.filter(policy=row, approved_at__isnull=False)
    past = PastPolicy(row, people_names(around(row)))
    earlier = Q(number__lt=number)  # what is published is newer than all before it
    if past.withdrawn_at:
        earlier = Q(published_at__lte=past.withdrawn_at)
    is_draft = row.state == PolicyState.DRAFT
    short = []
    if is_draft:
        found = lacking([AskedPolicy.of(row)], environment, actor)[0]
        short = outdated(row, current) or with_remedy(found)
    uncounted = actor.accountable in recalled_of([deciders(environment, actor)])
    own, where = actor.accountable == row.drafted_by, scope_of(environment)
    return PolicyRevisionPage(
        environment,
        past,
        current,
        None if is_draft else published.filter(earlier).first(),
        approved.count() if not is_draft and sees(environment, "release.view", actor) else None,
        short,
        publishes=not (short or uncounted or own) and actor.can("policy.publish", where),
        drafts=actor.can("policy.draft", where),
    )
