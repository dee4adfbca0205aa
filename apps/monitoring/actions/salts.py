"""The salt that an endpoint's units are hashed with, and the lock that goes with it."""

import secrets

from apps.monitoring.models import CaptureSalt


def salt_of(endpoint: str) -> str:
    """Return what the endpoint's units are hashed with, made at the first call."""
    row, _ = CaptureSalt.objects.get_or_create(
        endpoint=endpoint, defaults={"salt": secrets.token_hex(32)}
    )
    return row.salt


def lock_captured(endpoint: str) -> None:
    """Have nothing stored, matched or erased at the endpoint until the transaction ends.

    The salt was made before.
    """
    CaptureSalt.objects.select_for_update(no_key=True).get(pk=endpoint)
