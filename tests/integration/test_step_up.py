"""What is done only by somebody who has just shown who they are, and what a session is enough for.

Every action that takes an actor stands in one of the two tables. A session that somebody found
open, or whose cookie they stole, is one whose person authenticated a while ago.
"""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from importlib import import_module
from inspect import isclass, signature
from typing import Any

import pytest
from django.conf import settings

from apps.assurance import actions as assurance
from apps.assurance.models import Recall
from apps.audit.models import Event
from apps.governance import actions as governance
from apps.governance.models import BreakGlass, Decision
from apps.identity import actions as access
from apps.identity.errors import Reauthenticate
from apps.identity.models import ApiToken, RoleBinding, User
from apps.integrations import actions as streams
from apps.integrations.models import Webhook
from apps.integrations.rules import StreamTerms, WebhookTerms
from apps.registry import actions as registry
from apps.rollouts import actions as rollouts
from apps.rollouts.errors import NoPassingAsked, NotShown
from apps.rollouts.models import Rollout
from apps.serving import actions as serving
from placet.kernel.actor import SYSTEM, Actor
from placet.kernel.clock import now
from placet.kernel.config import config
from placet.kernel.problems import Problem
from tests.support import break_glass, factories
from tests.support.enrolment import SIGNED, Signers, answer, offered_passkey
from tests.support.factories import actor_of, person, project, service_account, team
from tests.support.signed_models import public_pem, signing_key
from tests.support.story import Story
from tests.support.world import OPEN

pytestmark = pytest.mark.django_db
CANARY = {"strategy": "canary", "steps": [{"set_weight": 5}, {"pause": {}}, {"set_weight": 50}]}
MANUAL = {"start": "manual"}
DAY = timedelta(days=1)


class Things:
    """What the questions are about; made when they are asked for."""

    def __init__(self, story: Story) -> None:
        self.story, self.world = story, story.world
        self.ann = person("Ann", {"admin": None})
        self.olga = person("Olga", {"operator": None})
        self.sia = person("Sia", {"admin": None, "auditor": None})
        self.bob, self.cleo = person("Bob"), person("Cleo")
        self.crew = team("Crew", self.bob)
        self.bot = service_account("bot", owner=self.bob)
        self.token = ApiToken.objects.get(
            pk=factories.actor_of(service_account("robot", owner=self.bob)).token
        )

    def who(self, name: str) -> Actor:
        """Return somebody who has just signed in."""
        user = getattr(self, name, None)
        return actor_of(user) if isinstance(user, User) else getattr(self.world, name)

    @property
    def terms(self) -> StreamTerms:
        """Where a stream of the log may go."""
        return StreamTerms(kind="jsonl", url="https://siem.example.com/", alert_after_seconds=600)

    @property
    def hook_terms(self) -> WebhookTerms:
        """Where a webhook may go."""
        return WebhookTerms("https://hooks.example.com/in")

    def hook(self) -> Webhook:
        """A webhook that is enabled."""
        made = streams.add_webhook(name="hook", terms=self.hook_terms, actor=self.who("sia"))
        return made.webhook

    @property
    def binding(self) -> RoleBinding:
        """A role of Bob's."""
        factories.grant(self.bob, {"viewer": None})
        return RoleBinding.objects.get(person=self.bob)

    @property
    def gone(self) -> User:
        """Somebody who was deactivated."""
        return access.deactivate_person(self.cleo, actor=self.who("ann"))

    def decision(self) -> dict[str, Any]:
        """What a reviewer sends to approve a release."""
        release = self.world.request("staging")
        return {
            "release": release,
            "verdict": "approve",
            "statement_digest": release.request_digest,
        }

    def asked_changes(self) -> Decision:
        """A reviewer's request for changes."""
        said = self.decision() | {"verdict": "request_changes", "comment": "x"}
        return governance.decide(**said, actor=self.world.rex)

    def opening(self) -> dict[str, Any]:
        """What a responder sends to break the glass for a release."""
        break_glass.responder(self.world)
        self.world.policy("staging", break_glass.POLICY + break_glass.SAID)
        release = self.world.request("staging")
        return {"release": release, "statement_digest": release.request_digest, "reason": "x"}

    def glass(self) -> BreakGlass:
        """A break-glass that somebody opened."""
        if not BreakGlass.objects.exists():
            governance.open_break_glass(**self.opening(), actor=break_glass.responder(self.world))
        return BreakGlass.objects.get()

    def ended(self) -> BreakGlass:
        """One that was confirmed and has ended."""
        glass = break_glass.confirmed(self.world, self.glass())
        return governance.end_break_glass(glass, actor=self.world.vera)

    def recalled(self) -> Recall:
        """A Bento that Otto recalled."""
        bento = self.world.request("staging").bento_id
        said = {"kind": "bento", "what": bento, "reason": "x"}
        return assurance.recall(**said, project=self.world.project, actor=self.world.otto)

    def approved(self, **plan: Any) -> Any:
        """A release to staging that a reviewer approved."""
        release = self.story.release("staging", plan=plan)
        self.story.approve(release)
        release.refresh_from_db()
        return release

    def waiting(self) -> Rollout:
        """A canary in staging that waits for a person at 5%."""
        for plan in ({}, CANARY):
            release = self.approved(**plan)
            self.story.settle()
        found = self.story.rollout(release)
        assert (found.state, found.step) == ("waiting", 1)
        return found

    def aborted(self) -> Rollout:
        """The same, after somebody aborted it."""
        found = rollouts.abort(self.waiting(), reason="worse", actor=self.world.otto)
        self.story.settle()
        assert self.story.state(found) == "aborted"
        return found


