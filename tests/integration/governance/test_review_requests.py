"""People are asked by name to review a release: who may ask whom, until when, and what is told."""

import json
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from apps.audit.actions.record import Recorder
from apps.audit.models import Event
from apps.governance import actions, errors
from apps.governance.models import Release, ReviewRequest
from apps.governance.queries import release_view, visible_rows
from apps.governance.queries.review_requests import reviewers
from apps.governance.queries.visible_rows import menu, waiting_on
from apps.jobs.actions import enqueue
from placet.kernel.actor import Actor
from placet.kernel.clock import now
from placet.kernel.problems import Forbidden, InvalidInput, NotFound
from tests.support import factories
from tests.support.page_text import text_of
from tests.support.world import OPEN, World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_io_in_transaction")]
TWO = "version: 1\ngates: [{gate: approvals, role: reviewer, count: 2}]\n"


def ask(world: World, release: Release, *people: str, by: Actor | None = None, **due: Any) -> None:
    """Have Ada, who requested it, ask people of the world to review a release."""
    ids = [world.people[name].pk for name in people]
    actions.request_review(release, reviewers=ids, actor=by or world.ada, **due)


def states(release: Release) -> dict[str, str]:
    """Return how it stands with everybody who was asked."""
    release.refresh_from_db()
    return {one.name.split()[0]: str(one.state) for one in reviewers(release)}


def events(release: Release, kind: str) -> list[dict[str, Any]]:
    """Return the data of the events of a kind about a release."""
    bodies = (json.loads(row.body) for row in Event.objects.filter(subject=release.pk))
    return [one["data"] for one in bodies if one["kind"] == f"release.{kind}.v1"]


def refused(work: Any) -> list[tuple[str, str]]:
    """Return what is wrong with which field."""
    with pytest.raises(InvalidInput) as problem:
        work()
    return [(error.pointer, error.detail) for error in problem.value.errors]


def overdue(release: Release) -> None:
    """Have the due dates of a release have passed."""
    ReviewRequest.objects.filter(release=release).update(due_at=now() - timedelta(minutes=5))


def test_who_is_called_as_another_is_addressed_passes_for_nobody(world: World) -> None:
    release, rex = world.request("staging"), world.people["Rex"]
    named = factories.person("Mallory", roles={"reviewer": world.project})
    address = "k\u0131m@example.com"  # nobody has it
    for name in (rex.email, rex.pk, address):
        type(named).objects.filter(pk=named.pk).update(name=name)
        people = [name]
        if name == address:
            (fault,) = refused(
                partial(actions.request_review, release, reviewers=people, actor=world.ada)
            )
            assert fault[0] == "/reviewers/0"
        else:
            actions.request_review(release, reviewers=people, actor=world.ada)
    assert [one.person for one in ReviewRequest.objects.all()] == [rex.pk]


def test_who_requested_it_asks_and_the_log_says_who_was_asked(world: World) -> None:
    release = world.request("staging")
    ask(world, release, "Rita", review_days=2)
    (one,) = reviewers(release)
    assert (one.name, one.requested_by_name, one.state) == ("Rita risk", "Ada risk", "asked")
    assert one.due_at and timedelta(days=1) < one.due_at - now() <= timedelta(days=2)
    said = {"number": release.number, "person": world.rita.id, "requested_by": world.ada.id}
    assert events(release, "review_requested") == [said]
    story = [row.sentence for row in release_view(release.pk, world.ada).story]
    assert f"Requested a review of release {release.number} from Rita risk" in story


def test_people_are_asked_with_the_request_itself(world: World) -> None:
    review = actions.Reviewers(["rita risk", world.people["Rex"].email.upper()], days=1)
    release = world.request("staging", review=review)
    assert states(release) == {"Rita": "asked", "Rex": "asked"}
    bento = world.bento(world.version())
    nobody = actions.Reviewers(["nobody@example.com"])
    asking = partial(world.request, "staging", bento, review=nobody, endpoint="other")
    assert refused(asking) == [
        ("/reviewers/0", "Nobody called nobody@example.com can decide on this release")
    ]
    assert Release.objects.count() == 1  # nothing half-done


