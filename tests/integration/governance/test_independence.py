"""Rules about independence: who counts, who is told that they do not, who tries nevertheless."""

from typing import Any

import pytest

from apps.audit.actions import record
from apps.governance.actions import begin_rollout, draft_policy, publish_policy
from apps.governance.errors import LockedOut, NotIndependent, Separation
from apps.governance.models import Decision, Release
from apps.governance.queries import visible_rows
from apps.governance.queries.duties import duties_of
from apps.governance.queries.release_detail import release_view
from apps.identity.actions import grant_role, place_person
from apps.identity.errors import OwnAccess
from apps.identity.models import Position, User
from apps.registry.actions import declare
from apps.registry.events import FILE_REMOVED, FILES_ADDED
from apps.registry.models import Declaration, ModelVersion
from placet.kernel import keystore
from placet.kernel.actor import SYSTEM, Actor
from placet.kernel.clock import now
from placet_verify.permit.permit import holds
from placet_verify.signing import dsse
from placet_verify.statements import StandingDecision, parse
from tests.support import factories
from tests.support.enrolment import Signers
from tests.support.world import World

pytestmark = pytest.mark.django_db
DATA = "sha256:" + "d" * 64
ALL = "second_line: all, other_reporting_line: true, not_last_touched: true, " + (
    "not_data_owner: true, not_code_author: true"
)


def policy(rules: str, *, count: int = 1, role: str = "reviewer") -> str:
    return (
        "version: 1\ngates:\n  - {gate: build}\n"
        f"  - {{gate: approvals, role: {role}, count: {count}, {rules}}}\n"
    )


@pytest.fixture
def ann() -> Actor:
    """Return an access admin."""
    return factories.actor_of(factories.person("Ann", roles={"admin": None}))


@pytest.fixture
def top() -> User:
    """Return the head of the organisation."""
    made = factories.person("Theo Top")
    place_person(made, top=True, actor=SYSTEM)
    return made


def department(world: World, name: str, top: User, **lines: str) -> None:
    """Place people of ``world`` in a department of its own, each in a line of defence."""
    head = factories.person(f"Head of {name}")
    place_person(head, manager=top, actor=SYSTEM)
    for person, line in lines.items():
        place_person(world.people[person], line=line, manager=head, actor=SYSTEM)


def staging(world: World, rules: str, **more: Any) -> None:
    """Put a policy with ``rules`` into force in staging, past the search for who could satisfy it:
    its people are placed later."""
    place = world.environment("staging")
    draft = draft_policy(place, source=policy(rules, **more), actor=world.vera)
    publish_policy(draft, actor=SYSTEM)


def touched(version: ModelVersion, *people: Actor) -> ModelVersion:
    """Have the log say that each of ``people`` put files into ``version``."""
    for who in people:
        with record(who) as log:
            log.add(FILES_ADDED, version, data={"count": 1})
    return version


def refused(world: World, release: Release, who: Actor) -> str:
    """Return why ``who`` may not decide."""
    with pytest.raises(NotIndependent) as found:
        world.decide(release, who)
    assert not Decision.objects.filter(release=release, person=who.id).exists()
    return found.value.detail


def cannot(release: Release, who: Actor) -> list[str]:
    return [barred.why for barred in release_view(release.pk, who).cannot_count]


# the second line


def test_who_has_no_line_of_defence_is_told_so_everywhere(world: World) -> None:
    staging(world, "second_line: all")
    release = world.request()
    sentence = "cannot count: no line of defence is set"
    assert cannot(release, world.ada) == [f"Rex risk {sentence}", f"Rita risk {sentence}"]
    view = release_view(release.pk, world.rita)
    assert (view.you_cannot_count, view.can_decide) == (f"You {sentence}", False)
    assert view.may_still_decide == ()
    assert refused(world, release, world.rita) == f"You {sentence}"
    waiting = visible_rows.waiting_on(world.rita)
    assert (waiting.needed, waiting.barred) == ([], [(release, f"You {sentence}")])
    assert visible_rows.inbox(world.rita) == []
    for path in ("/", "/releases/", f"/releases/{release.pk}/"):
        assert f"You {sentence}" in factories.browser(world.rita).get(path).content.decode()
    page = factories.browser(world.ada).get(f"/releases/{release.pk}/").content.decode()
    assert f"Rita risk {sentence}" in page
    detail = factories.api(world.rita).get(f"/releases/{release.pk}").json()
    assert detail["you_cannot_count"] == f"You {sentence}"
    assert [one["name"] for one in detail["cannot_count"]] == ["Rex risk", "Rita risk"]
    assert factories.api(world.rita).get("/inbox").json()["items"] == []


