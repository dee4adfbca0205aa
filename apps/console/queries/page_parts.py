"""What pages print and loop over: a button, a banner, a link, a state in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from apps.console.templatetags.placet import number
from apps.governance.gates.approvals import people
from placet.kernel.actor import Actor

Tone = Literal["pass", "wait", "fail", "plain"]


@dataclass(frozen=True, slots=True)
class Link:
    """Words that lead somewhere."""

    text: str
    url: str
    download: bool = False


@dataclass(frozen=True, slots=True)
class Tab:
    """One page of a thing in the row of all of them."""

    text: str
    url: str
    active: bool
    count: int = 0  # of what is open there


@dataclass(frozen=True, slots=True)
class Sign:
    """A state in words of its own: a tone, the sign beside it so that it is no colour alone."""

    tone: Tone
    icon: str
    text: str
    wrap: bool = False
    at: datetime | None = None  # when that is over, said behind the text


@dataclass(frozen=True, slots=True)
class Banner:
    """A sentence above everything else, with where to go on from it."""

    tone: Literal["danger", "warning", "info"]
    text: str
    links: Sequence[Link] = ()


@dataclass(frozen=True, slots=True)
class Button:
    """What a reader can do: open a dialog, send a form that has nothing to fill in, or go.

    Where ``generation`` is given, the form says which state its reader saw.
    """

    text: str
    dialog: str = ""
    post: str = ""
    href: str = ""
    tone: str = ""
    generation: str = ""


def listed(words: Sequence[str]) -> str:
    """Return words as a sentence has them: ``a``, ``a and b``, ``a and b and c``."""
    return " and ".join(words)


def in_a_row(words: Sequence[str], last: str = "and") -> str:
    """Return many words as a sentence has them: ``a, b and c``."""
    return f" {last} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def no_role(actor: Actor) -> str:
    """Say why somebody has no role that counts, and what helps."""
    if actor.withheld:
        roles = in_a_row(sorted(actor.withheld))
        held = f"role {roles} is" if len(actor.withheld) == 1 else f"roles {roles} are"
        return (
            f"Your {held} withheld until you have set up a second factor, under Passkeys and "
            "second factor."
        )
    return "You have no project role yet: ask an access administrator for one."


def without_role(actor: Actor) -> str:
    """Say that somebody has no role that counts, and what helps; '' for who has one."""
    return "" if actor.grants else no_role(actor)


def no_project(actor: Actor) -> str:
    """Say why somebody sees no project, and what helps."""
    if not actor.grants:
        return no_role(actor)
    if actor.can_somewhere("project.create"):
        return "There is no project yet: make one under Projects."
    if not actor.can("project.view"):
        return "No project that you may see: an access administrator can give you a role in one."
    return "There is no project yet: an access administrator makes one."


def for_members(what: str) -> str:
    """Say of something, ``the policy is``, that the reader does not see it, and who does."""
    return f"{what} for people with a role in the project to see"


def either(roles: Sequence[str]) -> str:
    """Return roles as a sentence has any one of them: ``a reviewer or an operator``."""
    return in_a_row([_one(role) for role in roles], "or")


def people_of(missing: Mapping[str, int]) -> str:
    """Return how many of which role are waited for: ``an approver and two reviewers``."""
    return listed([people(n, role) if n > 1 else _one(role) for role, n in missing.items()])


def _one(role: str) -> str:
    return f"{'an' if role[0] in 'aeiou' else 'a'} {role}"


def counted(count: int, one: str, many: str = "") -> str:
    """Return how many there are of something: ``1 request``, ``2 requests``."""
    return f"{number(count)} {one if count == 1 else many or f'{one}s'}"
