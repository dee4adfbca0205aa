"""Old events go into files that prove themselves; what is held, needed or unsent stays."""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client

from apps.assurance.actions import archive_events, lift_hold, place_hold, set_retention
from apps.assurance.actions import archiving as actions
from apps.assurance.errors import HoldLifted, HoldNameTaken, NotTheOwner, OwnHold
from apps.assurance.models import LegalHold
from apps.assurance.queries.retention import archive_files, get_archive, missing_files
from apps.audit.actions import export_folder, record, write_checkpoint
from apps.audit.actions.witnesses import add_witness
from apps.audit.errors import Archived, ArchiveOvertaken, NothingToArchive
from apps.audit.events import event_kind
from apps.audit.models import Archive, ArchivedLeaf, Event, WitnessState
from apps.audit.queries import consistency, event_detail, inclusion, replay, verify_database
from apps.audit.queries.fsck import fsck
from apps.identity.actions import create_project, update_project
from apps.identity.models import Project
from apps.integrations.actions import add_stream, rewind_stream
from apps.integrations.models import Stream
from apps.integrations.queries import next_batch
from apps.integrations.rules import StreamTerms
from apps.operations.backup.database import recomputed, snapshot
from apps.registry.actions import collect_blobs
from apps.registry.store import store
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from placet.kernel.config import config
from placet.kernel.problems import Forbidden, InvalidInput, NotFound
from placet_client.cli import main as placet
from placet_verify.__main__ import main as verifier
from placet_verify.errors import Refused
from placet_verify.log import archived_events, merkle
from tests.support import factories
from tests.support.commands import become
from tests.support.database import owning_tables
from tests.support.factories import actor_of, browser, person
from tests.support.processes import owner_url
from tests.support.world import World

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parents[3]
NOTED = event_kind("test.written", "Written")
OTHER = "ver_" + "0" * 32
CODE = """
import django; django.setup()
from apps.assurance.actions import archive_events
from placet.kernel.actor import SYSTEM
list(archive_events(actor=SYSTEM))
"""


@pytest.fixture(autouse=True)
def _fresh(own_checkpoints: Callable[[], Path]) -> None:
    own_checkpoints()


@pytest.fixture
def old(monkeypatch: pytest.MonkeyPatch) -> Project:
    """A log of which all is older than the rule: a project that changed, and notes about it."""
    project = create_project(slug="risk", name="Risk", actor=SYSTEM)
    for number in range(5):
        update_project(project, name=f"Risk {number}", actor=SYSTEM)
    note(600, project.pk)
    set_retention(days=30, actor=SYSTEM)
    later(monkeypatch)
    write_checkpoint()
    return project


