"""The append-only log, and the keys that sign."""

from pathlib import Path
from typing import Literal

from placet_client.nouns.base import Listing, Noun, at, given
from placet_client.records import (
    AuditEvent,
    AuditEventDetail,
    Checkpoint,
    Consistency,
    Inclusion,
    LeafPage,
)


class Audit(Noun):
    """What happened, and the proofs of it."""

    def events(
        self,
        *,
        kind: str = "",
        subject: str = "",
        actor: str = "",
        project: str = "",
        environment: str = "",
        since: str = "",
        until: str = "",
        limit: int | None = None,
    ) -> Listing[AuditEvent]:
        """List the events that you may read, newest first. Times are RFC 3339."""
        return self._list(
            AuditEvent, "/audit/events", limit, kind=kind, subject=subject, actor=actor,
            project=project, environment=environment, since=since, until=until,
        )  # fmt: skip

    def get(self, index: int) -> AuditEventDetail:
        """Read one event with its exact body."""
        return self._read(AuditEventDetail, at("audit", "events", index))

    def proof(self, index: int) -> Inclusion:
        """Return the proof that an event is in the log under the newest checkpoint."""
        return self._read(Inclusion, at("audit", "events", index, "proof"))

    def tlog_proof(self, index: int) -> bytes:
        """Return event and proof as a C2SP tlog-proof file."""
        return self._bytes(at("audit", "events", index, "tlog-proof"))

    def verifier(self) -> bytes:
        """Return the offline verifier, one file, as the server has it."""
        return self._bytes("/verifier")

    def verifier_page(self) -> bytes:
        """Return the verifier for browsers, one HTML file, as the server has it."""
        return self._bytes("/verifier/page")

    def checkpoint(self) -> Checkpoint:
        """Return the newest signed tree head."""
        return self._read(Checkpoint, "/audit/checkpoint")

    def consistency(self, old: int, new: int) -> Consistency:
        """Return the proof that the log of size ``new`` continues the one of size ``old``."""
        return self._read(Consistency, "/audit/consistency", old=old, new=new)

    def leaves(self, *, start: int = 0, limit: int = 500) -> LeafPage:
        """Return consecutive leaves; bodies that you may not read are missing."""
        return self._read(LeafPage, "/audit/leaves", **{"from": start, "limit": limit})

    def tile(self, level: int, index: int) -> bytes:
        """Return the hashes of one tile of the tree."""
        return self._bytes(at("audit", "tiles", level, index))

    def export(
        self,
        to: Path,
        *,
        form: Literal["jsonl", "csv"] = "jsonl",
        kind: str = "",
        subject: str = "",
        actor: str = "",
        project: str = "",
        environment: str = "",
        since: str = "",
        until: str = "",
    ) -> int:
        """Write the events that you may read to a file; return its size."""
        query = given(format=form, kind=kind, subject=subject, actor=actor, project=project,
                      environment=environment, since=since, until=until)  # fmt: skip
        return self._save("/audit/export", to, **query)

    def keys(self) -> bytes:
        """Return ``keys.json``: which key may sign what, signed by the root."""
        return self._bytes("/keys")

    def root_key(self) -> bytes:
        """Return the root's public key (PEM). Whether it is the right one, the server cannot
        tell you: compare its fingerprint with one that you have from elsewhere."""
        return self._bytes("/keys/root")
