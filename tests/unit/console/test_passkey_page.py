"""What the page of passkeys says of one."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from apps.console.queries.passkeys import PasskeyRow


@pytest.mark.parametrize(
    ("vouched_by", "enrolled_at", "said"),
    [
        (SimpleNamespace(person=SimpleNamespace(public_name="Rex")), "then", "Rex"),
        (None, "then", "the root key"),
        (None, None, "–"),
    ],
)
def test_who_vouched_for_a_passkey(vouched_by: Any, enrolled_at: Any, said: str) -> None:
    passkey = SimpleNamespace(vouched_by=vouched_by, enrolled_at=enrolled_at)
    row = PasskeyRow(cast("Any", passkey), "", own=False, may_vouch=False, may_withdraw=False)
    assert row.voucher == said