def test_nobody_is_asked_about_what_needs_nobody(world: World) -> None:
    world.policy("staging", OPEN)
    review = actions.Reviewers([world.people["Rita"].pk])
    ((pointer, detail),) = refused(partial(world.request, "staging", review=review))
    assert pointer == "/reviewers/0"
    assert "the policy asks for no approval as reviewer" in detail


def test_only_who_may_decide_on_it_can_be_asked(world: World) -> None:
    factories.grant(world.people["Ada"], {"reviewer": world.project})
    factories.grant(world.people["Alan"], {"reviewer": world.project})
    release = world.request("staging")
    found = refused(partial(ask, world, release, "Otto", "Ada", "Alan", "Vera", "Rita"))
    assert [pointer for pointer, _ in found] == [f"/reviewers/{place}" for place in range(4)]
    assert f"Nobody called {world.otto.id} can decide" in found[0][1]
    assert all("requested it or created its version" in detail for _, detail in found[1:3])
    assert "asks for no approval as approver" in found[3][1]
    assert states(release) == {}
    world.policy("staging", TWO)
    release.refresh_from_db()
    world.decide(release, world.rex)
    assert "has decided on it already" in refused(partial(ask, world, release, "Rex"))[0][1]


def test_who_did_not_request_it_needs_to_administer_the_project(world: World) -> None:
    release = world.request("staging")
    for name in ("alan", "rex", "vera", "otto"):
        with pytest.raises(Forbidden):
            ask(world, release, "Rita", by=getattr(world, name))
    with pytest.raises(NotFound):
        ask(world, release, "Rita", by=World("other").ada)
    factories.grant(world.people["Otto"], {"admin": world.project})
    ask(world, release, "Rita", by=world.otto)
    (one,) = reviewers(release)
    assert one.requested_by_name == "Otto risk"
    with pytest.raises(Forbidden):
        actions.remove_review_request(ReviewRequest.objects.get(), actor=world.rita)


@pytest.mark.parametrize(
    ("due", "pointer", "detail"),
    [
        ({"review_days": -1}, "/review_days", "from 1 to 90 days, or 0 for no due date"),
        ({"review_days": 91}, "/review_days", "from 1 to 90"),
        ({"review_days": 60}, "/review_days", "before the release expires"),
        ({"review_due_at": now() - timedelta(days=1)}, "/review_due_at", "in the future"),
        ({"review_due_at": now() + timedelta(days=80)}, "/review_due_at", "before the release"),
        ({"review_days": 1, "review_due_at": now() + timedelta(days=1)}, "/review_due_at", "both"),
    ],
)
def test_a_due_date_that_is_none_names_its_field(
    world: World, due: dict[str, Any], pointer: str, detail: str
) -> None:
    release = world.request("staging")
    ((where, said),) = refused(partial(ask, world, release, "Rita", **due))
    assert where == pointer and detail in said


def test_a_second_click_changes_nothing_and_another_date_does(world: World) -> None:
    release = world.request("staging")
    ask(world, release, "Rita", review_days=2)
    ask(world, release, "Rita", review_days=2)
    assert len(events(release, "review_requested")) == 1
    ask(world, release, "Rita", review_days=3)
    ask(world, release, "Rita")
    assert len(events(release, "review_requested")) == 3
    assert [one.due_at for one in reviewers(release)] == [None]


def test_it_is_taken_back_once_and_asked_anew(world: World) -> None:
    release = world.request("staging")
    ask(world, release, "Rita", "Rex")
    first = ReviewRequest.objects.get(person=world.rita.id)
    for _ in range(2):
        actions.remove_review_request(first, actor=world.ada)
    assert states(release) == {"Rex": "asked"}
    assert [one["person"] for one in events(release, "review_unrequested")] == [world.rita.id]
    ask(world, release, "Rita")
    assert states(release) == {"Rex": "asked", "Rita": "asked"}
    assert ReviewRequest.objects.count() == 2