@pytest.fixture
def things(story: Story) -> Things:
    return Things(story)


@dataclass(frozen=True, slots=True)
class Case:
    """Who does what. ``then`` is what is refused next, where more is needed to succeed."""

    who: str
    ready: Callable[[Things], Callable[..., Any]]
    then: type[Problem] | None = None


FRESH: dict[str, Case] = {
    # access administration
    "identity.create_person": Case(
        "ann", lambda t: partial(access.create_person, email="new@example.com", name="New")
    ),
    "identity.update_person": Case(
        "ann", lambda t: partial(access.update_person, t.bob, name="Bobby")
    ),
    "identity.deactivate_person": Case("ann", lambda t: partial(access.deactivate_person, t.bob)),
    "identity.reactivate_person": Case("ann", lambda t: partial(access.reactivate_person, t.gone)),
    "identity.erase_person": Case("ann", lambda t: partial(access.erase_person, t.gone)),
    "identity.setup_link": Case("ann", lambda t: partial(access.setup_link, t.bob)),
    "identity.end_sessions": Case("ann", lambda t: partial(access.end_sessions, t.bob)),
    "identity.invite_person": Case(
        "ann", lambda t: partial(access.invite_person, email="new@example.com", name="New")
    ),
    "identity.demand_second_factor": Case(
        "ann", lambda t: partial(access.demand_second_factor, "approver")
    ),
    "identity.waive_second_factor": Case(
        "ann",
        lambda t: partial(
            access.waive_second_factor,
            access.demand_second_factor("approver", actor=SYSTEM).role,
        ),
    ),
    "identity.grant_role": Case(
        "ann", lambda t: partial(access.grant_role, role="viewer", person=t.cleo)
    ),
    "identity.revoke_role": Case("ann", lambda t: partial(access.revoke_role, t.binding)),
    "identity.place_person": Case(
        "ann", lambda t: partial(access.place_person, t.bob, line="second", manager=t.cleo)
    ),
    "identity.create_team": Case("ann", lambda t: partial(access.create_team, name="New")),
    "identity.delete_team": Case("ann", lambda t: partial(access.delete_team, t.crew)),
    "identity.add_member": Case("ann", lambda t: partial(access.add_member, t.crew, person=t.cleo)),
    "identity.remove_member": Case(
        "ann", lambda t: partial(access.remove_member, t.crew, person=t.bob)
    ),
    "identity.create_service_account": Case(
        "ann", lambda t: partial(access.create_service_account, name="new", owner=t.bob)
    ),
    "identity.change_owner": Case(
        "ann", lambda t: partial(access.change_owner, t.bot, owner=t.cleo)
    ),
    "identity.deactivate_service_account": Case(
        "ann", lambda t: partial(access.deactivate_service_account, t.bot)
    ),
    "identity.withdraw_passkey": Case(
        "ann", lambda t: partial(access.withdraw_passkey, offered_passkey(t.bob))
    ),
    "identity.revoke_token": Case("ann", lambda t: partial(access.revoke_token, t.token)),
    "identity.create_project": Case(
        "ann", lambda t: partial(access.create_project, slug="newer", name="Newer")
    ),
    # what opens something for longer than the session
    "identity.issue_token": Case(
        "bob",
        lambda t: partial(
            access.issue_token,
            name="x",
            scopes=["model.view"],
            expires_at=now() + DAY,
            person=t.bob,
        ),
    ),
    "identity.confirm_device_login": Case(
        "bob",
        lambda t: partial(
            access.confirm_device_login,
            access.begin_device_login(client="x", address="203.0.113.9").user_code,
            terms=access.TokenTerms("x", ["model.view"], now() + DAY),
        ),
    ),
    "serving.issue_endpoint_key": Case(
        "otto",
        lambda t: partial(
            serving.issue_endpoint_key, t.world.request("development").endpoint, name="shop"
        ),
    ),
    "serving.set_secret": Case(
        "otto",
        lambda t: partial(
            serving.set_secret, t.world.project, environment="development", name="db", value="x"
        ),
    ),
    "serving.issue_join_token": Case(
        "olga", lambda t: partial(serving.issue_join_token, t.world.target)
    ),
    "serving.require_api_key": Case(
        "otto",
        lambda t: partial(
            serving.require_api_key,
            serving.require_api_key(
                t.world.request("development").endpoint, required=True, actor=SYSTEM
            ),
            required=False,
        ),
    ),
    "serving.update_target": Case(
        "olga",
        lambda t: partial(serving.update_target, t.world.target, url="https://models.example"),
    ),
    "serving.allow_use": Case(
        "olga",
        lambda t: partial(
            serving.allow_use, t.world.target, project=t.world.project, environment="later"
        ),
    ),
    "registry.trust_signing_key": Case(
        "vera",
        lambda t: partial(
            registry.trust_signing_key, t.world.project, label="x", pem=public_pem(signing_key())
        ),
    ),
    "integrations.try_out": Case("ann", lambda t: partial(streams.try_out, "mail")),
    "integrations.add_stream": Case(
        "sia", lambda t: partial(streams.add_stream, name="siem", terms=t.terms)
    ),
    "integrations.resume_stream": Case(
        "sia",
        lambda t: partial(
            streams.resume_stream,
            streams.pause_stream(
                streams.add_stream(name="siem", terms=t.terms, actor=t.who("sia")),
                actor=t.who("sia"),
            ),
        ),
    ),
    "integrations.add_webhook": Case(
        "sia", lambda t: partial(streams.add_webhook, name="hook", terms=t.hook_terms)
    ),
    "integrations.change_webhook": Case(
        "sia", lambda t: partial(streams.change_webhook, t.hook(), groups=(), if_generation=0)
    ),
    "integrations.rotate_webhook": Case("sia", lambda t: partial(streams.rotate_webhook, t.hook())),
    "integrations.enable_webhook": Case(
        "sia",
        lambda t: partial(
            streams.enable_webhook,
            streams.disable_webhook(t.hook(), actor=t.who("sia")),
            if_generation=1,
        ),
    ),
    # deciding, and the rules by which it is decided
    "governance.decide": Case("rex", lambda t: partial(governance.decide, **t.decision())),
    "governance.withdraw_changes": Case(
        "rex", lambda t: partial(governance.withdraw_changes, t.asked_changes())
    ),
    "governance.open_break_glass": Case(
        "rob", lambda t: partial(governance.open_break_glass, **t.opening())
    ),
    "governance.confirm_break_glass": Case(
        "vera",
        lambda t: partial(
            governance.confirm_break_glass, t.glass(), opening_digest=t.glass().opening_digest
        ),
    ),
    "governance.review_break_glass": Case(
        "vito",
        lambda t: partial(
            governance.review_break_glass, t.ended(), finding="justified", findings="x"
        ),
    ),
    "governance.draft_policy": Case(
        "vera",
        lambda t: partial(governance.draft_policy, t.world.environment("staging"), source=OPEN),
    ),
    "governance.publish_policy": Case(
        "vito",
        lambda t: partial(
            governance.publish_policy,
            governance.draft_policy(
                t.world.environment("staging"), source=OPEN, actor=t.world.vera
            ),
        ),
    ),
    "governance.lift_freeze": Case(
        "vera",
        lambda t: partial(
            governance.lift_freeze,
            governance.set_freeze(t.world.environment("staging"), reason="x", actor=t.world.vera),
        ),
    ),
    "assurance.set_retention": Case("sia", lambda t: partial(assurance.set_retention, days=365)),
    "assurance.place_hold": Case(
        "sia",
        lambda t: partial(assurance.place_hold, name="case-1", scope="everything", reason="x"),
    ),
    "assurance.lift_hold": Case(
        "sia",
        lambda t: partial(
            assurance.lift_hold,
            assurance.place_hold(name="case-1", scope="everything", reason="x", actor=SYSTEM).pk,
            reason="x",
        ),
    ),
    "assurance.lift": Case("vera", lambda t: partial(assurance.lift, t.recalled(), reason="x")),
    # sending requests to what people approved
    "governance.begin_rollout": Case(
        "otto", lambda t: partial(governance.begin_rollout, t.approved(**MANUAL))
    ),
    "rollouts.start_rollout": Case(
        "otto", lambda t: partial(rollouts.start_rollout, t.approved(**MANUAL))
    ),
    "rollouts.retry": Case("otto", lambda t: partial(rollouts.retry, t.aborted(), reason="x")),
    "rollouts.resume": Case(
        "otto", lambda t: partial(rollouts.resume, t.waiting(), step=1, reason="x")
    ),
    "rollouts.skip": Case(
        "otto", lambda t: partial(rollouts.skip, t.waiting(), step=1, reason="x")
    ),
    "rollouts.promote": Case(
        "otto", lambda t: partial(rollouts.promote, t.waiting(), step=1, reason="x")
    ),
    "rollouts.confirm_passing": Case(
        "otto",
        lambda t: partial(rollouts.confirm_passing, t.waiting(), digest="sha256:0", reason="x"),
        NoPassingAsked,
    ),
    "rollouts.ship": Case(
        "vera", lambda t: partial(rollouts.ship, t.waiting(), step=1, reason="x"), NotShown
    ),
}

