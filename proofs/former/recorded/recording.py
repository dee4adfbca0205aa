"""Writes down what there is: every table, the log, a bundle, and what nodes sent."""

import json
import shutil
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from apps.audit.actions.export import export_folder
from apps.audit.queries import kept
from apps.audit.models import Event
from apps.audit.queries.events import sentence
from apps.governance.models import Release
from apps.serving.models import DesiredState
from placet.keystore import keys_document, ring
from placet_agent.home import Home
from placet_agent.trust import Trust
from tests.bundled import auditor, files_of, taken
from tests.factories import actor_of
from tests.nodes import SimulatedNode

# Events are in the log; jobs come and go; Django makes the others by itself.
NOT_RECORDED = {
    "audit_event",
    "jobs_job",
    "django_migrations",
    "django_content_type",
    "django_session",
    "auth_permission",
}
TABLES = """
SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
ORDER BY relname
"""
Sent = list[dict[str, Any]]


def every_report(patch: pytest.MonkeyPatch) -> Sent:
    """Keep what each node sends as a report from now on, with what it was answered."""
    sent: Sent = []
    call = SimulatedNode.call

    def kept_call(
        self: SimulatedNode, method: str, path: str, body: bytes = b"", **more: Any
    ) -> Any:
        answer = call(self, method, path, body, **more)
        if path == "/agent/v1/report":
            sent.append(
                {
                    "node": self.id,
                    "public_key": self.key.public.to_base64(),
                    "status": answer.status_code,
                    "envelope": body.decode(),
                }
            )
        return answer

    patch.setattr(SimulatedNode, "call", kept_call)
    return sent


def write(folder: Path, release: Release, reports: Sent) -> None:
    """Write all of it into a folder that is not there yet."""
    folder.mkdir(parents=True)
    for name, content in files_of(taken(release)).items():
        (folder / "release" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "release" / name).write_bytes(content)
    export_folder(folder / "log", actor=actor_of(auditor()))
    shutil.copytree(kept.folder(), folder / "checkpoints")
    lines(folder / "sentences.jsonl", sentences())
    lines(folder / "verdicts.jsonl", verdicts(folder / "node"))
    lines(folder / "reports.jsonl", [*{form(report): report for report in reports}.values()])
    (folder / "tables").mkdir()
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        for (name,) in cursor.fetchall():
            if name not in NOT_RECORDED:
                cursor.execute(f'SELECT row_to_json(t) FROM "{name}" t ORDER BY 1::text')
                if rows := [row if isinstance(row, dict) else json.loads(row) for (row,) in cursor]:
                    lines(folder / "tables" / f"{name}.jsonl", rows)


def sentences() -> Sent:
    """Return what the API says of each event."""
    bodies = Event.objects.order_by("index").values_list("index", "body")
    events = ((index, json.loads(body)) for index, body in bodies)
    return [{"index": i, "sentence": sentence(event["kind"], event["data"])} for i, event in events]


def verdicts(folder: Path) -> Sent:
    """Return what a node of this release says of every revision that its state has; '' when it
    runs it."""
    targets: Sent = []
    for row in DesiredState.objects.exclude(envelope="").order_by("target"):
        home = Home(folder)
        home.make()
        trust = Trust(home, row.target_id, ring().root, keys)
        state = trust.open_state(row.envelope)
        reasons = {
            name: "" if one.allowed else one.reason for name, one in trust.judge(state).items()
        }
        targets.append({"target": row.target_id, "verdicts": reasons})
        shutil.rmtree(folder)
    return targets


def keys() -> dict[str, Any]:
    """Return the keys as the platform tells nodes of them."""
    root = ring().root.to_base64()
    return {"v": 1, "root_public": root, "keys": json.loads(keys_document())}


def form(report: dict[str, Any]) -> str:
    """Name what is special about a report: one of each is enough."""
    payload = json.loads(b64decode(json.loads(report["envelope"])["payload"]))
    phases = sorted({row["phase"] for row in payload["revisions"]})
    return f"{report['status']} {[name for name, value in payload.items() if value]} {phases}"


def lines(path: Path, rows: Sent) -> None:
    """Write one line of JSON for each row."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
