# Written from tests/contract/openapi.yaml by bin/client_records.py: `make schema` renews it.
"""Secrets of environments, without their values."""

from dataclasses import dataclass
from datetime import datetime

from placet_client.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretVersion(Record):
    """That a secret was given a value, and what became of it."""

    number: int
    created_by: str
    created_at: datetime
    revoked_by: str  # '' unless it was revoked
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret(Record):
    """A secret of an environment, without any value."""

    id: str
    project: str
    environment: str
    name: str
    version: int | None  # Which is in use; None when it was revoked
    versions: tuple[SecretVersion, ...]  # The newest first
    created_at: datetime