# A session is enough for these: they give nobody access, decide nothing, and send no request to
# anything that is not served already; or the person's passkey signs them; or they take away what
# may have fallen into wrong hands, which must never wait.
SESSION = """
audit.erase_texts audit.export_folder audit.log_denied audit.log_export audit.log_export_of
audit.record audit.row_state console.ask_to_verify jobs.cancel

identity.ask_to_enrol identity.ask_to_offer identity.enrol_passkey identity.offer_passkey
identity.update_project identity.deny_device_login identity.find_device_login
identity.delete_view identity.save_view

notices.choose notices.choose_all notices.watch_project notices.watch_release
discussions.delete_comment discussions.delete_file discussions.edit_comment discussions.mark_seen
discussions.open_thread
discussions.reopen_thread discussions.reply discussions.resolve_thread

registry.add_evidence registry.cancel_upload registry.collect_blobs registry.copy_facts
registry.create_model
registry.create_version registry.declare registry.delete_alias registry.discard_draft
registry.edit_draft
registry.edit_model registry.expire_uploads registry.finalise registry.finish_upload
registry.place_hold registry.receive_chunk registry.release_hold registry.remove_file
registry.revoke_signing_key registry.set_alias registry.set_card registry.set_tags
registry.start_upload

builds.cancel_build builds.collect_bentos builds.end_cancelled builds.fail builds.record_scan
builds.request_build builds.request_samples builds.settle_lost builds.start builds.succeed

serving.add_revision serving.create_endpoint serving.create_target serving.delete_endpoint
serving.end_use
serving.make_room
serving.prefetch serving.raise_epochs serving.release_prefetch
serving.restart_endpoint serving.revoke_endpoint_key
serving.revoke_secret serving.scale_endpoint serving.set_revision
serving.start_endpoint serving.stop_endpoint

governance.ask_to_confirm governance.ask_to_decide governance.ask_to_open governance.ask_to_publish
governance.clear_absence
governance.comment governance.create_environment governance.create_project_defaults
governance.end_break_glass governance.mark_aborted governance.mark_failed governance.mark_live
governance.mark_rolled_back governance.remove_review_request governance.reopen
governance.request_release governance.request_review governance.restore_live
governance.set_absence governance.set_freeze governance.update_environment
governance.withdraw governance.withdraw_policy

monitoring.acknowledge monitoring.close_settled monitoring.erase_unit monitoring.note_answer
monitoring.note_withdrawn monitoring.open_alert monitoring.remove_objective
monitoring.report_outcomes monitoring.resolve monitoring.set_objective

rollouts.abort rollouts.pause rollouts.rollback rollouts.run_drill rollouts.schedule_drills
rollouts.unschedule_drills rollouts.decline_passing rollouts.withdraw_passing

assurance.archive_events assurance.recall

integrations.ask_for_test integrations.pause_stream integrations.remove_stream
integrations.rewind_stream integrations.ask_for_webhook_test integrations.disable_webhook
integrations.redeliver integrations.remove_webhook
"""