def test_the_second_line_counts_and_it_is_signed(world: World) -> None:
    staging(world, "second_line: all")
    place_person(world.people["Rita"], line="second", actor=SYSTEM)
    place_person(world.people["Rex"], line="first", actor=SYSTEM)
    release = world.request()
    assert "not of the second line" in refused(world, release, world.rex)
    assert [p.name for p in release_view(release.pk, world.ada).may_still_decide] == ["Rita risk"]
    decision = world.decide(release, world.rita)
    release.refresh_from_db()
    assert release.state == "approved"
    statement = parse(dsse.Envelope.from_json(decision.envelope).payload)
    assert isinstance(statement, StandingDecision)
    assert statement.standing.to_dict() == decision.standing
    assert (statement.standing.line, statement.standing.reports_to) == ("second", None)
    begin_rollout(release, actor=SYSTEM)


def test_one_of_two_is_of_the_second_line(world: World) -> None:
    staging(world, "second_line: 1", count=2)
    rudi = factories.person("Rudi", roles={"reviewer": world.project})
    place_person(world.people["Rex"], line="first", actor=SYSTEM)
    place_person(world.people["Rita"], line="second", actor=SYSTEM)
    place_person(rudi, line="first", actor=SYSTEM)
    release = world.request()
    world.decide(release, world.rex)
    release.refresh_from_db()
    (gate,) = [g for g in release.gates if g["gate"] == "approvals"]
    assert gate["reason"] == "Waiting for one reviewer of the second line; 1 of 2 approved"
    assert [p.name for p in release_view(release.pk, world.ada).may_still_decide] == ["Rita risk"]
    assert visible_rows.inbox(factories.actor_of(rudi)) == []
    world.decide(release, factories.actor_of(rudi))  # Rudi may, and it is not enough
    release.refresh_from_db()
    assert release.state == "requested"
    world.decide(release, world.rita)
    release.refresh_from_db()
    assert release.state == "approved"
    begin_rollout(release, actor=SYSTEM)


def test_a_place_that_is_given_later_does_not_make_an_earlier_decision_count(
    world: World, ann: Actor
) -> None:
    staging(world, "second_line: 1", count=2)
    for name in ("Rex", "Rita"):
        place_person(world.people[name], line="first", actor=SYSTEM)
    release = world.request()
    world.decide(release, world.rex)
    world.decide(release, world.rita)
    for name in ("Rex", "Rita"):
        place_person(world.people[name], line="second", actor=ann)
    view = release_view(release.pk, world.ada)
    assert not view.all_passed
    release.refresh_from_db()
    assert release.state == "requested"


def test_a_row_that_says_another_line_than_was_signed_starts_nothing(world: World) -> None:
    staging(world, "second_line: 1", count=2)
    for name in ("Rex", "Rita"):
        place_person(world.people[name], line="first", actor=SYSTEM)
    release = world.request()
    for who in (world.rex, world.rita):
        decision = world.decide(release, who)
    standing = {**(decision.standing or {}), "line": "second"}
    Decision.objects.filter(pk=decision.pk).update(standing=standing)
    Release.objects.filter(pk=release.pk).update(state="approved")
    release.refresh_from_db()
    with pytest.raises(Exception, match="of the second line"):
        begin_rollout(release, actor=SYSTEM)


def test_who_was_of_the_second_line_when_they_decided_counts_on(world: World, ann: Actor) -> None:
    staging(world, "second_line: all")
    place_person(world.people["Rita"], line="second", actor=SYSTEM)
    release = world.request()
    world.decide(release, world.rita)
    place_person(world.people["Rita"], line="first", actor=ann)
    release.refresh_from_db()
    begin_rollout(release, actor=SYSTEM)


def test_an_admin_who_reviews_does_not_make_themselves_count(world: World) -> None:
    staging(world, "second_line: all")
    both = factories.person("Rudi", roles={"reviewer": world.project, "admin": None})
    rudi = factories.actor_of(both)
    with pytest.raises(OwnAccess):
        place_person(both, line="second", actor=rudi)
    Position.objects.create(person=both, line="second", set_by=SYSTEM.id, set_at=now())
    release = world.request()
    assert "no line of defence is set" in refused(world, release, rudi)


def test_requester_and_author_stay_out_whatever_their_line(world: World) -> None:
    staging(world, "second_line: all")
    grant_role(role="reviewer", person=world.people["Ada"], project=world.project, actor=SYSTEM)
    place_person(world.people["Ada"], line="second", actor=SYSTEM)
    with pytest.raises(Separation):
        world.decide(world.request(), world.ada)


