"""Who may decide, on what, and what a decision brings about."""

import pytest

from apps.audit.models import Event
from apps.governance import actions, errors
from apps.governance.models import Decision, Release
from apps.governance.queries import release_view
from apps.identity.actions import deactivate_person, grant_role
from apps.identity.errors import NeedsSession
from apps.identity.models import RoleBinding, User
from apps.jobs.models import Job
from placet.kernel.actor import SYSTEM
from placet.kernel.keystore import ring
from placet.kernel.problems import Forbidden, InvalidInput, NotFound
from placet_verify.permit.permit import Expected, permit
from tests.support import factories
from tests.support.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_io_in_transaction")]


def permit_of(release: Release) -> object:
    expect = Expected(
        project=release.project_id,
        environment=release.environment.name,
        endpoint=release.endpoint_id,
        bento_digest=release.bento_id,
        serving=release.serving,
        release=release.pk,
    )
    return permit(
        actions.assemble_permit(release), ring(), expect=expect, starting_at=release.created_at
    )


def test_one_reviewer_approves_a_release_to_staging_and_it_is_started(world: World) -> None:
    release = world.request("staging")
    assert release.state == "requested"
    decision = world.decide(release, world.rex, comment="Looks right")
    release.refresh_from_db()
    assert (release.state, decision.role, release.quorum_met) == ("approved", "reviewer", True)
    assert Job.objects.filter(kind="rollouts.start", key=release.pk).count() == 1
    assert permit_of(release)
    kinds = list(Event.objects.filter(subject=release.pk).values_list("kind", flat=True))
    assert kinds == ["release.requested.v1", "release.decided.v1", "release.approved.v1"]


def test_a_release_to_be_started_by_hand_is_not_started_by_its_approval(world: World) -> None:
    release = world.request("staging", plan={"start": "manual"})
    world.decide(release, world.rex)
    assert not Job.objects.filter(kind="rollouts.start").exists()


def test_production_needs_a_reviewer_and_an_approver_who_are_two_people(world: World) -> None:
    bento = world.bento(world.version())
    world.soaked(bento)
    grant_role(role="reviewer", person=world.people["Vera"], project=world.project, actor=SYSTEM)
    release = world.request("production", bento)
    assert world.decide(release, world.vera).role == "approver"
    with pytest.raises(errors.AlreadyDecided):
        world.decide(release, world.vera)
    release.refresh_from_db()
    assert release.state == "requested"
    assert world.decide(release, world.rex).role == "reviewer"
    release.refresh_from_db()
    assert release.state == "approved"
    assert permit_of(release)


def test_an_open_policy_approves_at_once_and_its_permit_holds(world: World) -> None:
    release = world.request("development")
    assert release.state == "approved"
    assert permit_of(release)


@pytest.mark.parametrize("name", ["Ada", "Alan"])
def test_requester_and_author_cannot_approve_even_as_reviewers(world: World, name: str) -> None:
    release = world.request("staging")
    grant_role(role="reviewer", person=world.people[name], project=world.project, actor=SYSTEM)
    with pytest.raises(errors.Separation):
        world.decide(release, factories.actor_of(world.people[name]))
    assert not Decision.objects.exists()


def test_the_owner_of_the_service_account_that_asked_cannot_approve(world: World) -> None:
    account = factories.service_account(
        "ci", world.people["Rex"], roles={"contributor": world.project}
    )
    release = world.request("staging", actor=factories.actor_of(account))
    assert release.requester == world.people["Rex"].pk
    with pytest.raises(errors.Separation):
        world.decide(release, world.rex)
    world.decide(release, world.rita)
    release.refresh_from_db()
    assert release.state == "approved"


def test_nobody_gives_an_approval_that_the_policy_does_not_ask_for(world: World) -> None:
    """Staging asks for a reviewer. An approver may say no there, as the page offers."""
    release = world.request("staging")
    shown = release_view(release.pk, world.vera)
    assert (shown.can_decide, shown.can_approve) == (True, False)
    with pytest.raises(errors.ApprovalNotAsked, match="asks for no approval as approver"):
        world.decide(release, world.vera)
    assert not release.decisions.exists()
    world.decide(release, world.vera, "reject")
    release.refresh_from_db()
    assert release.state == "rejected"


def test_a_contributor_and_a_stranger_do_not_decide(world: World) -> None:
    release = world.request("staging")
    sam = factories.person("Sam", roles={"reviewer": factories.project("other")})
    with pytest.raises(errors.NoRole):
        world.decide(release, world.otto)
    with pytest.raises(NotFound):
        world.decide(release, factories.actor_of(sam))


def test_a_reviewer_of_production_only_does_not_decide_in_staging(world: World) -> None:
    release = world.request("staging")
    paul = factories.person(
        "Paul", roles={"reviewer": (world.project, "production"), "viewer": world.project}
    )
    with pytest.raises(errors.NoRole):
        world.decide(release, factories.actor_of(paul))


def test_a_superuser_does_not_decide(world: World) -> None:
    release = world.request("staging")
    root = factories.person("Root", roles={"admin": None})
    User.objects.filter(pk=root.pk).update(is_superuser=True, is_staff=True)
    with pytest.raises((errors.NoRole, NotFound)):
        world.decide(release, factories.actor_of(User.objects.get(pk=root.pk)))
    assert not Decision.objects.exists()


