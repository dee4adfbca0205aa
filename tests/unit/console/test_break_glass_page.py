"""What is said of a break-glass, for each way it and its review can stand."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from django.template.loader import render_to_string

from apps.console.queries.break_glass_page import BreakGlassBanner, BreakGlassPage, SignerRow
from apps.console.queries.break_glasses import BreakGlassListPage, BreakGlassRow
from apps.governance.queries.break_glass_endings import standing_of

AT = datetime(2026, 1, 2, tzinfo=UTC)


def of(state: str, endpoint: str = "active", *skipped: str) -> SimpleNamespace:
    """Return a release in this state, of which these gates had not passed."""
    gates = [{"gate": gate, "state": "skipped"} for gate in skipped]
    gates.append({"gate": "scan", "state": "passed"})
    at = SimpleNamespace(state=endpoint)
    return SimpleNamespace(state=state, number=6, endpoint=at, gates=gates)


def view(review: str = "none", missing: int = 0, **glass: Any) -> Any:
    """Return a view of a break-glass with these members."""
    plain = {
        "pk": "brk_1",
        "release_id": "rel_1",
        "state": "opened",
        "until": AT,
        "people": 2,
        "finding": "justified",
        "review_due_at": AT,
        "confirmed_at": None,
        "used_at": None,
        "ended_at": None,
        "release": of("requested"),
    }
    row = SimpleNamespace(**(plain | glass))
    return SimpleNamespace(
        glass=row,
        review=review,
        missing=missing,
        signers=(SimpleNamespace(person="per_1", void=False),),
        ended_by=None,
        standing=standing_of(cast("Any", row), None, None),
        reviewer="Rex",
        now=AT - timedelta(minutes=1),
    )


def page(shown: Any, *may: str, skip: tuple[str, ...] = ()) -> BreakGlassPage:
    """Return the page of a break-glass for a reader who may do this."""
    can = {name: name in may for name in ("may_confirm", "may_end", "may_review")}
    return BreakGlassPage(shown, cast("Any", SimpleNamespace(skip=skip)), signing=None, **can)


@pytest.mark.parametrize(
    ("glass", "state", "ends", "unused"),
    [
        ({"state": "opened"}, "awaiting_co_signature", True, False),
        ({"state": "confirmed", "confirmed_at": AT}, "active", True, False),
        ({"state": "lapsed"}, "lapsed", False, False),
        ({"state": "ended", "confirmed_at": AT}, "ended", False, True),
        ({"state": "ended", "confirmed_at": AT, "used_at": AT}, "ended", False, False),
        ({"state": "reviewed", "confirmed_at": AT, "used_at": AT}, "ended", False, False),
    ],
)
def test_it_ends_while_it_is_open_and_may_have_been_for_nothing(
    glass: dict[str, Any], state: str, ends: bool, unused: bool
) -> None:
    row = BreakGlassRow(view(**glass))
    assert (row.state, bool(row.ends_at), row.is_unused) == (state, ends, unused)


@pytest.mark.parametrize(
    ("review", "state", "note", "due"),
    [
        ("closed", "justified", "Rex", False),
        ("overdue", "overdue", "since", True),
        ("open", "", "due", True),
    ],
)
def test_its_review_says_by_whom_or_when(review: str, state: str, note: str, due: bool) -> None:
    row = BreakGlassRow(view(review))
    assert (row.review_state, row.review_note, bool(row.due_at)) == (state, note, due)
    assert row.has_review
    assert not BreakGlassRow(view("none")).has_review


def test_buttons_are_those_of_what_the_reader_may_do() -> None:
    shown = view()
    assert [b.text for b in page(shown).buttons] == ["Open release"]
    every = page(shown, "may_end", "may_confirm", "may_review").buttons
    assert [(b.text, b.tone, b.dialog) for b in every[1:]] == [
        ("End now…", "outline-danger", "end"),
        ("Co-sign…", "danger", "confirm"),
        ("Close review…", "primary", "review"),
    ]


@pytest.mark.parametrize(
    ("missing", "waits", "follows"),
    [
        (1, "Waiting for 1 approver", "The release is then approved."),
        (3, "Waiting for 3 approvers", "2 more co-signatures are needed."),
    ],
)
def test_those_who_are_missing_are_counted(missing: int, waits: str, follows: str) -> None:
    found = page(view(missing=missing))
    assert (found.missing, found.follows, found.signed) == (waits, follows, "1 of 2")
    assert page(view()).missing == ""


def test_what_it_skips_is_named() -> None:
    assert page(view()).skips == ""
    assert page(view(), skip=("scan", "age")).skips == " and these gates: scan, age"


@pytest.mark.parametrize(
    ("skipped", "said"),
    [
        (["approvals", "approvals"], " without its full quorum"),
        (["freeze", "approvals"], " without its full quorum and these gates: freeze"),
        (["freeze", "soaked"], " without these gates: freeze, soaked"),
        ([], ""),
    ],
)
def test_what_was_started_by_it_names_the_gates_that_had_not_passed_alone(
    skipped: list[str], said: str
) -> None:
    release = of("live", "active", *skipped)
    found = page(view(used_at=AT, release=release), skip=("freeze", "soaked"))
    assert found.went_without == said


@pytest.mark.parametrize(
    ("glass", "allows"),
    [
        ({}, "Once it is co-signed, the rollout can start until"),
        ({"confirmed_at": AT}, "The rollout can start until"),
        ({"confirmed_at": AT, "until": AT - timedelta(hours=1)}, "The rollout could start until"),
        ({"confirmed_at": AT, "ended_at": AT}, "The rollout could start until"),
        ({"ended_at": AT}, ""),
    ],
)
def test_what_it_allows_is_past_once_it_is_over(glass: dict[str, Any], allows: str) -> None:
    assert page(view(**glass)).allows == allows


def test_its_review_says_which_roles_close_it_and_when() -> None:
    who = "by someone with the role approver or auditor who was not involved in this release"
    active = page(view("open", confirmed_at=AT))
    assert active.review_by == f"Can be reviewed once it has ended, {who}; is due"
    assert page(view("overdue", ended_at=AT)).review_by == f"To be closed {who}; was due"


def test_what_a_signature_is_worth_is_said() -> None:
    def signer(role: str, passkey: bool) -> SignerRow:
        told = {"role": role, "passkey": passkey, "comment": "Now", "name": "Ada"}
        return SignerRow(cast("Any", SimpleNamespace(**told)))

    opened, confirmed = signer("responder", passkey=True), signer("approver", passkey=False)
    assert (opened.did, opened.comment) == ("started it as responder", "")
    assert (confirmed.did, confirmed.comment) == ("co-signed it as approver", "Now")
    assert opened.how == "Signed with a passkey"
    assert confirmed.how == "Signed by Placet after re-authentication"


@pytest.mark.parametrize(
    ("of_release", "filtered", "said"),
    [
        (True, True, ("For this release", "No matches")),
        (False, True, ("Matching", "No matches")),
        (False, False, ("All", "No emergency releases")),
    ],
)
def test_a_list_says_what_it_has(of_release: bool, filtered: bool, said: tuple[str, str]) -> None:
    found = BreakGlassListPage([], of_release, filtered)
    assert (found.title, found.none) == said


def test_who_sees_some_projects_is_told_that_none_is_in_those() -> None:
    found = BreakGlassListPage([], of_release=False, filtered=False, partial=True)
    assert found.none == "None in the projects you may see"


def test_every_page_says_whether_it_is_broken() -> None:
    opened, broken = (
        BreakGlassBanner(cast("Any", SimpleNamespace(state=state, release="requested", used=False)))
        for state in ("opened", "confirmed")
    )
    assert (opened.icon, opened.begins) == ("◷", "Emergency release of")
    assert opened.goes_on == " awaits co-signature, ends"
    assert (broken.icon, broken.begins) == ("▲", "Emergency release active:")
    assert broken.goes_on == ", ends"


@pytest.mark.parametrize(
    ("release", "endpoint", "state", "going"),
    [
        ("live", "active", "used", " is live by it, review due"),
        ("live", "stopped", "used", " is stopped with its endpoint, review due"),
        ("rolling_out", "active", "used", " is rolling out by it, review due"),
        ("rolling_out", "stopped", "used", " is stopped with its endpoint, review due"),
        ("superseded", "active", "used", " was live by it, review due"),
        ("superseded", "stopped", "used", " was live by it, review due"),
        ("failed", "active", "active", ", ends"),
        ("approved", "active", "active", ", ends"),
    ],
)
def test_one_that_was_used_is_no_more_active_until_its_rollout_may_be_tried_again(
    release: str, endpoint: str, state: str, going: str
) -> None:
    behind = of(release, endpoint)
    found = page(view("open", state="confirmed", confirmed_at=AT, used_at=AT, release=behind))
    assert (found.state, found.was_used) == (state, state == "used")
    told = SimpleNamespace(state="confirmed", release=release, used=True, until=1, review_due_at=2)
    told.endpoint = endpoint
    banner = BreakGlassBanner(cast("Any", told))
    begins = f"Emergency release {'used' if state == 'used' else 'active'}:"
    assert (banner.begins, banner.goes_on) == (begins, going)
    assert banner.at == (2 if state == "used" else 1)


def test_one_whose_release_was_approved_without_it_waits_for_nobody() -> None:
    found = page(view(missing=1, release=of("approved")))
    assert (found.state, found.missing, found.allows) == ("not_needed", "", "")
    assert found.allows_nothing == "Nothing now: release 6 was approved without it."
    told = SimpleNamespace(state="opened", release="approved", used=False)
    said = " is not needed: the release was approved without it, ends"
    assert BreakGlassBanner(cast("Any", told)).goes_on == said


@pytest.mark.parametrize(
    ("glass", "said"),
    [
        ({}, "not yet"),
        ({"state": "confirmed", "confirmed_at": AT}, "not yet"),
        ({"state": "lapsed", "ended_at": AT}, "not by this emergency release"),
        ({"state": "ended", "ended_at": AT}, "not by this emergency release"),
    ],
)
def test_what_it_did_not_start_may_still_come_while_it_is_open(
    glass: dict[str, Any], said: str
) -> None:
    assert page(view(**glass)).not_used == said


@pytest.mark.parametrize(
    ("glass", "carried"),
    [({"confirmed_at": AT}, True), ({"confirmed_at": AT, "ended_at": AT}, False)],
)
def test_a_permit_is_not_said_to_carry_what_started_nothing(
    glass: dict[str, Any], carried: bool
) -> None:
    shown = view(state="ended" if "ended_at" in glass else "confirmed", **glass)
    told = {"page": page(shown), "glass": shown.glass, "release": shown.glass.release}
    said = " ".join(render_to_string("console/break_glass/meaning.html", told).split())
    assert ("The permit of the release carries" in said) is carried
    assert ("Nothing was started by it." in said) is not carried
