"""Policies: drafted by one person, published by another, numbered and never changed again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Max

from apps.audit.actions import Recorder, record
from apps.governance import policies
from apps.governance.actions.advance import approve_if_passed, move_release, store_gates
from apps.governance.actions.break_glass_ends import end_break_glasses_of
from apps.governance.actions.ceremony import Ceremony, refuse_uncounted
from apps.governance.actions.duties import refuse_locked_out
from apps.governance.actions.locking import lock_environment, lock_policy, lock_releases
from apps.governance.actions.requests import sign_request
from apps.governance.approvals import ApprovalPolicy
from apps.governance.errors import InvalidPolicy, NotDraft, OldDraft, OwnDraft
from apps.governance.events import (
    POLICY_DRAFTED,
    POLICY_PUBLISHED,
    POLICY_WITHDRAWN,
    RELEASE_MOVED,
)
from apps.governance.models import (
    UNFINISHED_STATES,
    Decision,
    Environment,
    PolicyRevision,
    Release,
)
from apps.governance.rules import PolicyState, ReleaseState
from apps.identity import hooks
from apps.identity.errors import NotAsked
from apps.identity.queries import fresh_grants, scope_of
from apps.identity.sign_in.freshness import demand_fresh, demand_session
from apps.identity.trust.passkeys import PasskeyQuestion, stored
from placet.kernel import keystore
from placet.kernel.actor import SYSTEM, Actor
from placet.kernel.problems import FieldError, Forbidden, NeedsPermission
from placet.kernel.states import move
from placet_verify.permit.approvers import Signed
from placet_verify.signing.keys import KeyRing, PrivateKey
from placet_verify.statements import PasskeyPolicy, PolicyStatement

POLICY_CHANGED = "policy_changed"


class Published(NamedTuple):
    """A policy that was put into force: how many releases moved to it, and how many decisions on
    them count no more."""

    policy: PolicyRevision
    releases: int
    decisions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Publishing(Ceremony[PolicyStatement]):
    """A draft that somebody may publish."""

    NEEDED = "Publish it with your passkey on the environment's policy page"
    CHANGED = "The draft changed since your passkey signed it: publish it again"
    PROBLEM = NotAsked

    policy: PolicyRevision

    def statement(self, at: datetime, **signed: str) -> PolicyStatement:
        """Return its publication; with ``credential`` one that this passkey signs."""
        kind, more = (PasskeyPolicy, signed) if "credential" in signed else (PolicyStatement, {})
        return kind(
            project=self.policy.project_id,
            environment=self.environment,
            revision_id=self.policy.pk,
            number=self.policy.number,
            document=self.policy.document,
            drafted_by=self.policy.drafted_by,
            published_by=self.actor.accountable,
            at=at,
            **more,
        )


def draft_policy(environment: Environment, *, source: str, actor: Actor) -> PolicyRevision:
    """Store ``source`` (YAML) as the next draft, validated; it has no effect until published."""
    ring = keystore.ring()
    with record(actor) as log:
        row = lock_environment(environment, actor, "policy.draft")
        demand_fresh(actor)
        document = checked(row, source)
        _refuse_lax(row, document.document, ring, actor)
        last = row.policies.aggregate(last=Max("number"))["last"] or 0
        policy = PolicyRevision(
            environment=row,
            project_id=row.project_id,
            number=last + 1,
            source=source,
            document=document.document,
            digest=document.digest,
            drafted_by=actor.accountable,
        )
        policy.save(force_insert=True)
        log.add(POLICY_DRAFTED, policy, data={"number": policy.number})
        return policy


def checked(environment: Environment, source: str) -> policies.Policy:
    """Return the validated policy, or raise :class:`InvalidPolicy` naming line and member."""
    try:
        policy = policies.parse(source)
    except policies.PolicyFault as fault:
        raise InvalidPolicy(errors=[FieldError("/source", str(f)) for f in fault.faults]) from None
    earlier = set(
        Environment.objects.filter(
            project=environment.project_id, position__lt=environment.position
        ).values_list("name", flat=True)
    )
    wanted = {g["environment"] for g in policy.document["gates"] if g["gate"] == "soaked"}
    if unknown := sorted(wanted - earlier):
        detail = f"The gate soaked names {unknown[0]}, which is no earlier environment"
        raise InvalidPolicy(errors=[FieldError("/source", detail)])
    return policy


def withdraw_policy(policy: PolicyRevision, *, actor: Actor) -> PolicyRevision:
    """Give up a draft; its number is not used again."""
    with record(actor) as log:
        row = lock_policy(policy, actor, "policy.draft")
        if not move(row, expected=PolicyState.DRAFT, to=PolicyState.WITHDRAWN):
            raise NotDraft
        log.add(POLICY_WITHDRAWN, row, data={"number": row.number})
        return row


def ask_to_publish(policy: PolicyRevision, *, passkey: str = "", actor: Actor) -> PasskeyQuestion:
    """Return what the actor's passkey (``passkey``, else the newest) signs to publish a draft."""
    _check_session(actor)
    ring = keystore.ring()  # a file: read before the transaction
    with transaction.atomic():
        return _publishable(policy, ring, actor).ask(passkey)


