"""Changes are requested: the release is held until who asked decides again or withdraws it."""

import json

import pytest

from apps.assurance.actions import recall
from apps.audit.actions import erase_texts
from apps.audit.models import Event
from apps.governance import actions, errors
from apps.governance.actions import decisions
from apps.governance.models import Decision, Release
from apps.governance.queries import inbox, release_view
from apps.governance.queries.standstill import standstill
from apps.identity.actions import deactivate_person, revoke_role
from apps.identity.errors import NeedsPasskey, NeedsSession
from apps.identity.models import RoleBinding
from apps.jobs.models import Job
from placet.kernel.actor import SYSTEM
from placet.kernel.keystore import ring
from placet.kernel.problems import Forbidden, InvalidInput, NotFound
from placet_verify.permit.permit import PermitRefused, holds
from tests.support import factories
from tests.support.break_glass import broken, confirmed, fragile, opened
from tests.support.enrolment import Signers
from tests.support.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_io_in_transaction")]
ASKS = "request_changes"
TWO = "version: 1\ngates: [{gate: approvals, role: reviewer, count: 2}]\n"


def state(release: Release) -> str:
    release.refresh_from_db()
    return release.state


def test_it_is_held_whoever_else_approves_and_no_permit_holds(world: World) -> None:
    release = world.request("staging")
    asked = world.decide(release, world.rita, ASKS, comment="Show the gap by age")
    assert (asked.verdict, asked.role, state(release)) == (ASKS, "reviewer", "requested")
    world.decide(release, world.rex)
    assert (state(release), release.quorum_met) == ("requested", False)
    assert actions.advance_waiting() == 0
    assert not Job.objects.filter(kind="rollouts.start").exists()
    with pytest.raises(PermitRefused) as refused:
        holds(actions.assemble_permit(release), ring())
    assert refused.value.code == "changes_requested"
    Release.objects.filter(pk=release.pk).update(state="approved")  # by somebody's own hand
    with pytest.raises(errors.ChangesRequested, match="until Rita risk decides again"):
        actions.begin_rollout(release, actor=SYSTEM)


def test_who_asked_lifts_it_by_approving_and_that_is_the_last_vote(world: World) -> None:
    release = world.request("staging")
    asked = world.decide(release, world.rita, ASKS)
    shown = release_view(release.pk, world.rita)
    assert (shown.your_request, shown.you_decide_as) == (asked.pk, "reviewer")
    assert all(gate["passed"] for gate in shown.once_you_approve)
    approved = world.decide(release, world.rita)
    assert state(release) == "approved"
    asked.refresh_from_db()
    assert asked.voided_reason == "decided_again"
    assert holds(actions.assemble_permit(release), ring()).decisions[0].person == approved.person
    said = [json.loads(e.body) for e in Event.objects.filter(subject=release.pk)]
    kinds = ["requested", "decided", "changes_lifted", "decided", "approved"]
    assert [one["kind"] for one in said] == [f"release.{kind}.v1" for kind in kinds]
    assert said[2]["data"] == {"number": release.number, "because": "decided_again"}
    after = said[2]["after"][f"governance.decision:{asked.pk}"]
    assert after["voided_reason"] == "decided_again"
    assert f"governance.release:{release.pk}" in said[2]["after"]


def test_deciding_again_may_be_a_rejection_or_other_changes(world: World) -> None:
    release = world.request("staging")
    world.decide(release, world.rita, ASKS, comment="Show the gap by age")
    world.decide(release, world.rita, ASKS, comment="And by branch")
    assert state(release) == "requested"
    reasons = release.decisions.order_by("pk").values_list("verdict", "voided_reason")
    assert list(reasons) == [(ASKS, "decided_again"), (ASKS, "")]
    world.decide(release, world.rita, "reject")
    assert state(release) == "rejected"
    assert not release.decisions.filter(verdict=ASKS, voided_reason="").exists()


def test_a_second_click_and_another_tab_are_told_what_stands(world: World) -> None:
    release = world.request("staging")
    first = world.decide(release, world.rita, ASKS)
    for verdict in (ASKS, "approve", "reject"):  # sent from pages that did not show it
        with pytest.raises(errors.AlreadyDecided, match="requested changes already"):
            world.decide(release, world.rita, verdict, replaces="")
    actions.withdraw_changes(first, actor=world.rita)
    for tab in ("approve", ASKS):  # opened while it stood
        with pytest.raises(errors.Changed, match="stands no longer"):
            world.decide(release, world.rita, tab, replaces=first.pk)
    world.decide(release, world.rita)
    with pytest.raises(errors.WrongState, match="already approved"):
        world.decide(release, world.rita, ASKS)
    assert state(release) == "approved"


def test_nobody_decides_again_without_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decisions, "MOST_AGAIN", 3)
    release = world.request("staging")
    for _ in range(4):
        asked = world.decide(release, world.rita, ASKS)
    with pytest.raises(errors.AlreadyDecided, match="decided again 3 times"):
        world.decide(release, world.rita)
    actions.withdraw_changes(asked, actor=world.rita)
    with pytest.raises(errors.AlreadyDecided, match="decided again 3 times"):
        world.decide(release, world.rita, ASKS)
    assert release.decisions.count() == 4


