"""The unit of work: what was changed and what was logged are one."""

import json
import socket
import threading
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from django.db import IntegrityError, connection, connections, transaction

from apps.audit.actions import erase_texts, record, seal, write_checkpoint
from apps.audit.errors import OwnErasure
from apps.audit.events import event_kind
from apps.audit.models import Event, LogHead, PersonKey, SealedText
from apps.audit.queries import ERASED, inclusion, timeline, unseal, verify_database
from apps.identity.models import Project, RoleBinding
from placet.kernel import keystore
from placet.kernel.actor import SYSTEM, Actor, Grant, Scope
from placet.kernel.clock import now, rfc3339
from placet.kernel.problems import Forbidden
from placet_verify.log import seals
from tests.support import factories
from tests.support.meeting import at_once, waited_for
from tests.support.processes import until
from tests.support.replay import assert_log_rebuilds_every_row

MADE = event_kind("test.made", "Made {what}")
CHANGED = event_kind("test.changed", "Changed a project")
REMOVED = event_kind("test.removed", "Removed a project")

ADA = Actor(kind="person", id="per_ada", label="Ada")
BOB = Actor(kind="person", id="per_bob", label="Bob")


def make(slug: str, actor: Actor = ADA, description: str = "") -> Project:
    with record(actor) as log:
        row = Project.objects.create(
            slug=slug, name=slug, description=description, created_by=actor.id
        )
        log.add(MADE, row, data={"what": "a project"})
    return row


def bodies() -> list[dict[str, object]]:
    return [json.loads(body) for body in Event.objects.values_list("body", flat=True)]


@pytest.mark.django_db
def test_each_event_of_a_nested_action_has_its_own_actor_and_they_are_appended_together() -> None:
    with record(ADA) as log:
        make("inner", BOB)
        assert Event.objects.count() == 0
        row = Project.objects.create(slug="outer", name="o", created_by="per_ada")
        log.add(MADE, row)
    assert [b["actor_id"] for b in bodies()] == ["per_bob", "per_ada"]
    assert len({b["at"] for b in bodies()}) == 1


@pytest.mark.django_db
def test_a_nested_action_whose_failure_is_caught_leaves_neither_row_nor_event() -> None:
    with record(ADA) as log:
        first = make("kept")
        with pytest.raises(RuntimeError), record(BOB) as inner:
            row = Project.objects.create(slug="lost", name="x", created_by="per_bob")
            inner.add(MADE, row)
            raise RuntimeError("the nested action fails after logging")
        log.add(CHANGED, first)
    assert [p.slug for p in Project.objects.all()] == ["kept"]
    assert [b["kind"] for b in bodies()] == ["test.made.v1", "test.changed.v1"]


@pytest.mark.django_db
def test_a_failure_of_the_whole_leaves_nothing() -> None:
    with pytest.raises(RuntimeError), record(ADA):
        make("gone")
        raise RuntimeError
    assert Project.objects.count() == Event.objects.count() == 0
    assert LogHead.objects.get().size == 0
    assert make("next").slug == "next"
    assert Event.objects.get().index == 0


@pytest.mark.django_db
def test_a_kind_that_nobody_declared_cannot_be_written() -> None:
    from apps.audit.events import EventKind

    with pytest.raises(ValueError, match="not a declared event kind"), record(ADA) as log:
        log.add(EventKind("made.up.v1", "x"))


@pytest.mark.django_db
def test_nothing_heavy_is_written_while_the_head_of_the_log_is_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps: list[int | str] = []
    dumps = rfc8785.dumps

    def noted(value: Any) -> bytes:
        raw = dumps(value)
        steps.append(len(raw))
        return raw

    def looked(execute: Any, sql: str, *rest: Any) -> Any:
        if "UPDATE audit_loghead" in sql:
            steps.append("locked")
        return execute(sql, *rest)

    monkeypatch.setattr(rfc8785, "dumps", noted)
    with connection.execute_wrapper(looked), record(ADA) as log:
        row = Project.objects.create(slug="large", name="large", created_by=ADA.id)
        row.name = "x" * 100_000  # no column of a project holds as much; a version's do
        log.add(MADE, row, data={"what": "y" * 100_000})
    [body] = Event.objects.values_list("body", flat=True)
    assert len(body) > 200_000
    held = [step for step in steps[steps.index("locked") :] if step != "locked"]
    assert held
    assert max(int(step) for step in held) < 1000


@pytest.mark.django_db
def test_bodies_are_canonical_and_sealed_ones_are_sealed_at_their_place() -> None:
    make("plain", description="é")
    factories.person("Ada", roles={"viewer": None})
    texts = dict(Event.objects.values_list("index", "body"))
    assert any('"seal":' in text for text in texts.values())
    for index, text in texts.items():
        assert rfc8785.dumps(json.loads(text)).decode() == text
        assert seals.fault(text, index, keystore.ring()) == ""


