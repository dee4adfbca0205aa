"""``audit fsck``: what was done to the log, and what does not agree with it."""

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from apps.audit.actions import record, write_checkpoint
from apps.audit.actions.cosigning import witness_log
from apps.audit.models import Checkpoint, Cosignature
from apps.audit.queries.fsck import fsck
from apps.identity.events import PROJECT_UPDATED
from apps.identity.models import Project, User
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from placet_verify.log import cosignature
from placet_verify.log.checkpoint import verifier_key
from placet_verify.signing.keys import PrivateKey
from tests.integration.audit.test_tampering import grow, sql
from tests.support.factories import person, project, team

pytestmark = pytest.mark.django_db
SWAP = """
UPDATE audit_event e SET body = o.body, leaf_hash = o.leaf_hash
FROM audit_event o WHERE (e.index, o.index) IN (({0}, {1}), ({1}, {0}))
"""
COPY = """
UPDATE audit_event e SET body = o.body, leaf_hash = o.leaf_hash FROM audit_event o
WHERE e.index = {0} AND o.index = {1}
"""
REHASHED = """
UPDATE audit_event
SET body = forged, leaf_hash = sha256('\\x00'::bytea || convert_to(forged, 'UTF8'))
FROM (SELECT replace(body, 'test.noted', 'test.moted') AS forged FROM audit_event WHERE index = 100)
WHERE index = 100
"""


@pytest.fixture
def log(own_checkpoints: Callable[[], Path]) -> None:
    """A log of 600 events and more, signed: two full tiles and a part of a third."""
    ada = person("Ada", {"viewer": project("risk")})
    team("Crew", ada)
    witness_log(key=verifier_key("example.com/log", PrivateKey.generate().public), actor=SYSTEM)
    grow(600)
    assert write_checkpoint() is not None


@pytest.mark.usefixtures("log")
def test_a_database_that_nobody_touched_is_as_its_log_says() -> None:
    found = fsck()
    assert found.faults == []
    assert found.ok
    out = StringIO()
    call_command("audit", "fsck", stdout=out)
    assert "everything is as it says" in out.getvalue()


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(
    ("statement", "place", "how"),
    [
        (
            "UPDATE audit_event SET body = replace(body, 'test', 'text') WHERE index = 100",
            "leaf 100",
            "changed: its body",
        ),
        (
            "UPDATE audit_event SET leaf_hash = sha256('x') WHERE index = 100",
            "leaf 100",
            "changed: its leaf hash",
        ),
        (REHASHED, "leaf 100", "re-inserted: with another body"),
        ("DELETE FROM audit_event WHERE index = 100", "leaf 100", "deleted"),
        (
            "DELETE FROM audit_event WHERE index = 100;"
            "UPDATE audit_event SET index = -index WHERE index > 100;"
            "UPDATE audit_event SET index = -index - 1 WHERE index < 0",
            "leaf 100",
            "deleted: what was logged at leaf 101 stands",
        ),
        (SWAP.format(100, 200), "leaf 100", "swapped: with leaf 200"),
        (SWAP.format(100, 400), "leaf 100", "swapped: with leaf 400"),
        (COPY.format(100, 50), "leaf 100", "re-inserted: it is a copy of leaf 50"),
        ("DELETE FROM audit_event WHERE index >= 590", "size", "cut"),
    ],
)
def test_it_says_which_leaf_and_what_was_done_to_it(statement: str, place: str, how: str) -> None:
    sql(statement)
    found = fsck()
    assert found.log.fault is not None
    assert found.log.fault.place == place
    assert found.how.startswith(how)
    with pytest.raises(CommandError, match="NOT intact"):
        call_command("audit", "fsck", stdout=StringIO())


@pytest.mark.usefixtures("log")
def test_a_row_that_was_changed_added_or_removed_past_placet_is_named() -> None:
    ada = User.objects.get(name="Ada")
    sql(f"UPDATE identity_user SET is_active = false WHERE id = '{ada.pk}'")
    sql("DELETE FROM identity_teammember")
    sql("INSERT INTO identity_team (id, name, created_at) VALUES ('tea_forged', 'x', now())")
    places = {fault.place: fault.sentence for fault in fsck().faults}
    assert len(places) == 3
    assert "is_active is False, the log says True" in places[f"row identity.user:{ada.pk}"]
    assert "does not have it" in places["row identity.team:tea_forged"]
    gone = next(said for place, said in places.items() if "teammember" in place)
    assert "the row is gone" in gone
    with pytest.raises(CommandError, match="3 things"):
        call_command("audit", "fsck", stdout=StringIO())


@pytest.mark.usefixtures("log")
def test_a_name_that_was_changed_is_compared_with_its_commitment() -> None:
    sql("UPDATE identity_user SET name = 'Eve' WHERE name = 'Ada'")
    (fault,) = fsck().faults
    assert "name is 'Eve', the log says 'Ada'" in fault.sentence


@pytest.mark.usefixtures("log")
def test_a_column_that_came_since_a_rows_last_event_has_what_it_came_with() -> None:
    project("old")
    with record(SYSTEM) as log:
        log.add(PROJECT_UPDATED, Project.objects.get(slug="old"))
        for key in log.entries[0].after:
            del log.entries[0].after[key]["artifact_quota"]
    assert fsck().faults == []
    sql("UPDATE identity_project SET artifact_quota = 5 WHERE slug = 'old'")
    (fault,) = fsck().faults
    assert "artifact_quota is 5, the log says 0" in fault.sentence


@pytest.mark.usefixtures("log")
def test_a_column_that_no_longer_comes_from_the_body_is_named() -> None:
    """Who owns the table can make a generated column a plain one."""
    sql("ALTER TABLE audit_event ALTER COLUMN subject DROP EXPRESSION")
    sql("UPDATE audit_event SET subject = 'other' WHERE index = 300")
    (fault,) = fsck().faults
    assert fault.place == "leaf 300"


@pytest.mark.usefixtures("log")
def test_a_cosignature_that_the_witness_did_not_make_is_named() -> None:
    head, key = Checkpoint.objects.get(), PrivateKey.generate()
    witness = cosignature.WitnessKey("w", key.public)
    signed = cosignature.sign("another text", "w", key, int(now().timestamp()))
    Cosignature.objects.create(size=head.size, key=str(witness), line=signed, at=now())
    Cosignature.objects.create(
        size=head.size + 1, key=str(witness), line=signed, at=now() - timedelta(days=1)
    )
    faults = fsck().faults
    assert [fault.place for fault in faults] == [
        f"cosignature {head.size}",
        f"cosignature {head.size + 1}",
    ]
    assert "not by the witness w" in faults[0].sentence
