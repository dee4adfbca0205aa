"""What happens in one project: releases of every state and kind, and a node that reports them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from apps.assurance import actions as assurance
from apps.audit.actions.seal import erase_person
from apps.governance import actions as governance
from apps.governance.models import Release
from apps.monitoring.actions import set_objective
from apps.monitoring.rules import Terms
from apps.rollouts import actions as rollouts
from apps.rollouts.models import Rollout
from apps.serving import actions as serving
from apps.serving.models import Endpoint, Revision
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now, rfc3339
from tests import broken
from tests.enrolled import SIGNED, Signers, authenticator, enrolled_by
from tests.factories import person, team
from tests.nodes import SimulatedNode, run
from tests.recorded.making import target

RunJobs = Callable[..., int]
WARM = {"keep_warm_seconds": 3600}
GUARD = {"consecutive_failures": 5}
CANARY = {
    "strategy": "canary",
    "steps": [{"set_weight": 5}, {"pause": {}}, {"set_weight": 50}, {"pause": {}}],
    "guard": GUARD,
    **WARM,
}
ANALYSED = {
    "strategy": "canary",
    "steps": [{"set_weight": 5}, {"analysis": {"metrics": [{"metric": "error_rate"}]}}],
}
TRIED = {
    "strategy": "ab_test",
    "steps": [
        {"set_weight": 50},
        {"ab_test": {"metric": {"metric": "error_rate"}, "minimum_effect": 0.01}},
    ],
}
SHADOW = {
    "strategy": "shadow",
    "steps": [
        {"set_mirror": {"percent": 12.5}},
        {"set_header_route": {"header": "X-Try", "value": "v2"}},
        {"pause": {}},
    ],
}
CAPTURED = {
    "replicas": 2,
    "memory_mb": 512,
    "variables": {"DEPTH": "3"},
    "unit": {"header": "X-User"},
    "capture": {"percent": 100, "days": 7},
}
OUT = "5 answers in a row were server errors"


class Own(Signers):
    """A project whose environments use a target of its own."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.target = target(f"edge-{self.slug}")
        for name in ("development", "staging", "production"):
            environment = self.environment(name)
            governance.update_environment(environment, targets=[self.target], actor=SYSTEM)


