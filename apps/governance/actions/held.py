"""Requests for changes: what they keep from happening, and how they are lifted, by who made them
alone."""

from typing import Any

from django.db.models import QuerySet

from apps.audit.actions import Recorder, record
from apps.governance.actions.advance import approve_if_passed, store_gates
from apps.governance.actions.locking import lock_release
from apps.governance.errors import ChangesRequested, Expired, WrongState
from apps.governance.events import CHANGES_LIFTED
from apps.governance.models import Decision, Release
from apps.governance.queries.lifting import lifting_of, with_lifting
from apps.governance.queries.review_requests import deciding_on
from apps.governance.rules import TAKEN_BACK, ReleaseState
from apps.identity.queries import people_names
from apps.identity.sign_in.freshness import demand_fresh, demand_session
from placet.kernel import clock
from placet.kernel.actor import Actor
from placet.kernel.problems import Forbidden, NotFound
from placet_verify.statements import REQUEST_CHANGES


def standing_decisions(release: Release) -> QuerySet[Decision]:
    """Return the decisions on a release that are not void, held until the transaction ends."""
    rows = Decision.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("release__environment").filter(release=release, voided_reason="")


def refuse_held(release: Release, actor: Actor) -> None:
    """Raise :class:`ChangesRequested` while a request for changes to ``release`` stands: no node
    would take its permit, an emergency's either. ``actor`` is told who lifts it."""
    made = Decision.objects.filter(release=release, voided_reason="").order_by("pk")
    standing: list[Any] = list(with_lifting(made).only("person", "verdict"))
    if not any(row.verdict == REQUEST_CHANGES for row in standing):
        return
    people, known = deciding_on(release)
    names = people_names(row.person for row in standing)
    lifting = lifting_of(release, standing, people, release.gates, known, names, actor)
    stands = f"Nothing starts this release until {lifting.until}"
    raise ChangesRequested(lifting.for_good or stands)


def void(decision: Decision, because: str) -> None:
    """Void a request for changes that is held, with its release."""
    decision.voided_reason = because
    decision.save(update_fields=["voided_reason"])


def log_lifted(decision: Decision, release: Release, log: Recorder) -> None:
    """Log that a request for changes is void, once the gates of ``release`` were answered anew."""
    data = {"number": release.number, "because": decision.voided_reason}
    log.add(CHANGES_LIFTED, decision, release, subject=release.pk, data=data)


def withdraw_changes(decision: Decision, *, actor: Actor) -> Decision:
    """Take back one's own request for changes without deciding anew; a release whose gates have all
    passed is approved by that.

    In a browser session, by who made it: as this takes back their own word alone, they need no role
    that decides any more.
    """
    demand_session(actor)
    with record(actor) as log:
        unlocked = Decision.objects.filter(pk=decision.pk).select_related("release").first()
        if unlocked is None:
            raise NotFound
        release = lock_release(unlocked.release, actor, "release.view")
        if unlocked.person != actor.id:
            raise Forbidden("A request for changes is withdrawn by the person who made it")
        demand_fresh(actor)
        row = standing_decisions(release).filter(pk=unlocked.pk, verdict=REQUEST_CHANGES).first()
        if row is None or release.state != ReleaseState.REQUESTED:
            raise WrongState("There is no request for changes of yours any more")
        if release.not_after <= clock.now():
            raise Expired
        void(row, TAKEN_BACK)
        results = store_gates(release)
        log_lifted(row, release, log)
        approve_if_passed(release, results, log)
        return row
