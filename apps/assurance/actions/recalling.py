"""Recalling: everything that follows on the platform is one transaction.

What must happen on nodes is signed into their states and confirmed by their receipts; until then
it is open.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from apps.assurance.events import RECALL_REACHED, RECALLED
from apps.assurance.models import (
    OF_DECISIONS,
    EffectAction,
    EffectState,
    Recall,
    RecallEffect,
    RecallKind,
    RecallState,
)
from apps.assurance.queries.impact import (
    RecallReach,
    check_place,
    reach,
    stopping_among,
    subject_of,
    touched_by,
    voided_by,
)
from apps.assurance.queries.visible_recalls import targets_told
from apps.assurance.rules import SIGNERS
from apps.audit.actions import Recorder, record, seal
from apps.governance import actions as governance
from apps.governance.actions.locking import lock_releases
from apps.governance.models import UNFINISHED_STATES, Release
from apps.governance.rules import REVOCABLE
from apps.identity.models import Project
from apps.identity.queries import authorize
from apps.monitoring.actions import open_alert
from apps.monitoring.actions.alerts import AlertFinding
from apps.monitoring.models import AlertKind
from apps.monitoring.queries import name_of, owner_of
from apps.rollouts.actions import TakenOff, follow_live, take_off
from apps.rollouts.models import Rollout
from apps.rollouts.rules import OPEN_STATES
from apps.serving.actions.locking import lock_endpoints
from apps.serving.desired import publish, together
from apps.serving.models import Endpoint, Revision
from apps.serving.rules import ENDED, EndpointState
from placet.kernel import keystore
from placet.kernel.actor import SYSTEM, Actor
from placet.kernel.clock import now
from placet.kernel.config import config
from placet.kernel.ids import new_id
from placet.kernel.problems import QuotaReached
from placet.kernel.texts import clean_text
from placet_verify.signing.keys import KeyRing, PrivateKey
from placet_verify.statements import RecallStatement


@dataclass(frozen=True, slots=True)
class _Keys:
    """Files, read before the transaction."""

    ring: KeyRing
    signer: PrivateKey


def recall(
    *, kind: str, what: str, reason: str, project: Project | None = None, actor: Actor
) -> Recall:
    """Take ``what`` back: end every release that it reaches, and have each endpoint fall back or
    stop, as its environment says.

    ``kind`` is one of :class:`RecallKind`, ``what`` an id or a digest. Needs ``recall.create`` in
    the project, or everywhere for what counts everywhere. Asked for twice, the second finds it
    done. Raises :class:`KeyInUse` for a key that still signs.
    """
    keys = _Keys(keystore.ring(), keystore.signer("decision"))
    text = clean_text("reason", reason, limit=2000)
    check_place(kind, project)
    with record(actor) as log:
        authorize(actor, "recall.create", project, view="recall.view")
        _lock_projects(project)
        subject = subject_of(kind, what, project, keys.ring)
        standing = Recall.objects.filter(
            kind=kind, what=subject.what, project=project, state=RecallState.STANDING
        ).first()
        if standing is not None:
            return standing
        _refuse_many(project)
        reached = _lock(reach(subject, keys.ring), keys.ring)
        ends = [one for one in reached.releases if one.state in REVOCABLE]
        row = _write(reached, text, keys, actor)
        with together():
            _publish(row)
            effects = _take_effect(row, reached, keys.ring, log)
        _uncount(reached)
        follow_live({effect.endpoint_id for effect in effects})
        behind = {release.endpoint_id for release in ends}
        data = {"kind": kind, "releases": len(ends), "endpoints": len(behind)}
        log.add(RECALLED, row, data=data)
        return row


def _refuse_many(project: Project | None) -> None:
    """Count those lifted too: nodes are told of each for ever. The project is held."""
    most = config().max_recalls
    if project is not None and Recall.objects.filter(project=project).count() >= most:
        raise QuotaReached(
            f"{project.slug} has {most:,} recalls, withdrawn ones included",
            most,
            remedy="recall what several have in common",
            setting="PLACET_MAX_RECALLS",
        )


def _lock_projects(project: Project | None) -> None:
    """Hold the project, or all: nobody asks for a release meanwhile."""
    rows = Project.objects.select_for_update(no_key=True).order_by("pk")
    list(rows.filter(pk=project.pk) if project is not None else rows)


def _lock(reached: RecallReach, ring: KeyRing) -> RecallReach:
    """Hold endpoints, their targets, rollouts and releases, in the order in which whoever moves
    them does, and look again: meanwhile something may have started."""
    behind = {release.endpoint_id for release in reached.releases}
    if reached.subject.kind in SIGNERS:
        # releases whose decisions are voided, or that may start now
        waiting = Release.objects.filter(touched_by(reached.subject), state__in=UNFINISHED_STATES)
        behind |= set(waiting.values_list("endpoint_id", flat=True))
    lock_endpoints(behind)
    moving = Rollout.objects.select_for_update(of=("self",), no_key=True).order_by("pk")
    list(moving.filter(endpoint__in=behind, state__in=OPEN_STATES))
    lock_releases(Release.objects.filter(endpoint__in=behind))
    return reach(reached.subject, ring)


def _write(reached: RecallReach, text: str, keys: _Keys, actor: Actor) -> Recall:
    subject = reached.subject
    reason = seal(text, person=actor.accountable)
    statement = RecallStatement(
        recall=new_id("rcl"),
        project=subject.project.pk if subject.project is not None else "",
        kind=subject.kind,
        what=subject.what,
        names=reached.names,
        by=actor.id,
        reason=reason,
        at=now(),
    )
    return Recall.objects.create(
        id=statement.recall,
        project=subject.project,
        kind=subject.kind,
        what=subject.what,
        reason_sealed=reason,
        names=statement.names.to_dict(),
        envelope=statement.sign(keys.signer).to_json(),
        statement_digest=statement.digest,
        recalled_by=actor.id,
        recaller=actor.accountable,
        created_at=statement.at,
    )


def targets_of(recall: Recall) -> list[str]:
    """Return the targets whose nodes are told of a recall, in the order that all hold them in."""
    return list(targets_told(recall).order_by("pk").values_list("pk", flat=True))


def _publish(recall: Recall) -> None:
    for target in targets_of(recall):
        publish(target)


def words(kind: str) -> str:
    """Return why a release ended, for people; what somebody wrote stays sealed."""
    return f"Recalled: {RecallKind(kind).label.lower()}"


def _of_rollout(kind: str, releases: Iterable[Release]) -> str:
    """Return why a rollout ended or began, which has two sides: so that says what was recalled."""
    versions = " and ".join(sorted({str(release.version) for release in releases}))
    if kind == RecallKind.VERSION:
        return f"{versions} was recalled"
    if kind in OF_DECISIONS:
        return f"The decisions of the release of {versions} were recalled"
    return f"A recall ({RecallKind(kind).label.lower()}) reached {versions}"


def _of_live(kind: str, version: str) -> str:
    """Return what a recall did to the ``version`` that was live, to begin a sentence with."""
    if kind == RecallKind.VERSION:
        return f"{version}, which was live, was recalled"
    if kind in OF_DECISIONS:
        return f"The decisions of the release of {version}, which was live, were recalled"
    return f"{version}, which was live, fell under a recall ({RecallKind(kind).label.lower()})"


def _take_effect(
    row: Recall, reached: RecallReach, ring: KeyRing, log: Recorder
) -> list[RecallEffect]:
    by_endpoint: dict[str, list[Release]] = {}
    for release in reached.releases:
        by_endpoint.setdefault(release.endpoint_id, []).append(release)
    effects: list[RecallEffect] = []
    rows = Endpoint.objects.select_related("target").in_bulk(by_endpoint)
    stopping = stopping_among(rows.values())
    for pk in sorted(by_endpoint):
        endpoint_effects = _at_endpoint(row, rows[pk], by_endpoint[pk], ring, stop=pk in stopping)
        effects += endpoint_effects
        log.add(
            RECALL_REACHED, *endpoint_effects, subject=pk, data={"releases": len(endpoint_effects)}
        )
    return effects


def _at_endpoint(
    row: Recall, endpoint: Endpoint, releases: list[Release], ring: KeyRing, *, stop: bool
) -> list[RecallEffect]:
    """Revoke the releases of one endpoint and take their revisions off it."""
    served = endpoint.state == EndpointState.ACTIVE
    for release in releases:
        governance.revoke(release, reason=words(row.kind))
    revisions = Revision.objects.filter(
        endpoint=endpoint, release__in=[release.pk for release in releases]
    )
    of_release: dict[str, list[tuple[str, str]]] = {}
    for pk, brought, state in revisions.order_by("number").values_list("pk", "release", "state"):
        of_release.setdefault(brought, []).append((pk, state))
    bad = {pk for revision_states in of_release.values() for pk, _ in revision_states}
    present = {pk for pk, rows in of_release.items() if any(s not in ENDED for _, s in rows)}
    reason = _of_rollout(row.kind, (one for one in releases if one.pk in present))
    taken = take_off(endpoint, bad, stop=stop, reason=reason, keys=ring)
    if served and taken.action == "stopped":
        behind = next(pk for pk, rows in of_release.items() if taken.live in dict(rows))
        live = next(release for release in releases if release.pk == behind)
        _tell_stopped(row, str(live.version), endpoint, stop=stop)
    return [
        _effect(row, release, endpoint, of_release.get(release.pk, []), taken)
        for release in releases
    ]


def _tell_stopped(row: Recall, version: str, endpoint: Endpoint, *, stop: bool) -> None:
    """Open the alert that a recall stopped the ``version`` that served; nobody would know it
    else."""
    why = "its environment asks for that" if stop else "there was nothing to fall back to"
    open_alert(
        AlertFinding(
            AlertKind.RECALL_STOPPED,
            subject=endpoint.pk,
            about=name_of(endpoint),
            summary=f"{_of_live(row.kind, version)} and {why}: clients get 503",
            endpoint=endpoint,
            owner=owner_of(endpoint),
        ),
        actor=SYSTEM,
    )


def _effect(
    row: Recall,
    release: Release,
    endpoint: Endpoint,
    revisions: list[tuple[str, str]],
    taken: TakenOff,
) -> RecallEffect:
    names = [pk for pk, _ in revisions]
    was_live = taken.live in names
    ran = any(state not in ENDED for _, state in revisions)
    action: str = taken.action if was_live else EffectAction.ENDED if ran else EffectAction.REVOKED
    back = taken.fallback
    return RecallEffect.objects.create(
        recall=row,
        project_id=release.project_id,
        release=release,
        endpoint=endpoint,
        target=endpoint.target,
        revisions=names,
        action=action,
        fallback=back.pk if was_live and back is not None else "",
        state=EffectState.OPEN if names else EffectState.NEVER_RAN,
    )


def _uncount(reached: RecallReach) -> None:
    """Void decisions on releases that have not started and do not fall by it."""
    held = voided_by(reached).values("pk")
    for release in lock_releases(Release.objects.filter(pk__in=held)):
        governance.uncount(release, reached.subject.uncounted)
