"""Several people at the same moment, each in a transaction of their own."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection, transaction

from apps.audit.actions import record
from apps.audit.models import Event
from apps.governance import actions, errors
from apps.governance.actions import releases
from apps.governance.models import Decision, Release, ReviewRequest
from apps.identity.actions import revoke_role
from apps.identity.models import RoleBinding
from apps.jobs.models import Job
from apps.registry.actions import add_evidence
from apps.serving import hooks
from apps.serving.actions import create_endpoint
from apps.serving.models import Endpoint
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from tests.support import factories
from tests.support.meeting import Meeting, waited_for
from tests.support.meeting import at_once as both
from tests.support.processes import until
from tests.support.world import World

pytestmark = pytest.mark.django_db(transaction=True)


def outcome(work: Callable[[], Any]) -> object:
    """Return what ``work`` returns, or the class of what it raises."""
    try:
        return work()
    except Exception as error:
        return type(error)
    finally:
        connection.close()


def at_once(*works: Callable[[], Any]) -> list[object]:
    """Run every work in a thread of its own, all set off together."""
    barrier = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> object:
        barrier.wait(timeout=30)
        return outcome(work)

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def test_the_same_person_clicking_twice_decides_once(world: World) -> None:
    world.policy("staging", "version: 1\ngates: [{gate: approvals, role: reviewer, count: 2}]\n")
    release = world.request("staging")
    rex = world.rex
    shown = release.request_digest

    def click() -> object:
        return actions.decide(release, verdict="approve", statement_digest=shown, actor=rex).pk

    results = at_once(click, click, click)
    assert sorted(map(str, results)).count(str(errors.AlreadyDecided)) == 2
    assert Decision.objects.count() == 1


def test_the_last_vote_and_a_request_for_changes_at_once_have_an_order(world: World) -> None:
    """Either it is held, or who asks is told that it is approved already: never both."""
    for number in range(6):
        release = world.request("staging", endpoint=f"both-{number}")
        said = {"statement_digest": release.request_digest, "comment": "Show the gap"}
        vote = partial(actions.decide, release, **said)
        results = at_once(
            partial(vote, verdict="approve", actor=world.rex),
            partial(vote, verdict="request_changes", actor=world.rita),
        )
        release.refresh_from_db()
        held = results[1] != errors.WrongState
        assert release.state == ("requested" if held else "approved")
        assert release.decisions.count() == 1 + held


def test_who_clicks_twice_asks_for_changes_once(world: World) -> None:
    release = world.request("staging")
    rita, shown = world.rita, release.request_digest

    def click() -> object:
        said = {"verdict": "request_changes", "comment": "Show the gap"}
        return actions.decide(release, **said, statement_digest=shown, actor=rita).pk

    results = at_once(click, click, click)
    assert sorted(map(str, results)).count(str(errors.AlreadyDecided)) == 2
    assert Decision.objects.get().voided_reason == ""


def test_fifty_decisions_at_once_are_fifty_decisions_and_one_approval(world: World) -> None:
    people = [
        factories.actor_of(factories.person(f"R{n}", roles={"reviewer": world.project}))
        for n in range(50)
    ]
    world.policy("staging", "version: 1\ngates: [{gate: approvals, role: reviewer, count: 20}]\n")
    release = world.request("staging")
    shown = release.request_digest

    def decide(who: Any) -> object:
        try:
            return actions.decide(
                release, verdict="approve", statement_digest=shown, actor=who
            ).verdict
        except errors.WrongState:
            return "late"
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        results = list(pool.map(decide, people))
    release.refresh_from_db()
    assert release.state == "approved"
    assert (results.count("approve"), results.count("late")) == (20, 30)
    assert Decision.objects.count() == 20
    assert Job.objects.filter(kind="rollouts.start", key=release.pk).count() == 1
    assert actions.begin_rollout(release, actor=SYSTEM).state == "rolling_out"


def test_a_role_taken_away_before_the_commit_does_not_decide(world: World) -> None:
    release = world.request("staging")
    rex, shown = world.rex, release.request_digest
    binding = RoleBinding.objects.get(person=world.people["Rex"])
    revoked = threading.Event()

    def revoke() -> object:
        with transaction.atomic():
            revoke_role(binding, actor=SYSTEM)
            revoked.set()
            until(waited_for, what="a decision that waits for the revocation")
        return "revoked"

    def decide() -> object:
        assert revoked.wait(30)
        return actions.decide(release, verdict="approve", statement_digest=shown, actor=rex).pk

    results = at_once(revoke, decide)
    assert results == ["revoked", errors.NoRole]
    assert not Decision.objects.exists()
    release.refresh_from_db()
    assert release.state == "requested"


def test_a_role_taken_away_during_a_decision_waits_for_its_commit(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = world.request("staging")
    rex, shown = world.rex, release.request_digest
    binding = RoleBinding.objects.get(person=world.people["Rex"])
    deciding, order = threading.Event(), []
    follow = actions.decisions._follow

    def slow(*args: Any) -> None:
        deciding.set()
        until(waited_for, what="a revocation that waits for the decision")
        follow(*args)
        order.append("decided")

    monkeypatch.setattr("apps.governance.actions.decisions._follow", slow)

    def revoke() -> object:
        assert deciding.wait(30)
        revoke_role(binding, actor=SYSTEM)
        order.append("revoked")
        return "revoked"

    def decide() -> object:
        return actions.decide(release, verdict="approve", statement_digest=shown, actor=rex).role

    assert at_once(revoke, decide) == ["revoked", "reviewer"]
    assert order == ["decided", "revoked"]


def test_a_policy_published_during_a_decision_leaves_no_decision_under_the_wrong_rules(
    world: World,
) -> None:
    release = world.request("staging")
    draft = actions.draft_policy(
        world.environment("staging"),
        source="version: 1\ngates: [{gate: approvals, role: approver}]\n",
        actor=world.vera,
    )
    rex, vito, shown = world.rex, world.vito, release.request_digest
    results = at_once(
        lambda: actions.decide(release, verdict="approve", statement_digest=shown, actor=rex).role,
        lambda: actions.publish_policy(draft, actor=vito).policy.state,
    )
    assert results[1] == "published"
    assert results[0] in ("reviewer", errors.Changed)
    release.refresh_from_db()
    assert (release.state, release.policy.number) == ("requested", 2)
    assert not Decision.objects.filter(voided_reason="").exists()


def test_a_decision_that_waited_for_a_new_policy_finds_the_release_changed(world: World) -> None:
    release = world.request("staging")
    draft = actions.draft_policy(
        world.environment("staging"),
        source="version: 1\ngates: [{gate: approvals, role: reviewer, count: 2}]\n",
        actor=world.vera,
    )
    rex, vito, shown = world.rex, world.vito, release.request_digest
    published = threading.Event()

    def publish() -> object:
        with transaction.atomic():
            actions.publish_policy(draft, actor=vito)
            published.set()
            threading.Event().wait(0.5)
        return "published"

    def decide() -> object:
        assert published.wait(30)
        return actions.decide(release, verdict="approve", statement_digest=shown, actor=rex).pk

    assert at_once(publish, decide) == ["published", errors.Changed]
    assert not Decision.objects.exists()


def test_the_same_request_sent_twice_opens_one_release(world: World) -> None:
    bento = world.bento(world.version())
    environment, ada = world.environment("staging"), world.ada

    def ask() -> object:
        return actions.request_release(
            version=bento.version, endpoint="churn", environment=environment, actor=ada
        ).number

    results = at_once(ask, ask)
    assert 1 in results and errors.AlreadyOpen in results
    assert Release.objects.count() == 1


def test_requests_for_two_environments_get_numbers_of_their_own(world: World) -> None:
    bento = world.bento(world.version())
    places, ada = [world.environment(n) for n in ("development", "staging")], world.ada
    results = at_once(
        *(
            lambda place=place: (
                actions.request_release(
                    version=bento.version, endpoint="churn", environment=place, actor=ada
                ).number
            )
            for place in places
        )
    )
    assert sorted(results) == [1, 2]  # type: ignore[type-var]


def test_who_changes_a_version_keeps_nobody_from_asking_for_its_release(world: World) -> None:
    bento = world.bento(world.version())
    with ThreadPoolExecutor(1) as pool, record(world.ada):
        add_evidence(bento.version, kind="metrics", data={"auc": 0.9}, actor=world.ada)
        asked = pool.submit(outcome, lambda: world.request("staging", bento)).result(timeout=30)
    assert isinstance(asked, Release)


def test_an_endpoint_is_made_while_a_release_to_a_new_one_is_asked_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The project is held before the target, whichever way an endpoint comes."""
    bento, meeting = world.bento(world.version()), Meeting()
    monkeypatch.setattr(releases, "_check_documents", meeting.before(releases._check_documents))
    guards = hooks.endpoint_created
    *_, guard = guards.parts  # it holds the target
    monkeypatch.setattr(guards, "parts", [meeting.behind(guard)])

    def make() -> Endpoint:
        return create_endpoint(
            world.project,
            environment="development",
            name="direct",
            target=world.target,
            actor=world.otto,
        )

    found = both(make, lambda: world.request("development", bento, endpoint="new"))
    assert [type(one) for one in found] == [Endpoint, Release]


def test_what_is_overdue_is_told_once_however_many_look(world: World) -> None:
    release = world.request("staging")
    actions.request_review(release, reviewers=[world.rita.id], review_days=1, actor=world.ada)
    ReviewRequest.objects.update(due_at=now() - timedelta(minutes=1))
    assert sorted(map(str, at_once(*[actions.tell_overdue] * 3))) == ["0", "0", "1"]
    told = Event.objects.filter(subject=release.pk, body__contains="release.review_overdue.v1")
    assert told.count() == 1


def test_the_same_person_asked_twice_at_once_is_asked_once(world: World) -> None:
    release = world.request("staging")
    ask = partial(actions.request_review, release, reviewers=[world.rita.id], actor=world.ada)
    assert all(isinstance(found, list) for found in at_once(ask, ask, ask))
    assert ReviewRequest.objects.count() == 1
    asked = Event.objects.filter(subject=release.pk, body__contains="release.review_requested.v1")
    assert asked.count() == 1