def publish_policy(
    policy: PolicyRevision, *, assertion: Mapping[str, Any] | None = None, actor: Actor
) -> Published:
    """Put a draft into force: signed, final, and at once binding for every unfinished release.

    By an approver of the environment, in a browser session, who is not the drafter. Decisions on
    unfinished releases no longer count, because they were made under other rules. ``assertion`` is
    a passkey's answer to :func:`ask_to_publish`: a policy that demands passkeys is neither
    published nor replaced without. What is returned says what moved, too.
    """
    _check_session(actor)
    signer, ring = keystore.signer("decision"), keystore.ring()
    with record(actor) as log, hooks.more_access(actor):
        publishing = _publishable(policy, ring, actor)
        row = publishing.policy
        _publish(row, *publishing.sign(assertion, signer, ring))
        refuse_locked_out(row, actor)
        moved = _unfinished(row.environment)
        log.add(POLICY_PUBLISHED, row, data={"number": row.number, "moved": len(moved)})
        dropped = sum(_move_release(release, row, signer, log) for release in moved)
        return Published(row, len(moved), dropped)


def publish_new(environment: Environment, *, source: str, actor: Actor) -> PolicyRevision:
    """Draft and publish in one step, for the system alone: the policies a project starts with."""
    if actor.kind != "system":
        raise Forbidden("A policy must be published by someone other than its author")
    with record(SYSTEM):
        draft = draft_policy(environment, source=source, actor=SYSTEM)
        return publish_policy(draft, actor=SYSTEM).policy


def current_policy(environment: Environment) -> PolicyRevision | None:
    """Return the policy in force: the newest published one."""
    published = environment.policies.filter(state=PolicyState.PUBLISHED)
    return published.order_by("-number").first()


def _check_publisher(policy: PolicyRevision, actor: Actor) -> None:
    if actor.kind == "system":
        return
    if actor.accountable == policy.drafted_by:
        raise OwnDraft
    scope = scope_of(policy)
    held = fresh_grants(actor.id, lock=True)
    if not any(g.permission == "policy.publish" and g.scope.covers(scope) for g in held):
        raise NeedsPermission(actor, "policy.publish", scope=scope)


def _check_session(actor: Actor) -> None:
    if actor.kind != "system":
        demand_session(actor)


def _publishable(policy: PolicyRevision, ring: KeyRing, actor: Actor) -> _Publishing:
    """Hold a draft that the actor may publish now."""
    row = lock_policy(policy, actor, "policy.publish")
    refuse_uncounted(actor, "publish")
    _check_publisher(row, actor)
    if row.state != PolicyState.DRAFT:
        raise NotDraft
    newest = current_policy(row.environment)
    if newest is not None and newest.number > row.number:
        raise OldDraft
    document = checked(row.environment, row.source)
    if document.digest != row.digest:
        raise InvalidPolicy("The draft no longer means the same: draft it again")
    _refuse_lax(row.environment, document.document, ring, actor)
    concerned = [row] if newest is None else [row, newest]  # it may replace a strict one
    return _Publishing(
        actor=actor,
        about=f"publish {row.pk}",
        environment=row.environment.name,
        passkey=any(policy.approvals.passkey() for policy in concerned),
        policy=row,
    )


def _refuse_lax(
    environment: Environment, document: Mapping[str, Any], ring: KeyRing, actor: Actor
) -> None:
    """Refuse a policy that no node would take, where ``keys.json`` demands passkeys."""
    if environment.name not in ring.passkeys or actor.kind == "system":
        return
    rules = ApprovalPolicy.of(document).rules
    if not rules or not all(rule.passkey for rule in rules):
        detail = f"In {environment.name} every approvals gate must say passkey: true"
        raise InvalidPolicy(errors=[FieldError("/source", detail)])


def _publish(policy: PolicyRevision, signed: Signed, statement: PolicyStatement) -> None:
    changes: dict[str, Any] = {
        **stored(signed),
        "published_by": statement.published_by,
        "published_at": statement.at,
    }
    if statement.document_digest != policy.digest or not move(
        policy, expected=PolicyState.DRAFT, to=PolicyState.PUBLISHED, **changes
    ):
        raise NotDraft


def _unfinished(environment: Environment) -> list[Release]:
    return lock_releases(
        Release.objects.filter(environment=environment, state__in=UNFINISHED_STATES)
    )


def _move_release(
    release: Release, policy: PolicyRevision, signer: PrivateKey, log: Recorder
) -> int:
    """Put an unfinished release under the new policy: decisions void, request signed anew. Return
    how many decisions those are."""
    decisions = list(
        Decision.objects.select_for_update(of=("self",), no_key=True)
        .select_related("release__environment")
        .filter(release=release, voided_reason="")
        .order_by("pk")
    )
    for decision in decisions:
        decision.voided_reason = POLICY_CHANGED
        decision.save(update_fields=["voided_reason"])
    release.policy = policy
    signed = sign_request(release, signer)
    move_release(
        release,
        expected=UNFINISHED_STATES,
        to=ReleaseState.REQUESTED,
        policy=policy,
        approved_at=None,
        **signed,
    )
    results = store_gates(release)
    # opened and confirmed under other rules
    end_break_glasses_of(release, log, policy=policy.number)
    data = {"number": release.number, "policy": policy.number, "voided": len(decisions)}
    log.add(RELEASE_MOVED, release, *decisions, data=data)
    approve_if_passed(release, results, log)
    return len(decisions)
