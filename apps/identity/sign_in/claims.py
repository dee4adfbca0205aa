"""What the identity provider says of who comes in: the one reader of its claims.

Nothing else looks at them, so whatever a claim holds is refused here or counts for nothing. Of an
ID token and the user info that came with it (OpenID Connect Core 1.0, sections 2 and 5.1) these
are read: ``iss``, ``sub``, ``nonce``, ``auth_time``, ``email`` and ``email_verified``. ``name`` has
to be a text; whatever else there is, groups and roles too, gives nobody anything here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from apps.identity.models import User
from apps.identity.sign_in.provider_answers import BadAnswer
from placet.kernel.api.parsers import strict_loads
from placet.kernel.problems import InvalidInput

MAX_SUBJECT = 191  # what is stored of it; OpenID Connect allows 255
LAST_TIME = 253_402_300_799  # the year 9999
KINDS: dict[type, str] = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "an object",
}


@dataclass(frozen=True, slots=True)
class Claims:
    """Who came in, as the provider says."""

    issuer: str
    subject: str
    nonce: str  # empty where there is none
    email: str  # as it was written, where the provider vouches for it; else empty
    authenticated_at: float | None  # when the person gave their password or the like, if it says


def read_id_token(token: Any) -> dict[str, Any]:
    """Return the claims of an ID token, those that are checked having the types they should.

    Raises :class:`BadAnswer`. Issuer, audience, time and signature are not looked at.
    """
    if not isinstance(token, str):
        raise BadAnswer("there is no ID token")
    try:
        raw = jwt.PyJWS().decode_complete(token, options={"verify_signature": False})["payload"]
        claims = strict_loads(raw)
    except (jwt.PyJWTError, InvalidInput):
        raise BadAnswer("the ID token cannot be read") from None
    if not isinstance(claims, dict):
        raise BadAnswer("the ID token is no object")
    for name in ("iss", "nonce"):
        _text(claims, name)
    if not _is_time(claims.get("exp")):
        raise BadAnswer(f"exp is {_kind(claims.get('exp'))}, not a time")
    return claims


def read_claims(id_token: Mapping[str, Any], user_info: Mapping[str, Any]) -> Claims:
    """Return what a checked ID token and the user info beside it (empty if there is none) say.

    Raises :class:`BadAnswer` where ``sub`` is no name for anybody, is not the same in both
    (section 5.3.2), or another claim is not of its type.
    """
    subject = _subject(id_token)
    if user_info and _subject(user_info) != subject:
        raise BadAnswer("sub is not the same in the ID token and the user info")
    for claims in (id_token, user_info):
        for name in ("name", "email"):
            _text(claims, name)
    email = _text(user_info, "email") or _text(id_token, "email")
    at = id_token.get("auth_time")
    return Claims(
        issuer=_text(id_token, "iss"),
        subject=subject,
        nonce=_text(id_token, "nonce"),
        email=email if _is_verified(email, user_info, id_token) else "",
        authenticated_at=at if _is_time(at) else None,
    )


def _is_verified(email: str, *sources: Mapping[str, Any]) -> bool:
    """Tell what the first of ``sources`` says that has this address and says ``true`` or ``false``.

    Nothing else is a word: a provider that says the text "false" too cannot be told to mean "true".
    """
    same = User.objects.normalize_email
    about = [claims for claims in sources if same(_text(claims, "email")) == same(email)]
    said = [claims.get("email_verified") for claims in about]
    return next((word for word in said if isinstance(word, bool)), False)


def _subject(claims: Mapping[str, Any]) -> str:
    subject = _text(claims, "sub")
    if not subject.strip():
        raise BadAnswer("sub is missing or empty")
    if len(subject) > MAX_SUBJECT or not subject.isprintable():
        raise BadAnswer(f"sub is not one of at most {MAX_SUBJECT} printable characters")
    return subject


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if value is not None and not isinstance(value, str):
        raise BadAnswer(f"{name} is {_kind(value)}, not a text")
    return value or ""


def _is_time(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0 < value <= LAST_TIME


def _kind(value: Any) -> str:
    return "missing" if value is None else KINDS.get(type(value), "a text")
