"""The search for too few people beside the real actions.

A path that it names is walked, and where it names none nobody gets through, whatever people and
access admins try.
"""

import random
from collections.abc import Callable
from typing import Any

import pytest

from apps.governance import actions, duties
from apps.governance.duties import ShortestPath
from apps.governance.models import Decision, PolicyRevision, Release
from apps.governance.queries.duties import duties_of
from apps.governance.queries.organisation import look
from apps.identity import actions as access
from apps.identity.models import ServiceAccount, Team, User
from apps.registry.actions import create_model, create_version
from apps.registry.models import ModelVersion
from placet.kernel.actor import SYSTEM, Actor
from placet.kernel.problems import Problem
from tests.support import factories
from tests.support.world import OPEN, SIGNATURE, World, digest_of

pytestmark = pytest.mark.django_db
STRICT = """\
version: 1
gates:
  - {gate: build}
  - {gate: approvals, role: reviewer, count: 1}
  - {gate: approvals, role: approver, count: 1}
"""
LENIENT = """\
version: 1
gates:
  - {gate: build}
  - {gate: approvals, role: approver, count: 2, exclude_requester: false, exclude_author: false}
"""
ROLES = ("contributor", "reviewer", "approver", "operator")


class Office:
    """A few people with roles drawn at random in a project of their own."""

    def __init__(self, rng: random.Random, *, roles: int) -> None:
        self.rng, self.world = rng, World()
        self.project, self.place = self.world.project, self.world.environment("production")
        for person in self.world.people.values():
            access.deactivate_person(person, actor=SYSTEM)
        source = rng.choice([STRICT, LENIENT])
        draft = actions.draft_policy(self.place, source=source, actor=SYSTEM)
        actions.publish_policy(draft, actor=SYSTEM)
        self.people = [factories.person(f"P{n}") for n in range(rng.randint(3, 5))]
        if rng.random() < 0.5:
            address = self.people[0].email.replace("@", "+more@")
            self.people.append(access.create_person(email=address, name="Second", actor=SYSTEM))
        self.teams = [factories.team("Team", *rng.sample(self.people, 2))]
        self.programs = [factories.service_account("bot", rng.choice(self.people))]
        for _ in range(roles):
            self.grant(SYSTEM)
        self.admin = factories.actor_of(factories.person("Ann", roles={"admin": None}))
        self.number = 0

    def grant(self, actor: Actor) -> None:
        """Give somebody some role in the project, or in production alone."""
        subject = self.rng.choice([*self.people, *self.teams, *self.programs])
        kinds = {User: "person", Team: "team", ServiceAccount: "service_account"}
        where: Any = {"environment": self.rng.choice(["", "", "production"])}
        where[kinds[type(subject)]] = subject
        role = self.rng.choice(ROLES)
        try:
            access.grant_role(role=role, project=self.project, actor=actor, **where)
        except Problem as problem:
            assert problem.code in ("already_granted", "bypass"), problem.code

    def actors(self, account: str) -> list[Actor]:
        """Return ``account`` in a session and, by token, each of the programs that it owns."""
        person = User.objects.get(pk=account)
        owned = [bot for bot in self.programs if bot.owner_id == account]
        return [factories.actor_of(who) for who in (person, *owned)]

    def version(self, actor: Actor) -> ModelVersion:
        """Have ``actor`` make a version, and the platform build it."""
        self.number += 1
        model = create_model(self.project, name=f"m{self.number}", description="", actor=actor)
        made = create_version(model, format="sklearn", signature=SIGNATURE, actor=actor)
        ModelVersion.objects.filter(pk=made.pk).update(
            state="finalised", artifact_digest=digest_of(f"artifact {self.number}")
        )
        made.refresh_from_db()
        self.world.bento(made)
        return made

    def request(self, version: ModelVersion, actor: Actor) -> Release:
        """Have ``actor`` ask for the release of ``version``."""
        return actions.request_release(
            version=version, endpoint=f"e{self.number}", environment=self.place, actor=actor
        )

    def decide(self, release: Release, actor: Actor) -> Decision:
        """Have ``actor`` approve what the release is now."""
        release.refresh_from_db()
        return actions.decide(
            release, verdict="approve", statement_digest=release.request_digest, actor=actor
        )


