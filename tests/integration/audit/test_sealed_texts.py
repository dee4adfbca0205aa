"""The log opens a sealed text in the row and column that it was sealed for, and nowhere else."""

import json
from typing import Any

import pytest

from apps.audit.actions import record
from apps.audit.events import event_kind
from apps.audit.models import Event
from apps.identity.actions import create_project, update_project
from apps.identity.events import PROJECT_UPDATED
from apps.identity.models import Project, User
from apps.registry.actions import create_model
from placet.kernel.actor import SYSTEM
from tests.support.factories import actor_of, api, browser, grant, person, project

SECRET = "We merge with Acme in May"
NOTED = event_kind("test.sealed_noted", "Noted")
pytestmark = pytest.mark.django_db


@pytest.fixture
def digest() -> str:
    """The commitment of what another project wrote, as its bundles and events show it."""
    made = create_project(slug="risk", name="Risk", description=SECRET, actor=SYSTEM)
    body = Event.objects.get(kind="project.created.v1", subject=made.pk).body
    return str(json.loads(body)["after"][f"identity.project:{made.pk}"]["description"])


@pytest.fixture
def toys() -> Project:
    return project("toys")


@pytest.fixture
def eve(toys: Project) -> User:
    """Somebody who administers and audits their own project, and no other."""
    return person("Eve", {"admin": toys, "auditor": toys})


def newest(kind: str) -> int:
    found = Event.objects.filter(kind=f"{kind}.v1").order_by("-index")
    return found.values_list("index", flat=True)[0]


def read(who: User, index: int) -> dict[str, Any]:
    found: dict[str, Any] = api(who).get(f"/audit/events/{index}").json()
    return found


def page(who: User, index: int) -> str:
    return browser(who).get(f"/audit/{index}/").content.decode()


def test_a_digest_that_somebody_writes_into_a_name_of_theirs_opens_nothing(
    digest: str, toys: Project, eve: User
) -> None:
    update_project(toys, name=digest, actor=actor_of(eve))
    index = newest("project.updated")
    assert read(eve, index)["changes"][0]["after"]["name"] == digest
    assert read(eve, index)["texts"] == {}
    shown = page(eve, index)
    assert digest in shown and SECRET not in shown


def test_beside_a_text_of_theirs_it_opens_that_text_alone(
    digest: str, toys: Project, eve: User
) -> None:
    update_project(toys, name=digest, description="Blocks", actor=actor_of(eve))
    index = newest("project.updated")
    assert list(read(eve, index)["texts"].values()) == ["Blocks"]
    shown = page(eve, index)
    assert "Blocks" in shown and SECRET not in shown


def test_a_digest_as_the_text_itself_reads_as_that_digest(
    digest: str, toys: Project, eve: User
) -> None:
    update_project(toys, description=digest, actor=actor_of(eve))
    index = newest("project.updated")
    assert list(read(eve, index)["texts"].values()) == [digest]
    assert SECRET not in page(eve, index)


def test_a_digest_that_stood_in_a_column_before_that_was_sealed_opens_nothing(
    digest: str, toys: Project, eve: User
) -> None:
    """As an earlier release logged it: in the open."""
    with record(SYSTEM) as log:
        log.add(PROJECT_UPDATED, toys)
        log.entries[0].after[f"identity.project:{toys.pk}"]["description"] = digest
    index = newest("project.updated")
    assert read(eve, index)["texts"] == {}
    assert SECRET not in page(eve, index)


def test_a_digest_in_the_data_of_an_event_or_in_a_row_of_an_unknown_table_opens_nothing(
    digest: str, toys: Project, eve: User
) -> None:
    with record(SYSTEM) as log:
        log.add(NOTED, subject="s", project=toys.pk, data={"what": digest})
        log.entries[0].after = {"gone.table:x": {"description": digest}, "odd": {"name": digest}}
    assert read(eve, newest("test.sealed_noted"))["texts"] == {}
    assert SECRET not in page(eve, newest("test.sealed_noted"))


def test_the_same_person_s_text_of_another_project_is_not_opened_here(toys: Project) -> None:
    """One key opens both: what tells them apart is the place that each was sealed for."""
    risk = project("risk")
    ada = grant(person("Ada", {"contributor": risk}), {"admin": toys})
    eve = person("Eve", {"auditor": toys})
    create_model(risk, name="churn", description=SECRET, actor=actor_of(ada))
    body = json.loads(Event.objects.get(kind="model.created.v1").body)
    (state,) = body["after"].values()
    with record(actor_of(ada)) as log:
        log.add(PROJECT_UPDATED, toys)
        log.entries[0].after[f"identity.project:{toys.pk}"]["description"] = state["description"]
    assert read(eve, newest("project.updated"))["texts"] == {}


def test_who_may_read_an_event_reads_its_own_texts(digest: str, eve: User) -> None:
    auditor = person("Audra", {"auditor": None})
    index = Event.objects.get(kind="project.created.v1", body__contains=digest).index
    assert read(auditor, index)["texts"] == {digest: SECRET}
    assert SECRET in page(auditor, index)
    assert api(eve).get(f"/audit/events/{index}").status_code == 404