def actions_with_an_actor() -> Iterator[str]:
    """Yield every action of every app that somebody does, as ``app.action``."""
    for path in settings.INSTALLED_APPS:
        if not path.startswith("apps.") or path.count(".") > 1:
            continue
        name = f"{path}.actions"
        try:
            module = import_module(name)
        except ModuleNotFoundError as missing:
            assert missing.name == name
            continue
        for action, value in vars(module).items():
            own = action in getattr(module, "__all__", [action])
            if not own or isclass(value) or not callable(value) or action.startswith("_"):
                continue
            if getattr(value, "__module__", "").startswith(path) and "actor" in (
                signature(value).parameters
            ):
                yield f"{path.removeprefix('apps.')}.{action}"


def test_every_action_says_whether_a_session_is_enough() -> None:
    enough = SESSION.split()
    assert sorted([*FRESH, *enough]) == sorted(actions_with_an_actor())


@pytest.mark.parametrize("name", FRESH)
def test_it_takes_somebody_who_has_just_shown_who_they_are(name: str, things: Things) -> None:
    case, limit = FRESH[name], timedelta(minutes=config().reauthenticate_after_minutes)
    act, who = case.ready(things), things.who(case.who)
    before = Event.objects.count()
    for at in (None, now() - limit - timedelta(seconds=1), now() + timedelta(minutes=1)):
        with pytest.raises(Reauthenticate):
            act(actor=replace(who, authenticated_at=at))
    assert Event.objects.count() == before
    with pytest.raises(case.then) if case.then else nullcontext():
        act(actor=replace(who, authenticated_at=now() - limit + timedelta(minutes=1)))


