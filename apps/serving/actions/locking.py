"""Holding what others want too, in one order: endpoints by id, then their targets by id.

Whoever holds a target waits for no endpoint: what becomes of a revision that has to make room
behind another endpoint is settled by compare-and-set.
"""

from collections.abc import Iterable

from apps.serving.models import Endpoint, Target


def lock_endpoints(endpoints: Iterable[str]) -> None:
    """Hold the endpoints of these ids, and then where they stand."""
    rows = Endpoint.objects.filter(pk__in=set(endpoints)).order_by("pk")
    held = rows.select_for_update(no_key=True).values_list("target", flat=True)
    targets = Target.objects.filter(pk__in=set(held)).order_by("pk")
    list(targets.select_for_update(no_key=True).values_list("pk", flat=True))


def lock_endpoint(endpoint_id: str) -> Endpoint:
    """Hold an endpoint until the transaction ends, and return it with its target, not held."""
    rows = Endpoint.objects.select_for_update(of=("self",), no_key=True).select_related("target")
    return rows.get(pk=endpoint_id)


def lock_target(target_id: str) -> Target:
    """Hold a target: what is listed there and what has its memory are counted under its row."""
    return Target.objects.select_for_update(no_key=True).get(pk=target_id)
