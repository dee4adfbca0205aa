"""What is read does not grow with what there is, and a page says where it ends."""

from contextlib import suppress
from typing import Any

import pytest
from django.db import transaction
from django.db.models.sql.compiler import SQLCompiler

from apps.console.queries import home_page, members, search
from apps.console.queries.own_releases import followed
from apps.governance.models import Environment, Release
from apps.governance.queries import visible_rows
from apps.governance.queries.deciders import MOST, deciders, with_deciders
from apps.governance.queries.people import people_around
from apps.governance.rules import ReleaseState
from apps.identity.models import RoleBinding
from apps.identity.queries import held_grants
from apps.registry.models import ModelVersion
from apps.serving.models import Revision
from tests.support import factories
from tests.support.factories import actor_of, browser
from tests.support.page_text import text_of
from tests.support.plans import rows_read
from tests.support.world import World

pytestmark = pytest.mark.django_db
MANY = 30


class Gone(Exception):
    """Undoes what was written."""


def test_roles_are_read_once_for_a_release_and_not_for_each_person(world: World) -> None:
    release = world.request()
    for number in range(MANY):
        factories.person(f"P{number}", roles={"reviewer": world.project})
    crew = factories.team("Crew", factories.person("Tom"))
    factories.grant(crew, {"approver": world.project})
    with rows_read() as read:
        around = people_around(release, [release.requester])
    held = {person.name: person.roles for person in around.deciders}
    assert len(held) == MANY + 5
    assert (held["P7"], held["Tom"]) == (("reviewer",), ("approver",))
    assert read["identity_rolebinding"] < 20 * (MANY + 10)


def test_only_ones_own_roles_are_read(world: World) -> None:
    tom, others = factories.person("Tom"), [factories.person(f"P{n}") for n in range(MANY)]
    factories.grant(factories.team("Crew", tom), {"viewer": world.project})
    for who in (tom, *others):
        factories.grant(who, {"reviewer": world.project})
    RoleBinding.objects.bulk_create(
        RoleBinding(role="viewer", person=who, project=world.project, environment=f"e{number}")
        for who in others
        for number in range(20)
    )
    with rows_read(by_keys=True) as read:
        grants = held_grants(tom.pk)
    assert {"release.view", "release.review"} <= {grant.permission for grant in grants}
    assert read["identity_rolebinding"] == 2


def crowd(of: ModelVersion) -> None:
    """Make so many versions that no plan goes through all of them to find a few."""
    fields = {f.attname: getattr(of, f.attname) for f in of._meta.concrete_fields}
    del fields["id"]
    ModelVersion.objects.bulk_create(
        ModelVersion(**fields | {"number": 1000 + number}) for number in range(300)
    )


def bloat(of: Release) -> None:
    """Leave the pages of many releases that are gone: a plan takes them for many that are there."""
    fields = {f.attname: getattr(of, f.attname) for f in of._meta.concrete_fields}
    fields["state"] = ReleaseState.WITHDRAWN
    with suppress(Gone), transaction.atomic():
        Release.objects.bulk_create(
            Release(**fields | {"id": f"gone_{number}", "number": 1000 + number})
            for number in range(3000)
        )
        raise Gone


def test_what_waits_is_found_before_anything_stands_beside_it(world: World) -> None:
    waiting = [world.request("staging", endpoint=f"waits-{number}") for number in range(2)]
    for number in range(6):
        world.live(endpoint=f"live-{number}")
    crowd(waiting[0].version)
    with rows_read(by_keys=True) as read:
        found = visible_rows.inbox(world.rex)
    assert [row.pk for row in found] == [row.pk for row in waiting]
    assert read["registry_modelversion"] <= len(waiting) + 1  # and the newest of all


def test_what_one_follows_is_found_before_anything_stands_beside_it(world: World) -> None:
    mine = world.request("staging", endpoint="mine")
    for number in range(6):
        other = world.request("staging", endpoint=f"other-{number}")
        Release.objects.filter(pk=other.pk).update(requester="per_other", requested_by="per_other")
    crowd(mine.version)
    bloat(mine)
    with rows_read(by_keys=True) as read:
        found = followed(world.ada)
    assert [row.release.pk for row in found.own] == [mine.pk]
    assert read["registry_modelversion"] <= 2


