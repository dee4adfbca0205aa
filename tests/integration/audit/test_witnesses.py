"""Witnesses of the log: another Placet over HTTP, a folder, a bucket with object lock."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_django.live_server_helper import LiveServer

from apps.audit.actions import checkpoint as checkpoints
from apps.audit.actions import witnesses as actions
from apps.audit.actions.cosigning import add_checkpoint, witness_log
from apps.audit.actions.witnesses import add_witness
from apps.audit.models import (
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
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from placet.kernel.keystore import signer
from placet_verify.log import checkpoint, cosignature, merkle, submission
from placet_verify.log.cosignature import WitnessKey
from placet_verify.signing.keys import PrivateKey
from tests.support.bucket import NAME, S3
from tests.support.nodes import SimulatedNode
from tests.support.witnesses import due, grow, restore, show

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _fresh(own_checkpoints: Callable[[], Path]) -> None:
    actions._asked.clear()


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
        self,
        other: Witness,
        own_checkpoints: Callable[[], Path],
        run_jobs: Callable[..., int],
    ) -> None:
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
        row = add_witness(
            name="new",
            kind="http",
            address=f"{live_server.url}/witness",
            key=own_keys().witness_key,
            actor=SYSTEM,
        )
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
        row = add_witness(
            name="odd",
            kind="http",
            address=f"{live_server.url}/witness",
            key=str(stranger),
            actor=SYSTEM,
        )
        grow(1)
        show()
        assert "not signed by the key" in WitnessState.objects.get(pk=row.pk).error
        assert not Cosignature.objects.exists()

    def test_one_that_claims_a_size_no_log_has_stops_nobody_else(
        self, other: Witness, folder: Path
    ) -> None:
        vault = add_witness(name="vault", kind="file", address="vault", actor=SYSTEM)
        head = grow(3)
        WitnessedHead.objects.create(origin=checkpoints.origin(), size=2**60, root=b"r" * 32)
        show()
        assert "none that a log has" in WitnessState.objects.get(pk=other.pk).error
        assert WitnessState.objects.get(pk=vault.pk).size == head.size

    def test_one_that_is_away_waits_longer_from_time_to_time(self) -> None:
        row = add_witness(
            name="away",
            kind="http",
            address="http://localhost:9",
            key=own_keys().witness_key,
            actor=SYSTEM,
        )
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

        from placet.kernel.s3 import client

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


def test_a_node_that_holds_more_of_the_log_raises_an_alert_that_names_what_is_missing(
    own_checkpoints: Callable[[], Path], node: SimulatedNode
) -> None:
    from apps.monitoring.reconciler import watch_endpoints

    old, newer = grow(1).size, grow(30)
    node.checkpoint = newer.note
    restore(old, kept_too=own_checkpoints())
    assert node.report().status_code == 200
    size = Event.objects.count()
    for _ in range(2):
        watch_endpoints()
    alert = Alert.objects.get(kind="log_fault")
    assert alert.subject == node.id
    assert f"holds a checkpoint over {newer.size} events" in alert.summary
    assert f"events {size} to {newer.size - 1}" in alert.summary


def test_a_checkpoint_that_a_node_made_up_raises_no_alert(
    own_checkpoints: Callable[[], Path], node: SimulatedNode
) -> None:
    from apps.monitoring.reconciler import watch_endpoints

    node.checkpoint = checkpoint.make(
        checkpoints.origin(), 10**6, merkle.EMPTY_ROOT, PrivateKey.generate()
    )
    node.report()
    watch_endpoints()
    assert not Alert.objects.filter(kind="log_fault").exists()


def test_a_log_without_witnesses_has_the_proofs_that_it_had() -> None:
    head = grow(4)
    assert inclusion(1).note == head.note
    assert consistency(1, head.size).new == head.size
    assert latest_checkpoint() == head
