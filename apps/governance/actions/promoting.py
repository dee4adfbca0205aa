"""Requests that open by themselves: what soaked in one environment is asked for in the next."""

from collections.abc import Mapping
from typing import Any

from apps.audit.actions import Recorder, record
from apps.governance import promotion
from apps.governance.actions.locking import lock_environment, lock_project
from apps.governance.actions.policies import current_policy
from apps.governance.actions.releases import request_release
from apps.governance.events import PROMOTION_OPENED, PROMOTION_REFUSED
from apps.governance.models import Environment, Promotion, Release
from apps.governance.queries.presets import presets
from apps.governance.queries.promotions import promoting, soak_of
from apps.identity.queries import authorize, fresh_grants
from apps.jobs.each import each
from placet.kernel import keystore
from placet.kernel.actor import SYSTEM, Actor, Scope
from placet.kernel.problems import FieldError, InvalidInput, Problem

CHUNK = 100
MEMBERS = frozenset({"after", "to", "plan"})
NONE: Mapping[str, Any] = {"promote_to": None, "promote_plan": "", "promote_set_by": ""}


def read_promote(
    environment: Environment, document: Mapping[str, Any], actor: Actor
) -> Mapping[str, Any]:
    """Return the columns of a setting ``promote``, ``{}`` for none, or refuse it.

    Who has requests opened somewhere must manage that environment too, not only where it soaks.
    """
    if not document:
        return NONE
    if unknown := sorted(document.keys() - MEMBERS):
        raise _wrong(unknown[0][:64], "is not known: give after, to and plan")
    if document.get("after") != promotion.AFTER:
        raise _wrong("after", f"must be {promotion.AFTER}")
    target = _later(environment, document.get("to"))
    authorize(actor, "environment.manage", target)
    policy = current_policy(target)
    document_there = policy.document if policy else None
    if why := promotion.fault(document_there, environment.name, target.name):
        raise _wrong("to", why)
    plan = document.get("plan", "")
    known = {preset.name: preset.refused for preset in presets(policy, target)}
    if not isinstance(plan, str) or (plan and plan not in known):
        raise _wrong("plan", f"must be one of: {', '.join(known)}")
    if plan and known[plan]:
        raise _wrong("plan", f"The policy of {target.name} refuses it: {known[plan]}")
    return {"promote_to": target, "promote_plan": plan, "promote_set_by": actor.id}


def _later(environment: Environment, name: Any) -> Environment:
    places = Environment.objects.filter(project=environment.project_id)
    target = places.filter(name=name).first() if isinstance(name, str) else None
    if target is None or target.position <= environment.position:
        raise _wrong("to", f"must be an environment of the project that follows {environment.name}")
    return target


def _wrong(member: str, detail: str) -> InvalidInput:
    return InvalidInput(errors=[FieldError(f"/promote/{member}", detail)])


def open_promoted() -> int:
    """Open a request for each release that has soaked where its environment says so, once; return
    how many were opened.

    Only where the key is that signs requests: the web process. Called twice it does nothing twice.
    """
    keystore.signer("decision")  # read before any transaction
    rows = promoting().order_by("pk").iterator(chunk_size=CHUNK)
    due = [release for release in rows if soak_of(release).passed]
    faults: list[Exception] = []
    opened = sum(each(_promote, due, faults))
    if faults:
        raise faults[0]
    return opened


def _promote(release: Release) -> bool:
    """Open the request that follows ``release``, or write down once why it was not opened."""
    with record(SYSTEM) as log:
        _lock(release)
        source = promoting().filter(pk=release.pk).first()
        if source is None or not soak_of(source).passed:
            return False  # somebody was faster, or it is otherwise now
        made = Promotion(
            project_id=source.project_id,
            source=source,
            environment=source.environment.promote_to,
            set_by=source.environment.promote_set_by,
        )
        try:
            made.release = _request(source)
        except Problem as problem:
            if problem.status >= 500:  # no answer: it is asked again
                raise
            made.why = _words(problem)
        made.save(force_insert=True)
        _log(made, log)
        return made.release is not None


def _lock(release: Release) -> None:
    """Hold the project and both environments: before the roles of whoever is to be the requester,
    as all do that hold either."""
    lock_project(release.project_id)
    place = lock_environment(release.environment, SYSTEM, "environment.manage")
    if place.promote_to is not None:
        lock_environment(place.promote_to, SYSTEM, "environment.manage")


def _request(source: Any) -> Release:
    """Ask for the Bento of ``source`` in the next environment, as whoever asked for ``source``.

    What they may is read anew, under lock: it counts as their request, so that they do not decide
    on it, and where they may not ask for it, nobody does.
    """
    place: Environment = source.environment
    target: Environment = place.promote_to  # type: ignore[assignment]
    asker = acting_for(source.requester)
    if not asker.can("release.request", Scope(source.project_id, target.name)):
        raise Problem(
            f"Whoever requested release {source.number} may not request releases in {target.name}"
        )
    waited = promotion.wanted(source.next_policy, place.name)
    return request_release(
        version=source.version,
        endpoint=source.endpoint.name,
        environment=target,
        bento=source.bento,
        plan={"preset": place.promote_plan} if place.promote_plan else None,
        serving=source.serving,
        reason=f"Release {source.number} has soaked in {place.name} for {waited}.",
        actor=asker,
    )


def acting_for(person: str) -> Actor:
    """Return the system as it acts for ``person``: it may do what they may now, no more, and what
    it asks for counts as asked by them."""
    return Actor(
        kind="system",
        id=SYSTEM.id,
        label=SYSTEM.label,
        owner=person,
        grants=fresh_grants(person, lock=True),
    )


def _words(problem: Problem) -> str:
    """Return a refusal as a sentence: of fields what is said of each."""
    said = [error.detail for error in problem.errors]
    return "; ".join(said) if said else problem.detail


def _log(made: Promotion, log: Recorder) -> None:
    """Log what became of it, with the release it came of: about the new one, or about that."""
    source = made.source.number
    if made.release is None:
        log.add(PROMOTION_REFUSED, made, subject=made.source_id, data={"source": source})
    else:
        data = {"source": source, "number": made.release.number}
        log.add(PROMOTION_OPENED, made, subject=made.release_id, data=data)
