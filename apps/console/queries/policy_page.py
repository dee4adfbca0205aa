"""The page of one environment's policies: in force, drafts, history and freezes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Value
from django.urls import reverse

from apps.console.queries.page_parts import for_members
from apps.console.queries.passkeys import Signing, signing
from apps.console.queries.plans import Picture, drawn
from apps.console.queries.policies import gate_titles, what_a_freeze_does
from apps.console.queries.policy_changes import PolicyChanges, Question
from apps.console.queries.policy_revision import PastPolicy, around
from apps.console.queries.policy_trial import (
    NOT_BEFORE,
    AskedPolicy,
    lacking,
    no_publisher,
    outdated,
    shortages,
    with_remedy,
)
from apps.governance.actions.duties import lockout_under
from apps.governance.models import Environment, Freeze, PolicyRevision
from apps.governance.queries.deciders import RoleHolders, asked_deciders, deciders
from apps.governance.queries.freezes import freezes, not_over
from apps.governance.queries.policy_history import with_ends
from apps.governance.queries.presets import Preset, own_presets
from apps.governance.queries.visible_rows import policies
from apps.governance.rules import APPROVER, PolicyState
from apps.identity.queries import people_names
from apps.serving.hooks import keeper
from placet.kernel.actor import Actor, Scope
from placet.kernel.clock import now

UNCOUNTED = "Your decisions were recalled: you cannot publish it until that is withdrawn."
NOT_READ = f"({for_members('its policy is')})"


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft, and what the reader may do with it."""

    row: PolicyRevision
    author: str
    url: str  # where it is decided
    signing: Signing | None  # how the reader publishes it; None: as they are signed in
    is_own: bool
    others: str  # who else can publish it, in a sentence
    may_publish: bool
    may_draft: bool
    shortages: Sequence[str] = ()  # why it could not be published as roles are held now
    current: PolicyRevision | None = None  # the one in force
    environment: str = ""  # its name
    is_recalled: bool = False  # whether the reader's decisions were recalled

    @property
    def title(self) -> str:
        """What stands above it."""
        return f"Draft r{self.row.number}"

    @property
    def may_decide(self) -> bool:
        """Whether the reader may publish or withdraw drafts here."""
        return self.may_publish or self.may_draft

    @property
    def recalled(self) -> str:
        """Why the reader, who may publish, cannot; '' where their decisions count."""
        return UNCOUNTED if self.may_publish and self.is_recalled else ""

    @property
    def lacks_passkey(self) -> bool:
        """Whether the reader could publish it, had they a passkey."""
        return self._publishes and self.signing is not None and self.signing.missing

    @property
    def publishing(self) -> Question | None:
        """What the reader is asked who publishes it; ``None`` for who cannot."""
        if not self._publishes or self.lacks_passkey:
            return None
        return Question("publish", self.row, self.current, self.environment, self.signing)

    @property
    def withdrawing(self) -> Question | None:
        """What the reader is asked who withdraws it; ``None`` for who may not."""
        asked = Question("withdraw", self.row, self.current, self.environment)
        return asked if self.may_draft else None

    @property
    def questions(self) -> list[Question]:
        """What the page asks before the reader decides it."""
        return [question for question in (self.withdrawing, self.publishing) if question]

    @property
    def changes(self) -> PolicyChanges | None:
        """What it would change of the policy in force."""
        return PolicyChanges(self.current, self.row) if self.current else None

    @property
    def waits_for_others(self) -> bool:
        """Whether somebody else than the reader, who wrote it, can publish it."""
        return self.is_own and not self.shortages

    @property
    def _publishes(self) -> bool:
        able = self.may_publish and not self.is_own and not self.is_recalled
        return able and not self.shortages