def test_of_many_who_decide_the_first_are_named(world: World) -> None:
    for number in range(MOST + 5):
        who = factories.person(f"A{number:02}", roles={"approver": world.project})
        factories.grant(factories.team(f"Crew {number}", who), {"approver": world.project})
    (staging,) = with_deciders(Environment.objects.filter(pk=world.environment("staging").pk))
    (row,) = [row for row in deciders(staging, world.ada) if row.role == "approver"]
    assert [person.name for person in row.people] == [f"A{n:02}" for n in range(MOST)]
    assert row.names.endswith(f"A{MOST - 1:02}, …")


def test_a_reviewer_is_told_that_more_waits(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        world.request("staging", endpoint=f"waits-{number}")
    rex = browser(world.people["Rex"])
    assert "then the oldest" not in rex.get("/inbox/").content.decode()
    monkeypatch.setattr(home_page, "SHOWN", 2)
    home = text_of(rex.get("/").content.decode())
    assert "3 releases wait for your decision" in home
    assert "1 more release in the inbox" in home
    monkeypatch.setattr(visible_rows, "INBOX_LIMIT", 2)
    inbox = text_of(rex.get("/inbox/").content.decode())
    assert "Newer ones come as they are decided" in inbox
    assert ("waits-1" in inbox, "waits-2" in inbox) == (True, False)


def test_home_says_that_there_are_more_endpoints(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bento = world.bento(world.version())
    for number in range(3):
        release = world.live(bento=bento, endpoint=f"serves-{number}")
        Revision.objects.create(
            endpoint=release.endpoint,
            project=release.project,
            bento=bento,
            number=1,
            release=release.pk,
            permit="{}",
            state="live",
        )
    rex = browser(world.people["Rex"])
    assert "are shown here" not in text_of(rex.get("/").content.decode())
    monkeypatch.setattr(home_page, "SHOWN", 2)
    home = text_of(rex.get("/").content.decode())
    assert "All endpoints: the first 2 are shown here" in home
    assert ("serves-1" in home, "serves-2" in home) == (True, False)


def test_a_list_of_members_says_where_it_ends(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = browser(factories.person("Ann", roles={"admin": None}))
    path = f"/projects/{world.project.slug}/members/"
    assert "roles are shown" not in ann.get(path).content.decode()
    monkeypatch.setattr(members, "SHOWN", 4)
    shown = ann.get(path).content.decode()
    assert "The first 4 roles are shown" in text_of(shown)
    assert shown.count("Remove ") == 4


def test_reasons_are_searched_in_the_newest_releases(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        world.request("staging", endpoint=f"new-{number}", reason="Drift was over the limit")
    factories.project("other")
    ada = browser(world.people["Ada"])
    assert ada.get("/search/?q=drift+WAS").content.decode().count("/releases/rel_") == 3
    monkeypatch.setattr(search, "REASONS", 2)
    text = ada.get("/search/?q=drift").content.decode()
    assert text.count("/releases/rel_") == 2
    assert "Reasons are searched in the newest" in text_of(text)


def test_releases_of_other_projects_take_no_place_among_the_newest(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = world.request("staging", reason="Drift was over the limit")
    other = World("other")
    for number in range(3):
        other.request("staging", endpoint=f"new-{number}", reason="Drift too")
    monkeypatch.setattr(search, "REASONS", 2)
    found = search.search("drift", actor_of(world.people["Ada"]))
    assert [hit.id for hit in found] == [mine.pk]


def test_what_every_page_reads_is_made_into_sql_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Django makes a subquery into SQL anew with each expression around it: it took pages twice as
    long as what they show when each part of the menu was made four times."""
    made, once = [], SQLCompiler.as_sql

    def counted(self: SQLCompiler, *args: Any, **more: Any) -> Any:
        made.append(self.query.model)
        return once(self, *args, **more)

    world.request()
    reader = browser(world.people["Rita"])
    reader.get("/notifications/")
    monkeypatch.setattr(SQLCompiler, "as_sql", counted)
    assert reader.get("/notifications/").status_code == 200
    assert 20 < len(made) < 70
