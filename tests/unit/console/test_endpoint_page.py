"""What the page of an endpoint says of what runs there, for each way it can stand."""

from types import SimpleNamespace as Row
from typing import Any

import pytest

from apps.console.queries.drills import DrillRow
from apps.console.queries.empty_lists import EmptyList
from apps.console.queries.endpoint_forms import (
    ObjectiveForm,
    ScheduleForm,
    comes_round,
    held_to,
    unjudged,
)
from apps.console.queries.endpoint_page import EndpointPage
from apps.console.queries.endpoint_parts import (
    EndpointRecall,
    RevisionNetwork,
    Running,
    curl,
    figures,
    former_words,
    health,
    inputs,
    kept_apart,
    python,
    strays,
)
from apps.console.queries.endpoints import EndpointListPage
from apps.console.queries.page_parts import counted
from apps.console.queries.past_revisions import PastRevision
from apps.console.queries.rollback_form import can_roll_back, rollback_form, rollback_words
from placet.kernel.actor import ANONYMOUS, INSTANCE, Actor, Grant
from placet.kernel.clock import now

AGREED = {
    "availability": 0.999,
    "latency_ms": 250,
    "latency_quantile": 0.99,
    "window_minutes": 15,
    "min_requests": 100,
    "owner": "per_1",
    "roll_back": True,
    "generation": 3,
}


def row(**members: Any) -> Any:
    """Return a row with these members alone."""
    return Row(**members)


def recent(**members: Any) -> Any:
    """Return what a revision answered lately."""
    usual = {
        "requests": 1200,
        "error_rate": 0.01,
        "rejected_rate": 0.2,
        "p50_ms": 4,
        "p95_ms": 9,
        "p99_ms": 20.0,
    }
    return Row(**{**usual, "units": 0, "apart": {}, **members})


def revision(number: int, state: str, served_by: str = "BentoML") -> Any:
    """Return a former revision."""
    bento = Row(version=f"churn:{number}")
    return Row(number=number, state=state, bento=bento, served_by=served_by)


def test_health_is_a_sign_and_a_word() -> None:
    assert [health(word).text for word in ("healthy", "unknown", "empty", "")] == [
        "Healthy",
        "No news",
        "Empty",
        "Empty",
    ]


@pytest.mark.parametrize(
    ("isolation", "words"), [("", "–"), ("socket", "its own"), ("link", "its own, by a link")]
)
def test_how_replicas_are_kept_apart(isolation: str, words: str) -> None:
    assert kept_apart(isolation) == words


@pytest.mark.parametrize(
    ("isolation", "verb", "tone"),
    [
        ("older", "was asked to reach", "wait"),
        ("shared", "was asked to reach", "wait"),
        ("link", "reaches", "pass"),
        ("", "reaches", ""),
    ],
)
def test_on_the_hosts_network_what_was_approved_is_only_asked(
    isolation: str, verb: str, tone: str
) -> None:
    found = RevisionNetwork(row(isolation=isolation, isolation_says="a network of its own"))
    assert found.reaches == verb
    assert (found.sign.tone if found.sign else "") == tone
    assert found.sign is None or found.sign.text == "A network of its own"


@pytest.mark.parametrize(
    ("is_stopped", "said"), [(False, "Its node has not said yet"), (True, "Nothing runs while")]
)
def test_of_what_is_stopped_its_node_is_not_said_to_have_been_silent(
    is_stopped: bool, said: str
) -> None:
    found = RevisionNetwork(row(isolation="", isolation_says=""), is_stopped)
    assert found.sign is None and found.unknown.startswith(said)


NOT_RUN = "what was recalled does not run"


@pytest.mark.parametrize(
    ("action", "state", "what", "news"),
    [
        ("stopped", "confirmed", "the endpoint stopped", f"has confirmed that {NOT_RUN}."),
        ("fell_back", "contradicted", "the endpoint fell back", "contradicts its own receipt."),
        (
            "fell_back",
            "waiting",
            "the endpoint fell back",
            f"has not confirmed yet that {NOT_RUN}.",
        ),
    ],
)
def test_a_recall_says_what_it_did(action: str, state: str, what: str, news: str) -> None:
    found = EndpointRecall("rcl_1", action, state)
    assert found.what == f"What was live here was recalled, and {what}."
    assert found.news.endswith(news)
    assert found.is_confirmed == (state == "confirmed")


