"""Showing a checkpoint to a witness: one module for each kind, and what they all answer."""

from apps.audit.models import Witness, WitnessKind
from apps.audit.witnesses.answers import (
    Ahead,
    Forked,
    PushFailed,
    ShownCheckpoint,
    Taken,
    WitnessAnswer,
)

__all__ = ["Ahead", "Forked", "PushFailed", "ShownCheckpoint", "Taken", "WitnessAnswer", "show_to"]


def show_to(witness: Witness, shown: ShownCheckpoint) -> WitnessAnswer:
    """Show a checkpoint to ``witness`` and return what it said.

    Talks to other machines: call it outside any transaction. Repeating it is harmless. Raises
    :class:`PushFailed` with a sentence when there was no answer that can be judged.
    """
    from apps.audit.witnesses import bucket, cosigner, folder, shelf

    if witness.kind == WitnessKind.HTTP:
        return cosigner.push(witness, shown)
    if witness.kind == WitnessKind.FILE:
        return shelf.push(folder.WitnessFolder.of(witness), shown)
    return shelf.push(bucket.Locked.of(witness), shown)
