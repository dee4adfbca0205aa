"""The tables of an app in one step, for the migrations that new databases are made by."""

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import CreateModel
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState


class MakeTables(Operation):
    """Make several tables, in the order of their references.

    ``CreateModel`` on its own renders each model anew, and all that it is related to, before the
    next one is made: that is half of the time which a new database takes. Here they are rendered
    once for all of them. Foreign keys and indexes are made with the tables, not when the
    transaction is over as Django does: so that it notes the migration in the same transaction, and
    a first start that is killed can be repeated.
    """

    reversible = False

    def __init__(self, *tables: CreateModel) -> None:
        self.tables = tables

    def describe(self) -> str:
        """Say what is made, as ``migrate --plan`` shows it."""
        return f"Make the tables of {', '.join(table.name for table in self.tables)}"

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Add the models, and forget what is rendered: the next question renders all."""
        state.__dict__.pop("apps", None)
        for table in self.tables:
            table.state_forwards(app_label, state)

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        """Make the tables, then what refers from one to another."""
        for table in self.tables:
            table.database_forwards(app_label, schema_editor, from_state, to_state)
        for statement in schema_editor.deferred_sql:
            schema_editor.execute(statement, None)
        schema_editor.deferred_sql.clear()
