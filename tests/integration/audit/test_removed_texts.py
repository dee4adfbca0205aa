"""``audit fsck`` tells an erased text from one that somebody removed beside the log."""

import os
from datetime import timedelta

import pytest
from django.apps import apps as django_apps

from apps.assurance.actions import archive_events, archiving, lift_hold, place_hold, set_retention
from apps.assurance.models import LegalHold
from apps.audit.actions import erase_texts, record, write_checkpoint
from apps.audit.events import kinds
from apps.audit.models import ArchivedLeaf, Audited, Event, PersonKey, SealedText
from apps.audit.queries import replay
from apps.audit.queries.fsck import fsck
from apps.audit.rows import row_key
from apps.identity.actions import update_project
from apps.identity.events import PROJECT_UPDATED
from apps.identity.models import Project, User
from apps.registry.actions import create_model
from apps.registry.events import MODEL_CREATED
from apps.registry.models import RegisteredModel
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from tests.support.database import owning_tables
from tests.support.factories import actor_of, person

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("log_of_its_own")]


@pytest.fixture
def ada(risk: Project) -> User:
    """Ada described the project, and nobody has logged it since."""
    ada = person("Ada", {"admin": risk})
    update_project(risk, description="In Ada's words", actor=actor_of(ada))
    return ada


@pytest.fixture
def held() -> tuple[User, User]:
    """Who placed a legal hold, and who lifted it."""
    ann, bob = (person(name, {"admin": None}) for name in ("Ann", "Bob"))
    hold = place_hold(name="all", scope="everything", reason="A lawsuit", actor=actor_of(ann))
    lift_hold(hold.pk, reason="It is over", actor=actor_of(bob))
    return ann, bob


def said() -> dict[str, str]:
    write_checkpoint()
    found: dict[str, str] = {}
    for fault in fsck().faults:
        found[fault.place] = f"{found.get(fault.place, '')}{fault.sentence}\n"
    return found


def erase(who: User) -> None:
    erase_texts(who.pk, actor=SYSTEM)


def removed(text: str) -> None:
    """Remove the sealed text of a column past Placet."""
    assert SealedText.objects.filter(pk=text).delete()[0] == 1


def commitment(of: str, name: str) -> str:
    return str(replay()[of][name])


def archive(monkeypatch: pytest.MonkeyPatch) -> None:
    """Archive what is there, as if half a year had passed."""
    set_retention(days=30, actor=SYSTEM)
    passed = now() + timedelta(days=180)
    monkeypatch.setattr(archiving, "database_now", lambda: passed)
    write_checkpoint()
    with owning_tables():
        list(archive_events(actor=SYSTEM))


def test_a_text_that_was_removed_by_hand_is_named(risk: Project, ada: User) -> None:
    key = f"identity.project:{risk.pk}"
    assert said() == {}
    removed(commitment(key, "description"))
    found = said()
    assert list(found) == [f"row {key}"]
    assert "description: its text can be read by nobody" in found[f"row {key}"]


def test_a_removed_text_of_an_earlier_state_is_named_with_its_leaf(
    risk: Project, ada: User
) -> None:
    """Of a column that has another text since, and of a row that is gone since."""
    ann = person("Ann", {"contributor": risk})
    gone = create_model(risk, name="gone", description="Not for long", actor=actor_of(ann))
    keys = f"identity.project:{risk.pk}", row_key(gone)
    texts = [commitment(key, "description") for key in keys]
    leaves = [Event.objects.get(body__contains=text).index for text in texts]
    update_project(risk, description="In other words", actor=actor_of(ada))
    with record(SYSTEM) as log:
        log.add(MODEL_CREATED, deleted=(gone,))
    RegisteredModel.objects.filter(pk=gone.pk).delete()
    assert said() == {}
    for text in texts:
        removed(text)
    found = said()
    assert set(found) == {f"row {key}" for key in keys}
    for leaf, key in zip(leaves, keys, strict=True):
        assert f"(it was logged at leaf {leaf})" in found[f"row {key}"]


def test_the_erasure_of_whose_text_an_earlier_state_had_explains_it_and_no_other_s(
    risk: Project, ada: User
) -> None:
    bob = person("Bob", {"admin": risk})
    text = commitment(f"identity.project:{risk.pk}", "description")
    update_project(risk, description="In Bob's words", actor=actor_of(bob))
    erase(bob)
    assert said() == {}
    removed(text)
    assert list(said()) == [f"row identity.project:{risk.pk}"]
    erase(ada)
    assert said() == {}


