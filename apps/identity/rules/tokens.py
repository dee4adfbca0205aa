"""The text of a token, for how long one is good, and when somebody has just shown who they are."""

import re
import secrets
import string
import zlib
from datetime import datetime, timedelta

MAX_TOKEN_DAYS = 366
_TOKEN = re.compile(r"plc_[0-9A-Za-z]{8}_[0-9A-Za-z]{38}")
_ALPHABET = string.digits + string.ascii_letters


def new_token_text() -> tuple[str, str]:
    """Return a fresh token's text, ``plc_<prefix>_<secret><checksum>``, and its prefix."""
    prefix = "".join(secrets.choice(_ALPHABET) for _ in range(8))
    body = f"plc_{prefix}_" + "".join(secrets.choice(_ALPHABET) for _ in range(32))
    return body + _checksum(body), prefix


def token_prefix(text: str) -> str | None:
    """Return the prefix of a well-formed token, ``None`` when form or checksum is wrong.

    The checksum tells a mistyped or cut token apart without asking the database.
    """
    if not _TOKEN.fullmatch(text) or _checksum(text[:-6]) != text[-6:]:
        return None
    return text[4:12]


def _checksum(body: str) -> str:
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits = _ALPHABET[digit] + digits
    return digits


def is_fresh(authenticated_at: datetime | None, now: datetime, limit: timedelta) -> bool:
    """Tell whether somebody showed who they are at most ``limit`` ago.

    What lies in the future is not: the clock was set back since, and nobody knows by how much.
    """
    return authenticated_at is not None and timedelta() <= now - authenticated_at <= limit
