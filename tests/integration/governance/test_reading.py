"""What people see: the release page, the inbox, lists; and in how many queries."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.contrib.auth.hashers import make_password
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.console.queries.release_page import release_page
from apps.governance import actions
from apps.governance.models import Decision, Environment, PolicyRevision, Release
from apps.governance.queries import inbox, menu, release_view, releases
from apps.governance.queries.deciders import asked_deciders, with_deciders
from apps.identity.actions import create_person, demand_second_factor, grant_role, place_person
from apps.identity.actions.credentials import change_credentials
from apps.identity.models import User
from placet.kernel.actor import SYSTEM, Actor
from placet.kernel.problems import NotFound
from tests.support import factories
from tests.support.page_text import text_of
from tests.support.world import SIGNATURE, World

pytestmark = pytest.mark.django_db
REX = "Rex risk"


@contextmanager
def at_most(count: int) -> Iterator[None]:
    with CaptureQueriesContext(connection) as caught:
        yield
    assert len(caught) <= count, "\n".join(q["sql"][:160] for q in caught)


def test_the_page_shows_what_changes_against_what_is_live(world: World) -> None:
    world.policy("staging", "version: 1\ngates: [{gate: build}]\n")
    world.live("staging", world.bento(world.version(), metrics={"auc": 0.9, "gap": 2.0}))
    inputs = [*SIGNATURE["inputs"], {"name": "income", "type": "double", "required": False}]
    version = world.version(signature={**SIGNATURE, "inputs": inputs})
    world.policy("staging", "version: 1\ngates: [{gate: approvals, role: reviewer}]\n")
    bento = world.bento(version, metrics={"auc": 0.93, "f1": 0.8})
    release = world.request("staging", bento, serving={"replicas": 2})
    view = release_view(release.pk, world.rex)
    changes = view.changes
    rows = {m.name: (m.live, m.proposed, m.direction) for m in changes.metrics}
    assert rows == {
        "auc": (0.9, 0.93, "up"),
        "f1": (None, 0.8, "new"),
        "gap": (2.0, None, "gone"),
    }
    assert [(c["name"], c["breaking"]) for c in changes.schema] == [("income", False)]
    assert changes.compared_with == "churn:1"
    assert (changes.policy_live, changes.policy_proposed) == (2, 3)
    assert ("replicas", 1, 2) in changes.serving
    assert changes.dependency_count == 1 and changes.dependencies == ()


def test_the_page_tells_each_reader_what_they_may_do(world: World) -> None:
    release = world.request("staging")
    grant_role(role="reviewer", person=world.people["Alan"], project=world.project, actor=SYSTEM)
    for_rex = release_view(release.pk, world.rex)
    assert (for_rex.can_decide, for_rex.you_decide_as) == (True, "reviewer")
    assert [p.name for p in for_rex.may_still_decide] == ["Rex risk", "Rita risk"]
    assert for_rex.missing_roles == ("reviewer",)
    for_ada = release_view(release.pk, world.ada)
    assert (for_ada.can_decide, for_ada.you_are_excluded) == (False, True)
    for_alan = release_view(release.pk, world.alan)
    assert (for_alan.can_decide, for_alan.you_are_excluded) == (False, True)
    world.decide(release, world.rex, comment="Fine")
    done = release_view(release.pk, world.rex)
    assert done.may_still_decide == () and not done.can_decide
    assert [(d.name, d.comment) for d in done.decisions] == [("Rex risk", "Fine")]


def test_each_open_gate_names_those_whose_decision_could_count_for_it(world: World) -> None:
    """Nobody who holds a role that it does not ask, asked for the release or made its version."""
    grant_role(role="approver", person=world.people["Ada"], project=world.project, actor=SYSTEM)
    grant_role(role="reviewer", person=world.people["Alan"], project=world.project, actor=SYSTEM)
    release = world.request("production")
    assert gates_with_people(release, world.ada) == {
        "One reviewer": "Can decide: Rex risk, Rita risk",
        "One approver": "Can decide: Vera risk, Vito risk",
    }
    world.decide(release, world.rita)
    assert gates_with_people(release, world.ada) == {
        "One approver": "Can decide: Vera risk, Vito risk"
    }
    rule = "{gate: approvals, role: reviewer, count: 2, second_line: 1}"
    source = f"version: 1\ngates: [{rule}]\n"
    draft = actions.draft_policy(world.environment("staging"), source=source, actor=world.vera)
    actions.publish_policy(draft, actor=SYSTEM)
    place_person(world.people["Rita"], line="second", actor=SYSTEM)
    rudi = factories.person("Rudi", roles={"reviewer": world.project})
    waits, title = world.request("staging"), "Two reviewers, one of the second line"
    everybody = "Can decide: Rex risk, Rita risk, Rudi"
    assert gates_with_people(waits, world.ada) == {title: everybody}
    world.decide(waits, factories.actor_of(rudi))
    assert gates_with_people(waits, world.ada) == {title: "Can decide: Rita risk"}
    page = factories.browser(world.ada).get(f"/releases/{waits.pk}/").content.decode()
    assert "Can decide: Rita risk</small>" in page


def test_who_cannot_decide_yet_is_named_with_what_they_need_first(world: World) -> None:
    auditor = demanding_a_factor(world)
    needs = "Rex risk (needs a second factor first)"
    release = world.request("staging")
    eve = factories.actor_of(auditor)
    asked = "Can decide: Rita risk. Holds the role, but needs a second factor first: Rex risk"
    assert gates_with_people(release, eve) == {"One reviewer": asked}
    (people,) = release_view(release.pk, eve).who_opens[-1:]
    assert [person.needs for person in people] == ["needs a second factor first", ""]
    assert who_decides(world, eve) == f"{needs}, Rita risk"
    told = text_of(factories.browser(auditor).get("/projects/risk/members/").content.decode())
    assert needs in " ".join(told.split())


def test_what_somebody_lacks_is_told_to_them_and_to_who_sees_access_there_alone(
    world: World,
) -> None:
    """To others the list would name the accounts that a password alone opens."""
    demanding_a_factor(world)
    release = world.request("staging")
    elsewhere = factories.person(
        "Ed", roles={"viewer": world.project, "auditor": factories.project("other")}
    )
    told = f"{REX} (cannot decide yet), Rita risk"
    for reader in (world.ada, world.rita, factories.actor_of(elsewhere)):
        asked = f"Can decide: Rita risk. Not yet: {REX}"
        assert gates_with_people(release, reader) == {"One reviewer": asked}
        assert who_decides(world, reader) == told
    client = factories.browser(elsewhere)
    staging = "/projects/risk/environments/staging/"
    not_yet = f"{REX} (cannot decide yet)"
    for page, told in (
        (f"/releases/{release.pk}/", f"Not yet: {REX}"),
        ("/projects/risk/members/", not_yet),
        (staging, not_yet),
    ):
        said = " ".join(text_of(client.get(page, follow=True).content.decode()).split())
        assert told in said and "second factor" not in said, page
    grant_role(role="viewer", person=world.people["Rex"], project=world.project, actor=SYSTEM)
    assert who_decides(world, world.rex) == f"{REX} (needs a second factor first), Rita risk"


def test_where_all_who_hold_the_role_lack_a_second_factor_nobody_can_decide_yet(
    world: World,
) -> None:
    demand_second_factor("reviewer", actor=SYSTEM)
    release, nobody = world.request("staging"), "Nobody can decide yet"
    auditor = factories.actor_of(factories.person("Eve", {"auditor": world.project}))
    needs = f"{nobody}. Hold the role, but need a second factor first: {REX}, Rita risk"
    assert gates_with_people(release, auditor) == {"One reviewer": needs}
    assert gates_with_people(release, world.ada) == {"One reviewer": nobody}
    grant_role(role="viewer", person=world.people["Rex"], project=world.project, actor=SYSTEM)
    needs = f"{nobody}. Holds the role, but needs a second factor first: {REX}"
    assert gates_with_people(release, world.rex) == {"One reviewer": needs}


def test_a_role_that_waits_for_a_second_factor_says_so_on_pages_of_people_and_members(
    world: World,
) -> None:
    demand_second_factor("reviewer", actor=SYSTEM)
    change_credentials(world.people["Rita"], lambda row: TOTP.activate(row, generate_totp_secret()))
    eve = factories.browser(factories.person("Eve", roles={"auditor": None}))

    def told(path: str) -> str:
        return " | ".join(text_of(eve.get(path).content.decode()).splitlines())

    waits, itself = "Reviewer (needs a second factor first)", "person | Reviewer"
    members = told("/projects/risk/members/")
    assert f"Rex risk | {itself} (needs a second factor first)" in members
    assert f"Rita risk | {itself}" in members and members.count(waits) == 1
    assert waits in told(f"/people/{world.people['Rex'].pk}/")
    for name in ("Rita", "Vera"):
        assert "second factor first" not in told(f"/people/{world.people[name].pk}/")


def test_who_has_no_passkey_where_one_is_asked_is_named_with_that(world: World) -> None:
    gate = "{gate: approvals, role: reviewer, count: 1, passkey: true}"
    place = world.environment("staging")
    draft = actions.draft_policy(place, source=f"version: 1\ngates: [{gate}]\n", actor=world.vera)
    PolicyRevision.objects.filter(pk=draft.pk).update(state="published")
    needs, auditor = "(needs a signing passkey first)", factories.person("Eve", {"auditor": None})
    told = who_decides(world, factories.actor_of(auditor))
    assert told == f"{REX} {needs}, Rita risk {needs}"
    assert who_decides(world, world.rex) == f"{REX} {needs}, Rita risk (cannot decide yet)"


def test_who_was_invited_and_never_signed_in_is_not_told_to_be_able_to_decide(
    world: World,
) -> None:
    auditor = factories.person("Eve", {"auditor": world.project})
    invited = create_person(email="nils@example.com", name="Nils", actor=SYSTEM)
    grant_role(role="reviewer", person=invited, project=world.project, actor=SYSTEM)
    release, eve = world.request("staging"), factories.actor_of(auditor)
    able = "Can decide: Rex risk, Rita risk"
    told = f"{able}. Holds the role, but has not signed in yet: Nils"
    assert gates_with_people(release, eve) == {"One reviewer": told}
    assert gates_with_people(release, world.ada) == {"One reviewer": f"{able}. Not yet: Nils"}
    assert who_decides(world, eve) == "Nils (has not signed in yet), Rex risk, Rita risk"
    said = text_of(factories.browser(auditor).get("/projects/risk/members/").content.decode())
    assert "Nils (has not signed in yet)" in " ".join(said.split())
    User.objects.filter(pk=invited.pk).update(password=make_password("a way with words"))
    assert who_decides(world, eve) == "Nils, Rex risk, Rita risk"
    User.objects.filter(pk__in=[p.pk for p in world.people.values()]).update(last_login=None)
    User.objects.filter(pk=invited.pk).update(password=make_password(None))
    nobody = "Hold the role, but have not signed in yet: Nils, Rex risk, Rita risk"
    assert gates_with_people(release, eve) == {"One reviewer": f"Nobody can decide yet. {nobody}"}


def demanding_a_factor(world: World) -> User:
    """Demand a second factor of reviewers, of whom Rita alone has one; return who sees that."""
    demand_second_factor("reviewer", actor=SYSTEM)
    secret = generate_totp_secret()
    change_credentials(world.people["Rita"], lambda row: TOTP.activate(row, secret))
    return factories.person("Eve", {"auditor": world.project})


def who_decides(world: World, reader: Actor) -> str:
    """Return whom a page names as who decides in staging."""
    places = Environment.objects.filter(pk=world.environment("staging").pk)
    (row,) = asked_deciders(with_deciders(places).get(), reader)
    return row.names


def gates_with_people(release: Release, reader: Actor) -> dict[str, str]:
    """Return what the page says beside each gate of who could open it, by the gate's title."""
    gates = release_page(release.pk, reader).end.gates
    return {gate.title: gate.who for gate in gates if gate.who}


