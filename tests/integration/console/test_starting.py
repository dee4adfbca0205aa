"""Who starts a stopped endpoint can say why, by the page, the API and the command line alike; who
scales one is told so."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from apps.assurance.actions import recall
from apps.audit.models import Event
from apps.governance.actions import withdraw
from apps.governance.models import Release
from apps.rollouts.actions import abort, pause, promote, retry
from apps.serving.actions import stop_endpoint
from apps.serving.models import Endpoint
from placet.kernel.clock import now
from placet_client.cli import main
from tests.support.commands import become
from tests.support.factories import api, browser
from tests.support.page_text import text_of
from tests.support.story import Story

WHY = "The lab has mended its units"
SAID = f"Started an endpoint by Otto risk | “{WHY}”"


@pytest.fixture
def path(story: Story, first_release: Release) -> str:
    """The path of an endpoint that Otto has stopped."""
    stop_endpoint(first_release.endpoint, reason="wrong units", actor=story.otto)
    return f"/endpoints/{first_release.endpoint_id}"


def said(story: Story, path: str) -> str:
    """Return what the page of an endpoint says, on one line."""
    answer = browser(story.people["Otto"]).get(f"{path}/")
    return " | ".join(text_of(answer.content.decode()).splitlines())


def raw(story: Story, path: str, who: str = "Otto") -> str:
    """Return a page as it is sent."""
    return browser(story.people[who]).get(f"{path.rstrip('/')}/").content.decode()


def ada(story: Story, path: str) -> str:
    """Return what a page says to who requests releases, on one line."""
    return " | ".join(text_of(raw(story, path, "Ada")).splitlines())


@pytest.mark.django_db
def test_the_dialog_takes_a_reason_that_stands_in_its_activity(story: Story, path: str) -> None:
    otto = browser(story.people["Otto"])
    assert 'id="start-why"' in otto.get(f"{path}/").content.decode()
    otto.post(f"{path}/do/start", {"reason": f"  {WHY} ", "next": f"{path}/"})
    row = Endpoint.objects.get()
    assert (row.state, row.reason) == ("active", WHY)
    assert SAID in said(story, path)
    assert WHY not in Event.objects.get(kind="endpoint.started.v1").body
    assert 'id="start-why"' not in otto.get(f"{path}/").content.decode(), "it is started"
    otto.post(f"{path}/do/stop", {"next": f"{path}/"})
    assert Endpoint.objects.get().reason == "", "why it was started says not why it is stopped"


@pytest.mark.django_db
def test_the_api_takes_a_reason_and_needs_none_to_start(story: Story, path: str) -> None:
    client = api(story.people["Otto"])
    assert client.post(f"{path}/start", {"why": WHY}).status_code == 400
    assert client.post(f"{path}/start", {"reason": WHY}).json()["state"] == "active"
    assert SAID in said(story, path)
    assert client.post(f"{path}/stop").status_code == 200
    assert client.post(f"{path}/start").status_code == 200
    assert Endpoint.objects.get().reason == ""


@pytest.mark.django_db(transaction=True)
def test_so_does_the_command_line(
    story: Story, path: str, live_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    become(story.world, "Otto", live_server.url, monkeypatch)
    assert main(["endpoint", "start", path.rpartition("/")[2], "--reason", WHY]) == 0
    assert SAID in said(story, path)


@pytest.mark.django_db
def test_who_scales_an_endpoint_is_told_to_how_many_replicas(
    story: Story, first_release: Release
) -> None:
    otto, path = browser(story.people["Otto"]), f"/endpoints/{first_release.endpoint_id}/"
    sent = {"replicas": "1", "next": path}
    answer = otto.post(f"{path}scale", sent, follow=True)
    assert "Already 1 replica." in answer.content.decode()
    answer = otto.post(f"{path}scale", sent | {"replicas": "400"}, follow=True)
    assert "Scaled to" not in answer.content.decode()


def act(story: Story, release: Release, verb: str) -> str:
    """Have Otto stop or start an endpoint by its page; return what is said then, on one line."""
    path = f"/endpoints/{release.endpoint_id}/"
    answer = browser(story.people["Otto"]).post(f"{path}do/{verb}", {"next": path}, follow=True)
    return " | ".join(text_of(answer.content.decode()).splitlines())


@pytest.mark.django_db
def test_what_an_empty_endpoint_is_stopped_and_started_for_is_said_as_it_is(story: Story) -> None:
    release = story.release("staging")
    path = f"/endpoints/{release.endpoint_id}"
    empty = "Nothing is live here: clients get 503 already, and until a release goes live."
    assert empty in said(story, path)
    shown = act(story, release, "stop")
    story.settle()
    assert "Stopped. Nothing was live: clients get 503 as before" in shown
    assert "Nothing is left to run here: started, the endpoint stays empty" in shown
    assert "until somebody starts it" not in said(story, f"{path}/use")
    story.approve(release)
    then = "Release 1, which is approved, starts by itself, if every gate still passes."
    assert then in said(story, path)
    assert f"Started. Nothing is live there yet. {then}" in act(story, release, "start")
    story.settle()
    assert story.state(release) == "live"


@pytest.mark.django_db
def test_what_waits_for_an_operator_is_not_said_to_start_by_itself(story: Story) -> None:
    release = story.release("staging", plan={"start": "manual"})
    act(story, release, "stop")
    story.approve(release)
    then = "Release 1, which is approved, waits for an operator to start it."
    assert f"Started. Nothing is live there yet. {then}" in act(story, release, "start")


@pytest.mark.django_db
def test_what_goes_back_once_it_is_started_is_named_before_and_after(
    story: Story, first_release: Release
) -> None:
    second = story.live()
    act(story, second, "stop")
    story.settle()
    known: dict[str, Any] = {"kind": "version", "what": second.version_id}
    recall(**known, reason="leaky", project=second.project, actor=story.otto)
    story.settle()
    shown = said(story, f"/endpoints/{second.endpoint_id}")
    back = "The endpoint was on its way back to revision 1: that serves again once it is ready"
    assert back in shown and "Nothing is left to run" not in shown
    assert "Started. The endpoint goes back to revision 1." in act(story, second, "start")
    story.settle()
    assert story.state(first_release) == "live"


@pytest.mark.django_db
def test_who_aborts_a_first_rollout_is_told_that_nothing_serves_then(story: Story) -> None:
    release = story.release(
        "development", plan={"strategy": "canary", "steps": [{"set_weight": 10}, {"pause": {}}]}
    )
    story.run_jobs("control")
    path = f"/rollouts/{story.rollout(release).pk}/"
    sent = {"reason": "wrong model", "next": path}
    answer = browser(story.people["Otto"]).post(f"{path}abort", sent, follow=True)
    said = "Aborted. Nothing was live when it began: clients get 503."
    assert said in answer.content.decode()


@pytest.mark.django_db
def test_nobody_is_told_to_request_what_is_on_its_way(story: Story) -> None:
    release = story.release("development")
    path = f"/endpoints/{release.endpoint_id}/use"
    assert "Nothing is live here yet: requests are answered with 503." in said(story, path)


CANARY = {"strategy": "canary", "steps": [{"set_weight": 40}, {"pause": {}}]}


@pytest.fixture
def held(story: Story) -> Release:
    """A first release that has all requests, and that Otto holds before it goes live."""
    release = story.release("development", plan=CANARY)
    for _ in range(8):
        story.settle(1)
        if story.rollout(release).state == "shifting":
            break
    pause(story.rollout(release), reason="wait for the lab", actor=story.otto)
    story.settle()
    assert story.states() == [(1, "ready", 10_000)]
    return release


@pytest.mark.django_db
def test_a_first_rollout_that_is_held_with_all_requests_is_said_to_serve(
    story: Story, held: Release
) -> None:
    path = f"/endpoints/{held.endpoint_id}"
    for tab in ("", "/test", "/use"):
        shown = said(story, f"{path}{tab}")
        assert "Nothing is live here" not in shown and "Nothing answers" not in shown, tab
    assert "● Healthy" in said(story, path) and "Empty" not in said(story, path)
    assert "nothing is recorded now" not in said(story, path)
    for listed in ("/endpoints", "/projects/risk"):
        assert "● Healthy" in said(story, listed) and "Empty" not in said(story, listed)
    assert api(story.people["Otto"]).get(path).json()["health"] == "healthy"


@pytest.mark.django_db
def test_who_stops_and_starts_such_a_first_rollout_reads_that_it_serves(
    story: Story, held: Release
) -> None:
    path, stays = f"/endpoints/{held.endpoint_id}", "The rollout of revision 1 stays open"
    shown = said(story, path)
    assert f"Clients get 503 until somebody starts it again. {stays}" in shown
    assert "503 already" not in shown
    shown = act(story, held, "stop")
    assert f"Stopped: clients get 503 until it is started. {stays}." in shown
    again = "All requests go to revision 1, as its rollout has it now."
    assert f"{again} The rollout of revision 1 stays paused. It needs no approval." in shown
    shown = act(story, held, "start")
    assert "Started. The rollout of revision 1 stays paused." in shown


@pytest.mark.django_db
def test_who_stops_or_starts_an_endpoint_with_a_canary_is_told_what_becomes_of_it(
    story: Story, first_release: Release
) -> None:
    canary = story.under_way(CANARY)
    path = f"/endpoints/{canary.endpoint_id}"
    stays = "The rollout of revision 2 stays open, and requests are sent as it says by then"
    assert f"until somebody starts it again. {stays}" in said(story, path)
    assert "The rollout of revision 2 stays open." in act(story, canary, "stop")
    story.settle()
    shared = "What was live and revision 2 share the requests as its rollout has it now, with 40%"
    assert f"{shared} for revision 2. The rollout of revision 2 stays paused." in said(story, path)
    row = story.rollout(canary)
    promote(row, step=row.step, reason="sure", actor=story.otto)
    shown = said(story, path)
    assert "All requests go to revision 2, as its rollout has it now." in shown
    assert "What was live serves again" not in shown
    assert "Started again. The rollout of revision 2 goes on." in act(story, canary, "start")


@pytest.mark.django_db
def test_before_a_canary_has_requests_what_was_live_is_said_to_serve_again(
    story: Story, first_release: Release
) -> None:
    release = story.release("development", plan=CANARY)
    story.run_jobs("control")
    assert story.states() == [(1, "live", 10_000), (2, "starting", 0)]
    act(story, release, "stop")
    again = "What was live serves again. The rollout of revision 2 goes on. It needs no approval."
    assert again in said(story, f"/endpoints/{release.endpoint_id}")


@pytest.mark.django_db
def test_a_release_that_goes_out_does_not_say_that_what_was_live_serves_alone(
    story: Story, first_release: Release
) -> None:
    canary = story.under_way(CANARY)
    left = "churn:1 serves what the rollout leaves it until the new replicas have all requests"
    assert left in said(story, f"/releases/{canary.pk}")
    act(story, canary, "stop")
    assert f"Once it is started {left}" in said(story, f"/releases/{canary.pk}")
    waits = story.world.request("development")
    story.settle()
    shown = said(story, f"/releases/{waits.pk}")
    assert "The rollout of churn:2 has to end first: the endpoint is stopped, so nothing" in shown
    assert "(replaces what is live once the rollout of churn:2 has ended)" in shown


@pytest.mark.django_db
def test_a_release_behind_another_rollout_names_that_and_not_what_is_live_before_it_ends(
    story: Story, first_release: Release
) -> None:
    canary = story.under_way(CANARY)
    waits = story.world.request("development", plan={"keep_warm_seconds": 3600})
    story.settle()
    path = f"/releases/{waits.pk}"
    shown = said(story, path)
    assert "(replaces what is live once the rollout of churn:2 has ended)" in shown
    assert "The rollout of churn:2 has to end first: churn:1 serves what it leaves it" in shown
    assert "what is live then stays on standby" in shown and "(replaces churn:1)" not in shown
    behind = "Waits for the rollout of churn:2 to end"
    for listed in (path, "/releases", "/inbox", "/"):
        assert behind in ada(story, listed), listed
    assert f'<a href="/rollouts/{story.rollout(canary).pk}/">rollout of churn:2</a>' in raw(
        story, path
    )
    shown = said(story, f"/endpoints/{canary.endpoint_id}")
    waiting = "Approved, and waits for the rollout of revision 2 to end: release 3"
    assert waiting in shown.replace(" | ", " "), shown[:1500]
    promote(story.rollout(canary), step=story.rollout(canary).step, reason="sure", actor=story.otto)
    story.settle()
    assert story.state(canary) == "live" and behind not in said(story, path)


@pytest.mark.django_db
def test_who_decides_reads_that_another_rollout_has_to_end_first(
    story: Story, first_release: Release
) -> None:
    story.under_way(CANARY)
    asks = "version: 1\ngates:\n  - {gate: build}\n"
    asks += "  - {gate: approvals, role: reviewer, count: 1}\n"
    story.world.policy("development", asks)
    waits = story.world.request("development")
    shown = text_of(raw(story, f"/releases/{waits.pk}", "Rex"))
    then = "the rollout starts once the rollout of churn:2 has ended"
    assert f"then {then}" in shown
    assert f"Yours is the last approval it needs: {then}." in shown
    assert "(replaces what is live once the rollout of churn:2 has ended)" in shown
    assert "The rollout of churn:2 has to end first: churn:1 serves what it leaves it" in shown
    assert "starts at once" not in shown and "(replaces churn:1)" not in shown


@pytest.mark.django_db
def test_a_release_that_is_retried_says_what_it_replaces_now(
    story: Story, first_release: Release
) -> None:
    canary = story.under_way(CANARY)
    rollout = story.rollout(canary)
    abort(rollout, reason="not now", actor=story.otto)
    story.settle()
    other = story.live()
    rollout.refresh_from_db()
    retry(rollout, reason="now", actor=story.otto)
    story.settle()
    assert story.state(canary) == "rolling_out"
    shown = said(story, f"/releases/{canary.pk}")
    assert f"{other.version} serves what the rollout leaves it" in shown
    assert f"One click {other.version} stays on standby" in shown.replace(" | ", " ")
    assert "churn:1 serves what" not in shown


@pytest.mark.django_db
def test_a_rollout_is_offered_to_be_started_where_it_would_not_be_refused(
    story: Story, first_release: Release
) -> None:
    def offered(release: Release) -> bool:
        answer = browser(story.people["Otto"]).get(f"/releases/{release.pk}/")
        return f'action="/releases/{release.pk}/start"' in answer.content.decode()

    def mark(release: Release) -> str:
        part = {"HX-Request": "true"}
        answer = browser(story.people["Otto"]).get(f"/releases/{release.pk}/", headers=part)
        return answer["X-Page-State"]

    waits = story.release("development", plan={"start": "manual"})
    story.settle()
    assert story.state(waits) == "approved" and offered(waits)
    before = mark(waits)
    act(story, waits, "stop")
    assert not offered(waits) and mark(waits) != before
    act(story, waits, "start")
    assert offered(waits)
    canary = story.release("development", plan=CANARY)
    story.settle()
    assert story.state(canary) == "rolling_out" and not offered(waits)
    behind = "Waiting for the rollout of churn:3 to end: it can't be started before"
    assert behind in said(story, f"/releases/{waits.pk}").replace(" | ", " ")


@pytest.mark.django_db
def test_an_endpoint_is_not_offered_to_be_deleted_while_a_rollout_of_it_is_open(
    story: Story, first_release: Release
) -> None:
    def offered() -> bool:
        path = f"/endpoints/{first_release.endpoint_id}/"
        answer = browser(story.people["Otto"]).get(path)
        return 'data-dialog="delete"' in answer.content.decode()

    canary = story.under_way(CANARY)
    act(story, canary, "stop")
    assert not offered()
    abort(story.rollout(canary), reason="worse", actor=story.otto)
    with time_machine.travel(now() + timedelta(minutes=2)):
        story.settle()
        assert story.state(story.rollout(canary)) == "aborted"
    assert offered()
    waits = story.release("development")
    assert not offered(), "it is approved, and starts once the endpoint does"
    said_of = said(story, f"/releases/{waits.pk}")
    assert "This release can start when an operator starts the endpoint." in said_of
    withdraw(waits, actor=story.world.ada)
    assert offered()


@pytest.mark.django_db(transaction=True)
def test_the_command_line_says_what_a_rollout_sends_where_once_it_is_started(
    story: Story,
    held: Release,
    live_server: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    become(story.world, "Otto", live_server.url, monkeypatch)
    assert main(["endpoint", "stop", held.endpoint_id]) == 0
    assert main(["endpoint", "start", held.endpoint_id]) == 0
    told = " ".join("".join(capsys.readouterr()).split())
    assert "Its rollout sends revision 1 100% of the requests now." in told
    assert "The rollout of revision 1 stays paused." in told
    assert "Nothing is live there yet" not in told


@pytest.mark.django_db(transaction=True)
def test_the_command_line_names_the_releases_that_start_once_it_is_started(
    story: Story,
    live_server: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    release = story.release("staging")
    stop_endpoint(release.endpoint, actor=story.otto)
    story.approve(release)
    become(story.world, "Otto", live_server.url, monkeypatch)
    assert main(["endpoint", "start", release.endpoint_id]) == 0
    told = " ".join("".join(capsys.readouterr()).split())
    then = "Release 1, which is approved, starts by itself, if every gate still passes."
    until = "clients get 503 until something is."
    assert f"Started. Nothing is live there yet: {until} {then}" in told


@pytest.mark.django_db
def test_what_was_approved_while_it_was_stopped_starts_though_a_newer_one_is_live_again(
    story: Story,
) -> None:
    older = story.release("staging")
    story.live("staging", story.world.bento(story.world.version()))
    act(story, older, "stop")
    story.settle()
    story.approve(older)
    then = "Release 1, which is approved, starts by itself, if every gate still passes."
    assert then in act(story, older, "start")
    story.settle()
    assert story.state(older) == "live"


@pytest.mark.django_db
def test_what_was_overtaken_says_everywhere_that_an_operator_has_to_start_it(story: Story) -> None:
    story.live("staging")
    older = story.release("staging", story.world.bento(story.world.version()))
    newer = story.release("staging", story.world.bento(story.world.version()), plan=CANARY)
    story.approve(newer)
    story.settle()
    story.approve(older)
    story.settle()
    promote(
        story.rollout(newer), step=story.rollout(newer).step, reason="good enough", actor=story.otto
    )
    story.settle()
    assert (story.state(older), story.state(newer)) == ("approved", "live")
    otto = browser(story.people["Otto"])
    page = otto.get(f"/releases/{older.pk}/").content.decode()
    shown = " | ".join(text_of(page).splitlines())
    assert "Release 3 went live since this one was approved: it does not start by itself" in shown
    assert "Release 3 went live since this one was approved: started by an operator" in shown
    assert "starts on approval" not in shown
    waits = "Release 3 went live since this one was approved: waits for an operator to start it"
    ada = browser(story.people["Ada"])
    for path in ("/", "/releases/", "/inbox/", f"/releases/{older.pk}/"):
        assert waits in " ".join(text_of(ada.get(path).content.decode()).split()), path
    inbox = " ".join(text_of(otto.get("/inbox/").content.decode()).split())
    assert "Ready to roll out" in inbox and "Release 3 went live since" in inbox
    assert api(story.people["Ada"]).get(f"/releases/{older.pk}").json()["overtaken_by"] == 3
