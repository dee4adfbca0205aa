"""What nodes signed, and recalls, as the log of an installation shows them: without a server.

A test spoils one of it before a bundle or a report is put together.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from placet_verify import canonical, times
from placet_verify.bundle import nodes, recall_report
from placet_verify.log import events
from placet_verify.signing.keys import PrivateKey
from placet_verify.statements import (
    LiftStatement,
    RanReceipt,
    RecalledNames,
    RecallStatement,
    StoppedReceipt,
)
from tests.support.offline import BEFORE, Files, log_files
from tests.support.permits import NOON, Keys, valid_case

HOUR = timedelta(hours=1)
ASKED = valid_case().request
BENTO, RELEASE, ENDPOINT = ASKED.bento_digest, ASKED.release, ASKED.endpoint
PLACED, STARTED, ENDED, RECALLED = (NOON + n * HOUR for n in (2, 2, 5, 4))
Event = dict[str, Any]


@dataclass
class OnNodes:
    """Events about one target's node, in the order in which they happened."""

    keys: Keys = field(default_factory=Keys)
    key: PrivateKey = field(default_factory=PrivateKey.generate)  # the node's
    events: list[Event] = field(default_factory=list)

    def note(self, kind: str, at: datetime, **rows: Any) -> None:
        """Append an event that shows these rows."""
        after = {key.replace("__", ".").replace("_of_", ":"): row for key, row in rows.items()}
        self.events.append(
            {"kind": kind, "at": times.rfc3339(at), "salt": "AAAA", "after": after, "data": {}}
        )

    def joined(
        self, node: str = "nod_1", target: str = "tgt_1", key: PrivateKey | None = None
    ) -> None:
        """A node joined a target."""
        public = (key or self.key).public.to_base64()
        row = {"id": node, "target_id": target, "public_key": public}
        self.note("node.joined.v1", NOON - 5 * HOUR, serving__node_of_x=row)

    def made(self, endpoint: str = ENDPOINT, target: str = "tgt_1") -> None:
        """An endpoint was made on a target."""
        row = {"id": endpoint, "target_id": target}
        self.note("endpoint.created.v1", NOON - 4 * HOUR, serving__endpoint_of_x=row)

    def placed(self, revision: str = "rev_1", at: datetime = PLACED, **changes: Any) -> None:
        """A revision was put behind the endpoint."""
        row = {"id": revision, "release": RELEASE, "bento_id": BENTO, "endpoint_id": ENDPOINT}
        self.note("revision.added.v1", at, serving__revision_of_x=row | changes)

    def ran(
        self,
        key: PrivateKey | None = None,
        *,
        taken: datetime | None = None,
        kept: bool = True,
        **changes: Any,
    ) -> str:
        """The node signed that the revision ran, and the platform took that."""
        said: dict[str, Any] = {
            "node": "nod_1",
            "target": "tgt_1",
            "endpoint": ENDPOINT,
            "release": RELEASE,
            "revision": "rev_1",
            "bento_digest": BENTO,
            "started_at": STARTED,
            "ended_at": ENDED,
        } | changes
        text = RanReceipt(**said).sign(key or self.key).to_json()
        if kept:
            self.kept(text, taken or said["ended_at"])
        return text

    def kept(self, text: str, at: datetime) -> None:
        """The platform took a receipt of a run."""
        self.note("receipt.kept.v1", at, assurance__receipt_of_x={"envelope": text})

    def recalled(
        self, *, signer: PrivateKey | None = None, reached: bool = True, **changes: Any
    ) -> RecallStatement:
        """The Bento was recalled."""
        said: dict[str, Any] = {
            "recall": "rcl_1",
            "project": "prj_1",
            "kind": "bento",
            "what": BENTO,
            "names": RecalledNames.of(bentos=[BENTO], releases=[RELEASE]),
            "by": "per_operator",
            "reason": canonical.digest(b"why"),
            "at": RECALLED,
        } | changes
        statement = RecallStatement(**said)
        text = statement.sign(signer or self.keys.decision).to_json()
        row = {"id": statement.recall, "envelope": text, "lift_envelope": ""}
        if reached:
            for release in statement.names.releases:
                self.reached(statement.recall, release)
        self.note("recall.created.v1", statement.at, assurance__recall_of_x=row)
        return statement

    def reached(self, recall: str, release: str, kind: str = "reached", **changes: Any) -> None:
        """The platform wrote down what it knows of a recall and a release."""
        row = effect(recall, release, **changes)
        self.note(f"recall.{kind}.v1", RECALLED, assurance__recalleffect_of_x=row)

    def lifted(self, recall: RecallStatement, **changes: Any) -> None:
        """Somebody lifted a recall."""
        said: dict[str, Any] = {
            "recall": recall.recall,
            "recall_digest": recall.digest,
            "by": "per_approver",
            "reason": canonical.digest(b"a false alarm"),
            "at": NOON + 9 * HOUR,
        } | changes
        text = LiftStatement(**said).sign(self.keys.decision).to_json()
        row = {"id": recall.recall, "envelope": "", "lift_envelope": text}
        self.note("recall.lifted.v1", NOON + 9 * HOUR, assurance__recall_of_x=row)

    def stopped(
        self,
        recall: RecallStatement,
        key: PrivateKey | None = None,
        *,
        at: datetime = ENDED,
        taken: datetime | None = None,
        confirms: bool = True,
        **changes: Any,
    ) -> None:
        """The node signed that nothing runs of a recall, and the platform took that."""
        said: dict[str, Any] = {
            "node": "nod_1",
            "target": "tgt_1",
            "recall": recall.recall,
            "recall_digest": recall.digest,
            "at": at,
        } | changes
        rows = {
            "assurance__receipt_of_x": {
                "envelope": StoppedReceipt(**said).sign(key or self.key).to_json()
            }
        }
        if confirms:
            named = recall.names.releases[0]
            rows["assurance__recalleffect_of_x"] = effect(recall.recall, named, state="confirmed")
        self.note("recall.confirmed.v1", taken or at, **rows)

    def on_a_node(self) -> "OnNodes":
        """The release went to a node of the endpoint's target."""
        self.joined()
        self.made()
        self.placed()
        return self

    def report(self) -> Files:
        """Return the report of the recall among these events."""
        bodies = {BEFORE + n: canonical.dumps(event) for n, event in enumerate(self.events)}
        logged = events.read({index: body.decode() for index, body in bodies.items()})
        return {
            **nodes.papers(logged),
            **log_files(bodies, self.keys.log),
            "keys.json": self.keys.document.encode(),
            "root.pub": self.keys.root.public.to_pem(),
            "README.txt": recall_report.README_TEXT.encode(),
        }


def effect(recall: str, release: str, **changes: Any) -> dict[str, Any]:
    """Return what the platform says of a release that a recall reached."""
    return {
        "recall_id": recall,
        "release_id": release,
        "target_id": "tgt_1",
        "state": "open",
        "revisions": ["rev_1"],
    } | changes
