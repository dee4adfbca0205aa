"""Recalls as the pages show them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Case, IntegerField, Value, When
from django.urls import reverse

from apps.assurance.models import (
    EffectState,
    Recall,
    RecallEffect,
    RecallKind,
    RecallState,
)
from apps.assurance.queries import (
    effects_of,
    get_recall,
    recalls_matching,
    receipts_of,
    unanswered,
    with_counts,
)
from apps.assurance.queries.lifters import LIFT, lifters_told, parties_of, who_lifts
from apps.assurance.queries.outcomes import DONE, earlier, outcome
from apps.assurance.rules import CONTRADICTIONS
from apps.audit.queries import unseal_many
from apps.console.queries.actor_names import actor_names
from apps.console.queries.links import outcome_url
from apps.console.queries.page_parts import Link, counted
from apps.console.queries.paging import keyed
from apps.console.queries.recall_items import (
    EarlierRecall,
    bars,
    earlier_recall,
    item_link,
    none_affected,
    none_ended,
    recalled_item,
)
from apps.console.queries.recall_voided import NOTHING, Voided, voided_of
from apps.console.queries.sorting import RECALLS, Sorting
from apps.console.templatetags.placet import sees_a_part, state_word
from apps.identity.models import ApproverPasskey, User
from apps.identity.queries import sees_in
from apps.serving.drivers.node.driver import is_alive
from placet.kernel.actor import INSTANCE, Actor, Scope
from placet.kernel.clock import now
from placet_verify.statements import RecalledNames

SHOWN = 200
NOR: dict[str, str] = {  # who does not withdraw it either
    RecallKind.PERSON: ", nor the person whose decisions it takes back",
    RecallKind.PASSKEY: ", nor the person whose passkey it is",
}
ALLOWS: dict[str, str] = {  # once it is withdrawn
    RecallKind.PERSON: "This person can decide again; decisions that the recall voided stay void.",
    RecallKind.PASSKEY: "What it signs counts again; decisions that the recall voided stay void.",
}
# What is not confirmed comes first, and of that what contradicts itself.
ORDER = Case(
    When(state=EffectState.CONTRADICTED, then=Value(0)),
    When(state=EffectState.OPEN, then=Value(1)),
    When(state=EffectState.CONFIRMED, then=Value(2)),
    default=Value(3),
    output_field=IntegerField(),
)


@dataclass(frozen=True, slots=True)
class EffectRow:
    """What a recall did to one release, for its table."""

    effect: RecallEffect
    alive: bool
    joined: bool
    actor: Actor

    @property
    def done(self) -> str:
        """What was done to its release, or how that had ended before."""
        return outcome(self.effect)

    @property
    def earlier(self) -> EarlierRecall | None:
        """The recall that had revoked it before."""
        return earlier_recall(earlier(self.effect), self.actor)

    @property
    def ran(self) -> bool:
        """Whether there was anything to do but to revoke it."""
        return self.effect.action in DONE

    @property
    def confirmed_at(self) -> datetime | None:
        """When the node confirmed it."""
        return self.effect.confirmed_at if self.effect.state == EffectState.CONFIRMED else None

    @property
    def objection(self) -> str:
        """What the node says against its own receipt."""
        if self.effect.state != EffectState.CONTRADICTED:
            return ""
        return f"The node {CONTRADICTIONS.get(self.effect.contradiction, '')}"

    @property
    def silence(self) -> str:
        """Why it may stay open."""
        if self.effect.state != EffectState.OPEN:
            return ""
        if not self.joined:
            return "no node"
        return "" if self.alive else "node is offline"


@dataclass(frozen=True, slots=True)
class RecallPage:
    """Everything the page of one recall shows."""

    recall: Any  # with its counts and its item
    title: str
    effects: list[EffectRow]
    more: int
    receipts: list[Any]
    reason: str
    lift_reason: str
    names: dict[str, str]
    may_lift: bool
    may_export: bool
    outcome: str  # where the log shows what it did, '' for who may not read that
    voided: Voided = NOTHING  # what it took back of releases that waited
    lifters: str = ""  # who could withdraw it, by name, for who cannot and may know them
    silent: bool = False  # whether a node was told of it and has not signed anything about it yet

    @property
    def name(self) -> str:
        """What was recalled, or else the kind of it."""
        return self.title or str(self.recall.get_kind_display())

    @property
    def heading(self) -> str:
        """What was recalled, with its kind; people are named further down."""
        kind = str(self.recall.get_kind_display())
        return f"{kind} {self.title}" if self.title and not self.is_person else kind

    @property
    def item(self) -> Link | None:
        """The version, or that of the Bento, which was recalled, by its name."""
        return item_link(self.recall)

    @property
    def identified_by(self) -> str:
        """What stands before the id or digest of what was recalled."""
        return "ID" if self.recall.kind == RecallKind.VERSION else self.recall.get_kind_display()

    @property
    def is_person(self) -> bool:
        """Whether it took back what a person had decided."""
        return bool(self.recall.kind == RecallKind.PERSON)

    @property
    def where(self) -> str:
        """Where it counts."""
        return self.recall.project.name if self.recall.project else "All projects"

    @property
    def recaller(self) -> str:
        """Who recalled it."""
        return self.names.get(self.recall.recalled_by, "")

    @property
    def lifter(self) -> str:
        """Who lifted it."""
        return self.names.get(self.recall.lifted_by, "")

    @property
    def bentos(self) -> int:
        """How many Bentos it names."""
        return len(self.recall.names.get("bentos") or ())

    @property
    def meaning(self) -> str:
        """What holds for what was recalled."""
        if self.is_lifted:
            return f"Withdrawn. {after_lifting(self.recall)}"
        return f"Until it is withdrawn, {bars(self.recall.kind)}. {self.who_lifts}"

    @property
    def who_lifts(self) -> str:
        """Who can withdraw it: it belongs to all projects, or to one as a whole."""
        nor = NOR.get(self.recall.kind, "")
        named = f"; {self.lifters}" if self.lifters else ""
        return f"{who_lifts(self.recall)}, but not the person who recalled it{nor}{named}."

    @property
    def none_reached(self) -> str:
        """What is said where it reached no release."""
        if self.is_lifted:
            return none_ended(voids=bool(self.voided))
        return none_affected(self.recall.kind, voids=bool(self.voided))

    @property
    def kept(self) -> str:
        """What nodes keep of it for good; '' where they are told of nothing."""
        if self.recall.names == RecalledNames().to_dict():
            return ""
        runs = " and will never run these releases again" if self.recall.reached else ""
        return f"Nodes keep the signed recall permanently{runs}."

    @property
    def lift_says(self) -> str:
        """What it would do to withdraw it."""
        return after_lifting(self.recall)

    @property
    def is_lifted(self) -> bool:
        """Whether somebody withdrew it."""
        return bool(self.recall.state == RecallState.LIFTED)

    @property
    def standing(self) -> str:
        """Continues the heading: whether it still counts."""
        return "recall withdrawn" if self.is_lifted else "recalled"

    @property
    def tab(self) -> str:
        """The title of the page."""
        return f"{'Withdrawn recall' if self.is_lifted else 'Recall'} of {self.name}"

    @property
    def state(self) -> str:
        """How far it is on the nodes; '' where nothing ever ran."""
        if self.recall.contradicted:
            return "contradicted"
        if self.recall.open_count:
            return "open"
        return "confirmed" if self.recall.ran else ""

    @property
    def renewal(self) -> str:
        """How often its page looks at it again: soon while a node has still to answer it."""
        if self.recall.open_count or self.silent:
            return "every 3s"
        return "every 10s" if self.recall.state == RecallState.STANDING else ""

    @property
    def url(self) -> str:
        """Where the page is, from which it renews its tables."""
        return reverse("recall", args=[self.recall.pk])

    @property
    def reached(self) -> str:
        """How many releases it reached."""
        return counted(self.recall.reached, "release")

    @property
    def unconfirmed(self) -> str:
        """How many of those that ran no node has confirmed."""
        count = self.recall.open_count
        return f"{count} {'is' if count == 1 else 'are'} open" if count else ""

    @property
    def share(self) -> int:
        """How many of a hundred releases that ran are confirmed."""
        return 100 * self.recall.confirmed // self.recall.ran if self.recall.ran else 100


@dataclass(frozen=True, slots=True)
class RecallRow:
    """One recall in the list."""

    recall: Any  # with its counts and its item
    recaller: str

    @property
    def item(self) -> Link | None:
        """The version, or that of the Bento, which was recalled, by its name."""
        return item_link(self.recall)

    @property
    def alarm(self) -> str:
        """What of it still needs people, as a state."""
        if self.recall.contradicted:
            return "contradicted"
        return "open" if self.recall.open_count else ""

    @property
    def confirmed(self) -> str:
        """How much of what ran is confirmed."""
        return f"{self.recall.confirmed} of {self.recall.ran}" if self.recall.ran else ""


@dataclass(frozen=True, slots=True)
class RecallListPage:
    """One page of recalls, perhaps only those of one project (its slug) or in one state."""

    rows: list[RecallRow]
    state: str
    partial: bool = False  # whether there may be others that the reader does not see
    project: str = ""

    @property
    def title(self) -> str:
        """What stands above it."""
        title = state_word(self.state) if self.state else "All recalls"
        return f"{title} in {self.project}" if self.project else title

    @property
    def none(self) -> str:
        """What is said where there is none."""
        if self.state or self.project:
            return "No matches"
        return "No recalls that you may see" if self.partial else "No recalls"


def recall_list_page(
    actor: Actor, *, project: str = "", state: str = "", sorting: Sorting = RECALLS, after: str = ""
) -> tuple[RecallListPage, str]:
    """Return one page of recalls, and the id to go on after."""
    matching = recalls_matching(actor, project=project, state=state)
    rows = with_counts(matching).annotate(item=recalled_item())
    recalls, key = keyed(rows, sorting.fields, after)
    names = actor_names({row.recalled_by for row in recalls})
    shown = [RecallRow(row, names.get(row.recalled_by, "")) for row in recalls]
    return RecallListPage(shown, state, sees_a_part(actor, "recall.view"), project), key


def recall_page(recall_id: str, actor: Actor) -> RecallPage:
    """Return everything the page of one recall shows, or raise ``NotFound``."""
    recall: Any = get_recall(recall_id, actor)
    recall.item = None
    if recall.kind in (RecallKind.VERSION, RecallKind.BENTO):
        named = Recall.objects.filter(pk=recall.pk).annotate(item=recalled_item())
        recall.item = named.values_list("item", flat=True).first()
    rows = effects_of(recall).annotate(rank=ORDER).order_by("rank", "pk")
    effects, at = [], now()
    for effect in rows[:SHOWN]:
        node = getattr(effect.target, "node", None)
        alive = node is not None and is_alive(node.heard_at, at)
        effects.append(EffectRow(effect, alive, node is not None, actor))
    texts = unseal_many([recall.reason_sealed, recall.lift_reason_sealed])
    scope = Scope(recall.project_id) if recall.project_id else INSTANCE
    stands = recall.state == RecallState.STANDING
    may_lift = stands and actor.can(LIFT, scope) and actor.accountable not in parties_of(recall)
    return RecallPage(
        recall=recall,
        title=_title(recall),
        effects=effects,
        more=max(0, recall.reached - SHOWN),
        receipts=list(receipts_of(recall).select_related("target").order_by("-pk")[:20]),
        reason=texts.get(recall.reason_sealed, ""),
        lift_reason=texts.get(recall.lift_reason_sealed, ""),
        names=actor_names({recall.recalled_by, recall.lifted_by}),
        may_lift=may_lift,
        lifters=lifters_told(recall, actor) if stands and not may_lift else "",
        may_export=actor.can(
            "audit.export", Scope(recall.project_scope(), recall.environment_scope())
        ),
        voided=voided_of(recall, actor),
        silent=stands and unanswered(recall).exists(),
        outcome=outcome_url(recall.pk) if sees_in(recall.project_id, "audit.view", actor) else "",
    )


def after_lifting(recall: Any) -> str:
    """Say what is so once a recall, read with its counts, is withdrawn: of what it named, and of
    the releases that it ended."""
    allows = ALLOWS.get(recall.kind, "It can be released again, unless another recall covers it.")
    if not recall.reached:
        return f"{allows} No release was ended by this one."
    ended = counted(recall.reached, "release")
    stays, one = ("stays", "it") if recall.reached == 1 else ("stay", "one")
    return (
        f"{allows} Nothing restarts: the {ended} it reached {stays} ended, on nodes too. "
        f"To run {one} again, request a new release."
    )


def _title(recall: Any) -> str:
    """Return what was recalled as people name it; '' where its digest or id must do."""
    kind, what = recall.kind, recall.what
    if kind == RecallKind.VERSION:
        link = item_link(recall)
        return link.text if link else ""
    if kind == RecallKind.PASSKEY:
        passkey = ApproverPasskey.objects.select_related("person").filter(pk=what).first()
        return f"{passkey.name} of {passkey.person.public_name}" if passkey else ""
    if kind == RecallKind.PERSON:
        person = User.objects.filter(pk=what).first()
        return person.public_name if person else ""
    return ""
