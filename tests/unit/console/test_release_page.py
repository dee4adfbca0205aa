"""What the page of a release says before anything else, for each way it can stand."""

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from apps.console.queries.release_outlook import after_approval
from apps.console.queries.release_parts import (
    documents,
    network,
    signs,
    standing,
)
from apps.console.queries.releases import rollout_steps
from apps.console.queries.summary_tiles import way_back_tile
from apps.console.queries.way_back import way_back
from placet.kernel.clock import now
from tests.support.documents import plan_document

PLAN = {"keep_warm_seconds": 3600, "ready_timeout_seconds": 300}


def view(**members: Any) -> Any:
    """Return a release's view with these members alone."""
    usual = {"failing": [], "missing_roles": (), "live": None, "gates": (), "waits_for": ""}
    usual |= {"is_stopped": False, "requests": [], "too_few_people": ""}
    usual["release"] = SimpleNamespace(plan={"start": "on_approval"}, not_after=now())
    able = (SimpleNamespace(is_recalled=False),) * 9
    usual["who_opens"] = tuple(able for _ in members.get("gates", ()))
    return SimpleNamespace(**usual | members)


def placed(state: str, compared_with: str = "", back: str = "", **more: Any) -> Any:
    """Return a view of a release beside what is live or nothing; ``back`` is where a rollback from
    what is live goes."""
    release = {"state": state, "plan": PLAN, "rollback_to": back, "live_unjustified": False}
    release |= {"passed_over": None, "live_weight": 10_000, "live_version": compared_with}
    release |= {"moving": None}
    release |= {"approved_at": now(), "stopped_then": False}
    changes = SimpleNamespace(compared_with=compared_with)
    decided = {"is_decided": state not in ("requested", "approved"), "is_unknown": False}
    return view(release=SimpleNamespace(**release | more), changes=changes, **decided)


def before(
    release: str = "superseded", state: str = "warm", recall: str = "version"
) -> dict[str, Any]:
    """Return what was live before what is."""
    told = {"version": "churn:1", "state": state, "release": release, "recall": recall}
    return {**told, "unjustified": False}


@pytest.mark.parametrize(
    ("failing", "roles", "said"),
    [
        ([], (), ["then it goes live by itself"]),
        (
            [],
            ("reviewer", "approver"),
            ["Waiting for a reviewer and an approver", "then it goes live by itself"],
        ),
        (["Scanned"], (), ["A gate has failed: Scanned"]),
        (
            ["Scanned", "Fresh"],
            ("approver",),
            ["Gates have failed: Scanned, Fresh", "Waiting for an approver"],
        ),
    ],
)
def test_what_holds_a_release_back_is_named(
    failing: list[str], roles: tuple[str, ...], said: list[str]
) -> None:
    gates = [{"title": title} for title in failing]
    found = signs(view(failing=gates, missing_roles=roles))
    assert [sign.text for sign in found] == said
    tones = ["fail"] * bool(failing) + ["wait"] * bool(roles) + ["plain"] * (not failing)
    assert [sign.tone for sign in found] == tones


def gate(name: str, state: str, passes: datetime | None = None) -> Any:
    """Return the answer of a gate."""
    facts = {"passes_at": passes.isoformat()} if passes else {}
    said = {"title": name.capitalize(), "passed": state == "passed", "reason": "", "facts": facts}
    return {"gate": name, "state": state} | said


def test_a_gate_that_waits_for_the_clock_says_when_it_passes() -> None:
    soaks = gate("soaked", "waiting", now())
    waits = gate("network", "waiting")
    asks = gate("approvals", "waiting")
    found = signs(view(gates=[soaks, waits, asks], missing_roles=("approver",), live="churn:1"))
    assert [sign.text for sign in found] == [
        "Waiting for an approver",
        "Soaked: passes",
        "Waiting for: Network",
        "then the rollout starts by itself",
    ]
    assert [bool(sign.at) for sign in found] == [False, True, False, False]


@pytest.mark.parametrize(
    ("start", "live", "held", "waits", "then"),
    [
        ("on_approval", None, [], "", "it goes live at once"),
        ("on_approval", "churn:1", [], "", "the rollout starts at once"),
        ("on_approval", None, [], "no room", "it goes live by itself"),
        ("on_approval", None, [gate("soaked", "waiting")], "", "it goes live by itself"),
        ("manual", None, [], "", "an operator has to start the rollout"),
        ("manual", "churn:1", [gate("scan", "failed")], "", "an operator has to start the rollout"),
    ],
)
def test_before_they_approve_people_read_what_happens_then(
    start: str, live: str | None, held: list[Any], waits: str, then: str
) -> None:
    release = SimpleNamespace(plan={"start": start}, not_after=now())
    after = after_approval(
        view(
            release=release,
            live=live,
            waits_for=waits,
            can_approve=True,
            once_you_approve=[gate("build", "passed"), *held],
        )
    )
    assert after
    assert (after.then, after.is_last, after.held) == (then, not held, held)
    assert not after.expires_first


