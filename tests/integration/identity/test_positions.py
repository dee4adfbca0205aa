"""Where people stand: who says so, what is refused, and what counts of it."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from apps.audit.models import Event
from apps.identity.actions import deactivate_person, place_person
from apps.identity.errors import NeedsSession, OwnAccess
from apps.identity.models import Position, User
from apps.identity.trust.positions import positions
from placet.kernel.actor import SYSTEM, Actor
from placet.kernel.clock import now
from placet.kernel.problems import Forbidden, InvalidInput
from tests.support import factories
from tests.support.replay import assert_log_rebuilds_every_row

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann() -> Actor:
    """Return an access admin."""
    return factories.actor_of(factories.person("Ann", roles={"admin": None}))


def people(*names: str) -> list[User]:
    return [factories.person(name) for name in names]


def chain(*line: User) -> None:
    """Have each report to the next; the last is the top."""
    for person, manager in zip(line, [*line[1:], None], strict=True):
        place_person(person, manager=manager, top=manager is None, actor=SYSTEM)


def test_an_access_admin_says_where_somebody_stands_and_the_log_has_no_name(ann: Actor) -> None:
    rex, boss = people("Rex", "Boss")
    row = place_person(rex, line="second", manager=boss, actor=ann)
    assert (row.line, row.manager, row.top, row.set_by) == ("second", boss, False, ann.id)
    event = Event.objects.get(kind="person.placed.v1")
    assert f'"manager_id":"{boss.pk}"' in event.body
    assert '"seal":' in event.body
    assert not any(name in event.body for name in ("Rex", "Boss", "rex@example.com"))
    assert assert_log_rebuilds_every_row(Position) == 1


def test_the_same_again_is_no_news_but_who_says_it_is(ann: Actor) -> None:
    (rex,) = people("Rex")
    place_person(rex, line="second", actor=ann)
    place_person(rex, line="second", actor=ann)
    assert Event.objects.filter(kind="person.placed.v1").count() == 1
    other = factories.actor_of(factories.person("Ann Other", roles={"admin": None}))
    assert place_person(rex, line="second", actor=other).set_by == other.id
    assert Event.objects.filter(kind="person.placed.v1").count() == 2


def test_nobody_places_themselves_nor_by_a_token(ann: Actor) -> None:
    admin = User.objects.get(pk=ann.id)
    with pytest.raises(OwnAccess):
        place_person(admin, line="second", actor=ann)
    robot = factories.service_account("robot", owner=admin)
    with pytest.raises(NeedsSession):
        place_person(people("Rex")[0], line="second", actor=factories.actor_of(robot))
    assert not Position.objects.exists()


def test_who_does_not_manage_access_places_nobody() -> None:
    rex, ada = people("Rex", "Ada")
    with pytest.raises(Forbidden):
        place_person(rex, line="second", actor=factories.actor_of(ada))


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"line": "fourth"}, "/line"),
        ({"manager": "themselves"}, "/manager"),
        ({"manager": "below"}, "/manager"),
        ({"manager": "gone"}, "/manager"),
        ({"manager": "other", "top": True}, "/manager"),
    ],
)
def test_what_makes_no_sense_is_refused(said: dict[str, Any], field: str, ann: Actor) -> None:
    rex, below, lowest, other, gone = people("Rex", "Below", "Lowest", "Other", "Gone")
    place_person(below, manager=rex, actor=ann)
    place_person(lowest, manager=below, actor=ann)
    deactivate_person(gone, actor=ann)
    named = {"themselves": rex, "below": lowest, "gone": gone, "other": other}
    if "manager" in said:
        said = {**said, "manager": named[said["manager"]]}
    with pytest.raises(InvalidInput) as refused:
        place_person(rex, **said, actor=ann)
    assert [fault.pointer for fault in refused.value.errors] == [field]
    assert not Position.objects.filter(person=rex).exists()


@pytest.mark.django_db(transaction=True)
def test_two_who_are_placed_under_each_other_at_once_make_no_circle() -> None:
    first, second = people("First", "Second")
    admins = [factories.actor_of(factories.person(f"Ann {n}", roles={"admin": None})) for n in "ab"]
    ready = Barrier(2)

    def place(job: tuple[Actor, User, User]) -> bool:
        actor, person, manager = job
        ready.wait()
        try:
            place_person(person, manager=manager, actor=actor)
        except InvalidInput:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(2) as pool:
        jobs = [(admins[0], first, second), (admins[1], second, first)]
        assert sorted(pool.map(place, jobs)) == [False, True]


def test_a_reporting_line_is_known_when_it_reaches_the_top() -> None:
    rex, mid, top, lost = people("Rex", "Mid", "Top", "Lost")
    chain(rex, mid, top)
    known = positions([rex.pk, lost.pk])
    assert known.managers(rex.pk, for_="x") == (mid.pk, top.pk)
    assert known.managers(top.pk, for_="x") == ()
    assert known.managers(lost.pk, for_="x") is None
    place_person(top, actor=SYSTEM)  # nobody knows any more to whom the top reports
    assert positions([rex.pk]).managers(rex.pk, for_="x") is None


def test_what_somebody_said_counts_for_others_and_not_for_themselves(ann: Actor) -> None:
    rex, top = people("Rex", "Top")
    place_person(top, top=True, actor=SYSTEM)
    place_person(rex, line="second", manager=top, actor=ann)
    known = positions([rex.pk])
    assert (known.line(rex.pk, for_="x"), known.managers(rex.pk, for_="x")) == ("second", (top.pk,))
    assert (known.line(rex.pk, for_=ann.id), known.managers(rex.pk, for_=ann.id)) == ("", None)


def test_a_row_that_was_written_past_placet_counts_for_no_decision(ann: Actor) -> None:
    rex, eve = people("Rex", "Eve")
    place_person(rex, line="first", actor=ann)
    Position.objects.filter(person=rex).update(line="second")
    Position.objects.create(person=eve, line="second", set_by=ann.id, set_at=now())
    known = positions([rex.pk, eve.pk], vouched=True)
    assert known.rows == {}


def test_a_circle_that_was_written_past_placet_is_no_line_and_no_endless_loop() -> None:
    a, b = people("A", "B")
    for person, manager in ((a, b), (b, a)):
        Position.objects.create(person=person, manager=manager, set_by="x", set_at=now())
    assert positions([a.pk]).managers(a.pk, for_="y") is None
    for values in ({"manager": a}, {"top": True, "manager": b}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Position.objects.filter(person=a).update(**values)


def test_it_is_said_over_the_api(ann: Actor) -> None:
    rex, boss = people("Rex", "Boss")
    client, path = factories.api(ann), f"/people/{rex.pk}/position"
    shown = client.get(path)
    assert shown.json() == {
        "person": rex.pk,
        "line": "",
        "manager": None,
        "top": False,
        "set_by": "",
        "set_at": None,
    }
    body = {"line": "second", "manager": boss.pk}
    assert client.put(path, body).status_code == 428
    assert client.put(path, body, if_match='"x"').status_code == 412
    placed = client.put(path, body, if_match=shown["ETag"])
    assert (placed.status_code, placed.json()["manager"]) == (200, boss.pk)
    assert client.put(path, body, if_match=shown["ETag"]).status_code == 412
    tag = placed["ETag"]
    wrong = client.put(path, {"line": "fourth"}, if_match=tag)
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (400, "/line")
    assert client.put(path, {"manager": "per_none"}, if_match=tag).status_code == 400
    cleared = client.put(path, {}, if_match=tag).json()
    assert (cleared["line"], cleared["manager"]) == ("", None)
    assert [row["person"] for row in client.get("/positions").json()["items"]] == [rex.pk]
    own = factories.api(factories.actor_of(rex))
    assert own.get(path).status_code == 200
    assert own.put(path, body, if_match=tag).status_code == 403
    assert own.get(f"/people/{boss.pk}/position").status_code == 404


def test_it_is_said_in_the_administration(ann: Actor) -> None:
    rex, boss = people("Rex", "Boss")
    client = factories.browser(ann)
    form = {"person": rex.pk, "line": "second", "manager": boss.pk}
    assert client.post("/admin/identity/position/add/", form).status_code == 302
    row = Position.objects.get(person=rex)
    assert (row.line, row.manager, row.set_by) == ("second", boss, ann.id)
    again = client.post("/admin/identity/position/add/", form)
    assert again.status_code == 200
    change = f"/admin/identity/position/{row.pk}/change/"
    assert client.post(change, {"line": "first", "manager": boss.pk}).status_code == 302
    row.refresh_from_db()
    assert (row.line, row.manager) == ("first", boss)
    refused = client.post(
        "/admin/identity/position/add/", {"person": ann.id, "line": "second", "manager": ""}
    )
    assert "Nobody widens their own access" in refused.content.decode()
    circle = client.post(
        "/admin/identity/position/add/", {"person": boss.pk, "line": "", "manager": rex.pk}
    )
    assert "has no circles" in circle.content.decode()
    assert client.get("/admin/identity/position/").status_code == 200
    assert Position.objects.count() == 1
