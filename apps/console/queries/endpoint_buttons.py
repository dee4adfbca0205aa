"""What the reader can do with an endpoint now, as buttons of its page."""

from collections.abc import Iterator

from apps.console.queries.endpoint_view import EndpointView
from apps.console.queries.page_parts import Button
from apps.serving.replicas import scaled_live
from apps.serving.rules import EndpointState


def buttons(
    view: EndpointView, *, operates: bool, manages: bool, goes_back: bool
) -> Iterator[Button]:
    """Yield what somebody can do with an endpoint now who may do so much."""
    endpoint, status = view.endpoint, view.status
    active = endpoint.state == EndpointState.ACTIVE
    if operates and active:
        if status.live:
            yield Button("Restart…", dialog="restart")
            if scaled_live(status.live.revision) is None:
                yield Button("Scale…", dialog="scale")
        yield Button("Stop…", dialog="stop", tone="outline-danger")
    elif operates:
        yield Button("Start…", dialog="start", tone="primary")
    unused = endpoint.state == EndpointState.STOPPED or not status.revisions
    needed = view.rollout is not None or getattr(endpoint, "needed", False)
    if manages and unused and not needed:  # or it would be refused
        yield Button("Delete…", dialog="delete", tone="outline-danger")
    if goes_back:
        tone = "danger" if view.previous else "outline-danger"
        yield Button("Roll back…", dialog="rollback", tone=tone)
