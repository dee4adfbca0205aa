"""Migrations as they were before the squashed ones, and what a database that knows some lacks."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock

from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

Key = tuple[str, str]
# The last migration of each app that the previous release (proofs/upgrade.py names its commit) has.
RELEASED = {
    "assurance": 3,
    "audit": 10,
    "builds": 4,
    "governance": 8,
    "identity": 7,
    "integrations": 1,
    "jobs": 2,
    "monitoring": 11,
    "registry": 5,
    "rollouts": 5,
    "serving": 4,
}


class Originals(MigrationLoader):
    """Finds every migration but those that replace others."""

    newest: Mapping[str, int] = {}  # the number of the last one that an app has; else it has all

    def load_disk(self) -> None:
        """Leave out what replaces others, and have what needs it need the last that it replaces."""
        super().load_disk()
        found = self.disk_migrations
        last = {key: found[key].replaces[-1] for key in found if found[key].replaces}
        self.disk_migrations = {
            (app, name): migration
            for (app, name), migration in found.items()
            if (app, name) not in last and int(name[:4]) <= self.newest.get(app, 9999)
        }
        for migration in self.disk_migrations.values():
            migration.dependencies = [last.get(key, key) for key in migration.dependencies]


def executor(connection: Any) -> MigrationExecutor:
    """Return what goes to and fro between the migrations that were replaced."""
    found = MigrationExecutor(connection)
    found.loader = Originals(connection)
    return found


@contextmanager
def knowing(applied: Iterable[Key]) -> Iterator[Any]:
    """Yield a connection, good for loaders alone, to a database that has applied these."""
    known = dict.fromkeys(applied)
    with mock.patch.object(MigrationRecorder, "applied_migrations", lambda self: dict(known)):
        yield object()


def lacking(applied: Iterable[Key]) -> list[Key]:
    """Return what ``migrate`` would run on a database that has applied these, in its order.

    For a migration that replaces others these are named.
    """
    with knowing(applied) as connection:
        loader = MigrationLoader(connection)
        loader.check_consistent_history(connection)
    done, found = set(loader.applied_migrations), []
    for leaf in loader.graph.leaf_nodes():
        for key in loader.graph.forwards_plan(leaf):
            if key not in done:
                done.add(key)
                found += loader.graph.nodes[key].replaces or [key]
    return found
