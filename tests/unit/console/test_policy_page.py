"""What the page of an environment's policies says of drafts, its history and trials."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from apps.console.queries.passkeys import Signing
from apps.console.queries.policies import PolicyRow
from apps.console.queries.policy_page import Draft, PastPolicy, Trial

PASSKEY = Signing([], "/api/v1/x", "passkey")


def draft(signing: Signing | None = None, *, own: bool = False, publishes: bool = True) -> Draft:
    """Return a draft for a reader who may draft, and perhaps publish."""
    row = cast("Any", SimpleNamespace(number=3))
    return Draft(row, "Ada", "/x", signing, is_own=own, may_publish=publishes, may_draft=True)


@pytest.mark.parametrize(
    ("found", "plainly", "signed"),
    [
        (draft(), True, False),
        (draft(PASSKEY), False, True),
        (draft(own=True), False, False),
        (draft(PASSKEY, own=True), False, False),
        (draft(publishes=False), False, False),
    ],
)
def test_another_publishes_a_draft_as_the_policy_demands(
    found: Draft, plainly: bool, signed: bool
) -> None:
    assert (found.is_published_plainly, found.is_published_signed) == (plainly, signed)
    assert (found.title, found.may_decide) == ("Draft r3", True)


def test_history_says_who_wrote_and_who_published() -> None:
    row = SimpleNamespace(state="published", published_by="per_2")
    past = PastPolicy(cast("Any", row), "Ada", "Rex", in_force=False)
    assert (past.people, past.state) == ("drafted by Ada, published by Rex", "superseded")
    written = PastPolicy(
        cast("Any", SimpleNamespace(state="draft", published_by="")), "Ada", "", False
    )
    assert (written.people, written.state) == ("drafted by Ada", "draft")


def test_a_trial_names_the_gates_that_would_fail() -> None:
    results = ({"title": "Scanned", "passed": True}, {"title": "Fresh", "passed": False})
    row = SimpleNamespace(passes_now=False, passes_then=False, results=results)
    trial = Trial(cast("Any", row))
    assert (trial.now, trial.then) == ("waiting", "failed")
    assert [gate["title"] for gate in trial.failing] == ["Fresh"]


def test_a_row_of_the_list_counts() -> None:
    place = cast("Any", None)
    row = PolicyRow(place, None, ["Scanned"], 2, frozen=False, readable=True)
    assert (row.gate_count, row.draft_count, row.passes_nothing) == ("1 gate", "2 drafts", True)
    hidden = PolicyRow(place, None, [], 0, frozen=False, readable=False)
    assert (hidden.gate_count, hidden.draft_count, hidden.passes_nothing) == ("", "", False)
