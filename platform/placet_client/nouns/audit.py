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
    Timestamp,
    TimestampDetail,
    Witness,
    WitnessedLog,
    WitnessKeys,
)


class Audit(Noun):
    """What happened, and the proofs of it."""

    def events(
        self,
        *,
        kind: str = "",
        group: str = "",
        text: str = "",
        subject: str = "",
        object: str = "",  # as the API calls it
        actor: str = "",
        person: str = "",
        by_people: bool | None = None,
        cause: str = "",
        project: str = "",
        environment: str = "",
        since: str = "",
        until: str = "",
        limit: int | None = None,
    ) -> Listing[AuditEvent]:
        """List the events that you may read, newest first. Times are RFC 3339; ``person`` is a part
        of a name, an id or an address, ``object`` the name of an endpoint, model, version
        (``name:3``, these after ``project/`` too), environment, project, target, person, team or
        service account, ``text`` words of an event, ``cause`` a recall, ``project`` slug or id."""
        return self._list(
            AuditEvent,
            "/audit/events",
            limit,
            kind=kind,
            group=group,
            text=text,
            subject=subject,
            object=object,
            actor=actor,
            person=person,
            by_people=by_people,
            cause=cause,
            project=project,
            environment=environment,
            since=since,
            until=until,
        )

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
        group: str = "",
        text: str = "",
        subject: str = "",
        object: str = "",  # as the API calls it
        actor: str = "",
        person: str = "",
        by_people: bool | None = None,
        cause: str = "",
        project: str = "",
        environment: str = "",
        since: str = "",
        until: str = "",
    ) -> int:
        """Write the events that you may read to a file; return its size."""
        query = given(
            format=form,
            kind=kind,
            group=group,
            text=text,
            subject=subject,
            object=object,
            actor=actor,
            person=person,
            by_people=by_people,
            cause=cause,
            project=project,
            environment=environment,
            since=since,
            until=until,
        )
        return self._save("/audit/export", to, **query)

    def keys(self) -> bytes:
        """Return ``keys.json``: which key may sign what, signed by the root."""
        return self._bytes("/keys")

    def root_key(self) -> bytes:
        """Return the root's public key (PEM). Whether it is the right one, the server cannot
        tell you: compare its fingerprint with one that you have from elsewhere."""
        return self._bytes("/keys/root")

    def witnesses(self, *, limit: int | None = None) -> Listing[Witness]:
        """List who witnesses this log."""
        return self._list(Witness, "/audit/witnesses", limit)

    def add_witness(
        self, *, name: str, kind: str, address: str, key: str = "", retain_days: int | None = None
    ) -> Witness:
        """Have every checkpoint shown to a witness.

        ``kind`` is ``http`` (``address`` is the prefix before ``/add-checkpoint``, ``key`` its
        verifier key), ``file`` (the name of a folder of the server's) or ``s3``
        (``s3://bucket/prefix``, each object locked for ``retain_days``).
        """
        body = given(name=name, kind=kind, address=address, key=key, retain_days=retain_days)
        return self._do(Witness, "/audit/witnesses", body)

    def remove_witness(self, witness_id: str) -> None:
        """Show nothing more to a witness."""
        self._http.request("POST", at("audit", "witnesses", witness_id, "remove"), json={})

    def witnessed_logs(self, *, limit: int | None = None) -> Listing[WitnessedLog]:
        """List the logs of others that the installation cosigns."""
        return self._list(WitnessedLog, "/audit/witnessed-logs", limit)

    def witness_log(self, key: str) -> WitnessedLog:
        """Begin to cosign a log of others, by its verifier key (``name+id+base64``)."""
        return self._do(WitnessedLog, "/audit/witnessed-logs", {"key": key})

    def forget_log(self, log_id: str) -> None:
        """Cosign a log no more."""
        self._http.request("POST", at("audit", "witnessed-logs", log_id, "remove"), json={})

    def witness_keys(self) -> WitnessKeys:
        """Return the verifier keys of this log and of this witness."""
        return self._read(WitnessKeys, "/audit/witness-keys")

    def timestamps(self, *, limit: int | None = None) -> Listing[Timestamp]:
        """List when checkpoints existed, by the word of time-stamping authorities, newest first."""
        return self._list(Timestamp, "/audit/timestamps", limit)

    def timestamp(self, size: int, authority: str) -> TimestampDetail:
        """Return one time stamp with the checkpoint that it is over."""
        return self._read(TimestampDetail, at("audit", "timestamps", size, authority))
