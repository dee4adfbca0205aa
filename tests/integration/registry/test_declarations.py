"""Declaring who owns the data and who wrote the code: added by whoever edits versions, for ever."""

from typing import Any

import pytest
from django.db import DatabaseError, transaction

from apps.audit.models import Event
from apps.registry.actions import create_version, declare, remove_file, start_upload
from apps.registry.actions.uploads import EMPTY
from apps.registry.models import Declaration
from apps.registry.provenance import touched_by
from placet.kernel.problems import Forbidden, InvalidInput, NotFound
from tests.support import factories
from tests.support.replay import assert_log_rebuilds_every_row
from tests.support.world import World

pytestmark = pytest.mark.django_db
DATA = "sha256:" + "d" * 64


def test_it_is_added_once_and_the_log_has_ids_alone(world: World) -> None:
    ada = world.people["Ada"]
    said = {"fact": "data_owner", "about": DATA, "person": ada.email.upper()}
    row = declare(world.project, **said, actor=world.alan)
    assert (row.person, row.declared_by) == (ada.pk, world.alan.id)
    assert declare(world.project, **said, actor=world.alan) == row
    event = Event.objects.get(kind="declaration.made.v1")
    assert ada.email not in event.body
    assert '"seal":' in event.body
    declare(world.project, **said, actor=world.ada)
    assert assert_log_rebuilds_every_row(Declaration) == 2


def test_who_has_an_account_elsewhere_is_not_told(world: World) -> None:
    """By address only people of the project are found; who was given an id may use it."""
    other = factories.person("Olga", roles={"viewer": factories.project("elsewhere")})
    said = {"fact": "data_owner", "about": DATA}
    answers = set()
    for address in (other.email, "nobody@example.com"):
        with pytest.raises(InvalidInput) as refused:
            declare(world.project, **said, person=address, actor=world.alan)
        answers.add(refused.value.errors[0].detail)
    assert len(answers) == 1
    assert declare(world.project, **said, person=other.pk, actor=world.alan).person == other.pk


def test_nobody_takes_back_what_was_said(world: World) -> None:
    row = declare(
        world.project, fact="data_owner", about=DATA, person=world.ada.id, actor=world.alan
    )
    with pytest.raises(DatabaseError), transaction.atomic():
        row.delete()
    with pytest.raises(DatabaseError), transaction.atomic():
        Declaration.objects.update(person=world.rex.id)


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"fact": "data_thief"}, "/fact"),
        ({"about": "sha256:short"}, "/about"),
        ({"fact": "code_author"}, "/about"),
        ({"fact": "code_author", "about": "ver_" + "0" * 32}, "/about"),
        ({"person": "nobody@example.com"}, "/person"),
        ({"person": "per_nobody"}, "/person"),
        ({"person": ""}, "/person"),
    ],
)
def test_what_makes_no_sense_is_refused(world: World, said: dict[str, Any], field: str) -> None:
    right = {"fact": "data_owner", "about": DATA, "person": world.ada.id}
    with pytest.raises(InvalidInput) as refused:
        declare(world.project, **(right | said), actor=world.alan)
    assert [fault.pointer for fault in refused.value.errors] == [field]
    assert not Declaration.objects.exists()


def test_a_version_of_another_project_is_none(world: World) -> None:
    other = World("elsewhere")
    with pytest.raises(InvalidInput):
        declare(
            world.project,
            fact="code_author",
            about=other.version().pk,
            person=world.ada.id,
            actor=world.alan,
        )


def test_who_edits_no_versions_declares_nothing(world: World) -> None:
    said = {"fact": "data_owner", "about": DATA, "person": "x@example.com"}
    with pytest.raises(Forbidden):
        declare(world.project, **said, actor=world.rex)
    stranger = factories.actor_of(factories.person("Sam"))
    with pytest.raises(NotFound):
        declare(world.project, **said, actor=stranger)


def test_it_is_declared_over_the_api_by_a_program_too(world: World) -> None:
    version = world.version()
    robot = factories.service_account("robot", world.people["Alan"], {"contributor": world.project})
    client = factories.api(factories.token_for(robot))
    path = "/projects/risk/declarations"
    body = {"fact": "code_author", "about": version.pk, "person": world.ada.id}
    made = client.post(path, body)
    assert (made.status_code, made.json()["declared_by"]) == (201, world.alan.id)
    assert client.post(path, body | {"person": "?"}).status_code == 400
    found = factories.api(world.rex).get(f"{path}?about={version.pk}").json()["items"]
    assert [row["person"] for row in found] == [world.ada.id]
    assert factories.api(world.rex).get(f"{path}?about={DATA}").json()["items"] == []
    assert factories.api(world.rex).post(path, body).status_code == 403


def test_the_page_shows_who_had_a_hand_in_it_and_takes_declarations(world: World) -> None:
    version = world.version(lineage={"datasets": [{"name": "loans", "digest": DATA}]})
    address = f"/models/risk/churn/{version.number}/people/"
    client = factories.browser(world.alan)
    assert "Owner not declared" in client.get(address).content.decode()
    form = {"fact": "data_owner", "about": DATA, "person": "ada.risk@example.com", "next": address}
    assert client.post(f"{address}declare", form).status_code == 302
    page = client.get(address).content.decode()
    assert "Owner not declared" not in page
    assert "(declared by Alan risk)" in page
    wrong = client.post(f"{address}declare", form | {"person": "nobody@example.com"})
    assert "Nobody in this project has this id" in wrong.content.decode()
    assert 'value="nobody@example.com"' in wrong.content.decode()
    assert "Owner (email)" not in factories.browser(world.rex).get(address).content.decode()


def test_the_log_tells_who_put_files_in_and_took_them_out(world: World) -> None:
    version = world.version()
    draft = create_version(version.model, actor=world.ada)
    assert touched_by([draft.pk]) == {}
    start_upload(draft, path="empty.txt", size=0, sha256=EMPTY, actor=world.alan)
    assert touched_by([draft.pk]) == {draft.pk: frozenset({world.alan.id})}
    remove_file(draft, path="empty.txt", actor=world.ada)
    assert touched_by([draft.pk])[draft.pk] == {world.alan.id, world.ada.id}
