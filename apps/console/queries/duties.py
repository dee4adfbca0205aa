"""Separation of duties, environment by environment, in the words of its page."""

from collections.abc import Sequence
from dataclasses import dataclass

from apps.console.queries.page_parts import Sign, counted, in_a_row
from apps.governance.duties import ShortestPath
from apps.governance.models import Environment
from apps.governance.queries.duties import BreakGlassDuty, Duty
from apps.governance.seats import counting, takers
from placet.kernel.words import a_few

STATES = {
    "bypass": Sign("fail", "✕", "Fewer than required"),
    "locked_out": Sign("fail", "✕", "Policy can't be met"),
    "waiting": Sign("wait", "▲", "Nobody can do it yet"),
    "no_policy": Sign("plain", "–", "No policy"),
    "kept": Sign("pass", "✓", "OK"),
}
GIVER = "an access administrator"


@dataclass(frozen=True, slots=True)
class BreakGlassDutyRow:
    """What a policy demands of those who break the glass, and how few could."""

    duty: BreakGlassDuty
    giver: str = GIVER  # who gives roles there

    @property
    def sign(self) -> Sign:
        """How it stands."""
        if self.duty.bypass:
            return Sign("fail", "✕", "Emergency")
        return Sign("wait", "▲", "Emergency")

    @property
    def what(self) -> str:
        """Continues the sentence about whom it lets do something: what, and how soon."""
        without = f", without {', '.join(self.duty.skip)}" if self.duty.skip else ""
        return f"people to start one release within {counted(self.duty.hours, 'hour')}{without}."

    @property
    def few(self) -> int | None:
        """How few people could."""
        return self.duty.fewest.people if self.duty.fewest else None

    @property
    def could(self) -> str:
        """Continues the sentence about how few could, or says that nobody could."""
        if self.duty.nobody:
            approvers = counted(self.duty.demanded - 1, "approver")
            takes = f"it takes a responder and {approvers} whose decisions count"
            return (
                f"Nobody could: {takes}. {self.giver[0].upper()}{self.giver[1:]} gives these roles."
            )
        if self.duty.fewest is None:
            return "No smaller group was found."
        return could(fewer=self.duty.bypass)


