"""Every write of assurance."""

from apps.assurance.actions.archiving import archive_events
from apps.assurance.actions.lifting import lift
from apps.assurance.actions.recalling import recall
from apps.assurance.actions.receipts import take_in
from apps.assurance.actions.retention import lift_hold, place_hold, set_retention

__all__ = [
    "archive_events",
    "lift",
    "lift_hold",
    "place_hold",
    "recall",
    "set_retention",
    "take_in",
]
