"""What the pages of an endpoint say where nothing serves: why, and nothing as though it did."""

from apps.console.queries.endpoint_view import EndpointView
from apps.serving.rules import EndpointState

NOT_RECORDED = "Not recorded: the release that serves was approved without capture."


def nothing_answers(view: EndpointView) -> str:
    """Say why no request is answered, the same on every page; '' where some are."""
    match view.endpoint.state:
        case EndpointState.DELETED:
            return "It was deleted: its address leads to nothing."
        case EndpointState.STOPPED if view.after_start.is_empty:
            return "It is stopped, and nothing is live here: requests are answered with 503."
        case EndpointState.STOPPED:
            return "It is stopped: requests are answered with 503 until somebody starts it."
    if view.status.serving is not None:
        return ""
    if view.after_start.coming or view.after_start.approved:
        return "Nothing is live here yet: requests are answered with 503."
    return (
        "Nothing is live here: requests are answered with 503. Request a release of a built "
        "version to this endpoint."
    )


def recorded(view: EndpointView) -> str:
    """Say what is written down of predictions; '' where that is nothing."""
    capture = str(view.capture or "")
    if capture and view.endpoint.state != EndpointState.ACTIVE:
        return f"{capture} until it was stopped; nothing is recorded now."
    return capture


def unrecorded(view: EndpointView) -> str:
    """Say why no prediction is written down now."""
    if view.endpoint.state == EndpointState.STOPPED:
        return "It is stopped, so nothing is recorded now."
    if view.status.serving is None:
        return "Nothing is live, so nothing is recorded now."
    return NOT_RECORDED


def whose_figures(view: EndpointView) -> str:
    """Say which revision the figures beside it are of; '' where nothing is live."""
    if view.live is None:
        return ""
    if view.endpoint.state == EndpointState.STOPPED:
        return f"Revision {view.live.number} alone, before it was stopped:"
    return f"Live revision {view.live.number} alone:"
