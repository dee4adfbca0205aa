"""A whole installation is backed up, destroyed and restored: its log, files and jobs."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from apps.operations.backup.restoring import REPEATABLE
from placet.embedded.postgres import APPLICATION, OWNER, Cluster
from tests.support.installation import ROOT, Running

# What a working installation holds: files, a signed state, a session, work at every stage.
FILL = """
import django; django.setup()
from datetime import timedelta
from django.contrib.sessions.models import Session
from django.core.management import call_command
from apps.audit.actions import write_checkpoint
from apps.jobs.models import Job, Schedule
from apps.serving.desired import sign_state
from apps.serving.models import Target
from placet.kernel.clock import now
from tests.integration.registry.helpers import Lab
call_command("prepare")
lab = Lab()
lab.finalised(b"a model")
target = Target.objects.get(name="local")
for _ in range(3):
    sign_state(target.pk)
later, before = now() + timedelta(hours=1), now() - timedelta(hours=1)
Session.objects.create(session_key="k", session_data="", expire_date=later)
def job(kind, state, **more):
    Job(kind=kind, queue="control", state=state, due_at=before, **more).save()
lease = {"lease_owner": "w:1", "lease_until": later, "generation": 3}
job("rollouts.reconcile", "running", key="one", args={"n": 1}, **lease)
job("rollouts.reconcile", "queued", key="two", args={"n": 2})
job("rollouts.reconcile_target", "running", key="t", args={"n": 3}, **lease)
job("rollouts.reconcile_target", "queued", key="t", args={"n": 4})
job("mail.send", "running", args={"n": 5}, **lease)
job("mail.send", "queued", args={"n": 6})
job("builds.run", "succeeded", args={"n": 7})
Schedule(name="mail.digest", kind="mail.digest", queue="control", every_seconds=60,
         next_at=before).save()
job("mail.digest", "queued", key="mail.digest", args={"n": 8})
write_checkpoint()
"""


class Installation(Running):
    """An embedded installation whose database alone runs."""

    @property
    def cluster(self) -> Cluster:
        """Its database cluster."""
        return Cluster.at(self.data)

    def install(self) -> None:
        """Make database, tables, keys, the first rows, and what :data:`FILL` adds."""
        self.cluster.start()
        self.cluster.ensure_database()
        known = {
            "secret_key": "s" * 20 + "ecret" * 10,
            "token_key": "t" * 20 + "oken" * 10,
            "database_url": self.cluster.url(APPLICATION),
            "database_owner_url": self.cluster.url(OWNER),
        }
        (self.data / "embedded.json").write_text(json.dumps(known))
        migrated = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), "migrate", "--no-input", "--skip-checks"],
            env=self.environment | {"PLACET_DATABASE_URL": self.cluster.url(OWNER)},
            capture_output=True,
            text=True,
        )
        assert migrated.returncode == 0, migrated.stderr
        filled = self.run("-c", FILL)
        assert filled.returncode == 0, filled.stderr

    @property
    def environment(self) -> dict[str, str]:
        """What a command on its data needs; it may sign."""
        return super().environment | {"PLACET_PROCESS": "manage"}

    def destroy(self) -> None:
        """Lose the machine."""
        if (self.data / "postgres.json").exists():
            self.cluster.stop()
            shutil.rmtree(self.cluster.home, ignore_errors=True)
        shutil.rmtree(self.data, ignore_errors=True)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("backups")


@pytest.fixture(scope="module")
def kept(home: Path) -> Iterator[dict[str, str]]:
    """Make a backup with its keys apart, note the newest checkpoint, and destroy the rest."""
    placet = Installation(home / "first")
    try:
        placet.install()
        said = placet.manage("backup", str(home / "backup"), "--keys", str(home / "keys"))
        assert said.returncode == 0, said.stderr
        inside = placet.manage("backup", str(home / "b2"), "--keys", str(home / "b2" / "keys"))
        again = placet.manage("backup", str(home / "backup"))
        signed = placet.manage("audit", "checkpoint")
        assert signed.returncode == 0, signed.stderr
        shutil.copy(placet.data / "checkpoints" / "latest.txt", home / "elsewhere.txt")
        assert placet.run("-c", FILL.partition("call_command(")[0] + MORE).returncode == 0
        shutil.copy(placet.data / "checkpoints" / "latest.txt", home / "later.txt")
        yield {"said": said.stdout, "inside": inside.stderr, "again": again.stderr}
    finally:
        placet.destroy()


MORE = """
from apps.identity.actions import create_project
from placet.kernel.actor import SYSTEM
create_project(slug="after", name="After the backup", actor=SYSTEM)
write_checkpoint()
"""


RESTORED = "SELECT body FROM audit_event WHERE kind = 'backup.restored.v1'"


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Installation]:
    """A new machine."""
    placet = Installation(tmp_path / "second")
    yield placet
    if placet.data.exists():
        placet.destroy()


def restore(placet: Installation, home: Path, *more: str) -> "subprocess.CompletedProcess[str]":
    return placet.manage("restore", str(home / "backup"), "--keys", str(home / "keys"), *more)


def kill(placet: Installation, home: Path, point: str, *more: str) -> None:
    """Restore and die at ``point``."""
    armed = Path(placet.armed["PLACET_CRASH_FOLDER"])
    armed.mkdir(exist_ok=True)
    (armed / point).touch()
    assert restore(placet, home, *more).returncode != 0
    assert not (armed / point).exists(), "it never came to this point"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A new machine, or what a killed restore made of it: each test begins with destroying that."""
    folder = tmp_path_factory.mktemp("machine")
    placet = Installation(folder / "data", {"PLACET_CRASH_FOLDER": str(folder / "armed")})
    yield placet
    placet.destroy()


