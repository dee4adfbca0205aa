"""What a draft of a policy changes of the one in force, and what publishing or withdrawing does."""

from dataclasses import dataclass
from typing import Literal

from apps.console.queries.comparison import diff_lines
from apps.console.queries.passkeys import Signing
from apps.console.queries.policies import gate_titles
from apps.governance.models import PolicyRevision
from placet.kernel.line_diff import line_diff

STEPS = 200_000  # of comparing: a page may have fifty drafts
Deciding = Literal["publish", "withdraw"]


@dataclass(frozen=True, slots=True)
class PolicyChanges:
    """A draft beside the policy in force: its gates in words, and its lines."""

    before: PolicyRevision
    after: PolicyRevision

    @property
    def title(self) -> str:
        """What stands above them."""
        return f"Changes to the active policy r{self.before.number}"

    @property
    def nothing(self) -> str:
        """Says that publishing would change nothing; '' where it would."""
        if self.before.digest != self.after.digest:
            return ""
        text = "" if self.before.source == self.after.source else " Only its text differs."
        return f"It asks for just what the active policy asks for.{text}"

    @property
    def gates(self) -> list[tuple[str, str, str]]:
        """What is asked for no more, and what is new: tone, sign and words of each."""
        old, new = gate_titles(self.before), gate_titles(self.after)
        gone = [("fail", "−", title) for title in old if title not in new]
        return gone + [("pass", "+", title) for title in new if title not in old]

    @property
    def lines(self) -> list[tuple[str, str]]:
        """What differs line by line, each with how it is set."""
        names = f"r{self.before.number} (active)", f"r{self.after.number} (draft)"
        return diff_lines(line_diff(self.before.source, self.after.source, names, steps=STEPS))


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
                f"It is in force at once for every new release request to {self.environment}."
                f"{replaced} Releases that have not started move to it: decisions on them no longer"
                " count, and people have to decide again. What is live stays live."
            )
        stays = f"{active} stays in force." if active else "No policy is in force still."
        return f"Nobody can publish it any more. {stays}"
