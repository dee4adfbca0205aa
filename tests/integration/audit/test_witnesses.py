"""Witnesses of the log: another Placet over HTTP, a folder, a bucket with object lock."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from pytest_django.live_server_helper import LiveServer

from apps.audit.actions import checkpoint as checkpoints
from apps.audit.actions import record, write_checkpoint
from apps.audit.actions import witnesses as actions
from apps.audit.actions.witnesses import add_witness, remove_witness, show_witnesses
from apps.audit.actions.witnessing import add_checkpoint, witness_log
from apps.audit.events import event_kind
from apps.audit.models import (
    Checkpoint,
    Cosignature,
    Event,
    Witness,
    WitnessedHead,
    WitnessState,
)
from apps.audit.queries import consistency, inclusion, latest_checkpoint
from apps.audit.queries.proofs import cosigned_note, latest_cosigned
from apps.audit.queries.witnesses import own_keys
from apps.monitoring.models import Alert
from placet.config import config
from placet.kernel.actor import ANONYMOUS, SYSTEM
from placet.kernel.clock import now
from placet.kernel.problems import Forbidden, InvalidInput, Problem
from placet.keystore import root_public, signer
from placet_verify import checkpoint, cosignature, merkle, submission
from placet_verify.cosignature import WitnessKey
from placet_verify.keys import PrivateKey
from tests.bucket import NAME, S3

pytestmark = pytest.mark.django_db(transaction=True)
GROWN = event_kind("test.grown", "Grew")


def grow(count: int) -> Checkpoint:
    """Append events and sign them."""
    with record(SYSTEM) as log:
        for n in range(count):
            log.add(GROWN, subject=f"s{n % 7}")
    made = write_checkpoint()
    assert made is not None
    return made


def restore(size: int, *, kept_too: Path | None = None) -> None:
    """Put the log back to an older copy of itself; with the files beside it, where named."""
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("DELETE FROM audit_event WHERE index >= %s", [size])
        cursor.execute("DELETE FROM audit_checkpoint WHERE size > %s", [size])
        cursor.execute("DELETE FROM audit_cosignature WHERE size > %s", [size])
        cursor.execute("DELETE FROM audit_tile WHERE (index + 1) * 256 > %s", [size])
        cursor.execute("UPDATE audit_loghead SET size = %s", [size])
        cursor.execute("UPDATE audit_witnessstate SET size = %s", [size])
        cursor.execute("SET session_replication_role = origin")
        cursor.execute("SET ROLE placet_app")
    if kept_too is not None:
        for path in kept_too.iterdir():
            path.unlink()
    actions._asked.clear()  # the process starts again


def due() -> None:
    """Let every witness's time have come."""
    WitnessState.objects.update(next_at=now() - timedelta(seconds=1))


def show() -> dict[str, str]:
    due()
    return show_witnesses()


@pytest.fixture(autouse=True)
def _fresh(own_checkpoints: Callable[[], Path]) -> None:
    actions._asked.clear()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(config(), "witness_dir", tmp_path / "witnesses")
    path = tmp_path / "witnesses" / "vault"
    path.mkdir(parents=True)
    return path


@pytest.fixture
def other(live_server: LiveServer) -> Witness:
    """Another Placet, reached over HTTP, that was told of this log."""
    witness_log(key=own_keys().log_key, actor=SYSTEM)
    return add_witness(
        name="other", kind="http", address=f"{live_server.url}/witness",
        key=own_keys().witness_key, actor=SYSTEM,
    )  # fmt: skip


