"""Who withdraws a recall: the people who have the role where it counts, but not its parties."""

from apps.assurance.models import Recall
from apps.assurance.queries.visible_recalls import whose_decisions
from apps.identity.queries import scope_of
from apps.identity.refusals import giver_told, named_holders
from apps.identity.rules.permissions import roles_with
from placet.kernel.actor import Actor

LIFT = "recall.lift"
LIFTERS = " or ".join(roles_with(LIFT))


def parties_of(recall: Recall) -> set[str]:
    """Return who withdraws a recall in no case: who made it, and whose decisions it takes back."""
    return {recall.recaller, *whose_decisions(recall)}


def who_lifts(recall: Recall) -> str:
    """Say who can withdraw a recall: it belongs to all projects, or to one as a whole."""
    where = f"in all of {recall.project.name}" if recall.project else "for all projects"
    return f"Who has the role {LIFTERS} {where} can withdraw the recall"


def lifters_told(recall: Recall, actor: Actor) -> str:
    """Return by name who could withdraw a recall now, ``Ada holds it``, as far as ``actor`` may
    know them; '' where that is nobody."""
    return named_holders(actor, [LIFT], scope_of(recall), without=parties_of(recall))


def ask_a_lifter(recall: Recall, actor: Actor) -> str:
    """Say to a party of a recall who can withdraw it instead, by name where they may know that."""
    told = lifters_told(recall, actor) or giver_told(actor, scope_of(recall), "somebody")
    return f"{who_lifts(recall)}, but not you; {told}"
