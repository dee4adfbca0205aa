"""The codes of a login by another device (RFC 8628), how long it waits, and how often it asks."""

import ipaddress
import math
import secrets
from datetime import datetime, timedelta

# RFC 8628, section 6.1: no vowels, so that chance makes no word, and none that looks like another
LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
CODE_LENGTH = 8  # 20 ** 8 codes are 34 bits: see MAX_GUESSES
LIFETIME = timedelta(minutes=10)
INTERVAL = 3  # seconds between two questions of a device
SLOWER = 5  # seconds more for one that asked too soon (RFC 8628, section 3.5)
SLOWEST = 60
EARLY = 0.5  # seconds that a question may be early: networks do not keep time
MAX_OPEN = 1000  # logins that wait for somebody at a time
MAX_OPEN_OF_ADDRESS = 20
MAX_GUESSES = 10  # codes that wait nowhere, of one person in LIFETIME


def new_user_code() -> str:
    """Return a fresh code that a person compares or types: eight letters."""
    return "".join(secrets.choice(LETTERS) for _ in range(CODE_LENGTH))


def wait_words(passed: float) -> str:
    """Say how long somebody waits who was wrong too often, ``passed`` seconds after the first."""
    left = max(math.ceil((LIFETIME.total_seconds() - passed) / 60), 1)
    return f"wait {left} minute{'' if left == 1 else 's'}, then run `placet login` again"


def tries_words(tried: int, passed: float) -> str:
    """Say what follows a wrong code that is the ``tried``-th, ``passed`` seconds after the first:
    how many more may be wrong, or how long one waits."""
    left = MAX_GUESSES - tried
    if left < 1:
        return f"No try is left: {wait_words(passed)}"
    return f"{left} {'try' if left == 1 else 'tries'} left"


def new_device_secret() -> str:
    """Return a fresh secret that the device alone has: 256 bits."""
    return secrets.token_urlsafe(32)


def shown_code(code: str) -> str:
    """Return a code as people read it: ``BCDF-GHJK``."""
    return f"{code[:4]}-{code[4:]}"


def read_user_code(text: str) -> str | None:
    """Return what somebody typed as a code, whatever stands between its letters; else ``None``."""
    if len(text) > 40:
        return None
    letters = "".join(c for c in text.upper() if c.isalnum())
    is_code = len(letters) == CODE_LENGTH and set(letters) <= set(LETTERS)
    return letters if is_code else None


def is_early(polled_at: datetime | None, now: datetime, interval: int) -> bool:
    """Tell whether a device asks again before its ``interval`` is over."""
    return polled_at is not None and now - polled_at < timedelta(seconds=interval - EARLY)


def slower(interval: int) -> int:
    """Return the interval of a device that asked too soon."""
    return min(interval + SLOWER, SLOWEST)


def network_of(address: str) -> str:
    """Return what is counted as one address: an IPv4 address, or a network of IPv6 (``/64``)."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address[:45]
    if known.version == 4:
        return str(known)
    return str(ipaddress.ip_network((known, 64), strict=False))