@pytest.mark.django_db
def test_a_text_that_did_not_change_keeps_its_commitment() -> None:
    row = make("risk", description="a long description")
    with record(BOB) as log:
        row.name = "Risk"
        row.save()
        log.add(CHANGED, row, actor=ADA)
    before, after = (b["after"][f"identity.project:{row.pk}"] for b in bodies())  # type: ignore[index]
    assert before["description"] == after["description"] != "a long description"
    assert (before["name"], after["name"]) == ("risk", "Risk")
    assert unseal(after["description"]) == "a long description"
    assert SealedText.objects.count() == 1


@pytest.mark.django_db
def test_the_same_comment_twice_cannot_be_told_to_be_the_same() -> None:
    assert seal("fine by me", person="per_ada") != seal("fine by me", person="per_ada")


@pytest.mark.django_db
def test_a_row_that_was_removed_is_gone_from_the_replay() -> None:
    keep, row = make("keep"), make("remove")
    with record(ADA) as log:
        Project.objects.filter(pk=row.pk).delete()
        log.add(REMOVED, deleted=(row,))
    assert assert_log_rebuilds_every_row() == 1
    assert Project.objects.get().pk == keep.pk


@pytest.mark.django_db
@pytest.mark.parametrize("fault", ["silent change", "silent row", "silent removal"])
def test_the_rebuild_notices_what_went_past_the_log(fault: str) -> None:
    row = make("risk", description="words")
    assert assert_log_rebuilds_every_row() == 1
    if fault == "silent change":
        Project.objects.filter(pk=row.pk).update(description="other words")
    elif fault == "silent row":
        Project.objects.create(slug="new", name="n", created_by="per_x")
    else:
        row.delete()
    with pytest.raises(AssertionError, match="log"):
        assert_log_rebuilds_every_row()


@pytest.mark.django_db(transaction=True)
def test_four_writers_at_once_leave_one_row_of_places_in_the_order_of_time() -> None:
    failures: list[BaseException] = []
    start = threading.Barrier(4)

    def write(writer: int) -> None:
        try:
            start.wait()
            for n in range(25):
                with record(ADA):
                    make(f"w{writer}-{n}")
                    if n % 5 == 0:
                        make(f"w{writer}-{n}-again", BOB)
                if n % 7 == 0:
                    with pytest.raises(RuntimeError), record(ADA):
                        make(f"w{writer}-{n}-undone")
                        raise RuntimeError
        except BaseException as error:
            failures.append(error)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert failures == []
    events = list(Event.objects.order_by("index").values_list("index", "at"))
    assert [index for index, _ in events] == list(range(120))
    times = [at for _, at in events]
    assert times == sorted(times)
    assert LogHead.objects.get().size == 120
    assert assert_log_rebuilds_every_row() == 120


@pytest.mark.django_db(transaction=True)
def test_who_waits_for_the_row_that_theirs_refers_to_keeps_nobody_from_the_log() -> None:
    """Foreign keys are deferred, but not behind the head."""
    person, held = factories.person("Ada"), make("held")

    def refer() -> None:
        with record(BOB) as log:
            binding = RoleBinding.objects.create(person=person, project=held, role="viewer")
            log.add(MADE, binding)

    def log_alone() -> None:
        make("stranger")
        connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        with transaction.atomic():
            Project.objects.select_for_update().get(pk=held.pk)  # as who deletes it
            waiting = pool.submit(at_once, refer)
            until(waited_for, what="waiting for the project")
            pool.submit(log_alone).result(timeout=30)
        assert waiting.result(timeout=30) == [None]
    assert [body["actor_id"] for body in bodies()][-3:] == ["per_ada", "per_ada", "per_bob"]


@pytest.mark.django_db
def test_what_refers_to_nothing_is_refused_before_the_log() -> None:
    person, before = factories.person("Ada"), LogHead.objects.get().size
    with pytest.raises(IntegrityError), record(BOB) as log:
        log.add(MADE, RoleBinding.objects.create(person=person, project_id="prj_x", role="viewer"))
    assert LogHead.objects.get().size == before


@pytest.mark.django_db(transaction=True)
def test_what_is_appended_later_is_committed_later_and_has_a_later_time() -> None:
    """A writer that waits for the head gets the time of its append, not of its wait."""
    in_append, let_go = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            make("slow")
            in_append.set()
            let_go.wait(10)
        connections.close_all()

    def quick() -> None:
        in_append.wait(10)
        threading.Timer(0.3, let_go.set).start()
        make("quick")
        connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(slow), pool.submit(quick)]:
            future.result()
    first, second = bodies()
    assert first["after"] != second["after"]
    assert str(first["at"]) < str(second["at"])
    slugs = Project.objects.order_by("pk").values_list("slug", flat=True)
    assert sorted(slugs) == ["quick", "slow"]
    order = [p for b in (first, second) for p in slugs if f'"slug": "{p}"' in json.dumps(b)]
    assert order == ["slow", "quick"]


