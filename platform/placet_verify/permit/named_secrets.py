"""Which secrets a release may use: the files that its replicas find, and the secret in each.

Standard library only: plan, permit and agent read by the same functions, and the verifier in
JavaScript has twins of them. Names are approved, and no value ever stands in a statement.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_SECRETS = 32
MAX_SECRET_BYTES = 64 << 10  # of one value
NAME_FORM = "small letters, digits and inner hyphens, at most 60"
FILE_FORM = "letters, digits, `_`, `-` and `.`, a letter or digit first, at most 63"

_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_SLUG = r"[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?"
_SECRET = re.compile(rf"(?:({_SLUG})/)?({_SLUG})")


@dataclass(frozen=True, slots=True)
class NamedSecret:
    """A secret of the environment that a release goes to, as the release names it."""

    name: str
    project: str = ""  # the slug before it, where one was written; '': that of the release

    @classmethod
    def read(cls, text: object) -> "NamedSecret":
        """Read ``db`` or ``clinic/db``. Raises ``ValueError`` with a sentence."""
        match = _SECRET.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise ValueError(f"must be the name of a secret, or PROJECT/NAME: each has {NAME_FORM}")
        return cls(match[2], match[1] or "")


def secrets_faults(value: object, *, isolated: bool = True) -> list[tuple[str, str]]:
    """Return what is wrong with the secrets of a release, each with its file, '' for all.

    ``isolated``: whether the configuration names what may be reached. One from before there was
    that has the host's network, and gets no secret.
    """
    if not isinstance(value, Mapping) or not 0 < len(value) <= MAX_SECRETS:
        return [("", f"must be 1 to {MAX_SECRETS} files with the names of their secrets")]
    if not isolated:
        return [("", "need egress beside them, though it be empty")]
    pairs = ((str(file), _file_fault(file) or _name_fault(text)) for file, text in value.items())
    return [(file[:64], fault) for file, fault in sorted(pairs) if fault]


def secrets_of(serving: Mapping[str, Any]) -> dict[str, str]:
    """Return the names of the secrets in a configuration that may run, by their files."""
    named = serving.get("secrets") or {}
    return {file: NamedSecret.read(text).name for file, text in sorted(named.items())}


def _file_fault(file: object) -> str:
    good = isinstance(file, str) and _FILE.fullmatch(file) is not None
    return "" if good else f"the name of a file has {FILE_FORM}"


def _name_fault(text: object) -> str:
    try:
        NamedSecret.read(text)
    except ValueError as error:
        return str(error)
    return ""
