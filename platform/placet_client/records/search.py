# Written from tests/contract/openapi.yaml by bin/client_records.py: `make schema` renews it.
"""What a search finds."""

from dataclasses import dataclass

from placet_client.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit(Record):
    """One thing that was found; ``url`` is its page."""

    kind: str
    id: str
    title: str
    detail: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Search(Record):
    """What was found."""

    items: tuple[Hit, ...]
