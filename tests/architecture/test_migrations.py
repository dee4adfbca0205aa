"""Migrations that old code may serve through: they add, and take nothing away."""

import importlib
import pkgutil
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps as django_apps
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.migrations.loader import MigrationLoader

from tests.support.migrations import Originals, knowing, lacking

# What the previous release (proofs/upgrade.py names its commit) knows already.
RELEASED = {
    "audit": 4, "identity": 2, "jobs": 2, "registry": 1, "builds": 2, "serving": 2,
    "governance": 2, "monitoring": 2, "rollouts": 2, "assurance": 0, "console": 0,
}  # fmt: skip
# Tables that grow with every request: an index on them is made CONCURRENTLY.
GROWING = {"event", "evidence", "artifactfile", "buildline", "job", "window", "sealedtext"}
# Anything else, when somebody thought about old code that still runs: the migration and why it
# does no harm.
THOUGHT_ABOUT: dict[str, str] = {
    "identity.0004_credential_changes": "functions and triggers that count; what old code writes"
    " goes through as before",
    "monitoring.0006_stable_down": "the name of one more kind of alert, nothing in the database;"
    " old code shows it by its name and leaves it to the new code to end it",
    "audit.0007_timestamps": "triggers on a table that old code does not know",
    "audit.0008_archives": "triggers on tables that old code does not know, and one on events that"
    " refuses old code all that the one before it refused; a row goes only by the new command",
    "audit.0010_event_filters": "what a function costs, for the planner alone; old code's questions"
    " are answered as before, and sooner",
    "assurance.0003_retention": "a constraint of a table that it makes",
    "assurance.0001_initial": "constraints of the tables that it makes",
    "assurance.0002_receipts_stay": "a function and a trigger on a table that old code does not"
    " know",
    "governance.0007_break_glass": "two tables, and a trigger on one of them, that old code does"
    " not know; it starts nothing by them, for to it a gate that has not passed has not passed",
    "governance.0009_target_uses": "rows of a table that old code does not know, and their events,"
    " which old code reads as any others; what old code puts on a target after that is refused by"
    " the new code until somebody lists it",
    "monitoring.0011_recall": "the name of one more kind of alert, as before",
    "monitoring.0008_drill_failed": "the name of one more kind of alert, as before; old code would"
    " have a person wait for it to end by itself",
    "monitoring.0010_stream_lag": "the name of one more kind of alert, as before",
    "registry.0005_declarations": "a function and a trigger on a table that old code does not know",
    "identity.0004_squashed_0007_position": "what it replaces, in one step",
    "assurance.0001_squashed_0003_retention": "what it replaces, in one step",
    "rollouts.0003_steps": "one state more, and the same uniqueness told by the other states: old"
    " code leaves a rollout that waits alone, and opens no second one beside it",
    "rollouts.0004_analyses": "a table, and one state more that old code leaves alone as well",
    "rollouts.0005_drills": "two tables, and one state more that old code leaves alone: a drill"
    " that new code began is brought back by new code, which runs beside it",
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
    assert taken.pop("identity") == 2  # allauth needs its first, and its second allauth's tables
    assert set(taken.values()) == {1}


def test_a_database_that_stopped_anywhere_goes_on_with_the_rest() -> None:
    for at in range(len(ORDER) + 1):
        assert sorted(lacking(ORDER[:at])) == sorted(ORDER[at:]), at


def test_a_database_that_lacks_one_and_what_needs_it_goes_on_with_these() -> None:
    for left in ORDER:
        needing = set(GRAPH.backwards_plan(left))
        assert set(lacking(key for key in ORDER if key not in needing)) == needing, left
