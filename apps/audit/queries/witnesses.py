"""Who witnesses this log, whom it witnesses, and the keys that both go by."""

from dataclasses import dataclass

from django.db.models import QuerySet

from apps.audit.models import Witness, WitnessedHead, WitnessedLog
from apps.audit.names import origin, witness_name
from placet.kernel.actor import Actor
from placet.kernel.clock import now
from placet.kernel.keystore import ring, witness_public
from placet.kernel.problems import NeedsPermission
from placet_verify.log.checkpoint import verifier_key
from placet_verify.log.cosignature import WitnessKey


@dataclass(frozen=True, slots=True)
class OwnKeys:
    """What others are given: the key of this log, and the key that it cosigns theirs with."""

    origin: str
    log_key: str
    witness_key: str


def may_see(actor: Actor) -> bool:
    """Tell whether ``actor`` sees who witnesses what: who reads the log, or administers them."""
    return actor.can("audit.view") or actor.can("audit.witness")


def _need(actor: Actor) -> None:
    if not may_see(actor):
        raise NeedsPermission(actor, "audit.view", "audit.witness")


def witnesses_visible(actor: Actor) -> QuerySet[Witness]:
    """Return the witnesses with their state; raise ``Forbidden`` to who may not see them."""
    _need(actor)
    return Witness.objects.select_related("state")


def witnessed_logs_visible(actor: Actor) -> QuerySet[WitnessedLog]:
    """Return the logs that are witnessed here; raise ``Forbidden`` likewise."""
    _need(actor)
    return WitnessedLog.objects.all()


def heads_of(logs: list[WitnessedLog]) -> dict[str, WitnessedHead]:
    """Return what was last cosigned of each log, by its origin."""
    return WitnessedHead.objects.in_bulk([log.origin for log in logs])


def own_keys() -> OwnKeys:
    """Return the public keys as verifiers take them (C2SP signed-note)."""
    name, current = origin(), ring().current("log", now())
    return OwnKeys(
        origin=name,
        log_key=verifier_key(name, current.public),
        witness_key=str(WitnessKey(witness_name(), witness_public())),
    )
