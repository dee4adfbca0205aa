"""Work under a key, asked for by several at once: no wake-up is missed, none is doubled."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections, transaction

from apps.identity.models import Project
from apps.jobs import handlers as registry
from apps.jobs.actions import enqueue, run_due
from apps.jobs.handlers import LeasedJob, handler
from apps.jobs.models import Job

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def own_handlers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(registry, "_HANDLERS", {})
    yield


def test_a_waiting_job_is_not_claimed_before_the_second_asker_commits() -> None:
    """Otherwise it would run without seeing what the second asker changed."""
    seen: list[set[str]] = []

    @handler("t.sees")
    def run(job: LeasedJob) -> None:
        seen.append(set(Project.objects.values_list("slug", flat=True)))

    first = enqueue("t.sees", key="k")
    holding, commit = threading.Event(), threading.Event()

    def second_asker() -> str:
        with transaction.atomic():
            Project.objects.create(slug="changed", name="c", created_by="per_x")
            job = enqueue("t.sees", key="k")
            holding.set()
            commit.wait(10)
        connections.close_all()
        return job.pk

    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(second_asker)
        holding.wait(10)
        assert run_due() == 0
        commit.set()
        assert asked.result() == first.pk
    assert run_due() == 1
    assert seen == [{"changed"}]


def test_askers_do_not_wait_for_each_other() -> None:
    first = enqueue("t.shared", key="k")
    with transaction.atomic():
        assert enqueue("t.shared", key="k").pk == first.pk

        def other() -> str:
            try:
                with transaction.atomic():
                    return enqueue("t.shared", key="k").pk
            finally:
                connections.close_all()

        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(other).result(timeout=5) == first.pk


def test_many_askers_and_workers_at_once_lose_nothing() -> None:
    """After the last asker has committed, a run begins: it sees every change."""
    lock, seen = threading.Lock(), [0]

    @handler("t.count")
    def run(job: LeasedJob) -> None:
        with lock:
            seen.append(Project.objects.count())

    def ask(asker: int) -> None:
        for n in range(15):
            with transaction.atomic():
                Project.objects.create(slug=f"p{asker}-{n}", name="p", created_by="per_x")
                enqueue("t.count", key="k")
        connections.close_all()

    asking = threading.Event()

    def work() -> None:
        while not asking.is_set():
            run_due(limit=5)
        connections.close_all()

    with ThreadPoolExecutor(5) as pool:
        workers = [pool.submit(work) for _ in range(2)]
        askers = [pool.submit(ask, n) for n in range(3)]
        for future in askers:
            future.result(60)
        asking.set()
        for future in workers:
            future.result(60)
    run_due(limit=5)
    assert seen[-1] == 45
    assert not Job.objects.filter(state__in=["queued", "running"]).exists()
    assert set(Job.objects.values_list("attempts", flat=True)) == {1}
