"""What the page of one's own API tokens says."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.console.queries.tokens import OfferedPreset, TokenRow
from apps.identity.models import ApiToken
from apps.identity.rules import ROLES
from apps.identity.rules.presets import PRESETS

AT = datetime(2026, 11, 28, tzinfo=UTC)
BEFORE, LATER = AT - timedelta(days=1), AT + timedelta(days=1)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"expires_at": LATER}, ""),
        ({"expires_at": BEFORE}, "Expired"),
        ({"expires_at": BEFORE, "revoked_at": AT}, "Revoked"),
        ({"expires_at": LATER, "revoked_at": AT}, "Revoked"),
    ],
)
def test_a_token_says_why_it_counts_no_more(members: dict[str, Any], said: str) -> None:
    sign = TokenRow(ApiToken(**members), AT).sign
    assert (sign.text if sign else "") == said


def test_more_than_four_permissions_of_a_token_are_one_line() -> None:
    few, many = (TokenRow(ApiToken(scopes=["a.view"] * n), AT) for n in (1, 5))
    assert (few.counted, few.is_folded) == ("1 permission", False)
    assert (many.counted, many.is_folded) == ("5 permissions", True)


def lacking(role: str) -> dict[str, str]:
    held = sorted(ROLES[role])
    return {preset.name: OfferedPreset(preset, held).lacking for preset in PRESETS}


def test_a_preset_says_which_of_the_permissions_that_its_use_needs_the_person_lacks() -> None:
    assert lacking("viewer") == {
        "cli": "",
        "ci": "Register models, Edit models, Register versions, Edit versions, Add evidence, "
        "Set aliases, Start builds, Cancel builds",
        "read": "",
    }
    assert lacking("contributor")["ci"] == ""