def test_the_page_says_as_what_one_decides_by_the_gates_as_they_stand_now(world: World) -> None:
    both = factories.person("Bea", roles={"reviewer": world.project, "approver": world.project})
    bea = factories.actor_of(both)
    release = world.request("production")
    world.decide(release, world.vera)
    assert release_view(release.pk, bea).you_decide_as == "reviewer"
    Decision.objects.filter(person=world.vera.id).update(voided_reason="It was not Vera")
    assert release_view(release.pk, bea).you_decide_as == "approver"
    assert world.decide(release, bea).role == "approver"


def test_a_team_member_counts_among_those_who_may_decide(world: World) -> None:
    release = world.request("staging")
    tess = factories.person("Tess")
    factories.team("validators", tess, roles={"reviewer": (world.project, "staging")})
    factories.team(
        "elsewhere", factories.person("Una"), roles={"reviewer": (world.project, "production")}
    )
    names = [p.name for p in release_view(release.pk, world.rex).may_still_decide]
    assert names == ["Rex risk", "Rita risk", "Tess"]


def test_the_story_is_told_from_the_log_with_names_and_texts(world: World) -> None:
    release = world.request("staging")
    actions.comment(release, text="Is the gap known?", actor=world.rita)
    world.decide(release, world.rex, comment="It is")
    story = release_view(release.pk, world.ada).story
    assert [(s.name, s.sentence, s.text) for s in story] == [
        ("Ada risk", "Requested release 1", ""),
        ("Rita risk", "Commented on release 1", "Is the gap known?"),
        ("Rex risk", "Decision as reviewer: approved", "It is"),
        ("Rex risk", "Release 1 is approved", ""),
    ]
    assert story[0].index < story[-1].index


