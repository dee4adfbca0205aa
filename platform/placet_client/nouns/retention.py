"""How long the log keeps bodies of events, legal holds, and archives."""

from pathlib import Path

from placet_client.nouns.base import Listing, Noun, at, given
from placet_client.records import Archive, LegalHold, Retention


class RetentionOfLog(Noun):
    """The rule, the holds, and what was archived."""

    def get(self) -> Retention:
        """Read after how many days events may be archived."""
        return self._read(Retention, "/audit/retention")

    def set(self, days: int) -> Retention:
        """Set after how many days events may be archived."""
        return self._do(Retention, "/audit/retention", {"days": days})

    def holds(self, *, limit: int | None = None) -> Listing[LegalHold]:
        """List the legal holds, those that were lifted too, newest first."""
        return self._list(LegalHold, "/audit/legal-holds", limit)

    def place_hold(self, *, name: str, scope: str, subject: str = "", reason: str) -> LegalHold:
        """Keep every event that mentions something in the database.

        ``scope`` is ``everything``, ``project`` (``subject`` is its slug), ``person`` or ``object``
        (``subject`` is an id).
        """
        body = given(name=name, scope=scope, subject=subject, reason=reason)
        return self._do(LegalHold, "/audit/legal-holds", body)

    def lift_hold(self, hold_id: str, *, reason: str) -> LegalHold:
        """Lift a hold that somebody else placed."""
        where = at("audit", "legal-holds", hold_id, "lift")
        return self._do(LegalHold, where, {"reason": reason})

    def archives(self, *, limit: int | None = None) -> Listing[Archive]:
        """List the archives of old events, newest first."""
        return self._list(Archive, "/audit/archives", limit)

    def save_archive(self, archive_id: str, to: Path) -> int:
        """Write the file of an archive; return its size."""
        return self._save(at("audit", "archives", archive_id, "file"), to)
