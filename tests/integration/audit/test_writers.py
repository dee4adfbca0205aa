"""A text in the log is kept under the key of who wrote it, whoever logs its row afterwards."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.audit.actions import erase_texts, write_checkpoint
from apps.audit.actions.state import row_state
from apps.audit.models import Event
from apps.audit.queries.fsck import fsck
from apps.identity import actions
from apps.identity.models import Project, User
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from tests.support.database import sql
from tests.support.factories import actor_of, api, person
from tests.support.plans import analyze

WORDS = "My mother is in ward 7"
Texts = Callable[[Event], set[str]]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("log_of_its_own")]


@pytest.fixture
def ada(risk: Project) -> User:
    ada = person("Ada", {"admin": risk})
    actions.update_project(risk, description=WORDS, actor=actor_of(ada))
    return ada


@pytest.fixture
def bob(risk: Project, ada: User) -> User:
    """Bob renamed the project that Ada described."""
    bob = person("Bob", {"admin": risk})
    renamed = Project.objects.get(pk=risk.pk)
    actions.update_project(renamed, name="Risks", actor=actor_of(bob))
    return bob


def plan_of(query: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {query}")
        return "\n".join(line for (line,) in cursor)


def newest(kind: str) -> Event:
    return Event.objects.filter(kind=kind).latest("index")


@pytest.fixture
def texts() -> Texts:
    """Return what an auditor reads of an event's texts."""
    auditor = api(person("Aude", {"auditor": None}))

    def read(event: Event) -> set[str]:
        return set(auditor.get(f"/audit/events/{event.index}").json()["texts"].values())

    return read


def commitments(risk: Project) -> list[str]:
    """The project's description in each of its last two events."""
    events = Event.objects.filter(kind="project.updated.v1").order_by("index")
    return [
        json.loads(e.body)["after"][f"identity.project:{risk.pk}"]["description"] for e in events
    ]


def test_what_nobody_changed_is_committed_to_as_before(
    risk: Project, bob: User, texts: Texts
) -> None:
    one, other = commitments(risk)

    assert one == other
    assert WORDS in texts(newest("project.updated.v1"))


def test_it_goes_with_who_wrote_it(risk: Project, ada: User, bob: User, texts: Texts) -> None:
    erase_texts(ada.pk, actor=SYSTEM)

    assert WORDS not in texts(newest("project.updated.v1"))


def test_it_stays_when_who_logged_it_goes(risk: Project, bob: User) -> None:
    sql("UPDATE identity_project SET description = 'Good for production' WHERE id = %s", risk.pk)
    erase_texts(bob.pk, actor=SYSTEM)
    write_checkpoint()

    assert [f.sentence for f in fsck().faults if "Good for production" in f.sentence]


def test_what_another_changed_is_theirs(risk: Project, ada: User, bob: User, texts: Texts) -> None:
    changed = Project.objects.get(pk=risk.pk)
    actions.update_project(changed, description="Bob's own words", actor=actor_of(bob))
    erase_texts(ada.pk, actor=SYSTEM)

    assert "Bob's own words" in texts(newest("project.updated.v1"))


def test_who_writes_the_same_again_later_wrote_it(
    risk: Project, ada: User, bob: User, texts: Texts
) -> None:
    for words in ("", WORDS):
        again = Project.objects.get(pk=risk.pk)
        actions.update_project(again, description=words, actor=actor_of(bob))
    erase_texts(ada.pk, actor=SYSTEM)

    assert WORDS in texts(newest("project.updated.v1"))


def test_the_log_is_not_read_backwards_for_a_row_that_rested(risk: Project, ada: User) -> None:
    """One that was changed four hundred times, and then lay still."""
    last = Event.objects.latest("index")
    later = "SELECT i, replace(%s, %s, %s || i), sha256(i::text::bytea)"
    for start, end, other in ((1, 400, ""), (401, 20_000, "prj_")):
        rows = f"FROM generate_series({last.index + start}, {last.index + end}) i"
        insert = f"INSERT INTO audit_event (index, body, leaf_hash) {later} {rows}"
        sql(insert, last.body, risk.pk if other else "", other)
    analyze("audit_event")
    rested, actor = Project.objects.get(pk=risk.pk), actor_of(ada)

    with CaptureQueriesContext(connection) as asked:
        row_state(rested, actor, [])

    plans = [plan_of(query["sql"]) for query in asked if "audit_event" in query["sql"]]
    assert plans
    assert not [plan for plan in plans if "Backward" in plan]


def test_for_what_is_a_person_s_own_the_log_is_not_asked(risk: Project, ada: User) -> None:
    """Every sign-in is an event about them, good or not, and strangers make those too."""
    with CaptureQueriesContext(connection) as asked:
        row_state(ada, actor_of(ada), [])

    assert not [query for query in asked if "audit_event" in query["sql"]]


def test_the_names_of_a_leaver_s_tokens_go_with_them(
    risk: Project, ada: User, texts: Texts
) -> None:
    ann = person("Ann", {"admin": None})
    actions.issue_token(
        name="Ada Lovelace, 12 Elm Street",
        scopes=["project.view"],
        person=ada,
        expires_at=now() + timedelta(days=9),
        actor=actor_of(ada),
    )
    actions.deactivate_person(ada, actor=actor_of(ann))
    erase_texts(ada.pk, actor=actor_of(ann))
    write_checkpoint()

    for kind in ("token.issued.v1", "person.deactivated.v1"):
        assert "Ada Lovelace, 12 Elm Street" not in texts(newest(kind)), kind
    assert fsck().faults == []