@pytest.mark.parametrize(
    ("start", "then"),
    [
        ("on_approval", "it starts when somebody starts the endpoint, which is stopped"),
        (
            "manual",
            "an operator has to start the endpoint, which is stopped, and then the rollout",
        ),
    ],
)
def test_at_an_endpoint_that_is_stopped_nothing_starts_at_once(start: str, then: str) -> None:
    release = SimpleNamespace(plan={"start": start}, not_after=now())
    held = {"waits_for": "The endpoint is stopped", "once_you_approve": [], "can_approve": True}
    after = after_approval(view(release=release, live="churn:1", is_stopped=True, **held))
    assert after
    assert after.then == then


def test_a_gate_that_passes_after_the_request_expired_is_said() -> None:
    late = gate("soaked", "waiting", now() + timedelta(days=1))
    after = after_approval(view(can_approve=True, once_you_approve=[late]))
    assert after
    assert after.expires_first
    assert after_approval(view(can_approve=False)) is None


@pytest.mark.parametrize(
    ("placed", "tile", "sentence"),
    [
        (
            placed("requested", "churn:1"),
            ("One click", "churn:1 stays on standby for 1 h"),
            "churn:1 keeps serving until the new replicas are ready, and stays on standby for 1 h: "
            "rolling back is one click and needs no new approval.",
        ),
        (
            placed("requested", "churn:1", plan=PLAN | {"keep_warm_seconds": 0}),
            ("One click", "churn:1 is stopped"),
            "churn:1 keeps serving until the new replicas are ready, and is stopped: rolling back "
            "starts it again, is one click and needs no new approval.",
        ),
        (
            placed("rolling_out", "churn:2", "churn:1", live_unjustified=True),
            ("One click", "to churn:1"),
            "churn:2 serves what the rollout leaves it until the new replicas have all requests; "
            "the review of its emergency release found churn:2 not justified. Rolling back to "
            "churn:1 is one click on the endpoint's page and needs no new approval.",
        ),
        (
            placed("rolling_out", "churn:1", live_weight=0),
            ("One click", "churn:1 stays on standby for 1 h"),
            "The new replicas have all requests now. churn:1 serves no more, and stays on standby "
            "for 1 h: rolling back is one click and needs no new approval.",
        ),
        (
            placed("approved"),
            ("None to go back to", "a failed start leaves nothing live"),
            "Nothing is live here: if it is not ready within 5 min, the release fails and "
            "nothing is served.",
        ),
        (
            placed("rolling_out"),
            ("None to go back to", "a failed start leaves nothing live"),
            "Nothing was live when it began: nothing is served if its rollout ends badly.",
        ),
        (
            placed("live", back="churn:1"),
            ("One click", "now to churn:1"),
            "Rolling back to churn:1 is one click on the endpoint's page and needs no new "
            "approval.",
        ),
        (
            placed("live"),
            ("None to go back to", "now: there is no earlier revision to go back to"),
            "There is no earlier revision to go back to.",
        ),
        (
            placed("live", passed_over=before("revoked")),
            ("None to go back to", "now: churn:1 was recalled"),
            "There is no earlier revision to go back to: churn:1 was recalled.",
        ),
        (
            placed("live", passed_over=before("revoked", recall="person")),
            ("None to go back to", "now: the decisions of the release of churn:1 were recalled"),
            "There is no earlier revision to go back to: the decisions of the release of churn:1 "
            "were recalled.",
        ),
        (
            placed("live", passed_over=before(state="draining")),
            ("None to go back to", "now: churn:1 is on its way out"),
            "There is no earlier revision to go back to: churn:1 is on its way out.",
        ),
    ],
)
def test_tile_and_card_say_the_same_way_back(
    placed: Any, tile: tuple[str, str], sentence: str
) -> None:
    back = way_back(placed)
    assert back is not None
    shown = way_back_tile(back)
    assert ((shown.word, shown.note), back.sentence) == (tile, sentence)


def test_what_serves_no_more_has_no_way_back_but_what_was_read_of_it_at_the_decision() -> None:
    back = way_back(placed("superseded", "churn:2"))
    assert back is not None
    assert (back.to, back.sentence) == ("", "")
    assert back.then.startswith("churn:2 keeps serving until the new replicas are ready")
    assert way_back(placed("withdrawn", "churn:2", approved_at=None)) is None


