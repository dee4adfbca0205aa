"""A receiver that never ends what it says: it has its time, and no thread that others need."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from apps.identity.models import User
from apps.integrations import reconciler, senders
from apps.integrations.models import Delivery
from apps.integrations.senders import Patience
from apps.jobs.actions import run_due
from apps.jobs.handlers import handlers
from apps.jobs.models import Job
from apps.serving.actions.targets import create_target
from placet.kernel.actor import SYSTEM
from tests.integration.integrations.conftest import Feed
from tests.support import factories
from tests.support.factories import api
from tests.support.processes import until
from tests.support.receivers import dripping

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
HELLO = b"\x16\x03\x03\x40\x00"  # of TLS: a record of 16 KiB begins


@pytest.fixture
def eve(feed: Feed) -> User:
    """Who administers a project, and nothing else."""
    return factories.person("Eve", {"admin": feed.project})


def add_and_test(who: User, name: str, url: str) -> None:
    """Have ``who`` add a stream and test it."""
    kind = "jsonl" if url.startswith("http") else "syslog"
    body = {"name": name, "kind": kind, "url": url, "project": "risk"}
    made = api(who).post("/streams", body)
    assert api(who).post(f"/streams/{made.json()['id']}/test").status_code == 202


def states() -> dict[str, int]:
    """Return how many tests of streams are in each state."""
    found = list(Job.objects.filter(kind="integrations.test").values_list("state", flat=True))
    return {state: found.count(state) for state in set(found)}


@pytest.mark.django_db(transaction=True)
def test_two_under_test_leave_a_thread_for_what_nodes_are_told(
    feed: Feed, eve: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(senders, "TEST", Patience(60, 60))
    over = threading.Event()

    def control() -> None:  # as the worker's two threads
        while not over.is_set():
            if not run_due("control"):
                over.wait(0.05)
        connections.close_all()

    def told() -> bool:
        return Job.objects.get(kind="serving.publish").state == "succeeded"

    with dripping(HEAD) as one, dripping(HEAD) as two, ThreadPoolExecutor(2) as pool:
        try:
            for name, receiver in {"a": one, "b": two}.items():
                add_and_test(eve, name, f"http://127.0.0.1:{receiver.port}/")
            running = [pool.submit(control) for _ in range(2)]
            until(lambda: one.reached or two.reached, what="the first test")
            create_target(name="edge-1", actor=SYSTEM)
            until(told, seconds=20, what="serving.publish")
            assert states() == {"running": 1, "queued": 1}
            one.over.set(), two.over.set()
            until(lambda: states() == {"succeeded": 2}, what="both tests")
        finally:
            one.over.set(), two.over.set()
            over.set()
    assert [done.result() for done in running] == [None, None]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("url", "begins"),
    [
        ("http://127.0.0.1:{}/", HEAD),
        ("tcp://127.0.0.1:{}", b""),
        ("tls://localhost:{}", HELLO),
    ],
    ids=["http", "tcp", "tls"],
)
def test_its_time_is_over_and_it_has_accepted_nothing(
    feed: Feed, eve: User, monkeypatch: pytest.MonkeyPatch, url: str, begins: bytes
) -> None:
    monkeypatch.setattr(senders, "TEST", Patience(15, 0.5))
    with dripping(begins) as receiver:
        add_and_test(eve, "own", url.format(receiver.port))
        feed.run_jobs("control")
    found = Delivery.objects.get()
    assert (found.accepted, receiver.reached) == (False, 1)
    assert found.seconds < 10
    assert "in time" in found.detail or "within 15 s" in found.detail


def test_a_test_has_five_seconds_and_a_job_that_delivers_less_than_its_lease() -> None:
    import workers.tasks  # noqa: F401  (registers the handlers)

    assert max(senders.TEST) == 5
    longest = reconciler.SLICE + senders.TIMEOUT + 2
    assert longest < handlers()["integrations.deliver"].lease_seconds
