"""Where clients reach targets and endpoints."""

from collections.abc import Iterable

from apps.serving.models import Endpoint, Target
from apps.serving.rules import EndpointState
from placet.kernel.config import config

BUILT_IN = "local"  # the name of the target that Placet makes for its own node


def endpoint_url(endpoint: Endpoint) -> str:
    """Return the address that clients call; ``/predict`` and the others come after it. '' while
    nobody has said where the target is reached."""
    return endpoint_below(base_urls([endpoint.target])[endpoint.target_id], endpoint)


def endpoint_below(base: str, endpoint: Endpoint) -> str:
    """Return the address of an endpoint, given that of its target; '' while there is none."""
    if not base or endpoint.state == EndpointState.DELETED:
        return ""
    return f"{base}/{endpoint.project.slug}/{endpoint.environment}/{endpoint.name}"


def base_urls(targets: Iterable[Target]) -> dict[str, str]:
    """Return where clients reach each target, by its id, '' where nobody has said.

    ``PLACET_ENDPOINT_URL`` is the address of the target that comes with Placet, or of the only one
    that there is; the address of any other is never guessed from it.
    """
    rows = {target.pk: target for target in targets}
    unsaid = [key for key, row in rows.items() if not row.url and row.name != BUILT_IN]
    alone = len(unsaid) == 1 and not Target.objects.exclude(pk=unsaid[0]).exists()
    usual = config().endpoint_url
    return {
        key: row.url or ("" if key in unsaid and not alone else usual) for key, row in rows.items()
    }


def no_address(target: str) -> str:
    """Say that clients cannot know where ``target`` is reached, and what to do."""
    return f"{target} has no address yet: placet target edit {target} --url https://…"