def admin() -> Actor:
    return Actor(kind="person", id="per_eve", grants=frozenset({Grant("access.manage", Scope())}))


@pytest.mark.django_db
def test_erasing_a_person_hides_the_texts_and_leaves_every_proof_valid(
    own_checkpoints: Callable[[], Path],
) -> None:
    row = make("risk", description="Ada's words")
    commitment = seal("I approve, says Ada", person="per_ada")
    other = seal("Bob's words", person="per_bob")
    write_checkpoint()
    proof = inclusion(0)
    erase_texts("per_ada", actor=admin())
    assert unseal(commitment) == ERASED
    assert unseal(other) == "Bob's words"
    assert bytes(PersonKey.objects.get(pk="per_ada").key) == b""
    assert Event.objects.order_by("-index")[0].kind == "person.erased.v1"
    write_checkpoint()
    assert verify_database().ok
    assert inclusion(0).leaf_hash == proof.leaf_hash
    assert assert_log_rebuilds_every_row() == 1
    later = seal("again", person="per_ada")
    assert unseal(later) == ERASED
    with record(ADA) as log:
        log.add(CHANGED, row)
    assert "Ada's words" not in Event.objects.order_by("-index")[0].body


@pytest.mark.django_db
def test_nobody_erases_themselves_or_without_the_permission() -> None:
    seal("x", person="per_eve")
    seal("x", person="per_ada")
    with pytest.raises(OwnErasure):
        erase_texts("per_eve", actor=admin())
    with pytest.raises(Forbidden):
        erase_texts("per_eve", actor=ADA)
    assert unseal(seal("y", person="per_eve")) == "y"


@pytest.mark.django_db
def test_a_timeline_tells_what_happened_to_an_object_and_hides_other_projects() -> None:
    row, other = make("risk"), make("other")
    with record(BOB) as log:
        log.add(CHANGED, other, row)
    lines = timeline([row.pk], SYSTEM)
    assert [(e.line, e.actor_id) for e in lines] == [
        ("Changed a project", "per_bob"),
        ("Made a project", "per_ada"),
    ]
    sees = Actor(
        kind="person", id="per_v", grants=frozenset({Grant("project.view", Scope(row.pk))})
    )
    assert [e.index for e in timeline([row.pk, other.pk], sees)] == [0]
    assert timeline([], SYSTEM) == []


@pytest.mark.django_db(transaction=True)
def test_nothing_is_read_or_written_outside_while_an_action_runs(
    no_io_in_transaction: None, tmp_path: Path
) -> None:
    make("risk", description="words")
    assert write_checkpoint() is not None
    with pytest.raises(AssertionError, match="writing to"), transaction.atomic():
        (tmp_path / "x").write_text("no")
    with (
        pytest.raises(AssertionError, match="a connection to"),
        transaction.atomic(),
        socket.socket() as client,
    ):
        client.connect(("127.0.0.1", 9))
    assert not connection.in_atomic_block


@pytest.mark.django_db(transaction=True)
def test_two_who_log_the_same_text_do_not_lock_each_other_out() -> None:
    """The first goes on only when the second, who logs the same text, has come past it."""
    shared = make("shared", description="the same words")
    seal("the system's key is there since the migrations", person="system")
    logged, go_on = threading.Event(), threading.Event()

    def first() -> None:
        with record(SYSTEM) as log:
            log.add(CHANGED, shared)
            logged.set()
            assert go_on.wait(10)
        connections.close_all()

    def second() -> None:
        assert logged.wait(10)
        with record(SYSTEM) as log:
            log.add(CHANGED, shared)
            go_on.set()
        connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(first), pool.submit(second)]:
            future.result(20)
    assert Event.objects.count() == 3
    assert assert_log_rebuilds_every_row() == 1


@pytest.mark.django_db
def test_a_clock_that_is_set_back_does_not_take_the_logs_time_with_it() -> None:
    """Else what was vouched for later would count as older, and order by time as another order."""
    ahead = now() + timedelta(hours=1)
    LogHead.objects.update(at=ahead)
    make("first"), make("second")
    assert {event.at for event in Event.objects.all()} == {rfc3339(ahead)}
    assert verify_database(deep=True).ok
    LogHead.objects.update(at=now() - timedelta(hours=1))
    make("third")
    assert Event.objects.latest("index").at < rfc3339(now() + timedelta(minutes=1))


@pytest.mark.django_db
def test_a_timeline_reads_no_states() -> None:
    row = make("risk")
    with record(BOB) as log:
        row.name = "x" * 2_000_000  # a version may have as much
        log.add(CHANGED, row)
    timeline([row.pk], SYSTEM)
    tracemalloc.start()
    try:
        lines = timeline([row.pk], SYSTEM)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [e.line for e in lines] == ["Changed a project", "Made a project"]
    assert peak < 500_000
