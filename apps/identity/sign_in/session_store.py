"""Sessions in the database that the database alone is not enough to take over.

Django keeps the very key that the browser's cookie holds, so that whoever can read the table can
use every open session. Here the row is found by a hash of the key, and its signed content is bound
to the key: neither reading a row nor copying its content under another key opens a session.
"""

import hashlib
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.contrib.sessions.models import Session
from django.core import signing
from django.utils import timezone


def row_key(session_key: str) -> str:
    """Return what the row of ``session_key`` is stored under: 160 bits of its SHA-256."""
    return hashlib.sha256(session_key.encode()).hexdigest()[:40]


class SessionStore(DatabaseStore):
    """Django's database sessions, found by a hash and bound to the key in the cookie."""

    @property
    def key_salt(self) -> str:
        """Bind the signature of the content to this session's key."""
        return f"placet.session.{self._session_key}"

    def decode(self, session_data: bytes | str) -> dict[str, Any]:
        """Return the signed content, unless it is older than a session lives.

        The time is in the signature: a row whose ``expire_date`` was put off opens nothing.
        """
        try:
            content: dict[str, Any] = signing.loads(
                str(session_data),
                salt=self.key_salt,
                serializer=self.serializer,
                max_age=settings.SESSION_COOKIE_AGE,
            )
        except Exception:  # whatever a stranger may have put there: no session
            return {}
        return content

    def _get_session_from_db(self) -> Session | None:
        row = Session.objects.filter(
            session_key=row_key(self.session_key or ""), expire_date__gt=timezone.now()
        ).first()
        if row is None:
            self._session_key = None
        return row

    def exists(self, session_key: str) -> bool:
        """Tell whether this key is in use."""
        return Session.objects.filter(session_key=row_key(session_key)).exists()

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        """Return the row that holds ``data``, under the hash of the key."""
        key: str = self._get_or_create_session_key()  # type: ignore[attr-defined]
        return Session(
            session_key=row_key(key),
            session_data=self.encode(data),
            expire_date=self.get_expiry_date(),
        )

    def delete(self, session_key: str | None = None) -> None:
        """End the session."""
        key = session_key or self.session_key
        if key is not None:
            Session.objects.filter(session_key=row_key(key)).delete()
