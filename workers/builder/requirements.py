"""What a version may ask for: names and versions, nothing that names a place or runs code."""

from collections.abc import Iterable

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from apps.registry.formats import FORMATS
from workers.builder.errors import BuildFailed
from workers.builder.pinned import BENTOML, SERVING

MAX_REQUIREMENTS = 200
MAX_LENGTH = 200


def parse(text: str) -> Requirement:
    """Return ``text`` as a requirement; raise :class:`BuildFailed` for what is not allowed."""
    printable = "".join(c if c.isprintable() else "\ufffd" for c in text[:80])
    if len(text) > MAX_LENGTH or any(not c.isprintable() for c in text):
        raise BuildFailed(f"The requirement {printable!r} is too long or holds control characters")
    if text.strip().startswith("-"):
        raise BuildFailed(
            f"The requirement {printable!r} is an option; only names and versions may stand"
        )
    if "://" in text or " @ " in text or text.strip().startswith((".", "/", "~")):
        raise BuildFailed(
            f"The requirement {printable!r} names a place; only names and versions may stand"
        )
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        raise BuildFailed(f"The requirement {printable!r} is not a name and a version") from None
    if requirement.url:
        raise BuildFailed(
            f"The requirement {printable!r} names a place; only names and versions may stand"
        )
    return requirement


def gather(
    requirements: Iterable[str], model_format: str, *, accelerate: bool = False
) -> list[str]:
    """Return the sorted inputs of a lock: the version's, the format's, the pinned BentoML and what
    it serves with, where the version does not ask for another of that."""
    parsed = [parse(text) for text in requirements]
    if len(parsed) > MAX_REQUIREMENTS:
        raise BuildFailed(f"A version may have at most {MAX_REQUIREMENTS} requirements")
    counted = (r for r in parsed if r.marker is None or r.marker.evaluate())
    names = {canonicalize_name(r.name) for r in counted}
    lines = {str(r) for r in parsed if canonicalize_name(r.name) != "bentoml"}
    kind = FORMATS[model_format]
    more = kind.onnx.packages if kind.onnx and accelerate else ()
    for need in (*kind.packages, *more):
        if not names & {need, kind.instead.get(need, need)}:
            lines.add(need)
    lines.update(each for each in SERVING if each.partition("==")[0] not in names)
    return sorted({*lines, BENTOML})
