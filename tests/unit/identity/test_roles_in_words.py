"""The table of roles in the guide says what the code does."""

import re

from apps.identity.rules import ROLES
from placet.kernel.config import ROOT

TABLE = re.compile(r"^\| permission \|(.*)\|\n\|.*\n((?:\|.*\n)+)", re.M)


def test_the_guides_table_is_what_the_roles_are() -> None:
    found = TABLE.search((ROOT / "docs" / "access.md").read_text())
    assert found
    roles = [role.strip() for role in found[1].split("|")]
    assert {*roles, "responder"} == set(ROLES), "responder has a sentence of its own"
    for line in found[2].splitlines():
        words, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        name = re.findall(r"`([a-z_]+\.[a-z_]+)`", words)[0]
        ticks = {"✓", "see"} if name.endswith(".view") else {"✓"}
        told = {role for role, cell in zip(roles, cells, strict=True) if cell in ticks}
        assert told == {role for role in roles if name in ROLES[role]}, words
