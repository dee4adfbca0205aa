"""What a webhook keeps encrypted: its address and what it signs with. Any process may write them,
and the control worker alone reads them, when something is sent."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict

from apps.integrations.models import Webhook, WebhookFault
from apps.integrations.signing import SigningKeys
from placet.kernel.clock import rfc3339
from placet.kernel.keystore import KeyUnavailable, opening_keys, sealing_key
from placet.kernel.outbound import OutboundFailed
from placet.kernel.problems import SecretKeyMissing
from placet_protocol.secret_box import OpeningKeys, SealingKey, SecretUnreadable


class FormerSecret(TypedDict):
    """What a webhook signed with before a rotation, encrypted, and until when (RFC 3339) it signs
    beside what is in use."""

    signing: str
    public_key: str
    until: str


@dataclass(frozen=True, slots=True, repr=False)
class OpenedWebhook:
    """Where a webhook goes, which service that is, and what it signs with: the keys in use first,
    none for a chat."""

    url: str
    keys: tuple[SigningKeys, ...]
    service: str


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
    texts = _signing(row, formers(row, at))
    try:
        keys = opening_keys()
        url = keys.open(row.address, place=_place(row.pk, "address"))
        place = _place(row.pk, "signing")
        signing = tuple(SigningKeys.read(keys.open(text, place=place)) for text in texts)
    except (KeyUnavailable, SecretUnreadable) as error:
        text = f"{WebhookFault.UNREADABLE.label}. {error}"
        raise OutboundFailed(text, WebhookFault.UNREADABLE, str(error)) from None
    return OpenedWebhook(url, signing, row.service)


def _signing(row: Webhook, good: list[FormerSecret]) -> list[str]:
    """Return what signs, encrypted, that in use first: nothing for a chat."""
    return [text for text in (row.signing, *(one["signing"] for one in good)) if text]


def formers(row: Webhook, at: datetime) -> list[FormerSecret]:
    """Return what signs beside the keys in use at a time, the last first."""
    found: list[FormerSecret] = list(row.older_formers)
    if row.former_signing and row.former_until:
        until = rfc3339(row.former_until)
        last = FormerSecret(
            signing=row.former_signing, public_key=row.former_public_key, until=until
        )
        found.insert(0, last)
    return [one for one in found if at < datetime.fromisoformat(one["until"])]


def is_behind(row: Webhook, key: SealingKey, at: datetime) -> bool:
    """Tell whether ``row`` keeps something that is encrypted for another key, or that signs no
    more."""
    good = formers(row, at)
    kept = bool(row.former_signing) + len(row.older_formers)
    texts = [row.address, *_signing(row, good)]
    return kept > len(good) or not all(text.startswith(key.mark) for text in texts)


def resealed(row: Webhook, keys: OpeningKeys, at: datetime) -> dict[str, Any]:
    """Return the columns of ``row`` encrypted for the key in use, without what signs no more, or
    raise :class:`SecretUnreadable`."""

    def anew(text: str, what: str = "signing") -> str:
        place = _place(row.pk, what)
        return keys.public.seal(keys.open(text, place=place), place=place)

    good = [{**one, "signing": anew(one["signing"])} for one in formers(row, at)]
    return {
        "address": anew(row.address, "address"),
        "signing": anew(row.signing) if row.signing else "",
        "former_signing": good[0]["signing"] if good else "",  # the last one ends last
        "older_formers": good[1:],
    }


def _place(webhook_id: str, what: str) -> str:
    return f"integrations.webhook:{webhook_id}:{what}"
