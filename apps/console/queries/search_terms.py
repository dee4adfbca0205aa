"""What somebody searches for, taken apart, and what is found."""

import re
from dataclasses import dataclass

from placet.kernel.ids import is_id

LONGEST = 160  # characters that count: PROJECT/MODEL:NUMBER, an id or a digest
MOST = 10  # hits of one kind
LEAST = 3  # letters, to look for inside sentences
WORDS = 6  # that count of a search for several
_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{4,64})")
_REFERENCE = re.compile(r"(?:([^/\s]+)/)?([^/:\s]+):(\S*)")
_RELEASE = re.compile(r"(?:([^/\s]+)/|release\s+|#)?([0-9]{1,6})")
SHORT_NUMBER = re.compile(r"[0-9]{1,6}")


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing that was found, and the page that shows it."""

    kind: str
    id: str
    title: str
    detail: str
    url: str


@dataclass(frozen=True, slots=True)
class SearchTerms:
    """A search, taken apart: what it could be the name, the number or the digest of."""

    text: str
    id: str = ""
    digest: str = ""
    release: int | None = None
    project: str = ""
    model: str = ""
    number: int | None = None
    alias: str = ""

    @property
    def words(self) -> list[str]:
        """Its words, as many as count."""
        return self.text.split()[:WORDS]


def wanted(text: str) -> SearchTerms:
    """Take ``text`` apart: ``churn``, ``risk/churn:3``, ``churn:champion``, ``sha256:9f…``, ``12``,
    ``risk/12``.

    Names are small letters, so letters of any size mean the same. A short number is a release's
    and not the beginning of a digest.
    """
    text = " ".join(text.lower().split())[:LONGEST]
    if is_id(text):
        return SearchTerms(text, id=text)
    digest = _DIGEST.fullmatch(text)
    if digest and text.startswith("sha256:"):
        return SearchTerms(digest[1], digest=digest[1])
    if reference := _REFERENCE.fullmatch(text):
        project, model, rest = reference[1] or "", reference[2], reference[3]
        number = int(rest) if re.fullmatch(r"[0-9]{1,9}", rest) else None
        alias = "" if number is not None else rest
        return SearchTerms(text, project=project, model=model, number=number, alias=alias)
    release = _RELEASE.fullmatch(text)
    return SearchTerms(
        text,
        digest=digest[1] if digest and not SHORT_NUMBER.fullmatch(text) else "",
        release=int(release[2]) if release else None,
        project=(release[1] or "") if release else "",
    )