def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let half a year pass for who archives."""
    passed = now() + timedelta(days=180)
    monkeypatch.setattr(actions, "database_now", lambda: passed)


def note(count: int, project: str = "", subject: str = "") -> None:
    with record(SYSTEM) as log:
        for number in range(count):
            log.add(NOTED, subject=subject or f"s{number % 7}", project=project or None)


def archive() -> list[Archive]:
    with owning_tables():
        return list(archive_events(actor=SYSTEM))


def file_of(row: Archive, to: Path) -> Path:
    with store().open_verified(row.file) as stream:
        to.write_bytes(stream.read())
    return to


class TestWhatGoes:
    def test_bodies_go_into_a_file_and_every_proof_stays_what_it_was(
        self, old: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        before = {e.index: (bytes(e.leaf_hash), e.body) for e in Event.objects.all()}
        proof, size = inclusion(100), len(before)
        states = replay()
        (row,) = archive()
        gone = before.keys() - set(Event.objects.values_list("pk", flat=True))
        assert row.count == len(gone) > 600
        assert set(ArchivedLeaf.objects.values_list("pk", flat=True)) == gone
        assert inclusion(100).leaf_hash == proof.leaf_hash
        assert inclusion(100).hashes == proof.hashes
        assert consistency(3, size).new == size
        event = Event.objects.order_by("-index")[0]
        assert event.kind == "audit.archived.v1"
        assert json.loads(event.body)["data"] == {
            "count": row.count,
            "first": row.first,
            "last": row.last,
            "file": row.file,
        }
        write_checkpoint()
        found = fsck()
        assert found.ok, (found.log.fault, found.faults)
        assert found.log.report.bodies == Event.objects.count()
        assert list(missing_files()) == []
        after = {key: state for key, state in replay().items() if "archive" not in key}
        assert after == states, "the log alone still gives every row"
        file = file_of(row, tmp_path / "old.zip")
        with zipfile.ZipFile(file) as content:
            held = dict(archived_events.events(content))
        assert held == {i: before[i][1] for i in gone}
        root = config().keys / "root.pub"
        command = ["archive", str(file), "--root", str(root)]
        assert verifier([*command, "--event", "100"]) == 0
        said = capsys.readouterr().out
        assert before[100][1] in said
        assert f"{row.count} events, {row.first} to {row.last}" in said
        assert verifier([*command, "--event", str(size + 9)]) == 1

    def test_the_newest_state_of_every_row_and_what_vouches_for_access_stay(
        self, old: Project
    ) -> None:
        who = person("Ann", {"admin": None})
        write_checkpoint()
        archive()
        kinds = set(Event.objects.values_list("kind", flat=True))
        assert "test.written.v1" not in kinds
        assert {"person.created.v1", "role.granted.v1"} <= kinds
        updates = Event.objects.filter(kind="project.updated.v1")
        assert [json.loads(e.body)["subject"] for e in updates] == [old.pk]
        assert not Event.objects.filter(kind="project.created.v1").exists()
        assert actor_of(who).can("access.manage")

    def test_nothing_younger_than_the_rule_and_nothing_without_one(
        self, old: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.undo()
        with pytest.raises(NothingToArchive):
            archive()
        assert not Archive.objects.exists()

    def test_without_a_rule_nothing_goes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        note(3)
        write_checkpoint()
        later(monkeypatch)
        with pytest.raises(NothingToArchive, match="No rule"):
            archive()

    def test_what_came_after_the_checkpoint_stays(self, old: Project) -> None:
        note(5, subject="late")
        archive()
        assert Event.objects.filter(subject="late").count() == 5

    def test_a_second_run_goes_on_where_the_first_ended(
        self, old: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("apps.audit.queries.archived.MOST", 250)
        rows = archive()
        assert [row.count for row in rows[:2]] == [250, 250]
        assert len(rows) == 3
        assert not Event.objects.filter(kind="test.written.v1").exists()
        with pytest.raises(NothingToArchive):
            archive()
        write_checkpoint()
        assert fsck().ok


class TestHolds:
    def test_a_hold_keeps_what_mentions_its_subject_until_another_person_lifts_it(
        self, old: Project
    ) -> None:
        aude, alma = (person(n, {"auditor": None}) for n in ("Aude", "Alma"))
        other = create_project(slug="other", name="Other", actor=SYSTEM)
        note(20, other.pk)
        note(10, other.pk, subject=OTHER)
        write_checkpoint()
        hold = place_hold(
            name="case-1", scope="object", subject=OTHER, reason="a letter", actor=actor_of(aude)
        )
        archive()
        kept = Event.objects.filter(kind="test.written.v1")
        assert kept.count() == 10
        assert {e.subject for e in kept} == {OTHER}
        with pytest.raises(OwnHold):
            lift_hold(hold.pk, reason="done", actor=actor_of(aude))
        with pytest.raises(NothingToArchive):
            archive()
        lift_hold(hold.pk, reason="done", actor=actor_of(alma))
        with pytest.raises(HoldLifted):
            lift_hold(hold.pk, reason="done", actor=actor_of(alma))
        write_checkpoint()
        (row,) = archive()
        assert row.count >= 10
        assert not kept.all().exists()
        write_checkpoint()
        assert fsck().ok

    @pytest.mark.parametrize("scope", ["project", "person", "everything"])
    def test_each_scope_holds(self, old: Project, scope: str) -> None:
        dana = person("Dana")
        subject = {"project": "risk", "person": dana.pk, "everything": ""}[scope]
        with record(actor_of(dana)) as log:
            for _ in range(4):
                log.add(NOTED, subject="theirs")
        write_checkpoint()
        place_hold(name="case-2", scope=scope, subject=subject, reason="x", actor=SYSTEM)
        if scope == "everything":
            with pytest.raises(NothingToArchive, match="keeps everything"):
                archive()
            return
        archive()
        notes = Event.objects.filter(kind="test.written.v1")
        assert notes.filter(project=old.pk).count() == (600 if scope == "project" else 0)
        assert notes.filter(subject="theirs").count() == (4 if scope == "person" else 0)

    def test_a_hold_that_comes_while_the_file_is_written_is_kept(
        self, old: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = actions._store

        def slow(made: Any) -> Any:
            filed = real(made)
            place_hold(name="case-3", scope="project", subject="risk", reason="x", actor=SYSTEM)
            return filed

        monkeypatch.setattr(actions, "_store", slow)
        before = Event.objects.count()
        with pytest.raises(ArchiveOvertaken):
            archive()
        assert Event.objects.count() == before + 1
        assert not Archive.objects.exists()

    def test_what_a_hold_may_be(self, old: Project) -> None:
        def place(**more: str) -> LegalHold:
            said = {"name": "case-9", "scope": "everything", "reason": "x", **more}
            return place_hold(**said, actor=SYSTEM)  # type: ignore[arg-type]

        for wrong in (
            {"name": "Case 9"},
            {"scope": "planet"},
            {"subject": "risk"},
            {"reason": " "},
            {"scope": "project", "subject": "none"},
            {"scope": "person", "subject": "per_1"},
            {"scope": "object", "subject": "%"},
            {"scope": "object", "subject": OTHER + "\n"},
        ):
            with pytest.raises(InvalidInput):
                place(**wrong)
        place()
        with pytest.raises(HoldNameTaken):
            place()
        for days in (0, 29, 36_501):
            with pytest.raises(InvalidInput):
                set_retention(days=days, actor=SYSTEM)

    def test_why_it_was_placed_stands_in_no_event(self, old: Project) -> None:
        place_hold(name="case-4", scope="everything", reason="a secret letter", actor=SYSTEM)
        assert not Event.objects.filter(body__contains="a secret letter").exists()


class TestWhoFollows:
    def test_what_a_stream_has_not_sent_stays(self, old: Project) -> None:
        stream = add_stream(
            name="siem", terms=StreamTerms("jsonl", "https://siem.example"), start=0, actor=SYSTEM
        )
        with pytest.raises(NothingToArchive, match="stream siem has only the first 0 events"):
            archive()
        Stream.objects.update(cursor=300)
        archive()
        assert not Event.objects.filter(kind="test.written.v1", index__lt=300).exists()
        assert Event.objects.filter(kind="test.written.v1", index__gte=300).count() > 200
        rewind_stream(stream, index=0, actor=SYSTEM)
        stream.refresh_from_db()
        batch = next_batch(stream)
        assert batch is not None
        assert [leaf.index for leaf in batch.leaves] == list(range(len(batch.leaves)))
        archived = set(ArchivedLeaf.objects.values_list("pk", flat=True))
        for leaf in batch.leaves:
            assert (leaf.body is None) is (leaf.index in archived)

    def test_a_stream_of_a_project_holds_nothing_and_goes_on_with_the_hashes(
        self, old: Project
    ) -> None:
        """Whoever manages streams of one project does not decide for the log of all."""
        terms = StreamTerms("jsonl", "https://siem.example")
        stream = add_stream(name="siem", terms=terms, project=old, start=0, actor=SYSTEM)
        archive()
        archived = set(ArchivedLeaf.objects.values_list("pk", flat=True))
        assert len(archived) > 600
        leaves = []
        while len(leaves) < Event.objects.count() + len(archived):
            batch = next_batch(stream)
            assert batch is not None
            leaves += batch.leaves
            stream.cursor += len(batch.leaves)
        assert [leaf.index for leaf in leaves] == list(range(len(leaves)))
        hashes = dict(ArchivedLeaf.objects.values_list("pk", "leaf_hash"))
        whole = dict(Event.objects.filter(project=old.pk).values_list("pk", "body"))
        assert whole and {leaf.index for leaf in leaves if leaf.body is not None} == whole.keys()
        for leaf in leaves:
            assert leaf.body == whole.get(leaf.index)
            assert leaf.leaf_hash == bytes(hashes.get(leaf.index, leaf.leaf_hash))

    def test_what_a_witness_was_not_shown_stays(self, old: Project) -> None:
        row = add_witness(name="vault", kind="file", address="vault", actor=SYSTEM)
        with pytest.raises(NothingToArchive, match="witness vault has only the first 0 events"):
            archive()
        WitnessState.objects.filter(pk=row.pk).update(size=200)
        archive()
        assert Event.objects.filter(kind="test.written.v1", index__gte=200).count() > 300
        assert not Event.objects.filter(kind="test.written.v1", index__lt=200).exists()


class TestBadDays:
    @pytest.mark.parametrize(
        ("point", "done"),
        [
            ("assurance.after_archive_file", False),
            ("before_commit.audit.archived.v1", False),
            ("after_commit.audit.archived.v1", True),
        ],
    )
    def test_killed_at_any_point_nothing_is_lost_or_half_done(
        self, tmp_path: Path, point: str, done: bool
    ) -> None:
        note(30)
        note(1)
        set_retention(days=30, actor=SYSTEM)
        write_checkpoint()
        before = Event.objects.count()
        armed = tmp_path / "armed"
        armed.mkdir()
        (armed / point).touch()
        code = CODE.replace(
            "list(",
            "from datetime import timedelta\nfrom placet.kernel.clock import now\n"
            "from apps.assurance.actions import archiving\n"
            "archiving.database_now = lambda: now() + timedelta(days=99)\nlist(",
        )
        environment = {
            **os.environ,
            "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}",
            "DJANGO_SETTINGS_MODULE": "placet.settings",
            "PLACET_DATABASE_URL": owner_url(),
            "PLACET_DATA_DIR": str(config().data_dir),
            "PLACET_KEYS_DIR": str(config().keys),
            "PLACET_CRASH_FOLDER": str(armed),
        }
        ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
        assert ended.returncode == -9, ended.stderr
        assert Archive.objects.exists() is done
        assert ArchivedLeaf.objects.exists() is done
        write_checkpoint()
        assert fsck().ok
        assert (Event.objects.count() < before) is done

    def test_only_the_role_that_owns_the_tables_archives(self, old: Project) -> None:
        with pytest.raises(NotTheOwner):
            list(archive_events(actor=SYSTEM))

    @pytest.mark.parametrize(
        "statement",
        [
            "INSERT INTO audit_archivedleaf SELECT index, leaf_hash, 'arc_1' FROM audit_event",
            "DELETE FROM audit_archive",
            "UPDATE audit_archive SET count = 0",
            "DELETE FROM audit_archivedleaf",
            "TRUNCATE audit_archivedleaf",
            "DELETE FROM audit_event",
        ],
    )
    def test_the_application_neither_archives_nor_forgets_what_was(
        self, old: Project, statement: str
    ) -> None:
        archive()
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)

    def test_the_owner_deletes_no_event_that_no_archive_holds(self, old: Project) -> None:
        with (
            owning_tables(),
            pytest.raises(DatabaseError),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute("DELETE FROM audit_event WHERE index = 3")

    def test_an_event_that_is_hidden_among_the_archived_ones_is_found(self, old: Project) -> None:
        (row,) = archive()
        write_checkpoint()
        index = Event.objects.order_by("index").values_list("pk", flat=True)[0]
        with owning_tables(), connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO audit_archivedleaf SELECT index, leaf_hash, %s FROM audit_event"
                " WHERE index = %s",
                [row.pk, index],
            )
            cursor.execute("DELETE FROM audit_event WHERE index = %s", [index])
        assert verify_database().ok, "the tree is as it was signed"
        (place, *_) = [fault.place for fault in fsck().faults]
        assert place == f"archive {row.pk}"

    def test_a_leaf_that_is_gone_and_a_file_that_is_gone_are_named(self, old: Project) -> None:
        (row,) = archive()
        write_checkpoint()
        store().delete(row.file)
        assert [fault.place for fault in missing_files()] == [f"archive {row.pk}"]
        with owning_tables(), connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
            cursor.execute("DELETE FROM audit_archivedleaf WHERE index = 100")
            cursor.execute("SET session_replication_role = origin")
        fault = verify_database().fault
        assert fault is not None
        assert fault.place == "leaf 100"

    def test_its_file_is_never_collected_and_is_in_every_backup(
        self, old: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (row,) = archive()
        digest = row.file.removeprefix("sha256:")
        assert archive_files([digest, "00"]) == {digest}
        monkeypatch.setattr(
            "apps.registry.actions.collecting.database_now", lambda: now() + timedelta(days=90)
        )
        for _ in range(2):
            collect_blobs(actor=SYSTEM)
        assert store().exists(row.file)
        with snapshot(owner_url()) as found:
            assert found.blobs[digest] == row.bytes
        with psycopg.connect(owner_url()) as direct:
            assert recomputed(direct)[0] == Event.objects.count() + ArchivedLeaf.objects.count()


class TestTheFile:
    def test_any_change_of_it_is_refused(self, old: Project, tmp_path: Path) -> None:
        (row,) = archive()
        file = file_of(row, tmp_path / "old.zip")
        with zipfile.ZipFile(file) as content:
            good = {name: content.read(name) for name in content.namelist()}
        changes = {
            archived_events.EVENTS: [
                lambda b: b.replace(b'\\"salt\\"', b'\\"Salt\\"', 1),
                lambda b: b[b.index(b"\n") + 1 :],
                lambda b: b + b.splitlines(keepends=True)[0],
                lambda b: b + b"{}\n",
                lambda b: b"".join(sorted(b.splitlines(keepends=True), reverse=True)),
            ],
            archived_events.CHECKPOINT: [lambda b: b.replace(b"\n", b"\r\n", 1), lambda b: b[:-5]],
            archived_events.KEYS: [lambda b: b[:-2]],
            archived_events.ABOUT: [
                lambda b: b.replace(b'"count": ', b'"count": 1'),
                lambda b: b"{}",
                lambda b: b.replace(b'"first": ', b'"first": 1'),
            ],
        }
        tiles = [name for name in good if name.startswith("tile/")]
        assert len(tiles) >= 4
        for name in tiles:
            changes[name] = [lambda b: b[:-1] + bytes((b[-1] ^ 1,)), lambda b: b[:-32]]
        for name, ways in changes.items():
            for way in ways:
                changed = tmp_path / "changed.zip"
                with zipfile.ZipFile(changed, "w") as content:
                    for member, body in good.items():
                        content.writestr(member, way(body) if member == name else body)
                with pytest.raises(Refused):
                    archived_events.verify(changed)
        for name in good:
            if name != archived_events.ROOT:
                lacking = tmp_path / "lacking.zip"
                with zipfile.ZipFile(lacking, "w") as content:
                    for member, body in good.items():
                        if member != name:
                            content.writestr(member, body)
                with pytest.raises(Refused):
                    archived_events.verify(lacking)
        (tmp_path / "text.zip").write_text("no")
        with pytest.raises(Refused):
            archived_events.verify(tmp_path / "text.zip")
        newer = bytearray(file.read_bytes())
        newer[newer.index(b"PK\x01\x02") + 6] = 99  # the version that is needed to read it: 9.9
        (tmp_path / "newer.zip").write_bytes(newer)
        with pytest.raises(Refused, match="no archive of events"):
            archived_events.verify(tmp_path / "newer.zip")
        assert archived_events.verify(file).about.count == row.count

    @pytest.mark.parametrize("size", [1, 3, 255, 256, 257, 512, 700])
    def test_of_a_log_of_any_size(
        self, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        note(size - 1)
        set_retention(days=30, actor=SYSTEM)  # its newest state stays
        head = write_checkpoint()
        assert head is not None and head.size == size
        later(monkeypatch)
        if size == 1:
            with pytest.raises(NothingToArchive):
                archive()
            return
        (row,) = archive()
        assert row.count == size - 1
        found = archived_events.verify(file_of(row, tmp_path / "old.zip"))
        assert found.head.root == bytes(head.root) != merkle.EMPTY_ROOT


class TestReaders:
    def test_an_archived_event_says_where_it_is_to_who_reads_the_whole_log(
        self, old: Project
    ) -> None:
        (row,) = archive()
        aude = person("Aude", {"auditor": None})
        reader = person("Rita", {"auditor": old})
        with pytest.raises(Archived, match=row.file):
            event_detail(100, actor_of(aude))
        with pytest.raises(NotFound):
            event_detail(100, actor_of(reader))
        client = browser(aude)
        page = client.get("/audit/100/").content.decode()
        assert "This event was archived" in page
        assert row.file.removeprefix("sha256:")[:8] in page
        assert browser(reader).get("/audit/100/").status_code == 404
        shown = client.get("/audit/retention/").content.decode()
        assert f"/api/v1/audit/archives/{row.pk}/file" in shown

    def test_over_the_api(self, old: Project) -> None:
        (row,) = archive()
        aude = person("Aude", {"auditor": None})
        client = Client(headers={"Authorization": f"Bearer {factories.token_for(aude)}"})
        gone = client.get("/api/v1/audit/events/100")
        assert (gone.status_code, gone.json()["code"]) == (410, "archived")
        assert row.file in gone.json()["detail"]
        assert client.get("/api/v1/audit/events/100/proof").status_code == 200
        assert client.get("/api/v1/audit/events/100/tlog-proof").status_code == 410
        leaves = client.get("/api/v1/audit/leaves?from=98&limit=5").json()["items"]
        assert [leaf["index"] for leaf in leaves] == [98, 99, 100, 101, 102]
        assert {leaf["body"] for leaf in leaves} == {None}
        file = client.get(f"/api/v1/audit/archives/{row.pk}/file")
        assert b"".join(file.streaming_content)[:2] == b"PK"  # type: ignore[arg-type]
        taken = Event.objects.order_by("-index")[0]
        assert (taken.kind, taken.actor_id) == ("audit.exported.v1", aude.pk)

    def test_an_export_holds_the_leaves_of_what_was_archived(
        self, old: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        archive()
        export_folder(tmp_path / "export", actor=SYSTEM)
        assert verifier(["log", str(tmp_path / "export"), "--bodies"]) == 0
        hidden = ArchivedLeaf.objects.count()
        assert f"{hidden} known by their hash alone" in capsys.readouterr().out

    def test_from_the_command_line(
        self,
        world: World,
        live_server: Any,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        note(40)
        world.people["Sia"] = person("Sia", {"admin": None, "auditor": None})
        become(world, "Sia", live_server.url, monkeypatch)

        def told(*command: str) -> Any:
            assert placet(["audit", *command, "-o", "json"]) == 0
            return json.loads(capsys.readouterr().out)

        assert told("retention", "show")["days"] is None
        assert told("retention", "set", "60")["days"] == 60
        made = told("hold", "place", "case-1", "everything", "--reason", "a letter")
        assert told("hold", "list")[0]["reason"] == "a letter"
        assert placet(["audit", "hold", "lift", made["id"], "--reason", "x"]) == 3
        capsys.readouterr()
        lift_hold(made["id"], reason="x", actor=SYSTEM)
        write_checkpoint()
        later(monkeypatch)
        rows = archive()
        assert [found["id"] for found in told("archive", "list")] == [r.pk for r in rows[::-1]]
        file = tmp_path / "old.zip"
        assert placet(["audit", "archive", "save", rows[0].pk, str(file)]) == 0
        assert archived_events.verify(file).about.count == rows[0].count

    def test_by_the_operators_command(
        self, old: Project, capsys: pytest.CaptureFixture[str]
    ) -> None:
        call_command("audit", "archive", "--dry-run")
        assert "would go into the first file, 0 to" in capsys.readouterr().out
        assert not Archive.objects.exists()
        with pytest.raises(CommandError, match="Only the role that owns"):
            call_command("audit", "archive", "--as-owner")
        with owning_tables():
            call_command("audit", "archive", "--as-owner")
        row = Archive.objects.get()
        assert f"{row.count} events, {row.first} to {row.last}, are in {row.file}" in (
            capsys.readouterr().out
        )
        write_checkpoint()
        call_command("audit", "fsck")
        store().delete(row.file)
        with pytest.raises(CommandError, match="1 things differ"):
            call_command("audit", "fsck")

    def test_who_may_not_see_it(self, old: Project) -> None:
        (row,) = archive()
        with pytest.raises(Forbidden):
            get_archive(row.pk, actor_of(person("Ann", {"admin": None})))
        with pytest.raises(NotFound):
            get_archive("arc_none", actor_of(person("Aude", {"auditor": None})))
