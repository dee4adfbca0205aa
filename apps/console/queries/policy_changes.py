"""What a draft of a policy changes of the one in force, and what publishing or withdrawing does."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from django.utils.text import Truncator

from apps.console.queries.comparison import diff_lines
from apps.console.queries.page_parts import counted
from apps.console.queries.passkeys import Signing
from apps.console.queries.policies import asked_for
from apps.governance.actions.policies import Published
from apps.governance.models import PolicyRevision
from placet.kernel.line_diff import line_diff

STEPS = 200_000  # of comparing: a page may have fifty drafts
EXPIRY = "expires_after_days"
MEMBER = 80  # characters of a member of a gate that are shown
Deciding = Literal["publish", "withdraw"]


@dataclass(frozen=True, slots=True)
class PolicyChanges:
    """Two revisions of a policy: their gates in words, and their lines. Without a ``heading`` they
    are the policy in force and a draft."""

    before: PolicyRevision
    after: PolicyRevision
    heading: str = ""

    @property
    def title(self) -> str:
        """What stands above them."""
        return self.heading or f"Changes to the active policy r{self.before.number}"

    @property
    def nothing(self) -> str:
        """Says that nothing changed, or publishing would change nothing; '' where it would."""
        if self.before.digest != self.after.digest:
            return ""
        text = "" if self.before.source == self.after.source else " Only its text differs."
        if self.heading:
            same = f"r{self.after.number} asks for just what r{self.before.number} asks for."
        else:
            same = "It asks for just what the active policy asks for."
        return f"{same}{text}"

    @property
    def gates(self) -> list[tuple[str, str, str]]:
        """What is asked for no more, otherwise, or anew: tone, sign and words of each."""
        old, new = asked_for(self.before), asked_for(self.after)
        came = [one for one in new if one not in old]
        gone: list[tuple[str, str, str]] = []
        changed: list[tuple[str, str, str]] = []
        for title, gate in (one for one in old if one not in new):
            same = next((one for one in came if one[0] == title), None)
            if same is None:
                gone.append(("fail", "−", title))
                continue
            came.remove(same)
            changed.append(("wait", "±", f"{title}: {members_changed(gate, same[1])}"))
        return [*gone, *changed, *(("pass", "+", title) for title, _ in came), *self._expiry]

    @property
    def _expiry(self) -> list[tuple[str, str, str]]:
        """That requests expire sooner or later than before."""
        before, after = (one.document.get(EXPIRY) for one in (self.before, self.after))
        if before == after:
            return []
        days, was = counted(after, "day"), counted(before, "day")
        return [("wait", "±", f"A request expires after {days}, and did after {was}")]

    @property
    def lines(self) -> list[tuple[str, str]]:
        """What differs line by line, each with how it is set."""
        active, draft = ("", "") if self.heading else (" (active)", " (draft)")
        names = f"r{self.before.number}{active}", f"r{self.after.number}{draft}"
        return diff_lines(line_diff(self.before.source, self.after.source, names, steps=STEPS))


def members_changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Say which members of a gate are others than before: its title does not tell all of them."""
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return ", ".join(
        f"{name.replace('_', ' ')} {_spelled(before.get(name))} → {_spelled(after.get(name))}"
        for name in names
    )


def _spelled(value: Any) -> str:
    match value:
        case None:
            return "not set"
        case bool():
            return "yes" if value else "no"
        case list():
            return " and ".join(map(str, value)) or "none"
    return Truncator(str(value)).chars(MEMBER)


def published(done: Published) -> str:
    """Say that a policy, just published, is in force, and what became of releases."""
    policy, releases, decisions = done
    active = f"Policy r{policy.number} is active."
    if not releases:
        return active
    count = "no longer counts" if decisions == 1 else "no longer count"
    dropped = f"; {counted(decisions, 'decision')} {count}, so people decide again"
    moved = f"{counted(releases, 'release')} moved to it"
    return f"{active} {moved}{dropped if decisions else ''}."


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked before a draft is published or withdrawn, and what would happen."""

    do: Deciding
    draft: PolicyRevision
    current: PolicyRevision | None
    environment: str  # its name
    signing: Signing | None = None  # how it is signed, where a passkey is asked for

    @property
    def id(self) -> str:
        """Its dialog's."""
        return f"{self.do}-{self.draft.number}"

    @property
    def is_publishing(self) -> bool:
        """Whether the draft would be in force."""
        return self.do == "publish"

    @property
    def opens(self) -> str:
        """What stands on the button that asks."""
        return f"{self.do.capitalize()}…"

    @property
    def title(self) -> str:
        """The question."""
        return f"{self.do.capitalize()} policy draft r{self.draft.number}?"

    @property
    def submit(self) -> str:
        """What stands on the button that does it."""
        return "Publish with your passkey" if self.signing else self.do.capitalize()

    @property
    def tone(self) -> str:
        """How that button looks."""
        return "primary" if self.is_publishing else "danger"

    @property
    def says(self) -> str:
        """What would happen."""
        active = f"r{self.current.number}" if self.current else ""
        if self.is_publishing:
            replaced = f" {active} is superseded." if active else ""
            return (
                f"It is in force at once for every new release request to {self.environment}. Where"
                " nobody could satisfy it as people stand now, publishing is refused."
                f"{replaced} Releases that have not started move to it: decisions on them no longer"
                " count, people have to decide again, and emergency releases of them end. What is"
                " live stays live."
            )
        stays = f"{active} stays in force." if active else "No policy is in force still."
        return f"Nobody can publish it any more. {stays}"