def test_what_a_decision_binds_is_shown_by_digest(world: World) -> None:
    release = world.request("staging")
    bound = release_view(release.pk, world.rex).bound
    assert (bound.request, bound.bento) == (release.request_digest, release.bento_id)
    assert (bound.policy_number, bound.evidence_count) == (1, 2)


def test_a_stranger_finds_no_such_release(world: World) -> None:
    release = world.request("staging")
    stranger = factories.actor_of(factories.person("Sam"))
    with pytest.raises(NotFound):
        release_view(release.pk, stranger)
    assert not releases(stranger).exists()


def test_the_inbox_holds_what_waits_on_this_person_alone(world: World) -> None:
    bento = world.bento(world.version())
    world.soaked(bento)
    staging = world.request("staging")
    production = world.request("production", bento)
    assert [r.pk for r in inbox(world.rex)] == [staging.pk, production.pk]
    assert [r.pk for r in inbox(world.vera)] == [production.pk]
    assert inbox(world.ada) == []
    rex = world.rex
    with at_most(1):
        assert menu(rex).waiting.total() == 2
    assert [menu(who).waiting.total() for who in (world.vera, world.ada)] == [1, 0]
    world.decide(production, world.rex)
    assert menu(world.rex).waiting.total() == 1
    assert [r.pk for r in inbox(world.rex)] == [staging.pk]
    assert [r.pk for r in inbox(world.rita)] == [staging.pk]
    paul = factories.person("Paul", roles={"reviewer": (world.project, "production")})
    assert inbox(factories.actor_of(paul)) == []


