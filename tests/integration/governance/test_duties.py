"""Who could get a release approved: asked before every change by which somebody may do more."""

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from unittest.mock import patch

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from apps.audit.actions import record
from apps.audit.models import Event
from apps.console.queries.duties import DutyRow
from apps.governance import actions as governance
from apps.governance.errors import BypassOpened, LockedOut
from apps.governance.policy_templates import TEMPLATES
from apps.governance.queries.duties import Duty, duties_of
from apps.governance.queries.organisation import OrganisationView
from apps.identity import actions
from apps.identity.actions.credentials import change_credentials, log_person
from apps.identity.events import PERSON_UPDATED
from apps.identity.models import NAMELESS, RoleBinding, TeamMember, User
from placet.kernel.actor import SYSTEM, Actor
from placet.kernel.clock import now
from placet.kernel.problems import Forbidden, NotFound
from tests.support import enrolment, factories
from tests.support.page_text import text_of
from tests.support.world import World

pytestmark = pytest.mark.django_db
SIGNED = """\
version: 1
gates:
  - {gate: build}
  - {gate: approvals, role: approver, count: 1, passkey: true}
"""


@pytest.fixture
def ann() -> Actor:
    """Return an access admin."""
    return factories.actor_of(factories.person("Ann", roles={"admin": None}))


def production(world: World) -> Duty:
    """Return how it stands in production."""
    return duties_of([world.environment("production")])[0]


def test_as_a_project_starts_nobody_gets_around_anybody(world: World) -> None:
    duty = production(world)
    assert (duty.state, duty.demanded) == ("kept", 3)
    assert duty.fewest is not None and duty.fewest.people == 3


TEAM = ("contributor", "reviewer", "approver", "operator")
REVIEWS = ("reviewer", "product-reviewer", "security-reviewer")


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_team_of_four_is_appointed_in_any_order(template: str, ann: Actor) -> None:
    for number, roles in enumerate((TEAM, TEAM[::-1])):
        project = actions.create_project(
            slug=f"clinic-{number}", name="Clinic", template=template, actor=SYSTEM
        )
        for role in roles:
            person = factories.person(f"{role} {number}")
            for held in REVIEWS if role == "reviewer" else (role,):
                actions.grant_role(role=held, person=person, project=project, actor=ann)
        duties = duties_of(project.environments.exclude(name="development"))
        assert {duty.state for duty in duties} == {"kept"}, template


def test_who_asks_for_releases_is_not_made_one_who_drafts(world: World, ann: Actor) -> None:
    events = Event.objects.count()
    with pytest.raises(BypassOpened) as refused:
        actions.grant_role(
            role="operator", person=world.people["Ada"], project=world.project, actor=ann
        )
    assert "2 people could get a release approved for production of risk" in refused.value.detail
    assert "Ada risk drafts a policy for production" in refused.value.detail
    assert "where its policy requires 3" in refused.value.detail
    assert not RoleBinding.objects.filter(person=world.people["Ada"], role="operator").exists()
    assert Event.objects.count() == events


def test_nor_by_a_team_that_they_are_in_or_come_into(world: World, ann: Actor) -> None:
    ours = factories.team("Ours", world.people["Ada"])
    with pytest.raises(BypassOpened):
        actions.grant_role(role="approver", team=ours, project=world.project, actor=ann)
    theirs = factories.team("Theirs", roles={"operator": world.project})
    with pytest.raises(BypassOpened):
        actions.add_member(theirs, person=world.people["Ada"], actor=ann)
    assert not TeamMember.objects.filter(team=theirs).exists()


def test_nor_by_a_service_account_that_is_or_becomes_theirs(world: World, ann: Actor) -> None:
    bot = factories.service_account("bot", world.people["Vera"])
    with pytest.raises(BypassOpened):
        actions.grant_role(
            role="contributor", service_account=bot, project=world.project, actor=ann
        )
    drafts = factories.service_account(
        "drafts", world.people["Otto"], roles={"operator": world.project}
    )
    with pytest.raises(BypassOpened):
        actions.change_owner(drafts, owner=world.people["Alan"], actor=ann)


