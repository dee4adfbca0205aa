"""The names of who did something: people, services, the system, and nodes by their target."""

from collections.abc import Iterable

from apps.audit.kind_groups import ASKED_FOR
from apps.identity.queries import people_names
from apps.serving.models import Node

# What Placet does by itself once somebody did something else: its event has their id, because it
# was logged in the same action, and yet it is not what they did.
FOLLOWS = frozenset(
    f"{family}.{kind}.v1"
    for family, kinds in {
        "release": "approved rolling_out live retired superseded failed reopened revoked uncounted "
        "restored expired",
        "break_glass": "used ended lapsed",
        "rollout": "weight_set scaling_up waiting waiting_for_person analysing analysed testing "
        "effect_shown testers_led copies_set shifting draining returning done aborted failed",
        "revision": "added changed requests_taken_back",
        "prefetch": "added removed",
        "drill": "finished",
    }.items()
    for kind in kinds.split()
)


def actor_names(ids: Iterable[str]) -> dict[str, str]:
    """Return a name for each actor id; a node is called after the target that it serves."""
    wanted = {i for i in ids if i}
    names = people_names(wanted)
    if nodes := [i for i in wanted if i.startswith("nod_")]:
        targets = Node.objects.filter(pk__in=nodes).values_list("pk", "target__name")
        names.update({pk: f"node {target}" for pk, target in targets})
    return names


def by_machine(actor_id: str) -> bool:
    """Tell whether the platform or a node did it, and no person or service account."""
    return not actor_id.startswith(("per_", "svc_"))


def attributed(kind: str, actor_id: str) -> str:
    """Return what continues an event's sentence up to the name of whoever is named for it: what
    Placet did because they asked, or did something else, does not read as theirs."""
    if kind in ASKED_FOR and not by_machine(actor_id):
        return " by Placet, asked by"
    return ", triggered by" if is_triggered(kind, actor_id) else " by"


def is_triggered(kind: str, actor_id: str) -> bool:
    """Tell whether Placet did by itself what an event says, once its actor did something else."""
    return kind in FOLLOWS and not by_machine(actor_id)
