"""Offering a passkey to sign decisions with, and vouching for another person's."""

from dataclasses import replace
from typing import Any

import pytest
from allauth.mfa import signals as mfa
from allauth.mfa.models import Authenticator as SignInFactor
from django.core.management import CommandError, call_command

from apps.audit.models import Event
from apps.identity import actions
from apps.identity.actions.credentials import change_credentials
from apps.identity.errors import (
    NeedsPasskey,
    NeedsSession,
    NotAsked,
    NotOffered,
    OwnEnrolment,
    WrongPasskey,
)
from apps.identity.models import ApproverPasskey
from apps.identity.trust import passkeys
from apps.identity.trust.passkeys import credential_of, signing_passkey
from placet.kernel import keystore
from placet.kernel.actor import SYSTEM
from placet.kernel.problems import Forbidden, InvalidInput, NotFound
from placet_verify.permit.approvers import read_enrolments
from placet_verify.signing.keys import PrivateKey
from tests.support.authenticator import Authenticator
from tests.support.database import sql
from tests.support.enrolment import (
    answer,
    authenticator,
    enrolled_by,
    enrolled_by_root,
    offered_passkey,
    signs_in_with,
)
from tests.support.factories import actor_of, api, person, project, token_for
from tests.support.replay import assert_log_rebuilds_every_row

pytestmark = pytest.mark.django_db


def remove(factor: SignInFactor) -> None:
    """Remove a passkey as the account's page does."""
    factor.delete()
    mfa.authenticator_removed.send(
        SignInFactor, user=factor.user, authenticator=factor, request=None
    )


class People:
    """Vera, whom the root enrolled, and Vito, who has not offered anything yet."""

    def __init__(self) -> None:
        self.risk = project("risk")
        self.vera = person("Vera", {"approver": self.risk})
        self.vito = person("Vito", {"approver": self.risk})
        self.key = authenticator()
        self.row = enrolled_by_root(self.vera, self.key, "Vera's key")


@pytest.fixture
def people() -> People:
    return People()


def test_the_root_enrols_the_first_and_they_enrol_the_others(people: People) -> None:
    second, third = authenticator(), authenticator()
    row = enrolled_by(people.vera, people.key, people.vito, second)
    rex = person("Rex", {"reviewer": people.risk})
    last = enrolled_by(people.vito, second, rex, third)
    assert (row.state, row.vouched_by_id) == ("enrolled", people.row.pk)
    chain = passkeys.enrolments([last.credential])
    assert [one.assertion is None for one in chain] == [True, False, False]
    read_enrolments(chain, keystore.ring())
    assert signing_passkey(actor_of(rex)).pk == last.pk
    kinds = Event.objects.filter(subject=last.pk).order_by("index").values_list("kind", flat=True)
    assert list(kinds) == ["passkey.offered.v1", "passkey.enrolled.v1"]
    assert_log_rebuilds_every_row()


def test_a_fingerprint_is_seen_by_both_who_compare_it(people: People) -> None:
    row = offered_passkey(people.vito, key := authenticator())
    for who in (people.vera, people.vito):
        shown = api(who).get(f"/passkeys/{row.pk}").json()
        assert shown["fingerprint"] == key.passkey.fingerprint
        assert (shown["state"], shown["vouched_by"]) == ("offered", None)
    outsider = person("Pia", {"contributor": people.risk})
    assert api(outsider).get(f"/passkeys/{row.pk}").status_code == 404
    assert api(outsider).get("/passkeys").json()["items"] == []


def test_a_program_can_do_the_whole_story_by_the_api(people: People) -> None:
    key = authenticator()
    number = signs_in_with(people.vito, key)
    vito, vera = api(people.vito), api(people.vera)

    def signed(client: Any, path: str, body: Any, by: Authenticator) -> dict[str, str]:
        asked = client.post(path, body)
        assert asked.status_code == 201, asked.json()
        assert asked.json()["user_verification"] == "required"
        return answer(by, passkeys.PasskeyQuestion(**asked.json()))

    proof = signed(vito, "/passkeys/challenge", {"authenticator": number}, key)
    body = {"authenticator": number, "name": "mine", "assertion": proof}
    made = vito.post("/passkeys", body)
    assert made.status_code == 201
    assert vito.post("/passkeys", body).json()["code"] == "not_asked"
    path = f"/passkeys/{made.json()['id']}"
    vouched = signed(vera, f"{path}/challenge", {}, people.key)
    assert vera.post(f"{path}/enrol", {"assertion": vouched}).json()["state"] == "enrolled"
    assert vera.post(f"{path}/enrol", {"assertion": vouched}).json()["code"] == "not_offered"
    assert vera.get(path).json()["vouched_by"] == people.vera.pk


