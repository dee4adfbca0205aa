"""Somebody is away, and who stands in is shown, told and asked in their place."""

import json
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from apps.audit.models import Event
from apps.governance import actions
from apps.governance.models import Absence, Release, ReviewRequest
from apps.governance.queries.review_requests import Reviewer, reviewers
from apps.governance.queries.visible_rows import menu, waiting_on
from apps.identity.actions import deactivate_person, revoke_role
from apps.identity.models import RoleBinding
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from placet.kernel.problems import InvalidInput, NeedsPermission
from tests.support import factories
from tests.support.factories import browser
from tests.support.page_text import text_of
from tests.support.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_io_in_transaction")]
TWO = "version: 1\ngates: [{gate: approvals, role: reviewer, count: 2}]\n"


def away(world: World, deputy: str = "Rex", days: int = 5, **more: Any) -> Absence:
    """Have Rita be away, and somebody stand in."""
    till = now() + timedelta(days=days)
    pk = world.people[deputy].pk
    return actions.set_absence(deputy=pk, ends_at=till, actor=world.rita, **more)


def asked(world: World, release: Release) -> Reviewer:
    """Have Ada ask Rita, and return how that stands."""
    actions.request_review(release, reviewers=[world.rita.id], actor=world.ada)
    (one,) = reviewers(release)
    return one


def refused(work: Any) -> tuple[str, str]:
    with pytest.raises(InvalidInput) as problem:
        work()
    return problem.value.errors[0].pointer, problem.value.errors[0].detail


def last(kind: str) -> dict[str, Any]:
    """Return the last event of a kind."""
    rows = [json.loads(row.body) for row in Event.objects.order_by("index")]
    return [one for one in rows if one["kind"] == kind][-1]


def test_who_is_away_is_shown_with_who_stands_in(world: World) -> None:
    row = away(world)
    release = world.request("staging")
    one = asked(world, release)
    assert one.away and (one.away.name, one.away.passed_over) == ("Rex risk", "")
    assert one.away.until == row.ends_at
    data = last("release.review_requested.v1")["data"]
    assert (data["person"], data["deputy"]) == (world.rita.id, world.rex.id)
    page = browser(world.people["Vera"]).get(f"/releases/{release.pk}/").content.decode()
    assert "Rex risk stands in" in text_of(page)


def test_it_waits_for_the_deputy_first_and_says_for_whom(world: World) -> None:
    world.policy("staging", TWO)
    older = world.request("staging")
    newer = world.request("staging", endpoint="other")
    away(world)
    asked(world, newer)
    found: list[Any] = waiting_on(world.rex).needed
    assert [row.pk for row in found] == [newer.pk, older.pk]
    assert found[0].by_name.away == "Rita risk"
    page = text_of(browser(world.people["Rex"]).get("/inbox/").content.decode())
    assert "Ada risk asked Rita risk, who is away and for whom you stand in" in page
    (row, _) = factories.api(world.people["Rex"]).get("/inbox").json()["items"]
    assert (row["asked_by"], row["stands_in_for"]) == ("Ada risk", "Rita risk")
    world.decide(newer, world.rita)  # who looked in all the same
    assert waiting_on(world.rex).needed[0].pk == older.pk
    assert menu(world.rex).waiting.total() == 2


def test_being_back_or_not_yet_away_nobody_stands_in(world: World) -> None:
    away(world, starts_at=now() + timedelta(days=1))
    release = world.request("staging")
    assert asked(world, release).away is None
    away(world)
    assert reviewers(release)[0].away
    for _ in range(2):
        actions.clear_absence(actor=world.rita)
    assert reviewers(release)[0].away is None
    assert last("person.absence_cleared.v1")["data"] == {"deputy": world.rex.id}
    events = Event.objects.filter(subject=world.rita.id, body__contains="absence_cleared")
    assert events.count() == 1
    assert Absence.objects.count() == 1


def test_a_deputy_who_requested_it_or_made_its_version_is_passed_over(world: World) -> None:
    for name in ("Ada", "Alan"):
        factories.grant(world.people[name], {"reviewer": world.project})
    release = world.request("staging")
    for name in ("Ada", "Alan"):
        away(world, name)
        one = asked(world, release)
        assert one.away and "requested it or created its version" in one.away.passed_over
        assert "deputy" not in last("release.review_requested.v1")["data"]
        who = factories.actor_of(world.people[name])
        assert waiting_on(who).size == menu(who).waiting.total() == 0
    page = browser(world.people["Ada"]).get(f"/releases/{release.pk}/").content.decode()
    assert "nobody stands in: Alan risk cannot review it" in text_of(page)