def test_nor_by_a_second_account_made_or_switched_on_again(world: World, ann: Actor) -> None:
    second = actions.create_person(
        email="ada.risk+other@example.com", name="A. Lovelace", actor=ann
    )
    with pytest.raises(BypassOpened) as refused:
        actions.grant_role(role="reviewer", person=second, project=world.project, actor=ann)
    assert "A. Lovelace (ada.risk+other@example.com) approves it" in refused.value.detail
    asleep = actions.create_person(email="alan.risk+x@example.com", name="Turing", actor=SYSTEM)
    actions.deactivate_person(asleep, actor=SYSTEM)
    asleep.refresh_from_db()
    RoleBinding.objects.create(
        role="approver", person=asleep, project=world.project, granted_by="system"
    )
    with pytest.raises(BypassOpened):
        actions.reactivate_person(asleep, actor=ann)


def test_what_opens_nothing_goes_through(world: World, ann: Actor) -> None:
    rita = world.people["Rita"]
    actions.grant_role(role="approver", person=rita, project=world.project, actor=ann)
    actions.grant_role(role="auditor", person=world.people["Ada"], project=None, actor=ann)
    assert production(world).state == "kept"


def test_a_way_that_was_there_is_shown_and_blocks_nothing_else(world: World, ann: Actor) -> None:
    ada = world.people["Ada"]
    factories.grant(ada, {"operator": world.project})  # on the server, where nobody is asked
    duty = production(world)
    assert duty.state == "bypass"
    assert duty.fewest is not None and duty.fewest.people == 2
    actions.grant_role(role="viewer", person=ada, project=world.project, actor=ann)
    binding = RoleBinding.objects.get(person=ada, role="operator")
    actions.revoke_role(binding, actor=ann)
    assert production(world).state == "kept"


def test_what_somebody_drafted_before_is_remembered_until_it_is_withdrawn(
    world: World, ann: Actor
) -> None:
    otto = world.people["Otto"]
    draft = governance.draft_policy(
        world.environment("production"),
        source="version: 1\ngates: [{gate: build}]\n",
        actor=world.otto,
    )
    actions.revoke_role(RoleBinding.objects.get(person=otto), actor=ann)
    with pytest.raises(BypassOpened):
        actions.grant_role(role="contributor", person=otto, project=world.project, actor=ann)
    governance.withdraw_policy(draft, actor=world.vera)
    actions.grant_role(role="contributor", person=otto, project=world.project, actor=ann)


def test_what_somebody_asked_for_before_is_remembered(world: World, ann: Actor) -> None:
    alan = world.people["Alan"]
    world.request("production", actor=world.alan)
    actions.revoke_role(RoleBinding.objects.get(person=alan), actor=ann)
    with pytest.raises(BypassOpened):
        actions.grant_role(role="operator", person=alan, project=world.project, actor=ann)


def test_a_token_changes_nothing(world: World) -> None:
    before = production(world)
    for name in world.people:
        factories.token_for(world.people[name])
    assert production(world) == before


def test_a_superuser_changes_nothing_and_can_do_nothing(world: World) -> None:
    before = production(world)
    root = factories.person("Root")
    with record(SYSTEM) as log:  # as if somebody had written an action for it
        root.is_superuser = root.is_staff = True
        root.save(update_fields=["is_superuser", "is_staff"])
        log_person(log, PERSON_UPDATED, root)
    actor = factories.actor_of(root)
    assert actor.grants == frozenset()
    assert production(world) == before
    release = world.request("production")
    place, shown = world.environment("production"), release.request_digest
    attempts: list[Any] = [
        lambda: actions.grant_role(role="admin", person=world.people["Ada"], actor=actor),
        lambda: actions.create_person(email="x@example.com", name="X", actor=actor),
        lambda: governance.draft_policy(place, source="version: 1\n", actor=actor),
        lambda: governance.decide(release, verdict="approve", statement_digest=shown, actor=actor),
        lambda: world.request("production", actor=actor),
    ]
    for attempt in attempts:
        with pytest.raises((Forbidden, NotFound)):
            attempt()


def test_an_access_admin_who_signs_decisions_would_suffice_alone(ann: Actor) -> None:
    world = enrolment.Signers()
    world.publish("production", SIGNED)
    duty = production(world)
    assert (duty.state, duty.demanded, duty.hired) == ("kept", 2, None)
    with pytest.raises(BypassOpened) as refused:
        actions.grant_role(role="admin", person=world.people["Vera"], actor=ann)
    assert "one person could get a release approved" in refused.value.detail
    assert "Vera risk adds a fake account" in refused.value.detail


def test_nobody_vouches_for_the_second_account_of_who_asks() -> None:
    world, key = enrolment.Signers(), enrolment.authenticator()
    world.publish("production", SIGNED)
    second = actions.create_person(email="ada.risk+b@example.com", name="A", actor=SYSTEM)
    factories.grant(second, {"approver": world.project})
    with pytest.raises(BypassOpened):
        enrolment.enrolled_by(world.people["Vera"], world.keys["Vera"], second, key)
    assert production(world).state == "kept"


