"""Policy drafts that wait for who may publish them, and what keeps them from being published."""

from collections.abc import Iterable
from dataclasses import dataclass

from apps.console.queries.policy_trial import shortages
from apps.governance.models import PolicyRevision
from apps.governance.queries.deciders import deciders
from placet.kernel.actor import Actor

FIRST = "An access administrator gives people that role first, or the draft is withdrawn."


@dataclass(frozen=True, slots=True)
class DraftTask:
    """A draft that its reader may publish, once nothing is ``lacking``."""

    row: PolicyRevision
    lacking: str  # why it cannot be published as roles are held now, and what is to be done

    @property
    def does(self) -> str:
        """What its reader is asked to do with it."""
        return f"a draft to review. {self.lacking}" if self.lacking else "a draft to review"


def draft_tasks(drafts: Iterable[PolicyRevision], actor: Actor) -> list[DraftTask]:
    """Return drafts as they wait for ``actor``. Their environments were read with who decides
    there; publishing also looks at passkeys and at where people stand."""
    return [DraftTask(draft, _lacking(draft, actor)) for draft in drafts]


def _lacking(draft: PolicyRevision, actor: Actor) -> str:
    found = list(shortages(draft.document["gates"], deciders(draft.environment, actor)))
    return " ".join([*found, FIRST]) if found else ""
