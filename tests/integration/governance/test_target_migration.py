"""What environments used before targets had lists is listed, and logged, by the migrations."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from apps.audit.models import Event
from apps.serving.models import Target, TargetUse
from placet_verify.log.merkle import leaf_hash
from tests.support.migrations import executor
from tests.support.replay import assert_log_rebuilds_every_row

pytestmark = pytest.mark.django_db(transaction=True)
# emptying the tables after a test starts every sequence anew, and leaves the rows of this one
GO_ON = "SELECT setval('django_migrations_id_seq', (SELECT max(id) FROM django_migrations))"
BEFORE = [("serving", "0004_guard"), ("governance", "0008_standing")]


@pytest.fixture
def before() -> Iterator[Any]:
    """The tables as the previous release left them, and every one of today afterwards."""
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
        cursor.execute(GO_ON)
    executor(connection).migrate(BEFORE)
    yield executor(connection).loader.project_state(BEFORE).apps
    migrate()
    with connection.cursor() as cursor:
        cursor.execute("SET ROLE placet_app")


def migrate() -> None:
    steps = executor(connection)
    steps.migrate(steps.loader.graph.leaf_nodes())


def test_environments_are_entered_into_the_lists_of_the_targets_that_they_use(before: Any) -> None:
    target, project = before.get_model("serving", "Target"), before.get_model("identity", "Project")
    environment = before.get_model("governance", "Environment")
    local, edge = (target.objects.create(name=n, driver="node") for n in ("local", "edge"))
    target.objects.create(name="unused", driver="node")
    risk, plant = (project.objects.create(slug=s, name=s) for s in ("risk", "plant"))
    for place, name, on in (
        (risk, "production", [local, edge]),
        (risk, "staging", [local]),
        (plant, "staging", []),
    ):
        environment.objects.create(project=place, name=name, position=0).targets.set(on)
    before.get_model("serving", "Endpoint").objects.create(
        project=plant, environment="gone", name="old", target=edge, created_by="system"
    )
    migrate()
    found = TargetUse.objects.values_list("target__name", "project__slug", "environment")
    assert set(found) == {
        ("local", "risk", "production"),
        ("edge", "risk", "production"),
        ("local", "risk", "staging"),
        ("edge", "plant", "gone"),
    }
    assert set(Target.objects.values_list("owner", flat=True)) == {""}
    assert assert_log_rebuilds_every_row(TargetUse) == 4
    for event in Event.objects.filter(kind="target.use_added.v1"):
        assert event.actor_id == "system"
        assert bytes(event.leaf_hash) == leaf_hash(event.body.encode())
        assert event.environment in ("production", "staging", "gone")


def test_an_installation_without_projects_has_nothing_to_enter(before: Any) -> None:
    migrate()
    assert not TargetUse.objects.exists()
    assert not Event.objects.exists()