def test_neither_a_token_nor_the_system_decides(world: World) -> None:
    release = world.request("staging")
    by_token = factories.actor_by_token(world.people["Rex"])
    for who in (by_token, SYSTEM):
        with pytest.raises(NeedsSession):
            world.decide(release, who)


def test_whoever_lost_the_role_since_the_page_was_opened_does_not_decide(world: World) -> None:
    release = world.request("staging")
    rex = world.rex
    deactivate_person(world.people["Rex"], actor=SYSTEM)
    with pytest.raises(errors.NoRole):
        world.decide(release, rex)


def test_a_decision_on_what_was_shown_earlier_is_refused(world: World) -> None:
    release = world.request("staging")
    shown = release.request_digest
    world.policy("staging", "version: 1\ngates: [{gate: approvals, role: reviewer}]\n")
    with pytest.raises(errors.Changed):
        world.decide(release, world.rex, statement_digest=shown)
    world.decide(release, world.rex)


@pytest.mark.parametrize(
    "field,value",
    [
        ("serving", {"replicas": 9, "max_replicas": 9, "memory_mb": 1024, "variables": {}}),
        ("plan", {"strategy": "switch", "start": "manual"}),
        ("evidence", []),
        ("requester", "per_00000000000000000000000000000000"),
    ],
)
def test_a_row_changed_behind_the_signed_request_is_noticed(
    world: World, field: str, value: object
) -> None:
    release = world.request("staging")
    Release.objects.filter(pk=release.pk).update(**{field: value})
    with pytest.raises(errors.Changed):
        world.decide(release, world.rex)


def test_a_rejection_without_a_word_rejects_nothing(world: World) -> None:
    release = world.request("staging")
    for comment in ("", " \n", "\u200b\u2800"):
        with pytest.raises(InvalidInput) as refused:
            world.decide(release, world.rex, "reject", comment=comment)
        assert [fault.pointer for fault in refused.value.errors] == ["/comment"]
        with pytest.raises(InvalidInput):
            actions.ask_to_decide(
                release,
                verdict="reject",
                statement_digest=release.request_digest,
                comment=comment,
                actor=world.rex,
            )
    assert not release.decisions.exists()
    assert world.decide(release, world.rex, "approve", comment="").verdict == "approve"


def test_a_rejection_ends_the_release(world: World) -> None:
    release = world.request("staging")
    world.decide(release, world.rex, "reject", comment="The gap grew")
    release.refresh_from_db()
    assert release.state == "rejected" and release.ended_at is not None
    with pytest.raises(errors.WrongState):
        world.decide(release, world.rita)


def test_what_was_seen_is_stored_with_the_decision(world: World) -> None:
    release = world.request("staging")
    decision = world.decide(release, world.rex)
    seen = {g["gate"]: g["state"] for g in decision.gates}
    assert seen == {"build": "passed", "scan": "passed", "freeze": "passed", "approvals": "waiting"}


def test_the_comment_is_in_neither_log_nor_statement(world: World) -> None:
    release = world.request("staging", reason="because Quentin said so")
    decision = world.decide(release, world.rex, comment="Quentin was right")
    actions.comment(release, text="Thanks, Quentin", actor=world.ada)
    assert "Quentin" not in "".join(Event.objects.values_list("body", flat=True))
    assert "Quentin" not in decision.envelope
    assert decision.comment_sealed.startswith("sha256:")


def test_nothing_signed_is_kept_when_the_transaction_fails(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = world.request("staging")

    def fail(*args: object) -> None:
        raise RuntimeError("the database went away")

    monkeypatch.setattr("apps.governance.actions.decisions._follow", fail)
    before = Event.objects.count()
    with pytest.raises(RuntimeError):
        world.decide(release, world.rex)
    assert not Decision.objects.exists() and Event.objects.count() == before


@pytest.mark.parametrize("roles", [["contributor"], ["approver"], ["viewer"]])
def test_only_the_requester_withdraws_and_others_are_told_who_that_is(
    world: World, roles: list[str]
) -> None:
    release = world.request("staging")
    other = factories.person("Olaf", roles=dict.fromkeys(roles, release.project))
    only = f"Only Ada risk, who requested release {release.number} of risk, can withdraw it"
    with pytest.raises(Forbidden, match=only):
        actions.withdraw(release, actor=factories.actor_of(other))


def test_a_requester_without_the_role_any_more_is_told_which(world: World) -> None:
    release = world.request("staging")
    RoleBinding.objects.filter(person=world.people["Ada"]).update(role="viewer")
    with pytest.raises(Forbidden, match=r"\(role contributor\)"):
        actions.withdraw(release, actor=factories.actor_of(world.people["Ada"]))


def test_the_requester_withdraws(world: World) -> None:
    release = world.request("staging")
    assert actions.withdraw(release, actor=world.ada).state == "withdrawn"
    with pytest.raises(errors.WrongState):
        world.decide(release, world.rex)


def test_the_same_bento_is_not_asked_for_twice(world: World) -> None:
    first = world.request("staging")
    with pytest.raises(errors.AlreadyOpen, match="Release 1 brings this build to this endpoint"):
        world.request("staging", first.bento)
    actions.withdraw(first, actor=world.ada)
    assert world.request("staging", first.bento).number == first.number + 1
