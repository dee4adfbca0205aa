"""What ``audit fsck`` holds at once is bounded in bytes, however large rows, texts, bodies are."""

import secrets
import tracemalloc
from collections.abc import Callable

import pytest

from apps.audit.actions import record
from apps.audit.events import event_kind
from apps.audit.models import SealedText
from apps.audit.queries import archived
from apps.audit.queries.archived import every_record
from apps.audit.queries.removed_texts import removed_texts
from apps.audit.queries.wrong_rows import wrong_rows
from apps.identity.events import PROJECT_UPDATED
from apps.registry.actions import add_evidence
from placet.kernel.actor import SYSTEM
from placet.kernel.config import config
from tests.support.factories import project
from tests.support.world import World

MEGABYTE = 1 << 20
LONG = 400_000  # characters
NOTED = event_kind("test.long_noted", "Noted")
pytestmark = pytest.mark.django_db


def peak(work: Callable[[], object]) -> float:
    """Return how many megabytes of Python's ``work`` held at once."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / MEGABYTE
    finally:
        tracemalloc.stop()


def test_rows_and_their_sealed_texts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """48 rows of 400 kB, sealed: 19 MB beside as much in the tables."""
    monkeypatch.setattr(config(), "max_evidence_bytes", 100 * MEGABYTE)
    version = world.version()
    for _ in range(48):
        data = {"title": "t", "sha256": "0" * 64, "notes": secrets.token_hex(LONG // 2)}
        add_evidence(version, kind="document", data=data, actor=world.alan)
    found: list[str] = []
    used = peak(lambda: found.extend(fault.place for fault in wrong_rows()))
    assert not [place for place in found if "evidence" in place]
    assert used < 12, f"{used:.1f} MB"


def test_states_that_the_log_holds_whole() -> None:
    """48 projects, each with a state of 400 kB, as an earlier release logged what is sealed now."""
    for number in range(48):
        row = project(f"p{number}")
        with record(SYSTEM) as log:
            log.add(PROJECT_UPDATED, row)
            (state,) = log.entries[0].after.values()
            state["description"] = secrets.token_hex(LONG // 2)
    found: list[str] = []
    used = peak(lambda: found.extend(fault.place for fault in wrong_rows()))
    assert len([place for place in found if "identity.project:" in place]) == 48
    assert used < 12, f"{used:.1f} MB"


def test_what_every_state_of_the_rows_ever_committed_to() -> None:
    """3,000 states of one project, each with a text of its own, and then 48 long ones."""
    row, texts = project("p"), [f"{n}" for n in range(3000)]
    others = list(SealedText.objects.values_list("pk", flat=True))  # its policy's, among others
    with record(SYSTEM) as log:
        for text in (*texts, *(secrets.token_hex(LONG // 2) for _ in range(48))):
            row.description = text
            log.add(PROJECT_UPDATED, row)
    SealedText.objects.filter(commitment__endswith="0").exclude(pk__in=others).delete()
    found: list[str] = []
    used = peak(lambda: found.extend(fault.place for fault in removed_texts()))
    assert len(found) > 100 and set(found) == {f"row identity.project:{row.pk}"}
    assert used < 8, f"{used:.1f} MB"


def test_bodies_of_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archived, "MOST_BYTES", 2 * MEGABYTE)
    with record(SYSTEM) as log:
        for number in range(60):
            text = secrets.token_hex(LONG // 2) if number % 2 else "short"
            log.add(NOTED, subject="s", data={"text": text})
    indexes: list[int] = []
    used = peak(lambda: indexes.extend(leaf[0] for leaf in every_record()))
    assert indexes == list(range(len(indexes))) and len(indexes) >= 60
    assert used < 8, f"{used:.1f} MB"
