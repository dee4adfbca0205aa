"""Policy drafts that wait for who may publish them, and what keeps them from being published."""

from collections.abc import Iterable
from dataclasses import dataclass

from apps.console.queries.links import sees
from apps.console.queries.page_parts import in_a_row
from apps.console.queries.policy_trial import (
    AskedPolicy,
    lacking,
    no_publisher,
    outdated,
    short_roles,
    shortages,
    with_remedy,
)
from apps.governance.models import Environment, PolicyRevision
from apps.governance.queries.deciders import deciders, lacks_publisher, with_deciders
from apps.governance.queries.visible_rows import policies
from apps.governance.rules import APPROVER, PolicyState
from apps.governance.seats import takers
from placet.kernel.actor import Actor


@dataclass(frozen=True, slots=True)
class DraftTask:
    """A draft that its reader may publish, once nothing is ``lacking``."""

    row: PolicyRevision
    lacking: str  # why it cannot be published as roles are held now, and what is to be done

    @property
    def does(self) -> str:
        """What its reader is asked to do with it."""
        return f"a draft to review. {self.lacking}" if self.lacking else "a draft to review"


@dataclass(frozen=True, slots=True)
class StuckDraft:
    """A draft that others publish, and that cannot be published as roles are held now."""

    row: PolicyRevision
    lacking: str

    @property
    def sentence(self) -> str:
        """Which it is, and who is to do what."""
        return f"Draft r{self.row.number} of its policy cannot be published. {self.lacking}"


def stuck_drafts(drafts: Iterable[PolicyRevision], actor: Actor) -> list[StuckDraft]:
    """Return those of ``drafts``, which are not for ``actor`` to publish, that nobody can: to who
    wrote them and to who can give the roles. What they ask for is told to who sees policies; others
    are told which roles too few people hold, which they give."""
    return [
        StuckDraft(draft, why)
        for draft in drafts
        if (why := _lacking(draft, actor) if _sees(draft, actor) else _roles(draft, actor))
    ]


def draft_tasks(drafts: Iterable[PolicyRevision], actor: Actor) -> list[DraftTask]:
    """Return drafts as they wait for ``actor``. Their environments were read with who decides
    there; publishing also looks at passkeys and at where people stand."""
    return [DraftTask(draft, _lacking(draft, actor)) for draft in drafts]


def _sees(draft: PolicyRevision, actor: Actor) -> bool:
    return sees(draft.environment, "policy.view", actor)


def _lacking(draft: PolicyRevision, actor: Actor) -> str:
    holders = deciders(draft.environment, actor)
    nobody = no_publisher(draft.drafted_by, holders)
    return " ".join(with_remedy([*nobody, *shortages(draft.document["gates"], holders)]))


def _roles(draft: PolicyRevision, actor: Actor) -> str:
    """Say which roles a draft lacks people for, and nothing else of what it asks for."""
    holders = deciders(draft.environment, actor)
    said = []
    if lacks_publisher(draft.drafted_by, holders):
        said = [
            f"It needs an approver who did not write it, and there is none: give the role "
            f"{APPROVER} there to somebody who did not, or have the draft withdrawn."
        ]
    for roles, some_could in short_roles(draft.document["gates"], holders):
        give = f"the role {roles[0]}" if len(roles) == 1 else f"one of the roles {in_a_row(roles)}"
        who, whom = "Too few people" if some_could else "Nobody", takers(1, some_could)
        said.append(
            f"{who} could decide: give {give} there to {whom}, or have the draft withdrawn."
        )
    return " ".join(said)


def unpublishable(draft: PolicyRevision, actor: Actor) -> str:
    """Return why a draft cannot be published; see :class:`apps.governance.hooks.DraftReader`."""
    if draft.state != PolicyState.DRAFT:
        return ""
    places = Environment.objects.filter(pk=draft.environment_id).select_related("project")
    place = with_deciders(places).get()
    published = policies(place, actor).filter(state=PolicyState.PUBLISHED).order_by("-number")
    found = outdated(draft, published.first())
    return " ".join(found or with_remedy(lacking([AskedPolicy.of(draft)], place, actor)[0]))
