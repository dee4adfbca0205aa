"""What this node signs with its own key: what ran here from when to when, and that nothing runs
any more of what was recalled.

On disk as soon as it is known, if it can be, and kept until the platform has taken it: a node that
is cut off says it when it is back.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from placet_agent.process.replica import ReplicaRecord
from placet_agent.state import files
from placet_verify import canonical, times
from placet_verify.recalls import Book
from placet_verify.signing.dsse import Envelope
from placet_verify.signing.keys import PrivateKey
from placet_verify.statements import RanReceipt, RecallStatement, StoppedReceipt
from placet_verify.statements.recall import NodeReceipt

MAX_SENT = 50  # with one report
MAX_UNSENT = 500  # while the platform is away


@dataclass(frozen=True)
class RevisionRun:
    """A revision of which something runs here."""

    endpoint: str
    release: str
    bento_digest: str
    started_at: str


@dataclass(frozen=True)
class Who:
    """Whose receipts these are."""

    node: str
    target: str
    key: PrivateKey


class Receipts:
    """The file of receipts. The loop looks and signs, the reporter says what it told."""

    def __init__(self, path: Path, who: Who, book: Callable[[], Book]) -> None:
        self._copy, self.who, self.book = files.Copy(path), who, book
        self._lock = threading.Lock()
        kept = files.read_json(path) or {}
        self._running = {pk: RevisionRun(**row) for pk, row in kept.get("running", {}).items()}
        self._stopped: dict[str, str] = kept.get("stopped", {})  # recall → digest of its statement
        self._epoch: int = kept.get("epoch", 0)  # of the platform that was told
        self._unsent: list[str] = kept.get("unsent", [])

    @property
    def fault(self) -> str:
        """Why the disk does not have all of it; '' when it has."""
        return self._copy.fault

    def forbidden(self, record: ReplicaRecord) -> bool:
        """Tell whether a replica is of something that was recalled."""
        book = self.book()
        return bool(book.forbids(bento_digest=record.bento_digest, release=record.release))

    def look(self, records: Iterable[ReplicaRecord], book: Book, epoch: int) -> tuple[str, ...]:
        """Sign what follows from what runs now, and return what is to be sent.

        ``book`` is what the loop went by in this pass: what was learned since is answered when
        the loop has followed it. ``epoch`` is the state's: a platform whose database was restored
        may have forgotten what it was told, and is told again.
        """
        now, seen = datetime.now(UTC), {record.revision: record for record in records}
        with self._lock:
            if epoch != self._epoch:
                self._epoch, self._stopped = epoch, {}
            self._stopped = {k: d for k, d in self._stopped.items() if not _loud(book, k, seen)}
            begun = {pk: _run(row, now) for pk, row in seen.items() if pk not in self._running}
            ended = {pk: run for pk, run in self._running.items() if pk not in seen}
            quiet = [one for one in book.standing if self._quiet(one, seen.values())]
            if begun or ended or quiet:
                self._keep(begun, ended, quiet, now)
            elif self.fault:
                self._store()
            return tuple(self._unsent[:MAX_SENT])

    def told(self, sent: Iterable[str]) -> None:
        """Note that the platform has taken these."""
        with self._lock:
            gone = set(sent)
            if gone:
                self._unsent = [text for text in self._unsent if text not in gone]
                self._store()

    def _quiet(self, recall: RecallStatement, records: Iterable[ReplicaRecord]) -> bool:
        """Tell whether nothing runs of what a recall names, and that was not said before."""
        already_reported = self._stopped.get(recall.recall) == recall.digest
        return not already_reported and not _runs(recall, records)

    def _keep(
        self,
        begun: dict[str, RevisionRun],
        ended: dict[str, RevisionRun],
        quiet: list[RecallStatement],
        now: datetime,
    ) -> None:
        self._running = {k: r for k, r in self._running.items() if k not in ended} | begun
        signed: list[NodeReceipt] = [self._ran(pk, run, now) for pk, run in ended.items()]
        for recall in quiet:
            self._stopped[recall.recall] = recall.digest
            signed.append(
                StoppedReceipt(
                    node=self.who.node,
                    target=self.who.target,
                    recall=recall.recall,
                    recall_digest=recall.digest,
                    at=now,
                )
            )
        self._unsent += [one.sign(self.who.key).to_json() for one in signed]
        self._join_runs()
        self._store()

    def _join_runs(self) -> None:
        """Keep no more than ``MAX_UNSENT``: of the revision that ran most often the two newest runs
        become one, from the start of the first to the end of the second. No run is left out."""
        while len(self._unsent) > MAX_UNSENT:
            runs = defaultdict[str, list[tuple[str, RanReceipt]]](list)
            for text in self._unsent[MAX_SENT:]:  # those before may be on their way
                receipt = _said(text)
                if isinstance(receipt, RanReceipt):
                    runs[receipt.revision].append((text, receipt))
            most = max(runs.values(), key=len, default=[])
            if len(most) < 2:
                return
            (gone, first), (last, ran) = most[-2:]
            joined = replace(ran, started_at=min(first.started_at, ran.started_at))
            self._unsent[self._unsent.index(last)] = joined.sign(self.who.key).to_json()
            self._unsent.remove(gone)

    def _ran(self, revision: str, run: RevisionRun, now: datetime) -> RanReceipt:
        started_at = times.parse(run.started_at)
        return RanReceipt(
            node=self.who.node,
            target=self.who.target,
            endpoint=run.endpoint,
            release=run.release,
            revision=revision,
            bento_digest=run.bento_digest,
            started_at=started_at,
            ended_at=max(now, started_at),
        )

    def _store(self) -> None:
        running = {pk: asdict(run) for pk, run in self._running.items()}
        kept = {"running": running, "stopped": self._stopped, "unsent": self._unsent}
        self._copy.write(kept | {"epoch": self._epoch})


def _said(text: str) -> NodeReceipt:
    """Return what an envelope of ours says."""
    payload = Envelope.from_json(text).payload
    ran = canonical.loads(payload)["predicateType"] == RanReceipt.TYPE
    return RanReceipt.parse(payload) if ran else StoppedReceipt.parse(payload)


def _runs(recall: RecallStatement, records: Iterable[ReplicaRecord]) -> bool:
    names = recall.names
    return any(row.bento_digest in names.bentos or row.release in names.releases for row in records)


def _loud(book: Book, recall: str, seen: Mapping[str, ReplicaRecord]) -> bool:
    """Tell whether something runs of a recall again, so that what was said of it is not true."""
    statement = book.recalls.get(recall)
    return statement is not None and _runs(statement, seen.values())


def _run(record: ReplicaRecord, now: datetime) -> RevisionRun:
    return RevisionRun(record.endpoint, record.release, record.bento_digest, times.rfc3339(now))
