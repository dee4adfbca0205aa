"""What the log says of nodes, of endpoints and of what was put behind them: events by index."""

from collections.abc import Iterable

from apps.audit.queries import events_about
from apps.serving.events import ENDPOINT_CREATED, NODE_JOINED, REVISION_ADDED
from apps.serving.models import Node, Revision


def joined(targets: Iterable[str]) -> dict[int, str]:
    """Return how each node of these targets joined, with which key, as often as it did."""
    nodes = Node.objects.filter(target__in=list(targets)).values_list("pk", flat=True)
    return events_about(nodes, NODE_JOINED)


def placed(releases: Iterable[str]) -> dict[int, str]:
    """Return how each revision of these releases was put behind its endpoint."""
    revisions = Revision.objects.filter(release__in=list(releases)).values_list("pk", flat=True)
    return events_about(revisions, REVISION_ADDED)


def creation_of(endpoint: str) -> dict[int, str]:
    """Return how an endpoint was made, and on which target."""
    return events_about([endpoint], ENDPOINT_CREATED)
