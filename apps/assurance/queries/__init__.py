"""Reading recalls."""

from apps.assurance.queries.lists import (
    effects_of,
    get_recall,
    receipts_of,
    receipts_of_endpoint,
    standing_recalls,
    visible_recalls,
    with_counts,
)
from apps.assurance.queries.logged import of_recall, of_release
from apps.assurance.queries.reach import Place, Reach, Subject, foresee, preview, reach, subject_of

__all__ = [
    "Place",
    "Reach",
    "Subject",
    "effects_of",
    "foresee",
    "get_recall",
    "of_recall",
    "of_release",
    "preview",
    "reach",
    "receipts_of",
    "receipts_of_endpoint",
    "standing_recalls",
    "subject_of",
    "visible_recalls",
    "with_counts",
]
