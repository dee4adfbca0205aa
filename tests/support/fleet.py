"""Many simulated nodes over the real platform, for a recall whose outcome is known beforehand.

Every node has a key of its own, joins with a token, pulls signed states and posts signed reports to
the real views. What each did before the recall and how it behaves afterwards is drawn by a seed:
that is the truth which the platform's report has to equal.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from apps.assurance.actions import recall
from apps.builds.models import Bento
from apps.governance import actions as governance
from apps.governance.models import Release
from apps.serving import actions as serving
from apps.serving.desired import sign_state
from apps.serving.models import Revision, Target
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now, rfc3339
from placet.kernel.keystore import ring
from placet_verify.signing.keys import PrivateKey
from tests.support import factories
from tests.support.nodes import SimulatedNode
from tests.support.world import World

# What ran on a node before → what the recall does there; None: it reaches nothing there.
PASTS: dict[str, str | None] = {
    "bad alone": "stopped",
    "good, then bad": "fell_back",
    "bad, then good": "ended",
    "bad asked for": "revoked",
    "good alone": None,
}
# How a node behaves after the recall → what the platform must say of it.
WAYS = {
    "answers": "confirmed",
    "cut off, then back": "confirmed",
    "cut off": "open",
    "never signs": "open",
    "signs with another key": "open",
    "signs for another node": "open",
    "says it stopped and runs it": "contradicted",
    "answers requests afterwards": "contradicted",
}
WEIGHTS = (50, 15, 10, 5, 5, 5, 5, 5)
Tell = Callable[[str], None]


@dataclass(slots=True)
class Member:
    """One node, and what is true of it."""

    node: SimulatedNode
    past: str
    way: str
    endpoint: str = ""
    body: dict[str, Any] = field(default_factory=dict)  # its report before the recall

    @property
    def expected(self) -> tuple[str, str] | None:
        """What the report must say: what was done, and whether it is confirmed."""
        action = PASTS[self.past]
        if action is None:
            return None
        return action, "never_ran" if action == "revoked" else WAYS[self.way]


@dataclass(slots=True)
class Fleet:
    """The platform's world with all its nodes."""

    world: World
    bad: Bento
    good: Bento
    members: list[Member] = field(default_factory=list)

    @classmethod
    def made(cls, count: int, seed: int, tell: Tell = lambda text: None) -> "Fleet":
        """Have ``count`` nodes join and serve what the seed says."""
        draw, world = random.Random(seed), World()
        fleet = cls(world, world.bento(world.version("bad")), world.bento(world.version("good")))
        targets = [world.another_target(f"edge-{number}") for number in range(count)]
        place = world.environment("development")
        governance.update_environment(place, targets=[world.target, *targets], actor=SYSTEM)
        for number, target in enumerate(targets):
            past = draw.choice(list(PASTS))
            (way,) = draw.choices(list(WAYS), WEIGHTS)
            fleet.members.append(fleet.member(target, past, way))
            if number % 100 == 99:
                tell(f"{number + 1} nodes serve")
        return fleet

    def member(self, target: Target, past: str, way: str) -> Member:
        """Have a node join ``target`` and serve what ``past`` says."""
        found = Member(SimulatedNode.joined(target), past, way)
        first, _, then = past.partition(", then ")
        for name in (first.split()[0], then):
            if name:
                bento = self.bad if name == "bad" else self.good
                release = self.asked(target, bento)
                found.endpoint = release.endpoint_id
                if past != "bad asked for":
                    self.live(release)
        sign_state(target.pk)
        found.node.step()
        found.body = found.node.report_body()
        return found

    def asked(self, target: Target, bento: Bento) -> Release:
        """Have a release asked for, which the policy approves at once."""
        plan = {"start": "manual", "keep_warm_seconds": 3600}
        return self.world.request(
            "development", bento, endpoint=target.name, target=target, plan=plan
        )

    def live(self, release: Release) -> None:
        """Have a release go live by the actions that a rollout calls."""
        keys = ring()
        begun = governance.begin_rollout(release, ring=keys, actor=SYSTEM)
        before = Revision.objects.filter(endpoint=release.endpoint, state="live").first()
        revision = serving.add_revision(
            begun.endpoint,
            bento=begun.bento,
            release=begun.pk,
            ring=keys,
            actor=SYSTEM,
            permit=governance.assemble_permit(begun),
            serving=begun.serving,
        )
        serving.set_revision(revision, state="ready", actor=SYSTEM)
        if before is not None:
            late = now() + timedelta(hours=1)
            serving.set_revision(before, state="warm", weight=0, warm_until=late, actor=SYSTEM)
        serving.set_revision(revision, state="live", weight=10_000, actor=SYSTEM)
        governance.mark_live(begun, actor=SYSTEM)

    def recall(self) -> str:
        """Have the operator recall the bad Bento, and sign every state; return the recall's id."""
        found = recall(
            kind="bento",
            what=self.bad.pk,
            reason="It answers wrongly",
            project=self.world.project,
            actor=self.world.otto,
        )
        for member in self.members:
            sign_state(member.node.row.target_id)
        return found.pk

    def answer(self, recall_id: str) -> None:
        """Let every node behave as it does; those that come back do so last."""
        late = [m for m in self.members if m.way == "cut off, then back"]
        for member in [m for m in self.members if m not in late] + late:
            behave(member, recall_id)

    def reported(self, recall_id: str) -> dict[str, tuple[str, str]]:
        """Return what the API says to the operator, by endpoint."""
        api = factories.api(self.world.otto)
        found, path = dict[str, tuple[str, str]](), f"/recalls/{recall_id}/effects?limit=500"
        while path:
            page = api.get(path).json()
            found |= {row["endpoint"]: (row["action"], row["state"]) for row in page["items"]}
            cursor = page["next_cursor"]
            path = f"/recalls/{recall_id}/effects?limit=500&cursor={cursor}" if cursor else ""
        return found

    @property
    def truth(self) -> dict[str, tuple[str, str]]:
        """Return what the report must be, by endpoint."""
        return {m.endpoint: m.expected for m in self.members if m.expected is not None}


def behave(member: Member, recall_id: str) -> None:
    """Do what a node of this way does after a recall."""
    node = member.node
    match member.way:
        case "cut off":
            return
        case "answers" | "cut off, then back":
            node.confirm()
        case "never signs":
            node.step()
        case "signs with another key":
            node.pull()
            own, node.key = node.key, PrivateKey.generate()
            forged = node.stopped(recall_id)
            node.key = own
            posted(node, forged)
        case "signs for another node":
            node.pull()
            posted(node, node.stopped(recall_id, node="nod_" + "0" * 32))
        case "says it stopped and runs it":
            node.pull()
            posted(node, node.stopped(recall_id), revisions=member.body["revisions"])
        case _:
            node.confirm()
            posted(node, metrics=[window(row["id"]) for row in member.body["revisions"]])


def posted(node: SimulatedNode, *receipts: str, **more: Any) -> None:
    """Post a report with these receipts."""
    answer = node.report(receipts=list(receipts), **more)
    assert answer.status_code == 200, answer.content


def window(revision: str) -> dict[str, Any]:
    """Return counts of requests that a revision answered a little later."""
    later = rfc3339(now() + timedelta(seconds=30))
    return {"revision": revision, "started_at": later, "seconds": 10, "status_2xx": 1}