def test_a_deputy_who_lost_the_role_is_passed_over(world: World) -> None:
    away(world)
    revoke_role(RoleBinding.objects.get(person=world.people["Rex"]), actor=SYSTEM)
    one = asked(world, world.request("staging"))
    assert one.away and "their deputy cannot decide" in one.away.passed_over


def test_a_deputy_who_has_decided_is_passed_over(world: World) -> None:
    world.policy("staging", TWO)
    release = world.request("staging")
    world.decide(release, world.rex)
    away(world)
    one = asked(world, release)
    assert one.away and one.away.passed_over == "Rex risk has decided on it already"
    assert "deputy" not in last("release.review_requested.v1")["data"]
    page = text_of(browser(world.people["Ada"]).get(f"/releases/{release.pk}/").content.decode())
    assert "nobody stands in: Rex risk has decided on it already" in page
    said = factories.api(world.people["Ada"]).get(f"/releases/{release.pk}/review-requests").json()
    assert "decided on it already" in said["items"][0]["away"]["passed_over"]


def test_a_deputy_who_requested_changes_stands_in_once_asked_again(world: World) -> None:
    release = world.request("staging")
    world.decide(release, world.rex, "request_changes")
    away(world)
    one = asked(world, release)
    assert one.away and one.away.passed_over == "Rex risk has decided on it already"
    actions.request_review(release, reviewers=[world.rex.id], actor=world.ada)
    assert [row.away.passed_over for row in reviewers(release) if row.away] == [""]


def test_of_two_who_stand_in_for_each_other_and_are_away_neither_does(world: World) -> None:
    release = world.request("staging")
    away(world)
    till = now() + timedelta(days=5)
    actions.set_absence(deputy=world.rita.id, ends_at=till, actor=world.rex)
    both = [world.rita.id, world.rex.id]
    actions.request_review(release, reviewers=both, actor=world.ada)
    passed = {row.name: row.away and row.away.passed_over for row in reviewers(release)}
    assert passed == {"Rita risk": "Rex risk is away too", "Rex risk": "Rita risk is away too"}
    assert "deputy" not in last("release.review_requested.v1")["data"]
    found: list[Any] = waiting_on(world.rex).needed
    assert [row.by_name.away for row in found] == [""]  # asked themselves
    actions.remove_review_request(ReviewRequest.objects.get(person=world.rex.id), actor=world.ada)
    found = waiting_on(world.rex).needed
    assert [row.by_name for row in found] == [None]


def test_a_deputy_of_another_project_is_not_named(world: World) -> None:
    other = World("other")
    factories.grant(world.people["Rita"], {"reviewer": other.project})
    till = now() + timedelta(days=5)
    rita = factories.actor_of(world.people["Rita"])
    actions.set_absence(deputy=other.rex.id, ends_at=till, actor=rita)
    release = world.request("staging")
    actions.request_review(release, reviewers=[world.rita.id], actor=world.ada)
    viewer = factories.person("Wes", roles={"viewer": world.project})
    for client in (factories.api(viewer), browser(viewer)):
        for path in (f"/releases/{release.pk}/review-requests", f"/releases/{release.pk}/"):
            said = client.get(path).content.decode()
            assert "Rex other" not in said and other.rex.id not in said
    (one,) = reviewers(release)
    assert one.away and (one.away.deputy, one.away.name) == ("", "")
    assert "their deputy cannot decide" in one.away.passed_over


def test_nobody_stands_in_for_who_was_deactivated(world: World) -> None:
    world.policy("staging", TWO)
    away(world)
    release = world.request("staging")
    asked(world, release)
    deactivate_person(world.people["Rita"], actor=SYSTEM)
    assert last("person.absence_cleared.v1")["data"] == {"deputy": world.rex.id}
    assert reviewers(release)[0].away is None
    found: list[Any] = waiting_on(world.rex).needed  # an approval of their role is missing
    assert [row.by_name for row in found] == [None]
    deactivate_person(world.people["Rita"], actor=SYSTEM)
    assert Event.objects.filter(kind="person.absence_cleared.v1").count() == 1