def test_a_restore_killed_behind_the_load_is_not_repeated_into_what_it_left(
    machine: Installation, home: Path, kept: dict[str, str]
) -> None:
    machine.destroy()
    kill(machine, home, "restore.after_load")
    assert "The database is not empty" in restore(machine, home).stderr


def test_a_restore_killed_at_its_commit_has_all_of_it_or_nothing(
    machine: Installation, home: Path, kept: dict[str, str]
) -> None:
    """Its second process is started by itself here: the first has brought everything so far."""
    machine.destroy()
    kill(machine, home, "restore.after_artifacts")
    machine.cluster.start()
    kill(machine, home, "before_commit.backup.restored.v1", "--finish")
    assert machine.sql(RESTORED) == []
    assert "The database is not empty" in restore(machine, home).stderr
    machine.cluster.start()
    kill(machine, home, "after_commit.backup.restored.v1", "--finish")
    assert len(machine.sql(RESTORED)) == 1
    verified = machine.manage("audit", "verify", "--deep")
    assert "the log is intact" in verified.stdout, verified.stderr


def test_everything_comes_back_and_nothing_runs_twice(
    machine: Installation, home: Path, kept: dict[str, str]
) -> None:
    """On a new machine after killed restores; and one more of them, before its load, is in the way
    of nothing."""
    machine.destroy()
    kill(machine, home, "restore.before_load")
    began = datetime.now(tz=UTC)
    done = restore(machine, home, "--checkpoint", str(home / "elsewhere.txt"))
    assert done.returncode == 0, done.stderr
    manifest = json.loads((home / "backup" / "manifest.json").read_text())
    assert "Restored" in done.stdout
    assert f"The log's root is the manifest's: {manifest['root']}" in done.stdout
    assert manifest["root"] in kept["said"]
    machine.cluster.start()
    verified = machine.manage("audit", "verify", "--deep")
    assert verified.returncode == 0, verified.stderr
    assert "the log is intact" in verified.stdout
    (restored,) = machine.sql(RESTORED)
    told = json.loads(restored["body"])["data"]
    assert (told["root"], told["size"], told["lost"]) == (manifest["root"], manifest["size"], 0)
    jobs = {row["args"]["n"]: row for row in machine.sql("SELECT * FROM jobs_job WHERE args ? 'n'")}
    assert {n: row["state"] for n, row in jobs.items()} == {
        1: "queued",
        2: "queued",
        3: "cancelled",
        4: "queued",
        5: "cancelled",
        6: "cancelled",
        7: "succeeded",
        8: "cancelled",
    }
    assert (jobs[1]["generation"], jobs[1]["lease_until"], jobs[1]["lease_owner"]) == (4, None, "")
    assert "may have run since" in jobs[5]["error"]
    (schedule,) = machine.sql("SELECT * FROM jobs_schedule WHERE name = 'mail.digest'")
    assert schedule["next_at"] > began + timedelta(seconds=50)
    (state,) = machine.sql("SELECT epoch, number FROM serving_desiredstate")
    assert (state["epoch"], state["number"]) == (2, 0)
    assert machine.sql("SELECT 1 FROM jobs_job WHERE kind = 'serving.publish' AND state = 'queued'")
    assert machine.sql("SELECT 1 FROM django_session") == []
    (file,) = machine.sql("SELECT sha256 FROM registry_artifactfile")
    blob = machine.data / "artifacts" / "sha256" / file["sha256"][:2] / file["sha256"]
    assert blob.read_bytes() == b"a model"
    assert json.loads((machine.data / "embedded.json").read_text())["token_key"].startswith("ttt")
    rebuilt = machine.rebuilt()
    assert rebuilt.returncode == 0, rebuilt.stderr
    once_more = restore(machine, home, "--accept-lost-events")
    assert "The database is not empty" in once_more.stderr


