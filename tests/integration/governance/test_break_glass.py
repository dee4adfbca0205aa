"""Breaking the glass: two people, a reason, a time limit, a review that somebody else closes."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import InternalError, ProgrammingError, connection, transaction

from apps.audit.actions import row_key, write_checkpoint
from apps.audit.models import Event
from apps.audit.queries import replay
from apps.governance import actions, errors
from apps.governance.models import BreakGlass, BreakGlassSignature, Release
from apps.governance.queries.break_glass import break_glass_views
from apps.governance.queries.visible_rows import menu
from apps.identity.actions import grant_role
from apps.identity.errors import NeedsPasskey, NeedsSession, Reauthenticate
from apps.jobs.models import Job
from placet.kernel import keystore
from placet.kernel.actor import SYSTEM, Actor
from placet.kernel.clock import now
from placet.kernel.problems import Forbidden, InvalidInput, NotFound
from placet_verify.bundle import bundle
from placet_verify.permit.permit import Expected, Permit, PermitRefused, envelopes, holds, permit
from placet_verify.recalls import Uncounted
from tests.support import factories
from tests.support.break_glass import (
    POLICY,
    SAID,
    SIGNED,
    broken,
    confirmed,
    fragile,
    opened,
    responder,
    signed_confirmation,
    signed_opening,
)
from tests.support.database import sql
from tests.support.enrolment import Signers, authenticator, enrolled_by_root
from tests.support.story import kinds
from tests.support.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_io_in_transaction")]


@pytest.fixture
def world(world: World) -> World:
    """The project, whose staging lets two people break the glass."""
    return fragile(world)


def permit_of(release: Release, *, after: timedelta = timedelta(), **more: Any) -> Permit:
    expect = Expected(
        project=release.project_id,
        environment=release.environment.name,
        endpoint=release.endpoint_id,
        bento_digest=release.bento_id,
        serving=release.serving,
        release=release.pk,
    )
    document = actions.assemble_permit(release)
    return permit(document, keystore.ring(), expect=expect, starting_at=now() + after, **more)


def pass_time(glass: BreakGlass, **hours: int) -> None:
    """Let the break-glass have been opened so long ago; its signatures say what they said."""
    BreakGlass.objects.filter(pk=glass.pk).update(
        until=glass.until - timedelta(**hours),
        review_due_at=glass.review_due_at and glass.review_due_at - timedelta(**hours),
    )


def test_two_people_start_what_cannot_wait_and_the_permit_alone_shows_it(world: World) -> None:
    actions.set_freeze(world.environment("staging"), reason="Holidays", actor=world.otto)
    release = world.request("staging")
    glass = opened(world, release, reason="Fraud at the door", hours=2)
    assert (glass.state, glass.people) == ("opened", 2)
    release.refresh_from_db()
    assert release.state == "requested"
    with pytest.raises(PermitRefused):
        permit_of(release)
    glass = confirmed(world, glass, comment="I was called")
    release.refresh_from_db()
    assert (release.state, glass.state, release.quorum_met) == ("approved", "confirmed", False)
    assert Job.objects.filter(kind="rollouts.start", key=release.pk).count() == 1
    skipped = [g["gate"] for g in release.gates if g["state"] == "skipped"]
    assert skipped == ["freeze", "approvals", "approvals"]
    assert json.loads(actions.assemble_permit(release))["v"] == 3
    found = permit_of(release)
    assert {one.person for one in found.glass} == {responder(world).id, world.vera.id}
    assert found.not_after == glass.until <= now() + timedelta(hours=2)
    with pytest.raises(PermitRefused, match="could be started until"):
        permit_of(release, after=timedelta(hours=3))
    actions.begin_rollout(release, actor=SYSTEM)
    glass.refresh_from_db()
    assert glass.used_at is not None
    assert kinds(release.pk) == [
        "release.requested.v1",
        "break_glass.opened.v1",
        "break_glass.confirmed.v1",
        "release.approved.v1",
        "release.rolling_out.v1",
        "break_glass.used.v1",
    ]
    view = break_glass_views([glass])[0]
    assert (view.reason, view.running, view.review) == ("Fraud at the door", True, "open")
    assert [s.comment for s in view.signers] == ["Fraud at the door", "I was called"]


def test_an_outsider_verifies_its_bundle_and_reads_who_broke_the_glass(world: World) -> None:
    """With the statements in the log, as they were signed."""
    release = world.request("staging")
    broken(world, release)
    write_checkpoint()
    logged = [json.loads(body) for body in Event.objects.values_list("body", flat=True)]
    shown = {
        row["envelope"]
        for body in logged
        for row in body["after"].values()
        if row and row.get("envelope")
    }
    document = actions.assemble_permit(release)
    signed = [e.to_json() for what, e in envelopes(document) if what == "break-glass"]
    assert len(signed) == 2
    assert set(signed) <= shown
    lines = list(bundle.break_glass_lines(holds(document, keystore.ring())))
    assert [line.split(" at ")[0].split(" as ")[1] for line in lines] == [
        "responder opened it",
        "approver confirmed it",
    ]


def test_the_log_alone_tells_what_was_signed(world: World) -> None:
    glass = broken(world, world.request("staging"))
    rows = replay()
    for signature in glass.signatures.all():
        assert rows[row_key(signature)]["envelope"] == signature.envelope
    assert rows[row_key(glass)]["state"] == "confirmed"


def test_nobody_does_where_the_policy_does_not_say_so(world: World) -> None:
    world.policy("staging", POLICY)
    with pytest.raises(errors.NoBreakGlass):
        opened(world, world.request("staging"))
    with pytest.raises(errors.NoBreakGlass):
        opened(world, world.request("production"))


@pytest.mark.parametrize("who", ["ada", "alan", "rex", "vera", "otto"])
def test_only_a_responder_opens_one(world: World, who: str) -> None:
    with pytest.raises(Forbidden, match="Start emergency releases"):
        opened(world, world.request("staging"), getattr(world, who))


def test_a_responder_of_another_place_opens_none(world: World) -> None:
    release = world.request("staging")
    paul = factories.person("Paul", roles={"responder": (world.project, "production")})
    with pytest.raises(Forbidden):
        opened(world, release, factories.actor_of(paul))
    stranger = factories.person("Sam", roles={"responder": factories.project("other")})
    with pytest.raises(NotFound):
        opened(world, release, factories.actor_of(stranger))


def test_the_one_who_opened_it_does_not_confirm_it(world: World) -> None:
    rob = world.people["Rob"]
    glass = opened(world, world.request("staging"))
    grant_role(role="approver", person=rob, project=world.project, actor=SYSTEM)
    with pytest.raises(errors.OwnBreakGlass):
        confirmed(world, glass, factories.actor_of(rob))


@pytest.mark.parametrize("name", ["Ada", "Alan"])
def test_requester_and_author_do_not_confirm_it(world: World, name: str) -> None:
    glass = opened(world, world.request("staging"))
    grant_role(role="approver", person=world.people[name], project=world.project, actor=SYSTEM)
    with pytest.raises(errors.Separation):
        confirmed(world, glass, factories.actor_of(world.people[name]))


@pytest.mark.parametrize("who", ["rex", "otto", "ada"])
def test_only_an_approver_confirms_it(world: World, who: str) -> None:
    glass = opened(world, world.request("staging"))
    with pytest.raises(Forbidden):
        confirmed(world, glass, getattr(world, who))


@pytest.mark.parametrize("kind", ["service", "token"])
def test_tokens_and_services_do_none_of_it(world: World, kind: str) -> None:
    release = world.request("staging")
    glass = opened(world, release)
    roles = {"responder": world.project, "approver": world.project}
    bot = factories.service_account("bot", owner=world.people["Vito"], roles=roles)
    who = factories.actor_of(bot) if kind == "service" else replace(world.vito, token="tok_1")
    said = {"finding": "justified", "findings": "x"}
    asked: list[Callable[[], object]] = [
        lambda: opened(world, release, who),
        lambda: confirmed(world, glass, who),
        lambda: actions.end_break_glass(glass, actor=who),
        lambda: actions.review_break_glass(glass, **said, actor=who),
    ]
    for ask in asked:
        with pytest.raises(NeedsSession):
            ask()


def test_an_old_session_shows_first_who_it_is(world: World) -> None:
    release = world.request("staging")
    old = now() - timedelta(days=1)
    with pytest.raises(Reauthenticate):
        opened(world, release, replace(responder(world), authenticated_at=old))
    glass = opened(world, release)
    with pytest.raises(Reauthenticate):
        confirmed(world, glass, replace(world.vera, authenticated_at=old))


def test_the_time_is_chosen_within_what_the_policy_allows(world: World) -> None:
    release = world.request("staging")
    for hours in (0, 5):
        with pytest.raises(InvalidInput) as caught:
            opened(world, release, hours=hours)
        assert [e.pointer for e in caught.value.errors] == ["/hours"]
    glass = opened(world, release, hours=1)
    assert glass.until - glass.opened_at == timedelta(hours=1)
    with pytest.raises(errors.WrongBreakGlassState):
        opened(world, release)


def test_what_was_shown_is_what_is_signed(world: World) -> None:
    release = world.request("staging")
    with pytest.raises(errors.Changed):
        opened(world, release, statement_digest="sha256:" + "0" * 64)
    glass = opened(world, release)
    with pytest.raises(errors.Changed):
        confirmed(world, glass, opening_digest="sha256:" + "0" * 64)
    confirmed(world, glass)
    with pytest.raises(errors.WrongBreakGlassState):
        confirmed(world, glass, world.vito)


def test_it_does_not_open_past_a_gate_that_it_may_not_skip(world: World) -> None:
    """Neither a scan that found something, nor a version that was recalled."""
    bad = world.bento(world.version(), verdict="malicious")
    with pytest.raises(errors.GatesFailed) as caught:
        opened(world, world.request("staging", bad))
    assert [e.pointer for e in caught.value.errors] == ["scan"]
    assert not BreakGlass.objects.exists()


def test_a_gate_that_fails_between_opening_and_confirming_holds_it(world: World) -> None:
    world.policy("staging", POLICY + SAID.replace("[freeze]", "[]"))
    release = world.request("staging")
    glass = opened(world, release)
    actions.set_freeze(world.environment("staging"), reason="Holidays", actor=world.otto)
    with pytest.raises(errors.GatesFailed) as caught:
        confirmed(world, glass)
    assert [e.pointer for e in caught.value.errors] == ["freeze"]
    release.refresh_from_db()
    assert release.state == "requested"
    assert glass.signatures.count() == 1


def test_it_ends_by_itself_and_what_was_not_started_waits_again(world: World) -> None:
    release = world.request("staging", plan={"start": "manual"})
    glass = broken(world, release)
    pass_time(glass, hours=5)
    with pytest.raises(errors.GatesFailed):
        actions.begin_rollout(release, actor=SYSTEM)
    assert actions.end_break_glasses_due() == 1
    assert actions.end_break_glasses_due() == 0
    release.refresh_from_db()
    glass.refresh_from_db()
    assert (release.state, glass.state) == ("requested", "ended")
    assert glass.review_due_at is not None and glass.reviewed_at is None
    assert kinds(release.pk)[-1] == "break_glass.ended.v1"
    for who in (world.rex, world.vito):
        world.decide(release, who)
    release.refresh_from_db()
    assert release.state == "approved"
    assert not permit_of(release).glass


def test_what_serves_is_not_stopped_by_its_end(world: World) -> None:
    release = world.request("staging")
    glass = broken(world, release)
    actions.begin_rollout(release, actor=SYSTEM)
    actions.mark_live(release, actor=SYSTEM)
    document = actions.assemble_permit(release)
    pass_time(glass, hours=5)
    actions.end_break_glasses_due()
    release.refresh_from_db()
    assert release.state == "live"
    assert actions.assemble_permit(release) == document
    assert break_glass_views([BreakGlass.objects.get()])[0].running


def test_one_that_nobody_confirmed_lapses_and_needs_no_review(world: World) -> None:
    release = world.request("staging")
    glass = opened(world, release)
    pass_time(glass, hours=5)
    with pytest.raises(errors.Expired):
        confirmed(world, BreakGlass.objects.get())
    assert actions.end_break_glasses_due() == 1
    glass.refresh_from_db()
    assert (glass.state, glass.review_due_at) == ("lapsed", None)
    assert opened(world, release).state == "opened"


@pytest.mark.parametrize("who", ["rob", "vera", "vito"])
def test_those_who_could_open_or_confirm_it_end_it_early(world: World, who: str) -> None:
    release = world.request("staging", plan={"start": "manual"})
    glass = broken(world, release)
    actions.end_break_glass(glass, actor=getattr(world, who))
    release.refresh_from_db()
    assert release.state == "requested"
    with pytest.raises(errors.WrongBreakGlassState):
        actions.end_break_glass(glass, actor=getattr(world, who))


def test_nobody_else_ends_it(world: World) -> None:
    glass = broken(world, world.request("staging"))
    for who in (world.ada, world.otto):
        with pytest.raises(Forbidden):
            actions.end_break_glass(glass, actor=who)


def test_it_ends_with_its_release(world: World) -> None:
    release = world.request("staging")
    glass = opened(world, release)
    actions.withdraw(release, actor=world.ada)
    glass.refresh_from_db()
    assert glass.state == "lapsed"
    assert actions.end_break_glasses_due() == 0


def test_a_new_policy_ends_what_was_signed_under_the_old_one(world: World) -> None:
    release = world.request("staging", plan={"start": "manual"})
    glass = broken(world, release)
    world.policy("staging", POLICY + SAID.replace("hours: 4", "hours: 3"))
    release.refresh_from_db()
    glass.refresh_from_db()
    assert (release.state, glass.state) == ("requested", "ended")
    assert not any(g["state"] == "skipped" for g in release.gates)


def reviewed(glass: BreakGlass, who: Actor, finding: str = "justified") -> BreakGlass:
    return actions.review_break_glass(glass, finding=finding, findings="I looked", actor=who)


def test_somebody_else_closes_the_review_with_findings(world: World) -> None:
    release = world.request("staging")
    glass = broken(world, release)
    with pytest.raises(errors.WrongBreakGlassState):
        reviewed(glass, world.vito)  # it has not ended
    actions.end_break_glass(glass, actor=world.vera)
    for who in (world.vera, responder(world), world.ada, world.otto):
        with pytest.raises(Forbidden):
            reviewed(glass, who)
    grant_role(role="approver", person=world.people["Ada"], project=world.project, actor=SYSTEM)
    with pytest.raises(errors.OwnBreakGlass):
        reviewed(glass, factories.actor_of(world.people["Ada"]))  # who asked for the release
    with pytest.raises(InvalidInput):
        reviewed(glass, world.vito, "perhaps")
    old = replace(world.vito, authenticated_at=now() - timedelta(days=1))
    with pytest.raises(Reauthenticate):
        reviewed(glass, old)
    done = reviewed(glass, world.vito, "not_justified")
    assert (done.state, done.finding, done.reviewed_by) == (
        "reviewed",
        "not_justified",
        world.vito.id,
    )
    view = break_glass_views([done])[0]
    assert (view.review, view.findings, view.running) == ("closed", "I looked", False)
    with pytest.raises(errors.WrongBreakGlassState):
        reviewed(glass, world.vito)
    aude = factories.person("Aude", roles={"auditor": None})
    with pytest.raises(errors.WrongBreakGlassState):
        reviewed(glass, factories.actor_of(aude))
    assert kinds(release.pk)[-1] == "break_glass.reviewed.v1"


def overdue(world: World) -> BreakGlass:
    """Break a glass whose review is overdue."""
    release = world.request("staging", endpoint="first")
    glass = broken(world, release)
    pass_time(glass, hours=5)
    actions.end_break_glasses_due()
    row = BreakGlass.objects.get()
    pass_time(row, days=4)
    return row


def test_while_a_review_is_overdue_nobody_breaks_the_glass_in_the_project(world: World) -> None:
    first = overdue(world)
    release = world.request("staging", endpoint="second")
    ray = responder(world, "Ray")
    with pytest.raises(errors.ReviewOverdue, match="due for review by"):
        opened(world, release, ray)
    reviewed(first, world.vito)
    glass = opened(world, release, ray)
    assert confirmed(world, glass, world.vera).state == "confirmed"


def test_nor_do_the_same_people_elsewhere(world: World) -> None:
    overdue(world)
    other = World("other")
    grant_role(role="responder", person=world.people["Rob"], project=other.project, actor=SYSTEM)
    other.policy("staging", POLICY + SAID)
    release = other.request("staging")
    with pytest.raises(errors.ReviewOverdue):
        opened(other, release, factories.actor_of(world.people["Rob"]))
    assert opened(other, release).state == "opened"  # by another responder


def test_a_review_in_time_is_in_nobodys_way(world: World) -> None:
    glass = broken(world, world.request("staging", endpoint="first"))
    actions.end_break_glass(glass, actor=world.vera)
    assert opened(world, world.request("staging", endpoint="second")).state == "opened"


def test_three_people_where_the_policy_wants_three(world: World) -> None:
    world.policy("staging", POLICY + SAID.replace("people: 2", "people: 3"))
    release = world.request("staging")
    glass = confirmed(world, opened(world, release))
    release.refresh_from_db()
    assert (glass.state, release.state) == ("opened", "requested")
    with pytest.raises(errors.OwnBreakGlass):
        confirmed(world, glass)
    assert confirmed(world, glass, world.vito).state == "confirmed"
    release.refresh_from_db()
    assert len(permit_of(release).glass) == 3


def test_a_regular_approval_needs_no_glass_even_while_one_is_open(world: World) -> None:
    release = world.request("staging")
    opened(world, release)
    for who in (world.rex, world.vera):
        world.decide(release, who)
    release.refresh_from_db()
    assert release.state == "approved"
    assert json.loads(actions.assemble_permit(release))["v"] == 1


def test_a_recalled_person_breaks_nothing(world: World) -> None:
    release = world.request("staging")
    broken(world, release)
    gone = Uncounted(people=frozenset({world.vera.id}))
    with pytest.raises(PermitRefused):
        permit_of(release, uncounted=gone)
    actions.uncount(release, gone)
    release.refresh_from_db()
    assert release.state == "requested"
    assert BreakGlass.objects.get().state == "ended"


FORGERIES: dict[str, Callable[[BreakGlass], None]] = {
    "confirmed by nobody": lambda g: sql(
        "UPDATE governance_breakglass SET state = 'confirmed', confirmed_at = now() WHERE id = %s",
        g.pk,
    ),
    "longer": lambda g: sql(
        "UPDATE governance_breakglass SET state = 'confirmed', confirmed_at = now(),"
        " until = until + interval '9 days' WHERE id = %s",
        g.pk,
    ),
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_row_that_says_so_starts_nothing(
    world: World, forge: Callable[[BreakGlass], None]
) -> None:
    """Whoever writes into the tables gets past gates that read them, and not past the permit."""
    release = world.request("staging")
    forge(opened(world, release))
    sql("UPDATE governance_release SET state = 'approved' WHERE id = %s", release.pk)
    with pytest.raises(errors.PermitInvalid):
        actions.begin_rollout(release, actor=SYSTEM)


def test_a_row_in_a_project_without_it_starts_nothing(world: World) -> None:
    """Copied to a release whose policy does not let people break the glass."""
    glass = broken(world, world.request("staging"))
    release = world.request("production", endpoint="other")
    sql(
        "UPDATE governance_breakglass SET release_id = %s, statement_digest = %s WHERE id = %s",
        release.pk,
        release.request_digest,
        glass.pk,
    )
    sql("UPDATE governance_release SET state = 'approved' WHERE id = %s", release.pk)
    with pytest.raises(errors.GatesFailed):
        actions.begin_rollout(release, actor=SYSTEM)


@pytest.mark.parametrize("statement", ["UPDATE %s SET person = 'per_x'", "DELETE FROM %s"])
def test_what_people_signed_stays_as_it_is(world: World, statement: str) -> None:
    opened(world, world.request("staging"))
    table = BreakGlassSignature._meta.db_table
    with (
        pytest.raises((InternalError, ProgrammingError), match=r"append-only|permission"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement % table)


def test_every_reader_of_the_project_is_told_while_it_lasts(world: World) -> None:
    release = world.request("staging")
    glass = opened(world, release)
    assert [(g.id, g.state) for g in menu(world.ada).glasses] == [(glass.pk, "opened")]
    confirmed(world, glass)
    assert [g.state for g in menu(world.ada).glasses] == ["confirmed"]
    stranger = factories.actor_of(World("other").people["Ada"])
    assert menu(stranger).glasses == []
    actions.end_break_glass(glass, actor=world.vera)
    assert menu(world.ada).glasses == []


def test_with_passkeys_both_sign_and_the_server_alone_signs_nothing(world: World) -> None:
    signers = Signers("signed")
    rob = responder(signers)
    signers.keys["Rob"] = authenticator()
    enrolled_by_root(signers.people["Rob"], signers.keys["Rob"])
    signers.publish("staging", SIGNED + SAID)
    release = signers.request("staging")
    with pytest.raises(NeedsPasskey):
        opened(signers, release)
    glass = signed_opening(signers, release, rob, hours=3)
    with pytest.raises(NeedsPasskey):
        confirmed(signers, glass)
    assert signed_confirmation(signers, glass, signers.vera, comment="Yes").state == "confirmed"
    release.refresh_from_db()
    assert release.state == "approved"
    found = permit_of(release)
    assert {type(one).__name__ for one in found.glass} == {"PasskeyBreakGlass"}
    document = json.loads(actions.assemble_permit(release))
    for signed in document["break_glass"]:
        del signed["assertion"]
    with pytest.raises(PermitRefused):
        permit(
            json.dumps(document),
            keystore.ring(),
            starting_at=now(),
            expect=Expected(
                project=release.project_id,
                environment="staging",
                endpoint=release.endpoint_id,
                bento_digest=release.bento_id,
            ),
        )