def test_a_passkey_signs_where_one_stands(ann: Actor) -> None:
    world = Signers()
    staging(world, "second_line: all, passkey: true")
    place_person(world.people["Rex"], line="second", actor=SYSTEM)
    release = world.request("staging")
    world.sign(release, world.rex)
    release.refresh_from_db()
    assert release.state == "approved"
    begin_rollout(release, actor=SYSTEM)
    release.refresh_from_db()
    assert release.state == "rolling_out"
    assert ann


# another reporting line


def test_reporting_lines_meet_at_the_top_alone(world: World, top: User) -> None:
    staging(world, "other_reporting_line: true")
    release = world.request()
    assert "no reporting line up to the top is set" in refused(world, release, world.rex)
    department(world, "Models", top, Ada="first", Alan="first", Rex="first")
    department(world, "Risk", top, Rita="second")
    assert refused(world, release, world.rex) == (
        "You cannot count: in the same reporting line as the requester"
    )
    world.decide(release, world.rita)
    release.refresh_from_db()
    assert release.state == "approved"
    begin_rollout(release, actor=SYSTEM)


def test_nobody_counts_while_the_line_of_a_party_is_not_known(world: World, top: User) -> None:
    staging(world, "other_reporting_line: true")
    department(world, "Models", top, Ada="first")
    department(world, "Risk", top, Rita="second")
    release = world.request()
    why = "no reporting line is set of the author of the version"
    assert refused(world, release, world.rita) == f"You cannot count: {why}"


def test_nobody_counts_by_what_they_said_themselves_of_others(world: World, top: User) -> None:
    staging(world, "other_reporting_line: true")
    department(world, "Models", top, Ada="first", Alan="first")
    both = factories.person("Rudi", roles={"reviewer": world.project, "admin": None})
    rudi = factories.actor_of(both)
    risk, elsewhere = factories.person("Head of Risk"), factories.person("Head of Nothing")
    place_person(risk, manager=top, actor=SYSTEM)
    place_person(both, manager=world.people["Alan"], actor=SYSTEM)
    release = world.request()
    assert "in the same reporting line" in refused(world, release, rudi)
    place_person(elsewhere, manager=top, actor=SYSTEM)
    for name in ("Ada", "Alan"):  # out of Rudi's own line, by Rudi
        place_person(world.people[name], manager=elsewhere, actor=rudi)
    assert "no reporting line" in refused(world, release, rudi)


# who touched the artifact, who owns the data, who wrote the code


def test_who_had_a_hand_in_the_artifact_does_not_count(world: World) -> None:
    staging(world, "not_last_touched: true")
    unknown = world.request("staging", endpoint="unknown")
    assert "the log does not say who had a hand" in refused(world, unknown, world.rita)
    version = touched(world.version(), world.rex, world.alan)
    release = world.request("staging", world.bento(version))
    assert refused(world, release, world.rex) == "You cannot count: had a hand in the artifact"
    world.decide(release, world.rita)
    release.refresh_from_db()
    assert release.state == "approved"
    begin_rollout(release, actor=SYSTEM)


def test_nor_does_who_took_something_out_or_whose_program_did_it(world: World) -> None:
    staging(world, "not_last_touched: true")
    robot = factories.actor_of(
        factories.service_account("robot", world.people["Rex"], {"contributor": world.project})
    )
    version = touched(world.version(), robot)
    with record(world.rita) as log:
        log.add(FILE_REMOVED, version)
    release = world.request("staging", world.bento(version))
    for who in (world.rex, world.rita):
        assert "had a hand in the artifact" in refused(world, release, who)


def test_the_owner_of_the_data_does_not_count(world: World) -> None:
    staging(world, "not_data_owner: true")
    bare = world.request("staging", endpoint="bare")
    why = "You cannot count: no owner is declared of some of the data"
    assert refused(world, bare, world.rita) == why  # its lineage names no data at all
    datasets = [{"name": "loans", "digest": DATA}]
    version = world.version("loans", lineage={"datasets": datasets})
    release = world.request("staging", world.bento(version))
    assert refused(world, release, world.rita) == why
    said = {"fact": "data_owner", "about": DATA, "actor": world.alan}
    declare(world.project, person=world.people["Rex"].pk, **said)
    assert refused(world, release, world.rex) == "You cannot count: owns some of the data"
    assert visible_rows.inbox(world.rita) == [release]
    world.decide(release, world.rita)
    release.refresh_from_db()
    begin_rollout(release, actor=SYSTEM)