def test_the_backup_holds_no_key_and_says_so(home: Path, kept: dict[str, str]) -> None:
    names = {path.name for path in (home / "backup").rglob("*") if path.is_file()}
    assert not {name for name in names if name.endswith((".key", ".pub")) or "keys" in name}
    assert (home / "keys" / "root.key").exists()
    assert (home / "keys").stat().st_mode & 0o077 == 0
    assert (home / "keys" / "settings.json").stat().st_mode & 0o077 == 0
    assert "Keep the keys apart" in kept["inside"]
    assert "is not empty: name a new folder" in kept["again"]


def test_a_checkpoint_kept_elsewhere_shows_what_is_missing(
    empty: Installation, home: Path, kept: dict[str, str]
) -> None:
    later = ("--checkpoint", str(home / "later.txt"))
    signed = int((home / "later.txt").read_text().splitlines()[1])
    lost = signed - json.loads((home / "backup" / "manifest.json").read_text())["size"]
    assert lost > 0
    refused = restore(empty, home, *later)
    assert refused.returncode == 1
    assert f"{lost} would be lost" in refused.stderr
    accepted = restore(empty, home, *later, "--accept-lost-events")
    assert accepted.returncode == 0, accepted.stderr
    assert f"{lost} events after the backup are lost" in accepted.stdout


def test_another_log_than_the_one_that_was_signed_is_refused(
    empty: Installation, home: Path, kept: dict[str, str], tmp_path: Path
) -> None:
    """The dump, its digest and the manifest were all rewritten; the note kept elsewhere was not."""
    forged = tmp_path / "forged"
    shutil.copytree(home / "backup", forged)
    manifest = json.loads((forged / "manifest.json").read_text())
    manifest["root"] = "00" * 32
    (forged / "manifest.json").write_text(json.dumps(manifest))
    refused = empty.manage("restore", str(forged), "--keys", str(home / "keys"))
    assert refused.returncode == 1
    assert "the manifest says" in refused.stderr


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda backup: (backup / "manifest.json").unlink(), "holds no manifest.json"),
        (lambda backup: (backup / "manifest.json").write_text("{"), "cannot be read"),
        (lambda backup: (backup / "database.dump").write_bytes(b"x"), "not what the manifest says"),
        (lambda backup: (backup / "blobs.json").unlink(), "missing or not what"),
    ],
    ids=["no manifest", "cut manifest", "other dump", "no list"],
)
def test_a_damaged_backup_is_refused_before_anything_is_made(
    empty: Installation, home: Path, kept: dict[str, str], tmp_path: Path, change: object, said: str
) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(home / "backup", damaged)
    change(damaged)  # type: ignore[operator]
    refused = empty.manage("restore", str(damaged), "--keys", str(home / "keys"))
    assert refused.returncode == 1
    assert said in refused.stderr
    assert not (empty.data / "postgres.json").exists()


def test_without_the_right_keys_nothing_is_restored(
    empty: Installation, home: Path, kept: dict[str, str]
) -> None:
    without = empty.manage("restore", str(home / "backup"))
    assert "put them back, or name their folder with --keys" in without.stderr
    program = f"""
from pathlib import Path
from placet.kernel.keystore import ensure_keys
ensure_keys(Path({str(home / "other")!r}))
"""
    assert empty.run("-c", program).returncode == 0
    other = empty.manage("restore", str(home / "backup"), "--keys", str(home / "other"))
    assert "belong to another installation" in other.stderr
    assert not (empty.data / "postgres.json").exists()


def test_every_job_that_is_taken_up_again_is_one_that_there_is() -> None:
    import workers.tasks  # noqa: F401  (registers the handlers)
    from apps.jobs.handlers import handlers

    assert set(REPEATABLE) <= set(handlers())