def long_ago(actor: Actor) -> Actor:
    """Return ``actor`` in a session that was opened in the morning."""
    return replace(actor, authenticated_at=now() - timedelta(hours=5))


def test_nothing_that_stops_or_takes_away_ever_waits_for_a_password(things: Things) -> None:
    otto, bob, cleo = (long_ago(things.who(name)) for name in ("otto", "bob", "cleo"))
    rollout = things.waiting()
    rollouts.pause(rollout, reason="x", actor=otto)
    rollouts.rollback(rollout.endpoint, reason="x", actor=otto)
    rollout.refresh_from_db()
    assert rollout.state == "aborting"
    governance.set_freeze(things.world.environment("staging"), reason="x", actor=otto)
    access.revoke_token(things.token, actor=bob)
    access.deactivate_service_account(things.bot, actor=bob)
    access.withdraw_passkey(offered_passkey(things.cleo), actor=cleo)


def test_where_nobody_approves_what_goes_out_nobody_is_asked(things: Things) -> None:
    otto = long_ago(things.who("otto"))
    release = things.world.request("development", plan=MANUAL)
    rollout = rollouts.start_rollout(release, actor=otto)
    assert rollouts.promote(rollout, step=-1, reason="x", actor=otto).promoted_by == otto.id


def test_a_passkey_that_signs_is_asked_for_nothing_else() -> None:
    world = Signers()
    world.publish("staging", SIGNED)
    release, rex, vito = world.request("staging"), long_ago(world.rex), long_ago(world.vito)
    world.sign(release, rex)
    release.refresh_from_db()
    assert release.state == "approved"
    draft = governance.draft_policy(world.environment("staging"), source=SIGNED, actor=world.vera)
    question = governance.ask_to_publish(draft, actor=vito)
    assertion = answer(world.keys["Vito"], question)
    done = governance.publish_policy(draft, assertion=assertion, actor=vito)
    assert done.policy.state == "published"


def test_a_passkey_that_signs_something_else_does_not_make_a_session_fresh() -> None:
    world = Signers()
    first, other = world.request("staging"), world.request("staging", endpoint="other")
    vera = long_ago(world.vera)
    factories.grant(world.people["Vera"], {"reviewer": world.project})
    said = {"verdict": "approve", "statement_digest": first.request_digest}
    assertion = answer(world.keys["Vera"], governance.ask_to_decide(first, **said, actor=vera))
    with pytest.raises(Problem) as refused:
        world.decide(other, vera, assertion=assertion)
    assert refused.value.code == "not_asked"
    with pytest.raises(Reauthenticate):
        world.decide(other, vera)


def test_a_token_acts_as_it_was_made_to(things: Things) -> None:
    """Nobody can ask a program who it is: what it may do was settled when it was made."""
    scopes = ["release.view", "rollout.view", "rollout.start"]
    operator = factories.api(factories.token_for(things.world.people["Otto"], scopes))
    answered = operator.post(f"/releases/{things.approved(**MANUAL).pk}/rollout")
    assert answered.status_code == 202, answered.content


def test_who_may_not_do_it_anyway_is_told_that_and_not_asked_for_a_password(
    things: Things,
) -> None:
    sam = person("Sam", {"contributor": project("other")})
    client = factories.api(sam)
    factories.grow_old(client)
    assert client.post("/teams", {"name": "x"}).json()["code"] == "forbidden"
    release = things.world.request("staging")
    body = {"verdict": "approve", "statement_digest": release.request_digest}
    assert client.post(f"/releases/{release.pk}/decisions", body).status_code == 404