def test_an_admin_of_another_project_is_not_told_who_works_in_this_one() -> None:
    world, fraud = enrolment.Signers(), factories.project("fraud")
    world.publish("production", SIGNED)
    approves, signs = (
        actions.create_person(email=f"ada.risk+{n}@example.com", name=f"Other {n}", actor=SYSTEM)
        for n in range(2)
    )
    factories.grant(approves, {"approver": world.project})
    enrolment.enrolled_by_root(signs, enrolment.authenticator())
    faye = factories.actor_of(factories.person("Faye", roles={"admin": fraud}))
    with pytest.raises(BypassOpened) as refused:  # who approves in fraud vouches in risk too
        actions.grant_role(role="approver", person=signs, project=fraud, actor=faye)
    assert "whose access you do not see" in refused.value.detail
    assert "risk" not in refused.value.detail and "Other" not in refused.value.detail


def test_a_policy_that_nobody_could_satisfy_is_not_published(world: World) -> None:
    number = production(world).policy
    draft = governance.draft_policy(
        world.environment("production"),
        source="version: 1\ngates: [{gate: approvals, role: approver, count: 3}]\n",
        actor=world.vera,
    )
    with pytest.raises(LockedOut) as refused:
        governance.publish_policy(draft, actor=world.vito)
    assert refused.value.detail == (
        "Nobody could satisfy this policy: “Three approvers” asks for 3 people, and at most 2 could"
        " count for it here. Ask for fewer people, or first give the role to more people who"
        " count for it"
    )
    assert production(world).policy == number
    factories.person("Third", roles={"approver": world.project})
    governance.publish_policy(draft, actor=world.vito)
    duty = production(world)
    assert duty.demanded == 4
    # one asks, two change the policy: what demands more than three people can be changed by three
    assert (duty.state, duty.fewest and duty.fewest.people) == ("bypass", 3)
    auditor = factories.browser(factories.person("Eve", roles={"auditor": None}))
    page = text_of(auditor.get("/duties/").content.decode())
    assert "fewer than required" in page
    assert "A policy that only asks for more people is not: who could change it before" in page


@pytest.mark.parametrize(
    ("count", "left", "whom"),
    [
        (2, ["Rex"], "more people who count"),
        (2, [], "people who count"),
        (1, [], "somebody who counts"),
    ],
)
def test_a_role_that_nobody_holds_is_to_be_given_to_somebody(
    world: World, count: int, left: list[str], whom: str
) -> None:
    reviewers = RoleBinding.objects.filter(role="reviewer")
    reviewers.exclude(person__in=[world.people[name] for name in left]).delete()
    draft = governance.draft_policy(
        world.environment("production"),
        source=f"version: 1\ngates: [{{gate: approvals, role: reviewer, count: {count}}}]\n",
        actor=world.vera,
    )
    with pytest.raises(LockedOut) as refused:
        governance.publish_policy(draft, actor=world.vito)
    assert refused.value.detail.endswith(f", or first give the role to {whom} for it")


def test_a_policy_whose_gates_ask_for_the_same_people_names_the_gates(
    world: World, ann: Actor
) -> None:
    ask = "{gate: approvals, role: reviewer, count: 2}, {gate: approvals, role: approver, count: 2}"
    for name in ("Vera", "Vito"):
        factories.grant(world.people[name], {"reviewer": world.project})
    draft = governance.draft_policy(
        world.environment("production"), source=f"version: 1\ngates: [{ask}]\n", actor=world.vera
    )
    for name in ("Rex", "Rita"):
        actions.deactivate_person(world.people[name], actor=ann)
    with pytest.raises(LockedOut) as refused:
        governance.publish_policy(draft, actor=world.vito)
    said = "“Two reviewers” and “Two approvers” together ask for 4 different people"
    assert said in refused.value.detail


def test_an_environment_whose_last_approvers_left_says_so(world: World, ann: Actor) -> None:
    for name in ("Vera", "Vito"):
        actions.deactivate_person(world.people[name], actor=ann)
    assert production(world).state == "locked_out"


