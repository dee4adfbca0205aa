"""What every test stands on: the application's database role, and tables emptied afterwards."""

import os
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

from tests.support import postgres, rows
from tests.support.bucket import CREDENTIALS, NAME, S3, s3
from tests.support.installation import Running, running

if TYPE_CHECKING:
    from apps.governance.models import Release
    from tests.support.enrolment import Signers
    from tests.support.nodes import SimulatedNode
    from tests.support.story import Story
    from tests.support.world import World

# A busy machine is slow, not wrong: how long one example takes is no property of the code.
hypothesis.settings.register_profile(
    "placet", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.register_profile(  # ``make prove``
    "prove", parent=hypothesis.settings.get_profile("placet"), max_examples=1000, print_blob=True
)
hypothesis.settings.load_profile("placet")


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: Any) -> Iterator[None]:
    """A database of this worker's, in which every connection becomes the application's role.

    That role owns nothing. In place of pytest-django's, which migrates one for each worker.
    """
    from django.conf import settings
    from django.db import connection
    from django.db.backends.signals import connection_created

    def become_application(sender: object, connection: Any, **kwargs: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET ROLE {settings.DATABASE_APP_ROLE}")

    worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    with django_db_blocker.unblock(), postgres.database(f"placet_test_{worker}"):
        connection_created.connect(become_application, weak=False)
        rows.remember_first()
        yield
        connection_created.disconnect(become_application)
        connection.close()


@pytest.fixture(scope="session", autouse=True)
def flush_as_owner() -> Iterator[None]:
    """Empty the tables after a committing test as the superuser.

    The application's role may not delete, and the log's triggers refuse it to everybody;
    ``session_replication_role`` keeps them, and the foreign keys, from firing meanwhile.
    """
    from django.test import TransactionTestCase

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda self: rows.forget_all())
        yield


@pytest.fixture
def live_server(live_server: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """pytest-django's, at whose address Placet is in this test."""
    from placet.kernel.config import config

    monkeypatch.setattr(config(), "public_url", live_server.url)
    return live_server


@pytest.fixture
def run_jobs() -> Callable[..., int]:
    """Claim and run due jobs, on this thread, until none is left; returns how many ran.

    ``run_jobs("build")`` keeps to one queue. A job put off into the future is not waited for.
    """
    import workers.tasks  # noqa: F401  (registers the handlers)
    from apps.jobs.actions import run_due

    def run(queue: str | None = None, *, limit: int = 1000) -> int:
        ran = run_due(queue, limit, heartbeat=False)
        assert ran < limit, "the jobs never end: one enqueues itself again and again"
        return ran

    return run


@pytest.fixture
def world() -> "World":
    """A project with its people."""
    from tests.support.world import World

    return World()


@pytest.fixture
def node(world: "World") -> "SimulatedNode":
    """The node of the world's only target, which serves nothing yet."""
    from tests.support.nodes import SimulatedNode
    from tests.support.story import SECONDS, SEEN

    def join() -> SimulatedNode:
        joined = SimulatedNode.joined(world.target)
        joined.report()
        return joined

    past = f"{world.past}; a node"
    return rows.once(past, join, upon=world.past, lasts=SECONDS, lately=SEEN)


@pytest.fixture
def story(world: "World", node: "SimulatedNode", run_jobs: Callable[..., int]) -> "Story":
    """That project, its node, and the jobs."""
    from tests.support.story import Story

    return Story(world, node, run_jobs, past=f"{world.past}; a node")


@pytest.fixture
def first_release(story: "Story") -> "Release":
    """The node serves a first release."""
    return story.lived()


@pytest.fixture
def signers() -> "Signers":
    """A project some of whose people have passkeys, which its staging demands."""
    from tests.support.enrolment import SIGNED, Signers

    made = Signers()
    made.publish("staging", SIGNED)
    return made


@pytest.fixture(scope="session", autouse=True)
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of this run's own keys, valid since long before any time a test moves to."""
    from placet.kernel.config import config
    from placet.kernel.keystore import ensure_keys

    folder = tmp_path_factory.mktemp("keys")
    ensure_keys(folder, valid_from=datetime(2020, 1, 1, tzinfo=UTC))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(config(), "keys_dir", folder)
        patch.setenv("PLACET_KEYS_DIR", str(folder))
        patch.setenv("PLACET_PROCESS", "manage")
        yield folder


@pytest.fixture(scope="session", autouse=True)
def patient_log() -> Iterator[None]:
    """Let whoever holds the log's head idle for longer than five seconds.

    A test that never commits holds it until its end, on a machine that may be busy.
    """
    from importlib import import_module

    module = import_module("apps.audit.actions.record")
    patient = module.TAKE_PLACES.replace("'5s'", "'10min'")
    assert patient != module.TAKE_PLACES
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "TAKE_PLACES", patient)
        yield


