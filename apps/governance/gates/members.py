"""The members that a policy writes of a gate, and the rules that only gates have."""

import re
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import ValidationInfo

from apps.governance.parts import ANYTHING, Part, ReadBy, rule, wrong

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


class Members(Part):
    """What a policy writes of one gate; each gate declares its own. What is left out without a
    default is not written, so that a document from before a member came keeps its digest."""

    EXPECTED = "must be a mapping with the member gate"
    UNKNOWN = "is not a member of this gate"
    MISSING = "is missing"
    gate: Annotated[str, ANYTHING]


def is_name(value: object) -> bool:
    """Tell whether this can be the name of something else in the project."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def flag() -> ReadBy:
    """True or false."""
    return rule(lambda value: isinstance(value, bool), "must be true or false")


def names() -> ReadBy:
    """A list of names, each once, at least one."""
    return _each_once(is_name, "must be a list of names, each once")


def some_of(options: Sequence[str]) -> ReadBy:
    """A list of these words, each once, at least one."""
    detail = f"must be a list, each once, out of: {', '.join(options)}"
    return _each_once(lambda value: value in options, detail)


def or_null(read: ReadBy) -> ReadBy:
    """What may be null as well, which is as if it were left out."""
    return ReadBy(lambda value, info: None if value is None else read.function(value, info))


def _each_once(holds: Any, detail: str) -> ReadBy:
    def read(value: Any, _: ValidationInfo) -> list[str]:
        listed = value if isinstance(value, list) else []
        if not listed or not all(map(holds, listed)) or len(set(listed)) != len(listed):
            raise wrong(((), detail))
        return sorted(listed)

    return ReadBy(read)