def test_one_that_was_erased_is_not_nor_is_one_that_somebody_removed_after_that(
    risk: Project, ada: User
) -> None:
    text = commitment(f"identity.project:{risk.pk}", "description")
    erase(ada)
    assert said() == {}
    removed(text)
    assert said() == {}


def test_another_person_s_erasure_explains_nothing(risk: Project, ada: User) -> None:
    text = commitment(f"identity.project:{risk.pk}", "description")
    erase(person("Bea"))
    SealedText.objects.filter(pk=text).update(person_id=User.objects.get(name="Bea").pk)
    assert list(said()) == [f"row identity.project:{risk.pk}"]


@pytest.mark.parametrize("how", ["key", "other key", "text"])
def test_a_text_that_was_made_unreadable_by_hand_is_named(
    risk: Project, ada: User, how: str
) -> None:
    text = commitment(f"identity.project:{risk.pk}", "description")
    if how == "text":
        SealedText.objects.filter(pk=text).update(ciphertext=os.urandom(60))
    else:
        fresh = b"" if how == "key" else os.urandom(32)
        PersonKey.objects.filter(pk=ada.pk).update(key=fresh)
    places = [f"row identity.project:{risk.pk}"]
    if how != "text":
        places.append(f"row identity.user:{ada.pk}")
    assert list(said()) == places


def test_what_is_logged_of_somebody_after_their_erasure_is_no_finding(
    risk: Project, ada: User
) -> None:
    erase(ada)
    with record(actor_of(ada)) as log:
        log.add(PROJECT_UPDATED, Project.objects.get(pk=risk.pk))
    assert said() == {}


def test_a_reason_belongs_to_who_gave_it_whoever_wrote_the_row_last(
    held: tuple[User, User],
) -> None:
    row = LegalHold.objects.get()
    key = f"row assurance.legalhold:{row.pk}"
    removed(row.reason_sealed)
    assert "reason_sealed: its text can be read by nobody" in said()[key]
    erase(held[1])
    assert "reason_sealed" in said()[key], "it was Ann's"
    erase(held[0])
    assert said() == {}


@pytest.mark.django_db(transaction=True)
def test_the_reason_of_an_erased_person_is_no_finding_when_their_event_was_archived(
    held: tuple[User, User], monkeypatch: pytest.MonkeyPatch
) -> None:
    erase(held[0])
    placed = Event.objects.get(kind="legal_hold.placed.v1").index
    archive(monkeypatch)
    assert ArchivedLeaf.objects.filter(pk=placed).exists()
    assert said() == {}


@pytest.mark.django_db(transaction=True)
def test_whose_a_reason_is_says_the_event_that_gave_it_while_it_is_there(
    ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whom a text is kept for stands in a column that nobody signs."""
    zoe, ann, bob = (person(name, {"admin": None}) for name in ("Zoe", "Ann", "Bob"))
    update_project(Project.objects.get(), description="anew", actor=actor_of(ada))
    erase(zoe)
    archive(monkeypatch)
    assert ArchivedLeaf.objects.exists()
    hold = place_hold(name="all", scope="everything", reason="A lawsuit", actor=actor_of(ann))
    lifted = lift_hold(hold.pk, reason="It is over", actor=actor_of(bob))
    assert said() == {}
    for text, name in ((hold.reason_sealed, "reason"), (lifted.lift_reason_sealed, "lift_reason")):
        row = SealedText.objects.filter(pk=text)
        assert row.update(person_id=zoe.pk, ciphertext=os.urandom(60)) == 1
        assert f": {name}_sealed: its text can be" in said()[f"row assurance.legalhold:{hold.pk}"]
        row.delete()
    erase(ann)
    erase(bob)
    assert said() == {}


def test_of_every_text_that_an_action_seals_a_kind_of_event_says_so() -> None:
    rows = [model for model in django_apps.get_models() if issubclass(model, Audited)]
    columns = {column.attname for model in rows for column in model._meta.concrete_fields}
    declared = set().union(*(kind.seals for kind in kinds().values()))
    assert declared == {name for name in columns if name.endswith("_sealed")}
