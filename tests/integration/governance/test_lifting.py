"""Who can lift the requests for changes that hold a release is told, and how it ends otherwise."""

import pytest

from apps.assurance.actions import recall
from apps.governance import actions, errors
from apps.governance.actions.held import refuse_held
from apps.governance.models import Decision, Release
from apps.governance.queries import release_view
from apps.identity.actions import deactivate_person, demand_second_factor, revoke_role
from apps.identity.models import RoleBinding, User
from placet.kernel.actor import SYSTEM, Actor
from tests.support import factories
from tests.support.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_io_in_transaction")]
ASKS = "request_changes"
ENDS = ", it is rejected or withdrawn, or a newer policy is published"
NEWER = "A newer policy, once published, voids that request and all approvals so far"
TWO = "version: 1\ngates: [{gate: approvals, role: reviewer, count: 2}]\n"


def test_what_starts_nothing_says_who_can_lift_it_now(world: World) -> None:
    release = world.request("staging")
    world.decide(release, world.rita, ASKS)
    factories.grant(world.people["Rita"], {"viewer": world.project})
    revoke_role(RoleBinding.objects.get(person=world.people["Rita"], role="reviewer"), actor=SYSTEM)
    Release.objects.filter(pk=release.pk).update(state="approved")  # by somebody's own hand
    lifted = r"until Rita risk withdraws the request for changes$"
    with pytest.raises(errors.ChangesRequested, match=lifted):
        actions.begin_rollout(release, actor=SYSTEM)
    RoleBinding.objects.get(person=world.people["Rita"]).delete()
    with pytest.raises(errors.ChangesRequested, match="Nobody can lift that"):
        actions.begin_rollout(release, actor=SYSTEM)


def held(release: Release, world: World) -> str:
    return release_view(release.pk, world.ada).lifting.says


def starting(release: Release, actor: Actor) -> str:
    with pytest.raises(errors.ChangesRequested) as refused:
        refuse_held(release, actor)
    return refused.value.detail.removeprefix("Nothing starts this release ")


def test_that_a_role_waits_for_a_second_factor_is_said_to_who_may_know_it(world: World) -> None:
    release = world.request("staging")
    world.decide(release, world.rita, ASKS)
    revoke_role(RoleBinding.objects.get(person=world.people["Rex"]), actor=SYSTEM)
    view = release_view(release.pk, world.ada)
    assert [p.name for p in view.may_decide_again] == ["Rita risk"]
    demand_second_factor("reviewer", actor=SYSTEM)
    view = release_view(release.pk, world.ada)
    again = f"Held until Rita risk decides again or withdraws the request for changes{ENDS}"
    assert view.lifting.says == again, "as of who has one, to who may not know it"
    assert (view.may_decide_again, view.may_still_decide) == ((), ())
    assert [p.needs for p in view.who_opens[-2]] == ["cannot decide yet"]
    until = "until Rita risk decides again or withdraws the request for changes"
    assert starting(release, world.ada) == until
    auditor = factories.actor_of(factories.person("Eve", {"auditor": None}))
    needs = "Rita risk, who needs a second factor first, lifts that"
    assert release_view(release.pk, auditor).lifting.says.startswith(f"Held until {needs}, it is")
    assert starting(release, SYSTEM) == f"until {needs}"
    factories.grant(world.people["Rita"], {"viewer": world.project})
    assert held(release, world) == again
    assert release_view(release.pk, auditor).lifting.says.startswith("Held until Rita risk withdra")


def test_who_was_recalled_or_is_not_asked_only_withdraws_it(world: World) -> None:
    release = world.request("staging")
    made = world.decide(release, world.rita, ASKS)
    operator = factories.actor_of(factories.person("Oda", {"operator": None}))
    recall(kind="person", what=world.rita.id, reason="coerced", actor=operator)
    Decision.objects.filter(pk=made.pk).update(voided_reason="")  # by somebody's own hand
    assert held(release, world) == f"Held until Rita risk withdraws the request for changes{ENDS}"
    other = world.request("staging", endpoint="other")
    world.decide(other, world.vera, ASKS)  # as approver, of whom no approval is asked
    assert held(other, world) == f"Held until Vera risk withdraws the request for changes{ENDS}"


