"""The log verifies itself as it grows, and the page says up to where."""

from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from django.db import connection
from django.test import Client

from apps.audit.actions import record, verify_growth, write_checkpoint
from apps.audit.events import event_kind
from apps.audit.models import ArchivedLeaf, Event, VerifiedHead
from apps.audit.queries import log_size, verify_new
from apps.jobs.actions import enqueue
from apps.monitoring.models import Alert
from placet.kernel.actor import SYSTEM
from tests.support import factories
from tests.support.database import as_superuser
from tests.support.factories import browser
from tests.support.page_text import text_of

COUNTED = event_kind("test.counted", "Counted")
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_checkpoints")]
Run = Callable[..., int]


def sql(statement: str) -> None:
    with as_superuser(), connection.cursor() as cursor:
        cursor.execute(statement)


def grow(count: int) -> None:
    """Append ``count`` events."""
    with record(SYSTEM) as log:
        for n in range(count):
            log.add(COUNTED, subject=f"s{n % 7}")


def signed(count: int) -> None:
    """Append ``count`` events and sign the log."""
    grow(count)
    write_checkpoint()


@pytest.fixture
def client() -> Client:
    """An auditor's browser."""
    return browser(factories.person("Aude", roles={"auditor": None}))


def said(client: Client) -> str:
    """Return what the page says of the log."""
    text = text_of(f"<main>{client.get('/audit/verification/').content.decode()}</main>")
    return " ".join(text.split())


def test_the_page_is_green_only_where_all_events_were_verified(client: Client) -> None:
    signed(26)
    verify_growth()
    upto = log_size()
    assert f"✓ The first {upto} of {upto} events verified" in said(client)
    signed(350)
    waiting = f"◷ The first {upto} of {upto + 350} events verified; 350 pending"
    assert waiting in said(client)
    assert "✓" not in said(client)
    verify_growth()
    assert f"✓ The first {upto + 350} of {upto + 350} events verified" in said(client)


def test_a_check_of_the_whole_log_from_before_is_not_green_for_what_came_after(
    client: Client, run_jobs: Run
) -> None:
    signed(26)
    enqueue("audit.verify", key="log")
    run_jobs()
    whole = log_size()
    assert f"✓ The first {whole} of {whole} events verified" in said(client)
    grow(10)
    waiting = f"◷ The first {whole} of {whole + 10} events verified; 10 pending"
    assert waiting in said(client)


def test_the_schedule_verifies_what_came_and_makes_the_log_no_longer(run_jobs: Run) -> None:
    signed(26)
    before = log_size()
    for _ in range(3):
        enqueue("audit.verify_new", key="audit.verify_new")
        run_jobs()
    assert log_size() == before
    assert VerifiedHead.objects.get().size == before


def test_a_check_reads_what_came_since_the_last_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    signed(300)
    verify_growth()
    signed(5)
    read: list[int] = []
    every = verify_new.every_record

    def noted(after: int) -> Iterator[verify_new.LeafRecord]:
        for one in every(after):
            read.append(one[0])
            yield one

    monkeypatch.setattr(verify_new, "every_record", noted)
    verify_growth()
    assert read == list(range(log_size() - 5, log_size()))
    read.clear()
    assert verify_growth() is None and read == []


def test_a_long_log_is_verified_a_piece_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(4):
        signed(30)
    monkeypatch.setattr(verify_new, "MOST", 70)
    sizes = []
    while (head := verify_growth()) is not None:
        sizes.append(head.size)
    assert sizes[-1] == log_size() and len(sizes) >= 2
    assert all(after - before <= 70 for before, after in pairwise(sizes))


@pytest.mark.parametrize(
    ("statement", "place"),
    [
        (
            "UPDATE audit_event SET body = replace(body, 's3', 's4') WHERE index = {new}",
            "leaf {new}",
        ),
        ("UPDATE audit_event SET leaf_hash = sha256('x') WHERE index = {new}", "leaf {new}"),
        ("DELETE FROM audit_event WHERE index = {new}", "leaf {new}"),
        ("DELETE FROM audit_event WHERE index >= {new}", "size"),
        ("UPDATE audit_verifiedhead SET size = size + 1", "The first {more} events"),
        ("UPDATE audit_verifiedhead SET root = sha256('x')", "The first {old} events"),
        ("UPDATE audit_event SET leaf_hash = sha256('x') WHERE index = {last}", "The tree over"),
    ],
)
def test_what_was_changed_is_named_on_the_page_and_in_an_alert_and_is_not_verified(
    client: Client, run_jobs: Run, statement: str, place: str
) -> None:
    signed(26)
    verify_growth()
    old = log_size()
    signed(20)
    names = {"old": old, "more": old + 1, "last": old - 1, "new": old + 3}
    sql(statement.format(**names))
    enqueue("audit.verify_new", key="audit.verify_new")
    run_jobs()
    assert f"The log is not intact. {place.format(**names)}" in said(client)
    assert "✓" not in said(client)
    assert Alert.objects.get().kind == "log_fault"
    assert VerifiedHead.objects.get().size in (old, old + 1), "it stays where it was"


def test_an_old_event_that_is_changed_is_found_by_the_check_of_the_whole_log(
    client: Client, run_jobs: Run
) -> None:
    signed(26)
    verify_growth()
    sql("UPDATE audit_event SET body = body || ' ' WHERE index = 10")
    signed(5)
    enqueue("audit.verify", key="log")
    run_jobs()
    verify_growth()
    assert "The log is not intact. leaf 10" in said(client)
    assert "✓" not in said(client)


def test_archived_events_are_verified_by_their_hashes() -> None:
    signed(26)
    leaf = bytes(Event.objects.get(index=12).leaf_hash)
    with as_superuser():
        Event.objects.filter(index=12).delete()
        ArchivedLeaf.objects.create(index=12, leaf_hash=leaf, archive_id="arc_x")
    head = verify_growth()
    assert head is not None and (head.size, head.fault) == (log_size(), "")


def test_a_fault_that_was_resolved_is_said_no_more(client: Client) -> None:
    signed(26)
    body = Event.objects.get(index=12).body
    sql("UPDATE audit_event SET body = body || ' ' WHERE index = 12")
    assert (head := verify_growth()) is not None and "leaf 12" in head.fault
    with as_superuser():
        Event.objects.filter(index=12).update(body=body)
    assert (head := verify_growth()) is not None and head.fault == ""
    assert "not intact" not in said(client)


def test_a_head_that_is_kept_outside_is_held_against_what_came(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signed(10)
    signed(10)
    size = log_size()
    monkeypatch.setattr(verify_new, "kept_between", lambda start, end: [(size - 10, b"x" * 32)])
    assert (head := verify_growth()) is not None
    assert f"differs from checkpoint {size - 10}" in head.fault