# --- who may not ----------------------------------------------------------------------------------


def test_nobody_vouches_for_themselves(people: People) -> None:
    own = offered_passkey(people.vera, authenticator())
    with pytest.raises(OwnEnrolment):
        actions.ask_to_enrol(own, actor=actor_of(people.vera))


def test_who_has_no_enrolled_passkey_vouches_for_nobody(people: People) -> None:
    row = offered_passkey(person("Rex", {"reviewer": people.risk}))
    with pytest.raises(NeedsPasskey):
        actions.ask_to_enrol(row, actor=actor_of(people.vito))
    offered_passkey(people.vito, authenticator())
    with pytest.raises(NeedsPasskey):
        actions.ask_to_enrol(row, actor=actor_of(people.vito))


@pytest.mark.parametrize(("role", "refusal"), [("auditor", Forbidden), ("reviewer", NotFound)])
def test_who_approves_nothing_vouches_for_nobody(
    people: People, role: str, refusal: type[Exception]
) -> None:
    row = offered_passkey(people.vito)
    with pytest.raises(refusal):
        actions.ask_to_enrol(row, actor=actor_of(person("Olga", {role: None})))


def test_a_role_taken_away_between_question_and_answer_does_not_count(people: People) -> None:
    row, actor = offered_passkey(people.vito), actor_of(people.vera)
    signed = answer(people.key, actions.ask_to_enrol(row, actor=actor))
    sql("DELETE FROM identity_rolebinding WHERE person_id = %s", people.vera.pk)
    with pytest.raises(Forbidden):
        actions.enrol_passkey(row, assertion=signed, actor=actor)


def test_a_token_neither_offers_nor_vouches(people: People) -> None:
    number = signs_in_with(people.vito, authenticator())
    bearer = api(token_for(people.vito))
    answered = bearer.post("/passkeys/challenge", {"authenticator": number})
    assert answered.json()["code"] == NeedsSession.code
    row = offered_passkey(people.vito)
    assert api(token_for(people.vera)).post(f"/passkeys/{row.pk}/challenge", {}).status_code in (
        403,
        404,
    )


# --- what does not count --------------------------------------------------------------------------


def test_a_passkey_is_offered_by_whoever_holds_it(people: People) -> None:
    """Being signed in as Vito is not enough: Vito's authenticator has to answer."""
    key, actor = authenticator(), actor_of(people.vito)
    number = signs_in_with(people.vito, key)
    question = actions.ask_to_offer(number, actor=actor)
    thief = replace(authenticator(), credential=key.credential)
    with pytest.raises(WrongPasskey):
        actions.offer_passkey(number, name="x", assertion=answer(thief, question), actor=actor)
    unverified = replace(key, flags=0x01)
    with pytest.raises(WrongPasskey, match="did not verify"):
        actions.offer_passkey(number, name="x", assertion=answer(unverified, question), actor=actor)
    assert not ApproverPasskey.objects.filter(person=people.vito).exists()


def test_nobody_offers_another_ones_passkey(people: People) -> None:
    number = signs_in_with(people.vito, authenticator())
    with pytest.raises(InvalidInput):
        actions.ask_to_offer(number, actor=actor_of(people.vera))


def test_an_answer_counts_once_and_for_what_was_asked(people: People) -> None:
    first, second = offered_passkey(people.vito), offered_passkey(people.vito)
    actor = actor_of(people.vera)
    signed = answer(people.key, actions.ask_to_enrol(first, actor=actor))
    with pytest.raises(NotAsked):
        actions.enrol_passkey(second, assertion=signed, actor=actor)
    question = actions.ask_to_enrol(second, actor=actor)
    with pytest.raises(WrongPasskey, match="something else"):
        actions.enrol_passkey(second, assertion=signed, actor=actor)
    actions.enrol_passkey(second, assertion=answer(people.key, question), actor=actor)
    assert ApproverPasskey.objects.get(pk=first.pk).state == "offered"


