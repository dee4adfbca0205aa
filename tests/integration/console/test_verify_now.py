"""An auditor presses "Verify now": a worker checks the whole log, and the page says how it is."""

from collections.abc import Callable

import pytest
from django.db import connection

from apps.audit.actions import write_checkpoint
from apps.audit.models import LogHead, VerifiedHead
from apps.jobs.actions import cancel
from apps.jobs.models import Job
from placet.kernel.clock import now
from tests.support import factories
from tests.support.factories import browser
from tests.support.page_text import text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_checkpoints")]
Run = Callable[..., int]


def write_over(body: str) -> None:
    """Put another body into the row of event 1, as only a superuser can."""
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(f"UPDATE audit_event SET body = {body} WHERE index = 1")
        cursor.execute("SET session_replication_role = origin")
        cursor.execute("SET ROLE placet_app")


def test_the_page_says_that_the_log_is_intact(run_jobs: Run) -> None:
    client = browser(factories.person("Aude", roles={"auditor": None}))
    write_checkpoint()
    for _ in range(2):
        assert client.post("/audit/verify").status_code == 302
    assert Job.objects.filter(kind="audit.verify").count() == 1
    assert b"Verifying every event" in client.get("/audit/verification/").content
    assert b'hx-trigger="every 1s"' in client.get("/audit/verification/state").content
    run_jobs()
    shown = client.get("/audit/verification/state").content
    assert "✓" in shown.decode() and b"pending" not in shown
    assert b"hx-trigger" not in shown


def test_the_page_says_what_each_of_its_two_checks_proves() -> None:
    client = browser(factories.person("Aude", roles={"auditor": None}))
    said = text_of(client.get("/audit/verification/").content.decode())
    for sentence in (
        "Continuous check: each new event matches its hash and continues the log that was signed",
        "Full check: every event up to then is read again and matches all signed heads",
    ):
        assert sentence in said


def test_the_page_says_how_far_the_full_check_went_and_what_covers_newer_events(
    run_jobs: Run,
) -> None:
    client = browser(factories.person("Aude", roles={"auditor": None}))

    def shown() -> str:
        return text_of(client.get("/audit/verification/").content.decode())

    head = write_checkpoint()
    assert head is not None
    client.post("/audit/verify")
    run_jobs()
    before = LogHead.objects.get().size
    read = f"Events read\n{head.size} of {before} events, up to event #{head.size - 1}"
    assert read in shown()
    assert "Newer events" in shown() if before > head.size else "Newer events" not in shown()
    factories.project("later")
    size = LogHead.objects.get().size
    newer = size - head.size
    assert f"{newer} since, by neither check yet" in shown()
    VerifiedHead.objects.update_or_create(
        pk=1, defaults={"size": size - 1, "root": b"", "at": now()}
    )
    said = f"{newer} since: {newer - 1} by the continuous check alone, 1 by neither yet"
    assert said in shown()
    VerifiedHead.objects.update(size=size)
    assert f"{newer} since: {newer} by the continuous check alone" in shown()
    assert "by neither" not in shown()


def test_the_page_names_the_leaf_that_was_changed(run_jobs: Run) -> None:
    client = browser(factories.person("Aude", roles={"auditor": None}))
    write_checkpoint()
    client.post("/audit/verify")
    write_over("body || ' '")
    run_jobs()
    shown = client.get("/audit/").content
    assert b"The log is not intact" in shown
    assert b"leaf 1" in shown


def test_a_fault_stands_until_a_later_check_comes_to_its_end_without_one(run_jobs: Run) -> None:
    client = browser(factories.person("Aude", roles={"auditor": None}))
    operator = factories.actor_of(factories.person("Olga", roles={"operator": None}))

    def shown() -> str:
        return client.get("/audit/verification/state").content.decode()

    write_checkpoint()
    write_over("body || ' '")
    client.post("/audit/verify")
    run_jobs()
    write_over("rtrim(body)")
    assert "leaf 1" in shown() and "broke off" not in shown()
    for _ in range(3):
        client.post("/audit/verify")
        assert "leaf 1" in shown() and "Verifying every event" in shown()
        cancel(Job.objects.get(kind="audit.verify", state="queued").pk, actor=operator)
        assert "leaf 1" in shown() and "✓" not in shown()
        assert "The full check failed. Cancelled" in shown()
    client.post("/audit/verify")
    run_jobs()
    assert "not intact" not in shown() and "broke off" not in shown()
    assert "Full check" in shown()


def test_the_proof_of_an_event_is_found_by_its_number() -> None:
    client = browser(factories.person("Aude", roles={"auditor": None}))
    found = client.get("/audit/verification/?event= 1 ")
    assert (found.status_code, found["Location"]) == (302, "/audit/1/")
    for typed in ("999999", "-1", "1e3", "x" * 5000, "9" * 19):
        shown = client.get("/audit/verification/", {"event": typed}).content.decode()
        assert "Give a whole number from 0 to" in shown
        assert len(shown) < 40_000


def test_who_may_not_read_the_log_may_not_have_it_checked() -> None:
    client = browser(factories.person("Vic"))
    assert b"alert-danger" in client.post("/audit/verify", {"next": "/"}, follow=True).content
    assert client.get("/audit/verification/?event=1").status_code == 403
    assert not Job.objects.exists()