@pytest.mark.parametrize(
    ("state", "served", "said"),
    [
        ("requested", False, "proposed"),
        ("rejected", False, "proposed"),
        ("live", True, "live"),
        ("superseded", True, "served"),
        ("aborted", False, "tried"),
    ],
)
def test_the_column_of_its_version_says_where_it_stands(
    state: str, served: bool, said: str
) -> None:
    release: Any = SimpleNamespace(state=state, shown_state=state, live_at=served or None)
    assert standing(release) == said


@pytest.mark.parametrize(
    ("state", "approved", "offered"),
    [
        ("requested", False, []),
        ("rejected", False, ["Verification summary (SLSA)"]),
        ("approved", True, ["Signed permit", "Verification summary (SLSA)"]),
        ("withdrawn", True, ["Signed permit", "Verification summary (SLSA)"]),
    ],
)
def test_a_permit_is_offered_once_everybody_has_signed(
    state: str, approved: bool, offered: list[str]
) -> None:
    release: Any = SimpleNamespace(pk="rel_1", state=state, approved_at=now() if approved else None)
    assert [link.text for link in documents(release, may_export=False)] == offered


@pytest.mark.parametrize(
    ("kind", "keep", "replaces", "said"),
    [
        ("", 86400, False, ["nothing to replace", "serves alone"]),
        (
            "",
            86400,
            True,
            ["traffic leaves the old revision", "the old revision stays on standby for 1 d"],
        ),
        ("", 0, True, ["the old revision finishes its requests", "the old revision is stopped"]),
        (
            "release",
            5,
            True,
            ["traffic leaves the old revision", "the old revision stays on standby for 5 s"],
        ),
        (
            "rollback",
            5,
            True,
            ["the newer revision finishes its requests", "the newer revision is stopped"],
        ),
    ],
)
def test_a_rollout_says_what_becomes_of_what_it_replaces(
    kind: str, keep: int, replaces: bool, said: list[str]
) -> None:
    release: Any = SimpleNamespace(plan=plan_document({"keep_warm_seconds": keep}))
    times = {"starting": "2026-01-01T00:00:00Z"}
    rollout: Any = SimpleNamespace(
        kind=kind,
        from_revision_id="rev_1" if replaces else None,
        steps=[None],
        state="starting",
        step_times={},
        phase_times=times,
    )
    live: Any = release if replaces else None
    steps = rollout_steps(release, rollout if kind else None, live)
    assert [step.text for step in steps[2:]] == said


@pytest.mark.parametrize(("replaces", "said"), [(True, "9 steps"), (False, "all traffic at once")])
def test_a_first_release_shifts_in_one_step_whatever_its_plan(replaces: bool, said: str) -> None:
    release: Any = SimpleNamespace(plan=plan_document({"strategy": "canary"}))
    shift = rollout_steps(release, None, release if replaces else None)[1]
    assert (shift.title, shift.text) == ("Shift", said)


@pytest.mark.parametrize(
    ("state", "ago", "keep", "said"),
    [
        ("live", 1, 60, "stays on standby for 1 min"),
        ("live", 61, 60, "was on standby for up to 1 min"),
        ("superseded", 1, 60, "was on standby for up to 1 min"),
        ("live", 1, 0, "was stopped"),
    ],
)
def test_what_was_replaced_is_no_longer_on_standby_once_that_is_over(
    state: str, ago: int, keep: int, said: str
) -> None:
    release: Any = SimpleNamespace(plan=plan_document({"keep_warm_seconds": keep}), state=state)
    rollout: Any = SimpleNamespace(
        kind="release",
        from_revision_id="rev_1",
        steps=[None],
        state="done",
        step_times={},
        phase_times={},
        finished_at=now() - timedelta(seconds=ago),
    )
    assert rollout_steps(release, rollout, None)[-1].text == f"the old revision {said}"


@pytest.mark.parametrize(
    ("egress", "shared", "said"),
    [
        (None, "", "Older isolation: the host's network"),
        (["a:443"], "", ""),
        (["a:443"], "it is shared", "requested: a:443 only, but it is shared"),
        ([], "it is shared", "requested: nothing, but it is shared"),
    ],
)
def test_a_network_that_is_not_kept_is_said(egress: Any, shared: str, said: str) -> None:
    serving = {} if egress is None else {"egress": egress}
    found = network(view(release=SimpleNamespace(serving=serving), shared_network=shared))
    assert (found.text if found else "") == said
