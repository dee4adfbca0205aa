"""Who let a release run, as its permit says: the permit that its revision carries in the log."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import F, OuterRef, QuerySet
from django.db.models.functions import JSONObject

from apps.assurance.queries.voided import first_recall
from apps.audit.models import Event
from apps.governance.events import GLASS_CONFIRMED, GLASS_OPENED, RELEASE_DECIDED
from apps.governance.models import BreakGlassSignature, Decision, Release
from apps.identity.queries import people_names
from placet_verify.errors import Refused
from placet_verify.permit.permit import envelopes
from placet_verify.statements import (
    APPROVE,
    BreakGlassStatement,
    DecisionStatement,
    RequestStatement,
    parse,
)

DECIDED = (RELEASE_DECIDED.name, GLASS_OPENED.name, GLASS_CONFIRMED.name)


@dataclass(frozen=True, slots=True)
class Approval:
    """A person who let the release run. ``event`` is where the log says so, if it is known."""

    person: str
    name: str
    role: str
    at: datetime
    emergency: bool = False  # by breaking the glass
    event: int | None = None
    recalled_since: bool = False  # by a recall that stands: it would not count today


@dataclass(frozen=True, slots=True)
class Approved:
    """What a permit says, and the names of what it is about ('' where they are not known)."""

    release: str = ""
    policy: int = 0
    policy_digest: str = ""
    artifact: str = ""
    approvals: tuple[Approval, ...] = ()
    number: int = 0
    model: str = ""
    version: int = 0


NOTHING_APPROVED = Approved()


def approved_by(permits: Iterable[str]) -> dict[str, Approved]:
    """Return what each of these permits says, by its text. One that cannot be read says nothing.

    Whether a permit holds is asked elsewhere: with its signatures, by whoever has its bundle.
    """
    read = {text: _permit(text) for text in set(permits)}
    releases = {row.release for row in read.values() if row.release}
    if not releases:
        return read
    known = {row["pk"]: row for row in _releases(releases)}
    names = people_names(one.person for row in read.values() for one in row.approvals)
    return {text: _named(row, known.get(row.release), names) for text, row in read.items()}


def _permit(text: str) -> Approved:
    try:
        signed = [parse(envelope.payload) for what, envelope in envelopes(text) if what in PARTS]
    except (Refused, ValueError, TypeError, KeyError):
        return NOTHING_APPROVED
    request = next((one for one in signed if isinstance(one, RequestStatement)), None)
    if request is None:
        return NOTHING_APPROVED
    return Approved(
        release=request.release,
        policy=request.policy_number,
        policy_digest=request.policy_digest,
        artifact=request.artifact_digest,
        approvals=tuple(
            _approval(one)
            for one in signed
            if isinstance(one, DecisionStatement) and one.verdict == APPROVE
        ),
    )


PARTS = ("request", "decision", "break-glass")


def _approval(one: DecisionStatement) -> Approval:
    emergency = isinstance(one, BreakGlassStatement)
    return Approval(one.person, one.person, one.role, one.at, emergency)


def _releases(ids: Iterable[str]) -> Iterable[Mapping[str, Any]]:
    decided = Event.objects.filter(subject=OuterRef("pk"), kind__in=DECIDED).order_by("index")
    said = JSONObject(index="index", kind="kind", who="actor_id")
    approved = Decision.objects.filter(release=OuterRef("pk"), verdict=APPROVE, voided_reason="")
    signed = BreakGlassSignature.objects.filter(glass__release=OuterRef("pk"))
    return (
        Release.objects.filter(pk__in=ids)
        .annotate(
            decided=ArraySubquery(decided.values(said=said)),
            gone=_recalled_since(approved),
            gone_signed=_recalled_since(signed.filter(glass__used_at__isnull=False)),
        )
        .values(
            "pk",
            "number",
            "version__number",
            "version__model__name",
            "version__artifact_digest",
            "decided",
            "gone",
            "gone_signed",
        )
    )


def _recalled_since(signatures: QuerySet[Any]) -> ArraySubquery:
    """Return who made those of ``signatures`` that a recall which stands took back since."""
    rows = signatures.alias(back=first_recall(F("pk"), standing=True))
    return ArraySubquery(rows.filter(back__isnull=False).values("person"))


def _named(row: Approved, release: Mapping[str, Any] | None, names: Mapping[str, str]) -> Approved:
    """Add names, and where the log says it. A version whose row is not what was approved has none.

    Who decided more than once, because the request changed, is in the permit with the last of it.
    """
    decided: list[Mapping[str, Any]] = release["decided"] if release else []
    last = {(one["who"], one["kind"] != RELEASE_DECIDED.name): one["index"] for one in decided}
    gone = {False: release["gone"], True: release["gone_signed"]} if release else {}
    approvals = tuple(
        replace(
            one,
            name=names.get(one.person, one.person),
            event=last.get((one.person, one.emergency)),
            recalled_since=one.person in gone.get(one.emergency, ()),
        )
        for one in row.approvals
    )
    row = replace(row, approvals=approvals)
    if release is None:
        return row
    row = replace(row, number=release["number"])
    if release["version__artifact_digest"] != row.artifact:
        return row
    return replace(row, model=release["version__model__name"], version=release["version__number"])