def test_it_says_of_ends_only_what_somebody_can_bring_about(world: World) -> None:
    """Approvers, of whom no approval is asked, reject as reviewers do; then nobody does."""
    release = world.request("staging")
    world.decide(release, world.rita, ASKS)
    factories.grant(world.people["Rita"], {"viewer": world.project})
    RoleBinding.objects.filter(role="reviewer").delete()
    assert held(release, world) == f"Held until Rita risk withdraws the request for changes{ENDS}"
    made = world.decide(world.request("staging", endpoint="other"), world.vera, verdict="reject")
    assert made.release.state == "rejected"
    RoleBinding.objects.filter(role="approver").delete()
    lifted = "Held until Rita risk withdraws the request for changes"
    newer = "or a newer policy is published"
    assert held(release, world) == f"{lifted}, it is withdrawn, {newer}"
    deactivate_person(world.people["Ada"], actor=SYSTEM)
    said = release_view(release.pk, world.otto).lifting.says
    assert said == f"{lifted}, {newer}"


def test_what_nobody_can_lift_says_how_it_ends_all_the_same(world: World) -> None:
    release = world.request("staging")
    world.decide(release, world.rita, ASKS)
    deactivate_person(world.people["Rita"], actor=SYSTEM)
    nobody = "Nobody can lift that request for changes now: Rita risk has no access here any more"
    anew = "withdrawn and requested anew by Ada risk, who requested it"
    ends = f"The release can be rejected by Rex risk, Vera risk and Vito risk, or {anew}"
    assert held(release, world) == f"{nobody}. {ends}. {NEWER}"
    factories.person("Zoe", {"reviewer": world.project})
    assert "by Rex risk, Vera risk, Vito risk and one other, or" in held(release, world)
    demand_second_factor("approver", actor=SYSTEM)
    RoleBinding.objects.filter(role="reviewer").delete()
    can = "can withdraw it and request it anew"
    says = f"Nobody can reject the release now, but Ada risk, who requested it, {can}. {NEWER}"
    assert held(release, world).endswith(says)
    deactivate_person(world.people["Ada"], actor=SYSTEM)
    until = f"{release.not_after:%Y-%m-%d %H:%M} UTC"
    said = release_view(release.pk, world.otto).lifting.says
    nobody = f"Nobody can reject or withdraw the release now, which expires on {until}"
    assert said.endswith(f"{nobody}. {NEWER}")


def test_who_only_lost_their_role_can_be_given_one_again_and_lifts_it_then(world: World) -> None:
    release = world.request("staging")
    asked = world.decide(release, world.rita, ASKS)
    RoleBinding.objects.get(person=world.people["Rita"]).delete()
    gives = "An access administrator can give Rita risk a role here again"
    assert f". {gives}. {NEWER}" in held(release, world)
    world.decide(release, world.vera, ASKS)
    deactivate_person(world.people["Vera"], actor=SYSTEM)
    said = held(release, world)
    assert "now: Rita risk and Vera risk have no access here any more" in said
    assert f". {gives}. " in said, "nobody gives a role to who was deactivated"
    factories.grant(world.people["Rita"], {"viewer": (world.project, "staging")})
    assert gives not in held(release, world)
    assert actions.withdraw_changes(asked, actor=world.rita).voided_reason == "withdrawn"


def test_a_newer_policy_asks_anew_as_what_nobody_can_lift_says(world: World) -> None:
    world.policy("staging", TWO)
    release = world.request("staging")
    world.decide(release, world.rita, ASKS)
    world.decide(release, world.rex)
    deactivate_person(world.people["Rita"], actor=SYSTEM)
    assert held(release, world).endswith(NEWER)
    factories.person("Zoe", {"reviewer": world.project})
    world.policy("staging", TWO)
    release.refresh_from_db()
    assert (held(release, world), release.state) == ("", "requested")
    assert not release.decisions.filter(voided_reason="").exists()


def test_who_reads_why_it_is_held_reads_no_address(world: World) -> None:
    release = world.request("staging")
    world.decide(release, world.rita, ASKS)
    User.objects.filter(pk__in=[world.rita.id, world.ada.id]).update(name="")
    again = "Held until somebody without a name decides again or withdraws the request for changes"
    assert held(release, world) == f"{again}{ENDS}"
    view = release_view(release.pk, world.otto)
    named = [view.requester_name, *(one.name for one in view.decisions)]
    named += [one.name for one in view.story]
    assert set(named) == {"somebody without a name"}
    read = factories.api(world.people["Otto"]).get(f"/releases/{release.pk}").content.decode()
    page = factories.browser(world.people["Otto"]).get(f"/releases/{release.pk}/")
    RoleBinding.objects.filter(person=world.rita.id).delete()
    Release.objects.filter(pk=release.pk).update(state="approved")  # by somebody's own hand
    with pytest.raises(errors.ChangesRequested) as refused:
        actions.begin_rollout(release, actor=SYSTEM)
    said = f"{refused.value} {held(release, world)}"
    for text in (read, page.content.decode(), said):
        assert "somebody without a name" in text
        for name in ("Rita", "Ada"):
            assert world.people[name].email not in text
