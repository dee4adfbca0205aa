"""Questions that several actions of identity ask."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import IntegrityError, transaction

from apps.identity.errors import NameTaken, NeedsSession, OwnAccess
from placet.kernel.actor import Actor
from placet.kernel.problems import FieldError, InvalidInput


def clean_text(field: str, text: str, *, limit: int = 120, empty: bool = False) -> str:
    """Return ``text`` stripped, or refuse it: empty, too long, or with control characters."""
    text = text.strip()
    if not text and not empty:
        raise InvalidInput(errors=[FieldError(f"/{field}", "It must not be empty")])
    if len(text) > limit:
        raise InvalidInput(errors=[FieldError(f"/{field}", f"At most {limit} characters")])
    if any(ord(c) < 32 and c not in "\n\t" for c in text) or "\x7f" in text:
        raise InvalidInput(errors=[FieldError(f"/{field}", "It holds a control character")])
    return text


@contextmanager
def unique(field: str) -> Iterator[None]:
    """Turn the violation of a unique constraint inside into :class:`NameTaken` for ``field``."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError:
        raise NameTaken(errors=[FieldError(f"/{field}", "It is taken")]) from None


def by_person(actor: Actor) -> None:
    """Refuse an API token: access is given by a person in a session (or the system)."""
    if actor.token is not None:
        raise NeedsSession


def not_own(actor: Actor, *people: str) -> None:
    """Refuse when ``actor`` is one of ``people``: nobody widens his own access."""
    if actor.accountable in people:
        raise OwnAccess
