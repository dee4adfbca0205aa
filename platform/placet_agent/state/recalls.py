"""What this node was ever told is recalled: on disk before anything follows from it, if it can be.

A recall that the disk does not take counts all the same, and is written when there is room.

The list only grows. An older state, or one that somebody signs who has stolen the ``state`` key,
cannot take anything off it: recalls and lifts are each signed by the ``decision`` key.
"""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from placet_agent.state import files
from placet_protocol.report import NodeError
from placet_verify.errors import Refused
from placet_verify.recalls import Book
from placet_verify.signing.dsse import Envelope
from placet_verify.statements import LiftStatement, RecallStatement, parse

log = logging.getLogger(__name__)
StatementReader = Callable[[Envelope], RecallStatement | LiftStatement]


class RecallFile:
    """The file of recalls. The poller adds, everybody reads the book as it is."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._texts: list[str] = files.read_json(path) or []
        self.stored = True  # whether the file has all of them
        self.book = Book()
        self.book.add(_stored(text) for text in self._texts)

    def learn(self, texts: Iterable[str], read: StatementReader) -> list[NodeError]:
        """Take in what a state tells of recalls, each verified by ``read``; return what is not
        one, and goes on with the others. The book is replaced, never changed: another thread may
        be reading it."""
        errors, statements, kept = list[NodeError](), [], []
        for text in texts:
            if text in self._texts:
                continue
            try:
                statements.append(read(Envelope.from_json(text)))
                kept.append(text)
            except Refused as refusal:
                errors.append(NodeError(code="recall_refused", detail=refusal.sentence))
            except Exception as error:  # whatever one of them holds, the next must be learned
                log.exception("a recall cannot be read")
                errors.append(NodeError(code="recall_refused", detail=type(error).__name__))
        book = Book(dict(self.book.recalls), dict(self.book.lifts))
        grown = book.add(statements)
        if grown:
            self._texts, self.stored = [*self._texts, *kept], False
        try:
            self.store()
        except OSError as error:
            log.exception("recalls cannot be written down")
            errors.append(NodeError(code="recall_unstored", detail=str(error)[:500]))
        if grown:
            self.book = book
        return errors

    def store(self) -> None:
        """Write down what the disk did not take before. Raises ``OSError``."""
        if not self.stored:
            files.write_json(self.path, self._texts)
            self.stored = True


def _stored(text: str) -> RecallStatement | LiftStatement:
    """Return what was verified when it was stored; a key that was lost since changes nothing."""
    statement = parse(Envelope.from_json(text).payload)
    assert isinstance(statement, RecallStatement | LiftStatement)
    return statement