def test_the_requester_who_reviews_elsewhere_does_not_find_their_own_request(world: World) -> None:
    grant_role(role="reviewer", person=world.people["Ada"], project=world.project, actor=SYSTEM)
    world.request("staging")
    assert inbox(world.ada) == []


def fill(world: World, count: int) -> None:
    for _ in range(count):
        release = world.request("staging")
        actions.comment(release, text="?", actor=world.rita)


@pytest.mark.parametrize(
    "read,limit",
    [
        (lambda w: [(r.version.model.name, r.policy.number) for r in releases(w.rex)], 4),
        (lambda w: inbox(w.rex), 4),
        (lambda w: menu(w.rex).waiting, 4),
        (lambda w: w.environment("staging") and actions.advance_waiting(), 5),
    ],
)
def test_more_rows_need_no_more_queries(
    world: World, read: Callable[[World], object], limit: int
) -> None:
    fill(world, 1)
    with CaptureQueriesContext(connection) as one:
        read(world)
    fill(world, 3)
    with CaptureQueriesContext(connection) as four:
        read(world)
    assert len(four) == len(one) <= limit


def test_the_release_page_needs_nine_queries_however_much_happened(world: World) -> None:
    world.policy("staging", "version: 1\ngates: [{gate: approvals, role: reviewer, count: 2}]\n")
    release = world.request("staging")
    for _ in range(3):
        actions.comment(release, text="?", actor=world.rita)
    world.decide(release, world.rex, comment="Yes")
    rita = world.rita
    with at_most(9):
        view = release_view(release.pk, rita)
        assert len(view.story) == 5 and view.requester_name and view.release.endpoint.target.name
