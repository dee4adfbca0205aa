"""Discarding a draft: it goes with its files for good, and its number with it."""

import pytest

from apps.audit.models import Event
from apps.audit.queries import fsck
from apps.audit.queries.replay import replay
from apps.registry import actions
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
