"""Where somebody stood when they decided: the facts that rules about independence are counted by.

They stand in the signed decision as they were at that instant, as the role does, so that the
quorum is counted from the permit alone. What nobody knows is ``None`` (a line of defence ''), and
meets no demand.
"""

from dataclasses import dataclass, fields
from typing import Any, Self

SECOND_LINE = "second_line"
OTHER_REPORTING_LINE = "other_reporting_line"
NOT_LAST_TOUCHED = "not_last_touched"
NOT_DATA_OWNER = "not_data_owner"
NOT_CODE_AUTHOR = "not_code_author"
DEMANDS = (
    SECOND_LINE,
    OTHER_REPORTING_LINE,
    NOT_LAST_TOUCHED,
    NOT_DATA_OWNER,
    NOT_CODE_AUTHOR,
)
TITLES = {
    SECOND_LINE: "of the second line",
    OTHER_REPORTING_LINE: "in another reporting line",
    NOT_LAST_TOUCHED: "who did not touch the artifact",
    NOT_DATA_OWNER: "who does not own the data",
    NOT_CODE_AUTHOR: "who did not write the training code",
}
LINES = ("first", "second", "third")

PersonIds = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What was known of a person and of the version on which they decided.

    ``line`` is their line of defence. ``reports_to`` are their managers, from their own up to the
    top of the organisation; whoever is the top reports to nobody: an empty list. The others are ids
    of people, sorted.
    """

    line: str = ""
    reports_to: PersonIds | None = None
    requester_reports_to: PersonIds | None = None
    author_reports_to: PersonIds | None = None
    touched: PersonIds | None = None  # who put in, took out or changed anything of the artifact
    data_owners: PersonIds | None = None
    code_authors: PersonIds | None = None

    def __post_init__(self) -> None:
        if self.line not in ("", *LINES):
            raise ValueError("a line of defence is first, second or third")
        for name in ("reports_to", "requester_reports_to", "author_reports_to"):
            managers = getattr(self, name)
            if managers is not None and len(set(managers)) != len(managers):
                raise ValueError(f"{name} goes in a circle")

    def to_dict(self) -> dict[str, Any]:
        """Return the members of the JSON form; each is always there."""
        chains = ("reports_to", "requester_reports_to", "author_reports_to")
        people = ("touched", "data_owners", "code_authors")
        members: dict[str, Any] = {"line": self.line}
        for name in chains:
            ids = getattr(self, name)
            members[name] = None if ids is None else list(ids)
        for name in people:
            ids = getattr(self, name)
            members[name] = None if ids is None else sorted(set(ids))
        return members

    @classmethod
    def from_dict(cls, members: Any) -> Self:
        """Read the JSON form; raise ``ValueError`` when it is not exactly that."""
        names = {field.name for field in fields(cls)}
        if not isinstance(members, dict) or set(members) != names:
            raise ValueError("standing must have exactly its members")
        if not isinstance(members["line"], str):
            raise ValueError("line must be text")
        lists = {name: _people(name, members[name]) for name in names - {"line"}}
        return cls(line=members["line"], **lists)

    def obstacle(self, demand: str, *, person: str, requester: str, author: str) -> str:
        """Return why ``person`` does not meet ``demand``, as a word; '' when they do."""
        match demand:
            case "second_line":
                return {"second": "", "": "no_line"}.get(self.line, "not_second_line")
            case "other_reporting_line":
                return self._same_line(person, requester, author)
            case "not_last_touched":
                return _among(person, self.touched, "touched")
            case "not_data_owner":
                return _among(person, self.data_owners, "data_owner")
            case "not_code_author":
                return _among(person, self.code_authors, "code_author")
        return "unknown_demand"

    def _same_line(self, person: str, requester: str, author: str) -> str:
        if self.reports_to is None:
            return "no_reporting_line"
        others = (
            ("requester", requester, self.requester_reports_to),
            ("author", author, self.author_reports_to),
        )
        for who, other, managers in others:
            if managers is None:
                return f"no_reporting_line_of_{who}"
            if not independent((person, *self.reports_to), (other, *managers)):
                return f"reporting_line_of_{who}"
        return ""


def independent(one: PersonIds, other: PersonIds) -> bool:
    """Tell whether two reporting lines meet at the top of the organisation alone, if at all.

    Each begins with a person and ends at the top. Neither person is above the other, nor is
    anybody below the top above both.
    """
    if one[0] in other or other[0] in one:
        return False
    return not set(one[:-1]) & set(other[:-1])


def _among(person: str, people: PersonIds | None, word: str) -> str:
    if people is None:
        return f"{word}_unknown"
    return word if person in people else ""


def _people(name: str, value: Any) -> PersonIds | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise ValueError(f"{name} must be a list of people, or null")
    return tuple(value)


UNKNOWN = Standing()
