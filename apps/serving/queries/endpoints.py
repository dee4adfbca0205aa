"""Which endpoints somebody may see."""

from django.db.models import OuterRef, QuerySet, Subquery

from apps.audit.models import Event
from apps.identity.queries import visible
from apps.serving.events import ENDPOINT_RESTARTED, ENDPOINT_STARTED
from apps.serving.hooks import watcher
from apps.serving.models import Endpoint, EndpointKey
from placet.kernel.actor import Actor
from placet.kernel.problems import NotFound

BEGINNINGS = (ENDPOINT_STARTED.name, ENDPOINT_RESTARTED.name)  # after which replicas start


def visible_endpoints(actor: Actor, *, deleted: bool = False) -> QuerySet[Endpoint]:
    """Return the endpoints that ``actor`` may see; with ``deleted`` also what there was."""
    rows = Endpoint.objects.all() if deleted else Endpoint.objects.kept()
    whole = with_troubles(rows.select_related("project", "target__node"))
    return visible(whole, actor, view="endpoint.view")


def with_troubles(endpoints: QuerySet[Endpoint]) -> QuerySet[Endpoint]:
    """Have each endpoint bring what is wrong with it, and when its node was last told to start its
    replicas anew (``told_at``), as ``EndpointStatus`` reads it. The log says so: the state of its
    target is signed anew for any other endpoint too."""
    begun = Event.objects.filter(subject=OuterRef("pk"), kind__in=BEGINNINGS).order_by("-index")
    told_at = Subquery(begun.values("at")[:1])
    return endpoints.annotate(found=watcher().troubles("pk"), told_at=told_at)


def get_endpoint(endpoint_id: str, actor: Actor) -> Endpoint:
    """Return one endpoint, a deleted one too, or raise :class:`NotFound`."""
    endpoint = visible_endpoints(actor, deleted=True).filter(pk=endpoint_id).first()
    if endpoint is None:
        raise NotFound
    return endpoint


def endpoint_keys(endpoint: Endpoint) -> QuerySet[EndpointKey]:
    """Return the API keys of ``endpoint``."""
    return EndpointKey.objects.filter(endpoint=endpoint)
