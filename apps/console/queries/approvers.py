"""Who let a release run, as lists say it: who approved it, and who made it an emergency release."""

from collections.abc import Iterable
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef

from apps.console.queries.page_parts import in_a_row
from apps.governance.models import BreakGlassSignature, Decision
from apps.identity.queries import name_in
from placet_verify.statements import APPROVE


def approvers_of(release: str) -> dict[str, Any]:
    """Return the columns ``approvers`` and ``emergency`` of a query in which ``release`` is the id:
    the names of who approved, and of who signed the emergency release that it was started by."""
    approved = Decision.objects.filter(
        release=OuterRef(release), verdict=APPROVE, voided_reason=""
    ).order_by("pk")
    started = BreakGlassSignature.objects.filter(
        glass__release=OuterRef(release), glass__used_at__isnull=False
    ).order_by("created_at", "pk")
    return {
        "approvers": ArraySubquery(approved.values(name=name_in("person"))),
        "emergency": ArraySubquery(started.values(name=name_in("person"))),
    }


def approval(approvers: Iterable[str], emergency: Iterable[str]) -> str:
    """Say who approved a release; where people started it in an emergency, that first. '' where
    nobody had to."""
    names, signers = ", ".join(approvers), list(dict.fromkeys(emergency))
    if not signers:
        return names
    return f"Emergency release by {in_a_row(signers)}" + (f"; approved by {names}" if names else "")


def everybody(approvers: Iterable[str], emergency: Iterable[str]) -> list[str]:
    """Return the same people as cells of a table."""
    signed = (f"{name} (emergency release)" for name in dict.fromkeys(emergency))
    return [*approvers, *signed]