def test_notes_of_a_revision_are_what_was_counted_apart() -> None:
    revision = row(replicas=2, state="ready", serving={})
    status = row(detail="starting", ready_replicas=1, revision=revision)
    seen = recent(units=1, apart={"overridden": 2, "mirrored": 3000})
    split = Running(status, seen, is_split=True)
    assert split.ready == "1 of 2"
    assert split.notes == [
        "starting",
        "1 new unit in 15 min",
        "2 by testers’ header",
        "3,000 copied requests",
    ]
    assert Running(status, seen, is_split=False).notes[1] == "2 by testers’ header"
    one = recent(apart={"mirrored": 1})
    assert Running(status, one, is_split=False).notes[-1] == "1 copied request"
    refused = recent(apart={"limited": 1200})
    assert Running(status, refused, is_split=False).notes[-1] == (
        "1,200 requests refused by limits in 15 min"
    )
    assert Running(status, None, is_split=True).notes == ["starting"]


@pytest.mark.parametrize("state", ["live", "ready"])
def test_what_has_no_replica_that_answers_is_not_said_to_be_ready(state: str) -> None:
    revision = row(state=state, replicas=1, serving={})
    status = row(
        revision=revision,
        detail="",
        ready_replicas=0,
        answers=False,
        is_asleep=False,
        phase="starting",
    )
    found = Running(status, None, is_split=False)
    assert (found.state, found.ready) == ("not_ready", "0 of 1")
    status = row(
        revision=revision, detail="", ready_replicas=1, answers=True, is_asleep=False, phase="ready"
    )
    assert Running(status, None, is_split=False).state == state


def test_what_is_live_behind_a_stopped_endpoint_is_stopped() -> None:
    status = row(
        revision=row(state="live"),
        detail="",
        ready_replicas=0,
        answers=False,
        is_asleep=False,
        phase="",
    )
    assert Running(status, None, is_split=False).state == "live"
    assert Running(status, None, is_split=False, is_stopped=True).state == "stopped"
    past = row(state="live", approvers=[])
    assert PastRevision(past, "risk", None, ANONYMOUS).state == "live"
    assert PastRevision(past, "risk", now(), ANONYMOUS).state == "stopped"
    former = row(state="failed", approvers=[], ended_by=None)
    assert PastRevision(former, "risk", now(), ANONYMOUS).state == "failed"


def test_figures_are_there_once_something_was_asked() -> None:
    assert [figure for figure, _ in figures(recent())] == [
        "1,200",
        "1%",
        "20%",
        "4 ms",
        "9 ms",
        "20 ms",
    ]
    words = [what for _, what in figures(recent(p50_ms=None))]
    assert words == ["requests in 15 min", "server errors", "rejected requests (4xx)"]
    few = list(figures(recent(requests=19)))
    assert few[-1] == ("–", "p50, p95, p99: shown from 20 requests")
    assert next(figures(recent(requests=1))) == ("1", "request in 15 min")
    assert [what for _, what in figures(recent(requests=20))][-1] == "p99"
    assert list(figures(recent(requests=0))) == list(figures(None)) == []


def test_requests_without_a_unit_are_counted() -> None:
    assert strays(None) == strays(recent()) == ""
    assert strays(recent(apart={"no_unit": 7})).startswith("7 of 1,200 requests had no unit")


def test_who_approved_is_named() -> None:
    past = PastRevision(row(approvers=["Ada", "Alan"], emergency=[]), "risk", None, ANONYMOUS)
    assert past.by == ", approved by Ada, Alan"
    assert PastRevision(row(approvers=[], emergency=[]), "risk", None, ANONYMOUS).by == ""


def test_who_made_it_an_emergency_release_is_named_first() -> None:
    alone = PastRevision(row(approvers=[], emergency=["Rob", "Vera"]), "risk", None, ANONYMOUS)
    assert alone.approvers == "Emergency release by Rob and Vera"
    assert alone.by == ", emergency release by Rob and Vera"
    both = PastRevision(row(approvers=["Ada"], emergency=["Rob"]), "risk", None, ANONYMOUS)
    assert both.approvers == "Emergency release by Rob; approved by Ada"


def test_the_fields_to_try_it_hold_the_example() -> None:
    columns = [{"name": "age", "type": "long"}, {"name": "new", "required": False}, {"name": "x"}]
    version = row(signature={"inputs": columns}, example=[{"age": 3, "new": True}])
    found = [(i.name, i.type, i.value, i.required) for i in inputs(version)]
    assert found == [("age", "long", "3", True), ("new", "", "true", False), ("x", "", "", True)]
    assert inputs(row(signature=None, example=None)) == []


