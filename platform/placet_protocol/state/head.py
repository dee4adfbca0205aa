"""What a node learns from a state before anything else of it is read: what must not run, and how
far the log is. Nothing in the rest of a state can keep a node from it."""

from dataclasses import dataclass
from typing import Any

from placet_protocol.bounded import MAX_WHOLE
from placet_protocol.fields import ProtocolError, hex_digest, identifier, whole
from placet_protocol.report.rows import NodeError
from placet_verify import canonical
from placet_verify.errors import Refused


@dataclass(frozen=True)
class StateNews:
    """What every signed state tells, whatever the rest of it says.

    What is not as it should be is named in ``errors`` and passed over: one malformed recall among
    good ones stops none of the others.
    """

    recalls: tuple[str, ...] = ()  # envelopes of signed recalls and lifts
    recalled: frozenset[str] = frozenset()  # Bentos that must not run now
    checkpoint: str | None = None
    errors: tuple[NodeError, ...] = ()


@dataclass(frozen=True)
class StateHead:
    """Whom a state is for, and which one it is."""

    target: str
    epoch: int
    number: int

    @property
    def generation(self) -> tuple[int, int]:
        """``(epoch, number)``, ordered."""
        return self.epoch, self.number


def read_head(data: Any) -> StateHead:
    """Read whom a state is for and which one it is; raise ``ProtocolError``."""
    return StateHead(
        target=identifier(data, "target"),
        epoch=whole(data, "epoch", 0, MAX_WHOLE),
        number=whole(data, "number", 0, MAX_WHOLE),
    )


def read_heard(data: Any) -> StateNews:
    """Read what a state tells of recalls and of the log; never raises.

    ``recalls`` is absent in what an older platform sends.
    """
    errors, recalls, recalled = list[NodeError](), list[str](), set[str]()
    for index, item in enumerate(_items(data, "recalls", errors, absent=True)):
        try:
            recalls.append(_envelope(item))
        except (ProtocolError, Refused) as error:
            errors.append(NodeError(code="recall_refused", detail=f"recall {index + 1}: {error}"))
    for index, item in enumerate(_items(data, "recalled", errors)):
        try:
            recalled.add("sha256:" + hex_digest(item))
        except ProtocolError as error:
            sentence = f"recalled Bento {index + 1}: {str(error)[:200]}"
            errors.append(NodeError(code="recall_refused", detail=sentence))
    checkpoint = data.get("checkpoint") if isinstance(data, dict) else None
    if checkpoint is not None and not isinstance(checkpoint, str):
        errors.append(NodeError(code="checkpoint_refused", detail="the checkpoint is not text"))
        checkpoint = None
    return StateNews(tuple(recalls), frozenset(recalled), checkpoint, tuple(errors))


def _items(data: Any, name: str, errors: list[NodeError], *, absent: bool = False) -> list[Any]:
    items = data.get(name) if isinstance(data, dict) else None
    if isinstance(items, list):
        return items
    if not (absent and items is None):
        errors.append(NodeError(code="recall_refused", detail=f"{name!r} is not a list"))
    return []


def _envelope(item: object) -> str:
    if not isinstance(item, dict):
        raise ProtocolError("an envelope is an object")
    return canonical.dumps(item).decode()
