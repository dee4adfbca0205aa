"""A database that is away or full: a clear answer, nothing half done, and on with it afterwards."""

import os
import pwd
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import OperationalError, connection
from django.test import Client

from apps.audit.models import Event
from apps.identity.models import IdempotencyRecord
from apps.registry.models import RegisteredModel
from placet.embedded.postgres import SHARED, SYSTEM_USER
from placet_protocol.cookies import SESSION
from tests.support.factories import api, person, project

TABLE = RegisteredModel._meta.db_table


def go_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on no statement reaches the database."""

    def gone(*_args: object, **_kwargs: object) -> None:
        raise OperationalError("connection to secret-host failed")

    monkeypatch.setattr(connection, "cursor", gone)


@pytest.mark.django_db
def test_a_program_is_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    client: Any = api(person("Ada", {"contributor": project("risk")}))
    client.raise_request_exception = False
    with monkeypatch.context() as patch:
        go_away(patch)
        answer = client.get("/projects")
    assert (answer.status_code, answer["Content-Type"]) == (503, "application/problem+json")
    assert answer.json()["code"] == "database_unavailable"
    assert int(answer["Retry-After"]) > 0
    assert b"secret-host" not in answer.content


def test_a_person_gets_a_page_that_needs_no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(raise_request_exception=False)
    client.cookies[SESSION] = "x" * 32
    with monkeypatch.context() as patch:
        go_away(patch)
        answer = client.get("/models/")
    assert answer.status_code == 503
    assert b"The database is not responding" in answer.content
    assert b"secret-host" not in answer.content


@pytest.fixture
def small_disk(transactional_db: None) -> Iterator[Path]:
    """The models' table on a disk of 256 kB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    name = f"small_{uuid4().hex[:8]}"
    place = SHARED / name
    place.mkdir(parents=True)
    owner = pwd.getpwnam(SYSTEM_USER)
    options = f"size=256k,uid={owner.pw_uid},gid={owner.pw_gid},mode=0700"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], check=True)
    try:
        as_owner(
            f"CREATE TABLESPACE {name} LOCATION '{place}'",
            f"ALTER TABLE {TABLE} SET TABLESPACE {name}",
            f"TRUNCATE {TABLE} CASCADE",
        )  # rows that other tests took back leave room, which VACUUM keeps while a snapshot is open
        yield place
        (place / "filler").unlink(missing_ok=True)
        as_owner(f"ALTER TABLE {TABLE} SET TABLESPACE pg_default", f"DROP TABLESPACE {name}")
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)
        place.rmdir()


def as_owner(*statements: str) -> None:
    """Run statements as the superuser, outside Django's connection."""
    known = connection.get_connection_params()
    wanted = {k: known[k] for k in ("host", "port", "user", "password", "dbname") if k in known}
    with psycopg.connect(**wanted, autocommit=True) as own:
        for statement in statements:
            own.execute(statement.encode())


def fill(place: Path) -> None:
    """Take every byte that is left."""
    with (place / "filler").open("wb", buffering=0) as file:
        try:
            while file.write(b"\0" * 1024):
                pass
        except OSError:
            return


def test_a_full_disk_is_said_leaves_nothing_and_is_got_over(small_disk: Path) -> None:
    risk = project("risk")
    ada: Any = api(person("Ada", {"contributor": risk}))
    headers = {"Idempotency-Key": "one"}
    events = Event.objects.count()
    fill(small_disk)
    answer = ada.post("/projects/risk/models", {"name": "churn"}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (507, "database_full")
    assert "make room" in answer.json()["detail"]
    assert Event.objects.count() == events
    assert not RegisteredModel.objects.exists()
    assert not IdempotencyRecord.objects.exists()
    (small_disk / "filler").unlink()
    again = ada.post("/projects/risk/models", {"name": "churn"}, headers=headers)
    assert again.status_code == 201
    assert Event.objects.count() == events + 1