def test_how_it_is_called() -> None:
    shell = curl("https://m.example/a b", {"who": "O'Neil"}, key=True).split(" \\\n  ")
    assert shell[0] == "curl 'https://m.example/a b'"
    assert shell[2] == "-H 'Authorization: Bearer KEY'"
    assert shell[3] == """-d '{"who": "O'"'"'Neil"}'"""
    assert "Bearer" not in curl("https://m.example", {}, key=False)
    code = python("https://m.example", {"new": True}, key=True)
    compile(code, "snippet", "exec")
    assert "row = {'new': True}" in code
    assert 'headers={"Authorization": "Bearer KEY"}' in code


def test_what_a_rollback_goes_back_to() -> None:
    warm, stopped = revision(2, "warm"), revision(1, "stopped")
    assert former_words([]) == ""
    assert former_words([warm]) == (
        "churn:2 (revision 2) is on standby: a rollback only shifts the traffic."
    )
    assert former_words([stopped, warm]).endswith(
        "is stopped: a rollback starts it first. 2 earlier revisions are available."
    )


@pytest.mark.parametrize(
    ("state", "going_out", "former", "offered", "words"),
    [
        ("active", False, [], False, "go back to: churn:1 was recalled."),
        ("active", False, [revision(1, "warm")], True, "only shifts the traffic."),
        ("active", True, [], True, "Revision 3 is going out: a rollback aborts that."),
        (
            "stopped",
            False,
            [revision(1, "warm")],
            False,
            "Rolling back to churn:1 (revision 1) is possible once the endpoint is started: "
            "a stopped one is not rolled back.",
        ),
    ],
)
def test_a_rollback_is_offered_where_there_is_something_to_go_back_to(
    state: str, going_out: bool, former: list[Any], offered: bool, words: str
) -> None:
    told = {"version": "churn:1", "release": "revoked", "recall": "version"}
    earlier, failed = row(number=2, live_at=1, passed_over=told), row(number=2, live_at=None)
    view = row(
        endpoint=row(state=state),
        going_out=going_out,
        rollout=row(to_revision=row(number=3)) if going_out else None,
        former=former,
        previous=former[0] if former else None,
        live=row(number=3),
        history=[row(number=3), failed, earlier, row(number=1, live_at=1, passed_over=None)],
    )
    assert can_roll_back(view) == offered
    assert rollback_words(view).endswith(words)


def test_a_rollback_names_what_it_does() -> None:
    version: Any = "churn:3"
    one = rollback_form(row(going_out=False, former=[revision(2, "warm")]), version)
    assert (one.title, one.choices) == ("Roll back to churn:2?", [])
    assert one.says.startswith("Revision 2 is served by BentoML. It was approved before")
    former = [revision(2, "warm", "slim"), revision(1, "stopped")]
    many = rollback_form(row(going_out=False, former=former), version)
    assert many.title == "Roll back?"
    assert many.choices == [
        (2, "2: churn:2, slim, standby"),
        (1, "1: churn:1, BentoML, is started first"),
    ]
    moving = row(going_out=True, rollout=row(to_revision=row(number=4)), former=former)
    moving.endpoint = row(state="active")
    abort = rollback_form(moving, version)
    assert (abort.title, abort.choices) == ("Stop revision 4?", [])
    assert "churn:3 has all requests again at once." in abort.says
    moving.endpoint = row(state="stopped")
    then = "churn:3 has all requests again once the endpoint is started."
    assert then in rollback_form(moving, version).says


def test_what_is_agreed_stands_beside_what_was_measured() -> None:
    verdict: Any = row(
        availability=1.0, latency_ms=float("inf"), requests=20, standing="met", cause=""
    )
    lines = [(h.label, h.measured, h.agreed) for h in held_to(row(**AGREED), verdict, "Otto")]
    assert lines == [
        ("Without server error", "100%", "at least 99.9%"),
        ("p99", "> 10 s", "at most 250 ms"),
        ("Over", "", "15 min, 20 requests"),
        ("Judged", "", "from 100 requests"),
        ("Notify", "", "Otto"),
        ("A breach", "", "rolls back, once"),
    ]
    verdict.requests = 19
    assert [h.measured for h in held_to(row(**AGREED), verdict, "Otto")][1] == "> 10 s"
    verdict.cause = "few"
    assert [h.measured for h in held_to(row(**AGREED), verdict, "Otto")][1] == "–"
    nothing = row(**AGREED | {"availability": None, "latency_ms": None, "owner": ""})
    assert [h.agreed for h in held_to(nothing, None, "")][:3] == [
        "15 min",
        "from 100 requests",
        "the operators",
    ]


