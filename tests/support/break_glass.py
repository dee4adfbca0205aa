"""A project whose staging lets people break the glass: Rob opens it, Vera or Vito confirms."""

from typing import Any

from apps.governance import actions
from apps.governance.models import BreakGlass, Release
from placet.kernel.actor import Actor
from tests.support import factories
from tests.support.enrolment import Signers, answer
from tests.support.world import World

SAID = "break_glass: {people: 2, hours: 4, skip: [freeze]}\n"
POLICY = """\
version: 1
gates:
  - {gate: build}
  - {gate: scan, allow: [safe]}
  - {gate: freeze}
  - {gate: approvals, role: reviewer, count: 1}
  - {gate: approvals, role: approver, count: 1}
"""
SIGNED = POLICY.replace("count: 1", "count: 1, passkey: true")


def responder(world: World, name: str = "Rob") -> Actor:
    """Have somebody join who may open break-glasses in the project; return that actor."""
    if name not in world.people:
        roles = {"responder": world.project}
        world.people[name] = factories.person(f"{name} {world.slug}", roles=roles)
    return factories.actor_of(world.people[name])


def fragile(world: World) -> World:
    """Have the staging of a project let two people break the glass; return the project."""
    responder(world)
    world.policy("staging", POLICY + SAID)
    return world


def opened(
    world: World,
    release: Release,
    who: Actor | None = None,
    *,
    reason: str = "It burns",
    **more: Any,
) -> BreakGlass:
    """Have Rob open a break-glass for what ``release`` is now."""
    release.refresh_from_db()
    said = {"statement_digest": release.request_digest, "reason": reason} | more
    return actions.open_break_glass(release, **said, actor=who or responder(world))


def confirmed(world: World, glass: BreakGlass, who: Actor | None = None, **more: Any) -> BreakGlass:
    """Have Vera confirm ``glass``."""
    said = {"opening_digest": glass.opening_digest} | more
    return actions.confirm_break_glass(glass, **said, actor=who or world.vera)


def broken(world: World, release: Release, **more: Any) -> BreakGlass:
    """Have Rob and Vera break the glass for ``release``."""
    glass = confirmed(world, opened(world, release, **more))
    release.refresh_from_db()
    return glass


def signed_opening(world: Signers, release: Release, who: Actor, **said: Any) -> BreakGlass:
    """Have ``who`` open one with their passkey."""
    said = {"statement_digest": release.request_digest, "reason": "It burns"} | said
    question = actions.ask_to_open(release, **said, actor=who)
    assertion = answer(world.key(who), question)
    return actions.open_break_glass(release, **said, assertion=assertion, actor=who)


def signed_confirmation(world: Signers, glass: BreakGlass, who: Actor, **said: Any) -> BreakGlass:
    """Have ``who`` confirm one with their passkey."""
    said = {"opening_digest": glass.opening_digest} | said
    question = actions.ask_to_confirm(glass, **said, actor=who)
    assertion = answer(world.key(who), question)
    return actions.confirm_break_glass(glass, **said, assertion=assertion, actor=who)
