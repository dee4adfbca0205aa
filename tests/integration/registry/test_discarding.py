"""Discarding a draft: it goes with its files for good, and its number with it."""

import io
import threading
from typing import Any

import pytest
from django.db import connection

from apps.audit.models import Event
from apps.audit.queries import fsck
from apps.audit.queries.replay import replay
from apps.registry import actions
from apps.registry.actions import versions
from apps.registry.errors import IsParent, NotDraft
from apps.registry.models import ArtifactFile, Evidence, ModelVersion, Upload
from apps.registry.store import store
from placet.kernel.problems import Forbidden, NotFound, Stale
from tests.integration.registry.helpers import Lab, sha256
from tests.integration.registry.test_removed_bytes import collected, kept
from tests.support.factories import actor_of

pytestmark = pytest.mark.django_db
MODEL = b"m" * 1000


def full(lab: Lab) -> ModelVersion:
    """Return a draft with a file, a file on its way, and metrics."""
    draft = lab.draft()
    lab.put(draft, "model.joblib", MODEL)
    lab.start(draft, "more.bin", b"more")
    actions.add_evidence(draft, kind="metrics", data={"auc": 0.9}, actor=lab.actor)
    draft.refresh_from_db()
    return draft


def test_a_draft_goes_with_its_files_and_the_log_says_so(lab: Lab) -> None:
    draft = full(lab)
    actions.discard_draft(draft, if_generation=draft.generation, actor=lab.actor)
    for table in (ModelVersion, ArtifactFile, Upload, Evidence):
        assert not table._default_manager.exists(), table
    event = Event.objects.order_by("-index")[0]
    assert (event.kind, event.subject) == ("version.discarded.v1", draft.pk)
    assert not [key for key in replay() if draft.pk in key]
    assert not fsck.fsck().faults


def test_its_bytes_go_with_what_else_nothing_needs(lab: Lab) -> None:
    draft = full(lab)
    other = lab.draft()
    lab.put(other, "model.joblib", b"of the other")
    actions.discard_draft(draft, actor=lab.actor)
    assert kept(lab) == len(MODEL) + len(b"of the other")
    collected()
    assert kept(lab) == len(b"of the other")
    assert not store().exists(sha256(MODEL))
    assert store().exists(sha256(b"of the other"))


def test_nobody_else_gets_its_number(lab: Lab) -> None:
    first, second = lab.draft(), lab.draft()
    for draft in (second, first):
        actions.discard_draft(draft, actor=lab.actor)
    assert lab.draft().number == 3


def test_what_is_finalised_or_somebody_s_parent_stays(lab: Lab) -> None:
    done = lab.finalised()
    with pytest.raises(NotDraft):
        actions.discard_draft(done, actor=lab.actor)
    parent = lab.draft()
    lab.draft(lineage={"parent": parent.pk})
    with pytest.raises(IsParent, match="churn:3 names this draft as its parent"):
        actions.discard_draft(parent, actor=lab.actor)
    assert ModelVersion.objects.count() == 3


def test_who_may_not_edit_it_discards_nothing(lab: Lab) -> None:
    draft = lab.draft()
    for who, refusal in ((lab.victor, Forbidden), (lab.stranger, NotFound)):
        with pytest.raises(refusal):
            actions.discard_draft(draft, actor=actor_of(who))
    with pytest.raises(Stale):
        actions.discard_draft(draft, if_generation=draft.generation + 1, actor=lab.actor)
    assert ModelVersion.objects.filter(pk=draft.pk).exists()


def test_a_second_click_finds_nothing(lab: Lab) -> None:
    draft = lab.draft()
    actions.discard_draft(draft, actor=lab.actor)
    with pytest.raises(NotFound):
        actions.discard_draft(draft, actor=lab.actor)


def test_the_api_asks_for_what_was_read(lab: Lab) -> None:
    path = lab.at(lab.draft())
    tag = lab.api.get(path).headers["ETag"]
    assert lab.api.delete(path).status_code == 428
    assert lab.api.delete(path, if_match=tag).status_code == 204
    assert lab.api.get(path).status_code == 404


def lying() -> int:
    """Return how many bytes of uploads lie in the store."""
    root = store().root
    return sum(file.stat().st_size for file in (root / "incoming").iterdir())


def test_what_came_of_its_uploads_goes_at_once(lab: Lab) -> None:
    draft = lab.draft()
    upload = lab.start(draft, "more.bin", b"x" * 2000)
    actions.receive_chunk(upload, offset=0, stream=io.BytesIO(b"x" * 1999), actor=lab.actor)
    assert lying() == 1999
    actions.discard_draft(draft, actor=lab.actor)
    assert lying() == 0


def test_who_sends_while_it_is_discarded_leaves_nothing(lab: Lab) -> None:
    draft = lab.draft()
    upload = lab.start(draft, "more.bin", b"x" * 2000)

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if ModelVersion.objects.filter(pk=draft.pk).exists():
                actions.discard_draft(draft, actor=lab.actor)
            return super().read(size)

    with pytest.raises(NotFound):
        actions.receive_chunk(upload, offset=0, stream=Slow(b"x" * 1500), actor=lab.actor)
    assert lying() == 0


@pytest.mark.django_db(transaction=True)
def test_a_draft_that_becomes_a_parent_meanwhile_stays(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent, child = lab.draft(), lab.draft()
    refused: list[Any] = []

    def discard() -> None:
        try:
            actions.discard_draft(parent, actor=lab.actor)
        except IsParent as problem:
            refused.append(problem)
        finally:
            connection.close()

    thread, faults = threading.Thread(target=discard), versions.draft_faults

    def after(row: ModelVersion) -> Any:
        found = faults(row)
        thread.start()
        thread.join(0.5)  # it waits for this edit
        return found

    monkeypatch.setattr(versions, "draft_faults", after)
    actions.edit_draft(child, lineage={"parent": parent.pk}, actor=lab.actor)
    thread.join()
    assert len(refused) == 1
    assert ModelVersion.objects.filter(pk=parent.pk).exists()


@pytest.mark.django_db(transaction=True)
def test_a_number_that_is_discarded_while_another_is_given_is_not_given_again(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.draft()
    numbers: list[int] = []

    def come_and_go() -> None:
        draft = lab.draft()
        numbers.append(draft.number)
        actions.discard_draft(draft, actor=lab.actor)
        connection.close()

    thread, faults, begun = threading.Thread(target=come_and_go), versions.draft_faults, []

    def after(row: ModelVersion) -> Any:
        if not begun:
            begun.append(row)
            thread.start()
            thread.join(0.5)
        return faults(row)

    monkeypatch.setattr(versions, "draft_faults", after)
    mine = lab.draft().number
    thread.join()
    assert sorted([mine, *numbers]) == [2, 3]