class TestAnotherPlacet:
    def test_it_cosigns_each_checkpoint_and_whoever_knows_its_key_sees_it(
        self, other: Witness
    ) -> None:
        for count in (3, 300, 1):
            head = grow(count)
            assert show() == {}
            state = WitnessState.objects.get(pk=other.pk)
            assert (state.size, state.fault, state.error) == (head.size, "", "")
        signed = checkpoint.verify(cosigned_note(head), checkpoints.signer("log").public)
        assert cosignature.quorum(signed, [WitnessKey.parse(other.key)], 1)
        assert latest_cosigned() == head
        assert WitnessedHead.objects.get().size == head.size

    def test_proofs_are_against_the_newest_checkpoint_that_it_cosigned(
        self, other: Witness
    ) -> None:
        first = grow(5)
        show()
        grow(5)
        assert inclusion(2).size == first.size
        assert other.key.partition("+")[0] in inclusion(2).note
        assert inclusion(first.size + 2).size > first.size

    def test_an_old_copy_of_the_database_is_noticed_and_the_gap_is_named(
        self, other: Witness, own_checkpoints: Callable[[], Path],
        run_jobs: Callable[..., int],
    ) -> None:  # fmt: skip
        grow(8)
        show()
        old = Event.objects.count()
        head = grow(400)
        show()
        restore(old, kept_too=own_checkpoints())
        found = show()[other.pk]
        assert f"Witness other saw {head.size:,} events at 20" in found
        assert f"this database has {old}" in found
        assert f"events {old} to {head.size - 1:,} ({head.size - old} of them) are missing" in found
        event = Event.objects.order_by("-index")[0]
        assert event.kind == "witness.ahead.v1"
        assert show()[other.pk] == found, "it is said once, and stays"
        assert Event.objects.filter(kind="witness.ahead.v1").count() == 1

    def test_an_old_copy_that_went_on_shows_another_history(
        self, other: Witness, own_checkpoints: Callable[[], Path]
    ) -> None:
        old = grow(8).size
        head = grow(40)
        show()
        restore(old, kept_too=own_checkpoints())
        grow(80)
        assert "another history" in show()[other.pk]
        assert f"first {head.size} events" in show()[other.pk]
        assert Cosignature.objects.filter(size__gt=head.size).count() == 0
        assert WitnessedHead.objects.get().size == head.size

    def test_two_servers_with_one_key_do_not_both_get_a_cosignature(
        self, other: Witness, own_checkpoints: Callable[[], Path]
    ) -> None:
        """The second has another log of the same size, signed with the same key."""
        head = grow(9)
        show()
        twin = checkpoint.make(
            checkpoints.origin(), head.size, merkle.leaf_hash(b"another"), signer("log")
        )
        reply = add_checkpoint(submission.write(head.size, [], twin))
        assert reply.status == 409
        assert "Content-Type" not in reply.headers
        assert WitnessedHead.objects.get().fork == twin
        assert Event.objects.filter(kind="witnessed_log.forked.v1").count() == 1
        add_checkpoint(submission.write(head.size, [], twin))
        assert Event.objects.filter(kind="witnessed_log.forked.v1").count() == 1

    def test_one_that_does_not_know_the_log_says_so_and_is_asked_again(
        self, live_server: LiveServer
    ) -> None:
        row = add_witness(name="new", kind="http", address=f"{live_server.url}/witness",
                          key=own_keys().witness_key, actor=SYSTEM)  # fmt: skip
        grow(1)
        show()
        state = WitnessState.objects.get(pk=row.pk)
        assert "does not know this log" in state.error
        assert state.attempts == 1
        assert state.next_at > now()
        witness_log(key=own_keys().log_key, actor=SYSTEM)
        show()
        state.refresh_from_db()
        assert (state.error, state.attempts) == ("", 0)
        assert state.size > 0

    def test_an_answer_by_another_key_counts_for_nothing(self, live_server: LiveServer) -> None:
        witness_log(key=own_keys().log_key, actor=SYSTEM)
        stranger = WitnessKey("stranger", PrivateKey.generate().public)
        row = add_witness(name="odd", kind="http", address=f"{live_server.url}/witness",
                          key=str(stranger), actor=SYSTEM)  # fmt: skip
        grow(1)
        show()
        assert "not signed by the key" in WitnessState.objects.get(pk=row.pk).error
        assert not Cosignature.objects.exists()

    def test_one_that_is_away_waits_longer_from_time_to_time(self) -> None:
        row = add_witness(name="away", kind="http", address="http://localhost:9",
                          key=own_keys().witness_key, actor=SYSTEM)  # fmt: skip
        grow(1)
        waits = []
        for _ in range(9):
            show()
            state = WitnessState.objects.get(pk=row.pk)
            waits.append(round((state.next_at - now()).total_seconds()))
        assert waits == sorted(waits)
        assert waits[-1] <= actions.LONGEST_WAIT
        assert state.attempts == 9

    def test_the_job_opens_one_alert(
        self, other: Witness, own_checkpoints: Callable[[], Path]
    ) -> None:
        from workers.tasks.audit import witnesses

        old = grow(8).size
        grow(40)
        show()
        restore(old, kept_too=own_checkpoints())
        due()
        witnesses(None)  # type: ignore[arg-type]  # the handler asks its job nothing
        due()
        witnesses(None)  # type: ignore[arg-type]
        alert = Alert.objects.get(kind="log_fault")
        assert alert.subject == other.pk
        assert "are missing" in alert.summary


