# Written from tests/contract/openapi.yaml by bin/client_records.py: `make schema` renews it.
"""What was shown to who decided on a release."""

from dataclasses import dataclass
from typing import Any

from placet_client.records.base import Json, Record
from placet_client.records.governance import (
    Changes,
    Decision,
    Gate,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveThen(Record):
    """What was live at the endpoint, which the release was compared with."""

    release: str
    number: int
    version: int
    inputs: int
    packages: int
    is_unjustified: bool  # The review of its emergency release did not find it justified


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingChange(Record):
    """A member of the serving configuration that differs from that of what was live."""

    name: str
    live: Any
    proposed: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedThen(Record):
    """A piece of evidence that the request pinned, as it was summed up."""

    kind: str
    source: str
    digest: str
    summary: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class LostPin(Record):
    """One that was pinned and no longer was as it had been."""

    kind: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRecord(Record):
    """What the page of a release showed when somebody decided, beside its gates."""

    live: LiveThen | None
    is_stopped: bool  # The endpoint was
    inputs: int
    changes: Changes
    serving: tuple[ServingChange, ...]
    evidence: tuple[PinnedThen, ...]
    lost: tuple[LostPin, ...]
    left_out: dict[str, int]  # How many rows of which list there was no room to keep


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionDetail(Decision):
    """A decision with what it was made on: the gates as they stood and, but of one that was made
    before that was kept, the rest of the page. ``record_digest`` stands in the log."""

    release: str
    gates: tuple[Gate, ...]
    record: ReleaseRecord | None
    record_digest: str  # Of the record as it is stored, or ''
