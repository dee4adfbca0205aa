"""Reading recalls."""

from apps.assurance.queries.events_of_recalls import of_recall, of_release
from apps.assurance.queries.impact import (
    RecallReach,
    RecallSubject,
    ReleaseImpact,
    foresee,
    preview,
    reach,
    subject_of,
    voided_by,
)
from apps.assurance.queries.visible_recalls import (
    effects_of,
    get_recall,
    recalls_matching,
    receipts_of,
    receipts_of_endpoint,
    standing_recalls,
    targets_told,
    unanswered,
    visible_recalls,
    whose_decisions,
    with_counts,
)
from apps.assurance.queries.voided import voided_along, voided_by_each, voided_seen

__all__ = [
    "RecallReach",
    "RecallSubject",
    "ReleaseImpact",
    "effects_of",
    "foresee",
    "get_recall",
    "of_recall",
    "of_release",
    "preview",
    "reach",
    "recalls_matching",
    "receipts_of",
    "receipts_of_endpoint",
    "standing_recalls",
    "subject_of",
    "targets_told",
    "unanswered",
    "visible_recalls",
    "voided_along",
    "voided_by",
    "voided_by_each",
    "voided_seen",
    "whose_decisions",
    "with_counts",
]
