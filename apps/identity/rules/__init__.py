"""Pure decisions of identity: roles, tokens, what permissions are called, logins of devices."""

from apps.identity.rules.roles import (
    MOST_BYTES,
    NEVER_BY_TOKEN,
    PERMISSIONS,
    ROLES,
    SCOPES,
    VIEW,
    WRITES,
    cut,
    grants_of,
)
from apps.identity.rules.tokens import MAX_TOKEN_DAYS, is_fresh, new_token_text, token_prefix

__all__ = [
    "MAX_TOKEN_DAYS",
    "MOST_BYTES",
    "NEVER_BY_TOKEN",
    "PERMISSIONS",
    "ROLES",
    "SCOPES",
    "VIEW",
    "WRITES",
    "cut",
    "grants_of",
    "is_fresh",
    "new_token_text",
    "token_prefix",
]
