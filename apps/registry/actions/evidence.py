"""Facts about versions, and reasons to keep them."""

from typing import Any

from django.db.models import Sum, TextField
from django.db.models.functions import Cast, Length

from apps.audit.actions import record
from apps.registry import rules
from apps.registry.actions.locking import lock_version, refuse
from apps.registry.events import EVIDENCE_ADDED, HOLD_PLACED, HOLD_RELEASED
from apps.registry.models import Evidence, EvidenceSource, Hold, HoldReason, ModelVersion
from apps.registry.rules.evidence import evidence_digest
from placet.kernel.actor import SYSTEM, Actor
from placet.kernel.config import config
from placet.kernel.problems import FieldError, Forbidden, NotFound, QuotaReached
from placet_verify import canonical


def add_evidence(
    version: ModelVersion,
    *,
    kind: str,
    data: dict[str, Any],
    source: str = EvidenceSource.REPORTED,
    bento_digest: str = "",
    actor: Actor,
) -> Evidence:
    """Add an immutable fact about ``version``. Only Placet itself adds ``measured`` ones.

    The digest is over everything that gives the fact its meaning, not over the data alone.
    """
    with record(actor) as log:
        row = lock_version(version, actor, "evidence.add")
        if source == EvidenceSource.MEASURED and actor.kind != "system":
            raise Forbidden("Only Placet itself adds measured evidence: send it as reported")
        faults = rules.evidence_faults(kind, data)
        if source not in EvidenceSource.values:
            faults.append(FieldError("/source", f"One of {', '.join(EvidenceSource.values)}"))
        if bento_digest and not canonical.is_digest(bento_digest):
            faults.append(FieldError("/bento_digest", "sha256: and 64 lower-case hex digits"))
        refuse(faults)
        if source == EvidenceSource.REPORTED:
            _refuse_much(row, data)
        evidence = Evidence(
            version=row,
            project_id=row.project_id,
            kind=kind,
            source=source,
            data=data,
            digest=evidence_digest(row.pk, kind, source, bento_digest, data, actor.id),
            bento_digest=bento_digest,
            created_by=actor.id,
        )
        evidence.save(force_insert=True)
        log.add(EVIDENCE_ADDED, evidence, data={"kind": kind, "source": source})
    return evidence


def take_down_card(version: ModelVersion) -> None:
    """Add what Placet itself saw of the card of a frozen version, unless that is known: evidence of
    it needs nobody to report it. The version is held by the caller; one with no card, and none
    before, gets nothing."""
    taken = version.evidence.filter(kind="model_card", source=EvidenceSource.MEASURED)
    before = taken.order_by("-created_at", "-pk").first()
    data = rules.card_data(version.card)
    if data != (before.data if before else rules.card_data("")):
        add_evidence(
            version, kind="model_card", data=data, source=EvidenceSource.MEASURED, actor=SYSTEM
        )


def _refuse_much(version: ModelVersion, data: dict[str, Any]) -> None:
    """Count bytes as PostgreSQL writes them. The version is held."""
    size = Sum(Length(Cast("data", TextField())))
    reported = version.evidence.filter(source=EvidenceSource.REPORTED)
    kept = reported.aggregate(size=size)["size"] or 0
    most = config().max_evidence_bytes
    if kept + len(canonical.dumps(data)) > most:
        raise QuotaReached(
            f"{version} has {kept:,} bytes of reported evidence",
            most,
            remedy="report the digest of a long document, and keep the document elsewhere",
            setting="PLACET_MAX_EVIDENCE_BYTES",
        )


def place_hold(version: ModelVersion, *, reason: str, holder: str, actor: Actor) -> Hold:
    """Keep ``version`` because ``holder`` needs it. Twice is once. For the system alone: a person
    holds a version by releasing it."""
    _only_system(actor)
    if reason not in HoldReason.values:
        raise ValueError(f"no such reason to hold a version: {reason}")
    with record(actor) as log:
        row = lock_version(version, actor, "version.edit")
        hold, created = Hold.objects.get_or_create(
            version=row, reason=reason, holder=holder, defaults={"project_id": row.project_id}
        )
        if created:
            log.add(HOLD_PLACED, hold, data={"reason": reason})
    return hold


def release_hold(version: ModelVersion, *, reason: str, holder: str, actor: Actor) -> None:
    """Give up a hold; one that is not there is no fault."""
    _only_system(actor)
    with record(actor) as log:
        row = lock_version(version, actor, "version.edit")
        for hold in Hold.objects.filter(version=row, reason=reason, holder=holder):
            gone = Hold(**{f.attname: getattr(hold, f.attname) for f in Hold._meta.concrete_fields})
            hold.delete()
            log.add(HOLD_RELEASED, deleted=(gone,), data={"reason": reason})


def _only_system(actor: Actor) -> None:
    if actor.kind == "anonymous":
        raise NotFound
    if actor.kind != "system":
        raise Forbidden("Holds are placed and released by Placet itself")