def test_what_is_not_known_is_said() -> None:
    unknown: Any = row(standing="unknown", reason="Too few requests")
    met: Any = row(standing="met", reason="")
    assert unjudged(None) == "Nothing is live that could be judged."
    assert (unjudged(unknown), unjudged(met)) == ("Too few requests.", "")


def test_forms_show_what_is_set_or_what_is_usual() -> None:
    empty, filled = ObjectiveForm(None), ObjectiveForm(row(**AGREED))
    assert (empty.generation, empty.availability, empty.quantile) == ("", "", "99")
    assert (empty.window_minutes, empty.min_requests) == (15, 100)
    assert (filled.generation, filled.availability, filled.quantile) == ("3", "99.9", "99")
    assert (filled.latency, empty.latency) == (250, None)
    assert (250, "250 ms") in filled.latencies
    usual, own = ScheduleForm(None), ScheduleForm(row(generation=0, every_days=7, hour=0))
    assert (usual.generation, usual.every_days, usual.hour) == ("", 30, 3)
    assert (own.generation, own.every_days, own.hour) == ("0", 7, 0)


def test_how_often_drills_come_round() -> None:
    assert comes_round(row(every_days=1, hour=3)) == "Every day at 03:00 UTC"
    assert comes_round(row(every_days=7, hour=12)) == "Every 7 days at 12:00 UTC"


@pytest.mark.parametrize(
    ("state", "failed", "said"),
    [
        ("failed", None, ""),
        ("passed", None, ", counts with gaps"),
        ("passed", 0, ", 0 failed requests"),
        ("passed", 1, ", 1 failed request"),
    ],
)
def test_a_drill_that_passed_says_how_many_requests_failed(
    state: str, failed: int | None, said: str
) -> None:
    found = DrillRow(state, "", None, failed, now(), "per_1", None)
    assert found.outcome == said


def test_what_is_counted_has_its_number() -> None:
    assert [counted(n, "reply", "replies") for n in (0, 1, 2)] == [
        "0 replies",
        "1 reply",
        "2 replies",
    ]


def test_the_list_says_what_to_do_when_it_is_empty() -> None:
    viewing = frozenset({Grant("endpoint.view", INSTANCE), Grant("release.request", INSTANCE)})
    everything, narrowed = (
        EndpointListPage([], "", isolation, EmptyList(actor, "endpoints", "endpoint.view"))
        for isolation, actor in (
            ("", Actor("person", "per_1", grants=viewing)),
            ("link", Actor("person", "per_2")),
        )
    )
    assert not everything.is_narrowed
    assert everything.empty_title == "Nothing serves yet"
    assert everything.first_step.startswith("An endpoint is made with the first release")
    assert narrowed.is_narrowed
    assert narrowed.empty_title == "Nothing that you may see runs so"
    assert narrowed.first_step.startswith("You have no project role yet")
    assert narrowed.isolation in dict(narrowed.isolations)


def page_of(may: tuple[str, ...] = (), *, live: Any = None, keys: tuple[Any, ...] = ()) -> Any:
    """Return the page of an endpoint that needs no key, for who holds ``may``."""
    endpoint = row(state="active", api_key_required=False, project_scope=str, environment_scope=str)
    actor: Any = row(can=lambda permission, scope: permission in may)
    view: Any = row(endpoint=endpoint, live=live, keys=keys, status=row(serving=live))
    return EndpointPage(view, actor)


def test_keys_that_nobody_asks_for_are_said_to_be_of_no_use() -> None:
    ended, good = row(revoked_at=now()), row(revoked_at=None)
    assert page_of(keys=(ended,)).open_words.endswith("requests without one are answered.")
    assert "with a wrong one, is answered too" in page_of(keys=(ended, good)).open_words


def test_who_may_not_make_keys_or_read_predictions_is_told_who_may() -> None:
    assert "an operator can, and says" in page_of().key_makers
    assert page_of(("endpoint.manage",)).key_makers.startswith("A key is shown once")
    assert "a reviewer, an approver or an operator can read them" in page_of().readers


def test_nothing_is_recorded_where_nothing_is_live() -> None:
    assert page_of().unrecorded == "Nothing is live, so nothing is recorded now."
    assert "approved without capture" in page_of(live=revision(1, "live")).unrecorded
