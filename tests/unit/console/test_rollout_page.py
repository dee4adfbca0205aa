"""What the page of a rollout says, and which buttons it has, for each way it can stand."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from apps.console.charts import bounds_chart
from apps.console.queries.analyses import ReadingRow
from apps.console.queries.rollout_page import RolloutPage, traffic
from apps.console.queries.rollout_steps import sentence
from apps.governance.plan import Pause, Plan, SetWeight
from apps.rollouts.passing import RolloutPassing, VerbPasses
from apps.rollouts.rules.facts import ALL_AT_ONCE
from placet.kernel.actor import Actor

HURRY = ("resume", "pause", "skip", "promote")
NOTHING = dict.fromkeys(("resume", "pause", "skip", "promote", "abort", "retry"), False)


def page(*may: str, can: tuple[str, ...] = (), is_open: bool = True, **row: Any) -> RolloutPage:
    """Return the page of a rollout with these members, for a reader with these permissions."""
    old = SimpleNamespace(number=1, state="live", bento=SimpleNamespace(version="churn:1"))
    plain = {
        "kind": "release",
        "state": "shifting",
        "reason": "",
        "step": -1,
        "paused_by": "",
        "promoted_by": "",
        "aborted_by": "",
        "pauser": "Ada",
        "done_last": None,
        "from_revision": old,
        "endpoint": SimpleNamespace(is_stopped=False),
        "live_there": True,
        "steps": (SetWeight(5), SetWeight(100)),
        "to_revision": SimpleNamespace(number=2),
        "release": SimpleNamespace(number=4),
        "project_scope": lambda: "prj_1",
        "environment_scope": lambda: "staging",
    }
    view = SimpleNamespace(
        rollout=SimpleNamespace(**(plain | row)),
        can=NOTHING | dict.fromkeys(can, True),
        names={"per_1": "Ada"},
        is_open=is_open,
        waits_for="the node",
        skipped=False,
        passing=RolloutPassing(None, "allow", VerbPasses(), VerbPasses(), None, ()),
    )
    actor = SimpleNamespace(can=lambda permission, scope: permission in may)
    return RolloutPage(cast("Any", view), cast("Actor", actor))


@pytest.mark.parametrize(
    ("kind", "sentence", "place", "note"),
    [
        (
            "release",
            "Rolling out revision 2, replacing revision 1",
            "replaces churn:1 at",
            "",
        ),
        (
            "rollback",
            "Rolling back from revision 1 to revision 2",
            "from churn:1 at",
            "A rollback moves all requests at once.",
        ),
        (
            "drill",
            "Rollback test from revision 1 to revision 2 and back",
            "from churn:1 at",
            "A rollback test moves all requests at once, as a rollback does, and returns them.",
        ),
    ],
)
def test_each_kind_has_its_words(kind: str, sentence: str, place: str, note: str) -> None:
    found = page(kind=kind)
    assert found.moved == sentence
    assert (found.heading_end, found.steps_note) == (place, note)


@pytest.mark.parametrize(
    ("kind", "start", "chart", "aborting"),
    [
        (
            "release",
            "",
            "Share of the new revision",
            "Returns all requests to the old revision at once, then ends the new one.",
        ),
        (
            "rollback",
            "Back to",
            "Share of the former revision",
            "Returns all requests to the newer revision at once, then ends the former one.",
        ),
        (
            "drill",
            "Rollback test to",
            "Share of the former revision",
            "Returns all requests to the newer revision at once, then ends the former one.",
        ),
    ],
)
def test_what_a_rollback_goes_back_to_is_not_called_new(
    kind: str, start: str, chart: str, aborting: str
) -> None:
    found = page("rollout.operate", kind=kind, pk="rlo_1")
    assert (found.heading_start, found.panels[0][1]) == (start, chart)
    assert found.forms[-1].says == aborting


def test_a_first_rollout_is_said_to_give_requests_back_to_nothing() -> None:
    found = page("rollout.operate", pk="rlo_1", from_revision=None)
    assert found.forms[-1].says == (
        "Ends the new revision at once. Nothing was live when it began: clients get 503."
    )


@pytest.mark.parametrize(
    ("step", "is_over", "said"),
    [
        (0, False, "; what came since is not counted yet"),
        (0, True, " of its last step"),
        (-1, True, ", before its first step"),
    ],
)
def test_of_a_rollout_that_failed_before_any_step_none_is_said_to_be_counted(
    step: int, is_over: bool, said: str
) -> None:
    found = page(step=step)
    found.view.counted = cast("Any", SimpleNamespace(is_over=is_over))
    assert found.counted_of == said


def test_a_safety_net_is_told_as_past_once_the_rollout_is_over() -> None:
    guard = {"guard": {"consecutive_failures": 10}}
    assert "the node rolls back after 10" in page(**guard).guard
    over = page(is_open=False, **guard).guard
    assert over.startswith("Safety net until it ended: the node would have rolled back after 10")


@pytest.mark.parametrize(
    ("kind", "state", "start", "place"),
    [
        ("release", "done", "", "replaced churn:1 at"),
        ("release", "aborting", "", "was to replace churn:1 at"),
        ("release", "aborted", "", "was to replace churn:1 at"),
        ("rollback", "failed", "Rollback to", "from churn:1 at"),
        ("rollback", "done", "Back to", "from churn:1 at"),
    ],
)
def test_a_heading_says_what_came_of_it(kind: str, state: str, start: str, place: str) -> None:
    found = page(kind=kind, state=state)
    assert (found.heading_start, found.heading_end) == (start, place)


def test_nothing_is_replaced_where_nothing_was_live() -> None:
    assert page(from_revision=None).heading_end == "at"


@pytest.mark.parametrize(
    ("state", "reason", "said"),
    [
        ("shifting", "", ("Paused", "Ada", "")),
        ("shifting", "Watch it.", ("Paused", "Ada", "Watch it.")),
        ("shifting", ALL_AT_ONCE, ("", "", ALL_AT_ONCE)),
        ("failed", "The analysis failed.", ("", "", "The analysis failed.")),
    ],
)
def test_what_people_said_has_their_name_and_what_the_platform_says_has_none(
    state: str, reason: str, said: tuple[str, str, str]
) -> None:
    done = {"kind": "rollout.paused.v1", "by": "per_1", "name": "Ada", "at": "2026-03-01T12:00:00Z"}
    words = page(state=state, reason=reason, done_last=done).words
    assert words is not None and (words.what, words.name, words.text) == said


@pytest.mark.parametrize(
    ("kind", "state", "old", "said"),
    [
        ("release", "done", 1, "Rolled out revision 2, replacing revision 1"),
        ("release", "done", None, "Rolled out revision 2"),
        ("release", "aborted", 1, "Rollout of revision 2, to replace revision 1"),
        ("rollback", "done", 1, "Rolled back from revision 1 to revision 2"),
        ("rollback", "failed", 1, "Rollback from revision 1 to revision 2"),
    ],
)
def test_what_is_over_is_told_as_past_and_what_failed_was_not_done(
    kind: str, state: str, old: int | None, said: str
) -> None:
    left = SimpleNamespace(number=old) if old else None
    assert page(kind=kind, state=state, from_revision=left).moved == said


@pytest.mark.parametrize(
    ("may", "can", "is_open", "shown"),
    [
        ((), ("pause",), True, False),
        (("rollout.operate",), (), True, True),
        (("rollout.operate",), ("retry",), False, False),
        (("rollout.start",), ("retry",), False, True),
        (("rollout.start",), ("pause",), True, False),
    ],
)
def test_controls_are_shown_to_those_who_may(
    may: tuple[str, ...], can: tuple[str, ...], is_open: bool, shown: bool
) -> None:
    assert page(*may, can=can, is_open=is_open).has_controls == shown


def test_buttons_say_what_they_do_and_the_usual_one_stands_out() -> None:
    found = page(can=("resume", "skip", "abort"), paused_by="per_1")
    assert [(b.text, b.tone) for b in found.buttons] == [
        ("Resume…", "primary"),
        ("Skip step…", ""),
    ]
    assert (found.paused, found.may_abort) == ("Paused by Ada", True)
    assert [b.text for b in page(can=("resume",)).buttons] == ["Resume…"]


@pytest.mark.parametrize(
    ("place", "says"),
    [
        (-1, "Goes on with what comes before the first step."),
        (1, "Starts the next step."),
        (3, "Goes on with step 4: Wait 1 min."),
        (4, "Goes on with step 5: Analyse: server errors no worse than stable."),
    ],
)
def test_who_resumes_reads_which_step_starts_or_goes_on(place: int, says: str) -> None:
    analysis = {"metrics": [{"metric": "error_rate", "margin": 0}], "minimum_requests": 100}
    pauses = [{"pause": {}}, {"pause": {"duration_seconds": 60}}]
    steps = [{"set_weight": 5}, pauses[0], {"set_weight": 9}, pauses[1]]
    steps.append({"analysis": analysis})
    plan = Plan.read({"strategy": "canary", "steps": steps})
    found = page("rollout.operate", pk="rlo_1", step=place, steps=plan.steps, paused_by="per_1")
    cast("Any", found.view).steps = [
        SimpleNamespace(text=sentence(step, "the new revision")) for step in plan.steps
    ]
    (form,) = [form for form in found.forms if form.verb.name == "resume"]
    assert form.says == says


WHOLE = (SetWeight(5), SetWeight(100), Pause())


@pytest.mark.parametrize(
    ("verb", "step", "says"),
    [
        ("skip", 0, "Starts the next step now."),
        ("skip", 2, "No step is left: the new revision goes live."),
        ("resume", 2, "No step is left: the new revision goes live."),
        (
            "promote",
            0,
            "Sends all requests to the new revision once it is ready, skipping the remaining "
            "steps.",
        ),
        (
            "promote",
            1,
            "The new revision has all requests already: it goes live once this step is over, "
            "skipping the remaining steps.",
        ),
        (
            "promote",
            2,
            "The new revision has all requests already: it goes live once this step is over.",
        ),
    ],
)
def test_where_all_requests_went_already_no_verb_is_said_to_send_them_or_to_start_a_step(
    verb: str, step: int, says: str
) -> None:
    found = page(pk="rlo_1", step=step, steps=WHOLE)
    cast("Any", found.view).steps = [SimpleNamespace(text="a step")] * 3
    assert found.says[verb] == says


def test_a_retry_where_nothing_is_live_is_not_said_to_start_from_the_first_step() -> None:
    assert page(live_there=True).says["retry"].startswith("Starts again from the first step with")
    assert page(live_there=False).says["retry"] == (
        "Starts again with the existing approval. Gates are checked again. Nothing is live there: "
        "the steps are skipped, and all requests go to it once it is ready."
    )


@pytest.mark.parametrize(
    ("back", "says"),
    [
        (
            "live",
            "Ends the new revision at once. Nothing serves until the endpoint is started: then the "
            "old revision does.",
        ),
        (
            "",
            "Ends the new revision at once. Nothing was live when it began: clients get 503, once "
            "the endpoint is started too.",
        ),
    ],
)
def test_who_aborts_is_not_promised_what_cannot_serve(back: str, says: str) -> None:
    old = SimpleNamespace(number=1, state=back) if back else None
    endpoint = SimpleNamespace(is_stopped=True)
    assert page(from_revision=old, endpoint=endpoint).says["abort"] == says


@pytest.mark.parametrize("verb", ["resume", "skip", "promote", "ship"])
def test_who_hurries_a_rollout_whose_endpoint_is_stopped_reads_when_requests_follow(
    verb: str,
) -> None:
    later = "The endpoint is stopped: requests follow once it is started."
    found = page(endpoint=SimpleNamespace(is_stopped=True))
    assert found.says[verb].endswith(f". {later}") and later not in page().says[verb]


def test_it_waits_while_it_is_open() -> None:
    assert page().waits == "Waiting for the node."
    assert page(endpoint=SimpleNamespace(is_stopped=True)).waits == "", "that it is started"
    assert page(is_open=False).waits == ""


def test_a_node_that_says_nothing_is_a_dash_in_the_table() -> None:
    counts = SimpleNamespace(requests=1200, error_rate=0.01, rejected_rate=0.2)
    revision = SimpleNamespace(weight=500, replicas=2, state="ready", serving={})
    side = SimpleNamespace(revision=revision, applied=None, ready=1, counts=counts, share=None)
    assert dict(traffic([cast("Any", side)])) == {
        "Target": ["5%"],
        "Configured": ["–"],
        "Observed": ["–"],
        "Requests": ["1,200"],
        "Server errors": ["1%"],
        "Rejected requests (4xx)": ["20%"],
        "Replicas ready": ["1 of 2"],
    }


def test_what_is_not_counted_yet_is_not_said_to_be_none() -> None:
    counts = SimpleNamespace(requests=0, error_rate=None, rejected_rate=None)
    revision = SimpleNamespace(weight=500, replicas=2, state="ready", serving={})
    side: Any = SimpleNamespace(revision=revision, applied=500, ready=1, counts=counts, share=None)
    assert dict(traffic([side], is_counted=False)) == {
        "Target": ["5%"],
        "Configured": ["5%"],
        "Replicas ready": ["1 of 2"],
    }
    assert traffic([side], is_open=False, is_counted=False) == []


@pytest.mark.parametrize(
    ("side", "value", "said"),
    [
        ("at_most", 0.5, ("0.5", "at most 2, for 60 s")),
        ("at_least", None, ("no value", "at least 2, for 60 s")),
    ],
)
def test_a_reading_says_what_is_allowed(side: str, value: float | None, said: Any) -> None:
    kept = {"side": side, "value": value, "limit": 2, "for_seconds": 60}
    row = ReadingRow(cast("Any", kept))
    assert (row.value, row.allowed) == said


@pytest.mark.parametrize(
    ("may", "verbs"),
    [
        ((), []),
        (("rollout.start",), ["retry"]),
        (("release.approve",), ["ship"]),
        (("rollout.operate",), [*HURRY, "confirm", "decline", "withdraw", "abort"]),
    ],
)
def test_only_who_may_do_something_is_asked_why(may: tuple[str, ...], verbs: list[str]) -> None:
    shown = page(*may, pk="rlt_" + "0" * 32)
    assert [form.verb.name for form in shown.forms] == verbs


@pytest.mark.parametrize(("strategy", "shown"), [("canary", False), ("shadow", True)])
def test_answers_are_compared_only_where_both_revisions_get_the_same_requests(
    strategy: str, shown: bool
) -> None:
    new = SimpleNamespace(serving={"capture": {"percent": 100}})
    row = {"steps": Plan.model_validate({"strategy": strategy}).steps, "to_revision": new}
    assert page("prediction.view", **row).may_compare == shown
    assert not page(**row).may_compare


@pytest.mark.parametrize(
    ("share", "shown"),
    [(1.0, "100%"), (-0.995, "−99.5%"), (0.00012345, "0.0123%"), (0.0, "0%"), (5e-8, "0.000005%")],
)
def test_an_axis_never_has_a_power_of_ten(share: float, shown: str) -> None:
    looks: Any = [
        {
            "new_requests": many,
            "new_bad": 0,
            "stable_requests": None,
            "stable_bad": None,
            "low": 0.0,
            "high": 1.0,
            "limit": share,
            "sentence": "",
        }
        for many in (10, 20)
    ]
    chart = bounds_chart(looks)
    assert chart is not None
    assert chart.limit.label == shown
    assert chart.ticks[0].label == "100%"