def test_which_role_is_missing_and_who_gives_it_is_named_to_who_may_know(
    world: World, ann: Actor, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    pam, eve = (
        factories.person("Pam", roles={"admin": world.project}),
        factories.person("Eve", roles={"auditor": None}),
    )
    factories.person("Away", roles={"admin": world.project})
    User.objects.filter(name="Away").update(last_login=None)
    for name in ("Vera", "Vito"):
        actions.deactivate_person(world.people[name], actor=ann)

    def said(who: User) -> str:
        client = factories.browser(who)
        with django_assert_max_num_queries(12):
            return " ".join(text_of(client.get("/duties/").content.decode()).split())

    missing = "Nobody can decide as approver: an access administrator, {}, gives this role"
    assert missing.format("Ann and Pam") in said(eve)
    assert missing.format("Pam") in said(pam), "who has a role everywhere is not for Pam to know"
    for who, givers in ((eve, ["Ann", "Pam"]), (pam, ["Pam"])):
        items = factories.api(who).get("/duties").json()["items"]
        [row] = [r for r in items if (r["project"], r["environment"]) == ("risk", "production")]
        assert (row["missing_roles"], row["role_givers"]) == (["approver"], givers)
    actions.deactivate_person(pam, actor=ann)
    assert missing.format("Ann") in said(eve)


def test_gates_that_share_too_few_people_name_all_their_roles(world: World, ann: Actor) -> None:
    for name in ("Rex", "Rita"):
        actions.deactivate_person(world.people[name], actor=ann)
    assert production(world).lacking == ("reviewer",)
    RoleBinding.objects.filter(person=world.people["Vito"]).delete()
    assert set(production(world).lacking) == {"reviewer"}
    factories.grant(world.people["Vera"], {"reviewer": world.project})
    assert set(production(world).lacking) == {"reviewer", "approver"}, "each decides once"


def test_an_environment_where_nobody_may_ask_for_a_release_is_not_said_to_be_fine(
    world: World, ann: Actor
) -> None:
    assert DutyRow(production(world)).sign.text == "OK"
    for name in ("Ada", "Alan"):
        actions.deactivate_person(world.people[name], actor=ann)
    duty = production(world)
    assert (duty.state, duty.requesters) == ("kept", False)
    row = DutyRow(duty)
    assert row.sign.text == "Nobody can request"
    assert row.could.startswith("Nobody may request a release here: an access administrator")


def test_whose_role_waits_for_a_second_factor_is_said_to_need_one_first(world: World) -> None:
    actions.demand_second_factor("reviewer", actor=SYSTEM)
    (staging,) = duties_of([world.environment("staging")])
    assert "Rex risk approves it as reviewer (needs a second factor first)" in staging.path
    assert "as approver" in production(world).path[-1], "which demands none"
    eve = factories.browser(factories.person("Eve", roles={"auditor": None}))
    page = eve.get("/duties/").content.decode()
    assert "approves it as reviewer (needs a second factor first)" in page
    for name in ("Rex", "Rita"):
        has_factor(world, name)
    (staging,) = duties_of([world.environment("staging")])
    assert "Rex risk approves it as reviewer" in staging.path


def test_where_all_who_could_decide_need_a_second_factor_first_the_verdict_is_not_ok(
    world: World,
) -> None:
    actions.demand_second_factor("reviewer", actor=SYSTEM)
    (staging,) = duties_of([world.environment("staging")])
    assert (staging.state, staging.waits_for) == ("waiting", ("Rex risk", "Rita risk"))
    eve = factories.browser(factories.person("Eve", roles={"auditor": None}))
    said = " ".join(text_of(eve.get("/duties/").content.decode()).split())
    assert "▲ Policy can't be met yet" in said
    assert (
        "2 could do it, but nobody can do it without changing the policy first until enough of Rex "
        "risk and Rita risk have set up a second factor:"
    ) in said
    has_factor(world, "Rita")
    (staging,) = duties_of([world.environment("staging")])
    assert (staging.state, staging.waits_for) == ("kept", ())
    assert DutyRow(staging).could == "could do it:"


def test_nobody_can_request_until_a_contributor_has_set_up_a_second_factor(world: World) -> None:
    actions.demand_second_factor("contributor", actor=SYSTEM)
    assert production(world).waits_for == ("Ada risk", "Alan risk")
    has_factor(world, "Ada")
    assert production(world).state == "kept"


def test_where_all_who_could_decide_never_signed_in_the_verdict_is_not_ok(world: World) -> None:
    rex, rita = world.people["Rex"], world.people["Rita"]
    User.objects.filter(pk__in=[rex.pk, rita.pk]).update(last_login=None)
    (staging,) = duties_of([world.environment("staging")])
    assert (staging.state, staging.invited) == ("waiting", ("Rex risk", "Rita risk"))
    assert staging.waits_for == ()
    assert "Rex risk approves it as reviewer (was invited and has not signed in yet)" in (
        staging.path
    )
    eve = factories.browser(factories.person("Eve", roles={"auditor": None}))
    said = " ".join(text_of(eve.get("/duties/").content.decode()).split())
    assert "▲ Policy can't be met yet" in said
    assert (
        "2 could do it, but nobody can do it without changing the policy first until enough of Rex "
        "risk and Rita risk, who were invited, have signed in:"
    ) in said
    User.objects.filter(pk=rita.pk).update(last_login=now())
    (staging,) = duties_of([world.environment("staging")])
    assert (staging.state, staging.invited) == ("kept", ())


def test_who_was_let_in_again_and_has_no_way_to_sign_in_is_waited_for(world: World) -> None:
    ann = factories.actor_of(factories.person("Ann", roles={"admin": None}))
    for name in ("Rex", "Rita"):
        actions.deactivate_person(world.people[name], actor=ann)
        actions.reactivate_person(world.people[name], actor=ann)
        assert User.objects.get(pk=world.people[name].pk).last_login, "it is not forgotten"
    (staging,) = duties_of([world.environment("staging")])
    assert (staging.state, staging.invited) == ("waiting", ("Rex risk", "Rita risk"))
    at = f"{User.objects.get(pk=world.people['Rex'].pk).reactivated_at:%Y-%m-%d}"
    since = f"was let in again on {at} and has not signed in since"
    assert f"Rex risk approves it as reviewer ({since})" in staging.path
    assert f"Rex risk and Rita risk, who were let in again on {at}, have" in DutyRow(staging).could
    User.objects.filter(pk=world.people["Rita"].pk).update(last_login=now())
    (staging,) = duties_of([world.environment("staging")])
    assert (staging.state, staging.invited) == ("kept", ())


def never_came(world: World, *names: str) -> None:
    """Have these people be invited, and not come."""
    people = User.objects.filter(pk__in=[world.people[name].pk for name in names])
    people.update(last_login=None)


def test_where_others_could_change_the_policy_nobody_is_said_to_be_unable_without_that(
    world: World,
) -> None:
    never_came(world, "Rex", "Rita")
    (staging,) = duties_of([world.environment("staging")])
    assert (staging.invited, staging.policy_first) == (("Rex risk", "Rita risk"), True)
    never_came(world, "Vito")
    (staging,) = duties_of([world.environment("staging")])
    assert staging.policy_first, "Otto drafts what Vera publishes"
    never_came(world, "Vera")
    (staging,) = duties_of([world.environment("staging")])
    everybody = ("Rex risk", "Rita risk", "Vera risk", "Vito risk")
    assert (staging.invited, staging.policy_first) == (everybody, False)
    assert "nobody can do it until enough of Rex risk, Rita risk, Vera" in DutyRow(staging).could


def test_who_asked_before_and_has_not_come_since_keeps_nobody_from_approving_that(
    world: World,
) -> None:
    world.request("staging")
    never_came(world, "Ada", "Alan")
    (staging,) = duties_of([world.environment("staging")])
    assert (staging.state, staging.invited) == ("kept", ()), "what waits already can be approved"
    duty = production(world)
    assert (duty.state, duty.invited) == ("waiting", ("Ada risk", "Alan risk"))


def test_who_never_signed_in_is_counted_as_somebody_who_could(world: World, ann: Actor) -> None:
    ada = world.people["Ada"]
    User.objects.filter(pk=ada.pk).update(last_login=None)
    with pytest.raises(BypassOpened) as refused:
        actions.grant_role(role="operator", person=ada, project=world.project, actor=ann)
    assert "(was invited and has not signed in yet)" in refused.value.detail


def has_factor(world: World, name: str) -> None:
    """Have somebody set up an authenticator app."""
    secret = generate_totp_secret()
    change_credentials(world.people[name], lambda row: TOTP.activate(row, secret))


@pytest.mark.django_db(transaction=True)
def test_two_admins_at_once_do_not_open_together_what_neither_may(world: World) -> None:
    admins = [factories.actor_of(factories.person(n, roles={"admin": None})) for n in ("An", "Bo")]
    zed = factories.person("Zed")
    barrier = Barrier(2)

    def give(role: str, admin: Actor) -> str:
        try:
            barrier.wait(timeout=30)
            actions.grant_role(role=role, person=zed, project=world.project, actor=admin)
            return "given"
        except BypassOpened:
            return "refused"
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        told = list(pool.map(give, ("contributor", "operator"), admins))
    assert sorted(told) == ["given", "refused"]
    assert RoleBinding.objects.filter(person=zed).count() == 1
    assert production(world).state == "kept"


def test_auditors_and_access_admins_read_it_and_others_read_nothing(world: World) -> None:
    factories.grant(world.people["Ada"], {"operator": world.project})
    factories.project("fraud")
    for role in ("auditor", "admin"):
        reader = factories.api(factories.person(role, roles={role: None}))
        items = reader.get("/duties").json()["items"]
        assert len(items) == 6
        [row] = [r for r in items if (r["project"], r["environment"]) == ("risk", "production")]
        assert (row["state"], row["demanded"], row["people"]) == ("bypass", 3, 2)
        assert row["path"][0].startswith("Ada risk drafts a policy for production")
    here = factories.api(factories.person("local", roles={"auditor": world.project}))
    assert {row["project"] for row in here.get("/duties").json()["items"]} == {"risk"}
    assert factories.api(world.people["Vera"]).get("/duties").json()["items"] == []
    page = factories.browser(world.people["Vera"]).get("/duties/").content.decode()
    assert "Not visible to you" in page and "No environments" not in page
    assert "Auditors and access admins of a project see here" in page and "Ada risk" not in page


def test_the_address_of_who_has_no_name_is_for_who_sees_access_everywhere(world: World) -> None:
    ada = factories.grant(world.people["Ada"], {"operator": world.project})
    User.objects.filter(pk=ada.pk).update(name="")
    for where, called in ((None, ada.email), (world.project, NAMELESS)):
        reader = factories.person(f"reader{bool(where)}", roles={"auditor": where})
        items = factories.api(reader).get("/duties").json()["items"]
        [row] = [r for r in items if (r["project"], r["environment"]) == ("risk", "production")]
        assert row["path"][0].startswith(f"{called} drafts a policy for production")
        page = factories.browser(reader).get("/duties/").content.decode()
        assert (ada.email in page) == (where is None)
        answer = factories.api(reader).get("/exports/duties?format=json&project=risk")
        [row] = [r for r in json.loads(answer.getvalue()) if r["environment"] == "production"]
        assert row["path"].startswith(f"{called} drafts a policy for production")


def test_who_gives_roles_in_a_project_is_refused_without_addresses(world: World) -> None:
    approvers = User.objects.filter(pk__in=[world.vera.id, world.vito.id])
    approvers.update(name="")
    for where, is_told in ((None, True), (world.project, False)):
        giver = factories.actor_of(factories.person(f"giver{is_told}", {"admin": where}))
        with pytest.raises(BypassOpened) as refused:
            actions.grant_role(
                role="operator", person=world.people["Ada"], project=world.project, actor=giver
            )
        said = refused.value.detail
        assert any(one.email in said for one in approvers) == is_told
        assert (NAMELESS in said) != is_told


def test_who_sees_access_is_told_where_there_is_no_environment() -> None:
    page = factories.browser(factories.person("Ann", {"admin": None})).get("/duties/")
    assert "No environments" in page.content.decode()


def test_a_refusal_names_the_path_in_the_api_and_in_the_administration(world: World) -> None:
    ann = factories.person("Ann", roles={"admin": None})
    given = {"role": "operator", "person": world.people["Ada"].pk}
    refused = factories.api(ann).post("/roles", given | {"project": "risk"})
    assert (refused.status_code, refused.json()["code"]) == (409, "bypass")
    assert "Vera risk publishes that policy" in refused.json()["detail"]
    form = given | {"project": world.project.pk}
    page = factories.browser(ann).post("/admin/identity/rolebinding/add/", form)
    assert page.status_code == 200
    assert "Vera risk publishes that policy" in page.content.decode()


def test_who_has_not_come_yet_is_left_out_once_for_all_environments(world: World) -> None:
    """It takes as long as to see who holds what: with 20,000 people and 120 environments, each for
    itself, nine seconds."""
    User.objects.filter(pk=factories.person("Nora").pk).update(last_login=None)
    places = [world.environment(name) for name in ("development", "staging", "production")]
    once = patch.object(OrganisationView, "as_ready", autospec=True, side_effect=lambda seen: seen)
    with once as asked:
        assert len(duties_of(places)) == len(places)
    assert asked.call_count == 1
