"""Enters the environments that there are into the lists of the targets that they use.

Each entry has its event, as if the system had made it, so that the log alone gives the rows still.
"""

import base64
import os
from typing import Any

import rfc8785
from django.db import migrations
from django.utils import timezone

from placet_verify.log.merkle import leaf_hash

KIND = "target.use_added.v1"
TAKE_PLACES = """
UPDATE audit_loghead SET size = size + %s WHERE id = 1
RETURNING size - %s, to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
"""
INSERT = """INSERT INTO audit_event ("index", body, leaf_hash) VALUES (%s, %s, %s)"""


def forward(apps: Any, schema_editor: Any) -> None:
    """Add an entry for each target that an environment is on, or has endpoints on."""
    use = apps.get_model("serving", "TargetUse")
    known = set(use.objects.values_list("target", "project", "environment"))
    moment = timezone.now()
    rows = [
        use(target_id=target, project_id=project, environment=name, created_by="system",
            created_at=moment)
        for target, project, name in sorted(_used(apps) - known)
    ]
    if not rows:
        return
    use.objects.bulk_create(rows)
    _log(schema_editor.connection, list(use.objects.filter(pk__in=[row.pk for row in rows])))


def _used(apps: Any) -> set[tuple[str, str, str]]:
    environments = apps.get_model("governance", "Environment").objects.exclude(targets=None)
    endpoints = apps.get_model("serving", "Endpoint").objects.all()
    return {
        *environments.values_list("targets", "project", "name"),
        *endpoints.values_list("target", "project", "environment"),
    }


def _log(connection: Any, rows: list[Any]) -> None:
    """Append the events, in this form for good: what writes them later may change."""
    with connection.cursor() as cursor:
        cursor.execute(TAKE_PLACES, [len(rows), len(rows)])
        first, at = cursor.fetchone()
        for index, row in enumerate(rows, first):
            body = rfc8785.dumps(_body(row, at)).decode()
            cursor.execute(INSERT, [index, body, leaf_hash(body.encode())])


def _body(row: Any, at: str) -> dict[str, Any]:
    state = {
        "id": row.pk, "target_id": row.target_id, "project_id": row.project_id,
        "environment": row.environment, "created_by": row.created_by,
        "created_at": f"{row.created_at:%Y-%m-%dT%H:%M:%S.%fZ}",
    }
    return {
        "v": 1,
        "kind": KIND,
        "at": at,
        "actor_id": "system",
        "actor": {"kind": "system", "id": "system", "accountable": "system", "token": None},
        "cause": {"request": None, "job": None},
        "subject": row.target_id,
        "project": row.project_id,
        "environment": row.environment,
        "after": {f"serving.targetuse:{row.pk}": state},
        "data": {"whom": f"{row.environment} of a project"},
        "salt": base64.b64encode(os.urandom(16)).decode(),
    }


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [
        ("audit", "0010_event_filters"),
        ("serving", "0005_target_uses"),
        ("governance", "0008_standing"),
    ]

    operations = [migrations.RunPython(forward, migrations.RunPython.noop)]