@dataclass(frozen=True, slots=True)
class PolicyPage:
    """Everything the page of one environment's policies shows."""

    environment: Environment  # with who decides there
    actor: Actor
    current: PolicyRevision | None
    gates: list[str]
    drafts: list[Draft]
    history: list[PastPolicy]
    freezes: list[Freeze]
    source: str
    plans: list[tuple[Preset, Picture]]
    shortages: Sequence[str] = ()  # why nobody can meet the policy in force, as roles are held now

    @property
    def may_draft(self) -> bool:
        """Whether the reader may write drafts here."""
        return may(self.actor, "policy.draft", self.environment)

    @property
    def deciders(self) -> list[RoleHolders]:
        """Who decides here by the policy in force, role by role."""
        return asked_deciders(self.environment, self.actor)

    @property
    def publishers(self) -> RoleHolders | None:
        """Who may publish drafts that others wrote; ``None`` for who may not see that."""
        rows = deciders(self.environment, self.actor)
        return next((row for row in rows if row.role == APPROVER), None)

    @property
    def may_freeze(self) -> bool:
        """Whether the reader may freeze it, and lift that."""
        return may(self.actor, "freeze.set", self.environment)

    @property
    def needs_passkey_script(self) -> bool:
        """Whether a draft is published with a passkey."""
        return any(draft.signing for draft in self.drafts)

    @property
    def may_read(self) -> bool:
        """Whether the reader may see its policies."""
        return may(self.actor, "policy.view", self.environment)

    @property
    def standing(self) -> str:
        """Continues the heading: which policy is in force."""
        if self.current:
            return f"policy r{self.current.number}"
        return "no policy: nothing can be released" if self.may_read else NOT_READ

    @property
    def source_title(self) -> str:
        """What stands above the field in which a draft is written."""
        return "Edit as new draft" if self.current else "New policy"

    @property
    def freeze_does(self) -> str:
        """What a freeze does here."""
        return what_a_freeze_does(self.current)

    @property
    def freeze_title(self) -> str:
        """What stands above the form that freezes it."""
        return f"Freeze {self.environment.name}"


def other_publishers(environment: Environment, actor: Actor) -> str:
    """Say who else can publish what ``actor`` drafted, where somebody can. The environment was read
    with who decides there, which is told who may see its releases."""
    rows = [row for row in deciders(environment, actor) if row.role == APPROVER]
    decides = any(person.id == actor.id for row in rows for person in row.people)
    return f"{'Another' if decides else 'An'} approver can publish it."


def who_publishes(draft: PolicyRevision, environment: Environment, actor: Actor) -> str:
    """Say who can publish what ``actor`` has just drafted, or why nobody can."""
    holders = deciders(environment, actor)
    nobody = no_publisher(draft.drafted_by, holders)
    if short := [*nobody, *shortages(draft.document["gates"], holders)]:
        return " ".join(with_remedy(short))
    if holders and (why := lockout_under(draft)):
        return f"{why}. {NOT_BEFORE}"
    return other_publishers(environment, actor)


def policy_page(environment: Environment, actor: Actor, *, source: str = "") -> PolicyPage:
    """Return what the page of one environment's policies shows; ``source`` is a draft as typed."""
    recalled = keeper().uncounts(Value(actor.accountable))
    seen = with_ends(policies(environment, actor)).annotate(reader_recalled=recalled)
    rows: list[Any] = list(seen.order_by("-number")[:50])
    current = next((p for p in rows if p.state == PolicyState.PUBLISHED), None)
    open_freezes = list(
        freezes(environment, actor).filter(not_over(now())).order_by("-starts_at")[:20]
    )
    names = people_names(one for row in rows for one in around(row))
    asked = [row for row in rows if row is current or row.state == PolicyState.DRAFT]
    short = lacking([AskedPolicy.of(row) for row in asked], environment, actor)
    lacks = {row.pk: why for row, why in zip(asked, short, strict=True)}
    return PolicyPage(
        environment=environment,
        actor=actor,
        current=current,
        gates=gate_titles(current),
        drafts=list(_drafts(rows, current, names, actor, environment, lacks)),
        history=[PastPolicy(row, names) for row in rows],
        freezes=open_freezes,
        source=source or (current.source if current else ""),
        plans=drawn(own_presets(environment)),
        shortages=lacks.get(current.pk, ()) if current else (),
    )


def may(actor: Actor, permission: str, environment: Environment) -> bool:
    """Tell whether ``actor`` holds ``permission`` at the environment."""
    return actor.can(
        permission, Scope(environment.project_scope(), environment.environment_scope())
    )


def _drafts(
    rows: Sequence[Any],
    current: PolicyRevision | None,
    names: dict[str, str],
    actor: Actor,
    environment: Environment,
    lacks: Mapping[str, Sequence[str]],
) -> Iterator[Draft]:
    others = other_publishers(environment, actor)
    base = f"projects/{environment.project.slug}/environments/{environment.name}/policies"
    for row in (row for row in rows if row.state == PolicyState.DRAFT):
        challenge = f"{base}/{row.number}/challenge"
        needed = any(policy.approvals.passkey() for policy in (current, row) if policy)
        yield Draft(
            row=row,
            author=names.get(row.drafted_by, ""),
            url=reverse(
                "policy-decide", args=[environment.project.slug, environment.name, row.number]
            ),
            signing=signing(environment.name, challenge, "passkey", actor, demanded=needed),
            is_own=row.drafted_by == actor.id,
            others=others,
            may_publish=may(actor, "policy.publish", environment),
            may_draft=may(actor, "policy.draft", environment),
            shortages=outdated(row, current) or with_remedy(lacks[row.pk]),
            current=current,
            environment=environment.name,
            is_recalled=row.reader_recalled,
        )
