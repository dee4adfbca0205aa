"""Every write of assurance."""

from apps.assurance.actions.lifting import lift
from apps.assurance.actions.recalling import recall
from apps.assurance.actions.receipts import take_in

__all__ = ["lift", "recall", "take_in"]
