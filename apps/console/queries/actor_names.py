"""The names of who did something: people, services, the system, and nodes by their target."""

from collections.abc import Iterable

from apps.identity.queries import people_names
from apps.serving.models import Node


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
