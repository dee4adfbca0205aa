# Written from tests/contract/openapi.yaml by bin/client_records.py: `make schema` renews it.
"""What is said of a release itself, outside of threads."""

from dataclasses import dataclass

from placet_client.records.discussions import (
    Unmentioned,
)
from placet_client.records.governance import (
    Comment,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeComment(Comment):
    """A remark that was just made, and what in it has an @, though a remark mentions nobody."""

    unmentioned: tuple[Unmentioned, ...]
