"""Policy drafts that wait for who may publish them, and what keeps them from being published."""

from collections.abc import Iterable
from dataclasses import dataclass

from apps.console.queries.links import sees
from apps.console.queries.policy_trial import lacking, outdated, shortages, with_remedy
from apps.governance.models import Environment, PolicyRevision
from apps.governance.queries.deciders import deciders, with_deciders
from apps.governance.queries.visible_rows import policies
from apps.governance.rules import PolicyState
from placet.kernel.actor import Actor

HIDDEN = (  # to who sees no policies
    "It asks for more people than hold the roles that decide. Give those roles to more people, or "
    "have the draft withdrawn."
)


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
    wrote them and to who can give the roles. What they ask for is told to who sees policies."""
    return [
        StuckDraft(draft, why if sees(draft.environment, "policy.view", actor) else HIDDEN)
        for draft in drafts
        if (why := _lacking(draft, actor))
    ]


def draft_tasks(drafts: Iterable[PolicyRevision], actor: Actor) -> list[DraftTask]:
    """Return drafts as they wait for ``actor``. Their environments were read with who decides
    there; publishing also looks at passkeys and at where people stand."""
    return [DraftTask(draft, _lacking(draft, actor)) for draft in drafts]


def _lacking(draft: PolicyRevision, actor: Actor) -> str:
    found = list(shortages(draft.document["gates"], deciders(draft.environment, actor)))
    return " ".join(with_remedy(found))


def unpublishable(draft: PolicyRevision, actor: Actor) -> str:
    """Return why a draft cannot be published; see :class:`apps.governance.hooks.DraftReader`."""
    if draft.state != PolicyState.DRAFT:
        return ""
    places = Environment.objects.filter(pk=draft.environment_id).select_related("project")
    place = with_deciders(places).get()
    published = policies(place, actor).filter(state=PolicyState.PUBLISHED).order_by("-number")
    found = outdated(draft, published.first())
    return " ".join(found or with_remedy(lacking([draft.document], place, actor)[0]))
