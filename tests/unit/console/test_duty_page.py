"""How the page of duties says how few people could get a release approved."""

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from apps.console.queries.duties import BreakGlassDutyRow, DutyRow
from apps.governance.duties import ShortestPath
from apps.governance.queries.duties import BreakGlassDuty, Duty

PLACE: Any = SimpleNamespace(name="prod", project=SimpleNamespace(name="Risk"))


def found(people: int | None) -> ShortestPath | None:
    """Return a set of so many people."""
    return None if people is None else ShortestPath(people, ())


@pytest.mark.parametrize(
    ("policy", "demanded", "fewest", "locked", "said"),
    [
        (None, 0, None, False, ("No policy", "Risk", "people")),
        (2, 2, 1, False, ("Fewer than required", "Risk · policy r2", "people")),
        (2, 1, 1, False, ("OK", "Risk · policy r2", "person")),
        (2, 2, None, True, ("Policy can't be met", "Risk · policy r2", "people")),
    ],
)
def test_how_an_environment_stands(
    policy: int | None, demanded: int, fewest: int | None, locked: bool, said: tuple[str, ...]
) -> None:
    duty = Duty(PLACE, policy, demanded, found(fewest), [], None, [], locked_out=locked)
    row = DutyRow(duty)
    assert (row.sign.text, row.project_and_policy, row.people) == said


@pytest.mark.parametrize(
    ("fewest", "locked", "few", "could"),
    [
        (1, False, 1, "could do it, fewer than required:"),
        (2, False, 2, "could do it:"),
        (
            None,
            True,
            None,
            "Too few people can decide as approver: an access administrator gives this role to "
            "more people who count for it.",
        ),
        (
            2,
            True,
            2,
            "could do it, but only by publishing another policy first, as too few people can "
            "decide as approver (an access administrator can give this role to more):",
        ),
        (
            1,
            True,
            1,
            "could do it, fewer than required, but only by publishing another policy first, as too "
            "few people can decide as approver (an access administrator can give this role to "
            "more):",
        ),
        (None, False, None, "No smaller group was found."),
    ],
)
def test_how_few_could(fewest: int | None, locked: bool, few: int | None, could: str) -> None:
    roles = ("approver",) if locked else ()
    duty = Duty(PLACE, 1, 2, found(fewest), [], None, [], locked_out=locked, lacking=roles)
    assert (DutyRow(duty).few, DutyRow(duty).could) == (few, could)


@pytest.mark.parametrize(
    ("fewest", "roles", "could"),
    [
        (
            None,
            ("approver",),
            "Nobody can decide as approver: an access administrator gives this role to somebody "
            "who counts for it.",
        ),
        (
            None,
            ("approver", "reviewer"),
            "Nobody can decide as approver or reviewer: an access administrator gives these roles "
            "to people who count for them.",
        ),
        (
            2,
            ("approver",),
            "could do it, but only by publishing another policy first, as nobody can decide as "
            "approver (an access administrator can give this role to somebody):",
        ),
    ],
)
def test_nobody_is_not_called_too_few(
    fewest: int | None, roles: tuple[str, ...], could: str
) -> None:
    duty = Duty(PLACE, 1, 2, found(fewest), [], None, [], locked_out=True, lacking=roles)
    assert DutyRow(replace(duty, nobody_decides=True)).could == could


def test_who_gives_a_missing_role_is_named_as_far_as_the_reader_may_know() -> None:
    duty = Duty(PLACE, 1, 2, None, [], None, [], locked_out=True, lacking=("approver", "reviewer"))
    duty = replace(duty, givers=("Pam",), givers_everywhere=("Ann", "Pam"))
    said = "Too few people can decide as approver and reviewer: an access administrator, {}, gives"
    assert DutyRow(duty).could.startswith(said.format("Ann and Pam"))
    known = replace(duty, givers_everywhere=())
    assert DutyRow(known).could.startswith(said.format("Pam"))
    nobody = replace(known, locked_out=False, requesters=False)
    assert DutyRow(nobody).could == (
        "Nobody may request a release here: an access administrator, Pam, gives somebody the role "
        "contributor."
    )


@pytest.mark.parametrize(
    ("fewest", "now", "waits", "few", "could"),
    [
        (
            2,
            None,
            ("Ravi",),
            2,
            "could do it, but nobody can do it until Ravi has set up a second factor:",
        ),
        (
            1,
            None,
            ("Ravi",),
            1,
            "could do it, fewer than required, but nobody can do it until Ravi has set up a second "
            "factor:",
        ),
        (None, None, ("A", "B"), None, "Nobody can do it until enough of A and B have set up a "),
        (2, 3, (), 2, "could do it; 3 can without waiting for anybody:"),
        (2, 2, (), 2, "could do it:"),
    ],
)
def test_how_few_can_now(
    fewest: int | None, now: int | None, waits: tuple[str, ...], few: int | None, could: str
) -> None:
    path = found(fewest)
    duty = Duty(PLACE, 1, 2, path, [], None, [], locked_out=False, now=found(now), waits_for=waits)
    row = DutyRow(duty)
    assert row.few == few and row.could.startswith(could)
    assert (row.sign.text == "Nobody can do it yet") == (bool(waits) and fewest != 1)


