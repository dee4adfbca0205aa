# Written from tests/contract/openapi.yaml by bin/client_records.py: `make schema` renews it.
"""What waits for a decision of the token's owner."""

from dataclasses import dataclass
from datetime import datetime

from placet_client.records.governance import (
    Release,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingRelease(Release):
    """A release that waits for your decision, and who asked you by name, if anybody did."""

    asked_by: str  # Who asked you by name to review it, or somebody for whom you stand in, or ''.
    stands_in_for: str  # Who is away and was asked, and for whom you stand in, or ''.
    review_due_at: datetime | None  # Until when they asked you, if they said so.