def test_nobody_stands_in_for_who_lost_the_role(world: World) -> None:
    away(world)
    release = world.request("staging")
    asked(world, release)
    revoke_role(RoleBinding.objects.get(person=world.people["Rita"]), actor=SYSTEM)
    found: list[Any] = waiting_on(world.rex).needed
    assert [row.by_name for row in found] == [None]
    page = text_of(browser(world.people["Ada"]).get(f"/releases/{release.pk}/").content.decode())
    assert "cannot decide any more" in page and "Away until" not in page


def test_a_deputy_who_was_deactivated_is_passed_over(world: World) -> None:
    away(world)
    deactivate_person(world.people["Rex"], actor=SYSTEM)
    one = asked(world, world.request("staging"))
    assert one.away and "their deputy cannot decide" in one.away.passed_over


def test_a_deputy_decides_where_one_does_in_the_same_role_and_is_named_exactly(
    world: World,
) -> None:
    till = now() + timedelta(days=2)
    elsewhere = World("other")
    for deputy in (world.vera.id, world.rita.id, elsewhere.rex.id, "nobody", ""):
        setting = partial(actions.set_absence, deputy=deputy, ends_at=till, actor=world.rita)
        pointer, detail = refused(setting)
        assert pointer == "/deputy" and "decides where you do" in detail
    for deputy in (world.people["Rex"].email, "REX RISK"):
        row = actions.set_absence(deputy=deputy, ends_at=till, actor=world.rita)
        assert row.deputy == world.rex.id
    assert Absence.objects.count() == 1


@pytest.mark.parametrize(
    ("ends", "starts", "detail"),
    [
        (-1, None, "in the future"),
        (2, 3, "after the beginning"),
        (900, None, "366 days"),
    ],
)
def test_times_that_are_none_name_their_field(
    world: World, ends: int, starts: int | None, detail: str
) -> None:
    begins = None if starts is None else now() + timedelta(days=starts)
    pointer, said = refused(partial(away, world, days=ends, starts_at=begins))
    assert pointer == "/ends_at" and detail in said


def test_only_people_who_may_speak_are_away(world: World) -> None:
    till = now() + timedelta(days=2)
    viewer = factories.actor_of(factories.person("Vic", {"viewer": world.project}))
    with pytest.raises(NeedsPermission):
        actions.set_absence(deputy=world.rex.id, ends_at=till, actor=viewer)
    with pytest.raises(NeedsPermission):
        actions.clear_absence(actor=viewer)


def test_the_page_and_the_api_set_and_clear_it(world: World) -> None:
    rita = browser(world.people["Rita"])
    form = {"deputy": world.rex.id, "ends_at": f"{now() + timedelta(days=3):%Y-%m-%d}"}
    answer = rita.post("/absence/set", form, follow=True).content.decode()
    assert "Rex risk stands in." in text_of(answer)
    for odd in ({"ends_at": ""}, {"ends_at": "soon"}, {"starts_at": "soon"}):
        answer = rita.post("/absence/set", form | odd, follow=True).content.decode()
        assert f'data-fault-of="{next(iter(odd))}"' in answer
    client = factories.api(factories.token_for(world.people["Rita"]))
    own = client.get("/absence").json()
    assert (own["absence"]["deputy"], own["deputy_name"]) == (world.rex.id, "Rex risk")
    assert [one["name"] for one in own["may_stand_in"]] == ["Rex risk"]
    assert client.post("/absence/clear", {}).json()["absence"] is None
    body = {"deputy": "Rex risk", "ends_at": (now() + timedelta(days=1)).isoformat()}
    assert client.post("/absence", body).json()["deputy_name"] == "Rex risk"
    rita.post("/absence/clear")
    assert client.get("/absence").json()["absence"] is None


def test_who_is_away_later_reads_so_and_that_nobody_stands_in_any_more(world: World) -> None:
    away(world, starts_at=now() + timedelta(days=1))
    rita = browser(world.people["Rita"])
    assert "You will be away from" in text_of(rita.get("/absence/").content.decode())
    away(world)
    revoke_role(RoleBinding.objects.get(person=world.people["Rex"]), actor=SYSTEM)
    said = text_of(rita.get("/absence/").content.decode())
    assert "You are away from" in said
    assert "Rex risk decides nowhere any more where you do: nobody stands in." in said
    client = factories.api(factories.token_for(world.people["Rita"]))
    assert client.get("/absence").json()["deputy_can"] is False