def either(actors: list[Actor], act: Callable[[Actor], Any]) -> Any:
    """Have the first of ``actors`` who may do it; people act themselves or by their programs."""
    refused: Problem | None = None
    for actor in actors:
        try:
            return act(actor)
        except Problem as problem:
            refused = problem
    assert refused is not None
    raise refused


def walk(office: Office, found: ShortestPath) -> Release:
    """Do what the path says, step by step, by the actions that pages and API call."""
    made: dict[str, Any] = {}
    acts: dict[str, Callable[[Actor], Any]] = {
        "draft": lambda a: actions.draft_policy(office.place, source=OPEN, actor=a),
        "publish": lambda a: actions.publish_policy(made["draft"], actor=a),
        "make": office.version,
        "request": lambda a: office.request(made["make"], a),
        "approve": lambda a: office.decide(made["request"], a),
    }
    # approvals as approver first, as who may do both decides while one is missing
    for step in sorted(found.steps, key=lambda s: (s.act == "approve", s.role)):
        made[step.act] = either(office.actors(step.who), acts[step.act])
    return Release.objects.get(pk=made["request"].pk)


def search(office: Office) -> ShortestPath | None:
    """Return what the search finds in production, up to what is demanded there."""
    access = look().access(office.place.pk)
    return duties.fewest(access, most=duties.demanded(access.rules))


@pytest.mark.parametrize("seed", range(12))
def test_a_path_that_is_named_can_be_walked(seed: int) -> None:
    office = Office(random.Random(seed), roles=7)
    found = search(office)
    if found is None:
        return
    assert walk(office, found).state == "approved"


@pytest.mark.parametrize("seed", range(6))
def test_fewer_than_demanded_get_nowhere_whatever_they_and_an_admin_try(seed: int) -> None:
    rng = random.Random(1000 + seed)
    office = Office(rng, roles=3)
    demanded = duties.demanded(look().access(office.place.pk).rules)
    found = search(office)
    if found is not None and found.people < demanded:
        return
    mailboxes = {p.pk: duties.mailbox(p.email) for p in office.people}
    crew = rng.sample(sorted(set(mailboxes.values())), demanded - 1)
    gang = [p for p in office.people if mailboxes[p.pk] in crew]
    policy = duties_of([office.place])[0].policy
    for _ in range(60):
        if rng.random() < 0.3 and duties_of([office.place])[0].policy == policy:
            office.grant(office.admin)  # what two people changed is what is demanded from then on
        else:
            attempt(office, rng, gang)
        assert not Release.objects.filter(environment=office.place, state="approved").exists()


def attempt(office: Office, rng: random.Random, gang: list[User]) -> None:
    """Have one of the gang try something."""
    actor = rng.choice(office.actors(rng.choice(gang).pk))
    releases = list(Release.objects.filter(environment=office.place, state="requested"))
    versions = list(ModelVersion.objects.filter(project=office.project))
    drafts = list(PolicyRevision.objects.filter(environment=office.place, state="draft"))
    tries: list[Callable[[], Any]] = [
        lambda: office.version(actor),
        lambda: office.request(rng.choice(versions), actor),
        lambda: office.decide(rng.choice(releases), actor),
        lambda: actions.draft_policy(office.place, source=OPEN, actor=actor),
        lambda: actions.publish_policy(rng.choice(drafts), actor=actor),
    ]
    choice = rng.choice(tries)
    needed = {1: versions, 2: releases, 4: drafts}.get(tries.index(choice), [True])
    if needed:
        try:
            choice()
        except Problem:
            return
