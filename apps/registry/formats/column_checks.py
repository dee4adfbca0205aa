"""Whatever files say of columns is held to what an author may say: it is frozen for good."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from apps.registry.formats.base import MAX_FEATURES, Derived, short_text, unsaid
from apps.registry.rules import example_faults, signature_faults


def usable(found: Derived, path: Callable[[], str]) -> Derived:
    """Return ``found`` without the signature and the example that an author would be refused.

    A file may tell more columns than an author: as many as a service can be made for. ``path``
    names the file, which is not asked for while all is well.
    """
    if found.signature is None:
        return found
    if sentence := trouble(found.signature):
        faults = [*found.faults, *unsaid(found.format, f"{path()}: {sentence}").faults]
        return replace(found, signature=None, example=None, faults=faults)
    if found.example is not None and example_faults(found.example, found.signature):
        return replace(found, example=None)
    return found


def trouble(signature: dict[str, Any]) -> str:
    """Return what is wrong with a signature that a file tells, and with which column; or ''."""
    faults = signature_faults(signature, most=MAX_FEATURES)
    if not faults:
        return ""
    side, *parts = faults[0].pointer.split("/")[2:]  # /signature/inputs/0/name
    if not parts:
        return f"its {side}: {faults[0].detail}"
    number, member = int(parts[0]), "/".join(parts[1:]) or "form"
    name = short_text(signature[side][number].get("name"))
    return f"the {member} of column {number + 1} of its {side}, {name}: {faults[0].detail}"