def test_one_person_is_asked_five_times_about_one_release_however_that_is_done(
    world: World,
) -> None:
    release = world.request("staging")
    for days in (1, 2, 1):  # until another date
        ask(world, release, "Rita", review_days=days)
    overdue(release)
    assert actions.tell_overdue() == 1
    ask(world, release, "Rita", review_days=1)
    actions.remove_review_request(ReviewRequest.objects.get(), actor=world.ada)
    ask(world, release, "Rita", review_days=1)
    ask(world, release, "Rita", review_days=1)  # a second click, which is no asking
    said = ("/reviewers", "Rita risk was asked 5 times to review this release: not again")
    assert refused(partial(ask, world, release, "Rex", "Rita", review_days=3)) == [said]
    assert len(events(release, "review_requested")) == 5
    client = factories.api(factories.token_for(world.people["Ada"]))
    body = {"reviewers": [world.rita.id], "review_days": 3}
    answer = client.post(f"/releases/{release.pk}/review-requests", body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
    assert answer.json()["errors"][0]["pointer"] == "/reviewers"
    ask(world, release, "Rex", review_days=3)
    ask(world, world.request("staging", endpoint="other"), "Rita")


def test_nobody_is_asked_about_what_waits_no_more(world: World) -> None:
    release = world.request("staging")
    ask(world, release, "Rita", "Rex")
    world.decide(release, world.rex)
    assert states(release) == {"Rita": "closed", "Rex": "decided"}
    with pytest.raises(errors.WrongState, match="already approved"):
        ask(world, release, "Rita")
    with pytest.raises(errors.WrongState):
        actions.remove_review_request(
            ReviewRequest.objects.get(person=world.rita.id), actor=world.ada
        )


def test_being_asked_gives_no_right_and_changes_no_quorum(world: World) -> None:
    release = world.request("staging")
    ask(world, release, "Rita")
    world.decide(release, world.rex)  # who was not asked
    release.refresh_from_db()
    assert release.state == "approved"


def test_who_asked_for_changes_is_asked_again_and_has_it_in_the_inbox_again(world: World) -> None:
    release = world.request("staging")
    ask(world, release, "Rita")
    world.decide(release, world.rita, "request_changes")
    assert states(release) == {"Rita": "decided"}
    assert waiting_on(world.rita).size == menu(world.rita).waiting.total() == 0
    ask(world, release, "Rita")
    assert states(release) == {"Rita": "asked"}
    assert waiting_on(world.rita).size == menu(world.rita).waiting.total() == 1
    world.decide(release, world.rita)
    assert states(release) == {"Rita": "decided"}


def test_the_inbox_has_those_first_that_one_was_asked_for_by_name(world: World) -> None:
    older = world.request("staging")
    newer = world.request("staging", endpoint="other")
    ask(world, newer, "Rita", review_days=2)
    found: list[Any] = waiting_on(world.rita).needed
    assert [row.pk for row in found] == [newer.pk, older.pk]
    assert [row.by_name.by if row.by_name else "" for row in found] == ["Ada risk", ""]
    assert [row.pk for row in waiting_on(world.rex).needed] == [older.pk, newer.pk]


def test_no_crowd_of_older_ones_hides_what_one_is_asked_for_by_name(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visible_rows, "INBOX_LIMIT", 2)
    crowd, rita = World("other"), world.people["Rita"]
    factories.grant(rita, {"reviewer": crowd.project})
    for place in range(3):
        crowd.request("staging", endpoint=f"e{place}")
    release = world.request("staging")
    ask(world, release, "Rita")
    found = waiting_on(factories.actor_of(rita))
    assert found.is_cut and found.needed[0].pk == release.pk
    assert menu(factories.actor_of(rita)).waiting[world.project.pk] == 1
    for path in ("/inbox", "/inbox/tasks"):
        assert release.pk in factories.api(rita).get(path).content.decode()
    page = text_of(factories.browser(rita).get("/inbox/").content.decode())
    assert "Ada risk asked you" in page


def test_what_one_is_asked_for_waits_although_others_filled_the_quorum(world: World) -> None:
    gates = "[{gate: approvals, role: reviewer}, {gate: approvals, role: approver}]"
    world.policy("staging", f"version: 1\ngates: {gates}\n")
    release = world.request("staging")
    ask(world, release, "Rita")
    world.decide(release, world.rex)
    assert [row.pk for row in waiting_on(world.rita).needed] == [release.pk]
    assert menu(world.rita).waiting.total() == 1
    assert states(release) == {"Rita": "asked"}


def test_what_is_overdue_is_told_once(world: World) -> None:
    release = world.request("staging")
    ask(world, release, "Rita", "Rex", review_days=1)
    assert actions.tell_overdue() == 0
    overdue(release)
    assert states(release) == {"Rita": "overdue", "Rex": "overdue"}
    assert [actions.tell_overdue() for _ in range(2)] == [2, 0]
    told = events(release, "review_overdue")
    assert {one["person"] for one in told} == {world.rita.id, world.rex.id}
    assert all(one["requested_by"] == world.ada.id for one in told)
    ask(world, release, "Rita", review_days=1)  # asked again
    overdue(release)
    assert actions.tell_overdue() == 1


def test_the_job_tells_it_and_a_crash_before_the_commit_tells_nothing_twice(
    world: World, run_jobs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = world.request("staging")
    ask(world, release, "Rita", review_days=1)
    overdue(release)
    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "add", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            actions.tell_overdue()
    assert ReviewRequest.objects.get().overdue_at is None
    enqueue("governance.remind")
    run_jobs("control")
    assert len(events(release, "review_overdue")) == 1
    assert actions.tell_overdue() == 0


def test_nothing_is_overdue_that_was_answered_taken_back_or_ended(world: World) -> None:
    world.policy("staging", TWO)
    release = world.request("staging")
    ask(world, release, "Rita", "Rex", review_days=1)
    world.decide(release, world.rita)
    removed = ReviewRequest.objects.get(person=world.rex.id)
    actions.remove_review_request(removed, actor=world.ada)
    ended = world.request("staging", endpoint="other")
    ask(world, ended, "Rita", review_days=1)
    actions.withdraw(ended, actor=world.ada)
    for row in (release, ended):
        overdue(row)
    assert actions.tell_overdue() == 0


def test_at_most_twenty_are_asked_and_nobody_is_no_answer(world: World) -> None:
    release = world.request("staging")
    for people in ([], [world.rita.id] * 21):
        asking = partial(actions.request_review, release, reviewers=people, actor=world.ada)
        ((pointer, detail),) = refused(asking)
        assert pointer == "/reviewers" and "20 people at most" in detail


def test_the_api_asks_reads_and_takes_back(world: World) -> None:
    release = world.request("staging")
    client = factories.api(factories.token_for(world.people["Ada"]))
    where = f"/releases/{release.pk}/review-requests"
    body = {"reviewers": [world.people["Rita"].email], "review_days": 2}
    answer = client.post(where, body)
    assert answer.status_code == 201
    (one,) = answer.json()["items"]
    assert (one["name"], one["state"], one["verdict"]) == ("Rita risk", "asked", "")
    assert client.get(f"/releases/{release.pk}").json()["reviewers"] == [one]
    may = [p["name"] for p in client.get(f"/releases/{release.pk}").json()["may_be_asked"]]
    assert may == ["Rex risk", "Rita risk"]
    inbox = factories.api(factories.token_for(world.people["Rita"]))
    (row,) = inbox.get("/inbox").json()["items"]
    assert (row["asked_by"], row["review_due_at"]) == ("Ada risk", one["due_at"])
    (task,) = inbox.get("/inbox/tasks").json()["items"]
    assert "Ada risk asked you, due" in task["detail"]
    assert client.post(f"/review-requests/{one['id']}/remove", {}).json() == {"items": []}
