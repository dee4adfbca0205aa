"""Somebody with all rights over the database changes the log: the verifier names the place."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from apps.audit.actions import record, write_checkpoint
from apps.audit.errors import LogRewritten
from apps.audit.events import event_kind
from apps.audit.models import Checkpoint, Event, Tile
from apps.audit.queries import checkpoint_files, consistency, inclusion, tree, verify_database
from placet.kernel.actor import SYSTEM
from placet_verify.log import merkle
from tests.support.database import as_superuser

NOTED = event_kind("test.noted", "Noted")

pytestmark = pytest.mark.django_db


def sql(statement: str) -> None:
    with as_superuser(), connection.cursor() as cursor:
        cursor.execute(statement)


def grow(count: int) -> None:
    """Append ``count`` events."""
    with record(SYSTEM) as log:
        for n in range(count):
            log.add(NOTED, subject=f"s{n % 7}")


@pytest.fixture
def log(own_checkpoints: Callable[[], Path]) -> None:
    """A log of 600 events, signed at 300 and 600: two full tiles and a part of a third."""
    for _ in range(2):
        grow(300)
        assert write_checkpoint() is not None


@pytest.mark.usefixtures("log")
def test_an_untouched_log_is_intact_and_says_where_it_started(
    own_checkpoints: Callable[[], Path],
) -> None:
    found = verify_database(deep=True)
    assert found.ok
    assert found.report.size == 600
    assert found.report.tiles == Tile.objects.count() == 2
    assert found.report.heads == (300, 600)
    assert (found.started_from, found.started_size) == (str(own_checkpoints() / "latest.txt"), 600)


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(
    ("statement", "place"),
    [
        ("UPDATE audit_event SET body = replace(body, 's3', 's4') WHERE index = 10", "leaf 10"),
        ("UPDATE audit_event SET leaf_hash = sha256('x') WHERE index = 299", "leaf 299"),
        ("DELETE FROM audit_event WHERE index = 42", "leaf 42"),
        ("DELETE FROM audit_event WHERE index >= 590", "size"),
        (
            "UPDATE audit_tile SET hashes = set_byte(hashes, 40, 255 - get_byte(hashes, 40))"
            " WHERE index = 1",
            "tile 0/1",
        ),
        ("UPDATE audit_tile SET root = sha256('x') WHERE index = 1", "tile 0/1"),
        (
            "INSERT INTO audit_tile (level, index, hashes) SELECT 1, 0, string_agg(root, '' ORDER"
            " BY index) FROM audit_tile; UPDATE audit_tile SET root = sha256('x') WHERE index = 1",
            "tile 0/1",
        ),
        (
            "UPDATE audit_checkpoint SET note = replace(note, '600', '601') WHERE size = 600",
            "checkpoint 600",
        ),
        ("UPDATE audit_loghead SET size = 599", "size"),
    ],
)
def test_the_verifier_names_what_was_changed(statement: str, place: str) -> None:
    sql(statement)
    found = verify_database()
    assert found.fault is not None
    assert found.fault.place == place


@pytest.mark.usefixtures("log")
def test_a_body_changed_with_its_leaf_hash_tiles_and_checkpoints_is_still_found() -> None:
    """Whoever owns the database can make it agree with itself, but not with the kept file."""
    sql("UPDATE audit_event SET body = replace(body, 's3', 's4') WHERE index = 10")
    sql("UPDATE audit_event SET leaf_hash = sha256('\\x00'::bytea || convert_to(body, 'UTF8'))")
    sql("DELETE FROM audit_tile")
    sql("DELETE FROM audit_checkpoint")
    found = verify_database()
    assert found.fault is not None
    assert found.fault.place == "checkpoint 300"
    with pytest.raises(LogRewritten, match="not those that"):
        grow(1)
        write_checkpoint()


@pytest.mark.usefixtures("log")
def test_an_older_copy_of_the_database_is_noticed_and_not_signed() -> None:
    sql("DELETE FROM audit_event WHERE index >= 300")
    sql("DELETE FROM audit_checkpoint WHERE size > 300")
    sql("DELETE FROM audit_tile WHERE index > 0")
    sql("UPDATE audit_loghead SET size = 300")
    found = verify_database()
    assert found.fault is not None
    assert found.fault.sentence == "size: checkpoint says 600, the log has 300"
    grow(1)
    with pytest.raises(LogRewritten, match="was signed over 600"):
        write_checkpoint()
    assert Checkpoint.objects.order_by("-size")[0].size == 300


@pytest.mark.usefixtures("log")
def test_the_command_says_what_it_found_and_fails_at_a_fault(
    own_checkpoints: Callable[[], Path], tmp_path: Path
) -> None:
    out = StringIO()
    call_command("audit", "verify", stdout=out)
    assert f"starting from the checkpoint {own_checkpoints() / 'latest.txt'} (size 600)" in (
        out.getvalue()
    )
    assert "the log is intact" in out.getvalue()
    copy = tmp_path / "elsewhere.txt"
    copy.write_text((own_checkpoints() / "300.txt").read_text())
    out = StringIO()
    call_command("audit", "verify", "--checkpoint", str(copy), stdout=out)
    assert f"{copy} (size 300)" in out.getvalue()
    sql("UPDATE audit_event SET body = body || ' ' WHERE index = 77")
    with pytest.raises(CommandError, match="leaf 77"):
        call_command("audit", "verify", stdout=StringIO())


@pytest.mark.usefixtures("log")
def test_a_checkpoint_that_our_key_did_not_sign_is_no_start(
    own_checkpoints: Callable[[], Path], tmp_path: Path
) -> None:
    forged = tmp_path / "forged.txt"
    note = (own_checkpoints() / "600.txt").read_text()
    forged.write_text(note.replace("600", "601"))
    with pytest.raises(CommandError, match="not signed"):
        call_command("audit", "verify", "--checkpoint", str(forged), stdout=StringIO())


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize("earlier", [False, True], ids=["as-written", "by-an-earlier-release"])
def test_proofs_hold_before_and_after_tiles_are_written(earlier: bool) -> None:
    if earlier:
        sql("UPDATE audit_tile SET root = NULL")
    grow(5)
    assert verify_database().ok
    head = Checkpoint.objects.order_by("-size")[0]
    for index in (0, 255, 256, 511, 512, 599):
        proof = inclusion(index)
        steps = [bytes.fromhex(h) for h in proof.hashes]
        leaf = bytes(Event.objects.get(pk=index).leaf_hash)
        assert merkle.verify_inclusion(leaf, index, proof.size, steps, bytes(head.root))
    grown = consistency(300, 605)
    assert merkle.verify_consistency(
        300,
        605,
        bytes.fromhex(grown.old_root),
        bytes.fromhex(grown.new_root),
        [bytes.fromhex(h) for h in grown.hashes],
    )
    assert bytes.fromhex(grown.old_root) == bytes(Checkpoint.objects.get(size=300).root)
    leaves = [bytes(e.leaf_hash) for e in Event.objects.order_by("index")]
    assert merkle.range_root(0, 605, tree(605)) == merkle.root(leaves)


@pytest.mark.usefixtures("log")
def test_signing_again_changes_nothing_and_a_lost_file_comes_back(
    own_checkpoints: Callable[[], Path],
) -> None:
    assert write_checkpoint() is None
    note = (own_checkpoints() / "latest.txt").read_text()
    for file in own_checkpoints().iterdir():
        file.unlink()
    assert write_checkpoint() is None
    assert (own_checkpoints() / "latest.txt").read_text() == note
    assert checkpoint_files.kept_sizes() == [600]


@pytest.mark.usefixtures("log")
def test_old_checkpoint_files_are_thinned_out(
    own_checkpoints: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.audit.actions.checkpoint.KEEP_NEWEST", 3)
    for _ in range(5):
        grow(1)
        write_checkpoint()
    assert 4 <= len(checkpoint_files.kept_sizes()) <= 6
    assert checkpoint_files.kept_sizes()[-1] == 605
    assert verify_database().started_size == 605
