"""What stands around every page: where one's own menu leads."""

import pytest

from apps.console.context import account_menu
from placet.kernel.actor import INSTANCE, Actor, Grant

ALWAYS = [
    "API tokens",
    "Passkeys and second factor",
    "Approvers' passkeys",
    "Docs",
    "API reference",
]


@pytest.mark.parametrize(
    ("permission", "more"),
    [
        ("release.view", []),
        ("access.manage", ["People and access"]),
        ("stream.view", ["Streams of the log"]),
        ("audit.witness", ["Witnesses of the log"]),
        ("audit.hold", ["Retention of the log"]),
        ("audit.view", ["Witnesses of the log", "Retention of the log"]),
    ],
)
def test_ones_own_menu_leads_to_what_one_may_see(permission: str, more: list[str]) -> None:
    actor = Actor("person", "per_1", grants=frozenset({Grant(permission, INSTANCE)}))
    assert [link.text for link in account_menu(actor)] == ALWAYS[:3] + more + ALWAYS[3:]
