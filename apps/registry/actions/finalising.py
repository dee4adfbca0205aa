"""Freezing a version: its files are recognised, what they say is filled in, all is checked."""

from apps.audit.actions import record
from apps.identity.queries import authorize
from apps.registry import readiness, signing
from apps.registry.actions.evidence import add_evidence, take_down_card
from apps.registry.actions.locking import lock_version
from apps.registry.errors import AlreadyFinalised, ChangedMeanwhile
from apps.registry.events import VERSION_FINALISED
from apps.registry.models import EvidenceSource, ModelVersion, VersionState
from placet.kernel.actor import SYSTEM, Actor
from placet.kernel.clock import database_now
from placet.kernel.faults import crash_point
from placet.kernel.states import move
from placet_verify import canonical

FILLED_IN = ("format", "python_version", "requirements", "variables", "signature", "example")


def finalise(version: ModelVersion, *, actor: Actor) -> ModelVersion:
    """Freeze a draft. Raises :class:`NotReady` naming everything that is missing.

    Files are read before the transaction; whoever changes the draft meanwhile wins, and the
    caller is told so.
    """
    row = ModelVersion.objects.select_related("model", "project").get(pk=version.pk)
    authorize(actor, "version.edit", row, view="version.view")
    if row.state != VersionState.DRAFT:
        raise AlreadyFinalised
    files = list(row.files.order_by("path"))
    frozen = readiness.freeze(row, files)
    crash_point("registry.before_finalise")
    with record(actor) as log:
        locked = lock_version(row, actor, "version.edit")
        if locked.state != VersionState.DRAFT:
            raise AlreadyFinalised
        changes = {name: getattr(frozen, name) for name in FILLED_IN}
        if locked.generation != row.generation or not move(
            locked,
            expected=VersionState.DRAFT,
            to=VersionState.FINALISED,
            artifact_digest=canonical.digest(readiness.manifest(files)),
            finalised_at=database_now(),
            **changes,
        ):
            raise ChangedMeanwhile
        log.add(VERSION_FINALISED, locked, data={"number": locked.number})
        if frozen.signed is not None:
            add_evidence(
                locked,
                kind="model_signature",
                data=signing.evidence_of(frozen.signed),
                source=EvidenceSource.MEASURED,
                actor=SYSTEM,
            )
        take_down_card(locked)
    return locked
