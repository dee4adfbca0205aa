"""The log takes additions and nothing else."""

import pytest
from django.db import DatabaseError, connection, transaction

from apps.audit.actions import record
from apps.audit.events import event_kind
from apps.audit.models import Event
from apps.identity.models import Project
from placet.kernel.actor import SYSTEM

TESTED = event_kind("test.project_made", "Made a project")

pytestmark = pytest.mark.django_db


def make_event() -> Event:
    with record(SYSTEM) as log:
        project = Project.objects.create(
            slug="risk", name="Risk", description="x", created_by="system"
        )
        log.add(TESTED, project)
    return Event.objects.get()


def test_an_action_leaves_one_event_with_the_whole_row() -> None:
    event = make_event()
    assert event.index == 0
    assert event.kind == "test.project_made.v1"
    assert event.subject == event.project == Project.objects.get().pk
    assert '"slug":"risk"' in event.body
    assert '"description":"sha256:' in event.body


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit_event SET body = body", "DELETE FROM audit_event", "TRUNCATE audit_event"],
)
@pytest.mark.parametrize("role", ["placet_app", "postgres"])
def test_nobody_changes_what_was_logged(statement: str, role: str) -> None:
    make_event()
    with connection.cursor() as cursor:
        cursor.execute(f"SET ROLE {role}")
        with pytest.raises(DatabaseError), transaction.atomic():
            cursor.execute(statement)
        cursor.execute("SET ROLE placet_app")
    assert Event.objects.count() == 1