def test_a_passkey_put_into_the_table_vouches_for_nobody(people: People) -> None:
    """Mallory, with the database, enrols a passkey of their own by hand and vouches with it."""
    mallory = person("Mallory", {"approver": people.risk})
    own = authenticator()
    row = offered_passkey(mallory, own)
    sql(
        "UPDATE identity_approverpasskey SET state = 'enrolled', enrolled_at = now(),"
        " envelope = %s WHERE id = %s",
        people.row.envelope,
        row.pk,
    )
    waiting, actor = offered_passkey(people.vito), actor_of(mallory)
    signed = answer(own, actions.ask_to_enrol(waiting, actor=actor))
    with pytest.raises(WrongPasskey):
        actions.enrol_passkey(waiting, assertion=signed, actor=actor)


def test_another_root_enrols_nobody(people: People) -> None:
    row = offered_passkey(people.vito)
    with pytest.raises(WrongPasskey):
        actions.enrol_by_root(row, PrivateKey.generate())
    assert ApproverPasskey.objects.get(pk=row.pk).state == "offered"


# --- withdrawing ----------------------------------------------------------------------------------


def test_a_withdrawn_passkey_signs_nothing_more_but_vouched_for_what_it_did(
    people: People,
) -> None:
    second = authenticator()
    enrolled_by(people.vera, people.key, people.vito, second)
    actions.withdraw_passkey(people.row, actor=actor_of(people.vera))
    with pytest.raises(NeedsPasskey):
        signing_passkey(actor_of(people.vera))
    with pytest.raises(NotOffered):
        actions.withdraw_passkey(people.row, actor=actor_of(people.vera))
    read_enrolments(passkeys.enrolments([second.credential]), keystore.ring())


def test_a_passkey_withdrawn_between_question_and_answer_does_not_count(people: People) -> None:
    row, actor = offered_passkey(people.vito), actor_of(people.vera)
    signed = answer(people.key, actions.ask_to_enrol(row, actor=actor))
    actions.withdraw_passkey(people.row, actor=actor)
    with pytest.raises(NeedsPasskey):
        actions.enrol_passkey(row, assertion=signed, actor=actor)


def test_an_access_admin_ends_anybodys_passkey_and_enrols_none(people: People) -> None:
    admin = person("Alma", {"admin": None})
    row = offered_passkey(people.vito)
    with pytest.raises(Forbidden):
        actions.ask_to_enrol(row, actor=actor_of(admin))
    assert api(admin).post(f"/passkeys/{row.pk}/withdraw").json()["state"] == "withdrawn"
    other = api(people.vera).post(f"/passkeys/{offered_passkey(people.vito).pk}/withdraw")
    assert other.status_code == 403


def test_a_deactivated_person_signs_nothing_more(people: People) -> None:
    actions.deactivate_person(people.vera, actor=SYSTEM)
    actions.reactivate_person(people.vera, actor=SYSTEM)
    assert ApproverPasskey.objects.get(pk=people.row.pk).state == "withdrawn"
    assert_log_rebuilds_every_row()


def test_a_passkey_removed_from_the_account_signs_nothing_more(people: People) -> None:
    kept = enrolled_by_root(people.vera, authenticator())
    factor = next(
        found
        for found in SignInFactor.objects.filter(user=people.vera)
        if credential_of(found) == people.key.credential
    )
    change_credentials(people.vera, lambda _row: remove(factor))
    assert ApproverPasskey.objects.get(pk=people.row.pk).state == "withdrawn"
    assert ApproverPasskey.objects.get(pk=kept.pk).state == "enrolled"


# --- the command line -----------------------------------------------------------------------------


def test_the_command_lists_and_enrols_what_is_offered(
    people: People, capsys: pytest.CaptureFixture[str]
) -> None:
    key = authenticator()
    row = offered_passkey(people.vito, key)
    call_command("enrol_passkey")
    listed = capsys.readouterr().out
    assert row.pk in listed
    assert key.passkey.fingerprint in listed
    call_command("enrol_passkey", row.pk)
    assert ApproverPasskey.objects.get(pk=row.pk).state == "enrolled"
    with pytest.raises(CommandError, match="no passkey"):
        call_command("enrol_passkey", row.pk)


def test_the_command_says_where_the_root_key_is_missing(people: People, tmp_path: Any) -> None:
    row = offered_passkey(people.vito)
    with pytest.raises(CommandError, match="--root-key"):
        call_command("enrol_passkey", row.pk, "--root-key", str(tmp_path / "none.key"))
