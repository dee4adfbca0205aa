"""Remembering up to where the log was verified as it grew."""

from apps.audit.models import VerifiedHead
from apps.audit.queries.verify_new import NotContinued, report_fault, verify_new
from placet.kernel.clock import now


def verify_growth() -> VerifiedHead | None:
    """Check what came to the log since the last time, and keep up to where; ``None`` for nothing
    new. At a fault the row says which, and stays where it is until that is resolved.

    A check is a reading: it writes no event, or the log would never be verified to its end.
    Two at once do no harm, for who was second finds the row moved on.
    """
    known = VerifiedHead.objects.first()
    try:
        report = verify_new(known)
    except NotContinued as error:
        return _keep(known, fault=str(error))
    if report is None:
        return None
    fault = report_fault(report)
    if fault is not None:
        return _keep(known, fault=fault.sentence)
    return _keep(known, size=report.size, root=report.root)


def _keep(known: VerifiedHead | None, **changes: object) -> VerifiedHead:
    values = {"at": now(), "fault": "", **changes}
    if known is None:
        VerifiedHead.objects.bulk_create(
            [VerifiedHead(**{"size": 0, "root": b"", **values})], ignore_conflicts=True
        )
    else:
        VerifiedHead.objects.filter(pk=1, size=known.size).update(**values)
    return VerifiedHead.objects.get(pk=1)
