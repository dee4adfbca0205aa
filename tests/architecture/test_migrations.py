"""Migrations that old code may serve through: they add, and take nothing away."""

import importlib
import pkgutil
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps as django_apps
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.migrations.loader import MigrationLoader

from proofs.upgrade import PREVIOUS
from tests.architecture.test_layout import ROOT
from tests.support.migrations import RELEASED, Originals, knowing, lacking

# Tables that grow with every request: an index on them is made CONCURRENTLY.
GROWING = {"event", "evidence", "artifactfile", "buildline", "job", "window", "sealedtext"}
# Anything else, when somebody thought about old code that still runs: the migration and why it
# does no harm.
THOUGHT_ABOUT: dict[str, str] = {
    "governance.0009_target_uses": "rows of a table that old code does not know, and their events,"
    " which old code reads as any others; what old code puts on a target after that is refused by"
    " the new code until somebody lists it",
    "serving.0008_deleted": "names of endpoints stay unique, at every moment, for all that old code"
    " makes; nothing is deleted before the new code runs",
    "integrations.0002_names_of_projects": "names of streams stay unique, at every moment, for all"
    " that old code makes, which finds no stream by its name",
    "governance.0010_retired": "no statement, and no release is retired before the new code runs",
    "governance.0011_aborted": "no statement, and no release is aborted before the new code runs",
    "governance.0010_squashed_0019_review_days": "as those that it replaces",
    "governance.0014_decision_records": "adds a table alone",
    "governance.0015_first_live_at": "fills a column that old code does not know; of what that"
    " makes live meanwhile the new code reads another one",
    "governance.0013_request_changes": "a longer text: PostgreSQL writes no row anew, and old code"
    " refuses a release with the new verdict as if it were a rejection",
    "monitoring.0013_recall_stopped": "no statement, and the new code alone opens such an alert",
    "monitoring.0012_squashed_0016_node_error": "as those that it replaces",
    "monitoring.0015_webhook_disabled": "no statement, and the new code alone opens such an alert",
    "monitoring.0016_node_error": "no statement, and the new code alone opens such an alert",
    "notices.0002_emergencies": "no statement, and the new code alone writes such a notice",
    "integrations.0002_squashed_0008_faults": "as those that it replaces",
    "integrations.0008_faults": "renames columns of tables that the previous release does not have",
    "integrations.0006_revoked": "no statement, and the new code alone disables for that reason;"
    " old code shows it as it is kept",
}
ADDING = (migrations.CreateModel, AddIndexConcurrently)


def new_migrations() -> Iterator[tuple[str, Any]]:
    """Yield every migration of ours that the previous release does not have."""
    for config in django_apps.get_app_configs():
        if not config.name.startswith("apps."):
            continue
        package = importlib.import_module(f"{config.name}.migrations")
        for found in pkgutil.iter_modules(package.__path__):
            if int(found.name[:4]) > RELEASED.get(config.label, 0):
                module = importlib.import_module(f"{package.__name__}.{found.name}")
                yield f"{config.label}.{found.name}", module.Migration


def fault_of(operation: Any) -> str:
    """Return what old code would stumble over; '' when nothing."""
    if isinstance(operation, ADDING):
        return ""
    if isinstance(operation, migrations.AddField):
        field = operation.field
        filled = field.null or field.has_db_default() or field.many_to_many
        if not filled:
            return f"{operation.name} is NOT NULL without db_default: old code's INSERTs would fail"
        return f"{operation.name} is unique: the table is locked" if field.unique else ""
    if isinstance(operation, migrations.AddIndex):
        if operation.model_name.lower() in GROWING:
            return f"{operation.index.name} locks a table that grows: use AddIndexConcurrently"
        return ""
    if isinstance(operation, migrations.SeparateDatabaseAndState):
        return next(filter(None, map(fault_of, operation.database_operations)), "")
    return f"{type(operation).__name__} changes what old code knows"


def test_new_migrations_only_add() -> None:
    faults = {
        f"{name}: {fault}"
        for name, migration in new_migrations()
        for operation in migration.operations
        if (fault := fault_of(operation)) and name not in THOUGHT_ABOUT
    }
    assert faults == set(), (
        "An upgrade runs while the previous release serves. Do it in two releases (add and fill, "
        "then remove), or name the migration in THOUGHT_ABOUT with the reason why it does no harm."
    )


def test_the_previous_release_had_these_migrations() -> None:
    command = ["git", "ls-tree", "-r", "--name-only", PREVIOUS, "apps"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip(f"the commit {PREVIOUS} is not in this clone")
    found = re.findall(r"^apps/(\w+)/migrations/(\d{4})_", listed.stdout, re.M)
    assert {app: int(number) for app, number in sorted(found)} == RELEASED


def test_every_exception_is_a_migration_that_there_is() -> None:
    assert set(THOUGHT_ABOUT) <= {name for name, _ in new_migrations()}


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        (migrations.RemoveField("job", "key"), "changes what old code knows"),
        (migrations.RenameField("job", "key", "name"), "changes what old code knows"),
        (migrations.DeleteModel("job"), "changes what old code knows"),
        (migrations.RunSQL("SELECT 1"), "changes what old code knows"),
        (migrations.AddField("job", "x", models.IntegerField(default=1)), "without db_default"),
        (migrations.AddField("job", "x", models.IntegerField(null=True, unique=True)), "unique"),
        (migrations.AddIndex("job", models.Index(fields=["key"], name="n")), "Concurrently"),
        (migrations.AddField("job", "x", models.IntegerField(null=True)), ""),
        (migrations.AddField("job", "x", models.IntegerField(db_default=1)), ""),
        (migrations.CreateModel("x", []), ""),
    ],
)
def test_what_is_told_apart(operation: Any, said: str) -> None:
    assert said in fault_of(operation)
    assert bool(said) == bool(fault_of(operation))


# A new database is made by migrations that replace others. One that has some of these must go on
# with the rest, and whatever it has, Django must find an order.
GRAPH = Originals(None).graph
ORDER = list(dict.fromkeys(key for leaf in GRAPH.leaf_nodes() for key in GRAPH.forwards_plan(leaf)))


def test_a_new_database_takes_two_migrations_of_an_app_at_most() -> None:
    with knowing(()) as connection:
        nodes = MigrationLoader(connection).graph.nodes
    ours = {config.label for config in django_apps.get_app_configs() if "apps." in config.name}
    taken = Counter(app for app, name in nodes if app in ours)
    assert taken["identity"] == 2  # allauth needs its first, and its second allauth's tables
    assert set(taken.values()) <= {1, 2}


def test_a_database_that_stopped_anywhere_goes_on_with_the_rest() -> None:
    for at in range(len(ORDER) + 1):
        assert sorted(lacking(ORDER[:at])) == sorted(ORDER[at:]), at


def test_a_database_that_lacks_one_and_what_needs_it_goes_on_with_these() -> None:
    for left in ORDER:
        needing = set(GRAPH.backwards_plan(left))
        assert set(lacking(key for key in ORDER if key not in needing)) == needing, left