@pytest.fixture(scope="session", autouse=True)
def cheap_passwords() -> Iterator[None]:
    """A guess at a test's password may be cheap: the dear kind takes a second of each test."""
    from django.contrib.auth.hashers import PBKDF2PasswordHasher

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PBKDF2PasswordHasher, "iterations", 1000)
        yield


@pytest.fixture(scope="session", autouse=True)
def static_files() -> Iterator[None]:
    """Look for static files once: every client would do so for itself, and that takes 10 ms."""
    from whitenoise.middleware import WhiteNoiseMiddleware

    look, found = WhiteNoiseMiddleware.add_files_from_finders, dict[str, Any]()

    def look_once(self: WhiteNoiseMiddleware) -> None:
        if not found:
            look(self)
            found.update(self.files)
        self.files.update(found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", look_once)
        yield


@pytest.fixture(autouse=True)
def own_counts() -> Iterator[None]:
    """Forget what this process counts of each person: the next test has the same people again."""
    yield
    if (denied := sys.modules.get("apps.audit.actions.denied")) is not None:
        denied._recent.clear()
    if (quota := sys.modules.get("placet.kernel.quota")) is not None:
        quota.meter.cache_clear()


@pytest.fixture(autouse=True)
def own_checkpoints(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Path]:
    """Each test keeps its checkpoints in a folder of its own: the log begins anew in each."""
    made: list[Path] = []

    def folder() -> Path:
        if not made:
            made.append(tmp_path_factory.mktemp("checkpoints"))
        return made[0]

    monkeypatch.setattr("apps.audit.queries.checkpoint_files.folder", folder)
    return folder


@pytest.fixture
def no_io_in_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail when the code under test connects to anything or writes a file inside a transaction.

    Its own database connection is no such thing: psycopg opens that outside Python's sockets.
    """
    import builtins
    import io
    import socket

    from django.db import connection

    def refuse(what: str) -> None:
        inside = connection.in_atomic_block and any(
            not getattr(block, "_from_testcase", False) for block in connection.atomic_blocks
        )
        assert not inside, f"{what} inside a transaction"

    real_connect, real_open = socket.socket.connect, io.open

    def connect(self: socket.socket, address: Any) -> None:
        refuse(f"a connection to {address}")
        real_connect(self, address)

    def open_file(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if set(mode) & set("wax+"):
            refuse(f"writing to {file}")
        return real_open(file, mode, *args, **kwargs)

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(builtins, "open", open_file)
    monkeypatch.setattr(io, "open", open_file)


@pytest.fixture(scope="module")
def placet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The platform, started as a user starts it, shared by the tests of one file.

    No longer: idle, it takes a quarter of a core from all the tests that do without it.
    """
    with running(tmp_path_factory.mktemp("placet") / "data") as found:
        yield found


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3]:
    """A server that speaks S3, shared by the tests of one worker."""
    with s3() as found:
        yield found


@pytest.fixture
def bucket_server(s3_server: S3, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    """The S3 server with an empty bucket, and credentials in the environment."""
    from apps.registry.store.bucket import client

    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    client.cache_clear()
    s3_server.forget()
    wire = client(s3_server.address())
    try:
        wire.create_bucket(Bucket=NAME)
    except Exception:
        print(s3_server.standing())  # what pytest shows of it is cut
        raise
    s3_server.forget()
    yield s3_server
    s3_server.forget()
    for found in wire.list_objects_v2(Bucket=NAME).get("Contents", ()):
        wire.delete_object(Bucket=NAME, Key=found["Key"])
    for left in wire.list_multipart_uploads(Bucket=NAME).get("Uploads", ()):
        wire.abort_multipart_upload(Bucket=NAME, Key=left["Key"], UploadId=left["UploadId"])
    wire.delete_bucket(Bucket=NAME)
    client.cache_clear()
