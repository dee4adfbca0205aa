"""What the page of a project's signing keys says."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.console.queries.signing_keys import KeyRow
from apps.registry.models import SigningKey

AT = datetime(2026, 11, 28, tzinfo=UTC)
BEFORE, LATER = AT - timedelta(days=1), AT + timedelta(days=1)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({}, "Trusted: "),
        ({"valid_until": LATER}, "Trusted: until at "),
        ({"valid_until": BEFORE}, "Expired:  at "),
        ({"valid_until": BEFORE, "revoked_at": AT, "revoked_by": "per_2"}, "Revoked:  at by Rita"),
    ],
)
def test_a_signing_key_says_whether_it_counts(members: dict[str, Any], said: str) -> None:
    row = KeyRow(SigningKey(created_by="per_1", **members), {"per_1": "Ada", "per_2": "Rita"}, AT)
    when = f"{row.until} at {row.revoked_by}" if row.at else ""
    assert f"{row.sign.text}: {when}" == said
    assert row.trusted_by == "by Ada"