def test_who_approved_keeps_to_that(world: World) -> None:
    world.policy("staging", TWO)
    release = world.request("staging")
    world.decide(release, world.rita)
    with pytest.raises(errors.AlreadyDecided):
        world.decide(release, world.rita, ASKS)


def test_withdrawing_it_decides_nothing_and_approves_what_waited_for_that_alone(
    world: World,
) -> None:
    release = world.request("staging")
    asked = world.decide(release, world.rita, ASKS)
    world.decide(release, world.rex)
    shown = release_view(release.pk, world.rita)
    assert all(gate["passed"] for gate in shown.once_you_lift)
    lifted = actions.withdraw_changes(asked, actor=world.rita)
    assert (lifted.voided_reason, state(release)) == ("withdrawn", "approved")
    assert Job.objects.filter(kind="rollouts.start", key=release.pk).count() == 1
    with pytest.raises(errors.WrongState):
        actions.withdraw_changes(asked, actor=world.rita)


def test_nobody_else_lifts_it_and_who_lost_the_role_still_does(world: World) -> None:
    release = world.request("staging")
    asked = world.decide(release, world.rita, ASKS)
    with pytest.raises(Forbidden, match="by the person who made it"):
        actions.withdraw_changes(asked, actor=world.rex)
    with pytest.raises(NotFound):
        actions.withdraw_changes(asked, actor=World("other").rex)
    with pytest.raises(NeedsSession):
        actions.withdraw_changes(asked, actor=factories.actor_by_token(world.people["Rita"]))
    with pytest.raises(errors.Changed):
        world.decide(release, world.rex, replaces=asked.pk)
    factories.grant(world.people["Rita"], {"viewer": world.project})
    revoke_role(RoleBinding.objects.get(person=world.people["Rita"], role="reviewer"), actor=SYSTEM)
    with pytest.raises(errors.NoRole):
        world.decide(release, world.rita)
    assert actions.withdraw_changes(asked, actor=world.rita).voided_reason == "withdrawn"


def test_only_a_request_for_changes_is_withdrawn(world: World) -> None:
    world.policy("staging", TWO)
    approval = world.decide(world.request("staging"), world.rita)
    with pytest.raises(errors.WrongState):
        actions.withdraw_changes(approval, actor=world.rita)


def test_others_reject_what_is_held_and_its_requester_withdraws_it(world: World) -> None:
    for number, end in enumerate(("reject", "withdraw")):
        release = world.request("staging", endpoint=f"held-{number}")
        world.decide(release, world.rita, ASKS)
        if end == "reject":
            world.decide(release, world.rex, "reject")
        else:
            actions.withdraw(release, actor=world.ada)
        assert state(release) in ("rejected", "withdrawn")


def test_it_needs_a_comment_and_the_checks_of_a_rejection(world: World) -> None:
    release = world.request("staging")
    with pytest.raises(InvalidInput):
        world.decide(release, world.rita, ASKS, comment=" ")
    with pytest.raises(InvalidInput) as refused:
        world.decide(release, world.rita, "changes")
    assert refused.value.errors[0].detail == "approve, request_changes or reject"
    with pytest.raises(errors.NoRole):
        world.decide(release, world.otto, ASKS)
    with pytest.raises(errors.Changed):
        world.decide(release, world.rita, ASKS, statement_digest="sha256:" + "0" * 64)
    asked = world.decide(release, world.vera, ASKS)
    assert asked.role == "approver"  # of whom no approval is asked
    with pytest.raises(errors.ApprovalNotAsked, match="request changes, reject it, or comment"):
        world.decide(release, world.vera)


def test_where_passkeys_are_demanded_it_is_signed_with_one(signers: Signers) -> None:
    release = signers.request("staging")
    with pytest.raises(NeedsPasskey):
        signers.decide(release, signers.rex, ASKS)
    asked = signers.sign(release, signers.rex, ASKS, "Show the gap by age")
    assert asked.assertion is not None
    again = signers.sign(release, signers.rex, replaces=asked.pk)
    asked.refresh_from_db()
    assert (asked.voided_reason, again.assertion is None) == ("decided_again", False)
    assert state(release) == "approved"


def test_no_emergency_starts_what_is_held(world: World) -> None:
    fragile(world)
    release = world.request("staging")
    glass = opened(world, release)
    asked = world.decide(release, world.rita, ASKS)
    with pytest.raises(errors.ChangesRequested, match="until Rita risk decides again"):
        confirmed(world, glass)
    other = world.request("staging", endpoint="other")
    more = world.decide(other, world.rita, ASKS)
    with pytest.raises(errors.ChangesRequested):
        opened(world, other)
    actions.withdraw_changes(asked, actor=world.rita)
    confirmed(world, glass)
    assert state(release) == "approved"
    actions.withdraw_changes(more, actor=world.rita)
    broken(world, other)
    assert state(other) == "approved"