class Lives:
    """A project's releases, one after another."""

    def __init__(self, slug: str, run_jobs: RunJobs) -> None:
        self.world, self.run_jobs = Own(slug), run_jobs
        self.node = SimulatedNode.joined(self.world.target)
        self.node.report()

    def settle(self, rounds: int = 8) -> None:
        run(self.node, self.run_jobs, rounds)

    def out(self, release: Release) -> Rollout:
        return Rollout.objects.filter(release=release).latest("created_at")

    def all(self) -> None:
        """Let all of it happen."""
        self.people()
        self.one_after_another()
        self.in_development()
        self.experiments()
        self.guarded()
        self.undecided()
        self.signed_in_staging()
        self.in_production()
        self.broken_glass()
        self.on_the_node()
        self.recalled()

    def people(self) -> None:
        """A team, and a draft of a policy that nobody wanted."""
        world = self.world
        team(f"{world.slug} crew", world.people["Rex"], roles={"viewer": world.project})
        draft = governance.draft_policy(
            world.environment("development"), source=broken.POLICY, actor=world.vera
        )
        governance.withdraw_policy(draft, actor=world.vera)
        erase_person(person("Erik").pk, actor=SYSTEM)

    def one_after_another(self) -> None:
        """A release whose place another takes, and what operators do to what serves."""
        for _ in range(2):
            release = self.world.request(
                "development", endpoint="plain", serving={"replicas": 1, "max_replicas": 2}
            )
            self.settle()
        endpoint = Endpoint.objects.get(pk=release.endpoint_id)
        serving.restart_endpoint(endpoint, actor=self.world.otto)
        serving.scale_endpoint(endpoint, replicas=2, actor=self.world.otto)
        serving.require_api_key(endpoint, required=True, actor=self.world.otto)
        self.settle()

    def in_development(self) -> None:
        """Live, superseded by a canary that a person led, taken back, aborted, retried, drilled."""
        world = self.world
        first = world.request("development", plan=WARM, serving=CAPTURED, reason="The first")
        self.settle()
        second = world.request("development", plan=CANARY, reason="Better")
        self.settle()
        rollouts.pause(self.out(second), reason="Lunch", actor=world.otto)
        rollouts.resume(self.out(second), step=1, reason="Well fed", actor=world.otto)
        self.settle()
        rollouts.promote(self.out(second), reason="It is well", actor=world.otto)
        self.settle()
        endpoint = Endpoint.objects.get(pk=first.endpoint_id)
        rollouts.rollback(endpoint, reason="Slow", actor=world.otto)
        self.settle()
        third = world.request("development", plan=CANARY, reason="Better still")
        self.settle()
        rollouts.abort(self.out(third), reason="Not yet", actor=world.otto)
        self.settle()
        rollouts.retry(self.out(third), reason="Now", actor=world.otto)
        self.settle()
        rollouts.promote(self.out(third), reason="Good", actor=world.otto)
        self.settle()
        rollouts.schedule_drills(endpoint, every_days=30, hour=3, actor=world.otto)
        rollouts.run_drill(endpoint, actor=world.otto)
        self.settle()
        set_objective(endpoint, terms=Terms(availability=0.99), actor=world.otto)

    def experiments(self) -> None:
        """A canary that is analysed, an A/B test and a shadow, each at an endpoint of its own."""
        for name, plan in (("analysed", ANALYSED), ("tried", TRIED), ("copied", SHADOW)):
            serving = {"unit": {"header": "X-User"}} if name == "tried" else {}
            self.world.request("development", endpoint=name, serving=serving)
            self.settle()
            release = self.world.request("development", endpoint=name, plan=plan, serving=serving)
            self.settle()
            row = self.out(release)
            counts = [(row.from_revision_id, 20_000, 200), (row.to_revision_id, 20_000, 1_000)]
            self.node.metrics = [window(*one) for one in counts if one[0]]
            self.node.step()
            self.node.metrics = []
            self.settle()

    def guarded(self) -> None:
        """What a node took back by itself, and what could not start there."""
        release = self.world.request("development", plan=CANARY, reason="Too hasty")
        self.settle()
        row = self.out(release)
        stable, new = str(row.from_revision_id), str(row.to_revision_id)
        self.node.aborts = [
            {
                "endpoint": row.endpoint_id,
                "revision": new,
                "stable": stable,
                "rule": "consecutive_failures",
                "detail": OUT,
                "at": rfc3339(now()),
                "state": {"epoch": self.node.epoch, "number": self.node.applied},
            }
        ]
        self.node.frozen_weights[new] = 0
        self.settle()
        self.node.aborts = []
        failing = self.world.request("development", endpoint="failing")
        self.run_jobs("control")
        self.node.pull()
        for revision in Revision.objects.filter(release=failing.pk):
            self.node.phase[revision.pk] = ("failed", "Out of memory")
        self.settle()

    def undecided(self) -> None:
        """Expired, withdrawn, rejected, commented, asked for again; frozen and free again."""
        world = self.world
        world.request("staging", reason="Nobody decides")
        governance.expire_due(now() + timedelta(days=20))
        governance.withdraw(world.request("staging"), actor=world.ada)
        refused = world.request("staging")
        world.decide(refused, world.rex, "reject", comment="Not now")
        asked = world.request("staging")
        governance.comment(asked, text="Which data?", actor=world.rita)
        governance.set_freeze(world.environment("staging"), reason="The fair", actor=world.vera)
        world.decide(asked, world.rex, comment="After the fair")
        freeze = world.environment("staging").freezes.get()
        governance.lift_freeze(freeze, actor=world.vera)
        self.settle()

    def signed_in_staging(self) -> None:
        """A policy and decisions signed with passkeys: live, rejected, waiting."""
        world = self.world
        world.publish("staging", SIGNED)
        release = world.request("staging", world.bento(world.version(), metrics={"auc": 0.9}))
        world.sign(release, world.rex, comment="Looks right")
        self.settle()
        self.signed = release
        world.sign(world.request("staging", endpoint="other"), world.rex, "reject", "No")
        world.request("staging", endpoint="waiting")

    def in_production(self) -> None:
        """What soaked in staging goes to production by two roles."""
        world = self.world
        source = broken.POLICY + "expires_after_days: 7\n"
        world.policy("production", source)
        release = world.request("production", self.signed.bento, reason="For everybody")
        world.decide(release, world.rita, comment="Read")
        world.decide(release, world.vera)
        self.settle()
        waiting = world.request("production", plan={"start": "manual"})
        for who in (world.rex, world.vito):
            world.decide(waiting, who)

    def broken_glass(self) -> None:
        """Glass that was broken and reviewed; that was opened alone; that passkeys broke."""
        world = self.world
        for name, policy in (("urgent", broken.POLICY), ("sealed", broken.SIGNED)):
            governance.create_environment(
                world.project, name=name, targets=[world.target], actor=SYSTEM
            )
            publish = world.policy if name == "urgent" else world.publish
            publish(name, policy + broken.SAID)
        broken.responder(world)
        release = world.request("urgent", endpoint="urgent")
        glass = broken.broken(world, release)
        self.settle()
        governance.end_break_glass(glass, actor=world.vera)
        governance.review_break_glass(
            glass, finding="justified", findings="I looked", actor=world.vito
        )
        broken.opened(world, world.request("urgent", endpoint="urgent-too"))
        sealed = world.request("sealed", endpoint="sealed")
        world.keys["Rob"] = authenticator()
        enrolled_by(
            world.people["Vera"], world.keys["Vera"], world.people["Rob"], world.keys["Rob"]
        )
        opened = broken.signed_opening(world, sealed, world.rob)
        broken.signed_confirmation(world, opened, world.vito)
        self.settle()

    def on_the_node(self) -> None:
        """Reports with all that a report can hold; a receipt of what ran."""
        revision = Revision.objects.filter(state="live", endpoint__name="churn").latest("live_at")
        self.node.receipts = [self.node.ran(revision)]
        self.node.errors = [{"code": "haproxy", "detail": "It did not start"}]
        self.node.metrics = [window(revision.pk, 120, 3)]
        assert self.node.report().status_code == 200
        self.node.receipts, self.node.errors, self.node.metrics = [], [], []
        self.settle()

    def recalled(self) -> None:
        """A recall that the node confirms, and one that was lifted."""
        world = self.world
        live = Release.objects.filter(project=world.project, state="live").earliest("pk")
        why: dict[str, Any] = {"reason": "It answers wrongly", "project": world.project}
        assurance.recall(kind="bento", what=live.bento_id, actor=world.otto, **why)
        self.run_jobs("control")
        self.node.confirm()
        self.settle()
        other = world.bento(world.version("other"))
        world.request("development", other, endpoint="short")
        self.settle()
        self.node.report(recalled=[live.bento_id], prefetched=[other.pk])
        alarm = assurance.recall(kind="bento", what=other.pk, actor=world.otto, **why)
        self.run_jobs("control")
        self.node.confirm()
        assurance.lift(alarm, reason="A false alarm", actor=world.vera)
        self.settle()


def window(revision: str, requests: int, errors: int) -> dict[str, Any]:
    """Return what a node counted of a revision."""
    good = requests - errors
    return {
        "revision": revision,
        "started_at": rfc3339(now()),
        "seconds": 10,
        "status_2xx": good,
        "status_5xx": errors,
        "latency": {"5": good, "inf": errors},
    }
