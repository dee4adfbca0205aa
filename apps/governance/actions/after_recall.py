"""What a recall does to releases: ends them, or takes decisions back. Called by assurance, which
has authorised the person, inside its unit of work and with the releases held."""

from apps.audit.actions import Recorder, record
from apps.governance import gates, rules
from apps.governance.actions.advance import move_release, store_gates
from apps.governance.actions.break_glass_ends import end_break_glasses_of
from apps.governance.events import RELEASE_REVOKED, RELEASE_UNCOUNTED
from apps.governance.models import BreakGlassSignature, Decision, Release
from apps.governance.queries.uncounting import RECALLED, signed_by
from apps.governance.rules import SIGNATURE_RECALLED, ReleaseState
from apps.serving.actions import release_prefetch
from placet.kernel import clock
from placet.kernel.actor import SYSTEM
from placet_verify.recalls import Uncounted


def revoke(release: Release, *, reason: str) -> bool:
    """End ``release`` for good; ``False`` when it has ended otherwise already."""
    with record(SYSTEM) as log:
        ended = {"ended_at": clock.now(), "ended_reason": reason[:2000]}
        if not move_release(release, expected=rules.REVOCABLE, to=ReleaseState.REVOKED, **ended):
            return False
        log.add(RELEASE_REVOKED, release, data={"number": release.number})
        end_break_glasses_of(release, log)
        release_prefetch(release.pk, actor=SYSTEM)
        return True


def uncount(release: Release, uncounted: Uncounted) -> int:
    """Void the decisions on an unfinished release that ``uncounted`` made; return how many.

    One that was approved is asked for again when its quorum is not met without them.
    """
    with record(SYSTEM) as log:
        _end_uncounted_break_glass(release, uncounted, log)
        rows = Decision.objects.select_for_update(of=("self",), no_key=True).select_related(
            "release__environment"
        )
        gone = list(
            rows.filter(signed_by(uncounted), release=release, voided_reason="").order_by("pk")
        )
        for row in gone:
            row.voided_reason = RECALLED
            row.save(update_fields=["voided_reason"])
        if not gone:
            return 0
        results = store_gates(release)
        if not gates.passed(results):
            move_release(
                release,
                expected=(ReleaseState.APPROVED, ReleaseState.REQUESTED),
                to=ReleaseState.REQUESTED,
                approved_at=None,
            )
        data = {"number": release.number, "voided": len(gone)}
        log.add(RELEASE_UNCOUNTED, release, *gone, data=data)
        return len(gone)


def _end_uncounted_break_glass(release: Release, uncounted: Uncounted, log: Recorder) -> None:
    """End what is open to break the glass for ``release``, when somebody signed it who does not
    count."""
    own = BreakGlassSignature.objects.filter(signed_by(uncounted), glass__release=release)
    if own.exists():
        end_break_glasses_of(release, log, why=SIGNATURE_RECALLED)
