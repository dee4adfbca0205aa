"""How rows are held: so that whoever inserts a row that refers to them does not wait."""

import ast
from collections.abc import Iterator

from tests.architecture.test_layout import ROOT, product_files

DELETED = "the row is deleted, which would hold it like this anyway"
FOR_UPDATE = {
    "apps/audit/actions/witnesses.py remove_witness": DELETED,
    "apps/audit/actions/cosigning.py forget_log": DELETED,
    "apps/identity/actions/roles.py revoke_role": DELETED,
    "apps/identity/actions/second_factor.py waive_second_factor": DELETED,
    "apps/identity/actions/teams.py delete_team": DELETED,
    "apps/identity/actions/teams.py remove_member": DELETED,
    "apps/monitoring/actions/erasing.py _replace": DELETED + ", when nothing is left of the part",
    "apps/registry/actions/collecting.py _count_no_longer": DELETED,
    "apps/registry/actions/collecting.py _sentence": DELETED + ", when the blob is needed again",
    "apps/serving/actions/prefetching.py release_prefetch": DELETED,
    "apps/serving/actions/uses.py end_use": DELETED,
}


def _for_update() -> Iterator[str]:
    """Say where rows are held ``FOR UPDATE``."""
    for path in product_files():
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef):
                for node in ast.walk(function):
                    if (
                        isinstance(node, ast.Call)
                        and isinstance(node.func, ast.Attribute)
                        and node.func.attr == "select_for_update"
                        and "no_key" not in {word.arg for word in node.keywords}
                    ):
                        yield f"{path.relative_to(ROOT)} {function.name}"


def test_only_who_deletes_a_row_keeps_out_what_refers_to_it() -> None:
    """``FOR UPDATE`` makes whoever inserts a row with a foreign key to it wait, ``FOR NO KEY
    UPDATE`` (``no_key=True``) only those who would hold the same row."""
    assert set(_for_update()) == set(FOR_UPDATE)
