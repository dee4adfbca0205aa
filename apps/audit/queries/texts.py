"""The texts that lie beside the log."""

import hashlib
import hmac
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db.models import Exists, OuterRef, Subquery

from apps.audit.entries import pending
from apps.audit.models import PersonKey, SealedText
from apps.audit.rows import column_salt, sealed_columns
from placet_verify import canonical

ERASED = "[erased]"


@dataclass(frozen=True, slots=True)
class _Opened:
    """A text, with what its salt may be derived from."""

    text: str
    salt: bytes
    key: bytes

    def is_for(self, place: str) -> bool:
        """Tell whether it was sealed for this column of this row, or, for '', by an action."""
        expected = column_salt(self.key, place, self.text)
        return not place or hmac.compare_digest(self.salt, expected)


def erased_in(column: str) -> Exists:
    """Return whether the person whose id a query has in this column was erased, as a condition."""
    return Exists(PersonKey.objects.filter(pk=OuterRef(column), key=b""))


def key_of(column: str) -> Subquery:
    """Return the key of the person whose id a query has in this column, as an expression: empty
    once they were erased."""
    return Subquery(PersonKey.objects.filter(pk=OuterRef(column)).values("key")[:1])


def open_bytes(sealed: bytes, *, key: bytes, place: str) -> bytes | None:
    """Return what was sealed for ``place`` by :func:`apps.audit.actions.seal_bytes`, ``None`` where
    the person's ``key`` was erased, or it was put there by somebody else."""
    try:
        return AESGCM(key).decrypt(sealed[:12], sealed[12:], place.encode()) if key else None
    except (InvalidTag, ValueError):
        return None


def is_erased(person: str) -> bool:
    """Tell whether nobody can read the texts of this person any more."""
    return PersonKey.objects.filter(pk=person, key=b"").exists()


def unseal_many(commitments: Iterable[str]) -> dict[str, str]:
    """Return the texts behind ``commitments`` in one query; erased ones read ``[erased]``.

    For commitments that Placet alone writes: what somebody may have written themselves, such as a
    name or a logged row, goes through :func:`texts_in`.
    """
    wanted = {c for c in commitments if c}
    return dict.fromkeys(wanted, ERASED) | opened_many(wanted)


def opened_many(commitments: Iterable[str]) -> dict[str, str]:
    """Return the texts behind those ``commitments`` that can be opened (one query).

    Those that the open unit of work stores with its events are among them.
    """
    wanted = {c for c in commitments if c}
    rows = _sealed(wanted)
    rows += [t for entry in pending() for t in entry.texts if t.commitment in wanted]
    return {commitment: opened.text for commitment, opened in _opened(rows).items()}


def texts_in(states: Iterable[tuple[str, Mapping[str, Any] | None]]) -> dict[str, str]:
    """Return the texts behind the commitments in logged ``states`` of rows, each with its row's
    key; erased ones read ``[erased]``.

    Anybody may write the digest of another's text into a name of theirs. So only the columns that
    hold commitments are looked at, and what is sealed on its way into the log is opened in the very
    row and column that it was sealed for.
    """
    places: defaultdict[str, set[str]] = defaultdict(set)
    for key, state in states:
        for name, place in sealed_columns(key).items():
            if state and canonical.is_digest(digest := str(state.get(name))):
                places[digest].add(place)
    rows = _sealed(places)
    opened = _opened(rows)
    texts = dict.fromkeys((row.commitment for row in rows), ERASED)
    for commitment, one in opened.items():
        texts[commitment] = one.text
        if not any(map(one.is_for, places[commitment])):
            del texts[commitment]
    return texts


def unseal(commitment: str) -> str:
    """Return the text behind one commitment ('' for '')."""
    return unseal_many([commitment])[commitment] if commitment else ""


def _sealed(commitments: Iterable[str]) -> list[SealedText]:
    """Return what is stored of ``commitments``, with the key that it was sealed by as ``held``."""
    wanted = list(commitments)
    if not wanted:
        return []
    key = PersonKey.objects.filter(pk=OuterRef("person_id")).values("key")
    rows: Any = SealedText.objects.filter(commitment__in=wanted).annotate(held=Subquery(key))
    return list(rows)


def _opened(rows: list[SealedText]) -> dict[str, _Opened]:
    """Return those of ``rows`` that can be opened, by commitment."""
    keys = {row.person_id: bytes(row.held or b"") for row in rows if hasattr(row, "held")}
    if people := {row.person_id for row in rows} - keys.keys():  # of texts that are not stored yet
        found = PersonKey.objects.filter(person_id__in=people)
        keys |= {key.person_id: bytes(key.key) for key in found}
    texts = {row.commitment: _open(row, keys.get(row.person_id, b"")) for row in rows}
    return {commitment: opened for commitment, opened in texts.items() if opened is not None}


def _open(row: SealedText, key: bytes) -> _Opened | None:
    """Return the text if ``key`` opens it and it is the one that was committed to."""
    if not key:
        return None
    raw = bytes(row.ciphertext)
    try:
        opened = AESGCM(key).decrypt(raw[:12], raw[12:], row.commitment.encode())
    except (InvalidTag, ValueError):  # another key, or none at all, put there by somebody
        return None
    if "sha256:" + hashlib.sha256(opened).hexdigest() != row.commitment:
        return None
    return _Opened(opened[16:].decode("utf-8"), opened[:16], key)
