"""Once somebody stopped an endpoint every page says so of what was live there, by whom and why."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.assurance.actions import recall
from apps.assurance.models import Recall
from apps.audit.models import Event
from apps.console.queries.endpoints import endpoint_rows
from apps.governance.models import Release
from apps.monitoring.actions import set_objective
from apps.monitoring.rules import ObjectiveTerms
from apps.rollouts.actions import abort, pause, promote, schedule_drills
from apps.rollouts.models import Rollout
from apps.serving.actions import start_endpoint, stop_endpoint
from apps.serving.models import Endpoint, Revision
from apps.serving.queries import visible_endpoints
from placet.kernel.clock import now, rfc3339
from tests.support import factories
from tests.support.factories import api, browser
from tests.support.page_text import text_of
from tests.support.story import Story

pytestmark = pytest.mark.django_db
WHY = "The lab sends wrong units"
SAID = f"Stopped by Otto risk (ago) : “{WHY}”"


def page(story: Story, path: str, *, who: str = "Otto") -> str:
    """Return what a page says to somebody, on one line."""
    answer = browser(story.people[who]).get(path)
    assert answer.status_code == 200, answer.content
    return " | ".join(text_of(answer.content.decode()).splitlines())


@pytest.fixture
def stopped(story: Story, first_release: Release) -> Release:
    """A release that was live until Otto stopped its endpoint."""
    stop_endpoint(first_release.endpoint, reason=WHY, actor=story.otto)
    return first_release


def test_deployments_on_a_date_say_who_had_stopped_an_endpoint_and_when(
    story: Story, stopped: Release
) -> None:
    event = Event.objects.get(kind="endpoint.stopped.v1")
    at = f"{event.at[:10]} {event.at[11:19]}"
    said = {}
    for name, role in (("Eve", "auditor"), ("Tim", "viewer")):
        who = factories.person(name, roles={role: None})
        said[name] = " ".join(browser(who).get("/deployments/").content.decode().split())
    link = f'· <a href="/audit/{event.index}/">event {event.index}</a>'
    assert f"Otto risk</a> at {at} {link}" in said["Eve"]
    assert f"Stopped by Otto risk at {at} </td>" in said["Tim"]


def test_the_page_of_a_release_says_that_it_is_stopped_by_whom_why_and_until_when_it_served(
    story: Story, stopped: Release
) -> None:
    said = page(story, f"/releases/{stopped.pk}/")
    assert f"{SAID} It served until (date) (time) UTC" in said
    assert "■ Stopped" in said and "● Live" not in said
    assert "is one click" not in said


def test_the_page_of_an_endpoint_says_who_starts_it_to_who_may_not(
    story: Story, stopped: Release
) -> None:
    path, needs = f"/endpoints/{stopped.endpoint_id}/", "Starting it needs the role operator"
    assert needs not in page(story, path)
    assert f"{needs}, which you lack here." in page(story, path, who="Ada")
    eve = factories.person("Eve", roles={"auditor": None})
    said = " ".join(browser(eve).get(path).content.decode().split())
    assert f"{needs}, which you lack here; Otto risk holds it." in said


def test_lists_of_releases_say_stopped_and_are_narrowed_by_what_they_say(
    story: Story, stopped: Release
) -> None:
    assert "■ Stopped" in page(story, "/releases/") and "● Live" not in page(story, "/releases/")
    assert "■ Stopped" in page(story, "/releases/?state=stopped")
    assert "No matches" in page(story, "/releases/?state=live")
    start_endpoint(stopped.endpoint, actor=story.otto)
    assert "● Live" in page(story, "/releases/?state=live")
    assert "No matches" in page(story, "/releases/?state=stopped")


def test_an_exported_list_of_releases_says_the_same(story: Story, stopped: Release) -> None:
    def exported(state: str) -> list[str]:
        address = f"/api/v1/exports/releases?format=json&state={state}"
        answer = browser(story.people["Otto"]).get(address)
        return [row["state"] for row in json.loads(b"".join(answer))]

    assert (exported("stopped"), exported("live")) == (["stopped"], [])


@pytest.mark.parametrize(
    "path", ["/models/", "/models/risk/churn/", "/models/risk/churn/1/", "/projects/risk/"]
)
def test_models_versions_and_projects_say_where_a_version_is_stopped(
    story: Story, stopped: Release, path: str
) -> None:
    said = page(story, path, who="Ada")
    assert "■ Stopped" in said and "● Live" not in said


def test_an_alias_of_what_is_live_says_that_it_is_stopped(story: Story, stopped: Release) -> None:
    for path in ("/models/risk/churn/", "/models/risk/churn/1/"):
        assert "live-development, stopped" in page(story, path), path
    start_endpoint(stopped.endpoint, actor=story.otto)
    for path in ("/models/risk/churn/", "/models/risk/churn/1/"):
        said = page(story, path)
        assert "live-development" in said and "live-development, stopped" not in said


def test_lists_of_deployments_say_until_when_and_not_since_when(
    story: Story, stopped: Release
) -> None:
    for path in ("/", "/endpoints/", "/projects/risk/"):
        said = page(story, path)
        assert "| until (ago) |" in said and "■ Stopped" in said, path


def test_what_answers_still_is_said_to_be_stopping_and_to_be_stopped_once_nothing_does(
    story: Story, stopped: Release
) -> None:
    path = f"/endpoints/{stopped.endpoint_id}/"
    said, _, _ = page(story, path).partition("| Traffic over time")
    assert said.count("◷ Stopping") == 2 and "■ Stopped" not in said, said
    assert "| 1 of 1 | 100%" in said and "Once the node has stopped it, clients get 503" in said
    story.settle()
    said, _, _ = page(story, path).partition("| Traffic over time")
    assert said.count("■ Stopped") == 2 and "Stopping" not in said, said
    assert "| 0 of 1 | 0%" in said and "Once the node" not in said


def test_an_endpoint_and_the_lists_say_the_same_of_since_when_it_is_live(
    story: Story, stopped: Release
) -> None:
    client = browser(story.people["Otto"])
    with time_machine.travel(now() + timedelta(hours=2)):
        start_endpoint(stopped.endpoint, actor=story.otto)
        anew = f'datetime="{rfc3339(now())[:13]}'
        for path in ("/", "/endpoints/"):
            lists = client.get(path).content.decode()
            (since,) = re.findall(r'<div>\s*<time datetime="(\S+)"', lists)
        page = client.get(f"/endpoints/{stopped.endpoint_id}/").content.decode()
    details = page.partition("Details")[2].partition("Bento")[0]
    assert anew in details and f'datetime="{since}"' in details, (since, details)


def test_what_was_started_is_not_said_to_serve_before_it_answers(
    story: Story, stopped: Release
) -> None:
    story.settle()
    row = start_endpoint(stopped.endpoint, actor=story.otto)
    paths = ["/deployments/", f"/endpoints/{row.pk}/revisions/"]
    begun = ("started (date) (time)", "(date) (time) when it was started")
    for path, words in zip(paths, begun, strict=True):
        said = page(story, path)
        assert words in said and "starting: nothing answers yet" in said, said
        assert "serves still" not in said
    story.settle()
    for path, words in zip(paths, begun, strict=True):
        said = page(story, path)
        assert words in said and "serves still" in said, said


def test_projects_count_as_live_what_serves(story: Story, stopped: Release) -> None:
    def live() -> int:
        return browser(story.people["Otto"]).get("/projects/").context["page"].rows[0].live

    assert live() == 0
    start_endpoint(stopped.endpoint, actor=story.otto)
    assert live() == 1


def test_search_and_who_asked_for_it_read_the_same(story: Story, stopped: Release) -> None:
    assert "in development, stopped" in page(story, "/search/?q=release%201")
    assert "■ Stopped" in page(story, "/", who="Ada").partition("Deployments")[0]


def test_a_new_request_is_compared_with_what_is_stopped(story: Story, stopped: Release) -> None:
    said = page(story, f"/releases/{story.world.request('development').pk}/")
    assert "compared with churn:1 (stopped)" in said and "(live)" not in said


@pytest.fixture
def second(story: Story, stopped: Release) -> Release:
    """A release to the endpoint that Otto stopped, approved with that."""
    release = story.world.request("development")
    story.settle()
    assert story.state(release) == "approved"
    return release


def test_the_form_that_asks_for_a_release_says_that_an_endpoint_is_stopped(
    story: Story, stopped: Release
) -> None:
    path = f"/releases/new/?version={stopped.version_id}"
    said = page(story, path, who="Ada")
    assert "development (stopped)" in said and "development (live)" not in said
    start_endpoint(stopped.endpoint, actor=story.otto)
    said = page(story, path, who="Ada")
    assert "development (live)" in said and "(stopped)" not in said


def test_before_they_decide_people_read_that_nothing_serves_and_what_a_release_waits_for(
    story: Story,
) -> None:
    first = story.live("staging")
    stop_endpoint(first.endpoint, reason=WHY, actor=story.otto)
    said = page(story, f"/releases/{story.release('staging').pk}/", who="Rex")
    assert f"{SAID} Nothing is served at churn." in said
    assert "(replaces churn:1, which is stopped)" in said
    assert (
        "The endpoint is stopped, so nothing is served. Once it is started churn:1 serves" in said
    )
    assert "churn:1 keeps serving" not in said and "starts at once" not in said
    assert "Then it starts when somebody starts the endpoint, which is stopped." in said


def test_an_approved_release_waits_for_whoever_may_start_the_endpoint(
    story: Story, second: Release
) -> None:
    for path in ("/inbox/", "/"):
        said = page(story, path)
        assert "all caught up" not in said, path
        assert f"Waits for churn to be started: {SAID}" in said, path
    assert "Waits for churn" not in page(story, "/inbox/", who="Rex")
    said = page(story, f"/endpoints/{second.endpoint_id}/")
    assert "Approved, and waits for the endpoint to be started: release 2" in said
    said = page(story, f"/releases/{second.pk}/")
    assert "nothing starts there before somebody starts the endpoint" in said
    assert "could not be started" not in said


def test_a_release_that_a_recall_ended_says_that_its_endpoint_was_stopped_then(
    story: Story, stopped: Release
) -> None:
    gate = "{gate: approvals, role: approver, count: 1}"
    story.world.policy("development", f"version: 1\ngates:\n  - {gate}\n")
    waits = story.release("development")
    said = {"kind": "version", "what": waits.version_id, "project": waits.project}
    recall(**said, reason="It leaks", actor=story.otto)
    start_endpoint(stopped.endpoint, actor=story.otto)
    ended = "When it ended, the endpoint was stopped; churn:1 was live there before."
    assert ended in page(story, f"/releases/{waits.pk}/")


def test_what_was_recalled_while_its_endpoint_was_stopped_served_until_that(
    story: Story, stopped: Release
) -> None:
    at = Endpoint.objects.get().stopped_at
    said = {"kind": "version", "what": stopped.version_id, "project": stopped.project}
    recall(**said, reason="It leaks", actor=story.otto)
    assert Revision.objects.get().last_served_at == at


def test_what_a_recall_went_back_to_serves_since_then_before_it_is_live(
    story: Story, first_release: Release
) -> None:
    second = story.live()
    before = now()
    said = {"kind": "version", "what": second.version_id, "project": second.project}
    recall(**said, reason="It leaks", actor=story.otto)
    pause(Rollout.objects.get(kind="rollback"), reason="lunch", actor=story.otto)
    story.settle()
    assert story.state(first_release) == "superseded", "its rollout has not ended"
    assert "Live now: nothing, while churn:1 serves." in page(story, f"/releases/{second.pk}/")
    (row,) = endpoint_rows(list(visible_endpoints(story.otto)))
    (part,) = row.parts
    assert part.since and part.since >= before


def test_what_was_approved_while_an_endpoint_was_stopped_goes_out_once_it_is_started(
    story: Story, second: Release
) -> None:
    start_endpoint(second.endpoint, actor=story.otto)
    story.settle()
    assert story.state(second) == "live"
    said = page(story, f"/releases/{second.pk}/")
    assert "At the decision, the endpoint was stopped; churn:1 was live there before." in said
    assert "compared with churn:1 (stopped at the decision)" in said
    assert "At the decision: The endpoint is stopped, so nothing is served." in said
    third = story.live()
    said = page(story, f"/releases/{third.pk}/")
    assert "At the decision, churn:2 was live." in said


def test_the_page_of_an_endpoint_says_who_stopped_it_and_why_and_so_does_its_activity(
    story: Story, stopped: Release
) -> None:
    story.settle()
    said = page(story, f"/endpoints/{stopped.endpoint_id}/")
    assert f"{SAID} Clients get 503." in said
    assert f"Stopped an endpoint by Otto risk | “{WHY}”" in said
    line = f"Stopped an endpoint by Otto risk | churn in development | “{WHY}”"
    assert line in page(story, "/projects/risk/activity/")


def test_the_dialog_takes_a_reason_and_needs_none(story: Story, first_release: Release) -> None:
    path = f"/endpoints/{first_release.endpoint_id}"
    otto = browser(story.people["Otto"])
    assert 'id="stop-why"' in otto.get(f"{path}/").content.decode()
    otto.post(f"{path}/do/stop", {"reason": f"  {WHY} ", "next": f"{path}/"})
    row = Endpoint.objects.get(pk=first_release.endpoint_id)
    assert (row.state, row.stopped_by, row.reason) == ("stopped", story.otto.id, WHY)
    start_endpoint(row, actor=story.otto)
    row = Endpoint.objects.get(pk=row.pk)
    assert (row.state, row.stopped_by, row.reason, row.stopped_at) == ("active", "", "", None)
    otto.post(f"{path}/do/stop", {"next": f"{path}/"})
    story.settle()
    assert "Stopped by Otto risk (ago) . Clients get 503." in page(story, f"{path}/")


def test_a_reason_that_turns_letters_around_stops_nothing(
    story: Story, first_release: Release
) -> None:
    path = f"/endpoints/{first_release.endpoint_id}"
    sent = {"reason": "wrong \u202eunits", "next": f"{path}/"}
    shown = (
        browser(story.people["Otto"]).post(f"{path}/do/stop", sent, follow=True).content.decode()
    )
    assert "reason: It holds a character that turns the order of letters" in shown
    assert Endpoint.objects.get(pk=first_release.endpoint_id).state == "active"


def test_the_api_takes_a_reason_and_needs_none(story: Story, first_release: Release) -> None:
    client = api(story.people["Otto"])
    path = f"/endpoints/{first_release.endpoint_id}"
    assert client.post(f"{path}/stop", {"reason": WHY}).json()["state"] == "stopped"
    assert Endpoint.objects.get(pk=first_release.endpoint_id).reason == WHY
    assert client.post(f"{path}/start").status_code == 200
    assert client.post(f"{path}/stop").json()["state"] == "stopped"
    assert client.post(f"{path}/stop", {"why": WHY}).status_code == 400


def test_the_event_says_why_and_the_log_holds_no_word_of_it(story: Story, stopped: Release) -> None:
    event = Event.objects.filter(kind="endpoint.stopped.v1").latest("index")
    assert WHY not in event.body
    eve = browser(factories.person("Eve", roles={"auditor": None}))
    assert f"Why | “{WHY}”" in " | ".join(
        text_of(eve.get(reverse("audit-event", args=[event.index])).content.decode()).splitlines()
    )


def test_an_endpoint_that_was_stopped_before_anybody_wrote_down_by_whom_says_stopped(
    story: Story, first_release: Release
) -> None:
    stop_endpoint(first_release.endpoint, actor=story.otto)
    Endpoint.objects.update(stopped_by="", stopped_at=None)
    said = page(story, f"/releases/{first_release.pk}/")
    assert "Stopped. Open endpoint" in said and "It served until" not in said


def test_what_a_stopped_endpoint_is_set_to_and_did_is_not_told_as_though_it_served(
    story: Story, stopped: Release
) -> None:
    path = f"/endpoints/{stopped.endpoint_id}/"
    overview, settings = page(story, path), page(story, f"{path}settings/")
    assert "It is stopped, so nothing is recorded now." in overview
    assert "the live release" not in overview and "Live revision" not in overview
    assert "Revision 1 reached, before it was stopped: nothing" in settings
    set_objective(stopped.endpoint, terms=ObjectiveTerms(availability=0.99), actor=story.otto)
    schedule_drills(stopped.endpoint, every_days=30, hour=3, actor=story.otto)
    settings = page(story, f"{path}settings/")
    assert "It is stopped: nothing is judged." in settings
    assert "skipped while the endpoint is stopped." in settings
    assert "✓ Met" not in settings and "Unknown" not in settings


def test_all_pages_of_a_stopped_endpoint_say_that_nothing_answers_and_why(
    story: Story, stopped: Release
) -> None:
    path = f"/endpoints/{stopped.endpoint_id}/"
    why = "Nothing answers | It is stopped: requests are answered with 503 until somebody starts"
    for tab in ("test", "use"):
        said = page(story, f"{path}{tab}/")
        assert why in said, tab
        assert "Predict" not in said
    start_endpoint(stopped.endpoint, actor=story.otto)
    assert "Predict" in page(story, f"{path}test/")


def test_where_nothing_is_live_yet_both_tabs_say_the_same(story: Story) -> None:
    path = f"/endpoints/{story.release('staging').endpoint_id}/"
    why = "Nothing answers | Nothing is live here: requests are answered with 503."
    for tab in ("test", "use"):
        assert why in page(story, f"{path}{tab}/"), tab


def recalled(story: Story, release: Release) -> Recall:
    said: dict[str, Any] = {"kind": "version", "what": release.version_id}
    row = recall(**said, reason="night shift", project=release.project, actor=story.otto)
    story.settle()
    return row


def test_after_a_recall_pages_name_it_and_who_made_it_as_what_stopped_the_endpoint(
    story: Story, first_release: Release
) -> None:
    row = recalled(story, first_release)
    waits = story.world.request("development", actor=story.ada)
    by = "Stopped by the recall of churn:1 (by Otto risk )"
    deployments = "/deployments/"
    for path in (f"/endpoints/{first_release.endpoint_id}/", f"/releases/{waits.pk}/", deployments):
        said = page(story, path).replace(" | ", " ").replace("risk)", "risk )")
        assert by in said, path
        assert ("“night shift”" in said) == (path != deployments), path
        assert "(ago) : “What was live here was recalled" not in said
        client = browser(story.people["Otto"])
        with CaptureQueriesContext(connection) as caught:
            assert f'href="/recalls/{row.pk}/"' in client.get(path).content.decode()
        assert len(caught) <= 12
    said = page(story, f"/endpoints/{first_release.endpoint_id}/")
    empty = "Nothing is live here, and clients get 503 until something is."
    then = "which is approved, starts by itself, if every gate still passes."
    assert f"{empty} Release {waits.number}, {then}" in said
    assert "makes it serve" not in said and "ask for a release" not in said
    start_endpoint(first_release.endpoint, actor=story.otto)
    stop_endpoint(first_release.endpoint, reason=WHY, actor=story.otto)
    for path in (f"/endpoints/{first_release.endpoint_id}/", deployments):
        assert "Stopped by Otto risk" in page(story, path)


def test_a_recall_that_is_not_visible_is_not_named_where_it_stopped_an_endpoint(
    story: Story, first_release: Release
) -> None:
    wheel, runtime = "0" * 64, first_release.bento.runtime
    runtime.wheels = [{"name": "numpy-2.3.5-py3-none-any.whl", "sha256": wheel, "size": 1}]
    runtime.save()
    story.people["Oda"] = factories.person("Oda", {"operator": None})
    oda = factories.actor_of(story.people["Oda"])
    recall(kind="wheel", what=wheel, reason="CVE", actor=oda)
    story.settle()
    at = f"/endpoints/{first_release.endpoint_id}/"
    said = page(story, at, who="Oda")
    assert "Nothing is left to run here: started, the endpoint stays empty" in said
    assert "recall (wheel) that reached churn:1" in said and "(by Oda" in said
    for path in (f"/endpoints/{first_release.endpoint_id}/", "/deployments/"):
        said = page(story, path)
        assert "Stopped by a recall" in said and "Oda" not in said and "CVE" not in said


@pytest.mark.parametrize("path", ["/", "/inbox/"])
def test_whoever_asked_reads_why_it_was_recalled_and_by_whom(
    path: str, story: Story, first_release: Release
) -> None:
    recalled(story, first_release)
    client = browser(story.people["Ada"])
    with CaptureQueriesContext(connection) as caught:
        said = " | ".join(text_of(client.get(path).content.decode()).splitlines())
    assert len(caught) <= 12
    assert "Revoked by Otto risk | night shift" in said
    assert "Recalled: version" not in said


def test_the_page_of_a_rollout_says_that_its_endpoint_is_stopped_and_what_an_abort_does_then(
    story: Story, first_release: Release
) -> None:
    steps = [{"set_weight": 40}, {"pause": {}}]
    canary = story.under_way({"strategy": "canary", "steps": steps})
    path = f"/rollouts/{story.rollout(canary).pk}/"
    assert "Stopped by" not in page(story, path)
    released, part = f"/releases/{canary.pk}/", {"HX-Request": "true"}
    otto = browser(story.people["Otto"])
    before = otto.get(released, headers=part)["X-Page-State"]
    stop_endpoint(canary.endpoint, reason=WHY, actor=story.otto)
    assert otto.get(released, headers=part)["X-Page-State"] != before
    nothing = "Nothing is served at churn, and no step of its rollout takes effect, until it is"
    assert f"{SAID} {nothing} started. Open endpoint" in page(story, released)
    story.settle()
    said = page(story, path)
    nothing = "Nothing is served at churn, and no step takes effect, until it is started."
    assert f"{SAID} {nothing} Open endpoint" in said
    assert "Returns all requests" not in said
    then = "Nothing serves until the endpoint is started: then the old revision does."
    assert f"Ends the new revision at once. {then}" in said
    sent = {"reason": "worse", "next": path}
    answer = browser(story.people["Otto"]).post(f"{path}abort", sent, follow=True)
    assert f"Aborted. {then}" in text_of(answer.content.decode())
    said = page(story, path)
    assert "Nothing is served at churn until it is started. The abort ends without that." in said
    assert "no step takes effect" not in said
    said = page(story, released)
    assert "◷ Aborting" in said and "Rolling out" not in said and "Rollback plan" not in said
    assert "Its rollout is being aborted, and ends without that." in said
    assert "◷ Aborting" in page(story, "/releases/?state=rolling_out")


def test_a_rollout_behind_a_stopped_endpoint_waits_for_a_person_with_no_requests(
    story: Story, first_release: Release
) -> None:
    canary = story.under_way({"strategy": "canary", "steps": [{"set_weight": 40}, {"pause": {}}]})
    assert "development | 40%" in page(story, "/inbox/")
    stop_endpoint(canary.endpoint, reason=WHY, actor=story.otto)
    for path in ("/inbox/", "/"):
        said = page(story, path)
        assert "behind a stopped endpoint" in said and "development | 0%" in said, said


CANARY = {"strategy": "canary", "steps": [{"set_weight": 10}, {"pause": {}}]}


def test_what_a_revision_was_given_while_its_endpoint_was_stopped_it_never_had(
    story: Story, first_release: Release
) -> None:
    canary = story.under_way(CANARY)
    stop_endpoint(canary.endpoint, reason=WHY, actor=story.otto)
    story.settle()
    promote(story.rollout(canary), step=story.rollout(canary).step, reason="sure", actor=story.otto)
    story.settle()
    assert story.states()[1][2] == 10_000
    abort(story.rollout(canary), reason="not sure", actor=story.otto)
    with time_machine.travel(now() + timedelta(minutes=2)):
        story.settle()
        at = Endpoint.objects.get().stopped_at
        start_endpoint(canary.endpoint, actor=story.otto)
        story.settle()
    old, new = Revision.objects.order_by("number")
    assert (new.peak_weight, new.last_served_at) == (1000, at)
    assert (old.peak_weight, old.last_served_at) == (10_000, None)
    assert "at most 10%" in page(story, f"/endpoints/{canary.endpoint_id}/revisions/")


def test_what_a_revision_was_given_while_its_endpoint_was_stopped_it_has_once_that_is_started(
    story: Story, first_release: Release
) -> None:
    canary = story.under_way(CANARY)
    stop_endpoint(canary.endpoint, reason=WHY, actor=story.otto)
    story.settle()
    promote(story.rollout(canary), step=story.rollout(canary).step, reason="sure", actor=story.otto)
    story.settle()
    at = Endpoint.objects.get().stopped_at
    old, new = Revision.objects.order_by("number")
    assert (new.peak_weight, old.last_served_at) == (1000, at)
    start_endpoint(canary.endpoint, actor=story.otto)
    old, new = Revision.objects.order_by("number")
    assert (new.peak_weight, new.last_served_at, old.last_served_at) == (10_000, None, at)


def test_the_api_says_until_when_a_revision_behind_a_stopped_endpoint_had_requests(
    story: Story, stopped: Release
) -> None:
    def told() -> Any:
        path = f"/endpoints/{stopped.endpoint_id}/revisions"
        return api(story.people["Otto"]).get(path).json()["items"][0]["last_served_at"]

    assert told() == rfc3339(Endpoint.objects.get().stopped_at)
    start_endpoint(stopped.endpoint, actor=story.otto)
    assert told() is None


@pytest.mark.parametrize("stopped", [False, True])
def test_the_way_back_from_a_recall_is_not_aborted_since_nothing_could_serve_then(
    story: Story, first_release: Release, stopped: bool
) -> None:
    second = story.live()
    if stopped:
        stop_endpoint(second.endpoint, reason=WHY, actor=story.otto)
        story.settle()
    row: dict[str, Any] = {"kind": "version", "what": second.version_id}
    recall(**row, reason="leaky", project=second.project, actor=story.otto)
    rollout = Rollout.objects.get(kind="rollback")
    path, otto = f"/rollouts/{rollout.pk}", story.people["Otto"]
    assert 'id="b-abort"' not in browser(otto).get(f"{path}/").content.decode()
    answer = api(otto).post(f"{path}/abort", {"reason": "worse"})
    assert (answer.status_code, answer.json()["code"]) == (409, "not_abortable")
    assert "stop the endpoint" in answer.json()["detail"]
    assert Rollout.objects.get(pk=rollout.pk).state == rollout.state
    if stopped:
        start_endpoint(second.endpoint, actor=story.otto)
    story.settle()
    assert story.state(first_release) == "live"


def test_a_release_where_nothing_is_live_any_more_does_not_say_that_nothing_ever_was(
    story: Story, first_release: Release
) -> None:
    recalled(story, first_release)
    later = story.world.request("development")
    story.settle()
    start_endpoint(first_release.endpoint, actor=story.otto)
    story.settle()
    assert story.state(later) == "live"
    said = page(story, f"/releases/{later.pk}/")
    assert "At the decision, the endpoint was stopped, and nothing was live there." in said
    assert "live there before" not in said
