"""The desired state of a target: composed from rows, signed by the ``state`` key, pulled by nodes.

Only a process that may read the ``state`` key can sign (the control worker); everybody else asks
for it with :func:`publish`, in the transaction that changed what is desired.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from django.db.models import Prefetch as Fetch

from apps.audit.models import Checkpoint
from apps.jobs.actions import enqueue
from apps.serving import hooks, readable, rules, secret_values
from apps.serving.drivers.base import StateGeneration
from apps.serving.models import (
    DesiredState,
    Endpoint,
    EndpointKey,
    Node,
    Prefetch,
    Revision,
    Target,
)
from apps.serving.rules import EndpointState, RevisionState
from placet.kernel.clock import now, rfc3339
from placet.kernel.faults import crash_point
from placet.kernel.keystore import signer
from placet_protocol.report import FEATURES
from placet_protocol.state import (
    EndpointEntry,
    PrefetchEntry,
    RevisionEntry,
    RuntimeEntry,
    StateContent,
    StateDocument,
    read_state,
    write_state,
)
from placet_protocol.state import endpoint_path as path_of
from placet_verify import canonical
from placet_verify.permit.serving import is_slim
from placet_verify.signing import dsse
from placet_verify.signing.keys import PrivateKey

log = logging.getLogger(__name__)
NO_VALUES: secret_values.Values = {}
CHANNEL = "placet_state"  # PostgreSQL's NOTIFY wakes long polls; its payload is a target id
TARGETS_AT_ONCE = 25  # targets whose states one job signs
_together: ContextVar[set[str] | None] = ContextVar("published_together", default=None)


def publish(target_id: str) -> None:
    """Have the state of a target signed anew after this transaction, if its content changed."""
    if (gathered := _together.get()) is not None:
        gathered.add(target_id)
        return
    enqueue("serving.publish", queue="control", key=target_id, target=target_id)


@contextmanager
def together() -> Iterator[None]:
    """Have all targets that are published within, which may be all there are, signed by few jobs:
    a job for each takes as long again as the signing, and to ask for it twice longer still."""
    gathered = set[str]()
    token = _together.set(gathered)
    try:
        yield
    finally:
        _together.reset(token)
    targets = sorted(gathered)
    for first in range(0, len(targets), TARGETS_AT_ONCE):
        part = targets[first : first + TARGETS_AT_ONCE]
        enqueue("serving.publish_all", queue="control", targets=part)


def compose(target: Target) -> StateContent:
    """Return what the node of ``target`` should serve: the state without number, times and
    checkpoint, so that equal wishes have equal digests.

    Nobody has looked yet whether a node can read it: see :func:`readable.split`.
    """
    endpoints = (
        Endpoint.objects.kept().filter(target=target).select_related("project").order_by("pk")
    )
    present = Revision.objects.filter(state__in=rules.PRESENT).select_related("bento__runtime")
    keys = EndpointKey.objects.filter(revoked_at=None).order_by("pk")
    fetched: Any = endpoints.prefetch_related(
        Fetch("revisions", present.order_by("number"), to_attr="present_revisions"),
        Fetch("keys", keys, to_attr="valid_keys"),
    )
    named = secret_values.named_by(row for one in fetched for row in one.present_revisions)
    values = secret_values.current(named) if named else NO_VALUES
    recalls = hooks.keeper().told(target)
    return StateContent(
        v=1,
        target=target.pk,
        on_expired="stop" if any(hooks.stops_when_expired(target)) else "serve",
        recalled=recalls["recalled"],
        recalls=recalls["recalls"],
        endpoints=_with_former([endpoint_entry(row, values) for row in fetched], target),
        prefetch=prefetch_entries(Prefetch.objects.filter(target=target).select_related("bento")),
    )


def _with_former(entries: list[EndpointEntry], target: Target) -> list[EndpointEntry]:
    """Add whose address each had before: of deleted endpoints, those that a node may remember.

    A node lets no other endpoint have an address that it knows. It is told as long as the heir is
    there, for it may have been away; one that nothing was ever released to it never heard of.
    """
    same_name = {name: OuterRef(name) for name in ("project", "environment", "name")}
    heirs = Endpoint.objects.kept().filter(target=target, **same_name)
    had = Revision.objects.filter(endpoint=OuterRef("pk"))
    rows = Endpoint.objects.filter(Exists(heirs), Exists(had), state=EndpointState.DELETED)
    former = defaultdict[tuple[str, str, str], list[str]](list)
    for row in rows.order_by("-created_at", "-pk"):
        former[row.project_id, row.environment, row.name].append(row.pk)
    for entry in entries:
        if former_ids := former.get((entry["project"], entry["environment"], entry["name"])):
            entry["former"] = former_ids[: rules.FORMER]
    return entries


def endpoint_entry(endpoint: Any, values: secret_values.Values = NO_VALUES) -> EndpointEntry:
    """Return one endpoint with its ``present_revisions`` and ``valid_keys``, which are given those
    of the ``values`` of secrets that they name."""
    active, present = endpoint.state == EndpointState.ACTIVE, endpoint.present_revisions
    return EndpointEntry(
        id=endpoint.pk,
        project=endpoint.project_id,
        project_slug=endpoint.project.slug,
        environment=endpoint.environment,
        name=endpoint.name,
        path=endpoint_path(endpoint),
        api_key_required=endpoint.api_key_required,
        keys=[key.secret_hash for key in endpoint.valid_keys],
        stable=next((row.pk for row in present if row.state == RevisionState.LIVE), None),
        revisions=[
            _with_secrets(revision_entry(row, endpoint_active=active), row, endpoint, values)
            for row in present
        ],
    )


def endpoint_path(endpoint: Endpoint) -> str:
    """Return the stable path that clients call."""
    return path_of(endpoint.project.slug, endpoint.environment, endpoint.name)


def revision_entry(revision: Revision, *, endpoint_active: bool) -> RevisionEntry:
    """Return one revision as a node is told about it."""
    bento = revision.bento
    runtime = RuntimeEntry(digest=bento.runtime_id, python_version=bento.runtime.python_version)
    return RevisionEntry(
        id=revision.pk,
        release=revision.release,
        bento_digest=bento.digest,
        bento_sha256=bento.digest.removeprefix("sha256:"),
        bento_size=bento.size,
        runtime=runtime,
        permit=revision.permit,
        serving=revision.serving,
        replicas=revision.replicas,
        memory_mb=revision.memory_mb,
        variables=revision.variables,
        weight=revision.weight,
        wanted=rules.wanted(revision.state, endpoint_active=endpoint_active),
        restart_nonce=revision.restart_nonce,
        salt=revision.salt or None,
        header_route=revision.header_route,
        mirror=revision.mirror,
        guard=revision.guard,
        needs=needs_of(revision),
    )


def _with_secrets(
    entry: RevisionEntry, revision: Revision, endpoint: Endpoint, values: secret_values.Values
) -> RevisionEntry:
    """Add which values the secrets of a revision have; most revisions name none."""
    if secrets := secret_values.entries(revision, endpoint.environment, values):
        entry["secrets"] = secrets
    return entry


def needs_of(revision: Revision) -> list[str]:
    """Return what an agent must know to run a revision as it was approved."""
    serving = revision.serving if isinstance(revision.serving, dict) else {}
    needs = {name for name in ("unit", "capture", "limits", "secrets") if serving.get(name)}
    needs |= {name for name in ("header_route", "mirror", "guard") if getattr(revision, name)}
    needs |= {"apart"} if "egress" in serving else set()
    needs |= {"slim"} if is_slim(serving) else set()
    needs |= {"scaling"} if serving.get("target_inflight") else set()
    needs |= {"zero"} if serving.get("min_replicas") == 0 else set()
    return [name for name in FEATURES if name in needs]


def prefetch_entries(rows: Iterable[Prefetch]) -> list[PrefetchEntry]:
    """Return what should lie ready, each Bento once."""
    runtimes = {row.bento_id: row.bento.runtime_id for row in rows}
    return [PrefetchEntry(bento_digest=b, runtime_digest=r) for b, r in sorted(runtimes.items())]


def sign_state(target_id: str) -> StateGeneration:
    """Sign the state of a target if its content changed or its validity runs out.

    Returns the number of the state that carries what is wished now. Repeating it is harmless:
    equal content keeps its number. Needs the ``state`` key. What a node could not read is left
    out, logged and shown with the target, and the rest is signed: one bad row stops nobody.
    """
    key = signer("state")  # a file: read before the transaction
    unreadable = secret_values.seal_for(target_id)
    with transaction.atomic():
        target = Target.objects.get(pk=target_id)
        DesiredState.objects.get_or_create(target=target)
        state = DesiredState.objects.select_for_update(no_key=True).get(target=target)
        content, left_out = readable.split(compose(target))
        _sign(state, content, key)
    crash_point("serving.after_state_commit")
    _show(target_id, [*left_out, *map(_unreadable, unreadable)])
    return StateGeneration(state.epoch, state.number)


def _unreadable(sentence: str) -> readable.LeftOutPart:
    return readable.LeftOutPart(code="secret_unreadable", detail=sentence[:500])


def _sign(state: DesiredState, content: StateContent, key: PrivateKey) -> None:
    """Sign ``content`` unless it is what was signed last and that is still good for long."""
    digest, at = canonical.digest(content), now()
    if state.content_digest == digest and not _runs_out(state, at):
        return
    state.number += 1
    payload = write_state(_document(content, state, at))
    read_state(canonical.loads(payload))  # what no node could read is not signed
    state.envelope = dsse.sign(dsse.STATE, payload, key).to_json()
    state.content_digest, state.signed_at = digest, at
    state.save()
    crash_point("serving.before_state_commit")
    notify(state.target_id)


def _show(target_id: str, left_out: list[readable.LeftOutPart]) -> None:
    """Have the target's page say what was left out. A statement of its own: who takes a report
    holds the node's row while it waits for the state's."""
    for one in left_out:
        log.error("target %s: %s", target_id, one["detail"])
    nodes = Node.objects.filter(target=target_id)
    nodes.exclude(left_out=left_out).update(left_out=left_out)


def _document(content: StateContent, state: DesiredState, at: datetime) -> StateDocument:
    newest = Checkpoint.objects.order_by("-size").first()
    return StateDocument(
        **content,
        epoch=state.epoch,
        number=state.number,
        issued_at=rfc3339(at),
        valid_until=rfc3339(at + timedelta(hours=rules.STATE_HOURS)),
        checkpoint=newest.note if newest else None,
    )


def _runs_out(state: DesiredState, at: datetime) -> bool:
    if state.signed_at is None:
        return True
    age = at - state.signed_at
    return age > timedelta(hours=rules.STATE_HOURS - rules.RENEW_HOURS)


def notify(target_id: str) -> None:
    """Wake the long polls of ``target_id`` when this transaction commits."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, target_id])


def publish_running_out() -> int:
    """Ask for a new signature of every state that runs out within the renewal time."""
    limit = now() - timedelta(hours=rules.STATE_HOURS - rules.RENEW_HOURS)
    rows = DesiredState.objects.filter(signed_at__lt=limit)
    targets = list(rows.values_list("target_id", flat=True))
    for target_id in targets:
        publish(target_id)
    return len(targets)
