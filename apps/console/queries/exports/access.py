"""Tokens and passkeys as tables."""

from collections.abc import Iterator
from typing import Any

from apps.console.queries.tables import BATCH, Filters, ListTable
from apps.identity.models import ApproverPasskey
from apps.identity.queries import own_tokens, visible_passkeys
from apps.identity.trust.passkeys import public_half
from placet.kernel.actor import Actor


def _tokens(actor: Actor, filters: Filters) -> Iterator[tuple[Any, ...]]:
    tokens = own_tokens(actor).select_related("project", "person", "service_account")
    for token in tokens.order_by("-created_at").iterator(chunk_size=BATCH):
        yield (token,)


def _passkeys(actor: Actor, filters: Filters) -> Iterator[tuple[Any, ...]]:
    for row in visible_passkeys(actor).order_by("-created_at").iterator(chunk_size=BATCH):
        yield (row,)


def _voucher(row: ApproverPasskey) -> str:
    if row.vouched_by:
        return row.vouched_by.person.public_name
    return "root key" if row.enrolled_at else ""


TOKENS = ListTable(
    {
        "name": lambda token: token.name,
        "token": lambda token: f"plc_{token.prefix}_…",
        "holder": lambda token: str(token.service_account or token.person),
        "scopes": lambda token: token.scopes,
        "project": lambda token: token.project.slug if token.project else "",
        "created_at": lambda token: token.created_at,
        "last_used_at": lambda token: token.last_used_at,
        "expires_at": lambda token: token.expires_at,
        "revoked_at": lambda token: token.revoked_at,
        "id": lambda token: token.pk,
    },
    (),
    _tokens,
)
PASSKEYS = ListTable(
    {
        "person": lambda row: row.person.public_name,
        "passkey": lambda row: row.name,
        "state": lambda row: row.state,
        "fingerprint": lambda row: public_half(row).fingerprint,
        "host": lambda row: row.rp_id,
        "vouched_by": _voucher,
        "created_at": lambda row: row.created_at,
        "enrolled_at": lambda row: row.enrolled_at,
        "withdrawn_at": lambda row: row.withdrawn_at,
        "id": lambda row: row.pk,
    },
    (),
    _passkeys,
)
TABLES = {"tokens": TOKENS, "passkeys": PASSKEYS}
