"""Recalls and receipts."""

from pathlib import Path

from placet_client.nouns.base import Listing, Noun, at, given
from placet_client.records import Recall, RecallDetail, RecallEffect, RecallPreview, Receipt


class Recalls(Noun):
    """What was taken back, and what nodes signed about it."""

    def list(
        self, *, project: str = "", kind: str = "", state: str = "", limit: int | None = None
    ) -> Listing[Recall]:
        """List recalls, newest first."""
        query = given(project=project, kind=kind, state=state)
        return self._list(Recall, "/recalls", limit, **query)

    def get(self, recall: str) -> RecallDetail:
        """Read a recall and how far it is."""
        return self._read(RecallDetail, at("recalls", recall))

    def preview(self, kind: str, what: str, *, project: str = "") -> RecallPreview:
        """Say what a recall would reach and do; nothing is written."""
        query = given(kind=kind, what=what, project=project)
        return self._read(RecallPreview, "/recalls/preview", **query)

    def create(self, kind: str, what: str, *, reason: str, project: str = "") -> RecallDetail:
        """Recall something: what it reaches ends, and endpoints fall back or stop."""
        body = given(kind=kind, what=what, reason=reason, project=project)
        return self._do(RecallDetail, "/recalls", body)

    def effects(self, recall: str, *, limit: int | None = None) -> Listing[RecallEffect]:
        """List what a recall did to each release."""
        return self._list(RecallEffect, at("recalls", recall, "effects"), limit)

    def receipts(self, recall: str, *, limit: int | None = None) -> Listing[Receipt]:
        """List the receipts by which nodes confirmed a recall."""
        return self._list(Receipt, at("recalls", recall, "receipts"), limit)

    def report(self, recall: str, to: Path) -> int:
        """Write a recall with all that an outsider needs to see how far it is to a zip; return its
        size."""
        return self._save(at("recalls", recall, "report"), to)

    def ran(self, endpoint: str, *, limit: int | None = None) -> Listing[Receipt]:
        """List what nodes signed to have run behind an endpoint (its id), from when to when."""
        return self._list(Receipt, at("endpoints", endpoint, "receipts"), limit)
