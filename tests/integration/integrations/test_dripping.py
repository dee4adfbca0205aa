"""A receiver that never ends what it says, or is never reached: it has its time, and no thread that
others need."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

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
from tests.support.names import Names, names, swallowing
from tests.support.processes import until
from tests.support.receivers import dripping, https

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


@contextmanager
def control(release: Callable[[], object]) -> Iterator[None]:
    """Have two threads work as those of the control worker; ``release`` lets go what holds one."""
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            if not run_due("control"):
                over.wait(0.05)
        connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(work) for _ in range(2)]
        try:
            yield
        finally:
            over.set()
            release()
    assert [done.result() for done in running] == [None, None]


@pytest.mark.django_db(transaction=True)
def test_two_under_test_leave_a_thread_for_what_nodes_are_told(
    feed: Feed, eve: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(senders, "TEST", Patience(60, 60))

    def told() -> bool:
        return Job.objects.get(kind="serving.publish").state == "succeeded"

    def end() -> None:
        one.over.set(), two.over.set()

    with dripping(HEAD) as one, dripping(HEAD) as two:
        for name, receiver in {"a": one, "b": two}.items():
            add_and_test(eve, name, f"http://127.0.0.1:{receiver.port}/")
        with control(end):
            until(lambda: one.reached or two.reached, what="the first test")
            create_target(name="edge-1", actor=SYSTEM)
            until(told, seconds=20, what="serving.publish")
            assert states() == {"running": 1, "queued": 1}
            end()
            until(lambda: states() == {"succeeded": 2}, what="both tests")


def is_never_found(told: Names, dead: list[tuple[str, int]]) -> None:
    """Have the name server say nothing."""
    told.silent.add("localhost")


def never_answers(told: Names, dead: list[tuple[str, int]]) -> None:
    """Have the name lead to hosts that answer nobody."""
    told.lead["localhost"] = dead


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("bad", [is_never_found, never_answers])
@pytest.mark.parametrize("url", ["https://localhost/in", "tls://localhost"])
def test_one_that_is_never_reached_has_its_time_and_then_the_next_has_its_turn(
    feed: Feed,
    eve: User,
    monkeypatch: pytest.MonkeyPatch,
    bad: Callable[[Names, list[tuple[str, int]]], None],
    url: str,
) -> None:
    monkeypatch.setattr(senders, "TEST", Patience(4, 0.5))
    with names() as told, swallowing(5) as dead, https(None) as receiver:
        bad(told, dead)
        add_and_test(eve, "a", url)
        add_and_test(eve, "b", receiver.url)
        with control(told.over.set):
            until(lambda: receiver.bodies, seconds=10, what="the test of the second")
    tried = Delivery.objects.order_by("pk").first()
    assert tried is not None and tried.stream.name == "a"
    assert (tried.accepted, tried.seconds < 3) == (False, True)


@pytest.mark.django_db
@pytest.mark.parametrize("scheme", ["http", "tcp"])
def test_without_tls_nothing_leaves_this_machine_wherever_localhost_leads(
    feed: Feed, eve: User, scheme: str
) -> None:
    with names() as told:
        told.lead["localhost"] = [("192.0.2.1", 601)]
        add_and_test(eve, "own", f"{scheme}://localhost:601")
        feed.run_jobs("control")
    assert "its name leads away from this machine" in Delivery.objects.get().detail


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
    longest = reconciler.SLICE + senders.TIMEOUT + 2  # all of an attempt, the look-up too
    assert longest < handlers()["integrations.deliver"].lease_seconds
