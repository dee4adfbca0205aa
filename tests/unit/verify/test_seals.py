"""An event that gives access counts only where and as the access key sealed it."""

from datetime import timedelta
from typing import Any

import pytest

from placet_verify import canonical
from placet_verify.errors import Refused
from placet_verify.log import seals
from placet_verify.signing.keys import PrivateKey
from placet_verify.times import rfc3339
from tests.support.permits import NOON, Keys

KEYS = Keys()
BODY: dict[str, Any] = {
    "v": 1,
    "kind": "role.granted.v1",
    "at": rfc3339(NOON),
    "subject": "rol_1",
    "after": {"identity.rolebinding:rol_1": {"role": "reviewer"}},
    "data": {"role": "reviewer"},
}
SEALED = seals.seal(BODY, 7, KEYS.access)


def test_a_sealed_event_is_good_at_its_place() -> None:
    seals.verify(SEALED, 7, KEYS.ring)
    assert seals.fault(canonical.dumps(SEALED).decode(), 7, KEYS.ring) == ""


@pytest.mark.parametrize(
    ("body", "index"),
    [
        (SEALED, 8),
        (SEALED | {"subject": "rol_2"}, 7),
        (SEALED | {"at": rfc3339(NOON + timedelta(seconds=1))}, 7),
        (SEALED | {"more": 1}, 7),
        (BODY, 7),
        (BODY | {"seal": {}}, 7),
        (BODY | {"seal": SEALED["seal"] | {"sig": "!"}}, 7),
        (BODY | {"seal": SEALED["seal"] | {"keyid": "0" * 16}}, 7),
        (seals.seal(BODY, 7, KEYS.log), 7),
        (seals.seal(BODY, 7, KEYS.state), 7),
        (seals.seal(BODY, 7, PrivateKey.generate()), 7),
        (seals.seal(BODY | {"at": rfc3339(NOON - timedelta(days=2))}, 7, KEYS.access), 7),
    ],
)
def test_anything_else_is_void_and_reported(body: dict[str, Any], index: int) -> None:
    with pytest.raises(Refused):
        seals.verify(body, index, KEYS.ring)
    assert seals.fault(canonical.dumps(body).decode(), index, KEYS.ring) != ""


def test_a_seal_counts_for_nothing_from_the_loss_of_its_key_on() -> None:
    ring = KEYS.ring.revoke(KEYS.access.id, NOON)
    with pytest.raises(Refused):
        seals.verify(SEALED, 7, ring)


def test_events_that_vouch_for_nothing_need_no_seal() -> None:
    body = BODY | {"kind": "project.created.v1"}
    assert seals.fault(canonical.dumps(body).decode(), 7, KEYS.ring) == ""
    named = body | {"data": {"x": {"kind": "role.granted.v1"}}}
    assert seals.fault(canonical.dumps(named).decode(), 7, KEYS.ring) == ""
