"""What a webhook keeps encrypted: its address and what it signs with. Any process may write them,
and the control worker alone reads them, when something is sent."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from apps.integrations.errors import SecretKeyMissing
from apps.integrations.models import Webhook
from apps.integrations.signing import SigningKeys
from placet.kernel.clock import rfc3339
from placet.kernel.keystore import KeyUnavailable, opening_keys, sealing_key
from placet.kernel.outbound import OutboundFailed
from placet.kernel.secret_box import SealingKey, SecretUnreadable


class FormerSecret(TypedDict):
    """What a webhook signed with before a rotation, encrypted, and until when (RFC 3339) it signs
    beside what is in use."""

    signing: str
    public_key: str
    until: str


@dataclass(frozen=True, slots=True, repr=False)
class OpenedWebhook:
    """Where a webhook goes, and what it signs with: the keys in use first."""

    url: str
    keys: tuple[SigningKeys, ...]


def sealed_address(webhook_id: str, url: str) -> str:
    """Return an address, encrypted for the row that it belongs to, or raise
    :class:`SecretKeyMissing`."""
    return _sealing().seal(url, place=_place(webhook_id, "address"))


def sealed_signing(webhook_id: str, keys: SigningKeys) -> str:
    """Return what a webhook signs with, encrypted for the row that it belongs to, or raise
    :class:`SecretKeyMissing`."""
    return _sealing().seal(keys.write(), place=_place(webhook_id, "signing"))


def _sealing() -> SealingKey:
    try:
        return sealing_key()
    except KeyUnavailable as refusal:
        raise SecretKeyMissing(refusal.sentence) from refusal


def opened(row: Webhook, at: datetime) -> OpenedWebhook:
    """Return what ``row`` sends to and signs with at a time; after rotations the former keys too.

    Raises :class:`OutboundFailed`, which says why it cannot be read.
    """
    texts = [row.signing, *(one["signing"] for one in formers(row, at))]
    try:
        keys = opening_keys()
        url = keys.open(row.address, place=_place(row.pk, "address"))
        place = _place(row.pk, "signing")
        signing = tuple(SigningKeys.read(keys.open(text, place=place)) for text in texts)
    except (KeyUnavailable, SecretUnreadable) as error:
        raise OutboundFailed(f"Its address or secret cannot be read. {error}") from None
    return OpenedWebhook(url, signing)


def formers(row: Webhook, at: datetime) -> list[FormerSecret]:
    """Return what signs beside the keys in use at a time, the last first."""
    found: list[FormerSecret] = list(row.older_formers)
    if row.former_until:
        until = rfc3339(row.former_until)
        last = FormerSecret(
            signing=row.former_signing, public_key=row.former_public_key, until=until
        )
        found.insert(0, last)
    return [one for one in found if at < datetime.fromisoformat(one["until"])]


def _place(webhook_id: str, what: str) -> str:
    return f"integrations.webhook:{webhook_id}:{what}"