def test_the_author_of_the_code_does_not_count(world: World) -> None:
    staging(world, "not_code_author: true")
    version = world.version()
    release = world.request("staging", world.bento(version))
    why = "You cannot count: no author of the training code is declared"
    assert refused(world, release, world.rita) == why
    said = {"fact": "code_author", "about": version.pk}
    grant_role(role="contributor", person=world.people["Rita"], project=world.project, actor=SYSTEM)
    rita = factories.actor_of(world.people["Rita"])
    declare(world.project, person=world.people["Alan"].pk, **said, actor=rita)
    assert refused(world, release, rita) == why  # what Rita declared counts for others
    declare(world.project, person=world.people["Rex"].pk, **said, actor=world.ada)
    assert "wrote the training code" in refused(world, release, world.rex)
    world.decide(release, rita)
    release.refresh_from_db()
    assert release.state == "approved"
    assert parse(dsse.Envelope.from_json(release.decisions.get().envelope).payload).predicate()[
        "standing"
    ]["code_authors"] == sorted([world.people["Alan"].pk, world.people["Rex"].pk])


def test_a_declaration_that_was_written_past_placet_makes_nobody_count(world: World) -> None:
    staging(world, "not_code_author: true")
    release = world.request()
    Declaration.objects.create(
        project=world.project,
        fact="code_author",
        about=release.version_id,
        person=world.people["Alan"].pk,
        declared_by=world.people["Ada"].pk,
    )
    assert "no author of the training code" in refused(world, release, world.rita)


def test_all_of_them_together_and_the_permit_alone_counts_them(world: World, top: User) -> None:
    department(world, "Models", top, Ada="first", Alan="first", Rex="first")
    department(world, "Risk", top, Rita="second")
    datasets = [{"name": "loans", "digest": DATA}]
    version = touched(world.version("loans", lineage={"datasets": datasets}), world.alan)
    for fact, about in (("data_owner", DATA), ("code_author", version.pk)):
        declare(
            world.project, fact=fact, about=about, person="alan.risk@example.com", actor=world.ada
        )
    world.policy("staging", policy(ALL))  # nobody is locked out: Rita stands for it
    release = world.request("staging", world.bento(version))
    page = factories.browser(world.rita).get(f"/releases/{release.pk}/")
    assert page.status_code == 200
    world.decide(release, world.rita)
    release.refresh_from_db()
    document = factories.api(world.ada).get(f"/releases/{release.pk}/permit").content.decode()
    (decision,) = holds(document, keystore.ring()).decisions
    assert isinstance(decision, StandingDecision)
    assert decision.standing.to_dict() == release.decisions.get().standing
    begin_rollout(release, actor=SYSTEM)


def test_a_page_asks_once_for_all_of_it(
    world: World, top: User, django_assert_max_num_queries: Any
) -> None:
    department(world, "Models", top, Ada="first", Alan="first")
    department(world, "Risk", top, Rita="second", Rex="second")
    staging(world, ALL)
    version = touched(
        world.version("loans", lineage={"datasets": [{"name": "loans", "digest": DATA}]}),
        world.alan,
    )
    release = world.request("staging", world.bento(version))
    client = factories.browser(world.rita)
    for path in ("/", "/releases/", f"/releases/{release.pk}/", f"/api/v1/releases/{release.pk}"):
        with django_assert_max_num_queries(12):
            assert client.get(path).status_code == 200


# policies that nobody could satisfy, and the search over duties


def test_a_policy_that_nobody_stands_for_is_not_published(world: World, top: User) -> None:
    for rules in ("second_line: all", "other_reporting_line: true"):
        with pytest.raises(LockedOut):
            world.policy("staging", policy(rules))
    department(world, "Models", top, Ada="first", Alan="first")
    department(world, "Risk", top, Rita="second")
    assert world.policy("staging", policy(ALL)).state == "published"


def test_who_is_moved_away_leaves_the_environment_locked_out(
    world: World, top: User, ann: Actor
) -> None:
    department(world, "Risk", top, Rita="second")
    world.policy("staging", policy("second_line: all"))
    (duty,) = duties_of([world.environment("staging")])
    assert (duty.state, duty.demanded) == ("kept", 2)
    place_person(world.people["Rita"], line="first", actor=ann)
    (duty,) = duties_of([world.environment("staging")])
    assert duty.state == "locked_out"


def test_what_was_signed_before_the_rules_is_void_under_them(world: World) -> None:
    release = world.request()
    decision = world.decide(release, world.rex)
    assert decision.standing is None
    place_person(world.people["Rita"], line="second", actor=SYSTEM)
    world.policy("staging", policy("second_line: all"))
    release.refresh_from_db()
    decision.refresh_from_db()
    assert (release.state, decision.voided_reason) == ("requested", "policy_changed")
    with pytest.raises(NotIndependent):
        world.decide(release, world.rex, "reject")