def test_a_new_policy_voids_it_as_it_does_other_decisions(world: World) -> None:
    release = world.request("staging")
    asked = world.decide(release, world.rita, ASKS)
    world.policy("staging", TWO)
    asked.refresh_from_db()
    assert asked.voided_reason == "policy_changed"
    assert "changes" not in [gate["gate"] for gate in Release.objects.get().gates]


def test_a_recall_of_the_person_voids_it_and_the_release_goes_on(world: World) -> None:
    release = world.request("staging")
    asked = world.decide(release, world.rita, ASKS)
    world.decide(release, world.rex)
    operator = factories.actor_of(factories.person("Oda", {"operator": None}))
    recall(kind="person", what=world.rita.id, reason="coerced", actor=operator)
    asked.refresh_from_db()
    assert asked.voided_reason == "recalled"
    assert actions.advance_waiting() == 1
    assert state(release) == "approved"


def test_it_stands_once_its_author_is_erased_without_their_words(world: World) -> None:
    release = world.request("staging")
    world.decide(release, world.rita, ASKS, comment="Show the gap by age")
    deactivate_person(world.people["Rita"], actor=SYSTEM)
    erase_texts(world.people["Rita"].pk, actor=SYSTEM)
    world.decide(release, world.rex)
    shown = release_view(release.pk, world.ada)
    assert state(release) == "requested"
    assert [d.comment for d in shown.requests] == ["[erased]"]
    actions.withdraw(release, actor=world.ada)
    assert state(release) == "withdrawn"


def test_who_is_waited_for_is_told_truly(world: World) -> None:
    release = world.request("staging")
    world.decide(release, world.rita, ASKS)
    view = release_view(release.pk, world.rex)
    names = [person.name for person in view.may_still_decide]
    assert "Rex risk" in names and "Rita risk" not in names
    assert (view.missing_roles, view.all_passed) == (("reviewer",), False)
    assert [r.pk for r in inbox(world.rex)] == [release.pk]
    assert inbox(world.rita) == []
    held = [gate for gate in view.once_you_approve if not gate["passed"]]
    assert [gate["gate"] for gate in held] == ["changes"]
    revoke_role(RoleBinding.objects.get(person=world.people["Rex"]), actor=SYSTEM)
    admin = factories.actor_of(factories.person("Ann", {"admin": None}))
    assert standstill(admin).stuck == []  # Rita can decide again


def test_who_can_decide_again_is_told_too_once_no_approval_is_missing(world: World) -> None:
    release = world.request("staging")
    world.decide(release, world.rita, ASKS)
    world.decide(release, world.rex)
    view = release_view(release.pk, world.rita)
    assert (view.missing_roles, view.may_still_decide, view.can_decide) == ((), (), True)
    assert [(p.name, p.roles) for p in view.may_decide_again] == [("Rita risk", ())]
    assert view.lifting.says.startswith("Held until Rita risk decides again")
    factories.grant(world.people["Rita"], {"viewer": world.project})
    revoke_role(RoleBinding.objects.get(person=world.people["Rita"], role="reviewer"), actor=SYSTEM)
    assert release_view(release.pk, world.ada).lifting.says.startswith("Held until Rita risk withd")
    assert release_view(release.pk, world.ada).may_decide_again == ()


def test_the_newer_release_answers_it_and_each_names_the_other(world: World) -> None:
    first = world.request("staging")
    asked = world.decide(first, world.rita, ASKS, comment="Show the gap by age")
    second = world.request("staging")
    shown = release_view(second.pk, world.rex)
    (answered,) = shown.answers
    assert (answered.id, answered.number, answered.name) == (asked.pk, first.number, "Rita risk")
    assert (answered.comment, answered.state) == ("Show the gap by age", "requested")
    former = release_view(first.pk, world.ada)
    assert former.answered_by is not None
    assert former.answered_by.release == second.pk
    assert former.answers == ()
    assert [r.pk for r in inbox(world.rita)] == [second.pk]
    actions.withdraw(first, actor=world.ada)
    assert release_view(second.pk, world.rex).answers[0].state == "withdrawn"


def test_what_was_asked_later_is_not_answered_by_what_was_requested_before(world: World) -> None:
    first = world.request("staging")
    world.decide(first, world.rita, ASKS, comment="Show the gap by age")
    second = world.request("staging")
    world.decide(first, world.rita, ASKS, comment="By region, too")
    assert release_view(second.pk, world.rex).answers == ()
    assert release_view(first.pk, world.ada).answered_by is None


def test_what_answers_nothing_names_nothing(world: World) -> None:
    first = world.request("staging")
    asked = world.decide(first, world.rita, ASKS)
    elsewhere = world.request("staging", endpoint="other")
    another_model = world.request("staging", world.bento(world.version("fraud")))
    for release in (elsewhere, another_model):
        assert release_view(release.pk, world.rex).answers == ()
    assert release_view(first.pk, world.rex).answered_by is None
    actions.withdraw_changes(asked, actor=world.rita)
    newer = world.request("staging")
    assert release_view(newer.pk, world.rex).answers == ()
    assert release_view(first.pk, world.rex).answered_by is None
    actions.withdraw(newer, actor=world.ada)
    assert release_view(first.pk, world.rex).answered_by is None
    assert Decision.objects.count() == 1