class TestTheWitnesssDoor:
    @pytest.fixture
    def log(self) -> Iterator[Callable[..., Any]]:
        """A log of others with its own key; returns how it asks for a cosignature."""
        key = PrivateKey.generate()
        witness_log(key=checkpoint.verifier_key("example.com/log", key.public), actor=SYSTEM)
        leaves = [merkle.leaf_hash(bytes([n])) for n in range(50)]

        def ask(old: int, size: int, **other: Any) -> Any:
            signer_, proof_of = other.get("signer", key), other.get("proof_of", (old, size))
            hashes = merkle.consistency_proof(*sorted(proof_of), merkle.source_of(leaves))
            root = other.get("root", merkle.root(leaves[:size]))
            note = checkpoint.make(other.get("origin", "example.com/log"), size, root, signer_)
            body = submission.write(old, other.get("hashes", hashes), note)
            return Client().post("/witness/add-checkpoint", body, content_type="text/plain")

        yield ask

    def test_it_answers_as_the_protocol_says(self, log: Callable[..., Any]) -> None:
        first = log(0, 7)
        assert first.status_code == 200
        assert first.content.decode().startswith(f"— placet.dev/witness/{root_public().id} ")
        assert log(7, 20).status_code == 200
        behind = log(7, 30)
        assert (behind.status_code, behind.content) == (409, b"20\n")
        assert behind["Content-Type"] == "text/x.tlog.size"
        assert "GMT" in behind["Last-Modified"]
        assert log(20, 20).status_code == 200, "the same once more is cosigned anew"
        assert log(0, 10).status_code == 409, "a shrink"
        assert log(20, 30, proof_of=(19, 30)).status_code == 422
        assert log(20, 30, root=merkle.leaf_hash(b"fork")).status_code == 422
        assert log(20, 20, root=merkle.leaf_hash(b"fork")).status_code == 409
        assert log(31, 30, hashes=[]).status_code == 400
        assert log(20, 30, origin="example.com/other").status_code == 404
        assert log(20, 30, signer=PrivateKey.generate()).status_code == 403
        assert log(20, 30).status_code == 200
        assert WitnessedHead.objects.get().size == 30

    def test_it_needs_no_sign_in_and_writes_no_event_for_a_cosignature(
        self, log: Callable[..., Any]
    ) -> None:
        """Two that witness each other would write events about each other for ever."""
        before = Event.objects.count()
        assert log(0, 7).status_code == 200
        assert Event.objects.count() == before

    def test_of_two_at_a_time_one_is_refused(
        self, log: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        log(0, 7)
        from apps.audit.actions import witnessing

        seen = witnessing._seen

        def slow(origin: str) -> WitnessedHead:
            found = seen(origin)
            monkeypatch.setattr(witnessing, "_seen", seen)
            assert log(7, 20).status_code == 200  # another request, between look and record
            return found

        monkeypatch.setattr(witnessing, "_seen", slow)
        late = log(7, 15)
        assert (late.status_code, late.content) == (409, b"20\n")
        assert WitnessedHead.objects.get().size == 20

    def test_what_was_seen_is_remembered_when_the_log_is_taken_away_and_added_again(
        self, log: Callable[..., Any]
    ) -> None:
        from apps.audit.actions.witnessing import forget_log
        from apps.audit.models import WitnessedLog

        log(0, 7)
        row = WitnessedLog.objects.get()
        forget_log(row.pk, actor=SYSTEM)
        assert log(7, 8).status_code == 404
        witness_log(key=row.key, actor=SYSTEM)
        assert log(0, 5).content == b"7\n"


class TestWhatOnlyKeeps:
    def test_a_folder_has_every_checkpoint_it_was_shown_and_names_the_gap(
        self, folder: Path, own_checkpoints: Callable[[], Path]
    ) -> None:
        row = add_witness(name="vault", kind="file", address="vault", actor=SYSTEM)
        old = grow(8).size
        assert show() == {}
        newest = grow(40)
        assert show() == {}
        assert sorted(p.name for p in folder.iterdir()) == sorted(
            [f"{old}.txt", f"{newest.size}.txt"]
        )
        assert (folder / f"{newest.size}.txt").read_text() == newest.note
        restore(old, kept_too=own_checkpoints())
        assert f"events {old} to {newest.size - 1}" in show()[row.pk]
        grow(80)
        assert "another history" in show()[row.pk]

    def test_a_note_that_somebody_else_put_there_counts_for_nothing(self, folder: Path) -> None:
        add_witness(name="vault", kind="file", address="vault", actor=SYSTEM)
        (folder / "999999.txt").write_text(
            checkpoint.make(checkpoints.origin(), 999_999, merkle.EMPTY_ROOT, PrivateKey.generate())
        )
        (folder / "7777777.txt").write_text("nothing")
        head = grow(3)
        assert show() == {}
        assert (folder / f"{head.size}.txt").exists()

    def test_a_folder_that_lost_what_it_held_is_an_error_and_no_fresh_start(
        self, folder: Path
    ) -> None:
        row = add_witness(name="vault", kind="file", address="vault", actor=SYSTEM)
        grow(3)
        show()
        for path in folder.iterdir():
            path.unlink()
        grow(3)
        show()
        assert "not there any more" in WitnessState.objects.get(pk=row.pk).error

    def test_a_bucket_with_object_lock_keeps_what_nobody_can_remove(
        self, bucket_server: S3, own_checkpoints: Callable[[], Path]
    ) -> None:
        from botocore.exceptions import ClientError

        from placet.kernel.buckets import client

        s3 = client(bucket_server.address(bucket="locked"))
        s3.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
        where = f"s3://locked/log?endpoint_url={bucket_server.url}&region=us-east-1"
        row = add_witness(name="locked", kind="s3", address=where, retain_days=30, actor=SYSTEM)
        old = grow(8).size
        assert show() == {}
        newest = grow(40)
        assert show() == {}
        assert WitnessState.objects.get(pk=row.pk).error == ""
        versions = s3.list_object_versions(Bucket="locked")["Versions"]
        assert len(versions) == 2
        assert versions[0]["Key"].endswith(f"-{newest.size}"), "the newest comes first"
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.delete_object(
                Bucket="locked", Key=versions[0]["Key"], VersionId=versions[0]["VersionId"]
            )
        s3.delete_object(Bucket="locked", Key=versions[0]["Key"])  # hides it from who lists
        restore(old, kept_too=own_checkpoints())
        assert f"events {old} to {newest.size - 1}" in show()[row.pk]

    def test_a_bucket_without_object_lock_is_refused(self, bucket_server: S3) -> None:
        where = f"s3://{NAME}/log?endpoint_url={bucket_server.url}&region=us-east-1"
        row = add_witness(name="plain", kind="s3", address=where, actor=SYSTEM)
        grow(1)
        show()
        state = WitnessState.objects.get(pk=row.pk)
        assert state.size == 0
        assert state.error.startswith("The bucket")


class TestAdministration:
    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"name": "A b"}, "name"), ({"name": ""}, "name"), ({"name": "x" * 61}, "name"),
            ({"kind": "ftp"}, "kind"), ({"kind": ""}, "kind"),
            ({"address": "http://witness.example"}, "address"),
            ({"address": "https://u:p@witness.example"}, "address"),
            ({"address": "https://"}, "address"), ({"address": "https://w.example/?x"}, "address"),
            ({"address": "https://[::1"}, "address"), ({"address": "https://w e"}, "address"),
            ({"address": "file:///etc"}, "address"), ({"address": "https://w:99999"}, "address"),
            ({"address": "https://w.example/" + "x" * 500}, "address"),
            ({"key": ""}, "key"), ({"key": "name+0+AAAA"}, "key"),
            ({"kind": "file", "address": "../etc", "key": ""}, "address"),
            ({"kind": "file", "address": "/etc", "key": ""}, "address"),
            ({"kind": "file", "address": "vault"}, "key"),
            ({"kind": "s3", "address": "s3://"}, "address"),
            ({"kind": "s3", "address": "file:///x", "key": ""}, "address"),
            ({"kind": "s3", "address": "s3://bkt?endpoint_url=http://10.0.0.1", "key": ""},
             "address"),
            ({"kind": "s3", "address": "s3://bkt", "key": "", "retain_days": 0}, "retain_days"),
        ],
    )  # fmt: skip
    def test_what_is_wrong_is_named_by_its_field(self, wrong: dict[str, Any], field: str) -> None:
        right = {"name": "w", "kind": "http", "address": "https://witness.example/w",
                 "key": own_keys().witness_key}  # fmt: skip
        with pytest.raises(InvalidInput) as caught:
            add_witness(**{**right, **wrong}, actor=SYSTEM)
        assert [fault.pointer for fault in caught.value.errors] == [f"/{field}"]

    def test_a_name_and_a_key_are_taken_once(self, folder: Path) -> None:
        add_witness(name="w", kind="file", address="vault", actor=SYSTEM)
        with pytest.raises(Problem, match="name"):
            add_witness(name="w", kind="file", address="vault", actor=SYSTEM)
        witness_log(key=own_keys().log_key, actor=SYSTEM)
        with pytest.raises(Problem, match="already"):
            witness_log(key=own_keys().log_key, actor=SYSTEM)
        with pytest.raises(InvalidInput):
            witness_log(key=own_keys().witness_key, actor=SYSTEM)

    def test_nobody_without_the_permission_adds_one(self) -> None:
        with pytest.raises(Forbidden):
            add_witness(name="w", kind="file", address="vault", actor=ANONYMOUS)

    def test_a_witness_that_was_removed_is_shown_nothing_and_its_cosignatures_stay(
        self, other: Witness
    ) -> None:
        head = grow(3)
        show()
        remove_witness(other.pk, actor=SYSTEM)
        grow(3)
        assert show() == {}
        assert WitnessedHead.objects.get().size == head.size
        assert Cosignature.objects.get().size == head.size

    def test_the_log_rebuilds_what_was_added(self, other: Witness, folder: Path) -> None:
        from tests.rebuild import assert_log_rebuilds_every_row

        add_witness(name="vault", kind="file", address="vault", actor=SYSTEM)
        remove_witness(other.pk, actor=SYSTEM)
        assert assert_log_rebuilds_every_row() >= 2


def test_a_log_without_witnesses_has_the_proofs_that_it_had() -> None:
    head = grow(4)
    assert inclusion(1).note == head.note
    assert consistency(1, head.size).new == head.size
    assert latest_checkpoint() == head
