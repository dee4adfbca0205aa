"""Checkpoints stamped with the time by a real authority, kept, shown, and checked by strangers."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from django.db import DatabaseError, connection, transaction

from apps.audit.actions import export_folder
from apps.audit.actions import timestamps as actions
from apps.audit.actions.timestamps import stamp_checkpoints
from apps.audit.models import Checkpoint, Event, Timestamp, TimestampState
from apps.audit.queries import timestamps as stamps
from apps.audit.queries.fsck import fsck
from apps.monitoring.models import Alert
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from placet.kernel.config import config
from placet.kernel.keystore import signer
from placet_client.cli import main as placet
from placet_verify.__main__ import main as verifier
from placet_verify.log import checkpoint, merkle
from placet_verify.time import timestamp
from placet_verify.time.chains import read_pinned
from tests.support import factories
from tests.support.commands import become
from tests.support.factories import browser
from tests.support.processes import database_url
from tests.support.timestamps import Server, StampAuthority, openssl_accepts
from tests.support.witnesses import grow
from tests.support.world import World

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parents[3]
CODE = """
import django; django.setup()
from apps.audit.actions.timestamps import stamp_checkpoints
stamp_checkpoints()
"""


@pytest.fixture
def authority(tmp_path: Path) -> StampAuthority:
    return StampAuthority(tmp_path / "authority")


@pytest.fixture
def server(
    authority: StampAuthority, own_checkpoints: object, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Server]:
    """The authority at work, named in the settings."""
    with authority.serve() as told:
        monkeypatch.setattr(config(), "timestamp_authorities", [authority.named(told.url)])
        yield told


def due() -> None:
    TimestampState.objects.update(next_at=now() - timedelta(seconds=1))


def owner(statement: str, *values: object) -> None:
    """Change rows past the triggers, as whoever owns the database can."""
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(statement, values)
        cursor.execute("SET session_replication_role = origin")
        cursor.execute("SET ROLE placet_app")


class TestAsking:
    def test_the_newest_checkpoint_is_stamped_once_and_no_oftener_than_named(
        self, server: Server, authority: StampAuthority, tmp_path: Path
    ) -> None:
        head = grow(3)
        assert stamp_checkpoints() == {}
        row = Timestamp.objects.get()
        assert (row.size, row.authority) == (head.size, "tsa")
        assert abs(row.at - now()) < timedelta(seconds=30)
        reply = timestamp.reply_of(bytes(row.token))
        assert openssl_accepts(reply, head.note.encode(), authority.ca, tmp_path)
        state = TimestampState.objects.get()
        assert (state.size, state.at, state.error) == (head.size, row.at, "")
        assert timedelta(minutes=59) < state.next_at - now() <= timedelta(hours=1)
        grow(1)
        stamp_checkpoints()
        assert len(server.queries) == 1, "its turn has not come"
        due()
        stamp_checkpoints()
        assert len(server.queries) == 2
        due()
        stamp_checkpoints()
        assert len(server.queries) == 2, "nothing is new"

    def test_before_the_first_checkpoint_and_without_an_authority_nobody_is_asked(
        self, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert stamp_checkpoints() == {}
        grow(1)
        monkeypatch.setattr(config(), "timestamp_authorities", [])
        assert stamp_checkpoints() == {}
        assert server.queries == []
        assert not TimestampState.objects.exists()

    def test_nobody_is_asked_inside_a_transaction(self, server: Server) -> None:
        grow(1)
        asked: list[bool] = []
        real = actions.outbound.post

        def post(*args: Any, **kwargs: Any) -> Any:
            asked.append(connection.in_atomic_block)
            return real(*args, **kwargs)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(actions.outbound, "post", post)
            stamp_checkpoints()
        assert asked == [False]

    @pytest.mark.parametrize(
        ("answer", "said"),
        [
            ((503, b"later"), "It answered 503"),
            ((302, b""), "It answered 302"),
            ((200, b"<html>"), "no time stamp"),
            ((200, b"x" * 70_000), "bytes"),
        ],
    )
    def test_what_is_no_stamp_is_asked_for_again_later_and_later(
        self, server: Server, answer: tuple[int, bytes], said: str
    ) -> None:
        head = grow(1)
        server.always = answer
        waits = []
        for attempt in range(8):
            due()
            assert stamp_checkpoints() == {}
            state = TimestampState.objects.get()
            assert said in state.error
            assert state.attempts == attempt + 1
            waits.append(round((state.next_at - now()).total_seconds()))
        assert waits == sorted(waits)
        assert waits[-1] <= 3600
        assert not Timestamp.objects.exists()
        server.always = None
        due()
        stamp_checkpoints()
        state.refresh_from_db()
        assert (state.attempts, state.error, state.size) == (0, "", head.size)

    def test_an_earlier_answer_and_a_strangers_count_for_nothing(
        self, server: Server, authority: StampAuthority, tmp_path: Path
    ) -> None:
        head = grow(1)
        query = timestamp.request(head.note.encode(), nonce=5)
        server.stale = authority.reply(query)
        stamp_checkpoints()
        assert "answers another request" in TimestampState.objects.get().error
        stranger = StampAuthority(tmp_path / "stranger")
        server.stale = stranger.reply(query)
        due()
        stamp_checkpoints()
        assert "does not lead to the one pinned" in TimestampState.objects.get().error
        assert not Timestamp.objects.exists()

    def test_a_missing_certificate_is_named(
        self, server: Server, authority: StampAuthority
    ) -> None:
        grow(1)
        authority.ca.unlink()
        stamp_checkpoints()
        assert "ca.pem cannot be read" in TimestampState.objects.get().error
        assert server.queries == []

    @pytest.mark.parametrize("hours", [-2, 2])
    def test_a_clock_that_contradicts_ours_is_told_at_once_and_its_stamp_not_kept(
        self, server: Server, monkeypatch: pytest.MonkeyPatch, hours: int
    ) -> None:
        grow(1)
        moved = timedelta(hours=hours)
        if hours > 0:  # our clock was fast when the event was written
            monkeypatch.setattr(actions, "newest_event_at", lambda head: now() + moved)
        else:
            monkeypatch.setattr(actions, "now", lambda: now() + moved)
            TimestampState.objects.create(authority="tsa", next_at=now() + 2 * moved)
        said = stamp_checkpoints()["tsa"]
        assert ("its clock is slow" if hours > 0 else "its clock is fast") in said
        assert not Timestamp.objects.exists()
        assert TimestampState.objects.get().fault == "clock"

    def test_one_that_gives_nothing_for_too_long_raises_an_alert_once(self, server: Server) -> None:
        from workers.tasks.audit import timestamps

        grow(2)
        server.always = (503, b"")
        timestamps(None)  # type: ignore[arg-type]  # the handler asks its job nothing
        assert not Alert.objects.exists()
        owner("UPDATE audit_checkpoint SET created_at = created_at - interval '25 hours'")
        TimestampState.objects.update(created_at=now() - timedelta(hours=30))
        for _ in range(2):
            due()
            timestamps(None)  # type: ignore[arg-type]
        alert = Alert.objects.get(kind="log_fault")
        assert alert.subject == "timestamps/tsa"
        assert "tsa has stamped nothing yet: 2 events have waited since" in alert.summary
        assert "It answered 503" in alert.summary
        server.always = None
        due()
        timestamps(None)  # type: ignore[arg-type]
        assert TimestampState.objects.get().fault == ""

    @pytest.mark.parametrize(
        ("point", "kept"),
        [("audit.before_stamp_commit", False), ("audit.after_stamp_commit", True)],
    )
    def test_a_killed_worker_leaves_a_stamp_or_none_and_the_next_one_goes_on(
        self, server: Server, authority: StampAuthority, tmp_path: Path, point: str, kept: bool
    ) -> None:
        head = grow(1)
        armed = tmp_path / "armed"
        armed.mkdir()
        (armed / point).touch()
        named = [{"name": "tsa", "url": server.url, "ca_file": str(authority.ca)}]
        environment = {
            **os.environ,
            "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}",
            "DJANGO_SETTINGS_MODULE": "placet.settings",
            "PLACET_DATABASE_URL": database_url(),
            "PLACET_TIMESTAMP_AUTHORITIES": json.dumps(named),
            "PLACET_CRASH_FOLDER": str(armed),
        }
        done = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True)
        assert done.returncode == -9, done.stderr
        assert Timestamp.objects.exists() is kept
        stamp_checkpoints()
        assert len(server.queries) == 1, "whoever comes next does not ask at once again"
        due()
        stamp_checkpoints()
        assert len(server.queries) == (1 if kept else 2)
        assert Timestamp.objects.get().size == head.size

    def test_two_at_a_time_ask_once(self, server: Server) -> None:
        grow(1)
        stamp_checkpoints()
        state = TimestampState.objects.get()
        grow(1)
        due()
        stale = TimestampState.objects.get()
        assert actions._take_turn(stale)
        assert not actions._take_turn(stale)
        assert state.pk == stale.pk


class TestKept:
    @pytest.mark.parametrize("role", ["placet_app", "postgres"])
    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE audit_timestamp SET at = now()",
            "DELETE FROM audit_timestamp",
            "TRUNCATE audit_timestamp",
        ],
    )
    def test_a_stamp_is_added_and_never_changed(
        self, authority: StampAuthority, own_checkpoints: object, statement: str, role: str
    ) -> None:
        authority.stamp(grow(1))
        with connection.cursor() as cursor:
            cursor.execute(f"SET ROLE {role}")
            with pytest.raises(DatabaseError), transaction.atomic():
                cursor.execute(statement)
            cursor.execute("SET ROLE placet_app")
        assert Timestamp.objects.count() == 1

    def test_fsck_is_content_and_names_each_stamp_that_is_not_what_it_was(
        self,
        server: Server,
        authority: StampAuthority,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        head = grow(3)
        stamp_checkpoints()
        place = f"time stamp {head.size} tsa"

        def faults() -> list[str]:
            return [one.sentence for one in fsck().faults if one.place.startswith("time stamp")]

        assert faults() == []
        owner("UPDATE audit_timestamp SET at = at - interval '1 year'")
        assert faults()[0].startswith(f"{place}: the row says")
        owner("UPDATE audit_timestamp SET at = at + interval '1 year'")
        other = StampAuthority(tmp_path / "other")
        forged = other.token(head.note.encode())
        row = Timestamp.objects.get()
        root = read_pinned(other.ca)[0]
        owner(
            "UPDATE audit_timestamp SET token = %s, anchor = %s, at = %s",
            forged,
            root.public_bytes(Encoding.DER),
            timestamp.claims(forged).at,
        )
        assert "does not lead to the one pinned" in faults()[0]
        monkeypatch.setattr(config(), "timestamp_authorities", [])
        assert faults() == [], "of an authority that nobody names any more its own anchor is left"
        monkeypatch.setattr(config(), "timestamp_authorities", [authority.named()])
        owner("UPDATE audit_timestamp SET token = %s, at = %s", bytes(row.token), row.at)
        assert faults() == []
        owner("UPDATE audit_timestamp SET size = size + 1")
        assert "there is no checkpoint of this size" in faults()[0]

    def test_a_stamp_from_before_an_event_that_it_covers_is_named(
        self, server: Server, authority: StampAuthority
    ) -> None:
        """Whoever rewrites everything can date events as they like, but no stamp back."""
        head = grow(3)
        stamp_checkpoints()
        row, pinned = Timestamp.objects.get(), read_pinned(authority.ca)
        later = (now() + timedelta(hours=3)).isoformat()
        said = stamps._fault(row, head.note, later, pinned)
        assert "its clock is slow, or ours was fast" in said
        at = Event.objects.get(pk=head.size - 1).at
        assert stamps._fault(row, head.note, at, pinned) == ""


class TestOutsiders:
    @pytest.fixture
    def exported(self, server: Server, tmp_path: Path) -> Path:
        """The log as an auditor gets it, a few events after it was stamped."""
        grow(5)
        stamp_checkpoints()
        grow(2)
        export_folder(tmp_path / "export", actor=SYSTEM)
        return tmp_path / "export"

    def test_an_auditor_who_knows_the_authority_sees_when_it_existed(
        self,
        exported: Path,
        authority: StampAuthority,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        (file,) = (exported / "timestamps").glob("*.tsr")
        note = exported / "timestamps" / "5.txt"
        assert file.name == "5-tsa.tsr"
        assert openssl_accepts(file.read_bytes(), note.read_bytes(), authority.ca, tmp_path)
        assert verifier(["log", str(exported), "--tsa", str(authority.ca)]) == 0
        said = capsys.readouterr().out
        assert "time stamp 5-tsa.tsr: existed at 20" in said
        assert "agrees with the checkpoint over 5 leaves" in said
        assert verifier(["log", str(exported)]) == 0
        assert "1 time stamps were not checked" in capsys.readouterr().out
        one = ["timestamp", str(file), "--checkpoint", str(note), "--tsa", str(authority.ca)]
        assert verifier(one) == 0
        assert "ok: those very bytes existed at that time" in capsys.readouterr().out

    def test_a_changed_stamp_a_changed_note_and_a_strangers_stamp_are_refused(
        self, exported: Path, authority: StampAuthority, tmp_path: Path
    ) -> None:
        command = ["log", str(exported), "--tsa", str(authority.ca)]
        file, note = exported / "timestamps" / "5-tsa.tsr", exported / "timestamps" / "5.txt"
        good, text = file.read_bytes(), note.read_text()
        file.write_bytes(good[:-1] + bytes((good[-1] ^ 1,)))
        assert verifier(command) == 1
        file.write_bytes(good)
        head = checkpoint.parse(text)
        note.write_text(checkpoint.make(head.origin, 5, merkle.EMPTY_ROOT, signer("log")))
        assert verifier(command) == 1, "signed by the log, but of another history"
        note.write_text(text)
        assert verifier(command) == 0
        stranger = StampAuthority(tmp_path / "stranger")
        assert verifier(["log", str(exported), "--tsa", str(stranger.ca)]) == 1
        file.rename(file.with_name("odd.tsr"))
        assert verifier(command) == 1

    def test_over_api_and_command_line(
        self,
        server: Server,
        world: World,
        live_server: Any,
        monkeypatch: pytest.MonkeyPatch,
        authority: StampAuthority,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        own_checkpoints: Callable[[], Path],
    ) -> None:
        head = grow(1)
        stamp_checkpoints()
        world.people["Alma"] = factories.person("Alma", roles={"viewer": None})
        become(world, "Alma", live_server.url, monkeypatch)
        assert placet(["audit", "timestamp", "list", "-o", "json"]) == 0
        (listed,) = json.loads(capsys.readouterr().out)
        assert (listed["size"], listed["authority"]) == (head.size, "tsa")
        saved = tmp_path / "saved"
        assert placet(["audit", "timestamp", "save", str(head.size), "tsa", str(saved)]) == 0
        reply, note = (saved / f"{head.size}{end}" for end in ("-tsa.tsr", ".txt"))
        assert openssl_accepts(reply.read_bytes(), note.read_bytes(), authority.ca, tmp_path)
        assert placet(["audit", "timestamp", "save", "7777", "tsa", str(saved)]) == 1

    def test_on_the_pages(self, server: Server) -> None:
        head = grow(1)
        stamp_checkpoints()
        reader = browser(factories.person("Alma", roles={"auditor": None}))
        for address in ("/audit/verification/", "/audit/witnesses/"):
            page = reader.get(address).content.decode()
            assert "Stamped" in page
            assert "tsa" in page
        assert f"/api/v1/audit/timestamps/{head.size}/tsa" in page
        TimestampState.objects.update(fault="late", sentence="tsa stamped nothing")
        assert "tsa stamped nothing." in reader.get("/audit/").content.decode()
        assert Checkpoint.objects.count() > 0


@pytest.mark.parametrize(
    "wrong",
    [
        '[{"name":"A B","url":"https://tsa.example","ca_file":"/ca.pem"}]',
        '[{"name":"a","url":"ftp://tsa.example","ca_file":"/ca.pem"}]',
        '[{"name":"a","url":"https://me:pw@tsa.example","ca_file":"/ca.pem"}]',
        '[{"name":"a","url":"https://tsa.example"}]',
        '[{"name":"a","url":"https://tsa.example","ca_file":"/ca.pem","policy":"x"}]',
        '[{"name":"a","url":"https://tsa.example","ca_file":"/ca.pem","more":1}]',
        '[{"name":"a","url":"https://t.example","ca_file":"/c"},{"name":"a","url":"https://t.example","ca_file":"/c"}]',
    ],
)
def test_a_setting_that_cannot_be_right_is_refused_at_start(
    wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from placet.kernel.config import Config

    monkeypatch.setenv("PLACET_TIMESTAMP_AUTHORITIES", wrong)
    with pytest.raises(ValueError, match="timestamp_authorities"):
        Config()