@pytest.mark.parametrize(
    ("waits", "invited", "until"),
    [
        ((), ("Ravi",), "until Ravi, who was invited, has signed in"),
        ((), ("A", "B"), "until enough of A and B, who were invited, have signed in"),
        (("A",), ("B",), "until enough of A and B have signed in or set up a second factor"),
    ],
)
def test_who_was_invited_and_has_not_signed_in_is_waited_for(
    waits: tuple[str, ...], invited: tuple[str, ...], until: str
) -> None:
    duty = Duty(PLACE, 1, 2, None, [], None, [], False, waits_for=waits, invited=invited)
    row = DutyRow(duty)
    assert (row.sign.text, row.could) == ("Nobody can do it yet", f"Nobody can do it {until}.")


AT, LATER = datetime(2026, 11, 3, 9, tzinfo=UTC), datetime(2026, 11, 4, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("invited", "again", "until"),
    [
        (("Ravi",), (AT,), "until Ravi, who was let in again on 2026-11-03, has signed in"),
        (
            ("A", "B"),
            (AT, LATER),
            "until enough of A and B, who were let in again on 2026-11-03 and 2026-11-04, have "
            "signed in",
        ),
        (
            ("A", "B"),
            (AT,),
            "until enough of A and B, who were invited or let in again on 2026-11-03, have signed "
            "in",
        ),
    ],
)
def test_who_was_let_in_again_is_not_said_to_have_been_invited(
    invited: tuple[str, ...], again: tuple[datetime, ...], until: str
) -> None:
    duty = Duty(PLACE, 1, 2, None, [], None, [], False, invited=invited, let_in_again=again)
    assert DutyRow(duty).could == f"Nobody can do it {until}."


def test_where_others_could_change_the_policy_first_it_is_the_policy_that_cannot_be_met() -> None:
    waiting = Duty(PLACE, 1, 2, None, [], None, [], False, waits_for=("A",), policy_first=True)
    row = DutyRow(waiting)
    assert (row.sign.text, row.could) == (
        "Policy can't be met yet",
        "Nobody can do it without changing the policy first until A has set up a second factor.",
    )


def test_whose_decisions_were_recalled_is_waited_for_or_somebody_else_with_the_role() -> None:
    duty = Duty(PLACE, 1, 2, None, [], None, [], False, recalled=("Kim",))
    assert DutyRow(duty).sign.text == "Nobody can do it yet"
    until = "the recall of the decisions of Kim is withdrawn, or someone else holds the role"
    assert DutyRow(duty).could == f"Nobody can do it until {until}."
    both = replace(duty, invited=("Ravi",))
    assert DutyRow(both).could == (
        f"Nobody can do it until Ravi, who was invited, has signed in or until {until}."
    )


@pytest.mark.parametrize(
    ("hours", "skip", "fewest", "said"),
    [
        (
            1,
            (),
            None,
            (
                "people to start one release within 1 hour.",
                "Nobody could: it takes a responder and 1 approver whose decisions count. An "
                "access administrator gives these roles.",
            ),
        ),
        (
            4,
            ("soak", "scan"),
            1,
            (
                "people to start one release within 4 hours, without soak, scan.",
                "could do it, fewer than required:",
            ),
        ),
    ],
)
def test_what_breaking_the_glass_asks(
    hours: int, skip: tuple[str, ...], fewest: int | None, said: tuple[str, str]
) -> None:
    row = BreakGlassDutyRow(BreakGlassDuty(2, hours, skip, found(fewest), []))
    assert (row.what, row.could) == said
    assert row.sign.tone == ("wait" if fewest is None else "fail")


def test_of_many_who_break_the_glass_nobody_is_said_to_be_able_where_everybody_could_not() -> None:
    five = BreakGlassDuty(5, 1, (), None, [])
    assert BreakGlassDutyRow(five).could == "No smaller group was found."
    nobody = "Nobody could: it takes a responder and 4 approvers whose decisions count. "
    gone = replace(five, locked_out=True)
    assert BreakGlassDutyRow(gone).could == f"{nobody}An access administrator gives these roles."
    duty = Duty(PLACE, 1, 2, None, [], None, [], False, break_glass=gone, givers=("Pam",))
    row = DutyRow(duty).glass
    assert row is not None
    assert row.could == f"{nobody}An access administrator, Pam, gives these roles."