@dataclass(frozen=True, slots=True)
class DutyRow:
    """One environment: whom its policy demands, and how few could do."""

    duty: Duty

    @property
    def environment(self) -> Environment:
        """The environment itself."""
        return self.duty.environment

    @property
    def project_and_policy(self) -> str:
        """Its project, and the revision of its policy."""
        name = self.environment.project.name
        return f"{name} · policy r{self.duty.policy}" if self.duty.policy else name

    @property
    def sign(self) -> Sign:
        """How it stands."""
        if self.duty.state == "kept" and not self.duty.requesters:
            return Sign("wait", "▲", "Nobody can request")
        if self.duty.state == "waiting" and self.duty.policy_first:
            return Sign("wait", "▲", "Policy can't be met yet")
        return STATES[self.duty.state]

    @property
    def people(self) -> str:
        """The word behind how many are demanded."""
        return "person" if self.duty.demanded == 1 else "people"

    @property
    def few(self) -> int | None:
        """How few people could do it."""
        return self.duty.fewest.people if self.duty.fewest else None

    @property
    def could(self) -> str:
        """Continues the sentence about how few could, or says why nobody is named."""
        if self.duty.fewest:
            return self._could(self.duty.fewest.people)
        if self._awaited:
            return f"Nobody can do it {self._until}."
        if self.duty.state == "locked_out":
            too_few = f"{self._too_few[:1].upper()}{self._too_few[1:]}"
            them = self.duty.nobody_decides and len(self.duty.lacking) > 1
            whom = counting(self._takers, "them" if them else "it")
            return f"{too_few}: {self._giver} gives {self._these_roles} to {whom}."
        if not self.duty.requesters:
            nobody = "Nobody may request a release here"
            return f"{nobody}: {self._giver} gives somebody the role contributor."
        return "No smaller group was found."

    def _could(self, few: int) -> str:
        fewer = ", fewer than required" if few < self.duty.demanded else ""
        if self._awaited:
            return f"could do it{fewer}, but nobody can do it {self._until}:"
        first = f", but only by {self._replacing}" if self.duty.locked_out else ""
        now = self.duty.now
        if now is None or now.people == few:
            return f"could do it{fewer}{first}:"
        return f"could do it{fewer}{first}; {now.people} can without waiting for anybody:"

    @property
    def _replacing(self) -> str:
        """How a release is approved where everybody together cannot meet the policy in force."""
        whom = self._takers if self.duty.nobody_decides else "more"
        gives = f"{self._giver} can give {self._these_roles} to {whom}"
        return f"publishing another policy first, as {self._too_few} ({gives})"

    @property
    def _too_few(self) -> str:
        if self.duty.nobody_decides:
            return f"nobody can decide as {in_a_row(self.duty.lacking, 'or')}"
        return f"too few people can decide as {in_a_row(self.duty.lacking)}"

    @property
    def _takers(self) -> str:
        """To whom the roles are to be given."""
        return takers(len(self.duty.lacking), not self.duty.nobody_decides)

    @property
    def _these_roles(self) -> str:
        return "this role" if len(self.duty.lacking) == 1 else "these roles"

    @property
    def _giver(self) -> str:
        names = a_few(self.duty.role_givers)
        return f"{GIVER}, {names}," if names else GIVER

    @property
    def _until(self) -> str:
        ways = [self._done] if self.duty.waits_for or self.duty.invited else []
        if names := self.duty.recalled:
            decisions = f"the recall of the decisions of {in_a_row(names, 'and')} is withdrawn"
            ways.append(f"until {decisions}, or someone else holds the role")
        changed = "without changing the policy first " if self.duty.policy_first else ""
        return f"{changed}{' or '.join(ways)}"

    @property
    def _done(self) -> str:
        people, invited = sorted({*self.duty.waits_for, *self.duty.invited}), self.duty.invited
        ways = ["signed in"] if invited else []
        ways += ["set up a second factor"] if self.duty.waits_for else []
        do = in_a_row(ways, "or")
        if len(people) == 1:
            return f"until {people[0]}{self._came('was')} has {do}"
        were = self._came("were") if len(invited) == len(people) else ""
        return f"until enough of {in_a_row(people, 'and')}{were} have {do}"

    def _came(self, was: str) -> str:
        """Say how those came to have an account who did not sign in since."""
        again, ways = self.duty.let_in_again, []
        if len(again) < len(self.duty.invited):
            ways.append("invited")
        if again:
            days = sorted({f"{at:%Y-%m-%d}" for at in again})
            ways.append(f"let in again on {in_a_row(days, 'and')}")
        return f", who {was} {' or '.join(ways)}," if ways else ""

    @property
    def _awaited(self) -> tuple[str, ...]:
        """Without whom nobody can."""
        return (*self.duty.waits_for, *self.duty.invited, *self.duty.recalled)

    @property
    def glass(self) -> BreakGlassDutyRow | None:
        """What is demanded of those who break the glass; ``None`` where nobody may."""
        glass = self.duty.break_glass
        return BreakGlassDutyRow(glass, self._giver) if glass else None

    @property
    def hired_sign(self) -> Sign:
        """How a smaller set with people who do not exist stands: a warning where approvals need
        passkeys, which are there to keep it from happening; else what every access admin could."""
        text = "could do it with fake accounts"
        return Sign("wait", "▲", text) if self.duty.passkeys else Sign("plain", "○", text)

    @property
    def hired(self) -> ShortestPath | None:
        """A smaller set with people who do not exist."""
        return self.duty.hired


def could(*, fewer: bool) -> str:
    """Return how the sentence ends that says how few people could do something."""
    return "could do it, fewer than required:" if fewer else "could do it:"


def duty_rows(duties: Sequence[Duty]) -> list[DutyRow]:
    """Return environments with how few people could have a release approved."""
    return [DutyRow(duty) for duty in duties]
